"""Rendering with Python-Markdown in a process of its own, with a limit on the time and memory of each article.

Whatever an article does – loop in a regular expression, recurse, eat memory, crash the interpreter – it does to that
process, which is started again for the next. No thread can be ended from outside and a running regular expression holds
the interpreter, so that nothing less would keep a web worker or the publisher answering.
"""

import contextlib
import json
import resource
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn

from feeds.errors import FeedsError, Refused
from feeds.model import Content

if TYPE_CHECKING:
    from feeds.parse.content import Renderer
    from feeds.parse.links import Links

_GRACE = 2  # more seconds of CPU for native code, in which no timer is heard
_MEMORY = 320 << 20  # bytes of address space; a text of 1 MiB needs a third of that
_PATIENCE = 20.0  # seconds of wall time after which the process is ended, whatever it waits for
_TOO_SLOW = "takes too long to render; split it, or simplify its Markdown"


class Budget:
    """The CPU time that the articles of one document may take: each a little, and all of them together some more."""

    def __init__(self, each: float, together: float) -> None:
        self._each = each
        self._together = together

    @property
    def seconds(self) -> float:
        """What the next article may take."""
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
            return {"refused": _TOO_SLOW} if silent or process.returncode == -signal.SIGXCPU else None

    def _start(self) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-P", "-m", "feeds.sandbox"]
        try:
            return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # noqa: S603  # ourselves
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


def _too_slow(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise TimeoutError


def _answer(renderer: "Renderer", method: str, arguments: Sequence[Any], seconds: float) -> dict[str, Any]:
    with contextlib.suppress(ValueError, OSError):  # a lower limit is already in force
        limit = int(time.process_time() + seconds) + _GRACE
        resource.setrlimit(resource.RLIMIT_CPU, (limit, resource.getrlimit(resource.RLIMIT_CPU)[1]))
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        returned = renderer.content(*arguments) if method == "content" else renderer.converted(*arguments)
        return {"returned": asdict(returned) if isinstance(returned, Content) else returned}
    except TimeoutError:
        return {"refused": _TOO_SLOW}
    except Refused as refused:
        return {"refused": refused.reason}
    except RecursionError:
        return {"refused": "nested too deep"}
    except MemoryError:
        return {"refused": "takes too much memory to render"}
    except Exception as error:  # whatever the Markdown library makes of it is the article's fault
        return {"refused": f"can't be rendered: {type(error).__name__}: {error}"}
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)


def main() -> None:
    """Answer each line of standard input, a request in JSON, with a line; end with the input."""
    from feeds.parse.content import Renderer  # which only this process needs
    from feeds.parse.links import Links

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for who started us
    signal.signal(signal.SIGVTALRM, _too_slow)
    with contextlib.suppress(ValueError, OSError):  # a lower limit is already in force
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    renderer = Renderer("python-markdown")
    for line in sys.stdin.buffer:
        method, seconds, *arguments = json.loads(line)
        if method == "content":
            arguments[-1] = Links(*arguments[-1])
        began = time.process_time()
        answer = _answer(renderer, method, arguments, seconds)
        answer["seconds"] = time.process_time() - began
        sys.stdout.buffer.write(json.dumps(answer).encode() + b"\n")
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
