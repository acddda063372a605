"""The catalog stores and returns values exactly, and reports each error in one sentence."""

import contextlib
import gc
import json
import os
import sqlite3
import threading
import time
import weakref
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
import sqlalchemy
from hypothesis import given
from hypothesis import strategies as st
from publish_loops import EventRecorder
from waiting import eventually

from feeds.catalog import AcceptedVersion, Catalog, CatalogReader, DocumentVersion, LastRun, LoadedArticle
from feeds.catalog.access import WriteAccess
from feeds.catalog.encoding import from_microseconds, pack_article, to_microseconds, unpack_article
from feeds.catalog.files import FileStamp
from feeds.catalog.schema import FORMER_COLUMNS, FORMER_TABLES, SCHEMA
from feeds.core.errors import CatalogError, GuardStopped
from feeds.core.model import Article, ArticleWarning, Author, Enclosure, Image
from feeds.render import Documents, queue, revision_watcher

both = pytest.mark.databases("sqlite", "postgres")  # these tests run SQL that differs between databases
DAY = datetime(2026, 1, 24, 9, 13, 22, 668123, timezone(timedelta(hours=2)))
FULL = Article(
    path="a/b.md",
    name="a/b",
    title="T",
    published=DAY,
    updated=DAY,
    body="Text.",
    slug="b",
    slug_given=True,
    id="urn:x:1",
    link="/x/",
    categories=("A", "B"),
    tags=("x",),
    authors=(Author("A", "a@x.example", "/a"), Author("B")),
    summary="S",
    image=Image("i.png", "alt", "image/png"),
    enclosures=(Enclosure("a.mp3", "audio/mpeg", 12),),
    language="pt",
    draft=True,
    expires=DAY,
    live_from=DAY,
    listed=False,
    feeds=("picks",),
    canonical="https://old.example/x/",
    external_url="https://else.example/x",
    warnings=(ArticleWarning(3, "unusable-value", "image: 'x:y' is ignored"),),
)


def keep(writer, article, hash_="hash"):
    """Store an article as a run does, and return its key."""
    writer.stage(
        [LoadedArticle.of(article, FileStamp(1, 2, 3), hash_, f"tag:{article.path}", {}, {}, None)], as_articles=False
    )
    writer.save_versions([AcceptedVersion(None, article.path)])
    writer.clear_staging()
    return next(known.key for known in writer.known_files("", "", 10) if known.path == article.path)


@pytest.mark.parametrize(
    "article", [FULL, Article(path="a.md", name="a", title="", published=DAY, updated=DAY, body="", slug="a")]
)
def test_an_article_is_kept_whole(article):
    """Every field of an article is restored as it was stored, dates with their zone and microseconds."""
    assert unpack_article(pack_article(article)) == article


@given(st.datetimes(timezones=st.just(UTC)))
def test_moments_are_exact(when):
    """Every moment from year 1 to 9999 is stored to the microsecond."""
    assert from_microseconds(to_microseconds(when)) == when


@both
def test_a_failed_transaction_leaves_nothing(state):
    """Nothing of a transaction that raises an exception is stored."""
    catalog = Catalog(state)
    catalog.create()
    with pytest.raises(ZeroDivisionError), catalog.write_transaction() as writer:
        keep(writer, FULL)
        1 / 0  # noqa: B018
    with catalog.read_transaction() as reader:
        assert reader.known_files("", "", 10) == []
        assert reader.staged_files("", "", 10) == []
    catalog.close()


@both
def test_readers_see_one_revision(state):
    """A read transaction sees the state at its beginning, whatever is committed meanwhile."""
    catalog = Catalog(state)
    catalog.create()
    with catalog.read_transaction() as reader:
        assert reader.revision() == 0
        with catalog.write_transaction() as writer:
            writer.commit_revision(DAY)
        assert reader.revision() == 0
    with catalog.read_transaction() as reader:
        assert reader.revision() == 1
    catalog.close()


@both
def test_a_reader_has_no_changes(state):
    """A read-only transaction has no method that changes rows, and rejects new values of the catalog's state."""
    assert not issubclass(CatalogReader, WriteAccess)
    catalog = Catalog(state)
    catalog.create()
    with catalog.read_transaction() as reader, pytest.raises(AttributeError):
        reader.state.aliases = "/x"
    with catalog.read_transaction() as reader:
        assert not reader.state.aliases


@both
def test_the_last_run_is_stored(state):
    """The last run is stored for `status` and `/healthz`."""
    catalog = Catalog(state)
    catalog.create()
    with catalog.write_transaction() as writer:
        assert writer.state.last_run is None
        writer.state.last_run = LastRun(DAY, 1.5, "ok")
        writer.state.last_run = LastRun(DAY, 2.5, "refused")
        assert writer.state.last_run == LastRun(DAY, 2.5, "refused")
    catalog.close()


@both
def test_files_are_found_by_the_articles_that_refer_to_them(site):
    """Each database finds whether a live article, or any, refers to a file, and lists the files of live articles by path."""
    site.configure(site={"pages": True})
    site.article("a.md", "![x](x.png) ![y](y.png) [b](b.md)", title="A")
    site.article("b.md", "![x](x.png)", title="B")
    site.article("draft.md", "![d](d.png)", title="D", draft=True)
    site.publish()
    with site.catalog.read_transaction() as catalog:
        assert [catalog.is_linked(f"/{name}.png", live=True) for name in "xyd"] == [True, True, False]
        assert catalog.is_linked("/d.png", live=False)
        assert not catalog.is_linked("/b", live=False)
        assert catalog.linked_files("", 9) == ["/x.png", "/y.png"]
        assert catalog.linked_files("", 1) == ["/x.png"]
        assert catalog.linked_files("/x.png", 9) == ["/y.png"]
    site.article("a.md", "No more.", title="A")
    site.publish()
    with site.catalog.read_transaction() as catalog:
        assert catalog.linked_files("", 9) == ["/x.png"]


@both
def test_neighbours(site):
    """Each database finds the articles before and after one in the site's feed, by date, then by id, with their pages.

    Articles without a page, drafts, withdrawn and unlisted articles are none.
    """
    site.configure(site={"pages": True}, content={"permalink": "/{slug}/"})
    for name, date in (("a", "2026-05-01"), ("b", "2026-05-02"), ("c", "2026-05-02"), ("d", "2026-05-03")):
        site.article(f"{name}.md", title=name.upper(), date=date)
    site.article("else.md", title="Else", date="2026-05-02", link="https://other.example/")
    site.article("draft.md", title="Draft", date="2026-05-02", draft=True)
    site.article("unlisted.md", title="Unlisted", date="2026-05-02", feed=False)
    site.article("gone.md", title="Gone", date="2026-05-02")
    site.publish()
    (site.content / "gone.md").unlink()
    site.publish(accept=True)
    with site.catalog.read_transaction() as catalog:
        beside = [catalog.neighbours(catalog.entry_at_page(f"/{name}/")) for name in "abcd"]
        pages = catalog.pages_in_feed(None, 3)
        assert [one.page for one in pages] == ["/a/", "/b/", "/c/"]
        assert [one.page for one in catalog.pages_in_feed(pages[-1], 3)] == ["/d/"]
    assert [(older and older.page, newer and newer.page) for older, newer in beside] == [
        (None, "/b/"), ("/a/", "/c/"), ("/b/", "/d/"), ("/c/", None),
    ]  # fmt: skip
    assert [(older and older.record.article.title) for older, _ in beside] == [None, "A", "B", "C"]


@both
def test_articles_are_found_by_their_pages(site):
    """Each database finds articles by page, drafts and scheduled articles; of two articles with one page, the first."""
    site.configure(site={"pages": True}, content={"permalink": "/{slug}/"})
    site.article("b.md", "Second.", title="B", slug="s", date="2026-05-02")
    site.article("a.md", "First.", title="A", slug="s", date="2026-05-01")
    site.article("c.md", title="C", date="2026-05-03", tags=["t"])
    site.article("draft.md", title="Draft", draft=True, date="2026-05-04")
    site.article("later.md", title="Later", date="2026-07-01")
    site.article("gone.md", title="Gone", date="2026-04-01")
    site.publish()
    with site.catalog.read_transaction() as catalog:
        before = catalog.change_token()
    (site.content / "gone.md").unlink()
    site.now += timedelta(hours=1)
    site.publish()
    with site.catalog.read_transaction() as catalog:
        assert catalog.entry_at_page("/s/").article.title == "A"
        assert (
            catalog.entry_at_page("/draft/")
            is catalog.entry_at_page("/gone/")
            is catalog.entry_at_page("/gone/", live=False)
            is None
        )
        assert catalog.entry_at_page("/draft/", live=False).article.title == "Draft"
        assert catalog.paths_by_page(["/s/", "/c/", "/draft/"], live=True) == {"/s/": "a.md", "/c/": "c.md"}
        assert catalog.paths_by_page(["/draft/", "/gone/"], live=False) == {"/draft/": "draft.md"}
        assert [catalog.was_page(path) for path in ("/gone/", "/draft/", "/c/")] == [True, False, True]
        assert [row[:2] for row in catalog.published_pages("", 10)] == [("/c/", "c.md"), ("/s/", "a.md")]
        assert [row[:2] for row in catalog.published_pages("/c/", 1)] == [("/s/", "a.md")]
        unseen = catalog.unpublished_entries(site.now)
        assert [(record.article.title, draft) for record, draft in unseen] == [("Later", False), ("Draft", True)]
        assert catalog.entry_of_file("later.md").article.title == "Later"
        assert catalog.entry_of_file("gone.md") is None
        assert catalog.change_token() != before
        assert catalog.committed_at(catalog.revision()) == site.now
        assert [feed.path for feed in catalog.feeds_by_path(["tag/t", "none", ""])] == ["tag/t", ""]


@both
def test_versions_of_documents_are_stored(state):
    """The last versions of each document are found by their digests; of several given digests, the latest version."""
    catalog = Catalog(state)
    catalog.create()
    made = [DocumentVersion("/rss.xml", f"d{n}", n, n, 0, DAY.astimezone(UTC)) for n in range(1, 5)]
    with catalog.write_transaction() as writer:
        writer.save_document_versions([*made, replace(made[0], path="/atom.xml")], keep=3)
        writer.save_document_versions([made[3]], keep=3)
        assert writer.document_version("/rss.xml", ["d2", "d3", "none"]) == made[2]
        assert writer.document_version("/rss.xml", ["d1"]) is None
        assert writer.document_version("/atom.xml", ["d1"]) == replace(made[0], path="/atom.xml")
    catalog.close()


@both
def test_a_run_can_be_requested(state):
    """Each request for a run is counted, so that the publisher notices a new one."""
    catalog = Catalog(state)
    catalog.create()
    for asked in range(3):
        with catalog.read_transaction() as reader:
            assert reader.state.refresh_requests == asked
        catalog.request_refresh()
    catalog.close()


def taken(leadership):
    """Acquire the leader lock as soon as the database has released it; fail after two minutes."""
    return eventually(leadership.acquire)


@pytest.fixture
def catalogs(state):
    """Return the same catalog as two processes open it."""
    made = Catalog(state), Catalog(state)
    made[0].create()
    yield made
    for catalog in made:
        catalog.close()


@both
def test_one_publisher_leads(catalogs):
    """One of two publishers leads; the other can lead after the first has released the lock, and not before."""
    first, second = (catalog.leader_lock() for catalog in catalogs)
    with contextlib.ExitStack() as at_the_end:
        at_the_end.callback(first.release)
        at_the_end.callback(second.release)
        assert not first.is_held()
        assert first.acquire()
        assert first.acquire()
        assert not second.acquire()
        assert first.is_held()
        first.release()
        assert not first.is_held()
        assert taken(second)
        assert second.is_held()


@pytest.mark.databases("postgres")
def test_a_new_leader_ends_the_run_of_the_previous_one(catalogs):
    """A run whose publisher no longer leads loses its lock to the next leader, and commits nothing more."""
    first, second = (catalog.leader_lock() for catalog in catalogs)
    assert first.acquire()
    with contextlib.ExitStack() as at_the_end, catalogs[0].lock():
        first.release()  # like a database that ends an idle session
        at_the_end.callback(second.release)
        assert taken(second)
        with catalogs[1].lock(120):
            with pytest.raises(CatalogError), catalogs[0].write_transaction() as writer:
                writer.commit_revision(DAY)
            with pytest.raises(CatalogError):
                catalogs[0].require_lock()
    with catalogs[1].read_transaction() as reader:
        assert reader.revision() == 0


@pytest.mark.databases("postgres")
def test_a_commit_wakes_a_listener(catalogs):
    """A thread that waits for a revision continues when another connection commits one, long before its timeout."""
    with catalogs[0].listen_for_revisions() as wait:
        began = time.monotonic()
        with catalogs[1].write_transaction() as writer:
            writer.commit_revision(DAY)
        wait(600)
        assert time.monotonic() - began < 500


@both
def test_a_deleted_article_is_found_by_its_slug(state):
    """A deleted article is found by its slug, unless several have the slug."""
    catalog = Catalog(state)
    catalog.create()
    with catalog.write_transaction() as writer:
        first = keep(writer, replace(FULL, path="1.md", slug="s"), "h1")
        second = keep(writer, replace(FULL, path="2.md", slug="s"), "h2")
        writer.mark_deleted([first])
        assert {slug: owner.key for slug, owner in writer.deleted_by_slug(["s", "other"]).items()} == {"s": first}
        writer.mark_deleted([second])
        assert writer.deleted_by_slug(["s", "other"]) == {}
    catalog.close()


def test_queries_take_the_same_time_for_all_paths(state):
    """A query for the last of many files, or for the files after a path, takes about as many steps as for the first."""
    catalog = Catalog(state)
    catalog.create()
    articles = [replace(FULL, path=f"{place}/{number:03}.md", id=None) for place in "abc" for number in range(200)]
    with catalog.write_transaction() as writer:
        writer.stage(
            [LoadedArticle.of(one, FileStamp(1, 2, 3), one.path, f"tag:{one.path}", {}, {}, None) for one in articles],
            as_articles=False,
        )
        writer.save_versions([AcceptedVersion(None, one.path) for one in articles])
    with catalog.read_transaction() as reader:
        raw, steps = reader._connection.connection.driver_connection, []
        raw.set_progress_handler(lambda: steps.append(1), 1)

        def took(ask, *about):
            del steps[:]
            assert len(ask(*about)) == (1 if about[0].endswith(".md") else 10)
            return len(steps)

        for ask in (reader.known_files, reader.staged_files):
            for first, last in [
                (("a/000.md", "", 10), ("c/199.md", "", 10)),
                (("a", "", 10), ("c", "", 10)),
                (("a", "", 10), ("c", "c/150.md", 10)),
                (("", "a/100.md", 10), ("", "c/100.md", 10)),
            ]:
                assert took(ask, *last) < 1.5 * took(ask, *first)
        raw.set_progress_handler(None, 1)


def test_what_is_no_catalog_is_reported(tmp_path):
    """A foreign file or database, a newer catalog and a folder that can't be created are reported and left unchanged."""
    garbage = tmp_path / "garbage.db"
    garbage.write_bytes(b"not a database" * 100)
    foreign = tmp_path / "foreign.db"
    with sqlite3.connect(foreign) as connection:
        connection.execute("create table theirs (x)")
    connection.close()
    newer = tmp_path / "newer.db"
    catalog = Catalog(newer)
    catalog.create()
    with catalog.write_transaction() as writer:
        writer.state.write("schema", "99")
    catalog.close()
    for file, reason in [
        (garbage, "not a database"),
        (foreign, "not a catalog"),
        (newer, "newer version"),
        (garbage / "x", "can't be used"),
    ]:
        before = file.read_bytes() if file.is_file() else None
        catalog = Catalog(file)
        with pytest.raises(CatalogError, match=reason):
            catalog.create()
        catalog.close()
        assert before is None or file.read_bytes() == before


def tables(file):
    """Return the columns of each table, whether each may be null, and the indexes."""
    with contextlib.closing(sqlite3.connect(file)) as raw:
        names = [name for (name,) in raw.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        indexes = set(raw.execute("SELECT name, sql FROM sqlite_master WHERE type = 'index'"))
        return {name: {(c[1], c[3]) for c in raw.execute(f"PRAGMA table_info({name})")} for name in names}, indexes


def test_a_recovery_continues_after_a_migration(state):
    """A damaged catalog that an earlier version created again still waits for its first run after a migration."""
    with contextlib.closing(sqlite3.connect(state)) as raw:
        raw.executescript((Path(__file__).parent / "catalogs" / "11.sql").read_text("utf-8"))
        raw.execute("INSERT INTO meta VALUES ('mended', '3')")
        raw.commit()
    with contextlib.closing(Catalog(state)) as catalog:
        catalog.create()
        with catalog.read_transaction() as reader:
            assert reader.state.recovered_articles == 3
            assert reader.revision() == 0


@pytest.mark.parametrize("version", range(1, SCHEMA))
def test_a_catalog_of_an_earlier_version_is_migrated(site, version, tmp_path):
    """A catalog of each earlier version is migrated, and keeps its ids, last good versions and stamps."""
    old = Path(__file__).parent / "catalogs" / f"{version}.sql"
    file = site.config.catalog
    file.parent.mkdir()
    with contextlib.closing(sqlite3.connect(file)) as raw:
        raw.executescript(old.read_text("utf-8"))
    fresh = Catalog(tmp_path / "fresh.db")
    fresh.create()
    with fresh.write_transaction() as writer:
        writer.create_hash_index()
    fresh.close()
    with site.catalog.read_transaction() as catalog:
        assert catalog.catalog_id()
        assert catalog.feed("category/x-y").published
        assert [(record.id, record.article.body) for record in catalog.newest_entries("", 9)] == [
            ("urn:x:b", "\nText.\n"),
            ("tag:test.example,2026:a", "\nText.\n"),
        ]
        assert [path for path, _ in catalog.scheduled_articles(site.now)] == ["later.md"]
    assert tables(file) == tables(tmp_path / "fresh.db")
    before = site.documents()
    matter = "title: a\ndate: 2026-05-01T10:00:00Z\ncategory: X y\ntags: [t]"
    site.write("moved.md", f"---\n{matter}\n---\n\nText.\n")  # the renamed file a.md
    site.article("later.md", title="later", date="2100-05-02T10:00:00Z", category="X y")
    site.write("sub/old.md", b"broken meanwhile")
    site.publish()
    assert site.publish().changed == ()
    assert site.documents() == before
    site.article("new.md", title="c", category="X y")
    assert site.publish().changed == ("", "category/x-y")
    assert site.publish(datetime(2101, 1, 1, tzinfo=UTC)).articles == 4


@both
def test_tables_of_an_earlier_version_are_renamed(state):
    """Staged files and versions of documents are kept when their tables get the names of schema 13."""
    version = DocumentVersion("rss.xml", "digest", 1, 2, 1, DAY)
    with contextlib.closing(Catalog(state)) as catalog:
        catalog.create()
        with catalog.write_transaction() as writer:
            writer.stage([LoadedArticle.of(FULL, FileStamp(1, 2, 3), "h", "tag:x", {}, {}, None)], as_articles=False)
            writer.save_document_versions([version], keep=2)
            for old, new in FORMER_TABLES.items():
                writer._connection.exec_driver_sql(f"ALTER TABLE {new} RENAME TO {old}")
            writer._connection.exec_driver_sql("DROP TABLE moved_pages")
            for table in ("articles", "readings"):
                writer._connection.exec_driver_sql(f"ALTER TABLE {table} DROP COLUMN other_groups")
            writer.state.schema_version = 12
    with contextlib.closing(Catalog(state)) as catalog:
        with pytest.raises(CatalogError, match="earlier version"):
            catalog.require_current()
        catalog.create()
        with catalog.read_transaction() as reader:
            assert [file.path for file in reader.staged_files("", "", 9)] == [FULL.path]
            assert reader.oversized_documents() == [version]
        with catalog.write_transaction() as writer:
            writer.save_versions([AcceptedVersion(None, FULL.path)])
            writer.save_document_versions([version], keep=2)


@both
def test_feeds_of_articles_of_an_earlier_version_are_migrated(site):
    """The feeds of an article, lists of pairs before schema 8, are migrated in each database; nothing published changes."""
    for number in range(4):
        site.article(f"{number}.md", title=f"T{number}", category='X "y"', tags=["t", "u"][: number % 3])
    site.publish()
    before = site.documents()
    columns = [("articles", "feeds"), ("articles", "shown_in"), ("readings", "feeds")]
    with contextlib.closing(site.catalog) as catalog, catalog._database.write_transaction() as connection:
        for old, new in FORMER_TABLES.items():
            connection.exec_driver_sql(f"ALTER TABLE {new} RENAME TO {old}")
        for table, names in FORMER_COLUMNS.items():
            for old, new in names.items():
                connection.exec_driver_sql(f"ALTER TABLE {table} RENAME COLUMN {new} TO {old}")
        connection.exec_driver_sql("UPDATE articles SET shown_in = feeds, shown_at = published WHERE path = '1.md'")
        connection.exec_driver_sql("UPDATE articles SET feeds = '{}' WHERE path = '3.md'")
        connection.exec_driver_sql(
            "INSERT INTO readings (path, mtime_ns, size, inode, feeds, draft) "
            "SELECT 'staged.md', 1, 1, 1, feeds, draft FROM articles WHERE path = '2.md'"
        )
        new = {}
        for table, column in columns:
            chosen = f"SELECT path, {column} FROM {table} WHERE {column} IS NOT NULL"
            for path, feeds in connection.exec_driver_sql(chosen).all():
                new[table, path, column] = json.loads(feeds)
                change = sqlalchemy.text(f"UPDATE {table} SET {column} = :feeds WHERE path = :path")
                old = json.dumps(list(json.loads(feeds).items()))
                connection.execute(change, {"feeds": old, "path": path})
        connection.exec_driver_sql("DROP TABLE moved_pages")
        connection.exec_driver_sql("DROP TABLE links")  # as schema 9 had them
        connection.exec_driver_sql("DROP INDEX articles_with_links")
        connection.exec_driver_sql("ALTER TABLE articles DROP COLUMN link_urls")
        for table in ("articles", "readings"):
            connection.exec_driver_sql(f"ALTER TABLE {table} DROP COLUMN other_groups")
            connection.exec_driver_sql(f"ALTER TABLE {table} DROP COLUMN links_to")
            if table == "articles":
                connection.exec_driver_sql("DROP INDEX articles_scheduled")
            connection.exec_driver_sql(f"ALTER TABLE {table} DROP COLUMN live_from")
        connection.exec_driver_sql("CREATE INDEX articles_waiting ON articles (published)")
        connection.exec_driver_sql("DROP INDEX articles_rejected")
        connection.exec_driver_sql("CREATE INDEX articles_refused ON articles (path)")
        connection.exec_driver_sql("DROP INDEX feeds_by_archive_revision")
        connection.exec_driver_sql("CREATE INDEX feeds_by_history ON feeds (history)")
        connection.exec_driver_sql("UPDATE meta SET value = '7' WHERE key = 'schema'")
    assert len(new) == 6
    with contextlib.closing(site.catalog) as catalog, catalog._database.read_transaction() as connection:
        for (table, path, column), feeds in new.items():
            column = FORMER_COLUMNS[table].get(column, column)  # noqa: PLW2901
            chosen = sqlalchemy.text(f"SELECT {column} FROM {FORMER_TABLES.get(table, table)} WHERE path = :path")
            assert list(json.loads(connection.execute(chosen, {"path": path}).scalar()).items()) == list(feeds.items())
    assert site.publish().changed == ()
    assert site.documents() == before
    site.article("1.md", "Edited.", title="T1", category='X "y"', tags=["u"])
    assert site.publish().changed == ("", "category/x-y", "tag/t", "tag/u")


DAMAGE = {
    "its first page": lambda data: b"\0" * 16384 + data[16384:],
    "all but its first pages": lambda data: data[: 5 * 16384] + os.urandom(len(data) - 5 * 16384),
    "its end": lambda data: data[: len(data) // 2 // 16384 * 16384],
    "everything": lambda data: os.urandom(len(data)),
    "what it is": lambda data: b"not a database " * 100,
}


def damage(site, how):
    """Damage the file of a catalog after its connections are closed; return the damaged bytes."""
    site.close()
    file = site.config.catalog
    with contextlib.closing(sqlite3.connect(file)) as raw:
        raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    data = file.read_bytes()
    file.write_bytes(DAMAGE[how](data))
    return file.read_bytes()


@pytest.mark.parametrize("how", DAMAGE)
def test_a_damaged_catalog_is_moved_aside_and_replaced(site, how):
    """A damaged catalog is reported in one sentence and kept; the new one has the same ids, and feeds stay the same."""
    for number in range(60):
        site.article(f"{number}.md", title=f"T{number}", category=f"c{number % 7}")
    assert site.run("build").returncode == 0
    before = exported(site)
    damaged = damage(site, how)
    done = site.run("build")
    assert done.returncode == 0, done.stderr
    assert ("damaged" in done.stderr or "not a database" in done.stderr) or done.stderr == ""
    assert done.stderr or how in {"its end", "all but its first pages"}
    if done.stderr:  # otherwise, no query has read the damaged part
        assert done.stderr.count("\n") == 1
        (aside,) = site.config.catalog.parent.glob("catalog.db.damaged-*[0-9]")
        assert aside.read_bytes() == damaged
        assert str(aside) in done.stderr
    assert exported(site) == before
    assert site.run("build").stderr == ""


def exported(site):
    root = site.root / "public"
    return {str(file.relative_to(root)): file.read_bytes() for file in root.rglob("*") if file.suffix in {".xml", ".json"}
            and not file.name.startswith(".")}  # fmt: skip


def test_ids_that_are_nowhere_else_are_saved(site):
    """The id of an article that was renamed and edited is only in the catalog; it is saved from a damaged one."""
    site.article("a.md", title="a")
    for number in range(200):
        site.article(f"other-{number}.md", "Words. " * 100, title=f"T{number}")
    site.publish()
    site.write("b.md", (site.content / "a.md").read_bytes())
    (site.content / "a.md").unlink()
    site.publish()
    ids = {title: item["id"] for title, item in site.items().items()}
    changed = site.catalog.read_transaction
    with changed() as catalog:
        changed = catalog.feed("").changed
    with contextlib.closing(sqlite3.connect(site.config.catalog)) as raw:
        raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (page,) = raw.execute("SELECT rootpage FROM sqlite_master WHERE name = 'articles_by_hash'").fetchone()
    site.close()
    with site.config.catalog.open("r+b") as file:
        file.seek((page - 1) * 16384)
        file.write(b"\xff" * 16384)
    events = EventRecorder()
    site.article("new.md", title="new", date="2020-01-01")
    site.publish(observer=events)
    told = [(str(damage), kept_as) for damage, kept_as in events.recovered]
    assert len(told) == 1
    assert "damaged" in told[0][0]
    site.close()
    items = site.items()
    assert {title: item["id"] for title, item in items.items() if title in ids} == ids
    with site.catalog.read_transaction() as catalog:
        assert catalog.feed("").changed == changed, "nothing that it shows has changed"


@pytest.mark.parametrize("version", range(3, SCHEMA))
def test_ids_of_an_earlier_version_are_saved(tmp_path, version):
    """The ids, published articles and feeds of a damaged catalog of an earlier version are saved in a new one."""
    file = tmp_path / "catalog.db"
    with contextlib.closing(sqlite3.connect(file)) as raw:
        raw.executescript((Path(__file__).parent / "catalogs" / f"{version}.sql").read_text("utf-8"))
    catalog = Catalog(file)
    catalog.recover()
    with catalog.write_transaction() as writer:
        feeds = {feed.path for feed in writer.feeds()}
        articles = {article.path: article for article in writer.pending_articles(10)}
        assert feeds >= {"", "category/x-y", "tag/t"}
        assert {path: (article.id, article.explicit_id) for path, article in articles.items()} == {
            "moved.md": ("tag:test.example,2026:a", None),
            "sub/old.md": ("urn:x:b", "urn:x:b"),
        }
        assert all(article.live and article.deleted and article.published for article in articles.values())
        assert writer.end_recovery() == len(articles)
    catalog.close()


def test_a_foreign_database_is_kept_aside(site):
    """A database of another program at `state` is moved aside unchanged and reported; a newer catalog is left unchanged."""
    site.article("a.md", title="a")
    file = site.config.catalog
    file.parent.mkdir()
    with contextlib.closing(sqlite3.connect(file)) as raw:
        raw.execute("CREATE TABLE meta (theirs TEXT)")
        raw.execute("INSERT INTO meta VALUES ('precious')")
        raw.commit()
    done = site.run("build")
    assert done.returncode == 0
    assert "not a catalog" in done.stderr
    (aside,) = file.parent.glob("catalog.db.damaged-*[0-9]")
    with contextlib.closing(sqlite3.connect(aside)) as raw:
        assert raw.execute("SELECT * FROM meta").fetchall() == [("precious",)]
    with contextlib.closing(sqlite3.connect(file)) as raw:
        raw.execute("UPDATE meta SET value = 99 WHERE key = 'schema'")
        raw.commit()
    done = site.run("build")
    assert done.returncode == 3
    assert "newer version" in done.stderr


def test_a_process_that_forked_has_connections_of_its_own(tmp_path):
    """No connection is used by two processes: SQLite forbids it."""
    catalog = Catalog(tmp_path / "c.db")
    catalog.create()
    with catalog.read_transaction() as reader:
        assert reader.revision() == 0
    ours = open_files(tmp_path)
    assert ours
    child = os.fork()
    if not child:
        with catalog.write_transaction() as writer:
            writer.commit_revision(DAY)
        os._exit(0 if catalog._database.engine.pool.checkedin() == 1 else 1)
    assert os.waitpid(child, 0)[1] == 0
    with catalog.read_transaction() as reader:
        assert reader.revision() == 1
    catalog.close()


def open_files(folder):
    links = [os.path.realpath(link) for link in Path("/proc/self/fd").iterdir()]
    return [link for link in links if link.startswith(str(folder))]


@both
def test_a_run_goes_on_although_a_worker_wrote_meanwhile(site):
    """A run doesn't fail if a worker writes between the reads and the writes of the run."""
    site.article("a.md", title="a")
    site.publish()
    catalog, other = site.catalog, site.catalog
    done = threading.Event()

    def work():
        while not done.is_set():
            with other.write_transaction() as writer:
                writer.state.write("noise", os.urandom(4).hex())

    worker = threading.Thread(target=work)
    worker.start()
    try:
        for number in range(10):
            site.article("a.md", title=str(number))
            assert site.publish().changed == ("",)
    finally:
        done.set()
        worker.join()
        catalog.close()


@pytest.mark.parametrize("how", ["damaged", "taken away"])
def test_neither_catalog_nor_articles(site, how):
    """Without catalog and articles, as if volumes are not mounted, no entry is removed from the export without --accept."""
    for number in range(8):
        site.article(f"{number}.md", title=f"T{number}")
    assert site.run("build").returncode == 0
    before = exported(site)
    site.close()
    site.content.rename(site.root / "away")
    site.content.mkdir()
    if how == "damaged":
        site.config.catalog.write_bytes(b"no database" * 1000)
    else:
        site.config.catalog.unlink()
    for _ in range(2):
        done = site.run("build")
        assert (done.returncode, "feeds build --accept" in done.stderr) == (5, True), done.stderr
        assert exported(site) == before
    site.content.rmdir()
    (site.root / "away").rename(site.content)
    assert site.run("build").returncode == 0
    assert exported(site) == before
    site.article("0.md", title="T0", draft=True)
    for number in range(1, 8):
        (site.content / f"{number}.md").unlink()
    assert site.run("build", "--accept").returncode == 0
    assert json.loads((site.root / "public" / "feed.json").read_text())["items"] == []


def test_the_last_entry_may_become_a_draft(site):
    """If the catalog knows the published articles, the last entry can become a draft without --accept."""
    site.article("a.md", title="a")
    assert site.run("build").returncode == 0
    site.article("a.md", title="a", draft=True)
    assert site.run("build").returncode == 0
    assert json.loads((site.root / "public" / "feed.json").read_text())["items"] == []


def test_the_guard_outlives_damage(site, monkeypatch):
    """After damage the guard still knows what was published; while it stops runs, no worker serves documents with less."""
    monkeypatch.setattr(queue, "_RENDER_TIMEOUT_S", 60)  # seconds: the machine may be busy
    monkeypatch.setattr(revision_watcher, "_POLL_INTERVAL_S", 0)
    for number in range(200):
        site.article(f"{number}.md", "Words. " * 100, title=f"T{number}", category="c")
    site.publish()
    ids, before = {title: item["id"] for title, item in site.items().items()}, site.documents()
    worker = Documents(site.catalog, site.config.site_model)
    kept = worker.get("/rss.xml")
    with contextlib.closing(sqlite3.connect(site.config.catalog)) as raw:
        raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (page,) = raw.execute("SELECT rootpage FROM sqlite_master WHERE name = 'articles_by_hash'").fetchone()
    with site.config.catalog.open("r+b") as file:
        file.seek((page - 1) * 16384)
        file.write(b"\xff" * 16384)
    site.close()
    for number in range(100):
        (site.content / f"{number}.md").rename(site.root / f"{number}.md")
    events = EventRecorder()
    for number in (150, 151):  # changed articles, so that the run reads the damaged index
        site.article(f"{number}.md", "Edited.", title=f"T{number}", category="c")
        with pytest.raises(GuardStopped, match="of 200 entries, 100 would vanish"):
            site.publish(observer=events)
    assert len(events.recovered) == 1
    assert worker.get("/rss.xml") is kept
    for again, path in (
        (worker, "/category/c/atom.xml"),
        (Documents(site.catalog, site.config.site_model), "/rss.xml"),
    ):
        with pytest.raises(CatalogError):
            again.get(path)
    for number in range(100):
        (site.root / f"{number}.md").rename(site.content / f"{number}.md")
    for number in (150, 151):
        site.article(f"{number}.md", "Words. " * 100, title=f"T{number}", category="c")
    assert site.publish().changed == ()
    assert {title: item["id"] for title, item in site.items().items()} == ids
    assert site.documents() == before


def test_commands_that_only_read_migrate_nothing(site):
    """Commands that only read report a catalog of an earlier version, name the commands that migrate it, and change nothing."""
    file = site.config.catalog
    file.parent.mkdir()
    with contextlib.closing(sqlite3.connect(file)) as raw:
        raw.executescript((Path(__file__).parent / "catalogs" / "4.sql").read_text("utf-8"))
    before = file.read_bytes()
    for command in ("list", "status", "stats", "check"):
        done = site.run(command)
        assert done.returncode == 3
        assert "created by an earlier version of feeds" in done.stderr
    assert file.read_bytes() == before


def test_a_leftover_write_ahead_log_is_not_applied(site):
    """If the file of the catalog was deleted, SQLite's leftover write-ahead log is not applied to the new file."""
    site.article("a.md", title="a")
    site.publish()
    file = site.config.catalog
    log = file.with_name(f"{file.name}-wal")
    left = log.read_bytes()
    assert left
    site.close()
    file.unlink()
    log.write_bytes(left)
    (site.content / "a.md").unlink()
    site.article("b.md", title="b")
    site.publish()
    assert list(site.items()) == ["b"]


def modes(site):
    """Return the modes of the catalog's files, by suffix."""
    catalog = site.config.catalog
    return {
        file.name.removeprefix(catalog.name): file.stat().st_mode & 0o777
        for file in catalog.parent.glob(f"{catalog.name}*")
    }


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_only_the_owner_can_read_the_catalog(site, umask):
    """All files of a new catalog have mode 0600, whatever the umask; exported files can be read by everyone."""
    site.article("a.md", title="a")
    before = os.umask(umask)
    try:
        assert site.run("build").returncode == 0
        with site.catalog.write_stats() as stats, site.catalog.read_transaction():
            assert stats
            leadership = site.catalog.leader_lock()
            assert leadership.acquire()
            found = modes(site)
            leadership.release()
    finally:
        os.umask(before)
    assert {"", "-wal", "-shm", ".lock", ".leader", ".stats", ".stats-wal", ".stats-shm"} <= found.keys()
    assert set(found.values()) == {0o600}
    assert (site.root / "public" / "rss.xml").stat().st_mode & 0o777 == 0o644


def test_permissions_of_others_are_removed(site):
    """A run removes the permissions of other users from an existing catalog; those of its group stay."""
    site.article("a.md", title="a")
    site.publish()
    aside = site.config.catalog.with_name(f"{site.config.catalog.name}.damaged-20260101T000000")
    aside.touch()
    for file in site.config.catalog.parent.glob(f"{site.config.catalog.name}*"):
        file.chmod(0o664)
    assert site.run("build").returncode == 0
    assert modes(site)[""] == modes(site)[".damaged-20260101T000000"] == 0o660
    assert not any(mode & 0o007 for mode in modes(site).values())


def test_the_change_counter_changes_with_each_commit(tmp_path):
    """The counter changes with every commit of another connection and with another file, and with nothing else."""
    file = tmp_path / "catalog.db"
    catalog, writer = Catalog(file), Catalog(file)
    assert catalog.change_counter() is None, "there is no file, and none is created"
    assert not file.exists()
    writer.create()
    seen = [catalog.change_counter()]
    with catalog.read_transaction() as reader:
        reader.revision()
    assert catalog.change_counter() == seen[0]
    for _ in range(3):
        with writer.write_transaction() as transaction:
            transaction.commit_revision(DAY)
        seen.append(catalog.change_counter())
    writer.close()
    file.rename(tmp_path / "old.db")
    Catalog(file).create()
    seen.append(catalog.change_counter())
    assert None not in seen
    assert len(set(seen)) == len(seen)
    file.unlink()
    assert catalog.change_counter() is None
    catalog.close()


@pytest.mark.databases("postgres")
def test_postgres_has_no_change_counter(state):
    """PostgreSQL announces revisions, and has no change counter."""
    catalog = Catalog(state)
    catalog.create()
    assert catalog.change_counter() is None
    catalog.close()


@pytest.mark.parametrize("file", ["catalog.db", None])
def test_a_closed_catalog_needs_no_memory(tmp_path, file):
    """A process can open any number of catalogs one after the other: no hook for forks keeps one in memory."""
    catalog = Catalog(file and tmp_path / file)
    catalog.create()
    with catalog.read_transaction() as reader:
        assert reader.count_live() == 0
    catalog.close()
    database = weakref.ref(catalog._database)
    del catalog, reader
    gc.collect()
    assert database() is None


@both
def test_entries_of_several_feeds(site):
    """The entries of several feeds, read with one query, are those that a query for each feed returns."""
    site.configure(feeds={"by": ["category", "tag"], "limit": 3})
    for number in range(12):
        tags = ["all", "Two" if number % 2 else "two", f"only {number}"]
        site.article(f"{number}.md", title=f"T{number}", date=f"2026-05-{1 + number // 3:02d}", tags=tags, category="c")
    site.publish()
    with site.catalog.read_transaction() as reader:
        paths = [state.path for state in reader.feeds()] + ["tag/none"]
        contents, records = reader.contents_of_feeds(paths), reader.entries_of_feeds(paths, 1 << 20)
        assert contents.keys() == records.keys() == set(paths[:-1])
        for path in paths[:-1]:
            assert contents[path] == (reader.feed_name(path), reader.newest_versions(path, 100))
            assert records[path] == reader.newest_entries(path, 100)
        assert len(records[""]) == len(records["tag/all"]) == 12
        assert contents["tag/two"].name == "two"
        assert (reader.contents_of_feeds([]), reader.entries_of_feeds([], 1 << 20)) == ({}, {})
        size = sum(len(record.packed) for record in records[""])
        assert reader.entries_of_feeds(paths, size) == records, "an article is counted once"
        few = reader.entries_of_feeds(paths, size - 1)
        assert few == {path: records[path] for path in few}
        assert few.keys() < records.keys()
