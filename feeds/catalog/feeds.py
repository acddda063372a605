"""Feeds: the state of each feed that ever existed, in the table `feeds`. Their entries are in `entries.py`.

To add a field of feeds, add a column and a migration in `schema.py`, and extend `FeedState` in `core/model.py`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import fields
from typing import Any

import sqlalchemy as sa

from feeds.catalog import schema as t
from feeds.catalog.access import WriteAccess
from feeds.catalog.encoding import from_microseconds, to_microseconds
from feeds.catalog.state import StateReader
from feeds.core.errors import CatalogError
from feeds.core.model import FeedKind, FeedState

_FEED = sa.select(t.feeds).where(t.feeds.c.path == sa.bindparam("feed", type_=sa.Text))  # built once, executed per feed
_BY_PATH = sa.select(t.feeds).where(t.feeds.c.path.in_(sa.bindparam("paths", type_=sa.Text, expanding=True)))
_FEED_COLUMNS = tuple(field.name for field in fields(FeedState))


class FeedStateReader(StateReader):
    """Queries on feeds."""

    def feed(self, path: str) -> FeedState | None:
        """Return the feed at a path; None if there never was one. Raise `CatalogError` during recovery if it is empty.

        A recovered catalog lists no entries until a run has read the articles again.
        """
        row = self._connection.execute(_FEED, {"feed": path}).one_or_none()
        if row and not row.entries and self.state.recovered_articles is not None:
            raise CatalogError("the catalog is being rebuilt from the articles, and no run has finished yet")
        return _feed_state(row) if row else None

    def feeds(self) -> list[FeedState]:
        """Return all feeds that ever existed, by path, including those without entries."""
        return [_feed_state(row) for row in self._connection.execute(sa.select(t.feeds).order_by(t.feeds.c.path))]

    def feeds_by_path(self, paths: Sequence[str]) -> list[FeedState]:
        """Return the feeds at these paths, in their order; paths without a feed are left out."""
        chunks = (self._connection.execute(_BY_PATH, {"paths": chunk}) for chunk in t.chunks(list(paths)))
        states = {row.path: _feed_state(row) for rows in chunks for row in rows}
        return [states[path] for path in paths if path in states]

    def feeds_of_kind(self, kind: FeedKind) -> list[FeedState]:
        """Return the feeds of a kind, by path, including those without entries."""
        chosen = sa.select(t.feeds).where(t.feeds.c.kind == kind).order_by(t.feeds.c.path)
        return [_feed_state(row) for row in self._connection.execute(chosen)]

    def changed_since(self, revision: int) -> dict[str, FeedState]:
        """Return by path the feeds whose live documents or archives changed after a revision."""
        later = sa.or_(t.feeds.c.revision > revision, t.feeds.c.archive_revision > revision)
        return {row.path: _feed_state(row) for row in self._connection.execute(sa.select(t.feeds).where(later))}

    def count_feeds(self) -> int:
        """Return the number of feeds with entries."""
        return self._connection.execute(sa.select(sa.func.count()).where(t.feeds.c.entries > 0)).scalar_one()

    def count_live(self) -> int:
        """Return the number of live articles. Each run that publishes or withdraws an article stores this number."""
        stored = self.state.live_count
        if stored is not None:
            return stored
        counted = sa.select(sa.func.count()).select_from(t.articles).where(t.articles.c.live.is_(True))
        return self._connection.execute(counted).scalar_one()


class FeedStateWriter(FeedStateReader, WriteAccess):
    """Stores feeds."""

    def save_feeds(self, states: Iterable[FeedState]) -> None:
        """Store the states of feeds."""
        self._upsert(t.feeds, _FEED_COLUMNS, list(map(_row_of, states)))


def _row_of(state: FeedState) -> tuple[Any, ...]:
    """Return the row of a feed. `dataclasses.asdict` would also copy each value, which takes longer."""
    changed = to_microseconds(state.changed)
    return tuple(changed if column == "changed" else getattr(state, column) for column in _FEED_COLUMNS)


def _feed_state(row: Any) -> FeedState:
    """Return the state of a row of the table `feeds`."""
    values = row._asdict()
    return FeedState(**values | {"changed": from_microseconds(row.changed)})
