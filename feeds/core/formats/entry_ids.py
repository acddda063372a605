"""Reads the ids of entries from a feed that another program rendered.

`feeds check` compares them with the ids of the site: a feed reader recognises by its id what it has shown.
"""

import json

from lxml import etree

_ATOM = "{http://www.w3.org/2005/Atom}"


def entry_ids(data: bytes) -> list[str]:
    """Return the ids of the entries of a saved feed, in order: guid or link in RSS, id in Atom and JSON Feed.

    Raise `ValueError` if `data` is not a feed.
    """
    if data.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"):
        items = json.loads(data).get("items")
        if not isinstance(items, list):
            raise ValueError("has no items, as JSON Feed has")
        ids = [str(item.get("id") or item.get("url") or "") for item in items if isinstance(item, dict)]
    else:
        parser = etree.XMLParser(resolve_entities=False, no_network=True, recover=True, huge_tree=True)
        try:
            root = etree.fromstring(data, parser)
        except etree.XMLSyntaxError:  # empty
            root = None
        if root is None:
            raise ValueError("is neither XML nor JSON")
        items = [*root.iter("item", f"{_ATOM}entry", "{http://purl.org/rss/1.0/}item")]
        if not items and root.tag not in ("rss", f"{_ATOM}feed"):
            raise ValueError("is no RSS, Atom or JSON Feed")
        ids = [_id(item) for item in items]
    return [id_ for id_ in ids if id_]


def _id(item: etree._Element) -> str:
    about = item.get("{http://www.w3.org/1999/02/22-rdf-syntax-ns#}about")
    texts = (item.findtext(name) for name in ("guid", f"{_ATOM}id", "link"))
    return next((text.strip() for text in texts if text and text.strip()), about or "")
