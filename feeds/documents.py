"""A document for a path at a revision: rendered when it is first asked for, kept while its feed's stamp stands.

What is kept is bounded in bytes. A catalog that can't be read for a while costs nothing that is kept already.
"""

import gzip
import hashlib
import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

import brotli

from feeds import syndicate
from feeds.catalog import Catalog, Record
from feeds.errors import CatalogError, FeedsError, Refused
from feeds.formats import FORMATS, Format
from feeds.model import Content, Document, Entry, Feed, FeedState, Site
from feeds.parse.content import as_plain_text
from feeds.sandbox import Sandbox

T = TypeVar("T")

_LOG = logging.getLogger(__name__)
_FORMAT_BY_FILENAME = {format_.filename: format_ for format_ in FORMATS}
_RENDER_SECONDS = 5.0  # of CPU: five times what it was tried with, so that what was published is shown
_LOOK_EVERY = 0.1  # seconds between two questions for the catalog's revision
_CONTENT_ROOM = 32 << 20  # bytes of rendered articles
_DOCUMENT_ROOM = 64 << 20  # bytes of documents, with their encodings


class NothingYet(CatalogError):
    """The first revision has not been committed; ask again soon."""


class Documents:
    """All documents of a catalog. For any number of threads; they render one at a time."""

    def __init__(self, catalog: Catalog, site: Site) -> None:
        self.site = site
        self._catalog = catalog
        self._sandbox = Sandbox(_RENDER_SECONDS)
        self._contents = _Kept[Content](_CONTENT_ROOM, lambda content: len(content.html) + len(content.summary))
        self._documents = _Kept[_Checked](_DOCUMENT_ROOM, lambda kept: kept.size)
        self._rendering = threading.RLock()
        self._revision = 0
        self._look_again_at = 0.0
        self._away = False

    def get(self, path: str) -> Document | None:
        """Give the document at a path, encoded; None if there is none. Raises `NothingYet`, `CatalogError`."""
        format_, feed_path = _split(path)
        if format_ is None:
            return None
        revision = self.revision()
        kept = self._documents.get(path)
        if kept and kept.revision == revision:
            return kept.document
        with self._rendering:
            kept = self._documents.get(path)
            if kept and kept.revision == revision:
                return kept.document
            try:
                return self._render(path, format_, feed_path, kept)
            except FeedsError:
                if kept is None:
                    raise
                return kept.document

    def feed(self, path: str) -> Feed | None:
        """Give a feed with its entries; None if it is not published."""
        with self._rendering:
            with self._catalog.reading() as catalog:
                state = catalog.feed(path)
                if state is None or not syndicate.exists(state, self.site):
                    return None
                records = catalog.newest(path, self.site.limit)
            return self._feed(state, records)

    def feeds(self) -> list[FeedState]:
        """Give the feeds that are published: the site's first, the others by path."""
        with self._catalog.reading() as catalog:
            return [state for state in catalog.feeds() if syndicate.exists(state, self.site)]

    def every(self, unchanged: Callable[[Format, FeedState], bool]) -> Iterator[tuple[FeedState, Document]]:
        """Render the documents of all published feeds, but those that the caller knows to be unchanged."""
        for state in self.feeds():
            wanted = [format_ for format_ in FORMATS if not unchanged(format_, state)]
            if wanted and (feed := self.feed(state.path)):
                for format_ in wanted:
                    yield state, self._document(path_of(state.path, format_), format_, feed, state)

    def revision(self) -> int:
        """Give the catalog's revision of a moment ago. Raises `NothingYet`; a catalog that is away is no error."""
        if time.monotonic() >= self._look_again_at:
            try:
                with self._catalog.reading() as catalog:
                    self._revision = catalog.revision()
                self._away = False
            except CatalogError as error:
                if not self._away:
                    _LOG.warning("serving what is kept: %s", error)
                self._away = True
            self._look_again_at = time.monotonic() + _LOOK_EVERY
        if self._revision == 0:
            raise NothingYet("the first regeneration is still under way")
        return self._revision

    def _render(self, path: str, format_: Format, feed_path: str, kept: "_Checked | None") -> Document | None:
        with self._catalog.reading() as catalog:
            revision = catalog.revision()
            state = catalog.feed(feed_path)
            if state is None or not syndicate.exists(state, self.site):
                self._documents.drop(path)
                return None
            if kept and kept.stamp == state.revision:
                self._documents.put(path, replace(kept, revision=revision))
                return kept.document
            records = catalog.newest(feed_path, self.site.limit)
        document = self._document(path, format_, self._feed(state, records), state)
        encoded = {
            "br": brotli.compress(document.body, quality=5),
            "gzip": gzip.compress(document.body, compresslevel=6, mtime=0),
        }
        document = replace(document, encodings=encoded)
        self._documents.put(path, _Checked(document, state.revision, revision))
        return document

    @staticmethod
    def _document(path: str, format_: Format, feed: Feed, state: FeedState) -> Document:
        body = format_.render(feed)
        return Document(path, format_.media_type, body, hashlib.sha256(body).hexdigest()[:32], state.changed)

    def _feed(self, state: FeedState, records: list[Record]) -> Feed:
        return syndicate.feed(state, (self._entry(record) for record in records), self.site)

    def _entry(self, record: Record) -> Entry:
        assert record.id is not None, "an article in a feed has an id"
        url = syndicate.link(record.article, self.site)
        key = (record.hash, record.id, url)
        content = self._contents.get(key)
        if content is None:
            content = self._content(record, url)
            self._contents.put(key, content)
        return syndicate.entry(record.article, record.id, content, self.site)

    def _content(self, record: Record, url: str) -> Content:
        body, summary = record.article.body, record.article.summary
        try:
            return self._sandbox.content(body, summary, url, syndicate.anchor_prefix(record.id or ""))
        except Refused as refused:
            _LOG.warning("%s: shown as plain text: %s", record.article.path, refused.reason)
            return as_plain_text(body, summary)


def path_of(feed: str, format_: Format) -> str:
    """Give the path of a feed's document, below feeds.url."""
    return f"/{feed}/{format_.filename}" if feed else f"/{format_.filename}"


def _split(path: str) -> tuple[Format | None, str]:
    folder, _, filename = path.rpartition("/")
    format_ = _FORMAT_BY_FILENAME.get(filename)
    feed = folder.removeprefix("/")
    return (format_, feed) if format_ and path == path_of(feed, format_) else (None, "")


@dataclass(frozen=True, slots=True)
class _Checked:
    """A document, the stamp of the feed that it shows, and the revision at which that stamp was last looked at."""

    document: Document
    stamp: int
    revision: int

    @property
    def size(self) -> int:
        return len(self.document.body) + sum(map(len, self.document.encodings.values()))


class _Kept(Generic[T]):
    """The most recently used of what was made, up to so many bytes."""

    def __init__(self, room: int, size: Callable[[T], int]) -> None:
        self._room = room
        self._size = size
        self._used = 0
        self._items: OrderedDict[Hashable, T] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable) -> T | None:
        with self._lock:
            if key in self._items:
                self._items.move_to_end(key)
            return self._items.get(key)

    def put(self, key: Hashable, item: T) -> None:
        with self._lock:
            self._forget(key)
            self._items[key] = item
            self._used += self._size(item)
            while self._used > self._room and len(self._items) > 1:
                self._forget(next(iter(self._items)))

    def drop(self, key: Hashable) -> None:
        with self._lock:
            self._forget(key)

    def _forget(self, key: Hashable) -> None:
        if key in self._items:
            self._used -= self._size(self._items.pop(key))
