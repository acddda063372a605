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
    Rendition,
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
    renditions,
    revisions,
)
from feeds.model import Article, FeedState

Stamp = tuple[int, int, int]  # of a file: mtime in ns, size in bytes, inode
Place = tuple[str, int, str]  # of an entry: its feed, and its position there: when it was published, its id


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

    def withdraw(self, keys: Iterable[int]) -> dict[int, set[Place]]:
        """Take articles out of all feeds. Gives the places that each of them had."""
        left: dict[int, set[Place]] = {}
        for some in chunks(sorted(keys)):
            theirs = entries.c.article.in_(some)
            for row in self._connection.execute(sa.select(entries).where(theirs)):
                left.setdefault(row.article, set()).add((row.feed, row.published, row.id))
            self._connection.execute(entries.delete().where(theirs))
        return left

    def publish(self, record: Record, id_: str | None, memberships: Iterable[FeedState], *, live: bool) -> set[Place]:
        """Set what the world knows of a withdrawn article: its id and its feeds. Gives its places in them."""
        self._connection.execute(articles.update().where(articles.c.key == record.key).values(id=id_, live=live))
        published = micros(record.article.published)
        memberships = list(memberships)
        rows = [
            {"feed": feed.path, "published": published, "id": id_, "article": record.key, "name": feed.name}
            for feed in memberships
        ]
        if rows:
            self._connection.execute(entries.insert(), rows)
        return {(feed.path, published, id_) for feed in memberships if id_}

    def stamp(self, feed: FeedState) -> None:
        """Keep a feed's state."""
        values = asdict(feed) | {"changed": micros(feed.changed)}
        if self._connection.execute(feeds.update().where(feeds.c.path == feed.path).values(values)).rowcount == 0:
            self._connection.execute(feeds.insert().values(values))

    def commit_revision(self, at: datetime, keys: Iterable[int]) -> int:
        """Begin the next revision, in which the world knows something else of these articles. Gives its number.

        It is there for readers when the transaction is committed.
        """
        number = self.revision() + 1
        self._connection.execute(revisions.insert().values(number=number, at=micros(at)))
        for some in chunks(sorted(keys)):
            self._connection.execute(articles.update().where(articles.c.key.in_(some)).values(revision=number))
        return number

    def remember_renditions(self, made: Iterable[Rendition], *, keep: int) -> None:
        """Keep what was made of live documents; of each, so many of the last versions."""
        for rendition in made:
            same = sa.and_(renditions.c.path == rendition.path, renditions.c.digest == rendition.digest)
            self._connection.execute(renditions.delete().where(same))
            values = asdict(rendition) | {"oldest": micros(rendition.oldest)}
            self._connection.execute(renditions.insert().values(values))
            mine = renditions.c.path == rendition.path
            last = sa.select(renditions.c.revision).where(mine).order_by(renditions.c.revision.desc()).offset(keep)
            oldest = self._connection.execute(last.limit(1)).scalar()
            if oldest is not None:
                self._connection.execute(renditions.delete().where(mine, renditions.c.revision <= oldest))

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
