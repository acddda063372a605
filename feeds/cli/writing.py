"""Documents written to the static tree: a few in this process, many in one process for each core."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, groupby
from pathlib import Path

from feeds import config
from feeds.catalog import Catalog
from feeds.documents import Address, Everything
from feeds.encoding import encode
from feeds.export import Tree
from feeds.model import FeedState
from feeds.pool import pool

_FEW = 300  # documents that are written here: processes of their own take a second to start
_BATCH = 8  # feeds for a process at a time
_BATCH_OF_TEXTS = 100


@dataclass(frozen=True, slots=True)
class Task:
    """A document to write: what it shows, and the paths at which it lies."""

    address: Address
    digest: str
    places: list[str]


_SUFFIXES = {"gzip": ".gz", "br": ".br", "zstd": ".zst"}  # as web servers look for them
Wrote = tuple[str, str, bool]  # a path, the digest of what is there now, and whether it had to be written


class Writer:
    """Renders and writes."""

    def __init__(self, settings: config.Config, catalog: Catalog, tree: Tree, *, force: bool) -> None:
        self.settings = settings
        self.tree = tree
        self.force = force
        self._documents = Everything(catalog, settings.for_core)

    def listed(self) -> Iterator[tuple[Address, str]]:
        """Give the addresses of all documents of the tree, each with a digest of what it shows."""
        return self._documents.listed(archives=self._archives)

    def files(self, path: str) -> list[str]:
        """Give the files in which a document at a path lies: itself, and what is compressed of it."""
        return [path, *(path + _SUFFIXES[coding] for coding in self.settings.export.precompressed)]

    def write(self, tasks: list[Task]) -> list[Wrote]:
        """Render and write documents; those of a feed come one after the other."""
        by_address = {task.address: task for task in tasks}
        wrote = []
        for address, document in self._documents.every(by_address, archives=self._archives):
            task = by_address[address]
            codings = self.settings.export.precompressed
            bodies = [document.body, *(encode(document.body, coding) for coding in codings)]
            for path in task.places:
                for file, body in zip(self.files(path), bodies, strict=True):
                    new = self.tree.write(file, body, task.digest, force=self.force)
                    wrote.append((file, task.digest, new))
        self._documents.write()
        return wrote

    def not_rendered(self, tasks: list[Task]) -> list[int]:
        """Give the keys of texts that are to be rendered for documents."""
        return self._documents.not_rendered(task.address for task in tasks)

    def render(self, texts: list[int]) -> None:
        """Render texts, so that every process finds what they became."""
        self._documents.render_texts(texts)

    def _archives(self, state: FeedState) -> bool:
        return self.settings.feeds.archives == "all" or not state.path


def write(writer: Writer, tasks: list[Task]) -> Iterator[Wrote]:
    """Render and write documents, in their order. Raises `FeedsError`."""
    if len(tasks) <= _FEW:
        yield from writer.write(tasks)
        return
    by_feed = [list(some) for _, some in groupby(tasks, lambda task: (task.address.feed, task.address.archive))]
    batches = [list(chain(*by_feed[start : start + _BATCH])) for start in range(0, len(by_feed), _BATCH)]
    texts = writer.not_rendered(tasks)  # each shown by several feeds, which are written by several processes
    by_text = [texts[start : start + _BATCH_OF_TEXTS] for start in range(0, len(texts), _BATCH_OF_TEXTS)]
    with pool(_begin, writer.settings, writer.tree.root, writer.force) as processes:
        try:
            list(processes.map(_render, by_text))
            for wrote in processes.map(_write, batches):
                yield from wrote
        except BaseException:
            processes.shutdown(wait=False, cancel_futures=True)
            raise


_WRITER: Writer


def _begin(settings: config.Config, root: Path, force: bool) -> None:
    global _WRITER  # noqa: PLW0603  # what a process of a pool is given once
    _WRITER = Writer(settings, Catalog(settings.catalog_file), Tree(root, ours=False), force=force)


def _render(texts: list[int]) -> None:
    _WRITER.render(texts)


def _write(tasks: list[Task]) -> list[Wrote]:
    return _WRITER.write(tasks)
