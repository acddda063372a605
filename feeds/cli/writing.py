"""Files written to the static tree: a few in this process, many in one process for each core.

In an order in which nothing is told of before it is there, wherever the run may be cut short: what pages need, pages of
articles, archives, the live documents that lead to them, and at last the pages of feeds, and the list of all.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, groupby
from pathlib import Path
from typing import TYPE_CHECKING, Self, TypeVar

from feeds import config
from feeds.catalog import Catalog
from feeds.cli.site import File, Files
from feeds.documents import Address, Everything
from feeds.encoding import SUFFIXES, encode
from feeds.export import HEAD, Fact, Target
from feeds.formats import FORMATS
from feeds.model import FeedState
from feeds.pool import Queue, pool

if TYPE_CHECKING:
    from concurrent.futures import ProcessPoolExecutor

T = TypeVar("T")

_LOG = logging.getLogger(__name__)

_FEW = 300  # files that are written here: processes of their own take a second to start
_BATCH = 8  # feeds for a process at a time
_BATCH_OF_FILES = 100
FEW_ARTICLES = 3_000  # of which it is decided in less time than a process takes to start
# what processes import that read articles and write documents
IMPORTED = (
    "feeds.cli.writing",
    "feeds.publish.reader",
    *(one.module for one in FORMATS),
)
_KINDS = ({"asset", "host", "file"}, {"article", "archive"}, {"feed", "opml"})  # of files, in their order


@dataclass(frozen=True, slots=True)
class Task:
    """A document to write: what it shows, and the paths at which it lies."""

    address: Address
    digest: str
    places: list[str]


# a path, what the tree knows of the file now, whether it was written; no fact: it is somebody else's
Wrote = tuple[str, Fact | None, bool]


class Writer:
    """Renders and writes."""

    def __init__(self, settings: config.Config, catalog: Catalog, tree: Target, *, force: bool) -> None:
        self.settings = settings
        self.tree = tree
        self.force = force
        self._documents = Everything(catalog, settings.for_core)
        self._files = Files(settings, self._documents, self._archives)
        self._queue = Queue[Wrote](tree.at_once)

    def listed(self) -> Iterator[tuple[Address, str]]:
        """Give the addresses of all documents of the tree, each with a digest of what it shows."""
        return self._documents.listed(archives=self._archives)

    def others(self) -> Iterator[File]:
        """Give all other files of the tree."""
        return self._files.listed()

    def variants(self, path: str) -> list[str]:
        """Give the files in which a document at a path lies: itself, and what is compressed of it."""
        return [path, *(path + SUFFIXES[coding] for coding in self.settings.export.precompressed)]

    def write(self, tasks: list[Task]) -> list[Wrote]:
        """Render and write documents; those of a feed come one after the other."""
        by_address = {task.address: task for task in tasks}
        for address, document in self._documents.every(by_address, archives=self._archives):
            task = by_address[address]
            for path in task.places:
                self._queue.put(self._put, path, document.body, task.digest, self.variants(path))
        self._documents.write()
        return self._queue.take()

    def write_files(self, files: list[File]) -> list[Wrote]:
        """Make and write other files; what can't be read is said, and tried again the next time."""
        for file in files:
            if file.kind == "file":
                self._queue.put(self._copy, file)
            elif (body := self._files.body(file)) is not None:
                self._queue.put(self._put, file.path, body, file.digest, self.files_of(file))
        return self._queue.take()

    def _copy(self, file: File) -> list[Wrote]:
        source = Path(file.of)
        try:
            with source.open("rb") as stream:
                if not self.force and self.tree.is_foreign(file.path, stream.read(HEAD)):
                    return [(file.path, None, False)]
            new = self.tree.copy(file.path, source, file.digest, force=self.force)
            return [(file.path, self.tree.fact(file.path), new)]
        except OSError as error:
            _LOG.warning("%s: can't be read: %s; it is not exported", source, error.strerror)
            return []

    def files_of(self, file: File) -> list[str]:
        """Give the files in which one that is no document lies: pictures and their like are compressed already."""
        return [file.path] if file.kind in {"file", "host"} else self.variants(file.path)

    def _put(self, path: str, body: bytes, digest: str, files: list[str]) -> list[Wrote]:
        """Write a file and what is compressed of it, unless somebody else's is there."""
        if not self.force and self.tree.is_foreign(path, body):
            return [(path, None, False)]
        wrote: list[Wrote] = []
        for file, coding in zip(files, ["", *self.settings.export.precompressed], strict=False):
            encoded = encode(body, coding) if coding else body
            new = self.tree.write(file, encoded, digest, coding=coding, force=self.force)
            wrote.append((file, self.tree.fact(file), new))
        return wrote

    def _archives(self, state: FeedState) -> bool:
        return self.settings.feeds.archives == "all" or not state.path


class Crew:
    """Who writes the tree: this process, and one for each core beside it when there is much to do. For a `with`."""

    def __init__(self, settings: config.Config, catalog: Catalog, tree: Target, *, force: bool) -> None:
        self.writer = Writer(settings, catalog, tree, force=force)
        self._values = settings, tree, force
        self._processes: ProcessPoolExecutor | None = None

    def start(self) -> "ProcessPoolExecutor":
        """Start the processes, if they are not there."""
        self._processes = self._processes or pool(_begin, *self._values)
        return self._processes

    def write(self, tasks: list[Task], files: list[File]) -> Iterator[Wrote]:
        """Render and write documents and other files, what others lead to first. Raises `FeedsError`."""
        archives, live = [[task for task in tasks if bool(task.address.archive) is old] for old in (True, False)]
        needed, pages, lists = [[file for file in files if file.kind in kinds] for kinds in _KINDS]
        writer = self.writer
        if len(tasks) + len(files) <= _FEW:
            for some in (needed, pages):
                yield from writer.write_files(some)
            for group in (archives, live):
                yield from writer.write(group)
            yield from writer.write_files(lists)
            return
        processes = self.start()
        for some in (needed, pages):
            yield from chain(*processes.map(_write_files, _batches(some, _BATCH_OF_FILES)))
        for group in (archives, live):
            yield from chain(*processes.map(_write, _of_feeds(group)))
        yield from chain(*processes.map(_write_files, _batches(lists, _BATCH_OF_FILES)))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._processes:  # none of them writes on when others may
            self._processes.shutdown(cancel_futures=True)


def _of_feeds(tasks: list[Task]) -> Iterator[list[Task]]:
    by_feed = [list(some) for _, some in groupby(tasks, lambda task: (task.address.feed, task.address.archive))]
    return (list(chain(*some)) for some in _batches(by_feed, _BATCH))


def _batches(items: list[T], size: int) -> Iterator[list[T]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


_WRITER: Writer


def _begin(settings: config.Config, tree: Target, force: bool) -> None:
    global _WRITER  # noqa: PLW0603  # what a process of a pool is given once
    _WRITER = Writer(settings, Catalog(settings.catalog), tree, force=force)


def _write(tasks: list[Task]) -> list[Wrote]:
    return _WRITER.write(tasks)


def _write_files(files: list[File]) -> list[Wrote]:
    return _WRITER.write_files(files)
