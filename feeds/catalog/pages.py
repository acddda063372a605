"""Queries for HTML pages: the article at a path, and articles that are not published yet."""

import hashlib
from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa

from feeds.catalog import schema as t
from feeds.catalog.state import CatalogState
from feeds.catalog.types import EntryRecord, PublishedPage, UnpublishedEntry, entry_record, to_microseconds
from feeds.core.article_files import SUFFIXES
from feeds.core.parse.links import file_target

# an article without an id yet is shown with the one that it will get
_ID = sa.func.coalesce(t.articles.c.id, t.articles.c.explicit_id, t.articles.c.generated_id).label("id")
# changes with the article's file and with the URLs of its links to other articles
CONTENT_HASH = sa.func.coalesce(t.articles.c.hash + t.articles.c.link_urls, t.articles.c.hash).label("hash")
_COLUMNS = (*(t.articles.c[name] for name in ("path", "published", "revision", "link_urls")), CONTENT_HASH, _ID)
RECORDS = sa.select(t.texts, *_COLUMNS).join_from(t.articles, t.texts, t.texts.c.key == t.articles.c.text)


def _is_visible(*, live: bool) -> sa.ColumnElement[bool]:
    """Return the condition: a live article, or without `live`, any whose file is there."""
    return t.articles.c.live.is_(True) if live else t.articles.c.deleted.is_(False)


class PageReader:
    """Queries for pages on one consistent revision, within one transaction."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def entry_at_page(self, path: str, *, live: bool = True) -> EntryRecord | None:
        """Return the article whose page is at a path; of several, the one that was published first.

        Only live articles count, or without `live`, all whose files are there.
        """
        chosen = RECORDS.where(t.articles.c.page == path, _is_visible(live=live))
        first = chosen.order_by(t.articles.c.published, t.articles.c.id.nulls_first()).limit(1)
        row = self._connection.execute(first).one_or_none()
        return entry_record(row) if row else None

    def paths_by_page(self, pages: Sequence[str], *, live: bool) -> dict[str, str]:
        """Return the paths of the files of articles by their pages; only of live articles, or of all."""
        a = t.articles.c
        chosen = sa.select(a.page, a.path).where(a.page.in_(pages), _is_visible(live=live))
        latest_first = chosen.order_by(a.published.desc(), a.id.desc().nulls_last())  # the earliest one wins
        return {row.page: row.path for row in self._connection.execute(latest_first)}

    def is_linked(self, target: str, *, live: bool) -> bool:
        """Return whether a live article, or any, has a link with a target."""
        chosen = sa.select(t.links.c.article).join(t.articles, t.articles.c.key == t.links.c.article)
        chosen = chosen.where(t.links.c.target == target, _is_visible(live=live)).limit(1)
        return self._connection.execute(chosen).scalar() is not None

    def linked_files(self, after: str, limit: int) -> list[str]:
        """Return up to `limit` files to which live articles link, as targets in their order, after a target."""
        is_file = sa.and_(t.links.c.target > (after or "/"), t.links.c.target < "0")  # "0" is the character after "/"
        chosen = sa.select(t.links.c.target).distinct().join(t.articles, t.articles.c.key == t.links.c.article)
        first = chosen.where(is_file, t.articles.c.live.is_(True)).order_by(t.links.c.target).limit(limit)
        return list(self._connection.scalars(first))

    def has_pages_below(self, path: str) -> bool:
        """Return whether a live article's page is in the folder at a path."""
        a = t.articles.c
        chosen = sa.select(a.key).where(a.page >= f"{path}/", a.page < f"{path}0", a.live.is_(True)).limit(1)
        return self._connection.execute(chosen).scalar() is not None

    def is_of_draft(self, path: str) -> bool:
        """Return whether a file belongs to an article that is not live, by its path below the content folder.

        It does if it is in the folder of such an article, or if such articles refer to it and no live one does.
        """
        folders = [path[:end] for end, letter in enumerate(path) if letter == "/"]
        indexes = [f"{folder}/index{suffix}" for folder in folders for suffix in SUFFIXES]
        owners = sa.select(t.articles.c.live).where(t.articles.c.path.in_(indexes), t.articles.c.deleted.is_(False))
        nearest = owners.order_by(sa.func.length(t.articles.c.path).desc()).limit(1)
        live = self._connection.execute(nearest).scalar()
        if live is not None:
            return not live
        target = file_target(path)
        return self.is_linked(target, live=False) and not self.is_linked(target, live=True)

    def was_page(self, path: str) -> bool:
        """Return whether an article that was published has, or had last, its page at a path."""
        chosen = sa.select(t.articles.c.key).where(t.articles.c.page == path, t.articles.c.id.isnot(None)).limit(1)
        return self._connection.execute(chosen).scalar() is not None

    def published_pages(self, after: str, limit: int) -> list[PublishedPage]:
        """Return up to `limit` pages of live articles, by page, after a page."""
        a = t.articles.c
        chosen = sa.select(a.page, a.path, a.feeds, CONTENT_HASH, a.id).where(a.page > after, a.live.is_(True))
        first = chosen.order_by(a.page, a.published, a.id).limit(limit)
        return list(map(PublishedPage._make, self._connection.execute(first)))

    def unpublished_entries(self, now: datetime, limit: int = 200) -> list[UnpublishedEntry]:
        """Return drafts and scheduled articles, the latest first."""
        a = t.articles.c
        is_hidden = sa.or_(a.draft.is_(True), sa.and_(a.scheduled.is_(True), a.live_from > to_microseconds(now)))
        conditions = [a.deleted.is_(False), a.live.is_(False), is_hidden]
        chosen = RECORDS.add_columns(a.draft).where(*conditions).order_by(a.published.desc(), a.path).limit(limit)
        return [UnpublishedEntry(entry_record(row), row.draft) for row in self._connection.execute(chosen)]

    def entry_of_file(self, path: str) -> EntryRecord | None:
        """Return the last good version of a file's article, whether it is published or not."""
        chosen = RECORDS.where(t.articles.c.path == path, t.articles.c.deleted.is_(False))
        row = self._connection.execute(chosen).one_or_none()
        return entry_record(row) if row else None

    def change_token(self) -> str:
        """Return a text that changes with each run that stored something."""
        newest = self._connection.execute(sa.select(sa.func.max(t.texts.c.key))).scalar() or 0
        run = self._connection.execute(sa.select(t.meta.c.value).where(t.meta.c.key == CatalogState.LAST_RUN)).scalar()
        number = self._connection.execute(sa.select(sa.func.max(t.revisions.c.number))).scalar()
        state = f"{number} {newest} {run}"
        return hashlib.sha256(state.encode()).hexdigest()[:12]
