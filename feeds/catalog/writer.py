"""What the one writer does within one transaction."""

import json
from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from feeds.catalog.reader import Reader
from feeds.catalog.schema import (
    NOT_LIVE,
    Holder,
    Record,
    Refusal,
    Run,
    articles,
    chunks,
    columns,
    entries,
    feeds,
    meta,
    micros,
    packed,
    record,
    revisions,
)
from feeds.model import Article, FeedState

Stamp = tuple[int, int, int]  # of a file: mtime in ns, size in bytes, inode


class Writer(Reader):
    """What the one writer does within one transaction."""

    def records(self, keys: Iterable[int]) -> list[Record]:
        """Give the last good versions, without their bodies, of those articles that ever had one."""
        found: list[Record] = []
        for some in chunks(list(keys)):
            chosen = sa.select(*columns(bodies=False)).where(articles.c.key.in_(some), articles.c.hash.isnot(None))
            found += [record(row) for row in self._connection.execute(chosen)]
        return found

    def due(self, now: datetime) -> list[int]:
        """Give the keys of the articles whose hour has come, or that have expired, since they were last looked at."""
        moment = micros(now)
        going = sa.select(articles.c.key).where(
            NOT_LIVE,
            articles.c.published <= moment,
            sa.or_(articles.c.expires.is_(None), articles.c.expires > moment),
        )
        leaving = sa.select(articles.c.key).where(articles.c.live.is_(True), articles.c.expires <= moment)
        return [row.key for chosen in (going, leaving) for row in self._connection.execute(chosen)]

    def all_keys(self) -> list[int]:
        """Give the keys of all articles that ever had a good version."""
        return [
            row.key for row in self._connection.execute(sa.select(articles.c.key).where(articles.c.hash.isnot(None)))
        ]

    def gone_with_slug(self, slug: str) -> int | None:
        """Give the one article whose file is gone and that gave this slug; None if there is none, or several."""
        same = sa.and_(articles.c.gone.is_(True), articles.c.hash.isnot(None), articles.c.slug == slug)
        keys = self._connection.execute(sa.select(articles.c.key).where(same).limit(2)).scalars().all()
        return int(keys[0]) if len(keys) == 1 else None

    def holder(self, id_: str) -> Holder | None:
        """Give the article that has an id."""
        columns_ = (articles.c.key, articles.c.path, articles.c.gone)
        row = self._connection.execute(sa.select(*columns_).where(articles.c.id == id_)).one_or_none()
        return Holder(row.key, row.path, row.gone) if row else None

    def save(self, key: int | None, stamp: Stamp, article: Article, hash_: str) -> int:
        """Keep a good version of an article: a new one (key None), or the next of one known. Gives its key."""
        values = {
            **_stamped(stamp),
            "gone": False,
            "path": article.path,
            "refused": None,
            "refused_line": None,
            "hash": hash_,
            "slug": article.slug if article.slug_given else None,
            "facts": packed(article),
            "body": article.body,
            "published": micros(article.published),
            "expires": micros(article.expires) if article.expires else None,
            "draft": article.draft,
        }
        return self._put(key, values)

    def refuse(self, key: int | None, stamp: Stamp, refusal: Refusal) -> int:
        """Keep that a file can't be read, and the article's last good version as it was. Gives its key."""
        values = {
            **_stamped(stamp),
            "path": refusal.path,
            "refused": refusal.reason,
            "refused_line": refusal.line,
        }
        return self._put(key, values)

    def touch(self, key: int, stamp: Stamp) -> None:
        """Keep that a file was seen with another stamp and the same text."""
        self._put(key, _stamped(stamp))

    def vanish(self, keys: Iterable[int]) -> None:
        """Keep that files are no longer there; a refusal goes with the file."""
        for some in chunks(list(keys)):
            update = articles.update().where(articles.c.key.in_(some))
            self._connection.execute(update.values(gone=True, refused=None, refused_line=None, inode=0, mtime_ns=0))

    def release(self, key: int) -> None:
        """Take its id from an article whose file is gone, for one that gives that id itself."""
        self._put(key, {"id": None})

    def displace(self, key: int) -> None:
        """Take its path from an article, for another whose file is there now; what was never good is forgotten."""
        self._connection.execute(articles.delete().where(articles.c.key == key, articles.c.hash.is_(None)))
        self._put(key, {"path": f"/{key}", "gone": True})  # no file's path begins with "/"

    def withdraw(self, keys: Iterable[int]) -> set[str]:
        """Take articles out of all feeds. Gives the paths of the feeds that they were in."""
        left: set[str] = set()
        for some in chunks(sorted(keys)):
            theirs = entries.c.article.in_(some)
            left |= set(self._connection.execute(sa.select(entries.c.feed).where(theirs).distinct()).scalars().all())
            self._connection.execute(entries.delete().where(theirs))
        return left

    def publish(self, record: Record, id_: str | None, memberships: Iterable[FeedState], *, live: bool) -> set[str]:
        """Set what the world knows of a withdrawn article: its id and its feeds. Gives the feeds' paths."""
        self._connection.execute(articles.update().where(articles.c.key == record.key).values(id=id_, live=live))
        published = micros(record.article.published)
        rows = [
            {"feed": feed.path, "published": published, "id": id_, "article": record.key, "name": feed.name}
            for feed in memberships
        ]
        if rows:
            self._connection.execute(entries.insert(), rows)
        return {str(row["feed"]) for row in rows}

    def stamp(self, feed: FeedState) -> None:
        """Keep a feed's state."""
        values = asdict(feed) | {"changed": micros(feed.changed)}
        if self._connection.execute(feeds.update().where(feeds.c.path == feed.path).values(values)).rowcount == 0:
            self._connection.execute(feeds.insert().values(values))

    def commit_revision(self, now: datetime) -> int:
        """Begin the next revision; it is there for readers when the transaction is committed. Gives its number."""
        number = self.revision() + 1
        self._connection.execute(revisions.insert().values(number=number, at=micros(now)))
        return number

    def remember_run(self, run: Run) -> None:
        """Keep what came of a regeneration; what ended one before it is over."""
        self._connection.execute(meta.delete().where(meta.c.key == "failure"))
        self.set_meta("run", json.dumps({"at": run.at.isoformat(), "seconds": run.seconds, "outcome": run.outcome}))

    def set_meta(self, key: str, value: str) -> None:
        """Keep a fact about the catalog as a whole."""
        if self._connection.execute(meta.update().where(meta.c.key == key).values(value=value)).rowcount == 0:
            self._connection.execute(meta.insert().values(key=key, value=value))

    def _put(self, key: int | None, values: dict[str, Any]) -> int:
        if key is None:
            result = self._connection.execute(articles.insert().values(values))
            assert result.inserted_primary_key
            return int(result.inserted_primary_key[0])
        self._connection.execute(articles.update().where(articles.c.key == key).values(values))
        return key


def _stamped(stamp: Stamp) -> dict[str, Any]:
    mtime_ns, size, inode = stamp
    return {"mtime_ns": mtime_ns, "size": size, "inode": inode}
