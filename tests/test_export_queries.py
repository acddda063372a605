"""Tests of the queries of an export: they return what queries of single pages return."""

from datetime import timedelta

import pytest

from feeds.export import FolderTarget
from feeds.export.writers import DocumentWriter
from feeds.render import export_queries
from feeds.render.export_queries import ExportQueries
from feeds.render.page_queries import PageQueries
from feeds.render.queue import InlineExecutor
from feeds.render.renderer import DocumentRenderer


@pytest.fixture
def queries(site):
    """Return queries for an export, and those of single pages, of a site with all sorts of neighbours."""
    site.configure(site={"pages": True})
    for number in range(1, 8):
        site.article(f"{number}.md", title=f"T{number}", date=f"2026-05-0{number}", tags=["a", f"t{number}"])
    site.article("note.md", "A note without a title.", date="2026-05-03T12:00:00Z")
    site.article("unlisted.md", title="Unlisted", date="2026-05-04T12:00:00Z", feed=False)
    site.publish()
    catalog, settings = site.catalog, site.config.site_model
    renderer = DocumentRenderer(settings, 1 << 20)
    single = PageQueries(catalog.read_transaction, settings, renderer, InlineExecutor())
    return ExportQueries(catalog.read_transaction, settings, renderer), single


both = pytest.mark.databases("sqlite", "postgres")
PAGES = [*(f"/{number}/" for number in range(1, 8)), "/note/", "/unlisted/"]


@both
@pytest.mark.parametrize("limit", [0, 10_000])
@pytest.mark.parametrize("size", [0, 1, 2, 4, len(PAGES)])
def test_articles_are_the_same_as_single_ones(queries, monkeypatch, limit, size):
    """Whether all, some or no articles are loaded together, and whatever is cached, each has the same page."""
    monkeypatch.setattr(export_queries, "_MAX_PAGES", limit)
    monkeypatch.setattr(export_queries, "_MAX_FEEDS", limit)
    of_export, single = queries
    expected = {page: single.article(page) for page in PAGES}
    assert [expected[page].older is None for page in PAGES] == [page in {"/1/", "/unlisted/"} for page in PAGES]
    assert expected["/4/"].older.path == "/note/"
    ordered = sorted(PAGES, key=of_export.position)
    for start in range(0, len(ordered), size or len(ordered)):
        batch = ordered[start : start + (size or len(ordered))]
        if size:
            of_export.load_articles(batch)
        assert {page: of_export.article(page) for page in batch} == {page: expected[page] for page in batch}


@both
def test_a_page_that_does_not_exist(queries):
    """A page that was withdrawn since it was listed is not found."""
    of_export, _ = queries
    of_export.load_articles(["/none/", "/2/"])
    assert of_export.article("/none/") is None
    assert of_export.article("/2/").entry.title == "T2"


@both
def test_after_a_change(queries, site):
    """After a reset, a changed catalog is read again."""
    of_export, single = queries
    of_export.load_articles(PAGES)
    assert of_export.article("/7/").newer is None
    site.article("8.md", title="T8", date="2026-05-08")
    site.article("3.md", title="Renamed", date="2026-05-03")
    site.publish(site.now + timedelta(hours=1))
    of_export.reset()
    of_export.load_articles([*PAGES, "/8/"])
    assert of_export.article("/7/").newer.title == "T8"
    for page in [*PAGES, "/8/"]:
        assert of_export.article(page) == single.article(page)


def test_the_order_of_writing(site, tmp_path):
    """Pages are written in the order of the site's feed, and pages that lead to them from former addresses last."""
    site.configure(site={"pages": True})
    for number, date in enumerate(["2026-05-03", "2026-05-01", "2026-05-02"]):
        site.article(f"{number}.md", title=f"T{number}", date=date, slug=f"z{number}")
    site.publish()
    site.article("0.md", title="T0", date="2026-05-03", slug="moved")
    site.publish(site.now + timedelta(hours=1))
    writer = DocumentWriter(
        site.config, site.catalog, FolderTarget(tmp_path / "public"), max_bytes=1 << 20, force=False
    )
    files = [file for file in writer.list_other_files() if file.kind in {"article", "moved"}]
    ordered = [file.path for file in writer.in_reading_order(files)]
    assert ordered == ["/z1/index.html", "/z2/index.html", "/moved/index.html", "/z0/index.html"]
