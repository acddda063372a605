"""Counts polls in memory, within bounds, and tells the catalog.

What can't be told now is told later: nothing is lost that has room. Beyond the bounds a poll still counts, but under
the name "other", and makes no subscriber: too few beats too many.
"""

import hashlib
import threading
from functools import lru_cache
from typing import NamedTuple

from feeds import readers
from feeds.catalog import Catalog, Visit
from feeds.documents import Address

OTHER = "other"
_ROOM = 50_000  # sources that wait to be told to the catalog, some 20 MB
_NAMES = 500  # a day, of readers that nobody knows
_MOST_A_DAY = 200_000  # sources that the catalog keeps of a day, some 30 MB
_BATCH = 5_000  # visits in one transaction, so that others need not wait long
_LONGEST = 500  # characters of a User-Agent
_SHORT = 8  # bytes of a source

_Key = tuple[str, str, str, str, bytes | str]  # day, feed, reader, kind, source: bytes of what is to be hashed


class Poll(NamedTuple):
    """A request for a document that was answered with 200, 226 or 304."""

    document: str  # its path
    agent: str
    client: str  # what tells clients apart, "" if nothing does: an address, or a network
    status: int
    conditional: bool
    size: int  # bytes of the body that was sent
    saved: int  # bytes of the one that a 304 made needless


class _Count:
    """Of one source. Added to in place."""

    __slots__ = ("live", "polls", "saved", "size", "subscribers", "unchanged", "unconditional")

    def __init__(self) -> None:
        self.subscribers: int | None = None
        self.live = self.polls = self.unchanged = self.unconditional = self.size = self.saved = 0


class Tally:
    """The polls of one process. For several threads."""

    def __init__(self, catalog: Catalog, *, imported: bool = False, room: int = _ROOM, most: int = _MOST_A_DAY) -> None:
        self._catalog = catalog
        self._imported = imported
        self._room = room
        self._most = most
        self._counts: dict[_Key, _Count] = {}
        self._names: set[tuple[str, str]] = set()  # (day, name) of readers that nobody knows
        self._adding = threading.Lock()
        self._writing = threading.Lock()

    def __len__(self) -> int:
        return len(self._counts)

    def add(self, day: str, poll: Poll, times: int = 1) -> readers.Kind | None:
        """Count a poll, or several that are alike. Gives who that was; None for what is no feed's document."""
        address = _address(poll.document)
        if address is None or poll.status not in {200, 226, 304}:
            return None
        feed, live = address
        reader = readers.read(poll.agent)
        with self._adding:
            key: _Key = (day, feed, self._name(day, reader.name), reader.kind, _source(reader, poll))
            count = self._counts.get(key)
            if count is None and len(self._counts) >= self._room:
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
        """Give a reader's name; that of one that nobody knows only if not too many others came."""
        if name in readers.FAMILIAR or (day, name) in self._names:
            return name
        if len(self._names) >= _NAMES:
            self._names = {known for known in self._names if known[0] == day}
        if len(self._names) >= _NAMES:
            return OTHER
        self._names.add((day, name))
        return name

    def write(self, log: tuple[str, int, str, str | None] | None = None) -> None:
        """Tell the catalog what was counted; of a log also how far it was read, in the same transaction.

        That is its name, the offset, the day of today, and the name it had. What could not be told is kept for the next
        time. Raises `CatalogError`.
        """
        with self._writing:
            with self._adding:
                waiting, self._counts = self._counts, {}
            try:
                while waiting or log:
                    some = list(waiting) if log else [key for _, key in zip(range(_BATCH), waiting, strict=False)]
                    with self._catalog.write_stats(short_timeout=log is None) as catalog:
                        days = {key[0] for key in some}
                        for day in sorted(days):
                            salt = catalog.salt(day, imported=self._imported)
                            seen = [_visit(key, waiting[key], salt) for key in some if key[0] == day]
                            catalog.add(_folded(catalog.count(day, seen, self._most)))
                        if log:
                            catalog.remember_read(*log[:3], instead=log[3])
                    log = None
                    for key in some:
                        del waiting[key]
            finally:
                self._take_back(waiting)

    def _take_back(self, waiting: dict[_Key, _Count]) -> None:
        with self._adding:
            newer, self._counts = self._counts, waiting
            for key, count in newer.items():
                _merge(self._counts, key, count)


def _merge(counts: dict[_Key, _Count], key: _Key, count: _Count) -> None:
    known = counts.setdefault(key, count)
    if known is not count:
        said = [one.subscribers for one in (known, count) if one.subscribers is not None]
        known.subscribers = max(said, default=None)
        for name in ("live", "polls", "unchanged", "unconditional", "size", "saved"):
            setattr(known, name, getattr(known, name) + getattr(count, name))


@lru_cache(maxsize=4096)
def _address(document: str) -> tuple[str, bool] | None:
    """Give a document's feed, and whether it is a live one."""
    address = Address.of(document)
    return (address.feed, not address.archive) if address else None


def _source(reader: readers.Reader, poll: Poll) -> bytes | str:
    """Tell sources apart: a service by its own id of the feed, else by the format, wherever it asks from.

    People by a digest.
    """
    match reader.kind:
        case "service":
            return reader.feed_id or poll.document.rpartition("/")[2]  # which is no id: it has a dot
        case "person" | "unknown":
            return _digest(poll.client, poll.agent[:_LONGEST])
    return ""


@lru_cache(maxsize=4096)
def _digest(client: str, agent: str) -> bytes:
    """Shorten what is held in memory until the day's salt is known."""
    return hashlib.blake2b(f"{client}\n{agent}".encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _visit(key: _Key, count: _Count, salt: bytes) -> Visit:
    day, feed, reader, kind, source = key
    if isinstance(source, bytes):
        source = hashlib.blake2b(source, digest_size=_SHORT, key=salt).hexdigest()
    return Visit(
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


def _folded(visits: list[Visit]) -> list[Visit]:
    """Make one of all that had no room, for each day and feed."""
    folded: dict[tuple[str, str], Visit] = {}
    for visit in visits:
        key = visit.day, visit.feed
        old = folded.get(key) or Visit(*key, OTHER, "unknown", "", None, 0, 0, 0, 0, 0, 0)
        sums = (mine + theirs for mine, theirs in zip(old[7:], visit[7:], strict=True))
        folded[key] = Visit(*old[:7], *sums)
    return list(folded.values())
