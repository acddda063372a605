"""Feed -> bytes, once for each format. A format knows its elements and nothing of the others.

`FORMATS` is in the order in which people are shown them.
"""

from collections.abc import Callable
from dataclasses import dataclass

from feeds.formats import atom, jsonfeed, rss
from feeds.model import Feed


@dataclass(frozen=True, slots=True)
class Format:
    """One way to write a feed: the name people know it by, its file and media type, and how it is rendered."""

    name: str
    filename: str
    media_type: str  # with a charset only where the type defines one
    render: Callable[[Feed], bytes]


FORMATS = (
    Format("RSS", rss.FILENAME, "application/rss+xml; charset=utf-8", rss.render),
    Format("Atom", atom.FILENAME, "application/atom+xml; charset=utf-8", atom.render),
    Format("JSON Feed", jsonfeed.FILENAME, "application/feed+json", jsonfeed.render),
)
