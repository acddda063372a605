"""The catalog: articles with their text, ids once minted, memberships, and revisions. The only SQL of the house.

One writer commits a revision; any number of readers read one, and each sees one consistent revision. It is a SQLite
file, or a schema of a PostgreSQL database. The catalog remembers and finds; it decides nothing.
"""

import contextlib
import os
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import sqlalchemy as sa

from feeds.catalog import mend
from feeds.catalog.engine import PATIENCE, RUN, Database, Leadership
from feeds.catalog.failures import Failure, Failures, changed, decode
from feeds.catalog.reader import Reader
from feeds.catalog.rows import (
    Claim,
    Counted,
    Holder,
    Known,
    Linking,
    Pending,
    Place,
    Reading,
    Record,
    Refusal,
    Rendition,
    Run,
    Shown,
    Staged,
    Stamp,
    Sums,
    Version,
    Visit,
    micros,
    names_by_feed,
)
from feeds.catalog.schema import METADATA, SCHEMA
from feeds.catalog.staging import Staging
from feeds.catalog.stats import StatsReader, StatsWriter
from feeds.catalog.writer import Writer
from feeds.errors import CatalogDamaged, CatalogError

__all__ = [
    "Catalog",
    "Claim",
    "Counted",
    "Failure",
    "Failures",
    "Holder",
    "Known",
    "Leadership",
    "Linking",
    "Pending",
    "Place",
    "Reader",
    "Reading",
    "Record",
    "Refusal",
    "Rendition",
    "Run",
    "Shown",
    "Staged",
    "Staging",
    "Stamp",
    "StatsReader",
    "StatsWriter",
    "Sums",
    "Version",
    "Visit",
    "Writer",
    "micros",
    "names_by_feed",
]


class Catalog:
    """A catalog where `state` says: in a SQLite file, at a postgresql:// URL, or in memory (`None`).

    Who must not wait for a database that hangs says how many seconds each answer of PostgreSQL may take; it is
    `CatalogError` then. Raises `ConfigError` where a database's driver is missing.
    """

    def __init__(self, state: str | Path | None, *, answers_within: float | None = None) -> None:
        self._database = _database(state, answers_within)
        # a connection must not be used by two processes (sqlite.org/howtocorrupt.html, 2.6)
        os.register_at_fork(after_in_child=self._database.forget)

    @property
    def name(self) -> str:
        """What its owner knows it by: a path, or a URL without what is secret in it."""
        return self._database.name

    def create(self) -> None:
        """Make the tables where they are missing, or bring up those of an earlier version.

        Raises `CatalogDamaged` for a file that is no catalog of ours, `CatalogError` for what can't be opened.
        """
        self._database.hide()
        if self._schema() == SCHEMA:
            self._database.reserve_failures()
            return
        with self.lock(PATIENCE):
            self._database.reserve_failures()
            schema = self._schema()  # by now
            if schema == SCHEMA:
                return
            if schema is None:
                self._database.make()
            else:
                self._database.prepare_migration(schema)
            with self._database.writing() as connection:
                self._bring_up(connection, schema)
            self._database.finish_migration(schema)

    def require_current(self) -> None:
        """Raise `CatalogError` for a catalog of an earlier version, which only who writes it brings up."""
        if self._schema() not in {None, SCHEMA}:
            said = "made by an earlier version of feeds; `feeds serve` or `feeds build` brings it up"
            raise CatalogError(f"{self._database.name}: {said}")

    @property
    def is_there(self) -> bool:
        """Tell whether there is a file at our path, or any table in the database."""
        return self._database.is_there

    def mend(self) -> Path | None:
        """Keep what is damaged aside and make a new catalog, with the ids and dates that the old one still tells.

        Gives the path of the old one; None if it is no longer there. For the one writer. Raises `CatalogError`, also
        where that is not ours to do: in PostgreSQL.
        """
        if not self.is_there:
            self.create()
            return None
        aside = self._database.keep_aside()
        self.create()
        with self.writing() as writer:
            writer.save_from(lambda table, key: mend.rows(aside, table, key))
        return aside

    def _bring_up(self, connection: sa.Connection, schema: int | None) -> None:
        """Make the tables, or bring those of an earlier version up to this one."""
        writer = Writer(connection, self._database)
        if schema is None:
            METADATA.create_all(connection)
            self._database.create_stats(connection)
            writer.begin_filling()
            writer.set_meta("born", uuid.uuid4().hex)
        else:
            for statement in (line for step in range(schema, SCHEMA) for line in self._database.migrations[step]):
                connection.exec_driver_sql(statement)
            writer.set_meta("born", writer.meta("born") or uuid.uuid4().hex)
        writer.set_meta("schema", str(SCHEMA))

    def copy(self) -> "Catalog":
        """Give a catalog in memory that holds what this one does, for a run that leaves nothing behind."""
        copied = Catalog(None)
        self._database.copy_to(copied._database.engine)
        with copied.writing() as writer:
            writer.begin_filling()  # with tables alone
        return copied

    def _schema(self) -> int | None:
        """Give the version of a catalog's tables; None where there are none. Raises `CatalogError` for others'."""
        if not self.is_there:
            return None
        with self._database.reading() as connection:
            tables = set(sa.inspect(connection).get_table_names())
            schema = Reader(connection).meta("schema") if {"meta", "articles"} <= tables else None
        if tables and schema is None:
            raise self._database.foreign()
        if schema and int(schema) > SCHEMA:
            said = "written by a newer version of feeds; upgrade, or set another `state`"
            raise CatalogError(f"{self._database.name}: {said}")
        return int(schema) if schema else None

    @contextlib.contextmanager
    def reading(self) -> Iterator["Reader"]:
        """Read one consistent revision."""
        with self._database.reading() as connection:
            yield Reader(connection)

    @contextlib.contextmanager
    def writing(self, *, much: bool = False) -> Iterator["Writer"]:
        """Write, a little or much; all of it is committed at the end, or nothing if an exception passes.

        Another writer is waited for at the beginning. Whoever holds the lock writes as its holder: who lost it can't.
        """
        with self._database.writing(much=much) as connection:
            yield Writer(connection, self._database)

    @contextlib.contextmanager
    def read_stats(self) -> Iterator[StatsReader]:
        """Open a transaction that reads poll statistics. Raises `CatalogError`."""
        with self._database.reading_stats() as connection:
            yield StatsReader(connection)

    @contextlib.contextmanager
    def write_stats(self, *, short_timeout: bool = True) -> Iterator[StatsWriter]:
        """Open a transaction that writes poll statistics. Raises `CatalogError`.

        With `short_timeout`, give up after a second if another writer of statistics holds the lock. A damaged file is
        replaced by a new one with the totals that can still be read, and `CatalogError` is raised: the caller tries
        again.
        """
        try:
            with self._database.writing_stats(short_timeout=short_timeout) as connection:
                yield StatsWriter(connection, self._database)
        except CatalogDamaged as damage:
            rows = list(self._database.repair_stats())
            with self._database.writing_stats() as connection:
                StatsWriter(connection, self._database).take_over(rows)
            said = f"{damage}; the totals that could be read ({len(rows)}) are in a new file"
            raise CatalogError(said) from damage

    def erase_closed_days(self) -> bool:
        """Erase what tells the pollers of closed days apart from the database's files, if any is left.

        Returns whether nothing is left: False if another transaction prevents it for now.
        """
        with self.read_stats() as stats:
            days = stats.days_to_erase()
        if not days:
            return True
        if not self._database.erase_stats():
            return False
        with self.write_stats() as stats:
            stats.erased(days)
        return True

    def failures(self) -> dict[str, Failure]:
        """Return what fails at present, by task. Raise `CatalogError`."""
        return decode(self._database.failures())

    def set_failure(self, task: str, failure: Failure | None) -> None:
        """Keep why a task fails, or that it does not. Raise `CatalogError`."""
        self._database.change_failures(lambda record: changed(record, task, failure))

    def ask(self) -> None:
        """Ask whoever publishes for a regeneration, who sees it in `Reader.asked`."""
        with self.writing() as writer:
            writer.set_meta("asked", str(writer.asked() + 1))

    def lock(
        self, wait: float = 0.0, given_up: Callable[[], bool] = lambda: False
    ) -> contextlib.AbstractContextManager[None]:
        """Hold the lock of the one writer, waiting for it so many seconds, or until one gives up. Raises `Locked`.

        Its holder may ask for it again, around several steps.
        """
        return self._database.lock(RUN, wait, given_up)

    def require_lock(self) -> None:
        """Raise `CatalogError` if the lock that this thread held is lost, with a connection: others may have it now."""
        if not self._database.holds(RUN):
            raise CatalogError(f"{self.name}: the connection that held the lock is lost, and nothing more is written")

    def leadership(self) -> Leadership:
        """Give the lock of the one publisher that leads, which is not taken yet."""
        return self._database.leadership()

    def listening(self) -> contextlib.AbstractContextManager[Callable[[float], object]] | None:
        """Listen for revisions; gives what waits for one, for so many seconds at most. None where nobody tells.

        Raises `CatalogError`, also while it waits.
        """
        return self._database.listening()

    def close(self) -> None:
        """Let go of all connections."""
        self._database.close()


def _database(state: str | Path | None, answers_within: float | None) -> Database:
    if isinstance(state, str):
        from feeds.catalog.postgres import Postgres

        return Postgres(state, answers_within)
    from feeds.catalog.sqlite import Sqlite

    return Sqlite(state)
