"""Patterns of permalinks and ids, with their placeholders and modifiers."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from feeds.core.model import Article, Site
from feeds.core.permalinks import expand

SITE = Site("T", "https://t.example", "https://t.example", "t.example", timezone=ZoneInfo("America/New_York"))
DAY = datetime.fromisoformat("2026-03-01T02:00:00+00:00")
ARTICLE = Article(
    path="My Notes/it's - 2.md",
    name="My Notes/it's - 2",
    title="What's new in C++ 1.2 / Été",
    published=DAY,
    updated=DAY,
    body="",
    slug="own",
    categories=("Town Hall", "Second"),
)


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("/{title}/", "/what-s-new-in-c-plus-plus-1-2-été/"),
        ("/{title:urlize}/", "/Whats-new-in-C-1.2-Été/"),
        ("/{title:urlize:lower}/", "/whats-new-in-c-1.2-été/"),
        ("/{title:urlize:plain:lower}/", "/whats-new-in-c-1.2-ete/"),
        ("/{title:sanitize:lower}/", "/whats-new-in-c++-1.2-été/"),
        ("/{title:slugify}/", "/whats-new-in-c-12-ete/"),
        ("/{headline:urlize:lower}/", "/whats-new-in-c-1.2-été/"),
        ("/{folder:pathize:lower}/{file:pathize:lower}/", "/my-notes/its---2/"),
        ("/{section}/{name}/{file:lower}/", "/My-Notes/it's---2/it's---2/"),
        ("/{stem}/", "/My-Notes/it's---2/"),
        ("/{path}", "/My Notes/it's - 2"),
        ("/{category}/{categories}/{slug}/", "/town-hall/town-hall/second/own/"),
        ("/{categories:raw:lower}/{category:slugify}/", "/town hall/second/town-hall/"),
        ("/{year}/{month}/{day}/{slug}", "/2026/03/01/own"),
        ("/{year:local}-{month:local}-{day:local}", "/2026-02-28"),
    ],
)
def test_parts_and_spellings(pattern, path):
    """Each placeholder is replaced, and each modifier applied, in order."""
    assert expand(pattern, ARTICLE, SITE) == path


def test_parts_of_a_url():
    """In an id, characters that would end a path are percent-encoded; the link itself is unchanged."""
    pattern = "https://x.example{link}?{headline:raw}"
    assert expand(pattern, ARTICLE, SITE, link="/a%20b#c", quoted=True) == (
        "https://x.example/a%20b#c?What's%20new%20in%20C++%201.2%20-%20%C3%89t%C3%A9"
    )
    assert expand("{link:slash}", ARTICLE, SITE, link="/a") == "/a/"
    assert expand("{link:slash}", ARTICLE, SITE, link="/a.html") == "/a.html"
