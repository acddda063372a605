"""Renders a feed as RSS, Atom or JSON Feed. Each format has its own module, which is independent of the others.

`FORMATS` lists the formats in the order in which pages show them. A format's module is imported when it is first
used, because most runs render nothing.
"""

import importlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

from feeds.core.model import Entry, Feed
from feeds.core.paths import ATOM, JSON_FEED, RSS

_XML = "application/xml; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Format:
    """A feed format: its display name, its file name, its media types, and the module that renders it."""

    name: str
    filename: str
    media_type: str  # in links to the document
    content_type: str  # the response header that makes browsers show the document (docs/decisions/012)
    module: str

    def render(self, feed: Feed) -> bytes:
        """Return the document of a feed. Equal feeds have equal bytes."""
        return self.render_document(feed, [self.render_entry(entry, feed) for entry in feed.entries])

    def render_entry(self, entry: Entry, feed: Feed) -> bytes:
        """Return an entry as it stands in a document.

        The result is the same for every feed of a site: it uses only fields of `feed` that all feeds of the site share.
        """
        fragment: bytes = self.import_module().render_entry(entry, feed)
        return fragment

    def render_document(self, feed: Feed, entries: Iterable[bytes]) -> bytes:
        """Return the document of a feed, with entries that `render_entry` returned."""
        document: bytes = self.import_module().render_document(feed, entries)
        return document

    def import_module(self) -> Any:
        """Import and return the format's module, which has `render_entry` and `render_document`."""
        return _import_module(self.module)


_import_module = cache(importlib.import_module)  # a call for each entry

FORMATS = (
    Format("RSS", RSS, "application/rss+xml", _XML, "feeds.core.formats.rss"),
    Format("Atom", ATOM, "application/atom+xml", _XML, "feeds.core.formats.atom"),
    Format("JSON Feed", JSON_FEED, "application/feed+json", "application/feed+json", "feeds.core.formats.jsonfeed"),
)
