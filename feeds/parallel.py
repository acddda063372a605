"""Processes for CPU-bound work, one for each available core, and threads for I/O-bound calls."""

import gc
import os
import signal
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import Future, ProcessPoolExecutor

S = TypeVar("S")
T = TypeVar("T")


def cpu_count() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class PausableThreads(Protocol):
    """Threads that can end before this process is forked, and be started again afterwards."""

    def count(self) -> int:
        """Return how many threads run."""

    def pause(self) -> None:
        """End all threads."""

    def resume(self) -> None:
        """Start them again."""


_pausable: list[PausableThreads] = []


@contextmanager
def pausable_threads(threads: PausableThreads) -> Iterator[None]:
    """Allow forks within the block, although some threads run: they are paused during each fork."""
    _pausable.append(threads)
    try:
        yield
    finally:
        _pausable.remove(threads)


def can_fork() -> bool:
    """Return whether a process can be forked from this one: on Linux, if this process has one thread.

    A fork has no copies of other threads, so locks that they hold stay locked. The system libraries of macOS may have
    threads at any time.
    """
    try:
        threads = len(os.listdir("/proc/self/task"))  # noqa: PTH208  # also threads that Python does not know
    except OSError:
        return False
    return threads == 1 + sum(group.count() for group in _pausable)


def process_pool(initializer: Callable[..., object], *arguments: Any, fork: bool = False) -> "ProcessPoolExecutor":
    """Return a pool of `cpu_count` processes, each of which calls an initializer first.

    If `fork` is true, the processes are forked from this one (see `can_fork`). This takes milliseconds, and they have
    all modules that this process has imported. Raise `OSError` if forking fails. If `fork` is false, new processes are
    started by the first call, which takes half a second of CPU for each.
    """
    import multiprocessing  # not needed by most runs
    from concurrent.futures import ProcessPoolExecutor

    context = multiprocessing.get_context("fork" if fork else "spawn")
    pool = ProcessPoolExecutor(cpu_count(), context, initializer=_initialize, initargs=(initializer, arguments))
    if fork:
        for group in _pausable:
            group.pause()
        try:
            pool.submit(int)  # the first call starts all processes
        except OSError:
            for process in multiprocessing.active_children():
                process.kill()
            raise
        finally:
            for group in _pausable:
                group.resume()
    return pool


def end_pool(processes: "ProcessPoolExecutor") -> None:
    """End the processes of a pool after the calls that run; calls that have not begun are cancelled.

    If that is interrupted, by a second Ctrl-C, the processes are killed: otherwise the interpreter would wait for them
    when it exits, for ever.
    """
    try:
        processes.shutdown(cancel_futures=True)
    except BaseException:
        # ProcessPoolExecutor has a method for this only from Python 3.14 on
        for process in list((processes._processes or {}).values()):  # noqa: SLF001
            process.kill()
        raise


def try_submit(processes: "ProcessPoolExecutor", call: Callable[..., T], *arguments: Any) -> "Future[T] | None":
    """Submit a call to a pool. Return None if a process of the pool was killed, or none can be started."""
    from concurrent.futures import BrokenExecutor

    try:
        return processes.submit(call, *arguments)
    except (BrokenExecutor, OSError, EOFError):
        return None


def map_in_threads(max_threads: int, call: Callable[[S], T], items: Iterable[S]) -> Iterator[T]:
    """Yield the results of a call for each item, in order, from at most `max_threads` threads.

    With one thread, the calls run in the current one. If a call raises an exception, or the caller stops, calls that
    have not begun are cancelled.
    """
    if max_threads == 1:
        yield from map(call, items)
        return
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(max_threads) as threads:
        yield from threads.map(call, items)


def _initialize(initializer: Callable[..., object], arguments: tuple[Any, ...]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent process handles Ctrl-C
    gc.disable()  # the process lives for seconds and creates no cycles worth collecting
    threading.Thread(target=_exit_with_parent, name="parent", daemon=True).start()
    initializer(*arguments)


def _exit_with_parent() -> None:
    """Exit when the parent process ends: if it was killed, it can't end its pool."""
    from multiprocessing import connection, parent_process

    parent = parent_process()
    assert parent is not None, "a process of a pool has a parent"
    connection.wait([parent.sentinel])
    os._exit(1)


def call_in_forks(method: Callable[[], object]) -> None:
    """Call a method in every process that is forked from this one, as long as the method's object exists."""
    reference = weakref.WeakMethod(method)  # a registered function can't be removed, and must not keep the object alive

    def call() -> None:
        if method := reference():
            method()

    os.register_at_fork(after_in_child=call)
