"""How long a request for a document may block its caller.

An event loop serves thousands of clients and must never block. It first asks with `WaitPolicy.MEMORY`. If the response
needs more than that, the call raises `WouldBlock`, and a thread that may block repeats it.
"""

from enum import IntEnum


class WaitPolicy(IntEnum):
    """The operations that a call may wait for. Each value includes the ones before it."""

    MEMORY = 0  # none: return a cached value, or raise `WouldBlock`
    CATALOG = 1  # a query of the catalog, the compression of a body
    RENDER = 2  # the end of a render


class WouldBlock(Exception):
    """A response takes longer than the wait policy allows. `pool` names the thread pool for the next attempt."""

    def __init__(self, pool: str) -> None:
        super().__init__(pool)
        self.pool = pool
