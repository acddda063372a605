"""Connections to a SQLite database, and the pragmas of their transactions."""

from pathlib import Path
from typing import Any

import sqlalchemy as sa

from feeds.catalog.backend import WRITE_TIMEOUT_S
from feeds.catalog.encoding import pack_text

PRAGMAS = "pragmas"  # the key in `info` of a connection for its current pragmas; delete it if other code changes one


def create_engine(file: Path | None, read_cache_kib: int) -> sa.Engine:
    """Return the engine of a file, or of a database in memory (None), whose readers cache `read_cache_kib` KiB.

    The execution options `cache_kib`, `log_pages` and `timeout` set the pragmas of a transaction. A transaction with
    `log_pages` is one that writes.
    """
    if file is None:
        engine = sa.create_engine("sqlite://", poolclass=sa.StaticPool, connect_args={"check_same_thread": False})
    else:
        engine = sa.create_engine(
            sa.URL.create("sqlite", database=str(file)), connect_args={"timeout": WRITE_TIMEOUT_S}
        )

    def begin(connection: sa.Connection) -> None:
        options = connection.get_execution_options()
        is_writing = "log_pages" in options
        pragmas = {
            "cache_size": -options.get("cache_kib", read_cache_kib),
            "busy_timeout": int(options.get("timeout", WRITE_TIMEOUT_S) * 1000),
        }
        if is_writing:
            pragmas["wal_autocheckpoint"] = options["log_pages"]
        current = connection.info.setdefault(PRAGMAS, {})
        for name, value in pragmas.items():
            if current.get(name) != value:  # an export begins a transaction for each feed
                connection.exec_driver_sql(f"PRAGMA {name}={value}")
                current[name] = value
        connection.exec_driver_sql("BEGIN IMMEDIATE" if is_writing else "BEGIN")

    def connected(connection: Any, _record: Any) -> None:
        connection.create_function("packed", 2, pack_text, deterministic=True)  # for a migration
        connection.isolation_level = None  # `begin` opens transactions; pysqlite would open them late
        connection.execute("PRAGMA foreign_keys=ON")
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute("PRAGMA secure_delete=OFF")
        connection.execute("PRAGMA temp_store=MEMORY")
        connection.execute("PRAGMA journal_size_limit=67108864")

    sa.event.listen(engine, "connect", connected)
    sa.event.listen(engine, "begin", begin)
    return engine
