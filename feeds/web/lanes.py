"""Limits for requests that need more than what is in memory: how many may wait, and for how long.

Each lane has threads of its own, so that what fills one keeps nobody waiting in another. Beyond its limits the response
is 503 with Retry-After; what is in memory is answered all the same.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, TypeVar

from feeds.documents.workshop import AT_MOST, Urgency

T = TypeVar("T")


class Limits(NamedTuple):
    """Of one lane."""

    threads: int
    waiting: int  # requests, those in the threads included
    seconds: float  # for which a request may wait


LANES = {
    "catalog": Limits(threads=2, waiting=1_000, seconds=5),  # whether there is a later revision; compressing a body
    # a live document that was served in an earlier version
    "polled": Limits(threads=4, waiting=AT_MOST[Urgency.POLLED], seconds=5),
    "document": Limits(threads=4, waiting=AT_MOST[Urgency.DOCUMENT], seconds=5),  # another one that is to be rendered
    "archive": Limits(threads=2, waiting=AT_MOST[Urgency.ARCHIVE], seconds=5),
    "page": Limits(threads=2, waiting=AT_MOST[Urgency.PAGE], seconds=5),
    "other": Limits(threads=2, waiting=50, seconds=10),  # what Flask answers: files, statistics, previews, errors
}
BODY_SECONDS = 10  # for the body of a request
SECONDS_WITHOUT_PROGRESS = 30  # after which a client that reads nothing of its response is disconnected
BODIES, BYTES_OF_BODIES = 20, 32 << 20  # that are read or used at a time, all together


class Full(Exception):
    """A lane has no room, or did not come to the request in time."""


class Lanes:
    """The threads of one worker."""

    def __init__(self) -> None:
        self._pools = {
            lane: ThreadPoolExecutor(limits.threads, thread_name_prefix=lane) for lane, limits in LANES.items()
        }
        self._waiting = dict.fromkeys(LANES, 0)

    async def run(self, lane: str, function: Callable[[], T]) -> T:
        """Return what a function returns, which one of the lane's threads calls. Raises `Full`, or what it raises."""
        limits = LANES[lane]
        if self._waiting[lane] >= limits.waiting:
            raise Full
        self._waiting[lane] += 1
        loop = asyncio.get_running_loop()
        work = self._pools[lane].submit(function)
        # when the thread is done with it, not when nobody waits for it any more
        work.add_done_callback(lambda _: loop.call_soon_threadsafe(self._leave, lane))
        try:
            return await asyncio.wait_for(asyncio.wrap_future(work), limits.seconds)
        except TimeoutError:
            raise Full from None

    def _leave(self, lane: str) -> None:
        self._waiting[lane] -= 1
