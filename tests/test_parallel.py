"""Parallel calls that wait for something."""

import contextlib
import os
import signal
import subprocess
import sys
import threading

import pytest

from feeds.parallel import map_in_threads


def test_results_come_in_order():
    """Results have the order of the calls, whichever call ends first."""
    second_is_done = threading.Event()

    def call(number):
        if number == 1:
            second_is_done.set()
        elif number == 0:
            assert second_is_done.wait(30)
        return number * 10

    assert list(map_in_threads(2, call, range(5))) == [0, 10, 20, 30, 40]


def test_one_thread_is_the_current_one():
    """With one thread, each call is made by the current thread, and only when its result is wanted."""
    made = []
    results = map_in_threads(1, lambda number: made.append((number, threading.get_ident())), range(3))
    next(results)
    assert made == [(0, threading.get_ident())]


@pytest.mark.parametrize("at_once", [1, 2])
def test_nothing_is_begun_after_an_error(at_once):
    """When a call raises an exception the caller gets it, and calls that have not begun are not made."""
    made = []

    def call(number):
        made.append(number)
        if number == 1:
            raise ValueError("no")
        threading.Event().wait(0.01)  # otherwise, all calls could end before the caller gets the error

    with pytest.raises(ValueError, match="no"):
        list(map_in_threads(at_once, call, range(10_000)))
    assert 1 in made
    assert len(made) < 10_000


_INTERRUPTED_TWICE = """
import signal
import time

from feeds.parallel import end_pool, process_pool


def interrupt(_signal, _frame):
    signal.signal(signal.SIGALRM, signal.default_int_handler)
    signal.setitimer(signal.ITIMER_REAL, 0.2)  # the second one, while the processes end
    raise KeyboardInterrupt


if __name__ == "__main__":
    processes = process_pool(int, fork=True)
    signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    try:
        list(processes.map(time.sleep, [60] * 20))
    finally:
        end_pool(processes)
"""


@pytest.mark.integration
@pytest.mark.skipif(sys.platform != "linux", reason="processes are forked on Linux only")
def test_a_pool_that_is_interrupted_twice(tmp_path):
    """After a second Ctrl-C, this process and those of its pool end, although their calls still run."""
    program = tmp_path / "program.py"
    program.write_text(_INTERRUPTED_TWICE)
    with subprocess.Popen([sys.executable, program], stderr=subprocess.PIPE, start_new_session=True) as process:
        try:
            _, messages = process.communicate(timeout=30)  # the processes of the pool have the pipe open too
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == -signal.SIGINT
    assert messages.rstrip().endswith(b"KeyboardInterrupt")
