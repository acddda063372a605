"""The process that renders."""

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

from feeds.errors import Refused
from feeds.model import Content
from feeds.parse.content import Renderer
from feeds.parse.links import Links
from feeds.sandbox import TOO_SLOW
from feeds.sandbox.confinement import confine

_GRACE = 2  # more seconds of CPU for native code, in which no timer is heard
_MEMORY = 320 << 20  # bytes of address space; a text of 1 MiB needs a third of that
# Some modules are imported when first needed: `regex` to cut a summary, codecs for hosts that are not ASCII.
_ALL_MODULES = "[a](https://é.example/) " + "한" * 1_000


def _too_slow(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise TimeoutError


def _cpu_time() -> float:
    """Return the seconds of CPU that this process has had."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def _answer(renderer: "Renderer", method: str, arguments: Sequence[Any], seconds: float) -> dict[str, Any]:
    with contextlib.suppress(ValueError, OSError):  # a lower limit is already in force
        limit = int(_cpu_time() + seconds) + _GRACE
        resource.setrlimit(resource.RLIMIT_CPU, (limit, resource.getrlimit(resource.RLIMIT_CPU)[1]))
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        returned = renderer.content(*arguments) if method == "content" else renderer.converted(*arguments)
        return {"returned": asdict(returned) if isinstance(returned, Content) else returned}
    except TimeoutError:
        return {"refused": TOO_SLOW}
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


def main() -> None:  # pragma: no cover  # the process can't write what it has measured
    """Answer each line of standard input, a request in JSON, with a line; end with the input."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for who started us
    signal.signal(signal.SIGVTALRM, _too_slow)
    with contextlib.suppress(ValueError, OSError):  # a lower limit is already in force
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    renderer = Renderer("python-markdown")
    renderer.content(_ALL_MODULES, None, "https://site.invalid/", "e-")
    with contextlib.suppress(OSError):  # Linux alone has it
        Path("/proc/self/oom_score_adj").write_text(
            "1000", "ascii"
        )  # where memory runs out, the kernel ends this first
    confine()
    for line in sys.stdin.buffer:
        method, seconds, *arguments = json.loads(line)
        if method == "content":
            arguments[-1] = Links(*arguments[-1])
        began = _cpu_time()
        answer = _answer(renderer, method, arguments, seconds)
        answer["seconds"] = _cpu_time() - began
        sys.stdout.buffer.write(json.dumps(answer).encode() + b"\n")
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
