"""Who reads: polls become visits of a day, a day's visits subscribers by feed and reader, and these a report.

    web worker ─┐
                ├─► Tally ─► visits of the day ─► close ─► what the day came to ─► Report ─► list, stats, /stats
    access log ─┘   (memory)      (catalog)                     (catalog)

What a User-Agent says and how a day is counted is `readers`' business. Days are in UTC. No address is kept anywhere:
two clients are told apart by a hash of address and User-Agent whose key is random, of the day, and gone with it.
"""

from feeds.audience.days import close_days, rows_of
from feeds.audience.imports import Imported, Importer
from feeds.audience.networks import is_public, network
from feeds.audience.report import FeedReport, Report, Sums, in_bytes, subscribers
from feeds.audience.tally import OTHER, Poll, Tally

__all__ = [
    "OTHER",
    "FeedReport",
    "Imported",
    "Importer",
    "Poll",
    "Report",
    "Sums",
    "Tally",
    "close_days",
    "in_bytes",
    "is_public",
    "network",
    "rows_of",
    "subscribers",
]
