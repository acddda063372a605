"""Who asks for one document again and again without saying what they have already, and how long they must wait.

A courtesy to everybody else, not a defence: it is off where the client's address can't be known, as behind a proxy that
we were not told of. What it remembers is bounded, and forgotten every minute.
"""

from wsgiref.types import WSGIEnvironment

from feeds.web.clients import Clients
from feeds.web.window import Window

_ROOM = 100_000  # clients and documents


class Hammering:
    """Counts, in windows of a minute, the unconditional requests of each client for each document."""

    def __init__(self, limit: int, clients: Clients) -> None:
        """`limit` a minute, 0 for none."""
        self._limit = limit
        self._clients = clients
        self._asked = Window(_ROOM)

    def wait(self, environ: WSGIEnvironment, path: str) -> int:
        """Count an unconditional request. Gives after how many seconds the client may ask again, 0 if all is well."""
        client = self._clients.certain(environ) if self._limit else None
        if client is None:
            return 0
        return self._asked.left() if self._asked.add((client, path)) > self._limit else 0
