"""A feed's records -> its bytes: articles' texts become HTML in the sandbox, and what is too large is made smaller."""

import hashlib
import logging
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple

from feeds import syndicate
from feeds.catalog import Reader, Record
from feeds.documents.address import Address
from feeds.documents.contents import Contents
from feeds.documents.kept import Kept
from feeds.errors import Refused
from feeds.formats import FORMATS, Format
from feeds.model import Article, Content, Document, Entry, Feed, FeedState, Site, Tombstone
from feeds.sandbox import Sandbox

_LOG = logging.getLogger(__name__)
_SECONDS = 5.0  # of CPU: five times what it was tried with, so that what was published is shown
_OVERHEAD = 2_000  # bytes that an entry takes besides its text


class Shown(NamedTuple):
    """What a document shows, as the catalog has it."""

    records: list[Record]
    changed: datetime  # when that last changed
    withdrawn: Sequence[Tombstone] = ()
    contents: Mapping[int, tuple[str, bytes]] = {}  # what is kept of texts, by their keys


@dataclass(frozen=True, slots=True)
class Rendered:
    """A document, and how much of its feed it has room for."""

    document: Document
    texts: int  # entries with all that the feed wants to tell of them
    oldest: datetime | None  # when its last entry was published


class Renderer:
    """Renders for any number of threads; an entry is kept for the next feed that shows it."""

    def __init__(self, site: Site, contents: Contents, room: int) -> None:
        """Keep so many bytes of entries, and as many of what formats wrote of them."""
        self._site = site
        self._sandbox = Sandbox(_SECONDS)
        self._contents = contents
        self._entries = Kept[Entry](room, lambda entry: len(entry.html or "") + len(entry.summary) + _OVERHEAD)
        self._written = Kept[bytes](room, len)
        self._lock = threading.Lock()

    def prepare(self) -> None:
        """Start the sandbox, and import what writes the formats."""
        self._sandbox.start()
        for format_ in FORMATS:
            format_.load()

    def shown(self, catalog: Reader, state: FeedState, archive: int = 0) -> Shown:
        """Give what a feed's live document shows, or one of its archives."""
        if archive == 0:
            limit = self._site.limit
            records = catalog.newest(state.path, limit)
            kept = self._contents.find(catalog, (one for one in records if self._entries.get(_key(one)) is None))
            return Shown(records, state.changed, catalog.withdrawn(state.path, limit), kept)
        skip = (archive - 1) * self._site.limit
        if not syndicate.is_full(state, archive, self._site):
            records = catalog.oldest(state.path, state.entries, state.entries - skip, skip)
            return Shown(records, max(state.changed, catalog.moment(state.shifted)))
        records = catalog.oldest(state.path, state.entries, self._site.limit, skip)
        return Shown(records, catalog.moment(max([state.shifted, *(record.revision for record in records)])))

    def of_one(self, catalog: Reader, record: Record) -> Shown:
        """Give what the page of one article shows."""
        return Shown([record], record.published, (), self._contents.find(catalog, [record]))

    def entry(self, shown: Shown) -> Entry:
        """Make the entry of one article, with its text even where feeds have summaries only."""
        record = shown.records[0]
        if self._site.text == "full":
            return self._entry(record, shown.contents, keep=False)
        return self._make(record, shown.contents.get(record.text), replace(self._site, text="full"), keep=False)

    def feed(self, state: FeedState, shown: Shown, archive: int = 0) -> Feed:
        """Make a feed, or one of its archives, of what it shows."""
        entries = [self._entry(record, shown.contents, keep=not archive) for record in shown.records]
        return syndicate.feed(state, entries, self._site, archive, shown.withdrawn)

    def render(self, records: Iterable[Record]) -> None:
        """Render articles for feeds to come, here or elsewhere."""
        for record in records:
            self._entry(record, {}, keep=True)

    def write_ahead(self, records: Iterable[Record]) -> None:
        """Write the entries of articles that were rendered here, for feeds to come."""
        feed = syndicate.feed(syndicate.SITE, (), self._site)
        for record in records:
            entry = self._entry(record, {}, keep=True)
            for format_ in FORMATS:
                self._written_entry(format_, entry, feed)

    def document(self, address: Address, feed: Feed, state: FeedState, changed: datetime) -> Rendered:
        """Render a document; a live one within the size that the site allows."""
        site = self._site
        body = self._write(address.format, feed)
        while not address.archive and 0 < site.max_size < len(body):
            smaller = syndicate.shortened(feed.entries, len(body) - site.max_size)
            if smaller == feed.entries:
                _LOG.warning("%s: larger than feeds.max_size with one summary only", address.path)
                break
            before = feed.prev_archive and syndicate.feed(state, smaller, site).prev_archive
            feed = replace(feed, entries=smaller, prev_archive=before)
            body = self._write(address.format, feed)
        digest = hashlib.sha256(body).hexdigest()[:32]
        settled = bool(address.archive) and syndicate.is_full(state, address.archive, site)
        texts = sum(entry.html is not None or site.text == "summary" for entry in feed.entries)
        document = Document(address.path, address.format.served_as, body, digest, changed, settled)
        return Rendered(document, texts, feed.entries[-1].published if feed.entries else None)

    def _write(self, format_: Format, feed: Feed) -> bytes:
        """Write a feed; an entry that several feeds show is written once."""
        return format_.document(feed, [self._written_entry(format_, entry, feed) for entry in feed.entries])

    def _written_entry(self, format_: Format, entry: Entry, feed: Feed) -> bytes:
        written = self._written.get((format_, entry))
        if written is None:
            written = format_.entry(entry, feed)
            self._written.put((format_, entry), written)
        return written

    def _entry(self, record: Record, kept: Mapping[int, tuple[str, bytes]], *, keep: bool) -> Entry:
        key = _key(record)
        entry = self._entries.get(key)
        if entry is None:
            with self._lock:  # another thread may be at it, for another format
                entry = self._entries.get(key) or self._make(record, kept.get(record.text), self._site, keep=keep)
                self._entries.put(key, entry)
        return entry

    def _make(self, record: Record, kept: tuple[str, bytes] | None, site: Site, *, keep: bool) -> Entry:
        article = record.article
        url = syndicate.base(article, self._site)
        content = self._contents.unpacked(kept, record, url)
        if content is None:
            content = self._content(article, record.id, url)
            if keep:
                self._contents.note(record, url, content)
        return syndicate.entry(article, record.id, content, site)

    def _content(self, article: Article, id_: str, url: str) -> Content:
        try:
            return self._sandbox.content(article.body, article.summary, url, syndicate.anchor_prefix(id_))
        except Refused as refused:
            from feeds.parse.content import as_plain_text

            _LOG.warning("%s: shown as plain text: %s", article.path, refused.reason)
            return as_plain_text(article.body, article.summary)


def _key(record: Record) -> tuple[str, str, str]:
    return record.hash, record.id, record.path
