"""The child process of `Sandbox`: reads requests from standard input and writes replies to standard output."""

import contextlib
import json
import resource
import signal
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from feeds.core.errors import ArticleError
from feeds.core.model import Content
from feeds.core.parse.content import MarkdownRenderer
from feeds.core.parse.links import Links
from feeds.render.sandbox import TOO_SLOW
from feeds.render.sandbox.confinement import confine

_CPU_GRACE_S = 2  # beyond the timer's limit, for native code, during which Python handles no signal
_MAX_MEMORY_BYTES = 320 << 20  # of address space; a text of 1 MiB needs a third of it
# Loads the modules that are imported on first use: `regex` cuts a summary, codecs encode a host that isn't ASCII.
_WARM_UP_TEXT = "[a](https://é.example/) " + "한" * 1_000


def _raise_timeout(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise TimeoutError


def _cpu_time() -> float:
    """Return the CPU time of this process in seconds."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def _reply(renderer: MarkdownRenderer, method: str, arguments: Sequence[Any], seconds: float) -> dict[str, Any]:
    """Return {"result": …} or {"error": reason} for a request."""
    with contextlib.suppress(ValueError, OSError):  # a lower limit is already in force
        limit = int(_cpu_time() + seconds) + _CPU_GRACE_S
        resource.setrlimit(resource.RLIMIT_CPU, (limit, resource.getrlimit(resource.RLIMIT_CPU)[1]))
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        result = renderer.render(*arguments) if method == "render" else renderer.convert(*arguments)
        return {"result": asdict(result) if isinstance(result, Content) else result}
    except TimeoutError:
        return {"error": TOO_SLOW}
    except ArticleError as error:
        return {"error": error.reason}
    except RecursionError:
        return {"error": "nested too deep"}
    except MemoryError:
        return {"error": "takes too much memory to render"}
    except Exception as error:  # the Markdown library fails on this article
        return {"error": f"can't be rendered: {type(error).__name__}: {error}"}
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)


def main() -> None:  # pragma: no cover  # the confined process can't write coverage data
    """Write a line with a reply for each line of standard input with a request, both JSON, until the input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C ends the parent, and that ends this process
    signal.signal(signal.SIGVTALRM, _raise_timeout)
    with contextlib.suppress(ValueError, OSError):  # a lower limit is already in force
        resource.setrlimit(resource.RLIMIT_AS, (_MAX_MEMORY_BYTES, _MAX_MEMORY_BYTES))
    renderer = MarkdownRenderer("python-markdown")
    renderer.render(_WARM_UP_TEXT, None, "https://site.invalid/", "e-")
    with contextlib.suppress(OSError):  # only Linux has this file
        # if memory runs out, the kernel ends this process first
        Path("/proc/self/oom_score_adj").write_text("1000", "ascii")
    confine()
    for line in sys.stdin.buffer:
        method, seconds, *arguments = json.loads(line)
        if method == "render":
            *arguments, links, language = arguments
            arguments += [Links(*links), language]
        started_at = _cpu_time()
        reply = _reply(renderer, method, arguments, seconds)
        reply["seconds"] = _cpu_time() - started_at
        sys.stdout.buffer.write(json.dumps(reply).encode() + b"\n")
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
