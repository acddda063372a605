"""`feeds serve --preview` and `--open`: links lead to the local server, and nothing else differs from the published site."""

import re
import sqlite3
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds import config
from feeds.render.relocation import move_html, move_url
from feeds.web import create_app_from

LOCAL = "http://127.0.0.1:8000"
PUBLIC = "https://test.example"
DOCUMENTS = ("/rss.xml", "/atom.xml", "/feed.json", "/tag/t/rss.xml", "/feeds.opml")
PAGES = ("/", "/a/", "/b/", "/tag/t/", "/author/ann/")
LINK = re.compile(r'<(?:a|img|link|script|audio|video)\b[^>]* (?:href|src)="([^"]*)"')


@pytest.fixture
def previewed(site):
    """Return a published site whose articles link to each other, and to pages of other sites, in every way."""
    site.configure(
        site={"pages": True, "icon": "/i.png", "author": {"name": "Ann", "url": f"{PUBLIC}/about/"}}, feeds={"limit": 2}
    )
    site.article("a.md", f"[b](b.md) [own]({PUBLIC}/b/#x) [other](https://other.example/a) `{PUBLIC}/code`\n\n![](p.png)",
                 title="A", tags=["t"], image="p.png", audio="p.mp3")  # fmt: skip
    site.article("b.md", "Text.", title="B", link=f"{PUBLIC}/b/", id=f"{PUBLIC}/the-id", tags=["t"])
    site.article("c.md", "Text.", title="C", date="2026-01-01")
    site.write("p.png", b"png")
    site.publish()
    return site


def test_documents_link_to_the_server(app, previewed):
    """Every URL of the site in a document is one of the server; ids, and texts that are not links, stay as they are."""
    public, local = app(previewed), app(previewed, preview_url=LOCAL)
    for path in DOCUMENTS:
        expected = public.get(path).body.decode().replace(PUBLIC, LOCAL)
        for kept in ("/the-id", "/code"):
            expected = expected.replace(f"{LOCAL}{kept}", f"{PUBLIC}{kept}")
        body = local.get(path).body.decode()
        assert body.replace(f"{PUBLIC}/the-id", "").count(PUBLIC) == expected.replace(f"{PUBLIC}/the-id", "").count(
            PUBLIC
        )
        assert body == expected
    assert "/archive/1/" in local.get("/rss.xml").body.decode()


def test_pages_link_to_the_server(app, previewed):
    """No link of a page leads to the public address of the site, and each leads to a page or a file of the server."""
    server = app(previewed, preview_url=LOCAL)
    for page in PAGES:
        body = server.get(page).body.decode()
        links = LINK.findall(body)
        assert links
        assert not [link for link in links if link.startswith(PUBLIC)]
    assert f"<code>{PUBLIC}/code</code>" in server.get("/a/").body.decode()
    assert 'href="https://other.example/a"' in server.get("/a/").body.decode()


def test_links_of_public_pages_are_relative(app, previewed):
    """Pages outside of a preview too have relative links, and only give their address to readers and search engines."""
    server = app(previewed)
    for page in PAGES:
        body = re.sub(
            r'<link rel="(?:canonical|alternate)"[^>]*>|href="feed:[^"]*"', "", server.get(page).body.decode()
        )
        assert not [link for link in LINK.findall(body) if link.startswith((PUBLIC, "/"))]
        assert f'<link rel="canonical" href="{PUBLIC}{page}">' in server.get(page).body.decode()


def test_without_pages_articles_are_elsewhere(app, site):
    """If another program serves the articles, entries link to it, and feeds and their pages to the server."""
    site.article("a.md", "[b](b.md)", title="A")
    site.publish()
    server = app(site, preview_url=LOCAL)
    body = server.get("/").body.decode()
    assert f'href="{PUBLIC}/a/"' in body
    assert f"<code>{LOCAL}/rss.xml</code>" in body
    assert f'href="{LOCAL}/static/feed.css"' in server.get("/rss.xml").body.decode()


def test_a_preview_changes_nothing_else(app, previewed):
    """A preview writes nothing to the catalog, counts no subscriber, and the next export writes no file."""
    previewed.configure(server={"deltas": True})
    assert previewed.run("build").returncode == 0
    before = previewed.documents(archives=True)

    def rows():
        with closing(sqlite3.connect(previewed.config.catalog)) as catalog:
            return list(catalog.iterdump())

    stored = rows()
    server = app(previewed, preview_url=LOCAL)
    for path in (*DOCUMENTS, *PAGES):
        assert server.get(path, User_Agent="Feedly/1.0 (9 subscribers)").status == 200
    server.close()
    assert rows() == stored
    assert previewed.documents(archives=True) == before
    assert "nothing changed" in previewed.run("build", "-v").stderr


def test_browsers_ask_again(app, previewed):
    """In a preview, browsers use no document, page or picture without asking whether it was changed."""
    server = app(previewed, preview_url=LOCAL)
    for path in (*DOCUMENTS, *PAGES, "/p.png"):
        response = server.get(path)
        assert response.status == 200
        assert re.search(r"max-age=0\b|no-cache", response.headers["Cache-Control"]), path
        assert server.get(path, If_None_Match=response.headers["ETag"]).status == 304
    assert "max-age=0" not in app(previewed).get("/p.png").headers["Cache-Control"]


def test_the_script_of_a_preview(app, previewed):
    """Only pages of a preview load the script that reloads them, from the server, and no export contains it."""
    server = app(previewed, preview_url=LOCAL)
    for page in PAGES:
        script = f'<script src="{"../" * (page.count("/") - 1) or "./"}static/reload.js" defer></script>'
        assert script in server.get(page).body.decode()
        assert "reload.js" not in app(previewed).get(page).body.decode()
    assert server.get("/static/reload.js").headers["Content-Type"].startswith("text/javascript")
    previewed.run("build")
    assert not list((previewed.root / "public").rglob("reload.js"))


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--preview", "--host", "0.0.0.0"], "--preview lets links lead to this machine, so use --host 127.0.0.1"),
        (["--preview", "--role", "publisher"], "--preview needs the pages, which publishers do not serve"),
        (["--open", "--role", "publisher"], "--open needs the pages, which publishers do not serve"),
    ],
)
def test_wrong_usage(site, options, reason):
    """A preview for other machines, and one without pages, are usage errors."""
    done = site.run("serve", *options)
    assert done.returncode == 2
    assert reason in done.stderr


@pytest.mark.parametrize("options", [["--preview"], ["--drafts"], ["--preview", "--role", "web"]], ids=str)
def test_serving_a_preview(serve, previewed, options):
    """Each worker links to the address that the command prints, and a changed configuration takes effect there."""
    server = serve(previewed, *options, "--workers", "2")
    server.wait_for(lambda: "preview: links lead to this server" in server.log.read_text())
    here = f"http://127.0.0.1:{server.port}"
    bodies = {server.get("/rss.xml").body for _ in range(20)}
    assert len(bodies) == 1
    assert f"<link>{here}/a/</link>".encode() in bodies.pop()
    previewed.configure(site={"url": "https://moved.example", "title": "Moved"})
    server.wait_for(lambda: b"<span>Moved</span></a></h1>" in server.get("/").body)
    assert f"<code>{here}/rss.xml</code>".encode() in server.get("/").body
    assert b"moved.example" not in server.get("/").body


@pytest.fixture
def browser(tmp_path, monkeypatch):
    """Make a script the browser; return the file to which it writes each URL that it opens."""
    opened = tmp_path / "opened"
    script = tmp_path / "browser"
    script.write_text(f'#!/bin/sh\necho "$1" >> {opened}\n')
    script.chmod(0o755)
    monkeypatch.setenv("BROWSER", str(script))
    return opened


@pytest.mark.parametrize(("host", "is_preview"), [("127.0.0.1", True), ("0.0.0.0", False)])
def test_opening_the_browser(serve, site, browser, host, is_preview):
    """`--open` opens the page once, when it is served; it implies a preview if only this machine can reach the server."""
    site.configure(site={"pages": True})
    site.article("a.md", title="a")
    server = serve(site, "--open", "--host", host)
    server.wait_for(browser.exists)
    server.wait_for(lambda: browser.read_text() == f"http://127.0.0.1:{server.port}/\n")
    assert server.get("/").status == 200
    assert (b"reload.js" in server.get("/").body) == is_preview


def test_no_browser(serve, site, monkeypatch):
    """If no browser can be opened, `--open` prints the address, and the server runs."""
    for name in ("BROWSER", "DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    server = serve(site, "--open")
    message = f"no browser can be opened here; open http://127.0.0.1:{server.port}/ in yours"
    server.wait_for(lambda: message in server.log.read_text())
    assert server.stop() == 0


@pytest.mark.parametrize(
    ("url", "moved"),
    [
        ("https://a.example", "http://b"), ("https://a.example/", "http://b/"), ("https://a.example/x?y#z", "http://b/x?y#z"),
        ("https://a.example?q", "http://b?q"), ("https://a.example.evil/", "https://a.example.evil/"),
        ("https://a.example:8000/", "https://a.example:8000/"), ("http://a.example/", "http://a.example/"),
        ("mailto:x@a.example", "mailto:x@a.example"), ("", ""),
    ],
)  # fmt: skip
def test_moving_a_url(url, moved):
    """A URL moves if it is the base or below it."""
    assert move_url(url, "https://a.example", "http://b") == moved
    html = f'<p><a href="{url}">x</a></p>'
    assert move_html(html, "https://a.example", "http://b") == f'<p><a href="{moved}">x</a></p>'


@pytest.mark.parametrize(
    ("html", "moved"),
    [
        ('<img src="https://a.example/x" srcset="https://a.example/y 1x, https://a.example/z 2x" alt="https://a.example/t">',
         '<img src="http://b/x" srcset="http://b/y 1x, http://b/z 2x" alt="https://a.example/t">'),
        ('<p>="https://a.example/x" href="https://a.example/"</p>', None),
        ('<pre><code>&lt;a href="https://a.example/"&gt;</code></pre>', None),
        ('<a title="a > b" href="https://a.example/">', '<a title="a > b" href="http://b/">'),
        ('<a href="https://c.example/?u=https://a.example/">', None),
        ('<video poster="https://a.example/p" src="https://a.example/v"></video>', '<video poster="http://b/p" src="http://b/v"></video>'),
        ('<blockquote cite="https://a.example/p">', '<blockquote cite="http://b/p">'),
    ],
)  # fmt: skip
def test_moving_html(html, moved):
    """URLs in attributes that lead somewhere move; texts, code and other attributes stay."""
    assert move_html(html, "https://a.example", "http://b") == (moved or html)


@given(st.text('<a href="https://a.example/">=,?x', max_size=60))
def test_moving_any_html(html):
    """Any text keeps everything but the base, and moving it back gives the text."""
    moved = move_html(html, "https://a.example", "http://b.example")
    assert moved.replace("http://b.example", "https://a.example") == html.replace(
        "http://b.example", "https://a.example"
    )


def test_a_preview_does_not_let_browsers_cache_redirects(site):
    """As pages of a preview, a redirect is asked for again each time: who renames an article back must not loop."""
    site.configure(site={"pages": True})
    site.article("a.md", title="A")
    site.publish()
    site.article("a.md", title="A", slug="b")
    site.publish(accept=True)
    settings = config.load(site.root / "config.yaml", {})
    application = create_app_from(settings, preview_url="http://127.0.0.1:8000")
    response = application.test_client().get("/a/")
    application.extensions["feeds.close"]()
    assert response.status_code == 308
    assert "max-age=0" in response.headers["Cache-Control"]
