"""Staging: stores loaded files in the table `staged_files`, and later makes them the versions of articles.

Each batch is committed by itself, so an interrupted run continues where it stopped. To add a value of loaded files, add
a column to both tables (`_VERSION`) and a migration in `schema.py`, extend `LoadedArticle` here, and then change
`publish/load.py`.
"""

from collections.abc import Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Any, NamedTuple

import sqlalchemy as sa
from pydantic_core import to_json

from feeds.catalog import schema as t
from feeds.catalog.access import ReadAccess
from feeds.catalog.encoding import UNLISTED, pack_article, to_microseconds
from feeds.catalog.files import FileStamp, RejectedArticle, paths_below
from feeds.catalog.moved_pages import MovedPageWriter
from feeds.catalog.state import StateWriter
from feeds.core.model import Article, ArticleWarning

_VERSION_COLUMNS = tuple(column.name for column in t.staged_files.c if column.name not in {*FileStamp._fields, "text"})
_version_values = attrgetter(*_VERSION_COLUMNS)


class LoadedArticle(NamedTuple):
    """The packed article of one file, or the reason why the file has none."""

    path: str
    stamp: FileStamp
    hash: str | None = None
    article: bytes | None = None  # packed
    slug: str | None = None
    explicit_id: str | None = None
    generated_id: str | None = None
    feeds: str | None = None
    other_groups: str | None = None
    page: str | None = None
    published: int | None = None
    expires: int | None = None
    draft: bool = False
    live_from: int | None = None
    links_to: str | None = None  # JSON
    rejection: str | None = None
    rejection_line: int | None = None
    warnings: tuple[ArticleWarning, ...] = ()  # reported once, by the run that loads the file

    @classmethod
    def of(
        cls,
        article: Article,
        stamp: FileStamp,
        hash_: str,
        generated_id: str,
        feeds: Mapping[str, str],
        other_groups: Mapping[str, str] | None,
        page: str | None,
        links_to: Sequence[str] = (),
    ) -> "LoadedArticle":
        """Pack an article.

        Args:
            article: the article.
            stamp: the stamp of its file.
            hash_: the hash of its file.
            generated_id: the id that it gets if its front matter has none.
            feeds: the feeds that list it when it is live: the name of each, as the article spells it, by its path.
            other_groups: the groups derived neither from its feeds nor from its path; None if it is unlisted.
            page: the path of its page; None if this site publishes no pages.
            links_to: the targets of its links to other articles' files.
        """
        return cls(
            path=article.path,
            stamp=stamp,
            hash=hash_,
            article=pack_article(article),
            slug=article.slug if article.slug_given else None,
            explicit_id=article.id,
            generated_id=generated_id,
            feeds=to_json(feeds).decode(),
            other_groups=UNLISTED if other_groups is None else to_json(other_groups).decode() if other_groups else None,
            page=page,
            published=to_microseconds(article.published),
            expires=to_microseconds(article.expires) if article.expires else None,
            draft=article.draft,
            live_from=to_microseconds(article.live_from or article.published),
            links_to=to_json(links_to).decode() if links_to else None,
            warnings=article.warnings,
        )


class StagedFile(NamedTuple):
    """A file that was loaded and is not published yet, to compare a scan with."""

    path: str
    mtime_ns: int
    size: int
    inode: int
    is_rejected: bool

    @property
    def stamp(self) -> FileStamp:
        """The stamp of the file when it was scanned."""
        return FileStamp(self.mtime_ns, self.size, self.inode)


class FileVersion(NamedTuple):
    """A staged good version of a file, and the article that its path has so far."""

    path: str
    hash: str
    slug: str | None
    explicit_id: str | None
    generated_id: str
    draft: bool
    page: str | None
    key: int | None  # of the article at its path
    has_good_version: bool  # whether that article ever had one
    deleted: bool
    live_page: str | None  # of that article, if it is live
    rejection: str | None  # why the previous version of the file is rejected


class AcceptedVersion(NamedTuple):
    """A staged file that becomes the good version of an article."""

    key: int | None  # of the article; None for a new one
    path: str


class StagedId(NamedTuple):
    """Whether a good version of a file is staged, and the id in its front matter."""

    is_staged: bool
    explicit_id: str | None


class NewRejections(NamedTuple):
    """Staged files that can't be published, for a reason that was not reported yet."""

    articles: list[RejectedArticle]  # the first ones, by path
    total: int  # number of all of them


class SameText(NamedTuple):
    """A staged file with the text of an article whose file is at another path."""

    path: str
    old_path: str
    key: int  # of the article


class StagingReader(ReadAccess):
    """Queries on staged files."""

    def staged_files(self, below: str, after: str, limit: int) -> list[StagedFile]:
        """Return by path the files that are staged, with the same arguments as `known_files`."""
        s = t.staged_files.c
        columns = [s.path, s.mtime_ns, s.size, s.inode, s.rejection.isnot(None)]
        chosen = sa.select(*columns).where(*paths_below(t.staged_files, below, after)).order_by(s.path).limit(limit)
        return list(map(StagedFile._make, self._connection.execute(chosen).all()))

    def staged_versions(self, after: str, limit: int) -> list[FileVersion]:
        """Return up to `limit` staged good versions, by path, after a path."""
        s, a = t.staged_files.c, t.articles.c
        of_article = [
            a.key,
            sa.func.coalesce(a.hash.isnot(None), sa.false()),
            sa.func.coalesce(a.deleted, sa.false()),
            sa.case((a.live.is_(True), a.page), else_=sa.null()),
            a.rejection,
        ]
        chosen = (
            sa.select(s.path, s.hash, s.slug, s.explicit_id, s.generated_id, s.draft, s.page, *of_article)
            .outerjoin(t.articles, a.path == s.path)
            .where(s.hash.isnot(None), s.path > after)
            .order_by(s.path)
            .limit(limit)
        )
        return list(map(FileVersion._make, self._connection.execute(chosen).all()))

    def staged_pages(self, paths: Iterable[str]) -> dict[str, str | None]:
        """Return by path the pages of the staged good versions; None for a draft, and for one without a page."""
        s = t.staged_files.c
        page = sa.case((s.draft.is_(False), s.page), else_=sa.null())
        pages: dict[str, str | None] = {}
        for chunk in t.chunks(list(paths)):
            chosen = sa.select(s.path, page).where(s.path.in_(chunk), s.hash.isnot(None))
            pages |= map(tuple, self._connection.execute(chosen))
        return pages

    def duplicate_explicit_ids(self) -> dict[str, str]:
        """Return the ids that several staged files set, without drafts, with the path of the earliest file."""
        s = t.staged_files.c
        conditions = sa.and_(s.explicit_id.isnot(None), s.hash.isnot(None), s.draft.is_(False))
        duplicates = sa.select(s.explicit_id).where(conditions).group_by(s.explicit_id).having(sa.func.count() > 1)
        chosen = sa.select(s.explicit_id, s.path).where(conditions, s.explicit_id.in_(duplicates))
        latest_first = chosen.order_by(s.published.desc(), s.path.desc())
        return dict(tuple(row) for row in self._connection.execute(latest_first))  # the last one wins

    def staged_id(self, path: str) -> StagedId:
        """Return whether a good version of a path is staged, and the id that its front matter sets."""
        s = t.staged_files.c
        row = self._connection.execute(sa.select(s.explicit_id).where(s.path == path, s.hash.isnot(None))).one_or_none()
        return StagedId(row is not None, row.explicit_id if row else None)

    def has_staged_rejections(self) -> bool:
        """Return whether a staged file can't be published."""
        chosen = sa.select(t.staged_files.c.path).where(t.staged_files.c.rejection.isnot(None)).limit(1)
        return self._connection.execute(chosen).scalar() is not None

    def new_rejections(self, limit: int, *, changed_only: bool) -> NewRejections:
        """Return up to `limit` staged files that can't be published, and the number of all such files.

        Files that are rejected for the same reason as before are included only if `changed_only` is false: they were
        saved again. Set it to true if all files were read, changed or not. Call this before `reject_staged`.
        """
        s, a = t.staged_files.c, t.articles.c
        is_new = sa.or_(a.rejection.is_(None), a.rejection != s.rejection, a.rejection_line != s.rejection_line)
        if not changed_only:
            is_new = sa.or_(is_new, s.mtime_ns != 0)  # without a stamp, every run reads the file again
        chosen = (
            sa.select(s.path, s.rejection_line, s.rejection, sa.func.count().over())
            .outerjoin(t.articles, a.path == s.path)
            .where(s.rejection.isnot(None), is_new)
            .order_by(s.path)
            .limit(limit)
        )
        rows = self._connection.execute(chosen).all()
        return NewRejections([RejectedArticle(*row[:3]) for row in rows], rows[0][3] if rows else 0)

    def same_texts(self) -> list[SameText]:
        """Return the staged files that have the text of an article at another path."""
        s, a = t.staged_files.c, t.articles.c
        chosen = sa.select(s.path, a.path, a.key).where(s.hash == a.hash, s.path != a.path)
        return list(map(SameText._make, self._connection.execute(chosen)))


class StagingWriter(StagingReader, MovedPageWriter, StateWriter):
    """Stages files, and stores staged files as versions of articles."""

    def omit_hash_index(self) -> None:
        """Record that a new catalog has no index of hashes yet."""
        self.state.lacks_hash_index = True

    def create_hash_index(self) -> None:
        """Create the index of hashes if the catalog is new. Building it once is faster than updating it."""
        if self.state.lacks_hash_index:
            self._connection.execute(sa.schema.CreateIndex(t.ARTICLES_BY_HASH, if_not_exists=True))
            self.state.lacks_hash_index = False

    def stage(self, batch: Iterable[LoadedArticle], *, as_articles: bool) -> None:
        """Store loaded files that are not staged yet.

        If `as_articles` is true, store them as articles at once: the catalog has no articles that they could match.
        """
        rows: list[tuple[Any, ...]] = []
        texts: list[tuple[Any, ...]] = []
        next_key = (self._connection.execute(sa.select(sa.func.max(t.texts.c.key))).scalar() or 0) + 1
        for key, loaded in enumerate(batch, next_key):
            text = key if loaded.hash is not None else None
            if text:
                texts.append((text, loaded.article))
            article_values = (False, False, t.EDITED if text else 0) if as_articles else ()
            rows.append((*_version_values(loaded), *loaded.stamp, text, *article_values))
        self._add(t.texts, ("key", "article"), texts)
        columns = (*_VERSION_COLUMNS, *FileStamp._fields, "text")
        if as_articles:
            self._add(t.articles, (*columns, "deleted", "live", "pending"), rows)
        else:
            self._add(t.staged_files, columns, rows)

    def unstage(self, paths: Iterable[str]) -> None:
        """Delete the staged versions of files."""
        s = t.staged_files.c
        for chunk in t.chunks(list(paths)):
            unused = sa.select(s.text).where(s.path.in_(chunk))
            self._connection.execute(t.texts.delete().where(t.texts.c.key.in_(unused)))
            self._connection.execute(t.staged_files.delete().where(s.path.in_(chunk)))

    def unstage_all(self) -> None:
        """Delete the staged versions of all files."""
        unused = sa.select(t.staged_files.c.text).where(t.staged_files.c.text.isnot(None))
        self._connection.execute(t.texts.delete().where(t.texts.c.key.in_(unused)))
        self.clear_staging()

    def clear_staging(self) -> None:
        """Delete the rows of staged files but keep their texts, which articles have now."""
        self._connection.execute(t.staged_files.delete())

    def save_versions(self, versions: Iterable[AcceptedVersion]) -> None:
        """Make staged files the good versions of their articles."""
        versions = list(versions)
        for chunk in t.chunks([path for key, path in versions if key is None]):
            s = t.staged_files.c
            staged = sa.select(t.staged_files, sa.literal(t.EDITED)).where(s.path.in_(chunk)).order_by(s.path)
            names = [column.name for column in s]
            self._connection.execute(t.articles.insert().from_select([*names, "pending"], staged))
        known = [(key, path) for key, path in versions if key is not None]
        a = t.articles.c
        for key, path in known:
            is_moved = sa.and_(a.key == key, a.path != path)
            self._connection.execute(t.articles.update().where(is_moved).values(path=path, hash=""))
        for keys in t.chunks([key for key, _ in known]):
            unused = sa.select(a.text).where(a.key.in_(keys), a.text.isnot(None))
            self._connection.execute(t.texts.delete().where(t.texts.c.key.in_(unused)))
            self._keep_entry_keys(keys)
            self.record_moved_pages(keys)
            values = {column.name: column for column in t.staged_files.c}
            pending = sa.case((a.hash != t.staged_files.c.hash, t.EDITED), else_=t.TO_DECIDE)
            update = t.articles.update().where(a.key.in_(keys), a.path == t.staged_files.c.path)
            self._connection.execute(update.values(values | {"deleted": False, "pending": pending}))

    def _keep_entry_keys(self, keys: Iterable[int]) -> None:
        """Store the current keys of live articles' entries, before new versions replace the values in these keys."""
        a = t.articles.c
        update = t.articles.update().where(a.key.in_(keys), a.live.is_(True), a.entry_feeds.is_(None))
        self._connection.execute(update.values(entry_published=a.published, entry_feeds=a.feeds))

    def reject_staged(self) -> None:
        """Store the rejections of staged files. Articles keep their last good versions."""
        a, s = t.articles.c, t.staged_files.c
        columns = [s.path, s.mtime_ns, s.size, s.inode, s.rejection, s.rejection_line]
        is_rejected = s.rejection.isnot(None)
        update = t.articles.update().where(a.path == s.path, is_rejected)
        self._connection.execute(update.values({column.name: column for column in columns}))
        is_known = sa.select(a.key).where(a.path == s.path).exists()
        new = sa.select(*columns).where(is_rejected, ~is_known).order_by(s.path)
        self._connection.execute(t.articles.insert().from_select([column.name for column in columns], new))
