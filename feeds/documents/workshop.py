"""The one thread that renders, and the requests that wait for it: not for long.

A worker of ours has one thread for requests: more would take the interpreter from each other. So what takes long is
done here, and a request waits no longer for it than documents usually take.
"""

import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from feeds.errors import FeedsError

T = TypeVar("T")

_PATIENCE = 1.0  # seconds from when somebody first asked for it
_AT_MOST = 100  # jobs that may be waiting


class Busy(FeedsError):
    """It takes long to render; ask again soon."""


class AtOnce:
    """Does each job at once, for who has nothing else to do."""

    def do(self, _key: str, job: Callable[[], T]) -> T:
        """Do it."""
        return job()


class Workshop:
    """Does one job at a time, and each for all who ask for it meanwhile."""

    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue[tuple[str, Callable[[], Any]]] = queue.SimpleQueue()
        self._asked: dict[str, tuple[float, Future[Any]]] = {}  # key -> when it was first asked for
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def do(self, key: str, job: Callable[[], T]) -> T:
        """Have a job done, unless it is under way, and wait for it. Raises what it raises, or `Busy`."""
        began, future = self._ask(key, job)
        try:
            return future.result(max(0.0, began + _PATIENCE - time.monotonic()))
        except TimeoutError:
            raise Busy("this takes long to render") from None

    def begin(self, key: str, job: Callable[[], Any]) -> None:
        """Have a job done, and don't wait for it. Raises `Busy`."""
        self._ask(key, job)

    def _ask(self, key: str, job: Callable[[], T]) -> tuple[float, "Future[T]"]:
        with self._lock:
            asked = self._asked.get(key)
            if asked is None:
                if len(self._asked) >= _AT_MOST:
                    raise Busy("too much is to be rendered")
                asked = self._asked[key] = time.monotonic(), Future()
                self._jobs.put((key, job))
            if self._thread is None or not self._thread.is_alive():  # which it is not after a fork
                self._thread = threading.Thread(target=self._work, name="render", daemon=True)
                self._thread.start()
        return asked

    def _work(self) -> None:
        while True:
            key, job = self._jobs.get()
            _, future = self._asked[key]
            try:
                result = job()
            except BaseException as error:  # whoever asked is told
                self._end(key)
                future.set_exception(error)
            else:
                self._end(key)
                future.set_result(result)

    def _end(self, key: str) -> None:
        with self._lock:
            del self._asked[key]
