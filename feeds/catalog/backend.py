"""The interface of a database that stores the catalog: all operations that differ between SQLite and PostgreSQL.

To support another database, implement `Database`, choose it in `_database` of `feeds.catalog`, allow its URL in
`_state` of `feeds.config.values`, and add its types and migrations to `feeds.catalog.schema`. The database must
support INSERT … ON CONFLICT and partial indexes: copy the conditions of the schema's indexes as `postgres` does. If the
database has files, name them in `_CATALOG_SUFFIXES` (`feeds.config.schema`), so that they are never published.
"""

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import sqlalchemy as sa

from feeds.core.errors import CatalogError, CatalogLocked

if TYPE_CHECKING:
    from sqlalchemy.dialects import sqlite

WRITE_TIMEOUT_S = 30.0  # to wait for another writer
SHORT_TIMEOUT_S = 1.0  # the same, for callers that try again later
LOCK_POLL_INTERVAL_S = 0.05
RUN = "run"  # the name of the lock of a publish run

Migrations = Mapping[int, Sequence[str]]  # schema -> the statements that migrate to the next schema
Rows = list[tuple[Any, ...]]
Statement = sa.Insert | sa.Update | sa.Delete


class SavedRow(NamedTuple):
    """A row that could be read from a damaged database."""

    table: sa.Table
    values: dict[str, Any]  # by column; some columns may be missing


class LeaderLock(Protocol):
    """The lock of the one leader among several publishers. At most one process holds it. Thread-safe."""

    def acquire(self) -> bool:
        """Acquire the lock if it is free. Return whether this process holds it. Raise `CatalogError`."""

    def is_held(self) -> bool:
        """Return whether this process still holds the lock, according to the database."""

    def release(self) -> None:
        """Release the lock."""


class Database(Protocol):
    """One database with its tables. Errors are `CatalogError`, with one sentence without a password."""

    name: str  # for messages
    migrations: Migrations
    engine: sa.Engine

    @property
    def is_created(self) -> bool:
        """Whether the database exists and is not empty, even if it holds no catalog."""

    def create_storage(self) -> None:
        """Create the storage that the tables need, such as a file, if it is missing."""

    def foreign_error(self) -> CatalogError:
        """Return the error for a database with the tables of another program."""

    def read_transaction(self) -> AbstractContextManager[sa.Connection]:
        """Open a read-only transaction that sees one state, even if other transactions commit meanwhile."""

    def restrict_access(self) -> None:
        """Remove the permissions of other users from the catalog's files, if it has files."""

    def write_transaction(self, *, bulk: bool = False) -> AbstractContextManager[sa.Connection]:
        """Wait for other writers, and open a transaction; commit it at the end, or roll it back after an exception.

        If `bulk` is true, the commit may return before the database has moved the rows to their final position.
        """

    def read_stats(self) -> AbstractContextManager[sa.Connection]:
        """Open a transaction that reads poll statistics, which are empty before the first write."""

    def write_stats(self, *, short_timeout: bool = False) -> AbstractContextManager[sa.Connection]:
        """Open a transaction that writes poll statistics, after other writers of statistics.

        If `short_timeout` is true, raise `CatalogError` if another writer holds the lock for more than a second. A
        writer of articles never blocks a writer of statistics. Raise `CatalogDamaged` for a damaged file
        (`repair_stats`).
        """

    def erase_stats(self) -> bool:
        """Rewrite the files that hold the statistics, so that they contain no byte of a deleted row.

        Return False if another transaction prevents the erasure for now.
        """

    def prepare_migration(self, schema: int) -> None:
        """Prepare a migration from version `schema` before its transaction; safe to repeat."""

    def finish_migration(self, schema: int | None) -> None:
        """Complete a migration from version `schema` after its transaction.

        `schema` is None if the tables were just created.
        """

    def create_stats(self, connection: sa.Connection) -> None:
        """Create the tables of the statistics with those of the catalog, if both are in the same database."""

    def repair_stats(self) -> Iterator[SavedRow]:
        """Move damaged statistics aside and yield the rows of closed days that can be read; then delete the old file.

        Raise `CatalogError` if the database can't be repaired by this program.
        """

    def lock(self, name: str, timeout: float, cancelled: Callable[[], bool]) -> AbstractContextManager[None]:
        """Hold a lock that excludes other threads and processes. A thread may hold it several times.

        Only the thread that holds `RUN` publishes.

        Args:
            name: the name of the lock.
            timeout: seconds to wait for it; then raise `CatalogLocked`.
            cancelled: returns whether to stop waiting; then raise `CatalogLocked`.
        """

    def is_held(self, name: str) -> bool:
        """Return whether this thread still holds a lock, as far as is known without a query."""

    def leader_lock(self) -> LeaderLock:
        """Return the lock of the one leader, which is not acquired yet."""

    def listen_for_revisions(self) -> AbstractContextManager[Callable[[float], object]] | None:
        """Return a context manager yielding `wait(seconds)`, which blocks until a revision is announced.

        None if the database has no notifications.
        """

    def change_counter(self) -> Hashable | None:
        """Return a value that changes with every commit, without a transaction.

        None if the database has no such value, or can't be read now.
        """

    def insert(self, table: sa.Table) -> "sqlite.Insert":
        """Return an INSERT with ON CONFLICT, for which each dialect has its own class."""

    def add(self, connection: sa.Connection, table: sa.Table, names: Sequence[str], rows: Rows) -> None:
        """Insert many rows.

        `names` are all columns without a server default; each row has its values in the order of `names`.
        """

    def many(self, connection: sa.Connection, statement: Statement, names: Sequence[str], rows: Rows) -> None:
        """Execute a statement once per row, with values in the order of the parameters' names."""

    def add_entries(self, connection: sa.Connection, keys: Sequence[int]) -> None:
        """Insert one entry per article and feed, sorted by primary key. Existing entries stay."""

    def announce(self, connection: sa.Connection) -> None:
        """Notify listeners of a new revision, as soon as it is committed."""

    def failures(self) -> bytes:
        """Return the record of the current failures (`feeds.catalog.failures`). Raise `CatalogError`."""

    def change_failures(self, change: Callable[[bytes], bytes]) -> None:
        """Call `change` with the record of failures, and store the record that it returns. Raise `CatalogError`."""

    def reserve_failures(self) -> None:
        """Create the record of failures at its full size, if a full disk could prevent that later."""

    def move_aside(self) -> Path:
        """Move a damaged catalog aside and return its path. Raise `CatalogError` in PostgreSQL."""

    def copy_to(self, memory: sa.Engine) -> None:
        """Copy everything into an empty SQLite database in memory."""

    def prepare_for_fork(self) -> None:
        """Leave no thread and no idle connection."""

    def close(self) -> None:
        """Close all connections."""

    def forget(self) -> None:
        """After a fork, drop inherited connections without closing them."""


def execute_many(connection: sa.Connection, statement: Statement, names: Sequence[str], rows: Rows) -> None:
    """Execute a statement once per row, in a dialect with positional parameters.

    SQLAlchemy only compiles the SQL, and the driver gets the rows as tuples: to build a dictionary for each of a
    million rows would take longer than to store them.
    """
    compiled = statement.compile(dialect=connection.dialect, column_keys=list(names))
    assert isinstance(compiled, sa.sql.compiler.SQLCompiler)
    order = [names.index(name) for name in compiled.positiontup or names]
    in_order = rows if order == list(range(len(names))) else list(map(itemgetter(*order), rows))
    connection.exec_driver_sql(compiled.string, in_order)


def unusable_error(name: str, reason: object, kind: type[CatalogError] = CatalogError) -> CatalogError:
    """Return the error for a database that can't be used, with the first line of the reason."""
    first_line = str(reason).partition("\n")[0].strip().removesuffix(".")
    return kind(f"{name}: the catalog can't be used: {first_line}")


def locked_error() -> CatalogLocked:
    """Return the error for a lock that another run holds."""
    return CatalogLocked("another run is publishing these feeds; nothing was done (to wait, use --wait SECONDS)")
