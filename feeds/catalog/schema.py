"""The tables, and the migrations from earlier versions. Import as `from feeds.catalog import schema as t`.

Rows of `articles` are small, so that queries that compare or count them read few pages; texts are in a separate table,
written once and never changed. The rows of `staged_files` were loaded and are not published yet. Thus an interrupted
run loses nothing, and a catalog of a million articles is written in batches.

In the database, the tables of statistics still have their original names, `visits` and `audience`. With SQLite, they
are in a separate file without a schema version, and a migration could not rename them reliably: the file may be
damaged, or older than the catalog.
"""

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import sqlalchemy as sa

T = TypeVar("T")

SCHEMA = 15
_MAX_PARAMETERS = 500  # of one statement

METADATA = sa.MetaData()
STATS_METADATA = sa.MetaData()  # with SQLite in a file of their own, so that its pages can be erased
# sorted by code point, as in SQLite and Python, whatever the database's locale is
_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
meta = sa.Table(
    "meta",
    METADATA,
    sa.Column("key", _TEXT, primary_key=True),
    sa.Column("value", _TEXT, nullable=False),
)
revisions = sa.Table(
    "revisions",
    METADATA,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("at", sa.BigInteger, nullable=False),
)
texts = sa.Table(
    "texts",
    METADATA,
    sa.Column("key", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("article", sa.LargeBinary, nullable=False),  # packed
)
_VERSION: tuple[Callable[[], "sa.Column[Any]"], ...] = (
    lambda: sa.Column("hash", _TEXT),  # of the file; null if there never was a good one
    lambda: sa.Column("text", sa.Integer),  # in `texts`
    lambda: sa.Column("slug", _TEXT),  # only if its front matter sets one
    lambda: sa.Column("explicit_id", _TEXT),  # only if its front matter sets one
    lambda: sa.Column("generated_id", _TEXT),  # the id that it gets without an explicit one
    lambda: sa.Column("feeds", _TEXT),  # the feeds that list it when it is live: {path: name, as the article spells it}
    # the groups derived neither from `feeds` nor from its path: {path: name}; mostly null, or `encoding.UNLISTED`
    lambda: sa.Column("other_groups", _TEXT),
    lambda: sa.Column("page", _TEXT),  # the path of its page; null on sites without pages
    lambda: sa.Column("published", sa.BigInteger),
    lambda: sa.Column("expires", sa.BigInteger),
    lambda: sa.Column("draft", sa.Boolean, nullable=False, default=False),
    lambda: sa.Column("live_from", sa.BigInteger),  # the later of `published` and the date until which it is scheduled
    lambda: sa.Column("links_to", _TEXT),  # the targets of its links to other articles' files, as JSON; mostly null
)
staged_files = sa.Table(
    "staged_files",
    METADATA,
    sa.Column("path", _TEXT, primary_key=True),
    sa.Column("mtime_ns", sa.BigInteger, nullable=False),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("inode", sa.BigInteger, nullable=False),
    sa.Column("rejection", _TEXT),
    sa.Column("rejection_line", sa.Integer),
    *(column() for column in _VERSION),
)
articles = sa.Table(
    "articles",
    METADATA,
    sa.Column("key", sa.Integer, primary_key=True),
    sa.Column("path", _TEXT, nullable=False, unique=True),
    # the file as it was last scanned, rejected or not
    sa.Column("mtime_ns", sa.BigInteger, nullable=False, default=0),
    sa.Column("size", sa.BigInteger, nullable=False, default=0),
    sa.Column("inode", sa.BigInteger, nullable=False, default=0),
    sa.Column("deleted", sa.Boolean, nullable=False, default=False),
    sa.Column("rejection", _TEXT),
    sa.Column("rejection_line", sa.Integer),
    *(column() for column in _VERSION),  # its last good version
    sa.Column("pending", sa.Integer, nullable=False, server_default="0"),  # TO_DECIDE or EDITED, until a run decides
    # its published state
    sa.Column("id", _TEXT, unique=True),  # permanent from its first publication
    sa.Column("live", sa.Boolean, nullable=False, default=False),
    sa.Column("scheduled", sa.Boolean, nullable=False, server_default=sa.false()),
    # `published` and the feeds of its entries, if they differ from its version; else null
    sa.Column("entry_published", sa.BigInteger),
    sa.Column("entry_feeds", _TEXT),
    sa.Column("revision", sa.Integer, nullable=False, server_default="0"),  # the last to change its published state
    sa.Column("link_urls", _TEXT),  # the URLs of those targets that are live articles, as JSON: {target: URL}
)
TO_DECIDE, EDITED = 1, 2


def _partial(name: str, column: "sa.Column[Any]", where: sa.ColumnElement[bool]) -> None:
    sa.Index(name, column, sqlite_where=where)  # `postgres.py` copies it: its dialect takes long to import


_partial("articles_scheduled", articles.c.live_from, articles.c.scheduled.is_(True))
_partial("articles_expiring", articles.c.expires, articles.c.expires.isnot(None))
_partial("articles_by_slug", articles.c.slug, articles.c.deleted.is_(True))
# finds moved files; created after the first run, in which updating it would write a page for each article
ARTICLES_BY_HASH = sa.Index("articles_by_hash", articles.c.hash)
articles.indexes.discard(ARTICLES_BY_HASH)
_partial("articles_by_page", articles.c.page, articles.c.page.isnot(None))
_partial("articles_pending", articles.c.key, articles.c.pending > 0)
_partial("articles_rejected", articles.c.path, articles.c.rejection.isnot(None))
_partial("articles_with_links", articles.c.key, articles.c.links_to.isnot(None))
links = sa.Table(  # links between articles' files, to find the articles whose documents change with another article
    "links",
    METADATA,
    sa.Column("target", _TEXT, primary_key=True),
    sa.Column("article", sa.Integer, primary_key=True),
    sa.Column("leads_to", sa.Integer),  # the key of the target's article, if that is live
    sqlite_with_rowid=False,
)
sa.Index("links_by_article", links.c.article)
_partial("links_leading_to", links.c.leads_to, links.c.leads_to.isnot(None))
moved_pages = sa.Table(  # the former addresses of articles' pages; with row ids, by which `recovery` reads it
    "moved_pages",
    METADATA,
    sa.Column("page", _TEXT, primary_key=True),
    sa.Column("article", sa.Integer, nullable=False),  # the key of the article that had this address last
)
entries = sa.Table(
    "entries",
    METADATA,
    sa.Column("feed", _TEXT, primary_key=True),
    sa.Column("published", sa.BigInteger, primary_key=True),
    sa.Column("id", _TEXT, primary_key=True),
    sa.Column("article", sa.Integer, nullable=False),
    sa.Column("name", _TEXT, nullable=False),  # of the feed, as this article spells it
    sqlite_with_rowid=False,
)
feeds = sa.Table(
    "feeds",
    METADATA,
    sa.Column("path", _TEXT, primary_key=True),
    sa.Column("kind", _TEXT, nullable=False),
    sa.Column("name", _TEXT, nullable=False),
    sa.Column("entries", sa.Integer, nullable=False),
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("changed", sa.BigInteger, nullable=False),
    sa.Column("digest", _TEXT, nullable=False),
    sa.Column("archive_revision", sa.Integer, nullable=False, server_default="0"),
    sa.Column("renumbered_revision", sa.Integer, nullable=False, server_default="0"),
    sa.Column("published", sa.Boolean, nullable=False, server_default=sa.false()),
)
sa.Index("feeds_by_revision", feeds.c.revision)
sa.Index("feeds_by_archive_revision", feeds.c.archive_revision)
tombstones = sa.Table(  # ids that were withdrawn from feeds
    "tombstones",
    METADATA,
    sa.Column("feed", _TEXT, primary_key=True),
    sa.Column("id", _TEXT, primary_key=True),
    sa.Column("at", sa.BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
document_versions = sa.Table(  # versions of live documents that workers rendered
    "document_versions",
    METADATA,
    sa.Column("path", _TEXT, primary_key=True),
    sa.Column("digest", _TEXT, primary_key=True),
    sa.Column("revision", sa.Integer, nullable=False),  # of the feed
    sa.Column("entries", sa.Integer, nullable=False),
    sa.Column("texts", sa.Integer, nullable=False),  # entries with their full text
    sa.Column("oldest", sa.BigInteger, nullable=False),  # when its last entry was published
)
salts = sa.Table(  # the keys of the hashes that identify the pollers of an open day
    "salts",
    STATS_METADATA,
    sa.Column("day", _TEXT, primary_key=True),  # in UTC: "2026-11-24"
    sa.Column("salt", sa.LargeBinary, nullable=False),
    sa.Column("imported", sa.Boolean, nullable=False),  # whether its polls come from logs, so that more may follow
)
_COUNTS: tuple[Callable[[], "sa.Column[Any]"], ...] = (
    lambda: sa.Column("polls", sa.Integer, nullable=False),
    lambda: sa.Column("unchanged", sa.Integer, nullable=False),  # polls answered with a 304
    lambda: sa.Column("unconditional", sa.Integer, nullable=False),  # polls without a validator
    lambda: sa.Column("bytes", sa.BigInteger, nullable=False),  # of the bodies that were sent
    lambda: sa.Column("saved", sa.BigInteger, nullable=False),  # bytes of the bodies that a 304 replaced
)
source_counts = sa.Table(  # the polls of each source on open days
    "visits",
    STATS_METADATA,
    sa.Column("day", _TEXT, primary_key=True),
    sa.Column("feed", _TEXT, primary_key=True),
    sa.Column("reader", _TEXT, primary_key=True),
    sa.Column("kind", _TEXT, primary_key=True),
    sa.Column("source", _TEXT, primary_key=True),
    sa.Column("subscribers", sa.Integer),  # the largest number that it reported
    sa.Column("live", sa.Integer, nullable=False),  # polls of live documents; only these count as subscribers
    *(column() for column in _COUNTS),
    sqlite_with_rowid=False,
)
daily_counts = sa.Table(  # the totals of closed days; with row ids, by which `recovery` reads it
    "audience",
    STATS_METADATA,
    sa.Column("day", _TEXT, primary_key=True),
    sa.Column("feed", _TEXT, primary_key=True),
    sa.Column("reader", _TEXT, primary_key=True),
    sa.Column("kind", _TEXT, nullable=False),
    sa.Column("subscribers", sa.Integer, nullable=False),
    *(column() for column in _COUNTS),
)
imports = sa.Table(  # how far access logs were imported
    "imports",
    STATS_METADATA,
    sa.Column("log", _TEXT, primary_key=True),  # a digest of the first polls in it, without addresses
    sa.Column("offset", sa.BigInteger, nullable=False),  # bytes
    sa.Column("day", _TEXT, nullable=False),  # of the import
)
erasures = sa.Table(  # closed days whose deleted rows may still be in the database's files
    "erasures",
    STATS_METADATA,
    sa.Column("day", _TEXT, primary_key=True),
)
_READ_AGAIN = "INSERT INTO meta VALUES ('read again', 'yes') ON CONFLICT (key) DO UPDATE SET value = 'yes'"
_LINKS = (
    "ALTER TABLE readings ADD COLUMN links_to TEXT",
    "ALTER TABLE articles ADD COLUMN links_to TEXT",
    "ALTER TABLE articles ADD COLUMN link_urls TEXT",
    'CREATE INDEX articles_with_links ON articles ("key") WHERE links_to IS NOT NULL',
    _READ_AGAIN,
)
_LINKS_INDEXES = (
    "CREATE INDEX links_by_article ON links (article)",
    "CREATE INDEX links_leading_to ON links (leads_to) WHERE leads_to IS NOT NULL",
)
_LIVE_FROM = (
    "ALTER TABLE readings ADD COLUMN live_from BIGINT",
    "ALTER TABLE articles ADD COLUMN live_from BIGINT",
    "UPDATE readings SET live_from = published",
    "UPDATE articles SET live_from = published",
    "DROP INDEX articles_waiting",
    "CREATE INDEX articles_waiting ON articles (live_from) WHERE waiting IS {true}",
    # every file: earlier versions ignored some keys of front matter
    _READ_AGAIN,
)
FORMER_COLUMNS = {  # by the table's name at that time: names of columns until schema 11 -> names since schema 12
    "readings": {
        "refused": "rejection",
        "refused_line": "rejection_line",
        "given": "explicit_id",
        "minted": "generated_id",
    },
    "articles": {
        "refused": "rejection",
        "refused_line": "rejection_line",
        "given": "explicit_id",
        "minted": "generated_id",
        "gone": "deleted",
        "waiting": "scheduled",
        "shown_at": "entry_published",
        "shown_in": "entry_feeds",
    },
    "feeds": {"history": "archive_revision", "shifted": "renumbered_revision"},
}
_COLUMN_RENAMES = (
    *(
        f"ALTER TABLE {table} RENAME COLUMN {old} TO {new}"
        for table, columns in FORMER_COLUMNS.items()
        for old, new in columns.items()
    ),
    "DROP INDEX articles_waiting",
    "CREATE INDEX articles_scheduled ON articles (live_from) WHERE scheduled IS {true}",
    "DROP INDEX articles_refused",
    "CREATE INDEX articles_rejected ON articles (path) WHERE rejection IS NOT NULL",
    "DROP INDEX feeds_by_history",
    "CREATE INDEX feeds_by_archive_revision ON feeds (archive_revision)",
    "UPDATE meta SET key = 'recovered' WHERE key = 'mended'",  # the name that catalogs before schema 11 have stored
)
FORMER_TABLES = {"readings": "staged_files", "renditions": "document_versions"}  # until schema 12 -> since 13
_TABLE_RENAMES = tuple(f"ALTER TABLE {old} RENAME TO {new}" for old, new in FORMER_TABLES.items())
_OTHER_GROUPS = (
    "ALTER TABLE staged_files ADD COLUMN other_groups TEXT",
    "ALTER TABLE articles ADD COLUMN other_groups TEXT",
    # every listed article was in the site's feed; this also covers rejected files, whose articles are not read again
    "UPDATE staged_files SET other_groups = 'unlisted' WHERE feeds = '{}'",
    "UPDATE articles SET other_groups = 'unlisted' WHERE feeds = '{}'",
    _READ_AGAIN,
)
_OF_PLACES = (("articles", "feeds"), ("articles", "shown_in"), ("readings", "feeds"))  # until 7: [[path, name], …]
SQLITE_MIGRATIONS = {  # schema -> the statements that migrate to the next schema
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
    ),
    2: (
        'CREATE TABLE texts ("key" INTEGER NOT NULL PRIMARY KEY, article BLOB NOT NULL)',
        """CREATE TABLE readings (path TEXT NOT NULL PRIMARY KEY, mtime_ns BIGINT NOT NULL, size BIGINT NOT NULL,
        inode BIGINT NOT NULL, refused TEXT, refused_line INTEGER, hash TEXT, text INTEGER, slug TEXT, given TEXT,
        minted TEXT, feeds TEXT, published BIGINT, expires BIGINT, draft BOOLEAN NOT NULL)""",
        "INSERT INTO texts SELECT key, packed(facts, body) FROM articles WHERE hash IS NOT NULL",  # encoding.pack_text
        "ALTER TABLE articles ADD COLUMN text INTEGER",
        "ALTER TABLE articles ADD COLUMN given TEXT",
        "ALTER TABLE articles ADD COLUMN minted TEXT",
        "ALTER TABLE articles ADD COLUMN feeds TEXT",
        "ALTER TABLE articles ADD COLUMN pending INTEGER DEFAULT '0' NOT NULL",
        "ALTER TABLE articles ADD COLUMN waiting BOOLEAN DEFAULT 0 NOT NULL",
        "ALTER TABLE articles ADD COLUMN shown_at BIGINT",
        "ALTER TABLE articles ADD COLUMN shown_in TEXT",
        """UPDATE articles SET text = key, given = json_extract(facts, '$.id'), minted = id,
        waiting = NOT live AND NOT gone AND NOT draft,
        feeds = (SELECT json_group_array(json_array(feed, name)) FROM entries WHERE article = articles.key)
        WHERE hash IS NOT NULL""",
        "DROP INDEX articles_waiting",
        "ALTER TABLE articles DROP COLUMN facts",
        "ALTER TABLE articles DROP COLUMN body",
        "DROP INDEX ix_entries_article",
        "CREATE INDEX articles_waiting ON articles (published) WHERE waiting IS 1",
        "CREATE INDEX articles_by_hash ON articles (hash)",
        'CREATE INDEX articles_pending ON articles ("key") WHERE pending > 0',
        "INSERT INTO meta VALUES ('read again', 'yes')",  # for values that were not stored before
    ),
    3: (
        """CREATE TABLE tombstones (feed TEXT NOT NULL, id TEXT NOT NULL, at BIGINT NOT NULL, PRIMARY KEY (feed, id))
        WITHOUT ROWID""",
    ),
    4: (
        """CREATE TABLE contents (text INTEGER NOT NULL PRIMARY KEY REFERENCES texts ("key") ON DELETE CASCADE,
        variant TEXT NOT NULL, content BLOB NOT NULL)""",
    ),
    5: (
        "ALTER TABLE readings ADD COLUMN page TEXT",
        "ALTER TABLE articles ADD COLUMN page TEXT",
        "CREATE INDEX articles_by_page ON articles (page) WHERE page IS NOT NULL",
    ),
    6: (
        "CREATE TABLE salts (day TEXT NOT NULL PRIMARY KEY, salt BLOB NOT NULL, imported BOOLEAN NOT NULL)",
        """CREATE TABLE visits (day TEXT NOT NULL, feed TEXT NOT NULL, reader TEXT NOT NULL, kind TEXT NOT NULL,
        source TEXT NOT NULL, subscribers INTEGER, live INTEGER NOT NULL, polls INTEGER NOT NULL,
        unchanged INTEGER NOT NULL, unconditional INTEGER NOT NULL, bytes BIGINT NOT NULL, saved BIGINT NOT NULL,
        PRIMARY KEY (day, feed, reader, kind, source)) WITHOUT ROWID""",
        """CREATE TABLE audience (day TEXT NOT NULL, feed TEXT NOT NULL, reader TEXT NOT NULL, kind TEXT NOT NULL,
        subscribers INTEGER NOT NULL, polls INTEGER NOT NULL, unchanged INTEGER NOT NULL,
        unconditional INTEGER NOT NULL, bytes BIGINT NOT NULL, saved BIGINT NOT NULL,
        PRIMARY KEY (day, feed, reader))""",
        'CREATE TABLE imports (log TEXT NOT NULL PRIMARY KEY, "offset" BIGINT NOT NULL, day TEXT NOT NULL)',
    ),
    7: tuple(
        f"""UPDATE {table} SET {column} = (
        SELECT json_group_object(json_extract(value, '$[0]'), json_extract(value, '$[1]')) FROM json_each({column}))
        WHERE {column} IS NOT NULL"""  # noqa: S608  # constants
        for table, column in _OF_PLACES
    ),
    8: (  # the rows were copied to the statistics' own file (`sqlite.Sqlite.prepare_migration`)
        "PRAGMA secure_delete=ON",  # the pages of dropped tables are overwritten with zeros
        *(f"DROP TABLE IF EXISTS {table}" for table in ("salts", "visits", "audience", "imports")),
    ),
    9: (
        "DROP TABLE IF EXISTS contents",  # rendering takes less time than reading stored HTML
        *(statement.format(true=1) for statement in _LIVE_FROM),
    ),
    10: (
        *_LINKS,
        """CREATE TABLE links (target TEXT NOT NULL, article INTEGER NOT NULL, leads_to INTEGER,
        PRIMARY KEY (target, article)) WITHOUT ROWID""",
        *_LINKS_INDEXES,
    ),
    11: tuple(statement.format(true=1) for statement in _COLUMN_RENAMES),
    12: _TABLE_RENAMES,
    13: ("CREATE TABLE moved_pages (page TEXT NOT NULL PRIMARY KEY, article INTEGER NOT NULL)",),
    14: _OTHER_GROUPS,
}
NO_SAMPLES = (  # PostgreSQL: keep ANALYZE from copying hashes and keys to pg_statistic, where nothing erases them
    "ALTER TABLE visits ALTER COLUMN source SET STATISTICS 0",
    "ALTER TABLE salts ALTER COLUMN salt SET STATISTICS 0",
)
POSTGRES_MIGRATIONS: dict[int, tuple[str, ...]] = {  # its first schema was 7
    7: tuple(
        f"""UPDATE {table} SET {column} = coalesce((
        SELECT json_object_agg(value ->> 0, value ->> 1) FROM json_array_elements({column}::json))::text, '{{}}')
        WHERE {column} IS NOT NULL"""  # noqa: S608  # constants
        for table, column in _OF_PLACES
    ),
    8: (
        'CREATE TABLE IF NOT EXISTS erasures (day TEXT COLLATE "C" NOT NULL PRIMARY KEY)',
        # a change of type removes the samples of a column that ANALYZE has stored
        'ALTER TABLE visits ALTER COLUMN source TYPE TEXT COLLATE "C"',
        "ALTER TABLE salts ALTER COLUMN salt TYPE BYTEA",
        *NO_SAMPLES,
    ),
    9: ("DROP TABLE IF EXISTS contents", *(statement.format(true="true") for statement in _LIVE_FROM)),
    10: (
        *_LINKS,
        """CREATE TABLE links (target TEXT COLLATE "C" NOT NULL, article INTEGER NOT NULL, leads_to INTEGER,
        PRIMARY KEY (target, article))""",
        *_LINKS_INDEXES,
    ),
    11: tuple(statement.format(true="true") for statement in _COLUMN_RENAMES),
    12: _TABLE_RENAMES,
    13: ('CREATE TABLE moved_pages (page TEXT COLLATE "C" NOT NULL PRIMARY KEY, article INTEGER NOT NULL)',),
    14: _OTHER_GROUPS,
}
OLDEST_FIRST = (entries.c.published, entries.c.id)
NEWEST_FIRST = tuple(column.desc() for column in OLDEST_FIRST)


def chunks(items: list[T]) -> Iterator[list[T]]:
    """Yield items in lists that fit the parameters of one statement."""
    for start in range(0, len(items), _MAX_PARAMETERS):
        yield items[start : start + _MAX_PARAMETERS]
