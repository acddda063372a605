"""What a move is when the old site's articles are known: the paths of the feeds that they were in."""

import zoneinfo
from collections.abc import Collection
from datetime import UTC, tzinfo

from feeds.model import Article
from feeds.moving.words import Move, Settings
from feeds.text import slugify


def zone(move: Move) -> tzinfo:
    """Give the zone of the old site's dates that name none."""
    try:
        return zoneinfo.ZoneInfo(move.settings["site"].get("timezone", "UTC"))
    except (ValueError, OSError, KeyError):
        return UTC


def settled(move: Move, articles: Collection[Article]) -> Settings:
    """Give the sections of config.yaml, with the aliases of the feeds that the articles were in."""
    feeds = move.settings["feeds"]
    return move.settings | {"feeds": feeds | {"aliases": feeds["aliases"] | _aliases(move, articles)}}


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
