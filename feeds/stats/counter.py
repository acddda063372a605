"""Counts polls in memory, within bounds, and adds the counts to the catalog.

Counts that can't be written stay in memory until the next attempt. Beyond the bounds, a poll is counted under the name
"other" and adds no subscriber: it is better to report too few subscribers than too many.
"""

import hashlib
import threading
from functools import lru_cache
from itertools import islice
from typing import NamedTuple

from feeds.catalog import Catalog, SourceCounts
from feeds.core.paths import SUMMARY
from feeds.render import DocumentPath
from feeds.stats import user_agents

OTHER = "other"
_MAX_SOURCES = 50_000  # in memory, some 20 MB
_MAX_UNKNOWN_NAMES = 500  # of readers, per day
_MAX_SOURCES_A_DAY = 200_000  # in the catalog, some 30 MB
_BATCH_SOURCES = 5_000  # in one transaction, so that other processes wait only briefly
_MAX_USER_AGENT_CHARS = 500
_SOURCE_BYTES = 8  # of the hash of a source

_Key = tuple[str, str, str, str, bytes | str]  # day, feed, reader, kind, source: bytes if it is still to be hashed


class Poll(NamedTuple):
    """A request for a document that was answered with 200, 226 or 304."""

    document: str  # its path
    agent: str
    client: str  # an address or a network; "" if it is unknown
    status: int
    conditional: bool
    size: int  # bytes of the body that was sent
    saved: int  # bytes of the body that a 304 saved


class LogPosition(NamedTuple):
    """How far an access log was read."""

    log: str  # its name
    offset: int  # bytes
    day: str  # when it was read
    replaces: str | None  # its name when it was shorter


class _Count:
    """The counts of one source; mutable, because it is on the hot path."""

    __slots__ = ("live", "polls", "saved", "size", "subscribers", "unchanged", "unconditional")

    def __init__(self) -> None:
        self.subscribers: int | None = None
        self.live = self.polls = self.unchanged = self.unconditional = self.size = self.saved = 0


class PollCounter:
    """Counts the polls of one process. Thread-safe."""

    def __init__(
        self,
        catalog: Catalog,
        *,
        imported: bool = False,
        max_sources: int = _MAX_SOURCES,
        max_sources_a_day: int = _MAX_SOURCES_A_DAY,
    ) -> None:
        """Prepare a counter.

        Args:
            catalog: where `write` adds the counts.
            imported: whether the polls come from access logs.
            max_sources: the number of sources that are held in memory.
            max_sources_a_day: the number of sources that the catalog holds for one day.
        """
        self._catalog = catalog
        self._imported = imported
        self._max_sources = max_sources
        self._max_sources_a_day = max_sources_a_day
        self._counts: dict[_Key, _Count] = {}
        self._unknown_names: set[tuple[str, str]] = set()  # (day, name)
        self._adding = threading.Lock()
        self._writing = threading.Lock()

    def __len__(self) -> int:
        return len(self._counts)

    def add(self, day: str, poll: Poll, times: int = 1) -> user_agents.Kind | None:
        """Count a number of equal polls. Return the kind of the reader; None for a poll that is not of a feed."""
        feed, live = _feed_of(poll.document)
        if feed is None or poll.status not in {200, 226, 304}:
            return None
        reader = user_agents.identify(poll.agent)
        with self._adding:
            key: _Key = (day, feed, self._name(day, reader.name), reader.kind, _source(reader, poll))
            count = self._counts.get(key)
            if count is None and len(self._counts) >= self._max_sources:
                key, live = (day, feed, OTHER, "unknown", ""), False
                count = self._counts.get(key)
            if count is None:
                count = self._counts[key] = _Count()
            if reader.subscribers is not None and live:
                count.subscribers = max(count.subscribers or 0, reader.subscribers)
            count.live += times if live else 0
            count.polls += times
            count.unchanged += times if poll.status == 304 else 0  # noqa: PLR2004
            count.unconditional += 0 if poll.conditional else times
            count.size += poll.size * times
            count.saved += poll.saved * times
        return reader.kind

    def _name(self, day: str, name: str) -> str:
        """Return a reader's name; OTHER for an unknown name if the day already has too many unknown names."""
        if name in user_agents.KNOWN_NAMES or (day, name) in self._unknown_names:
            return name
        if len(self._unknown_names) >= _MAX_UNKNOWN_NAMES:
            self._unknown_names = {(other, name) for other, name in self._unknown_names if other == day}
        if len(self._unknown_names) >= _MAX_UNKNOWN_NAMES:
            return OTHER
        self._unknown_names.add((day, name))
        return name

    def write(self, position: LogPosition | None = None) -> None:
        """Add the counts to the catalog; those of a log together with its position, in one transaction.

        Counts that could not be written are kept for the next call. Raise `CatalogError` if the transaction fails.
        """
        with self._writing:
            with self._adding:
                waiting, self._counts = self._counts, {}
            try:
                while waiting or position:
                    keys = list(waiting) if position else list(islice(waiting, _BATCH_SOURCES))
                    with self._catalog.write_stats(short_timeout=position is None) as catalog:
                        for day in sorted({key[0] for key in keys}):
                            salt = catalog.salt(day, imported=self._imported)
                            sources = [_source_counts(key, waiting[key], salt) for key in keys if key[0] == day]
                            catalog.add(_fold(catalog.count(day, sources, self._max_sources_a_day)))
                        if position:
                            catalog.save_log_position(
                                position.log, position.offset, position.day, instead=position.replaces
                            )
                    position = None
                    for key in keys:
                        del waiting[key]
            finally:
                self._put_back(waiting)

    def _put_back(self, waiting: dict[_Key, _Count]) -> None:
        with self._adding:
            newer, self._counts = self._counts, waiting
            for key, count in newer.items():
                _merge(self._counts, key, count)


def _merge(counts: dict[_Key, _Count], key: _Key, added: _Count) -> None:
    count = counts.setdefault(key, added)
    if count is not added:
        stated = [one.subscribers for one in (count, added) if one.subscribers is not None]
        count.subscribers = max(stated, default=None)
        for name in ("live", "polls", "unchanged", "unconditional", "size", "saved"):
            setattr(count, name, getattr(count, name) + getattr(added, name))


@lru_cache(maxsize=4096)
def _feed_of(document: str) -> tuple[str | None, bool]:
    """Return the path of a document's feed (None if it is not a document), and whether the document is live."""
    path = DocumentPath.parse(document)
    return (path.feed, not path.archive) if path else (None, False)


@lru_cache(maxsize=4096)
def _document_name(document: str) -> str:
    """Return the format of a document as its file name, which differs for excerpts."""
    path, name = DocumentPath.parse(document), document.rpartition("/")[2]
    return f"{SUMMARY}/{name}" if path and path.summary else name


def _source(reader: user_agents.FeedReader, poll: Poll) -> bytes | str:
    """Return the key of a source: for a service, its own id of the feed, or else the format; for a person, a digest."""
    match reader.kind:
        case "service":
            return reader.feed_id or _document_name(poll.document)  # a format has a dot, an id has none
        case "person" | "unknown":
            return _digest(poll.client, poll.agent[:_MAX_USER_AGENT_CHARS])
    return ""


@lru_cache(maxsize=4096)
def _digest(client: str, agent: str) -> bytes:
    """Return a short digest that represents a source in memory; `write` hashes it with the key of the day."""
    return hashlib.blake2b(f"{client}\n{agent}".encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _source_counts(key: _Key, count: _Count, salt: bytes) -> SourceCounts:
    day, feed, reader, kind, source = key
    if isinstance(source, bytes):
        source = hashlib.blake2b(source, digest_size=_SOURCE_BYTES, key=salt).hexdigest()
    return SourceCounts(
        day,
        feed,
        reader,
        kind,
        source,
        count.subscribers,
        count.live,
        count.polls,
        count.unchanged,
        count.unconditional,
        count.size,
        count.saved,
    )


def _fold(sources: list[SourceCounts]) -> list[SourceCounts]:
    """Return the sums for each day and feed, under the reader name OTHER and without subscribers."""
    folded: dict[tuple[str, str], SourceCounts] = {}
    for source in sources:
        key = source.day, source.feed
        total = folded.get(key) or SourceCounts(*key, OTHER, "unknown", "", None, 0, 0, 0, 0, 0, 0)
        folded[key] = total._replace(
            polls=total.polls + source.polls,
            unchanged=total.unchanged + source.unchanged,
            unconditional=total.unconditional + source.unconditional,
            bytes=total.bytes + source.bytes,
            saved=total.saved + source.saved,
        )
    return list(folded.values())
