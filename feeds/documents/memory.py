"""What was made of documents, within bounds, and which of it is still what its feed shows. For many threads at once."""

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from feeds import syndicate
from feeds.documents.address import Address
from feeds.documents.kept import Kept
from feeds.model import FeedState, Site

T = TypeVar("T")

_FEW_BODILESS, _BODILESS = 1_000, 10_000  # documents of which validators and headers are remembered, by the room
_SIZE_OF_BODILESS = 5_000  # bytes of each
_A_MOMENT = 0.3  # seconds for which a version that is no longer right may be given


@dataclass(slots=True)
class Made(Generic[T]):
    """What was made of a document, and at which stamp."""

    address: Address
    what: T
    size: int  # bytes
    stamp: tuple[int, int] | None
    outdated: float | None = None  # when it was last known to be right, on the monotonic clock, if it no longer is

    @property
    def was_right_a_moment_ago(self) -> bool:
        """Whether somebody who asked a little earlier would rightly have been given this."""
        return self.outdated is None or time.monotonic() - self.outdated < _A_MOMENT


class Memory(Generic[T]):
    """The most recently used of what was made; and of many more documents, what was made of them without a body."""

    def __init__(self, site: Site, room: int) -> None:
        self.revision = 0
        self.seen = 0.0  # when that was last the catalog's revision, on the monotonic clock
        self._site = site
        self._made = Kept[Made[T]](room, lambda made: made.size)
        self._bodiless: dict[str, dict[Address, T]] = {}  # by feed
        self._most_bodiless = max(_FEW_BODILESS, min(_BODILESS, room // 2 // _SIZE_OF_BODILESS))
        self._lock = threading.Lock()

    def get(self, key: str) -> Made[T] | None:
        """Give what was made, whether it is outdated or not."""
        return self._made.get(key)

    def bodiless(self, address: Address) -> T | None:
        """Give what was made of a document without its body, as long as that is not outdated."""
        return self._bodiless.get(address.feed, {}).get(address)

    def keep(self, key: str, made: Made[T], revision: int, bodiless: T | None = None) -> None:
        """Keep what was made of what a revision says."""
        with self._lock:
            if revision < self.revision:  # a later one was seen meanwhile, and may have changed this
                made.outdated = time.monotonic()
            elif bodiless is not None:
                if sum(map(len, self._bodiless.values())) >= self._most_bodiless:
                    self._bodiless.clear()
                self._bodiless.setdefault(made.address.feed, {})[made.address] = bodiless
            self._made.put(key, made)

    def drop(self, key: str) -> None:
        """Forget what is no more."""
        self._made.drop(key)

    def move_to(self, revision: int, changed: Mapping[str, FeedState] | None) -> None:
        """Go on to another revision, which changed these feeds; None: all of them."""
        with self._lock:
            self.revision = revision
            right = self.seen
            for feed in list(self._bodiless) if changed is None else changed:
                self._bodiless.pop(feed, None)
            for made in self._made.items():
                state = changed.get(made.address.feed) if changed is not None else None
                moved = state is not None and syndicate.stamp(state, made.address.archive, self._site) != made.stamp
                if made.outdated is None and (moved or changed is None):
                    made.outdated = right
