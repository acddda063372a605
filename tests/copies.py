"""Commands that may be killed, each in a copy of a process that has imported the program.

To start Python and to import the program takes most of the time of a command. A copy (fork) has both, and is a process of
its own: it can be killed, traced by strace, and limited. It renders without a sandbox process, as other tests do.
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

from conftest import REPOSITORY, Finished, InProcessSandbox

_PR_SET_PTRACER, _ANY = 0x59616D61, -1
_LIMIT = 120  # seconds for a command


class Copies:
    """A process that has imported the program and runs commands in copies of itself, one at a time."""

    def __init__(self):
        """Start the process."""
        self._process = subprocess.Popen(
            [sys.executable, "-B", __file__], cwd=REPOSITORY, bufsize=0, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    def run(self, *arguments, cwd, environment=None, began=None, descriptors=None, constants=None):
        """Run a command in the folder `cwd`; return its exit code (negative: a signal) and output.

        `began` is called with the id of the process before the command runs in it. `descriptors` limits how many files
        it may have open, `constants` replaces values ("feeds.publish.look:_BATCH", "feeds.export:Tree.at_once").
        """
        with tempfile.TemporaryDirectory() as folder:
            self._send([str(cwd), list(arguments), environment or {}, folder, descriptors, constants or {}])
            pid = int(self._receive())
            if began:
                began(pid)
            self._send("go")
            code = int(self._receive())
            stdout, stderr = ((Path(folder) / name).read_text("utf-8") for name in ("1", "2"))
        return Finished(code, stdout, stderr)

    def _send(self, value):
        self._process.stdin.write(json.dumps(value).encode() + b"\n")

    def _receive(self):
        readable, _, _ = select.select([self._process.stdout], [], [], _LIMIT)
        assert readable, "the command does not end"
        return self._process.stdout.readline()

    def close(self):
        """End the process."""
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait()


def main():
    """Run the commands that are asked for on standard input, until its end."""
    import feeds.documents.render
    import feeds.publish
    from feeds.cli import main as command

    feeds.documents.render.Sandbox = feeds.publish.Sandbox = InProcessSandbox
    _warm_up(command)
    while request := sys.stdin.buffer.raw.readline():
        cwd, arguments, environment, output, descriptors, constants = json.loads(request)
        pid = os.fork()
        if pid == 0:
            os.chdir(cwd)
            os.environ.update(environment)
            answers = os.dup(1)
            _redirect(Path(output))
            for path, value in constants.items():
                module, _, name = path.partition(":")
                *owners, name = name.split(".")
                setattr(reduce(getattr, owners, sys.modules[module]), name, value)
            ctypes.CDLL(None).prctl(_PR_SET_PTRACER, _ANY, 0, 0, 0)  # strace, which is no parent of ours
            os.write(answers, f"{os.getpid()}\n".encode())  # only now, so that strace sees the same calls each time
            os.close(answers)
            assert sys.stdin.buffer.raw.readline() == b'"go"\n'
            if descriptors is not None:
                resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, descriptors))
            command(arguments)
            raise AssertionError("a command ends with SystemExit")
        _, status = os.waitpid(pid, 0)
        os.write(1, f"{os.waitstatus_to_exitcode(status)}\n".encode())


def _warm_up(command):
    """Build a site, so that everything is imported; no thread may be left, which a copy would not have."""
    from feeds.export.tree import Tree

    at_once, Tree.at_once = Tree.at_once, 1
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        Path("config.yaml").write_text("site: {title: T, url: https://t.example}\n")
        Path("content").mkdir()
        Path("content/a.md").write_text("---\ntitle: T\ndate: 2026-05-01\ntags: [t]\n---\n\nText.\n")
        try:
            command(["build"])
        except SystemExit as end:
            assert not end.code, end.code
    assert threading.active_count() == 1
    Tree.at_once = at_once
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
