"""What a value of front matter is as text, as a word, as a list or as a part of a mapping."""

import re
from collections.abc import Mapping
from typing import Any

from feeds.parse.keys import canonical
from feeds.text import absolute, one_line, scheme

_MAX_SHOWN = 60  # characters of a value in a message
_LINK = re.compile(r"!?\[\[(?P<note>[^\[\]|#]+)(?:#[^\[\]|]*)?(?:\|(?P<shown>[^\[\]]*))?\]\]")  # Obsidian's


def flat(value: Any) -> list[Any]:
    """Return the items of a list and of the lists in it; a value that is no list is the only item."""
    if not isinstance(value, list):
        return [value]
    return [inner for item in value for inner in flat(item)] if list in map(type, value) else value


def part(mapping: Mapping[str, Any], *parts: str) -> Any:
    """Return the first of the parts of a mapping that has a value."""
    values = {canonical(str(key)): value for key, value in mapping.items() if not is_nothing(value)}
    return next((values[part] for part in parts if part in values), None)


def url(url: str) -> str:
    """Return a URL as it is. Raises `ValueError` if it is neither relative nor http(s)."""
    if scheme(url) not in ("", "http", "https") or absolute(url, "https://site.invalid/") is None:
        raise ValueError(f"{shown(url)} is neither a path on the site nor an http(s) URL")
    return url


def text(value: Any) -> str:
    """Return a value as text on one line. Raises `ValueError` for a list, a mapping or nothing."""
    if isinstance(value, str):
        return one_line(value)
    if isinstance(value, list | dict) or value is None:
        raise ValueError(f"must be text, not {shape(value)}")
    return str(value).lower() if isinstance(value, bool) else one_line(str(value))


def shape(value: Any) -> str:
    """Return what a message calls a value: its shape, or what is written."""
    if value is None:
        return "a mapping"  # without the part that is its text
    return "a list" if isinstance(value, list) else "a mapping" if isinstance(value, dict) else shown(value)


def shown(value: Any) -> str:
    """Return a value as it is shown in a message."""
    return repr(one_line(str(value).lower() if isinstance(value, bool) else str(value))[:_MAX_SHOWN])


def word(value: Any) -> str:
    """Return a value as a word in lower case, "" if it is none."""
    return str(value).strip().lower() if isinstance(value, bool | str | int) else ""


def is_nothing(value: Any) -> bool:
    """Return whether a key with this value counts as absent."""
    return value is None or (isinstance(value, str) and not one_line(value))


def single(value: Any) -> Any:
    """Return the only item of a list, or the value itself."""
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def is_dated(value: Any) -> bool:
    """Return whether a value is meant to be a date, as far as one can see."""
    return isinstance(value, dict) or (isinstance(value, str) and any(map(str.isdecimal, value)))


def unlinked(text: str) -> str:
    """Return a text with what Obsidian's links show: "Ann Bee" for `[[People/Ann Bee]]`, "Ann" for `[[Note|Ann]]`."""
    if "[[" not in text:
        return text
    return _LINK.sub(lambda link: (link["shown"] or link["note"].rpartition("/")[2]).strip(), text)


def linked_file(text: str) -> str:
    """Return the file that a link of Obsidian's names: `[[a.png]]`, `![[a.png|300]]`; another text as it is."""
    link = _LINK.fullmatch(text) if "[[" in text else None
    return link["note"].strip() if link else text


def tags(text: str) -> list[str]:
    """Return the tags in a text, without their marks: two in `#one #two`, one in "one two"."""
    if not text.startswith("#"):
        return [text]
    words = text.split()
    several = all(word.startswith("#") for word in words)
    return [word.lstrip("# ") for word in (words if several else [text])]
