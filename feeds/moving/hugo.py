"""Hugo's configuration (gohugo.io/configuration), its permalinks and the paths of its feeds."""

import re
import unicodedata
from collections.abc import Mapping
from typing import Any

from feeds.moving.words import Move, OldFeed, mapping, parsed, site, translated

_NAMES = [f"{name}.{suffix}" for name in ("hugo", "config") for suffix in ("toml", "yaml", "yml", "json")]
FILES = [*_NAMES, *(f"config/_default/{file}" for file in _NAMES)]
_PARTS = {
    "year": "{year}",
    "month": "{month}",
    "day": "{day}",
    "section": "{section}",
    "sections": "{folder}",
    "title": "{title}",
    "slug": "{title}",
    "slugorcontentbasename": "{file}",
    "slugorfilename": "{file}",
    "contentbasename": "{file}",
    "filename": "{file}",
}
_DATES = ("year", "month", "day")
_DEFAULT = "/:sections/:slugorcontentbasename/"


def read(files: Mapping[str, str]) -> Move:
    """Read the first configuration that is there. Raises `Unreadable`."""
    found = _lowered(parsed(*next(iter(files.items()))))
    params = mapping(found.get("params"))
    patterns = mapping(found.get("permalinks"))
    patterns = mapping(patterns.get("page")) or {key: one for key, one in patterns.items() if isinstance(one, str)}
    notes: list[str] = []
    lower = "" if found.get("disablepathtolower") else ":lower"
    parts = {name: part if name in _DATES else part.replace("}", f"{lower}}}") for name, part in _PARTS.items()}
    if found.get("uglyurls"):
        notes.append("uglyURLs: set content.permalink to a pattern that ends in .html")
    settings = site(
        found.get("title"),
        found.get("baseurl"),
        description=params.get("description"),
        language=found.get("locale") or found.get("languagecode") or found.get("defaultcontentlanguage"),
        timezone=found.get("timezone"),
        author=params.get("author") or found.get("author"),
        copyright=found.get("copyright"),
    )
    settings["content"] = {
        "path": found.get("contentdir") or "content",
        "permalink": translated(_DEFAULT, parts, notes),
        "permalinks": {name: translated(one, parts, notes) for name, one in patterns.items()},
        "id": f"{settings['site']['url']}{{link}}",
    }
    settings["feeds"] = {"aliases": {"/index.xml": "/rss.xml"}}
    return Move(
        settings,
        (
            OldFeed("category", "/categories/{name}/index.xml", "rss.xml"),
            OldFeed("tag", "/tags/{name}/index.xml", "rss.xml"),
        ),
        _spelled,
        (*notes, "pages without a date, such as about.md, are refused: name them in content.exclude"),
    )


def _spelled(name: str) -> str:
    """Spell a term as Hugo's urlize does: lower case, "-" for spaces, and no more punctuation than a path has."""
    kept = (letter if letter.isalnum() or letter in "._/\\-+~#" or unicodedata.category(letter)[0] == "M"
            else "-" if letter.isspace() else "" for letter in name.strip().lower())  # fmt: skip
    return re.sub("-+", "-", "".join(kept)).strip("-")


def _lowered(value: Any) -> Any:
    """Give settings with their keys in lower case, as Hugo compares them."""
    if isinstance(value, dict):
        return {str(key).lower(): _lowered(child) for key, child in value.items()}
    return value
