"""Renders with Python-Markdown in a child process that limits the CPU time and memory of each article.

An article that loops in a regular expression, recurses, exhausts memory or crashes the interpreter ends only the child,
which is started again for the next article. A thread is not enough: it can't be ended from outside, and a running
regular expression holds the GIL, which would block the web worker or the publisher.

The child has no secrets in its environment. After its imports, it can't open files or connections (`confinement`).
"""

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from feeds.core.errors import ArticleError, FeedsError
from feeds.core.model import Content

if TYPE_CHECKING:
    from feeds.core.parse.links import Links

_RENDER_TIMEOUT_S = 20.0  # wall time after which the child is killed
_EXIT_TIMEOUT_S = 0.2
_ENVIRONMENT = ("LD_LIBRARY_PATH", "PYTHONHOME", "PYTHONPATH")  # the variables that an interpreter may need to start
TOO_LONG = "takes too long to render"
TOO_SLOW = f"{TOO_LONG}; split the article, or simplify its Markdown"


class CpuBudget:
    """Limits the CPU time of the articles of one document, in seconds.

    Each article may take `per_article`. All articles together may exceed that by `shared`.
    """

    def __init__(self, per_article: float, shared: float) -> None:
        self._per_article = per_article
        self._shared = self._initially_shared = shared
        self._thread_time: float | None = None  # when the last article was measured

    @property
    def is_untouched(self) -> bool:
        """Whether no article has exceeded its own part yet."""
        return self._shared == self._initially_shared

    @property
    def seconds(self) -> float:
        """The CPU time that the next article may take, in seconds."""
        return self._per_article + self._shared

    def spend(self, seconds: float) -> None:
        """Subtract the CPU time that an article took."""
        self._shared = max(0.0, self._shared - max(0.0, seconds - self._per_article))

    @contextlib.contextmanager
    def measure(self) -> Iterator[None]:
        """Subtract the CPU time that an article takes in this thread.

        Some systems take a quarter of a millisecond to read the CPU clock. So it is read only before the first article
        and after one that took longer, by the wall clock, than its own part. That one is charged with at most the CPU
        time since the clock was read.
        """
        if self._thread_time is None:
            self._thread_time = time.thread_time()
        started = time.perf_counter()
        try:
            yield
        finally:
            elapsed = time.perf_counter() - started
            if elapsed > self._per_article:
                now = time.thread_time()
                self.spend(min(elapsed, now - self._thread_time))
                self._thread_time = now


class Sandbox:
    """Renders in one child process, which starts when it is first used. Thread-safe: renders one article at a time."""

    def __init__(self, cpu_limit: float) -> None:
        """Create a sandbox that starts no process yet.

        `cpu_limit` is the CPU time that an article may take, in seconds. It is not wall time, so that a busy machine
        rejects no article that an idle one renders.
        """
        self._cpu_limit = cpu_limit
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()

    def start(self) -> None:
        """Start the process now, so that the first article needn't wait. Raise `FeedsError` if it can't start."""
        with self._lock:
            self._process = self._process or self._start_process()

    def render(
        self,
        body: str,
        summary: str | None,
        base: str,
        prefix: str,
        title: str = "",
        links: "Links | tuple[()]" = (),
        language: str = "en",
        budget: CpuBudget | None = None,
    ) -> Content:
        """Return the content of a body; the arguments are those of `MarkdownRenderer.render`, and `budget`.

        `budget` is the budget of the document that has the article; if None, only the sandbox's own limit applies.

        Raise `ArticleError` if rendering fails or exceeds a limit, `FeedsError` if the process can't be started.
        """
        seconds = min(self._cpu_limit, budget.seconds) if budget else self._cpu_limit
        reply = self._request("render", seconds, body, summary, base, prefix, title, links, language)
        if budget:
            budget.spend(reply.get("seconds", seconds))
        return Content(**_result(reply))

    def convert(self, body: str) -> str:
        """Return the HTML of a body before it is sanitised. Raise the errors of `render`."""
        html: str = _result(self._request("convert", self._cpu_limit, body))
        return html

    def _request(self, method: str, seconds: float, *arguments: "str | Links | tuple[()] | None") -> Any:
        request = json.dumps([method, seconds, *arguments]).encode() + b"\n"
        with self._lock:
            reply = self._exchange(request)
            if reply is None:  # the process died: the article is the cause only if that happens twice
                reply = self._exchange(request) or {"error": "can't be rendered: it crashes the renderer"}
        return reply

    def __del__(self) -> None:
        """End the process."""
        self._end_process()

    def _exchange(self, request: bytes) -> Any:
        """Send a request and return the reply, or None if the process died."""
        process = self._process = self._process or self._start_process()
        assert process.stdin
        assert process.stdout
        timed_out = False
        try:
            process.stdin.write(request)
            process.stdin.flush()
            poll = select.poll()  # select() fails for descriptors over 1,023, which a server has
            poll.register(process.stdout, select.POLLIN)
            timed_out = not poll.poll(_RENDER_TIMEOUT_S * 1000)
            return json.loads(b"" if timed_out else process.stdout.readline())
        except (OSError, ValueError):  # the process died, or sent no complete reply
            self._end_process()
            return {"error": TOO_SLOW} if timed_out or process.returncode == -signal.SIGXCPU else None

    def _start_process(self) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-P", "-m", "feeds.render.sandbox"]
        environment = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
        try:
            return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)  # noqa: S603  # a constant command
        except OSError as error:
            raise FeedsError(f"can't start the process that renders: {error.strerror}") from error

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


def _result(reply: dict[str, Any]) -> Any:
    if "error" in reply:
        raise ArticleError(reply["error"])
    return reply["result"]
