"""The `<img>` elements of an article's page: sizes, so that text does not move while they load; loading on demand.

Feeds have neither, because feed readers show pictures in their own way.
"""

import re
from collections.abc import Callable
from html import unescape

from feeds.content.pictures import PictureSize

_ELEMENT = re.compile(r'<img((?:\s[^\s=>]+="[^"]*")*)>|<(/?)picture\b[^<>]*>')  # sanitised HTML has these quotes
_ATTRIBUTE = re.compile(r'\s([^\s=>]+)="([^"]*)"')
_PIXELS = re.compile(r"[0-9]{1,5}")  # the author's number may have any length, which no arithmetic supports


def complete_images(html: str, size_of: Callable[[str], PictureSize | None], *, is_first: bool) -> str:
    """Return the sanitised HTML of an article whose images state their sizes, and are loaded when they are needed.

    An image keeps the width and the height that its author has given. The browser chooses the file, and so the size, of
    an image with several files (`srcset`, `<picture>`).

    Args:
        html: the HTML, with absolute URLs.
        size_of: returns the size of the picture at a URL, if it is known.
        is_first: whether the first image is the first of the page, which visitors see without scrolling.
    """
    is_next_first, is_in_picture = is_first, False

    def complete(match: re.Match[str]) -> str:
        nonlocal is_next_first, is_in_picture
        if match[1] is None:
            is_in_picture = not match[2]
            return match[0]
        attributes: dict[str, str] = dict(_ATTRIBUTE.findall(match[1]))
        added = "" if is_in_picture or "srcset" in attributes else _size_attributes(attributes, size_of)
        if not is_next_first and "loading" not in attributes:
            added += ' loading="lazy"'
        is_next_first = False
        return f"<img{match[1]}{added}>"

    return _ELEMENT.sub(complete, html) if "<img" in html else html


def _size_attributes(attributes: dict[str, str], size_of: Callable[[str], PictureSize | None]) -> str:
    """Return the attributes with the size that an image lacks, as HTML."""
    given = attributes.get("width")
    if "height" in attributes or (given is not None and not _PIXELS.fullmatch(given)):
        return ""
    size = size_of(unescape(attributes.get("src", "")))
    if size is None:
        return ""
    if given:
        return f' height="{max(1, round(int(given) * size.height / size.width))}"'
    return f' width="{size.width}" height="{size.height}"'
