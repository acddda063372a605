"""The static tree: documents as files in a folder. Each is the old or the new one, never a part of one.

A manifest in the folder says which files are ours and what each shows, so that only what changed is rendered and
written, what is no longer published goes, and nothing else in the folder is ever touched.
"""

import contextlib
import filecmp
import json
import os
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any, BinaryIO

from feeds.errors import FeedsError

MANIFEST = ".feeds-manifest.json"
_UNFINISHED = ".feeds-unfinished"  # is there while a run is under way, and after one that was cut short
_TEMPORARY = ".feeds-*.tmp"
HEAD = 200  # bytes that tell whose a file is: of a document, what stands before its entries
_READABLE = 0o644
Stamp = tuple[int, int]  # size in bytes, mtime in ns
NO_FILE: Stamp = (-1, -1)


class Tree:
    """A folder that we write documents to."""

    def __init__(self, root: Path) -> None:
        self.root = self._root = root
        # path of a file of ours -> digest of what it shows, and the file's size and time, in case others write it too
        self._shows, self._stamps = self._read_manifest()
        self._known = set(self._shows)
        self._was_cut_short = (root / _UNFINISHED).exists()

    def has(self, path: str, digest: str) -> bool:
        """Tell whether a file of ours is there and shows just that."""
        return self._shows.get(path) == digest and self._stamps.get(path) == _stamp(self._file(path)) != NO_FILE

    def is_foreign(self, path: str, body: bytes) -> bool:
        """Tell whether a file is there that is not ours, where we would write one.

        One that begins as ours would is ours, though the manifest may have been lost.
        """
        file = self._file(path)
        if path in self._known or not os.path.lexists(file):
            return False
        try:
            with file.open("rb") as stream:
                return stream.read(HEAD) != body[:HEAD]
        except OSError:
            return True

    def shown(self, path: str) -> bytes:
        """Give what is in a file of ours; nothing if there is none."""
        try:
            return self._file(path).read_bytes() if path in self._shows else b""
        except OSError:
            return b""

    def wrote(self, path: str, digest: str, *, new: bool) -> bool:
        """Note what a file of ours shows now, whoever wrote it. Gives back whether it had to be written."""
        self._shows[path], self._stamps[path] = digest, _stamp(self._file(path))
        return new

    def write(self, path: str, body: bytes, digest: str, *, force: bool = False) -> bool:
        """Write a file, unless its bytes are these already. Tells whether it did. Raises `FeedsError`."""
        file = self._file(path)
        with _translated(file):
            same = file.is_file() and file.stat().st_size == len(body) and file.read_bytes() == body
            if force or not same:
                file.parent.mkdir(parents=True, exist_ok=True)
                _replace(file, body)
        self.wrote(path, digest, new=not same)
        return force or not same

    def copy(self, path: str, source: Path, digest: str, *, force: bool = False) -> bool:
        """Write a file as another one is, however large, unless it is so already. Raises `OSError` for that one."""
        file = self._file(path)
        with source.open("rb") as stream, _translated(file):
            same = file.is_file() and filecmp.cmp(source, file, shallow=False)
            if force or not same:
                file.parent.mkdir(parents=True, exist_ok=True)
                _replace(file, stream)
        self.wrote(path, digest, new=not same)
        return force or not same

    def plan(self, published: Iterable[str], changed: Iterable[str]) -> None:
        """Say in the manifest which files will be ours before any of them is there, in case the run is cut short.

        Of those that are to be written anew nobody could tell then what they show; so what they did is forgotten.
        """
        new = (path for path in published if not os.path.lexists(self._file(path)))
        self._shows |= dict.fromkeys((path for path in changed if path in self._shows), "")
        self._shows = dict.fromkeys(new, "") | self._shows
        with _translated(self._root / _UNFINISHED):
            self._root.mkdir(parents=True, exist_ok=True)
            (self._root / _UNFINISHED).touch()
        self._keep_manifest()

    def finish(self, published: Iterable[str]) -> list[str]:
        """Remove our files that are no longer published, and keep the manifest. Gives the paths removed."""
        stale = sorted(set(self._shows) - set(published))
        for path in stale:
            file = self._file(path)
            with _translated(file):
                file.unlink(missing_ok=True)
                for folder in file.parents:
                    if folder == self._root or not _remove_empty(folder):
                        break
            del self._shows[path]
            self._stamps.pop(path, None)
        self._keep_manifest()
        if self._was_cut_short:
            for leftover in {part for path in self._shows for part in self._file(path).parent.glob(_TEMPORARY)}:
                leftover.unlink(missing_ok=True)
        with _translated(self._root / _UNFINISHED):
            (self._root / _UNFINISHED).unlink(missing_ok=True)
        return stale

    def _keep_manifest(self) -> None:
        manifest = self._root / MANIFEST
        with _translated(manifest):
            self._root.mkdir(parents=True, exist_ok=True)
            facts = {path: [digest, *self._stamps.get(path, NO_FILE)] for path, digest in self._shows.items()}
            body = json.dumps(facts, separators=(",", ":"), sort_keys=True).replace('],"', '],\n"').encode()
            if not manifest.is_file() or manifest.read_bytes() != body:
                _replace(manifest, body)

    def _file(self, path: str) -> Path:
        if ".." in path.split("/"):
            raise FeedsError(f"{path}: leads out of {self._root}")
        return self._root / path.lstrip("/")

    def _read_manifest(self) -> tuple[dict[str, str], dict[str, Stamp]]:
        shows, stamps = dict[str, str](), dict[str, Stamp]()
        try:
            facts: Any = json.loads((self._root / MANIFEST).read_bytes())
            for path, fact in facts.items():
                # earlier versions kept the digest alone
                digest, size, time = (fact, *NO_FILE) if isinstance(fact, str) else fact
                shows[path], stamps[path] = str(digest), (int(size), int(time))
        except (OSError, ValueError, RecursionError, AttributeError, TypeError):
            return {}, {}
        inside = all(path.startswith("/") and ".." not in path.split("/") and "\0" not in path for path in shows)
        return (shows, stamps) if inside else ({}, {})


def _stamp(file: Path) -> Stamp:
    try:
        facts = file.stat()
    except OSError:
        return NO_FILE
    return facts.st_size, facts.st_mtime_ns


def _replace(file: Path, body: bytes | BinaryIO) -> None:
    """Write beside the file and put it in its place, so that a reader sees the old bytes or the new ones."""
    handle, temporary = tempfile.mkstemp(dir=file.parent, prefix=_TEMPORARY.partition("*")[0], suffix=".tmp")
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
