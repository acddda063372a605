"""Identifies clients by address, and distinguishes public addresses from private ones."""

import ipaddress
from functools import lru_cache

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@lru_cache(maxsize=4096)
def client_network(address: str) -> str | None:
    """Return the key that identifies a client: its IPv4 address, or the /64 prefix of its IPv6 address (RFC 6177).

    An IPv4-mapped address (`::ffff:192.0.2.1`) counts as its IPv4 address. Return None for an invalid address.
    """
    parsed = _parsed(address)
    if parsed is None:
        return None
    return str(ipaddress.ip_network((int(parsed), 64), strict=False)) if parsed.version == 6 else str(parsed)  # noqa: PLR2004


@lru_cache(maxsize=4096)
def is_public(address: str) -> bool:
    """Return whether an address is valid and reachable on the internet."""
    parsed = _parsed(address)
    return parsed is not None and parsed.is_global


def _parsed(address: str) -> _Address | None:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return None
    return (isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped) or parsed
