"""Questions that anybody may ask the catalog."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from feeds.catalog.pages import CONTENT_HASH, RECORDS, PageReader
from feeds.catalog.rows import (
    Known,
    Record,
    Refusal,
    Rendition,
    Run,
    Staged,
    feed_state,
    micros,
    moment,
    record,
)
from feeds.catalog.schema import (
    NEWEST_FIRST,
    OLDEST_FIRST,
    articles,
    chunks,
    entries,
    feeds,
    meta,
    readings,
    renditions,
    revisions,
    tombstones,
)
from feeds.errors import CatalogError
from feeds.model import FeedState, Tombstone

# statements that are executed for each feed: to build one takes four times as long as to execute it
_OF_FEED, _LIMIT = sa.bindparam("feed", type_=sa.Text), sa.bindparam("limit", type_=sa.Integer)
_BEGAN = sa.select(revisions.c.at).order_by(revisions.c.number).limit(1)
_FEED = sa.select(feeds).where(feeds.c.path == _OF_FEED)
_NAME = sa.select(entries.c.name).where(entries.c.feed == _OF_FEED).order_by(*OLDEST_FIRST).limit(1)
_COUNT = sa.select(sa.func.count()).select_from(entries).where(entries.c.feed == _OF_FEED)
_SHOWN = (
    sa.select(entries.c.id, articles.c.path, CONTENT_HASH)
    .join(articles, entries.c.article == articles.c.key)
    .where(entries.c.feed == _OF_FEED)
    .order_by(*NEWEST_FIRST)
    .limit(_LIMIT)
)
_WITHDRAWN = (
    sa.select(tombstones.c.id, tombstones.c.at)
    .where(tombstones.c.feed == _OF_FEED)
    .order_by(tombstones.c.at.desc(), tombstones.c.id)
    .limit(_LIMIT)
)


def _records(order: Sequence[sa.ColumnElement[Any]]) -> sa.Select[Any]:
    """Return the statement that reads entries of a feed in an order, newest first."""
    mine = sa.select(entries).where(entries.c.feed == _OF_FEED)
    skip = sa.bindparam("skip", type_=sa.Integer)
    some = mine.order_by(*order).limit(_LIMIT).offset(skip).subquery()  # what is skipped needs no article
    chosen = RECORDS.join(some, some.c.article == articles.c.key)
    return chosen.order_by(some.c.published.desc(), some.c.id.desc())


_NEWEST, _OLDEST = _records(NEWEST_FIRST), _records(OLDEST_FIRST)

MENDED = "mended"  # how many articles were live in a damaged catalog, until a run has decided of them


class Reader(PageReader):
    """Questions to one consistent revision."""

    def revision(self) -> int:
        """Give the number of the last committed revision, 0 before the first of a catalog that is new, or made anew."""
        if self.meta(MENDED):
            return 0
        return self._connection.execute(sa.select(sa.func.max(revisions.c.number))).scalar() or 0

    def news(self) -> tuple[str, int]:
        """Give `identity` and `revision`, in one question: it is asked all the time."""
        told = sa.select(sa.func.max(revisions.c.number)).scalar_subquery()
        said = [sa.select(meta.c.value).where(meta.c.key == key).scalar_subquery() for key in ("born", MENDED)]
        row = self._connection.execute(sa.select(told.label("revision"), *said)).one()
        return row[1] or "", 0 if row[2] else row[0] or 0

    def run(self) -> Run | None:
        """Give the last regeneration."""
        said = self.meta("run")
        if said is None:
            return None
        facts = json.loads(said)
        return Run(datetime.fromisoformat(facts["at"]), facts["seconds"], facts["outcome"])

    def feed(self, path: str) -> FeedState | None:
        """Give one feed. Raises `CatalogError` if a catalog that is made anew can't tell yet what is in it."""
        row = self._connection.execute(_FEED, {"feed": path}).one_or_none()
        if row and not row.entries and self.meta(MENDED):
            raise CatalogError("the catalog is made anew of the articles, and no run has come to its end yet")
        return feed_state(row) if row else None

    def count_feeds(self) -> int:
        """Return how many feeds have entries."""
        return self._connection.execute(sa.select(sa.func.count()).where(feeds.c.entries > 0)).scalar_one()

    def count(self, feed: str) -> int:
        """Return how many entries a feed has, whether it is known or not."""
        return self._connection.execute(_COUNT, {"feed": feed}).scalar_one()

    def feeds(self) -> list[FeedState]:
        """Give all feeds that ever were, by path; those without entries too."""
        return [feed_state(row) for row in self._connection.execute(sa.select(feeds).order_by(feeds.c.path))]

    def changed_since(self, revision: int) -> dict[str, FeedState]:
        """Give the feeds that a later revision changed, live or in their archives, by path."""
        later = sa.or_(feeds.c.revision > revision, feeds.c.history > revision)
        return {row.path: feed_state(row) for row in self._connection.execute(sa.select(feeds).where(later))}

    def moment(self, revision: int) -> datetime:
        """Give when a revision was committed. No two of them share a second."""
        at = self._connection.execute(sa.select(revisions.c.at).where(revisions.c.number == revision)).scalar()
        return moment(at or 0)

    def began(self) -> datetime:
        """Return when the first revision was committed."""
        return moment(self._connection.execute(_BEGAN).scalar() or 0)

    def newest(self, feed: str, limit: int) -> list[Record]:
        """Give the newest entries of a feed: by date, then by id."""
        return self._slice(feed, limit, newest=True)

    def oldest(self, feed: str, count: int, limit: int, skip: int) -> list[Record]:
        """Give, newest first, `limit` entries of the `count` of a feed, but for the `skip` oldest."""
        after = count - skip - limit  # newer ones: the shorter way to count is taken
        if 0 <= after < skip:
            return self._slice(feed, limit, after, newest=True)
        return self._slice(feed, limit, skip, newest=False)

    def _slice(self, feed: str, limit: int, skip: int = 0, *, newest: bool) -> list[Record]:
        chosen = _NEWEST if newest else _OLDEST
        return list(map(record, self._connection.execute(chosen, {"feed": feed, "limit": limit, "skip": skip})))

    def records(self, keys: Sequence[int]) -> list[Record]:
        """Give articles by their keys."""
        wanted = (RECORDS.where(articles.c.key.in_(some)) for some in chunks(list(keys)))
        return [record(row) for chosen in wanted for row in self._connection.execute(chosen)]

    def feeds_at(self, paths: Sequence[str]) -> list[FeedState]:
        """Give the feeds at some paths, in their order."""
        wanted = (sa.select(feeds).where(feeds.c.path.in_(some)) for some in chunks(list(paths)))
        found = {row.path: feed_state(row) for chosen in wanted for row in self._connection.execute(chosen)}
        return [found[path] for path in paths if path in found]

    def shown(self, feed: str, limit: int) -> list[tuple[str, str, str]]:
        """Give the newest entries of a feed as (id, path, content hash): all that makes them what they are."""
        return [tuple(row) for row in self._connection.execute(_SHOWN, {"feed": feed, "limit": limit})]

    def withdrawn(self, feed: str, limit: int) -> list[Tombstone]:
        """Give what was withdrawn from a feed and is told of, the latest first."""
        latest = self._connection.execute(_WITHDRAWN, {"feed": feed, "limit": limit})
        return [Tombstone(row.id, moment(row.at)) for row in latest]

    def name(self, feed: str) -> str:
        """Give a feed's name as the earliest of its entries spells it, "" if it has none."""
        return self._connection.execute(_NAME, {"feed": feed}).scalar() or ""

    def later(self, feed: str, position: tuple[int, str], limit: int) -> int:
        """Count the entries of a feed at a position, (published, id), and after it; but not beyond a limit."""
        there = sa.tuple_(entries.c.published, entries.c.id) >= sa.tuple_(*map(sa.literal, position))
        some = sa.select(entries.c.id).where(entries.c.feed == feed, there).limit(limit).subquery()
        return self._connection.execute(sa.select(sa.func.count()).select_from(some)).scalar_one()

    def rendition(self, path: str, digests: Sequence[str]) -> Rendition | None:
        """Give what is known of the latest of some versions of a live document."""
        chosen = sa.select(renditions).where(renditions.c.path == path, renditions.c.digest.in_(digests))
        row = self._connection.execute(chosen.order_by(renditions.c.revision.desc()).limit(1)).one_or_none()
        return _rendition(row) if row else None

    def shortened(self) -> list[Rendition]:
        """Give the live documents whose texts were too much for them when they were last made, by path."""
        last = sa.select(sa.func.max(renditions.c.revision)).where(renditions.c.path == sa.text("r.path"))
        r = renditions.alias("r")
        chosen = sa.select(r).where(r.c.texts < r.c.entries, r.c.revision == last.scalar_subquery()).order_by(r.c.path)
        return [_rendition(row) for row in self._connection.execute(chosen)]

    def live_ids(self, ids: Sequence[str]) -> set[str]:
        """Give those of some ids that live articles have."""
        mine = sa.select(articles.c.id).where(articles.c.live.is_(True))
        return {
            id_ for some in chunks(list(ids)) for id_ in self._connection.scalars(mine.where(articles.c.id.in_(some)))
        }

    def live(self) -> int:
        """Count the articles that the world can see: the entries of the site's feed."""
        return self._connection.execute(sa.select(feeds.c.entries).where(feeds.c.path == "")).scalar() or 0

    def refused(self) -> list[Refusal]:
        """Give the articles that can't be read, by path."""
        chosen = (
            sa.select(articles.c.path, articles.c.refused_line, articles.c.refused)
            .where(articles.c.refused.isnot(None))
            .order_by(articles.c.path)
        )
        return [Refusal(row.path, row.refused_line, row.refused) for row in self._connection.execute(chosen)]

    def scheduled(self, now: datetime, limit: int = 1000) -> list[tuple[str, datetime]]:
        """Give the articles whose hour has not come as (path, hour), the next first."""
        chosen = (
            sa.select(articles.c.path, articles.c.live_from)
            .where(articles.c.waiting.is_(True), articles.c.live_from > micros(now))
            .order_by(articles.c.live_from, articles.c.path)
            .limit(limit)
        )
        return [(row.path, moment(row.live_from)) for row in self._connection.execute(chosen)]

    def next_change(self, after: datetime | None = None) -> datetime | None:
        """Return the earliest moment at which a scheduled article goes live or a live one expires; None without any.

        It may be past: no run has published it since. With `after`, articles that go live earlier are left out.
        """
        going = sa.select(sa.func.min(articles.c.live_from)).where(articles.c.waiting.is_(True))
        if after:
            going = going.where(articles.c.live_from > micros(after))
        leaving = sa.select(sa.func.min(articles.c.expires)).where(
            articles.c.live.is_(True), articles.c.expires.isnot(None)
        )
        hours = [hour for chosen in (going, leaving) if (hour := self._connection.execute(chosen).scalar()) is not None]
        return moment(min(hours)) if hours else None

    def known(self, below: str, after: str, limit: int) -> list[Known]:
        """Give what was last seen of the files of a path and below it, "" for all: so many after a path, by path."""
        names = ("path", "mtime_ns", "size", "inode", "key", "gone", "hash")
        columns = [*(articles.c[name] for name in names), articles.c.refused.isnot(None)]
        chosen = sa.select(*columns).where(*_below(articles, below, after)).order_by(articles.c.path).limit(limit)
        return list(map(Known._make, self._connection.execute(chosen).all()))

    def staged(self, below: str, after: str, limit: int) -> list[Staged]:
        """Give what was read of files and is not published yet, in the same way."""
        names = ("path", "mtime_ns", "size", "inode")
        columns = [*(readings.c[name] for name in names), readings.c.refused.isnot(None)]
        chosen = sa.select(*columns).where(*_below(readings, below, after)).order_by(readings.c.path).limit(limit)
        return list(map(Staged._make, self._connection.execute(chosen).all()))

    def any_articles(self) -> bool:
        """Tell whether anything is known of any file."""
        return self._connection.execute(sa.select(articles.c.key).limit(1)).scalar() is not None

    def any_gone(self) -> bool:
        """Tell whether there are articles whose files are gone."""
        chosen = sa.select(articles.c.slug).where(articles.c.gone.is_(True)).limit(1)  # by the index of those
        return self._connection.execute(chosen).one_or_none() is not None

    def any_ids(self) -> bool:
        """Tell whether any article ever got an id: whether anything was ever published."""
        return (
            self._connection.execute(sa.select(articles.c.id).where(articles.c.id.isnot(None)).limit(1)).scalar()
            is not None
        )

    def is_folder(self, path: str) -> bool:
        """Tell whether files below a path are known."""
        chosen = sa.select(articles.c.key).where(*_below(articles, path, f"{path}/"), articles.c.gone.is_(False))
        return self._connection.execute(chosen.limit(1)).scalar() is not None

    def asked(self) -> int:
        """Count the requests for a regeneration, ever."""
        return int(self.meta("asked") or 0)

    def identity(self) -> str:
        """Give what tells this catalog from one that is built anew."""
        return self.meta("born") or ""

    def meta(self, key: str) -> str | None:
        """Give a fact about the catalog as a whole."""
        return self._connection.execute(sa.select(meta.c.value).where(meta.c.key == key)).scalar()


def _below(table: sa.Table, path: str, after: str) -> list[sa.ColumnElement[bool]]:
    """Say in SQL: of a path or below it, and after another. By bytes, as Python sorts text."""
    later = table.c.path > after
    if not path:
        return [later]
    # one lower bound alone: SQLite begins its search at the first of two, be it the lower
    begin = later if after >= path else table.c.path >= path
    inside = sa.or_(table.c.path == path, table.c.path >= f"{path}/")  # its own path where it can't be listed
    return [begin, table.c.path < f"{path}0", inside]  # "0" comes after "/"


def _rendition(row: Any) -> Rendition:
    return Rendition(row.path, row.digest, row.revision, row.entries, row.texts, moment(row.oldest))
