"""What pages for people tell: of one feed, of one article, of all feeds; each of one consistent revision."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime

from feeds import paths, syndicate
from feeds.catalog import Reader, Record
from feeds.documents.address import Address
from feeds.documents.render import Renderer
from feeds.documents.workshop import AtOnce, Urgency, Workshop
from feeds.model import Article, Entry, Feed, FeedState, Site
from feeds.parse.links import file_target


@dataclass(frozen=True, slots=True)
class Overview:
    """What is told of a feed on its page; on the site's, of the others too."""

    feed: Feed
    state: FeedState
    feeds: list[FeedState]  # all that are published, the site's first, the others by path; only for the site's page
    changed: datetime


_DEEPEST = 6  # parts of a path that may be folders of an article's own folder, and the file's name


class Overviews:
    """Asks the catalog, and has texts rendered."""

    def __init__(
        self,
        reading: Callable[[], AbstractContextManager[Reader]],
        site: Site,
        renderer: Renderer,
        workshop: Workshop | AtOnce,
    ) -> None:
        """Take what begins to read the catalog."""
        self._reading = reading
        self._site = site
        self._renderer = renderer
        self._workshop = workshop

    def is_gone(self, path: str) -> bool:
        """Tell whether a document, or a page, of a feed or an article, was published once and is no more."""
        address = Address.of(path)
        feed = address.feed if address else path.strip("/")
        with self._reading() as catalog:
            state = catalog.feed(feed)
            if state is None:
                return self._site.pages and catalog.was_page(path)
        return state.published and not syndicate.exists(state, self._site)

    def feed(self, path: str, archive: int = 0) -> Overview | None:
        """Give what is told of a feed, or of one of its archives, on its page; None if it is not published."""
        with self._reading() as catalog:
            state = catalog.feed(path)
            if state is None or syndicate.stamp(state, archive, self._site) is None:
                return None
            shown = self._renderer.shown(catalog, state, archive)
            feeds = [] if path or archive else self._published(catalog)
            changed = state.changed if path else catalog.moment(catalog.revision())
        key = f"feed {state.revision} {state.history} {path} {archive}"
        urgency = Urgency.ARCHIVE if archive else Urgency.PAGE

        def job() -> Feed:
            return self._renderer.feed(state, shown, archive, give_way=lambda: self._workshop.give_way(urgency))

        feed = self._workshop.do(key, job, urgency)
        return Overview(feed, state, feeds, changed)

    def article(self, path: str) -> tuple[Entry, list[FeedState], datetime] | None:
        """Give the article whose page is at a path, the feeds that it is in, and when it changed; None for none."""
        with self._reading() as catalog:
            record = catalog.page(path)
            if record is None:
                return None
            places = self._places(catalog, record.article)
            changed = catalog.moment(record.revision)
        entry = self._workshop.do(f"article {record.hash} {path}", lambda: self._renderer.entry(record, page=True))
        return entry, places, changed

    def beside(self, path: str, *, live: bool) -> tuple[str, str] | None:
        """Give an article's file, and the name of one beside it, that a path may be of; of live articles, or any."""
        parts = path.split("/")[1:]
        names = dict[str, str]()
        for depth in range(len(parts) - 1, max(0, len(parts) - _DEEPEST), -1):
            folder = "/" + "/".join(parts[:depth])
            names |= {
                page: "/".join(parts[depth:]) for page in (f"{folder}/", folder, f"{folder}.html", f"{folder}.htm")
            }
        with self._reading() as catalog:
            files = catalog.files_of(list(names), live=live)
        return next(((files[page], name) for page, name in names.items() if page in files), None)

    def is_referred(self, path: str, *, live: bool) -> bool:
        """Return whether a live article, or any, refers to a file at a path below the content folder."""
        with self._reading() as catalog:
            return catalog.is_linked(file_target(path), live=live)

    def is_pages(self, path: str) -> bool:
        """Return whether the path of a file belongs to the pages of live articles, as a folder or a part of one.

        `/x.png` does where a page is `/x.png/`, and `/x.html/y.png` where one is `/x.html`.
        """
        folders = path.split("/")[1:-1]
        above = ("/" + "/".join(folders[:depth]) for depth in range(1, len(folders) + 1))
        pages = [page for folder in above for page in paths.pages_of_file(folder)]
        with self._reading() as catalog:
            return catalog.has_pages_below(path) or any(catalog.page(page) for page in pages)

    def is_of_draft(self, path: str) -> bool:
        """Return whether a file below the content folder belongs to an article that is not live."""
        with self._reading() as catalog:
            return catalog.is_of_draft(path)

    def unpublished(self, path: str) -> tuple[Record, Entry, str] | None:
        """Give an article by the path of its file, as it would be told, whoever may see it; and what was last read."""
        with self._reading() as catalog:
            record, state = catalog.at_path(path), catalog.reading_state()
            if record is None:
                return None
        entry = self._workshop.do(f"preview {record.hash} {path}", lambda: self._renderer.entry(record, page=False))
        return record, entry, state

    def feeds(self) -> tuple[list[FeedState], datetime]:
        """Give the feeds that are published, the site's first, the others by path; and when something last changed."""
        with self._reading() as catalog:
            return self._published(catalog), catalog.moment(catalog.revision())

    def _published(self, catalog: Reader) -> list[FeedState]:
        return [state for state in catalog.feeds() if syndicate.exists(state, self._site)]

    def _places(self, catalog: Reader, article: Article) -> list[FeedState]:
        named = syndicate.feeds_of(article, self._site)
        return [state for state in catalog.feeds_at([one.path for one in named]) if syndicate.exists(state, self._site)]
