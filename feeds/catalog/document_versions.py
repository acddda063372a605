"""Versions of live documents that workers rendered, in the table `document_versions`, which all workers share.

`render/versions.py` uses them. To add a value of a version, add a column in `schema.py` and extend `DocumentVersion`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from feeds.catalog import schema as t
from feeds.catalog.access import ReadAccess, WriteAccess
from feeds.catalog.encoding import from_microseconds, to_microseconds


@dataclass(frozen=True, slots=True)
class DocumentVersion:
    """A version of a live document that a worker rendered."""

    path: str
    digest: str
    revision: int  # of the feed
    entries: int
    texts: int  # entries with their full text
    oldest: datetime  # when its last entry was published


class DocumentVersionReader(ReadAccess):
    """Queries on versions of documents."""

    def document_version(self, path: str, digests: Sequence[str]) -> DocumentVersion | None:
        """Return the latest stored version of a live document that has one of these digests."""
        v = t.document_versions.c
        chosen = sa.select(t.document_versions).where(v.path == path, v.digest.in_(digests))
        row = self._connection.execute(chosen.order_by(v.revision.desc()).limit(1)).one_or_none()
        return _document_version(row) if row else None

    def oversized_documents(self) -> list[DocumentVersion]:
        """Return by path the live documents whose last version left out texts to fit the size limit."""
        v, outer = t.document_versions.c, t.document_versions.alias("outer_versions")
        last = sa.select(sa.func.max(v.revision)).where(v.path == sa.text("outer_versions.path")).scalar_subquery()
        is_oversized = sa.and_(outer.c.texts < outer.c.entries, outer.c.revision == last)
        chosen = sa.select(outer).where(is_oversized).order_by(outer.c.path)
        return [_document_version(row) for row in self._connection.execute(chosen)]


class DocumentVersionWriter(DocumentVersionReader, WriteAccess):
    """Stores versions of documents."""

    def save_document_versions(self, versions: Iterable[DocumentVersion], *, keep: int) -> None:
        """Store versions of live documents; keep the last `keep` versions of each document."""
        table, v = t.document_versions, t.document_versions.c
        for version in versions:
            same = sa.and_(v.path == version.path, v.digest == version.digest)
            self._connection.execute(table.delete().where(same))
            values = asdict(version) | {"oldest": to_microseconds(version.oldest)}
            self._connection.execute(table.insert().values(values))
            latest = sa.select(v.revision).where(v.path == version.path).order_by(v.revision.desc())
            outdated = self._connection.execute(latest.offset(keep).limit(1)).scalar()
            if outdated is not None:
                self._connection.execute(table.delete().where(v.path == version.path, v.revision <= outdated))


def _document_version(row: Any) -> DocumentVersion:
    oldest = from_microseconds(row.oldest)
    return DocumentVersion(row.path, row.digest, row.revision, row.entries, row.texts, oldest)
