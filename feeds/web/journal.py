"""What happened in one worker, written behind the requests' back: an append to a queue is all that it costs them."""

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
from wsgiref.types import WSGIEnvironment

from feeds.errors import FeedsError

_LOG = logging.getLogger(__name__)
_EVERY = 0.5  # seconds
_QUEUE = 1_000_000  # requests that may wait to be written; the oldest are lost before memory is
_LONGEST = 500  # characters of what a client says in one field of a line
_HIDDEN = "[hidden]"  # in the place of a secret


@dataclass(frozen=True, slots=True)
class Request:
    """One request and its answer."""

    at: float  # seconds since 1970
    document: str  # its path, "" for what is none
    status: str  # three digits
    size: int  # bytes of the answer's body
    facts: dict[str, Any] | None  # what else an access log says


class Journal:
    """A queue of requests, and the thread that hands them on twice a second."""

    def __init__(self, tasks: list[Callable[[list[Request]], Any]], *, wanted: bool, logged: bool) -> None:
        """`tasks` are given what has queued; `wanted`: whether requests queue at all, `logged`: with all facts."""
        self._queue: deque[Request] = deque(maxlen=_QUEUE)
        self._tasks = tasks
        self._logged = logged
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self.note = self._note if wanted else None

    def start(self) -> None:
        """Hand on from now on, also in processes that a server forks off this one."""
        os.register_at_fork(after_in_child=self._start)
        self._start()

    def _start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Run the tasks once more and end the thread."""
        self._stopping.set()
        if self._thread:
            self._thread.join()

    def _note(self, environ: WSGIEnvironment, document: str, status: str, size: int) -> None:
        self._queue.append(Request(time.time(), document, status, size, _facts(environ) if self._logged else None))

    def _run(self) -> None:
        said = [""] * len(self._tasks)  # what went wrong with each the last time
        stopping = False
        while not stopping:
            stopping = self._stopping.wait(_EVERY)
            requests = [self._queue.popleft() for _ in range(len(self._queue))]
            for number, task in enumerate(self._tasks):
                try:
                    task(requests)
                    said[number] = ""
                except (OSError, FeedsError) as error:
                    if str(error) not in said:  # once, not twice a second
                        _LOG.warning("%s", error)
                    said[number] = str(error)
                except Exception:  # what is served goes on
                    _LOG.exception("the journal could not be written")


def access_log(file: str, root: Path, secret: str | None = None) -> Callable[[list[Request]], None]:
    """Return what writes an access log, a JSON object a line, to a file below `root`, or for "-" to standard output.

    The `secret`, which may be in a request's URL or Referer, is in no line.
    """

    def write(requests: list[Request]) -> None:
        lines = "".join(_line(one, secret) for one in requests)
        if file == "-":
            sys.stdout.write(lines)
            sys.stdout.flush()
        elif lines:
            # opened each time, so that who rotates it need not tell us; one write, so that workers keep lines apart
            try:
                with open(root / file, "ab", buffering=0, opener=_private) as log:  # which has no opener
                    log.write(lines.encode())
            except OSError as error:
                what = f"{root / file}: the access log can't be written: {error.strerror}"
                raise FeedsError(f"{what}; server.access_log names another") from None

    return write


def _private(path: str, flags: int) -> int:
    """Open a file; one that is created is for its owner alone, whatever the umask."""
    return os.open(path, flags, 0o600)


def _facts(environ: WSGIEnvironment) -> dict[str, Any]:
    facts = {
        "client": environ.get("REMOTE_ADDR"),
        "forwarded": environ.get("HTTP_X_FORWARDED_FOR") or environ.get("HTTP_X_REAL_IP"),
        "method": environ["REQUEST_METHOD"],
        "path": environ["PATH_INFO"].encode("latin-1", "replace").decode("utf-8", "replace"),
        "query": environ.get("QUERY_STRING") or None,
        "protocol": environ.get("SERVER_PROTOCOL"),
        "agent": environ.get("HTTP_USER_AGENT"),
        "referer": environ.get("HTTP_REFERER"),
    }
    # cut here, so that what waits to be written is bounded too
    return {name: said and said[: 2 * _LONGEST] for name, said in facts.items()} | {
        "conditional": "HTTP_IF_NONE_MATCH" in environ or "HTTP_IF_MODIFIED_SINCE" in environ
    }


def _line(request: Request, secret: str | None) -> str:
    said: dict[str, object] = {"time": datetime.fromtimestamp(request.at, UTC).isoformat(timespec="milliseconds")}
    said |= {name: _shown(value, secret) for name, value in (request.facts or {}).items()}
    said |= {"document": request.document or None, "status": int(request.status), "bytes": request.size}
    # JSON in ASCII: a control character is written as \\u and four digits
    return json.dumps({key: value for key, value in said.items() if value is not None}) + "\n"


def _shown(value: object, secret: str | None) -> object:
    if not isinstance(value, str):
        return value
    shown = value.replace(secret, _HIDDEN) if secret else value
    return shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]}…"
