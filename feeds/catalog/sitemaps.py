"""Queries for sitemaps: the live articles in parts, each of which is a range of keys of articles.

An article keeps its key, so a new article changes only the last part, and no query counts the articles of other parts.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa

from feeds.catalog import schema as t
from feeds.catalog.access import ReadAccess
from feeds.catalog.encoding import from_microseconds, to_microseconds, unpack_article
from feeds.core.model import Article

PART_SIZE = 5_000  # keys; the protocol allows 50,000 URLs, but a part is rendered while a client waits
_BATCH = 250  # articles that are read at a time: a text may have up to a megabyte
_IS_LIVE = t.articles.c.live.is_(True)


class SitemapPart(NamedTuple):
    """A part of a sitemap. Its content changes only if `articles` or `revision` does.

    Attributes:
        number: the number of the part, from 1; some numbers may be missing.
        articles: the number of its live articles; a sitemap omits some of them.
        revision: the last revision that changed or withdrew one of its articles.
    """

    number: int
    articles: int
    revision: int


class PartRange(NamedTuple):
    """The numbers of the first and the last part with a live article."""

    first: int
    last: int


class SitemapReader(ReadAccess):
    """Queries on the articles of sitemaps."""

    def sitemap_parts(self) -> list[SitemapPart]:
        """Return all parts with a live article, by number. This reads the row of every article."""
        rows = self._connection.execute(_parts().order_by("part"))
        return [SitemapPart(part + 1, articles, revision) for part, articles, revision in rows]

    def sitemap_part(self, number: int) -> SitemapPart | None:
        """Return a part; None if it has no live article."""
        first = (number - 1) * PART_SIZE
        is_in_part = sa.and_(t.articles.c.key >= first, t.articles.c.key < first + PART_SIZE)
        row = self._connection.execute(_parts().where(is_in_part)).one_or_none()
        return SitemapPart(number, row[1], row[2]) if row else None

    def part_range(self) -> PartRange | None:
        """Return the first and the last part; None if there are no live articles."""
        key = t.articles.c.key
        ends = [sa.select(_part()).where(_IS_LIVE).order_by(order).limit(1) for order in (key, key.desc())]
        first, last = (self._connection.execute(end).scalar() for end in ends)
        return None if first is None or last is None else PartRange(first + 1, last + 1)

    def articles_of_part(self, number: int) -> Iterator[Article]:
        """Yield the live articles of a part, including unlisted ones, in the order of their keys."""
        first, end = (number - 1) * PART_SIZE, number * PART_SIZE
        listed = sa.select(t.texts.c.article).join_from(t.articles, t.texts, t.texts.c.key == t.articles.c.text)
        for start in range(first, end, _BATCH):
            is_in_batch = sa.and_(t.articles.c.key >= start, t.articles.c.key < min(start + _BATCH, end))
            chosen = listed.where(is_in_batch, _IS_LIVE).order_by(t.articles.c.key)
            yield from map(unpack_article, self._connection.scalars(chosen).all())

    def first_entry_since(self, feed: str, moment: datetime) -> datetime | None:
        """Return the date of the first entry of a feed that was published since a moment; None if there is none."""
        e = t.entries.c
        chosen = sa.select(sa.func.min(e.published)).where(e.feed == feed, e.published >= to_microseconds(moment))
        published = self._connection.execute(chosen).scalar()
        return None if published is None else from_microseconds(published)


def _part() -> sa.Label[int]:
    return (t.articles.c.key // sa.literal_column(str(PART_SIZE), sa.Integer)).label("part")


def _parts() -> sa.Select[int, int, Any]:
    """Return the statement that selects parts with live articles: number from 0, articles, last revision.

    An article that is not live any more keeps its row, with the revision that withdrew it.
    """
    part, live = _part(), sa.func.sum(sa.case((_IS_LIVE, 1), else_=0))
    return sa.select(part, live, sa.func.max(t.articles.c.revision)).group_by(part).having(live > 0)
