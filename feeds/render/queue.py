"""The one thread that renders, and the requests that wait for it.

Several threads would compete for the interpreter lock. A request waits for a second at most. Jobs run by priority:
documents that clients poll, documents that are requested for the first time, pages, archives. A crawler may request
thousands of documents of every kind except the first. So a long job yields to more urgent ones, and after each job of
the last three kinds, the thread pauses, so that the interpreter can run other requests.
"""

import itertools
import queue
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future
from enum import IntEnum
from typing import Any, NamedTuple, TypeVar

from feeds.core.errors import FeedsError

T = TypeVar("T")

_RENDER_TIMEOUT_S = 1.0  # from the first request for a job
_PAUSE = 1.0  # after a job of lower priority than `POLLED`, as a multiple of the time that it took
_MAX_PAUSE_S = 0.05
_STOP = ""  # the key of the last job, which ends the thread


class Priority(IntEnum):
    """The purpose of a job. The lowest number runs first."""

    POLLED = 0  # a live document of which an earlier version is cached
    DOCUMENT = 1
    PAGE = 2
    ARCHIVE = 3


# jobs that may wait; the same numbers of requests may wait for them on an asynchronous server (`feeds.web.concurrency`)
MAX_WAITING = {Priority.POLLED: 1_000, Priority.DOCUMENT: 200, Priority.PAGE: 50, Priority.ARCHIVE: 50}


class RenderQueueFull(FeedsError):
    """Too many jobs are waiting, or a job takes too long; repeat the request soon."""


class _Job(NamedTuple):
    """A job in the queue, in the order in which jobs run."""

    priority: Priority
    number: int
    key: str
    call: Callable[[], Any]


class _PendingResult(NamedTuple):
    """The result of a job that waits or runs, and when the job was first requested, by the monotonic clock."""

    requested_at: float
    future: Future[Any]


class InlineExecutor:
    """Runs each job in the calling thread."""

    def run(self, _key: str, job: Callable[[], T], _priority: Priority = Priority.PAGE) -> T:
        """Run a job and return its result."""
        return job()

    def yield_to_more_urgent(self, _priority: Priority) -> None:
        """Do nothing: no other job waits."""


class RenderQueue:
    """Runs one job at a time. Requests with the key of a job that waits or runs share its result."""

    def __init__(self) -> None:
        self._jobs: queue.PriorityQueue[_Job] = queue.PriorityQueue()
        self._pending: dict[str, _PendingResult] = {}  # by key
        self._waiting: Counter[Priority] = Counter()
        self._numbers = itertools.count()
        self._is_polled_job_queued = threading.Event()  # ends a pause
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def stop(self) -> None:
        """End the thread after all jobs that are queued."""
        self._jobs.put(_Job(Priority.ARCHIVE, next(self._numbers), _STOP, lambda: None))

    def run(self, key: str, job: Callable[[], T], priority: Priority = Priority.PAGE) -> T:
        """Queue a job, unless one with its key is queued, and return its result.

        Raise the exceptions of the job, or `RenderQueueFull`.
        """
        pending = self._queue(key, job, priority)
        try:
            result: T = pending.future.result(max(0.0, pending.requested_at + _RENDER_TIMEOUT_S - time.monotonic()))
        except TimeoutError:
            raise RenderQueueFull("rendering takes too long") from None
        return result

    def submit(self, key: str, job: Callable[[], Any], priority: Priority = Priority.PAGE) -> None:
        """Queue a job, unless one with its key is queued, and don't wait for it. Raise `RenderQueueFull`."""
        self._queue(key, job, priority)

    def _queue(self, key: str, job: Callable[[], Any], priority: Priority) -> _PendingResult:
        with self._lock:
            pending = self._pending.get(key)
            if pending is None:
                if self._waiting[priority] >= MAX_WAITING[priority]:
                    raise RenderQueueFull("too many documents are waiting to be rendered")
                self._waiting[priority] += 1
                pending = self._pending[key] = _PendingResult(time.monotonic(), Future())
                self._jobs.put(_Job(priority, next(self._numbers), key, job))
                if priority == Priority.POLLED:
                    self._is_polled_job_queued.set()
            if self._thread is None or not self._thread.is_alive():  # no thread survives a fork
                self._thread = threading.Thread(target=self._work, name="render", daemon=True)
                self._thread.start()
        return pending

    def yield_to_more_urgent(self, priority: Priority) -> None:
        """Run all queued jobs that are more urgent than the running job, which calls this method between its steps."""
        while threading.current_thread() is self._thread:
            with self._jobs.mutex:
                if not self._jobs.queue or self._jobs.queue[0].priority >= priority:
                    return
            self._run(self._jobs.get())

    def _work(self) -> None:
        while True:
            job = self._jobs.get()
            if job.key == _STOP:
                with self._lock:
                    if self._jobs.empty():
                        self._thread = None  # a job that is queued later starts another
                        return
                self.stop()
                continue
            started = time.monotonic()
            self._run(job)
            if job.priority > Priority.POLLED:
                self._is_polled_job_queued.wait(min(_PAUSE * (time.monotonic() - started), _MAX_PAUSE_S))

    def _run(self, job: _Job) -> None:
        if job.priority == Priority.POLLED:
            self._is_polled_job_queued.clear()
        future = self._pending[job.key].future
        try:
            result = job.call()
        except BaseException as error:  # the requests that wait for the job raise it
            self._remove(job)
            future.set_exception(error)
        else:
            self._remove(job)
            future.set_result(result)

    def _remove(self, job: _Job) -> None:
        with self._lock:
            del self._pending[job.key]
            self._waiting[job.priority] -= 1
