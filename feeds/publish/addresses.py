"""Which of two articles has an address, where their pages can't both be published, within one transaction.

An article that is live keeps its address. Of others the one has it that was published first, by its date and then by
its path. So a catalog that is made of the same folder again decides the same of all articles that were never published.
"""

from collections.abc import Iterable, Iterator, Sequence

from feeds import paths
from feeds.catalog import Claim, Version, Writer
from feeds.model import Site

_PAGE = 5_000  # articles that are compared together
_UNUSUAL = "unusual pages"  # in the catalog: whether a page was ever at …/index.html, or in a folder that may be a file

Rivals = dict[str, list[Claim]]  # by page, or by the file of a page


class Addresses:
    """Finds the articles that are refused because another has their address."""

    def __init__(self, catalog: Writer, site: Site, moment: int) -> None:
        """`moment` is that of the run, in microseconds."""
        self._catalog = catalog
        self._has_pages = site.pages
        self._moment = moment

    def refused(self) -> dict[int, str]:
        """Return the reasons for which pending articles are refused, by the keys of the articles."""
        if not self._has_pages:
            return {}
        unusual, twice = self._has_unusual_pages(), self._catalog.pages_wanted_twice()
        below = _by_files(self._catalog.claims_below_files()) if unusual else {}
        found, after = dict[int, str](), 0
        while page := self._catalog.pages_to_decide(after, _PAGE):
            after = page[-1][0]
            wanted = {one: _excluded(one) for _, one in page if unusual or not one.endswith("/")}
            at = self._at({other for others in wanted.values() for other in others})
            contested = {
                one for one, others in wanted.items() if below.get(paths.file_of_page(one)) or others & at.keys()
            }
            at |= self._at({one for _, one in page if one in contested or one in twice})
            for key, one in page:
                found |= self._refused(key, one, at, below) if one in at else {}
        return found

    def _refused(self, key: int, page: str, at: Rivals, below: Rivals) -> dict[int, str]:
        mine = next((claim for claim in at[page] if claim.key == key), None)
        before = [other for other in _rivals(page, at, below) if self._is_before(other, mine)] if mine else []
        return {key: _reason(page, min(before, key=self._rank))} if before else {}

    def refused_edits(self, versions: Sequence[Version]) -> dict[str, str]:
        """Return by path why new versions of live articles are refused: their new address is that of a live article.

        Of other articles it is decided when all versions were kept (`refused`); of these the last good one stays.
        """
        edits = [one for one in versions if one.page and one.shown_page not in {None, one.page} and not one.draft]
        if not (edits and self._has_pages):
            return {}
        at = self._at({page for one in edits if one.page for page in {one.page, *_excluded(one.page)}})
        below = _by_files(self._catalog.claims_below_files())
        rivals = {
            one.path: [other for other in _rivals(one.page or "", at, below) if other.live and other.key != one.key]
            for one in edits
        }
        read = self._catalog.pages_read({other.path for others in rivals.values() for other in others})
        return {
            one.path: _reason(one.page or "", others[0])
            for one in edits
            # one that was read with another address leaves its own
            if (others := [other for other in rivals[one.path] if read.get(other.path, other.page) == other.page])
        }

    def _at(self, pages: set[str]) -> Rivals:
        """Return the articles whose pages are at some paths, by page."""
        found: Rivals = {}
        for claim in self._catalog.claims(pages) if pages else ():
            found.setdefault(claim.page, []).append(claim)
        return found

    def _has_unusual_pages(self) -> bool:
        """Return whether pages may exclude each other although both end in "/", as those of few sites may."""
        known = self._catalog.meta(_UNUSUAL)
        found = "yes"
        if known != "yes":
            found = "yes" if self._catalog.any_unusual_page(to_decide=known is not None) else "no"
        if found != known:
            self._catalog.set_meta(_UNUSUAL, found)
        return found == "yes"

    def _is_before(self, other: Claim, one: Claim) -> bool:
        there = all(claim.expires is None or claim.expires > self._moment for claim in (other, one))
        return other.key != one.key and there and self._rank(other) < self._rank(one)

    def _rank(self, one: Claim) -> tuple[bool, bool, int, str]:
        return not one.live, one.live_from > self._moment, one.published, one.path


def _excluded(page: str) -> set[str]:
    """Return the other pages that a page excludes: those with the same file, and those whose file must be a folder."""
    files = (paths.file_of_page(page), *paths.page_files_above(page))
    return {other for file in files for other in paths.pages_of_file(file)} - {page}


def _by_files(claims: Iterable[Claim]) -> Rivals:
    found: Rivals = {}
    for claim in claims:
        for file in paths.page_files_above(claim.page):
            found.setdefault(file, []).append(claim)
    return found


def _rivals(page: str, at: Rivals, below: Rivals) -> Iterator[Claim]:
    for other in (page, *_excluded(page)):
        yield from at.get(other, ())
    yield from below.get(paths.file_of_page(page), ())


def _reason(page: str, other: Claim) -> str:
    if page == other.page:
        said = f"its address {page} is that of {other.path}"
    elif paths.file_of_page(page) == paths.file_of_page(other.page):
        said = f"its address {page} would be the same file as {other.page} of {other.path}"
    else:
        said = f"its address {page} and {other.page} of {other.path} can't both be files of one folder"
    return f"{said}; give one of them another link or slug"
