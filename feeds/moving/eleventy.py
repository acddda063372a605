"""Eleventy's configuration, which is a program: only its strings are read (11ty.dev/docs/plugins/rss)."""

import re
from collections.abc import Mapping

from feeds.moving.words import DOCUMENT, Move, Settings, folder_of, parsed, site

FILES = [
    *(f"eleventy.config.{suffix}" for suffix in ("js", "mjs", "cjs")),
    ".eleventy.js",
    *(f"{folder}_data/{name}" for folder in ("", "src/") for name in ("metadata.js", "metadata.json", "site.json")),
]
_JS_STRING = re.compile(
    r"\b(title|url|base|subtitle|description|language|author|input|outputPath|type)"
    r"\s*:\s*([\"'`])((?:(?!\2)[^\\\n])*)\2"
)
_JS_AUTHOR = re.compile(r"\bauthor\s*:\s*\{([^{}]*)\}")
_JS_OF_AUTHOR = re.compile(r"\b(name|email|url)\s*:\s*([\"'`])((?:(?!\2)[^\\\n])*)\2")


def read(files: Mapping[str, str]) -> Move:
    """Find the strings of a configuration that is a program; JSON is read as what it is."""
    found: Settings = {}
    for name, text in files.items():
        if name.endswith(".json"):
            found = parsed(name, text) | found
            continue
        if author := _JS_AUTHOR.search(text):
            found.setdefault("author", {key: value for key, _, value in _JS_OF_AUTHOR.findall(author[1])})
            text = text.replace(author[0], "")  # noqa: PLW2901  # its url is not the site's
        for key, _, value in _JS_STRING.findall(text):
            found.setdefault(key, value)
    url = found.get("url") or found.get("base")
    settings = site(
        found.get("title"),
        url,
        description=found.get("description") or found.get("subtitle"),
        language=found.get("language"),
        author=found.get("author"),
    )
    settings["content"] = {
        "path": folder_of(found.get("input"), "."),
        "exclude": ["node_modules/", "_site/", "_includes/", "README.md"],
        "permalink": "/{stem}/",
        "id": f"{settings['site']['url']}{{link}}",
    }
    kind = str(found.get("type") or "atom")
    path = str(found.get("outputPath") or "/feed/feed.xml")
    settings["feeds"] = {"aliases": {"/" + path.lstrip("/"): f"/{DOCUMENT.get(kind, 'atom.xml')}"}}
    note = "the configuration is a program: look at title, url, content.path and feeds.aliases, which were guessed"
    return Move(settings, (), lambda name: name, (note,))
