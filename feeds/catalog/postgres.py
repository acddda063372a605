"""PostgreSQL: a database that many machines share; one site in each schema, which is the first of the search path.

What SQLite does with files is done with advisory locks here, keyed by the schema: one of a session for who publishes,
whose connection alone writes what is published, so that with the connection the right to write is lost; and two of a
transaction, for who publishes and for who counts.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from feeds.catalog import sessions
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
from feeds.catalog.schema import METADATA, NO_SAMPLES, POSTGRES_MIGRATIONS, STATS_METADATA, meta
from feeds.catalog.sessions import CHANNEL, CLIENT, HERE, SERVER, SessionLeadership, listening, number
from feeds.errors import CatalogAway, CatalogError, ConfigError

if TYPE_CHECKING:
    from sqlalchemy.dialects import sqlite

for _index in (index for table in METADATA.sorted_tables for index in table.indexes):
    _index.dialect_options["postgresql"]["where"] = _index.dialect_options["sqlite"].get("where")

_SLOW = 1.0  # seconds: who waited so long for a connection in vain …
_PAUSE = 5.0  # … isn't kept waiting again for so many times as long
_PIECE = 1_000  # rows of a copy
_TRY = sa.text(f"SELECT pg_try_advisory_lock(:lock, {HERE})")
_UNLOCK = sa.text(f"SELECT pg_advisory_unlock(:lock, {HERE})")
_TAKE = sa.text(f"SELECT set_config('lock_timeout', :patience, true), pg_advisory_xact_lock(:lock, {HERE})")
_ANNOUNCE = sa.text(f"SELECT pg_notify({CHANNEL}, '')")
_PUT_IN = """
    INSERT INTO entries (feed, published, id, article, name)
    SELECT feed, published, id, articles.key, name
    FROM articles CROSS JOIN json_each_text(feeds::json) AS place (feed, name)
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
_IS_THERE = sa.text(
    "SELECT current_schema(), EXISTS (SELECT 1 FROM pg_class "
    "WHERE relnamespace = quote_ident(current_schema())::regnamespace AND relkind IN ('r', 'p', 'v', 'm', 'f'))"
)


class Postgres:
    """A catalog in a schema of a database."""

    migrations: Migrations = POSTGRES_MIGRATIONS

    def __init__(self, url: str, answers_within: float | None) -> None:
        """Take a postgresql:// URL, and how many seconds an answer may take, if not any number.

        Raises `ConfigError` where the driver is missing.
        """
        where = sessions.parsed(url)
        shown = sa.URL.create("postgresql", where.username, None, where.host, where.port, where.database)
        self.name = shown.render_as_string()
        options = " ".join(f"-c {key}={value}" for key, value in SERVER.items())
        said = where.query.get("options", "")
        arguments = {key: value for key, value in CLIENT.items() if key not in where.query}
        arguments["options"] = f"{options} {said if isinstance(said, str) else ' '.join(said)}"
        try:
            self.engine = sa.create_engine(
                where.set(drivername="postgresql+psycopg"),
                connect_args=arguments,
                use_native_hstore=False,  # which would be looked for
                paramstyle="format",  # so that rows may be tuples
            )
        except ImportError:
            raise ConfigError([f"state: {self.name} needs a driver: pip install 'feeds[postgres]'"]) from None
        sa.event.listen(self.engine, "checkout", sessions.require_alive)
        if answers_within is not None:
            sessions.end_where_silent(self.engine, answers_within)
        self._reads = self.engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        self._held = threading.local()  # the locks that a thread holds: their connections, by their names
        self.again_at = float("-inf")  # until when nobody tries to connect
        self._away = ""  # why not

    @property
    def is_there(self) -> bool:
        """Tell whether there is anything in our schema. Raises `CatalogError` if there is no schema."""
        with self._connected(self.engine) as connection:
            schema, any_ = connection.execute(_IS_THERE).one()
        if schema is None:
            raise unusable(self.name, "its search_path names no schema that is there (CREATE SCHEMA makes one)")
        return bool(any_)

    def hide(self) -> None:
        """Leave it to the database, which has roles and rights of its own."""

    def make(self) -> None:
        """Leave it to the database's owner to make that."""

    def foreign(self) -> CatalogError:
        """Say how to share a database; nothing in it is ever dropped."""
        said = "has tables, but no catalog of ours; a schema of our own is named by ?options=-csearch_path%3DNAME"
        return CatalogError(f"{self.name}: {said} (`state`)")

    @contextlib.contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """Read one consistent state: that of the first question."""
        with self._connected(self._reads) as connection:
            yield connection

    @contextlib.contextmanager
    def writing(self, *, much: bool = False) -> Iterator[sa.Connection]:  # noqa: ARG002  # the server does so always
        """Write after whoever else does the same. Each statement sees what was committed before it."""
        held = getattr(self._held, RUN, None)
        with self.translated() if held else self._connected(self.engine) as connection:
            ours = held or connection
            assert ours is not None
            if ours.invalidated:  # SQLAlchemy would connect again, without the lock
                raise unusable(self.name, "the connection that held the lock is lost, and nothing more was written")
            with _locked(ours, "write", PATIENCE):
                yield ours

    @contextlib.contextmanager
    def reading_stats(self) -> Iterator[sa.Connection]:
        """Read one consistent state."""
        with self.reading() as connection:
            yield connection

    @contextlib.contextmanager
    def writing_stats(self, *, short_timeout: bool = False) -> Iterator[sa.Connection]:
        """Write after other writers of statistics."""
        with (
            self._connected(self.engine) as connection,
            _locked(connection, "count", SHORT_TIMEOUT_S if short_timeout else PATIENCE),
        ):
            yield connection

    def erase_stats(self) -> bool:
        """Replace the files of the tables that had the deleted rows.

        TRUNCATE gives a table new files and deletes the old ones at commit, whatever other transactions see; VACUUM
        FULL would copy rows that they may still see. The server's write-ahead log keeps the rows until it recycles it.
        """
        try:
            with self.writing_stats(short_timeout=True) as connection:
                for table in ("salts", "visits"):
                    for statement in _REWRITE:
                        connection.exec_driver_sql(statement.format(table))
        except CatalogError as error:
            if _state_of(error) == "55P03":  # a reader of statistics holds the table
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

    def repair_stats(self) -> Iterator[tuple[sa.Table, dict[str, Any]]]:
        """Refuse: a database is its owner's."""
        raise self._not_ours_to_repair()

    @contextlib.contextmanager
    def lock(self, name: str, wait: float, given_up: Callable[[], bool]) -> Iterator[None]:
        """Hold a lock for as long as a connection stands."""
        if getattr(self._held, name, None) is not None:
            yield
            return
        lock = {"lock": number(name)}
        with self._connected(self.engine) as connection:
            until = time.monotonic() + wait
            while not self._answer(connection, _TRY, lock):
                if time.monotonic() >= until or given_up():
                    raise taken()
                time.sleep(LOOK_EVERY)
            setattr(self._held, name, connection)
            try:
                yield
            finally:
                setattr(self._held, name, None)
                try:
                    if not connection.invalidated:
                        self._answer(connection, _UNLOCK, lock)
                except sa.exc.DBAPIError:  # it is gone, and so is the lock
                    connection.invalidate()

    def holds(self, name: str) -> bool:
        """Tell whether the connection that holds a lock stands, as far as is known without a question."""
        held = getattr(self._held, name, None)
        return held is not None and not (held.invalidated or sessions.is_over(held.connection.driver_connection))

    def leadership(self) -> Leadership:
        """Give the lock of a session of its own."""
        return SessionLeadership(self)

    def listening(self) -> contextlib.AbstractContextManager[Callable[[float], object]]:
        """Listen on a connection of its own."""
        return listening(self)

    @staticmethod
    def insert(table: sa.Table) -> "sqlite.Insert":
        """Begin an INSERT … ON CONFLICT."""
        from sqlalchemy.dialects import postgresql

        return postgresql.insert(table)  # type: ignore[return-value]  # alike in all that is used of them

    @staticmethod
    def add(connection: sa.Connection, table: sa.Table, names: Sequence[str], rows: Rows) -> None:
        """Insert rows by COPY: no question and no answer for each."""
        columns = ", ".join(f'"{name}"' for name in names)
        cursor: Any = connection.connection.cursor()
        with contextlib.closing(cursor), cursor.copy(f'COPY "{table.name}" ({columns}) FROM STDIN') as copy:
            for row in rows:
                copy.write_row(row)

    @staticmethod
    def many(connection: sa.Connection, statement: Statement, names: Sequence[str], rows: Rows) -> None:
        """Carry out a statement for each row; the driver sends them all before it waits for an answer."""
        carry_out(connection, statement, names, rows)

    @staticmethod
    def put_in(connection: sa.Connection, keys: Sequence[int]) -> None:
        """Make entries of articles."""
        connection.exec_driver_sql(_PUT_IN, (list(keys),))

    @staticmethod
    def announce(connection: sa.Connection) -> None:
        """Tell who listens at the schema's channel."""
        connection.execute(_ANNOUNCE)

    def failures(self) -> bytes:
        """Read the row of failures."""
        with self.reading() as connection:
            return str(connection.execute(_FAILURES).scalar() or "").encode()

    def change_failures(self, change: Callable[[bytes], bytes]) -> None:
        """Write the row of failures if it changes."""
        before = self.failures()
        after = change(before)
        if after != before:
            row = {"key": _FAILURES_KEY, "value": after.decode().strip()}
            with self.writing() as connection:
                insert = self.insert(meta).values(row)
                connection.execute(insert.on_conflict_do_update(index_elements=["key"], set_=row))

    def reserve_failures(self) -> None:
        """Do nothing: a row has no place of its own."""

    def keep_aside(self) -> Path:
        """Refuse: a database is its owner's."""
        raise self._not_ours_to_repair()

    def _not_ours_to_repair(self) -> CatalogError:
        return CatalogError(
            f"{self.name}: the catalog is damaged, and left as it is: restore it, or empty its schema for a new one"
        )

    def copy_to(self, memory: sa.Engine) -> None:
        """Copy table by table."""
        METADATA.create_all(memory)
        with self.reading() as source, memory.begin() as target:
            for table in METADATA.sorted_tables:
                rows = source.execution_options(yield_per=_PIECE).execute(sa.select(table))
                for some in rows.mappings().partitions():
                    target.execute(table.insert(), [dict(row) for row in some])

    def close(self) -> None:
        """Let go of all connections."""
        self.engine.dispose()

    def forget(self) -> None:
        """Leave all connections, and their locks, to the process that we come from."""
        self.engine.dispose(close=False)
        self._held = threading.local()

    @contextlib.contextmanager
    def _connected(self, engine: sa.Engine) -> Iterator[sa.Connection]:
        """Use a connection, and say in a sentence what goes wrong.

        A database that does not even answer is asked seldom: whoever asks for documents meanwhile has to wait for it.
        """
        with self.translated():
            if time.monotonic() < self.again_at:
                raise unusable(self.name, self._away, CatalogAway)
            began = time.monotonic()
            try:
                connection = engine.connect()
            except sa.exc.OperationalError as error:
                took = time.monotonic() - began
                if took > _SLOW:
                    self.again_at, self._away = time.monotonic() + _PAUSE * took, str(error.orig)
                raise unusable(self.name, error.orig, CatalogAway) from error
            with connection:
                yield connection

    @contextlib.contextmanager
    def translated(self) -> Iterator[None]:
        """Say in a sentence what the database or its driver said."""
        import psycopg

        try:
            yield
        except sa.exc.DBAPIError as error:
            raise unusable(self.name, error.orig) from error
        except psycopg.Error as error:  # of a COPY
            raise unusable(self.name, error) from error

    @staticmethod
    def _answer(connection: sa.Connection, question: sa.TextClause, values: dict[str, Any]) -> bool:
        answer = connection.execute(question, values).scalar()
        connection.commit()  # what is held is held by the session
        return bool(answer)


@contextlib.contextmanager
def _locked(connection: sa.Connection, lock: str, timeout: float) -> Iterator[None]:
    """Open a transaction that holds an advisory lock; wait `timeout` seconds for it and for other locks."""
    with connection.begin():
        connection.execute(_TAKE, {"lock": number(lock), "patience": f"{timeout * 1000:.0f}"})
        yield


def _state_of(error: CatalogError) -> str | None:
    """Give PostgreSQL's code of what went wrong."""
    return getattr(getattr(error.__cause__, "orig", None), "sqlstate", None)
