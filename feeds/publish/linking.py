"""Where links from one article's file to another's lead, kept up to date in the catalog.

A link leads to the URL of a live article. When an article goes live, is withdrawn, moves or gets another URL, the
articles that link to it show another URL, so the feeds that show those change too.
"""

from collections.abc import Iterable, Iterator

from feeds import syndicate
from feeds.article_files import article_name
from feeds.catalog import Linking, Pending, Writer, names_by_feed
from feeds.model import Site
from feeds.parse.links import ends_of, files_of, is_by_end, is_file
from feeds.publish.stamps import Stamps

_PAGE = 5_000  # articles whose links are looked up together
_MANY = 20_000  # changed articles from which on all links are looked up again

Candidates = dict[str, list[tuple[str, int]]]  # target -> (path, key) of the live articles that it may mean


class Linker:
    """Updates where the links of articles lead, at the end of a run."""

    def __init__(self, catalog: Writer, site: Site) -> None:
        self._catalog = catalog
        self._site = site
        self._had_links = catalog.any_links()
        self._own: list[int] = []  # keys of articles whose own links are to be looked up
        self._changed: dict[int, str] = {}  # key -> path of articles to which others may link
        self._urls: dict[int, str] = {}  # key -> URL of articles that were looked up

    def note(self, one: Pending, *, changed: bool) -> None:
        """Note an article of this run; `changed` if it may have another URL than before, or become live or not."""
        if one.links_to or one.link_urls:
            self._own.append(one.key)
        if changed and self._had_links and len(self._changed) <= _MANY:
            self._changed[one.key] = one.path

    def update(self, stamps: Stamps, *, every: bool) -> None:
        """Look up the links of the articles of this run and of those that link to one of them; or `every` link."""
        keys = self._affected(every=every)
        by_end = self._find_by_end(
            {target for rows in self._pages(keys) for one in rows for target in one.targets if is_by_end(target)}
        )
        for rows in self._pages(keys):
            self._update(rows, by_end, stamps)

    def _pages(self, keys: list[int]) -> Iterator[list[Linking]]:
        for start in range(0, len(keys), _PAGE):
            yield self._catalog.linking(keys[start : start + _PAGE])

    def _affected(self, *, every: bool) -> list[int]:
        if not (self._had_links or self._own):
            return []
        if every or len(self._changed) > _MANY:
            return sorted({*self._own, *self._catalog.with_links()})
        targets = {target for path in self._changed.values() for target in (article_name(path), *ends_of(path))}
        return sorted({*self._own, *self._catalog.linking_to(self._changed, targets)})

    def _update(self, rows: list[Linking], by_end: Candidates, stamps: Stamps) -> None:
        named = {target for one in rows for target in one.targets if not (is_file(target) or is_by_end(target))}
        by_name = self._find_by_name(named)
        leads_to = {
            one.key: {
                target: _nearest(one.path, (by_end if is_by_end(target) else by_name).get(target, []))
                for target in one.targets
            }
            for one in rows
        }  # of a file: None
        self._look_up({key for targets in leads_to.values() for key in targets.values() if key is not None})
        linked = []
        for one in rows:
            urls = {target: self._urls[key] for target, key in leads_to[one.key].items() if key is not None}
            if (urls if one.targets else None) == one.urls:
                continue
            revision = one.revision
            if one.live and one.id and urls != (one.urls or {}) and revision != stamps.revision:
                places = {(feed, one.published, one.id) for feed in names_by_feed(one.feeds)}
                stamps.moved(places, places, edited=True)
                revision = stamps.revision
            linked.append(one._replace(revision=revision, urls=urls if one.targets else None))
        self._catalog.link(linked)
        self._catalog.keep_targets(leads_to)

    def _find_by_name(self, targets: set[str]) -> Candidates:
        """Return the live articles that targets may mean which are names."""
        at = {path: target for target in targets for path in files_of(target)}
        found: Candidates = {}
        for path, key in self._catalog.live_at(at).items():
            found.setdefault(at[path], []).append((path, key))
        return found

    def _find_by_end(self, targets: set[str]) -> Candidates:
        """Return the live articles that targets may mean which are ends of names; all paths are read for them."""
        found: Candidates = {}
        for path, key in self._catalog.live_paths() if targets else ():
            for target in targets.intersection(ends_of(path)):
                found.setdefault(target, []).append((path, key))
        return found

    def _look_up(self, keys: Iterable[int]) -> None:
        """Remember the URLs of articles."""
        for key, article in self._catalog.articles([key for key in keys if key not in self._urls]):
            self._urls[key] = syndicate.link(article, self._site)


def _nearest(path: str, candidates: list[tuple[str, int]]) -> int | None:
    """Return the article that a link means: one in the same folder, else the one with the shortest path."""
    folder = path.rpartition("/")[0]

    def distance(candidate: tuple[str, int]) -> tuple[bool, int, int, str]:
        other, _ = candidate
        return other.rpartition("/")[0] != folder, other.count("/"), len(other), other

    return min(candidates, key=distance)[1] if candidates else None
