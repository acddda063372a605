"""The one thread that renders, and the requests that wait for it: not for long.

More threads would take the interpreter from each other. A request waits no longer for it than documents usually take.
Documents that clients poll come before those that nobody has asked for yet, these before pages, and pages before
archives: of all but the first a crawler asks for thousands. A job that takes long gives way to more urgent ones.
"""

import itertools
import queue
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future
from enum import IntEnum
from typing import Any, TypeVar

from feeds.errors import FeedsError

T = TypeVar("T")

_PATIENCE = 1.0  # seconds from when somebody first asked for it


class Urgency(IntEnum):
    """What a job is for; the lowest number is done first."""

    POLLED = 0  # a live document of which an earlier version is in memory
    DOCUMENT = 1
    PAGE = 2
    ARCHIVE = 3


# jobs that may wait; as many requests may wait for them on an asynchronous server (`feeds.web.lanes`)
AT_MOST = {Urgency.POLLED: 1_000, Urgency.DOCUMENT: 200, Urgency.PAGE: 50, Urgency.ARCHIVE: 50}


class Busy(FeedsError):
    """It takes long to render; ask again soon."""


class AtOnce:
    """Does each job at once, for who has nothing else to do."""

    def do(self, _key: str, job: Callable[[], T], _urgency: Urgency = Urgency.PAGE) -> T:
        """Do it."""
        return job()

    def give_way(self, _urgency: Urgency) -> None:
        """Do nothing: nobody waits."""


class Workshop:
    """Does one job at a time, and each for all who ask for it meanwhile."""

    def __init__(self) -> None:
        self._jobs: queue.PriorityQueue[tuple[Urgency, int, str, Callable[[], Any]]] = queue.PriorityQueue()
        self._asked: dict[str, tuple[float, Future[Any]]] = {}  # key -> when it was first asked for
        self._waiting: Counter[Urgency] = Counter()
        self._numbers = itertools.count()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def do(self, key: str, job: Callable[[], T], urgency: Urgency = Urgency.PAGE) -> T:
        """Have a job done, unless it is under way, and wait for it. Raises what it raises, or `Busy`."""
        began, future = self._ask(key, job, urgency)
        try:
            return future.result(max(0.0, began + _PATIENCE - time.monotonic()))
        except TimeoutError:
            raise Busy("this takes long to render") from None

    def begin(self, key: str, job: Callable[[], Any], urgency: Urgency = Urgency.PAGE) -> None:
        """Have a job done, and don't wait for it. Raises `Busy`."""
        self._ask(key, job, urgency)

    def _ask(self, key: str, job: Callable[[], T], urgency: Urgency) -> tuple[float, "Future[T]"]:
        with self._lock:
            asked = self._asked.get(key)
            if asked is None:
                if self._waiting[urgency] >= AT_MOST[urgency]:
                    raise Busy("too much is to be rendered")
                self._waiting[urgency] += 1
                asked = self._asked[key] = time.monotonic(), Future()
                self._jobs.put((urgency, next(self._numbers), key, job))
            if self._thread is None or not self._thread.is_alive():  # which it is not after a fork
                self._thread = threading.Thread(target=self._work, name="render", daemon=True)
                self._thread.start()
        return asked

    def give_way(self, urgency: Urgency) -> None:
        """Do all jobs that are more urgent than one that is under way, and that calls this from time to time."""
        while threading.current_thread() is self._thread:
            with self._jobs.mutex:
                if not self._jobs.queue or self._jobs.queue[0][0] >= urgency:
                    return
            self._work_once()

    def _work(self) -> None:
        while True:
            self._work_once()

    def _work_once(self) -> None:
        urgency, _, key, job = self._jobs.get()
        _, future = self._asked[key]
        try:
            result = job()
        except BaseException as error:  # the requests that wait for it raise it
            self._end(key, urgency)
            future.set_exception(error)
        else:
            self._end(key, urgency)
            future.set_result(result)

    def _end(self, key: str, urgency: Urgency) -> None:
        with self._lock:
            del self._asked[key]
            self._waiting[urgency] -= 1
