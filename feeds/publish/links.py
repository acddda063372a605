"""Resolves the targets of links between article files to URLs, and keeps the results in the catalog.

A link resolves to the URL of a live article. When an article goes live, is withdrawn, moves or gets another URL, the
articles that link to it change too, and so do the feeds that show them.
"""

from collections.abc import Iterable, Iterator

from feeds.catalog import CatalogWriter, EntryKey, LinkingArticle, LiveArticle, PendingArticle, names_by_feed
from feeds.core import syndication
from feeds.core.article_files import article_name
from feeds.core.model import Site
from feeds.core.parse.links import (
    candidate_paths,
    is_file_target,
    is_partial,
    is_translation_target,
    partial_targets,
    translation_target,
)
from feeds.publish.feed_versions import FeedVersions
from feeds.publish.translations import Translations

_PAGE_ROWS = 5_000  # articles whose links are resolved together
_MAX_CHANGED = 20_000  # articles; if more changed, all links are resolved again


Candidates = dict[str, list[LiveArticle]]  # by target: the articles that it may refer to


class Linker:
    """Resolves the links of the articles that a run changes, and of those that link to them."""

    def __init__(self, catalog: CatalogWriter, site: Site) -> None:
        self._catalog = catalog
        self._site = site
        self._had_links = catalog.has_links()
        self._linking: list[int] = []  # keys of articles of this run that have links
        self._changed: dict[int, str] = {}  # key -> path of articles that others may link to
        self._urls: dict[int, str] = {}  # key -> URL, a cache
        self._translations = Translations(catalog, site, had_links=self._had_links)

    def add(self, article: PendingArticle, *, changed: bool) -> None:
        """Add an article of this run. `changed`: whether its URL or its live state may have changed."""
        if article.links_to or article.link_urls:
            self._linking.append(article.key)
            self._translations.add(article)
        if changed and self._had_links and len(self._changed) <= _MAX_CHANGED:
            self._changed[article.key] = article.path

    def update(self, versions: FeedVersions, *, every: bool) -> None:
        """Resolve the links of the added articles and of those that link to them; if `every` is true, all links."""
        keys = self._affected(every=every)
        partial = {target for page in self._pages(keys) for row in page for target in row.targets if is_partial(target)}
        by_end = self._find_by_end(partial)
        for page in self._pages(keys):
            self._update(page, by_end, versions)

    def _pages(self, keys: list[int]) -> Iterator[list[LinkingArticle]]:
        for start in range(0, len(keys), _PAGE_ROWS):
            yield self._catalog.linking_articles(keys[start : start + _PAGE_ROWS])

    def _affected(self, *, every: bool) -> list[int]:
        if not (self._had_links or self._linking):
            return []
        every = every or len(self._changed) > _MAX_CHANGED
        if every:
            keys = {*self._linking, *self._catalog.linking_keys()}
        else:
            names = self._changed.values()
            targets = {target for path in names for target in (article_name(path), *partial_targets(path))}
            keys = {*self._linking, *self._catalog.keys_linking_to(self._changed, targets)}
        return sorted(keys | self._translations.affected(self._linking, self._changed, every=every))

    def _update(self, articles: list[LinkingArticle], by_end: Candidates, versions: FeedVersions) -> None:
        names = {
            target
            for article in articles
            for target in article.targets
            if not (is_file_target(target) or is_partial(target) or is_translation_target(target))
        }
        by_name = self._find_by_name(names)
        resolved = {
            article.key: {
                target: _nearest(article.path, (by_end if is_partial(target) else by_name).get(target, []))
                for target in article.targets
            }
            for article in articles
        }  # article -> target -> key of the article that it refers to; None for a file
        self._look_up({key for targets in resolved.values() for key in targets.values() if key is not None})
        translations = self._translations.find(articles)
        updated = []
        for article in articles:
            urls = {target: self._urls[key] for target, key in resolved[article.key].items() if key is not None}
            urls |= {
                translation_target(language): url for language, url in translations.by_article.get(article.key, ())
            }
            new_urls = urls if article.targets or urls else None
            if new_urls == article.urls:
                continue
            revision = article.revision
            is_changed = article.live and urls != (article.urls or {})
            if is_changed and article.id and revision != versions.next_revision:
                entries = {EntryKey(feed, article.published, article.id) for feed in names_by_feed(article.feeds)}
                versions.record_change(entries, entries, edited=True)
                revision = versions.next_revision
            updated.append(article._replace(revision=revision, urls=new_urls))
        self._catalog.save_link_urls(updated)
        for targets in resolved.values():
            targets.update(
                {target: translations.originals.get(target) for target in filter(is_translation_target, targets)}
            )
        self._catalog.save_link_targets(resolved)

    def _find_by_name(self, targets: set[str]) -> Candidates:
        """Return the live articles that targets refer to by path."""
        target_of = {path: target for target in targets for path in candidate_paths(target)}
        candidates: Candidates = {}
        for path, key in self._catalog.live_keys(target_of).items():
            candidates.setdefault(target_of[path], []).append(LiveArticle(path, key))
        return candidates

    def _find_by_end(self, targets: set[str]) -> Candidates:
        """Return the live articles that targets refer to by the end of a path. This reads all paths."""
        candidates: Candidates = {}
        for article in self._catalog.live_articles() if targets else ():
            for target in targets.intersection(partial_targets(article.path)):
                candidates.setdefault(target, []).append(article)
        return candidates

    def _look_up(self, keys: Iterable[int]) -> None:
        """Cache the URLs of articles."""
        for stored in self._catalog.stored_articles([key for key in keys if key not in self._urls]):
            self._urls[stored.key] = syndication.article_url(stored.article, self._site)


def _nearest(path: str, candidates: list[LiveArticle]) -> int | None:
    """Return the key of the article that a link refers to: in the same folder, else the one with the shortest path."""
    folder = path.rpartition("/")[0]

    def distance(candidate: LiveArticle) -> tuple[bool, int, int, str]:
        other = candidate.path
        return other.rpartition("/")[0] != folder, other.count("/"), len(other), other

    return min(candidates, key=distance).key if candidates else None
