"""Converts Eleventy's configuration (11ty.dev/docs/plugins/rss). It is a program, of which only strings are read."""

import re
from collections.abc import Mapping

from feeds.migrate.common import DOCUMENT_NAMES, Migration, Settings, folder_or, parse_settings, site_section

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
_JS_AUTHOR_FIELD = re.compile(r"\b(name|email|url)\s*:\s*([\"'`])((?:(?!\2)[^\\\n])*)\2")


def convert(files: Mapping[str, str]) -> Migration:
    """Return the migration for the strings in programs, and the values in JSON files. Raise `ForeignConfigError`."""
    values: Settings = {}
    for name, text in files.items():
        if name.endswith(".json"):
            values = parse_settings(name, text) | values
            continue
        if author := _JS_AUTHOR.search(text):
            values.setdefault("author", {key: value for key, _, value in _JS_AUTHOR_FIELD.findall(author[1])})
            text = text.replace(author[0], "")  # noqa: PLW2901  # the author's url is not that of the site
        for key, _, value in _JS_STRING.findall(text):
            values.setdefault(key, value)
    url = values.get("url") or values.get("base")
    settings = site_section(
        values.get("title"),
        url,
        description=values.get("description") or values.get("subtitle"),
        language=values.get("language"),
        author=values.get("author"),
    )
    settings["content"] = {
        "path": folder_or(values.get("input"), "."),
        "exclude": ["node_modules/", "_site/", "_includes/", "README.md"],
        "permalink": "/{stem}/",
        "id": f"{settings['site']['url']}{{link}}",
    }
    kind = str(values.get("type") or "atom")
    path = str(values.get("outputPath") or "/feed/feed.xml")
    settings["feeds"] = {"aliases": {"/" + path.lstrip("/"): f"/{DOCUMENT_NAMES.get(kind, 'atom.xml')}"}}
    note = "the configuration is a program: title, url, content.path and feeds.aliases are guesses; check them"
    return Migration(settings, (), lambda name: name, (note,))
