"""The folder compared with the catalog: what differs is read and kept, in batches, and nothing of it published yet."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from feeds.catalog import Catalog, Known, Reader, Reading, Staged
from feeds.folder import Folder, Found
from feeds.lint import Problem, of_reading
from feeds.publish.reading import Differing, InFlux, Readers, Result, Touched

_PAGE = 1_000  # rows that are compared at a time: nobody who has saved something waits for more
_OFTEN = 100  # files between two questions whether something is more urgent
_BATCH = 1_000  # files whose readings are committed together
_MAX_WARNINGS = 100  # of one run; `feeds check` lists all

Progress = Callable[[int], None]  # how many files were looked at


class _Row(Protocol):
    @property
    def path(self) -> str: ...


R = TypeVar("R", bound=_Row)


@dataclass(slots=True)
class Seen:
    """What a look at the folder found, besides what is staged."""

    vanished: list[int] = field(default_factory=list)  # keys of articles whose files are no longer there
    unsettled: list[str] = field(default_factory=list)  # paths of files that were being written
    first: int = 0  # files that were read into a catalog without articles
    warnings: list[Problem] = field(default_factory=list)  # of the files that were read, at most _MAX_WARNINGS
    more_warnings: int = 0  # beyond those

    def warn(self, problems: list[Problem]) -> None:
        """Add warnings about a file, and count those for which there is no room."""
        room = _MAX_WARNINGS - len(self.warnings)
        self.warnings += problems[:room]
        self.more_warnings += len(problems[room:])


class Interrupted(Exception):
    """A look was ended, for something more urgent, before it found another text. It can go on after `path`."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path


class Look:
    """Brings the catalog's staging up to what the folder says."""

    def __init__(
        self,
        folder: Folder,
        catalog: Catalog,
        readers: Readers,
        *,
        after: str = "",
        interrupted: Callable[[], bool] = lambda: False,
    ) -> None:
        """Look at the whole folder from after a path on, and only as long as one is not interrupted."""
        self._after = after
        self._interrupted = interrupted
        self._folder = folder
        self._catalog = catalog
        self._readers = readers
        self._first = False  # run, on a catalog without articles
        self._dropped: list[str] = []  # paths of which what is staged is no longer true
        self._found = False  # whether anything says something else; a file may have its text under another stamp
        self._left: str | None = None  # the path after which a comparison was interrupted

    def at(self, parts: Iterable[str], *, again: bool, progress: Progress) -> Seen:
        """Compare paths and what is below them, "" for the whole folder. With `again`, every file is read again.

        Raises `Interrupted`, if it was asked to.
        """
        seen = Seen()
        self._dropped, self._found = [], again
        with self._catalog.reading() as catalog:
            self._first = not catalog.any_articles()
        for below in parts:
            after: str | None = "" if below or again else self._after
            while after is not None:
                after = self._compare(below, after, seen, progress, again=again)
                if after is not None and not self._found:
                    raise Interrupted(after)
        return seen

    def _compare(self, below: str, after: str, seen: Seen, progress: Progress, *, again: bool) -> str | None:
        """Read what differs, and keep what came of it. Gives the path after which it was interrupted, if it was."""
        self._left = None
        batch: list[Result] = []
        for result in self._readers.read(self._differing(below, after, seen, progress, again=again)):
            batch.append(result)
            seen.first += self._first
            self._found |= not isinstance(result, Touched)
            if isinstance(result, Reading) and result.warnings:
                seen.warn(of_reading(result.path, result.warnings))
            if isinstance(result, InFlux):
                seen.unsettled.append(result.path)
            if len(batch) >= _BATCH:
                self._keep(batch)
                batch = []
        self._keep(batch)
        return self._left

    def _differing(self, below: str, after: str, seen: Seen, progress: Progress, *, again: bool) -> Iterator[Differing]:
        known = self._pages(after, lambda catalog, after: catalog.known(below, after, _PAGE))
        staged = self._pages(after, lambda catalog, after: catalog.staged(below, after, _PAGE))
        last = after
        for number, (found, row, read) in enumerate(_side_by_side(self._folder.scan(below, after), known, staged)):
            if not number % _BATCH:
                progress(number)
            goes_on = number % _OFTEN or not number or self._found or self._dropped or seen.vanished or below
            if not goes_on and self._interrupted():
                self._left = last
                return
            last = (found or row or read).path  # type: ignore[union-attr]  # one of them is there
            file = found
            if found is None and not self._folder.could_look(last):
                continue  # it is as it was, as far as anybody knows
            if found is None and after:  # it may have come since the scan was left that this one goes on with
                file = next(self._folder.scan(last), None)
            if file is None:
                self._vanished(row, read, seen)
            elif read is not None and not read.refused and file[1:4] == read[1:4]:
                self._found = True  # by a run that was cut short
            else:
                differs = again or row is None or row.gone or file[1:4] != row[1:4]
                if read is not None:
                    self._dropped.append(read.path)
                if differs:
                    yield Differing(file, row, again)

    def _vanished(self, row: Known | None, read: Staged | None, seen: Seen) -> None:
        if row is not None and (row.refused or not row.gone):
            seen.vanished.append(row.key)
        if read is not None:
            self._dropped.append(read.path)

    def _pages(self, after: str, page: Callable[[Reader, str], list[R]]) -> Iterator[R]:
        while True:
            with self._catalog.reading() as catalog:  # anew each time: a long one would keep the log from being cleared
                rows = page(catalog, after)
            yield from rows
            if len(rows) < _PAGE:
                return
            after = rows[-1].path

    def _keep(self, batch: list[Result]) -> None:
        touched = [result for result in batch if isinstance(result, Touched)]
        readings = [result for result in batch if isinstance(result, Reading)]
        dropped, self._dropped = self._dropped, []
        if dropped or touched or readings:
            with self._catalog.writing() as catalog:
                catalog.unstage(dropped)
                catalog.touch((one.key, one.stamp) for one in touched)
                catalog.stage(readings, first=self._first)


def _side_by_side(
    found: Iterator[Found], known: Iterator[Known], staged: Iterator[Staged]
) -> Iterator[tuple[Found | None, Known | None, Staged | None]]:
    """Join what is sorted by path: one row for each path, with None where there is nothing of it."""
    file, row, read = next(found, None), next(known, None), next(staged, None)
    while file is not None or row is not None or read is not None:
        path = min(one.path for one in (file, row, read) if one is not None)
        here = file if file is not None and file.path == path else None
        had = row if row is not None and row.path == path else None
        was = read if read is not None and read.path == path else None
        yield here, had, was
        file = next(found, None) if here is not None else file
        row = next(known, None) if had is not None else row
        read = next(staged, None) if was is not None else read
