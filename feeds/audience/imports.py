"""Counts the polls in access logs. Streamed, in bounded memory, and each line once, however often a log is read.

How far a log was read is remembered by what its first polls say besides addresses, their times above all, so that it
may be renamed, compressed and grow. That and the counts are one transaction: a run that is cut short doubles nothing.
"""

import gzip
import hashlib
import io
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import BinaryIO, cast
from urllib.parse import urlsplit

from feeds.audience.logs import Log, UnknownLog
from feeds.audience.networks import network
from feeds.audience.tally import Poll, Tally
from feeds.catalog import Catalog
from feeds.documents import Address
from feeds.errors import FeedsError
from feeds.model import Site

_CLOCKS_APART = timedelta(hours=1)
_HEAD = 10  # polls by which a log is known
_LONGEST = 64 << 10  # bytes of a line
_MANY = 20_000  # sources that are held until the catalog is told
_GZIP = b"\x1f\x8b"


@dataclass(slots=True)
class Imported:
    """What came of a log."""

    lines: int = 0
    polls: int = 0  # that were counted
    bad: int = 0  # lines that could not be read
    known: int = 0  # bytes that had been read before


class Importer:
    """Reads logs into the catalog."""

    def __init__(self, catalog: Catalog, site: Site, aliases: Mapping[str, str], exists: Callable[[str], bool]) -> None:
        """`exists` tells whether there is a feed of that path."""
        self._catalog = catalog
        self._prefix = urlsplit(site.feeds_url).path.rstrip("/")
        self._aliases = aliases
        self._exists = exists
        self._tally = Tally(catalog, imported=True)
        self._until = datetime.max.replace(tzinfo=UTC)  # what is said to be later is no moment at all
        self._sizes: dict[str, int] = {}  # of documents, as they were last sent

    def read(self, file: BinaryIO, now: datetime) -> Imported:
        """Read one log, gzipped or not, from where it was left. Raises `FeedsError`."""
        self._until = now + _CLOCKS_APART
        log, came, lines = Log(), Imported(), _lines(file)
        head, names, offset = self._head(log, lines, came)
        if not head:
            return came
        with self._catalog.read_stats() as stats:
            was, skip = stats.read_so_far(names) or (None, 0)
        if offset <= skip:
            came = Imported()
        came.known = skip
        for end, poll, at in head:
            if end > skip:
                self._count(at, poll, came)
        for line, end in lines:
            offset = end
            if end <= skip:
                log.note_fields(line)
                continue
            found = self._poll(log, line, came)
            if found:
                self._count(found[1], found[0], came)
            if len(self._tally) >= _MANY:
                self._tally.write((names[0], offset, f"{now:%Y-%m-%d}", was))
        self._tally.write((names[0], max(offset, skip), f"{now:%Y-%m-%d}", was))
        return came

    def _head(
        self, log: Log, lines: Iterator[tuple[bytes, int]], came: Imported
    ) -> tuple[list[tuple[int, Poll, datetime]], list[str], int]:
        """Give the first polls: where they end, what they are, when; the log's names, the longest first; the end.

        It has a name for each number of polls that were in it when it was read.
        """
        head: list[tuple[int, Poll, datetime]] = []
        names: list[str] = []
        end = 0
        for line, end in lines:
            found = self._poll(log, line, came)
            if found:
                head.append((end, *found))
                names.insert(0, _name(names[:1], *found))
                if len(head) == _HEAD:
                    break
        return head, names, end

    def _poll(self, log: Log, raw: bytes, came: Imported) -> tuple[Poll, datetime] | None:
        """Give what a line says of a poll of a feed, be there such a feed or not, and when that was."""
        came.lines += 1
        try:
            line = log.read(raw.decode("utf-8", "replace")) if len(raw) <= _LONGEST else None
        except UnknownLog:
            came.bad += 1
            return None
        if line and line.at > self._until:  # a clock that was wrong would be "today" until then
            came.bad += 1
            return None
        if line is None or line.method not in {"GET", "HEAD"} or line.status not in {200, 226, 304}:
            return None
        path = self._document(line.path)
        if path is None:
            return None
        saved = 0
        if line.status == 304:  # noqa: PLR2004
            saved = self._sizes.get(path, 0)
        elif line.method == "GET" and line.status == 200 and self._is_ours(path):  # noqa: PLR2004
            self._sizes[path] = line.size
        size = 0 if saved else line.size
        poll = Poll(path, line.agent, network(line.client) or "", line.status, line.conditional, size, saved)
        return poll, line.at

    def _document(self, path: str) -> str | None:
        """Give the document that is meant by a path on the server; None if that can be none of a feed of ours."""
        if not path.startswith(self._prefix):
            return None
        path = path[len(self._prefix) :]
        path = self._aliases.get(path, path)
        return path if Address.of(path) else None

    def _is_ours(self, document: str) -> bool:
        address = Address.of(document)
        return address is not None and self._exists(address.feed)

    def _count(self, at: datetime, poll: Poll, came: Imported) -> None:
        if self._is_ours(poll.document):
            came.polls += 1
            self._tally.add(f"{at:%Y-%m-%d}", poll)


def _name(shorter: list[str], poll: Poll, at: datetime) -> str:
    """Name a log by its first polls, without what tells who asked from where.

    Feeds that are no more are among them: which there are may change from one time that it is read to the next.
    """
    size = 0 if poll.status == 304 else poll.size  # noqa: PLR2004  # what of it was saved depends on other logs
    facts = (*shorter, at.isoformat(), poll.document, poll.agent, poll.status, size)
    return hashlib.sha256(repr(facts).encode("utf-8", "replace")).hexdigest()[:32]


def _lines(file: BinaryIO) -> Iterator[tuple[bytes, int]]:
    """Give the lines, and at which byte of the text each ends; of those that are too long a part."""
    buffered = io.BufferedReader(cast("io.RawIOBase", file))
    packed = buffered.peek(2)[:2] == _GZIP
    text = gzip.GzipFile(fileobj=buffered) if packed else buffered
    end = 0
    try:
        while line := text.readline(_LONGEST + 1):
            end += len(line)
            whole = line.endswith(b"\n")
            while not whole and (more := text.readline(_LONGEST)):
                end += len(more)
                whole = more.endswith(b"\n")
            yield line, end
    except (OSError, EOFError, zlib.error) as error:
        raise FeedsError(f"the log can't be read to its end: {error}") from None
    finally:
        buffered.detach()  # the file is closed by its owner
