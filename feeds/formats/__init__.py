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


@dataclass(frozen=True, slots=True)
class Format:
    """One way to write a feed: the name people know it by, its file and media type, and the module that writes it."""

    name: str
    filename: str
    media_type: str  # with a charset only where the type defines one
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
    Format("RSS", RSS, "application/rss+xml; charset=utf-8", "feeds.formats.rss"),
    Format("Atom", ATOM, "application/atom+xml; charset=utf-8", "feeds.formats.atom"),
    Format("JSON Feed", JSON_FEED, "application/feed+json", "feeds.formats.jsonfeed"),
)
