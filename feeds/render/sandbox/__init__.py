"""Renders with Python-Markdown in a confined process that limits the CPU time and memory of each article."""

import contextlib
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from feeds.confined.process import ConfinedProcess, ProcessEnded
from feeds.core.errors import ArticleError
from feeds.core.model import Content

if TYPE_CHECKING:
    from feeds.core.parse.links import Links

_RENDER_TIMEOUT_S = 20.0  # wall time after which the child is killed
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

        Some systems take a quarter of a millisecond to read the CPU clock. So it is read only before the first article,
        and after an article that exceeded its own part by the wall clock. At most the CPU time since the last reading
        is subtracted for that article.
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


class Sandbox(ConfinedProcess):
    """Renders in one child process, which starts when it is first used. Thread-safe: renders one article at a time."""

    def __init__(self, cpu_limit: float) -> None:
        """Create a sandbox that starts no process yet.

        `cpu_limit` is the CPU time that an article may take, in seconds. It is not wall time, so that a busy machine
        rejects no article that an idle one renders.
        """
        super().__init__("feeds.render.sandbox", "the process that renders", _RENDER_TIMEOUT_S)
        self._cpu_limit = cpu_limit

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
        request = [method, seconds, *arguments]
        with self._lock:
            for _ in range(2):  # if the process dies, the article is the cause only if that happens twice
                try:
                    return self._exchange(request)
                except ProcessEnded as error:
                    if error.is_timeout:
                        return {"error": TOO_SLOW}
        return {"error": "can't be rendered: it crashes the renderer"}


def _result(reply: dict[str, Any]) -> Any:
    if "error" in reply:
        raise ArticleError(reply["error"])
    return reply["result"]
