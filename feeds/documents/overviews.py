"""What pages for people tell: of one feed, of one article, of all feeds; each of one consistent revision."""

from dataclasses import dataclass
from datetime import datetime

from feeds import syndicate
from feeds.catalog import Catalog, Reader
from feeds.documents.address import Address
from feeds.documents.render import Renderer
from feeds.documents.workshop import AtOnce, Workshop
from feeds.model import Article, Entry, Feed, FeedState, Site


@dataclass(frozen=True, slots=True)
class Overview:
    """What is told of a feed on its page; on the site's, of the others too."""

    feed: Feed
    state: FeedState
    feeds: list[FeedState]  # all that are published, the site's first, the others by path; only for the site's page
    changed: datetime


class Overviews:
    """Asks the catalog, and has texts rendered."""

    def __init__(self, catalog: Catalog, site: Site, renderer: Renderer, workshop: Workshop | AtOnce) -> None:
        self._catalog = catalog
        self._site = site
        self._renderer = renderer
        self._workshop = workshop

    def is_gone(self, path: str) -> bool:
        """Tell whether a document, or a page, of a feed or an article, was published once and is no more."""
        address = Address.of(path)
        feed = address.feed if address else path.strip("/")
        with self._catalog.reading() as catalog:
            state = catalog.feed(feed)
            if state is None:
                return self._site.pages and catalog.was_page(path)
        return state.published and not syndicate.exists(state, self._site)

    def feed(self, path: str) -> Overview | None:
        """Give what is told of a feed on its page, of one revision; None if the feed is not published."""
        with self._catalog.reading() as catalog:
            state = catalog.feed(path)
            if state is None or not syndicate.exists(state, self._site):
                return None
            shown = self._renderer.shown(catalog, state)
            feeds = [] if path else self._published(catalog)
            changed = state.changed if path else catalog.moment(catalog.revision())
        feed = self._workshop.do(f"feed {state.revision} {path}", lambda: self._renderer.feed(state, shown))
        return Overview(feed, state, feeds, changed)

    def article(self, path: str) -> tuple[Entry, list[FeedState], datetime] | None:
        """Give the article whose page is at a path, the feeds that it is in, and when it changed; None for none."""
        with self._catalog.reading() as catalog:
            record = catalog.page(path)
            if record is None:
                return None
            places = self._places(catalog, record.article)
            shown = self._renderer.of_one(catalog, record)
            changed = catalog.moment(record.revision)
        entry = self._workshop.do(f"article {record.hash} {path}", lambda: self._renderer.entry(shown))
        return entry, places, changed

    def file_of(self, page: str, *, live: bool) -> str | None:
        """Give the path of the file of the article whose page is at a path, live or not."""
        with self._catalog.reading() as catalog:
            record = catalog.page(page, live=live)
        return record.path if record else None

    def unpublished(self, path: str) -> tuple[Article, Entry, str] | None:
        """Give an article by the path of its file, as it would be told, whoever may see it; and what was last read."""
        with self._catalog.reading() as catalog:
            record, state = catalog.at_path(path), catalog.reading_state()
            if record is None:
                return None
            shown = self._renderer.of_one(catalog, record)
        entry = self._workshop.do(f"article {record.hash} {path}", lambda: self._renderer.entry(shown))
        return record.article, entry, state

    def feeds(self) -> tuple[list[FeedState], datetime]:
        """Give the feeds that are published, the site's first, the others by path; and when something last changed."""
        with self._catalog.reading() as catalog:
            return self._published(catalog), catalog.moment(catalog.revision())

    def _published(self, catalog: Reader) -> list[FeedState]:
        return [state for state in catalog.feeds() if syndicate.exists(state, self._site)]

    def _places(self, catalog: Reader, article: Article) -> list[FeedState]:
        named = syndicate.feeds_of(article, self._site)
        return [state for state in catalog.feeds_at([one.path for one in named]) if syndicate.exists(state, self._site)]
