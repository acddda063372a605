"""Files: the article files of the last run, with their stamps and rejections; rows of the table `articles`.

A scan compares the content folder with them. To add an attribute of files, add a column of `articles` and
`staged_files` in `schema.py`, and extend `FileStamp` and `KnownFile` here, and `StagedFile` in `staging.py`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import sqlalchemy as sa

from feeds.catalog import schema as t
from feeds.catalog.access import ReadAccess, WriteAccess

QUEUED = sa.case(  # the value of `pending` for an article that must be decided again
    (t.articles.c.hash.is_(None), 0), (t.articles.c.pending == 0, t.TO_DECIDE), else_=t.articles.c.pending
)


class FileStamp(NamedTuple):
    """The attributes of a file that show whether it changed since it was scanned."""

    mtime_ns: int
    size: int  # bytes
    inode: int


class NewStamp(NamedTuple):
    """The stamp of a file whose text did not change."""

    key: int  # of the article
    stamp: FileStamp


class KnownFile(NamedTuple):
    """A file as the last run saw it, to compare a scan with."""

    path: str
    mtime_ns: int
    size: int
    inode: int
    key: int
    deleted: bool
    hash: str | None  # of its last good version
    is_rejected: bool

    @property
    def stamp(self) -> FileStamp:
        """The stamp of the file when it was scanned."""
        return FileStamp(self.mtime_ns, self.size, self.inode)


@dataclass(frozen=True, slots=True)
class RejectedArticle:
    """A file that can't be published, and the reason."""

    path: str
    line: int
    reason: str


class FileReader(ReadAccess):
    """Queries on files."""

    def known_files(self, below: str, after: str, limit: int) -> list[KnownFile]:
        """Return the files of the last run that are at or below one path and sort after another, by path.

        Args:
            below: the path of a file or a folder; "" for all files.
            after: the path of the last file of the previous page; "" for the first page.
            limit: the maximum number of files.
        """
        a = t.articles.c
        columns = [a.path, a.mtime_ns, a.size, a.inode, a.key, a.deleted, a.hash, a.rejection.isnot(None)]
        chosen = sa.select(*columns).where(*paths_below(t.articles, below, after)).order_by(a.path).limit(limit)
        return list(map(KnownFile._make, self._connection.execute(chosen).all()))

    def has_files_below(self, path: str) -> bool:
        """Return whether the catalog has files below a path that were not deleted."""
        below = paths_below(t.articles, path, f"{path}/")
        chosen = sa.select(t.articles.c.key).where(*below, t.articles.c.deleted.is_(False)).limit(1)
        return self._connection.execute(chosen).scalar() is not None

    def has_articles(self) -> bool:
        """Return whether the catalog has any file."""
        return self._connection.execute(sa.select(t.articles.c.key).limit(1)).scalar() is not None

    def has_deleted(self) -> bool:
        """Return whether the catalog has an article whose file was deleted."""
        chosen = sa.select(t.articles.c.slug).where(t.articles.c.deleted.is_(True)).limit(1)  # uses the partial index
        return self._connection.execute(chosen).one_or_none() is not None

    def rejected_articles(self, limit: int | None = None) -> list[RejectedArticle]:
        """Return up to `limit` rejected articles, by path."""
        a = t.articles.c
        chosen = sa.select(a.path, a.rejection_line, a.rejection).where(a.rejection.isnot(None)).order_by(a.path)
        return [RejectedArticle(*row) for row in self._connection.execute(chosen.limit(limit))]

    def count_rejected(self) -> int:
        """Return the number of rejected articles."""
        counted = sa.select(sa.func.count()).select_from(t.articles).where(t.articles.c.rejection.isnot(None))
        return self._connection.execute(counted).scalar_one()

    def has_unread_files(self) -> bool:
        """Return whether a file could not be read; the next run tries again, although the file has not changed."""
        a = t.articles.c
        is_unread = sa.and_(a.rejection.isnot(None), a.mtime_ns == 0, a.size == 0, a.inode == 0)
        return self._connection.execute(sa.select(a.key).where(is_unread).limit(1)).scalar() is not None

    def rejected_only(self, keys: Iterable[int]) -> list[str]:
        """Return the paths of the articles with these keys that are rejected and never had a good version."""
        a = t.articles.c
        is_rejected_only = sa.and_(a.rejection.isnot(None), a.hash.is_(None))
        statements = (sa.select(a.path).where(a.key.in_(chunk), is_rejected_only) for chunk in t.chunks(list(keys)))
        return [path for chosen in statements for path in self._connection.scalars(chosen)]


class FileWriter(FileReader, WriteAccess):
    """Stores the results of a scan: stamps, deletions and rejections of files."""

    def update_stamps(self, batch: Iterable[NewStamp]) -> None:
        """Store new stamps of files whose text did not change."""
        names = FileStamp._fields
        rows = [{"_key": key, **{f"_{name}": getattr(stamp, name) for name in names}} for key, stamp in batch]
        if rows:
            update = t.articles.update().where(t.articles.c.key == sa.bindparam("_key"))
            self._connection.execute(update.values({name: sa.bindparam(f"_{name}") for name in names}), rows)

    def mark_deleted(self, keys: Iterable[int]) -> None:
        """Record that files were deleted, and remove their rejections."""
        for chunk in t.chunks(list(keys)):
            update = t.articles.update().where(t.articles.c.key.in_(chunk))
            self._connection.execute(
                update.values(deleted=True, rejection=None, rejection_line=None, inode=0, mtime_ns=0, pending=QUEUED)
            )

    def give_up_path(self, key: int) -> None:
        """Mark an article as deleted, because another article's file is now at its path.

        Delete its row if it never had a valid version.
        """
        self._connection.execute(t.articles.delete().where(t.articles.c.key == key, t.articles.c.hash.is_(None)))
        self._update(key, {"path": f"/{key}", "deleted": True, "pending": QUEUED})  # no file's path begins with "/"

    def reject(self, key: int | None, rejected: RejectedArticle) -> None:
        """Store why a file is rejected; the next run loads the file again. Its article keeps the last good version.

        `key` is the key of its article; None if there is none.
        """
        a, s = t.articles.c, t.staged_files.c
        values = {"path": rejected.path, "rejection": rejected.reason, "rejection_line": rejected.line}
        unused = sa.select(s.text).where(s.path == rejected.path, s.text.isnot(None))
        is_used = sa.select(a.key).where(a.path == rejected.path, a.text == t.texts.c.key).exists()
        self._connection.execute(t.texts.delete().where(t.texts.c.key.in_(unused), ~is_used))
        if key is None:
            self._connection.execute(t.articles.insert().values(values))
        else:
            # the file exists, even if the file of the last good version was at another path
            self._update(key, values | {"mtime_ns": 0, "size": 0, "inode": 0, "deleted": False})

    def _update(self, key: int, values: dict[str, Any]) -> None:
        self._connection.execute(t.articles.update().where(t.articles.c.key == key).values(values))


def paths_below(table: sa.Table, path: str, after: str) -> list[sa.ColumnElement[bool]]:
    """Return the SQL conditions that a row's path is `path` or below it, and follows `after`.

    Text is ordered by code point.
    """
    later = table.c.path > after
    if not path:
        return [later]
    # one lower bound alone: SQLite begins its search at the first of two, even if that is the lower one
    begin = later if after >= path else table.c.path >= path
    inside = sa.or_(table.c.path == path, table.c.path >= f"{path}/")  # its own path if the folder can't be listed
    return [begin, table.c.path < f"{path}0", inside]  # "0" is the character after "/"
