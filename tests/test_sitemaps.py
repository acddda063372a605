"""Sitemaps and news sitemaps: which articles they list, their parts, and how they are served and exported."""

import os
from datetime import UTC, datetime, timedelta

import pytest
import rnc2rng
from conftest import NOW
from lxml import etree
from rules import SCHEMAS
from waiting import eventually

from feeds.catalog import sitemaps as parts_of_catalog
from feeds.core import paths
from feeds.core.formats import sitemap
from feeds.core.formats.sitemap import NewsUrl, SitemapUrl
from feeds.last_build import LastBuild
from feeds.render import BulkRenderer
from feeds.render.queue import InlineExecutor
from feeds.render.renderer import DocumentRenderer
from feeds.render.sitemaps import Sitemaps

both = pytest.mark.databases("sqlite", "postgres")  # these tests run SQL that differs between databases
NAMESPACES = {"s": "http://www.sitemaps.org/schemas/sitemap/0.9", "n": "http://www.google.com/schemas/sitemap-news/0.9"}
URL = "https://test.example"


@pytest.fixture(scope="module")
def schema():
    """The schema of all sitemaps."""
    grammar = rnc2rng.dumps(rnc2rng.loads((SCHEMAS / "sitemap.rnc").read_text("utf-8")))
    return etree.RelaxNG(etree.fromstring(grammar.encode()))


@pytest.fixture
def site(site):
    """A site with both sitemaps."""
    site.configure(site={"sitemap": True, "news_sitemap": True})
    return site


@pytest.fixture
def small_parts(monkeypatch):
    """Parts of three articles, which are read two at a time."""
    monkeypatch.setattr(parts_of_catalog, "PART_SIZE", 3)
    monkeypatch.setattr(parts_of_catalog, "_BATCH", 2)


def open_sitemaps(site, now=NOW):
    """Return the sitemaps of a published site, at a time."""
    model = site.config.site_model
    catalog, renderer = site._open_catalog(site.config), DocumentRenderer(model, 1 << 20)
    return Sitemaps(catalog.read_transaction, model, renderer, InlineExecutor(), lambda: now)


def rendered(site, path, now=NOW):
    """Return the root element of a sitemap, None if there is none."""
    found = open_sitemaps(site, now).render(path)
    return etree.fromstring(found.body) if found else None


def addresses(root):
    """Return the addresses that a sitemap or an index lists, below the site's URL."""
    return [location.removeprefix(URL) for location in root.xpath("//s:loc/text()", namespaces=NAMESPACES)]


@both
def test_which_articles_are_listed(site, schema):
    """A sitemap lists the home page and the published, listed articles on the site's own host."""
    site.article("a.md", title="A", updated="2026-05-03T12:00:00Z")
    site.article("b.md", title="B", link="/own/b.html")
    site.article("draft.md", draft=True)
    site.article("later.md", date="2027-01-01")
    site.article("unlisted.md", unlisted=True)
    site.article("elsewhere.md", link="https://other.example/x")
    site.article("copy.md", canonical="https://other.example/y")
    site.article("canonical.md", canonical="/first/")
    site.article("long.md", link="/" + "x" * 2_048)
    site.publish()
    root = rendered(site, "/sitemap.xml")
    assert schema.validate(root), schema.error_log
    assert sorted(addresses(root)) == ["/", "/a/", "/first/", "/own/b.html"]
    dates = root.xpath("//s:url[s:loc='https://test.example/a/']/s:lastmod/text()", namespaces=NAMESPACES)
    assert dates == ["2026-05-03T12:00:00Z"]


def test_a_site_without_articles(site, schema):
    """The sitemap of a site without articles lists the home page, and the news sitemap lists nothing."""
    site.publish()
    root, news = rendered(site, "/sitemap.xml"), rendered(site, "/news-sitemap.xml")
    assert schema.validate(root) and schema.validate(news)
    assert (addresses(root), addresses(news)) == (["/"], [])
    assert rendered(site, "/sitemap-1.xml") is None


@both
def test_parts(site, schema, small_parts):
    """A long sitemap has parts, listed in an index; a new article changes the last part only, an edit one."""
    for number in range(7):
        site.article(f"p{number}.md", title=f"P{number}")
    site.publish()
    before = {listed.path: listed.digest for listed in open_sitemaps(site).listed()}
    index = rendered(site, "/sitemap.xml")
    assert schema.validate(index), schema.error_log
    numbered = addresses(index)
    assert len(numbered) == 3 and set(numbered) < set(before)
    parts = [rendered(site, path) for path in numbered]
    assert all(map(schema.validate, parts))
    assert sorted(address for part in parts for address in addresses(part)) == [
        "/", *(f"/p{number}/" for number in range(7)),
    ]  # fmt: skip
    assert rendered(site, "/sitemap-9.xml") is None

    site.article("new.md", title="New")
    site.publish(NOW + timedelta(hours=1))
    after = {listed.path: listed.digest for listed in open_sitemaps(site).listed()}
    changed = {path for path in before if before[path] != after.get(path)}
    assert changed - {"/news-sitemap.xml"} <= {"/sitemap.xml", numbered[-1]}

    (site.content / "p0.md").unlink()
    site.publish(NOW + timedelta(hours=2), accept=True)
    assert "/p0/" not in [address for path in numbered for address in addresses(rendered(site, path))]


@both
def test_dates_of_parts(site, small_parts):
    """The date of a part in the index is that of the last run that added, edited or withdrew one of its articles."""
    for number in range(6):
        site.article(f"p{number}.md", title=f"P{number}")
    site.article("z.md", draft=True)
    site.publish(NOW)

    def dates():
        index = rendered(site, "/sitemap.xml")
        moments = map(datetime.fromisoformat, index.xpath("//s:lastmod/text()", namespaces=NAMESPACES))
        return [(moment - NOW) // timedelta(hours=1) for moment in moments]

    assert [addresses(rendered(site, f"/sitemap-{part}.xml")) for part in (1, 2, 3)] == [
        ["/", "/p0/", "/p1/"], ["/p2/", "/p3/", "/p4/"], ["/p5/"],
    ]  # fmt: skip
    assert dates() == [0, 0, 0]
    site.article("z.md", "Another text.", draft=True)
    site.publish(NOW + timedelta(hours=1))
    assert dates() == [0, 0, 0]
    (site.content / "p0.md").unlink()
    site.publish(NOW + timedelta(hours=2), accept=True)
    assert dates() == [2, 0, 0]
    assert open_sitemaps(site).render("/sitemap-1.xml").changed == NOW + timedelta(hours=2)
    site.article("p2.md", title="P2", draft=True)
    site.publish(NOW + timedelta(hours=3), accept=True)
    assert dates() == [2, 3, 0]
    site.article("p2.md", "Another text.", title="P2", draft=True)
    site.publish(NOW + timedelta(hours=4), accept=True)
    assert dates() == [2, 3, 0]


def test_a_part_without_articles_on_the_site(site, schema, small_parts):
    """A part whose articles are all elsewhere lists the home page, because a sitemap needs an address."""
    for number in range(6):
        site.article(f"p{number}.md", title=f"P{number}", link=f"https://other.example/{number}")
    site.publish()
    for path in addresses(rendered(site, "/sitemap.xml")):
        root = rendered(site, path)
        assert schema.validate(root), schema.error_log
        assert addresses(root) == ["/"]


def test_a_renamed_file(site):
    """An export writes both sitemaps again if the address of an article changes although its text does not."""
    site.article("a.md", title="A", date="2026-05-31T12:00:00Z")
    site.publish()
    before = {listed.path: listed.digest for listed in open_sitemaps(site).listed()}
    (site.content / "a.md").rename(site.content / "b.md")
    site.publish(NOW + timedelta(hours=1))
    after = {listed.path: listed.digest for listed in open_sitemaps(site).listed()}
    for path in ("/sitemap.xml", "/news-sitemap.xml"):
        assert "/b/" in addresses(rendered(site, path))
        assert before[path] != after[path]


@both
def test_news(site, schema):
    """A news sitemap lists the articles of the last two days, the newest first, until each is too old."""
    site.article("old.md", title="Old", date="2026-05-30T11:59:59Z")
    site.article("first.md", title="<First> & best", date="2026-05-30T12:30:00Z")
    site.article("second.md", title="Second", date="2026-06-01T10:00:00Z", language="zh-Hant-TW")
    site.article("elsewhere.md", title="X", date="2026-06-01", canonical="https://other.example/x")
    site.publish()
    root = rendered(site, "/news-sitemap.xml")
    assert schema.validate(root), schema.error_log
    assert addresses(root) == ["/second/", "/first/"]
    assert root.xpath("//n:title/text()", namespaces=NAMESPACES) == ["Second", "<First> & best"]
    assert root.xpath("//n:language/text()", namespaces=NAMESPACES) == ["zh-tw", "en"]
    assert root.xpath("//n:name/text()", namespaces=NAMESPACES) == ["Test", "Test"]
    until = open_sitemaps(site).render("/news-sitemap.xml").valid_until
    assert until == datetime(2026, 6, 1, 12, 30, tzinfo=UTC).timestamp()
    digests = [dict(open_sitemaps(site, now).listed())["/news-sitemap.xml"] for now in (NOW, NOW + timedelta(hours=1))]
    assert digests[0] != digests[1]
    assert addresses(rendered(site, "/news-sitemap.xml", NOW + timedelta(hours=1))) == ["/second/"]


def test_a_news_sitemap_has_at_most_a_thousand_articles():
    """A thousand articles are the limit of a news sitemap."""
    assert sitemap.MAX_NEWS == 1_000


def test_bytes():
    """The three kinds of sitemaps have these bytes."""
    page, day = "https://test.example/a/", datetime(2026, 5, 1, 10, tzinfo=UTC)
    head = '<?xml version="1.0" encoding="UTF-8"?>\n'
    namespace = 'xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"'
    located = f"<loc>{page}</loc><lastmod>2026-05-01T10:00:00Z</lastmod>"
    assert (
        sitemap.render_sitemap([SitemapUrl(page, day), SitemapUrl(f"{URL}/", None)])
        == f"{head}<urlset {namespace}>\n<url>{located}</url>\n<url><loc>{URL}/</loc></url>\n</urlset>\n".encode()
    )
    assert (
        sitemap.render_index([SitemapUrl(page, day)])
        == f"{head}<sitemapindex {namespace}>\n<sitemap>{located}</sitemap>\n</sitemapindex>\n".encode()
    )
    news = 'xmlns:news="http://www.google.com/schemas/sitemap-news/0.9"'
    assert (
        sitemap.render_news([NewsUrl(page, "A", day, "fr")], "Gazette")
        == (
            f"{head}<urlset {namespace} {news}>\n<url><loc>{page}</loc><news:news><news:publication>"
            "<news:name>Gazette</news:name><news:language>fr</news:language></news:publication>"
            "<news:publication_date>2026-05-01T10:00:00Z</news:publication_date><news:title>A</news:title></news:news>"
            "</url>\n</urlset>\n"
        ).encode()
    )


def test_texts_are_escaped(schema):
    """Addresses, titles and names that contain markup are escaped, and addresses that are too long are left out."""
    url, long = "https://test.example/?a=1&b=<2>'\"", "https://test.example/" + "x" * 2_048
    body = sitemap.render_sitemap([SitemapUrl(url, NOW), SitemapUrl(long, NOW)])
    news = sitemap.render_news([NewsUrl(url, "a < b & c", NOW, "en-GB"), NewsUrl(long, "x", NOW, "en")], "A & <B>")
    for document in map(etree.fromstring, (body, news)):
        assert schema.validate(document), schema.error_log
        assert document.xpath("//s:loc/text()", namespaces=NAMESPACES) == [url]
    assert etree.fromstring(news).xpath("//n:name/text()", namespaces=NAMESPACES) == ["A & <B>"]


@pytest.mark.parametrize(
    ("tag", "language"),
    [("en", "en"), ("en-GB", "en"), ("zh", "zh-cn"), ("zh-CN", "zh-cn"), ("zh-Hant", "zh-tw"), ("zh_TW", "zh-tw"), ("zh-Hans-TW", "zh-cn"),
     ("fil-PH", "fil")],
)  # fmt: skip
def test_languages_of_news(tag, language):
    """A news sitemap has language codes of two or three letters, and zh-cn or zh-tw for Chinese."""
    assert sitemap.news_language(tag) == language


def test_served(site, app):
    """Sitemaps are served as XML with validators; without the keys there is none."""
    site.article("a.md", title="A", date=datetime.now(UTC) - timedelta(hours=1))
    site.publish(datetime.now(UTC))
    server = app(site)
    for path in ("/sitemap.xml", "/news-sitemap.xml"):
        response = server.get(path)
        assert (response.status, response.headers["content-type"]) == (200, "application/xml; charset=utf-8")
        assert addresses(etree.fromstring(response.body))[-1] == "/a/"
        assert server.get(path, If_None_Match=response.headers["etag"]).status == 304
    assert server.get("/sitemap-1.xml").status == 404
    site.configure(site={"sitemap": False, "news_sitemap": False})
    server = app(site)
    assert [server.get(path).status for path in ("/sitemap.xml", "/news-sitemap.xml", "/sitemap-1.xml")] == [404] * 3


def test_served_news_expire(site, app):
    """A worker renders the news sitemap again when an entry is too old, although no revision was published."""
    published = datetime.now(UTC) - timedelta(days=2) + timedelta(seconds=1)
    site.article("a.md", title="A", date=published.isoformat())
    site.publish(datetime.now(UTC))
    server = app(site)
    eventually(lambda: addresses(etree.fromstring(server.get("/news-sitemap.xml").body)) == [])


def test_exported(site):
    """An export contains the sitemaps, writes them again only if they changed, and removes them without the keys."""
    site.configure(export={"precompressed": ["gzip"]})
    site.article("a.md", title="A")
    site.article("b.md", title="B", date=(datetime.now(UTC) - timedelta(hours=1)).isoformat())
    assert site.run("build").returncode == 0
    public = site.root / "public"
    names = ["news-sitemap.xml", "news-sitemap.xml.gz", "sitemap.xml", "sitemap.xml.gz"]
    assert sorted(file.name for file in public.glob("*sitemap*")) == names
    assert addresses(etree.fromstring((public / "news-sitemap.xml").read_bytes())) == ["/b/"]
    written = {name: (public / name).stat().st_mtime_ns for name in names}
    site.article("c.md", title="C", unlisted=True)
    assert site.run("build").returncode == 0
    assert {name: (public / name).stat().st_mtime_ns for name in names} == written
    site.article("b.md", title="B", date="2026-05-01")
    assert site.run("build", "--accept").returncode == 0
    assert addresses(etree.fromstring((public / "news-sitemap.xml").read_bytes())) == []
    site.configure(site={"sitemap": False, "news_sitemap": False})
    assert site.run("build").returncode == 0
    assert not list(public.glob("*sitemap*"))


def test_a_foreign_sitemap_is_kept(site):
    """An export leaves the sitemap of another program alone, and says so."""
    site.article("a.md", title="A")
    public = site.root / "public"
    public.mkdir()
    (public / "sitemap.xml").write_text("<urlset/>")
    done = site.run("build")
    assert "/sitemap.xml: not written" in done.stderr
    assert (public / "sitemap.xml").read_text() == "<urlset/>"


def test_the_next_build_is_complete_when_news_are_too_old(site):
    """A build is recorded only until an entry leaves the news sitemap."""
    published = datetime.now(UTC) - timedelta(days=1, hours=23, minutes=59)
    site.article("a.md", title="A", date=published.isoformat())
    os.utime(site.content / "a.md", (1_700_000_000, 1_700_000_000))
    assert site.run("build").returncode == 0
    with site.catalog.read_transaction() as reader:
        record = LastBuild.from_json(reader.state.last_build)
    assert record.until <= (published + timedelta(days=2)).timestamp() + 1


@pytest.mark.parametrize("key", ["sitemap", "news_sitemap"])
def test_a_sitemap_needs_the_sites_own_host(site, key):
    """A sitemap on another host than the site, or an alias at its path, is a mistake with its position."""
    site.configure(site={"sitemap": False, "news_sitemap": False} | {key: True}, feeds={"url": "https://f.example"})
    done = site.run("check")
    assert done.returncode == 2
    assert f"url must be the same as site.url if site.{key} is true" in done.stderr
    path = "/sitemap.xml" if key == "sitemap" else "/news-sitemap.xml"
    site.configure(feeds={"url": URL, "aliases": {path: "/rss.xml"}})
    done = site.run("check")
    assert done.returncode == 2
    assert f"{path} is the address of a sitemap (site.{key})" in done.stderr


def test_the_paths_of_sitemaps_are_reserved(site):
    """No page has the path of a sitemap, whether the site has one or not."""
    model = site.config.site_model
    for path in ("/sitemap.xml", "/sitemap-12.xml", "/news-sitemap.xml", "/sitemap-1.xml.gz", "/sitemap.xml/"):
        assert paths.owner(path, model)
    assert paths.owner("/sitemap-x.xml", model) is None
    assert [paths.sitemap_part(path) for path in ("/sitemap-12.xml", "/sitemap-0.xml", "/a/sitemap-1.xml")] == [
        12, None, None,
    ]  # fmt: skip


def test_the_keys_change_no_feed(site):
    """Feeds have the same bytes with and without sitemaps."""
    site.article("a.md", title="A")
    site.publish()
    documents = BulkRenderer(site._open_catalog(site.config), site.config.site_model)
    digests = [listed.digest for listed in documents.list_documents(has_archives=lambda _: True)]
    with_sitemaps = site.documents()
    site.configure(site={"sitemap": False, "news_sitemap": False})
    site.publish(NOW + timedelta(hours=1))
    assert site.documents() == with_sitemaps
    documents = BulkRenderer(site._open_catalog(site.config), site.config.site_model)
    assert [listed.digest for listed in documents.list_documents(has_archives=lambda _: True)] == digests
