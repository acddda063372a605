"""The catalog remembers what it was given, whole, and says in a sentence when it can't."""

import contextlib
import sqlite3
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds.catalog import Catalog, Reading, Run
from feeds.catalog.rows import micros, moment, packed, unpacked
from feeds.errors import CatalogError
from feeds.model import Article, Author, Enclosure, Image

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
)


def keep(writer, article, hash_="hash"):
    """Keep an article as a run does, and give its key."""
    writer.stage([Reading.of(article, (1, 2, 3), hash_, f"tag:{article.path}", [])])
    writer.save([(None, article.path)])
    writer.end_staging()
    return next(known.key for known in writer.known("", "", 10) if known.path == article.path)


@pytest.mark.parametrize(
    "article", [FULL, Article(path="a.md", name="a", title="T", published=DAY, updated=DAY, body="", slug="a")]
)
def test_an_article_is_kept_whole(article):
    """Every field of an article comes back as it was, dates with their zone and microseconds."""
    assert unpacked(packed(article), article.body) == article


@given(st.datetimes(timezones=st.just(UTC)))
def test_moments_are_exact(when):
    """Every moment from year 1 to 9999 is kept to the microsecond, and in order."""
    assert moment(micros(when)) == when


def test_a_failed_transaction_leaves_nothing(tmp_path):
    """What is written before an exception is not there after it."""
    catalog = Catalog(tmp_path / "c.db")
    catalog.create()
    with pytest.raises(ZeroDivisionError), catalog.writing() as writer:
        keep(writer, FULL)
        1 / 0  # noqa: B018
    with catalog.reading() as reader:
        assert reader.known("", "", 10) == []
        assert reader.staged("", "", 10) == []
    catalog.close()


def test_readers_see_one_revision(tmp_path):
    """Who began to read goes on seeing what was there, whatever is committed meanwhile."""
    catalog = Catalog(tmp_path / "c.db")
    catalog.create()
    with catalog.reading() as reader:
        assert reader.revision() == 0
        with catalog.writing() as writer:
            writer.commit_revision(DAY)
        assert reader.revision() == 0
    with catalog.reading() as reader:
        assert reader.revision() == 1
    catalog.close()


def test_the_last_run_is_remembered(tmp_path):
    """The last regeneration is there for `status` and `/healthz`."""
    catalog = Catalog(tmp_path / "c.db")
    catalog.create()
    with catalog.writing() as writer:
        assert writer.run() is None
        writer.remember_run(Run(DAY, 1.5, "ok"))
        writer.remember_run(Run(DAY, 2.5, "refused"))
        assert writer.run() == Run(DAY, 2.5, "refused")
    catalog.close()


def test_only_one_that_is_gone_is_taken_for_another(tmp_path):
    """A vanished article is found again by its slug, but never guessed among several."""
    catalog = Catalog(tmp_path / "c.db")
    catalog.create()
    with catalog.writing() as writer:
        first = keep(writer, replace(FULL, path="1.md", slug="s"), "h1")
        second = keep(writer, replace(FULL, path="2.md", slug="s"), "h2")
        writer.vanish([first])
        assert writer.gone_with_slugs(["s", "other"]) == {"s": first}
        writer.vanish([second])
        assert writer.gone_with_slugs(["s", "other"]) == {}
    catalog.close()


def test_what_is_no_catalog_is_said_in_a_sentence(tmp_path):
    """A foreign file, a foreign database, a newer catalog and a folder that can't be made are named, not stepped on."""
    garbage = tmp_path / "garbage.db"
    garbage.write_bytes(b"not a database" * 100)
    foreign = tmp_path / "foreign.db"
    with sqlite3.connect(foreign) as connection:
        connection.execute("create table theirs (x)")
    connection.close()
    newer = tmp_path / "newer.db"
    catalog = Catalog(newer)
    catalog.create()
    with catalog.writing() as writer:
        writer.set_meta("schema", "99")
    catalog.close()
    for file, reason in [
        (garbage, "not a database"),
        (foreign, "not a catalog of ours"),
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
    """Give the columns of each table, whether each may be null, and the indexes."""
    with contextlib.closing(sqlite3.connect(file)) as raw:
        names = [name for (name,) in raw.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        indexes = set(raw.execute("SELECT name, sql FROM sqlite_master WHERE type = 'index'"))
        return {name: {(c[1], c[3]) for c in raw.execute(f"PRAGMA table_info({name})")} for name in names}, indexes


@pytest.mark.parametrize("version", [1, 2])
def test_a_catalog_of_an_earlier_version_is_brought_up(site, version, tmp_path):
    """A catalog as an earlier version made it gets this one's tables, and keeps ids, last good versions and stamps."""
    old = Path(__file__).parent / "catalogs" / f"{version}.sql"
    file = site.config.catalog_file
    file.parent.mkdir()
    with contextlib.closing(sqlite3.connect(file)) as raw:
        raw.executescript(old.read_text("utf-8"))
    fresh = Catalog(tmp_path / "fresh.db")
    fresh.create()
    fresh.close()
    with site.catalog.reading() as catalog:
        assert catalog.identity()
        assert catalog.feed("category/x-y").published
        assert [(record.id, record.article.body) for record in catalog.newest("", 9)] == [
            ("urn:x:b", "\nText.\n"),
            ("tag:test.example,2026:a", "\nText.\n"),
        ]
        assert [path for path, _ in catalog.scheduled(site.now)] == ["later.md"]
    assert tables(file) == tables(tmp_path / "fresh.db")
    before = site.documents()
    matter = "title: a\ndate: 2026-05-01T10:00:00Z\ncategory: X y\ntags: [t]"
    site.write("moved.md", f"---\n{matter}\n---\n\nText.\n")  # which was a.md
    site.article("later.md", title="later", date="2100-05-02T10:00:00Z", category="X y")
    site.write("sub/old.md", b"broken meanwhile")
    site.publish()
    assert site.publish().changed == ()
    assert site.documents() == before
    site.article("new.md", title="c", category="X y")
    assert site.publish().changed == ("", "category/x-y")
    assert site.publish(datetime(2101, 1, 1, tzinfo=UTC)).articles == 4
