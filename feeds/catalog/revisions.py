"""Revisions: the numbered, committed states of the catalog, in the table `revisions`.

To add a value of revisions, add a column in `schema.py`, extend `commit_revision`, and add a query here. Values that
belong to no revision, but to the whole catalog, are in `state.py`.
"""

import hashlib
from datetime import datetime
from typing import NamedTuple

import sqlalchemy as sa

from feeds.catalog import schema as t
from feeds.catalog.access import WriteAccess
from feeds.catalog.encoding import from_microseconds, to_microseconds
from feeds.catalog.state import CatalogState, StateReader

_COMMITTED = sa.select(t.revisions.c.at).where(t.revisions.c.number == sa.bindparam("number", type_=sa.BigInteger))
_FIRST_COMMIT = sa.select(t.revisions.c.at).order_by(t.revisions.c.number).limit(1)


class CurrentRevision(NamedTuple):
    """The number of the last committed revision, and the id of its catalog."""

    catalog_id: str
    number: int  # 0 before the first run


class RevisionReader(StateReader):
    """Queries on revisions."""

    def revision(self) -> int:
        """Return the number of the last committed revision; 0 in a new catalog and during recovery."""
        if self.state.recovered_articles is not None:
            return 0
        return self._connection.execute(sa.select(sa.func.max(t.revisions.c.number))).scalar() or 0

    def current_revision(self) -> CurrentRevision:
        """Return `catalog_id` and `revision` with one query, because every process calls this often."""
        number = sa.select(sa.func.max(t.revisions.c.number)).scalar_subquery()
        values = [
            sa.select(t.meta.c.value).where(t.meta.c.key == key).scalar_subquery()
            for key in (CatalogState.CATALOG_ID, CatalogState.RECOVERED)
        ]
        row = self._connection.execute(sa.select(number.label("revision"), *values)).one()
        return CurrentRevision(row[1] or "", 0 if row[2] else row[0] or 0)

    def catalog_id(self) -> str:
        """Return the id of this catalog; a catalog that is created again has another id."""
        return self.state.catalog_id

    def committed_at(self, revision: int) -> datetime:
        """Return when a revision was committed. No two revisions share a second."""
        at = self._connection.execute(_COMMITTED, {"number": revision}).scalar()
        return from_microseconds(at or 0)

    def first_committed_at(self) -> datetime:
        """Return when the first revision was committed."""
        return from_microseconds(self._connection.execute(_FIRST_COMMIT).scalar() or 0)

    def change_token(self) -> str:
        """Return a text that changes with each run that stored something."""
        newest = self._connection.execute(sa.select(sa.func.max(t.texts.c.key))).scalar() or 0
        run = self._connection.execute(sa.select(t.meta.c.value).where(t.meta.c.key == CatalogState.LAST_RUN)).scalar()
        number = self._connection.execute(sa.select(sa.func.max(t.revisions.c.number))).scalar()
        state = f"{number} {newest} {run}"
        return hashlib.sha256(state.encode()).hexdigest()[:12]


class RevisionWriter(RevisionReader, WriteAccess):
    """Commits revisions."""

    def commit_revision(self, at: datetime) -> int:
        """Add the next revision, which readers see when the transaction is committed. Return its number."""
        number = self.revision() + 1
        self._connection.execute(t.revisions.insert().values(number=number, at=to_microseconds(at)))
        self._database.announce(self._connection)
        return number
