"""Reads the ids of entries from a feed that another program rendered.

`feeds check` compares them with the ids of the site: a feed reader recognises by its id what it has shown.
"""

import json
import re
from collections.abc import Iterable

from lxml import etree

_ATOM = "{http://www.w3.org/2005/Atom}"
_JSON_ID = re.compile(r'"(?:id|url)"\s*+:\s*+(?P<value>"(?:[^"\\]|\\.)*+"|\d++)')  # in a string, \" follows the name


def entry_ids(data: bytes) -> dict[str, int]:
    """Return the ids of the entries of a saved feed, in order: guid or link in RSS, id in Atom and JSON Feed.

    Each id has the line at which its first entry begins, from 1; in JSON Feed, the line of the id.

    Raise `ValueError` if `data` is not a feed.
    """
    if data.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"):
        document = json.loads(data)
        items = document.get("items")
        if not isinstance(items, list):
            raise ValueError("has no items, as JSON Feed has")
        ids = [str(item.get("id") or item.get("url") or "") for item in items if isinstance(item, dict)]
        return _with_lines_of_json(filter(None, ids), data.decode(json.detect_encoding(data), "replace"))
    parser = etree.XMLParser(resolve_entities=False, no_network=True, recover=True, huge_tree=True)
    try:
        root = etree.fromstring(data, parser)
    except etree.XMLSyntaxError:  # empty
        root = None
    if root is None:
        raise ValueError("is neither XML nor JSON")
    entries = [*root.iter("item", f"{_ATOM}entry", "{http://purl.org/rss/1.0/}item")]
    if not entries and root.tag not in ("rss", f"{_ATOM}feed"):
        raise ValueError("is no RSS, Atom or JSON Feed")
    lines: dict[str, int] = {}
    for entry in entries:
        if id_ := _id(entry):
            lines.setdefault(id_, entry.sourceline or 1)
    return lines


def _with_lines_of_json(ids: Iterable[str], text: str) -> dict[str, int]:
    """Return the line of each id in the text of a JSON Feed, 1 if it is not found: the parser knows no positions."""
    found: dict[str, int] = {}
    line, position = 1, 0
    for match in _JSON_ID.finditer(text):
        line, position = line + text.count("\n", position, match.start()), match.start()
        found.setdefault(str(json.loads(match["value"], strict=False)), line)
    return {id_: found.get(id_, 1) for id_ in ids}


def _id(item: etree._Element) -> str:
    about = item.get("{http://www.w3.org/1999/02/22-rdf-syntax-ns#}about")
    texts = (item.findtext(name) for name in ("guid", f"{_ATOM}id", "link"))
    return next((text.strip() for text in texts if text and text.strip()), about or "")
