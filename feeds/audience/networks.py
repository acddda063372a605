"""Who shares an address."""

import ipaddress
from functools import lru_cache


@lru_cache(maxsize=4096)
def network(address: str) -> str | None:
    """Give who shares an address: itself, or the /64 of an IPv6 address, which is one client's (RFC 6177).

    None for what is no address.
    """
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return None
    return str(ipaddress.ip_network(f"{address}/64", strict=False)) if parsed.version == 6 else address  # noqa: PLR2004
