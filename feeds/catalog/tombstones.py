"""Tombstones: the ids that were withdrawn from feeds, in the table `tombstones` (RFC 6721).

The setting `feeds.tombstones` determines how long they are kept. `publish/feed_versions.py` finds the withdrawn ids.
"""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from datetime import datetime

import sqlalchemy as sa

from feeds.catalog import schema as t
from feeds.catalog.access import ReadAccess, WriteAccess
from feeds.catalog.articles import ArticleReader
from feeds.catalog.encoding import from_microseconds, to_microseconds
from feeds.core.model import Tombstone

_TOMBSTONES = (
    sa.select(t.tombstones.c.id, t.tombstones.c.at)
    .where(t.tombstones.c.feed == sa.bindparam("feed", type_=sa.Text))
    .order_by(t.tombstones.c.at.desc(), t.tombstones.c.id)
    .limit(sa.bindparam("limit", type_=sa.Integer))
)


class TombstoneReader(ReadAccess):
    """Queries on tombstones."""

    def tombstones(self, feed: str, limit: int) -> list[Tombstone]:
        """Return the latest tombstones of a feed, the latest first."""
        latest = self._connection.execute(_TOMBSTONES, {"feed": feed, "limit": limit})
        return [Tombstone(row.id, from_microseconds(row.at)) for row in latest]

    def feeds_with_tombstones(self) -> set[str]:
        """Return the paths of the feeds that have tombstones."""
        return set(self._connection.scalars(sa.select(t.tombstones.c.feed).distinct()))


class TombstoneWriter(TombstoneReader, ArticleReader, WriteAccess):
    """Adds and deletes tombstones."""

    def add_tombstones(self, withdrawn: Mapping[str, AbstractSet[str]], at: datetime, since: datetime) -> None:
        """Store tombstones of the ids withdrawn from feeds, and delete expired ones of the same feeds.

        Args:
            withdrawn: the ids by feed; ids of live articles are left out.
            at: when the ids were withdrawn.
            since: tombstones of this moment or earlier are expired.
        """
        is_expired = t.tombstones.c.at <= to_microseconds(since)
        for chunk in t.chunks(list(withdrawn)):
            self._connection.execute(t.tombstones.delete().where(t.tombstones.c.feed.in_(chunk), is_expired))
        live = self.live_ids(list(set[str]().union(*withdrawn.values())))
        rows = [(feed, id_, to_microseconds(at)) for feed, ids in withdrawn.items() for id_ in sorted(ids - live)]
        self._upsert(t.tombstones, ("feed", "id", "at"), rows)

    def remove_tombstones(self, limit: int) -> set[str]:
        """Delete the tombstones of articles that are live again.

        Return the feeds that had such a tombstone among their latest `limit` tombstones.
        """
        a = t.articles.c
        is_live = sa.select(a.id).where(a.id == t.tombstones.c.id, a.live.is_(True)).exists()
        feeds = set(self._connection.scalars(sa.select(t.tombstones.c.feed).where(is_live)))
        before = {path: self.tombstones(path, limit) for path in feeds}
        if before:
            self._connection.execute(t.tombstones.delete().where(is_live))
        return {path for path, latest in before.items() if self.tombstones(path, limit) != latest}
