"""Who a client is, and which asks for one document again and again without saying what it has: how long it must wait.

A courtesy to everybody else, not a defence: it is off where the client's address can't be known, as behind a proxy that
we were not told of. What it remembers is bounded, and forgotten every minute.
"""

import ipaddress
import re
import time
from functools import lru_cache
from wsgiref.types import WSGIEnvironment

_WINDOW = 60  # seconds
_ROOM = 100_000  # clients and documents
_LONGEST = 64  # characters of an address, and its port
_WITH_PORT = re.compile(r"\[([0-9a-fA-F:.]+)\](?::\d+)?|([0-9.]+)(?::\d+)?|([0-9a-fA-F:.]+)")
FORWARDED = ("HTTP_X_FORWARDED_FOR", "HTTP_FORWARDED", "HTTP_VIA", "HTTP_X_REAL_IP")


class Clients:
    """Tells clients apart by their addresses."""

    def __init__(self, client_header: str | None) -> None:
        """`client_header` is the one in which a proxy of ours names the client."""
        self._variable = client_header and f"HTTP_{client_header.upper().replace('-', '_')}"

    def of(self, environ: WSGIEnvironment) -> str | None:
        """Give who asks; None where that can't be known."""
        if self._variable:
            # the last address is the one that our own proxy saw; those before it are what it was told
            return _network(_without_port(environ.get(self._variable, "").rpartition(",")[2].strip()))
        address = environ.get("REMOTE_ADDR", "")
        if address.startswith("127.") or any(header in environ for header in FORWARDED):
            return None
        network = _network(address)
        return network if network and _is_public(address) else None


class Hammering:
    """Counts, in windows of a minute, the unconditional requests of each client for each document."""

    def __init__(self, limit: int, client_header: str | None) -> None:
        """`limit` a minute, 0 for none; `client_header` is the one in which a proxy of ours names the client."""
        self._limit = limit
        self._clients = Clients(client_header)
        self._counts: dict[tuple[str, str], int] = {}
        self._window = 0

    def wait(self, environ: WSGIEnvironment, path: str) -> int:
        """Count an unconditional request. Gives after how many seconds the client may ask again, 0 if all is well."""
        client = self._clients.of(environ) if self._limit else None
        if client is None:
            return 0
        now = time.time()
        if now // _WINDOW != self._window or len(self._counts) > _ROOM:
            self._window, self._counts = int(now // _WINDOW), {}
        count = self._counts[client, path] = self._counts.get((client, path), 0) + 1
        return _WINDOW - int(now % _WINDOW) if count > self._limit else 0


def _without_port(address: str) -> str:
    match = _WITH_PORT.fullmatch(address[:_LONGEST])
    return next(filter(None, match.groups()), "") if match else ""


@lru_cache(maxsize=4096)
def _network(address: str) -> str | None:
    """Give who shares an address: itself, or the /64 of an IPv6 address, which is one client's (RFC 6177)."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return None
    return str(ipaddress.ip_network(f"{address}/64", strict=False)) if parsed.version == 6 else address  # noqa: PLR2004


@lru_cache(maxsize=4096)
def _is_public(address: str) -> bool:
    return ipaddress.ip_address(address).is_global
