"""Files -> what the catalog keeps of them: a few in this process, many in one process for each core.

What is read leaves in the order in which it is found, and little of it is under way at a time.
"""

import hashlib
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from feeds import syndicate
from feeds.catalog import Known, Reading, Stamp
from feeds.errors import Refused, Unreadable
from feeds.folder import Folder, Found, Unsettled
from feeds.model import Site
from feeds.parse import article as articles
from feeds.parse.bounds import ordinary
from feeds.pool import cores, pool
from feeds.sandbox import Sandbox
from feeds.text import one_line

if TYPE_CHECKING:
    from concurrent.futures import Future, ProcessPoolExecutor

_FEW = 3_000  # files that are read here: processes of their own take a second to start
_BATCH = 100  # files for a process at a time
_LONGEST = 2_000  # bytes of what an article is found by: an entry of PostgreSQL's indexes has 2,704
_UNSEEN: Stamp = (0, 0, 0)  # no file has it, so that the next run reads the file again


class Differing(NamedTuple):
    """A file that is not as the catalog knows it. With `again`, it is read as if it were new."""

    file: Found
    row: Known | None
    again: bool = False


@dataclass(frozen=True, slots=True)
class Touched:
    """A file with the text that it had, under another stamp."""

    key: int
    path: str
    stamp: Stamp


@dataclass(frozen=True, slots=True)
class InFlux:
    """A file that was being written; the next run sees it whole."""

    path: str


class Doubtful(NamedTuple):
    """An article that was read; whether its body can be rendered at all is still to be tried."""

    reading: Reading
    body: str


Result = Reading | Touched | InFlux
Read = Result | Doubtful


class Readers:
    """Reads files for a site."""

    def __init__(self, folder: Folder, site: Site, sandbox: Sandbox) -> None:
        self._reader = Reader(folder, site)
        self._sandbox = sandbox

    def read(self, differing: Iterable[Differing]) -> Iterator[Result]:
        """Read files, in their order. Raises `FeedsError` if nothing can be tried just now."""
        left = iter(differing)
        for one in islice(left, _FEW):
            yield self._settle(self._reader.read(one))
        first = list(islice(left, _BATCH))
        if first:
            yield from self._read_many(first, left)

    def _read_many(self, first: list[Differing], left: Iterator[Differing]) -> Iterator[Result]:
        under_way: deque[tuple[list[Differing], Future[list[Read]] | None]] = deque()
        with pool(_begin, self._reader) as processes:
            batch = first
            while batch or under_way:
                if batch:
                    under_way.append((batch, _submitted(processes, batch)))
                    batch = list(islice(left, _BATCH))
                if len(under_way) > 3 * cores() or not batch:
                    yield from self._results(*under_way.popleft())

    def _results(self, batch: list[Differing], future: "Future[list[Read]] | None") -> Iterator[Result]:
        from concurrent.futures import BrokenExecutor

        try:
            results = future.result() if future else None
        except BrokenExecutor:  # a process was ended from outside, or is out of memory
            results = None
        yield from map(self._settle, results or [self._reader.read(one) for one in batch])

    def _settle(self, read: Read) -> Result:
        """Try whether a body that is not ordinary can be rendered at all."""
        if not isinstance(read, Doubtful):
            return read
        reading, body = read
        try:
            self._sandbox.content(body, None, "https://site.invalid", "e-")
        except Refused as refused:
            return Reading(reading.path, reading.stamp, refused=one_line(refused.reason), refused_line=refused.line)
        return reading


class Reader:
    """Reads one file after the other."""

    def __init__(self, folder: Folder, site: Site) -> None:
        self._folder = folder
        self._site = site

    def expect(self, batch: Iterable[Differing]) -> None:
        """Prepare for reading these files."""
        self._folder.expect(one.file for one in batch)

    def read(self, differing: Differing) -> Read:
        """Read one file."""
        file, row, site = differing.file, differing.row, self._site
        stamp = (file.mtime_ns, file.size, file.inode)
        try:
            data = self._folder.read(file, articles.LARGEST)
            hash_ = hashlib.sha256(data).hexdigest()
            if row and row.hash == hash_ and not (row.refused or row.gone or differing.again):
                return Touched(row.key, file.path, stamp)
            article = articles.read(data, file.path, site.timezone)
            page = syndicate.page(article, site)
            _require_short(("id", article.id), ("slug", article.slug), ("the path of its page", page))
        except Unsettled:
            return InFlux(file.path)
        except Refused as refused:
            stamp = _UNSEEN if isinstance(refused, Unreadable) else stamp
            return Reading(file.path, stamp, refused=one_line(refused.reason), refused_line=refused.line)
        minted, feeds = syndicate.mint(article, site), syndicate.feeds_of(article, site)
        reading = Reading.of(article, stamp, hash_, minted, feeds, page)
        return reading if ordinary(article.body) else Doubtful(reading, article.body)


def _require_short(*found_by: tuple[str, str | None]) -> None:
    for what, said in found_by:
        if said and len(said.encode()) > _LONGEST:
            raise Refused(f"{what} {said[:60]!r}… is longer than {_LONGEST} bytes")


_READER: Reader


def _begin(reader: Reader) -> None:
    global _READER  # noqa: PLW0603  # what a process of a pool is given once
    _READER = reader


def _submitted(processes: "ProcessPoolExecutor", batch: list[Differing]) -> "Future[list[Read]] | None":
    from concurrent.futures import BrokenExecutor

    try:
        return processes.submit(_read, batch)
    except BrokenExecutor:
        return None


def _read(batch: list[Differing]) -> list[Read]:
    _READER.expect(batch)
    return [_READER.read(one) for one in batch]
