"""A publish run commits the changes of the folder as one revision, and never loses ids or last good versions."""

import itertools
import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from conftest import Site
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from feeds.catalog import schema
from feeds.catalog.schema import ARTICLES_BY_HASH
from feeds.cli.common import create_publisher
from feeds.content import Folder
from feeds.core.errors import CatalogLocked, ContentFolderMissing, GuardStopped
from feeds.core.formats.entry_ids import entry_ids as read_ids
from feeds.publish import commit, feed_versions, load_pool, scan
from feeds.publish.load_results import ChangedFile
from feeds.publish.observer import CancelToken, PublishObserver
from feeds.publish.scan import ScanInterrupted
from feeds.render.sandbox import Sandbox

both = pytest.mark.databases("sqlite", "postgres")  # these tests run SQL that differs between databases
ID = "tag:test.example,2026:a"


@pytest.fixture
def small_pages(monkeypatch):
    """Use batches of three articles instead of hundreds or thousands, so that few articles test several batches."""
    for module, name in [
        (commit, "_PAGE_ROWS"), (commit, "_MAX_QUEUED_ENTRIES"), (scan, "_PAGE_ROWS"), (scan, "_BATCH_FILES"), (schema, "_MAX_PARAMETERS"),
    ]:  # fmt: skip
        monkeypatch.setattr(module, name, 3)


def ids(site, path="/feed.json"):
    return {title: item["id"] for title, item in site.items(path).items()}


def test_newest_first_by_date_then_id(site):
    """Entries are in one total order: by date, then by id."""
    for name, day in [("b", 1), ("a", 1), ("c", 2)]:
        site.article(f"{name}.md", title=name, date=f"2026-05-0{day}")
    site.publish()
    assert list(site.items()) == ["c", "b", "a"]


def test_nothing_changed_is_no_revision(site):
    """A run without changes commits no revision, whatever the modification times of files are."""
    file = site.article("a.md", title="a")
    assert site.publish().revision == 1
    file.touch()
    outcome = site.publish(site.now + timedelta(hours=1))
    assert (outcome.revision, outcome.changed) == (1, ())


def test_content_decides_and_not_the_time(site):
    """A rewritten file with an older time, or with the same size, is noticed."""
    site.article("a.md", title="aaaa")
    site.publish()
    file = site.article("a.md", title="bbbb")
    file.write_text(file.read_text())
    os.utime(file, (0, 0))
    site.publish()
    assert list(site.items()) == ["bbbb"]


@pytest.mark.databases("sqlite", "postgres")
def test_a_site_has_so_many_feeds_and_no_more(site, monkeypatch):
    """Beyond the limit on feeds, those with the fewest entries are not created; existing feeds stay."""
    monkeypatch.setattr(feed_versions, "MAX_FEEDS", 4)
    site.configure(feeds={"by": ["tag"]})
    site.article("a.md", title="a", tags=["common", "one", "two", "three"])
    site.article("b.md", title="b", tags=["common", "zwei"])
    outcome = site.publish()
    assert outcome.changed == ("", "tag/common", "tag/one", "tag/three")
    assert [problem.rule for problem in outcome.warnings] == ["too-many-feeds"]
    assert "2 categories, tags, authors or folders have no feed, such as tag/two" in outcome.warnings[0].message
    site.article("b.md", "Edited.", title="b", tags=["common", "zwei"])
    assert site.publish(site.now + timedelta(hours=1)).changed == ("", "tag/common")
    site.article("a.md", title="a", tags=["common", "two", "three"])  # makes a place free for another feed
    site.publish(site.now + timedelta(hours=2))
    site.article("c.md", title="c", tags=["two"])
    assert site.publish(site.now + timedelta(hours=3)).changed == ("", "tag/two")
    assert len(site.feed("/tag/two/feed.json")["items"]) == 2  # including the articles whose tag had no feed at first
    with site.catalog.read_transaction() as catalog:
        assert catalog.feed("tag/two").entries == 2


def test_only_touched_feeds_are_stamped(site):
    """A change gives new stamps to the feeds that show it, and to no others."""
    site.article("a.md", title="a", category="x", tags=["t"])
    site.article("b.md", title="b", category="y")
    site.publish()
    site.article("b.md", "New text.", title="b", category="y")
    assert site.publish().changed == ("", "category/y")
    site.article("b.md", "New text.", title="b", category="z")
    assert site.publish().changed == ("", "category/y", "category/z")


def test_an_entry_beyond_the_limit_stamps_nothing(site):
    """An edit of an article that is in no live document changes no validator."""
    site.configure(feeds={"limit": 2})
    for day in range(1, 5):
        site.article(f"{day}.md", title=str(day), date=f"2026-05-0{day}")
    site.publish()
    site.article("1.md", "Edited.", title="1", date="2026-05-01")
    assert site.publish().changed == ()


@pytest.mark.parametrize(
    "fields",
    [
        {"title": "Other"},
        {"date": "2025-01-01"},
        {"slug": "other"},
        {"category": "other"},
        {"link": "/other/"},
        {"tags": ["x"]},
    ],
)
def test_ids_outlive_every_edit(site, fields):
    """The id stays the same when the title, date, slug, category or link changes."""
    site.article("a.md", title="a")
    site.publish()
    site.article("a.md", **{"title": "a", **fields})
    site.publish()
    assert set(ids(site).values()) == {ID}


@pytest.mark.parametrize(
    "section",
    [
        {"site": {"url": "http://moved.example"}},
        {"content": {"permalink": "/{year}/{slug}"}},
        {"site": {"authority": "x.example"}},
    ],
)
def test_ids_outlive_the_sites_moves(site, section):
    """A new site.url, permalink or authority changes no published id."""
    site.article("a.md", title="a")
    site.publish()
    site.configure(**section)
    site.publish()
    assert set(ids(site).values()) == {ID}


@pytest.mark.parametrize("seen_between", [False, True])
def test_a_moved_file_keeps_its_id(site, seen_between):
    """A renamed or moved file with the same text keeps its id, even if a run took place while it was missing."""
    site.article("a.md", title="a")
    site.article("other.md", title="other")
    site.publish()
    file = site.content / "a.md"
    text = file.read_bytes()
    file.unlink()
    if seen_between:
        site.publish()
    site.write("elsewhere/b.md", text)
    site.publish()
    assert ids(site)["a"] == ID


def test_a_moved_file_shows_its_new_link(site):
    """A move that changes the link gives new stamps to the feeds, although text and id are the same."""
    site.article("a.md", title="a")
    site.publish()
    (site.content / "a.md").rename(site.content / "b.md")
    assert site.publish().changed == ("",)
    assert site.items()["a"]["url"] == "https://test.example/b/"
    assert ids(site)["a"] == ID


@both
def test_a_moved_and_edited_file_keeps_its_id_by_slug(site):
    """A renamed file with a changed text is recognised by the slug or the id in its front matter."""
    site.article("a.md", title="a", slug="s")
    site.article("b.md", title="b", id="urn:x:b")
    site.article("c.md", title="c")
    site.publish()
    before = ids(site)
    (site.content / "a.md").rename(site.content / "a2.md")
    (site.content / "b.md").rename(site.content / "b2.md")
    site.article("a2.md", "New.", title="a", slug="s")
    site.article("b2.md", "New.", title="b", id="urn:x:b")
    site.publish()
    assert ids(site) == before


@both
@pytest.mark.parametrize(
    "moves",
    [
        [("c", "d"), ("b", "c"), ("a", "b")],
        [("a", "x"), ("b", "a"), ("x", "b")],
        [("a", "x"), ("b", "a"), ("c", "b"), ("x", "c")],
    ],
)
def test_renumbered_files_keep_their_ids(site, moves):
    """After chains, swaps and circles of renames in one run, every article keeps its own id."""
    for name in "abc":
        site.article(f"{name}.md", title=name)
    site.publish()
    before = ids(site)
    for old, new in moves:
        (site.content / f"{old}.md").rename(site.content / f"{new}.md")
    site.publish()
    assert ids(site) == before


def test_a_copy_is_another_article(site):
    """If a file is copied and the original is edited, the original keeps its id."""
    site.article("a.md", "Text.", title="a")
    site.publish()
    shutil.copy(site.content / "a.md", site.content / "b.md")
    site.article("a.md", "Edited.", title="a2")
    site.publish()
    assert ids(site) == {"a2": ID, "a": "tag:test.example,2026:b"}


def test_a_file_put_over_another(site):
    """After `rm a; mv b a`, in one or two runs, b's article continues, and a's is deleted."""
    for name in "abc":
        site.article(f"{name}.md", title=name)
    site.publish()
    before = ids(site)
    (site.content / "a.md").unlink()
    site.publish()
    (site.content / "b.md").rename(site.content / "a.md")
    site.publish()
    assert ids(site) == {"b": before["b"], "c": before["c"]}
    (site.content / "c.md").replace(site.content / "a.md")
    site.publish()
    assert ids(site) == {"c": before["c"]}


@pytest.mark.parametrize("new", ["a/index.md", "a.markdown"])
def test_a_file_that_becomes_a_bundle_keeps_its_id(site, new):
    """`a.md` that becomes `a/index.md` is the same article, even with another text."""
    site.article("a.md", title="a")
    site.article("b.md", title="b")
    site.publish()
    (site.content / "a.md").unlink()
    site.article(new, "New.", title="a")
    site.publish()
    assert ids(site)["a"] == ID


def test_only_one_file_continues_a_deleted_article(site):
    """Of two new files with the slug of a deleted article, one continues it, and the other gets a new id."""
    site.article("a.md", title="a", slug="s")
    site.article("z.md", title="z")
    site.publish()
    (site.content / "a.md").unlink()
    site.publish()
    site.article("b.md", "B.", title="b", slug="s", date="2026-05-02")
    site.article("c.md", "C.", title="c", slug="s", date="2026-05-03")
    site.publish()
    assert ids(site)["b"] == "tag:test.example,2026:s"
    assert ids(site)["c"] == "tag:test.example,2026:s/c.md"


@both
def test_ids_can_be_swapped(site):
    """Two articles that exchange their explicit ids in one run are recognised by these ids."""
    site.article("a.md", title="a", id="urn:x:1")
    site.article("b.md", title="b", id="urn:x:2")
    site.publish()
    site.article("a.md", title="a", id="urn:x:2")
    site.article("b.md", title="b", id="urn:x:1")
    assert site.publish(accept=True).rejected == ()
    assert ids(site) == {"a": "urn:x:2", "b": "urn:x:1"}


@both
def test_an_id_minted_apart_is_free(site):
    """An id with an appended path is not generated twice, even if its article has moved since."""
    site.article("a.md", title="a", slug="s", date="2026-05-01")
    site.article("b.md", "B.", title="b", slug="s", date="2026-05-02")
    site.publish()
    (site.content / "b.md").rename(site.content / "c.md")
    site.publish()
    site.article("b.md", "New.", title="new", slug="s", date="2026-05-03")
    site.publish()
    assert ids(site)["b"] == "tag:test.example,2026:s/b.md"
    assert ids(site)["new"] == "tag:test.example,2026:s/b.md-2"


def test_ids_given_up_for_one_that_is_taken(site):
    """An article can't take an id that a third article keeps; its old id stays, and later runs succeed."""
    site.article("a.md", title="a", id="urn:x:1", date="2026-05-03")
    site.article("b.md", title="b", id="urn:x:3", date="2026-05-01")
    site.article("c.md", title="c", id="urn:x:2", date="2026-05-02")
    site.publish()
    site.article("a.md", title="a", id="urn:x:2", date="2026-05-03")
    site.article("b.md", title="b", id="urn:x:1", date="2026-05-01")
    assert [refusal.path for refusal in site.publish().rejected] == ["a.md", "b.md"]
    assert ids(site) == {"a": "urn:x:1", "b": "urn:x:3", "c": "urn:x:2"}


@both
def test_other_bytes_have_another_last_modified(site):
    """Two changes within a second get two seconds in Last-Modified, which has no fractions."""
    site.article("a.md", "One.", title="a")
    site.publish()
    site.article("a.md", "Two.", title="a")
    site.publish()
    with site.catalog.read_transaction() as catalog:
        assert catalog.feed("").changed == site.now + timedelta(seconds=1)


def test_nothing_of_a_refused_edit_goes_out(site):
    """Of two edits that set the same new id, the second is rejected completely, including its text."""
    site.article("a.md", "Old.", title="a", date="2026-05-01")
    site.article("b.md", "Old.", title="b", date="2026-05-02")
    site.publish()
    site.article("a.md", "New.", title="a", date="2026-05-01", id="urn:x:n")
    site.article("b.md", "New.", title="b", date="2026-05-02", id="urn:x:n")
    assert [refusal.path for refusal in site.publish().rejected] == ["b.md"]
    assert "New." in site.items()["a"]["content_html"]
    assert "Old." in site.items()["b"]["content_html"]


def test_a_withdrawn_article_stays_withdrawn(site):
    """A deleted article does not return because a broken file with its name appears."""
    site.article("a.md", title="a")
    site.article("b.md", title="b")
    site.publish()
    (site.content / "a.md").unlink()
    site.publish()
    site.write("a.md", "broken")
    assert len(site.publish().rejected) == 1
    assert list(site.items()) == ["b"]
    (site.content / "a.md").unlink()
    assert site.publish().rejected == ()


def test_a_deleted_article_is_gone_and_comes_back_the_same(site):
    """A deleted article leaves all feeds; restored, it has its old id."""
    site.article("a.md", title="a", tags=["t"])
    file = site.article("b.md", title="b")
    site.publish()
    text = file.read_bytes()
    file.unlink()
    site.publish()
    assert list(site.items()) == ["a"]
    site.write("b.md", text)
    site.publish()
    assert ids(site)["b"] == "tag:test.example,2026:b"


@both
@pytest.mark.parametrize("order", list(itertools.permutations(["2026-05-01", "2026-05-02", "2026-05-03"], 3))[:3])
def test_same_slug_mints_apart(site, order):
    """If several articles would get the same id, the earliest gets it; the others get their path appended."""
    for name, day in zip("abc", order, strict=True):
        site.article(f"{name}.md", title=day, slug="same", date=day)
    outcome = site.publish()
    minted = ids(site)
    assert minted["2026-05-01"] == "tag:test.example,2026:same"
    assert all(id_.startswith("tag:test.example,2026:same/") for day, id_ in minted.items() if day != "2026-05-01")
    assert len(set(minted.values())) == 3
    assert len(outcome.warnings) == 2


@both
def test_the_same_given_id_twice(site):
    """Of two articles with the same explicit id, the one published first keeps it; the other is rejected."""
    site.article("late.md", title="late", id="urn:x:1", date="2026-05-02")
    site.article("early.md", title="early", id="urn:x:1", date="2026-05-01")
    (refusal,) = site.publish().rejected
    assert (refusal.path, refusal.reason) == (
        "late.md",
        "id: 'urn:x:1' is also the id of early.md; give one of the articles another id",
    )
    assert ids(site) == {"early": "urn:x:1"}
    site.article("early.md", title="early", id="urn:x:2", date="2026-05-01")
    site.publish()
    assert site.publish().rejected == ()
    assert ids(site) == {"early": "urn:x:2", "late": "urn:x:1"}


def test_a_published_article_that_takes_anothers_id_stays_as_it_was(site):
    """An edit that sets the id of another article is rejected, and the last good version stays published."""
    site.article("a.md", "Old.", title="a")
    site.article("b.md", title="b", id="urn:x:b")
    site.publish()
    site.article("a.md", "New.", title="a", id="urn:x:b")
    assert len(site.publish().rejected) == 1
    assert ids(site) == {"a": ID, "b": "urn:x:b"}
    assert "Old." in site.items()["a"]["content_html"]


@pytest.mark.parametrize(
    "broken", [b"", b"---\ntitle: a\n", b"---\ntitle: [\n---\n", b"\xff\xfe", b"---\ndate: soon\n---\nx"]
)
def test_a_broken_file_leaves_its_last_good_version_up(site, broken):
    """An incomplete, empty or damaged file is rejected with a reason; its published version stays."""
    site.article("a.md", "Good.", title="a")
    site.publish()
    site.write("a.md", broken)
    outcome = site.publish()
    assert [refusal.path for refusal in outcome.rejected] == ["a.md"]
    assert outcome.changed == ()
    assert "Good." in site.items()["a"]["content_html"]
    assert site.publish().rejected == outcome.rejected, "it is said again by every run"
    site.article("a.md", "Better.", title="a")
    assert site.publish().rejected == ()
    assert "Better." in site.items()["a"]["content_html"]


@both
def test_a_refused_file_that_goes_away_takes_its_article_along(site):
    """Deleting a broken file removes the article, and nothing is rejected any more."""
    site.article("a.md", title="a")
    site.article("b.md", title="b")
    site.publish()
    site.write("a.md", b"broken")
    site.publish()
    (site.content / "a.md").unlink()
    assert site.publish().rejected == ()
    assert list(site.items()) == ["b"]


def test_drafts_never_show(site):
    """A draft is published nowhere; an article that becomes a draft is removed everywhere."""
    site.article("a.md", title="a", draft=True, tags=["secret"])
    site.article("b.md", title="b")
    site.publish()
    assert not any(b"secret" in body for body in site.documents().values())
    site.article("b.md", title="b", draft=True)
    site.article("c.md", title="c")
    site.publish()
    assert list(site.items()) == ["c"]


@pytest.mark.parametrize(
    ("fields", "live"),
    [
        ({}, True),
        ({"draft": True}, False),
        ({"date": "2026-06-01T12:00:00.000001Z"}, False),
        ({"expires": "2026-06-01T12:00:00Z"}, False),
        ({"expires": "2026-06-01T12:00:00.000001Z"}, True),
    ],
)
def test_the_microsecond_at_which_an_article_is_live(site, fields, live):
    """An article is live from its date until it expires, unless it is a draft."""
    site.article("a.md", title="a", **{"date": "2026-06-01T12:00:00Z", **fields})
    site.publish(datetime(2026, 6, 1, 12, tzinfo=UTC))
    with site.catalog.read_transaction() as catalog:
        assert catalog.count_live() == live


@both
def test_scheduled_articles_come_and_go_at_their_hour(site):
    """An article enters the feeds at its date and leaves them when it expires, without a change of its file."""
    site.article("a.md", title="a", date="2026-06-01T13:00:00Z", expires="2026-06-01T14:00:00Z", tags=["later"])
    site.article("b.md", title="b")
    first = site.publish()
    assert list(site.items()) == ["b"]
    assert first.articles == 1
    with site.catalog.read_transaction() as catalog:
        assert catalog.scheduled_articles(site.now) == [("a.md", datetime(2026, 6, 1, 13, tzinfo=UTC))]
        assert catalog.next_change(site.now) == datetime(2026, 6, 1, 13, tzinfo=UTC)
    site.publish(datetime(2026, 6, 1, 13, tzinfo=UTC))
    assert list(site.items()) == ["a", "b"]
    with site.catalog.read_transaction() as catalog:
        assert catalog.next_change(datetime(2026, 6, 1, 13, tzinfo=UTC)) == datetime(2026, 6, 1, 14, tzinfo=UTC)
    site.publish(datetime(2026, 6, 1, 14, tzinfo=UTC))
    assert list(site.items()) == ["b"]
    assert "/tag/later/rss.xml" not in site.documents()


def test_the_folder_that_is_not_there_changes_nothing(site):
    """Without the content folder, a run fails and everything stays published; afterwards it continues as before."""
    site.article("a.md", title="a")
    site.publish()
    before = site.documents()
    away = site.content.rename(site.root / "away")
    with pytest.raises(ContentFolderMissing, match=r"content folder .* is missing"):
        site.publish()
    assert site.documents() == before
    away.rename(site.content)
    assert site.publish().changed == ()


def test_an_emptied_folder_is_held_by_the_guard(site):
    """If all articles disappear at once, as with an unmounted folder, nothing is published without --accept."""
    for n in range(3):
        site.article(f"{n}.md", title=str(n))
    site.publish()
    before = site.documents()
    shutil.rmtree(site.content)
    site.content.mkdir()
    with pytest.raises(GuardStopped, match=r"of 3 entries, 3 would vanish .* feeds build --accept"):
        site.publish()
    assert site.documents() == before
    site.publish(accept=True)
    assert site.items() == {}


def test_the_first_example_may_be_replaced(site):
    """On a site with few articles, replacing them by as many new ones is not stopped."""
    site.article("hello.md", title="Hello")
    site.publish()
    (site.content / "hello.md").unlink()
    site.article("own.md", title="Own")
    site.publish()
    assert set(site.items()) == {"Own"}
    (site.content / "own.md").unlink()
    with pytest.raises(GuardStopped):
        site.publish()


@pytest.mark.parametrize(
    ("many", "change", "stops"),
    [
        (5, {"date": "2025-05-01"}, True),
        (4, {"date": "2025-05-01"}, False),
        (5, {"id": "urn:x:{n}"}, True),
        (5, {"date": "2027-05-01"}, True),
        (5, {"draft": True}, False),
        (5, {"title": "New {n}"}, False),
        (5, {"expires": "2026-05-31"}, False),
    ],
)
def test_the_guard_stops_what_readers_would_show_again(site, many, change, stops):
    """Five of twenty articles that change id or date or vanish are too many; edits, expiry and four changes are not."""
    for n in range(20):
        site.article(f"{n}.md", title=str(n))
    site.publish()
    for n in range(many):
        site.article(
            f"{n}.md", **{"title": str(n), **{k: v.format(n=n) if isinstance(v, str) else v for k, v in change.items()}}
        )
    if stops:
        with pytest.raises(GuardStopped):
            site.publish()
        assert site.publish(accept=True).revision == 2
    else:
        site.publish()


@pytest.mark.parametrize("change", [{"date": "2025-05-01"}, {"id": "urn:x:{n}"}])
@pytest.mark.parametrize(("entries", "many", "stops"), [(4, 4, True), (2, 2, True), (4, 3, False), (1, 1, False)])
def test_the_guard_stops_what_changes_all(site, entries, many, stops, change):
    """All entries of a small site are too many as well, if it has more than one."""
    for n in range(entries):
        site.article(f"{n}.md", title=str(n))
    site.publish()
    for n in range(many):
        fields = {key: value.format(n=n) for key, value in change.items()}
        site.article(f"{n}.md", title=str(n), **fields)
    if stops:
        with pytest.raises(GuardStopped):
            site.publish()
    else:
        site.publish()


def test_last_modified_never_goes_back(site):
    """When the clock is set back, the dates of feeds do not go back."""
    site.article("a.md", title="a")
    site.publish()
    site.article("b.md", title="b")
    site.publish(site.now - timedelta(days=1))
    with site.catalog.read_transaction() as catalog:
        assert catalog.feed("").changed == site.now + timedelta(seconds=1)


def test_a_feeds_name_is_its_earliest_entrys(site):
    """Two spellings of a category are one feed, with the name that the earliest article uses."""
    site.article("a.md", title="a", category="AI", date="2026-05-02")
    site.article("b.md", title="b", category="Ai", date="2026-05-01")
    site.publish()
    assert site.feed("/category/ai/feed.json")["title"] == "Test – Ai"


@both
def test_a_new_setting_reads_everything_again(site):
    """A new time zone changes the dates without a zone, although no file changed."""
    site.article("a.md", title="a", date="2026-05-01 10:00")
    site.publish()
    site.configure(site={"timezone": "Asia/Tokyo"})
    site.publish()
    assert site.items()["a"]["date_published"] == "2026-05-01T10:00:00+09:00"


@both
def test_one_writer_at_a_time(site):
    """A second run is told that another run holds the lock, or waits for it."""
    site.article("a.md", title="a")
    catalog = site.catalog
    with catalog.lock(), pytest.raises(CatalogLocked):
        site.publish()
    with catalog.lock(1):
        assert create_publisher(site.config, catalog).run(site.now).revision == 1


def test_same_folder_same_bytes(site, tmp_path):
    """A catalog built elsewhere, at another time and in another order gives the same bytes."""
    for n in range(12):
        site.article(
            f"d{n % 3}/{n}.md",
            f"Text {n}.",
            title=f"t{n}",
            category=["A", "a", "B"][n % 3],
            slug=f"s{n % 5}",
            tags=["x", f"y{n}"],
        )
    site.publish()
    other = Site(tmp_path / "other")
    for file in sorted(site.content.rglob("*.md"), reverse=True):
        other.write(file.relative_to(site.content), file.read_bytes(), mtime=1_000_000_000 + hash(file) % 1000)
    other.publish(site.now + timedelta(days=9))
    assert other.documents() == site.documents()
    other.close()


@pytest.mark.sandbox
@pytest.mark.integration
def test_many_articles_are_read_by_many_processes(site, monkeypatch):
    """Articles read by other processes give the same result, also rejected ones, and if the processes are killed."""
    monkeypatch.setattr("feeds.publish.publisher._TRIAL_TIMEOUT_S", 0.2)
    monkeypatch.setattr("feeds.parallel.cpu_count", lambda: 2)
    site.configure(content={"markdown": "python-markdown"})  # an article in this dialect may be too slow

    def write(name):
        for n in range(20):
            site.article(f"{name}/{n}.md", f"Text {n}.", title=f"{name}{n}", date=f"2026-05-{1 + n % 28:02d}")
        site.write(f"{name}/bad.md", b"\xff")
        site.article(f"{name}/slow.md", "[" * 20_000, title="slow")

    write("one")
    alone = site.publish()
    monkeypatch.setattr(load_pool, "MAX_INLINE_FILES", 5)
    monkeypatch.setattr(load_pool, "_BATCH_FILES", 3)
    write("two")
    together = site.publish()
    assert together.articles == 2 * alone.articles == 40
    assert len(alone.rejected) == 2
    assert [refusal.reason for refusal in together.rejected[:2]] == [
        refusal.reason for refusal in together.rejected[2:]
    ]
    monkeypatch.setattr(load_pool, "_initialize", os.abort)
    write("three")
    assert site.publish().articles == 60


@both
def test_a_first_run_that_was_cut_short_is_made_up_for(site, monkeypatch):
    """A first run that was interrupted leaves a usable catalog, and the next run creates all indexes."""
    monkeypatch.setattr(scan, "_BATCH_FILES", 1)
    for name in ("a", "b", "c"):
        site.article(f"{name}.md", f"Text {name}.", title=name)
    read = Folder.read

    def ended(folder, file, most):
        if file.path == "c.md":
            raise KeyboardInterrupt
        return read(folder, file, most)

    def indexes():
        inspector = sa.inspect(site.catalog._database.engine)
        return {index["name"] for index in inspector.get_indexes("articles")} & {ARTICLES_BY_HASH.name}

    with monkeypatch.context() as patched:
        patched.setattr(Folder, "read", ended)
        with pytest.raises(KeyboardInterrupt):
            site.publish()
    assert indexes() == set()
    copied = site.catalog.copy_to_memory()
    assert create_publisher(site.config, copied).run(site.now).articles == 3
    copied.close()
    assert indexes() == set()
    site.publish()
    assert indexes() == {ARTICLES_BY_HASH.name}
    (site.content / "a.md").rename(site.content / "moved.md")
    site.publish()
    assert ids(site)["a"] == ID


@both
def test_a_bulk_edit_is_one_revision(site, small_pages):
    """Edits, moves and deletions of several batches of articles are one revision."""
    for n in range(120):
        site.article(f"{n}.md", title=f"T{n}", date="2026-05-01", category=f"c{n % 5}")
    site.publish()
    for n in range(0, 120, 2):
        site.article(f"{n}.md", "Edited.", title=f"T{n}", date="2026-05-01", category=f"c{n % 7}")
    for n in range(1, 30, 2):
        (site.content / f"{n}.md").rename(site.content / f"moved-{n}.md")
    for n in range(31, 40, 2):
        (site.content / f"{n}.md").unlink()
    outcome = site.publish()
    assert (outcome.revision, outcome.articles) == (2, 115)
    with site.catalog.read_transaction() as catalog:
        for feed in catalog.feeds():
            records = catalog.newest_entries(feed.path, 200)
            assert len(records) == feed.entries
            for record in records:
                assert record.id == f"tag:test.example,2026:{record.article.title[1:]}"
        assert catalog.feed("category/c6").entries == len([n for n in range(0, 120, 2) if n % 7 == 6])


@both
def test_only_what_is_named_is_looked_at(site):
    """With `only`, files that are not named stay unchanged; a folder stands for its content."""
    for path in ("a.md", "b.md", "sub/c.md", "sub-d.md"):
        site.article(path, title=path)
    site.publish()
    for path in ("a.md", "b.md", "sub/c.md", "sub-d.md"):
        site.article(path, "Edited.", title=f"{path} edited")
    site.publish(only={"a.md"})
    assert set(site.items()) == {"a.md edited", "b.md", "sub/c.md", "sub-d.md"}
    site.publish(only={"sub", "not-there.md", "picture.png", ".hidden/x.md"})
    assert set(site.items()) == {"a.md edited", "b.md", "sub/c.md edited", "sub-d.md"}
    shutil.rmtree(site.content / "sub")
    (site.content / "b.md").unlink()
    site.publish(only={"sub", "b.md"})
    assert set(site.items()) == {"a.md edited", "sub-d.md"}
    (site.content / "a.md").rename(site.content / "e.md")
    before = ids(site)
    site.publish(only={"e.md", "a.md"})
    assert set(ids(site).values()) == set(before.values())
    site.publish()
    assert set(site.items()) == {"a.md edited", "sub-d.md edited"}


OPERATIONS = st.lists(
    st.tuples(
        st.sampled_from(["write", "write", "write", "delete", "rename", "copy", "break", "publish", "publish all"]),
        st.integers(0, 9),
        st.integers(0, 9),
        st.sampled_from([{}, {"category": "c1"}, {"category": "C1", "tags": ["t", "u"]}, {"draft": True},
                         {"date": "2026-05-03"}, {"date": "2026-06-02"}, {"expires": "2026-05-30"}, {"slug": "s"},
                         {"id": "urn:x:1"}, {"id": "urn:x:2", "category": "c2"}]),
    ),
    max_size=40,
)  # fmt: skip


@given(operations=OPERATIONS)
def test_any_history_ends_as_a_fresh_start(tmp_path_factory, small_pages, operations):
    """After any changes between runs, feeds, entries and counts equal those of a first run."""
    site = Site(tmp_path_factory.mktemp("site"))
    site.configure(feeds={"limit": 4})
    touched = set()
    for number, (what, one, other, fields) in enumerate(operations):
        path, to = f"{one}.md", f"{other}.md"
        file = site.content / path
        if what == "write":
            site.article(path, f"Text {number}.", **{"title": f"T{one}", **fields})
        elif what == "break":
            site.write(path, "---\ntitle: [\n---\n")
        elif what == "publish":
            site.publish(accept=True, only=touched)
            touched = set()
        elif what == "publish all":
            site.publish(accept=True)
            touched = set()
        elif not file.exists() or path == to:
            continue
        elif what == "delete":
            file.unlink()
        elif what == "rename":
            file.rename(site.content / to)
        else:
            shutil.copy(file, site.content / to)
        touched |= {path, to}
    site.publish(accept=True)
    told, broken = told_by(site)
    for path in broken:  # a first run has no last good version of it
        (site.content / path).unlink()
    site.publish(accept=True)
    told, _ = told_by(site)
    site.close()
    site.config.catalog.unlink()
    site.publish(accept=True)
    assert told == told_by(site)[0]
    site.close()


def told_by(site):
    """Return the content of each feed by title and date; check that its count is that of its entries."""
    with site.catalog.read_transaction() as catalog:
        told = {}
        for feed in catalog.feeds():
            records = catalog.newest_entries(feed.path, 1000)
            assert len(records) == feed.entries, feed.path
            assert len({record.id for record in records}) == len(records)
            if records:
                told[feed.path] = sorted((record.article.published, record.article.body) for record in records)
        return told, [refusal.path for refusal in catalog.rejected_articles()]


def interrupted(site):
    """Publish with as many interruptions as possible; return the outcome, and the paths after which it resumed."""
    paths = [""]
    while True:
        try:
            return site.publish(after=paths[-1], cancel=CancelToken(lambda: True)), paths[1:]
        except ScanInterrupted as scan:
            paths.append(scan.path)


def test_a_look_at_all_can_be_interrupted_and_goes_on(site, monkeypatch):
    """An interrupted scan without changes resumes where it stopped, and finds a change anywhere in the folder."""
    monkeypatch.setattr(scan, "_FILES_PER_CHECK", 4)
    for n in range(40):
        site.article(f"{n // 10}/{n:02d}.md", title=f"T{n}")
    site.publish()
    site.article("3/35.md", "Edited.", title="T35 edited")
    (site.content / "3" / "36.md").unlink()
    outcome, paths = interrupted(site)
    assert len(paths) == 8
    assert paths == sorted(paths)
    assert outcome.changed == ("",)
    assert "T35 edited" in site.items()
    assert outcome.articles == 39


@both
def test_what_came_while_a_look_gave_way_stays(site, monkeypatch):
    """Articles published between two parts of a scan are not removed by the second part, wherever they are."""
    monkeypatch.setattr(scan, "_FILES_PER_CHECK", 4)
    for n in range(12):
        site.article(f"{n % 2}/{n:02d}.md", title=f"T{n}")
    site.publish()
    publisher = create_publisher(site.config, site.catalog)
    with pytest.raises(ScanInterrupted) as left:
        publisher.run(site.now, cancel=CancelToken(lambda: True))
    for path in ("0/new.md", "1/new.md", "2/new.md", "new.md"):
        site.article(path, title=path)
        publisher.run(site.now, only=[path])
    (site.content / "1" / "11.md").unlink()
    assert publisher.run(site.now, after=left.value.path).articles == 12 + 4 - 1
    assert set(site.items()) >= {"0/new.md", "1/new.md", "2/new.md", "new.md"}


@both
@pytest.mark.parametrize("page", [1, 5000])
def test_an_id_changes_hands(site, monkeypatch, page):
    """An article that takes the id of another one gets its place in the feeds, in batches of any size."""
    monkeypatch.setattr(commit, "_PAGE_ROWS", page)
    monkeypatch.setattr(commit, "_MAX_QUEUED_ENTRIES", page)
    site.article("a.md", title="A", id="urn:x:a", tags=["t"])
    site.article("b.md", title="B", id="urn:x:b", tags=["t"])
    site.publish()
    site.article("a.md", title="A", id="urn:x:b", tags=["t"])
    site.article("b.md", title="B", id="urn:x:c", tags=["u"])
    site.publish(accept=True)
    with site.catalog.read_transaction() as catalog:
        shown = {path: {(record.article.title, record.id) for record in catalog.newest_entries(path, 9)}
                 for path in ("", "tag/t", "tag/u")}  # fmt: skip
    assert shown == {"": {("A", "urn:x:b"), ("B", "urn:x:c")}, "tag/t": {("A", "urn:x:b")}, "tag/u": {("B", "urn:x:c")}}


def test_a_look_at_another_checkout_gives_way(site, monkeypatch):
    """A scan of files that were replaced by others with the same texts can be interrupted, and reads none twice."""
    monkeypatch.setattr(scan, "_FILES_PER_CHECK", 4)
    for n in range(40):
        site.article(f"{n // 10}/{n:02d}.md", title=f"T{n}")
    site.publish()
    shutil.copytree(site.content, site.root / "checkout")
    shutil.rmtree(site.content)
    (site.root / "checkout").rename(site.content)
    site.article("3/35.md", "Edited.", title="T35 edited")
    read, paths = Folder.read, []
    monkeypatch.setattr(Folder, "read", lambda self, file, most: paths.append(file.path) or read(self, file, most))
    outcome, left = interrupted(site)
    assert len(left) == 8
    assert len(paths) == len(set(paths)) == 40
    assert outcome.changed == ("",)
    assert "T35 edited" in site.items()
    assert not site.publish().changed
    assert len(paths) == 40


@pytest.mark.integration
def test_a_look_that_gives_way_loses_nothing_that_is_under_way(site, monkeypatch):
    """An interrupted scan waits for files that other processes are reading; if one changed, the scan continues."""
    for n in range(40):
        site.article(f"{n:02d}.md", title=f"T{n}")
    site.publish()
    for file in site.content.iterdir():
        os.utime(file, ns=(1, 1))
    site.article("07.md", "Edited.", title="T7 edited")
    monkeypatch.setattr("feeds.parallel.cpu_count", lambda: 1)
    monkeypatch.setattr(scan, "_FILES_PER_CHECK", 8)
    monkeypatch.setattr(load_pool, "MAX_INLINE_FILES", 0)
    monkeypatch.setattr(load_pool, "_BATCH_FILES", 1)
    asked = []
    outcome = site.publish(cancel=CancelToken(lambda: asked.append(1) or True))
    assert len(asked) == 1, "it was read, but not known yet, when that was asked"
    assert outcome.changed == ("",)
    assert "T7 edited" in site.items()
    assert site.publish().changed == ()


LARGE_FILES = """
from feeds import parallel
from feeds.cli import main
from feeds.publish import load_pool
def traced(*arguments, **options):
    print(options)
    return process_pool(*arguments, **options)
process_pool, load_pool.process_pool, load_pool._MAX_INLINE_BYTES = load_pool.process_pool, traced, 1_000
parallel.cpu_count = load_pool.cpu_count = lambda: 2
main(["build", "--no-export"])
"""


@pytest.mark.integration
@pytest.mark.skipif(sys.platform != "linux", reason="other systems don't fork")
@pytest.mark.parametrize(("length", "expected"), [(10, ""), (500, "{'fork': True}")])
def test_few_large_articles_are_read_by_many_processes(site, length, expected):
    """The number of the articles, or their total size, determines the number of processes."""
    for number in range(5):
        site.article(f"{number}.md", "x" * length, title=f"T{number}")
    site.configure()
    command = [sys.executable, "-c", LARGE_FILES]
    done = subprocess.run(command, cwd=site.root, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, expected, "")
    assert len(site.items()) == 5


class Gate:
    """A named pipe: a process that receives this object waits until the pipe is opened in the test."""

    def __init__(self, path):
        self._path = path
        os.mkfifo(path)

    def __reduce__(self):
        return open, (self._path, "rb")

    def open(self):
        """Allow the other processes to continue; return the handle."""
        return os.open(self._path, os.O_RDWR)


@pytest.mark.integration
def test_files_are_asked_for_before_their_turn(site, monkeypatch):
    """Files are prefetched early, and read by this process until other processes have started; none is lost."""
    for number in range(60):
        site.article(f"{number:02d}.md", title=f"T{number}")
    site.configure()
    folder, asked = create_publisher(site.config, site.catalog).folder, []
    folder.gate = gate = Gate(site.root / "gate")
    prefetch = Folder.prefetch

    def told(folder, files):
        files = list(files)
        asked.extend(file.path for file in files)
        prefetch(folder, files)

    monkeypatch.setattr(Folder, "prefetch", told)
    monkeypatch.setattr("feeds.parallel.cpu_count", lambda: 1)
    for name, value in [
        ("MAX_INLINE_FILES", 0),
        ("_BATCH_FILES", 2),
        ("_MAX_BATCHES", 5),
        ("_MAX_BATCHES_AT_START", 8),
    ]:
        monkeypatch.setattr(load_pool, name, value)
    here, opened = [], []
    load_here = load_pool.LoadPool._load_here

    def noted(readers, batch):
        here.extend(one.file.path for one in batch)
        if len(here) == 6:  # the number of files that are read before a process has started
            opened.append(gate.open())
        return load_here(readers, batch)

    monkeypatch.setattr(load_pool.LoadPool, "_load_here", noted)
    pool = load_pool.LoadPool(folder, site.config.site_model, Sandbox(1.0))
    results = pool.load(ChangedFile(file, None) for file in folder.scan())
    assert next(results).path == "00.md"
    assert asked == [f"{number:02d}.md" for number in range(10)]
    assert here == [f"{number:02d}.md" for number in range(10, 16)]
    assert [result.path for result in results] == [f"{number:02d}.md" for number in range(1, 60)]
    assert asked == [f"{number:02d}.md" for number in range(60) if not 10 <= number < 16]
    os.close(*opened)


class _Progress(PublishObserver):
    def __init__(self):
        self.reported = []

    def on_progress(self, files):
        self.reported.append(files)


@pytest.mark.parametrize("has_processes", [False, True])
def test_progress_counts_files_that_are_loaded(site, monkeypatch, has_processes):
    """Progress begins with 0, and counts a file when it is loaded, not when a process has taken it."""
    if has_processes:
        monkeypatch.setattr(load_pool, "MAX_INLINE_FILES", 0)
    for number in range(215):
        site.article(f"{number:03d}.md", title=f"{number}")
    progress = _Progress()
    site.publish(observer=progress)
    assert progress.reported[:2] == [0, 10]
    assert progress.reported == sorted(progress.reported)
    assert progress.reported[-1] == 215
    progress.reported.clear()
    site.publish(observer=progress)
    assert progress.reported == [0, 100, 200, 215]


AT = "{http://purl.org/atompub/tombstones/1.0}deleted-entry"


def buried(site, path="/atom.xml"):
    """Return the tombstones of an Atom document as (id, time)."""
    root = etree.fromstring(site.document(path))
    return [(element.get("ref"), element.get("when")) for element in root.iter(AT)]


@pytest.mark.parametrize("how", ["deleted", "draft", "expired", "later"])
def test_what_is_withdrawn_leaves_a_tombstone(site, how):
    """A withdrawn entry leaves all documents; Atom has a tombstone with its time (RFC 6721) until it returns."""
    for name in ("a", "b", "c", "d", "e", "f"):
        site.article(f"{name}.md", title=name, category="x")
    site.publish()
    assert buried(site) == []
    site.now += timedelta(hours=1)
    if how == "deleted":
        (site.content / "a.md").unlink()
    else:
        change = {"draft": {"draft": True}, "expired": {"expires": "2026-05-02"}, "later": {"date": "2027-01-01"}}[how]
        site.article("a.md", **{"title": "a", "category": "x", **change})
    site.publish()
    when = site.now.isoformat().replace("+00:00", "Z")
    for path in ("/atom.xml", "/category/x/atom.xml"):
        assert buried(site, path) == [("tag:test.example,2026:a", when)]
    documents = site.documents()
    assert b"deleted-entry" not in documents["/rss.xml"]
    assert not any(b">a<" in body for body in documents.values())
    site.article("a.md", title="a", category="x")
    site.publish()
    assert buried(site) == []
    assert "a" in site.items()


@both
def test_tombstones_are_told_for_a_while(site):
    """After `feeds.tombstones` days, a feed that changes no longer contains a tombstone; with 0 it never does."""
    site.configure(feeds={"tombstones": 10})
    for name in ("a", "b", "c"):
        site.article(f"{name}.md", title=name)
    site.publish()
    (site.content / "a.md").unlink()
    site.publish()
    site.now += timedelta(days=11)
    before = site.documents()
    assert site.publish().changed == ()
    assert site.documents() == before
    assert len(buried(site)) == 1
    site.article("d.md", title="d")
    site.publish()
    assert buried(site) == []
    site.configure(feeds={"tombstones": 0})
    (site.content / "b.md").unlink()
    site.publish()
    assert buried(site) == []


def test_ids_by_a_pattern_are_minted_once(site):
    """With content.id, a new article gets the id of the old site's pattern, and keeps it through all changes."""
    site.configure(content={"permalink": "/{category}/{slug}/", "id": "https://old.example{link}"})
    site.article("a.md", title="a", category="X y")
    site.publish()
    assert site.items()["a"]["id"] == "https://old.example/x-y/a/"
    site.configure(content={"permalink": "/{slug}.html", "id": "https://new.example{link}"})
    site.configure(site={"url": "https://new.example"})
    site.article("a.md", title="a", category="Z", slug="other")
    site.article("b.md", title="b")
    site.publish()
    assert site.items()["a"]["id"] == "https://old.example/x-y/a/"
    assert site.items()["b"]["id"] == "https://new.example/b.html"


def test_whatever_moves_ids_stay_in_all_formats(site):
    """Changes of slug, title, category, permalink, site.url and https, in turn, show no entry as new."""
    names = [f"a{number}" for number in range(9)]
    fields = {name: {"title": name, "category": "x"} for name in names}

    def published():
        for name in names:
            site.article(f"{name}.md", **fields[name])
        site.publish()
        documents = site.documents()
        return {path: sorted(read_ids(documents[path])) for path in ("/rss.xml", "/atom.xml", "/feed.json")}

    site.configure(site={"url": "http://test.example"})
    first = published()
    assert len(first["/rss.xml"]) == len(names)
    for change in ("slug", "title", "category"):
        for name in names:
            fields[name][change] = f"other {name}" if change != "category" else "Another"
        assert published() == first
    site.configure(content={"permalink": "/{year}/{slug}.html"})
    assert published() == first
    site.configure(site={"url": "https://test.example"})
    assert published() == first
    site.configure(site={"url": "https://moved.example", "authority": "moved.example"})
    assert published() == first


@both
def test_what_is_there_again_has_no_tombstone(site):
    """An entry that is published again loses its tombstone in every feed, even if it is too old to be shown there."""
    site.configure(feeds={"limit": 2})
    for day in range(1, 6):
        site.article(f"{day}.md", title=str(day), date=f"2026-05-0{day}", category="x")
    site.publish()
    text = (site.content / "4.md").read_bytes()
    (site.content / "4.md").unlink()
    site.publish()
    for day in (6, 7):
        site.article(f"{day}.md", title=str(day), date=f"2026-05-0{day}", category="x")
    site.publish()
    assert len(buried(site)) == len(buried(site, "/category/x/atom.xml")) == 1
    site.now += timedelta(minutes=1)
    site.write("4.md", text.replace(b"category: x", b"category: y"))
    assert {"", "category/x", "category/y"} <= set(site.publish().changed)
    assert buried(site) == buried(site, "/category/x/atom.xml") == []


def test_an_id_that_changes_hands_has_no_tombstone(site):
    """If another article takes the id of a deleted one, the id gets no tombstone."""
    site.article("a.md", title="a", id="urn:x:1")
    site.article("b.md", title="b")
    site.publish()
    (site.content / "a.md").unlink()
    site.article("b.md", title="b", id="urn:x:1")
    site.publish(accept=True)
    assert [id_ for id_, _ in buried(site)] == ["tag:test.example,2026:b"]


@both
def test_the_guard_adds_up_what_is_slow(site):
    """Articles that are removed one by one count like those removed at once, and a stopped run stays stopped."""
    for n in range(30):
        site.article(f"{n}.md", title=str(n))
    site.publish()
    for n in range(6):
        site.now += timedelta(seconds=40)
        (site.content / f"{n}.md").unlink()
        site.publish(only={f"{n}.md"})
    (site.content / "6.md").unlink()
    before = site.documents()
    said = (
        r"nothing more was published: of 30 entries, 7 would vanish \(6.md …\), including 6 of earlier runs; .*--accept"
    )
    for later in (1, 3600):
        site.now += timedelta(seconds=later)
        with pytest.raises(GuardStopped, match=said):
            site.publish(only={"6.md"})
    site.article("8.md", "Edited.", title="8")
    with pytest.raises(GuardStopped):
        site.publish(only={"8.md"})
    assert site.documents() == before
    site.article("6.md", title="6")
    assert site.publish(only={"6.md"}).changed == ("",)
    (site.content / "6.md").unlink()
    assert site.publish(only={"6.md"}).articles == 23, "the quarter of an hour is over"
    for n in range(7, 13):
        (site.content / f"{n}.md").unlink()
    with pytest.raises(GuardStopped):
        site.publish()
    assert site.publish(accept=True).articles == 17
    (site.content / "13.md").unlink()
    assert site.publish().articles == 16


def test_what_is_as_it_was_does_not_count(site):
    """An article counts once for the guard, however often it changes, and not at all if it returns to its old state."""
    for n in range(20):
        site.article(f"{n}.md", title=str(n))
    site.publish()
    for n in range(6):
        site.article(f"{n}.md", title=str(n), date="2026-05-02")
        site.publish()
        (site.content / f"{n}.md").unlink()
        site.publish()
        site.article(f"{n}.md", title=str(n), date="2026-05-01T10:00:00Z")
        site.publish()
    for day in range(1, 7):
        site.article("0.md", title="0", date=f"2026-04-0{day}")
        site.publish()
    for n in range(1, 4):
        site.article(f"{n}.md", title=str(n), id=f"urn:x:{n}")
        site.publish()
    for n in range(10, 15):
        site.article(f"{n}.md", title=str(n), draft=True)
        site.publish()
    site.article("4.md", title="4", id="urn:x:4")
    with pytest.raises(
        GuardStopped,
        match=r"of 15 entries, 4 would change their id .*, 1 would change their date, including 4 of earlier runs",
    ):
        site.publish()
    site.article("4.md", title="4", date="2026-05-01T10:00:00Z")
    site.article("15.md", title="15", draft=True)
    assert site.publish().articles == 14, "a draft is never stopped"


def test_a_slow_script_under_serve_is_stopped(site, serve):
    """Under `feeds serve`, a script that removes many files is stopped and reported once; --accept publishes it."""
    for n in range(30):
        site.article(f"{n}.md", title=str(n))
    site.configure(schedule={"cron": None}, feeds={"limit": 100})
    server = serve(site)
    server.wait_for(lambda: len(server.titles()) == 30)

    def stopped():
        return server.log.read_text().count("was published: of 30 entries")

    for left in range(29, 23, -1):
        (site.content / f"{left}.md").unlink()
        server.wait_for(lambda left=left: len(server.titles()) == left)
    assert not stopped()
    (site.content / "23.md").unlink()
    server.wait_for(stopped)
    for n in range(13, 23):
        (site.content / f"{n}.md").unlink()
    server.wait_for(lambda: "of 30 entries, 17 would vanish" in site.run("status").stdout)
    assert b"publish: the republish guard stopped the run" in server.get("/healthz").body
    assert stopped() == 1
    assert len(server.titles()) == 24
    assert site.run("build", "--wait", "20").returncode == 5
    assert site.run("build", "--wait", "20", "--accept").returncode == 0
    server.wait_for(lambda: len(server.titles()) == 13)
