"""A cache of the most recently used items, bounded in bytes. For any number of threads."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


class LRUCache(Generic[T]):
    """Items by key. The least recently used are evicted once all together are larger than the limit."""

    def __init__(self, max_size: int, size: Callable[[T], int]) -> None:
        """`size` returns the size of an item, in the unit of `max_size`."""
        self._max_size = max_size
        self._size = size
        self._used = 0
        self._items: OrderedDict[Hashable, T] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable) -> T | None:
        """Return an item, and mark it as the most recently used; None if it is not cached."""
        with self._lock:
            item = self._items.get(key)
            if item is not None:
                self._items.move_to_end(key)
            return item

    def put(self, key: Hashable, item: T) -> None:
        """Store an item. An item that is larger than the limit is stored alone."""
        with self._lock:
            self._remove(key)
            self._items[key] = item
            self._used += self._size(item)
            while self._used > self._max_size and len(self._items) > 1:
                self._remove(next(iter(self._items)))

    def drop(self, key: Hashable) -> None:
        """Remove an item, if it is cached."""
        with self._lock:
            self._remove(key)

    def items(self) -> list[T]:
        """Return all items, the most recently used last."""
        with self._lock:
            return list(self._items.values())

    def _remove(self, key: Hashable) -> None:
        if key in self._items:
            self._used -= self._size(self._items.pop(key))
