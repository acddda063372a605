"""The parent's side of confined processes, whose child may be under the control of an exploit."""

import os

import pytest

from feeds.confined import process as confined
from feeds.confined.process import ConfinedProcess, ProcessEnded

pytestmark = pytest.mark.integration


class Client(ConfinedProcess):
    """Sends one request."""

    def request(self, value):
        """Return the reply to a request."""
        with self._lock:
            return self._exchange(value)


@pytest.fixture
def start(tmp_path, monkeypatch):
    """Return a function that returns a client of a child with some code, and a time limit."""
    monkeypatch.setenv("PYTHONPATH", os.fspath(tmp_path))

    def start(code, timeout_s):
        (tmp_path / "hostile_child.py").write_text(f"import sys, time\n{code}")
        return Client("hostile_child", "the process", timeout_s)

    return start


def test_large_messages(start):
    """Requests and replies that are larger than a pipe arrive complete, one after the other."""
    client = start("for line in sys.stdin.buffer: sys.stdout.buffer.write(line); sys.stdout.buffer.flush()", 60.0)
    for size in (1, 3_000_000):
        assert client.request("é" * size) == "é" * size


@pytest.mark.parametrize(
    "code",
    [
        "sys.stdin.buffer.readline(); print('[', end='', flush=True); time.sleep(60)",
        "sys.stdin.buffer.readline()\nwhile True: print('[', end='', flush=True); time.sleep(0.01)",
        "time.sleep(60)",
    ],
    ids=["a reply without an end", "a slow reply", "a request that is not read"],
)
def test_a_child_that_makes_the_parent_wait(start, code):
    """The time limit includes the request and the complete reply; then the child is killed."""
    client = start(code, 0.5)
    with pytest.raises(ProcessEnded) as ended:
        client.request("a" * 1_000_000 if code.startswith("time") else "a")
    assert ended.value.is_timeout
    assert client._process is None


def test_a_child_that_fills_the_memory_of_the_parent(start, monkeypatch):
    """A reply has a maximal length."""
    monkeypatch.setattr(confined, "_MAX_REPLY_BYTES", 1_000_000)
    client = start("sys.stdin.buffer.readline()\nwhile True: print('[' * 100_000, end='', flush=True)", 60.0)
    with pytest.raises(ProcessEnded) as ended:
        client.request("a")
    assert not ended.value.is_timeout
