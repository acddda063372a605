"""Versions of live documents that workers rendered, so that all send the same document, in the table `renditions`.

`render/versions.py` uses them. Another value of a version: a column in `schema.py`, then `DocumentVersion` here.
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
        chosen = sa.select(t.renditions).where(t.renditions.c.path == path, t.renditions.c.digest.in_(digests))
        row = self._connection.execute(chosen.order_by(t.renditions.c.revision.desc()).limit(1)).one_or_none()
        return _document_version(row) if row else None

    def oversized_documents(self) -> list[DocumentVersion]:
        """Return by path the live documents whose last version left out texts to fit the size limit."""
        r = t.renditions.alias("r")
        last = sa.select(sa.func.max(t.renditions.c.revision)).where(t.renditions.c.path == sa.text("r.path"))
        chosen = sa.select(r).where(r.c.texts < r.c.entries, r.c.revision == last.scalar_subquery()).order_by(r.c.path)
        return [_document_version(row) for row in self._connection.execute(chosen)]


class DocumentVersionWriter(DocumentVersionReader, WriteAccess):
    """Stores versions of documents."""

    def save_document_versions(self, versions: Iterable[DocumentVersion], *, keep: int) -> None:
        """Store versions of live documents; keep the last `keep` versions of each document."""
        r = t.renditions.c
        for version in versions:
            same = sa.and_(r.path == version.path, r.digest == version.digest)
            self._connection.execute(t.renditions.delete().where(same))
            values = asdict(version) | {"oldest": to_microseconds(version.oldest)}
            self._connection.execute(t.renditions.insert().values(values))
            latest = sa.select(r.revision).where(r.path == version.path).order_by(r.revision.desc())
            outdated = self._connection.execute(latest.offset(keep).limit(1)).scalar()
            if outdated is not None:
                self._connection.execute(t.renditions.delete().where(r.path == version.path, r.revision <= outdated))


def _document_version(row: Any) -> DocumentVersion:
    oldest = from_microseconds(row.oldest)
    return DocumentVersion(row.path, row.digest, row.revision, row.entries, row.texts, oldest)
