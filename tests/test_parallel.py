"""Parallel calls that wait for something."""

import threading
import time
from types import SimpleNamespace

import pytest

from feeds import parallel
from feeds.parallel import map_in_threads, map_while_waiting


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
        threading.Event().wait(0.01)  # or all could be over before the caller gets the error

    with pytest.raises(ValueError, match="no"):
        list(map_in_threads(at_once, call, range(10_000)))
    assert 1 in made
    assert len(made) < 10_000


def test_calls_that_wait_are_made_by_several_threads():
    """After the first calls, which are measured, calls that wait overlap; results come in order."""
    together = threading.Barrier(2)

    def call(number):
        if number < 4:
            threading.Event().wait(0.01)
        else:
            together.wait(30)  # until another call waits at the same time
        return number

    assert list(map_while_waiting(2, call, range(30))) == list(range(30))


def test_calls_that_compute_are_made_by_one_thread(monkeypatch):
    """Calls that compute are made by the current thread, and so is every call if there is only one thread."""
    made = set()

    def call(number):
        made.add(threading.get_ident())
        return number

    # the clocks say that no time was waited
    monkeypatch.setattr(parallel, "time", SimpleNamespace(monotonic=lambda: 0.0, thread_time=time.thread_time))
    assert list(map_while_waiting(4, call, range(50))) == list(range(50))
    assert list(map_while_waiting(1, call, range(50))) == list(range(50))
    assert made == {threading.get_ident()}
