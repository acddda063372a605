"""Jekyll's configuration (jekyllrb.com/docs/permalinks), and the ids that jekyll-feed gives."""

import posixpath
from collections.abc import Mapping

from feeds.article_files import DEFAULT_SUFFIXES
from feeds.moving.words import Move, OldFeed, folder_of, mapping, parsed, site, translated

FILES = ["_config.yml", "_config.yaml", "_config.toml"]
_PARTS = {
    "categories": "{categories:raw:lower}",
    "year": "{year:local}",
    "month": "{month:local}",
    "day": "{day:local}",
    "title": "{slug}",
    "slug": "{slug:lower}",
    "output_ext": ".html",
}
_STYLES = {
    "date": "/:categories/:year/:month/:day/:title:output_ext",
    "pretty": "/:categories/:year/:month/:day/:title/",
    "ordinal": "/:categories/:year/:y_day/:title:output_ext",
    "weekdate": "/:categories/:year/W:week/:short_day/:title:output_ext",
    "none": "/:categories/:title:output_ext",
}


def read(files: Mapping[str, str]) -> Move:
    """Read `_config.yml`. Raises `Unreadable`."""
    found = parsed(*next(iter(files.items())))
    notes: list[str] = []
    style = str(found.get("permalink") or "date")
    permalink = translated(_STYLES.get(style, style), _PARTS, notes)
    base = "/" + str(found.get("baseurl") or "").strip("/")
    settings = site(
        found.get("title") or found.get("name"),
        str(found.get("url") or "") + base.rstrip("/"),
        description=found.get("description"),
        language=found.get("lang"),
        timezone=found.get("timezone"),
        author=found.get("author"),
    )
    posts = [f"{folder}_posts/**/*{suffix}" for folder in ("", "**/") for suffix in DEFAULT_SUFFIXES]
    settings["content"] = {
        "path": folder_of(found.get("collections_dir"), "."),
        "include": posts,
        "permalink": permalink,
        # jekyll-feed's id is `post.id`: the folder of the URL, and the slug
        "id": settings["site"]["url"] + posixpath.join(posixpath.dirname(permalink.rstrip("/")), "{slug}"),
    }
    feed = mapping(found.get("feed"))
    settings["feeds"] = {"aliases": {"/" + str(feed.get("path") or "feed.xml").lstrip("/"): "/atom.xml"}}
    old = []
    if feed.get("categories"):
        old.append(OldFeed("category", "/feed/{name}.xml", "atom.xml"))
    if feed.get("tags"):
        path = mapping(feed["tags"]).get("path") if isinstance(feed["tags"], dict) else None
        old.append(OldFeed("tag", f"/{str(path or 'feed/by_tag/').strip('/')}/{{name}}.xml", "atom.xml"))
    if settings["site"].get("timezone", "UTC") != "UTC":
        notes.append(
            "timezone: of a date with a time and no zone Jekyll thought that it is UTC; here it is of site.timezone"
        )
    if found.get("defaults"):
        notes.append("defaults: what they give articles is not read; write it into their front matter")
    return Move(settings, tuple(old), lambda name: name, tuple(notes))
