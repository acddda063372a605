"""The static tree in a folder. Each file is the old or the new one, never a part of one."""

import contextlib
import filecmp
import os
import shutil
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from feeds.errors import FeedsError
from feeds.export.target import HEAD, MANIFEST, NOTHING, Stamp, Target

_UNFINISHED = ".feeds-unfinished"  # is there while a run is under way, and after one that was cut short
_TEMPORARY = ".feeds-*.tmp"
_READABLE = 0o644


class Tree(Target):
    """A folder that we write documents to."""

    at_once = 4  # a disk takes milliseconds to promise that it keeps a file, in which the next can be rendered

    def __init__(self, root: Path) -> None:
        self._root = root
        super().__init__(str(root))
        self._was_cut_short = (root / _UNFINISHED).exists()

    def write(self, path: str, body: bytes, digest: str, *, coding: str = "", force: bool = False) -> bool:  # noqa: ARG002  # who serves files tells it by the name
        """Write a file, unless its bytes are these already. Tells whether it did. Raises `FeedsError`."""
        file = self._file(path)
        with _translated(file):
            same = file.is_file() and file.stat().st_size == len(body) and file.read_bytes() == body
            if force or not same:
                _replace(file, body)
        self._facts[path] = (digest, *_stamp(file))
        return force or not same

    def copy(self, path: str, source: Path, digest: str, *, force: bool = False) -> bool:
        """Write a file as another one is, however large, unless it is so already. Raises `OSError` for that one."""
        file = self._file(path)
        with source.open("rb") as stream, _translated(file):
            same = file.is_file() and filecmp.cmp(source, file, shallow=False)
            if force or not same:
                _replace(file, stream)
        self._facts[path] = (digest, *_stamp(file))
        return force or not same

    def _stamp(self, path: str) -> Stamp:
        return _stamp(self._file(path))

    def _is_there(self, path: str) -> bool:
        return os.path.lexists(self._file(path))

    def _read(self, path: str) -> bytes:
        file = self._file(path)
        try:
            return file.read_bytes()
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return b""
        except OSError as error:  # with a manifest that is taken for missing, what was withdrawn would stay
            raise FeedsError(f"{file}: can't be read: {error.strerror or error}; nothing was written") from error

    def _head(self, path: str) -> bytes | None:
        try:
            with self._file(path).open("rb") as stream:
                return stream.read(HEAD)
        except OSError:
            return None

    def plan(self, published: Iterable[str], changed: Iterable[str]) -> None:
        """Say in the manifest what will be ours, and beside it that a run is under way."""
        with _translated(self._root / _UNFINISHED):
            self._root.mkdir(parents=True, exist_ok=True)
            (self._root / _UNFINISHED).touch()
        super().plan(published, changed)

    def finish(self, published: Iterable[str]) -> list[str]:
        """Remove our files that are no longer published, and what a run that was cut short has left."""
        stale = super().finish(published)
        if self._was_cut_short:
            for leftover in {part for path in self._facts for part in self._file(path).parent.glob(_TEMPORARY)}:
                leftover.unlink(missing_ok=True)
        with _translated(self._root / _UNFINISHED):
            (self._root / _UNFINISHED).unlink(missing_ok=True)
        return stale

    def _remove(self, paths: Sequence[str]) -> None:
        for path in paths:
            file = self._file(path)
            with _translated(file):
                file.unlink(missing_ok=True)
                for folder in file.parents:
                    if folder == self._root or not _remove_empty(folder):
                        break

    def _keep(self, manifest: bytes) -> None:
        file = self._root / MANIFEST
        with _translated(file):
            self._root.mkdir(parents=True, exist_ok=True)
            if not file.is_file() or file.read_bytes() != manifest:
                _replace(file, manifest)

    def _file(self, path: str) -> Path:
        if ".." in path.split("/"):
            raise FeedsError(f"{path}: leads out of {self._root}")
        return self._root / path.lstrip("/")


def _stamp(file: Path) -> Stamp:
    try:
        facts = file.stat()
    except OSError:
        return NOTHING
    return facts.st_size, facts.st_mtime_ns


def _replace(file: Path, body: bytes | BinaryIO) -> None:
    """Write beside the file and put it in its place, so that a reader sees the old bytes or the new ones."""
    try:
        handle, temporary = _temporary(file.parent)
    except FileNotFoundError:  # most files are in a folder that is there
        file.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = _temporary(file.parent)
    try:
        with os.fdopen(handle, "wb") as stream:
            if isinstance(body, bytes):
                stream.write(body)
            else:
                shutil.copyfileobj(body, stream)
            stream.flush()
            os.fchmod(stream.fileno(), _READABLE)
            os.fsync(stream.fileno())
        Path(temporary).replace(file)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(temporary).unlink()
        raise


def _temporary(folder: Path) -> tuple[int, str]:
    return tempfile.mkstemp(dir=folder, prefix=_TEMPORARY.partition("*")[0], suffix=".tmp")


def _remove_empty(folder: Path) -> bool:
    try:
        folder.rmdir()
    except OSError:
        return False
    return True


@contextlib.contextmanager
def _translated(file: Path) -> Any:
    try:
        yield
    except OSError as error:
        raise FeedsError(f"{file}: can't be written: {error.strerror or error}; what was there is untouched") from error
