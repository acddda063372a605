"""Waiting for what happens beside a test, however busy the machine is."""

import time

from conftest import Server


def eventually(condition, seconds=120):
    """Wait until a condition holds, and return its value."""
    until = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < until, f"not within {seconds} s"
        time.sleep(0.02)
    return value


def answered(ask):
    """Return the first answer that is not 503: where rendering takes long, a client is told to ask again."""
    while (answer := ask()).status == 503:
        time.sleep(0.1)
    return answer


class PatientServer(Server):
    """A server whose client asks again after a 503, as it is told to."""

    def get(self, path, method="GET", **headers):
        """Send a request until it is answered."""
        return answered(lambda: super(PatientServer, self).get(path, method, **headers))

    def ask(self, path, *headers, method="GET"):
        """Send a request over a bare socket until it is answered."""
        return answered(lambda: super(PatientServer, self).ask(path, *headers, method=method))
