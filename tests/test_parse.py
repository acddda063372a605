"""Parsing the text of one file: an Article, or a reason with a line."""

import json
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from feeds.core.errors import ArticleError
from feeds.core.model import Author, Enclosure, Image
from feeds.core.parse import article as articles
from feeds.core.parse import dates, yaml

LISBON = ZoneInfo("Europe/Lisbon")


def read(text, path="a.md", zone=UTC):
    return articles.parse_article(text if isinstance(text, bytes) else text.encode(), path, zone)


def with_(front, body="Text.", path="a.md"):
    return read(f"---\ndate: 2026-05-01\n{front}\n---\n{body}", path)


def refusal(text, path="a.md"):
    with pytest.raises(ArticleError) as caught:
        read(text, path)
    return caught.value.line, caught.value.reason


DIALECTS = {
    "yaml": '---\ntitle: T\ndate: "2026-01-24T09:13:22.668Z"\ntags: [a, b]\n---\n\nBody *text*.\n',
    "toml": '+++\ntitle = "T"\ndate = 2026-01-24T09:13:22.668Z\ntags = ["a", "b"]\n+++\n\nBody *text*.\n',
    "json": '{"title": "T", "date": "2026-01-24T09:13:22.668Z", "tags": ["a", "b"]}\n\nBody *text*.\n',
}


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("change", [lambda t: t, lambda t: "\ufeff" + t, lambda t: t.replace("\n", "\r\n")])
def test_dialects_say_the_same(dialect, change):
    """YAML, TOML and JSON, with or without a BOM, with LF or CRLF, give the same article."""
    article = read(change(DIALECTS[dialect]))
    assert article.title == "T"
    assert article.published == datetime(2026, 1, 24, 9, 13, 22, 668000, UTC)
    assert article.tags == ("a", "b")
    assert article.body.strip() == "Body *text*."


@pytest.mark.parametrize(
    ("field", "keys"),
    [
        ("title", ["title"]),
        ("slug", ["slug"]),
        ("id", ["id", "guid"]),
        ("link", ["link", "url", "permalink"]),
        ("summary", ["description", "summary", "excerpt", "subtitle"]),
        ("language", ["lang", "language"]),
    ],
)
def test_text_keys_in_order(field, keys):
    """Each text field reads its keys in the documented order; empty text and null count as missing."""
    for first, key in enumerate(keys):
        lines = [f"{absent}: ''" for absent in keys[:first]] + [f"{present}: v-{present}" for present in keys[first:]]
        expected = f"/v-{key}" if field == "link" else f"v-{key}" if field != "language" else f"vv-{key}"
        text = "\n".join(lines).replace("v-", "vv-") if field == "language" else "\n".join(lines)
        assert getattr(with_(text), field) == expected


@pytest.mark.parametrize("key", ["date", "published", "publishDate", "pubDate", "created", "publishdate"])
def test_date_keys(key):
    """Each key for the date is read, also Hugo's lower-case keys."""
    assert read(f"---\n{key}: 2026-05-01\n---\nx").published == datetime(2026, 5, 1, tzinfo=UTC)


@pytest.mark.parametrize("key", ["updated", "lastmod", "modified", "last_modified_at", "date_modified"])
def test_updated_keys(key):
    """Each key for the update is read; without one, the update is the date."""
    assert with_(f"{key}: 2026-05-02").updated == datetime(2026, 5, 2, tzinfo=UTC)
    assert with_("x: y").updated == datetime(2026, 5, 1, tzinfo=UTC)


def utc(*parts):
    return datetime(*parts, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-01-24", utc(2026, 1, 24)),
        ("2026-01-24 09:13", utc(2026, 1, 24, 9, 13)),
        ("2026-01-24T09:13:22Z", utc(2026, 1, 24, 9, 13, 22)),
        ("2026-01-24T09:13:22.668Z", utc(2026, 1, 24, 9, 13, 22, 668000)),
        ("2026-01-24T09:13:22,668123999Z", utc(2026, 1, 24, 9, 13, 22, 668123)),
        ("2026-01-24 09:13:22 +0200", utc(2026, 1, 24, 7, 13, 22)),
        ("2026-01-24T09:13:22+02:00", utc(2026, 1, 24, 7, 13, 22)),
        ("2026-01-24T09:13:22-05", utc(2026, 1, 24, 14, 13, 22)),
        ("2001-12-14t21:59:43.10-05:00", utc(2001, 12, 15, 2, 59, 43, 100000)),
        ("2001-12-14 21:59:43.10 -5", utc(2001, 12, 15, 2, 59, 43, 100000)),
        ("2002-1-2 3:04:05", utc(2002, 1, 2, 3, 4, 5)),
        ("2026-01-24 09:13:22 +0000 UTC", utc(2026, 1, 24, 9, 13, 22)),
        ("2026-01-24 09:13:22 UTC", utc(2026, 1, 24, 9, 13, 22)),
        ("2026/01/24", utc(2026, 1, 24)),
        ("20260124", utc(2026, 1, 24)),
        ("20260124T091322Z", utc(2026, 1, 24, 9, 13, 22)),
        ("Sat, 24 Jan 2026 09:13:22 GMT", utc(2026, 1, 24, 9, 13, 22)),
        ("24 Jan 2026 09:13:22 +0100", utc(2026, 1, 24, 8, 13, 22)),
        ("2016-12-31T23:59:60Z", utc(2016, 12, 31, 23, 59, 59)),
        ("0001-01-01T00:00:00Z", utc(1, 1, 1)),
        ("9999-12-31T23:59:59Z", utc(9999, 12, 31, 23, 59, 59)),
    ],
)
def test_date_spellings(text, moment):
    """All common forms of ISO 8601, YAML and RFC 822 dates are read."""
    assert dates.parse(text, UTC) == moment


@pytest.mark.parametrize(
    "text",
    [
        "2026-02-30", "2026-13-01", "2026-01-24T25:00:00Z", "2026-01-24T09:60Z", "24/01/2026", "01/02/2026", "yesterday",
        "1737709200", "12:30", "0123", "2026-01-24T09:13:22+99:00", "2026-01-24T09:13:22+01:75", "9999-12-31T23:59:59-01:00",
        "Sat, 42 Jan 2026 09:13:22 GMT", "2026-00-10", "2026-W04-6", "2026-01-24T09:13:61Z", "Sat, 24 Jan 2026 09:13:22 CEST",
    ],
)  # fmt: skip
def test_impossible_dates_are_refused(text):
    """A value that is not a date, or is ambiguous, is rejected with the line of its key."""
    line, reason = refusal(f"---\ntitle: x\ndate: '{text}'\n---\nx")
    assert line == 3
    assert reason.startswith(f"date: {text!r} is")


def test_the_suggested_dates():
    """The date that a message suggests is read, in the zone of the site or with its offset."""
    for text in ("soon", "true"):
        _, reason = refusal(f"---\ntitle: x\ndate: {text}\n---\nx")
        _, _, suggested = reason.partition("; write it like ")
        local, with_offset = suggested.replace(" (in site.timezone)", "").split(" or ")
        assert dates.parse(local, LISBON) == utc(2026, 1, 24, 9, 13)
        assert dates.parse(with_offset, LISBON) == utc(2026, 1, 24, 8, 13)


def test_dates_without_a_zone_are_the_sites():
    """A date without a zone is in the site's, with that day's offset; a date without a time is midnight there."""
    assert dates.parse("2026-07-01", LISBON).isoformat() == "2026-07-01T00:00:00+01:00"
    assert dates.parse("2026-01-01 10:00", LISBON).isoformat() == "2026-01-01T10:00:00+00:00"
    assert dates.parse("1890-01-01", LISBON).utcoffset() == timedelta(0), "local mean time has seconds; UTC is written"


@given(
    st.datetimes(timezones=st.just(UTC) | st.builds(timezone, st.integers(-23, 23).map(lambda h: timedelta(hours=h))))
)
def test_every_moment_round_trips(moment):
    """Every ISO date whose year is valid locally and in UTC is read as its moment."""
    try:
        moment.astimezone(UTC)
    except OverflowError:
        return
    assert dates.parse(moment.isoformat(), UTC) == moment


@pytest.mark.parametrize(
    ("path", "day", "slug", "name"),
    [
        ("2026-01-24-a-title.md", 24, "a-title", "2026-01-24-a-title"),
        ("_posts/2026-01-24-a-title.markdown", 24, "a-title", "_posts/2026-01-24-a-title"),
        ("2026-01-24-bundle/index.md", 24, "bundle", "2026-01-24-bundle"),
    ],
)
def test_date_in_the_file_name(path, day, slug, name):
    """Jekyll's file names give date and slug, also as the folder name of a bundle."""
    article = read("Text.", path)
    assert (article.published.day, article.slug, article.name) == (day, slug, name)


def test_bundle_is_named_by_its_folder():
    """`NAME/index.md` is an article named NAME."""
    assert with_("x: y", path="a/b/index.md").name == "a/b"
    assert with_("x: y", path="index.md").name == "index"


def test_no_date_is_refused():
    """Without a date in the front matter or the name, the article is rejected: "no date"."""
    assert refusal("---\ntitle: x\n---\nx")[1].startswith("no date")
    assert refusal("x", "2026-13-45-x.md")[1].startswith("no date")


@pytest.mark.parametrize(
    ("body", "title"),
    [
        ("# A *fine* `title` #\n\ntext", "A fine title"),
        ("text\n\nSetext\n======\n", "Setext"),
        ("```\n# not this\n```\n\n# [This](http://x) & that", "This & that"),
        ("## Level two\n", "My first post"),
    ],
)
def test_title_from_the_heading_or_the_slug(body, title):
    """Without a title, the title is the first level-1 heading outside code, or the words of the slug."""
    assert with_("x: y", body, "my-first_post.md").title == title


@pytest.mark.parametrize(
    ("front", "title"),
    [("title: 2024", "2024"), ("title: 12:30", "12:30"), ("title: No", "No"), ("title: 0123", "0123"), ("title: ~", "A"),
     ("title: true", "true"), ("title: '  two\n\n  lines '", "two lines"), ("title: ''", ""), ("title:", "A"), ('title: "a\\x07b"', "ab")],
)  # fmt: skip
def test_titles_are_text(front, title):
    """A title is the text as written, on one line, whatever YAML's type of it is."""
    assert with_(front).title == title


@pytest.mark.parametrize(
    ("front", "reason"),
    [
        ("title: {a: b}", "title: must be text, not a mapping"),
        ("title: [a]", "title: must be text, not a list"),
        ("draft: maybe", "draft: must be true or false, not 'maybe'"),
        ("link: javascript:alert(1)", "link: 'javascript:alert(1)' is neither a path on the site nor an http(s) URL"),
        ("url: //evil.example/x", "url: '//evil.example/x' is neither"),
        ("id: [x]", "id: must be text, not a list"),
        ("slug: {a: b}", "slug: must be text, not a mapping"),
        ("publishDate: soon", "publishDate: 'soon' is not a date"),
    ],
)
def test_wrong_shapes_are_refused_with_their_line(front, reason):
    """An unusable value of a field that identifies the article or its publication is rejected with its line."""
    line, said = refusal(f"---\ndate: 2026-05-01\n{front}\n---\nx")
    assert said.startswith(reason)
    assert line == 3


@pytest.mark.parametrize(("dialect", "line"), [("toml", 4), ("json", 4)])
def test_lines_in_other_dialects(dialect, line):
    """Errors in TOML and JSON have a line too."""
    text = {
        "toml": '+++\ndate = 2026-05-01\n\ntitle = ["x"]\n+++\n',
        "json": '{\n"date": "2026-05-01",\n\n"title": ["x"]}\n',
    }[dialect]
    assert refusal(text) == (line, "title: must be text, not a list")


def test_names():
    """Categories are text or a list, tags a list or text with commas; each name occurs once, in order."""
    article = with_('category: "a, b"\nkeywords: " Russia, drone attack ,, Russia, x"')
    assert article.categories == ("a, b",)
    assert article.tags == ("Russia", "drone attack", "x")
    assert with_("categories: [b, a, b, ~]").categories == ("b", "a")


def test_authors():
    """Authors are text, a list, or mappings of name, email and url."""
    article = with_("authors:\n- A\n- B <b@x.example>\n- {name: C, email: c@x.example, url: /c}")
    assert article.authors == (Author("A"), Author("B", "b@x.example"), Author("C", "c@x.example", "/c"))
    assert with_("author: A").authors == (Author("A"),)


def test_image_and_enclosures():
    """An image is text or url and alt; enclosures come from all their keys, with types derived from file names."""
    article = with_("cover: {url: i.png, alt: An i}\naudio: a.mp3\nenclosures: [{url: b.pdf, length: 12}, c.bin]")
    assert article.image == Image("i.png", "An i", "image/png")
    assert article.enclosures == (
        Enclosure("b.pdf", "application/pdf", 12),
        Enclosure("c.bin", "application/octet-stream"),
        Enclosure("a.mp3", "audio/mpeg"),
    )
    assert with_("thumbnail: /x").image == Image("/x")


@pytest.mark.parametrize(
    ("front", "path", "draft"),
    [("draft: true", "a.md", True), ("published: false", "a.md", True), ("draft: 'yes'", "a.md", True),
     ("draft: false", "a.md", False), ("published: true", "a.md", False), ("x: y", "_drafts/a.md", True),
     ("published: 'false'", "a.md", True), ("Status: draft", "a.md", True), ("status: Hidden", "a.md", True),
     ("status: skip", "a.md", True), ("status: published", "a.md", False), ("status: [draft, x]", "a.md", True),
     ("permalink: false", "a.md", True), ("permalink: pretty", "a.md", False),
     ("eleventyExcludeFromCollections: true", "a.md", True), ("eleventyExcludeFromCollections: [nav]", "a.md", False),
     ("headless: true", "a.md", True), ("headless: false", "a.md", False),
     ("build: {list: never}", "a.md", True), ("_build: {render: false}", "a.md", True), ("build: {list: local}", "a.md", True),
     ("build: {list: always, render: link}", "a.md", False), ("build: 7", "a.md", False), ("build: {list: [x]}", "a.md", True)],
)  # fmt: skip
def test_drafts(front, path, draft):
    """Each generator's ways to prevent publication make an article a draft, and nothing else does."""
    assert with_(front, path=path).draft is draft


@pytest.mark.parametrize(
    ("slug", "expected"),
    [("../../x", "x"), ("//evil", "evil"), ("javascript:alert(1)", "javascript:alert(1)"), ("..", "a"), ("été", "été")],
)
def test_slugs_stay_on_the_site(slug, expected):
    """A slug with "..", a host name or no text becomes a path below the site."""
    assert with_(f"slug: '{slug}'").slug == expected


@pytest.mark.parametrize(
    "text",
    [
        "---\n\nProse that opens with a rule.\n\n---\n\nMore.\n",
        "---\n\nProse and no second rule.\n",
        "{{< hugo >}}\n",
        "{% if %}\n",
    ],
)
def test_prose_is_no_front_matter(text):
    """A text that begins with a thematic break or template code is kept completely."""
    assert read(text, "2026-01-01-x.md").body == text


def test_metadata_without_marks():
    """Pelican's metadata is front matter: lines of key and value up to a blank line, including a title."""
    article = read(
        "Title: A: b\nDate: 2026-02-03 04:05\nTags: c, d\nSummary: e\n    f\nLang: ?\n \nBody: *x*\n", "p.md"
    )
    assert (article.title, article.published, article.tags) == (
        "A: b",
        datetime(2026, 2, 3, 4, 5, tzinfo=UTC),
        ("c", "d"),
    )
    assert (article.summary, article.body) == ("e f", "Body: *x*\n")
    assert [warning.line for warning in article.warnings] == [6]
    assert read("Title: A\nStatus: draft\nDate: 2026-02-03").draft


@pytest.mark.parametrize(
    "text", ["Alice: Hello\nBob: Hi.\nAlice: How are you?\n\nx", "Date: Tuesday\nPlace: town hall\n\nx", "Title: x\nand more\n\nx", "Note:x\nTitle: y\n", "\nTitle: x\n\nx", "Title: x\nhttps://x.example\n"]
)  # fmt: skip
def test_prose_with_colons_is_no_metadata(text):
    """First lines that are not metadata, or metadata without a title, are part of the text."""
    assert read(text, "2026-01-01-x.md").body == text


def test_a_key_may_be_said_again():
    """A key that is repeated with the same value is accepted."""
    assert read("---\ntitle: x\ntags: [a, b]\ndate: 2026-01-01\ntags: [a, b]\n---\n").tags == ("a", "b")
    assert read('{"date": "2026-01-01", "title": "x", "title": "x"}\n').title == "x"


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("---\ntitle: x\ndate: 2026-01-01\n", 1, "front matter: not closed"),
        ("+++\ntitle = 1\n", 1, "front matter: not closed"),
        ("---\ntitle: a: b\n---\n", 2, "front matter: not YAML: mapping values"),
        ("---\na: 1\nb: 2\na: 3\n---\n", 4, "front matter: a: duplicate key"),
        ("---\na: &x [1]\nb: *x\n---\n", 3, "front matter: *x: aliases are not supported"),
        ("---\na: !!python/name:os.system\n---\n", 2, "front matter: the tag"),
        ("---\n? [a]\n: b\n---\n", 2, "front matter: a key must be one word"),
        ("---\na: " + "[" * 40000 + "\n---\n", 2, "front matter: nested deeper than 50 levels"),
        ("---\na: " + "x" * 70000 + "\n---\n", 1, "the front matter is larger than 64 KiB"),
        ("+++\na = 1\na = 2\n+++\n", 3, "front matter: not TOML: Cannot overwrite"),
        ("+++\na = " + "[" * 5000 + "\n+++\n", 1, "front matter: nested too deep"),
        ("+++\na = " + "9" * 5000 + "\n+++\n", 2, "front matter: not TOML"),
        ("Title: x\nTags: a\nTitle: y\n\nx", 3, "front matter: Title: duplicate key"),
        ('{"a": 1, "a": 2}\n', 1, "front matter: not JSON: a: duplicate key"),
        ('{"a": 1,\n}\n', 2, "front matter: not JSON"),
        ('{"a": ' + "[" * 100000 + "\n", 1, "front matter: nested too deep"),
        (b"---\ntitle: caf\xe9\n---\n", 2, "not UTF-8: byte 0xe9"),
        ("x".encode("utf-16"), 1, "saved as UTF-16"),
        (b"", 1, "the file is empty"),
        (b" \n\x00\n", 1, "the file is empty"),
        (b"x" * (articles.MAX_FILE_BYTES + 1), 1, "the file is larger than 1024 KiB"),
    ],
)  # fmt: skip
def test_broken_files_are_refused_with_their_line(text, line, reason):
    """Damaged, hostile and incomplete files are rejected with a line and a reason."""
    said_line, said = refusal(text, "2026-01-01-x.md")
    assert said.startswith(reason)
    assert said_line == line


BROKEN = [
    ('---\ndate: 2026-01-01\ntitle: "abc\ntags: [x]\n---\n', 3, "the quote that begins here is not closed"),
    ('---\ntitle: "abc\ntags: ["x"]\nslug: y\n---\n', 2, "the quote that begins here is not closed"),
    ("---\nsummary: 'two\n  lines'\ntitle: 'it's\n---\n", 4, "the quote that begins here is not closed, or text follows it"),
    ("---\ntitle: @handle\n---\n", 2, "a text that begins with @ needs quotes, as in '@handle'"),
    ("---\ntags:\n- `x`\n---\n", 3, "a text that begins with ` needs quotes"),
    ("---\ntitle: *Really* good\n---\n", 2, "a text that begins with * needs quotes"),
    ("---\ntags:\n\t- x\n---\n", 3, "a tab indents this line; use spaces"),
    ("---\na:\n  b: 1\n\tc: 2\n---\n", 4, "a tab indents this line; use spaces"),
    ("---\ntitle：全角\ndate: 2026-01-01\n---\n", 2, "the colon after a key is a full-width colon"),
    ("---\n\ntitle：全角\ndate：2026-01-01\n---\n", 3, "the colon after a key is a full-width colon"),
    ("---\ntitle x\ndate: 2026-01-01\n---\n", 2, "a colon and a space are missing after the key"),
    ("---\ntitle:x\ndate: 2026-01-01\n---\n", 2, "a colon and a space are missing after the key"),
    ('---\ntitle: "C:\\x"\n---\n', 2, "write a backslash in double quotes twice"),
    ("---\ntitle: x\ndate: {{date}}\n---\n", 3, "{{date}} is a placeholder of a template"),
    ('---\ndate: "{{date}}"\n---\n', 2, "{{date}} is a placeholder of a template"),
    ("---\ndate: <% tp.date.now() %>\n---\n", 2, "<% tp.date.now() %> is a placeholder of a template"),
    ('+++\ntitle = "abc\ndate = 2026-01-01\n+++\n', 2, "a quote that begins in this line is not closed"),
    ("+++\ntitle = @x\n+++\n", 2, "a text needs straight quotes"),
    ('+++\ntitle: "x"\n+++\n', 2, "a key and its value are separated by ="),
    ("+++\ntitle = 'it's'\n+++\n", 2, "text follows the end of a value"),
    ("+++\ndate = {{date}}\n+++\n", 2, "{{date}} is a placeholder of a template"),
    ("--\ntitle: x\ndraft: true\n--\nx", 1, "front matter must begin and end with a line ---, not --"),
    ("\n----\ntitle: x\n----\nx", 2, "front matter must begin and end with a line ---, not ----"),
    ("--\nlayout: post\ntitle: x\n\nx", 1, "front matter must begin and end with a line ---, not --"),
    ("++++\ntitle = 'x'\n++++\nx", 1, "front matter must begin and end with a line +++, not ++++"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "line", "reason"), BROKEN)
def test_broken_front_matter_says_what_to_write(text, line, reason):
    """Common mistakes are rejected with their line and a correction."""
    said_line, said = refusal(text, "2026-01-01-x.md")
    assert reason in said
    assert said_line == line


@pytest.mark.parametrize("text", ["----\n\nNote: prose.\n\n----\n", "----\nTitle: x\n", "--\nNote: prose.\n--\n", "---\n注：文。\n\n---\n", "++\nprose\n++\n"])  # fmt: skip
def test_prose_between_other_rules_is_no_front_matter(text):
    """A text between thematic breaks that has no known key is part of the article's text."""
    assert read(text, "2026-01-01-x.md").body == text


@given(st.text(max_size=300) | st.text("[]{}&*!|>-:,\"'# \n\tab", max_size=300))
def test_any_front_matter_is_read_or_refused(text):
    """Any text between the delimiters gives an article or a reason, never another exception."""
    for mark in ("---", "+++"):
        try:
            articles.parse_article(
                f"{mark}\n{text}\n{mark}\nx".encode("utf-8", "surrogatepass"), "2026-01-01-x.md", UTC
            )
        except ArticleError as refused:
            assert refused.reason


JSONISH = st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists, max_leaves=5)


@given(
    st.dictionaries(
        st.sampled_from(["title", "date", "tags", "author", "image", "draft", "slug", "link", "id", "expires"]), JSONISH
    )
)
def test_any_value_of_any_key_is_read_or_refused(values):
    """A value of any shape under any key can only reject its own article."""
    try:
        read(json.dumps(values) + "\nx", "2026-01-01-x.md")
    except ArticleError as refused:
        assert refused.reason


def test_yaml_positions():
    """Every node has the position of its key and its value."""
    node = yaml.load("a:\n  b: [1,\n    two]\n").value["a"].value["b"]
    assert (node.key_line, node.key_column, node.line, node.column) == (2, 3, 2, 6)
    assert [(item.line, item.value) for item in node.value] == [(2, "1"), (3, "two")]


@pytest.mark.parametrize(
    "text",
    [
        "---\n" + "\n" * 60 + "Some text\n",
        "---\ndate: 2026-05-01\n---\n# a" + " " * 100_000 + "b",
        "---\ndate: 2026-05-01\n---\n# " + "[" * 300_000,
        "---\ndate: 2026-05-01\n---\n" + "[" * 300_000 + "\n=====\n",
        '{"date": "2026-05-01", ' + ", ".join(f'"k{n}": 1' for n in range(90_000)) + ', "k1": 2}\n',
        "+++\ndate=2024-01-01\nx." + "a." * 30_000 + "b=1\n+++\n",
        "+++\ndate=2024-01-01\n" + "\n".join(f"k{n}=1" for n in range(7_500)) + "\n+++\n",
        '+++\ndate=2024-01-01\ntitle="' + "x." * 30_000 + '"\n+++\n',
    ],
    ids=lambda text: text[:20],
)
def test_no_front_matter_takes_long(text):
    """Texts that once took a regular expression minutes are accepted or rejected at once."""
    try:
        read(text, "2026-01-01-x.md")
    except ArticleError as refused:
        assert len(refused.reason) < 200


@pytest.mark.parametrize(
    "text",
    [
        "+++\ndate=2024-01-01\ntitle=0x" + "f" * 5_000 + "\n+++\n",
        "+++\ndate=0x" + "f" * 5_000 + "\n+++\n",
        "+++\ndate=2024-01-01\ndraft" + ".a" * 2_000 + "=1\n+++\n",
        '{"\\ud800": 1, "\\ud800": 2}\n',
    ],
    ids=lambda text: text[:30],
)
def test_what_crashed_a_run_refuses_its_article(text):
    """Numbers with thousands of digits, keys with thousands of parts and the like affect only their own article."""
    with pytest.raises(ArticleError):
        read(text)


@pytest.mark.parametrize("word", ["no", "off", "0", "'false'", "False"])
def test_published_no_is_a_draft(word):
    """Any word for "no" as the value of `published` prevents publication."""
    assert with_(f"published: {word}").draft


@pytest.mark.parametrize(
    "front",
    ["author: {name: N, url: 'javascript:alert(1)'}", "image: 'javascript:alert(1)'", "enclosure: 'javascript:alert(1)'",
     "cover: 'data:image/png;base64,AAAA'", "image: 'http://[x'", "canonical_url: 'javascript:alert(1)'",
     "external_url: 'file:///etc/passwd'"],
)  # fmt: skip
def test_only_web_addresses_go_out(front):
    """A URL that is neither on the site nor http(s) is ignored, with a warning at its line."""
    article = with_(front)
    assert [(one.line, one.rule) for one in article.warnings] == [(3, "unusable-value")]
    urls = [
        article.image,
        *article.enclosures,
        article.canonical,
        article.external_url,
        *(a.url for a in article.authors),
    ]
    assert not any(urls)


@pytest.mark.parametrize("link", ["http://[::1", "http://exa mple/"])
def test_a_broken_link_is_refused(link):
    """An article whose own address is not a URL is rejected."""
    assert refusal(f"---\ndate: 2026-05-01\nlink: '{link}'\n---\nx")[0] == 3


def test_the_title_is_the_first_heading():
    """Without a title, the first level-1 heading is the title, and the body is unchanged."""
    for body, title in (("\n# A *b*\n\nText.\n", "A b"), ("A b\n===\nText.\n", "A b"), ("Text.\n\n# A\n", "A")):
        article = with_("x: y", body)
        assert (article.title, article.body) == (title, body)
    assert with_("title: T", "# A\n").title == "T"


def test_drafts_need_no_date():
    """Jekyll's drafts, without dates in their names, are drafts, and no file is rejected."""
    assert read("Text.", "_drafts/idea.md").draft
    assert read("---\ndraft: true\n---\nx", "idea.md").draft


@pytest.mark.parametrize(("permalink", "link"), [("false", None), ("pretty", None), ("/x/", "/x/"), ("a b", "/a-b")])
def test_permalinks_of_other_generators(permalink, link):
    """Jekyll's permalink styles and Eleventy's `false` are not paths; other values are."""
    assert with_(f"permalink: {permalink}").link == link


@pytest.mark.parametrize("permalink", ["'/:categories/:title/'", "'/{{ title | slug }}/'"])
def test_templates_are_no_links(permalink):
    """A template that another generator would expand is rejected, because it would be a dead link."""
    assert "is a template" in refusal(f"---\ndate: 2026-05-01\npermalink: {permalink}\n---\n")[1]


def test_blank_lines_above_the_front_matter():
    """Front matter may follow blank lines, and line numbers are those of the file."""
    assert with_("title: T").title == read("\n\n---\ndate: 2026-05-01\ntitle: T\n---\n").title
    assert refusal("\n\n---\ndate: never\n---\n")[0] == 4


@pytest.mark.parametrize("key", ["publishDate", "publishdate", "PUBDATE", "pubDatetime", "Created_At"])
def test_a_key_is_said_as_its_author_spells_it(key):
    """The message about a value names the key as written in the file, with its line."""
    line, reason = refusal(f"---\ntitle: T\n{key}: never\n---\n")
    assert (line, reason.partition(":")[0]) == (3, key)


def test_a_blank_author_is_none():
    """A list of blank texts gives no names."""
    assert with_("authors: [' ', ~]").authors == ()
    assert with_("link: HTTP://x.example/a").link == "HTTP://x.example/a"


_VALUES = ["true", "null", "~", "2026-01-02T10:00:00Z", "'a''b'", "[a, 'b', \"c\"]", "[]", "[a,]", "a # b"]
_ODD = st.tuples(
    st.sampled_from(["title", "date", "no", "null", "Draft", "a-b", "x_1", "1a", "- a", "'q'"]),
    st.sampled_from([":", ": ", ":  ", " :", ":\t"]),
    st.text(alphabet="abé 012:/'\"[],-#.&*!?|>{}%@`\\~\u00a0\u2028\t\x85", max_size=12) | st.sampled_from(_VALUES),
)
_USUAL = st.tuples(
    st.sampled_from(["title", "date", "Draft", "a-b", "x_1"]),
    st.sampled_from([": ", ":  "]),
    st.text(alphabet="abé 012:/'.,()&!?+_-", max_size=12).map("a".__add__) | st.sampled_from(_VALUES),
)
_MATTER = (
    st.lists(_USUAL, min_size=1, max_size=4, unique_by=lambda line: line[0]) | st.lists(_USUAL | _ODD, min_size=1, max_size=4)
).map(lambda lines: "\n".join(map("".join, lines)))  # fmt: skip


@settings(max_examples=10 * settings().max_examples)  # the examples are cheap
@given(_MATTER)
@example("title: a\n  b")
@example("a: [x: y]")
@example("a: b: c")
@example('a: "x" y')
@example("...\na: b")
def test_simple_front_matter_is_read_as_the_yaml_parser_reads_it(text):
    """The fast reader gives the same values and lines as the YAML parser."""
    read = yaml.load_simple(text)
    if read is not None:
        node = yaml.load(text)
        assert read == (node.to_value() or {})
        lines = {key: value.key_line for key, value in (node.value or {}).items()}
        assert {key: yaml.simple_line_of(text, key) for key in read} == lines


def test_most_front_matter_is_simple():
    """The form that generators write is read without the YAML parser."""
    matter = 'title: "A; B: c"\ndate: 2026-01-24T09:13:22Z\ndraft: false\n\ntags: ["a b", c, \'d\']\nslug: eé-f\n'
    facts = {"title": "A; B: c", "date": "2026-01-24T09:13:22Z", "draft": False, "tags": ["a b", "c", "d"]}
    assert yaml.load_simple(matter) == facts | {"slug": "eé-f"}
    assert [yaml.simple_line_of(matter, key) for key in ("title", "date", "draft", "tags", "slug")] == [1, 2, 3, 5, 6]


@pytest.mark.parametrize(
    "text", ["true", "Null", "~", "a: b", "a #b", " a ", "été", "{x}", "- a", "2024-01-02", "\"'", "", "a/b.c"]
)
def test_yaml_that_we_write_is_read_back(text):
    """`load` reads what `dump` writes as the same texts; empty values are omitted."""
    values = {"site": {"title": text, "more": {"deep": "x"}}, "list": [text, "b"], text or "k": "v"}
    assert yaml.load(yaml.dump(values | {"none": None, "map": {}, "empty": []})).to_value() == values


@pytest.mark.parametrize(
    ("path", "text", "said"),
    [
        ("a.md", "Date: 2024-01-02 10:20\nTags: a\n\nText.\n", "only if they include `Title:`"),
        ("2026-02-31-x.md", "Text.\n", "2026-02-31 in the file name is not a valid date"),
        ("a.md", "---\ndat: 2026-01-01\n---\nText.\n", "is `dat` meant to be the date?"),
        ("a.md", "Note: this is prose.\nAnd so on.\n", "add a `date`, or"),
        ("a.md", "---\ntitle: x\n---\nText.\n", "add a `date`, or"),
    ],
)
def test_why_there_is_no_date(path, text, said):
    """An article without a date is rejected, with a suggestion of the key that was meant to be the date."""
    with pytest.raises(ArticleError, match="no date: ") as refused:
        articles.parse_article(text.encode(), path, UTC)
    assert said in refused.value.reason
