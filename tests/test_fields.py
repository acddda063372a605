"""Front matter of other generators, themes and hosts: the keys that count, and the handling of unusable values."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds.core.errors import ArticleError
from feeds.core.model import Author, Enclosure, Image
from feeds.core.parse import article as articles
from feeds.core.parse import dates, keys


def read(text, path="a.md", people=None):
    return articles.parse_article(text.encode(), path, UTC, people)


def with_(front, path="a.md", people=None):
    return read(f"---\ndate: 2026-05-01\n{front}\n---\nText.\n", path, people)


def day(*parts):
    return datetime(*parts, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("Feb 3 2021", day(2021, 2, 3)),
        ("March 9, 2020", day(2020, 3, 9)),
        ("9 March 2020", day(2020, 3, 9)),
        ("9th of March, 2020", day(2020, 3, 9)),
        ("Sept. 30, 2019", day(2019, 9, 30)),
        ("2-Jun-2018", day(2018, 6, 2)),
        ("Tuesday, June 2nd 2020, 8:05:09 pm", day(2020, 6, 2, 20, 5, 9)),
        ("May 4, 2017 at 12:30 AM", day(2017, 5, 4, 0, 30)),
        ("Sun Dec 05 2021", day(2021, 12, 5)),
        ("Sun Dec 05 2021 23:10:01 GMT+0530 (India Standard Time)", day(2021, 12, 5, 17, 40, 1)),
        ("Sun Dec 05 2021 23:10:01 GMT-0000", day(2021, 12, 5, 23, 10, 1)),
        ("2021.12.05", day(2021, 12, 5)),
        ("Sun Dec  5 23:10:01 2021", day(2021, 12, 5, 23, 10, 1)),
        ("Sun Dec 5 23:10:01 UTC 2021", day(2021, 12, 5, 23, 10, 1)),
        ("Sun Dec 5 23:10:01 +0530 2021", day(2021, 12, 5, 17, 40, 1)),
    ],
)
def test_dates_in_words(text, moment):
    """A date with an English month name, as written by people, JavaScript, Obsidian or date(1), is parsed."""
    assert dates.parse(text, UTC) == moment


@pytest.mark.parametrize(
    "text",
    [
        "05/04/2021",
        "5.4.2021",
        "Feb 30 2021",
        "Smarch 1, 2021",
        "May 2021",
        "May 4, 2017 13:00 pm",
        "May 4 21",
        "Sun Dec 5 23:10:01 IST 2021",
    ],
)
def test_ambiguous_dates_in_words_are_refused(text):
    """A date that is ambiguous or invalid is rejected."""
    with pytest.raises(ValueError, match="date"):
        dates.parse(text, UTC)


@given(
    st.datetimes(day(1000, 1, 1).replace(tzinfo=None), day(9999, 1, 1).replace(tzinfo=None)),
    st.sampled_from(["%b %d %Y", "%d %B %Y", "%B %d, %Y", "%a %b %d %Y"]),
)
def test_every_day_in_words_round_trips(moment, pattern):
    """Every day that is written with the name of its month is parsed as this day."""
    assert dates.parse(moment.strftime(pattern), UTC).date() == moment.date()


@pytest.mark.parametrize(
    "key", ["pubDatetime", "datePublished", "publishedAt", "published_at", "publish_date", "pub-date", "Date Created"]
)
def test_keys_for_the_date(key):
    """Keys of themes and hosts give the date, but a date in the file name has precedence."""
    assert read(f"---\n{key}: 2021-03-04\n---\nx").published == day(2021, 3, 4)
    assert read(f"---\n{key}: 2021-03-04\n---\nx", "2020-01-02-x.md").published == day(2020, 1, 2)


@pytest.mark.parametrize(
    "key",
    [
        "modDatetime",
        "updatedDate",
        "dateUpdated",
        "updatedAt",
        "updated_at",
        "last_modified",
        "lastUpdated",
        "date modified",
    ],
)
def test_keys_for_the_update(key):
    """Keys of themes and hosts give the date of the update."""
    assert with_(f"{key}: 2026-05-09").updated == day(2026, 5, 9)


def test_dates_in_mappings():
    """MkDocs' `date` with two parts and Docusaurus' `last_update` are parsed."""
    article = read("---\ndate:\n  created: 2020-02-03\n  updated: 2021-04-05\n---\nx")
    assert (article.published, article.updated) == (day(2020, 2, 3), day(2021, 4, 5))
    assert with_("last_update: {date: 2026-06-07, author: ann}").updated == day(2026, 6, 7)
    with pytest.raises(ArticleError, match="date: "):
        read("---\ndate: {updated: 2021-04-05}\n---\nx")


@pytest.mark.parametrize(
    ("path", "front", "moment"),
    [
        ("2018/11/23/walk.md", "title: x", day(2018, 11, 23)),
        ("notes/2018-11-24/walk.md", "title: x", day(2018, 11, 24)),
        ("2018-11-25-walk/part.md", "title: x", day(2018, 11, 25)),
        ("2018-11-26/index.md", "title: x", day(2018, 11, 26)),
        ("2018-11-27.md", "title: x", day(2018, 11, 27)),
        ("walk.md", "path: /2018/11/28/walk/", day(2018, 11, 28)),
        ("2018/11/23/2019-01-02-walk.md", "title: x", day(2019, 1, 2)),
        ("2018/11/23/walk.md", "createdAt: 2019-01-03", day(2019, 1, 3)),
    ],
)
def test_dates_in_paths(path, front, moment):
    """Without another date, the date in the folders or in Zola's `path` counts; the slug is that of the file name."""
    article = read(f"---\n{front}\n---\nx", path)
    assert article.published == moment
    assert article.slug in {"walk", "part", "2018-11-26", "2018-11-27"}


@pytest.mark.parametrize("path", ["2018/13/40/walk.md", "2018/11/walk.md", "12018-11-23/walk.md"])
def test_folders_that_are_no_date(path):
    """Folders that are not a valid date give no date."""
    with pytest.raises(ArticleError, match="no date"):
        read("---\ntitle: x\n---\nx", path)


def test_scheduled_until_the_later_date():
    """`publishDate` after `date` schedules an article, which keeps `date`; an earlier one has no effect."""
    article = with_("publishDate: 2030-01-01")
    assert (article.published, article.live_from) == (day(2026, 5, 1), day(2030, 1, 1))
    assert with_("publishDate: 2020-01-01\nembargo: 2030-01-01").live_from.year == 2030
    assert with_("publishDate: 2020-01-01").live_from is None
    assert with_("embargo: false").live_from is None
    assert read("---\npublishDate: 2030-01-01\n---\nx").live_from is None


@pytest.mark.parametrize(
    "front",
    ["publish: false", "public: no", "private: true", "isPrivate: yes", "visibility: members", "visibility: Paid", "password: x",
     "status: pending", "dg-publish: false", "members_only: true", "encrypt: on", "isDraft: true", "extra: {draft: true}",
     "params: {private: true}", "render: false", "private: perhaps", "visibility: [staff]"],
)  # fmt: skip
def test_keys_that_withhold_an_article(front):
    """An article that another generator would not publish is not published."""
    assert with_(front).draft


@pytest.mark.parametrize(
    "front",
    ["publish: true", "public: true", "private: false", "visibility: public", "password: ''", "status: publish", "password: false",
     "publish: 2024-01-01", "hidden: false", "unlisted: no", "feed: true", "rss: 'https://x.example/rss.xml'", "outputs: [html, RSS]",
     "feeds: [notes]", "feeds: [nope]", "feeds: [flase]", "feeds: [none, notes]", "article: about-geese", "hide: [toc]", "members: [Ann, Bob]", "access: public", "premium: false"],
)  # fmt: skip
def test_keys_that_withhold_nothing(front):
    """The same keys with other values have no effect and cause no warning."""
    article = with_(front)
    assert (article.draft, article.listed, article.warnings) == (False, True, ())


@pytest.mark.parametrize(
    "front",
    ["unlisted: true", "hidden: yes", "rss: false", "feed: no", "noRSS: true", "exclude_from_feed: true", "excludeFromRSS: true",
     "include_in_feeds: false", "disableRSS: true", "feed_exclude: true", "outputs: [html]", "outputs: amp", "listed: false",
     "visibility: unlisted", "status: unlisted", "params: {hiddenFromRss: true}", "extra: {no_feed: true}", "feeds: false", "feeds: [no]", "feeds: [false]"],
)  # fmt: skip
def test_keys_that_keep_an_article_out_of_feeds(front):
    """An article that is unlisted in its front matter is in no feed, but is published."""
    article = with_(front)
    assert (article.draft, article.listed) == (False, False)


@pytest.mark.parametrize(
    "front", ["wip: true", "premium: yes", "access: staff", "tier: gold", "archived: true", "visibility: oddly"]
)
def test_a_key_that_withholds_elsewhere_is_never_ignored_silently(front):
    """A key that prevents publication only in other programs produces a warning at its line."""
    (warning,) = with_(f"title: T\n{front}").warnings
    assert (warning.line, warning.rule) == (4, "withholding-key")
    assert warning.message.startswith(front.partition(":")[0])


@pytest.mark.parametrize(
    ("key", "intended"),
    [("titel", "title"), ("Catgory", "category"), ("categorie", "categories"), ("auther", "author"), ("autor", "author"),  # codespell:ignore
     ("descripton", "description"), ("imagem", "image")],  # codespell:ignore
)  # fmt: skip
def test_a_misspelt_key(key, intended):
    """An unknown key that looks like a key for content produces a warning at its line, unless the latter has a value."""
    (warning,) = with_(f"x: y\n{key}: de").warnings
    assert (warning.line, warning.rule) == (4, "misspelt-key")
    assert warning.message == f"{key}: is unknown and has no effect; did you mean {intended!r}?"
    assert not with_(f"{intended}: de\n{key}: de").warnings


@pytest.mark.parametrize("key", ["dat", "Dte", "daet", "datte", "data"])
def test_a_misspelt_date(key):
    """A key close to `date` with a date as its value produces a warning if only the file name has a date."""
    front = f"---\ntitle: T\n{key}: 2026-01-24 09:13\n"
    (warning,) = read(f"{front}---\nx", "2026-05-01-x.md").warnings
    assert (warning.line, warning.rule) == (3, "misspelt-key")
    assert warning.message == f"{key}: is unknown and has no effect; did you mean 'date'?"
    assert not read(f"{front}date: 2026-01-24\n---\nx", "2026-05-01-x.md").warnings


@pytest.mark.parametrize("front", ["rate: 5", "data: 24.5", "dates: 2026-05-01", "late: yes", "state: 2026-05-01"])
def test_other_keys_are_no_misspelt_dates(front):
    """Words that are close to `date`, with other values, are not taken for misspellings of it."""
    assert not read(f"---\ntitle: T\n{front}\n---\nx", "2026-05-01-x.md").warnings


@pytest.mark.parametrize(
    "key", ["data", "titulo", "authority", "layout", "subtitle", "tile", "weight", "dates", "catalog"]
)
def test_other_keys_are_not_misspelt(key):
    """Keys with a meaning of their own, and short keys, are not taken for misspellings."""
    assert not with_(f"x: y\n{key}: de").warnings


@pytest.mark.parametrize(
    "front",
    ["publish: flase", "published: flase", "published: nope", "public: flase", "render: flase", "headless: ture", "status: darft",
     "status: review", "status: [draft, x]", "build: {list: nevr}", "permalink: flase", "private: ture", "visibility: privat",
     "published: [flase]", "eleventyExcludeFromCollections: ture", "params: {publish: flase}"],
)  # fmt: skip
def test_an_unknown_value_keeps_an_article_back(front):
    """A value that is neither a known yes nor a known no prevents publication, with a warning that gives the values."""
    article = with_(f"title: T\n{front}")
    (warning,) = article.warnings
    assert (article.draft, warning.line, warning.rule) == (True, 4, "withholding-key")
    assert "is unknown, so the article is not published; write " in warning.message


@pytest.mark.parametrize(
    "front",
    ["hidden: ture", "unlisted: ture", "rss: flase", "rss: none", "feed: [flase]", "feeds: nope", "feeds: flase", "norss: maybe", "listed: nope",
     "include_in_feeds: flase", "visible: flase"],
)  # fmt: skip
def test_an_unknown_value_keeps_an_article_out_of_feeds(front):
    """A misspelled yes or no of a key about feeds keeps the article out of feeds, with a warning."""
    article = with_(f"title: T\n{front}")
    (warning,) = article.warnings
    assert (article.draft, article.listed, warning.line, warning.rule) == (False, False, 4, "withholding-key")
    assert "is unknown, so the article is in no feed; write true or false" in warning.message


def test_an_unknown_value_withdraws_an_article_whose_date_is_in_its_name():
    """`published: flase` is not treated as an invalid date, because the last good version would stay published."""
    article = read("---\npublished: flase\n---\nx", "2026-05-01-x.md")
    assert (article.draft, [one.rule for one in article.warnings]) == (True, ["withholding-key"])


@pytest.mark.parametrize(
    "front",
    ["permalink: /x/", "permalink: a-slug", "permalink: pretty", "rss: /feed.xml", "rss: [notes]", "feed: notes",
     "status: published", "status: evergreen", "status: new", "status: [Published]", "published: 2024-01-02", "published: {created: 2024-01-02}",
     "publish: 2024-01-01", "public: everyone", "render: link", "build: {list: always, render: link}", "build: 4711", "hidden: []",
     "eleventyExcludeFromCollections: [nav]", "build: {list: ~}", "article: {section: News}", "headless: off"],
)  # fmt: skip
def test_other_values_of_keys_that_withhold(front):
    """A value with another meaning for such a key prevents nothing and causes no warning."""
    article = with_(front)
    assert (article.draft, article.listed, article.warnings) == (False, True, ())


@pytest.mark.parametrize(
    ("front", "meant"),
    [
        ("drafts: true", "draft"),
        ("dratf: true", "draft"),
        ("visiblity: private", "visibility"),
        ("publishd: false", "publish"),
        ("publihsed: false", "published"),
        ("unlised: true", "unlisted"),
        ("pasword: goose", "password"),
        ("statsu: draft", "status"),
        ("headles: true", "headless"),
        ("exclude_from_fed: true", "excludefromfeed"),
        ("params: {drfat: true}", "draft"),
    ],
)
def test_a_misspelt_key_that_withholds_is_warned_of(front, meant):
    """A misspelling of a key that prevents publication produces a warning with the intended key."""
    (warning,) = with_(f"title: T\n{front}").warnings
    assert (warning.line, warning.rule) == (4, "withholding-key")
    assert warning.message.endswith(f"did you mean {meant!r}?")


@pytest.mark.parametrize(
    "front",
    ["publisher: false", "drafted_by: Ann", "statuses: [draft]", "rss_url: /x", "feeds: [notes]", "drafts: false", "stats: true",
     "privacy: true", "published_by: Ann", "public_id: x", "state: draft", "craft: true", "toc: true", "math: false", "comments: false",
     "passwords: {a: b}", "hide_title: true", "layout: post", "weight: 1", "list: false", "draft_note: x", "headers: true", "pin: true"],
)  # fmt: skip
def test_other_keys_are_no_misspellings(front):
    """Keys of other programs, and misspelled keys that would prevent nothing, cause no warning."""
    assert with_(front).warnings == ()


@pytest.mark.parametrize(
    "key",
    [
        "cover_image",
        "coverImage",
        "heroImage",
        "hero_image",
        "featured_image",
        "feature_image",
        "ogImage",
        "og-image",
        "socialImage",
    ],
)
def test_keys_for_the_image(key):
    """Keys of themes and hosts give the image, with its alternative text."""
    assert with_(f"{key}: /p.webp").image == Image("/p.webp", "", "image/webp")
    assert with_(f"{key}: {{src: /p.webp, alt: A pond}}").image == Image("/p.webp", "A pond", "image/webp")


@pytest.mark.parametrize(
    ("front", "url"),
    [
        ("images: [/a.png, /b.png]", "/a.png"),
        ("images: []", None),
        ("header: {teaser: /t.jpg, overlay_image: /o.jpg}", "/t.jpg"),
        ("header: {overlay_image: /o.jpg}", "/o.jpg"),
        ("header: A headline", None),
        ("feature: /f.avif", "/f.avif"),
        ("featured: true", None),
        ("cover: false", None),
        ("cover: {hidden: true}\nthumbnail: /t.png", "/t.png"),
        ("cover: {image: /c.png, relative: true}", "/c.png"),
        ("extra: {og_image: /e.png}", "/e.png"),
        ("params: {cover: {image: /p.png}}", "/p.png"),
    ],
)
def test_shapes_of_images(front, url):
    """Lists, mappings and keys with several meanings give an image only if they contain one."""
    article = with_(front)
    assert (article.image and article.image.url, article.warnings) == (url, ())


PEOPLE = {"bo": {"name": "Bo Dale", "url": "https://bo.example"}, "cy": {"name": "Cy"}}


@pytest.mark.parametrize(
    ("front", "authors"),
    [
        ("authors: [bo]", (Author("Bo Dale", None, "https://bo.example"),)),
        ("author: cy", (Author("Cy"),)),
        ("authors: [{key: bo, title: Guest}]", (Author("Bo Dale", None, "https://bo.example"),)),
        ("authors: [{key: bo, name: B. Dale}]", (Author("B. Dale", None, "https://bo.example"),)),
        ("authors: bo, cy", (Author("Bo Dale", None, "https://bo.example"), Author("Cy"))),
        ("authors: [Di]", (Author("Di"),)),
        ('authors: "Eve Fox, Gil Hart"', (Author("Eve Fox"), Author("Gil Hart"))),
        ('authors: "Fox, Eve"', (Author("Fox, Eve"),)),
        ('authors: "Fox, Eve; Hart, Gil"', (Author("Fox, Eve"), Author("Hart, Gil"))),
        ('authors: "Martin Luther King, Jr."', (Author("Martin Luther King, Jr."),)),
        ('author: "Eve Fox, Gil Hart"', (Author("Eve Fox, Gil Hart"),)),
        ("author: {name: {given: Eve, family: Fox}}", (Author("Eve Fox"),)),
        ("authors: [[Di], Ed]", (Author("Di"), Author("Ed"))),
        ("extra: {author: Di}", (Author("Di"),)),
        ("author: [true]", ()),
    ],
)
def test_bylines(front, authors):
    """Authors are names, mappings, keys of authors.yml, or Pelican's lists."""
    article = with_(front, people=PEOPLE)
    assert (article.authors, article.warnings) == (authors, ())


@pytest.mark.parametrize(
    ("front", "message"),
    [
        ("authors: [sloober]", "'sloober' is not in authors.yml (did you mean 'slober'?); the key"),
        ("author: zed", "'zed' is not in authors.yml; the key"),
        ("authors: bo, sloober", "'sloober' is not in authors.yml (did you mean"),
        ("authors: [bo, Sloober]", "'Sloober' is not in authors.yml (did you mean"),
        ("authors: [{key: sloober}]", "'sloober' is not in authors.yml (did you mean"),
    ],
)
def test_an_author_who_is_no_key(front, message):
    """An unknown key of authors.yml is used as a name, with a warning that suggests the closest key."""
    article = with_(f"title: T\n{front}", people={**PEOPLE, "slober": {"name": "S. Lober"}})
    (warning,) = article.warnings
    assert (warning.line, warning.rule) == (4, "unusable-value")
    assert f": {message}" in warning.message
    assert article.authors[-1].name in {"sloober", "Sloober", "zed"}


@pytest.mark.parametrize(
    "front", ["authors: [bo, Eve Fox]", "author: Zed", "author: zed@x.example", "authors: [Ann, zoë x]"]
)
def test_authors_who_are_names(front):
    """A name that is not a key of authors.yml causes no warning, and neither does a name without authors.yml."""
    assert with_(front, people=PEOPLE).warnings == ()
    assert with_("authors: [sloober]").warnings == ()


@pytest.mark.parametrize(
    ("front", "authors"),
    [
        ('author: "[[Ann Bee]]"', ("Ann Bee",)),
        ('author: "[[People/Ann Bee#Work|Ann]]"', ("Ann",)),
        ('author: ["[[People/Ann Bee]]", "[[bo]]"]', ("Ann Bee", "Bo Dale")),
        ('authors: "[[Ann Bee]], [[Carl Dee]]"', ("Ann Bee", "Carl Dee")),
        ('author: {name: "[[Ann Bee]]"}', ("Ann Bee",)),
        ("author: [[Ann Bee]]", ("Ann Bee",)),
    ],
)
def test_authors_as_links_of_obsidian(front, authors):
    """A link to a note counts as the name that the link shows."""
    assert tuple(author.name for author in with_(front, people=PEOPLE).authors) == authors


def test_other_properties_as_links_of_obsidian():
    """A link gives the name of a category or tag, and the file of an image or enclosure."""
    article = with_(
        'categories: ["[[Diary|My diary]]"]\ntags: "[[a]], [[b/c]]"\ncover: "[[pics/my img.png|300]]"\naudio: "![[a.mp3]]"'
    )
    assert (article.categories, article.tags) == (("My diary",), ("a", "c"))
    assert article.image == Image("pics/my img.png", "", "image/png")
    assert article.enclosures == (Enclosure("a.mp3", "audio/mpeg"),)
    assert with_('image: {url: "[[a.png]]"}').image == Image("a.png", "", "image/png")


@pytest.mark.parametrize(
    ("value", "tags"),
    [
        ('["#reading"]', ("reading",)),
        ('"#one #two"', ("one", "two")),
        ('"#one, #two #three"', ("one", "two", "three")),
        ('["#one #two", "#a/b", x]', ("one", "two", "a/b", "x")),
        ('"#one two"', ("one two",)),
        ('[C#, "#", "##"]', ("C#",)),
    ],
)
def test_marks_of_tags(value, tags):
    """A number sign before a tag is not part of it, and separates tags in a text."""
    assert with_(f"tags: {value}").tags == tags
    assert read(f'{{"date": "2026-05-01", "keywords": {json.dumps(list(tags))}}}\nx').tags == tags


def test_names_one_level_down():
    """Zola's [taxonomies] and [extra] and Hugo's params are used if the key itself is missing, but not for ids."""
    toml = '+++\ndate = 2024-03-01\n[taxonomies]\ntags = ["a"]\ncategories = ["b"]\n[extra]\nlang = "de"\ntitle = "No"\nlink = "https://x.example/"\n+++\nx'
    article = read(toml)
    assert (article.tags, article.categories, article.language) == (("a",), ("b",), "de")
    assert (article.title, article.link) == ("A", None)
    assert with_("tags: [top]\nparams: {tags: [inner], description: D}").tags == ("top",)
    assert with_("params: {tags: [inner], description: D}").summary == "D"


def test_nested_categories():
    """Hexo's nested categories are flattened in order, without duplicates."""
    assert with_("categories:\n- [Diary, Games]\n- Life\n- [[Diary]]").categories == ("Diary", "Games", "Life")
    assert with_("tags: [{name: a}, {slug: b}]").tags == ("a",)


@pytest.mark.parametrize("end", ["...", "...\n---", "---", "...  "])
def test_front_matter_that_three_dots_close(end):
    """YAML front matter may end with `...`; a thematic break in the body stays."""
    article = read(f"---\ntitle: T\ndate: 2024-01-01\n{end}\nText.\n\n---\n\nMore.\n")
    assert (article.title, article.body) == ("T", "Text.\n\n---\n\nMore.\n")


UNUSABLE = [
    ("author: {email: a@b.c}", "author: an author needs a name", "authors"),
    ("authors: [{key: nobody}]", "authors: 'nobody' is not in authors.yml", ""),
    ("author: {name: x, email: nobody}", "author: 'nobody' is not an e-mail address", ""),
    ("author: {name: x, url: 'ftp://x.example'}", "author: 'ftp://x.example' is neither", ""),
    ("tags: [{a: b}]", "tags: must be text, not a mapping", "tags"),
    ("lang: klingon!", "lang: 'klingon!' is not a language tag", "language"),
    ("enclosure: {type: audio/mpeg}", "enclosure: an enclosure needs a url", "enclosures"),
    ("audio: {url: a.mp3, length: long}", "audio: 'long' is not a length in bytes", ""),
    ("audio: {url: a.mp3, length: " + "9" * 5_000 + "}", "audio: '999", ""),
    ("expires: never", "expires: 'never' is not a date", "expires"),
    ("modDatetime: 2026-02-30", "modDatetime: '2026-02-30' is a date that does not exist", ""),
    ("description: [x]", "description: must be text, not a list", "summary"),
    ("image: [[x]]", "image: must be text, not a list", "image"),
    ("coverImage: {url: 'javascript:x'}", "coverImage: 'javascript:x' is neither", "image"),
    ("extra: {lang: '??'}", "extra.lang: '??' is not a language tag", "language"),
    ("language: deutsch", "language: 'deutsch' is not a language tag; write it like en or pt-BR", "language"),
    ("lang: x", "lang: 'x' is not a language tag", "language"),
    ("tags: [" + ", ".join(f"t{n}" for n in range(600)) + "]", "tags: 600 names; only the first 100 are used", ""),
]  # fmt: skip


@pytest.mark.parametrize(("front", "message", "lost"), UNUSABLE)
def test_an_unusable_value_of_a_secondary_field_is_left_out(front, message, lost):
    """The article is published without the value, with a warning that names the line and the key."""
    article = with_(f"title: T\n{front}")
    (warning,) = article.warnings
    assert (warning.line, warning.rule) == (4, "unusable-value")
    assert warning.message.startswith(message)
    assert not lost or not getattr(article, lost)


def test_the_next_usable_key_counts():
    """If the first key of a field is unusable, the next key is used."""
    article = with_("description: [x]\nsummary: S\nimage: 'x:y'\ncover: /c.png\nenclosure: [{}, /a.mp3]")
    assert (article.summary, article.image, article.enclosures) == (
        "S",
        Image("/c.png", "", "image/png"),
        (Enclosure("/a.mp3", "audio/mpeg"),),
    )
    assert len(article.warnings) == 3


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["name", "key", "url", "alt", "x"]), inner, max_size=3)
    ),
    max_leaves=6,
)
SECONDARY = sorted(
    {key for field in ("updated", "expires", "categories", "tags", "authors", "summary", "image", "imagealt", "language", "enclosures",
                       "canonical", "external_url", "unlisted", "listed", "outputs", "public", "password", "visibility", "status", "private", "unsupported")
     for key in keys.FIELDS[field]} - {key for field in ("draft", "published", "embargo", "id", "link") for key in keys.FIELDS[field]}
)  # fmt: skip


@given(
    st.dictionaries(st.sampled_from([*SECONDARY, "extra", "params"]), JSON, max_size=6), st.sampled_from([None, PEOPLE])
)
def test_no_value_of_a_secondary_field_rejects_an_article(values, people):
    """Whatever value a secondary key has, the article is published with its title, date and slug."""
    values.pop("extra", None) if not isinstance(values.get("extra"), dict) else None
    article = read(json.dumps({"title": "T", "date": "2026-05-01", **values}) + "\nx", "a.md", people)
    assert (article.title, article.published, article.slug) == ("T", day(2026, 5, 1), "a")


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("README.md", "# Read me\n"),
        ("docs/contributing.md", "How to help.\n"),
        ("about/index.md", "---\ntitle: About\n---\nx"),
        ("team-x.md", "---\nlayout: page\n---\nx"),
        ("index.md", "---\ntype: Home\n---\nx"),
    ],
)
def test_pages_without_a_date_are_left_out(path, text):
    """A page that needs no date is left out with a notice, and no file is rejected."""
    article = read(text, path)
    assert article.draft
    assert [one.rule for one in article.warnings] == ["undated-page"]


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("geese.md", "---\ntitle: Geese\n---\nx"),
        ("about.md", "---\ntags: [x]\n---\nx"),
        ("about.md", "---\ndat: 2024-01-01\n---\nx"),
        ("_posts/about.md", "x"),
        ("about-geese/index.md", "x"),
        ("geese.md", "---\nlayout: post\n---\nx"),
        ("geese.md", "---\npublish: true\n---\nx"),
    ],
)
def test_an_article_without_a_date_is_still_refused(path, text):
    """A file that looks like an article is rejected without a date; only keys that may hold a date are suggested."""
    with pytest.raises(ArticleError, match="no date") as caught:
        read(text, path)
    assert ("is `dat` meant to be the date?" in caught.value.reason) == ("dat: " in text)


@pytest.mark.parametrize(
    ("path", "title"),
    [
        ("2024-05-01-101500.md", ""),
        ("2024-05-01.md", ""),
        ("20240501T101500Z.md", ""),
        ("2024-05-01-9-lives.md", "9 lives"),
        ("12.md", ""),
    ],
)
def test_no_title_is_invented_from_a_number(path, title):
    """A note without a title, whose file name is a number or a time, has no title."""
    assert read("---\ncreatedAt: 2024-05-01\n---\nSaw geese.", path).title == title


def test_other_addresses():
    """`canonical_url` is the original address, `external_url` the subject's; the article's own address is ignored."""
    article = with_("canonical_url: https://first.example/p\nexternal_url: https://else.example/x")
    assert (article.canonical, article.external_url, article.link) == (
        "https://first.example/p",
        "https://else.example/x",
        None,
    )


@pytest.mark.parametrize("front", ["status: [draft]", "publish: [false]", "public: ['no']"])
def test_a_list_withholds_as_its_item_does(front):
    """A key that prevents publication does so too if its value is the only item of a list."""
    assert with_(front).draft
