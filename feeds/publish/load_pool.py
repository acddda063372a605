"""Loads changed files: a few in this process, many in one process for each core.

Results are returned in the order of the files. A few thousand files are in progress at a time.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from itertools import chain, islice
from typing import TYPE_CHECKING

from feeds.catalog import LoadedArticle
from feeds.content import Folder
from feeds.core.errors import ArticleError
from feeds.core.model import Site
from feeds.core.text import one_line
from feeds.parallel import can_fork, cpu_count, end_pool, process_pool, try_submit
from feeds.publish.load_results import ChangedFile, LoadResult, NeedsTrialRender, ParseResult
from feeds.render.sandbox import Sandbox

if TYPE_CHECKING:
    from concurrent.futures import Future

    from feeds.publish.load import ArticleLoader

MAX_INLINE_FILES = 3_000  # that this process loads as fast alone: it also stages what the others have loaded
_MAX_INLINE_BYTES = 8 << 20  # of these files
_BATCH_FILES = 100  # that a process loads at a time
_MAX_BATCH_BYTES = 4 << 20  # of files
_MAX_BATCHES = max(20, 3 * cpu_count())  # in progress: the disk may delay the process that stages them for a second
_MAX_BATCHES_AT_START = _MAX_BATCHES + 30  # while processes start


class LoadPool:
    """Loads files for a site."""

    def __init__(
        self, folder: Folder, site: Site, sandbox: Sandbox, *, before_fork: Callable[[], object] = lambda: None
    ) -> None:
        """Load files of `folder` for `site`; `before_fork` is called before processes are forked from this one."""
        self._before_fork = before_fork
        self._folder = folder
        self._site = site
        self._sandbox = sandbox

    @cached_property
    def _loader(self) -> "ArticleLoader":
        from feeds.publish.load import ArticleLoader  # slow to import, and most runs have nothing to load

        return ArticleLoader(self._folder, self._site)

    def load(self, changed: Iterable[ChangedFile]) -> Iterator[LoadResult]:
        """Yield a result for each file, in order. Raise `FeedsError` if no trial render is possible."""
        files = iter(changed)
        may_fork = cpu_count() > 1 and can_fork()
        first = list(islice(files, MAX_INLINE_FILES + 1)) if may_fork else []
        if len(first) > MAX_INLINE_FILES or sum(changed.file.size for changed in first) > _MAX_INLINE_BYTES:
            yield from self._load_in_processes(chain(first, files), fork=True)
            return
        may_be_stale = True  # whether files beside articles may have changed since the loader has read them
        for file in chain(first, islice(files, MAX_INLINE_FILES)):
            if may_be_stale:
                self._loader.forget()
                may_be_stale = False
            yield self._try_to_render(self._loader.load(file))
        yield from self._load_in_processes(files, fork=False)

    def _load_in_processes(self, files: Iterator[ChangedFile], *, fork: bool) -> Iterator[LoadResult]:
        """Load batches in other processes; in this process too until those have started."""
        batch = _next_batch(files)
        if not batch:
            return
        self._loader.forget()
        if fork:
            self._before_fork()
        try:
            processes = process_pool(_initialize, self._loader, fork=fork)
        except OSError:  # too many processes, or no memory for another one
            yield from (self._try_to_render(self._loader.load(file)) for file in chain(batch, files))
            return
        in_progress: deque[tuple[list[ChangedFile], Future[list[ParseResult]] | None]] = deque()
        have_started = False
        try:
            while batch or in_progress:
                if batch and len(in_progress) < _MAX_BATCHES:
                    self._folder.prefetch(changed.file for changed in batch)
                    in_progress.append((batch, try_submit(processes, _load_batch, batch)))
                elif (
                    batch
                    and not have_started
                    and len(in_progress) < _MAX_BATCHES_AT_START
                    and not _is_done(in_progress[0][1])
                ):
                    in_progress.append((batch, self._load_here(batch)))
                else:
                    have_started = True
                    yield from self._results(*in_progress.popleft())
                    continue
                batch = _next_batch(files)
        finally:
            end_pool(processes)

    def _load_here(self, batch: list[ChangedFile]) -> "Future[list[ParseResult]]":
        from concurrent.futures import Future

        future: Future[list[ParseResult]] = Future()
        future.set_result([self._loader.load(file) for file in batch])
        return future

    def _results(self, batch: list[ChangedFile], future: "Future[list[ParseResult]] | None") -> Iterator[LoadResult]:
        from concurrent.futures import BrokenExecutor

        try:
            results = future.result() if future else None
        except BrokenExecutor:  # a process was killed, or is out of memory
            results = None
        yield from map(self._try_to_render, results or [self._loader.load(file) for file in batch])

    def _try_to_render(self, result: ParseResult) -> LoadResult:
        """Reject an article whose body can't be rendered."""
        if not isinstance(result, NeedsTrialRender):
            return result
        article, body = result
        try:
            self._sandbox.render(body, None, "https://site.invalid", "e-")
        except ArticleError as error:
            return LoadedArticle(
                article.path, article.stamp, rejection=one_line(error.reason), rejection_line=error.line
            )
        return article


_LOADER: "ArticleLoader"


def _initialize(loader: "ArticleLoader") -> None:
    global _LOADER  # noqa: PLW0603  # a process of a pool receives it once, not with every batch
    _LOADER = loader


def _load_batch(batch: list[ChangedFile]) -> list[ParseResult]:
    return [_LOADER.load(file) for file in batch]


def _next_batch(files: Iterator[ChangedFile]) -> list[ChangedFile]:
    batch, size = [], 0
    for changed in files:
        batch.append(changed)
        size += changed.file.size
        if len(batch) >= _BATCH_FILES or size >= _MAX_BATCH_BYTES:
            break
    return batch


def _is_done(future: "Future[list[ParseResult]] | None") -> bool:
    return future is None or future.done()
