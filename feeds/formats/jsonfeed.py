"""Feed -> JSON Feed 1.1 (jsonfeed.org/version/1.1)."""

import json
from collections.abc import Iterable
from typing import Any

from feeds.formats.dates import rfc3339
from feeds.model import Author, Entry, Feed
from feeds.paths import JSON_FEED as FILENAME

_encoded = json.JSONEncoder(ensure_ascii=False).encode  # without indentation it is done in C


def entry(told: Entry, feed: Feed) -> bytes:
    """Write an entry as an item, as it stands in the documents of any feed of its site."""
    return _encoded(_item(told, feed)).encode()


def document(feed: Feed, entries: Iterable[bytes]) -> bytes:
    """Write a feed as a JSON Feed document in UTF-8, with items that `entry` wrote."""
    facts = _without_nothing(
        {
            "version": "https://jsonfeed.org/version/1.1",
            "title": feed.title,
            "home_page_url": feed.home,
            "feed_url": (feed.current or feed.address) + FILENAME,  # also in an archive: "the feed's unique identifier"
            "next_url": feed.prev_archive and feed.prev_archive + FILENAME,
            "description": feed.description,
            "icon": feed.icon,
            "authors": [_author(author) for author in feed.authors],
            "language": feed.language,
            "_feeds": _without_nothing({"copyright": feed.copyright}),
        }
    )
    head = _encoded(facts)[:-1].encode()
    items = b",\n".join(entries)  # an item a line: to look at, to compare
    return b"".join((head, b', "items": [\n', items, b"\n]}\n"))  # required, also when empty


def _item(entry: Entry, feed: Feed) -> dict[str, Any]:
    item = _without_nothing(
        {
            "id": entry.id,
            "url": entry.url,
            "external_url": entry.external_url,
            "title": entry.title,
            "summary": entry.summary,
            "image": entry.image and entry.image.url,
            "date_published": rfc3339(entry.published),
            "date_modified": rfc3339(entry.updated),
            "authors": [_author(author) for author in entry.authors],
            "tags": list(dict.fromkeys(entry.categories + entry.tags)),
            "language": entry.language if entry.language != feed.language else None,
            "attachments": [
                _without_nothing({"url": file.url, "mime_type": file.type, "size_in_bytes": file.length})
                for file in entry.enclosures
            ],
            "_feeds": _without_nothing(
                {
                    "categories": list(entry.categories),  # JSON Feed itself knows only tags
                    "image_alt": entry.image and entry.image.alt,
                }
            ),
        }
    )
    # one of the two is required; a feed of summaries has no HTML
    if entry.html is None:
        item["content_text"] = entry.summary
    else:
        item["content_html"] = entry.html
    return item


def _author(author: Author) -> dict[str, Any]:
    mailto = f"mailto:{author.email}" if author.email else None
    return _without_nothing({"name": author.name, "url": author.url or mailto})


def _without_nothing(facts: dict[str, Any]) -> dict[str, Any]:
    """Leave out what is not known: None, "", 0 and empty lists."""
    return {key: value for key, value in facts.items() if value}
