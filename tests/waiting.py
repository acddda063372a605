"""Wait for events in other threads and processes, on a machine under any load."""

import time

_FIRST_PAUSE_S, _MAX_PAUSE_S = 0.005, 0.15  # between two checks: waiting must not take CPU from the code under test


def eventually(condition, seconds=120, why=lambda: ""):
    """Wait until a condition holds; return its value. Fail with the text that `why` returns after `seconds`."""
    until, pause = time.monotonic() + seconds, _FIRST_PAUSE_S
    while not (value := condition()):
        assert time.monotonic() < until, f"not within {seconds} s\n{why()}"
        time.sleep(pause)
        pause = min(1.5 * pause, _MAX_PAUSE_S)
    return value


def retry_while_busy(send):
    """Return the first response whose status is not 503, with which the server asks clients to try again."""

    def response():
        received = send()
        return None if received.status == 503 else received

    return eventually(response)
