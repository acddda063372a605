"""Queries for sitemaps: the listed live articles in parts, each of which is a range of keys of articles.

An article keeps its key, so a new article changes only the last part, and no part needs a count of the articles before.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

import sqlalchemy as sa

from feeds.catalog import schema as t
from feeds.catalog.access import ReadAccess
from feeds.catalog.encoding import from_microseconds, to_microseconds, unpack_article
from feeds.core.model import Article

PART_SIZE = 5_000  # keys; the protocol allows 50,000 URLs, but a part is rendered while a client waits
_BATCH = 250  # articles that are read at a time: a text may have a megabyte
_NO_FEEDS = "{}"  # the feeds of an unlisted article
_IS_LISTED = sa.and_(t.articles.c.live.is_(True), t.articles.c.feeds != _NO_FEEDS)
_PART = (t.articles.c.key // sa.literal_column(str(PART_SIZE), sa.Integer)).label("part")


class SitemapPart(NamedTuple):
    """A part of a sitemap. Its content changes only if `articles` or `revision` does.

    Attributes:
        number: the number of the part, from 1; some numbers may be missing.
        articles: how many articles it lists.
        revision: the last revision that changed one of them.
    """

    number: int
    articles: int
    revision: int


class SitemapReader(ReadAccess):
    """Queries on the articles of sitemaps."""

    def sitemap_parts(self) -> list[SitemapPart]:
        """Return all parts that list an article, by number."""
        counted = sa.select(_PART, sa.func.count(), sa.func.max(t.articles.c.revision)).where(_IS_LISTED)
        rows = self._connection.execute(counted.group_by(_PART).order_by(_PART))
        return [SitemapPart(part + 1, articles, revision) for part, articles, revision in rows]

    def articles_of_part(self, number: int) -> Iterator[Article]:
        """Yield the articles of a part, in the order of their keys."""
        first, end = (number - 1) * PART_SIZE, number * PART_SIZE
        listed = sa.select(t.texts.c.article).join_from(t.articles, t.texts, t.texts.c.key == t.articles.c.text)
        for start in range(first, end, _BATCH):
            is_in_batch = sa.and_(t.articles.c.key >= start, t.articles.c.key < min(start + _BATCH, end))
            chosen = listed.where(is_in_batch, _IS_LISTED).order_by(t.articles.c.key)
            yield from map(unpack_article, self._connection.scalars(chosen).all())

    def first_entry_since(self, feed: str, moment: datetime) -> datetime | None:
        """Return when the oldest entry of a feed was published that is not older than a moment; None if none is."""
        e = t.entries.c
        chosen = sa.select(sa.func.min(e.published)).where(e.feed == feed, e.published >= to_microseconds(moment))
        published = self._connection.execute(chosen).scalar()
        return None if published is None else from_microseconds(published)
