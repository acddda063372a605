"""Questions that pages for people have: which article is at a path, and what is not published yet."""

import hashlib
from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa

from feeds.article_files import SUFFIXES
from feeds.catalog.rows import Record, micros, record
from feeds.catalog.schema import articles, links, meta, revisions, texts
from feeds.parse.links import file_target

would_be = sa.func.coalesce(articles.c.id, articles.c.given, articles.c.minted).label("id")  # of what is no entry yet
# of what an article's text shows: its file, and the URLs of its links to other articles
CONTENT_HASH = sa.func.coalesce(articles.c.hash + articles.c.link_urls, articles.c.hash).label("hash")
_OF_RECORDS = (*(articles.c[name] for name in ("path", "published", "revision", "link_urls")), CONTENT_HASH, would_be)
RECORDS = sa.select(texts, *_OF_RECORDS).join_from(articles, texts, texts.c.key == articles.c.text)


class PageReader:
    """Questions of pages to one consistent revision."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def page(self, path: str, *, live: bool = True) -> Record | None:
        """Give the live article whose page is at a path: of several, the one that was published first. Or any other."""
        chosen = RECORDS.where(
            articles.c.page == path, articles.c.live.is_(True) if live else articles.c.gone.is_(False)
        )
        first = chosen.order_by(articles.c.published, articles.c.id.nulls_first()).limit(1)
        row = self._connection.execute(first).one_or_none()
        return record(row) if row else None

    def files_of(self, pages: Sequence[str], *, live: bool) -> dict[str, str]:
        """Give the paths of the files of articles by their pages: of live ones, or of any."""
        seen = articles.c.live.is_(True) if live else articles.c.gone.is_(False)
        chosen = sa.select(articles.c.page, articles.c.path).where(articles.c.page.in_(pages), seen)
        latest_first = chosen.order_by(articles.c.published.desc(), articles.c.id.desc().nulls_last())
        return {row.page: row.path for row in self._connection.execute(latest_first)}

    def is_linked(self, target: str, *, live: bool) -> bool:
        """Return whether a live article, or any, has a link with a target."""
        seen = articles.c.live.is_(True) if live else articles.c.gone.is_(False)
        chosen = sa.select(links.c.article).join(articles, articles.c.key == links.c.article)
        return self._connection.execute(chosen.where(links.c.target == target, seen).limit(1)).scalar() is not None

    def linked_files(self, after: str, limit: int) -> list[str]:
        """Return the files to which live articles link, as targets: so many after one, in their order."""
        a_file = sa.and_(links.c.target > (after or "/"), links.c.target < "0")  # "0" is the character after "/"
        chosen = sa.select(links.c.target).distinct().join(articles, articles.c.key == links.c.article)
        first = chosen.where(a_file, articles.c.live.is_(True)).order_by(links.c.target).limit(limit)
        return list(self._connection.scalars(first))

    def has_pages_below(self, path: str) -> bool:
        """Return whether a live article's page is in the folder at a path."""
        a = articles.c
        chosen = sa.select(a.key).where(a.page >= f"{path}/", a.page < f"{path}0", a.live.is_(True)).limit(1)
        return self._connection.execute(chosen).scalar() is not None

    def is_of_draft(self, path: str) -> bool:
        """Return whether a file belongs to an article that is not live, by its path below the content folder.

        It does if it is in the folder of such an article, or if such articles refer to it and no live one does.
        """
        folders = [path[:end] for end, letter in enumerate(path) if letter == "/"]
        indexes = [f"{folder}/index{suffix}" for folder in folders for suffix in SUFFIXES]
        own = sa.select(articles.c.live).where(articles.c.path.in_(indexes), articles.c.gone.is_(False))
        live = self._connection.execute(own.order_by(sa.func.length(articles.c.path).desc()).limit(1)).scalar()
        if live is not None:
            return not live
        target = file_target(path)
        return self.is_linked(target, live=False) and not self.is_linked(target, live=True)

    def was_page(self, path: str) -> bool:
        """Tell whether an article that the world knew has, or had last, its page at a path."""
        chosen = sa.select(articles.c.key).where(articles.c.page == path, articles.c.id.isnot(None)).limit(1)
        return self._connection.execute(chosen).scalar() is not None

    def pages(self, after: str, limit: int) -> list[tuple[str, str, str, str, str]]:
        """Give (page, path of the file, its feeds, its hash, id) of live articles: so many after a page, by page."""
        a = articles.c
        chosen = sa.select(a.page, a.path, a.feeds, CONTENT_HASH, a.id).where(a.page > after, a.live.is_(True))
        first = chosen.order_by(a.page, a.published, a.id).limit(limit)
        return [tuple(row) for row in self._connection.execute(first)]

    def unpublished(self, now: datetime, limit: int = 200) -> list[tuple[Record, bool]]:
        """Give what the world does not see yet, the latest first: drafts (True), and what is scheduled."""
        a = articles.c
        unseen = sa.or_(a.draft.is_(True), sa.and_(a.waiting.is_(True), a.live_from > micros(now)))
        there = [a.gone.is_(False), a.live.is_(False), unseen]
        chosen = RECORDS.add_columns(a.draft).where(*there).order_by(a.published.desc(), a.path).limit(limit)
        return [(record(row), row.draft) for row in self._connection.execute(chosen)]

    def at_path(self, path: str) -> Record | None:
        """Give the last good version of a file's article, whether the world sees it or not."""
        row = self._connection.execute(RECORDS.where(articles.c.path == path, articles.c.gone.is_(False))).one_or_none()
        return record(row) if row else None

    def reading_state(self) -> str:
        """Give what is another after each regeneration that did something."""
        newest = self._connection.execute(sa.select(sa.func.max(texts.c.key))).scalar() or 0
        run = self._connection.execute(sa.select(meta.c.value).where(meta.c.key == "run")).scalar()
        number = self._connection.execute(sa.select(sa.func.max(revisions.c.number))).scalar()
        state = f"{number} {newest} {run}"
        return hashlib.sha256(state.encode()).hexdigest()[:12]
