"""The child's side of a `ConfinedProcess`: its limits, and its loop of requests."""

import contextlib
import json
import resource
import signal
import sys
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any, NoReturn

from feeds.confined.confinement import confine

_CPU_GRACE_S = 2  # after the timer's limit: Python does not handle the timer's signal while native code runs
_MAX_MEMORY_BYTES = 320 << 20  # of address space; a text of 1 MiB needs a third of it


def _raise_timeout(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise TimeoutError


def cpu_time() -> float:
    """Return the CPU time of this process in seconds."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


@contextlib.contextmanager
def limited_cpu(seconds: float) -> Iterator[None]:
    """Raise `TimeoutError` in the block after some CPU time, or else end this process a little later."""
    with contextlib.suppress(ValueError, OSError):  # a lower limit is already in force
        limit = int(cpu_time() + seconds) + _CPU_GRACE_S
        resource.setrlimit(resource.RLIMIT_CPU, (limit, resource.getrlimit(resource.RLIMIT_CPU)[1]))
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)


def limit_process() -> None:  # pragma: no cover  # the confined process can't write coverage data
    """Limit the memory of this process. Call it before the imports that are large."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C ends the parent, and that ends this process
    signal.signal(signal.SIGVTALRM, _raise_timeout)
    with contextlib.suppress(ValueError, OSError):  # a lower limit is already in force
        resource.setrlimit(resource.RLIMIT_AS, (_MAX_MEMORY_BYTES, _MAX_MEMORY_BYTES))
    # if memory runs out, the kernel ends this process first; only Linux has this file; importing pathlib takes 5 ms
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:  # noqa: PTH123
        file.write("1000")


def serve(answer: Callable[[Any], Any]) -> None:  # pragma: no cover  # as above
    """Confine this process. Then write a line for each line of standard input, both JSON, until the input ends."""
    confine()
    for line in sys.stdin.buffer:
        sys.stdout.buffer.write(json.dumps(answer(json.loads(line))).encode() + b"\n")
        sys.stdout.buffer.flush()
