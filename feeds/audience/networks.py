"""Who shares an address."""

import ipaddress
from functools import lru_cache

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@lru_cache(maxsize=4096)
def network(address: str) -> str | None:
    """Give who shares an address: itself, or the /64 of an IPv6 address, which is one client's (RFC 6177).

    An IPv4 address that came to an IPv6 socket (`::ffff:192.0.2.1`) is the IPv4 address. None for what is no address.
    """
    parsed = _parsed(address)
    if parsed is None:
        return None
    return str(ipaddress.ip_network((int(parsed), 64), strict=False)) if parsed.version == 6 else str(parsed)  # noqa: PLR2004


@lru_cache(maxsize=4096)
def is_public(address: str) -> bool:
    """Tell whether an address is one of the internet's, and no house's own."""
    parsed = _parsed(address)
    return parsed is not None and parsed.is_global


def _parsed(address: str) -> _Address | None:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return None
    return (isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped) or parsed
