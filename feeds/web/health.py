"""`/healthz`: whether documents can be served, how old the last good regeneration is, and what fails at present.

Anybody may read it: it names what fails without paths, and without anything that another program printed. A process
that only publishes answers nothing else, on a small server of its own: probes are all that comes there.
"""

import json
import logging
import socket
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from feeds.catalog import Catalog, Failure, Failures, Run
from feeds.errors import CatalogError, FeedsError

_LOG = logging.getLogger(__name__)
_PATIENCE = 5.0  # seconds for a probe's request
_ANSWERS_WITHIN = 1.0  # seconds for the catalog: whoever asks us may be keeping readers waiting
_EVERY = 0.5  # seconds between two questions to it, where nobody may wait for it


class Health:
    """What is said of one process."""

    def __init__(
        self, catalog: Catalog, failures: Failures, publishes: Callable[[], tuple[bool, bool]] | None = None
    ) -> None:
        """Of one that only publishes, `publishes` tells whether all its threads live, and whether it leads."""
        self._catalog = catalog
        self._failures = failures
        self._publishes = publishes
        self._run: Run | None = None
        self._revision = 0
        self._known: dict[str, Failure] = {}  # what fails, as the catalog said the last time
        self._away: str | None = None
        self._asked_last: float | None = None  # when the catalog answered, where it is asked all the time
        self._asking = threading.Lock()
        self._question: threading.Thread | None = None

    def keep(self) -> None:
        """Ask the catalog now, and from now on twice a second in a thread, so that `said` returns at once."""
        self._asked()
        self._asked_last = time.monotonic()
        threading.Thread(target=self._ask_for_ever, name="health", daemon=True).start()

    def _ask_for_ever(self) -> None:
        while True:
            time.sleep(_EVERY)
            try:
                self._ask()
            except Exception:  # whose time is over in a moment if it fails again
                _LOG.exception("the catalog could not be asked how it is")
            else:
                self._asked_last = time.monotonic()

    def said(self) -> tuple[dict[str, Any], int]:
        """Give facts and a status: 503 only if nothing can be served, or, of a publisher, if it no longer works."""
        away = self._away if self._has_answered() else "the catalog does not answer"
        run = self._run
        failing = self._known | self._failures.in_memory()
        failure = "; ".join(f"{task}: {failing[task].public}" for task in sorted(failing))
        works = "degraded" if failure else "ok"
        facts = {
            "revision": self._revision,
            "regenerated": run.at.isoformat() if run else None,
            "age": (datetime.now(UTC) - run.at).total_seconds() if run else None,
            "failure": failure or away,
        }
        if self._publishes is None:
            status = (
                ("serving what is kept" if away else works) if self._revision else "failing" if away else "starting"
            )
            return {"status": status, **facts}, 200 if self._revision else 503
        lives, leads = self._publishes()
        status = "waiting for the catalog" if away else works if leads else "standing by"
        return {"status": status if lives else "failing", **facts}, 200 if lives else 503

    def _has_answered(self) -> bool:
        if self._asked_last is None:
            return self._asked()
        return time.monotonic() - self._asked_last <= _EVERY + _ANSWERS_WITHIN

    def _asked(self) -> bool:
        """Ask the catalog; tells whether it has answered. As long as one question is open, nobody waits for another."""
        with self._asking:
            if self._question and self._question.is_alive():
                return False
            self._question = threading.Thread(target=self._ask, name="health", daemon=True)
            self._question.start()
            self._question.join(_ANSWERS_WITHIN)
            return not self._question.is_alive()

    def _ask(self) -> None:
        try:
            with self._catalog.reading() as reader:
                self._revision, self._run = reader.revision() or self._revision, reader.run()
            self._known = self._catalog.failures()
            self._away = None
        except CatalogError as error:
            self._away = error.public


def serve(host: str, port: int, health: Health) -> Callable[[], None]:
    """Answer probes from a thread on, until what is given is called. Raises `FeedsError` for an address in use."""

    class Probe(BaseHTTPRequestHandler):
        timeout = _PATIENCE

        def do_GET(self) -> None:
            self._answer(body=True)

        def do_HEAD(self) -> None:
            self._answer(body=False)

        def _answer(self, *, body: bool) -> None:
            facts, status = health.said() if self.path.partition("?")[0] == "/healthz" else ({"status": "no such"}, 404)
            text = f"{json.dumps(facts)}\n".encode()
            self.send_response(status)
            for name, value in (
                ("Content-Type", "application/json"),
                ("Content-Length", str(len(text))),
                ("Cache-Control", "no-store"),
            ):
                self.send_header(name, value)
            self.end_headers()
            if body:
                self.wfile.write(text)

        def log_message(self, *_: object) -> None:
            """Say nothing: a probe comes every few seconds."""

    class Server(ThreadingHTTPServer):
        address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        daemon_threads = True

    try:
        server = Server((host, port), Probe)
    except OSError as error:
        raise FeedsError(f"can't listen on {host}:{port}: {error.strerror}; --host or --port names another") from None
    threading.Thread(target=server.serve_forever, name="health", daemon=True).start()

    def stop() -> None:
        server.shutdown()
        server.server_close()

    return stop
