"""The parent's side: starts a child process, sends requests to it, and waits for its replies."""

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from typing import Any

from feeds.core.errors import FeedsError

_EXIT_TIMEOUT_S = 0.2
_MAX_REPLY_BYTES = 64 << 20  # that of an article is limited to a few times its length
_CHUNK_BYTES = 1 << 16
_ENVIRONMENT = ("LD_LIBRARY_PATH", "PYTHONHOME", "PYTHONPATH")  # the variables that an interpreter may need to start


class ProcessEnded(Exception):
    """The child process ended instead of replying: it exceeded a limit on time, crashed or was killed."""

    def __init__(self, *, is_timeout: bool) -> None:
        super().__init__("the process took too long" if is_timeout else "the process died")
        self.is_timeout = is_timeout


class ConfinedProcess:
    """A child process that answers requests, one at a time. It starts when it is first used. Thread-safe."""

    def __init__(self, module: str, purpose: str, timeout_s: float) -> None:
        """Prepare a process, and start none yet.

        Args:
            module: the module that the child runs, which calls `child.serve`.
            purpose: the name of the process in an error message, such as "the process that renders".
            timeout_s: the wall time after which the child is killed if it has not replied.
        """
        self._module = module
        self._purpose = purpose
        self._timeout_s = timeout_s
        self._process: subprocess.Popen[bytes] | None = None
        self._owner = 0  # the id of the process that has started the child
        self._lock = threading.Lock()

    def start(self) -> None:
        """Start the process now, so that the first request needn't wait. Raise `FeedsError` if it can't start."""
        with self._lock:
            self._running_process()

    def __del__(self) -> None:
        """End the process."""
        self._end_process()

    def _exchange(self, request: Any) -> Any:
        """Send a request and return the reply, both JSON. The caller must hold `_lock`.

        Raise `ProcessEnded`, or `FeedsError` if the process can't start.
        """
        process = self._running_process()
        assert process.stdin
        assert process.stdout
        timed_out = False
        try:
            deadline = time.monotonic() + self._timeout_s
            _write(process.stdin.fileno(), json.dumps(request).encode() + b"\n", deadline)
            return json.loads(_read_line(process.stdout.fileno(), deadline))
        except TimeoutError:
            timed_out = True
        except (OSError, ValueError):  # the process died, or sent no valid reply
            pass
        self._end_process()
        raise ProcessEnded(is_timeout=timed_out or process.returncode == -signal.SIGXCPU)

    def _running_process(self) -> "subprocess.Popen[bytes]":
        if self._process is None or self._owner != os.getpid():  # a forked process must not share the pipes
            self._process, self._owner = self._start_process(), os.getpid()
        return self._process

    def _start_process(self) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-P", "-m", self._module]
        environment = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
        try:
            process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)  # noqa: S603  # a constant command
        except OSError as error:
            raise FeedsError(f"can't start {self._purpose}: {error.strerror}") from error
        assert process.stdin
        os.set_blocking(process.stdin.fileno(), False)  # an exploit in the child may read nothing
        return process

    def _end_process(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(OSError):
            if process.stdin:
                process.stdin.close()  # at the end of its input, an idle process exits
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_EXIT_TIMEOUT_S)  # so that `returncode` names the signal, if it is being ended by one
        process.kill()
        process.wait()
        if process.stdout:
            process.stdout.close()


def _write(pipe: int, data: bytes, deadline: float) -> None:
    """Write data to a pipe. Raise `TimeoutError` if that is not possible before a time of the monotonic clock."""
    rest = memoryview(data)
    while rest:
        _wait_for(pipe, select.POLLOUT, deadline)
        rest = rest[os.write(pipe, rest) :]


def _read_line(pipe: int, deadline: float) -> bytes:
    """Return a line, or what comes before the end of the pipe.

    An exploit in the child may send anything: raise `TimeoutError` if the line is not complete before a time of the
    monotonic clock, and `ValueError` if it has more than `_MAX_REPLY_BYTES`.
    """
    line = bytearray()
    while not line.endswith(b"\n"):
        _wait_for(pipe, select.POLLIN, deadline)
        chunk = os.read(pipe, _CHUNK_BYTES)
        if not chunk:
            break
        line += chunk
        if len(line) > _MAX_REPLY_BYTES:
            raise ValueError("the reply is too long")
    return bytes(line)


def _wait_for(pipe: int, event: int, deadline: float) -> None:
    poll = select.poll()  # select() fails for descriptors over 1,023, which a server has
    poll.register(pipe, event)
    if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
        raise TimeoutError
