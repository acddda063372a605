"""Processes for what takes long: one for each core that we may use."""

import gc
import os
import signal
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from concurrent.futures import ProcessPoolExecutor


def cores() -> int:
    """Give how many processes can run at once."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def pool(begin: Callable[..., object], *values: Any) -> "ProcessPoolExecutor":
    """Start processes, each of which begins with a call. Started anew and not forked: this one may run threads."""
    import multiprocessing  # which most runs do without
    from concurrent.futures import ProcessPoolExecutor

    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(cores(), context, initializer=_begin, initargs=(begin, values))


def _begin(begin: Callable[..., object], values: tuple[Any, ...]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for who started us
    gc.disable()  # a process that works for seconds only; what it makes is let go of without
    begin(*values)
