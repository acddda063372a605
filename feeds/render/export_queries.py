"""The content of pages for an export: many articles are read together, because the catalog does not change meanwhile.

`PageQueries` reads one article for each served page.
"""

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from datetime import datetime

from feeds.catalog import CatalogReader, EntryRecord, Neighbour, PageInFeed
from feeds.core import memberships, syndication
from feeds.core.model import Article, FeedState, Site
from feeds.render.page_queries import ArticlePage, PageLink, PageQueries
from feeds.render.queue import InlineExecutor
from feeds.render.renderer import DocumentRenderer

_MAX_FEEDS = 10_000  # whose states are cached
_MAX_PAGES = 10_000  # whose order in the site's feed is cached


class ExportQueries(PageQueries):
    """Queries of a catalog that changes only before calls of `reset`."""

    def __init__(
        self, reading: Callable[[], AbstractContextManager[CatalogReader]], site: Site, renderer: DocumentRenderer
    ) -> None:
        """Prepare queries.

        Args:
            reading: opens a read transaction of the catalog.
            site: the site.
            renderer: renders entries.
        """
        super().__init__(reading, site, renderer, InlineExecutor())
        self.reset()

    def reset(self) -> None:
        """Forget the catalog's content, because it may have changed."""
        self._states: dict[str, FeedState] | None = None  # of all feeds, by path; empty: there are too many
        self._order: list[PageInFeed] | None = None  # the pages of the site's feed, the oldest first; empty: too many
        self._positions: dict[str, int] = {}  # in `_order`, by the path of the page
        self._records: dict[str, EntryRecord] = {}  # of loaded articles, by the path of the page
        self._links: dict[str, PageLink] = {}  # to loaded articles, by the path of the page
        self._committed: dict[int, datetime] = {}  # by revision

    def position(self, page: str) -> int:
        """Return a number by which pages are sorted so that articles beside each other in the site's feed are too."""
        self._load_order()
        return self._positions.get(page, -1)

    def load_articles(self, pages: Iterable[str]) -> None:
        """Read the articles of pages, and those beside them in the site's feed, for the next calls of `article`."""
        wanted = dict.fromkeys(pages)
        if not wanted:
            return
        order = self._load_order()
        for page in [*wanted]:
            if (position := self._positions.get(page)) is not None:
                wanted |= dict.fromkeys(beside.page for beside in order[max(0, position - 1) : position + 2])
        with self._reading() as catalog:
            self._records = catalog.entries_at_pages([*wanted])
        self._links = {}
        for page, record in self._records.items():
            if heading := self._renderer.heading(record):
                self._links[page] = PageLink(heading.title, page, heading.language)

    def article(self, path: str) -> ArticlePage | None:
        """Return the page of the published article at a path; None if there is none."""
        record = self._records.get(path)
        if record is None:
            return super().article(path)
        article = record.article
        feeds = self._states_of(article)
        entry = self._renderer.render_entry(record, for_page=True)
        is_in_site_feed = any(not state.path for state in feeds)
        older, newer = self._links_beside(path, record) if is_in_site_feed else (None, None)
        return ArticlePage(entry, feeds, self._committed_at(record.revision), article, older, newer)

    def _load_order(self) -> Sequence[PageInFeed]:
        if self._order is None:
            with self._reading() as catalog:
                pages = catalog.pages_in_feed(None, _MAX_PAGES + 1)
            self._order = pages if len(pages) <= _MAX_PAGES else []
            self._positions = {page.page: position for position, page in enumerate(self._order)}
        return self._order

    def _states_of(self, article: Article) -> list[FeedState]:
        """Return the published feeds that contain an article."""
        if self._states is None:
            with self._reading() as catalog:
                all_feeds = catalog.feeds()
            self._states = {state.path: state for state in all_feeds} if len(all_feeds) <= _MAX_FEEDS else {}
        if not self._states:
            with self._reading() as catalog:
                return self._feeds_of(catalog, article)
        states = [self._states.get(feed.path) for feed in memberships.feeds_of(article, self._site)]
        return [state for state in states if state and syndication.exists(state, self._site)]

    def _committed_at(self, revision: int) -> datetime:
        if revision not in self._committed:
            with self._reading() as catalog:
                self._committed[revision] = catalog.committed_at(revision)
        return self._committed[revision]

    def _links_beside(self, path: str, record: EntryRecord) -> tuple[PageLink | None, PageLink | None]:
        """Return links to the articles before and after an article in the site's feed."""
        order, position = self._load_order(), self._positions.get(path)
        if position is None or order[position].id != record.id:  # there are too many pages
            with self._reading() as catalog:
                beside = catalog.neighbours(record)
            return beside.older and self._page_link(beside.older), beside.newer and self._page_link(beside.newer)
        older = order[position - 1] if position else None
        newer = order[position + 1] if position + 1 < len(order) else None
        return older and self._link(older.page), newer and self._link(newer.page)

    def _link(self, page: str) -> PageLink | None:
        """Return a link to a page; None if its article was withdrawn by a process that has taken the lock."""
        record = self._records.get(page)
        return self._links.get(page) or (record and self._page_link(Neighbour(record, page)))
