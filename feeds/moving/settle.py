"""What a move is when the articles are known: what their folders are called, which feeds they were in."""

import zoneinfo
from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import UTC, tzinfo

from feeds.model import Article
from feeds.moving.words import Move
from feeds.patterns import slashed
from feeds.text import slugify

_FORMATS = {"rss.xml": "RSS", "atom.xml": "Atom", "feed.json": "JSON Feed"}


def zone(move: Move) -> tzinfo:
    """Give the zone of the old site's dates that name none."""
    try:
        return zoneinfo.ZoneInfo(move.settings["site"].get("timezone", "UTC"))
    except (ValueError, OSError, KeyError):
        return UTC


def settled(move: Move, articles: Collection[Article]) -> Move:
    """Give the move as it is for these articles, with the aliases of the feeds that they were in."""
    content, feeds = dict(move.settings["content"]), move.settings["feeds"]
    content["permalinks"] = _by_folder(move, content.get("permalinks", {}), articles)
    links = [article.link for article in articles if article.link and article.link.startswith("/")]
    if move.slashes and any(link != slashed(link) for link in links):
        content["id"] = content["id"].replace("{link}", "{link:slash}")
    aliases, notes = _apart_from_ours(feeds["aliases"] | _aliases(move, articles))
    settings = move.settings | {"content": content, "feeds": feeds | {"aliases": aliases}}
    return replace(move, settings=settings, notes=(*move.notes, *notes))


def _apart_from_ours(aliases: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """Leave out what is the path of a feed of ours; say it where the old one was in another format."""
    ours = {f"/{document}" for document in _FORMATS} | set(aliases.values())
    kept = {alias: path for alias, path in aliases.items() if alias not in ours}
    notes = [f"the old {alias} was {_format(path)}, and here it is {_format(alias)}"
             for alias, path in aliases.items() if alias in ours and alias != path]  # fmt: skip
    return kept, notes


def _format(path: str) -> str:
    return _FORMATS[path.rpartition("/")[2]]


def _by_folder(move: Move, permalinks: Mapping[str, str], articles: Collection[Article]) -> dict[str, str]:
    """Name folders as they are on the disk, where the old configuration has them as they are in URLs."""
    found = dict(permalinks)
    for folder in {article.path.partition("/")[0] for article in articles if "/" in article.path}:
        if pattern := permalinks.get(move.spelled(folder).lower()):
            found[folder] = pattern
    return dict(sorted(found.items()))


def _aliases(move: Move, articles: Collection[Article]) -> dict[str, str]:
    """Give the paths of the old feeds of categories, tags and authors, each with ours."""
    aliases: dict[str, str] = {}
    for feed in move.feeds:
        for article in articles:
            names = {"category": article.categories, "tag": article.tags,
                     "author": tuple(author.name for author in article.authors)}[feed.kind]  # fmt: skip
            for name in names:
                spelled, slug = move.spelled(name), slugify(name)
                if spelled and slug and not {"?", "#"} & set(spelled):
                    aliases.setdefault(feed.path.replace("{name}", spelled), f"/{feed.kind}/{slug}/{feed.document}")
    return dict(sorted(aliases.items()))
