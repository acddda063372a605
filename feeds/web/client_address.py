"""The address of the client that sent a request. The address is never stored."""

import re

from feeds.stats.client_networks import client_network, is_public
from feeds.web.request import Request

MAX_ADDRESS_CHARS = 64  # of an address and its port
_WITH_PORT = re.compile(r"\[([0-9a-fA-F:.]+)\](?::\d+)?|([0-9.]+)(?::\d+)?|([0-9a-fA-F:.]+)")


class ClientAddressResolver:
    """Finds a client's address: in the header that the site's own proxy sets, or that of the connection."""

    def __init__(self, header: str | None) -> None:
        """Use the header that `server.client_header` names; None if no proxy is configured."""
        self._header = header and header.lower()

    def raw_address(self, request: Request) -> str:
        """Return the header's value or the connection's address; "" if an unconfigured proxy sent the request."""
        if self._header:
            return request.header(self._header) or ""
        return "" if request.is_forwarded else request.address

    def network(self, raw_address: str) -> str | None:
        """Return the IPv4 address or the /64 of the IPv6 address in a raw address; None if it has no address."""
        if self._header:
            # the last address is the one that the site's own proxy saw; a client can forge those before it
            return client_network(without_port(raw_address[-MAX_ADDRESS_CHARS:].rpartition(",")[2].strip()))
        return client_network(raw_address)

    def trusted_network(self, request: Request) -> str | None:
        """Return a request's network if it is certainly that of one client, and not shared by many; else None."""
        raw_address = self.raw_address(request)
        client = self.network(raw_address)
        return client if client and (self._header or is_public(raw_address)) else None


def without_port(address: str) -> str:
    """Return an address without its port and brackets; "" if it is invalid."""
    match = _WITH_PORT.fullmatch(address[:MAX_ADDRESS_CHARS])
    return next(filter(None, match.groups()), "") if match else ""
