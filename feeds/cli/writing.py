"""Files written to the static tree: in this process, or in one process for each core where there are many.

Threads write several files at once, since a disk takes milliseconds to sync each; they render at once too, for the
libraries that convert Markdown and sanitise HTML release the interpreter. A process for each core costs half a second
of CPU before it writes anything.

The order is one in which nothing leads to a file that does not exist yet, wherever the run may be cut short: what pages
need, pages of articles, archives, the live documents that lead to them, and at last the pages of feeds, and the list of
all.
"""

import logging
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import chain, groupby
from pathlib import Path
from typing import TYPE_CHECKING, Self, TypeVar

from feeds import config
from feeds.catalog import Catalog
from feeds.cli.site import File, Files
from feeds.documents import Address, Everything
from feeds.encoding import encode
from feeds.export import HEAD, Fact, Target
from feeds.pool import in_threads, pool

if TYPE_CHECKING:
    from concurrent.futures import ProcessPoolExecutor

T = TypeVar("T")

_LOG = logging.getLogger(__name__)

_FEW = 2_000  # files that are written by this process alone
_BATCH = 16  # feeds for a process at a time
_BATCH_OF_FILES = 100
_ROOM, _ROOM_OF_MANY = 96 << 20, 64 << 20  # bytes of entries that this process keeps, and each of several
_NOTED = 100  # feeds whose renditions are written to the catalog together
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

    def __init__(self, settings: config.Config, catalog: Catalog, tree: Target, *, room: int, force: bool) -> None:
        """Keep up to `room` bytes of rendered entries, and as many of what formats wrote of them."""
        self.settings = settings
        self.tree = tree
        self.force = force
        self._documents = Everything(catalog, settings.for_core, room)
        self._files = Files(settings, self._documents)

    def listed(self) -> Iterator[tuple[Address, str]]:
        """Give the addresses of all documents of the tree, each with a digest of what it shows."""
        return self._documents.listed(archives=self._files.archives)

    def others(self) -> Iterator[File]:
        """Give all other files of the tree."""
        return self._files.listed()

    @property
    def unlisted(self) -> list[str]:
        """The paths of files, and of folders with "/", of which `others` could not tell what is there."""
        return self._files.unlisted

    def aliases(self, documents: Collection[str]) -> tuple[dict[str, str], list[str]]:
        """Return the aliases that are files, and those for which there is no place, as `Files.aliases`."""
        return self._files.aliases(documents)

    def variants(self, path: str) -> list[str]:
        """Return the files in which a document or a page at a path lies, as `Files.variants`."""
        return self._files.variants(path)

    def write(self, tasks: list[Task]) -> Iterator[Wrote]:
        """Render and write documents; those of a feed come one after the other. Yield each file that was written."""
        for some in _of_feeds(tasks, _NOTED):
            for wrote in in_threads(self.tree.at_once, self._write_feed, some):
                yield from wrote
            self._documents.write()

    def write_files(self, files: list[File]) -> Iterator[Wrote]:
        """Make and write other files; what can't be read is logged, and tried again the next time."""
        for wrote in in_threads(self.tree.at_once, self._write_file, files):
            yield from wrote

    def _write_feed(self, tasks: list[Task]) -> list[Wrote]:
        by_address = {task.address: task for task in tasks}
        wrote: list[Wrote] = []
        for address, document in self._documents.of_feed(list(by_address), archives=self._files.archives):
            task = by_address[address]
            for path in task.places:
                wrote += self._put(path, document.body, task.digest, self.variants(path))
        return wrote

    def _write_file(self, file: File) -> list[Wrote]:
        if file.kind == "file":
            return self._copy(file)
        body = self._files.body(file)
        return [] if body is None else self._put(file.path, body, file.digest, self.files_of(file))

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


class Crew:
    """Who writes the tree: this process, and one for each core beside it when there is much to do. For a `with`."""

    def __init__(self, settings: config.Config, catalog: Catalog, tree: Target, *, force: bool) -> None:
        self.writer = Writer(settings, catalog, tree, room=_ROOM, force=force)
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
            yield from chain(*processes.map(_write, (list(chain(*some)) for some in _of_feeds(group, _BATCH))))
        yield from chain(*processes.map(_write_files, _batches(lists, _BATCH_OF_FILES)))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._processes:  # none of them writes on when others may
            self._processes.shutdown(cancel_futures=True)


def _feed_of(task: Task) -> tuple[str, int]:
    return task.address.feed, task.address.archive


def _of_feeds(tasks: list[Task], size: int) -> Iterator[list[list[Task]]]:
    """Yield the tasks by feed, those of so many feeds at a time."""
    return _batches([list(some) for _, some in groupby(tasks, _feed_of)], size)


def _batches(items: list[T], size: int) -> Iterator[list[T]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


_WRITER: Writer


def _begin(settings: config.Config, tree: Target, force: bool) -> None:
    global _WRITER  # noqa: PLW0603  # what a process of a pool is given once
    _WRITER = Writer(settings, Catalog(settings.catalog), tree, room=_ROOM_OF_MANY, force=force)


def _write(tasks: list[Task]) -> list[Wrote]:
    return list(_WRITER.write(tasks))


def _write_files(files: list[File]) -> list[Wrote]:
    return list(_WRITER.write_files(files))
