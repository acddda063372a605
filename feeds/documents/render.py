"""A feed's records -> its bytes: articles' texts become HTML in the sandbox, and what is too large is made smaller."""

import hashlib
import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple

from feeds import syndicate
from feeds.catalog import Record
from feeds.documents.address import Address
from feeds.documents.kept import Kept
from feeds.errors import Refused
from feeds.formats import FORMATS
from feeds.model import Content, Document, Entry, Feed, FeedState, Site, Tombstone
from feeds.sandbox import Sandbox

_LOG = logging.getLogger(__name__)
_SECONDS = 5.0  # of CPU: five times what it was tried with, so that what was published is shown


class Shown(NamedTuple):
    """What a document shows, as the catalog has it."""

    records: list[Record]
    changed: datetime  # when that last changed
    withdrawn: Sequence[Tombstone] = ()


@dataclass(frozen=True, slots=True)
class Rendered:
    """A document, and how much of its feed it has room for."""

    document: Document
    texts: int  # entries with all that the feed wants to tell of them
    oldest: datetime | None  # when its last entry was published


class Renderer:
    """Renders for any number of threads; what an article's text became is kept for the next feed that shows it."""

    def __init__(self, site: Site, room: int) -> None:
        """Keep so many bytes of rendered articles."""
        self._site = site
        self._sandbox = Sandbox(_SECONDS)
        self._contents = Kept[Content](room, lambda content: len(content.html) + len(content.summary))
        self._lock = threading.Lock()

    def prepare(self) -> None:
        """Start the sandbox, and import what writes the formats."""
        self._sandbox.start()
        for format_ in FORMATS:
            format_.load()

    def feed(self, state: FeedState, shown: Shown, archive: int = 0) -> Feed:
        """Make a feed, or one of its archives, of what it shows."""
        entries = [self._entry(record) for record in shown.records]
        return syndicate.feed(state, entries, self._site, archive, shown.withdrawn)

    def document(self, address: Address, feed: Feed, state: FeedState, changed: datetime) -> Rendered:
        """Render a document; a live one within the size that the site allows."""
        site, render = self._site, address.format.render
        body = render(feed)
        while not address.archive and 0 < site.max_size < len(body):
            smaller = syndicate.shortened(feed.entries, len(body) - site.max_size)
            if smaller == feed.entries:
                _LOG.warning("%s: larger than feeds.max_size with one summary only", address.path)
                break
            before = feed.prev_archive and syndicate.feed(state, smaller, site).prev_archive
            feed = replace(feed, entries=smaller, prev_archive=before)
            body = render(feed)
        digest = hashlib.sha256(body).hexdigest()[:32]
        settled = bool(address.archive) and syndicate.is_full(state, address.archive, site)
        texts = sum(entry.html is not None or site.text == "summary" for entry in feed.entries)
        document = Document(address.path, address.format.media_type, body, digest, changed, settled)
        return Rendered(document, texts, feed.entries[-1].published if feed.entries else None)

    def _entry(self, record: Record) -> Entry:
        assert record.id is not None, "an article in a feed has an id"
        url = syndicate.link(record.article, self._site)
        key = (record.hash, record.id, url)
        content = self._contents.get(key)
        if content is None:
            with self._lock:  # another thread may be at it, for another format
                content = self._contents.get(key) or self._content(record, url)
                self._contents.put(key, content)
        return syndicate.entry(record.article, record.id, content, self._site)

    def _content(self, record: Record, url: str) -> Content:
        body, summary = record.article.body, record.article.summary
        try:
            return self._sandbox.content(body, summary, url, syndicate.anchor_prefix(record.id or ""))
        except Refused as refused:
            from feeds.parse.content import as_plain_text

            _LOG.warning("%s: shown as plain text: %s", record.article.path, refused.reason)
            return as_plain_text(body, summary)
