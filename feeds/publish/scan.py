"""Compares the content folder with the catalog, and stages the files that differ, in batches. It publishes nothing."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeVar

from feeds.catalog import Catalog, CatalogReader, FileStamp, KnownFile, LoadedArticle, NewStamp, StagedFile
from feeds.content import Folder, ScannedFile
from feeds.publish.load_pool import LoadPool
from feeds.publish.load_results import BeingWritten, ChangedFile, LoadResult, Unchanged
from feeds.publish.observer import CancelToken, PublishObserver

if TYPE_CHECKING:
    from feeds.core.lint import Problem

_PAGE_ROWS = 1_000  # of the catalog that are read at a time: a saved file waits no longer than for one page
_FILES_PER_CHECK = 100  # files between two checks whether the scan is cancelled
_FILES_PER_REPORT = 10  # files that are loaded between two calls of the observer
_BATCH_FILES = 1_000  # that are staged in one transaction
_MAX_WARNINGS = 100  # of one run; `feeds check` lists all


class _Row(Protocol):
    @property
    def path(self) -> str: ...


R = TypeVar("R", bound=_Row)


@dataclass(slots=True)
class ScanResult:
    """The result of a scan, without the files that it staged."""

    deleted: list[int] = field(default_factory=list)  # keys of articles whose files no longer exist
    being_written: list[str] = field(default_factory=list)  # paths of files that were being written
    files_read: int = 0  # number of files that were read, whether their content changed or not
    initial_files: int = 0  # number of files that were read into a catalog without articles
    warnings: "list[Problem]" = field(default_factory=list)  # about the files that were read, at most _MAX_WARNINGS
    omitted_warnings: int = 0  # number of warnings beyond those
    has_read_all: bool = False  # whether all files were read, also those that did not change

    def add_warnings(self, problems: "list[Problem]") -> None:
        """Add warnings about a file; only count those beyond the limit."""
        capacity = _MAX_WARNINGS - len(self.warnings)
        self.warnings += problems[:capacity]
        self.omitted_warnings += len(problems[capacity:])


class ScanInterrupted(Exception):
    """A full scan was cancelled before it found a change. Resume it after `path`."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path


class _Comparison(NamedTuple):
    """One path: its file, the article that the catalog has of it, and its staged version."""

    path: str
    file: ScannedFile | None
    known: KnownFile | None
    staged: StagedFile | None


class FolderScan:
    """Compares files with the catalog and stages those that differ."""

    def __init__(
        self,
        folder: Folder,
        catalog: Catalog,
        pool: LoadPool,
        *,
        after: str = "",
        cancel: CancelToken | None = None,
        observer: PublishObserver | None = None,
    ) -> None:
        """Prepare a scan.

        Args:
            folder: the content folder.
            catalog: where files are staged.
            pool: loads the files.
            after: the path after which a full scan begins.
            cancel: asks a full scan to stop.
            observer: receives the number of files that were compared, and loaded if they differ.
        """
        self._after = after
        self._cancel = cancel or CancelToken()
        self._observer = observer or PublishObserver()
        self._folder = folder
        self._catalog = catalog
        self._pool = pool
        self._is_initial = False  # whether the catalog had no articles
        self._outdated: list[str] = []  # paths whose staged versions are out of date
        self._has_change = False  # whether a text changed; a file may have the same text and another modification time
        self._stopped_after: str | None = None  # the path after which the comparison was cancelled
        self._compared, self._loading = 0, 0  # files so far; those of them that the pool has not returned yet

    def run(self, paths: Iterable[str], *, read_all: bool) -> ScanResult:
        """Stage the files at and below some paths that differ from the catalog; "" is the whole folder.

        If `read_all` is true, stage all files there, whether they differ or not. Raise `ScanInterrupted` if a full scan
        was cancelled before it found a change.
        """
        result = ScanResult(has_read_all=read_all)
        self._outdated, self._has_change = [], read_all
        with self._catalog.read_transaction() as catalog:
            self._is_initial = not catalog.has_articles()
        for path in paths:
            after: str | None = "" if path or read_all else self._after
            while after is not None:
                after = self._scan_path(path, after, result, read_all=read_all)
                if after is not None and not self._has_change:
                    raise ScanInterrupted(after)
        return result

    def _scan_path(self, path: str, after: str, result: ScanResult, *, read_all: bool) -> str | None:
        """Load and stage the files that differ. Return the path after which the scan was cancelled, or None."""
        self._stopped_after = None
        batch: list[LoadResult] = []
        for loaded in self._pool.load(self._changed_files(path, after, result, read_all=read_all)):
            batch.append(loaded)
            self._loading -= 1
            result.files_read += 1
            if not result.files_read % _FILES_PER_REPORT:
                self._report_progress()
            result.initial_files += self._is_initial
            self._has_change |= not isinstance(loaded, Unchanged)
            if isinstance(loaded, LoadedArticle) and loaded.warnings:
                from feeds.core.lint import front_matter_problems  # most runs have no warning

                result.add_warnings(front_matter_problems(loaded.path, loaded.warnings))
            if isinstance(loaded, BeingWritten):
                result.being_written.append(loaded.path)
            if len(batch) >= _BATCH_FILES:
                self._stage(batch)
                batch = []
        self._stage(batch)
        self._report_progress()
        return self._stopped_after

    def _changed_files(self, below: str, after: str, result: ScanResult, *, read_all: bool) -> Iterator[ChangedFile]:
        known = self._rows(after, lambda catalog, after: catalog.known_files(below, after, _PAGE_ROWS))
        staged = self._rows(after, lambda catalog, after: catalog.staged_files(below, after, _PAGE_ROWS))
        last = after
        self._compared, self._loading = 0, 0
        self._observer.on_progress(0)
        for number, comparison in enumerate(_join_by_path(self._folder.scan(below, after), known, staged)):
            is_due = not number % _FILES_PER_CHECK
            if is_due:
                self._report_progress()
            self._compared = number + 1
            may_stop = is_due and number and not (self._has_change or self._outdated or result.deleted or below)
            if may_stop and self._cancel.cancelled:
                self._stopped_after = last
                return
            last = comparison.path
            file = comparison.file
            if file is None and not self._folder.was_scanned(last):
                continue  # the folder can't be read: assume that the file did not change
            if file is None and after:  # a resumed scan may have listed the folder before the file was created
                file = next(self._folder.scan(last), None)
            if file is None:
                self._note_deleted(comparison, result)
            elif comparison.staged and not comparison.staged.is_rejected and _stamp_of(file) == comparison.staged.stamp:
                self._has_change = True  # staged by a run that was cut short
            else:
                if comparison.staged:
                    self._outdated.append(last)
                if read_all or _differs(file, comparison.known):
                    self._loading += 1
                    yield ChangedFile(file, comparison.known, read_all)

    def _report_progress(self) -> None:
        """Report the files that need no more work: the pool takes files long before it returns them."""
        if (files := self._compared - self._loading) > 0:  # 0 begins a scan
            self._observer.on_progress(files)

    def _note_deleted(self, comparison: _Comparison, result: ScanResult) -> None:
        if comparison.known and (comparison.known.is_rejected or not comparison.known.deleted):
            result.deleted.append(comparison.known.key)
        if comparison.staged:
            self._outdated.append(comparison.staged.path)

    def _rows(self, after: str, read_page: Callable[[CatalogReader, str], list[R]]) -> Iterator[R]:
        while True:
            with (
                self._catalog.read_transaction() as catalog
            ):  # for each page: a long one keeps SQLite's log from being cleared
                rows = read_page(catalog, after)
            yield from rows
            if len(rows) < _PAGE_ROWS:
                return
            after = rows[-1].path

    def _stage(self, batch: list[LoadResult]) -> None:
        unchanged = [loaded for loaded in batch if isinstance(loaded, Unchanged)]
        articles = [loaded for loaded in batch if isinstance(loaded, LoadedArticle)]
        outdated, self._outdated = self._outdated, []
        if outdated or unchanged or articles:
            with self._catalog.write_transaction() as catalog:
                catalog.unstage(outdated)
                catalog.update_stamps(NewStamp(file.key, file.stamp) for file in unchanged)
                catalog.stage(articles, as_articles=self._is_initial)


def _differs(file: ScannedFile, known: KnownFile | None) -> bool:
    return known is None or known.deleted or _stamp_of(file) != known.stamp


def _stamp_of(file: ScannedFile) -> FileStamp:
    return FileStamp(file.mtime_ns, file.size, file.inode)


def _join_by_path(
    files: Iterator[ScannedFile], known_files: Iterator[KnownFile], staged_files: Iterator[StagedFile]
) -> Iterator[_Comparison]:
    """Yield one comparison for each path, in order, of three iterators that are sorted by path."""
    file, known, staged = next(files, None), next(known_files, None), next(staged_files, None)
    while file is not None or known is not None or staged is not None:
        path = min(row.path for row in (file, known, staged) if row is not None)
        comparison = _Comparison(
            path,
            file if file is not None and file.path == path else None,
            known if known is not None and known.path == path else None,
            staged if staged is not None and staged.path == path else None,
        )
        yield comparison
        file = file if comparison.file is None else next(files, None)
        known = known if comparison.known is None else next(known_files, None)
        staged = staged if comparison.staged is None else next(staged_files, None)
