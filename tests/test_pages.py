"""HTML pages: feeds with the ways to subscribe, articles, OPML, and the preview for authors."""

import json
import re
import shutil
import subprocess
import time
from datetime import UTC, datetime
from html.parser import HTMLParser
from itertools import pairwise
from urllib.parse import unquote, urljoin, urlsplit

import pytest
from conftest import REPOSITORY, App, InProcessSandbox, Site
from lxml import etree

from feeds import pages
from feeds.core import syndication
from feeds.core.formats import opml
from feeds.core.model import FeedState
from feeds.core.model import Site as Facts
from feeds.core.parse import article as articles

VOID = {"meta", "link", "br", "img", "input", "hr", "source", "wbr"}


class Page(HTMLParser):
    """A parsed page: its elements as (tag, attributes, text), and whether all tags are closed in order."""

    def __init__(self, body):
        super().__init__()
        self.elements, self.open = [], []
        self.feed(body.decode())
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.elements.append([tag, dict(attributes), ""])
        if tag not in VOID:
            self.open.append(self.elements[-1])

    def handle_endtag(self, tag):
        assert self.open.pop()[0] == tag

    def handle_data(self, data):
        for element in self.open:
            element[2] += data

    def all(self, tag, **attributes):
        """Return the elements with these attributes (`class_` for one word of class)."""
        wanted = {name.rstrip("_").replace("_", "-"): value for name, value in attributes.items()}
        return [
            one for one in self.elements
            if one[0] == tag and all(value in (one[1].get(name) or "").split() for name, value in wanted.items())
        ]  # fmt: skip

    def links(self):
        return [one[1]["href"] for one in self.all("a") if "href" in one[1]]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Yield the application of a site with pages and several kinds of articles; tests do not modify it."""
    site = Site(tmp_path_factory.mktemp("home"))
    site.configure(site={"pages": True, "icon": "/icon.png", "copyright": "© Test", "description": "About <things>."})
    site.article("a.md", "First *text*.\n\n| a | b |\n|--:|:-:|\n| 1 | 2 |", title="A & <b>", category="Été", tags=["x"],
                 author={"name": "Ann", "url": "/about/"}, image={"url": "/a.png", "alt": "A"})  # fmt: skip
    site.article("draft.md", "Secret.", title="Draft", draft=True, tags=["hidden"])
    site.article("later.md", "Secret.", title="Later", date="2099-01-01", tags=["hidden"])
    site.article("fa.md", "متن", title="عنوان", lang="fa", date="2026-04-01")
    site.article("odd.md", "Odd.", title="Odd", link="/deep/er/page.html", date="2026-04-02")
    site.article("else.md", "Else.", title="Elsewhere", link="https://other.example/x/", date="2026-04-03")
    site.article("bundle/index.md", "![A lamp](lamp.svg)", title="Bundle", date="2026-04-04",
                 audio={"url": "talk.mp3", "length": 3})  # fmt: skip
    site.write("bundle/lamp.svg", "<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>")
    site.write("bundle/talk.mp3", b"ID3")
    site.write("bundle/.hidden.png", b"no")
    site.write("bundle/notes.txt.key", b"no")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("feeds.publish.publisher.Sandbox", InProcessSandbox)
        site.publish()
    app = App(site.root)
    yield app
    app.close()
    site.close()


def page(app, path, **headers):
    """Return the parsed page at a path; check that its headers and markup allow no inline scripts or styles."""
    answer = app.get(path, **headers)
    assert answer.status == 200, path
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "script-src 'self'" in answer.headers["content-security-policy"]
    assert b"<style" not in answer.body
    assert b"style=" not in answer.body
    assert b" on" not in re.sub(rb">[^<]*<", b"><", answer.body).replace(b" only", b"")  # no handlers
    assert all("src" in one[1] and not one[2].strip() for one in Page(answer.body).all("script"))
    return Page(answer.body)


def test_the_first_page(home):
    """The page of a feed has its name, the address of each format, a link for each reader, and the newest articles."""
    first = page(home, "/")
    assert [one[2] for one in first.all("h1")] == ["Test"]
    assert [one[2] for one in first.all("code")] == [f"https://test.example/{name}" for name in ("rss.xml", "atom.xml", "feed.json")]  # fmt: skip
    alternates = {one[1]["type"]: one[1]["href"] for one in first.all("link", rel="alternate")}
    assert alternates == {
        "application/rss+xml": "https://test.example/rss.xml",
        "application/atom+xml": "https://test.example/atom.xml",
        "application/feed+json": "https://test.example/feed.json",
    }
    assert "feed:https://test.example/rss.xml" in first.links()
    assert "https://feedly.com/i/subscription/feed/https%3A%2F%2Ftest.example%2Frss.xml" in first.links()
    assert [one[2] for one in first.all("a", class_="u-url")] == ["A & <b>", "Bundle", "Elsewhere", "Odd", "عنوان"]
    assert {one[1]["property"]: one[1]["content"] for one in first.all("meta") if "property" in one[1]} == {
        "og:type": "website",
        "og:title": "Test",
        "og:url": "https://test.example/",
        "og:description": "About <things>.",
        "og:image": "https://test.example/icon.png",
    }
    assert "category/%C3%A9t%C3%A9/" in " ".join(first.links())


def test_an_article_has_a_page(home):
    """An article's page has the facts of its entry, also as microformats, and tables keep their column alignment."""
    read = page(home, "/%C3%A9t%C3%A9/a/")
    assert [one[2] for one in read.all("h1", class_="p-name")] == ["A & <b>"]
    assert read.all("time", class_="dt-published")[0][1]["datetime"] == "2026-05-01T10:00:00+00:00"
    assert read.all("a", class_="p-name")[0][1:] == [{"class": "u-url p-name", "href": "../../about/"}, "Ann"]
    assert next(one[2].strip() for one in read.all("div", class_="e-content")).startswith("First text.")
    assert [one[1].get("align") for one in read.all("td")] == ["right", "center"]
    assert [one[2] for one in read.all("a", class_="p-category")] == ["Été", "x"]
    assert [one[2] for one in read.all("dt")] == ["Category", "Tags", "More by"]
    assert "../../author/ann/" in read.links()
    assert read.all("link", rel="canonical")[0][1]["href"] == "https://test.example/%C3%A9t%C3%A9/a/"
    assert read.all("meta", property="og:type")[0][1]["content"] == "article"


def test_enclosures_say_what_they_are(app, site):
    """Players come before the text, other files after it; each link names the type and size of its file."""
    site.configure(site={"pages": True, "language": "de"})
    files = [
        {"url": "https://cdn.example/talk.mp3?x=1", "type": "audio/mpeg", "length": 165_355},
        {"url": "https://cdn.example/slides", "type": "application/pdf", "length": 12_400_000},
        {"url": "https://cdn.example/clip.webm", "type": "video/webm"},
    ]
    site.article("a.md", "The words.", title="A", enclosures=files)
    site.article("b.md", "The words.", title="B", lang="en", audio=files[0] | {"length": 999_500})
    site.publish()
    client = app(site)
    body = client.get("/a/").body.decode()
    parts = [
        '<audio class="u-audio" controls preload="metadata"', "Herunterladen (MP3, 165 kB)", "talk.mp3?x=1</span>", "<video",
        "Herunterladen (WEBM)", "The words.</p>", "Herunterladen (PDF, 12 MB)", "slides</span>",
    ]  # fmt: skip
    positions = [body.find(part, body.index("<h1")) for part in parts]
    assert -1 not in positions and positions == sorted(positions)
    body = client.get("/b/").body.decode()
    assert "Download (MP3, 1 MB)</a></p>" in body


def test_a_page_links_to_its_translations_and_authors(app, site):
    """Below the title are links to the article in other languages, by their own names, and to the authors' pages."""
    site.configure(site={"pages": True})
    site.article("a.md", title="A", author="Ann")
    site.article("a.pt-BR.md", title="B", slug="b")
    site.publish()
    client = app(site)
    english, portuguese = (client.get(path).body.decode() for path in ("/a/", "/b/"))
    assert '<a class="u-url p-name" href="../author/ann/">Ann</a>' in english
    assert re.search(
        r'Also in: <a rel="alternate" href="../b/" hreflang="pt-BR" lang="pt-BR">Português \(BR\)</a>', english
    )
    assert re.search(r'Também em: <a rel="alternate" href="../a/" hreflang="en" lang="en">English</a>', portuguese)


def test_entries_of_lists_name_their_category(app, site):
    """An entry in a list names its category, except on the page of a category."""
    site.configure(site={"pages": True})
    site.article("a.md", title="A", category="Harbour")
    site.publish()
    client = app(site)
    named = '<span class="p-category">Harbour</span>'
    assert named in client.get("/").body.decode()
    assert named not in client.get("/category/harbour/").body.decode()


def test_a_page_speaks_its_language(home):
    """An article in a right-to-left language is marked as such, and texts of the template are marked as English."""
    read = page(home, "/fa/")
    assert (read.elements[0][1]["lang"], read.elements[0][1]["dir"]) == ("fa", "rtl")
    assert [one[1].get("lang") for one in read.all("nav") if "Subscribe" in one[2]] == ["en"]


@pytest.mark.parametrize(
    ("language", "direction"),
    [("en", "ltr"), ("ar", "rtl"), ("he-IL", "rtl"), ("fa", "rtl"), ("uz-Arab", "rtl"), ("ku-Latn", "ltr"), ("pt-BR", "ltr")],
)  # fmt: skip
def test_directions(language, direction):
    """The direction of a language is that of its script."""
    assert pages.text_direction(language) == direction


def test_all_links_lead_somewhere(home):
    """Every link to the site, from every reachable page, leads to a response."""
    seen, left = set(), ["/"]
    while left:
        path = left.pop()
        if path in seen or path in ("/about/", "/a.png", "/icon.png"):  # links in the texts of authors
            continue
        seen.add(path)
        answer = home.get(path)
        assert answer.status == 200, path
        if answer.headers["content-type"].startswith("text/html"):
            found = Page(answer.body)
            targets = found.links() + [one[1]["src"] for one in found.all("img") + found.all("audio")]
            targets += [one[1]["href"] for one in found.all("link")] + [one[1]["src"] for one in found.all("script")]
            for target in targets:
                parts = urlsplit(urljoin(f"https://test.example{path}", target))
                if parts.netloc == "test.example" and parts.scheme == "https":
                    left.append(parts.path)
    assert {"/feeds.opml", "/bundle/lamp.svg", "/bundle/talk.mp3", "/deep/er/page.html", "/static/page.js"} <= seen
    assert len(seen) > 20


def test_every_entry_has_its_page(home):
    """Each entry's link on the site leads to its article; only links to other sites are not served."""
    for item in json.loads(home.get("/feed.json").body)["items"]:
        if item["url"].startswith("https://test.example"):
            read = page(home, urlsplit(item["url"]).path)
            assert [one[2] for one in read.all("h1")] == [item["title"]]


def test_a_missing_page_helps(home):
    """The page of an error leads to the start page and to the newest articles, at any depth."""
    for path, root in (("/nothing/", "../"), ("/a/b/c", "../../")):
        answer = home.get(path)
        assert answer.status == 404
        links = Page(answer.body).links()
        assert links.count(root) == 2
        assert {f"{root}%C3%A9t%C3%A9/a/", f"{root}bundle/", f"{root}fa/"} <= set(links)


@pytest.mark.parametrize("path", ["/draft/", "/later/", "/x/", "/tag/hidden/", "/bundle/.hidden.png", "/bundle/index.md",
                                  "/bundle/notes.txt.key", "/bundle/none.png", "/bundle/..%2fa.md", "/preview/a.md", "/preview/", "/a.png"])  # fmt: skip
def test_nothing_else_has_a_page(home, path):
    """Drafts, scheduled articles, sources and hidden files are a 404, and so is the preview without --drafts."""
    assert home.get(path).status == 404


def test_files_beside_an_article(home):
    """An image beside an article is at the page's address, with type and validators, and can't run scripts."""
    lamp = home.get("/bundle/lamp.svg")
    assert (lamp.status, lamp.headers["content-type"]) == (200, "image/svg+xml; charset=utf-8")
    assert "sandbox" in lamp.headers["content-security-policy"]
    assert home.get("/bundle/lamp.svg", If_None_Match=lamp.headers["etag"]).status == 304
    assert home.get("/bundle/talk.mp3", Range="bytes=1-1").body == b"D"


def wait_for(condition):
    """Wait until a condition holds: the application checks for revisions at most twenty times per second."""
    limit = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.01)


def test_a_page_follows_its_article(app, site):
    """An edit changes the page and its validators; a removed article is a 410, an unknown one a 404."""
    site.configure(site={"pages": True})
    site.article("a.md", "Old.", title="A")
    site.article("b.md", "B.", title="B")
    site.publish()
    server = app(site)
    first = server.get("/a/")
    site.article("b.md", "Newer B.", title="B")
    site.publish()
    wait_for(lambda: b"Newer B" in server.get("/b/").body)
    assert server.get("/a/", If_None_Match=first.headers["etag"]).status == 304
    assert "last-modified" not in first.headers  # it may change without its article, when a feed begins or ends
    site.article("a.md", "New.", title="A")
    site.publish()
    wait_for(lambda: b"New." in server.get("/a/").body)
    site.article("a.md", "New.", title="A", draft=True)
    site.publish(accept=True)
    wait_for(lambda: server.get("/a/").status == 410)
    assert server.get("/never/").status == 404


def test_two_articles_with_one_address(site, app):
    """Of two articles with one address, the earlier one gets the page, whichever was read first."""
    site.configure(site={"pages": True})
    site.article("z.md", "First.", title="First", slug="same", date="2026-01-01")
    site.article("a.md", "Second.", title="Second", slug="same", date="2026-02-01")
    site.publish()
    assert b"First." in app(site).get("/same/").body


def test_a_site_with_another_home(app, site):
    """Without site.pages, entries link to the website, the feed's page shows ten of them, and articles have no page."""
    for number in range(12):
        site.article(f"{number:02}.md", title=f"T{number}", date=f"2026-05-{number + 1:02}")
    site.publish()
    server = app(site)
    assert len(page(server, "/").all("li", class_="h-entry")) == 10
    assert server.get("/00/").status == 404


def test_readers_of_the_owner(app, site):
    """Owners can add readers with a template and remove some; each link contains the feed's URL."""
    site.configure(
        site={"readers": {"Feedly": False, "Ours": "https://rss.example/?add={url}&x=1", "App": "app://{raw}"}}
    )
    site.article("a.md", tags=["c++ & d"])
    site.publish()
    found = page(app(site), "/tag/c-plus-plus-d/")
    links = {one[2]: one[1]["href"] for one in found.all("a") if one[2] in ("Ours", "App", "Feedly", "Inoreader")}
    address = "https://test.example/tag/c-plus-plus-d/rss.xml"
    assert links["Ours"] == "https://rss.example/?add=https%3A%2F%2Ftest.example%2Ftag%2Fc-plus-plus-d%2Frss.xml&x=1"
    assert links["App"] == f"app://{address}"
    assert "Feedly" not in links
    for link in links.values():
        assert unquote(link).count(address) == 1
        assert urlsplit(link).scheme in ("https", "app")


@pytest.mark.parametrize(
    "link", ["javascript:alert('{url}')", "https://x.example/", "{url}", "data:{raw}", "https://x y/{url}"]
)
def test_readers_are_checked(site, link):
    """A reader link without a place for the feed's URL, or with a scheme that runs code, is a mistake."""
    site.configure(site={"readers": {"Bad": link}})
    done = site.run("check")
    assert done.returncode == 2
    assert "site.readers.Bad: must" in done.stderr


def test_pages_are_where_the_site_is(site):
    """With site.pages, the feeds can't have a host of their own."""
    site.configure(site={"pages": True}, feeds={"url": "https://feeds.test.example"})
    done = site.run("check")
    assert done.returncode == 2
    assert "feeds: url must be the same as site.url" in done.stderr


def test_many_feeds_are_bounded():
    """Of thousands of tags, the page lists the thousand largest by name, and the number of the others."""
    feeds = [FeedState("", "site", "")] + [FeedState(f"tag/{n}", "tag", f"t{n}", entries=n) for n in range(1500)]
    ((kind, heading, listed, left),) = pages._group_by_kind(feeds, {"tag": "Tags"})
    assert (kind, heading, len(listed), left) == ("tag", "Tags", 1000, 500)
    assert min(one.entries for one in listed) == 500
    assert [one.name for one in listed] == sorted(one.name for one in listed)


def test_opml(home):
    """The OPML contains all feeds by kind, each with document and page, and changes only when the feeds do."""
    answer = home.get("/feeds.opml")
    assert answer.headers["content-type"] == "text/x-opml; charset=utf-8"
    root = etree.fromstring(answer.body)
    assert (root.get("version"), root.findtext("head/title")) == ("2.0", "Test")
    assert [one.get("text") for one in root.findall("body/outline")] == ["Test", "Categories", "Tags", "Authors"]
    for feed in root.iterfind(".//outline[@type='rss']"):
        path = urlsplit(feed.get("xmlUrl")).path
        assert home.get(path).status == 200
        assert home.get(urlsplit(feed.get("htmlUrl")).path).status == 200
    assert len(root.findall(".//outline[@type='rss']")) == 4
    assert b"hidden" not in answer.body


def test_opml_depends_on_the_list_alone():
    """The number of entries in a feed, and the date of its change, do not change the OPML."""
    site = Facts("T & <s>", "https://test.example", "https://test.example", "test.example")
    before = [FeedState("", "site", "", 5, 7), FeedState("tag/ü", "tag", "Ü & <x>", 5, 7)]
    after = [FeedState("", "site", "", 6, 8), FeedState("tag/ü", "tag", "Ü & <x>", 6, 8)]
    assert opml.render(before, site, "rss.xml") == opml.render(after, site, "rss.xml")
    assert etree.fromstring(opml.render(before, site, "rss.xml")).find(".//outline[@text='Tags']/outline").get("xmlUrl") == "https://test.example/tag/%C3%BC/rss.xml"  # fmt: skip


@pytest.mark.needs("newsboat")
def test_newsboat_imports_the_opml(home, tmp_path):
    """A real feed reader imports all feeds from the OPML, with the folders as tags."""
    (tmp_path / "feeds.opml").write_bytes(home.get("/feeds.opml").body)
    (tmp_path / "urls").touch()
    subprocess.run(
        ["newsboat", "-u", tmp_path / "urls", "-c", tmp_path / "cache.db", "-i", tmp_path / "feeds.opml"],
        check=True,
        capture_output=True,
        timeout=30,
        env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
    )
    lines = (tmp_path / "urls").read_text("utf-8").splitlines()
    assert len(lines) == 4
    assert any(line.startswith("https://test.example/rss.xml") for line in lines)
    assert any(line.startswith("https://test.example/tag/x/rss.xml") and "Tags" in line for line in lines)


def let_in(server, key):
    """Open the address of the preview with its key; return the cookie that the response sets."""
    answer = server.get(f"/preview/?{key}", Host="127.0.0.1")
    assert (answer.status, answer.headers["location"]) == (303, "/preview/")
    assert "HttpOnly" in answer.headers["set-cookie"]
    assert "SameSite=Strict" in answer.headers["set-cookie"]
    assert answer.headers["referrer-policy"] == "no-referrer"
    return answer.headers["set-cookie"].partition(";")[0]


def test_a_preview(serve, site):
    """`serve --drafts` prints the address of a preview of unpublished articles, which are shown nowhere else."""
    site.configure(site={"pages": True})
    site.article("live.md", "![](x.png)", title="Live")
    site.article(
        "draft/index.md", "Only *me*: {{% x %}}.", title="Draft & co", draft=True, tags=["t"], author="Ann Bee"
    )
    site.write("draft/p.png", b"png")
    site.article("later.md", "Later.", title="Later", date="2099-01-01")
    site.write("broken.md", "---\ntitle: [\n---\n")
    server = serve(site, "--drafts")
    server.wait_for(lambda: "/preview/?" in server.log.read_text())
    cookie = let_in(server, re.search(r"/preview/\?(\S+)", server.log.read_text())[1])

    def seen(path):
        return page(server, path, Cookie=cookie)

    first = seen("/preview/")
    assert {"Draft & co", "Later", "Live"} <= {one[2] for one in first.all("a")}
    assert "broken.md:" in " ".join(one[2] for one in first.all("code"))
    text = " ".join(one[2] for one in seen("/preview/draft/index.md").all("main"))
    assert "Only me" in text
    assert "t, Ann Bee" in text  # the feeds of the article
    assert "template-code" in text
    assert "image-without-alt" in " ".join(one[2] for one in seen("/preview/live.md").all("main"))
    assert server.get("/draft/p.png", Cookie=cookie).body == b"png"
    public = ["/", "/live/", "/rss.xml", "/atom.xml", "/feed.json", "/feeds.opml"]
    assert b"Draft" not in b"".join(server.get(path, Cookie=cookie).body for path in public)
    for path in ("/tag/t/", "/draft/", "/preview/none.md"):
        assert server.get(path, Cookie=cookie).status == 404
    state = server.get("/preview/state", Cookie=cookie).body
    site.article("draft/index.md", "Better.", title="Draft & co", draft=True)
    server.wait_for(lambda: b"Better." in server.get("/preview/draft/index.md", Cookie=cookie).body)
    server.wait_for(lambda: server.get("/preview/state", Cookie=cookie).body != state)


def test_a_preview_needs_its_key(app, site):
    """No draft is shown without the key, nor with it through a proxy, a foreign host name or another address."""
    site.configure(site={"pages": True})
    site.article("draft/index.md", "Secret.", draft=True, title="Draft")
    site.write("draft/p.png", b"png")
    site.publish()
    server = app(site, preview_key="the-key")
    cookie = f"Cookie: {let_in(server, 'the-key')}"
    ours = "Host: localhost:8000"
    paths = ("/preview/", "/preview/draft/index.md", "/preview/state")
    for path in paths:
        assert server.ask(path, ours, cookie).status == 200
        assert server.ask(path, ours, cookie).headers["referrer-policy"] == "no-referrer"
        assert server.ask(path, ours, cookie, client="::1").status == 200
        assert server.ask(path, ours, cookie, client="192.0.2.1").status == 403
        for header in ("X-Forwarded-For: 8.8.8.8", "Forwarded: for=8.8.8.8", "Via: 1.1 x", "X-Real-IP: 127.0.0.1"):
            assert server.ask(path, ours, cookie, header).status == 403
        for host in ("evil.example", "["):
            assert server.ask(path, f"Host: {host}", cookie).status == 403
    assert server.ask("/draft/p.png", ours, cookie).body == b"png"
    for key in ("", "feeds-preview=", "feeds-preview=wrong"):
        for path in (*paths, "/preview/?wrong"):
            assert server.ask(path, ours, f"Cookie: {key}").status == 403
        assert server.ask("/draft/p.png", ours, f"Cookie: {key}").status == 404


def test_a_preview_is_only_on_this_machine(site):
    """`serve --drafts` on an address that is not a loopback address is a usage error."""
    done = site.run("serve", "--drafts", "--host", "0.0.0.0")
    assert done.returncode == 2
    assert "127.0.0.1" in done.stderr


@pytest.mark.parametrize(
    ("link", "path"),
    [("/a/", "/a/"), ("/a%20b/", "/a b/"), ("/a.html", "/a.html"), ("/static/q/", "/static/q/"), ("/refreshing/", "/refreshing/"),
     ("/%2e%2e/%2e%2e/evil/", None), ("/../x/", "/x/"), ("/x%00y/", None), ("/a//b/", "/a/b/"), ("/.well-known/x/", None),
     ("/rss.xml/x/", None), ("/x/atom.xml/", None), (f"/{'x' * 201}/", None), ("/healthz", None), ("/stats/", None),
     ("/a?b", None), ("https://other.example/", None), ("https://test.example/b/", "/b/")],
)  # fmt: skip
def test_where_pages_may_be(link, path):
    """A page is at its article's link only, and not at a path that is used for something else."""
    site = Facts("T", "https://test.example", "https://test.example", "test.example", pages=True)
    read = articles.parse_article(f"---\ndate: 2026-01-01\nlink: '{link}'\n---\n".encode(), "x.md", UTC)
    assert syndication.page_path(read, site) == path


def test_a_site_of_summaries_has_whole_articles(site):
    """If feeds contain summaries, pages contain the full texts, and a summary is never treated as HTML."""
    site.configure(site={"pages": True}, feeds={"text": "summary"})
    site.article("a.md", "First.\n\nSecond.", title="A", description="<script>alert(1)</script>")
    site.article("b.md", "", title="B", description="<img src=x onerror=alert(1)>")
    assert site.run("build").returncode == 0
    html = (site.root / "public/a/index.html").read_text()
    assert "<p>Second.</p>" in html
    assert "<script>alert" not in html
    assert "<img" not in (site.root / "public/b/index.html").read_text()
    assert "Second" not in (site.root / "public/feed.json").read_text()


def test_another_catalog_has_other_pages(app, site):
    """Pages notice a catalog that was created again, with revision numbers that start at 1."""
    site.configure(site={"pages": True})
    site.article("a.md", "Old.", title="A")
    site.publish()
    server = app(site)
    assert b"Old." in server.get("/a/").body
    shutil.rmtree(site.root / ".feeds")
    site.article("a.md", "New.", title="A")
    site.publish()
    wait_for(lambda: b"New." in server.get("/feed.json").body)
    wait_for(lambda: b"New." in server.get("/a/").body)


def test_a_page_links_to_feeds_that_there_are(site):
    """If another article creates or removes a feed, the export updates the pages that link to this feed."""
    site.configure(site={"pages": True}, feeds={"min_entries": 2})
    site.article("a.md", title="A", tags=["x"])
    site.article("b.md", title="B", tags=["x"])
    assert site.run("build").returncode == 0
    file = site.root / "public/a/index.html"
    assert "tag/x/" in file.read_text()
    site.article("b.md", title="B")
    assert site.run("build").returncode == 0
    assert "tag/x/" not in file.read_text()
    assert not (site.root / "public/tag/x").exists()


def test_files_beside_articles_that_cannot_be_read(site):
    """A file that can't be read is reported and does not end the build; large files are copied, not compressed."""
    site.configure(site={"pages": True}, export={"precompressed": ["gzip"]})
    site.article("b/index.md", title="B")
    site.write("b/large.mp4", b"x" * 3_000_000)
    site.write("b/gone.png", b"png").chmod(0)
    done = site.run("build", "-v")
    assert done.returncode == 0
    public = site.root / "public/b"
    assert (public / "large.mp4").stat().st_size == 3_000_000
    assert not (public / "large.mp4.gz").exists()
    assert (public / "index.html.gz").exists()
    if not (public / "gone.png").exists():  # root reads everything
        assert "gone.png: can't be read" in done.stderr


def test_every_feed_leads_to_its_page_in_an_export(site):
    """The page to which a document links is exported, also if another generator owns the site's first page."""
    site.article("a.md", title="A", category="x")
    assert site.run("build").returncode == 0
    public = site.root / "public"
    assert (public / "category/x/index.html").exists()
    assert not (public / "index.html").exists()
    site.configure(export={"pages": False})
    assert site.run("build").returncode == 0
    assert not (public / "category/x/index.html").exists()


def neighbours(body):
    """Return the paths and titles to which the page of an article links as its neighbours, by "prev" and "next"."""
    found = Page(body).all("a", rel="prev") + Page(body).all("a", rel="next")
    return {one[1]["rel"]: (one[1]["href"].replace("../", "/"), one[2].split(" ", 1)[1].strip()) for one in found}


def test_a_page_links_to_the_articles_beside_it(app, site):
    """A page and its validators change when the article before or after it is published, renamed or withdrawn."""
    site.configure(site={"pages": True})
    for number in (1, 2, 3):
        site.article(f"{number}.md", title=f"T{number}", date=f"2026-05-0{number}")
    site.article("100.md", "Only a few words.", date="2026-04-01")
    site.article("unlisted.md", title="Unlisted", date="2026-05-02", feed=False)
    site.publish()
    server = app(site)
    assert neighbours(server.get("/1/").body) == {"prev": ("/100/", "Only a few words."), "next": ("/2/", "T2")}
    assert neighbours(server.get("/2/").body) == {"prev": ("/1/", "T1"), "next": ("/3/", "T3")}
    assert neighbours(server.get("/3/").body) == {"prev": ("/2/", "T2")}
    assert neighbours(server.get("/unlisted/").body) == {}
    first = server.get("/3/").headers["etag"]
    site.article("4.md", title="T4", date="2026-05-04")
    site.publish()
    wait_for(lambda: server.get("/3/", If_None_Match=first).status == 200)
    assert neighbours(server.get("/3/").body) == {"prev": ("/2/", "T2"), "next": ("/4/", "T4")}
    site.article("2.md", title="Renamed", date="2026-05-02")
    site.publish()
    wait_for(lambda: neighbours(server.get("/3/").body)["prev"] == ("/2/", "Renamed"))
    (site.content / "2.md").unlink()
    site.publish(accept=True)
    wait_for(lambda: server.get("/2/").status == 410)
    wait_for(lambda: neighbours(server.get("/3/").body)["prev"] == ("/1/", "T1"))
    assert neighbours(server.get("/1/").body)["next"] == ("/3/", "T3")


def test_exported_pages_keep_up_with_the_articles_beside_them(site):
    """An export renders the pages beside a new, renamed, moved or withdrawn article again, and writes no others."""
    site.configure(site={"pages": True})
    for number in range(1, 8):
        site.article(f"{number}.md", title=f"T{number}", date=f"2026-05-0{number}")

    def pages_written():
        assert site.run("build", "--accept").returncode == 0
        now = {file.parent.name: file.stat().st_mtime_ns for file in (site.root / "public").glob("*/index.html")}
        shown = {name: neighbours((site.root / f"public/{name}/index.html").read_bytes()) for name in now}
        order = sorted(now, key=lambda name: dates[name])
        for older, newer in pairwise(order):  # the same as in a new export
            assert shown[newer]["prev"][0] == f"/{older}/"
            assert shown[older]["next"][0] == f"/{newer}/"
        written = {name for name, at in now.items() if before.get(name) != at}
        before.clear()
        before.update(now)
        return written

    before = dict[str, int]()
    dates = {str(number): f"2026-05-0{number}" for number in range(1, 8)}
    assert pages_written() == set(dates)
    assert pages_written() == set()
    dates["8"] = "2026-05-08"
    site.article("8.md", title="T8", date=dates["8"])
    assert pages_written() == {"7", "8"}
    site.article("3.md", title="Renamed", date="2026-05-03")
    assert pages_written() == {"2", "3", "4"}
    assert neighbours((site.root / "public/2/index.html").read_bytes())["next"] == ("/3/", "Renamed")
    site.article("3.md", "Only its text.", title="Renamed", date="2026-05-03")
    assert pages_written() == {"3"}, "the others are rendered again with the same bytes"
    (site.content / "6.md").unlink()
    assert pages_written() == {"5", "7"}
    dates["1"] = "2026-05-09"
    site.article("1.md", title="T1", date=dates["1"])
    assert pages_written() == {"1", "2", "8"}
    site.article("5.md", title="T5", date=dates["5"], draft=True)
    assert pages_written() == {"4", "7"}


def test_pages_are_exported(site):
    """A site without another generator is exported completely: pages, articles, files, OPML; then only changes."""
    site.configure(site={"pages": True}, export={"precompressed": ["gzip"]})
    site.article("a.md", "A.", title="A", category="x")
    site.article("b.md", "B.", title="B", link="/deep/b.html", date="2026-04-01")
    site.article("c.md", "C.", title="C", link="/c", date="2026-04-01")
    site.article("bundle/index.md", "D.", title="D", date="2026-04-01")
    site.write("bundle/p.png", b"png")
    assert site.run("build").returncode == 0
    public = site.root / "public"
    there = {str(file.relative_to(public)) for file in public.rglob("*") if file.is_file()}
    assert {"index.html", "x/a/index.html", "deep/b.html", "c.html", "bundle/index.html", "bundle/p.png", "feeds.opml",
            "category/x/index.html", "static/page.css", "static/feed.css", "index.html.gz"} <= there  # fmt: skip
    assert "nothing changed" in site.run("build", "-v").stderr
    times = {file: file.stat().st_mtime_ns for file in public.rglob("*") if file.is_file()}
    site.article("a.md", "New A.", title="A", category="x")
    assert site.run("build").returncode == 0
    changed = {str(file.relative_to(public)) for file, time in times.items() if file.stat().st_mtime_ns != time}
    assert "x/a/index.html" in changed
    assert not {"deep/b.html", "bundle/index.html", "bundle/p.png", "feeds.opml", "static/page.css"} & changed
    (site.content / "a.md").unlink()
    assert site.run("build").returncode == 0
    assert not (public / "x").exists()


def test_somebody_elses_files_are_left_alone(site):
    """Foreign files are reported and not overwritten; exported files are recognised when the manifest is lost."""
    site.configure(site={"pages": True})
    site.article("a.md", "A.", title="A")
    public = site.root / "public"
    public.mkdir()
    (public / "index.html").write_text("<h1>Mine</h1>")
    (public / "feed.json").write_text("{}")
    done = site.run("build")
    assert (done.returncode, (public / "index.html").read_text(), (public / "feed.json").read_text()) == (0, "<h1>Mine</h1>", "{}")  # fmt: skip
    assert done.stderr.count("the existing file is not from feeds") == 2
    (public / ".feeds-manifest.json").unlink()
    site.article("a.md", "New A.", title="A")
    assert site.run("build", "-v").stderr.count("the existing file is not from feeds") == 2
    assert b"New A." in (public / "rss.xml").read_bytes()
    assert b"New A." in (public / "a" / "index.html").read_bytes()
    assert site.run("build", "--force").stderr == ""
    assert b"New A." in (public / "feed.json").read_bytes()


def test_the_demos_links_work(tmp_path, app):
    """Every link in pages and entries of the demo site leads to a response."""
    site = Site(tmp_path / "demo")
    shutil.copytree(REPOSITORY / "content", site.content, dirs_exist_ok=True)
    shutil.copy(REPOSITORY / "config.yaml", site.root)
    site.publish(datetime(2026, 11, 23, tzinfo=UTC))
    server = app(site)
    left, seen = ["/"], set()
    while left:
        path = left.pop()
        if path in seen:
            continue
        seen.add(path)
        answer = server.get(path)
        assert answer.status == 200, path
        if answer.headers["content-type"].startswith("text/html"):
            found = Page(answer.body)
            targets = found.links() + [one[1]["src"] for one in found.all("img") + found.all("audio")]
            urls = (urlsplit(urljoin(f"http://127.0.0.1:8000{path}", target)) for target in targets)
            left += [url.path for url in urls if url.netloc == "127.0.0.1:8000" and url.scheme == "http"]
    items = json.loads(server.get("/feed.json").body)["items"]
    assert {urlsplit(item["url"]).path for item in items} <= seen
    site.close()


def test_older_articles_have_pages(app, site):
    """Every article is reachable in a few clicks from the first page, in the export; each page offers its live feed."""
    site.configure(site={"pages": True}, feeds={"limit": 3, "archives": "all"})
    for number in range(1, 9):
        site.article(f"{number}.md", title=f"T{number}", date=f"2026-05-0{number}", category="x")
    assert site.run("build").returncode == 0
    server = app(site)
    for start in ("/", "/category/x/"):
        titles, path, seen = [], start, set()
        while path:
            assert path not in seen, "the way to older articles leads in a circle"
            seen.add(path)
            shown = page(server, path)
            exported = (site.root / f"public{path}index.html").read_bytes()
            assert exported == server.get(path).body
            assert exported.decode().count(f"https://test.example{start}rss.xml") == 3, "to find, follow and copy"
            assert b"archive/" not in b"".join(re.findall(rb"[^<>]*(?:rss.xml|atom.xml|feed.json)", exported))
            titles += [one[2] for one in shown.all("a", class_="u-url")]
            older = [one[1]["href"] for one in shown.all("a", rel="prev")]
            for newer in shown.all("a", rel="next"):
                assert server.get(urlsplit(urljoin(f"https://test.example{path}", newer[1]["href"])).path).status == 200
            path = urlsplit(urljoin(f"https://test.example{path}", older[0])).path if older else ""
        assert list(dict.fromkeys(titles)) == [f"T{number}" for number in range(8, 0, -1)]
    assert server.get("/archive/99/").status == 404


@pytest.mark.parametrize(
    ("link", "folder"), [("/n/lamp/", "/n/lamp/"), ("/n/lamp", "/n/lamp/"), ("/n/lamp.html", "/n/lamp/")]
)
def test_pictures_are_where_pages_look(app, site, link, folder):
    """With any ending of a permalink, files beside an article are where its page and its feeds expect them."""
    site.configure(site={"pages": True})
    site.article("lamp/index.md", "![a](a.png) ![b](img/b.png)", title="L", link=link, cover="a.png")
    site.write("lamp/a.png", b"a")
    site.write("lamp/img/b.png", b"b")
    site.write("lamp/.git/c.png", b"c")
    site.article("lamp/other/index.md", title="O", link="/n/other/")
    site.write("lamp/other/d.png", b"d")
    assert site.run("build").returncode == 0
    server = app(site)
    item = {one["title"]: one for one in json.loads(server.get("/feed.json").body)["items"]}["L"]
    assert item["image"] == f"https://test.example{folder}a.png"
    assert f'src="https://test.example{folder}img/b.png"' in item["content_html"]
    assert (server.get(f"{folder}a.png").body, server.get(f"{folder}img/b.png").body) == (b"a", b"b")
    assert server.get("/n/other/d.png").body == b"d"
    assert server.get(f"{folder}.git/c.png").status == server.get(f"{folder}img/../../x.png").status == 404
    public = site.root / "public"
    assert ((public / f"{folder[1:]}a.png").read_bytes(), (public / f"{folder[1:]}img/b.png").read_bytes()) == (
        b"a",
        b"b",
    )
    assert not (public / f"{folder[1:]}other/d.png").exists()
    assert not (public / f"{folder[1:]}.git").exists()


def test_a_page_that_cannot_be(site):
    """`feeds check` reports articles whose link can't be a page, and rejects those whose address is used otherwise."""
    site.configure(site={"pages": True})
    site.article("a.md", title="A", link="/a?b")
    site.article("hidden.md", title="H", link="/.well-known/x/")
    site.article("stats.md", title="S", link="/stats")
    site.article("tag.md", title="T", category="category")
    site.article("good.md", title="G")
    lines = site.run("check").stdout.splitlines()
    found = {
        rule: [line.split(":")[0] for line in lines if line.endswith(f"({rule})")] for rule in ("no-page", "refused")
    }
    assert found == {
        "no-page": ["content/a.md", "content/hidden.md"],
        "refused": ["content/stats.md", "content/tag.md"],
    }


def test_readers_that_are_not_known(site):
    """Removing an unknown reader is a mistake; the names of known readers are case-insensitive."""
    site.configure(site={"readers": {"Feeedly": False}})
    assert "did you mean Feedly" in site.run("check").stderr
    site.settings["site"]["readers"] = {"feedly": False}
    site.configure()
    assert "Feedly" not in site.config.site.readers


def test_files_of_pelican_are_where_its_addresses_say(site):
    """`{static}` and `{attach}` in an address refer to a file of the content folder, which is exported."""
    site.configure(site={"pages": True}, content={"markdown": "python-markdown"})
    for name in ("images/a.png", "news/b.png", "files/c.pdf"):
        (site.content / name).parent.mkdir(exist_ok=True)
        (site.content / name).write_bytes(b"x")
    site.article("news/a.md", "![a]({static}/images/a.png) ![b]({attach}b.png) [c](|static|/files/c.pdf)", title="A")
    assert site.run("build").returncode == 0
    html = site.items()["A"]["content_html"]
    for path in ("images/a.png", "news/b.png", "files/c.pdf"):
        assert f'="https://test.example/{path}"' in html
        assert (site.root / "public" / path).read_bytes() == b"x"
