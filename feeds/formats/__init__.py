"""Feed -> bytes, once for each format. A format knows its elements and nothing of the others.

`FORMATS` is in the order in which people are shown them. A format's library is imported when it is first needed: most
runs render nothing.
"""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from feeds.formats.filenames import ATOM, JSON_FEED, RSS
from feeds.model import Feed

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
        """Write a feed."""
        return self.load()(feed)

    def load(self) -> Callable[[Feed], bytes]:
        """Import what writes it."""
        module: Any = importlib.import_module(self.module)
        render: Callable[[Feed], bytes] = module.render
        return render


FORMATS = (
    Format("RSS", RSS, "application/rss+xml", _XML, "feeds.formats.rss"),
    Format("Atom", ATOM, "application/atom+xml", _XML, "feeds.formats.atom"),
    Format("JSON Feed", JSON_FEED, "application/feed+json", "application/feed+json", "feeds.formats.jsonfeed"),
)
