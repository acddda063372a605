"""A cache of recently and frequently used items, bounded in bytes. Thread-safe.

An item that was used since it was stored is kept longer than items that were not. So a crawler, which requests each
document once, does not evict the documents that feed readers poll. (This is the GCLOCK algorithm: Smith, "Sequentiality
and prefetching in database systems", 1978.)
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

T = TypeVar("T")

_MAX_CHANCES = 5
_MAX_PASSES = 100  # items that one call of `put` may skip, because it holds the lock


class _Slot(Generic[T]):
    """An item, and the number of times that eviction skips it: once for each use."""

    __slots__ = ("chances", "item")

    def __init__(self, item: T, chances: int) -> None:
        self.item = item
        self.chances = chances


class LRUCache(Generic[T]):
    """Items by key. If they exceed the limit, the least recently and least often used ones are evicted."""

    def __init__(self, max_size: int, size: Callable[[T], int]) -> None:
        """`size` returns the size of an item, in the unit of `max_size`."""
        self._max_size = max_size
        self._size = size
        self._used = 0
        self._slots: OrderedDict[Hashable, _Slot[T]] = OrderedDict()  # the next one to be evicted first
        self._lock = threading.Lock()

    def get(self, key: Hashable) -> T | None:
        """Return an item, and note that it was used; None if it is not cached."""
        with self._lock:
            slot = self._slots.get(key)
            if slot is None:
                return None
            if slot.chances < _MAX_CHANCES:
                slot.chances += 1
            self._slots.move_to_end(key)
            return slot.item

    def put(self, key: Hashable, item: T) -> None:
        """Store an item, which inherits the uses of the one that it replaces.

        An item that is larger than the limit is stored as the only one.
        """
        with self._lock:
            old = self._remove(key)
            self._slots[key] = _Slot(item, old.chances if old else 0)
            self._used += self._size(item)
            passes = 0
            while self._used > self._max_size and len(self._slots) > 1:
                passes += 1
                self._evict_next(key, may_pass=passes <= _MAX_PASSES)

    def drop(self, key: Hashable) -> None:
        """Remove an item, if it is cached."""
        with self._lock:
            self._remove(key)

    def items(self) -> list[T]:
        """Return all items, the most recently used last."""
        with self._lock:
            return [slot.item for slot in self._slots.values()]

    def _evict_next(self, new: Hashable, *, may_pass: bool) -> None:
        """Evict the first item, or skip it. Don't evict the item that was just stored."""
        key, slot = next(iter(self._slots.items()))
        if key == new or (slot.chances and may_pass):
            slot.chances = max(0, slot.chances - 1)
            self._slots.move_to_end(key)
        else:
            self._remove(key)

    def _remove(self, key: Hashable) -> _Slot[T] | None:
        slot = self._slots.pop(key, None)
        if slot:
            self._used -= self._size(slot.item)
        return slot
