"""An event that signal handlers set never blocks the main thread, and no signal is lost."""

import subprocess
import sys
import threading
import time

import pytest

from feeds.cli.signal_event import SignalEvent

INTERRUPTED = """
import signal, sys
from feeds.cli.signal_event import SignalEvent

event, received = SignalEvent(), 0

def handle(*_):
    global received
    received += 1
    event.set()

signal.signal(signal.SIGALRM, handle)
signal.setitimer(signal.ITIMER_REAL, 0.0002, 0.0002)
while received < 5000:
    event.wait(0.0001)
    event.clear()
signal.setitimer(signal.ITIMER_REAL, 0)
"""


@pytest.mark.integration
def test_signals_at_any_moment():
    """Thousands of signals that arrive while the main thread waits for the event, or resets it, do not block it."""
    done = subprocess.run([sys.executable, "-c", INTERRUPTED], timeout=120, check=False, capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")


def test_an_event_that_is_set_ends_every_wait():
    """A wait ends at once if the event is set, or when another thread sets it; `clear` resets all earlier calls."""
    event = SignalEvent()
    assert not event.wait(0.001)
    event.set()
    event.set()
    assert event.is_set()
    assert event.wait(60)
    assert event.wait(60)
    event.clear()
    assert not event.is_set()
    assert not event.wait(0.001)
    threading.Thread(target=lambda: (time.sleep(0.05), event.set())).start()
    assert event.wait(60)
