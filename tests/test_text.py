"""Text for documents: cleaning, slugs, URLs and truncation."""

import json
import re
from urllib.parse import urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from feeds.core import text as text_module
from feeds.core.text import absolute_url, clean, one_line, quote_path, slugify, to_safe_path, truncate, url_scheme

ANYTHING = st.text(st.characters(codec=None), max_size=200)


@given(ANYTHING)
def test_clean_text_fits_into_xml(text):
    """A cleaned text can be written as XML, read back, and encoded as UTF-8."""
    element = etree.Element("a")
    element.text = clean(text)
    assert (etree.fromstring(etree.tostring(element, encoding="UTF-8")).text or "") == clean(text)


@pytest.mark.parametrize("forbidden", ["\x00", "\x08", "\x0b", "\x1f", "\x7f", "\x92", "\ud800", "\udfff", "￾", "￿"])
def test_forbidden_characters_go(forbidden):
    """Every character that XML 1.0 section 2.2 forbids or discourages is removed, and its neighbours stay."""
    assert clean(f"a{forbidden}b") == "ab"


@pytest.mark.parametrize("beside", ["x", "\n", "é", "日\n", "a\xa0\n"])
def test_clean_drops_nothing_else(beside):
    """Every other character of the Basic Multilingual Plane stays, whatever is next to it."""
    forbidden = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
    others = set(map(chr, range(0x10000))) - set("\r\x85\u2028\u2029")
    for character in sorted(others):
        assert clean(beside + character) == forbidden.sub("", beside + character)


def test_line_breaks_become_lf():
    """CR and CRLF become LF; line breaks that only YAML knows become spaces; tabs stay."""
    assert clean("a\r\nb\rc\x85d\u2028e\tf") == "a\nb\nc d e\tf"


@given(ANYTHING)
def test_one_line_is_one_line(text):
    """One line has no line break and no double space."""
    line = one_line(text)
    assert "\n" not in line
    assert "  " not in line


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("AI", "ai"),
        ("Town hall", "town-hall"),
        ("C", "c"),
        ("C++", "c-plus-plus"),
        ("C#", "c-sharp"),
        ("Données & cie", "données-cie"),
        ("ＦＵＬＬ", "full"),
        ("москва", "москва"),
        ("../..", ""),
        ("!!!", ""),
        ("दिल", "दिल"),
        ("दूल", "दूल"),
        ("ที่", "ที่"),
        ("مَدرسة", "مَدرسة"),
        ("می\u200cخواهم", "میخواهم"),
        ("𠀀" * 80, "𠀀" * 50),
        ("straße", "strasse"),
        ("e\u0301", "é"),  # NFD and NFC are one name
    ],
)
def test_slugs(name, slug):
    """A slug is in lower case, keeps letters of any script, and distinguishes C, C++ and C#."""
    assert slugify(name) == slug


@given(ANYTHING)
def test_slug_is_a_folder_name(name):
    """A slug is a valid file name on any file system, and the slug of a slug is its beginning."""
    slug = slugify(name)
    assert "/" not in slug
    assert slug not in (".", "..")
    assert len(slug.encode()) <= 255
    assert slugify(slug) == slug


@pytest.mark.parametrize(
    ("given_", "safe"),
    [
        ("../../x", "x"),
        ("//evil", "evil"),
        ("a/./b/../c", "a/b/c"),
        ("a b\\c", "a-b-c"),
        ("...", ""),
        ("2026/x", "2026/x"),
    ],
)
def test_safe_path_stays_below(given_, safe):
    """A slug with "..", a leading slash or a host name becomes a path below the site."""
    assert to_safe_path(given_) == safe


@given(ANYTHING)
def test_safe_path_never_climbs(text):
    """No text gives a path with an empty, "." or ".." part."""
    assert all(part.strip(".") for part in to_safe_path(text).split("/")) or to_safe_path(text) == ""


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("b.png", "https://a.example/x/b.png"),
        ("../b.png", "https://a.example/b.png"),
        ("/b", "https://a.example/b"),
        ("//c.example/b", "https://c.example/b"),
        ("#f", "https://a.example/x/#f"),
        ("?q=1&r=2", "https://a.example/x/?q=1&r=2"),
        ("a b%20c", "https://a.example/x/a%20b%20c"),
        ("https://ü.example/ß", "https://xn--tda.example/%C3%9F"),
        ("mailto:a@b.example", "mailto:a@b.example"),
        (" \n/b\t", "https://a.example/b"),
        ("http://[::1", None),
        ("http://exa mple/", None),
        ("http:r", None),
        ("https://h:99999/", None),
        ("https://user@ü.example/", "https://user@xn--tda.example/"),
        ("http://例え:8080/", "http://xn--r8jz45g:8080/"),
    ],
)
def test_absolute(url, expected):
    """A reference is resolved according to RFC 3986 section 5, and written in ASCII."""
    assert absolute_url(url, "https://a.example/x/") == expected


@given(ANYTHING)
def test_absolute_is_ascii_or_nothing(url):
    """Any text that an author writes as a URL becomes an absolute ASCII URL or none."""
    made = absolute_url(url, "https://a.example/x/")
    if made is not None:
        assert made.isascii()
        assert url_scheme(made)
        json.dumps(made)


URL_PARTS = st.lists(
    st.sampled_from(["a", "B1", "-", "_", "~", ".", "..", "/", "//", "?", "#", ":", ";", "%41", "%", "@", "=", "&", "é", " ", "(", ",", "\n", "b.c"]),
    max_size=8,
).map("".join)  # fmt: skip


@settings(max_examples=10 * settings().max_examples)
@given(
    st.sampled_from(["", "", "/", "https://", "http://a.b/", "https://a.b"]),
    URL_PARTS,
    st.sampled_from(["https://a.b/c/", "https://a.b/c/d.e", "https://a.b", "http://a.b:80/", "https://a.b/c//d/", "https://a.b/./d/", "https://a.b/c;d/e"])
    | URL_PARTS.map("https://a.b/".__add__),
)  # fmt: skip
def test_usual_references_are_resolved_like_others(beginning, rest, base):
    """The faster way to resolve most references has the same result as the general one."""
    assert absolute_url(beginning + rest, base) == text_module._resolve(beginning + rest, base)


@given(ANYTHING)
def test_quoted_path_is_a_path(text):
    """A quoted path contains no query and no fragment."""
    quoted = quote_path("/" + clean(text).replace("/", ""))
    assert urlsplit(f"https://a.example{quoted}").path == quoted


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("short", "short"),
        ("nine char", "nine char"),
        ("ten or more chars", "ten or mor…"),
        ("ten words, chars", "ten words…"),
        ("天地玄黄宇宙洪荒日月盈昃", "天地玄黄宇宙洪荒日月…"),
        ("天地玄黄宇宙洪荒。日月盈昃", "天地玄黄宇宙洪荒…"),
        ("天。地玄黄宇宙洪荒日月盈昃", "天。地玄黄宇宙洪荒日…"),
        ("กำลังเดินทางไปทำงาน", "กำลังเดินท…"),
        ("abcdefghi👨‍👩‍👧jk", "abcdefghi…"),
        ("abcdefghie\u0301fg", "abcdefghi…"),
        ("e" + "\u0301" * 200, "e" + "\u0301" * 9 + "…"),
    ],
)
def test_a_text_is_shortened_between_characters(text, expected):
    """A text is cut at a space or punctuation near the limit, or at the limit, never within a character."""
    assert truncate(text, 10) == expected


@given(st.text("ab 天。é\u0301👨\u200d👩🇩🇪한", max_size=300), st.integers(1, 100))
def test_any_text_is_shortened(text, limit):
    """The result is the beginning of the text, on one line, and not longer than the limit."""
    short = truncate(text, limit)
    line = one_line(text)
    assert short == line if len(line) <= limit else len(short) <= limit + 1
    assert line.startswith(short.removesuffix("…"))
