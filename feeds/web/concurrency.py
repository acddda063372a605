"""Limits for requests that can't be answered from memory: their number, and the time for which they may wait.

Each kind of work has its own thread pool, so that one kind never delays another. A request beyond the limits gets 503
with Retry-After. Requests that are answered from memory have no such limits.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, TypeVar

from feeds.render.queue import MAX_WAITING, Priority

T = TypeVar("T")


class PoolLimits(NamedTuple):
    """The limits of one thread pool."""

    threads: int
    max_requests: int  # waiting or running
    timeout_s: float  # for which a request may wait


POOLS = {
    "catalog": PoolLimits(threads=2, max_requests=1_000, timeout_s=5),  # checks for a revision; compresses a body
    # renders a live document that was served in an earlier version
    "polled": PoolLimits(threads=2, max_requests=MAX_WAITING[Priority.POLLED], timeout_s=5),
    # renders any other live document
    "document": PoolLimits(threads=2, max_requests=MAX_WAITING[Priority.DOCUMENT], timeout_s=5),
    "archive": PoolLimits(threads=1, max_requests=MAX_WAITING[Priority.ARCHIVE], timeout_s=5),
    "page": PoolLimits(threads=1, max_requests=MAX_WAITING[Priority.PAGE], timeout_s=5),
    "other": PoolLimits(threads=2, max_requests=50, timeout_s=10),  # runs Flask: files, statistics, previews, errors
}
BODY_TIMEOUT_S = 10  # for the body of a request
STALLED_CLIENT_TIMEOUT_S = 30  # a client that reads nothing of its response for this time is disconnected
SEND_BUFFER_BYTES = 128 << 10  # per connection; Linux doubles it, and by default uses up to 4 MB for a slow client
MAX_BODIES, MAX_TOTAL_BODY_BYTES = 20, 32 << 20  # limits for the request bodies that are in memory at a time


class PoolFull(Exception):
    """A thread pool has too many requests, or didn't finish the request in time."""


class ThreadPools:
    """The thread pools of one worker."""

    def __init__(self) -> None:
        self._executors = {
            pool: ThreadPoolExecutor(limits.threads, thread_name_prefix=pool) for pool, limits in POOLS.items()
        }
        self._requests = dict.fromkeys(POOLS, 0)

    async def run(self, pool: str, function: Callable[[], T]) -> T:
        """Call a function in one of a pool's threads and return its result.

        Raise `PoolFull` if the pool's limits are exceeded, or the exception of the function.
        """
        limits = POOLS[pool]
        if self._requests[pool] >= limits.max_requests:
            raise PoolFull
        self._requests[pool] += 1
        loop = asyncio.get_running_loop()
        future = self._executors[pool].submit(function)
        # a request that has timed out counts until its thread is done
        future.add_done_callback(lambda _: loop.call_soon_threadsafe(self._leave, pool))
        try:
            return await asyncio.wait_for(asyncio.wrap_future(future), limits.timeout_s)
        except TimeoutError:
            raise PoolFull from None

    def _leave(self, pool: str) -> None:
        self._requests[pool] -= 1
