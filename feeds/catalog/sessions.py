"""Connections to PostgreSQL, and two long-lived sessions outside the pool: the leader lock and the listener."""

import contextlib
import select
import threading
import time
import uuid
import zlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Protocol, cast

import sqlalchemy as sa

from feeds.catalog.backend import RUN
from feeds.core.errors import CatalogError, ConfigError

if TYPE_CHECKING:
    import psycopg

SCHEMA_OID = "quote_ident(current_schema())::regnamespace::oid::int"
CHANNEL = f"'feeds_' || {SCHEMA_OID}"
_NETWORK_TIMEOUT_MS = 10_000  # after this time without a reply, a connection is closed, and its locks are lost
CLIENT_SETTINGS: dict[str, Any] = {
    "connect_timeout": 5,  # seconds
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": _NETWORK_TIMEOUT_MS,
    "application_name": "feeds",
    "client_encoding": "utf8",
}
SERVER_SETTINGS = {  # settings of each session, which `options` in the URL override
    "tcp_keepalives_idle": 5,
    "tcp_keepalives_interval": 2,
    "tcp_keepalives_count": 3,
    "tcp_user_timeout": _NETWORK_TIMEOUT_MS,
    "client_connection_check_interval": 2_000,  # ms; ends statements of lost clients, which would keep their locks
    "jit": "off",
}


def lock_number(name: str) -> int:
    """Return the number of an advisory lock, which is unique together with the schema's."""
    return zlib.crc32(f"feeds {name}".encode()) - (1 << 31)


def parse_url(url: str) -> sa.URL:
    """Return a parsed postgresql:// URL. Raise `ConfigError`, which does not show the URL, if it is invalid."""
    try:
        parsed = sa.make_url(url)
    except (sa.exc.ArgumentError, ValueError):
        raise ConfigError(["state: must be the URL of a database, such as postgresql://USER@HOST/DATABASE"]) from None
    if parsed.host and "@" in parsed.host:  # the message does not show the host: it has a part of the password
        raise ConfigError(["state: special characters in the password must be percent-encoded, such as %40 for @"])
    return parsed


def require_alive(raw: Any, _record: Any, _proxy: Any) -> None:
    """Discard a pooled connection that the server closed (SQLAlchemy's `checkout` event). No round trip."""
    if is_over(raw):
        raise sa.exc.DisconnectionError


def is_over(raw: Any) -> bool:
    """Return whether an idle connection is known to be closed, without a query: its socket has unread data."""
    if raw.closed:  # it has no socket then
        return True
    poll = select.poll()
    poll.register(raw.pgconn.socket, select.POLLIN)
    return bool(poll.poll(0))


def limit_reply_time(engine: sa.Engine, seconds: float) -> None:
    """Close an engine's connections that wait longer than `seconds` for a reply, with psycopg.OperationalError.

    The server of a database that hangs still accepts data, so no timeout of the network applies.
    """
    import psycopg

    class TimeLimitedSession(psycopg.Connection[Any]):
        def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
            deadline = time.monotonic() + seconds
            try:
                return super().wait(gen, interval, seconds if timeout is None else timeout)
            except psycopg.OperationalError:
                if timeout is not None or time.monotonic() < deadline:
                    raise
                self.close()  # a late reply may still arrive
                raise psycopg.OperationalError(f"no reply for {seconds:g} s") from None

    def connect(_dialect: object, _record: object, arguments: Any, values: Any) -> Any:
        return TimeLimitedSession.connect(*arguments, **values)

    sa.event.listen(engine, "do_connect", connect)


_IDLE_TIMEOUT_MS = 5_000  # the server ends a leader's session without queries for this time; it sends one a second
_PUBLISHER = "feeds publisher"  # with a number, the application name of processes that can become the leader
_SET_IDLE_TIMEOUT = f"""
    SELECT set_config(name, '{_IDLE_TIMEOUT_MS}', false) FROM pg_settings WHERE name = 'idle_session_timeout'
"""  # noqa: S608  # constants
_ACQUIRE = f"SELECT pg_try_advisory_lock({lock_number('lead')}, {SCHEMA_OID})"
_END_OTHER_RUNS = f"""
    SELECT count(pg_terminate_backend(pid)) FROM pg_locks JOIN pg_stat_activity USING (pid)
    WHERE locktype = 'advisory' AND granted AND datname = current_database() AND database = datid
      AND classid::bigint::bit(32)::int = {lock_number(RUN)} AND objid::bigint::bit(32)::int = {SCHEMA_OID}
      AND application_name LIKE '{_PUBLISHER} %' AND application_name <> current_setting('application_name')
"""  # noqa: S608  # constants; runs of `feeds build` go on


class Connections(Protocol):
    """The connections of a catalog in PostgreSQL."""

    engine: sa.Engine
    paused_until: float  # no connection is opened before this time, by the monotonic clock

    def translated_errors(self) -> contextlib.AbstractContextManager[None]:
        """Raise errors of the database as `CatalogError`."""

    def close(self) -> None:
        """Close the pool."""


def open_session(postgres: Connections) -> "psycopg.Connection[Any]":
    """Return a connection outside the pool, in autocommit mode. Raise `CatalogError`.

    Callers try again at short intervals. When a call succeeds, the pause after failed connections ends.
    """
    with postgres.translated_errors():
        pooled = postgres.engine.raw_connection()
        session = cast("psycopg.Connection[Any]", pooled.driver_connection)
        pooled.detach()
        session.autocommit = True
    postgres.paused_until = float("-inf")
    return session


class SessionLeaderLock:
    """The leader lock as an advisory lock of a session.

    PostgreSQL releases the lock when the session ends, and ends a session that sends no query for some seconds. So a
    publisher that is stopped or disconnected stops being the leader. That publisher's run may still hold the run lock
    on another connection; the next leader closes that connection, so the run is rolled back.
    """

    def __init__(self, postgres: Connections) -> None:
        self._postgres = postgres
        self._session: psycopg.Connection[Any] | None = None
        self._querying = threading.Lock()
        name = f"{_PUBLISHER} {uuid.uuid4().hex[:12]}"

        def set_name(_dialect: object, _record: object, _arguments: object, values: dict[str, Any]) -> None:
            values["application_name"] = name

        sa.event.listen(postgres.engine, "do_connect", set_name)
        postgres.close()  # connections with another name

    def acquire(self) -> bool:
        """Acquire the lock if it is free. Return whether this process holds it. Raise `CatalogError`."""
        with self._querying:
            if self._session is None:
                self._session = open_session(self._postgres)
                self._query(_SET_IDLE_TIMEOUT)
            if not self._query(_ACQUIRE):
                return False
            self._query(_END_OTHER_RUNS)
            return True

    def is_held(self) -> bool:
        """Return whether this process still holds the lock, that is, whether its session replies."""
        with self._querying:
            try:
                return bool(self._query("SELECT 1"))
            except CatalogError:
                return False

    def release(self) -> None:
        """Release the lock by closing the session."""
        session, self._session = self._session, None
        if session:
            session.close()

    def _query(self, query: str) -> object:
        if self._session is None:
            return None
        try:
            with self._postgres.translated_errors():
                row = self._session.execute(query.encode()).fetchone()
                return row[0] if row else None
        except CatalogError:
            self.release()
            raise


@contextlib.contextmanager
def listen_for_revisions(postgres: Connections) -> Iterator[Callable[[float], None]]:
    """Yield `wait(seconds)`, which blocks until a revision is announced. Raise `CatalogError`, also while waiting."""
    with contextlib.closing(open_session(postgres)) as session, postgres.translated_errors():
        row = session.execute(f"SELECT {CHANNEL}".encode()).fetchone()
        session.execute(f'LISTEN "{row[0] if row else ""}"'.encode())

        def wait(seconds: float) -> None:
            for _ in session.notifies(timeout=seconds, stop_after=1):
                pass

        yield wait
