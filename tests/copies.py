"""Run commands in forks of a process that has imported the program, so that tests can kill, trace and limit them.

Starting Python and importing the program take most of the time of a command; a fork skips both. It renders without a
sandbox process, as most tests do.
"""

import contextlib
import ctypes
import gc
import json
import os
import resource
import select
import subprocess
import sys
import tempfile
import threading
from functools import reduce
from pathlib import Path

from conftest import REPOSITORY, CommandResult, InProcessSandbox

_PR_SET_PTRACER, _PR_SET_PTRACER_ANY = 0x59616D61, -1
_COMMAND_TIMEOUT_S = 120


class Copies:
    """A process that has imported the program and runs one command at a time in a fork of itself."""

    def __init__(self):
        """Start the process."""
        self._process = subprocess.Popen(
            [sys.executable, "-B", __file__], cwd=REPOSITORY, bufsize=0, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    def run(self, *arguments, cwd, environment=None, on_started=None, max_open_files=None, constants=None):
        """Run a command; return its exit code and its output.

        Args:
            arguments: the arguments of `feeds`.
            cwd: the folder in which the command runs.
            environment: variables that are added to the environment.
            on_started: called with the process id before the command runs.
            max_open_files: the limit on open files (RLIMIT_NOFILE).
            constants: values to replace, by "module:name" or "module:Class.name".

        Returns:
            The result; a negative exit code is the number of the signal that killed the command.
        """
        with tempfile.TemporaryDirectory() as folder:
            self._send([str(cwd), list(arguments), environment or {}, folder, max_open_files, constants or {}])
            pid = int(self._receive())
            if on_started:
                on_started(pid)
            self._send("go")
            code = int(self._receive())
            stdout, stderr = ((Path(folder) / name).read_text("utf-8") for name in ("1", "2"))
        return CommandResult(code, stdout, stderr)

    def _send(self, value):
        self._process.stdin.write(json.dumps(value).encode() + b"\n")

    def _receive(self):
        readable, _, _ = select.select([self._process.stdout], [], [], _COMMAND_TIMEOUT_S)
        assert readable, f"the command did not end within {_COMMAND_TIMEOUT_S} s"
        return self._process.stdout.readline()

    def close(self):
        """Stop the process."""
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait()


def main():
    """Run a command for each request on standard input, until it is closed."""
    import feeds.publish.publisher
    import feeds.render.renderer
    from feeds.cli import main as command

    feeds.render.renderer.Sandbox = feeds.publish.publisher.Sandbox = InProcessSandbox
    _warm_up(command)
    while request := sys.stdin.buffer.raw.readline():
        cwd, arguments, environment, output, max_open_files, constants = json.loads(request)
        pid = os.fork()
        if pid == 0:
            os.chdir(cwd)
            os.environ.update(environment)
            replies = os.dup(1)
            _redirect(Path(output))
            for path, value in constants.items():
                module, _, name = path.partition(":")
                *owners, name = name.split(".")
                setattr(reduce(getattr, owners, sys.modules[module]), name, value)
            ctypes.CDLL(None).prctl(_PR_SET_PTRACER, _PR_SET_PTRACER_ANY, 0, 0, 0)  # strace is not a parent process
            os.write(
                replies, f"{os.getpid()}\n".encode()
            )  # after the set-up, so that strace sees the same calls each time
            os.close(replies)
            assert sys.stdin.buffer.raw.readline() == b'"go"\n'
            if max_open_files is not None:
                resource.setrlimit(resource.RLIMIT_NOFILE, (max_open_files, max_open_files))
            command(arguments)
            raise AssertionError("a command ends with SystemExit")
        _, status = os.waitpid(pid, 0)
        os.write(1, f"{os.waitstatus_to_exitcode(status)}\n".encode())


def _warm_up(command):
    """Build a site, which imports every module. Leave no thread running: a fork would not have it."""
    from feeds.export import disk

    disk._MAX_DIRTY_KB = sys.maxsize  # so that each run makes the same calls, whatever other programs write
    disk._FILE_SYSTEMS |= {None, *disk._types().values()}
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        Path("config.yaml").write_text("site: {title: T, url: https://t.example}\n")
        Path("content").mkdir()
        Path("content/a.md").write_text("---\ntitle: T\ndate: 2026-05-01\ntags: [t]\n---\n\nText.\n")
        try:
            command(["build"])
        except SystemExit as end:
            assert not end.code, end.code
    assert threading.active_count() == 1
    gc.collect()
    gc.freeze()


def _redirect(folder):
    """Write standard output and standard error to files."""
    for descriptor in (1, 2):
        file = os.open(folder / str(descriptor), os.O_WRONLY | os.O_CREAT)
        os.dup2(file, descriptor)
        os.close(file)


if __name__ == "__main__":
    main()
