"""Runs the command line: `python -m feeds` is the same program as the console script."""

import atexit
import os
import sys
from contextlib import suppress

from feeds.cli import main


def run() -> None:
    """Run the command line, and end the process without freeing its memory.

    The interpreter would free each object before it ends, which takes up to a twentieth of the time of a small build.
    Commands close their files and databases themselves.
    """
    try:
        main()
    except SystemExit as end:
        if _can_end_at_once(end):
            atexit._run_exitfuncs()  # noqa: SLF001  # multiprocessing calls it for the same reason
            with suppress(OSError, ValueError):  # the interpreter reports a stream that can't be flushed
                for stream in filter(None, (sys.stdout, sys.stderr)):  # None: it was closed before the start
                    stream.flush()
                os._exit(end.code if isinstance(end.code, int) else 0)
        raise


def _can_end_at_once(end: SystemExit) -> bool:
    """Return whether nothing is left to do: no thread to wait for, no message to print, no profile to write."""
    threading = sys.modules.get("threading")
    has_one_thread = threading is None or threading.active_count() == 1
    is_observed = bool(sys.gettrace() or sys.getprofile() or sys.flags.inspect or "_lsprof" in sys.modules)
    return isinstance(end.code, int | None) and has_one_thread and not is_observed


if __name__ == "__main__":
    run()
