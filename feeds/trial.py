"""One article's rendering tried in a process of its own, with a limit on its time and memory.

For the few articles that `parse.bounds` can't vouch for. Whatever such an article does – loop in a regular
expression, recurse, eat memory, crash the interpreter – it does to that process, and is refused with what happened.
This room neither keeps the result nor knows which article it was.
"""

import contextlib
import resource
import signal
import subprocess
import sys
from types import FrameType
from typing import NoReturn

from feeds.errors import Refused
from feeds.parse.content import Renderer

_SECONDS = 1.0  # of CPU, so that a busy machine refuses nothing that an idle one takes
_MEMORY = 1 << 30  # bytes of address space
_PATIENCE = 20.0  # seconds of wall time after which the process is ended, whatever it waits for


def render(body: str) -> None:
    """Render a body in a process of its own. Raises `Refused` if that fails, or takes too much."""
    command = [sys.executable, "-P", "-m", "feeds.trial"]
    try:
        done = subprocess.run(  # noqa: S603  # ourselves
            command, input=body.encode(), capture_output=True, timeout=_PATIENCE, check=False
        )
    except subprocess.TimeoutExpired:
        raise Refused(f"takes more than {_SECONDS:g} s to render; split it, or simplify its Markdown") from None
    if done.returncode:
        reason = done.stdout.decode(errors="replace").strip() or "can't be rendered: it crashes the renderer"
        raise Refused(reason)


def _too_slow(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise TimeoutError


def main() -> int:
    """Render standard input; print why not, and exit with 1, if it can't be done."""
    renderer, body = Renderer(), sys.stdin.buffer.read().decode()
    with contextlib.suppress(ValueError, OSError):  # a lower limit is already in force
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    signal.signal(signal.SIGVTALRM, _too_slow)
    signal.setitimer(signal.ITIMER_VIRTUAL, _SECONDS)
    # what holds the interpreter and so the handler off, as native code does, is ended a little later
    used = int(resource.getrusage(resource.RUSAGE_SELF).ru_utime)
    resource.setrlimit(resource.RLIMIT_CPU, (used + 3, used + 4))
    signal.signal(signal.SIGXCPU, signal.SIG_DFL)
    try:
        renderer.content(body, None, "https://trial.example/", "e-")
    except TimeoutError:
        reason = f"takes more than {_SECONDS:g} s to render; split it, or simplify its Markdown"
    except RecursionError:
        reason = "nested too deep"
    except MemoryError:
        reason = "takes too much memory to render"
    except Exception as error:  # whatever the Markdown library makes of it is the article's fault
        reason = f"can't be rendered: {type(error).__name__}: {error}"
    else:
        return 0
    print(reason.splitlines()[0])  # noqa: T201  # how the process answers
    return 1


if __name__ == "__main__":
    sys.exit(main())
