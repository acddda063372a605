"""Finds articles by the paths of their HTML pages, and the articles whose pages have the same address.

The path of a page is a column of `articles`; `core/permalinks.py` builds it. `publish/page_conflicts.py` decides which
of two articles keeps an address.
"""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from feeds.catalog import schema as t
from feeds.catalog.access import ReadAccess
from feeds.catalog.articles import is_live_or_has_file
from feeds.catalog.encoding import to_microseconds
from feeds.catalog.entries import CONTENT_HASH, RECORDS, EntryRecord, entry_record


class PageClaim(NamedTuple):
    """An article that may be published, and the path of its page."""

    key: int
    path: str
    page: str
    published: int
    live: bool
    live_from: int
    expires: int | None


class PendingPage(NamedTuple):
    """The page of an article that a run must decide about."""

    key: int  # of the article
    page: str


class PublishedPage(NamedTuple):
    """The page of a live article."""

    page: str
    path: str  # of the article's file
    feeds: str  # for `names_by_feed`
    content_hash: str
    id: str
    key: int


class Neighbour(NamedTuple):
    """An article beside another one in the site's feed, and the path of its page."""

    record: EntryRecord
    page: str


class Neighbours(NamedTuple):
    """The nearest articles with pages before and after an article in the site's feed."""

    older: Neighbour | None
    newer: Neighbour | None


class PageInFeed(NamedTuple):
    """The page of an article in the site's feed, and the position of its entry."""

    published: int  # microseconds since 1970
    id: str
    key: int
    path: str  # of the article's file
    page: str
    content_hash: str


_CLAIMS = sa.select(*(t.articles.c[name] for name in PageClaim._fields)).where(
    t.articles.c.deleted.is_(False), t.articles.c.draft.is_(False), t.articles.c.page.isnot(None)
)
_BELOW_A_FILE = t.articles.c.page.like("%.htm%/%")  # in a folder whose name another page's file may have
_IS_INDEX = sa.or_(t.articles.c.page.like("%/index"), t.articles.c.page.like("%/index.html"))
_IS_PENDING = sa.and_(t.articles.c.pending > 0, t.articles.c.page.isnot(None))


def _first_at_page(*, live: bool) -> sa.Select[Any]:
    at_page = RECORDS.where(t.articles.c.page == sa.bindparam("page", type_=sa.Text), is_live_or_has_file(live=live))
    return at_page.order_by(t.articles.c.published, t.articles.c.id.nulls_first()).limit(1)


def _neighbour(is_newer: bool) -> sa.Select[Any]:
    """Return the statement that selects the article with a page that follows a position in the site's feed."""
    e = t.entries.c
    position = sa.tuple_(e.published, e.id)
    given = sa.tuple_(sa.bindparam("published", type_=sa.BigInteger), sa.bindparam("id", type_=sa.Text))
    is_beside = position > given if is_newer else position < given
    # its own entry may be at its former position until a run has decided about its new version
    is_other = t.articles.c.path != sa.bindparam("path", type_=sa.Text)
    columns = (t.articles.c.page, sa.literal(is_newer).label("is_newer"))
    chosen = RECORDS.add_columns(*columns).join(t.entries, e.article == t.articles.c.key)
    chosen = chosen.where(e.feed == "", is_beside, is_other, t.articles.c.page.isnot(None))
    first = chosen.order_by(*(t.OLDEST_FIRST if is_newer else t.NEWEST_FIRST)).limit(1)
    return sa.select(first.subquery())


_NEIGHBOURS = sa.union_all(_neighbour(is_newer=False), _neighbour(is_newer=True))
_AT_PAGE = {live: _first_at_page(live=live) for live in (True, False)}  # built once, executed per page


class PageReader(ReadAccess):
    """Queries on the pages of articles."""

    def entry_at_page(self, path: str, *, live: bool = True) -> EntryRecord | None:
        """Return the article whose page is at a path; of several, the one that was published first.

        Only live articles count or, if `live` is false, all articles whose files exist.
        """
        row = self._connection.execute(_AT_PAGE[live], {"page": path}).one_or_none()
        return entry_record(row) if row else None

    def entries_at_pages(self, pages: list[str]) -> dict[str, EntryRecord]:
        """Return the live articles whose pages are at some paths, by path; see `entry_at_page`."""
        records: dict[str, EntryRecord] = {}
        a = t.articles.c
        for chunk in t.chunks(pages):
            chosen = RECORDS.add_columns(a.page).where(a.page.in_(chunk), is_live_or_has_file(live=True))
            latest_first = chosen.order_by(a.published.desc(), a.id.desc().nulls_last())  # the earliest one wins
            records.update((row.page, entry_record(row)) for row in self._connection.execute(latest_first))
        return records

    def neighbours(self, record: EntryRecord) -> Neighbours:
        """Return the articles with pages before and after an article in the site's feed, by date, then by id."""
        position = {"published": to_microseconds(record.published), "id": record.id, "path": record.path}
        rows = self._connection.execute(_NEIGHBOURS, position)
        found = {bool(row.is_newer): Neighbour(entry_record(row), row.page) for row in rows}
        return Neighbours(found.get(False), found.get(True))

    def pages_in_feed(self, after: PageInFeed | None, limit: int) -> list[PageInFeed]:
        """Return up to `limit` articles with pages in the site's feed, the oldest first, that follow a given one."""
        a, e = t.articles.c, t.entries.c
        chosen = sa.select(e.published, e.id, a.key, a.path, a.page, CONTENT_HASH).join(t.articles, e.article == a.key)
        chosen = chosen.where(e.feed == "", a.page.isnot(None))
        if after:
            chosen = chosen.where(sa.tuple_(e.published, e.id) > sa.tuple_(*map(sa.literal, after[:2])))
        first = chosen.order_by(*t.OLDEST_FIRST).limit(limit)
        return list(map(PageInFeed._make, self._connection.execute(first)))

    def paths_by_page(self, pages: Sequence[str], *, live: bool) -> dict[str, str]:
        """Return the paths of articles' files by page: of live articles or, if `live` is false, of all with a file."""
        a = t.articles.c
        chosen = sa.select(a.page, a.path).where(a.page.in_(pages), is_live_or_has_file(live=live))
        latest_first = chosen.order_by(a.published.desc(), a.id.desc().nulls_last())  # the earliest one wins
        return {row.page: row.path for row in self._connection.execute(latest_first)}

    def has_pages_below(self, path: str) -> bool:
        """Return whether a live article's page is in the folder at a path."""
        a = t.articles.c
        chosen = sa.select(a.key).where(a.page >= f"{path}/", a.page < f"{path}0", a.live.is_(True)).limit(1)
        return self._connection.execute(chosen).scalar() is not None

    def was_page(self, path: str) -> bool:
        """Return whether an article that was published has, or had last, its page at a path."""
        chosen = sa.select(t.articles.c.key).where(t.articles.c.page == path, t.articles.c.id.isnot(None)).limit(1)
        return self._connection.execute(chosen).scalar() is not None

    def published_pages(self, after: str, limit: int) -> list[PublishedPage]:
        """Return up to `limit` pages of live articles, by page, after a page."""
        a = t.articles.c
        chosen = sa.select(a.page, a.path, a.feeds, CONTENT_HASH, a.id, a.key).where(a.page > after, a.live.is_(True))
        first = chosen.order_by(a.page, a.published, a.id).limit(limit)
        return list(map(PublishedPage._make, self._connection.execute(first)))

    def pending_pages(self, after: int, limit: int) -> list[PendingPage]:
        """Return up to `limit` pages of pending articles, in the order of the articles' keys, after a key."""
        chosen = sa.select(t.articles.c.key, t.articles.c.page).where(_IS_PENDING, t.articles.c.key > after)
        first = chosen.order_by(t.articles.c.key).limit(limit)
        return list(map(PendingPage._make, self._connection.execute(first)))

    def contested_pages(self) -> set[str]:
        """Return the pages of pending articles that other articles have too, without drafts."""
        a = t.articles.c
        of_pending = sa.select(a.page).where(_IS_PENDING)
        claims = sa.select(a.page).where(a.page.in_(of_pending), a.deleted.is_(False), a.draft.is_(False))
        return set(self._connection.scalars(claims.group_by(a.page).having(sa.func.count() > 1)))

    def has_unusual_page(self, *, pending_only: bool) -> bool:
        """Return whether any article has an unusual page; if `pending_only` is true, only pending articles count.

        An unusual page is at `…/index` or `…/index.html`, or in a folder that may be another page's file.
        """
        among = _IS_PENDING if pending_only else t.articles.c.page.isnot(None)
        chosen = sa.select(t.articles.c.key).where(among, sa.or_(_BELOW_A_FILE, _IS_INDEX)).limit(1)
        return self._connection.execute(chosen).scalar() is not None

    def live_pages(self, keys: Iterable[int]) -> dict[int, str]:
        """Return the pages of live articles, by the key of the article."""
        a, pages = t.articles.c, dict[int, str]()
        for chunk in t.chunks(list(keys)):
            chosen = sa.select(a.key, a.page).where(a.key.in_(chunk), a.live.is_(True), a.page.isnot(None))
            pages |= map(tuple, self._connection.execute(chosen))
        return pages

    def page_claims(self, pages: Iterable[str]) -> list[PageClaim]:
        """Return the articles whose pages are at these paths, without drafts."""
        claims = (self._claims(_CLAIMS.where(t.articles.c.page.in_(chunk))) for chunk in t.chunks(list(pages)))
        return [claim for chunk in claims for claim in chunk]

    def claims_below_files(self) -> list[PageClaim]:
        """Return the articles whose pages may need a folder where another page's file is, without drafts."""
        return self._claims(_CLAIMS.where(_BELOW_A_FILE))

    def _claims(self, chosen: sa.Select[Any]) -> list[PageClaim]:
        return list(map(PageClaim._make, self._connection.execute(chosen)))
