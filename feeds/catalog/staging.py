"""Storage of loaded files before a run publishes them.

Each batch is committed by itself, so an interrupted run continues where it stopped. Only the publisher reads staged
files.
"""

from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import Any

import sqlalchemy as sa

from feeds.catalog import schema as t
from feeds.catalog.backend import Database, Statement
from feeds.catalog.reader import CatalogReader
from feeds.catalog.types import FileStamp, FileVersion, LoadedArticle, SameText, StagedId


class Staging(CatalogReader):
    """Reads and writes staged files, within one transaction of the writer."""

    _database: Database

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

        With `as_articles`, store them as articles at once, for a catalog that has none with which they could match.
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
            self._add(t.readings, columns, rows)

    def _add(self, table: sa.Table, names: Sequence[str], rows: list[tuple[Any, ...]]) -> None:
        """Insert rows with values in the order of the columns' names."""
        if rows:
            self._database.add(self._connection, table, names, rows)

    def _many(self, statement: Statement, names: Sequence[str], rows: list[tuple[Any, ...]]) -> None:
        """Execute a statement once per row, with values in the order of the parameters' names."""
        if rows:
            self._database.many(self._connection, statement, names, rows)

    def unstage(self, paths: Iterable[str]) -> None:
        """Delete the staged versions of files."""
        r = t.readings.c
        for chunk in t.chunks(list(paths)):
            unused = sa.select(r.text).where(r.path.in_(chunk))
            self._connection.execute(t.texts.delete().where(t.texts.c.key.in_(unused)))
            self._connection.execute(t.readings.delete().where(r.path.in_(chunk)))

    def unstage_all(self) -> None:
        """Delete the staged versions of all files."""
        unused = sa.select(t.readings.c.text).where(t.readings.c.text.isnot(None))
        self._connection.execute(t.texts.delete().where(t.texts.c.key.in_(unused)))
        self.clear_staging()

    def clear_staging(self) -> None:
        """Delete the rows of staged files but keep their texts, which articles have now."""
        self._connection.execute(t.readings.delete())

    def update_stamps(self, batch: Iterable[tuple[int, FileStamp]]) -> None:
        """Store new stamps of files whose text did not change, as (key of the article, stamp)."""
        names = FileStamp._fields
        rows = [{"_key": key, **{f"_{name}": getattr(stamp, name) for name in names}} for key, stamp in batch]
        if rows:
            update = t.articles.update().where(t.articles.c.key == sa.bindparam("_key"))
            self._connection.execute(update.values({name: sa.bindparam(f"_{name}") for name in names}), rows)

    def staged_versions(self, after: str, limit: int) -> list[FileVersion]:
        """Return up to `limit` staged good versions, by path, after a path."""
        r, a = t.readings.c, t.articles.c
        of_article = [
            a.key,
            sa.func.coalesce(a.hash.isnot(None), sa.false()),
            sa.func.coalesce(a.deleted, sa.false()),
            sa.case((a.live.is_(True), a.page), else_=sa.null()),
        ]
        chosen = (
            sa.select(r.path, r.hash, r.slug, r.explicit_id, r.generated_id, r.draft, r.page, *of_article)
            .outerjoin(t.articles, a.path == r.path)
            .where(r.hash.isnot(None), r.path > after)
            .order_by(r.path)
            .limit(limit)
        )
        return list(map(FileVersion._make, self._connection.execute(chosen).all()))

    def duplicate_explicit_ids(self) -> dict[str, str]:
        """Return the ids that several staged files set, without drafts, with the path of the earliest file."""
        r = t.readings.c
        conditions = sa.and_(r.explicit_id.isnot(None), r.hash.isnot(None), r.draft.is_(False))
        duplicates = sa.select(r.explicit_id).where(conditions).group_by(r.explicit_id).having(sa.func.count() > 1)
        chosen = sa.select(r.explicit_id, r.path).where(conditions, r.explicit_id.in_(duplicates))
        latest_first = chosen.order_by(r.published.desc(), r.path.desc())
        return dict(tuple(row) for row in self._connection.execute(latest_first))  # the last one wins

    def staged_id(self, path: str) -> StagedId:
        """Return whether a good version of a path is staged, and the id that its front matter sets."""
        r = t.readings.c
        row = self._connection.execute(sa.select(r.explicit_id).where(r.path == path, r.hash.isnot(None))).one_or_none()
        return StagedId(row is not None, row.explicit_id if row else None)

    def same_texts(self) -> list[SameText]:
        """Return the staged files that have the text of an article at another path."""
        r, a = t.readings.c, t.articles.c
        chosen = sa.select(r.path, a.path, a.key).where(r.hash == a.hash, r.path != a.path)
        return list(map(SameText._make, self._connection.execute(chosen)))


_VERSION_COLUMNS = tuple(column.name for column in t.readings.c if column.name not in {*FileStamp._fields, "text"})
_version_values = attrgetter(*_VERSION_COLUMNS)
