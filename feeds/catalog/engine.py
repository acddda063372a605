"""What a database does for the catalog: all in which SQLite and PostgreSQL differ is behind `Database`.

Which of them it is, `state` says. Nobody but the two modules beside this one knows more of them.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import sqlalchemy as sa

from feeds.errors import CatalogError, Locked

if TYPE_CHECKING:
    from sqlalchemy.dialects import sqlite

PATIENCE = 30.0  # seconds to wait for another writer
SHORT_TIMEOUT_S = 1.0  # to wait for another writer, for a caller that tries again later
LOOK_EVERY = 0.05  # seconds between two looks at a lock that somebody holds
RUN = "run"  # the lock of the one who publishes

Migrations = Mapping[int, Sequence[str]]  # from a schema to the next: statements
Rows = list[tuple[Any, ...]]


class Leadership(Protocol):
    """That of one publisher among several. Held by one process at most; for several threads."""

    def take(self) -> bool:
        """Take it if nobody has it. Tells whether it is ours. Raises `CatalogError`."""

    def holds(self) -> bool:
        """Tell whether it is ours still, as the database knows it."""

    def give_up(self) -> None:
        """Let others have it."""


class Database(Protocol):
    """One database with its tables. What it says is said in a sentence, as `CatalogError`, and without a password."""

    name: str  # that sentences call it by
    migrations: Migrations
    engine: sa.Engine

    @property
    def is_there(self) -> bool:
        """Tell whether there is anything, be it ours or not."""

    def make(self) -> None:
        """Make what the tables will be in, where that is missing."""

    def foreign(self) -> CatalogError:
        """Give what is to be said of one with other tables than ours."""

    def reading(self) -> AbstractContextManager[sa.Connection]:
        """Begin a transaction that sees one state, whatever is committed meanwhile, and writes nothing."""

    def hide(self) -> None:
        """Take the rights of everybody else on the machine to the files of the catalog, where it has files."""

    def writing(self, *, much: bool = False) -> AbstractContextManager[sa.Connection]:
        """Begin a transaction after whoever else writes; committed at the end, or nothing if an exception passes.

        Who writes `much` goes on while what was committed is put in its place.
        """

    def reading_stats(self) -> AbstractContextManager[sa.Connection]:
        """Begin a transaction that reads poll statistics; there are none before something was written."""

    def writing_stats(self, *, short_timeout: bool = False) -> AbstractContextManager[sa.Connection]:
        """Begin a transaction that writes poll statistics, after other writers of statistics.

        With `short_timeout`, raise `CatalogError` if another writer holds the lock for more than a second. A writer of
        articles never blocks this one. Raises `CatalogDamaged` for a damaged file (`repair_stats`).
        """

    def erase_stats(self) -> bool:
        """Rewrite what holds the statistics, so that no byte of a deleted row is left in the database's files.

        Returns False if another transaction prevents it for now.
        """

    def prepare_migration(self, schema: int) -> None:
        """Do what a migration from `schema` needs to be done outside its transaction; safe to repeat."""

    def finish_migration(self, schema: int | None) -> None:
        """Do what a migration from `schema` needs to be done after its transaction; None: the tables are new."""

    def create_stats(self, connection: sa.Connection) -> None:
        """Create the tables of the statistics with the catalog, if they are in the same place."""

    def repair_stats(self) -> Iterator[tuple[sa.Table, dict[str, Any]]]:
        """Move damaged statistics aside and yield the rows of closed days that can be read; then delete the old file.

        Raises `CatalogError` where the database is not ours to repair.
        """

    def lock(self, name: str, wait: float, given_up: Callable[[], bool]) -> AbstractContextManager[None]:
        """Hold a lock that nobody else holds, waiting so many seconds, or until one gives up. Raises `Locked`.

        A thread that holds it already goes on. While a thread holds `RUN`, it alone publishes.
        """

    def holds(self, name: str) -> bool:
        """Tell whether a lock that this thread has taken is still its, as far as is known. It costs no question."""

    def leadership(self) -> Leadership:
        """Give the lock of the one publisher that leads, which is not taken yet."""

    def listening(self) -> AbstractContextManager[Callable[[float], object]] | None:
        """Listen for revisions; gives what waits for one, for so many seconds at most. None where nobody tells."""

    def insert(self, table: sa.Table) -> "sqlite.Insert":
        """Begin an INSERT … ON CONFLICT, which both have, each in a class of its own."""

    def add(self, connection: sa.Connection, table: sa.Table, names: Sequence[str], rows: Rows) -> None:
        """Insert many rows of values, given in the order of their columns' names: all that have no server default."""

    def many(self, connection: sa.Connection, statement: "Statement", names: Sequence[str], rows: Rows) -> None:
        """Carry out a statement for many rows of values, given in the order of their parameters' names."""

    def put_in(self, connection: sa.Connection, keys: Sequence[int]) -> None:
        """Make entries of articles, one in each feed that an article names, in the order in which they are kept.

        What is there stays.
        """

    def announce(self, connection: sa.Connection) -> None:
        """Tell who listens of a new revision, as soon as it is committed."""

    def failures(self) -> bytes:
        """Return the record of what fails at present (`feeds.catalog.failures`). Raise `CatalogError`."""

    def change_failures(self, change: Callable[[bytes], bytes]) -> None:
        """Replace the record by what `change` returns for it. Raise `CatalogError`."""

    def reserve_failures(self) -> None:
        """Make the record, where a disk may later be too full for it."""

    def keep_aside(self) -> Path:
        """Put what is damaged aside, and give where. Raises `CatalogError` where that is not ours to do."""

    def copy_to(self, memory: sa.Engine) -> None:
        """Copy everything into an empty SQLite in memory."""

    def close(self) -> None:
        """Let go of all connections."""

    def forget(self) -> None:
        """Leave all connections to the process that we come from, in one that was forked off it."""


Statement = sa.Insert | sa.Update | sa.Delete


def carry_out(connection: sa.Connection, statement: Statement, names: Sequence[str], rows: Rows) -> None:
    """Carry out a statement for many rows, whose dialect has positions for parameters.

    SQLAlchemy writes the SQL; a dictionary for each of a million rows would cost more than the database does.
    """
    compiled = statement.compile(dialect=connection.dialect, column_keys=list(names))
    assert isinstance(compiled, sa.sql.compiler.SQLCompiler)
    order = [names.index(name) for name in compiled.positiontup or names]
    in_order = rows if order == list(range(len(names))) else list(map(itemgetter(*order), rows))
    connection.exec_driver_sql(compiled.string, in_order)


def unusable(name: str, reason: object, kind: type[CatalogError] = CatalogError) -> CatalogError:
    said = str(reason).partition("\n")[0].strip().removesuffix(".")
    return kind(f"{name}: the catalog can't be used: {said}")


def taken() -> Locked:
    return Locked("another run is regenerating these feeds; nothing was done (--wait SECONDS waits for it)")
