"""An event that signal handlers may set: `SignalEvent`."""

import queue
from contextlib import suppress


class SignalEvent:
    """Like `threading.Event`, but a signal handler may call `set`.

    `threading.Event` acquires a lock that is not reentrant in each of its methods. Python runs a signal handler in the
    main thread, between any two instructions. If the main thread holds that lock at this moment, a handler that calls
    `set` waits forever, and the process can only be killed. `queue.SimpleQueue.put` is reentrant.
    """

    def __init__(self) -> None:
        self._is_set = False
        self._wake_ups: queue.SimpleQueue[None] = queue.SimpleQueue()

    def is_set(self) -> bool:
        """Return whether the event is set."""
        return self._is_set

    def set(self) -> None:
        """Set the event, and wake a thread that waits for it."""
        self._is_set = True
        self._wake_ups.put(None)

    def clear(self) -> None:
        """Reset the event."""
        self._is_set = False
        with suppress(queue.Empty):
            while True:
                self._wake_ups.get_nowait()

    def wait(self, timeout: float) -> bool:
        """Wait until the event is set, for `timeout` seconds at most. Return whether it is set."""
        if not self._is_set:
            with suppress(queue.Empty):
                self._wake_ups.get(timeout=timeout)
        return self._is_set
