"""How the formats write a moment: RFC 3339 for Atom and JSON Feed, RFC 822 for RSS."""

from datetime import datetime
from email.utils import format_datetime


def rfc3339(moment: datetime) -> str:
    """Write `2026-01-24T09:13:22.668Z`: upper-case T and Z, a zone always, fractions only where there are any."""
    precise = moment.isoformat(timespec="milliseconds" if moment.microsecond % 1000 == 0 else "microseconds")
    text = precise if moment.microsecond else moment.isoformat(timespec="seconds")
    return text[:-6] + "Z" if text.endswith("+00:00") else text


def rfc822(moment: datetime) -> str:
    """Write `Sat, 24 Jan 2026 09:13:22 +0000`: English names whatever the locale, four-digit year, numeric zone."""
    return format_datetime(moment)
