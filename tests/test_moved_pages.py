"""Former addresses of articles' pages: served as redirects, exported as rules of hosts or as pages with a link."""

import contextlib
import sqlite3
import urllib.error
from urllib.parse import urljoin

import pytest
from test_export import exported
from test_purge import cdn
from waiting import eventually

from feeds.catalog import MovedPage
from feeds.export import host_files

both = pytest.mark.databases("sqlite", "postgres")  # these tests run SQL that differs between databases


@pytest.fixture
def site(site):
    """A site with pages for articles."""
    site.configure(site={"pages": True})
    return site


def rename(site, old, new):
    """Rename an article's file, as `git mv` does, and publish."""
    target = site.content / new
    target.parent.mkdir(parents=True, exist_ok=True)
    (site.content / old).rename(target)
    site.publish(accept=True)


@pytest.fixture
def ask(site, app):
    """Return a function that returns where a path leads: to another path, or a status."""
    servers = []

    def ask(path):
        server = servers[0] if servers else servers.append(app(site)) or servers[0]
        response = server.get(path)
        if response.status != 308:
            return response.status
        return urljoin(f"https://test.example{path}", response.headers["location"]).removeprefix("https://test.example")

    return ask


def leads(ask, path, expected):
    """Wait until a path leads to an address or has a status: the application polls the catalog for revisions."""
    eventually(lambda: ask(path) == expected)


@both
@pytest.mark.parametrize(
    ("change", "new"),
    [
        (lambda site: (site.content / "a.md").rename(site.content / "b.md"), "/b/"),
        (lambda site: site.article("a.md", title="A", slug="b"), "/b/"),
        (lambda site: site.article("a.md", title="A", category="Ä b"), "/%C3%A4-b/a/"),
        (lambda site: site.article("a.md", title="A", url="/own.html"), "/own.html"),
        (lambda site: site.article("a.md", title="A", url="/A/"), "/A/"),
        (lambda site: site.configure(content={"permalink": "/{year}/{slug}"}), "/2026/a"),
    ],
    ids=["file", "slug", "category", "url", "case", "permalink"],
)
def test_the_old_page_of_a_moved_article(site, ask, change, new):
    """Whatever changed an article's address, the old one answers 308 with the new one, and keeps the article's id."""
    site.article("a.md", title="A")
    site.publish()
    before = site.items()["A"]["id"]
    change(site)
    site.publish(accept=True)
    assert site.items()["A"]["id"] == before
    assert ask("/a/") == new
    assert ask(new) == 200


def test_a_redirect(site, app):
    """A redirect may be cached as long as a document, has a text for people, and is relative: any base path works."""
    site.article("n/a.md", title="A", url="/n/old/")
    site.publish()
    site.article("n/a.md", title="A", url="/new/é/")
    site.publish(accept=True)
    server = app(site)
    response = server.get("/n/old/?utm=1")
    assert response.status == 308
    assert response.headers["location"] == "../../new/%C3%A9/"
    assert response.headers["cache-control"] == "public, max-age=60"  # so that a page can move back
    assert response.body == b"This page is at ../../new/%C3%A9/\n"
    assert server.get("/n/old/", method="HEAD").status == 308
    assert server.get("/n/old/", method="POST").status == 405


def test_chains_swaps_and_returns(site, ask):
    """Every former address leads to the newest in one step; an address that is a page again is not redirected."""
    for name in "abc":
        site.article(f"{name}.md", title=name)
    site.publish()
    for new in ("a2", "a3"):
        site.article("a.md", title="a", slug=new)
        site.publish(accept=True)
    assert [ask(path) for path in ("/a/", "/a2/", "/a3/")] == ["/a3/", "/a3/", 200]
    site.article("a.md", title="a", slug="a")
    site.publish(accept=True)
    for path, expected in (("/a/", 200), ("/a2/", "/a/"), ("/a3/", "/a/")):
        leads(ask, path, expected)
    site.article("a.md", title="a", slug="a4")
    site.article("new.md", title="new", slug="a")  # takes the old address
    site.publish(accept=True)
    for path, expected in (("/a4/", 200), ("/a/", 200), ("/a2/", "/a4/")):
        leads(ask, path, expected)
    site.article("new.md", title="new", slug="a", draft=True)
    site.publish(accept=True)
    leads(ask, "/a/", 410)  # its last article was withdrawn
    site.article("new.md", title="new", slug="n")
    site.publish(accept=True)
    leads(ask, "/a/", "/n/")  # the last article that had it
    site.article("c.md", title="c", slug="a")
    site.publish(accept=True)
    leads(ask, "/a/", 200)
    (site.content / "new.md").unlink()
    site.article("c.md", title="c", slug="c2")
    site.publish(accept=True)
    leads(ask, "/a/", "/c2/")
    leads(ask, "/a2/", "/a4/")


@both
def test_the_old_page_of_a_withdrawn_article(site, ask):
    """While an article is withdrawn, its former addresses are 410 as its page is; they lead to it when it returns."""
    site.article("a.md", title="A")
    site.publish()
    site.article("a.md", title="A", slug="b")
    site.publish(accept=True)
    assert ask("/a/") == "/b/"
    (site.content / "a.md").unlink()
    site.publish(accept=True)
    leads(ask, "/b/", 410)
    assert ask("/a/") == 410
    site.article("c.md", title="A", id="tag:test.example,2026:a", slug="c")
    site.publish(accept=True)
    leads(ask, "/a/", "/c/")
    assert ask("/b/") == "/c/"


def test_an_article_that_was_never_published_moves_without_a_trace(site, ask):
    """A former address of a draft is not redirected: nobody can have a link to it."""
    site.article("a.md", title="A", draft=True)
    site.publish()
    site.article("a.md", title="A", draft=True, slug="b")
    site.publish()
    site.article("a.md", title="A", slug="c")
    site.publish()
    assert [ask(path) for path in ("/a/", "/b/", "/c/")] == [404, 404, 200]


def test_without_pages_nothing_moves(site, ask):
    """If another program builds the pages, addresses of articles are 404, moved or not."""
    site.configure(site={"pages": False})
    site.article("a.md", title="A", tags=["t"])
    site.publish()
    rename(site, "a.md", "b.md")
    assert [ask(path) for path in ("/a/", "/b/", "/tag/t")] == [404, 404, "/tag/t/"]


def test_a_missing_slash(site, ask):
    """A path without its final slash leads to the page of a feed, of an archive or of an article, also a moved one."""
    site.configure(feeds={"limit": 1})
    site.article("a.md", title="A", tags=["T é"], category="c", date="2026-01-01")
    site.article("b.md", title="B", date="2026-01-02")
    site.publish()
    site.article("b.md", title="B", date="2026-01-02", slug="moved")
    site.publish(accept=True)
    assert ask("/tag/t-%C3%A9") == "/tag/t-%C3%A9/"
    assert [ask(path) for path in ("/category/c", "/archive/1", "/c/a", "/moved", "/b")] == [
        "/category/c/", "/archive/1/", "/c/a/", "/moved/", "/moved/",
    ]  # fmt: skip
    assert [ask(path) for path in ("/tag/none", "/category", "/nothing", "/rss.xml/", "/archive/99")] == [404] * 5


def test_an_alias_comes_first(site, app):
    """A former address that is an alias now serves the feed."""
    site.article("a.md", title="A", url="/news")
    site.publish()
    site.article("a.md", title="A", url="/a")
    site.configure(feeds={"aliases": {"/news": "/rss.xml"}})
    site.publish(accept=True)
    assert b"<rss" in app(site).get("/news").body


@both
def test_many_articles_move(site):
    """All articles move at once if the permalink changes; each former address is recorded once."""
    for number in range(1200):
        site.article(f"{number}.md", title=f"T{number}")
    site.publish()
    for pattern in ("/x/{slug}/", "/y/{slug}/", "/x/{slug}/", "/{slug}/"):
        site.configure(content={"permalink": pattern})
        site.publish(accept=True)
    with site.catalog.read_transaction() as catalog:
        first = catalog.moved_pages("", 10)
        assert first[0] == MovedPage("/x/0/", "/0/")
        assert len(catalog.moved_pages("", 10_000)) == 2400
        assert catalog.moved_pages("/y/998/", 10) == [MovedPage("/y/999/", "/999/")]


def test_former_addresses_are_saved_from_a_damaged_catalog(site, ask):
    """A catalog that is created again has the former addresses of the damaged one."""
    site.article("a.md", title="A")
    site.publish()
    site.article("a.md", title="A", slug="b")
    site.publish(accept=True)
    site.close()
    with contextlib.closing(sqlite3.connect(site.config.catalog)) as raw:
        raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (root,) = raw.execute("SELECT rootpage FROM sqlite_master WHERE name = 'entries'").fetchone()
        (size,) = raw.execute("PRAGMA page_size").fetchone()
    with site.config.catalog.open("r+b") as file:
        file.seek((root - 1) * size)
        file.write(b"\xff" * size)
    site.article("new.md", title="new")
    site.publish()
    assert list(site.config.catalog.parent.glob("*.damaged-*"))
    assert ask("/a/") == "/b/"


@pytest.mark.needs("nginx")
def test_an_export_behind_nginx(site, tmp_path):
    """nginx redirects the former addresses of an export, in one step; their files are removed."""
    site.configure(export={"hosts": ["nginx"]}, content={"permalink": "/{slug}.html"})
    for name in ("a", "é"):
        site.article(f"{name}.md", title=name)
    assert site.run("build").returncode == 0
    site.configure(content={"permalink": "/n/{slug}/"})
    assert site.run("build", "--accept").returncode == 0
    assert not (site.root / "public/a.html").exists()
    with exported(site, tmp_path) as get:
        for old, new in (("/a.html", "/n/a/"), ("/%C3%A9.html", "/n/%C3%A9/")):
            with get(old) as response:
                assert (response.status, response.url.endswith(new)) == (200, True)
        with pytest.raises(urllib.error.HTTPError, match="404") as error:
            get("/b.html")
        error.value.close()


def test_redirects_of_hosts(site):
    """Netlify, Cloudflare and Apache get a rule for each former address; without any, no _redirects is written."""
    public = site.root / "public"
    site.configure(export={"hosts": ["netlify", "cloudflare", "apache"]})
    site.article("a.b.md", title="A")
    site.article("c.md", title="C")
    assert site.run("build").returncode == 0
    assert not (public / "_redirects").exists()
    site.article("a.b.md", title="A", url="/é/")
    site.article("c.md", title="C", url="/c.html")  # hosts redirect one spelling to the other
    assert site.run("build", "--accept").returncode == 0
    assert (public / "_redirects").read_text("utf-8") == "# Made by feeds build.\n/a.b/ /%C3%A9/ 301\n"
    assert '\nRedirectMatch 308 "^/a\\.b/$" "/é/"\n' in (public / ".htaccess").read_text("utf-8")
    assert not (public / "a.b").exists()
    site.article("a.b.md", title="A", url="/a.b/")
    assert site.run("build", "--accept").returncode == 0
    assert "\n/a.b/ " not in (public / "_redirects").read_text("utf-8")


def test_rules_within_the_limits_of_hosts():
    """At most 2,000 plain addresses of together 95 kB become rules, and none that a host would read as a pattern."""
    moved = [MovedPage(f"/{number}/", f"/n/{number}/") for number in range(3000)]
    assert len(host_files.select_redirects(moved)) == 2000
    long = [MovedPage(f"/{number}/", f"/{'n' * 400}/{number}/") for number in range(3000)]
    rules = host_files.select_redirects(long)
    assert 94_000 < sum(len(f"{old}{new}") for old, new in rules.items()) < 96_000
    odd = [
        MovedPage(page, "/t/") for page in ("/a b/", "/*/", "/:x/", "/$1/", '/"/', "/a?/", "/p.png", f"/{'é' * 200}/")
    ]
    assert host_files.select_redirects(odd) == {}
    same = [MovedPage("/x/", "/X/"), MovedPage("/x", "/x/"), MovedPage("/x.html", "/x")]
    assert host_files.select_redirects(same) == {}


def test_pages_that_lead_on(site):
    """Without a host that redirects, each former address is a page that leads to the new one; it is removed in time."""
    public = site.root / "public"
    site.article("a.md", title="A", url="/old/é/")
    site.article("c.md", title="C", url="/c")
    assert site.run("build").returncode == 0
    site.article("a.md", title="A", url="/new/")
    site.article("c.md", title="C", url="/c/")  # hosts do that
    assert site.run("build", "--accept").returncode == 0
    page = (public / "old/é/index.html").read_text("utf-8")
    assert '<meta http-equiv="refresh" content="0; url=../../new/">' in page
    assert '<link rel="canonical" href="https://test.example/new/">' in page
    assert not (public / "c.html").exists()
    assert "nothing changed" in site.run("build", "-v").stderr
    site.article("b.md", title="B", url="/old/é/")
    assert site.run("build").returncode == 0
    assert "refresh" not in (public / "old/é/index.html").read_text("utf-8")
    site.article("b.md", title="B", url="/b/")
    (site.content / "a.md").unlink()
    assert site.run("build", "--accept").returncode == 0
    assert "../../b/" in (public / "old/é/index.html").read_text("utf-8")
    (site.content / "b.md").unlink()
    assert site.run("build", "--accept").returncode == 0
    assert not (public / "old").exists()


@pytest.mark.integration
@pytest.mark.parametrize("hosts", [[], ["netlify"]])
def test_the_old_page_is_purged(site, hosts):
    """Caches discard the old page when it becomes a redirect, whether a file stays at its path or not."""
    site.article("a.md", title="A")
    with cdn() as cache:
        site.configure(export={"purge": f"PURGE http://{cache.address}{{path}}", "hosts": hosts})
        assert site.run("build").returncode == 0
        cache.asked.clear()
        site.article("a.md", title="A", slug="b")
        assert site.run("build", "--accept").returncode == 0
        asked = {path for _, path, _ in cache.asked}
        assert {"/a/", "/a/index.html", "/b/", "/b/index.html"} <= asked


@pytest.mark.databases("sqlite", "postgres")
def test_a_live_page_is_never_a_former_address(site):
    """An article that had the address of another one only while it was a draft leaves no redirect there."""
    site.configure(site={"pages": True}, export={"hosts": ["nginx"]})
    site.article("zero.md", title="Zero", slug="b")
    site.article("one.md", title="One", slug="a")
    site.publish()
    site.article("one.md", title="One", slug="b", draft=True)
    site.publish(accept=True)
    site.article("one.md", title="One", slug="c")
    site.publish(accept=True)
    with site.catalog.read_transaction() as catalog:
        assert [moved.page for moved in catalog.moved_pages("", 9)] == ["/a/"]


def test_an_owners_own_redirects_are_kept(site):
    """A `_redirects` that the owner has written is left alone, and each former address is a page with a link."""
    site.configure(site={"pages": True}, export={"hosts": ["netlify"]})
    site.article("a.md", title="A")
    assert site.run("build").returncode == 0
    public = site.root / "public"
    (public / "_redirects").write_text("/x /y 301\n")
    site.article("a.md", title="A", slug="b")
    result = site.run("build", "--accept")
    assert (result.returncode, result.stderr) == (0, "")
    assert (public / "_redirects").read_text() == "/x /y 301\n"
    assert "../b/" in (public / "a/index.html").read_text("utf-8")
    (public / "_redirects").unlink()
    assert site.run("build").returncode == 0
    assert "/a/ /b/ 301" in (public / "_redirects").read_text()
    assert not (public / "a").exists()
