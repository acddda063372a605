"""The catalog: articles with their text, ids once minted, memberships, and revisions. The only SQL of the house.

One writer commits a revision; any number of readers read one. SQLite in WAL mode, so that readers go on while the
writer writes, and each sees one consistent revision. The catalog remembers and finds; it decides nothing.
"""

import contextlib
import os
import sqlite3
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import sqlalchemy as sa

from feeds.catalog import mend
from feeds.catalog.engine import PATIENCE, READERS_ROOM, WRITERS_ROOM, engine_of, translated, try_lock, unusable
from feeds.catalog.reader import Reader
from feeds.catalog.rows import (
    Counted,
    Holder,
    Known,
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
)
from feeds.catalog.schema import METADATA, MIGRATIONS, SCHEMA
from feeds.catalog.staging import Staging
from feeds.catalog.writer import Writer
from feeds.errors import CatalogDamaged, CatalogError, Locked

__all__ = [
    "Catalog",
    "Counted",
    "Holder",
    "Known",
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
    "Sums",
    "Version",
    "Visit",
    "Writer",
    "micros",
]


class Catalog:
    """A catalog in a SQLite file, or in memory (`None`) for a run that leaves nothing behind.

    The file may be taken away, or another put in its place, at any time: what is at its path now is what counts.
    """

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._engine = engine_of(file)
        self._inode: tuple[int, int] | None = None
        self._locked = False
        # a connection must not be used by two processes (sqlite.org/howtocorrupt.html, 2.6)
        os.register_at_fork(after_in_child=lambda: self._engine.dispose(close=False))

    def create(self) -> None:
        """Make the file and its tables where they are missing, or bring up those of an earlier version.

        Raises `CatalogDamaged` for what is no catalog of ours, `CatalogError` for one that can't be opened.
        """
        self._make_folder()
        with translated(self._file):
            if self._schema() == SCHEMA:
                return
            with self.lock(PATIENCE):
                schema = self._schema()  # by now
                if schema == SCHEMA:
                    return
                if schema is None and self._file:
                    self._file.touch()
                    self._follow()
                    with contextlib.closing(self._engine.raw_connection()) as raw:
                        raw.cursor().execute("PRAGMA journal_mode=WAL")  # which stays in the file
                with self._engine.begin() as connection:
                    self._bring_up(connection, schema)

    def require_current(self) -> None:
        """Raise `CatalogError` for a catalog of an earlier version, which only who writes it brings up."""
        with translated(self._file):
            if self._schema() not in {None, SCHEMA}:
                said = "made by an earlier version of feeds; `feeds serve` or `feeds build` brings it up"
                raise CatalogError(f"{self._file}: {said}")

    @property
    def is_there(self) -> bool:
        """Tell whether there is a file at our path."""
        return self._file is None or self._file.exists()

    def mend(self) -> Path | None:
        """Keep what is damaged aside and make a new catalog, with the ids and dates that the old one still tells.

        Gives the path of the old one; None if it is no longer there. For the one writer. Raises `CatalogError`.
        """
        if self._file is None or not self._file.exists():
            self.create()
            return None
        self._engine.dispose()
        try:
            aside = mend.keep_aside(self._file)
        except OSError as error:
            raise unusable(self._file, error.strerror) from error
        self.create()
        with self.writing() as writer:
            writer.save_from(lambda table, key: mend.rows(aside, table, key))
        return aside

    @staticmethod
    def _bring_up(connection: sa.Connection, schema: int | None) -> None:
        """Make the tables, or bring those of an earlier version up to this one."""
        writer = Writer(connection)
        if schema is None:
            METADATA.create_all(connection)
            writer.set_meta("born", uuid.uuid4().hex)
        else:
            for statement in (line for step in range(schema, SCHEMA) for line in MIGRATIONS[step]):
                connection.exec_driver_sql(statement)
            writer.set_meta("born", writer.meta("born") or uuid.uuid4().hex)
        writer.set_meta("schema", str(SCHEMA))

    def _make_folder(self) -> None:
        try:
            if self._file:
                self._file.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise unusable(self._file, error.strerror) from error

    def copy(self) -> "Catalog":
        """Give a catalog in memory that holds what this one does, for a run that leaves nothing behind."""
        copied = Catalog(None)
        source, target = self._engine.raw_connection(), copied._engine.raw_connection()
        with contextlib.closing(source), contextlib.closing(target):
            ours, theirs = source.driver_connection, target.driver_connection
            cast("sqlite3.Connection", ours).backup(cast("sqlite3.Connection", theirs))
        return copied

    def _schema(self) -> int | None:
        """Give the version of a catalog's tables; None for an empty file. Raises `CatalogError` for anything else."""
        if self._file and not self._file.exists():
            return None
        self._follow()
        with self._engine.connect() as connection:
            tables = set(sa.inspect(connection).get_table_names())
            schema = Reader(connection).meta("schema") if {"meta", "articles"} <= tables else None
        if tables and schema is None:
            raise CatalogDamaged(f"{self._file}: a database, but not a catalog of ours (`state` names it)")
        if schema and int(schema) > SCHEMA:
            raise CatalogError(f"{self._file}: written by a newer version of feeds; upgrade, or set another `state`")
        return int(schema) if schema else None

    @contextlib.contextmanager
    def reading(self) -> Iterator["Reader"]:
        """Read one consistent revision."""
        with translated(self._file):
            self._follow()
            with self._engine.connect() as connection:
                yield Reader(connection)

    @contextlib.contextmanager
    def writing(self, **options: int) -> Iterator["Writer"]:
        """Write; all of it is committed at the end, or nothing if an exception passes.

        Another writer is waited for at the beginning: one that begins to read could not go on to write after another.
        """
        with translated(self._file):
            self._follow()
            with self._engine.execution_options(**{"writes": WRITERS_ROOM, **options}).begin() as connection:
                yield Writer(connection)

    def counting(self, *, hurries: bool = True) -> contextlib.AbstractContextManager[Writer]:
        """Write about who polled: what is deleted is wiped, and who hurries waits for nobody."""
        return self.writing(writes=READERS_ROOM, wipes=True, hurries=hurries)

    def wipe_log(self) -> bool:
        """Empty the log, which has earlier versions of pages. Tells whether nobody hindered that."""
        with translated(self._file), contextlib.closing(self._engine.raw_connection()) as raw:
            return not cast("Any", raw.cursor()).execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]

    def ask(self) -> None:
        """Ask whoever publishes for a regeneration, who sees it in `Reader.asked`."""
        with self.writing() as writer:
            writer.set_meta("asked", str(writer.asked() + 1))

    def _follow(self) -> None:
        """Let go of a file that is no longer the one at our path. Raises `CatalogError` if there is none."""
        if self._file is None:
            return
        try:
            facts = self._file.stat()
        except OSError as error:
            raise unusable(self._file, error.strerror) from error
        if self._inode != (facts.st_dev, facts.st_ino):
            self._engine.dispose()
            self._inode = facts.st_dev, facts.st_ino

    @contextlib.contextmanager
    def lock(self, wait: float = 0.0) -> Iterator[None]:
        """Hold the lock of the one writer, waiting for it so many seconds. Raises `Locked`."""
        if self._file is None or self._locked:  # by ourselves, around several steps
            yield
            return
        self._make_folder()
        try:
            handle = Path(f"{self._file}.lock").open("w", encoding="ascii")  # noqa: SIM115  # closed below
        except OSError as error:
            raise unusable(self._file, error.strerror) from error
        with handle:
            until = time.monotonic() + wait
            while not try_lock(handle.fileno()):
                if time.monotonic() >= until:
                    raise Locked(
                        "another run is regenerating these feeds; nothing was done (--wait SECONDS waits for it)"
                    )
                time.sleep(0.05)
            self._locked = True
            try:
                yield
            finally:
                self._locked = False

    def close(self) -> None:
        """Let go of all connections."""
        self._engine.dispose()
