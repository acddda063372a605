"""The requirements of aggregators: `feeds check --for`, the rules, and their documentation."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from conftest import REPOSITORY

from feeds.core import lint
from feeds.core.lint.aggregators import AGGREGATORS, REQUIREMENTS
from feeds.core.lint.requirements import CheckedEntry, CheckedFeed
from feeds.core.model import Author, Enclosure, Entry, FeedState, Image
from feeds.core.model import Site as CoreSite
from feeds.core.syndication import build_feed

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
DOCUMENTATION = REPOSITORY / "docs" / "aggregators.md"
MARKER = "<!-- The rest is written by: pytest tests/test_aggregators.py --golden -->\n"
NEVER_MET = {
    "apple-podcasts-artwork", "apple-podcasts-category", "apple-podcasts-explicit", "feedly-branding",
    "smartnews-date", "smartnews-logo", "smartnews-thumbnail",
}  # fmt: skip
AUDIO = Enclosure("https://test.example/a.mp3", "audio/mpeg", 1_000)
PICTURE = Enclosure("https://test.example/a.jpg", "image/jpeg", 1_000)


def core_site(**options):
    """Return a site that meets all rules of the whole feed that it can meet."""
    defaults = {"description": "News of the harbour", "language": "en-GB", "news_sitemap": True}
    return CoreSite("Test", "https://test.example", "https://test.example", "test.example", **(defaults | options))


def entry(number=0, **options):
    """Return an entry that meets the rules of all aggregators, except those of podcasts."""
    defaults = {
        "id": f"tag:test.example,2026:{number}",
        "url": f"https://test.example/{number}/",
        "title": "The ferry leaves an hour earlier",
        "published": NOW - timedelta(hours=number),
        "updated": NOW,
        "authors": (Author("Ann"),),
        "categories": (),
        "tags": (),
        "summary": "word " * 70,
        "html": "<p>Text</p>",
        "image": Image("https://test.example/a.jpg"),
        "enclosures": (PICTURE,),
        "language": "en-GB",
    }
    return Entry(**(defaults | options))


def lacking(name, entries, *, rss_bytes=1_000, **options):
    """Return the rules of an aggregator that a feed with these entries does not meet."""
    settings = core_site(**options)
    feed = build_feed(FeedState("", "site", ""), entries, settings, began=NOW)
    checked = CheckedFeed(feed, tuple(CheckedEntry("a.md", one) for one in entries), rss_bytes, settings, NOW)
    return {rule for rule, requirement in AGGREGATORS[name].rules.items() if list(requirement.check(checked))}


@pytest.mark.parametrize("name", [name for name in AGGREGATORS if name != "apple-podcasts"])
def test_a_feed_that_meets_all_rules(name):
    """A feed can meet each rule, except those about elements that no feed contains."""
    entries = [entry(number) for number in range(30)]
    assert lacking(name, entries) == NEVER_MET & AGGREGATORS[name].rules.keys()


def test_a_podcast_that_meets_all_rules():
    """A feed with a sound file in each entry can meet the rules of podcasts, except those about elements of iTunes."""
    assert (
        lacking("apple-podcasts", [entry(enclosures=(AUDIO,))])
        == NEVER_MET & AGGREGATORS["apple-podcasts"].rules.keys()
    )


@pytest.mark.parametrize(
    ("rule", "changes", "options"),
    [
        ("apple-news-language", {}, {"language": "en"}),
        ("apple-news-description", {"summary": ""}, {}),
        ("apple-news-text", {"html": None}, {}),
        ("apple-news-title", {"title": "Short"}, {}),
        ("apple-podcasts-file", {"enclosures": ()}, {}),
        ("apple-podcasts-file", {"enclosures": (PICTURE,)}, {}),
        ("apple-podcasts-length", {"enclosures": (Enclosure(AUDIO.url, AUDIO.type),)}, {}),
        ("apple-podcasts-description", {}, {"description": ""}),
        ("apple-podcasts-description", {}, {"description": "x" * 4_001}),
        ("apple-podcasts-summary", {"summary": "ü" * 2_001}, {}),
        ("feedly-dormant", {"published": NOW - timedelta(days=91)}, {}),
        ("flipboard-text", {"html": None}, {}),
        ("flipboard-image", {"image": None}, {}),
        ("flipboard-entries", {}, {}),
        ("flipboard-summary", {"summary": "x" * 299}, {}),
        ("flipboard-enclosure", {"enclosures": (AUDIO,)}, {}),
        ("flipboard-author", {"authors": ()}, {}),
        ("flipboard-host", {"external_url": "https://other.example/"}, {}),
        ("google-news-size", {}, {"rss_bytes": 2_000_001}),
        ("google-news-article-size", {"html": "x" * 1_000_001}, {}),
        ("google-news-text", {"html": None}, {}),
        ("google-news-image", {"image": None}, {}),
        ("google-news-sitemap", {}, {"news_sitemap": False}),
        ("msn-title", {"title": "x" * 20}, {}),
        ("msn-title", {"title": "x" * 151}, {}),
        ("msn-text", {"html": None}, {}),
        ("msn-age", {"published": NOW - timedelta(days=365)}, {}),
        ("msn-language", {"language": "fr"}, {}),
        ("msn-image", {"image": None, "html": "<p>no img</p>"}, {}),
        ("msn-headings", {"html": '<h6 id="a">Deep</h6>'}, {}),
        ("newsbreak-text", {"html": None}, {}),
        ("newsbreak-image", {"image": None}, {}),
        ("newsbreak-author", {"authors": ()}, {}),
        ("newsbreak-language", {"language": "de"}, {}),
        ("smartnews-description", {}, {"description": "x" * 31}),
        ("smartnews-text", {"html": None}, {}),
        ("smartnews-size", {}, {"rss_bytes": 1_000_001}),
    ],
)
def test_each_rule(rule, changes, options):
    """A feed does not meet a rule if one of its entries or the feed itself does not."""
    name = next(name for name, aggregator in AGGREGATORS.items() if rule in aggregator.rules)
    assert rule in lacking(name, [entry(**changes)], **options)


def test_a_feed_without_encryption():
    """MSN reads feeds only from addresses that begin with https."""
    settings = CoreSite("Test", "http://test.example", "http://test.example", "test.example")
    feed = build_feed(FeedState("", "site", ""), [], settings, began=NOW)
    assert list(REQUIREMENTS["msn-https"].check(CheckedFeed(feed, (), 0, settings, NOW)))


def test_too_many_entries():
    """Google News reads at most sixty new entries at a time."""
    assert "google-news-entries" in lacking("google-news", [entry(number) for number in range(61)])


def test_an_image_in_the_text_is_enough():
    """An article without a cover has an image if its text contains one."""
    assert "flipboard-image" not in lacking(
        "flipboard", [entry(image=None, html='<img src="https://x.example/a.png">')]
    )


def test_names_of_rules():
    """The name of a rule begins with that of its aggregator, and is not that of another rule of `feeds check`."""
    assert not lint.RULES.keys() & REQUIREMENTS.keys()
    assert all(rule.startswith(f"{name}-") for name, one in AGGREGATORS.items() for rule in one.rules)
    assert all(one.source.url.startswith("https://") and one.source.title for one in REQUIREMENTS.values())


def documented():
    """Return the tables of all rules in Markdown."""
    lines = []
    for name, (title, rules) in AGGREGATORS.items():
        lines += ["", f"## {title}", "", f"`feeds check --for {name}`", ""]
        lines += ["| rule | level | a feed meets the rule if | otherwise | source |", "| --- | --- | --- | --- | --- |"]
        for rule, (level, what, why, source, _) in rules.items():
            has = f"never: `feeds` does not write {what}" if rule in NEVER_MET else what
            lines.append(f"| `{rule}` | {level} | {has} | {why} | [{source.title}]({source.url}) |")
    return "\n".join([*lines, ""])


def test_the_rules_are_documented(request):
    """docs/aggregators.md lists all rules with their sources; --golden writes the tables again."""
    text = DOCUMENTATION.read_text("utf-8")
    head, marker, tables = text.partition(MARKER)
    assert marker
    if request.config.getoption("--golden"):
        DOCUMENTATION.write_text(head + marker + documented(), "utf-8")
        return
    assert tables == documented(), "run: pytest tests/test_aggregators.py --golden"


@pytest.fixture
def two_feeds(site):
    """A site with an article in a category, and a title that is too short for MSN."""
    site.article("a.md", title="Ferry", category="News", description="It leaves.")
    return site


def test_what_a_feed_lacks(two_feeds):
    """--for lists only the requirements that the feed does not meet, with positions, as text."""
    two_feeds.article("b.md", "{{< figure >}}", title="A title that is long enough for MSN", image="/b.png")
    done = two_feeds.run("check", "--for", "MSN", "--for", "flipboard", "--ignore", "flipboard-summary")
    lines = done.stdout.splitlines()
    msn = "https://support.microsoft.com/en-us/topic/msn-feed-item-metadata-requirements-0114c19c-36bb-4fef-8322-4a1ed6888329"
    reason = "MSN: the length of the title is 5, not 21 to 150 characters"
    assert f"content/a.md:3: warning: {reason}; see {msn} (msn-title)" in lines
    assert any(line.startswith("config.yaml:1: warning: Flipboard: 2 entries; there must be 30") for line in lines)
    assert not any("(template-code)" in line or "(flipboard-summary)" in line for line in lines)
    assert done.returncode == 0
    assert "MSN: the site's feed meets 5 of 7 rules" in done.stderr
    assert two_feeds.run("check", "--for", "msn", "--strict").returncode == 1
    assert two_feeds.run("check", "--for", "msn", "-q").stdout == ""


def test_the_feed_of_a_category(two_feeds):
    """--feed names the feed to check; a feed that does not exist is a mistake."""
    two_feeds.article("b.md", title="A title that is long enough for MSN", image="/b.png")
    done = two_feeds.run("check", "--for", "msn", "--feed", "/category/news/")
    assert "b.md" not in done.stdout
    assert "MSN: /category/news meets 5 of 7 rules" in done.stderr
    done = two_feeds.run("check", "--for", "msn", "--feed", "category/newz")
    assert (done.returncode, done.stdout) == (2, "")
    assert "there is no feed at /category/newz; did you mean category/news? (feeds list shows all feeds)" in done.stderr
    done = two_feeds.run("check", "--feed", "category/news")
    assert done.returncode == 2
    assert "needs --for" in done.stderr


def test_other_formats(two_feeds):
    """--format json and github contain the same problems."""
    found = json.loads(two_feeds.run("check", "--for", "apple-news", "--format", "json").stdout)
    assert [(one["path"], one["line"], one["level"], one["rule"]) for one in found] == [
        ("config.yaml", 1, "warning", "apple-news-language"),
        ("content/a.md", 3, "notice", "apple-news-title"),
    ]
    lines = two_feeds.run("check", "--for", "apple-news", "--format", "github").stdout.splitlines()
    assert lines[0].startswith("::warning file=config.yaml,line=1,title=apple-news-language::Apple News: ")


def test_an_unknown_aggregator(two_feeds):
    """The name of an unknown aggregator is a mistake with a suggestion."""
    done = two_feeds.run("check", "--for", "flipbord")
    assert done.returncode == 2
    assert "no rules are known for 'flipbord', only for apple-news," in done.stderr
    assert "did you mean flipboard?" in done.stderr


def test_a_rejected_article_is_reported(two_feeds):
    """A rejected article is an error, as without --for."""
    two_feeds.write("broken.md", "---\ntitle: [\n---\n")
    done = two_feeds.run("check", "--for", "msn")
    assert done.returncode == 1
    assert done.stdout.splitlines()[0].startswith("content/broken.md:")


def test_rules_can_be_ignored_in_the_configuration(two_feeds):
    """check.ignore accepts the rules of aggregators, and suggests similar names."""
    two_feeds.configure(check={"ignore": ["msn-title", "msn-image"]})
    assert two_feeds.run("check", "--for", "msn").stdout == ""
    two_feeds.configure(check={"ignore": ["msn-titel"]})
    done = two_feeds.run("check")
    assert done.returncode == 2
    assert "did you mean msn-title?" in done.stderr


@pytest.mark.parametrize(
    ("options", "complete"),
    [({}, {"long", "note"}), ({"text": "excerpt"}, {"note"}), ({"text": "summary", "footer": "{title}"}, set()),
     ({"text": "both"}, {"long", "note"})],
)  # fmt: skip
def test_entries_are_checked_as_the_feed_shows_them(site, options, complete):
    """An excerpt is not a full text, unless it is all of the text; a summary with a footer isn't either."""
    site.configure(feeds=options)
    site.article("long.md", "One.\n\nTwo.", title="Long", author="Ann", image="/a.png")
    site.article("note.md", "All of it.", title="Note", author="Ann", image="/a.png")
    site.publish()
    report = json.loads(site.run("check", "--for", "flipboard", "--format", "json").stdout)
    lacks = {problem["path"] for problem in report if problem["rule"] == "flipboard-text"}
    assert lacks == {f"content/{name}.md" for name in {"long", "note"} - complete}
