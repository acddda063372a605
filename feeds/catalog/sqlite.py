"""SQLite: one file for everything, in WAL mode, so that readers go on while the writer writes.

The file may be taken away, or another put in its place, at any time: what is at its path now is what counts.
"""

import contextlib
import json
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import sqlalchemy as sa

from feeds.catalog import mend
from feeds.catalog.engine import (
    HURRIED,
    LOOK_EVERY,
    PATIENCE,
    RUN,
    Leadership,
    Migrations,
    Rows,
    Statement,
    carry_out,
    taken,
    unusable,
)
from feeds.catalog.leadership import Alone, FileLeadership, try_lock
from feeds.catalog.rows import packed_as_text
from feeds.catalog.schema import SQLITE_MIGRATIONS
from feeds.errors import CatalogDamaged, CatalogError

if TYPE_CHECKING:
    from sqlalchemy.dialects import sqlite

_DAMAGE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_PAGE = 16 << 10  # bytes: an entry's row takes 200, and a whole archive has a million of them in ten thousand pages
_LARGE_LOG = 4096  # pages, after which a commit clears it: each is copied to its place once, not often
_TRIES = 5  # to clear it while more is committed
_READERS_ROOM, _WRITERS_ROOM = 16 << 10, 64 << 10  # KiB of the database that are held

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
        self.engine = _engine(file)
        self._file = file
        self._inode: tuple[int, int] | None = None
        self._held = threading.local()  # the locks that a thread holds, by their names

    @property
    def is_there(self) -> bool:
        """Tell whether there is a file at our path."""
        return self._file is None or self._file.exists()

    def make(self) -> None:
        """Make the file; how large its pages are, and that it is in WAL mode, stays in it."""
        if self._file:
            with self._translated():
                self._file.touch()
                self._follow()
                with contextlib.closing(self.engine.raw_connection()) as raw:
                    raw.cursor().execute(f"PRAGMA page_size={_PAGE}")
                    raw.cursor().execute("PRAGMA journal_mode=WAL")

    def foreign(self) -> CatalogError:
        """Say that it may be kept aside."""
        return CatalogDamaged(f"{self.name}: a database, but not a catalog of ours (`state` names it)")

    @contextlib.contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """Read one consistent state."""
        with self._translated():
            self._follow()
            with self.engine.connect() as connection:
                yield connection

    @contextlib.contextmanager
    def writing(self, *, counts: bool = False, hurries: bool = False, much: bool = False) -> Iterator[sa.Connection]:
        """Write after whoever else does, from the beginning: who begins to read can't write after another.

        Of what was counted, deleted means wiped.
        """
        room = _READERS_ROOM if counts else _WRITERS_ROOM
        much = much and self._file is not None
        with self._translated():
            self._follow()
            engine = self.engine.execution_options(
                writes=room, wipes=counts, hurries=hurries, log=0 if much else _LARGE_LOG
            )
            with engine.begin() as connection:
                yield connection
        if much:
            threading.Thread(target=self._clear_log, name="log").start()

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
            handle = Path(f"{self._file}{suffix}").open("w", encoding="ascii")  # noqa: SIM115  # closed below
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

    def wipe(self) -> bool:
        """Empty the log, which has earlier versions of pages."""
        with self._translated(), contextlib.closing(self.engine.raw_connection()) as raw:
            return not cast("Any", raw.cursor()).execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]

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
        with self._translated(), contextlib.closing(source), contextlib.closing(target):
            ours, theirs = source.driver_connection, target.driver_connection
            cast("sqlite3.Connection", ours).backup(cast("sqlite3.Connection", theirs))

    def close(self) -> None:
        """Let go of all connections."""
        self.engine.dispose()

    def forget(self) -> None:
        """Leave all connections to the process that we come from."""
        self.engine.dispose(close=False)

    def _follow(self) -> None:
        """Let go of a file that is no longer the one at our path. Raises `CatalogError` if there is none."""
        if self._file is None:
            return
        try:
            facts = self._file.stat()
        except OSError as error:
            raise unusable(self.name, error.strerror) from error
        if self._inode != (facts.st_dev, facts.st_ino):
            self.engine.dispose()
            self._inode = facts.st_dev, facts.st_ino

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        """Say in a sentence what the database said."""
        try:
            yield
        except (sa.exc.DBAPIError, sqlite3.Error) as error:
            said = error.orig if isinstance(error, sa.exc.DBAPIError) else error  # of a statement that is the driver's
            if getattr(said, "sqlite_errorcode", 0) & 0xFF in _DAMAGE:
                raise CatalogDamaged(f"{self.name}: the catalog is damaged: {said}") from error
            raise unusable(self.name, said) from error


def _engine(file: Path | None) -> sa.Engine:
    if file is None:
        engine = sa.create_engine("sqlite://", poolclass=sa.StaticPool, connect_args={"check_same_thread": False})
    else:
        engine = sa.create_engine(sa.URL.create("sqlite", database=str(file)), connect_args={"timeout": PATIENCE})

    def begin(connection: sa.Connection) -> None:
        options = connection.get_execution_options()
        writes, wipes = options.get("writes"), options.get("wipes", False)
        patience = HURRIED if options.get("hurries") else PATIENCE
        connection.exec_driver_sql(f"PRAGMA cache_size=-{writes or _READERS_ROOM}")
        connection.exec_driver_sql(f"PRAGMA secure_delete={wipes}")
        connection.exec_driver_sql(f"PRAGMA busy_timeout={patience * 1000:.0f}")
        if writes:
            connection.exec_driver_sql(f"PRAGMA wal_autocheckpoint={options['log']}")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    def connected(connection: Any, _record: Any) -> None:
        connection.create_function("packed", 2, packed_as_text, deterministic=True)  # for a migration
        connection.isolation_level = None  # transactions are ours: pysqlite would begin them late
        connection.execute("PRAGMA foreign_keys=ON")
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute("PRAGMA journal_size_limit=67108864")

    sa.event.listen(engine, "connect", connected)
    sa.event.listen(engine, "begin", begin)
    return engine
