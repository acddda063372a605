"""Decides within one transaction which of the articles with conflicting addresses keeps its address.

A live article keeps its address. Of other articles, the one with the earliest date gets the address; of several with
this date, the one with the first path. So for articles that were never published, the decision is the same in a catalog
that is created again from the same folder.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from feeds.catalog import CatalogWriter, FileVersion, PageClaim, PendingPage
from feeds.core import paths
from feeds.core.model import Site

_PAGE_ROWS = 5_000  # articles that are compared together

Claims = dict[str, list[PageClaim]]  # by page, or by the file of a page


class _Edit(NamedTuple):
    """The new address of a live article, and the live articles that had this address before this run."""

    page: str
    rivals: list[PageClaim]


class PageConflicts:
    """Finds the articles that are rejected because another article has their address."""

    def __init__(self, catalog: CatalogWriter, site: Site, moment: int) -> None:
        """Prepare to search; `moment` is the time of the run, in microseconds since 1970."""
        self._catalog = catalog
        self._has_pages = site.pages
        self._moment = moment
        self._edits: dict[str, _Edit] = {}  # by path: versions whose new address another live article has
        self._replaced: set[int | None] = set()  # keys of articles whose path another article has now
        self._below: Claims | None = None  # for `add_versions`

    def find_conflicts(self) -> dict[int, str]:
        """Return why pending articles are rejected, by the key of the article."""
        if not self._has_pages:
            return {}
        has_unusual, contested = self._has_unusual_pages(), self._catalog.contested_pages()
        below = _by_files_above(self._catalog.claims_below_files()) if has_unusual else {}
        reasons, after = dict[int, str](), 0
        while pending := self._catalog.pending_pages(after, _PAGE_ROWS):
            after = pending[-1].key
            pages = [article.page for article in pending]
            excluded = {page: _excluded(page) for page in pages if has_unusual or not page.endswith("/")}
            claims = self._claims({other for others in excluded.values() for other in others})
            conflicting = {
                page
                for page, others in excluded.items()
                if below.get(paths.file_of_page(page)) or others & claims.keys()
            }
            claims |= self._claims({page for page in pages if page in conflicting or page in contested})
            for article in pending:
                if article.page in claims and (reason := self._find_conflict(article, claims, below)):
                    reasons[article.key] = reason
        return reasons

    def _find_conflict(self, article: PendingPage, claims: Claims, below: Claims) -> str | None:
        page = article.page
        own = next((claim for claim in claims[page] if claim.key == article.key), None)
        before = [other for other in _rivals(page, claims, below) if self._is_before(other, own)] if own else []
        return _reason(page, min(before, key=self._rank)) if before else None

    def add_versions(self, versions: Sequence[FileVersion], keys: Mapping[str, int | None]) -> None:
        """Record the staged versions that change the address of a live article, for `find_edit_conflicts`.

        Call it for all staged versions, before the first of them is saved.

        Args:
            versions: some staged versions.
            keys: by the path of a version, the key of its article; None for a new one.
        """
        if not self._has_pages:
            return
        self._replaced |= {version.key for version in versions if version.key != keys[version.path]}
        live_pages = self._live_pages(versions, keys)
        pages = {
            version.path: version.page
            for version in versions
            if version.page and live_pages.get(version.path, version.page) != version.page and not version.draft
        }
        if not pages:
            return
        claims = self._claims({other for page in pages.values() for other in {page, *_excluded(page)}})
        if self._below is None:
            self._below = _by_files_above(self._catalog.claims_below_files())
        for path, page in pages.items():
            rivals = [other for other in _rivals(page, claims, self._below) if other.live and other.key != keys[path]]
            if rivals:
                self._edits[path] = _Edit(page, rivals)

    def find_edit_conflicts(self, moved: Mapping[int, str], rejected: Mapping[str, str]) -> dict[str, str]:
        """Return by path why versions are rejected: those in `rejected`, and those whose address another article keeps.

        The last good version of such an article stays published at its address. `find_conflicts` decides about articles
        that are not live, after all versions were saved.

        Args:
            moved: the new paths of renamed files, by the key of the article.
            rejected: by path, why versions are rejected for other reasons. Their articles keep their addresses.
        """
        waiting = dict[str, list[str]]()  # by the path of a rival, the versions that would have its address
        for path, edit in self._edits.items():
            for other in edit.rivals:
                waiting.setdefault(moved.get(other.key, other.path), []).append(path)
        staged = self._catalog.staged_pages(waiting)
        replaced = self._replaced - moved.keys()
        reasons = dict(rejected)

        def keeps_address(other: PageClaim) -> bool:
            if other.key in replaced:  # by another article, whose file is now at its path
                return False
            path = moved.get(other.key, other.path)
            return path in reasons or staged.get(path, other.page) == other.page

        unchecked = deque(self._edits)
        while unchecked:
            path = unchecked.popleft()
            page, rivals = self._edits[path]
            if path not in reasons and (rival := next(filter(keeps_address, rivals), None)):
                reasons[path] = _reason(page, rival)
                unchecked.extend(waiting.get(path, ()))  # this article keeps the address that these would have
        return reasons

    def _live_pages(self, versions: Sequence[FileVersion], keys: Mapping[str, int | None]) -> dict[str, str]:
        """Return the page at which the article of each version is live, if it is, by the path of the version."""
        elsewhere = {
            version.path: key for version in versions if (key := keys[version.path]) not in {None, version.key}
        }
        live_pages = {
            version.path: version.live_page
            for version in versions
            if version.live_page and version.path not in elsewhere and keys[version.path] is not None
        }
        pages = self._catalog.live_pages(key for key in elsewhere.values() if key is not None)
        return live_pages | {path: pages[key] for path, key in elsewhere.items() if key in pages}

    def _claims(self, pages: set[str]) -> Claims:
        """Return the articles that claim some pages, by page."""
        claims: Claims = {}
        for claim in self._catalog.page_claims(pages) if pages else ():
            claims.setdefault(claim.page, []).append(claim)
        return claims

    def _has_unusual_pages(self) -> bool:
        """Return whether pages may exclude each other although both end in "/". Few sites have such pages."""
        state = self._catalog.state
        if not state.unusual_pages:
            state.unusual_pages = self._catalog.has_unusual_page(pending_only=state.unusual_pages is not None)
        return bool(state.unusual_pages)

    def _is_before(self, other: PageClaim, own: PageClaim) -> bool:
        is_valid = all(claim.expires is None or claim.expires > self._moment for claim in (other, own))
        return other.key != own.key and is_valid and self._rank(other) < self._rank(own)

    def _rank(self, claim: PageClaim) -> tuple[bool, bool, int, str]:
        return not claim.live, claim.live_from > self._moment, claim.published, claim.path


def _excluded(page: str) -> set[str]:
    """Return the other pages that a page excludes: those with the same file, and those whose file must be a folder."""
    files = (paths.file_of_page(page), *paths.page_files_above(page))
    return {other for file in files for other in paths.pages_of_file(file)} - {page}


def _by_files_above(claims: Iterable[PageClaim]) -> Claims:
    by_file: Claims = {}
    for claim in claims:
        for file in paths.page_files_above(claim.page):
            by_file.setdefault(file, []).append(claim)
    return by_file


def _rivals(page: str, claims: Claims, below: Claims) -> Iterator[PageClaim]:
    for other in (page, *_excluded(page)):
        yield from claims.get(other, ())
    yield from below.get(paths.file_of_page(page), ())


def _reason(page: str, other: PageClaim) -> str:
    if page == other.page:
        conflict = f"its address {page} is also the address of {other.path}"
    elif paths.file_of_page(page) == paths.file_of_page(other.page):
        conflict = f"its address {page} would be the same file as {other.page} of {other.path}"
    else:
        conflict = f"its address {page} and {other.page} of {other.path} conflict: a path can't be a file and a folder"
    return f"{conflict}; give one of the articles another link or slug"
