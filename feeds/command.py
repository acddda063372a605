"""A command of the owner's, such as `git pull`: run without a shell, bounded in time, its complaints in a sentence."""

import os
import shlex
import signal
import subprocess
import tempfile
import threading
from contextlib import suppress
from pathlib import Path
from typing import IO

_PATIENCE = 120.0  # seconds for it
_TO_END = 5.0  # seconds to end by itself when it is asked to: killed at once, git would leave its lock
_LAST_WORDS = 4096  # bytes of its output that are looked at


class Command:
    """A command. Its output goes to a file: whatever it leaves behind may hold that for as long as it likes."""

    def __init__(self, command: str, folder: Path) -> None:
        self._words = shlex.split(command)
        self._folder = folder
        self._starting = threading.Lock()
        self._over = False
        self._process: subprocess.Popen[bytes] | None = None

    def run(self, told: bytes = b"") -> str:
        """Run it in its folder; `told` is its input. Gives what went wrong, "" if all is well. For one thread."""
        try:
            with tempfile.TemporaryFile() as input_, tempfile.TemporaryFile() as output:
                input_.write(told)
                input_.seek(0)
                return self._run(input_, output)
        except OSError as error:
            return f"{self._words[0]} can't be run: {error.strerror}"

    def end(self) -> None:
        """End it, and what it has started, if it runs; it will not run again."""
        with self._starting:
            self._over = True
        if self._process:
            _end(self._process)

    def _run(self, input_: IO[bytes], output: IO[bytes]) -> str:
        process = self._start(input_, output)
        if process is None:
            return ""
        try:
            process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            _end(process)
            return f"{self._words[0]} was ended after {_PATIENCE:g} s"
        if process.returncode == 0:
            return ""
        return f"{self._words[0]} failed with {process.returncode}: {_last_line(output)}"

    def _start(self, input_: IO[bytes], output: IO[bytes]) -> subprocess.Popen[bytes] | None:
        with self._starting:
            if self._over:
                return None
            self._process = subprocess.Popen(  # noqa: S603  # the owner's own command
                self._words,
                cwd=self._folder,
                stdin=input_,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            return self._process


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ask a process and what it has started to end, and end those that don't."""
    for how, patience in ((signal.SIGTERM, _TO_END), (signal.SIGKILL, None)):
        if process.poll() is not None:
            return
        with suppress(ProcessLookupError):
            os.killpg(process.pid, how)
        with suppress(subprocess.TimeoutExpired):
            process.wait(patience)


def _last_line(output: IO[bytes]) -> str:
    output.seek(max(0, output.seek(0, os.SEEK_END) - _LAST_WORDS))
    lines = output.read().decode(errors="replace").strip().splitlines() or [""]
    return lines[-1]
