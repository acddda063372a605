"""Waiting for what happens beside a test, however busy the machine is."""

import time

_FIRST, _LONGEST = 0.005, 0.15  # seconds between two looks: those who wait leave the machine to what they wait for


def eventually(condition, seconds=120, why=lambda: ""):
    """Wait until a condition holds; return its value. If it never does, fail with what `why` returns."""
    until, pause = time.monotonic() + seconds, _FIRST
    while not (value := condition()):
        assert time.monotonic() < until, f"not within {seconds} s\n{why()}"
        time.sleep(pause)
        pause = min(1.5 * pause, _LONGEST)
    return value


def answered(ask):
    """Return the first response that is not 503: where rendering takes long, a client is told to ask again."""

    def response():
        got = ask()
        return None if got.status == 503 else got

    return eventually(response)
