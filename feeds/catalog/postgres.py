"""The PostgreSQL database, which several machines can share: a site is in the first schema of the search path.

Advisory locks, keyed by the schema, replace SQLite's locks on files. The lock of a run belongs to a session, and the
run writes on that session's connection, so a run that loses its lock can't write. Two locks of a transaction order the
writers of articles and the writers of statistics.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from feeds.catalog import sessions
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
from feeds.catalog.schema import METADATA, NO_SAMPLES, POSTGRES_MIGRATIONS, STATS_METADATA, meta
from feeds.catalog.sessions import CHANNEL, CLIENT_SETTINGS, SCHEMA_OID, SERVER_SETTINGS, SessionLeaderLock, lock_number
from feeds.core.errors import CatalogError, CatalogUnavailable, ConfigError

if TYPE_CHECKING:
    from sqlalchemy.dialects import sqlite

for _index in (index for table in METADATA.sorted_tables for index in table.indexes):
    _index.dialect_options["postgresql"]["where"] = _index.dialect_options["sqlite"].get("where")

_SLOW_CONNECT_S = 1.0  # a failed attempt to connect that took longer is followed by a pause
_PAUSE_FACTOR = 5.0  # duration of the pause, in which calls fail at once, as a multiple of that of the attempt
_COPY_ROWS = 1_000
_TRY_LOCK = sa.text(f"SELECT pg_try_advisory_lock(:lock, {SCHEMA_OID})")
_UNLOCK = sa.text(f"SELECT pg_advisory_unlock(:lock, {SCHEMA_OID})")
_LOCK = sa.text(f"SELECT set_config('lock_timeout', :timeout, true), pg_advisory_xact_lock(:lock, {SCHEMA_OID})")
_ANNOUNCE = sa.text(f"SELECT pg_notify({CHANNEL}, '')")
_ADD_ENTRIES = """
    INSERT INTO entries (feed, published, id, article, name)
    SELECT feed, published, id, articles.key, name
    FROM articles CROSS JOIN json_each_text(feeds::json) AS names (feed, name)
    WHERE articles.key = ANY(%s)
    ORDER BY feed COLLATE "C", published, id COLLATE "C"
    ON CONFLICT (feed, published, id) DO NOTHING
"""
_REWRITE = (
    "CREATE TEMPORARY TABLE kept_{0} ON COMMIT DROP AS SELECT * FROM {0}",
    "TRUNCATE {0}",
    "INSERT INTO {0} SELECT * FROM kept_{0}",
)
_FAILURES_KEY = "failures"
_FAILURES = sa.select(meta.c.value).where(meta.c.key == _FAILURES_KEY)
_HAS_TABLES = sa.text(
    "SELECT current_schema(), EXISTS (SELECT 1 FROM pg_class "
    "WHERE relnamespace = quote_ident(current_schema())::regnamespace AND relkind IN ('r', 'p', 'v', 'm', 'f'))"
)


class Postgres:
    """A catalog in a schema of a database."""

    migrations: Migrations = POSTGRES_MIGRATIONS

    def __init__(self, url: str, statement_timeout: float | None) -> None:
        """Prepare connections, but open none. Raise `ConfigError` if the URL is invalid or the driver is missing.

        Args:
            url: a postgresql:// URL.
            statement_timeout: seconds to wait for a reply before raising `CatalogError`; None waits forever.
        """
        parsed = sessions.parse_url(url)
        without_password = sa.URL.create("postgresql", parsed.username, None, parsed.host, parsed.port, parsed.database)
        self.name = without_password.render_as_string()
        options = " ".join(f"-c {key}={value}" for key, value in SERVER_SETTINGS.items())
        in_url = parsed.query.get("options", "")
        arguments = {key: value for key, value in CLIENT_SETTINGS.items() if key not in parsed.query}
        arguments["options"] = f"{options} {in_url if isinstance(in_url, str) else ' '.join(in_url)}"
        try:
            self.engine = sa.create_engine(
                parsed.set(drivername="postgresql+psycopg"),
                connect_args=arguments,
                use_native_hstore=False,  # saves a query per connection
                paramstyle="format",  # so that rows may be tuples
            )
        except ImportError:
            from feeds.distribution import install_command

            raise ConfigError([f"state: {self.name} needs a driver: {install_command('postgres')}"]) from None
        sa.event.listen(self.engine, "checkout", sessions.require_alive)
        if statement_timeout is not None:
            sessions.limit_reply_time(self.engine, statement_timeout)
        self._reads = self.engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        self._held = threading.local()  # the connections of the locks that a thread holds, by name of the lock
        self.paused_until = float("-inf")  # no connection is opened before this time, by the monotonic clock
        self._pause_reason = ""

    @property
    def is_created(self) -> bool:
        """Whether the schema has any table. Raise `CatalogError` if there is no schema."""
        with self._connected(self.engine) as connection:
            schema, any_ = connection.execute(_HAS_TABLES).one()
        if schema is None:
            raise unusable_error(self.name, "its search_path names no existing schema (create one with CREATE SCHEMA)")
        return bool(any_)

    def restrict_access(self) -> None:
        """Do nothing: the database has its own roles and permissions."""

    def create_storage(self) -> None:
        """Do nothing: the owner of the database creates the schema."""

    def foreign_error(self) -> CatalogError:
        """Return an error that explains how to share a database; this program drops no tables of other programs."""
        reason = "has tables of another program; add ?options=-csearch_path%3DNAME to `state` to use another schema"
        return CatalogError(f"{self.name}: {reason}")

    @contextlib.contextmanager
    def read_transaction(self) -> Iterator[sa.Connection]:
        """Open a transaction that sees one state, that of its first query."""
        with self._connected(self._reads) as connection:
            yield connection

    @contextlib.contextmanager
    def write_transaction(self, *, bulk: bool = False) -> Iterator[sa.Connection]:  # noqa: ARG002  # always as with bulk
        """Wait for other writers, and open a transaction. Each statement sees all commits before it."""
        held = getattr(self._held, RUN, None)
        with self.translated_errors() if held else self._connected(self.engine) as new:
            connection = held or new
            assert connection is not None
            if connection.invalidated:  # SQLAlchemy would connect again, without the lock
                raise unusable_error(
                    self.name, "the connection that held the lock was lost, so nothing more was written"
                )
            with _locked(connection, "write", WRITE_TIMEOUT_S):
                yield connection

    @contextlib.contextmanager
    def read_stats(self) -> Iterator[sa.Connection]:
        """Open a transaction that sees one state."""
        with self.read_transaction() as connection:
            yield connection

    @contextlib.contextmanager
    def write_stats(self, *, short_timeout: bool = False) -> Iterator[sa.Connection]:
        """Wait for other writers of statistics, and open a transaction."""
        with (
            self._connected(self.engine) as connection,
            _locked(connection, "count", SHORT_TIMEOUT_S if short_timeout else WRITE_TIMEOUT_S),
        ):
            yield connection

    def erase_stats(self) -> bool:
        """Replace the files of the tables that had the deleted rows.

        TRUNCATE gives a table new files and deletes the old ones at commit, even if other transactions can still see
        the rows; VACUUM FULL would copy such rows. They stay in the server's write-ahead log until it is recycled.
        """
        try:
            with self.write_stats(short_timeout=True) as connection:
                for table in ("salts", "visits"):
                    for statement in _REWRITE:
                        connection.exec_driver_sql(statement.format(table))
        except CatalogError as error:
            if _sqlstate(error) == "55P03":  # a transaction that reads statistics has locked the table
                return False
            raise
        return True

    def prepare_migration(self, schema: int) -> None:
        """Do nothing: the statistics stay where they are."""

    def finish_migration(self, schema: int | None) -> None:
        """Do nothing."""

    def create_stats(self, connection: sa.Connection) -> None:
        """Create the tables of the statistics beside the others."""
        STATS_METADATA.create_all(connection)
        for statement in NO_SAMPLES:
            connection.exec_driver_sql(statement)

    def repair_stats(self) -> Iterator[SavedRow]:
        """Raise `CatalogError`: the owner of the database repairs it."""
        raise self._repair_error()

    @contextlib.contextmanager
    def lock(self, name: str, timeout: float, cancelled: Callable[[], bool]) -> Iterator[None]:
        """Hold an advisory lock of a connection, which is lost with the connection."""
        if getattr(self._held, name, None) is not None:
            yield
            return
        lock = {"lock": lock_number(name)}
        with self._connected(self.engine) as connection:
            deadline = time.monotonic() + timeout
            while not self._execute_lock(connection, _TRY_LOCK, lock):
                if time.monotonic() >= deadline or cancelled():
                    raise locked_error()
                time.sleep(LOCK_POLL_INTERVAL_S)
            setattr(self._held, name, connection)
            try:
                yield
            finally:
                setattr(self._held, name, None)
                try:
                    if not connection.invalidated:
                        self._execute_lock(connection, _UNLOCK, lock)
                except sa.exc.DBAPIError:  # the connection is lost, and the lock with it
                    connection.invalidate()

    def is_held(self, name: str) -> bool:
        """Return whether the connection that holds a lock is open, as far as is known without a query."""
        held = getattr(self._held, name, None)
        return held is not None and not (held.invalidated or sessions.is_over(held.connection.driver_connection))

    def leader_lock(self) -> LeaderLock:
        """Return an advisory lock of a separate session."""
        return SessionLeaderLock(self)

    def listen_for_revisions(self) -> contextlib.AbstractContextManager[Callable[[float], object]]:
        """Listen on a separate connection."""
        return sessions.listen_for_revisions(self)

    def change_counter(self) -> None:
        """Return None: revisions are announced."""
        return

    @staticmethod
    def insert(table: sa.Table) -> "sqlite.Insert":
        """Return PostgreSQL's INSERT."""
        from sqlalchemy.dialects import postgresql

        return postgresql.insert(table)  # type: ignore[return-value]  # alike in everything that is used

    @staticmethod
    def add(connection: sa.Connection, table: sa.Table, names: Sequence[str], rows: Rows) -> None:
        """Insert rows with COPY, without a round trip for each."""
        columns = ", ".join(f'"{name}"' for name in names)
        cursor: Any = connection.connection.cursor()
        with contextlib.closing(cursor), cursor.copy(f'COPY "{table.name}" ({columns}) FROM STDIN') as copy:
            for row in rows:
                copy.write_row(row)

    @staticmethod
    def many(connection: sa.Connection, statement: Statement, names: Sequence[str], rows: Rows) -> None:
        """Execute a statement once per row; the driver sends all before it waits for a reply."""
        execute_many(connection, statement, names, rows)

    @staticmethod
    def add_entries(connection: sa.Connection, keys: Sequence[int]) -> None:
        """Insert the entries of articles."""
        connection.exec_driver_sql(_ADD_ENTRIES, (list(keys),))

    @staticmethod
    def announce(connection: sa.Connection) -> None:
        """Notify listeners on the schema's channel."""
        connection.execute(_ANNOUNCE)

    def failures(self) -> bytes:
        """Read the row of failures."""
        with self.read_transaction() as connection:
            return str(connection.execute(_FAILURES).scalar() or "").encode()

    def change_failures(self, change: Callable[[bytes], bytes]) -> None:
        """Write the row of failures if it changes."""
        before = self.failures()
        after = change(before)
        if after != before:
            row = {"key": _FAILURES_KEY, "value": after.decode().strip()}
            with self.write_transaction() as connection:
                insert = self.insert(meta).values(row)
                connection.execute(insert.on_conflict_do_update(index_elements=["key"], set_=row))

    def reserve_failures(self) -> None:
        """Do nothing: a row has no fixed size."""

    def move_aside(self) -> Path:
        """Raise `CatalogError`: the owner of the database repairs it."""
        raise self._repair_error()

    def _repair_error(self) -> CatalogError:
        return CatalogError(
            f"{self.name}: the catalog is damaged and was not changed; restore a backup, or drop the schema's tables"
        )

    def copy_to(self, memory: sa.Engine) -> None:
        """Copy table by table."""
        METADATA.create_all(memory)
        with self.read_transaction() as source, memory.begin() as target:
            for table in METADATA.sorted_tables:
                rows = source.execution_options(yield_per=_COPY_ROWS).execute(sa.select(table))
                for batch in rows.mappings().partitions():
                    target.execute(table.insert(), [dict(row) for row in batch])

    def prepare_for_fork(self) -> None:
        """Do nothing: there is no thread, and `forget` drops the connections."""

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()

    def forget(self) -> None:
        """After a fork, drop inherited connections and their locks without closing them."""
        self.engine.dispose(close=False)
        self._held = threading.local()

    @contextlib.contextmanager
    def _connected(self, engine: sa.Engine) -> Iterator[sa.Connection]:
        """Yield a connection of the pool, and raise `CatalogError` for errors of the database.

        After a slow failure to connect, raise `CatalogUnavailable` at once for some time, so that requests fail fast.
        """
        with self.translated_errors():
            if time.monotonic() < self.paused_until:
                raise unusable_error(self.name, self._pause_reason, CatalogUnavailable)
            began = time.monotonic()
            try:
                connection = engine.connect()
            except sa.exc.OperationalError as error:
                took = time.monotonic() - began
                if took > _SLOW_CONNECT_S:
                    self.paused_until, self._pause_reason = time.monotonic() + _PAUSE_FACTOR * took, str(error.orig)
                raise unusable_error(self.name, error.orig, CatalogUnavailable) from error
            with connection:
                yield connection

    @contextlib.contextmanager
    def translated_errors(self) -> Iterator[None]:
        """Raise `CatalogError` with one sentence for an error of the database or its driver."""
        import psycopg

        try:
            yield
        except sa.exc.DBAPIError as error:
            raise unusable_error(self.name, error.orig) from error
        except psycopg.Error as error:  # of a COPY
            raise unusable_error(self.name, error) from error

    @staticmethod
    def _execute_lock(connection: sa.Connection, statement: sa.TextClause, values: dict[str, Any]) -> bool:
        is_done = connection.execute(statement, values).scalar()
        connection.commit()  # the lock belongs to the session, not to the transaction
        return bool(is_done)


@contextlib.contextmanager
def _locked(connection: sa.Connection, lock: str, timeout: float) -> Iterator[None]:
    """Open a transaction that holds an advisory lock; wait `timeout` seconds for it and for other locks."""
    with connection.begin():
        connection.execute(_LOCK, {"lock": lock_number(lock), "timeout": f"{timeout * 1000:.0f}"})
        yield


def _sqlstate(error: CatalogError) -> str | None:
    """Return PostgreSQL's error code; None if the error has none."""
    return getattr(getattr(error.__cause__, "orig", None), "sqlstate", None)
