"""How feeds show entries: excerpts, footers, queries of links, link blogs; and the effects on feed readers."""

import hashlib
import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from html import unescape

import feedparser
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds.core.model import Author, Entry, EntryOptions, Site
from feeds.core.parse.content import MarkdownRenderer
from feeds.core.presentation import present
from feeds.render import BulkRenderer

SITE = Site("Test", "https://test.example/blog", "https://feeds.test.example", "test.example", author=Author("Desk", "d@test.example"))  # fmt: skip
DAY = datetime(2026, 3, 4, 23, tzinfo=UTC)
ENTRY = Entry(
    id="tag:x,2026:a", url="https://test.example/blog/a/", title="A", published=DAY, updated=DAY, authors=(),
    categories=(), tags=(), summary="One & two.", html="<p>One &amp; two.</p>\n<p>Three.</p>", image=None, enclosures=(),
    language="en", display_title="A", excerpt="<p>One &amp; two.</p>",
)  # fmt: skip
DEFAULT = EntryOptions()


def render(body, summary=None, **options):
    """Return the content of a body."""
    return MarkdownRenderer().render(body, summary, "https://test.example/blog/a/", "e-", **options)


@pytest.mark.parametrize(
    ("body", "summary", "excerpt"),
    [
        ("One *two*.\n\nThree.", None, "<p>One <em>two</em>.</p>"),
        ("One *two*.\n\nThree.", "Given & <b>", "<p>Given &amp; &lt;b&gt;</p>"),
        ("One *two*.\n\n## Two\n\n<!-- more -->\n\nThree.", "Given", '<p>One <em>two</em>.</p>\n<h2 id="e-two">Two</h2>'),
        ("- One\n\n  Two *three <!--more--> four*\n- Five", None, "<ul>\n<li>\n<p>One</p>\n<p>Two <em>three</em></p></li></ul>"),
        ("> | a |\n> | - |\n> | b <!--more--> c |", None, "<blockquote>\n<table>\n<thead>\n<tr>\n<th>a</th>\n</tr>\n</thead>\n<tbody>\n<tr>\n<td>b</td></tr></tbody></table></blockquote>"),
        ("Dear all,\n\nwe *moved*.\n\nMore.", None, "<p>Dear all,</p>\n<p>we <em>moved</em>.</p>"),
        ("{{< toc >}} The [text](/x).\n\nMore.", None, "<p>The text.</p>"),
        ("Claim[^1].\n\n[^1]: Source.", None, "<p>Claim.</p>"),
        ("![](/a.png)", None, '<p><img src="https://test.example/a.png" alt=""></p>'),
        ("<!--more-->\n\nAll of it.", None, "<p>All of it.</p>"),
        ("", None, ""),
        ("x " * 400 + "\n\nMore.", None, f"<p>{('x ' * 250).strip()}…</p>"),
    ],
)  # fmt: skip
def test_excerpts(body, summary, excerpt):
    """An excerpt is the text before the mark, else the summary, else the first paragraph, as complete HTML."""
    assert render(body, summary).excerpt == excerpt


WORDS = st.sampled_from(["- ", "> ", "1. ", "*", "**", "`", "x", "\n", "\n\n", "  ", "<!--more-->", "<div>", "</div>", "[a](#b)", "| a |\n| - |\n"])  # fmt: skip


@given(words=st.lists(WORDS, max_size=30))
def test_excerpts_are_complete(words):
    """Every element of an excerpt has an end tag in the right place, wherever the mark is."""
    stack = []
    for slash, name in re.findall(r"<(/?)([a-z][a-z0-9]*)", render("".join(words)).excerpt):
        if slash:
            assert stack.pop() == name
        elif name not in {"br", "hr", "img", "input"}:
            stack.append(name)
    assert not stack


def test_the_default_shows_entries_as_they_are():
    """Without options, an entry is not even copied."""
    assert present(ENTRY, DEFAULT, SITE) is ENTRY


def test_the_end_of_an_excerpt():
    """An excerpt ends with a link to the rest, if there is one; its links to parts of the text lead to the page."""
    shown = present(ENTRY, EntryOptions("excerpt", link_query="a=b"), SITE).html
    assert shown == '<p>One &amp; two.</p>\n<p><a href="https://test.example/blog/a/?a=b">Continue reading</a></p>'
    assert present(replace(ENTRY, html=ENTRY.excerpt), EntryOptions("excerpt"), SITE).html == ENTRY.excerpt
    linked = replace(ENTRY, excerpt='<p>"#x" <a title="t" href="#e-x">x</a></p>')
    assert '<p>"#x" <a title="t" href="https://test.example/blog/a/#e-x">x</a></p>' in present(
        linked, EntryOptions("excerpt"), SITE
    ).html  # fmt: skip


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://test.example/blog/a/", "https://test.example/blog/a/?a=b&c=d"),
        ("https://test.example/blog", "https://test.example/blog?a=b&c=d"),
        ("https://test.example/blog/a?x=1", "https://test.example/blog/a?x=1&a=b&c=d"),
        ("https://test.example/blog/a#top", "https://test.example/blog/a?a=b&c=d#top"),
        ("https://test.example/blogs/", "https://test.example/blogs/"),
        ("https://other.example/", "https://other.example/"),
    ],
)
def test_link_queries(url, shown):
    """The query is added to URLs of the site, before the fragment and after a query that the URL has already."""
    entry = present(
        replace(ENTRY, url=url, external_url="https://x.example/"), EntryOptions(link_query="a=b&c=d"), SITE
    )
    assert (entry.url, entry.external_url, entry.id) == (shown, "https://x.example/", ENTRY.id)


HOSTILE = ["<script>alert(1)</script>", '" onclick="x', "a & b", "*not emphasis*", "{url}", "placeholdertitle", "é%20?#&"]  # fmt: skip


@pytest.mark.parametrize("title", HOSTILE)
def test_footers_escape_values(title):
    """A footer has the values as text, whatever they contain, and percent-encoded within URLs."""
    entry = replace(ENTRY, title=title, display_title=title, authors=(Author("A <b>", "a b@x.example"),))
    footer = '*{title}* by {author} <a href="https://x.example/?t={title}&u={url}">share</a> [reply]({reply_by_email})'
    shown = present(entry, EntryOptions(footer=footer, link_query="q=1"), SITE).html
    line = shown.removeprefix(ENTRY.html + "\n")
    assert unescape(re.sub(r"<[^<>]*>", "", line)) == f"{title} by A <b> share reply"
    hrefs = [unescape(href) for href in re.findall(r'href="([^"]*)"', line)]
    query = feedparser.urls.urllib.parse.parse_qs(hrefs[0].partition("?")[2])
    assert query == {"t": [title], "u": ["https://test.example/blog/a/?q=1"]}
    assert hrefs[1].startswith("mailto:a%20b@x.example?subject=Re%3A%20")
    assert set(re.findall(r"<(\w+)", line)) == {"p", "em", "a"}


def test_footers_extend_urls():
    """A URL in a footer may be continued, as with a fragment; in a description of a link or picture, values are text."""
    entry = replace(ENTRY, display_title='É "&', authors=(Author("Ann É", "a@x.example"),))
    footer = (
        "[comments]({url}#comments) [reply]({reply_by_email}&body=Hello) "
        '[x](https://x.example/?u={url} "On {title}") ![by {author}](/x.png)'
    )
    shown = present(entry, EntryOptions(footer=footer), SITE).html
    hrefs = [unescape(href) for href in re.findall(r'href="([^"]*)"', shown.removeprefix(ENTRY.html))]
    assert hrefs == [
        "https://test.example/blog/a/#comments",
        "mailto:a@x.example?subject=Re%3A%20%C3%89%20%22%26&body=Hello",
        "https://x.example/?u=https%3A%2F%2Ftest.example%2Fblog%2Fa%2F",
    ]
    assert 'title="On É &quot;&amp;"' in shown and 'alt="by Ann É"' in shown


def test_footers_of_short_entries():
    """In a feed of summaries, the footer follows the summary; an entry that was shortened has none."""
    footer = EntryOptions("summary", "[{title}](/x)")
    line = '<p><a href="https://test.example/x">A</a></p>'
    assert present(ENTRY, footer, SITE).html == f"<p>One &amp; two.</p>\n{line}"
    assert present(replace(ENTRY, summary=""), footer, SITE).html is None
    assert present(ENTRY, EntryOptions("summary", link_query="a=b"), SITE).html is None
    assert present(replace(ENTRY, html=None), footer._replace(text="full"), SITE).html is None
    assert present(replace(ENTRY, html="", excerpt=""), footer._replace(text="full"), SITE).html == line


def test_footers_name_the_site_without_authors():
    """Without an author, the footer names the site's author, or else the site."""
    options = EntryOptions(footer="{author}")
    assert present(ENTRY, options, SITE).html.endswith("\n<p>Desk</p>")
    assert present(ENTRY, options, replace(SITE, author=None)).html.endswith("\n<p>Test</p>")


OPTIONS = [
    {"footer": "By {author}: [reply]({reply_by_email})"},
    {"link_query": "utm_source=rss"},
    {"text": "excerpt"},
    {"text": "both"},
    {"link_blog": "permalink"},
    {"image_in_text": True},
]


def freshrss_refresh(stored, entries):
    """Refresh a feed by the rule of FreshRSS; return the guids that it marks as unread.

    feedController.php: an item with a known guid and another hash replaces the stored text; it stays read unless the
    user has set mark_updated_article_unread. Entry.php: the hash is that of link, title, authors, content and tags.
    """
    unread = set()
    for entry in entries:
        text = entry.content[0].value if "content" in entry else entry.get("summary", "")
        tags = "".join(tag.term for tag in entry.get("tags", []))
        hash_ = hashlib.md5(f"{entry.link}{entry.title}{entry.author}{text}{tags}".encode()).hexdigest()
        if entry.id not in stored:
            unread.add(entry.id)
        stored[entry.id] = hash_
    return unread


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_no_entry_is_unread_again(site, options):
    """With other options, documents and their validators change, but no id and no date, so that nothing is unread."""
    site.configure(site={"author": {"name": "Desk", "email": "desk@test.example"}}, feeds={"guard": 0.01})
    site.article("a.md", "One.\n\nTwo.", title="A", image="/a.png", external_url="https://x.example/")
    site.article("b.md", "Three.\n\nFour.", title="B", image="/b.png")
    site.publish()
    before = {name: feedparser.parse(site.documents()[f"/{name}"]) for name in ("rss.xml", "atom.xml")}
    json_before = site.feed()["items"]
    freshrss, by_id = {}, {}
    for name, parsed in before.items():
        freshrss[name], by_id[name] = {}, {entry.id for entry in parsed.entries}
        assert freshrss_refresh(freshrss[name], parsed.entries) == by_id[name]
    site.configure(feeds=options)
    revision = site.publish(site.now.replace(hour=13)).revision
    assert revision == 2
    for name, parsed in before.items():
        for path in [name, *([f"summary/{name}"] if options.get("text") == "both" else [])]:
            after = feedparser.parse(site.documents()[f"/{path}"])
            assert {entry.id for entry in after.entries} == by_id[name]
            assert [entry.updated for entry in after.entries] == [entry.updated for entry in parsed.entries]
            assert after.feed.updated == parsed.feed.updated
            assert freshrss_refresh(freshrss[name], after.entries) == set()
    dates = [(item["id"], item["date_published"], item["date_modified"]) for item in json_before]
    assert [(item["id"], item["date_published"], item["date_modified"]) for item in site.feed()["items"]] == dates


def test_documents_with_excerpts(site):
    """With `text: both`, each feed has documents with excerpts, with their own ids, archives and validators."""
    site.configure(feeds={"text": "both", "limit": 2})
    for number in range(5):
        site.article(
            f"{number}.md", f"One {number}.\n\nTwo.", title=f"T{number}", category="x", date=f"2026-05-0{number + 1}"
        )
    site.publish()
    documents = site.documents(archives=True)
    full, short = (json.loads(documents[f"{folder}feed.json"]) for folder in ("/", "/summary/"))
    assert [item["id"] for item in full["items"]] == [item["id"] for item in short["items"]]
    assert all("Two." in item["content_html"] for item in full["items"])
    assert all(
        "Two." not in item["content_html"] and "Continue reading" in item["content_html"] for item in short["items"]
    )
    assert full["next_url"] == "https://test.example/archive/2/feed.json"
    assert short["feed_url"] == "https://test.example/summary/feed.json"
    archives = []
    while following := short.get("next_url"):
        archives.append(following.removeprefix("https://test.example"))
        short = json.loads(documents[archives[-1]])
        assert short["feed_url"] == "https://test.example/summary/feed.json"
    assert archives == ["/summary/archive/2/feed.json", "/summary/archive/1/feed.json"]
    atom = documents["/category/x/summary/archive/1/atom.xml"].decode()
    assert "<id>tag:test.example,2005:/category/x/summary/</id>" in atom
    assert '<link rel="current" href="https://test.example/category/x/summary/atom.xml"/>' in atom
    assert "/category/x/summary/rss.xml" in documents


def test_excerpts_of_documents_that_are_too_large(site):
    """When full texts exceed the limit of a document, its excerpts are still complete."""
    site.configure(feeds={"text": "both", "max_size": 8})
    for number in range(4):
        site.article(f"{number}.md", f"One {number}.\n\n" + "word " * 1000, title=f"T{number}")
    site.publish()
    full, short = (json.loads(site.documents()[f"{folder}feed.json"])["items"] for folder in ("/", "/summary/"))
    assert ["content_html" in item for item in full] == [True, False, False, False]
    assert ["content_html" in item for item in short] == [True] * 4
    site.configure(feeds={"text": "excerpt"})
    site.publish()
    assert ["content_html" in item for item in site.feed()["items"]] == [True] * 4


def test_memory_of_excerpts(site):
    """A feed of excerpts keeps no longer texts in memory, and no feed keeps more excerpts than fit in a document."""
    text = "The beginning.\n\n" + "x " * 2_000
    site.configure(feeds={"text": "excerpt"})
    site.article("a.md", text, title="A")
    site.article("b.md", "All of it.", title="B")
    site.publish()
    entries = {
        entry.title: entry for entry in BulkRenderer(site.catalog, site.config.site_model).load_feed("", 0).feed.entries
    }
    assert entries["A"].html is None and entries["B"].html == "<p>All of it.</p>"
    assert "Continue reading" in site.items()["A"]["content_html"]
    assert "Continue reading" not in site.items()["B"]["content_html"]

    for number in range(4):
        site.article(f"long{number}.md", f"{text}\n\n<!--more-->\n\nEnd.", title=f"L{number}", date="2026-05-02")
    for mode in ("excerpt", "both", "full"):
        site.configure(feeds={"text": mode, "max_size": 8})
        site.publish(accept=True)
        entries = BulkRenderer(site.catalog, site.config.site_model).load_feed("", 0).feed.entries
        assert 4_000 < sum(len(entry.excerpt) for entry in entries) <= 8 * 1024


def test_served_excerpts(site, app):
    """Excerpts are served, listed on pages and in the OPML, may have aliases, and are 410 once they are turned off."""
    site.configure(site={"pages": True}, feeds={"text": "both", "aliases": {"/short.xml": "/summary/rss.xml"}})
    site.article("a.md", "One.\n\nTwo.", title="A", category="x")
    site.publish()
    client = app(site)
    response = client.get("/summary/rss.xml")
    assert response.status == 200
    assert client.get("/summary/rss.xml", If_None_Match=response.headers["ETag"]).status == 304
    assert client.get("/short.xml").body == response.body
    assert client.get("/category/x/summary/feed.json").status == 200
    assert client.get("/category/x/summary/archive/1/feed.json").status == 404
    page = client.get("/category/x/").body.decode()
    assert page.count("https://test.example/category/x/summary/") == 3
    assert 'href="../../category/x/summary/atom.xml"' in page
    opml = client.get("/feeds.opml").body.decode()
    assert 'text="Test (summaries)"' in opml
    assert 'xmlUrl="https://test.example/category/x/summary/rss.xml"' in opml
    site.configure(feeds={"text": "full"})
    site.publish()
    client = app(site)
    assert client.get("/summary/rss.xml").status == client.get("/short.xml").status == 410
    assert client.get("/category/x/summary/feed.json").status == 410
    assert client.get("/category/y/summary/feed.json").status == 404
    assert "summary/" not in client.get("/category/x/").body.decode()


def test_no_excerpts_were_ever_there(site, app):
    """Without `text: both`, the documents with excerpts don't exist: 404, not 410."""
    site.article("a.md", title="A")
    site.publish()
    assert app(site).get("/summary/rss.xml").status == 404


def test_exported_options(site):
    """An export writes what other options change, and removes the excerpts that are turned off."""
    site.configure(site={"pages": True}, feeds={"text": "both"}, export={"precompressed": ["gzip"]})
    site.article("a.md", "One.\n\nTwo.", title="A")
    site.run("build")
    public = site.root / "public"
    short = (public / "summary/rss.xml").read_text()
    page = (public / "a/index.html").read_text()
    assert "Continue reading" in short
    assert (public / "summary/rss.xml.gz").exists()
    site.configure(feeds={"footer": "The end of {title}", "link_query": "from=feed"})
    site.run("build")
    for name in ("rss.xml", "summary/rss.xml", "atom.xml", "feed.json"):
        assert "The end of A" in (public / name).read_text()
        assert "?from=feed" in (public / name).read_text()
    assert (public / "a/index.html").read_text() == page
    assert "from=feed" not in (public / "index.html").read_text()
    site.configure(feeds={"text": "excerpt"})
    site.run("build")
    assert not (public / "summary").exists()
    assert "Continue reading" in (public / "rss.xml").read_text()
    assert "Two." in (public / "a/index.html").read_text()


def test_options_in_a_preview(site, app):
    """In a preview, the links of excerpts, footers and translations lead to the server, with the query."""
    site.configure(site={"pages": True}, feeds={"text": "both", "footer": "[it]({url}) [all](/)", "link_query": "a=b"})
    site.article("a.md", "One.\n\nTwo.", title="A")
    site.article("a.de.md", "Eins.", title="A", date="2026-05-02")
    site.publish()
    local = "http://127.0.0.1:9"
    server = app(site, preview_url=local)
    for path in ("/rss.xml", "/summary/atom.xml", "/summary/feed.json"):
        body = server.get(path).body.decode()
        assert "https://test.example" not in body
        assert f"{local}/a/?a=b" in body
        assert f"{local}/a.de/" in body
