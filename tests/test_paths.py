"""Public paths: each path has one owner, in the server and in the export, whatever articles set."""

import os
import tempfile
from contextlib import contextmanager
from datetime import UTC
from pathlib import Path

import pytest
from conftest import App, Site, run
from hypothesis import given
from hypothesis import strategies as st

from feeds.core import paths, syndication
from feeds.core.errors import ConfigError
from feeds.core.model import Site as Facts
from feeds.core.parse import article as articles

SITE = Facts("T", "https://test.example", "https://test.example", "test.example", pages=True)


def exported(site):
    """Return the paths of the exported files, without compressed copies."""
    public = site.root / "public"
    return {f"/{file.relative_to(public)}" for file in public.rglob("*") if file.is_file()}


TAKEN = (
    "/static/page.css/", "/static/page.css", "/static/page.css.gz/", "/static/feed.css/x/", "/rss.xml.gz/", "/rss.xml/", "/a/feed.json.br/x/",
    "/feeds.opml.zst/", "/_headers/", "/_headers", "/_redirects", "/404.html", "/404", "/404.html/x/", "/feeds.nginx.conf/", "/index.html/", "/index.html", "/index", "/index.html.gz/x/", "/",
    "/robots.txt", "/robots.txt/", "/ads.txt", "/CNAME", "/sitemap.xml/x/", "/preview/", "/preview/x/", "/healthz", "/stats/", "/hub",
    "/category/x/", "/tag/x/index.html", "/author/jane/", "/category/x/index.html/y/", "/archive/3/", "/tag/x/archive/12/", "/old/", "/old.xml", "/kept/index.html",
)  # fmt: skip


def test_addresses_that_are_taken(site):
    """An article whose address is already used is rejected with the line of its link; all others are published."""
    site.configure(
        site={"pages": True},
        feeds={"aliases": {"/old/": "/rss.xml", "/old.xml": "/rss.xml", "/kept/": "/atom.xml"}},
        export={"precompressed": ["gzip", "br"], "hosts": ["netlify", "nginx"]},
    )
    for number, link in enumerate(TAKEN):
        site.article(f"{number:02}.md", title="A", link=link, category="x", tags=["x"], author="jane")
    site.article("b.md", title="B", category="x", tags=["x"], author="jane")
    done = site.run("build")
    assert done.returncode == 1
    assert [line.split(" ")[0] for line in done.stderr.splitlines()] == [
        f"content/{number:02}.md:4:" for number in range(len(TAKEN))
    ]
    assert site.items().keys() == {"B"}
    assert "/x/b/index.html" in exported(site)
    assert not [path for path in exported(site) if "robots" in path]
    assert site.run("check").stdout.count("(refused)") == len(TAKEN)


FREE = ("/static/q/", "/robots/", "/category/", "/x.html", "/a/index.html", "/archive/2024/", "/preview-of-x/", "/css/page.css/", "/hosts/_headers/", "/tag",
        "/healthz/x/", "/old/x/")  # fmt: skip


def test_addresses_that_are_free(site, app):
    """An address that only resembles a reserved one has a page, in the server and in the export."""
    site.configure(site={"pages": True}, feeds={"aliases": {"/old/": "/rss.xml"}})
    for number, link in enumerate(FREE):
        site.article(f"{number}.md", f"Text {number}.", title="A", link=link)
    done = site.run("build")
    assert (done.returncode, done.stderr) == (0, "")
    server = app(site)
    for number, link in enumerate(FREE):
        assert f"Text {number}.".encode() in server.get(link).body, link
        assert f"Text {number}." in (site.root / "public" / paths.file_of_page(link)[1:]).read_text()


def test_a_site_with_another_home_links_anywhere(site):
    """Without site.pages, the links of articles may be any path of the website."""
    site.article("a.md", title="A", link="/robots.txt")
    site.article("b.md", title="B", link="/robots.txt")
    assert site.run("build").returncode == 0
    assert site.items().keys() == {"A", "B"}


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("/x/", "/x/"), ("/x.html", "/x"), ("/x", "/x.html"), ("/x/", "/x/index.html"), ("/x/", "/x/index"), ("/x.html", "/x.html/y/"),
        ("/x.html/y/", "/x.html"), ("/x.html/y/", "/x"), ("/x/", "/x/index.html/y/"), ("/x", "/x.html.gz/y/"), ("/a/x.htm/y/z.html", "/a/x.htm"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("order", ["ab", "ba"])
def test_addresses_that_exclude_each_other(site, app, first, second, order):
    """Of two articles that can't both be exported, the later one is rejected, whichever is read first."""
    site.configure(site={"pages": True}, export={"precompressed": ["gzip"]})
    site.article(f"{order[0]}.md", "First.", title="First", link=first, date="2026-01-01")
    site.article(f"{order[1]}.md", "Second.", title="Second", link=second, date="2026-02-01")
    site.article("c.md", title="Third")
    for _ in range(2):
        done = site.run("build", "-v")
        assert done.returncode == 1
        assert done.stderr.startswith(f"content/{order[1]}.md:"), done.stderr
        assert f"{order[0]}.md" in done.stderr
    assert site.items().keys() == {"First", "Third"}
    assert b"First." in app(site).get(first).body
    assert "First." in (site.root / "public" / paths.file_of_page(first)[1:]).read_text()
    assert f"content/{order[1]}.md:" in site.run("check").stdout
    (site.content / f"{order[0]}.md").unlink()
    assert site.run("build", "--accept").returncode == 0
    assert site.items().keys() == {"Second", "Third"}


@pytest.mark.databases("sqlite", "postgres")
def test_what_is_published_keeps_its_address(site, app):
    """A new article with an earlier date, or an edited one, can't take the address of a live article."""
    site.configure(site={"pages": True})
    site.article("a.md", "Mine.", title="A", link="/x/", date="2026-03-01")
    site.article("b.md", "Before.", title="B", link="/y/", date="2026-02-01")
    site.publish()
    site.article("b.md", "After.", title="B", link="/x/", date="2026-02-01")
    site.article("c.md", "Early.", title="C", link="/x/", date="2020-01-01")
    outcome = site.publish()
    assert [one.path for one in outcome.rejected] == ["b.md", "c.md"]
    server = app(site)
    assert b"Mine." in server.get("/x/").body
    assert b"Before." in server.get("/y/").body
    assert site.items().keys() == {"A", "B"}


@pytest.mark.databases("sqlite", "postgres")
def test_an_edit_that_needs_a_folder(site):
    """An edit that needs a folder in place of a live article's file is rejected, and so is the reverse."""
    site.configure(site={"pages": True})
    site.article("a.md", title="A", link="/x.html", date="2026-03-01")
    site.article("b.md", title="B", link="/b/", date="2026-02-01")
    site.publish()
    site.article("b.md", title="B2", link="/x.html/b/", date="2026-02-01")
    assert [(one.path, one.line) for one in site.publish().rejected] == [("b.md", 1)]
    assert site.items().keys() == {"A", "B"}
    (site.content / "a.md").unlink()
    assert not site.publish(accept=True).rejected
    site.article("c.md", title="C", link="/x", date="2026-01-01")
    assert [one.path for one in site.publish().rejected] == ["c.md"]
    assert site.items().keys() == {"B2"}


def test_articles_may_exchange_addresses(site, app):
    """Two articles that exchange their addresses in one run are both published."""
    site.configure(site={"pages": True})
    for name, link in (("a", "/x/"), ("b", "/y/")):
        site.article(f"{name}.md", f"Text {name}.", title=name, link=link)
    site.publish()
    for name, link in (("a", "/y/"), ("b", "/x/")):
        site.article(f"{name}.md", f"Text {name}.", title=name, link=link)
    assert not site.publish().rejected
    assert b"Text b." in app(site).get("/x/").body


@pytest.mark.databases("sqlite", "postgres")
@pytest.mark.parametrize("is_edited", [False, True])
def test_a_moved_file_does_not_take_an_address(site, app, is_edited):
    """A file that moves to the address of another live article is rejected, and its article stays where it was."""
    site.configure(site={"pages": True}, content={"permalink": "/{slug}/"})
    site.article("first.md", "First.", title="first", id="urn:x:1")
    site.article("other.md", title="other", slug="taken")
    site.publish()
    before = site.items()
    (site.content / "first.md").rename(site.content / "taken.md")
    if is_edited:
        site.article("taken.md", "Edited.", title="edited", id="urn:x:1")
    for _ in range(2):
        rejected = site.publish().rejected
        assert [
            (file.path, "its address /taken/ is also the address of other.md" in file.reason) for file in rejected
        ] == [("taken.md", True)]
        assert site.items() == before
    serving = app(site)
    assert b"<p>First.</p>" in serving.get("/first/").body
    assert b"other" in serving.get("/taken/").body
    site.article("other.md", title="other", slug="free")
    assert not site.publish().rejected
    assert {title: item["url"].rpartition("example")[2] for title, item in site.items().items()} == {
        "edited" if is_edited else "first": "/taken/",
        "other": "/free/",
    }


@pytest.mark.databases("sqlite", "postgres")
def test_moved_files_may_exchange_addresses(site):
    """Files that exchange their names, move on in a chain, or replace a deleted file keep their ids, and none is rejected."""
    site.configure(site={"pages": True}, content={"permalink": "/{slug}/"})
    for name in ("a", "b", "c", "d", "e"):
        site.article(f"{name}.md", f"Text of {name}.", title=name)
    site.publish()
    ids = {title: item["id"] for title, item in site.items().items()}
    moves = {"a": "b", "b": "a", "c": "d", "d": "f"}
    for name in moves:
        (site.content / f"{name}.md").rename(site.content / f"{name}.moved")
    (site.content / "e.md").unlink()
    for name, target in (moves | {"c": "e"}).items():
        (site.content / f"{name}.moved").rename(site.content / f"{target}.md")
    assert not site.publish().rejected
    assert {title: (item["id"], item["url"].rpartition("example")[2]) for title, item in site.items().items()} == {
        "a": (ids["a"], "/b/"),
        "b": (ids["b"], "/a/"),
        "c": (ids["c"], "/e/"),
        "d": (ids["d"], "/f/"),
    }


@pytest.mark.parametrize("rows", [2, 100])
def test_edits_that_move_on_in_a_chain(site, monkeypatch, rows):
    """If the last of many articles that take each other's addresses can't move, none moves, however many are read at once."""
    monkeypatch.setattr("feeds.publish.commit._PAGE_ROWS", rows)
    site.configure(site={"pages": True}, content={"permalink": "/{slug}/"})
    for number in range(6):
        site.article(f"p{number}.md", title=f"P{number}", slug=f"s{number}")
    site.publish()
    before = site.items()
    for number in range(5):
        site.article(f"p{number}.md", title=f"P{number}", slug=f"s{number + 1}")
    assert [file.path for file in site.publish().rejected] == [f"p{number}.md" for number in range(5)]
    assert site.items() == before
    site.article("p5.md", title="P5", slug="s0")
    assert not site.publish().rejected
    assert site.items()["P4"]["url"].endswith("/s5/")


@pytest.mark.parametrize("rows", [1, 100])
def test_an_article_whose_id_is_rejected_keeps_its_address(site, monkeypatch, rows):
    """Another article does not get the address of one whose edit is rejected because of its id."""
    monkeypatch.setattr("feeds.publish.commit._PAGE_ROWS", rows)
    site.configure(site={"pages": True}, content={"permalink": "/{slug}/"}, feeds={"guard": 1})
    site.article("w.md", title="W", id="urn:x:w")
    site.article("x.md", title="X")
    site.article("a.md", title="A")
    site.publish()
    before = site.items()
    site.article("x.md", title="X", slug="z", id="urn:x:w")
    site.article("a.md", title="A", slug="x")
    for _ in range(2):
        rejected = {file.path: file.reason for file in site.publish().rejected}
        assert rejected["x.md"].startswith("id: ") and "its address /x/" in rejected["a.md"]
        assert site.items() == before


def test_drafts_and_what_is_over_hold_no_address(site):
    """Drafts and expired articles release their address; a scheduled article that conflicts is rejected early."""
    site.configure(site={"pages": True})
    site.article("a.md", title="A", link="/x/", date="2026-01-01", draft=True)
    site.article("b.md", title="B", link="/x/", date="2026-01-02", expires="2026-01-03")
    site.article("c.md", title="C", link="/x/", date="2026-01-04")
    site.article("d.md", title="D", link="/x/", date="2027-01-01")
    assert [one.path for one in site.publish().rejected] == ["d.md"]
    assert site.items().keys() == {"C"}


def test_an_alias_that_comes_later(site, app):
    """An alias takes its path from an article's page: this is reported, and the entry stays in the feeds."""
    site.configure(site={"pages": True})
    site.article("a.md", "Text.", title="A", link="/old.html")
    assert site.run("build").returncode == 0
    site.configure(feeds={"aliases": {"/old.html": "/rss.xml"}})
    done = site.run("build")
    assert (done.returncode, done.stderr.count("content/a.md:")) == (1, 1)
    assert site.items().keys() == {"A"}
    assert app(site).get("/old.html").body.startswith(b"<?xml")
    assert (site.root / "public/old.html").read_bytes().startswith(b"<?xml")
    site.configure(feeds={"aliases": {"/older.html": "/rss.xml"}})
    assert site.run("build").returncode == 0
    assert b"Text." in (site.root / "public/old.html").read_bytes()


@pytest.mark.parametrize("alias", ["/preview/", "/preview", "/preview/x", "/rss.xml.gz", "/rss.xml/x", "/static/page.css", "/hub", "/_headers", "/404.html",
                                   "/category/x/atom.xml.br", "/.feeds-manifest.json", "/.htaccess", "/a/../b.xml", "/a\0b.xml", "/static"])  # fmt: skip
def test_aliases_that_can_not_be(site, alias):
    """An alias at a path with another owner is a mistake in the configuration."""
    site.configure(feeds={"aliases": {alias: "/atom.xml"}})
    with pytest.raises(ConfigError):
        _ = site.config


def test_an_alias_in_the_way_of_files(site, app):
    """An alias that would be a file in place of a folder of the export, or the reverse, is served and not exported."""
    site.configure(
        site={"pages": True},
        feeds={"aliases": {"/blog": "/rss.xml", "/tag": "/rss.xml", "/a": "/rss.xml", "/a/b": "/atom.xml"}},
    )
    site.article("a.md", "Text.", title="A", link="/blog/a/", tags=["x"])
    done = site.run("build")
    assert done.returncode == 0
    left_out = [line.split(":")[1].split()[0] for line in done.stderr.splitlines()]
    assert sorted(left_out) == ["/a/b", "/blog", "/tag"]
    server = app(site)
    assert {server.get(path).status for path in ("/blog", "/tag", "/a", "/a/b", "/blog/a/", "/tag/x/")} == {200}
    found = exported(site)
    assert {"/a", "/blog/a/index.html", "/tag/x/rss.xml"} <= found
    assert site.run("check").stdout.count("(configuration)") == 3


def test_files_yield_to_pages(site, app):
    """A file is neither served nor exported if a page needs its path, or if it looks like a compressed page."""
    site.configure(
        site={"pages": True}, export={"precompressed": ["gzip"]}, feeds={"aliases": {"/old.json": "/feed.json"}}
    )
    names = (
        "x.png",
        "y.html/z.png",
        "own/index.html.gz",
        "static/page.css.gz",
        "robots.txt",
        "old.json",
        "old.json.gz",
        "own/fine.png",
        "manifest.json",
    )
    text = " ".join(f"![x](/{name})" for name in names) + " ![x](/x.png) [gz](/robots.txt)"
    site.article("own/index.md", text, title="A")
    site.article("b.md", "B.", title="B", link="/x.png/")
    site.article("c.md", "C.", title="C", link="/y.html")
    site.article("d.md", "D.", title="D", link="/own/in.png/")
    for name in (*names, "own/in.png"):
        site.write(name, "file")
    assert site.run("build").returncode == 0
    server, tree = app(site), exported(site)
    for name in (*names, "own/in.png"):
        fine = name == "own/fine.png"
        assert (server.get(f"/{name}").body == b"file") == fine, name
        file = site.root / "public" / name
        assert (file.is_file() and file.read_bytes() == b"file") == fine, name
    assert {"/x.png/index.html", "/y.html", "/own/in.png/index.html"} <= tree


SEGMENTS = ("a", "x.html", "x", "index.html", "index", "rss.xml", "rss.xml.gz", "x.html.gz", "static", "page.css", "tag", "news", "archive", "1", "_headers", "preview", "A.htm",
            "robots.txt", "x.png", "feed")  # fmt: skip
PATHS = st.lists(st.sampled_from(SEGMENTS), min_size=1, max_size=3).flatmap(
    lambda parts: st.sampled_from([f"/{'/'.join(parts)}", f"/{'/'.join(parts)}/"])
)


@given(st.lists(PATHS, min_size=1, max_size=7), st.lists(PATHS, max_size=3))
def test_any_addresses_build(links, aliases):
    """For any articles and aliases, a build writes all accepted articles, and the server serves the same."""
    with tempfile.TemporaryDirectory() as folder:
        site = Site(Path(folder) / "site")
        site.configure(
            site={"pages": True}, export={"precompressed": ["gzip"], "hosts": ["netlify"]}, feeds={"guard": 1.0}
        )
        fine = []
        for alias in dict.fromkeys(aliases):
            site.configure(feeds={"aliases": {**dict.fromkeys(fine, "/rss.xml"), alias: "/rss.xml"}})
            try:
                _ = site.config
            except ConfigError:
                continue
            fine.append(alias)
        site.configure(feeds={"aliases": dict.fromkeys(fine, "/rss.xml")})
        for number, link in enumerate(links):
            site.article(
                f"{number}.md",
                f"Text {number}.",
                title=f"T{number}",
                link=link,
                date=f"2026-01-{number + 1:02}",
                tags=["news"],
            )
        done = site.run("build")
        refused = {line.split(":")[0] for line in done.stderr.splitlines() if line.startswith("content/")}
        assert done.returncode == bool(refused), done.stderr
        live = {f"T{number}": link for number, link in enumerate(links) if f"content/{number}.md" not in refused}
        assert site.items().keys() == live.keys()
        server = App(site.root)
        try:
            for title, link in live.items():
                written = (site.root / "public" / paths.file_of_page(link)[1:]).read_bytes()
                assert server.get(link).body == written
                assert f"Text {title[1:]}.".encode() in written
            alone = {line.split(" ")[1] for line in done.stderr.splitlines() if line.startswith("feeds.aliases: ")}
            for alias in fine:
                answer = server.get(alias)
                assert answer.status == 200
                if alias not in alone and not alias.endswith("/"):
                    assert (site.root / "public" / alias[1:]).read_bytes() == answer.body
        finally:
            server.close()
            site.close()


@given(PATHS)
def test_the_file_of_a_page(page):
    """The file of a page determines the pages that it can belong to, and a static host finds it at each."""
    file = paths.file_of_page(page)
    assert page in paths.pages_of_file(file)
    assert all(paths.file_of_page(one) == file for one in paths.pages_of_file(file))
    assert file.endswith((".html", ".htm"))


@given(st.lists(PATHS, min_size=2, max_size=6))
def test_claimed_paths_form_a_tree(files):
    """Accepted files can be in one folder: none occurs twice, and none is in place of another's folder."""
    places = paths.PathRegistry(watched=files)
    taken = [file for file in (path.removesuffix("/") for path in files) if places.claim([file])]
    assert len(set(taken)) == len(taken)
    assert not any(one.startswith(f"{other}/") for one in taken for other in taken)
    assert taken[0] == files[0].removesuffix("/")


@contextmanager
def somebody():
    """Run the block as a user who is not root, so that permissions apply."""
    if os.geteuid():
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def open_site():
    """Yield a site in a folder that every user may enter."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        made = Site(Path(folder) / "site")
        if not os.geteuid():
            for place in (made.root, made.content):
                os.chown(place, 65534, 65534)
        with somebody():
            yield made
        made.close()
        for place in made.content.rglob("*"):
            if place.is_dir():
                place.chmod(0o755)


def test_an_unreadable_folder_affects_itself(open_site):
    """Articles in an unreadable folder stay published; the folder is reported once, and read as soon as it can be."""
    site = open_site
    site.configure(site={"pages": True}, feeds={"guard": 1.0})
    site.article("in/x/a.md", "Old.", title="A")
    site.article("own/index.md", "Own.", title="Own")
    site.write("own/pictures/p.png", "png")
    site.article("z.md", title="Z")
    assert site.run("build").returncode == 0
    (site.content / "in").chmod(0)
    (site.content / "own/pictures").chmod(0)
    site.article("z.md", "New.", title="Z2")
    for _ in range(2):
        done = site.run("build", "-v")
        assert done.returncode == 1
        assert "content/in/:1: can't be listed: Permission denied" in done.stderr
        assert site.items().keys() == {"A", "Own", "Z2"}

        assert "/own/pictures/p.png" in exported(site)
    assert [one.path for one in site.publish(only=["in/x/a.md"]).rejected] == ["in/", "own/pictures/"]
    assert site.items().keys() == {"A", "Own", "Z2"}
    assert "content/in:1: error:" in site.run("check").stdout
    (site.content / "own/pictures").chmod(0o755)
    (site.content / "in").chmod(0o755)
    (site.content / "in/x/a.md").unlink()
    assert site.run("build").returncode == 0
    assert site.items().keys() == {"Own", "Z2"}


def test_a_folder_that_is_nested_too_deeply_affects_itself(site):
    """Folders deeper than the system's longest path are reported, and all other articles are published."""
    site.article("a.md", title="A")
    here, name = os.open(site.content, os.O_RDONLY), "d" * 200
    for _ in range(25):
        os.mkdir(name, dir_fd=here)
        deeper = os.open(name, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = deeper
    os.close(os.open("x.md", os.O_CREAT | os.O_WRONLY, dir_fd=here))
    os.close(here)
    site.article("z.md", title="Z")
    done = site.run("build")
    assert done.returncode == 1
    assert "File name too long" in done.stderr
    assert site.items().keys() == {"A", "Z"}


def test_the_owner_of_a_path_depends_on_the_feeds_that_there_are():
    """Kinds of feeds that are disabled reserve no paths, and neither do disabled archives."""
    link = {
        path: articles.parse_article(f"---\ndate: 2026-01-01\nlink: {path}\n---\n".encode(), "x.md", UTC)
        for path in ("/tag/x/", "/archive/3/")
    }
    bare = Facts("T", "https://test.example", "https://test.example", "test.example", pages=True, by=(), archives=False)
    for path, read in link.items():
        assert syndication.page_path(read, SITE) is None
        assert syndication.page_path(read, bare) == path


def test_a_command_reports_conflicts_from_its_own_folder(site):
    """`feeds check` finds a conflict before the first publication, and writes nothing."""
    site.configure(site={"pages": True})
    site.article("a.md", title="A", link="/x.html", date="2026-01-01")
    site.article("b.md", title="B", link="/x.html/y/", date="2026-02-01")
    done = run("check", cwd=site.root)
    assert done.returncode == 1
    assert "content/b.md:" in done.stdout
    assert not (site.root / ".feeds").exists()
