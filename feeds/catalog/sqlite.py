"""The SQLite database: a file for the catalog and one for poll statistics, in WAL mode: writers do not block readers.

Someone may delete or replace a file at any time. Each transaction uses the file that is at the path when it begins.

Statistics are in `FILE.stats`, since SQLite can erase deleted rows only by rewriting a file. `secure_delete` does not
erase them: when a B-tree moves rows to another page, copies stay in the unused part of the old one.
"""

import contextlib
import fcntl
import glob
import json
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Hashable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import sqlalchemy as sa

from feeds.catalog import recovery
from feeds.catalog.backend import (
    LOCK_POLL_INTERVAL_S,
    RUN,
    SHORT_TIMEOUT_S,
    WRITE_TIMEOUT_S,
    LeaderLock,
    Migrations,
    Rows,
    SavedRow,
    Statement,
    execute_many,
    locked_error,
    unusable_error,
)
from feeds.catalog.change_counter import ChangeCounter, FileIdentity, file_identity
from feeds.catalog.failures import RECORD_BYTES
from feeds.catalog.leader_lock import FileLeaderLock, NullLeaderLock, open_private, try_lock
from feeds.catalog.schema import SQLITE_MIGRATIONS, STATS_METADATA, daily_counts, imports
from feeds.catalog.sqlite_engine import PRAGMAS, create_engine
from feeds.core.errors import CatalogDamaged, CatalogError

if TYPE_CHECKING:
    from sqlalchemy.dialects import sqlite

_PRIVATE_MODE = 0o600
_OTHERS_MODE = 0o007  # the permissions of everyone but owner and group
_DAMAGE_CODES = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_PAGE_BYTES = 16 << 10  # an entry's row takes 200 bytes, so a large page saves I/O with a million entries
_CHECKPOINT_PAGES = 4096  # a commit copies a larger write-ahead log to the file: rarely, and each changed page once
_MAX_CHECKPOINTS = 5  # tries to copy the whole log while more is committed
_READ_CACHE_KIB, _WRITE_CACHE_KIB = 16 << 10, 64 << 10
_STATS = "stats"  # the suffix of the file of the statistics, and the lock to create or replace it
_STATS_CHECKPOINT_PAGES = 1000
_STATS_IN_CATALOG = range(7, 9)  # schemas that have the statistics in the catalog itself

# "OR FAIL" avoids a statement journal with each changed page; after an error the transaction is rolled back anyway
_ADD_ENTRIES = """
INSERT OR FAIL INTO entries (feed, published, id, article, name)
SELECT feed.key, published, articles.id, articles.key, feed.value
FROM json_each(?) AS chosen
CROSS JOIN articles ON articles.key = chosen.value
CROSS JOIN json_each(feeds) AS feed
WHERE true
ORDER BY 1, 2, 3
ON CONFLICT (feed, published, id) DO NOTHING
"""


class Sqlite:
    """A catalog in a file, or in memory (`None`) for a run that stores nothing."""

    migrations: Migrations = SQLITE_MIGRATIONS

    def __init__(self, file: Path | None, read_cache_kib: int | None = None) -> None:
        self.name = str(file)
        self._file = file
        self._catalog = _File(file, read_cache_kib or _READ_CACHE_KIB)
        self._stats = _File(file and Path(f"{file}.{_STATS}"))
        self._changes = ChangeCounter(file)
        self._failures_file = Path(f"{file}.failures")
        self._failures = b""  # the record of failures, for a catalog in memory
        self.engine = self._catalog.engine
        self._checkpointing: threading.Thread | None = None  # copies a large write-ahead log to the database
        self._held = threading.local()  # the locks that a thread holds, by their names

    @property
    def is_created(self) -> bool:
        """Whether there is a file at the path."""
        return self._file is None or self._file.exists()

    def create_storage(self) -> None:
        """Create the file, and set the properties that SQLite stores in it: the page size and WAL mode."""
        if self._file:
            with _translated(self.name):
                if not self._file.exists():
                    _remove_logs(self.name)
                self._file.touch(_PRIVATE_MODE)  # SQLite creates its other files with the same mode
                self._catalog.follow()
                with contextlib.closing(self.engine.raw_connection()) as raw:
                    raw.cursor().execute(f"PRAGMA page_size={_PAGE_BYTES}")
                    raw.cursor().execute("PRAGMA journal_mode=WAL")

    def restrict_access(self) -> None:
        """Remove the permissions that an earlier version left to others. A group keeps its permissions."""
        for file in self._file.parent.glob(f"{glob.escape(self._file.name)}*") if self._file else ():
            with contextlib.suppress(OSError):  # another user's file, or one that was just deleted
                mode = file.stat().st_mode
                if mode & _OTHERS_MODE:
                    file.chmod(mode & 0o770)

    def foreign_error(self) -> CatalogError:
        """Return `CatalogDamaged`, so that the file is kept aside."""
        return CatalogDamaged(f"{self.name}: not a catalog, but a database of another program (check `state`)")

    @contextlib.contextmanager
    def read_transaction(self) -> Iterator[sa.Connection]:
        """Open a transaction that sees one state."""
        with self._catalog.read_transaction() as connection:
            yield connection

    @contextlib.contextmanager
    def write_transaction(self, *, bulk: bool = False) -> Iterator[sa.Connection]:
        """Open a transaction that holds the write lock from the start: after it has read, it might not get the lock."""
        bulk = bulk and self._file is not None
        log_pages = 0 if bulk else _CHECKPOINT_PAGES
        with self._catalog.write_transaction(cache_kib=_WRITE_CACHE_KIB, log_pages=log_pages) as connection:
            yield connection
        if bulk:
            self._checkpointing = threading.Thread(target=self._checkpoint, name="checkpoint")
            self._checkpointing.start()

    @contextlib.contextmanager
    def read_stats(self) -> Iterator[sa.Connection]:
        """Open a transaction on the file of the statistics, or on empty tables if there is none."""
        with self._stats_to_read().read_transaction() as connection:
            yield connection

    @contextlib.contextmanager
    def write_stats(self, *, short_timeout: bool = False) -> Iterator[sa.Connection]:
        """Open a transaction on the file of the statistics; create it if there is none and there is a catalog."""
        self._catalog.follow()
        self._create_stats_file()
        timeout = SHORT_TIMEOUT_S if short_timeout else WRITE_TIMEOUT_S
        with self._stats.write_transaction(
            cache_kib=_READ_CACHE_KIB, log_pages=_STATS_CHECKPOINT_PAGES, timeout=timeout
        ) as connection:
            yield connection

    def erase_stats(self) -> bool:
        """Rewrite the file with the rows that are left, and truncate its write-ahead log.

        VACUUM builds the new content in memory (`temp_store`), so that no temporary file has any of it.
        """
        if self._file is None or not self._stats.exists():
            return True
        try:
            with _translated(self._stats.name):
                self._stats.follow()
                with contextlib.closing(self._stats.engine.raw_connection()) as raw:
                    cursor = cast("Any", raw.cursor())
                    cursor.execute(f"PRAGMA busy_timeout={SHORT_TIMEOUT_S * 1000:.0f}")
                    raw.info.pop(PRAGMAS, None)
                    cursor.execute("VACUUM")
                    return not cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        except CatalogError as error:
            if getattr(error.__cause__, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY:
                return False
            raise

    def prepare_migration(self, schema: int) -> None:
        """Copy statistics that an earlier version kept in the catalog to their own file."""
        if self._file is None or schema not in _STATS_IN_CATALOG:
            return
        self._create_stats_file()
        with (
            _translated(self._stats.name),
            contextlib.closing(sqlite3.connect(self._stats.name, isolation_level=None)) as raw,
        ):
            raw.execute("ATTACH ? AS old", (self.name,))
            raw.execute("BEGIN IMMEDIATE")
            tables = {name for (name,) in raw.execute("SELECT name FROM old.sqlite_master WHERE type = 'table'")}
            for table in tables & set(STATS_METADATA.tables):
                columns = ", ".join(f'"{column.name}"' for column in STATS_METADATA.tables[table].c)
                raw.execute(f"INSERT OR IGNORE INTO main.{table} ({columns}) SELECT {columns} FROM old.{table}")  # noqa: S608
            raw.execute("COMMIT")

    def finish_migration(self, schema: int | None) -> None:
        """Truncate the write-ahead log, which still has the pages of dropped tables."""
        if self._file and schema is not None:
            self.engine.dispose()  # a migration may have changed pragmas of its connection
        if self._file and schema in _STATS_IN_CATALOG:
            with _translated(self.name), contextlib.closing(self.engine.raw_connection()) as raw:
                raw.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def create_stats(self, _connection: sa.Connection) -> None:
        """Create nothing: the first writer of statistics creates their file."""

    def repair_stats(self) -> Iterator[SavedRow]:
        """Yield the totals and the log positions; the hashes of open days are deleted with the damaged file."""
        with self.lock(_STATS, WRITE_TIMEOUT_S, lambda: False):
            if not self._stats.is_current:
                return  # another process has replaced it
            self._stats.engine.dispose()
            try:
                aside = recovery.move_aside(Path(self._stats.name))
                for table in (daily_counts, imports):
                    for row in recovery.rows(aside, table.name, "rowid"):
                        yield SavedRow(table, row)
                for file in aside.parent.glob(f"{aside.name}*"):
                    file.unlink()
            except OSError as error:
                raise unusable_error(self._stats.name, error.strerror) from error

    def _checkpoint(self) -> None:
        """Copy the write-ahead log to the database, which may take seconds; if this fails, the next commit does it."""
        with (
            contextlib.suppress(sa.exc.DBAPIError, sqlite3.Error),
            contextlib.closing(self.engine.raw_connection()) as raw,
        ):
            cursor = cast("Any", raw.cursor())
            copied = -1
            for _ in range(_MAX_CHECKPOINTS):  # repeated until nothing was committed meanwhile
                _, log_pages, _ = cursor.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
                if log_pages == copied:
                    break
                copied = log_pages

    @contextlib.contextmanager
    def lock(self, name: str, timeout: float, cancelled: Callable[[], bool]) -> Iterator[None]:
        """Hold a lock on a file beside the catalog."""
        if self._file is None or getattr(self._held, name, False):
            yield
            return
        suffix = ".lock" if name == RUN else f".{name}.lock"
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            handle = open(f"{self._file}{suffix}", "w", encoding="ascii", opener=open_private)  # noqa: SIM115  # closed below
        except OSError as error:
            raise unusable_error(self.name, error.strerror) from error
        with handle:
            deadline = time.monotonic() + timeout
            while not try_lock(handle.fileno()):
                if time.monotonic() >= deadline or cancelled():
                    raise locked_error()
                time.sleep(LOCK_POLL_INTERVAL_S)
            setattr(self._held, name, True)
            try:
                yield
            finally:
                setattr(self._held, name, False)

    def is_held(self, name: str) -> bool:
        """Return whether this thread has acquired a lock: a lock on a file is never lost."""
        return self._file is None or getattr(self._held, name, False)

    def leader_lock(self) -> LeaderLock:
        """Return the lock on another file beside the catalog."""
        return FileLeaderLock(self._file) if self._file else NullLeaderLock()

    def listen_for_revisions(self) -> None:
        """Return None: SQLite has no notifications, and checking for a revision is cheap."""

    def change_counter(self) -> Hashable | None:
        """Return SQLite's own counter of commits to the file, and the identity of the file."""
        return self._changes.read()

    @staticmethod
    def insert(table: sa.Table) -> "sqlite.Insert":
        """Return SQLite's INSERT."""
        from sqlalchemy.dialects import sqlite

        return sqlite.insert(table)

    @staticmethod
    def add(connection: sa.Connection, table: sa.Table, names: Sequence[str], rows: Rows) -> None:
        """Insert rows."""
        execute_many(connection, table.insert(), names, rows)

    @staticmethod
    def many(connection: sa.Connection, statement: Statement, names: Sequence[str], rows: Rows) -> None:
        """Execute a statement once per row."""
        execute_many(connection, statement, names, rows)

    @staticmethod
    def add_entries(connection: sa.Connection, keys: Sequence[int]) -> None:
        """Insert the entries of articles."""
        connection.exec_driver_sql(_ADD_ENTRIES, (json.dumps(keys),))

    def announce(self, _connection: sa.Connection) -> None:
        """Do nothing: readers check for a revision themselves."""

    def failures(self) -> bytes:
        """Read the file beside the catalog; a file that is missing or can't be read has no failures."""
        if self._file is None:
            return self._failures
        try:
            return self._failures_file.read_bytes()
        except OSError:
            return b""

    def change_failures(self, change: Callable[[bytes], bytes]) -> None:
        """Overwrite the file in place, which needs no space on the disk."""
        if self._file is None:
            self._failures = change(self._failures)
            return
        try:
            handle = os.open(self._failures_file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX)
                before = os.pread(handle, RECORD_BYTES, 0)
                after = change(before)
                if after != before:
                    os.pwrite(handle, after, 0)
            finally:
                os.close(handle)
        except OSError as error:
            raise unusable_error(self.name, error.strerror) from error

    def reserve_failures(self) -> None:
        """Write the file at its full size, so that it can be overwritten when the disk is full."""
        with contextlib.suppress(CatalogError):  # the next write to the catalog reports that
            self.change_failures(lambda record: record.ljust(RECORD_BYTES))

    def move_aside(self) -> Path:
        """Rename the file."""
        assert self._file, "a catalog in memory is never damaged"
        self.engine.dispose()
        try:
            return recovery.move_aside(self._file)
        except OSError as error:
            raise unusable_error(self.name, error.strerror) from error

    def copy_to(self, memory: sa.Engine) -> None:
        """Copy page by page."""
        source, target = self.engine.raw_connection(), memory.raw_connection()
        with _translated(self.name), contextlib.closing(source), contextlib.closing(target):
            from_, to = source.driver_connection, target.driver_connection
            cast("sqlite3.Connection", from_).backup(cast("sqlite3.Connection", to))

    def prepare_for_fork(self) -> None:
        """Wait for the thread that copies the write-ahead log, and close connections that no transaction uses.

        A connection that a forked process inherits is closed when it is collected there, which may damage the database.
        """
        if self._checkpointing:
            self._checkpointing.join()
        if self._file:
            for file in (self._catalog, self._stats):
                file.engine.dispose()

    def close(self) -> None:
        """Close all connections, after the thread that copies the write-ahead log has ended."""
        if self._checkpointing:
            self._checkpointing.join()
        for file in (self._catalog, self._stats):
            file.engine.dispose()
        self._changes.close()

    def forget(self) -> None:
        """After a fork, drop inherited connections without closing them."""
        for file in (self._catalog, self._stats):
            file.engine.dispose(close=False)
        self._changes.forget()

    def _stats_to_read(self) -> "_File":
        if self._stats.exists():
            return self._stats
        empty = _File(None)  # a new one each time: a database in memory has one connection, for one thread
        STATS_METADATA.create_all(empty.engine)
        return empty

    def _create_stats_file(self) -> None:
        """Create the file of the statistics, unless it exists; no other process ever sees a file without tables."""
        if self._stats.exists():
            return
        if self._file is None:
            STATS_METADATA.create_all(self._stats.engine)
            self._stats.created = True
            return
        with self.lock(_STATS, WRITE_TIMEOUT_S, lambda: False):
            if self._stats.exists():
                return
            new = Path(f"{self._stats.name}.new")
            try:
                for file in new.parent.glob(f"{new.name}*"):  # left by a process that was killed
                    file.unlink()
                new.touch(_PRIVATE_MODE)
                with _translated(self._stats.name):
                    created = _File(new)
                    with contextlib.closing(created.engine.raw_connection()) as raw:
                        raw.cursor().execute("PRAGMA journal_mode=WAL")
                    STATS_METADATA.create_all(created.engine)
                    created.engine.dispose()
                _remove_logs(self._stats.name)
                new.rename(self._stats.name)
            except OSError as error:
                raise unusable_error(self._stats.name, error.strerror) from error


class _File:
    """A SQLite file, or a database in memory (`None`). If the file is replaced, the next transaction notices that."""

    def __init__(self, path: Path | None, read_cache_kib: int = _READ_CACHE_KIB) -> None:
        self.name = str(path)
        self.engine = create_engine(path, read_cache_kib)
        self._path = path
        self._inode: FileIdentity | None = None
        self.created = False  # whether a database in memory has its tables

    def exists(self) -> bool:
        """Return whether there is a file with content at the path; in memory, whether it was created."""
        if self._path is None:
            return self.created
        try:
            return self._path.stat().st_size > 0
        except OSError:
            return False

    @property
    def is_current(self) -> bool:
        """Whether the file at the path is the one that was used last."""
        try:
            return self._path is not None and self._inode == file_identity(self._path)
        except OSError:
            return False

    @contextlib.contextmanager
    def read_transaction(self) -> Iterator[sa.Connection]:
        """Open a transaction that sees one state. Raise `CatalogError`."""
        with _translated(self.name):
            self.follow()
            with self.engine.connect() as connection:
                yield connection

    @contextlib.contextmanager
    def write_transaction(
        self, *, cache_kib: int, log_pages: int, timeout: float = WRITE_TIMEOUT_S
    ) -> Iterator[sa.Connection]:
        """Open a transaction that holds the write lock from its beginning. Raise `CatalogError`.

        Args:
            cache_kib: the size of the page cache.
            log_pages: the size of the write-ahead log after which the commit copies it to the file; 0: never.
            timeout: seconds to wait for another writer.
        """
        with _translated(self.name):
            self.follow()
            engine = self.engine.execution_options(cache_kib=cache_kib, log_pages=log_pages, timeout=timeout)
            with engine.begin() as connection:
                yield connection

    def follow(self) -> None:
        """Close the connections to a file that is no longer at the path. Raise `CatalogError` if there is none."""
        if self._path is None:
            return
        try:
            inode = file_identity(self._path)
        except OSError as error:
            raise unusable_error(self.name, error.strerror) from error
        if self._inode != inode:
            self.engine.dispose()
            self._inode = inode


def _remove_logs(name: str) -> None:
    """Remove the write-ahead log of a database that was deleted: SQLite would apply it to a new one of this name."""
    for suffix in ("-wal", "-shm"):
        Path(f"{name}{suffix}").unlink(missing_ok=True)


@contextlib.contextmanager
def _translated(name: str) -> Iterator[None]:
    """Raise `CatalogError` with one sentence for an error of the database."""
    try:
        yield
    except (sa.exc.DBAPIError, sqlite3.Error) as error:
        cause = error.orig if isinstance(error, sa.exc.DBAPIError) else error  # raw statements raise the driver's error
        if getattr(cause, "sqlite_errorcode", 0) & 0xFF in _DAMAGE_CODES:
            raise CatalogDamaged(f"{name}: the catalog is damaged: {cause}") from error
        raise unusable_error(name, cause) from error
