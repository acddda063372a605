"""How often who did something within a minute of the clock, in bounded memory."""

import time

_SECONDS = 60


class Window:
    """Counts by client, or by whatever else tells those apart who are counted. Forgets all when a minute begins."""

    def __init__(self, room: int) -> None:
        """Have room for so many of them; when one more comes, all are forgotten."""
        self._room = room
        self._minute = 0
        self._counts: dict[object, int] = {}

    def add(self, who: object) -> int:
        """Count one more. Gives how many that makes."""
        counts = self._now()
        if len(counts) >= self._room and who not in counts:
            counts.clear()
        count = counts[who] = counts.get(who, 0) + 1
        return count

    @staticmethod
    def left() -> int:
        """Give the seconds until all is forgotten."""
        return _SECONDS - int(time.time() % _SECONDS)

    def _now(self) -> dict[object, int]:
        minute = int(time.time() // _SECONDS)
        if minute != self._minute:
            self._minute, self._counts = minute, {}
        return self._counts
