"""How long who asks for a document may be kept waiting.

An event loop that answers thousands of clients must not wait for anything, so it asks for what is in `MEMORY` first.
What needs more raises `MustWait`, and is asked for again by a thread that may wait.
"""

from enum import IntEnum


class Patience(IntEnum):
    """What may be done to find an answer."""

    MEMORY = 0  # nothing that waits: what is ready, or an exception
    CATALOG = 1  # ask the catalog, compress a body
    RENDER = 2  # wait until it is rendered


class MustWait(Exception):
    """An answer takes longer than who asked can wait. `lane` says which limit applies to it (`web.lanes`)."""

    def __init__(self, lane: str) -> None:
        super().__init__(lane)
        self.lane = lane
