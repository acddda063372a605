"""One document is rendered at a time, and nobody waits for long.

A server has few threads, and answers what is in memory as long as one of them is free. So no thread waits for what
takes longer than documents usually do.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from feeds.errors import FeedsError

_PATIENCE = 2.0  # seconds from the beginning of the work that is in the way


class Busy(FeedsError):
    """What is being rendered takes long; ask again soon."""


class Gate:
    """Lets one thread in."""

    def __init__(self) -> None:
        self._began: float | None = None  # when who is in came in
        self._changed = threading.Condition()

    @contextmanager
    def entered(self, is_done: Callable[[], bool], *, wait: bool) -> Iterator[bool]:
        """Go in: gives True. Gives False if what one would do there is done by then, or if one must not wait.

        Raises `Busy` if who is in has taken too long already.
        """
        mine = self._enter(is_done, wait=wait)
        try:
            yield mine
        finally:
            if mine:
                with self._changed:
                    self._began = None
                    self._changed.notify_all()

    def _enter(self, is_done: Callable[[], bool], *, wait: bool) -> bool:
        with self._changed:
            while self._began is not None:
                left = self._began + _PATIENCE - time.monotonic()
                if not wait:
                    return False
                if left <= 0 or not self._changed.wait(left):
                    raise Busy("what is being rendered takes long")
            if is_done():
                return False
            self._began = time.monotonic()
            return True
