"""Files written to the static tree: a few in this process, many in one process for each core."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, groupby
from pathlib import Path
from typing import TypeVar

from feeds import config
from feeds.catalog import Catalog
from feeds.cli.site import File, Files
from feeds.documents import Address, Everything
from feeds.encoding import encode
from feeds.export import HEAD, Tree
from feeds.model import FeedState
from feeds.pool import pool

T = TypeVar("T")

_LOG = logging.getLogger(__name__)

_FEW = 300  # files that are written here: processes of their own take a second to start
_BATCH = 8  # feeds for a process at a time
_BATCH_OF_TEXTS = 100


@dataclass(frozen=True, slots=True)
class Task:
    """A document to write: what it shows, and the paths at which it lies."""

    address: Address
    digest: str
    places: list[str]


_SUFFIXES = {"gzip": ".gz", "br": ".br", "zstd": ".zst"}  # as web servers look for them
Wrote = tuple[str, str, bool | None]  # a path, the digest of what is there now, whether it was written; None: not ours


class Writer:
    """Renders and writes."""

    def __init__(self, settings: config.Config, catalog: Catalog, tree: Tree, *, force: bool) -> None:
        self.settings = settings
        self.tree = tree
        self.force = force
        self._documents = Everything(catalog, settings.for_core)
        self._files = Files(settings, self._documents, self._archives)

    def listed(self) -> Iterator[tuple[Address, str]]:
        """Give the addresses of all documents of the tree, each with a digest of what it shows."""
        return self._documents.listed(archives=self._archives)

    def others(self) -> Iterator[File]:
        """Give all other files of the tree."""
        return self._files.listed()

    def variants(self, path: str) -> list[str]:
        """Give the files in which a document at a path lies: itself, and what is compressed of it."""
        return [path, *(path + _SUFFIXES[coding] for coding in self.settings.export.precompressed)]

    def write(self, tasks: list[Task]) -> list[Wrote]:
        """Render and write documents; those of a feed come one after the other."""
        by_address = {task.address: task for task in tasks}
        wrote = []
        for address, document in self._documents.every(by_address, archives=self._archives):
            task = by_address[address]
            for path in task.places:
                wrote += self._put(path, document.body, task.digest, self.variants(path))
        self._documents.write()
        return wrote

    def write_files(self, files: list[File]) -> list[Wrote]:
        """Make and write other files; what can't be read is said, and tried again the next time."""
        wrote = []
        for file in files:
            if file.kind == "file":
                wrote += self._copy(file)
            elif (body := self._files.body(file)) is not None:
                wrote += self._put(file.path, body, file.digest, self.files_of(file))
        return wrote

    def _copy(self, file: File) -> list[Wrote]:
        source = Path(file.of)
        try:
            with source.open("rb") as stream:
                if not self.force and self.tree.is_foreign(file.path, stream.read(HEAD)):
                    return [(file.path, file.digest, None)]
            return [(file.path, file.digest, self.tree.copy(file.path, source, file.digest, force=self.force))]
        except OSError as error:
            _LOG.warning("%s: can't be read: %s; it is not exported", source, error.strerror)
            return []

    def files_of(self, file: File) -> list[str]:
        """Give the files in which one that is no document lies: pictures and their like are compressed already."""
        return [file.path] if file.kind in {"file", "host"} else self.variants(file.path)

    def _put(self, path: str, body: bytes, digest: str, files: list[str]) -> list[Wrote]:
        """Write a file and what is compressed of it, unless somebody else's is there."""
        if not self.force and self.tree.is_foreign(path, body):
            return [(path, digest, None)]
        bodies = [body, *(encode(body, coding) for coding in self.settings.export.precompressed)]
        return [(file, digest, self.tree.write(file, one, digest, force=self.force))
                for file, one in zip(files, bodies, strict=False)]  # fmt: skip

    def not_rendered(self, tasks: list[Task]) -> list[int]:
        """Give the keys of texts that are to be rendered for documents."""
        return self._documents.not_rendered(task.address for task in tasks)

    def render(self, texts: list[int]) -> None:
        """Render texts, so that every process finds what they became."""
        self._documents.render_texts(texts)

    def _archives(self, state: FeedState) -> bool:
        return self.settings.feeds.archives == "all" or not state.path


def write(writer: Writer, tasks: list[Task], files: list[File]) -> Iterator[Wrote]:
    """Render and write documents, then other files. Raises `FeedsError`."""
    if len(tasks) + len(files) <= _FEW:
        yield from writer.write(tasks)
        yield from writer.write_files(files)
        return
    texts = writer.not_rendered(tasks)  # each shown by several feeds, which are written by several processes
    by_feed = [list(some) for _, some in groupby(tasks, lambda task: (task.address.feed, task.address.archive))]
    with pool(_begin, writer.settings, writer.tree, writer.force) as processes:
        try:
            list(processes.map(_render, _batches(texts, _BATCH_OF_TEXTS)))
            for wrote in processes.map(_write, (list(chain(*some)) for some in _batches(by_feed, _BATCH))):
                yield from wrote
            for wrote in processes.map(_write_files, _batches(files, _BATCH_OF_TEXTS)):
                yield from wrote
        except BaseException:
            processes.shutdown(wait=False, cancel_futures=True)
            raise


def _batches(items: list[T], size: int) -> Iterator[list[T]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


_WRITER: Writer


def _begin(settings: config.Config, tree: Tree, force: bool) -> None:
    global _WRITER  # noqa: PLW0603  # what a process of a pool is given once
    _WRITER = Writer(settings, Catalog(settings.catalog_file), tree, force=force)


def _render(texts: list[int]) -> None:
    _WRITER.render(texts)


def _write(tasks: list[Task]) -> list[Wrote]:
    return _WRITER.write(tasks)


def _write_files(files: list[File]) -> list[Wrote]:
    return _WRITER.write_files(files)
