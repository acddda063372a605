"""Who a client is, as far as its address says. The address is never kept."""

import re
from wsgiref.types import WSGIEnvironment

from feeds.audience import is_public, network

LONGEST_ADDRESS = 64  # characters of an address, and its port
_WITH_PORT = re.compile(r"\[([0-9a-fA-F:.]+)\](?::\d+)?|([0-9.]+)(?::\d+)?|([0-9a-fA-F:.]+)")
FORWARDED = ("HTTP_X_FORWARDED_FOR", "HTTP_FORWARDED", "HTTP_VIA", "HTTP_X_REAL_IP")  # what proxies add


class Clients:
    """Finds the address in a request: in the header in which a proxy of ours gives it, else who connected."""

    def __init__(self, header: str | None) -> None:
        """`header` is `server.client_header`, None if nothing is in front of us that we were told of."""
        self.variable = header and f"HTTP_{header.upper().replace('-', '_')}"

    def said(self, environ: WSGIEnvironment) -> str:
        """Give what a request says of its client, unread; "" behind a proxy that we were not told of."""
        if self.variable:
            return environ.get(self.variable, "")  # type: ignore[no-any-return]
        if not environ.keys().isdisjoint(FORWARDED):
            return ""
        return environ.get("REMOTE_ADDR", "")  # type: ignore[no-any-return]

    def network(self, said: str) -> str | None:
        """Give who shares what was said: the address itself, or an IPv6 address's /64; None for what is no address."""
        if self.variable:
            # the last address is the one that our own proxy saw; those before it are what it was told
            return network(without_port(said[-LONGEST_ADDRESS:].rpartition(",")[2].strip()))
        return network(said)

    def certain(self, environ: WSGIEnvironment) -> str | None:
        """Give a client's network only if it is surely the client's own: none that a whole house may come from."""
        said = self.said(environ)
        found = self.network(said)
        return found if found and (self.variable or is_public(said)) else None


def without_port(address: str) -> str:
    match = _WITH_PORT.fullmatch(address[:LONGEST_ADDRESS])
    return next(filter(None, match.groups()), "") if match else ""
