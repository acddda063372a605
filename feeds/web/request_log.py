"""Passes one worker's requests to the access log and the metrics in a thread; a request only appends to a queue."""

import json
import logging
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from feeds.core.errors import FeedsError
from feeds.parallel import call_in_forks
from feeds.web.request import Request

_LOG = logging.getLogger(__name__)
_INTERVAL_S = 0.5  # between two calls of the tasks
_MAX_QUEUED = 1_000_000  # requests; beyond that the oldest are dropped, to bound memory
_MAX_FIELD_CHARS = 500  # the limit, in the access log, for each value that a client has sent
_HIDDEN = "[hidden]"  # replaces the secret


@dataclass(frozen=True, slots=True)
class LoggedRequest:
    """One request and its response."""

    time: float  # seconds since 1970
    document: str  # path of the document or page; "" for any other request
    status: str  # three digits
    size: int  # bytes of the response's body
    details: dict[str, Any] | None  # the other fields of the access log; None without one


class RequestLog:
    """A queue of requests, and the thread that passes them to tasks twice a second."""

    def __init__(
        self, tasks: list[Callable[[list[LoggedRequest]], Any]], *, is_enabled: bool, with_details: bool
    ) -> None:
        """Prepare the queue.

        Args:
            tasks: called with the requests since the last call.
            is_enabled: whether requests are queued; if false, tasks are still called, with an empty list.
            with_details: whether a request has the fields of the access log.
        """
        self._queue: deque[LoggedRequest] = deque(maxlen=_MAX_QUEUED)
        self._tasks = tasks
        self._with_details = with_details
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self.record = self._record if is_enabled else None

    def start(self) -> None:
        """Start the thread, also in processes that a server forks later."""
        call_in_forks(self._start_thread)
        self._start_thread()

    def _start_thread(self) -> None:
        self._thread = threading.Thread(target=self._run, name="request log", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Run the tasks once more and end the thread."""
        self._stopping.set()
        if self._thread:
            self._thread.join()

    def _record(self, request: Request, document: str, status: str, size: int) -> None:
        details = _details(request) if self._with_details else None
        self._queue.append(LoggedRequest(time.time(), document, status, size, details))

    def _run(self) -> None:
        last_errors = [""] * len(self._tasks)
        is_stopping = False
        while not is_stopping:
            is_stopping = self._stopping.wait(_INTERVAL_S)
            requests = [self._queue.popleft() for _ in range(len(self._queue))]
            for number, task in enumerate(self._tasks):
                try:
                    task(requests)
                    last_errors[number] = ""
                except (OSError, FeedsError) as error:
                    if str(error) not in last_errors:  # log it once, not twice a second
                        _LOG.warning("%s", error)
                    last_errors[number] = str(error)
                except Exception:  # serving continues
                    _LOG.exception("a task of the request log failed")


def access_log_writer(file: str, root: Path, secret: str | None = None) -> Callable[[list[LoggedRequest]], None]:
    """Return a function that appends requests to an access log, one JSON object per line.

    Args:
        file: the log's path below `root`, or "-" for standard output.
        root: a folder.
        secret: replaced in every line; a request's URL or Referer may contain it.
    """

    def write(requests: list[LoggedRequest]) -> None:
        lines = "".join(_line(request, secret) for request in requests)
        if file == "-":
            sys.stdout.write(lines)
            sys.stdout.flush()
        elif lines:
            # the file is opened each time, so that it can be rotated; one write call keeps the workers' lines separate
            try:
                with open(root / file, "ab", buffering=0, opener=_open_private) as log:  # Path.open has no opener
                    log.write(lines.encode())
            except OSError as error:
                message = f"{root / file}: the access log can't be written: {error.strerror}"
                raise FeedsError(f"{message}; check server.access_log") from None

    return write


def _open_private(path: str, flags: int) -> int:
    """Open a file; if it is created, only its owner may read it, whatever the umask."""
    return os.open(path, flags, 0o600)


def _details(request: Request) -> dict[str, Any]:
    details = {
        "client": request.address,
        "forwarded": request.header("x-forwarded-for") or request.header("x-real-ip"),
        "method": request.method,
        "path": request.path,
        "query": request.query or None,
        "protocol": request.protocol,
        "agent": request.header("user-agent"),
        "referer": request.header("referer"),
    }
    # cut here to bound the queue's memory; longer than the field, so that `_clean` finds a secret at its end
    return {name: value and value[: 2 * _MAX_FIELD_CHARS] for name, value in details.items()} | {
        "conditional": request.is_conditional
    }


def _line(request: LoggedRequest, secret: str | None) -> str:
    fields: dict[str, object] = {"time": datetime.fromtimestamp(request.time, UTC).isoformat(timespec="milliseconds")}
    fields |= {name: _clean(value, secret) for name, value in (request.details or {}).items()}
    fields |= {"document": request.document or None, "status": int(request.status), "bytes": request.size}
    # JSON in ASCII: a control character is written as \\u and four digits
    return json.dumps({name: value for name, value in fields.items() if value is not None}) + "\n"


def _clean(value: object, secret: str | None) -> object:
    if not isinstance(value, str):
        return value
    clean = value.replace(secret, _HIDDEN) if secret else value
    return clean if len(clean) <= _MAX_FIELD_CHARS else f"{clean[:_MAX_FIELD_CHARS]}…"
