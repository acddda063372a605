"""Formats dates for feeds: RFC 3339 for Atom and JSON Feed, RFC 822 for RSS."""

from datetime import datetime
from email.utils import format_datetime


def rfc3339(moment: datetime) -> str:
    """Return a date like `2026-01-24T09:13:22.668Z`: upper-case T and Z, always a zone, a fraction if not zero."""
    fraction = "microseconds" if moment.microsecond % 1000 else "milliseconds"
    text = moment.isoformat(timespec=fraction if moment.microsecond else "seconds")
    return text[:-6] + "Z" if text.endswith("+00:00") else text


def rfc822(moment: datetime) -> str:
    """Return a date like `Sat, 24 Jan 2026 09:13:22 +0000`: English names in any locale, numeric zone."""
    return format_datetime(moment)
