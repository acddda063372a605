"""Another generator's configuration -> what of ours says the same, and what subscribers know: ids, feeds' paths.

Texts of files in, a `Move` out. It runs nothing of the other generator, and guesses nothing silently: what its
configuration can't tell is in the notes.
"""

import ast
import json
import posixpath
import re
import tomllib
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlsplit

from feeds.parse import yaml

Generator = Literal["hugo", "jekyll", "eleventy", "pelican"]
Settings = dict[str, Any]

_HUGO = [f"{name}.{suffix}" for name in ("hugo", "config") for suffix in ("toml", "yaml", "yml", "json")]
FILES: Mapping[str, list[str]] = {  # where each generator's configuration may be, the first that is there first
    "hugo": [*_HUGO, *(f"config/_default/{file}" for file in _HUGO)],
    "jekyll": ["_config.yml", "_config.yaml", "_config.toml"],
    "eleventy": [
        *(f"eleventy.config.{suffix}" for suffix in ("js", "mjs", "cjs")),
        ".eleventy.js",
        *(f"{folder}_data/{name}" for folder in ("", "src/") for name in ("metadata.js", "metadata.json", "site.json")),
    ],
    "pelican": ["publishconf.py", "pelicanconf.py"],
}
_HUGO_PARTS = {
    "year": "{year}",
    "month": "{month}",
    "day": "{day}",
    "section": "{section:lower}",
    "sections": "{folder:lower}",
    "title": "{title:lower}",
    "slug": "{title:lower}",
    "slugorcontentbasename": "{file:lower}",
    "slugorfilename": "{file:lower}",
    "contentbasename": "{file:lower}",
    "filename": "{file:lower}",
}
_HUGO_DEFAULT = "/:sections/:slugorcontentbasename/"
_JEKYLL_PARTS = {
    "categories": "{categories}",
    "year": "{year}",
    "month": "{month}",
    "day": "{day}",
    "title": "{slug}",
    "slug": "{slug:lower}",
    "output_ext": ".html",
}
_JEKYLL_STYLES = {
    "date": "/:categories/:year/:month/:day/:title:output_ext",
    "pretty": "/:categories/:year/:month/:day/:title/",
    "none": "/:categories/:title:output_ext",
}
_PELICAN_PARTS = {"slug": "{title}", "date:%Y": "{year}", "date:%m": "{month}", "date:%d": "{day}",
                  "category": "{category}"}  # fmt: skip
_JS_STRING = re.compile(
    r"\b(title|url|base|subtitle|description|language|name|email|input|outputPath|type)"
    r"\s*:\s*([\"'`])((?:(?!\2)[^\\\n])*)\2"
)
_DOCUMENT = {"rss": "rss.xml", "atom": "atom.xml", "json": "feed.json"}


@dataclass(frozen=True, slots=True)
class OldFeed:
    """The feeds of one kind that the old site had: `path` holds {name}, the name of the category, tag or author."""

    kind: Literal["category", "tag", "author"]
    path: str
    document: str  # ours that takes its place: rss.xml, atom.xml or feed.json


@dataclass(frozen=True, slots=True)
class Move:
    """What of ours says the same: the sections of config.yaml, the feeds there were, how they spelled a name."""

    settings: Settings
    feeds: tuple[OldFeed, ...]
    spelled: Callable[[str], str]  # the name of a category, tag or author as the old site's paths had it
    notes: tuple[str, ...]


class Unreadable(ValueError):
    """A configuration that can't be read; says why."""


def move(generator: Generator, files: Mapping[str, str]) -> Move:
    """Read the texts of the old configuration, by file name as in `FILES`. Raises `Unreadable`."""
    return _READERS[generator](files)


def _hugo(files: Mapping[str, str]) -> Move:
    found = _lowered(_parsed(*next(iter(files.items()))))
    params = _mapping(found.get("params"))
    patterns = _mapping(found.get("permalinks"))
    patterns = _mapping(patterns.get("page")) or {key: one for key, one in patterns.items() if isinstance(one, str)}
    notes = []
    if found.get("uglyurls"):
        notes.append("uglyURLs: set content.permalink to a pattern that ends in .html")
    settings = _site(
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
        "permalink": _translated(_HUGO_DEFAULT, _HUGO_PARTS, notes),
        "permalinks": {name: _translated(one, _HUGO_PARTS, notes) for name, one in patterns.items()},
        "id": f"{settings['site']['url']}{{link}}",
    }
    settings["feeds"] = {"aliases": {"/index.xml": "/rss.xml"}}
    return Move(
        settings,
        (
            OldFeed("category", "/categories/{name}/index.xml", "rss.xml"),
            OldFeed("tag", "/tags/{name}/index.xml", "rss.xml"),
        ),
        _hugo_spelling,
        (*notes, "pages without a date, such as about.md, are refused: name them in content.exclude"),
    )


def _hugo_spelling(name: str) -> str:
    """Spell a term as Hugo's urlize does: lower case, "-" for spaces, and no more punctuation than a path has."""
    kept = (letter if letter.isalnum() or letter in "._/\\-+~#" or unicodedata.category(letter)[0] == "M"
            else "-" if letter.isspace() else "" for letter in name.strip().lower())  # fmt: skip
    return re.sub("-+", "-", "".join(kept)).strip("-")


def _jekyll(files: Mapping[str, str]) -> Move:
    found = _parsed(*next(iter(files.items())))
    notes: list[str] = []
    style = str(found.get("permalink") or "date")
    permalink = _translated(_JEKYLL_STYLES.get(style, style), _JEKYLL_PARTS, notes)
    base = "/" + str(found.get("baseurl") or "").strip("/")
    settings = _site(
        found.get("title") or found.get("name"),
        str(found.get("url") or "") + base.rstrip("/"),
        description=found.get("description"),
        language=found.get("lang"),
        timezone=found.get("timezone"),
        author=found.get("author"),
    )
    posts = [f"{folder}_posts/**/*.{suffix}" for folder in ("", "**/") for suffix in ("md", "markdown")]
    settings["content"] = {
        "path": found.get("collections_dir") or ".",
        "include": posts,
        "permalink": permalink,
        # jekyll-feed's id is `post.id`: the folder of the URL, and the slug
        "id": settings["site"]["url"] + posixpath.join(posixpath.dirname(permalink.rstrip("/")), "{slug}"),
    }
    feed = _mapping(found.get("feed"))
    settings["feeds"] = {"aliases": {"/" + str(feed.get("path") or "feed.xml").lstrip("/"): "/atom.xml"}}
    old = []
    if feed.get("categories"):
        old.append(OldFeed("category", "/feed/{name}.xml", "atom.xml"))
    if feed.get("tags"):
        path = _mapping(feed["tags"]).get("path") if isinstance(feed["tags"], dict) else None
        old.append(OldFeed("tag", f"/{str(path or 'feed/by_tag/').strip('/')}/{{name}}.xml", "atom.xml"))
    if found.get("defaults"):
        notes.append("defaults: what they give articles is not read; write it into their front matter")
    return Move(settings, tuple(old), lambda name: name, tuple(notes))


def _eleventy(files: Mapping[str, str]) -> Move:
    """Find the strings of a configuration that is a program; JSON is read as what it is."""
    found: Settings = {}
    for name, text in files.items():
        if name.endswith(".json"):
            found = _parsed(name, text) | found
            continue
        for key, _, value in _JS_STRING.findall(text):
            found.setdefault(key, value)
    url = found.get("url") or found.get("base")
    settings = _site(
        found.get("title"),
        url,
        description=found.get("description") or found.get("subtitle"),
        language=found.get("language"),
        author={"name": found["name"], "email": found.get("email")} if found.get("name") else found.get("author"),
    )
    settings["content"] = {
        "path": found.get("input") or ".",
        "exclude": ["node_modules/", "_site/", "_includes/", "README.md"],
        "permalink": "/{folder}/{slug}/",
        "id": f"{settings['site']['url']}{{link}}",
    }
    kind = str(found.get("type") or "atom")
    path = str(found.get("outputPath") or "/feed/feed.xml")
    settings["feeds"] = {"aliases": {"/" + path.lstrip("/"): f"/{_DOCUMENT.get(kind, 'atom.xml')}"}}
    note = "the configuration is a program: look at title, url, content.path and feeds.aliases, which were guessed"
    return Move(settings, (), lambda name: name, (note,))


def _pelican(files: Mapping[str, str]) -> Move:
    found: Settings = {}
    for name, text in files.items():
        found = _assigned(name, text) | found  # publishconf.py goes before pelicanconf.py
    notes = ["metadata must stand between two lines `---`: Pelican reads it there too"]
    settings = _site(
        found.get("SITENAME"),
        found.get("SITEURL"),
        description=found.get("SITESUBTITLE"),
        language=found.get("DEFAULT_LANG"),
        timezone=found.get("TIMEZONE"),
        author=found.get("AUTHOR"),
    )
    paths = found.get("ARTICLE_PATHS") or [""]
    pattern = "/" + str(found.get("ARTICLE_URL") or "{slug}.html").lstrip("/")
    url = str(settings["site"]["url"])
    base = urlsplit(url).path.rstrip("/")
    settings["content"] = {
        "path": posixpath.normpath(posixpath.join(str(found.get("PATH") or "content"), str(paths[0]))),
        "permalink": _braced(pattern, notes),
        "id": f"tag:{urlsplit(url).hostname},{{year}}-{{month}}-{{day}}:{base}{{link}}",
    }
    defaults = {"FEED_ALL_ATOM": "feeds/all.atom.xml"}
    aliases = {}
    for key in ("FEED_ALL_ATOM", "FEED_ATOM", "FEED_ALL_RSS", "FEED_RSS"):
        if path := found.get(key, defaults.get(key)):
            aliases["/" + str(path).lstrip("/")] = "/atom.xml" if key.endswith("ATOM") else "/rss.xml"
    settings["feeds"] = {"aliases": aliases}
    old = []
    defaults = {"CATEGORY_FEED_ATOM": "feeds/{slug}.atom.xml", "AUTHOR_FEED_ATOM": "feeds/{slug}.atom.xml",
                "AUTHOR_FEED_RSS": "feeds/{slug}.rss.xml"}  # fmt: skip
    for kind in ("category", "tag", "author"):
        for form in ("ATOM", "RSS"):
            key = f"{kind.upper()}_FEED_{form}"
            if path := found.get(key, defaults.get(key)):
                path = "/" + str(path).lstrip("/").replace("%s", "{slug}").replace("{slug}", "{name}")
                old.append(OldFeed(kind, path, _DOCUMENT[form.lower()]))
    return Move(settings, tuple(old), _pelican_spelling, tuple(notes))


def _pelican_spelling(name: str) -> str:
    """Spell a name as Pelican's slugify does with its default substitutions."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", plain).strip().lower()).strip("-")


_READERS: Mapping[Generator, Callable[[Mapping[str, str]], Move]] = {
    "hugo": _hugo,
    "jekyll": _jekyll,
    "eleventy": _eleventy,
    "pelican": _pelican,
}


def _site(title: Any, url: Any, **more: Any) -> Settings:
    """Give the section `site`, of what there is."""
    site: Settings = {"title": str(title or "My site"), "url": str(url or "https://example.org").rstrip("/")}
    if not urlsplit(site["url"]).scheme:
        site["url"] = f"https://{site['url'].lstrip('/')}"
    author = more.pop("author", None)
    if isinstance(author, Mapping):
        author = {key: str(author[key]) for key in ("name", "email", "url") if author.get(key)}
        author = author if author.get("name") else None
    site |= {key: str(value) for key, value in more.items() if isinstance(value, str) and value.strip()}
    if author:
        site["author"] = author if isinstance(author, dict) else str(author)
    return {"site": site}


def _translated(pattern: str, parts: Mapping[str, str], notes: list[str]) -> str:
    """Write a pattern with `:parts` in our words; note those that we don't have."""

    def part(match: re.Match[str]) -> str:
        name = match[1].lower()
        if name not in parts:
            notes.append(f"permalink {pattern}: there is no {match[0]} here; look at content.permalink")
        return parts.get(name, "")

    return "/" + re.sub(r":([a-zA-Z_]+)", part, pattern).lstrip("/")


def _braced(pattern: str, notes: list[str]) -> str:
    """Write one of Pelican's patterns, with `{parts}`, in our words."""

    def part(match: re.Match[str]) -> str:
        if match[1] not in _PELICAN_PARTS:
            notes.append(f"ARTICLE_URL {pattern}: there is no {match[0]} here; look at content.permalink")
        return _PELICAN_PARTS.get(match[1], "")

    return re.sub(r"\{([^}]*)\}", part, pattern)


def _parsed(name: str, text: str) -> Settings:
    try:
        if name.endswith(".toml"):
            return tomllib.loads(text)
        found = json.loads(text) if name.endswith(".json") else yaml.load(text).plain()
    except yaml.YamlError as error:
        raise Unreadable(f"{name}:{error.line}: {error.reason}") from None
    except ValueError as error:  # of TOML and JSON
        raise Unreadable(f"{name}: {error}") from None
    if not isinstance(found, dict):
        raise Unreadable(f"{name}: holds no settings")
    return found


def _assigned(name: str, text: str) -> Settings:
    """Give what a Python file assigns to names in capitals as literals; it is not run."""
    try:
        statements = ast.parse(text).body
    except (SyntaxError, ValueError) as error:
        raise Unreadable(f"{name}: {error}") from None
    found = {}
    for statement in statements:
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
            try:
                found[statement.targets[0].id] = ast.literal_eval(statement.value)
            except ValueError:
                continue  # a calculation
    return found


def _lowered(value: Any) -> Any:
    """Give settings with their keys in lower case, as Hugo compares them."""
    if isinstance(value, dict):
        return {str(key).lower(): _lowered(child) for key, child in value.items()}
    return value


def _mapping(value: Any) -> Settings:
    return value if isinstance(value, dict) else {}
