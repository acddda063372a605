"""Former addresses of articles' pages, in the table `moved_pages`: requests for them are redirected.

A row maps a path to the article that had its page there last. The article's own row has the current path, so however
often an article moves, each former path leads to the current one in one step. When an article is published at a former
path, the row is deleted: from then on, the path leads to that article.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

import sqlalchemy as sa

from feeds.catalog import schema as t
from feeds.catalog.access import ReadAccess, WriteAccess


class CurrentPage(NamedTuple):
    """The page of an article that had another address before."""

    page: str | None  # None: on another site, or nowhere
    live: bool


class MovedPage(NamedTuple):
    """A former address of a live article, and the current one."""

    page: str
    target: str


_OF_MOVED = sa.select(t.moved_pages.c.page, t.articles.c.page.label("target"), t.articles.c.live).join_from(
    t.moved_pages, t.articles, t.articles.c.key == t.moved_pages.c.article
)
_CURRENT = _OF_MOVED.where(t.moved_pages.c.page == sa.bindparam("page", type_=sa.Text), t.articles.c.id.isnot(None))


class MovedPageReader(ReadAccess):
    """Queries on former addresses."""

    def current_page(self, path: str) -> CurrentPage | None:
        """Return the page of the article that had its page at a path before; None if no article moved from there."""
        row = self._connection.execute(_CURRENT, {"page": path}).one_or_none()
        return CurrentPage(row.target, row.live) if row else None

    def has_moved_pages(self) -> bool:
        """Return whether any article has a former address."""
        return self._connection.execute(sa.select(t.moved_pages.c.article).limit(1)).scalar() is not None

    def moved_pages(self, after: str, limit: int) -> list[MovedPage]:
        """Return up to `limit` former addresses of live articles, in their order, after a path."""
        page, a, other = t.moved_pages.c.page, t.articles.c, t.articles.alias()
        is_taken = sa.select(other.c.key).where(other.c.page == page, other.c.live.is_(True)).exists()
        chosen = _OF_MOVED.where(page > after, a.live.is_(True), a.page.isnot(None), ~is_taken)
        chosen = chosen.order_by(page).limit(limit)
        return [MovedPage(row.page, row.target) for row in self._connection.execute(chosen)]


class MovedPageWriter(MovedPageReader, WriteAccess):
    """Records former addresses."""

    def record_moved_pages(self, keys: Iterable[int]) -> None:
        """Record the current addresses of articles whose staged versions have other addresses.

        Call this before the staged versions replace the current ones. Articles that were never published are ignored.
        If several articles had the same path, record it for the live one.
        """
        a, s, moved = t.articles.c, t.staged_files.c, t.moved_pages
        latest = sa.func.coalesce(sa.func.max(sa.case((a.live.is_(True), a.key))), sa.func.max(a.key))
        other = t.articles.alias()  # a live article that has the page; the moved one had it only as a draft
        is_taken = sa.select(other.c.key).where(other.c.page == a.page, other.c.live.is_(True), other.c.key != a.key)
        has_moved = sa.and_(a.page.isnot(None), sa.or_(s.page.is_(None), s.page != a.page))
        chosen = (
            sa.select(a.page, latest)
            .join_from(t.articles, t.staged_files, s.path == a.path)
            .where(a.key.in_(keys), a.id.isnot(None), has_moved, ~is_taken.exists())
            .group_by(a.page)
        )
        of_live = sa.select(a.key).where(a.key == sa.literal_column("excluded.article"), a.live.is_(True)).exists()
        insert = self._database.insert(moved).from_select(["page", "article"], chosen)
        values: dict[str, Any] = {"article": sa.literal_column("excluded.article")}
        self._connection.execute(insert.on_conflict_do_update(index_elements=["page"], set_=values, where=of_live))

    def delete_moved_pages(self, keys: Iterable[int]) -> None:
        """Delete the former addresses at which articles, given by their keys, have their pages now."""
        for chunk in t.chunks(list(keys)):
            taken = sa.select(t.articles.c.page).where(t.articles.c.key.in_(chunk), t.articles.c.page.isnot(None))
            self._connection.execute(t.moved_pages.delete().where(t.moved_pages.c.page.in_(taken)))
