"""Renders a feed as JSON Feed 1.1 (jsonfeed.org/version/1.1)."""

import json
from collections.abc import Iterable
from typing import Any

from feeds.core.formats.timestamps import rfc3339
from feeds.core.model import Author, Entry, Feed
from feeds.core.paths import JSON_FEED as FILENAME

_encode = json.JSONEncoder(ensure_ascii=False).encode  # without indentation, C code encodes


def render_entry(entry: Entry, feed: Feed) -> bytes:
    """Return an entry as an item, as it stands in the documents of every feed of its site."""
    return _encode(_item(entry, feed)).encode()


def render_document(feed: Feed, entries: Iterable[bytes]) -> bytes:
    """Return a feed as a JSON Feed document in UTF-8, with items that `render_entry` returned."""
    head = _without_empty(
        {
            "version": "https://jsonfeed.org/version/1.1",
            "title": feed.title,
            "home_page_url": feed.home_url,
            "feed_url": (feed.current_url or feed.folder_url)
            + FILENAME,  # also in an archive: "the feed's unique identifier"
            "next_url": feed.prev_archive_url and feed.prev_archive_url + FILENAME,
            "description": feed.description,
            "icon": feed.icon,
            "authors": [_author(author) for author in feed.authors],
            "language": feed.language,
            "_feeds": _without_empty({"copyright": feed.copyright}),
            "_translations": {language: folder_url + FILENAME for language, folder_url in feed.translations},
        }
    )
    items = b",\n".join(entries)  # one item per line, so that documents can be compared
    return b"".join((_encode(head)[:-1].encode(), b', "items": [\n', items, b"\n]}\n"))  # required, also when empty


def _item(entry: Entry, feed: Feed) -> dict[str, Any]:
    item = _without_empty(
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
            "_translations": dict(entry.translations),  # by language
            "attachments": [
                _without_empty({"url": file.url, "mime_type": file.type, "size_in_bytes": file.length})
                for file in entry.enclosures
            ],
            "_feeds": _without_empty(
                {
                    "categories": list(entry.categories),  # JSON Feed itself has only tags
                    "image_alt": entry.image and entry.image.alt,
                }
            ),
        }
    )
    # one of the two keys is required; a feed of summaries has no HTML
    if entry.html is None:
        item["content_text"] = entry.summary
    else:
        item["content_html"] = entry.html
    return item


def _author(author: Author) -> dict[str, Any]:
    mailto = f"mailto:{author.email}" if author.email else None
    return _without_empty({"name": author.name, "url": author.url or mailto})


def _without_empty(mapping: dict[str, Any]) -> dict[str, Any]:
    """Return a mapping without the values None, "", 0 and empty lists."""
    return {key: value for key, value in mapping.items() if value}
