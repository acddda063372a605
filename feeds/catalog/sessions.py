"""Connections to PostgreSQL, and two sessions that last, on some of their own: one that leads, and one that listens."""

import contextlib
import select
import threading
import time
import uuid
import zlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, cast

import sqlalchemy as sa

from feeds.catalog.engine import RUN
from feeds.errors import CatalogError, ConfigError

if TYPE_CHECKING:
    import psycopg

    from feeds.catalog.postgres import Postgres

HERE = "quote_ident(current_schema())::regnamespace::oid::int"
CHANNEL = f"'feeds_' || {HERE}"
_GONE = 10_000  # ms without an answer of the network after which a connection is gone, and with it its locks
CLIENT: dict[str, Any] = {
    "connect_timeout": 5,  # seconds
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": _GONE,
    "application_name": "feeds",
    "client_encoding": "utf8",
}
SERVER = {  # of our sessions; what the owner says in `options` comes later, and wins
    "tcp_keepalives_idle": 5,
    "tcp_keepalives_interval": 2,
    "tcp_keepalives_count": 3,
    "tcp_user_timeout": _GONE,
    "client_connection_check_interval": 2_000,  # ms: who is gone holds no lock while a statement runs on
    "jit": "off",
}


def number(name: str) -> int:
    """Give the number by which a lock goes in the whole database, beside the schema's."""
    return zlib.crc32(f"feeds {name}".encode()) - (1 << 31)


def parsed(url: str) -> sa.URL:
    """Take a postgresql:// URL apart. Raises `ConfigError`, which shows nothing of it."""
    try:
        where = sa.make_url(url)
    except (sa.exc.ArgumentError, ValueError):
        raise ConfigError(["state: is no address of a database: postgresql://USER@HOST/DATABASE"]) from None
    if where.host and "@" in where.host:  # which is not shown: it is a part of the password
        raise ConfigError(["state: a character of the password that means something in a URL is written like %40"])
    return where


def require_alive(raw: Any, _record: Any, _proxy: Any) -> None:
    """Have a connection replaced that says something unasked: mostly, that it is over. It costs no question."""
    if is_over(raw):
        raise sa.exc.DisconnectionError


def is_over(raw: Any) -> bool:
    """Tell whether a connection that nobody uses is known to be over, without a question."""
    if raw.closed:  # it has no socket then
        return True
    waiting = select.poll()
    waiting.register(raw.pgconn.socket, select.POLLIN)
    return bool(waiting.poll(0))


def end_where_silent(engine: sa.Engine, within: float) -> None:
    """Have an engine's connections end where an answer takes more than so many seconds, as psycopg.OperationalError.

    A database that hangs may never give it, and its server takes what is sent all the same, so that no timeout of the
    network says so.
    """
    import psycopg

    class Impatient(psycopg.Connection[Any]):
        def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
            until = time.monotonic() + within
            try:
                return super().wait(gen, interval, within if timeout is None else timeout)
            except psycopg.OperationalError:
                if timeout is not None or time.monotonic() < until:
                    raise
                self.close()  # what comes of it may still be under way
                raise psycopg.OperationalError(f"it has not answered for {within:g} s") from None

    def connect(_dialect: object, _record: object, arguments: Any, values: Any) -> Any:
        return Impatient.connect(*arguments, **values)

    sa.event.listen(engine, "do_connect", connect)


_SILENCE = 5_000  # ms after which the database ends a leader's session: it is asked something every second
_PUBLISHER = "feeds publisher"  # and a number: as which the connections of who can lead are known
_END_SILENT = f"""
    SELECT set_config(name, '{_SILENCE}', false) FROM pg_settings WHERE name = 'idle_session_timeout'
"""  # noqa: S608  # all ours
_TAKE = f"SELECT pg_try_advisory_lock({number('lead')}, {HERE})"
_END_OTHERS = f"""
    SELECT count(pg_terminate_backend(pid)) FROM pg_locks JOIN pg_stat_activity USING (pid)
    WHERE locktype = 'advisory' AND granted AND datname = current_database() AND database = datid
      AND classid::bigint::bit(32)::int = {number(RUN)} AND objid::bigint::bit(32)::int = {HERE}
      AND application_name LIKE '{_PUBLISHER} %' AND application_name <> current_setting('application_name')
"""  # noqa: S608  # all ours; of the runs, those of publishers: `feeds build` goes on


def open_session(postgres: "Postgres") -> "psycopg.Connection[Any]":
    """Open a connection that is nobody else's, each of whose statements stands for itself. Raises `CatalogError`.

    Whoever wants one asks again and again, however long the database has been away, and so finds out first.
    """
    with postgres.translated():
        pooled = postgres.engine.raw_connection()
        session = cast("psycopg.Connection[Any]", pooled.driver_connection)
        pooled.detach()
        session.autocommit = True
    postgres.again_at = float("-inf")
    return session


class SessionLeadership:
    """A lock of a session's. The database lets go of it when the session ends, or nothing has come for some seconds.

    So a leader that is stopped, or whose network is cut, leads no more. A run that it had under way holds a connection
    of its own: who leads next ends that, and what that run had not committed is not.
    """

    def __init__(self, postgres: "Postgres") -> None:
        self._postgres = postgres
        self._session: psycopg.Connection[Any] | None = None
        self._asking = threading.Lock()
        name = f"{_PUBLISHER} {uuid.uuid4().hex[:12]}"
        sa.event.listen(postgres.engine, "do_connect", lambda *said: said[3].update(application_name=name))
        postgres.close()  # what is known by another name

    def take(self) -> bool:
        """Take it if nobody has it. Raises `CatalogError`."""
        with self._asking:
            if self._session is None:
                self._session = open_session(self._postgres)
                self._ask(_END_SILENT)
            if not self._ask(_TAKE):
                return False
            self._ask(_END_OTHERS)
            return True

    def holds(self) -> bool:
        """Tell whether it is ours still: as long as its session answers."""
        with self._asking:
            try:
                return bool(self._ask("SELECT 1"))
            except CatalogError:
                return False

    def give_up(self) -> None:
        """Let others have it."""
        session, self._session = self._session, None
        if session:
            session.close()

    def _ask(self, question: str) -> object:
        if self._session is None:
            return None
        try:
            with self._postgres.translated():
                row = self._session.execute(question.encode()).fetchone()
                return row[0] if row else None
        except CatalogError:
            self.give_up()
            raise


@contextlib.contextmanager
def listening(postgres: "Postgres") -> Iterator[Callable[[float], None]]:
    """Listen for revisions; gives what waits for one, for so many seconds at most. Raises `CatalogError`."""
    with contextlib.closing(open_session(postgres)) as session, postgres.translated():
        row = session.execute(f"SELECT {CHANNEL}".encode()).fetchone()
        session.execute(f'LISTEN "{row[0] if row else ""}"'.encode())

        def wait(seconds: float) -> None:
            for _ in session.notifies(timeout=seconds, stop_after=1):
                pass

        yield wait
