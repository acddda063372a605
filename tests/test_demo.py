"""The demo site and the sample article are correct in every document."""

import json
import shutil
from datetime import UTC, datetime

import pytest
from conftest import REPOSITORY, InProcessSandbox, Site
from read_entries import read_entries
from rules import violations

AFTER = datetime(2026, 11, 23, tzinfo=UTC)
FILES = ["rss.xml", "atom.xml", "feed.json"]

# An article in the shape that news sites have: quoted YAML, keywords as one text, a list right after a paragraph line.
NEWS = """---
title: "Port Authority Registers 412 Arrivals, 17 Detentions; Inspectors Cite Paperwork"
date: "2026-01-24T09:13:22.668Z"
slug: "port-authority-registers-412-arrivals-17-detentions-inspectors-cite-paperwork"
category: "ports"
description: "Inspectors boarded 412 ships in January and detained 17. Most faults were on paper, officials said, and a few were in the hull."
keywords: "port state control, inspections, detentions, shipping, paperwork, hull, crew, safety, January figures"
---

Inspectors of the port authority boarded 412 ships in January, officials said on Saturday, calling the month "the busiest since records began," a period that goes back to 1998.

Key figures of the month include:
*   **Arrivals:** 412 ships from 41 flag states.
*   **Detentions:** 17, of which nine ended within a day.
*   **Faults Found:** Mostly paperwork: expired certificates, missing drills, unsigned logs.

The figures are published every month. A spokesman declined to name the ships.
"""


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """Yield the demo site, published in its own folder, with its documents; tests do not modify it."""
    site = Site(tmp_path_factory.mktemp("demo"))
    shutil.copytree(REPOSITORY / "content", site.content, dirs_exist_ok=True)
    shutil.copy(REPOSITORY / "config.yaml", site.root)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("feeds.publish.publisher.Sandbox", InProcessSandbox)
        patch.setattr("feeds.render.renderer.Sandbox", InProcessSandbox)
        site.outcome = site.publish(AFTER)
        site.rendered = site.documents()
    yield site
    site.close()


def test_the_demo_has_nothing_to_complain_of(demo):
    """Ten articles are published; the draft and the scheduled article are not; nothing is rejected."""
    assert (demo.outcome.articles, demo.outcome.rejected, demo.outcome.warnings) == (10, (), ())
    everything = b"".join(demo.rendered.values())
    assert b"Sardine" not in everything
    assert b"Two Hundred" not in everything
    with demo.catalog.read_transaction() as catalog:
        assert [path for path, _ in catalog.scheduled_articles(AFTER)] == ["harbour-at-two-hundred.md"]


def test_every_document_of_the_demo_is_valid(demo):
    """The documents follow the schemas of Atom and JSON Feed, and the rules of RSS validators, without a violation."""
    documents = demo.rendered
    assert len(documents) > 80
    base = demo.config.site_model.feeds_url
    from feeds.core.text import quote_path

    for path, body in documents.items():
        assert list(violations(path.rpartition("/")[2], body, base + quote_path(path))) == [], path


def test_foreign_parsers_read_the_same_facts_from_all_three(demo):
    """feedparser and a JSON parser get equal entries from all formats: ids, links, dates, names, texts and files."""
    documents = demo.rendered
    for folder in {path.rpartition("/")[0] for path in documents}:
        rss, atom, jsonfeed = (read_entries(name, documents[f"{folder}/{name}"]) for name in FILES)
        assert atom == jsonfeed
        for entry in atom:
            entry["published"] = entry["published"].replace(microsecond=0)  # RFC 822 has seconds only
        assert rss == atom


def test_the_demo_shows_the_dialects(demo):
    """The articles cover YAML, TOML, JSON, Jekyll's names, bundles, images, several authors, podcasts, languages."""
    items = {item["title"]: item for item in json.loads(demo.rendered["/feed.json"])["items"]}
    assert items["Library Reopens After Eight Months"]["authors"][0]["name"] == "Inês Fontoura"
    assert items["Council Votes 7–6 to Repair the South Quay"]["date_published"] == "2026-06-30T18:45:00+01:00"
    assert items["Regatta Results"]["url"].endswith("/sport/regatta-results/")
    open_day = items["Lighthouse Open Day: 141 Steps & One Lamp"]
    assert open_day["image"].endswith("/culture/lighthouse-open-day/lamp.svg")
    assert len(open_day["authors"]) == 2
    assert "youtube.com/watch?v=lighthouse01" in open_day["content_html"]
    assert items["Harbour Talk, Episode 1: Ropes"]["attachments"][0]["size_in_bytes"] == 12044
    assert items["Sobre o nevoeiro"]["language"] == "pt"
    assert items["Market Day Moves to the Square"]["content_html"].count("data:") == 0
    assert items["What the Storm of January Taught Us"]["id"] == "https://gazette.example/2026/storm-lessons"


def test_a_news_article_is_right_in_every_format(site):
    """The sample has the form that news sites use: a list, one category, nine tags in order, and correct dates."""
    site.write("news/a.md", NEWS)
    site.publish()
    documents = site.documents()
    slug = "port-authority-registers-412-arrivals-17-detentions-inspectors-cite-paperwork"
    for name in FILES:
        (entry,) = read_entries(name, documents[f"/{name}"])
        assert entry["id"] == f"tag:test.example,2026:{slug}"
        assert entry["url"] == f"https://test.example/ports/{slug}/"
        assert entry["published"] == datetime(2026, 1, 24, 9, 13, 22, 0 if name == "rss.xml" else 668000, UTC)
        assert entry["categories"] == ["ports"]
        assert entry["tags"] == NEWS.partition('keywords: "')[2].partition('"')[0].split(", ")
        assert len(entry["tags"]) == 9
        assert entry["summary"].startswith("Inspectors boarded 412 ships")
        assert entry["html"].count("<li>") == 3
        details = "<p>Key figures of the month include:</p>\n<ul>\n<li><strong>Arrivals:</strong> 412 ships"
        assert details in entry["html"]
        assert entry["html"].endswith("A spokesman declined to name the ships.</p>")
    assert b"<pubDate>Sat, 24 Jan 2026 09:13:22 +0000</pubDate>" in documents["/rss.xml"]
    assert b"<published>2026-01-24T09:13:22.668Z</published>" in documents["/atom.xml"]
    assert json.loads(documents["/feed.json"])["items"][0]["date_published"] == "2026-01-24T09:13:22.668Z"
