"""The tables, and how our words are kept in their columns: moments as microseconds since 1970 in UTC, facts as JSON."""

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from feeds.model import Article, Author, Enclosure, FeedState, Image

SCHEMA = 2
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_CHUNK = 500  # parameters of one statement

METADATA = sa.MetaData()
meta = sa.Table(
    "meta",
    METADATA,
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
)
revisions = sa.Table(
    "revisions",
    METADATA,
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("at", sa.BigInteger, nullable=False),
)
articles = sa.Table(
    "articles",
    METADATA,
    sa.Column("key", sa.Integer, primary_key=True),
    sa.Column("path", sa.Text, nullable=False, unique=True),
    # the file as it was last scanned, whatever came of it
    sa.Column("mtime_ns", sa.BigInteger, nullable=False, default=0),
    sa.Column("size", sa.BigInteger, nullable=False, default=0),
    sa.Column("inode", sa.BigInteger, nullable=False, default=0),
    sa.Column("gone", sa.Boolean, nullable=False, default=False),
    sa.Column("refused", sa.Text),
    sa.Column("refused_line", sa.Integer),
    # its last good version
    sa.Column("hash", sa.Text),  # of the file; null if there never was a good one
    sa.Column("slug", sa.Text),  # only if its front matter gives one
    sa.Column("facts", sa.Text),  # the Article without its body
    sa.Column("body", sa.Text),
    sa.Column("published", sa.BigInteger),
    sa.Column("expires", sa.BigInteger),
    sa.Column("draft", sa.Boolean, nullable=False, default=False),
    # what the world knows of it
    sa.Column("id", sa.Text, unique=True),  # once minted or given, for ever
    sa.Column("live", sa.Boolean, nullable=False, default=False),
    sa.Column("revision", sa.Integer, nullable=False, server_default="0"),  # that last changed what the world knows
)
NOT_LIVE = sa.and_(articles.c.live.is_(False), articles.c.gone.is_(False), articles.c.draft.is_(False))
sa.Index("articles_waiting", articles.c.published, sqlite_where=NOT_LIVE)
sa.Index("articles_expiring", articles.c.expires, sqlite_where=articles.c.expires.isnot(None))
sa.Index("articles_by_slug", articles.c.slug, sqlite_where=articles.c.gone.is_(True))
sa.Index("articles_refused", articles.c.path, sqlite_where=articles.c.refused.isnot(None))
entries = sa.Table(
    "entries",
    METADATA,
    sa.Column("feed", sa.Text, primary_key=True),
    sa.Column("published", sa.BigInteger, primary_key=True),
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("article", sa.Integer, nullable=False, index=True),
    sa.Column("name", sa.Text, nullable=False),  # of the feed, as this article spells it
    sqlite_with_rowid=False,
)
feeds = sa.Table(
    "feeds",
    METADATA,
    sa.Column("path", sa.Text, primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("entries", sa.Integer, nullable=False),
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("changed", sa.BigInteger, nullable=False),
    sa.Column("digest", sa.Text, nullable=False),
    sa.Column("history", sa.Integer, nullable=False, server_default="0"),
    sa.Column("shifted", sa.Integer, nullable=False, server_default="0"),
    sa.Column("published", sa.Boolean, nullable=False, server_default=sa.false()),
)
sa.Index("feeds_by_revision", feeds.c.revision)
sa.Index("feeds_by_history", feeds.c.history)
renditions = sa.Table(  # what web workers made of live documents, where somebody has to know
    "renditions",
    METADATA,
    sa.Column("path", sa.Text, primary_key=True),
    sa.Column("digest", sa.Text, primary_key=True),
    sa.Column("revision", sa.Integer, nullable=False),  # the stamp of the feed that it shows
    sa.Column("entries", sa.Integer, nullable=False),
    sa.Column("texts", sa.Integer, nullable=False),  # of them with their full text
    sa.Column("oldest", sa.BigInteger, nullable=False),  # when its last entry was published
)
MIGRATIONS = {  # from a schema to the next
    1: (
        "ALTER TABLE articles ADD COLUMN revision INTEGER DEFAULT '0' NOT NULL",
        "ALTER TABLE feeds ADD COLUMN history INTEGER DEFAULT '0' NOT NULL",
        "ALTER TABLE feeds ADD COLUMN shifted INTEGER DEFAULT '0' NOT NULL",
        "ALTER TABLE feeds ADD COLUMN published BOOLEAN DEFAULT 0 NOT NULL",
        "CREATE INDEX feeds_by_revision ON feeds (revision)",
        "CREATE INDEX feeds_by_history ON feeds (history)",
        """CREATE TABLE renditions (path TEXT NOT NULL, digest TEXT NOT NULL, revision INTEGER NOT NULL,
        entries INTEGER NOT NULL, texts INTEGER NOT NULL, oldest BIGINT NOT NULL, PRIMARY KEY (path, digest))""",
        "UPDATE feeds SET published = entries > 0",
    )
}
OLDEST_FIRST = (entries.c.published, entries.c.id)
NEWEST_FIRST = tuple(column.desc() for column in OLDEST_FIRST)


@dataclass(frozen=True, slots=True)
class Known:
    """What was last seen of a file, to compare a scan with."""

    key: int
    mtime_ns: int
    size: int
    inode: int
    gone: bool
    hash: str | None  # of its last good version
    refused: bool


@dataclass(frozen=True, slots=True)
class Record:
    """The last good version of an article, and what the world knows of it."""

    key: int
    article: Article  # its body is "" unless it was asked for
    hash: str
    id: str | None
    live: bool
    gone: bool
    revision: int  # that last changed what the world knows of it


@dataclass(frozen=True, slots=True)
class Rendition:
    """What a worker made of a live document."""

    path: str
    digest: str
    revision: int  # the stamp of the feed that it shows
    entries: int
    texts: int  # entries with their full text
    oldest: datetime  # when its last entry was published


@dataclass(frozen=True, slots=True)
class Holder:
    """Whose an id is."""

    key: int
    path: str
    gone: bool


@dataclass(frozen=True, slots=True)
class Refusal:
    """An article that can't be read, and why."""

    path: str
    line: int
    reason: str


@dataclass(frozen=True, slots=True)
class Run:
    """The last good regeneration: when it began, how long it took, and what came of it."""

    at: datetime
    seconds: float
    outcome: str


def columns(*, bodies: bool) -> list[Any]:
    names = ("key", "facts", "hash", "id", "live", "gone", "revision")
    return [articles.c[name] for name in names] + [articles.c.body if bodies else sa.literal("").label("body")]


def record(row: Any) -> Record:
    return Record(row.key, unpacked(row.facts, row.body), row.hash, row.id, row.live, row.gone, row.revision)


def feed_state(row: Any) -> FeedState:
    facts = row._asdict()
    return FeedState(**facts | {"changed": moment(row.changed)})


def micros(when: datetime) -> int:
    return (when - _EPOCH) // timedelta(microseconds=1)


def moment(since_epoch: int) -> datetime:
    return _EPOCH + timedelta(microseconds=since_epoch)


def chunks(keys: list[int]) -> Iterator[list[int]]:
    for start in range(0, len(keys), _CHUNK):
        yield keys[start : start + _CHUNK]


def packed(article: Article) -> str:
    facts = {name: value for name in _FACTS if (value := getattr(article, name))}
    return json.dumps(facts, ensure_ascii=False, default=_packed)


def _packed(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else asdict(value)


_FACTS = tuple(field.name for field in fields(Article) if field.name != "body")
_DATES: tuple[str, ...] = ("published", "updated", "expires")
_UNPACK: dict[str, Callable[[Any], Any]] = {
    **dict.fromkeys(_DATES, datetime.fromisoformat),
    "categories": tuple,
    "tags": tuple,
    "authors": lambda authors: tuple(Author(**author) for author in authors),
    "image": lambda image: Image(**image),
    "enclosures": lambda files: tuple(Enclosure(**file) for file in files),
}


def unpacked(facts: str, body: str) -> Article:
    values = {key: _UNPACK[key](value) if key in _UNPACK else value for key, value in json.loads(facts).items()}
    return Article(body=body, **values)
