"""The counts of a worker's polls are exact, whichever threads and processes record them, and bounded in memory."""

import os
import signal
import threading
from types import SimpleNamespace

import pytest

from feeds.web import poll_recorder
from feeds.web.cached_response import response_info
from feeds.web.client_address import ClientAddressResolver
from feeds.web.poll_recorder import PollRecorder
from feeds.web.request import WsgiRequest

NETNEWSWIRE = "NetNewsWire (RSS Reader; https://netnewswire.com/)"
POLL = response_info("/rss.xml", 304, 0, 100)


def request(agent=NETNEWSWIRE, address="192.0.2.1"):
    return WsgiRequest(
        {"REQUEST_METHOD": "GET", "PATH_INFO": "/rss.xml", "HTTP_USER_AGENT": agent, "REMOTE_ADDR": address}
    )


@pytest.fixture
def recorder(site):
    """Return a recorder whose thread is not running, and the polls that it reports."""
    polls = []
    recorder = PollRecorder(site.catalog, ClientAddressResolver(None), 30, lambda _kind, count: polls.append(count))
    return SimpleNamespace(recorder=recorder, polls=polls)


def test_threads_count_every_poll(recorder):
    """Polls that threads record at the same time are all counted, while another thread takes the counts."""
    stopping = threading.Event()

    def classify():
        while not stopping.is_set():
            recorder.recorder._classify()

    def record(number):
        for _ in range(2_000):
            recorder.recorder.record(request(address=f"192.0.2.{number % 2}"), POLL)

    classifier = threading.Thread(target=classify)
    threads = [threading.Thread(target=record, args=(number,)) for number in range(4)]
    for thread in (classifier, *threads):
        thread.start()
    for thread in threads:
        thread.join()
    stopping.set()
    classifier.join()
    recorder.recorder.flush()
    assert sum(recorder.polls) == 8_000


def test_memory_is_bounded(recorder, monkeypatch):
    """Beyond a number of different polls, new ones are dropped and known ones counted; long headers are cut."""
    monkeypatch.setattr(poll_recorder, "_MAX_DISTINCT", 3)
    for number in range(10):
        for _ in range(2):
            recorder.recorder.record(request(address=f"192.0.2.{number}"), POLL)
    recorder.recorder.flush()
    assert recorder.polls == [2, 2, 2]
    for _ in range(2):
        recorder.recorder.record(request("x" * 10_000, "y" * 10_000), POLL)
    ((agent, address, _),) = recorder.recorder._requests
    assert (len(agent), len(address)) == (500, 64)
    assert list(recorder.recorder._requests.values()) == [[2]]


def test_a_fork_counts(recorder):
    """A process that is forked while a thread holds the locks counts its own polls, and not its parent's again."""
    recorder.recorder.start()
    try:
        recorder.recorder.record(request(address="192.0.2.9"), POLL)
        with recorder.recorder._lock, recorder.recorder._classifying:
            child = os.fork()
            if child == 0:
                signal.alarm(60)
                recorder.recorder.record(request(), POLL)
                os._exit(len(recorder.recorder._requests))
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1
    finally:
        recorder.recorder.stop()


def test_flush_waits_for_a_thread_that_classifies(recorder):
    """When a process ends while its thread classifies polls, their counts are written too."""
    started, go = threading.Event(), threading.Event()

    def on_polls(_kind, count):
        recorder.polls.append(count)
        started.set()
        go.wait(30)

    recorder.recorder._on_polls = on_polls
    for number in range(3):
        recorder.recorder.record(request(address=f"192.0.2.{number}"), POLL)
    thread = threading.Thread(target=recorder.recorder._classify)
    thread.start()
    started.wait(30)
    flush = threading.Thread(target=recorder.recorder.flush)
    flush.start()
    flush.join(0.1)
    assert flush.is_alive()
    go.set()
    flush.join(30)
    thread.join(30)
    assert recorder.polls == [1, 1, 1]
