"""Rendering with Python-Markdown in a process of its own, with a limit on the time and memory of each article.

Whatever an article does – loop in a regular expression, recurse, eat memory, crash the interpreter – it does to that
process, which is started again for the next. No thread can be ended from outside and a running regular expression holds
the interpreter, so that nothing less would keep a web worker or the publisher answering.

That process has no secrets in its environment, and once it has imported what it needs it can open no file and no
connection (`confinement`).
"""

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

from feeds.errors import FeedsError, Refused
from feeds.model import Content

if TYPE_CHECKING:
    from feeds.parse.links import Links

_PATIENCE = 20.0  # seconds of wall time after which the process is ended, whatever it waits for
_ENVIRONMENT = ("LD_LIBRARY_PATH", "PYTHONHOME", "PYTHONPATH")  # what an interpreter may need to start
TOO_LONG = "takes too long to render"
TOO_SLOW = f"{TOO_LONG}; split it, or simplify its Markdown"


class Budget:
    """The CPU time that the articles of one document may take: each a little, and all of them together some more."""

    def __init__(self, each: float, together: float) -> None:
        self._each = each
        self._together = self._at_first = together

    @property
    def is_whole(self) -> bool:
        """Whether no article has taken more than its own part yet."""
        return self._together == self._at_first

    @property
    def seconds(self) -> float:
        """The CPU time that the next article may take, in seconds."""
        return self._each + self._together

    def spend(self, seconds: float) -> None:
        """Note what an article took."""
        self._together = max(0.0, self._together - max(0.0, seconds - self._each))


class Sandbox:
    """One process that renders, started when it is first needed. For any number of threads, one at a time."""

    def __init__(self, seconds: float) -> None:
        """`seconds` of CPU for an article, so that a busy machine refuses nothing that an idle one takes."""
        self._seconds = seconds
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()

    def start(self) -> None:
        """Start the process now, which takes it a while. Raises `FeedsError`."""
        with self._lock:
            self._process = self._process or self._start()

    def content(
        self,
        body: str,
        summary: str | None,
        base: str,
        prefix: str,
        title: str = "",
        links: "Links | tuple[()]" = (),
        budget: Budget | None = None,
    ) -> Content:
        """Render a body as `parse.content.Renderer.content` does, within the budget of its document if it has one.

        Raises `Refused` if it fails or takes too much, `FeedsError` if nothing can be rendered just now.
        """
        seconds = min(self._seconds, budget.seconds) if budget else self._seconds
        answer = self._answer("content", seconds, body, summary, base, prefix, title, links)
        if budget:
            budget.spend(answer.get("seconds", seconds))
        return Content(**_returned(answer))

    def converted(self, body: str) -> str:
        """Return the HTML of a body before it is sanitised, as `Renderer.converted` does. Raises as `content`."""
        html: str = _returned(self._answer("converted", self._seconds, body))
        return html

    def _answer(self, method: str, seconds: float, *arguments: "str | Links | tuple[()] | None") -> Any:
        request = json.dumps([method, seconds, *arguments]).encode() + b"\n"
        with self._lock:
            answer = self._ask(request)
            if answer is None:  # the process died; of this article only if it does so again
                answer = self._ask(request) or {"refused": "can't be rendered: it crashes the renderer"}
        return answer

    def __del__(self) -> None:
        """End the process with its owner."""
        self._end()

    def _ask(self, request: bytes) -> Any:
        """Give the answer, None if the process died without one."""
        process = self._process = self._process or self._start()
        assert process.stdin
        assert process.stdout
        silent = False
        try:
            process.stdin.write(request)
            process.stdin.flush()
            poll = select.poll()  # select() takes no descriptor over 1,023, and a server has many
            poll.register(process.stdout, select.POLLIN)
            silent = not poll.poll(_PATIENCE * 1000)
            return json.loads(b"" if silent else process.stdout.readline())
        except (OSError, ValueError):  # it was ended while it read or answered, or did not answer
            self._end()
            return {"refused": TOO_SLOW} if silent or process.returncode == -signal.SIGXCPU else None

    def _start(self) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-P", "-m", "feeds.sandbox"]
        environment = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
        try:
            return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)  # noqa: S603  # ourselves
        except OSError as error:
            raise FeedsError(f"no process can be started to render in: {error.strerror}") from error

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(OSError):
            if process.stdin:
                process.stdin.close()  # an idle one ends with its input
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.2)  # it may be dying of what it did, and that is worth knowing
        process.kill()
        process.wait()
        if process.stdout:
            process.stdout.close()


def _returned(answer: dict[str, Any]) -> Any:
    if "refused" in answer:
        raise Refused(answer["refused"])
    return answer["returned"]
