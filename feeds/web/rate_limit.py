"""A limit for clients that request the same document repeatedly without a validator.

The limit saves bandwidth and does not protect against attacks: it doesn't apply if the client's address is unknown, for
example behind a proxy that isn't configured. The counts take bounded memory, and are reset every minute.
"""

from feeds.web.client_address import ClientAddressResolver
from feeds.web.fixed_window import FixedWindowCounter
from feeds.web.request import Request

_MAX_KEYS = 100_000  # pairs of a client and a document


class RateLimiter:
    """Counts the unconditional requests of each client for each document, per minute."""

    def __init__(self, limit: int, clients: ClientAddressResolver) -> None:
        """Allow `limit` requests a minute; 0 allows any number."""
        self._limit = limit
        self._clients = clients
        self._requests = FixedWindowCounter(_MAX_KEYS)

    def retry_after(self, request: Request, path: str) -> int:
        """Count an unconditional request. Return the seconds to wait if it exceeds the limit, else 0."""
        client = self._clients.trusted_network(request) if self._limit else None
        if client is None:
            return 0
        return self._requests.seconds_left() if self._requests.add((client, path)) > self._limit else 0
