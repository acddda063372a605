"""SQLite: a file for the catalog and one for poll statistics, in WAL mode: readers go on while the writer writes.

A file may be taken away, or another put in its place, at any time: what is at its path now is what counts.

Statistics are in `FILE.stats`, since SQLite can erase deleted rows only by rewriting a file. `secure_delete` does not
do that: when a B-tree moves rows to another page, copies stay in the unused part of the old one.
"""

import contextlib
import fcntl
import glob
import json
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import sqlalchemy as sa

from feeds.catalog import mend
from feeds.catalog.engine import (
    LOOK_EVERY,
    PATIENCE,
    RUN,
    SHORT_TIMEOUT_S,
    Leadership,
    Migrations,
    Rows,
    Statement,
    carry_out,
    taken,
    unusable,
)
from feeds.catalog.failures import RECORD_BYTES
from feeds.catalog.leadership import Alone, FileLeadership, private, try_lock
from feeds.catalog.rows import packed_as_text
from feeds.catalog.schema import SQLITE_MIGRATIONS, STATS_METADATA, audience, imports
from feeds.errors import CatalogDamaged, CatalogError

if TYPE_CHECKING:
    from sqlalchemy.dialects import sqlite

_OWNERS_ALONE = 0o600  # mode of a file
_OTHERS = 0o007  # what everybody else on the machine may do
_DAMAGE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_PAGE = 16 << 10  # bytes: an entry's row takes 200, and a whole archive has a million of them in ten thousand pages
_LARGE_LOG = 4096  # pages, after which a commit clears it: each is copied to its place once, not often
_TRIES = 5  # to clear it while more is committed
_READERS_ROOM, _WRITERS_ROOM = 16 << 10, 64 << 10  # KiB of the database that are held
_STATS = "stats"  # suffix of the file of the statistics, and the lock of who creates or replaces it
_STATS_LOG_PAGES = 1000  # of the write-ahead log of the statistics, after which a commit copies them to their place
_STATS_IN_CATALOG = range(7, 9)  # schemas that have the statistics in the catalog itself

# "OR FAIL": by default each page would be kept as it was before the statement, and whoever fails rolls all back anyway
_PUT_IN = """
INSERT OR FAIL INTO entries (feed, published, id, article, name)
SELECT place.key, published, articles.id, articles.key, place.value
FROM json_each(?) AS chosen
CROSS JOIN articles ON articles.key = chosen.value
CROSS JOIN json_each(feeds) AS place
WHERE true
ORDER BY 1, 2, 3
ON CONFLICT (feed, published, id) DO NOTHING
"""


class Sqlite:
    """A catalog in a file, or in memory (`None`) for a run that leaves nothing behind."""

    migrations: Migrations = SQLITE_MIGRATIONS

    def __init__(self, file: Path | None) -> None:
        self.name = str(file)
        self._file = file
        self._catalog = _File(file)
        self._stats = _File(file and Path(f"{file}.{_STATS}"))
        self._failures_file = Path(f"{file}.failures")
        self._failures = b""  # of a catalog in memory
        self.engine = self._catalog.engine
        self._clearing: threading.Thread | None = None  # copies a large log to its place
        self._held = threading.local()  # the locks that a thread holds, by their names

    @property
    def is_there(self) -> bool:
        """Tell whether there is a file at our path."""
        return self._file is None or self._file.exists()

    def make(self) -> None:
        """Make the file; how large its pages are, and that it is in WAL mode, stays in it."""
        if self._file:
            with _translated(self.name):
                if not self._file.exists():
                    _remove_logs(self.name)
                self._file.touch(_OWNERS_ALONE)  # and what SQLite adds beside it
                self._catalog.follow()
                with contextlib.closing(self.engine.raw_connection()) as raw:
                    raw.cursor().execute(f"PRAGMA page_size={_PAGE}")
                    raw.cursor().execute("PRAGMA journal_mode=WAL")

    def hide(self) -> None:
        """Take the rights that an earlier version left to everybody on the machine. A group keeps its rights."""
        for file in self._file.parent.glob(f"{glob.escape(self._file.name)}*") if self._file else ():
            with contextlib.suppress(OSError):  # another's file, or one that is gone by now
                mode = file.stat().st_mode
                if mode & _OTHERS:
                    file.chmod(mode & 0o770)

    def foreign(self) -> CatalogError:
        """Say that it may be kept aside."""
        return CatalogDamaged(f"{self.name}: a database, but not a catalog of ours (`state` names it)")

    @contextlib.contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """Read one consistent state."""
        with self._catalog.reading() as connection:
            yield connection

    @contextlib.contextmanager
    def writing(self, *, much: bool = False) -> Iterator[sa.Connection]:
        """Open a transaction that holds the write lock from its beginning: a reader can't take it later."""
        much = much and self._file is not None
        with self._catalog.writing(room=_WRITERS_ROOM, log=0 if much else _LARGE_LOG) as connection:
            yield connection
        if much:
            self._clearing = threading.Thread(target=self._clear_log, name="log")
            self._clearing.start()

    @contextlib.contextmanager
    def reading_stats(self) -> Iterator[sa.Connection]:
        """Read the file of the statistics, or nothing where there is none."""
        with self._stats_to_read().reading() as connection:
            yield connection

    @contextlib.contextmanager
    def writing_stats(self, *, short_timeout: bool = False) -> Iterator[sa.Connection]:
        """Write to the file of the statistics; create it if there is none, but never without a catalog beside it."""
        self._catalog.follow()
        self._create_stats_file()
        timeout = SHORT_TIMEOUT_S if short_timeout else PATIENCE
        with self._stats.writing(room=_READERS_ROOM, log=_STATS_LOG_PAGES, timeout=timeout) as connection:
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
            there = {name for (name,) in raw.execute("SELECT name FROM old.sqlite_master WHERE type = 'table'")}
            for table in there & set(STATS_METADATA.tables):
                columns = ", ".join(f'"{column.name}"' for column in STATS_METADATA.tables[table].c)
                raw.execute(f"INSERT OR IGNORE INTO main.{table} ({columns}) SELECT {columns} FROM old.{table}")  # noqa: S608
            raw.execute("COMMIT")

    def finish_migration(self, schema: int | None) -> None:
        """Truncate the write-ahead log, which still has the pages of dropped tables."""
        if self._file and schema in _STATS_IN_CATALOG:
            with _translated(self.name), contextlib.closing(self.engine.raw_connection()) as raw:
                raw.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def create_stats(self, _connection: sa.Connection) -> None:
        """Create nothing: the first writer of statistics creates their file."""

    def repair_stats(self) -> Iterator[tuple[sa.Table, dict[str, Any]]]:
        """Yield the totals and what is known of logs; the hashes of open days are deleted with the damaged file."""
        with self.lock(_STATS, PATIENCE, lambda: False):
            if not self._stats.is_current:
                return  # another process has replaced it
            self._stats.engine.dispose()
            try:
                aside = mend.keep_aside(Path(self._stats.name))
                for table in (audience, imports):
                    for row in mend.rows(aside, table.name, "rowid"):
                        yield table, row
                for file in aside.parent.glob(f"{aside.name}*"):
                    file.unlink()
            except OSError as error:
                raise unusable(self._stats.name, error.strerror) from error

    def _clear_log(self) -> None:
        """Copy what the log has to its place, for which a disk takes seconds; if it can't, the next commit does."""
        with (
            contextlib.suppress(sa.exc.DBAPIError, sqlite3.Error),
            contextlib.closing(self.engine.raw_connection()) as raw,
        ):
            cursor = cast("Any", raw.cursor())
            known = -1
            for _ in range(_TRIES):  # the disk is asked to keep it when nothing was committed meanwhile
                _, in_log, _ = cursor.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
                if in_log == known:
                    break
                known = in_log

    @contextlib.contextmanager
    def lock(self, name: str, wait: float, given_up: Callable[[], bool]) -> Iterator[None]:
        """Hold a lock on a file beside ours."""
        if self._file is None or getattr(self._held, name, False):
            yield
            return
        suffix = ".lock" if name == RUN else f".{name}.lock"
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            handle = open(f"{self._file}{suffix}", "w", encoding="ascii", opener=private)  # noqa: SIM115  # closed below
        except OSError as error:
            raise unusable(self.name, error.strerror) from error
        with handle:
            until = time.monotonic() + wait
            while not try_lock(handle.fileno()):
                if time.monotonic() >= until or given_up():
                    raise taken()
                time.sleep(LOOK_EVERY)
            setattr(self._held, name, True)
            try:
                yield
            finally:
                setattr(self._held, name, False)

    def holds(self, name: str) -> bool:
        """Tell whether this thread has taken a lock: a file's is not lost."""
        return self._file is None or getattr(self._held, name, False)

    def leadership(self) -> Leadership:
        """Give the lock of another file beside ours."""
        return FileLeadership(self._file) if self._file else Alone()

    def listening(self) -> None:
        """Leave it to who reads to look again."""

    @staticmethod
    def insert(table: sa.Table) -> "sqlite.Insert":
        """Begin an INSERT … ON CONFLICT."""
        from sqlalchemy.dialects import sqlite

        return sqlite.insert(table)

    @staticmethod
    def add(connection: sa.Connection, table: sa.Table, names: Sequence[str], rows: Rows) -> None:
        """Insert rows."""
        carry_out(connection, table.insert(), names, rows)

    @staticmethod
    def many(connection: sa.Connection, statement: Statement, names: Sequence[str], rows: Rows) -> None:
        """Carry out a statement for each row."""
        carry_out(connection, statement, names, rows)

    @staticmethod
    def put_in(connection: sa.Connection, keys: Sequence[int]) -> None:
        """Make entries of articles."""
        connection.exec_driver_sql(_PUT_IN, (json.dumps(keys),))

    def announce(self, _connection: sa.Connection) -> None:
        """Leave it to who reads to look again: that costs nothing here."""

    def failures(self) -> bytes:
        """Read the file beside ours; one that is missing or can't be read holds no failures."""
        if self._file is None:
            return self._failures
        try:
            return self._failures_file.read_bytes()
        except OSError:
            return b""

    def change_failures(self, change: Callable[[bytes], bytes]) -> None:
        """Overwrite the file in place, which needs no room on the disk."""
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
            raise unusable(self.name, error.strerror) from error

    def reserve_failures(self) -> None:
        """Write the file at its full size, so that it can be overwritten when the disk is full."""
        with contextlib.suppress(CatalogError):  # the next write to the catalog reports that
            self.change_failures(lambda record: record.ljust(RECORD_BYTES))

    def keep_aside(self) -> Path:
        """Rename the file."""
        assert self._file, "what is in memory is never damaged"
        self.engine.dispose()
        try:
            return mend.keep_aside(self._file)
        except OSError as error:
            raise unusable(self.name, error.strerror) from error

    def copy_to(self, memory: sa.Engine) -> None:
        """Copy page by page."""
        source, target = self.engine.raw_connection(), memory.raw_connection()
        with _translated(self.name), contextlib.closing(source), contextlib.closing(target):
            ours, theirs = source.driver_connection, target.driver_connection
            cast("sqlite3.Connection", ours).backup(cast("sqlite3.Connection", theirs))

    def close(self) -> None:
        """Close all connections, after the thread that copies the write-ahead log has ended."""
        if self._clearing:
            self._clearing.join()
        for file in (self._catalog, self._stats):
            file.engine.dispose()

    def forget(self) -> None:
        """Leave all connections to the process that we come from."""
        for file in (self._catalog, self._stats):
            file.engine.dispose(close=False)

    def _stats_to_read(self) -> "_File":
        if self._stats.exists():
            return self._stats
        empty = _File(None)  # a new one each time: a database in memory has one connection, for one thread
        STATS_METADATA.create_all(empty.engine)
        return empty

    def _create_stats_file(self) -> None:
        """Create the file of the statistics with its tables, unless it exists; no process sees it without them."""
        if self._stats.exists():
            return
        if self._file is None:
            STATS_METADATA.create_all(self._stats.engine)
            self._stats.created = True
            return
        with self.lock(_STATS, PATIENCE, lambda: False):
            if self._stats.exists():
                return
            new = Path(f"{self._stats.name}.new")
            try:
                for file in new.parent.glob(f"{new.name}*"):  # of a process that was killed
                    file.unlink()
                new.touch(_OWNERS_ALONE)
                with _translated(self._stats.name):
                    created = _File(new)
                    with contextlib.closing(created.engine.raw_connection()) as raw:
                        raw.cursor().execute("PRAGMA journal_mode=WAL")
                    STATS_METADATA.create_all(created.engine)
                    created.engine.dispose()
                _remove_logs(self._stats.name)
                new.rename(self._stats.name)
            except OSError as error:
                raise unusable(self._stats.name, error.strerror) from error


class _File:
    """A SQLite file, or a database in memory (`None`). Follows its path to another file that is put there."""

    def __init__(self, path: Path | None) -> None:
        self.name = str(path)
        self.engine = _engine(path)
        self._path = path
        self._inode: tuple[int, int] | None = None
        self.created = False  # of a database in memory: whether it has its tables

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
            return self._path is not None and self._inode == self._identity(self._path)
        except OSError:
            return False

    @contextlib.contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """Open a transaction that sees one state. Raises `CatalogError`."""
        with _translated(self.name):
            self.follow()
            with self.engine.connect() as connection:
                yield connection

    @contextlib.contextmanager
    def writing(self, *, room: int, log: int, timeout: float = PATIENCE) -> Iterator[sa.Connection]:
        """Open a transaction that holds the write lock from its beginning. Raises `CatalogError`.

        Args:
            room: KiB of the page cache.
            log: pages of the write-ahead log after which the commit copies them to the file; 0: never.
            timeout: seconds to wait for another writer.
        """
        with _translated(self.name):
            self.follow()
            engine = self.engine.execution_options(writes=room, log=log, timeout=timeout)
            with engine.begin() as connection:
                yield connection

    def follow(self) -> None:
        """Close the connections to a file that is no longer at the path. Raises `CatalogError` if there is none."""
        if self._path is None:
            return
        try:
            inode = self._identity(self._path)
        except OSError as error:
            raise unusable(self.name, error.strerror) from error
        if self._inode != inode:
            self.engine.dispose()
            self._inode = inode

    @staticmethod
    def _identity(path: Path) -> tuple[int, int]:
        facts = path.stat()
        return facts.st_dev, facts.st_ino


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
        said = error.orig if isinstance(error, sa.exc.DBAPIError) else error  # of a statement that is the driver's
        if getattr(said, "sqlite_errorcode", 0) & 0xFF in _DAMAGE:
            raise CatalogDamaged(f"{name}: the catalog is damaged: {said}") from error
        raise unusable(name, said) from error


def _engine(file: Path | None) -> sa.Engine:
    if file is None:
        engine = sa.create_engine("sqlite://", poolclass=sa.StaticPool, connect_args={"check_same_thread": False})
    else:
        engine = sa.create_engine(sa.URL.create("sqlite", database=str(file)), connect_args={"timeout": PATIENCE})

    def begin(connection: sa.Connection) -> None:
        options = connection.get_execution_options()
        writes = options.get("writes")
        connection.exec_driver_sql(f"PRAGMA cache_size=-{writes or _READERS_ROOM}")
        connection.exec_driver_sql("PRAGMA secure_delete=OFF")
        connection.exec_driver_sql(f"PRAGMA busy_timeout={options.get('timeout', PATIENCE) * 1000:.0f}")
        if writes:
            connection.exec_driver_sql(f"PRAGMA wal_autocheckpoint={options['log']}")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    def connected(connection: Any, _record: Any) -> None:
        connection.create_function("packed", 2, packed_as_text, deterministic=True)  # for a migration
        connection.isolation_level = None  # transactions are ours: pysqlite would begin them late
        connection.execute("PRAGMA foreign_keys=ON")
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute("PRAGMA temp_store=MEMORY")
        connection.execute("PRAGMA journal_size_limit=67108864")

    sa.event.listen(engine, "connect", connected)
    sa.event.listen(engine, "begin", begin)
    return engine
