"""A rate counter with fixed windows of one minute and bounded memory."""

import time

_WINDOW_S = 60


class FixedWindowCounter:
    """Counts events by key, such as a client. All counts are reset when a minute of the clock begins."""

    def __init__(self, max_keys: int) -> None:
        """Reset all counts early if there are more than `max_keys` keys."""
        self._max_keys = max_keys
        self._minute = 0
        self._counts: dict[object, int] = {}

    def add(self, key: object) -> int:
        """Count an event and return the key's count in this minute."""
        counts = self._current()
        if len(counts) >= self._max_keys and key not in counts:
            counts.clear()
        count = counts[key] = counts.get(key, 0) + 1
        return count

    @staticmethod
    def seconds_left() -> int:
        """Return the seconds until the counts are reset."""
        return _WINDOW_S - int(time.time() % _WINDOW_S)

    def _current(self) -> dict[object, int]:
        minute = int(time.time() // _WINDOW_S)
        if minute != self._minute:
            self._minute, self._counts = minute, {}
        return self._counts
