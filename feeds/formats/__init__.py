"""Feed -> bytes, once for each format. A format knows its elements and nothing of the others.

`FORMATS` is in the order in which people are shown them. A format's library is imported when it is first needed: most
runs render nothing.
"""

import importlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from feeds.model import Entry, Feed
from feeds.paths import ATOM, JSON_FEED, RSS

_XML = "application/xml; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Format:
    """One way to write a feed: the name people know it by, its file and media types, and the module that writes it."""

    name: str
    filename: str
    media_type: str  # of links to it
    served_as: str  # as browsers need it to show it (docs/decisions/012); with a charset only where the type has one
    module: str

    def render(self, feed: Feed) -> bytes:
        """Write a feed. The same feed gives the same bytes."""
        return self.document(feed, [self.entry(entry, feed) for entry in feed.entries])

    def entry(self, entry: Entry, feed: Feed) -> bytes:
        """Write an entry, the same in every feed of a site: of the feed matters only what all of them share."""
        written: bytes = self.load().entry(entry, feed)
        return written

    def document(self, feed: Feed, entries: Iterable[bytes]) -> bytes:
        """Write a feed, of its entries as they are written."""
        written: bytes = self.load().document(feed, entries)
        return written

    def load(self) -> Any:
        """Import what writes it: a module with `entry` and `document`."""
        return importlib.import_module(self.module)


FORMATS = (
    Format("RSS", RSS, "application/rss+xml", _XML, "feeds.formats.rss"),
    Format("Atom", ATOM, "application/atom+xml", _XML, "feeds.formats.atom"),
    Format("JSON Feed", JSON_FEED, "application/feed+json", "application/feed+json", "feeds.formats.jsonfeed"),
)
