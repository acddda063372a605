"""`/healthz`: whether documents can be served, the time of the last successful publish run, and current failures.

The report is public: it names failures without paths and without the output of other programs. A publisher without
workers serves the report with a small HTTP server of its own.
"""

import json
import logging
import socket
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

from feeds.catalog import Catalog, Failure, Failures, LastRun
from feeds.core.errors import CatalogError, FeedsError

_LOG = logging.getLogger(__name__)
_REQUEST_TIMEOUT_S = 5.0  # for a client to send its request
_CATALOG_TIMEOUT_S = 1.0  # for a reply of the catalog; without an event loop, a health check occupies a thread
_POLL_INTERVAL_S = 0.5


class PublisherState(NamedTuple):
    """The state of a publisher without workers."""

    is_running: bool  # whether all its threads are alive
    is_leader: bool


class Health:
    """The health of this process."""

    def __init__(
        self, catalog: Catalog, failures: Failures, publisher_state: Callable[[], PublisherState] | None = None
    ) -> None:
        """Report on a process that serves documents or, if `publisher_state` is given, a publisher without workers."""
        self._catalog = catalog
        self._failures = failures
        self._publisher_state = publisher_state
        self._run: LastRun | None = None
        self._revision = 0
        self._stored_failures: dict[str, Failure] = {}  # as last read from the catalog
        self._unavailable: str | None = None  # why the catalog could not be read
        self._polled_at: float | None = None  # when the catalog last answered, if it is polled
        self._querying = threading.Lock()
        self._stopping = threading.Event()
        self._query_thread: threading.Thread | None = None

    def start_polling(self, previous: "Health | None" = None) -> None:
        """Query the catalog now, and then twice a second in a thread, so that `report` returns at once.

        `previous` has reported on the same catalog until now. Its values are reported until the first reply.
        """
        if previous:
            self._revision, self._run = previous._revision, previous._run  # noqa: SLF001  # of the same class
        self._query_in_time()
        self._polled_at = time.monotonic()
        threading.Thread(target=self._poll, name="health", daemon=True).start()

    def stop_polling(self) -> None:
        """End the thread that queries the catalog."""
        self._stopping.set()

    def _poll(self) -> None:
        while not self._stopping.wait(_POLL_INTERVAL_S):
            try:
                self._query()
            except Exception:  # `report` soon reports it, because `_polled_at` is not renewed
                _LOG.exception("the health check of the catalog failed")
            else:
                self._polled_at = time.monotonic()

    def report(self) -> tuple[dict[str, Any], int]:
        """Return the content of `/healthz` and its HTTP status.

        The status is 503 if no document can be served, or if a publisher's threads have ended; else 200.
        """
        unavailable = self._unavailable if self._is_catalog_responding() else "the catalog does not answer"
        run = self._run
        failures = self._stored_failures | self._failures.in_memory()
        failure = "; ".join(f"{task}: {failures[task].public_message}" for task in sorted(failures))
        working = "degraded" if failure else "ok"
        content = {
            "revision": self._revision,
            "regenerated": run.at.isoformat() if run else None,
            "age": (datetime.now(UTC) - run.at).total_seconds() if run else None,
            "failure": failure or unavailable,
        }
        if self._publisher_state is None:
            if self._revision:
                return {"status": "serving from memory" if unavailable else working, **content}, 200
            return {"status": "failing" if unavailable else "starting", **content}, 503
        publisher = self._publisher_state()
        if not publisher.is_running:
            return {"status": "failing", **content}, 503
        status = "waiting for the catalog" if unavailable else working if publisher.is_leader else "standing by"
        return {"status": status, **content}, 200

    def _is_catalog_responding(self) -> bool:
        if self._polled_at is None:
            return self._query_in_time()
        return time.monotonic() - self._polled_at <= _POLL_INTERVAL_S + _CATALOG_TIMEOUT_S

    def _query_in_time(self) -> bool:
        """Query the catalog and return whether it has answered in time. While a query runs, return False at once."""
        with self._querying:
            if self._query_thread and self._query_thread.is_alive():
                return False
            self._query_thread = threading.Thread(target=self._query, name="health", daemon=True)
            self._query_thread.start()
            self._query_thread.join(_CATALOG_TIMEOUT_S)
            return not self._query_thread.is_alive()

    def _query(self) -> None:
        try:
            with self._catalog.read_transaction() as reader:
                self._revision, self._run = reader.revision() or self._revision, reader.state.last_run
            self._stored_failures = self._catalog.failures()
            self._unavailable = None
        except CatalogError as error:
            self._unavailable = error.public_message


def start_server(host: str, port: int, health: Health) -> Callable[[], None]:
    """Serve `/healthz` in a thread and return a function that stops it.

    Raise `FeedsError` if the address can't be listened on.
    """

    class HealthProbe(BaseHTTPRequestHandler):
        timeout = _REQUEST_TIMEOUT_S

        def do_GET(self) -> None:
            self._respond(with_body=True)

        def do_HEAD(self) -> None:
            self._respond(with_body=False)

        def _respond(self, *, with_body: bool) -> None:
            is_known = self.path.partition("?")[0] == "/healthz"
            content, status = health.report() if is_known else ({"status": "no such"}, 404)
            body = f"{json.dumps(content)}\n".encode()
            self.send_response(status)
            for name, value in (
                ("Content-Type", "application/json"),
                ("Content-Length", str(len(body))),
                ("Cache-Control", "no-store"),
            ):
                self.send_header(name, value)
            self.end_headers()
            if with_body:
                self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Log nothing: a probe comes every few seconds."""

    class HealthServer(ThreadingHTTPServer):
        address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        daemon_threads = True

    try:
        server = HealthServer((host, port), HealthProbe)
    except OSError as error:
        raise FeedsError(f"can't listen on {host}:{port}: {error.strerror}; choose another --host or --port") from None
    threading.Thread(target=server.serve_forever, name="health", daemon=True).start()

    def stop() -> None:
        server.shutdown()
        server.server_close()

    return stop
