"""Counts the polls in access logs. A log is read as a stream, in bounded memory, and each line is counted once.

A log is recognised by its first polls (mainly by their times, and not by addresses), so it may be renamed, compressed
or extended between two imports. Its position and the counts are written in one transaction, so nothing is counted twice
after an interrupted import.
"""

import gzip
import hashlib
import io
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import BinaryIO, NamedTuple, cast
from urllib.parse import urlsplit

from feeds.catalog import Catalog
from feeds.core.errors import FeedsError
from feeds.core.model import Site
from feeds.render import DocumentPath
from feeds.stats.access_logs import LogParser, UnknownLog
from feeds.stats.client_networks import client_network
from feeds.stats.counter import LogPosition, Poll, PollCounter

_MAX_CLOCK_SKEW = timedelta(hours=1)
_HEAD_POLLS = 10  # the number of first polls by which a log is recognised
_MAX_LINE_BYTES = 64 << 10
_MAX_SOURCES = 20_000  # in memory; when there are more, they are written
_GZIP = b"\x1f\x8b"


@dataclass(slots=True)
class ImportResult:
    """The numbers of one import."""

    lines: int = 0
    polls: int = 0  # number of polls that were counted
    bad: int = 0  # lines that could not be read
    known: int = 0  # bytes that had been read before


class _TimedPoll(NamedTuple):
    """A poll of a log, which may be for a feed that does not exist."""

    poll: Poll
    time: datetime


class _Head(NamedTuple):
    """The first polls of a log, each with the offset of its end, in bytes of the text."""

    polls: list[tuple[int, _TimedPoll]]
    names: list[str]  # of the log after each of its first polls, the latest first, since it may have been shorter
    end: int


class LogImporter:
    """Counts the polls of logs in the catalog."""

    def __init__(self, catalog: Catalog, site: Site, aliases: Mapping[str, str], exists: Callable[[str], bool]) -> None:
        """`exists` returns whether there is a feed with a path."""
        self._catalog = catalog
        self._prefix = urlsplit(site.feeds_url).path.rstrip("/")
        self._aliases = aliases
        self._exists = exists
        self._counter = PollCounter(catalog, imported=True)
        self._until = datetime.max.replace(tzinfo=UTC)  # later times are errors
        self._sizes: dict[str, int] = {}  # document -> bytes of its last full response

    def read(self, file: BinaryIO, now: datetime) -> ImportResult:
        """Count the polls after the last position of a log, gzipped or not. Raise `FeedsError` if it is damaged."""
        self._until = now + _MAX_CLOCK_SKEW
        parser, result, lines = LogParser(), ImportResult(), _lines(file)
        head = self._read_head(parser, lines, result)
        if not head.polls:
            return result
        with self._catalog.read_stats() as stats:
            imported = stats.log_position(head.names)
        old_name, start = (imported.log, imported.offset) if imported else (None, 0)
        name, day, offset = head.names[0], f"{now:%Y-%m-%d}", head.end
        if offset <= start:
            result = ImportResult()
        result.known = start
        for end, timed_poll in head.polls:
            if end > start:
                self._count(timed_poll, result)
        for line, end in lines:
            offset = end
            if end <= start:
                parser.note_fields(line)
                continue
            found = self._poll(parser, line, result)
            if found:
                self._count(found, result)
            if len(self._counter) >= _MAX_SOURCES:
                self._counter.write(LogPosition(name, offset, day, old_name))
        self._counter.write(LogPosition(name, max(offset, start), day, old_name))
        return result

    def _read_head(self, parser: LogParser, lines: Iterator[tuple[bytes, int]], result: ImportResult) -> _Head:
        polls: list[tuple[int, _TimedPoll]] = []
        names: list[str] = []
        end = 0
        for line, end in lines:
            found = self._poll(parser, line, result)
            if found:
                polls.append((end, found))
                names.insert(0, _name(names[:1], found))
                if len(polls) == _HEAD_POLLS:
                    break
        return _Head(polls, names, end)

    def _poll(self, parser: LogParser, raw: bytes, result: ImportResult) -> _TimedPoll | None:
        """Return the poll of a feed in a line, whether the feed exists or not; None if the line has no poll."""
        result.lines += 1
        try:
            line = parser.parse(raw.decode("utf-8", "replace")) if len(raw) <= _MAX_LINE_BYTES else None
        except UnknownLog:
            result.bad += 1
            return None
        if line and line.time > self._until:  # of a server with a wrong clock; its days would stay open until this time
            result.bad += 1
            return None
        if line is None or line.method not in {"GET", "HEAD"} or line.status not in {200, 226, 304}:
            return None
        document = self._document(line.path)
        if document is None:
            return None
        saved = 0
        if line.status == 304:  # noqa: PLR2004
            saved = self._sizes.get(document, 0)
        elif line.method == "GET" and line.status == 200 and self._feed_exists(document):  # noqa: PLR2004
            self._sizes[document] = line.size
        size = 0 if saved else line.size
        client = client_network(line.client) or ""
        return _TimedPoll(Poll(document, line.agent, client, line.status, line.conditional, size, saved), line.time)

    def _document(self, path: str) -> str | None:
        """Return the path of the document for a path on the server; None if it is not a document of a feed."""
        if not path.startswith(self._prefix):
            return None
        path = path[len(self._prefix) :]
        path = self._aliases.get(path, path)
        return path if DocumentPath.parse(path) else None

    def _feed_exists(self, document: str) -> bool:
        path = DocumentPath.parse(document)
        return path is not None and self._exists(path.feed)

    def _count(self, timed_poll: _TimedPoll, result: ImportResult) -> None:
        if self._feed_exists(timed_poll.poll.document):
            result.polls += 1
            self._counter.add(f"{timed_poll.time:%Y-%m-%d}", timed_poll.poll)


def _name(shorter: list[str], timed_poll: _TimedPoll) -> str:
    """Return the name of a log: a hash of its first polls, without addresses.

    Polls of feeds that do not exist are included: a feed may be created or deleted between two imports.
    """
    poll, time = timed_poll
    size = 0 if poll.status == 304 else poll.size  # noqa: PLR2004  # the size of a 304 depends on other logs
    values = (*shorter, time.isoformat(), poll.document, poll.agent, poll.status, size)
    return hashlib.sha256(repr(values).encode("utf-8", "replace")).hexdigest()[:32]


def _lines(file: BinaryIO) -> Iterator[tuple[bytes, int]]:
    """Yield each line, cut if it is too long, and the offset of its end in the text, in bytes."""
    buffered = io.BufferedReader(cast("io.RawIOBase", file))
    is_gzip = buffered.peek(2)[:2] == _GZIP
    text = gzip.GzipFile(fileobj=buffered) if is_gzip else buffered
    end = 0
    try:
        while line := text.readline(_MAX_LINE_BYTES + 1):
            end += len(line)
            is_complete = line.endswith(b"\n")
            while not is_complete and (more := text.readline(_MAX_LINE_BYTES)):
                end += len(more)
                is_complete = more.endswith(b"\n")
            yield line, end
    except (OSError, EOFError, zlib.error) as error:
        raise FeedsError(f"{getattr(file, 'name', 'the log')}: can't be read to its end: {error}") from None
    finally:
        buffered.detach()  # the caller closes the file
