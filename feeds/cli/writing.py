"""Files written to the static tree: a few in this process, many in one process for each core.

In an order in which nothing is told of before it is there, wherever the run may be cut short: what pages need, pages of
articles, archives, the live documents that lead to them, and at last the pages of feeds, and the list of all.
"""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from itertools import chain, groupby
from pathlib import Path
from typing import TYPE_CHECKING, Self, TypeVar

from feeds import config
from feeds.catalog import Catalog
from feeds.cli.site import File, Files
from feeds.documents import Address, Everything, KeptText
from feeds.encoding import SUFFIXES, encode
from feeds.export import HEAD, Fact, Target
from feeds.formats import FORMATS
from feeds.model import FeedState
from feeds.pool import Queue, cores, pool, submitted

if TYPE_CHECKING:
    from concurrent.futures import ProcessPoolExecutor

S = TypeVar("S")
T = TypeVar("T")

_LOG = logging.getLogger(__name__)

_FEW = 300  # files that are written here: processes of their own take a second to start
_BATCH = 8  # feeds for a process at a time
_BATCH_OF_TEXTS = 100
FEW_ARTICLES = 3_000  # of which it is decided in less time than a process takes to start
_MANY_AHEAD = 1_000  # texts
_MOST_AHEAD = 20_000  # texts, which this process holds until it has decided
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

    def not_rendered(self, tasks: list[Task]) -> list[int]:
        """Give the keys of articles whose texts are to be rendered for documents."""
        return self._documents.not_rendered(task.address for task in tasks)

    def render(self, keys: list[int]) -> None:
        """Render articles' texts, so that every process finds what they became."""
        self.keep(self.render_ahead(keys))

    def likely(self, now: datetime) -> list[int]:
        """Give the keys of articles that documents will show when what was read is published."""
        return self._documents.likely(now)

    def render_ahead(self, keys: list[int]) -> list[KeptText]:
        """Render articles' texts, which nobody but the caller can keep now. Gives what they became."""
        return self._documents.rendered(keys)

    def write_ahead(self, keys: list[int]) -> None:
        """Write the entries of articles whose texts were rendered here, for documents that are written here."""
        self._documents.write_ahead(keys)

    def keep(self, made: list[KeptText]) -> None:
        """Keep what texts became. Raises `CatalogError`."""
        self._documents.keep(made)

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
        texts = writer.not_rendered(tasks)  # each shown by several feeds, which are written by several processes
        if len(tasks) + len(files) <= _FEW:
            for batch in _batches(texts, _BATCH_OF_TEXTS):  # pages and archives come first, and keep nothing for others
                self._by_one(_render, writer.render, batch)
            for some in (needed, pages):
                yield from self._by_one(_write_files, writer.write_files, some)
            for group in (archives, live):
                yield from self._by_one(_write, writer.write, group)
            yield from self._by_one(_write_files, writer.write_files, lists)
            return
        processes = self.start()
        list(processes.map(_render, _batches(texts, _BATCH_OF_TEXTS)))
        for some in (needed, pages):
            yield from chain(*processes.map(_write_files, _batches(some, _BATCH_OF_TEXTS)))
        for group in (archives, live):
            yield from chain(*processes.map(_write, _of_feeds(group)))
        yield from chain(*processes.map(_write_files, _batches(lists, _BATCH_OF_TEXTS)))

    def _by_one(self, there: Callable[[list[S]], T], here: Callable[[list[S]], T], items: list[S]) -> T:
        """Do something little in a process where there is one: the one that has rendered ahead has entries at hand."""
        future = submitted(self._processes, there, items) if self._processes and items else None
        return future.result() if future else here(items)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._processes:  # none of them writes on when others may
            self._processes.shutdown(cancel_futures=True)


class Ahead:
    """Renders in one process what documents will show, while this one decides what is published.

    On a cold start that takes long, in one transaction, and another core has nothing to do meanwhile. What turns out
    otherwise is rendered when its documents are.
    """

    def __init__(self, crew: Crew, now: datetime) -> None:
        self._crew = crew
        self._now = now
        self._made: list[KeptText] = []
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def begin(self, articles: int) -> None:
        """Begin, if a catalog that had no articles has got so many that it is worth it."""
        if articles > FEW_ARTICLES and cores() > 1:
            self._thread = threading.Thread(target=self._render, name="ahead", daemon=True)
            self._thread.start()

    def end(self) -> None:
        """End, and keep what was rendered. Raises `CatalogError`."""
        self._over.set()
        if self._thread:
            self._thread.join()
        self._crew.writer.keep(self._made)

    def _render(self) -> None:
        with suppress(Exception):  # whatever is wrong shows when it is rendered for its documents
            processes = self._crew.start()
            keys = processes.submit(_likely, self._now).result()[:_MOST_AHEAD]
            if len(keys) > _MANY_AHEAD:
                processes.submit(_ready)  # there will be many documents: the other processes begin to start
            for some in _batches(keys, _BATCH_OF_TEXTS):
                if self._over.is_set():
                    return
                self._made += processes.submit(_render_ahead, some).result()
            for some in _batches(keys, _BATCH_OF_TEXTS):
                if self._over.is_set():
                    return
                processes.submit(_write_ahead, some).result()


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


def _ready() -> None:
    """Do nothing: a process is there when this was done."""


def _likely(now: datetime) -> list[int]:
    return _WRITER.likely(now)


def _render_ahead(keys: list[int]) -> list[KeptText]:
    return _WRITER.render_ahead(keys)


def _write_ahead(keys: list[int]) -> None:
    _WRITER.write_ahead(keys)


def _render(keys: list[int]) -> None:
    _WRITER.render(keys)


def _write(tasks: list[Task]) -> list[Wrote]:
    return _WRITER.write(tasks)


def _write_files(files: list[File]) -> list[Wrote]:
    return _WRITER.write_files(files)
