"""SQLite as the catalog uses it: how it is opened, how long it is waited for, and what it says in a sentence."""

import contextlib
import fcntl
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from feeds.catalog.rows import packed_as_text
from feeds.errors import CatalogDamaged, CatalogError

_DAMAGE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
READERS_ROOM, WRITERS_ROOM = 16 << 10, 64 << 10  # KiB of the database that are held
PATIENCE = 30.0  # seconds to wait for who is just making the same catalog
_HURRIED = 1_000  # ms that who can try again waits for another writer


def engine_of(file: Path | None) -> sa.Engine:
    if file is None:
        engine = sa.create_engine("sqlite://", poolclass=sa.StaticPool, connect_args={"check_same_thread": False})
    else:
        engine = sa.create_engine(sa.URL.create("sqlite", database=str(file)), connect_args={"timeout": 30})

    def begin(connection: sa.Connection) -> None:
        options = connection.get_execution_options()
        writes, wipes = options.get("writes"), options.get("wipes", False)
        connection.exec_driver_sql(f"PRAGMA cache_size=-{writes or READERS_ROOM}")
        connection.exec_driver_sql(f"PRAGMA secure_delete={wipes}")
        connection.exec_driver_sql(f"PRAGMA busy_timeout={_HURRIED if options.get('hurries') else PATIENCE * 1000:.0f}")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    def connected(connection: Any, _record: Any) -> None:
        connection.create_function("packed", 2, packed_as_text, deterministic=True)  # for a migration
        connection.isolation_level = None  # transactions are ours: pysqlite would begin them late
        connection.execute("PRAGMA foreign_keys=ON")
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute("PRAGMA wal_autocheckpoint=16384")  # pages: each is copied to its place once, not often
        connection.execute("PRAGMA journal_size_limit=67108864")

    sa.event.listen(engine, "connect", connected)
    sa.event.listen(engine, "begin", begin)
    return engine


@contextlib.contextmanager
def translated(file: Path | None) -> Iterator[None]:
    """Say in a sentence what the database said."""
    try:
        yield
    except sa.exc.DBAPIError as error:
        if getattr(error.orig, "sqlite_errorcode", 0) & 0xFF in _DAMAGE:
            raise CatalogDamaged(f"{file}: the catalog is damaged: {error.orig}") from error
        raise unusable(file, error.orig) from error


def unusable(file: Path | None, reason: object) -> CatalogError:
    return CatalogError(f"{file}: the catalog can't be used: {reason}")


def try_lock(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
