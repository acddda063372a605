"""A feed's records -> its bytes: articles' texts become HTML, and what is too large is made smaller."""

import hashlib
import logging
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple

from feeds import syndicate
from feeds.catalog import Reader, Record
from feeds.documents.address import Address
from feeds.documents.kept import Kept
from feeds.errors import Refused
from feeds.formats import FORMATS, Format
from feeds.model import Article, Content, Document, Entry, Feed, FeedState, Site, Tombstone
from feeds.parse.content import Renderer as MarkdownRenderer
from feeds.parse.content import as_plain_text
from feeds.parse.links import Links
from feeds.sandbox import TOO_LONG, Budget, Sandbox

_LOG = logging.getLogger(__name__)
_SECONDS = 5.0  # of CPU: five times what it was tried with, so that what was published is shown
_SECONDS_EACH = 0.2  # of CPU, that every article of a document may take
_SECONDS_TOGETHER = 5.0  # and that all of them may take beyond that
_SECONDS_OF_A_CHARACTER = 2e-6  # at most; one that is rendered in this process can't be ended
_OVERHEAD = 2_000  # bytes that an entry takes besides its text
_LARGEST = 16 << 20  # bytes of a document for which the site sets no limit: aggregators stop at 15 MB
_MOST_FAILED = 10_000  # articles that are remembered


class Shown(NamedTuple):
    """What a document shows, as the catalog has it."""

    records: list[Record]
    changed: datetime  # when that last changed
    began: datetime  # when the site's first revision was committed
    withdrawn: Sequence[Tombstone] = ()


@dataclass(frozen=True, slots=True)
class Rendered:
    """A document, and how much of its feed it has room for."""

    document: Document
    texts: int  # entries with all that the feed wants to tell of them
    oldest: datetime | None  # when its last entry was published


def markdown_renderer(site: Site) -> Sandbox | MarkdownRenderer:
    """Return the renderer of a site's articles: with Python-Markdown, which may take long, one in another process."""
    return Sandbox(_SECONDS) if site.markdown == "python-markdown" else MarkdownRenderer(site.markdown)


class Renderer:
    """Renders for any number of threads; an entry is kept for the next feed that shows it."""

    def __init__(self, site: Site, room: int) -> None:
        """Keep so many bytes of entries, and as many of what formats wrote of them."""
        self._site = site
        self._markdown = markdown_renderer(site)
        self._entries = Kept[Entry](room, lambda entry: sys.getsizeof(entry.html) + len(entry.summary) + _OVERHEAD)
        self._failed = Kept[str](_MOST_FAILED, lambda _: 1)  # why articles can't be rendered, until they change
        self._written = Kept[tuple[Entry, bytes]](room, lambda written: len(written[1]))

    def prepare(self) -> None:
        """Start the process of the sandbox, if there is one, and import what writes the formats."""
        self._markdown.start()
        for format_ in FORMATS:
            format_.load()

    def shown(self, catalog: Reader, state: FeedState, archive: int = 0) -> Shown:
        """Give what a feed's live document shows, or one of its archives."""
        began = catalog.began()
        if archive == 0:
            limit = self._site.limit
            records = catalog.newest(state.path, limit)
            return Shown(records, state.changed, began, catalog.withdrawn(state.path, limit))
        skip = (archive - 1) * self._site.limit
        if not syndicate.is_full(state, archive, self._site):
            records = catalog.oldest(state.path, state.entries, state.entries - skip, skip)
            return Shown(records, max(state.changed, catalog.moment(state.shifted)), began)
        records = catalog.oldest(state.path, state.entries, self._site.limit, skip)
        changed = catalog.moment(max([state.shifted, *(record.revision for record in records)]))
        return Shown(records, changed, began)

    def entry(self, record: Record, *, page: bool) -> Entry:
        """Return the entry of one article, with its text even where feeds have summaries only.

        A `page` shows the article's image itself, so that it is not added to the text.
        """
        site = replace(self._site, text="full", image_in_text=self._site.image_in_text and not page)
        return self._entry(record) if site == self._site else self._make(record, site)[0]

    def feed(
        self, state: FeedState, shown: Shown, archive: int = 0, *, give_way: Callable[[], None] = lambda: None
    ) -> Feed:
        """Make a feed, or one of its archives, of what it shows.

        Once there is no room for a text, that and all older ones are left out. Calls `give_way` after each article that
        had to be rendered.
        """
        entries = list[Entry]()
        budget = Budget(_SECONDS_EACH, _SECONDS_TOGETHER)
        room = self._largest(archive)
        for record in shown.records:
            entry = self._entries.get(_key(record))
            if entry is None:
                entry = self._entry(record, budget)
                give_way()
            if entry.html is not None:
                room -= len(entry.html)
                entry = replace(entry, html=None) if room < 0 else entry
            entries.append(entry)
        return syndicate.feed(state, entries, self._site, archive, shown.withdrawn, began=shown.began)

    def document(self, address: Address, feed: Feed, state: FeedState, changed: datetime) -> Rendered:
        """Render a document within the size that the site allows, known before it is put together."""
        site, largest = self._site, self._largest(address.archive)
        entries = self._write(address.format, feed)
        sizes = list(map(len, entries))
        body = address.format.document(feed, entries) if sum(sizes) <= largest else b""
        while max(sum(sizes), len(body)) > largest:
            smaller = syndicate.shortened(feed.entries, max(sum(sizes), len(body)) - largest, sizes)
            if smaller == feed.entries or (address.archive and len(smaller) < len(feed.entries)):
                _LOG.warning("%s: larger than it may be with summaries only", address.path)
                body = body or address.format.document(feed, entries)
                break
            before = feed.prev_archive
            if len(smaller) < len(feed.entries):
                before = feed.prev_archive and syndicate.feed(state, smaller, site, began=feed.updated).prev_archive
            feed = replace(feed, entries=smaller, prev_archive=before)
            entries = self._write(address.format, feed)
            sizes = list(map(len, entries))
            body = address.format.document(feed, entries) if sum(sizes) <= largest else b""
        digest = hashlib.sha256(body).hexdigest()[:32]
        settled = bool(address.archive) and syndicate.is_full(state, address.archive, site)
        texts = sum(entry.html is not None or site.text == "summary" for entry in feed.entries)
        document = Document(address.path, address.format.served_as, body, digest, changed, settled)
        return Rendered(document, texts, feed.entries[-1].published if feed.entries else None)

    def _largest(self, archive: int) -> int:
        """Return how many bytes a document may have."""
        return max(self._site.max_size, _LARGEST) if archive else self._site.max_size or _LARGEST

    def _write(self, format_: Format, feed: Feed) -> list[bytes]:
        """Write the entries of a feed; one that several feeds show is written once."""
        return [self._written_entry(format_, entry, feed) for entry in feed.entries]

    def _written_entry(self, format_: Format, entry: Entry, feed: Feed) -> bytes:
        key = (format_.name, entry.id, entry.html is None)  # the hash of a whole entry takes longer than all the rest
        kept = self._written.get(key)
        if kept is not None and kept[0] == entry:
            return kept[1]
        written = format_.entry(entry, feed)
        self._written.put(key, (entry, written))
        return written

    def _entry(self, record: Record, budget: Budget | None = None) -> Entry:
        key = _key(record)
        entry = self._entries.get(key)
        if entry is None:  # two threads may be at it at once, which is seldom, and costs less than to wait
            entry, lasting = self._make(record, self._site, budget)
            if lasting:
                self._entries.put(key, entry)
        return entry

    def _make(self, record: Record, site: Site, budget: Budget | None = None) -> tuple[Entry, bool]:
        """Return an article's entry, and whether it would be the same the next time: no memory or time was missing."""
        article, id_ = record.article, record.id
        url, prefix = syndicate.base(article, self._site), syndicate.anchor_prefix(id_)
        files = syndicate.files(article, self._site)
        links = record.links._replace(site_url=files.site_url, own_url=files.own_url)
        content, lasting = None, True
        budget_is_whole = budget is None or budget.is_whole
        if self._failed.get(_key(record)) is None:
            try:
                content = self._content(article, url, prefix, links, budget)
            except (Refused, ValueError, RecursionError, MemoryError) as error:  # one article must not take a feed down
                reason = error.reason if isinstance(error, Refused) else f"{type(error).__name__}: {error}"
                _LOG.warning("%s: shown as plain text: %s", article.path, reason)
                # in another document, or at another time, there may be enough of it
                lasting = not isinstance(error, MemoryError) and (budget_is_whole or not reason.startswith(TOO_LONG))
                if lasting:
                    self._failed.put(_key(record), reason)
        content = content or as_plain_text(article.body, article.summary)
        return syndicate.entry(article, id_, content, site), lasting

    def _content(self, article: Article, url: str, prefix: str, links: Links, budget: Budget | None) -> Content:
        """Render an article's text, within what is left of a budget. Raise `Refused` if it can't be rendered."""
        if isinstance(self._markdown, Sandbox):
            return self._markdown.content(article.body, article.summary, url, prefix, article.title, links, budget)
        if budget and len(article.body) * _SECONDS_OF_A_CHARACTER > budget.seconds:
            raise Refused(f"{TOO_LONG}, with the other articles of its feed; split it")
        began = time.thread_time()
        content = self._markdown.content(article.body, article.summary, url, prefix, article.title, links)
        if budget:
            budget.spend(time.thread_time() - began)
        return content


def _key(record: Record) -> tuple[str, str, str]:
    return record.hash, record.id, record.path
