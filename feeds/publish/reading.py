"""Files -> what the catalog keeps of them: a few in this process, many in one process for each core.

What is read leaves in the order in which it is found, and a few thousand files of it are under way at a time.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from feeds.catalog import Known, Reading, Stamp
from feeds.errors import Refused
from feeds.folder import Folder, Found
from feeds.model import Site
from feeds.pool import cores, is_prepared, pool, submitted
from feeds.sandbox import Sandbox
from feeds.text import one_line

if TYPE_CHECKING:
    from concurrent.futures import Future

    from feeds.publish.reader import Reader

FEW = 3_000  # files that this process reads alone: processes of their own take a second of CPU to start
_BATCH = 100  # files for a process at a time
_LARGEST_BATCH = 4 << 20  # bytes of them
_AHEAD = max(20, 3 * cores())  # batches that are under way: who keeps them may be held up by the disk for a second
_AT_START = _AHEAD + 30  # while processes start


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
        self._folder = folder
        self._site = site
        self._sandbox = sandbox

    @cached_property
    def _reader(self) -> "Reader":
        from feeds.publish.reader import Reader  # which takes long to import, and most runs find nothing to read

        return Reader(self._folder, self._site)

    def read(self, differing: Iterable[Differing]) -> Iterator[Result]:
        """Read files, in their order. Raises `FeedsError` if nothing can be tried just now."""
        left = iter(differing)
        known = True  # that the files beside articles may have changed since the last run
        for one in islice(left, 0 if is_prepared() else FEW):
            if known:
                self._reader.forget()
                known = False
            yield self._settle(self._reader.read(one))
        if first := _batch(left):
            if known:
                self._reader.forget()
            yield from self._read_many(first, left)

    def _read_many(self, first: list[Differing], left: Iterator[Differing]) -> Iterator[Result]:
        """Read in processes, whose files the disk is asked for before their turn; here too until they have started."""
        under_way: deque[tuple[list[Differing], Future[list[Read]] | None]] = deque()
        started = False
        with pool(_begin, self._reader) as processes:
            batch = first
            while batch or under_way:
                if batch and len(under_way) < _AHEAD:
                    self._folder.expect(one.file for one in batch)
                    under_way.append((batch, submitted(processes, _read, batch)))
                elif batch and not started and len(under_way) < _AT_START and not _is_over(under_way[0][1]):
                    under_way.append((batch, self._read_here(batch)))
                else:
                    started = True
                    yield from self._results(*under_way.popleft())
                    continue
                batch = _batch(left)

    def _read_here(self, batch: list[Differing]) -> "Future[list[Read]]":
        from concurrent.futures import Future

        read: Future[list[Read]] = Future()
        read.set_result([self._reader.read(one) for one in batch])
        return read

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


_READER: "Reader"


def _begin(reader: "Reader") -> None:
    global _READER  # noqa: PLW0603  # what a process of a pool is given once
    _READER = reader


def _batch(left: Iterator[Differing]) -> list[Differing]:
    batch, size = [], 0
    for one in left:
        batch.append(one)
        size += one.file.size
        if len(batch) >= _BATCH or size >= _LARGEST_BATCH:
            break
    return batch


def _is_over(future: "Future[list[Read]] | None") -> bool:
    return future is None or future.done()


def _read(batch: list[Differing]) -> list[Read]:
    return [_READER.read(one) for one in batch]
