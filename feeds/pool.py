"""Processes for what takes long, one for each core that we may use, and threads for what waits for others."""

import gc
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import Future, ProcessPoolExecutor

S = TypeVar("S")
T = TypeVar("T")


def cores() -> int:
    """Give how many processes can run at once."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


_prepared = False


def prepare(*modules: str) -> None:
    """Have modules imported for the processes to come, in one that is copied then, while this one goes on.

    A process takes milliseconds to start then and not a second. For a program's first thread, who will need some, and
    ends soon: the one that is copied stays, with its memory, for as long as this one. It listens at a socket among the
    temporary files; where there can be none, processes are started as ever.
    """
    global _prepared  # noqa: PLW0603  # of this process
    if not hasattr(os, "fork"):
        return
    from multiprocessing import forkserver

    # it takes over what we say here: nothing is imported from the folder that we are in, and Ctrl-C is for us
    environment = dict(os.environ)
    os.environ["PYTHONSAFEPATH"] = "1"
    interrupt = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        forkserver.set_forkserver_preload(list(modules))
        forkserver.ensure_running()
        _prepared = True
    except OSError:
        pass
    finally:
        signal.signal(signal.SIGINT, interrupt)
        del os.environ["PYTHONSAFEPATH"]
        os.environ.update(environment)


def is_prepared() -> bool:
    """Return whether processes start in milliseconds, for what they need was imported for them."""
    return _prepared


def pool(begin: Callable[..., object], *values: Any) -> "ProcessPoolExecutor":
    """Start processes, each of which begins with a call. None is a copy of this one, which may run threads."""
    import multiprocessing  # which most runs do without
    from concurrent.futures import ProcessPoolExecutor

    context = multiprocessing.get_context("forkserver" if _prepared else "spawn")
    return ProcessPoolExecutor(cores(), context, initializer=_begin, initargs=(begin, values))


def submitted(processes: "ProcessPoolExecutor", call: Callable[..., T], *values: Any) -> "Future[T] | None":
    """Give processes a call; None if one of them was ended from outside, or none can be started."""
    from concurrent.futures import BrokenExecutor

    try:
        return processes.submit(call, *values)
    except (BrokenExecutor, OSError, EOFError):
        return None


def in_threads(at_once: int, call: Callable[[S], T], items: Iterable[S]) -> Iterator[T]:
    """Yield the results of a call for each item, in order, made by `at_once` threads; by the current thread if it is 1.

    When a call raises an exception, or the caller stops, calls that have not begun are never made.
    """
    if at_once == 1:
        yield from map(call, items)
        return
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(at_once) as threads:
        yield from threads.map(call, items)


def _begin(begin: Callable[..., object], values: tuple[Any, ...]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for who started us
    gc.disable()  # a process that works for seconds only; what it makes is let go of without
    threading.Thread(target=_end_with_parent, name="parent", daemon=True).start()
    begin(*values)


def _end_with_parent() -> None:
    """End when who started us is gone: one that was killed can't tell us to."""
    from multiprocessing import connection, parent_process

    parent = parent_process()
    assert parent is not None, "a process of a pool has one"
    connection.wait([parent.sentinel])
    os._exit(1)
