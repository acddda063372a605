"""The parent's side: starts a child process, sends requests to it, and waits for its replies."""

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import threading
from typing import Any

from feeds.core.errors import FeedsError

_EXIT_TIMEOUT_S = 0.2
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
            process.stdin.write(json.dumps(request).encode() + b"\n")
            process.stdin.flush()
            poll = select.poll()  # select() fails for descriptors over 1,023, which a server has
            poll.register(process.stdout, select.POLLIN)
            timed_out = not poll.poll(self._timeout_s * 1000)
            return json.loads(b"" if timed_out else process.stdout.readline())
        except (OSError, ValueError):  # the process died, or sent no complete reply
            self._end_process()
            raise ProcessEnded(is_timeout=timed_out or process.returncode == -signal.SIGXCPU) from None

    def _running_process(self) -> "subprocess.Popen[bytes]":
        if self._process is None or self._owner != os.getpid():  # a forked process must not share the pipes
            self._process, self._owner = self._start_process(), os.getpid()
        return self._process

    def _start_process(self) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-P", "-m", self._module]
        environment = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
        try:
            return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)  # noqa: S603  # a constant command
        except OSError as error:
            raise FeedsError(f"can't start {self._purpose}: {error.strerror}") from error

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
