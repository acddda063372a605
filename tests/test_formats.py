"""Documents of a feed: the same guarantees for all three formats."""

import json
import locale
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree
from read_entries import read_entries
from rules import violations

from feeds.core.formats import FORMATS
from feeds.core.formats.timestamps import rfc822, rfc3339
from feeds.core.model import Author, Enclosure, Entry, Feed, Image
from feeds.core.text import clean, one_line

FEED = Feed(
    path="category/ai",
    id="tag:test.example,2005:/category/ai/",
    title="Test & <Co>",
    description="About",
    home_url="https://test.example/category/ai/",
    page_url="https://test.example/category/ai/",
    stylesheet_url="https://test.example/static/feed.css",
    folder_url="https://test.example/category/ai/",
    updated=datetime(2026, 1, 25, tzinfo=UTC),
    language="en",
    authors=(Author("Desk", "desk@test.example", "https://test.example/desk"),),
    icon="https://test.example/icon.png",
    copyright="© Test",
    categories_scheme="https://test.example/category/",
    tags_scheme="https://test.example/tag/",
    entries=(),
)
ENTRY = Entry(
    id="tag:test.example,2026:a",
    url="https://test.example/ai/a/",
    title="A & <b>B</b> <3",
    published=datetime(2026, 1, 24, 9, 13, 22, 668000, UTC),
    updated=datetime(2026, 1, 25, 1, tzinfo=timezone(timedelta(hours=2))),
    authors=(Author("A", "a@test.example"), Author("B", None, "https://b.example/")),
    categories=("ai",),
    tags=("C++", "R & D"),
    summary="5 < 6 & so on",
    html='<p>Text &lt;3 with <a href="https://test.example/">link</a> and ]]&gt; ]]></p>',
    image=Image("https://test.example/i.png", "An i", "image/png"),
    enclosures=(
        Enclosure("https://test.example/a.mp3", "audio/mpeg", 12),
        Enclosure("https://test.example/b.pdf", "application/pdf"),
    ),
    language="pt",
)


def read(format_, feed):
    return read_entries(format_.filename, format_.render(feed))


class Suite:
    """The guarantees of every format; a subclass for each inherits the tests."""

    format: object

    def test_a_full_entry_is_read_back_whole(self):
        """An independent parser can read every property of an entry."""
        (read_back,) = read(self.format, replace(FEED, entries=(ENTRY,)))
        whole_second = self.format.filename == "rss.xml"
        assert read_back == {
            "id": ENTRY.id,
            "url": ENTRY.url,
            "title": ENTRY.title,
            "published": ENTRY.published.replace(microsecond=0) if whole_second else ENTRY.published,
            "updated": ENTRY.updated,
            "authors": ["A", "B"],
            "categories": ["ai"],
            "tags": ["C++", "R & D"],
            "summary": ENTRY.summary,
            "html": ENTRY.html,
            "image": "https://test.example/i.png",
            "files": [
                ("https://test.example/a.mp3", "audio/mpeg", 12),
                ("https://test.example/b.pdf", "application/pdf", 0),
            ],
            "language": "pt",
        }

    @pytest.mark.parametrize(
        "change",
        [
            {}, {"entries": (ENTRY,)}, {"entries": (replace(ENTRY, html=None),)}, {"entries": (replace(ENTRY, html=""),)},
            {"entries": (replace(ENTRY, summary=""),)}, {"entries": (replace(ENTRY, authors=()),)},
            {"entries": (replace(ENTRY, authors=ENTRY.authors[:1]),)}, {"description": ""}, {"icon": None, "copyright": None},
            {"icon": "https://test.example/icon.svg"},
            {"entries": (replace(ENTRY, summary="", html=None, tags=(), categories=(), image=None, enclosures=(), language="en"),)},
        ],
    )  # fmt: skip
    def test_every_shape_is_valid(self, change):
        """A document follows the rules of its format also if optional values are missing."""
        feed = replace(FEED, **change)
        body = self.format.render(feed)
        assert list(violations(self.format.filename, body, FEED.folder_url + self.format.filename)) == []

    def test_same_feed_same_bytes(self):
        """Rendering does not depend on the clock or on earlier renderings."""
        feed = replace(FEED, entries=(ENTRY, replace(ENTRY, id="tag:test.example,2025:b")))
        assert self.format.render(feed) == self.format.render(feed)

    def test_an_entry_is_the_same_in_every_feed_of_a_site(self):
        """An entry has the same bytes in every document that contains it."""
        awkward = replace(
            ENTRY, id="tag:test.example,2026:z", html="a\n</feed>\n  </channel>\n</root>\n", title="\\1 </title>"
        )
        other = replace(
            FEED,
            path="tag/x",
            title="Another",
            page_url="/tag/x/",
            id="tag:test.example,2005:x",
            entries=(awkward, ENTRY),
        )
        written = [self.format.render_entry(entry, FEED) for entry in (awkward, ENTRY)]
        assert written == [self.format.render_entry(entry, other) for entry in (awkward, ENTRY)]
        body = self.format.render(other)
        assert all(entry in body for entry in written)
        assert [entry["id"] for entry in read(self.format, other)] == [awkward.id, ENTRY.id]
        assert list(violations(self.format.filename, body, FEED.folder_url + self.format.filename)) == []

    def test_order_is_the_feeds(self):
        """Entries are in the order of the feed."""
        entries = tuple(replace(ENTRY, id=f"tag:test.example,2026:{n}") for n in range(3))
        assert [entry["id"] for entry in read(self.format, replace(FEED, entries=entries))] == [
            entry.id for entry in entries
        ]

    def test_rendering_does_not_touch_the_locale(self):
        """Dates are in English, and the locale of the process is never changed."""
        seen = set()
        stop = threading.Event()

        watching = threading.Event()

        def watch():
            while not stop.is_set():
                seen.add(locale.setlocale(locale.LC_ALL))
                watching.set()

        before = locale.setlocale(locale.LC_ALL)
        watcher = threading.Thread(target=watch)
        watcher.start()
        assert watching.wait(120)
        for _ in range(20):
            self.format.render(replace(FEED, entries=(ENTRY,)))
        stop.set()
        watcher.join()
        assert seen == {before}


class TestRss(Suite):
    """RSS 2.0."""

    format = FORMATS[0]

    def test_authors(self):
        """Each author is a dc:creator with a name, without an e-mail address, which feedparser parses wrongly."""
        body = self.format.render(replace(FEED, entries=(ENTRY,)))
        assert b"<dc:creator>A</dc:creator>" in body
        assert b"<dc:creator>B</dc:creator>" in body
        assert b"a@test.example" not in body

    def test_titles_are_plain_text(self):
        """& and < in titles are written as the references that the RSS Profile recommends."""
        body = self.format.render(replace(FEED, entries=(ENTRY,)))
        assert b"<title>A &#x26; &#x3C;b&gt;B&#x3C;/b&gt; &#x3C;3</title>" in body

    def test_dates(self):
        """The sample's date is in RFC 822 form, and lastBuildDate is the feed's own date."""
        body = self.format.render(replace(FEED, entries=(ENTRY,)))
        assert b"<pubDate>Sat, 24 Jan 2026 09:13:22 +0000</pubDate>" in body
        assert b"<lastBuildDate>Sun, 25 Jan 2026 00:00:00 +0000</lastBuildDate>" in body


class TestAtom(Suite):
    """Atom 1.0."""

    format = FORMATS[1]

    def test_enclosures_keep_their_attributes(self):
        """rel, type and length of links are kept, although feedgen loses them."""
        body = self.format.render(replace(FEED, entries=(ENTRY,)))
        assert b'<link href="https://test.example/a.mp3" rel="enclosure" type="audio/mpeg" length="12"/>' in body


class TestJsonFeed(Suite):
    """JSON Feed 1.1."""

    format = FORMATS[2]

    def test_text_instead_of_html(self):
        """A feed of summaries has content_text, because JSON Feed requires a content key."""
        (item,) = json.loads(self.format.render(replace(FEED, entries=(replace(ENTRY, html=None),))))["items"]
        assert item["content_text"] == ENTRY.summary
        assert "content_html" not in item


@pytest.mark.parametrize(
    ("moment", "long", "short"),
    [
        (datetime(2026, 1, 24, 9, 13, 22, 668000, UTC), "2026-01-24T09:13:22.668Z", "Sat, 24 Jan 2026 09:13:22 +0000"),
        (datetime(2026, 1, 24, 9, 13, 22, 1, UTC), "2026-01-24T09:13:22.000001Z", "Sat, 24 Jan 2026 09:13:22 +0000"),
        (
            datetime(1, 2, 3, tzinfo=timezone(timedelta(hours=-5))),
            "0001-02-03T00:00:00-05:00",
            "Sat, 03 Feb 0001 00:00:00 -0500",
        ),
    ],
)
def test_dates_as_the_formats_write_them(moment, long, short):
    """RFC 3339 dates have an upper-case Z and a fraction only if needed; RFC 822 dates have a year of four digits."""
    assert (rfc3339(moment), rfc822(moment)) == (long, short)


@pytest.mark.parametrize("format_", FORMATS, ids=lambda format_: format_.filename)
@given(st.text(), st.text(), st.text())
def test_any_clean_text_survives(format_, title, summary, html):
    """Any text that XML allows is returned unchanged by a parser."""
    entry = replace(ENTRY, title=one_line(title) or "t", summary=one_line(summary), html=clean(html), language="en")
    body = format_.render(replace(FEED, entries=(entry,)))
    if format_.filename == "feed.json":
        (item,) = json.loads(body)["items"]
        assert (item["title"], item.get("summary", ""), item["content_html"]) == (
            entry.title,
            entry.summary,
            entry.html,
        )
    else:
        root = etree.fromstring(body)
        texts = {element.text for element in root.iter() if element.text}
        assert entry.title in texts
        assert not entry.html or entry.html in texts


@pytest.mark.parametrize("format_", FORMATS[:2], ids=lambda format_: format_.name)
@pytest.mark.parametrize(
    ("language", "written", "sentence"),
    [
        ("en", "en", "This is a feed"), ("en-GB", "en", "This is a feed"), ("it", "en", "This is a feed"),
        ("de-AT", "de", "Dies ist ein Feed"), ("FR", "fr", "Ceci est un flux"), ("ar", "ar", "هذه خلاصة"),
    ],
)  # fmt: skip
def test_the_line_for_browsers(format_, language, written, sentence):
    """The line for browsers is in the main language of the feed if it has a translation, else in English."""
    document = format_.render(replace(FEED, language=language, entries=(ENTRY,)))
    (line,) = etree.fromstring(document).iter("{http://www.w3.org/1999/xhtml}div")
    assert line.get("{http://www.w3.org/XML/1998/namespace}lang") == written
    assert line.text.startswith(sentence)
    assert line.get("dir") == ("rtl" if written == "ar" else None)
    assert list(violations(format_.filename, document, FEED.folder_url + format_.filename)) == []
