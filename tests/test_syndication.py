"""The set of feeds, their names, and the content of entries."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from feeds.core import memberships, syndication
from feeds.core.model import Article, Author, Content, FeedState, Image, Site

SITE = Site("Test", "https://test.example", "https://feeds.test.example", "test.example", author=Author("Desk"))
DAY = datetime(2026, 3, 4, 23, tzinfo=UTC)
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
ARTICLE = Article(
    path="news/a.md",
    name="news/a",
    title="A",
    published=DAY,
    updated=DAY,
    body="",
    slug="a",
    categories=("Town Hall", "Second"),
    tags=("C", "C++", "c", "!!!"),
)


def test_feeds_of_an_article():
    """Feeds are the site's and one per category, tag and author; names with one slug share a feed."""
    paths = [feed.path for feed in memberships.feeds_of(ARTICLE, SITE)]
    assert paths == ["", "category/town-hall", "category/second", "tag/c", "tag/c-plus-plus", "author/desk"]
    assert [feed.path for feed in memberships.feeds_of(ARTICLE, replace(SITE, by=("tag",)))] == [
        "",
        "tag/c",
        "tag/c-plus-plus",
    ]


@pytest.mark.parametrize(
    ("change", "id_"),
    [
        ({}, "tag:test.example,2026:news/a"),
        ({"slug": "x y", "slug_given": True}, "tag:test.example,2026:x%20y"),
        ({"published": DAY.replace(year=987)}, "tag:test.example,0987:news/a"),
    ],
)
def test_minted_ids(change, id_):
    """An id is `tag:AUTHORITY,YEAR:NAME`; NAME is the slug of the front matter, or else the path."""
    assert syndication.generate_id(replace(ARTICLE, **change), replace(SITE, authority="test.example")) == id_


@pytest.mark.parametrize(
    ("pattern", "change", "url"),
    [
        ("/{category}/{slug}/", {}, "https://test.example/town-hall/a/"),
        ("/{category}/{slug}/", {"categories": ()}, "https://test.example/a/"),
        ("/{year}/{month}/{day}/{slug}.html", {}, "https://test.example/2026/03/04/a.html"),
        ("/{year}-{category}/{path}", {}, "https://test.example/2026-town-hall/news/a"),
        ("/{slug}/", {"slug": "été"}, "https://test.example/%C3%A9t%C3%A9/"),
        ("/{slug}/", {"link": "/x/y.html"}, "https://test.example/x/y.html"),
        ("/{slug}/", {"link": "/caf%C3%A9/?id=5"}, "https://test.example/caf%C3%A9/?id=5"),
        ("/{slug}/", {"link": "https://other.example/ü"}, "https://other.example/%C3%BC"),
    ],
)
def test_links(pattern, change, url):
    """A link is that of the front matter, or else the permalink without the parts that have no value."""
    assert syndication.article_url(replace(ARTICLE, **change), replace(SITE, permalink=pattern)) == url


def test_entry_of_a_site_of_summaries():
    """With `feeds.text: summary` an entry has no HTML; relative URLs of image and author use the article's address."""
    article = replace(ARTICLE, image=Image("i.png"), authors=(Author("A", None, "/a"),), language="pt")
    entry = syndication.build_entry(article, "tag:x,2026:a", Content("<p>x</p>", "x"), replace(SITE, text="summary"))
    assert entry.html is None
    assert entry.image.url == "https://test.example/town-hall/a/i.png"
    assert entry.authors[0].url == "https://test.example/a"
    assert entry.language == "pt"


def test_feed_of_a_category():
    """The id of a feed depends only on the authority; its URL is where it is served; an empty feed has a date too."""
    feed = syndication.build_feed(FeedState("category/été", "category", "Été"), [], SITE, began=BEGAN)
    assert feed.id == "tag:test.example,2005:/category/%C3%A9t%C3%A9/"
    assert feed.folder_url == feed.home_url == "https://feeds.test.example/category/%C3%A9t%C3%A9/"
    assert feed.title == "Test – Été"
    assert feed.updated == BEGAN
    without = syndication.build_feed(FeedState("", "site", ""), [], replace(SITE, author=None), began=BEGAN)
    assert without.authors == (Author("Test"),)


def test_feeds_exist_from_min_entries_on():
    """A category's feed exists from `min_entries` entries on, if `by` includes categories; the site's always exists."""
    one = FeedState("tag/a", "tag", "A", entries=1)
    assert syndication.exists(one, SITE)
    assert not syndication.exists(one, replace(SITE, min_entries=2))
    assert not syndication.exists(one, replace(SITE, by=("category",)))
    assert syndication.exists(FeedState("", "site", ""), replace(SITE, min_entries=2))


PICTURE = Image("/img/a&b.png?v=2", 'A "lamp"')
SHOWN = '<p><img src="https://test.example/img/a&amp;b.png?v=2" alt="A &quot;lamp&quot;"></p>\n'


@pytest.mark.parametrize(
    ("html", "added"),
    [
        ("<p>Text</p>", True),
        ('<p><img src="https://test.example/img/other.png"></p>', True),
        ('<p><code>&lt;img src="https://test.example/img/a&amp;b.png"&gt;</code></p>', True),
        ('<p><a href="https://test.example/img/a&amp;b.png">It</a></p>', True),
        ('<p><img alt="" src="https://test.example/img/a&amp;b.png?v=2"></p>', False),
        ('<p><img src="https://test.example/img/a&amp;b.png"></p>', False),
        ('<p><img src="https://test.example/img/a&amp;b.png?w=100&amp;h=50#x"></p>', False),
        ('<img src="https://x.example/s.png" srcset="https://x.example/m.png 1x, https://test.example/img/a&amp;b.png?w=2 2x">', False),
        ('<picture><source srcset="https://test.example/img/a&amp;b.png"></picture>', False),
    ],
)  # fmt: skip
def test_the_image_in_the_text(html, added):
    """With `feeds.image_in_text` a text begins with the article's image, unless it contains the image in any size."""
    article, content = replace(ARTICLE, image=PICTURE), Content(html, "x")
    site = replace(SITE, image_in_text=True)
    assert syndication.build_entry(article, "tag:x,2026:a", content, site).html == (SHOWN + html if added else html)
    assert syndication.build_entry(article, "tag:x,2026:a", content, SITE).html == html
    assert syndication.build_entry(article, "tag:x,2026:a", content, replace(site, text="summary")).html is None
    assert syndication.build_entry(ARTICLE, "tag:x,2026:a", content, site).html == html
