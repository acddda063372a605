"""The manifest of an export, and the order of operations that a folder and an object store share.

The manifest lists the files of the export, with a digest of the content of each, so that an export renders and writes
only the files that changed, removes its own files that are no longer published, and never touches other files. An
export first writes a manifest that includes the new files, then the files; then it removes files, and writes a manifest
without them. So whenever it is interrupted, each file is the old or the new one, and the next export knows all files of
the export.
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

MANIFEST = ".feeds-manifest.json"
HEAD_BYTES = 200  # enough to recognise a file of the export: a document's first entry begins later
_MAX_NAME_BYTES = 255  # of a file


class Stamp(NamedTuple):
    """The state of a file. It changes if another program writes the file."""

    size: int  # bytes
    version: int | str  # mtime in nanoseconds, or ETag


NO_FILE = Stamp(-1, -1)


class ManifestEntry(NamedTuple):
    """A file of the export."""

    digest: str  # of the content that it was rendered from; empty: unknown, while an export is running
    stamp: Stamp
    content_hash: str = ""  # of the bytes and headers; only in object stores


class ExportTarget(ABC):
    """The folder or object store that an export writes to."""

    at_once = 1  # calls of `write` that may run concurrently

    def __init__(self, name: str) -> None:
        """Read the manifest. `name` is the target's name in messages."""
        self.name = name
        self._entries = load_manifest(self._read(MANIFEST))  # by path
        self._initial_paths = set(self._entries)

    def is_current(self, path: str, digest: str) -> bool:
        """Return whether the exported file at a path is unchanged, and was rendered from the content with a digest."""
        entry = self._entries.get(path)
        if entry is None or entry.digest != self._manifest_digest(path, digest):
            return False
        return entry.stamp == self._stamp(path) != NO_FILE

    def is_foreign(self, path: str, body: bytes) -> bool:
        """Return whether a foreign file, which isn't part of the export, is at a path.

        A file that begins like `body` counts as part of the export, in case the manifest was lost. Raise `FeedsError`
        if the file can't be read.
        """
        return path not in self._initial_paths and self._exists(path) and self._head(path) != body[:HEAD_BYTES]

    def read_exported(self, path: str) -> bytes:
        """Return the bytes of a file of the export; empty if it doesn't exist."""
        return self._read(path) if path in self._entries else b""

    def entry(self, path: str) -> ManifestEntry:
        """Return the manifest entry of a file that this process wrote. The main process passes it to `record`."""
        return self._entries[path]

    def record(self, path: str, entry: ManifestEntry) -> None:
        """Record a file that another process has written."""
        self._entries[path] = entry

    def stale_files(self, published: Iterable[str]) -> list[str]:
        """Return the paths of files of the export that are no longer published."""
        return sorted(set(self._entries) - set(published))

    def owned_below(self, paths: Sequence[str]) -> list[str]:
        """Return the files of the export at some paths, and below those that end in "/"."""
        folders = tuple(path for path in paths if path.endswith("/"))
        if not paths:
            return []
        return [path for path in self._initial_paths if path in paths or path.startswith(folders)]

    def begin_export(self, published: Iterable[str], changed: Iterable[str]) -> None:
        """Write a manifest that includes the files to come, in case the export is interrupted.

        The content of `changed` files would be unknown then, so their digests are removed.
        """
        for path in changed:
            if path in self._entries:
                self._entries[path] = self._entries[path]._replace(digest="")
        for path in published:
            if path not in self._entries and not self._exists(path):
                self._entries[path] = ManifestEntry("", NO_FILE)
        self._write_manifest(dump_manifest(self._entries))

    def finish_export(self, published: Iterable[str]) -> list[str]:
        """Remove files of the export that are no longer published, and write the manifest. Return the removed paths."""
        stale_files = self.stale_files(published)
        self._remove(stale_files)
        for path in stale_files:
            del self._entries[path]
        self._write_manifest(dump_manifest(self._entries))
        return stale_files

    @abstractmethod
    def write(self, path: str, body: bytes, digest: str, *, coding: str = "", force: bool = False) -> bool:
        """Write a file, unless its bytes are already the same. Return whether it was written.

        Readers find it after `flush` at the latest, and never before files that were written earlier.

        Args:
            path: the path in the export.
            body: the bytes.
            digest: the digest of the content that the body was rendered from.
            coding: the content coding of the body.
            force: whether to write the same bytes again.

        Raises:
            FeedsError: the file, or one that was written earlier, can't be written.
        """

    @abstractmethod
    def copy(self, path: str, source: Path, digest: str, *, force: bool = False) -> bool:
        """Write a copy of a file of any size, unless the bytes are already the same. Return whether it was written.

        Raises:
            OSError: the source can't be read.
            FeedsError: the copy can't be written.
        """

    def flush(self) -> None:  # noqa: B027  # a store has each file when `write` returns
        """Wait until all written files are where readers find them. Raise `FeedsError` if that fails for one."""

    def discard(self) -> None:  # noqa: B027
        """Remove written files that readers don't find yet. Call it instead of `flush` after an error."""

    @contextmanager
    def flushed(self) -> Iterator[None]:
        """Call `flush` after the block, or `discard` if it fails."""
        try:
            yield
        except BaseException:
            self.discard()
            raise
        self.flush()

    @abstractmethod
    def _stamp(self, path: str) -> Stamp: ...

    @abstractmethod
    def _exists(self, path: str) -> bool: ...

    @abstractmethod
    def _read(self, path: str) -> bytes:
        """Return the bytes of a file; empty if it doesn't exist."""

    @abstractmethod
    def _head(self, path: str) -> bytes | None:
        """Return the first `HEAD_BYTES` of a file; None if it can't be read."""

    @abstractmethod
    def _remove(self, paths: Sequence[str]) -> None: ...

    @abstractmethod
    def _write_manifest(self, manifest: bytes) -> None:
        """Write the manifest, unless its bytes are already the same."""

    def _manifest_digest(self, path: str, digest: str) -> str:  # noqa: ARG002  # a folder stores no headers
        """Return the digest in the manifest for a file's content; in object stores, it includes the headers."""
        return digest


def dump_manifest(entries: dict[str, ManifestEntry]) -> bytes:
    """Return a manifest as JSON: [digest, size, version], in object stores with the content hash."""
    rows = {
        path: [entry.digest, *entry.stamp, *([entry.content_hash] if entry.digest and entry.content_hash else [])]
        for path, entry in entries.items()
    }
    return json.dumps(rows, separators=(",", ":"), sort_keys=True).replace('],"', '],\n"').encode()


def load_manifest(manifest: bytes) -> dict[str, ManifestEntry]:
    """Return the entries of a manifest; none if it is invalid, or has a path that can't be in an export."""
    try:
        rows: Any = json.loads(manifest)
        "".join(rows).encode()  # fails for surrogates, which no file name contains
        entries = {path: _parse_entry(row) for path, row in rows.items()}
    except (ValueError, RecursionError, AttributeError, TypeError):
        return {}
    return entries if all(map(_is_valid_path, entries)) else {}


def _is_valid_path(path: str) -> bool:
    top, *parts = path.split("/")
    has_names = all(0 < len(part.encode()) <= _MAX_NAME_BYTES and part not in {".", ".."} for part in parts)
    return not top and bool(parts) and has_names and "\0" not in path


def _parse_entry(row: Any) -> ManifestEntry:
    if isinstance(row, str):  # earlier versions stored only the digest
        return ManifestEntry(row, NO_FILE)
    digest, size, version, *content_hash = row
    stamp = Stamp(int(size), version if isinstance(version, str) else int(version))
    return ManifestEntry(str(digest), stamp, *map(str, content_hash[:1]))
