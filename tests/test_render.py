"""Rendering of documents at their first request, and caching until their feed changes."""

import json
import threading
from datetime import timedelta

import pytest
import sqlalchemy
from conftest import render_all
from hypothesis import given
from hypothesis import strategies as st

from feeds.catalog import Catalog
from feeds.content import Folder
from feeds.core.errors import FeedsError
from feeds.core.formats import FORMATS
from feeds.core.formats.timestamps import rfc822, rfc3339
from feeds.publish.publisher import Publisher
from feeds.render import (
    BulkRenderer,
    DocumentPath,
    Documents,
    NotPublishedYet,
    WaitPolicy,
    WouldBlock,
    cache,
    renderer,
    revision_watcher,
)  # fmt: skip
from feeds.render.lru import LRUCache

both = pytest.mark.databases("sqlite", "postgres")  # these tests run SQL that differs between databases


@pytest.fixture
def documents(site, monkeypatch):
    monkeypatch.setattr(revision_watcher, "_POLL_INTERVAL_S", 0)
    monkeypatch.setattr(cache, "_MAX_STALENESS_S", 0)
    return Documents(site.catalog, site.config.site_model)


def html(documents):
    return {item["title"]: item["content_html"] for item in json.loads(documents.get("/feed.json").body)["items"]}


@both
def test_an_empty_feed_is_as_old_as_the_site(site, documents):
    """A feed without entries has the date of the site's first revision, in the document and in Last-Modified."""
    site.publish()
    first = [documents.get(path) for path in ("/rss.xml", "/atom.xml", "/feed.json")]
    assert f"<lastBuildDate>{rfc822(site.now)}<" in first[0].body.decode()
    assert f"<updated>{rfc3339(site.now)}<" in first[1].body.decode()
    assert {document.changed for document in first} == {site.now}
    site.configure(feeds={"tombstones": 0})
    documents = Documents(site.catalog, site.config.site_model)
    site.article("a.md")
    site.publish(site.now + timedelta(hours=1))
    (site.content / "a.md").unlink()
    site.publish(site.now + timedelta(hours=2), accept=True)
    again = documents.get("/atom.xml")
    assert f"<updated>{rfc3339(site.now)}<" in again.body.decode()
    assert again.changed == site.now + timedelta(hours=2)  # which is when the document last changed


def test_an_unchanged_catalog_is_read_once_a_second(site, documents, monkeypatch):
    """A check reads the catalog only if it changed, a scheduled time has passed, or the last read is a second old."""
    site.article("a.md", title="A")
    site.publish()
    watcher = documents.revision_watcher
    reads = []
    read = watcher._catalog.read_transaction
    monkeypatch.setattr(watcher._catalog, "read_transaction", lambda: reads.append(1) or read())

    def reads_of_checks():
        reads.clear()
        for _ in range(3):
            watcher.poll()
        return len(reads)

    watcher.poll()
    assert reads_of_checks() == 0
    other = Catalog(site.config.catalog)
    with other.write_transaction() as writer:
        writer.commit_revision(site.now)
    other.close()
    assert reads_of_checks() == 1
    watcher.next_change_at = 0.0  # a scheduled time that has passed
    assert reads_of_checks() >= 1
    monkeypatch.setattr(revision_watcher, "_MAX_SKIPPED_S", 0.0)
    assert reads_of_checks() == 3


def test_a_refused_request_reads_nothing(site, documents, monkeypatch):
    """The rendering thread checks whether a document exists, so a request beyond the limits causes no query."""
    site.article("a.md", title="A", tags=["x"])
    site.publish()
    documents.revision_watcher.poll()
    monkeypatch.setattr(revision_watcher, "_POLL_INTERVAL_S", 3600.0)
    documents.revision_watcher.poll()
    reads = []
    monkeypatch.setattr(documents.revision_watcher, "reading", lambda: reads.append(1))
    for path, pool in (
        ("/tag/x/rss.xml", "document"),
        ("/tag/none/rss.xml", "document"),
        ("/archive/1/rss.xml", "archive"),
    ):
        with pytest.raises(WouldBlock) as caught:
            documents.get(path, wait_policy=WaitPolicy.MEMORY)
        assert caught.value.pool == pool
    assert reads == []
    monkeypatch.undo()
    assert documents.get("/tag/none/rss.xml") is None
    assert documents.get("/archive/9/rss.xml") is None


def test_missing_documents_never_reach_the_render_queue(site, documents, monkeypatch):
    """A path without a document is looked up once per revision, and its requests delay no render."""
    site.article("a.md", title="A", tags=["x"])
    site.publish()
    monkeypatch.setattr(documents._render_queue, "run", lambda *_: pytest.fail("it was queued"))
    paths = ("/tag/none/rss.xml", "/archive/9/rss.xml")
    for path in paths:
        assert documents.get(path) is None
    monkeypatch.setattr(revision_watcher, "_POLL_INTERVAL_S", 3600.0)
    documents.revision_watcher.poll()
    for path in paths:
        assert documents.get(path, wait_policy=WaitPolicy.MEMORY) is None  # such as an alias of another document
    monkeypatch.undo()
    site.article("b.md", title="B", tags=["none"])
    site.publish(site.now + timedelta(hours=1))
    documents.revision_watcher.next_check_at = 0.0
    assert documents.get("/tag/none/rss.xml") is not None


def test_a_crawl_leaves_polled_validators(site, documents):
    """Many documents that are requested once don't evict the validators of one that is polled."""
    site.article("a.md", title="A", tags=["x"])
    site.publish()
    documents.get("/tag/x/rss.xml")
    documents._cache._entries.drop("/tag/x/rss.xml")
    documents._cache._max_without_body = 3
    documents._cache._without_body._max_size = 3
    for number in range(9):
        assert documents.get_current("/tag/x/rss.xml", WaitPolicy.MEMORY) is not None
        documents._cache._entries.drop("/rss.xml")
        documents._cache._without_body.put(DocumentPath.parse(f"/tag/{number}/rss.xml"), None)
    site.article("b.md", title="B", tags=["x"])
    site.publish(site.now + timedelta(hours=1))
    documents.revision_watcher.poll()
    assert documents.get_current("/tag/x/rss.xml", WaitPolicy.MEMORY) is None


def test_what_was_used_outlives_what_was_not():
    """Many items that are used once don't evict one that is used often; the size never exceeds its limit."""
    items = LRUCache[int](100, lambda _item: 10)
    items.put("polled", 0)
    for number in range(1, 1_000):
        if number % 10 == 0:
            assert items.get("polled") == 0
        items.put(number, number)
        assert items.get("polled") is not None
        assert len(items.items()) <= 10
    assert items.get(999) == 999
    for number in range(1_000, 1_200):  # one that is not used any more is evicted
        items.put(number, number)
    assert items.get("polled") is None


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(0, 40), st.booleans())))
def test_a_cache_is_bounded(steps):
    """After any operations, the total size is within the limit, or there is one item; the last item is stored."""
    items = LRUCache[int](50, lambda item: item)
    for key, size, is_read in steps:
        if is_read:
            items.get(key)
        else:
            items.put(key, size)
            assert items.get(key) == size
        assert sum(items.items()) <= 50 or len(items.items()) == 1
        assert items._used == sum(items.items())


def test_an_article_that_failed_is_not_rendered_again(site, caplog):
    """An article that can't be rendered is tried once for all documents, until it changes."""
    site.article("a.md", "[^a] " * 5_000 + "\n\n[^a]: x", title="A", tags=["x"])
    site.publish()
    documents = Documents(site.catalog, site.config.site_model, max_bytes=0)  # only the last entry is cached
    site.article("b.md", title="B", tags=["x"])
    site.publish(site.now + timedelta(hours=1))
    for path in ("/feed.json", "/rss.xml", "/tag/x/feed.json", "/tag/x/atom.xml"):
        assert b"[^a] [^a]" in documents.get(path).body
    assert [record.getMessage() for record in caplog.records] == [
        "a.md: shown as plain text: too large when it is rendered"
    ]
    site.article("a.md", "Short.", title="A", tags=["x"])
    site.publish(site.now + timedelta(hours=2))
    following_documents = Documents(site.catalog, site.config.site_model)
    assert html(following_documents)["A"] == "<p>Short.</p>"


def test_a_document_that_failed_is_not_rendered_again(site, documents, monkeypatch):
    """A document that can't be rendered is tried once, until its feed changes; all others are served."""
    site.article("a.md", title="A", tags=["x"])
    site.publish()
    broken = FORMATS[0]
    tried = []

    def document(*_):
        tried.append(1)
        raise ValueError("a fault in the program")

    with monkeypatch.context() as patch:
        patch.setattr("feeds.core.formats.rss.render_document", document)
        with pytest.raises(ValueError, match="a fault"):
            documents.get(f"/{broken.filename}")
        for _ in range(3):
            with pytest.raises(FeedsError, match="can't be rendered"):
                documents.get(f"/{broken.filename}")
    assert tried == [1]
    assert documents.get("/atom.xml")
    site.article("a.md", "Changed.", title="A", tags=["x"])
    site.publish(site.now + timedelta(hours=1))
    assert b"Changed." in documents.get(f"/{broken.filename}").body


@pytest.mark.parametrize("path", ["/rss.xml", "/atom.xml", "/feed.json", "/archive/1/rss.xml", "/archive/1/feed.json"])
def test_a_document_of_large_articles_is_bounded(site, documents, monkeypatch, path):
    """Without a limit by the site, and in archives, texts beyond the program's limit become summaries."""
    monkeypatch.setattr(renderer, "_MAX_DOCUMENT_BYTES", 200_000)
    site.configure(feeds={"max_size": 0, "limit": 6})
    for number in range(12):
        site.article(f"{number}.md", "word *word* " * 5_000, title=f"T{number}", date=f"2026-05-{number + 1:02}")
    site.publish()
    documents = Documents(site.catalog, site.config.site_model)
    document = documents.get(path)
    assert 40_000 < len(document.body) <= 200_000
    assert document.body.count(b"T") >= 6  # all entries are there
    if path.endswith("json"):
        items = json.loads(document.body)["items"]
        texts = ["content_html" in item for item in items]
        assert texts == sorted(texts, reverse=True)  # the oldest texts are omitted
        assert [len(items), texts[0]] == [6, True]


def test_articles_share_the_time_of_their_document(site, monkeypatch, caplog):
    """If a document's time is used up by its other articles, a very long article is shown as plain text."""
    monkeypatch.setattr(renderer, "_SHARED_CPU_S", 0.05)
    monkeypatch.setattr(renderer, "_CPU_S_PER_ARTICLE", 0.01)
    site.article("long.md", "- - - a\n" * 4_000, title="Long", date="2026-05-02")
    site.article("longer.md", "- - - a\n" * 4_000, title="Longer", date="2026-05-01")
    site.article("short.md", "*a*", title="Short", date="2026-04-01")
    site.publish()
    shown = html(Documents(site.catalog, site.config.site_model))
    assert shown["Short"] == "<p><em>a</em></p>"
    assert any("long.md: shown as plain text: takes too long" in record.getMessage() for record in caplog.records)


def test_the_archive_is_not_searched_for_what_changed(site):
    """Articles and documents are found by indexes: no statement reads every article or entry."""
    site.configure(feeds={"limit": 2}, content={"permalink": "/{slug}/"}, site={"pages": True})
    for number in range(5):
        site.article(f"{number}.md", title=f"T{number}", date=f"2026-05-0{number + 1}", tags=["x"])
    site.publish()
    catalog = site.catalog
    searched = []

    def explain(connection, _cursor, statement, parameters, _context, several):
        if statement.split()[0] in {"SELECT", "INSERT", "UPDATE", "DELETE"}:
            plan = connection.connection.driver_connection.execute(
                f"EXPLAIN QUERY PLAN {statement}", parameters[0] if several else parameters
            )
            searched.extend(
                (step, statement) for *_, step in plan if step in {"SCAN articles", "SCAN entries", "SCAN texts"}
            )

    sqlalchemy.event.listen(catalog._database.engine, "before_cursor_execute", explain)
    site.article("4.md", "Edited.", title="T4", date="2026-05-05", tags=["x"])
    settings = site.config
    folder = Folder(settings.content_root, settings.content.include, settings.content.exclude)
    Publisher(folder, catalog, settings.site_model, settings.feeds.guard).run(site.now, only=["4.md"])
    everything = BulkRenderer(catalog, settings.site_model)
    listed = list(everything.list_documents(has_archives=lambda _: True))
    assert len(list(render_all(everything, archives=True))) == len(listed)
    assert everything.page_queries.article("/4/")
    documents = Documents(catalog, settings.site_model)
    assert "Edited" in documents.get("/tag/x/feed.json").body.decode()
    assert searched == []


@both
def test_nothing_before_the_first_revision(documents):
    """Before the first publish run, no empty feed is served."""
    with pytest.raises(NotPublishedYet):
        documents.get("/rss.xml")


def test_kept_until_the_stamp_moves(site, documents):
    """A document of any format is the same object until its own feed changes; changes of other feeds do not matter."""
    site.article("a.md", title="a", category="x")
    site.article("b.md", title="b", category="y")
    site.publish()
    paths = [f"/{format_.filename}" for format_ in FORMATS]
    first = {path: documents.get(path) for path in paths}
    category = {path: documents.get(f"/category/x{path}") for path in paths}
    assert all(documents.get(path) is document for path, document in first.items())
    site.article("b.md", "New.", title="b", category="y")
    site.publish(site.now + timedelta(hours=1))
    for path in paths:
        assert documents.get(f"/category/x{path}") is category[path]
        second = documents.get(path)
        assert second is not first[path]
        assert second.changed == site.now + timedelta(hours=1)


def test_other_paths_are_nothing(site, documents):
    """A path that is not a document's returns None."""
    site.article("a.md", category="x")
    site.publish()
    assert documents.get("/category/x/rss.xml")
    for path in (
        "/nothing.xml",
        "/category/none/rss.xml",
        "rss.xml",
        "//rss.xml",
        "/category/x/../rss.xml",
        "/category//rss.xml",
        "",
    ):
        assert documents.get(path) is None, path


def test_a_feed_that_goes_away_is_gone(site, documents):
    """When the last entry is removed, the documents of the feed are removed too."""
    site.article("a.md", title="a", category="x")
    site.article("b.md", title="b")
    site.publish()
    assert documents.get("/category/x/rss.xml")
    site.article("a.md", title="a")
    site.publish()
    assert documents.get("/category/x/rss.xml") is None


def test_what_is_kept_is_bounded(site):
    """However many documents are requested, the cache has a limit in bytes."""
    documents = Documents(site.catalog, site.config.site_model, max_bytes=100_000)
    for n in range(30):
        site.article(f"{n}.md", "Text. " * 500, title=str(n), category=f"c{n}")
    site.publish()
    for n in range(30):
        assert documents.get(f"/category/c{n}/rss.xml")
    assert documents._cache._entries._used <= 100_000
    assert documents.get("/category/c0/rss.xml")


def test_a_catalog_that_is_away_costs_nothing_that_is_kept(site, documents):
    """Without the database, documents that were served before are still served."""
    site.article("a.md", title="a")
    site.publish()
    first = documents.get("/rss.xml")
    site.close()
    for file in site.config.catalog.parent.iterdir():
        file.rename(file.with_name(f"away-{file.name}"))
    documents.revision_watcher._catalog.close()
    site.config.catalog.parent.joinpath("catalog.db").mkdir()
    assert documents.get("/rss.xml") == first


@pytest.mark.sandbox
@pytest.mark.integration
def test_an_article_that_renders_too_slowly_is_shown_as_typed(site, monkeypatch):
    """An article that seemed cheap but renders too slowly is shown as plain text; others are not affected."""
    monkeypatch.setattr("feeds.publish.load.is_cheap_to_render", lambda body: True)
    monkeypatch.setattr("feeds.render.renderer._SANDBOX_CPU_S", 0.2)
    documents = BulkRenderer(site.catalog, site.config.site_model)
    site.article("a.md", "[" * 20_000, title="a")
    site.article("b.md", "*b*", title="b")
    site.publish()
    html = {entry.title: entry.html for entry in documents.page_queries.feed("").feed.entries}
    assert html == {"a": f"<p>{'[' * 20_000}</p>", "b": "<p><em>b</em></p>"}


def test_threads_never_mix_articles(site, documents):
    """Pages and documents that are first requested at the same time show every article with its own text."""
    for n in range(30):
        site.article(f"{n}.md", f"P{n}[^1]\n\n```\ncode {n}\n```\n\n<div>raw {n}</div>\n\n[^1]: F{n}", title=str(n))
    site.publish()
    feeds = []
    threads = [threading.Thread(target=lambda: feeds.append(documents.page_queries.feed("").feed)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for feed in feeds:
        for entry in feed.entries:
            for part in ("P{}<", "code {}\n", "raw {}<", "F{} <a class"):
                assert part.format(entry.title) in entry.html


def test_many_threads_get_one_document(site, documents):
    """Threads that request a document at the same time get the same one, rendered once."""
    site.article("a.md", title="a")
    site.publish()
    got = []
    threads = [threading.Thread(target=lambda: got.append(documents.get("/rss.xml"))) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id(document) for document in got}) == 1


@both
def test_what_has_no_room_is_still_known(site, monkeypatch):
    """With far more documents than fit into memory, the validators of each stay cached until it changes."""
    monkeypatch.setattr(revision_watcher, "_POLL_INTERVAL_S", 0)
    documents = Documents(site.catalog, site.config.site_model, max_bytes=60_000)
    for n in range(20):
        site.article(f"{n}.md", "Text. " * 500, title=str(n), category=f"c{n}")
    site.publish()
    paths = [f"/category/c{n}/atom.xml" for n in range(20)]
    assert all(documents.get_current(path) is None for path in paths)
    whole = {path: documents.get(path) for path in paths}
    known = {path: documents.get_current(path) for path in paths}
    assert {path: one.digest for path, one in known.items()} == {path: one.digest for path, one in whole.items()}
    assert sum(bool(one.body) for one in known.values()) < 10
    site.article("3.md", "New.", title="3", category="c3")
    site.publish()
    assert [path for path in paths if documents.get_current(path) is None] == [paths[3]]
    assert documents.get_current("/category/none/atom.xml") is None
    assert documents.get_current("/") is None


@both
def test_the_hour_is_known_before_anything_changes(site, documents):
    """The time at which a scheduled article goes live limits max-age, although no feed shows the article yet."""
    site.article("a.md", title="a")
    site.publish()
    assert documents.get("/rss.xml")
    assert documents.revision_watcher.next_change_at == float("inf")
    site.article("b.md", title="b", date="2099-01-01T00:00:00Z")
    assert site.publish().revision == 1
    assert documents.get("/rss.xml")
    assert documents.revision_watcher.next_change_at == 4070908800
