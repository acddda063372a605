"""The content of pages for people: a feed, an article, all feeds. Each result is of one consistent revision."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from feeds.catalog import CatalogReader, EntryRecord, Neighbour, Neighbours
from feeds.core import memberships, paths, syndication
from feeds.core.model import Article, Entry, Feed, FeedState, Site
from feeds.core.parse.links import file_target
from feeds.render.document_path import DocumentPath
from feeds.render.queue import InlineExecutor, Priority, RenderQueue
from feeds.render.renderer import DocumentRenderer
from feeds.render.sitemaps import Sitemaps

_MAX_DEPTH = 6  # folders below an article's own folder, with the file's name


@dataclass(frozen=True, slots=True)
class FeedPage:
    """The content of the page of a feed, or of one of its archives."""

    feed: Feed
    state: FeedState
    feeds: list[FeedState]  # all published feeds, the site's first, the others by path; only for the site's page
    changed: datetime


class PageLink(NamedTuple):
    """A link to the page of another article: its title, and the path of the page.

    `published` is only known in lists.
    """

    title: str
    path: str
    language: str
    published: datetime | None = None


class ArticlePage(NamedTuple):
    """The content of the page of an article: its entry, the feeds that contain it, and the article itself.

    `changed` is the time at which the entry last changed. `older` and `newer` are the articles before and after the
    article in the site's feed.
    """

    entry: Entry
    feeds: list[FeedState]
    changed: datetime
    article: Article
    older: PageLink | None = None
    newer: PageLink | None = None


class PublishedFeeds(NamedTuple):
    """All published feeds, the site's first, the others by path, and the time of the last change of any of them."""

    feeds: list[FeedState]
    changed: datetime


class FileOfArticle(NamedTuple):
    """A file of an article: the path of the article's file, and the file's path in the article's own folder."""

    article_path: str
    name: str


class UnpublishedArticle(NamedTuple):
    """An article as it would be published, and a token of the catalog's state, which differs after every change."""

    record: EntryRecord
    entry: Entry
    state: str


class PageQueries:
    """Reads the catalog for pages, and renders the entries that they show."""

    def __init__(
        self,
        reading: Callable[[], AbstractContextManager[CatalogReader]],
        site: Site,
        renderer: DocumentRenderer,
        executor: RenderQueue | InlineExecutor,
    ) -> None:
        """Prepare queries.

        Args:
            reading: opens a read transaction of the catalog.
            site: the site.
            renderer: renders entries.
            executor: runs the renderer.
        """
        self._reading = reading
        self._site = site
        self._renderer = renderer
        self._executor = executor
        self.sitemaps = Sitemaps(reading, site, renderer, executor)

    def is_removed(self, path: str) -> bool:
        """Return whether a document or a page was published at a path before, and is not published now."""
        document_path = DocumentPath.parse(path)
        feed = document_path.feed if document_path else path.strip("/")
        with self._reading() as catalog:
            state = catalog.feed(feed)
            if state is None:
                was_page = catalog.was_page(path) or catalog.current_page(path) is not None
                return self._site.pages and was_page
            if document_path and document_path.summary and not syndication.has_summary(feed, self._site):
                return state.published and catalog.state.had_summaries
        return state.published and not syndication.exists(state, self._site)

    def redirect_target(self, path: str) -> str | None:
        """Return the page to which a request for a path without a page is redirected; None if there is none.

        If the page of a published article was at the path before, the target is the article's current page. A path
        without a trailing slash is redirected to the page at the path with the slash.
        """
        with self._reading() as catalog:
            if target := self._moved_to(catalog, path):
                return target
            if path.endswith("/"):
                return None
            folder = f"{path}/"
            return folder if self._has_page(catalog, folder) else self._moved_to(catalog, folder)

    def has_page(self, path: str) -> bool:
        """Return whether the page of a feed, of an archive or of a live article is at a path."""
        with self._reading() as catalog:
            return self._has_page(catalog, path)

    def has_document(self, path: str) -> bool:
        """Return whether a document is published at a path."""
        document_path = DocumentPath.parse(path, self._site.feeds)
        if document_path is None:
            return False
        with self._reading() as catalog:
            state = catalog.feed(document_path.feed)
        if document_path.summary and not syndication.has_summary(document_path.feed, self._site):
            return False
        if state is None:
            return False
        return syndication.document_revision(state, document_path.archive, self._site) is not None

    def _moved_to(self, catalog: CatalogReader, path: str) -> str | None:
        current = catalog.current_page(path) if self._may_be_article(path) else None
        return current.page if current and current.live else None

    def _has_page(self, catalog: CatalogReader, path: str) -> bool:
        feed = paths.feed_of_page(path, self._site.feeds)
        state = catalog.feed(feed.feed) if feed else None
        if feed and state and syndication.document_revision(state, feed.archive, self._site) is not None:
            return True
        return self._may_be_article(path) and bool(catalog.paths_by_page([path], live=True))

    def _may_be_article(self, path: str) -> bool:
        return self._site.pages and paths.owner(path, self._site) is None

    def feed(self, path: str, archive: int = 0) -> FeedPage | None:
        """Return the page of a feed, or of one of its archives; None if that is not published."""
        with self._reading() as catalog:
            state = catalog.feed(path)
            if state is None or syndication.document_revision(state, archive, self._site) is None:
                return None
            content = self._renderer.load_content(catalog, state, archive)
            feeds = [] if path or archive else self._published(catalog)
            changed = state.changed if path else catalog.committed_at(catalog.revision())
        key = f"feed {state.revision} {state.archive_revision} {path} {archive}"
        priority = Priority.ARCHIVE if archive else Priority.PAGE

        def job() -> Feed:
            return self._renderer.render_feed(
                state, content, archive, after_each=lambda: self._executor.yield_to_more_urgent(priority)
            )

        return FeedPage(self._executor.run(key, job, priority), state, feeds, changed)

    def article(self, path: str) -> ArticlePage | None:
        """Return the page of the published article at a path; None if there is none."""
        with self._reading() as catalog:
            record = catalog.entry_at_page(path)
            if record is None:
                return None
            article = record.article
            feeds = self._feeds_of(catalog, article)
            changed = catalog.committed_at(record.revision)
            is_in_site_feed = any(not state.path for state in feeds)
            neighbours = catalog.neighbours(record) if is_in_site_feed else Neighbours(None, None)
        key = f"article {record.hash} {path}"
        entry = self._executor.run(key, lambda: self._renderer.render_entry(record, for_page=True))
        older, newer = (neighbour and self._page_link(neighbour) for neighbour in neighbours)
        return ArticlePage(entry, feeds, changed, article, older, newer)

    def _page_link(self, neighbour: Neighbour) -> PageLink:
        record = neighbour.record
        heading = self._renderer.heading(record)
        if heading is None:  # only the title of a note without a title depends on its text
            key = f"heading {record.hash} {neighbour.page}"
            heading = self._executor.run(key, lambda: self._renderer.render_heading(record))
        return PageLink(heading.title, neighbour.page, heading.language)

    def newest_pages(self, limit: int) -> list[PageLink]:
        """Return links to the pages of the newest articles in the site's feed."""
        with self._reading() as catalog:
            records = catalog.newest_entries("", limit)
        pages = ((record, syndication.page_path(record.article, self._site)) for record in records)
        return [
            self._page_link(Neighbour(record, page))._replace(published=record.article.published)
            for record, page in pages
            if page
        ]

    def file_of_article(self, path: str, *, live: bool) -> FileOfArticle | None:
        """Return the file of an article that may be at a path; if `live` is true, only of a published article."""
        parts = path.split("/")[1:]
        names = dict[str, str]()
        for depth in range(len(parts) - 1, max(0, len(parts) - _MAX_DEPTH), -1):
            folder = "/" + "/".join(parts[:depth])
            names |= {
                page: "/".join(parts[depth:]) for page in (f"{folder}/", folder, f"{folder}.html", f"{folder}.htm")
            }
        with self._reading() as catalog:
            files = catalog.paths_by_page(list(names), live=live)
        return next((FileOfArticle(files[page], name) for page, name in names.items() if page in files), None)

    def is_linked(self, path: str, *, live: bool) -> bool:
        """Return whether an article links to a file below the content folder; if `live` is true, a published one."""
        with self._reading() as catalog:
            return catalog.is_linked(file_target(path), live=live)

    def belongs_to_pages(self, path: str) -> bool:
        """Return whether a file at a path conflicts with the page of a published article.

        The file `/x.png` conflicts with the page `/x.png/`, and `/x.html/y.png` with the page `/x.html`, since a file
        and a folder can't have the same path.
        """
        folders = path.split("/")[1:-1]
        above = ("/" + "/".join(folders[:depth]) for depth in range(1, len(folders) + 1))
        pages = [page for folder in above for page in paths.pages_of_file(folder)]
        with self._reading() as catalog:
            return catalog.has_pages_below(path) or any(catalog.entry_at_page(page) for page in pages)

    def is_of_draft(self, path: str) -> bool:
        """Return whether a file below the content folder belongs to an article that is not published."""
        with self._reading() as catalog:
            return catalog.is_of_draft(path)

    def unpublished_article(self, path: str) -> UnpublishedArticle | None:
        """Return the article of a file as it would be published, for a preview; None if there is none."""
        with self._reading() as catalog:
            record, state = catalog.entry_of_file(path), catalog.change_token()
            if record is None:
                return None
        key = f"preview {record.hash} {path}"
        entry = self._executor.run(key, lambda: self._renderer.render_entry(record, for_page=False))
        return UnpublishedArticle(record, entry, state)

    def feeds(self) -> PublishedFeeds:
        """Return all published feeds."""
        with self._reading() as catalog:
            return PublishedFeeds(self._published(catalog), catalog.committed_at(catalog.revision()))

    def _published(self, catalog: CatalogReader) -> list[FeedState]:
        return [state for state in catalog.feeds() if syndication.exists(state, self._site)]

    def _feeds_of(self, catalog: CatalogReader, article: Article) -> list[FeedState]:
        feed_paths = [feed.path for feed in memberships.feeds_of(article, self._site)]
        states = catalog.feeds_by_path(feed_paths)
        return [state for state in states if syndication.exists(state, self._site)]
