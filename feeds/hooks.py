"""Commands that the owner configures, such as `git pull`. They run without a shell and with a time limit."""

import os
import signal
import subprocess
import tempfile
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

_TIMEOUT_S = 120.0
_TERMINATE_TIMEOUT_S = 5.0  # to end after SIGTERM: if it was killed at once, git would leave its lock
_MAX_TAIL_BYTES = 4096  # of the output, in which the last line is searched


class HookCommand:
    """Runs a command. Its output goes to a file, which processes that it leaves behind may keep open."""

    def __init__(self, command: Sequence[str], folder: Path) -> None:
        """Prepare to run a command, which is a program and its arguments, in a folder."""
        self._arguments = command
        self._folder = folder
        self._starting = threading.Lock()
        self._is_stopped = False
        self._process: subprocess.Popen[bytes] | None = None

    def run(self, stdin: bytes = b"") -> str:
        """Run the command with this input. Return the error in one line; "" if it succeeded. Not thread-safe."""
        try:
            with tempfile.TemporaryFile() as input_, tempfile.TemporaryFile() as output:
                input_.write(stdin)
                input_.seek(0)
                return self._run(input_, output)
        except OSError as error:
            return f"{self._arguments[0]} can't be run: {error.strerror}"

    def stop(self) -> None:
        """End the command and its child processes if it runs, and never run it again."""
        with self._starting:
            self._is_stopped = True
        if self._process:
            _terminate(self._process)

    def _run(self, input_: IO[bytes], output: IO[bytes]) -> str:
        process = self._start(input_, output)
        if process is None:
            return ""
        try:
            process.wait(_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            _terminate(process)
            return f"{self._arguments[0]} was stopped, because it ran longer than {_TIMEOUT_S:g} s"
        if process.returncode == 0:
            return ""
        last_line = _last_line(output)
        reason = f": {last_line}" if last_line else ", without any output"
        return f"{self._arguments[0]} failed with exit code {process.returncode}{reason}"

    def _start(self, input_: IO[bytes], output: IO[bytes]) -> subprocess.Popen[bytes] | None:
        with self._starting:
            if self._is_stopped:
                return None
            self._process = subprocess.Popen(  # noqa: S603  # the owner configured it
                self._arguments,
                cwd=self._folder,
                stdin=input_,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            return self._process


def _terminate(process: subprocess.Popen[bytes]) -> None:
    """Send SIGTERM to a process and its children, and SIGKILL if it does not end in time."""
    for signal_, timeout in ((signal.SIGTERM, _TERMINATE_TIMEOUT_S), (signal.SIGKILL, None)):
        if process.poll() is not None:
            return
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal_)
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout)


def _last_line(output: IO[bytes]) -> str:
    output.seek(max(0, output.seek(0, os.SEEK_END) - _MAX_TAIL_BYTES))
    lines = output.read().decode(errors="replace").strip().splitlines() or [""]
    return lines[-1]
