"""The most recently used of what was made, up to so many bytes. For any number of threads."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


class Kept(Generic[T]):
    """Items by key; the least recently used go first when there is no more room."""

    def __init__(self, room: int, size: Callable[[T], int]) -> None:
        self._room = room
        self._size = size
        self._used = 0
        self._items: OrderedDict[Hashable, T] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable) -> T | None:
        """Give an item, as the most recently used."""
        with self._lock:
            if key in self._items:
                self._items.move_to_end(key)
            return self._items.get(key)

    def put(self, key: Hashable, item: T) -> None:
        """Keep an item; one that is larger than the room is kept alone."""
        with self._lock:
            self._forget(key)
            self._items[key] = item
            self._used += self._size(item)
            while self._used > self._room and len(self._items) > 1:
                self._forget(next(iter(self._items)))

    def drop(self, key: Hashable) -> None:
        """Forget an item, if there is one."""
        with self._lock:
            self._forget(key)

    def items(self) -> list[T]:
        """Give all items, the most recently used last."""
        with self._lock:
            return list(self._items.values())

    def _forget(self, key: Hashable) -> None:
        if key in self._items:
            self._used -= self._size(self._items.pop(key))
