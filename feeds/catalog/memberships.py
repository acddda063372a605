"""Memberships: the feeds of each article, in the column `feeds`, and its other groups. They determine the entries.

They are stored with each version of an article (`staging.py`). If a selection of the configuration changes, a run
chooses the feeds of all articles again: `feeds.core.memberships` decides, this module reads and writes the rows.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import sqlalchemy as sa
from pydantic_core import to_json

from feeds.catalog import schema as t
from feeds.catalog.access import ReadAccess, WriteAccess
from feeds.catalog.encoding import UNLISTED

_Row = tuple[int, str, str | None]  # key, feeds, other groups


class StoredMembership(NamedTuple):
    """The feeds of a listed article, its groups without a feed, and its published state."""

    key: int
    path: str
    feeds: str  # for `names_by_feed`
    other_groups: str | None  # for `groups_by_path`
    published: int
    id: str | None
    live: bool
    pending: int  # not 0 if the run must decide about the article


class NewMembership(NamedTuple):
    """The feeds that an article has from now on: the name of each, as the article spells it, by its path."""

    key: int
    feeds: Mapping[str, str]
    other_groups: Mapping[str, str]
    has_changed: (
        bool  # whether its entries change together with this row, and not later, when the run decides about the article
    )


class NewEntry(NamedTuple):
    """A row of the table `entries`."""

    feed: str
    published: int
    id: str
    article: int
    name: str


class MembershipReader(ReadAccess):
    """Queries on the feeds of articles."""

    def memberships(self, after: int, limit: int) -> list[StoredMembership]:
        """Return the feeds of up to `limit` listed articles, in the order of their keys, after a key."""
        a = t.articles.c
        is_listed = sa.or_(a.other_groups.is_(None), a.other_groups != UNLISTED)
        columns = [a[name] for name in StoredMembership._fields]
        chosen = sa.select(*columns).where(a.key > after, a.feeds.isnot(None), is_listed)
        return list(map(StoredMembership._make, self._connection.execute(chosen.order_by(a.key).limit(limit))))


class MembershipWriter(MembershipReader, WriteAccess):
    """Changes the feeds of articles whose text did not change."""

    def save_memberships(self, memberships: Iterable[NewMembership], revision: int) -> None:
        """Store new feeds of articles, and the revision that changes their entries.

        An article about which the run must decide keeps its entries until then.
        """
        a = t.articles.c
        update = t.articles.update().where(a.key == sa.bindparam("_key"))
        changed, pending = list[_Row](), list[_Row]()
        for key, feeds, others, has_changed in memberships:
            other_groups = to_json(others).decode() if others else None
            (changed if has_changed else pending).append((key, to_json(feeds).decode(), other_groups))
        names = ("_key", "_feeds", "_other_groups")
        chosen: dict[str, Any] = {"feeds": sa.bindparam("_feeds"), "other_groups": sa.bindparam("_other_groups")}
        self._many(update.values(chosen | {"revision": sa.text(str(revision))}), names, changed)
        has_entries = sa.and_(a.live.is_(True), a.entry_feeds.is_(None))
        values = {
            **chosen,
            "entry_published": sa.case((has_entries, a.published), else_=a.entry_published),
            "entry_feeds": sa.case((has_entries, a.feeds), else_=a.entry_feeds),
        }
        self._many(update.values(values), names, pending)

    def insert_entries(self, entries: Iterable[NewEntry]) -> None:
        """Add entries of published articles, in the order of the table."""
        self._add(t.entries, NewEntry._fields, list(entries))
