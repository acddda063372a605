"""The demo site and the sample article are correct in every document."""

import io
import json
import re
import runpy
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
    """All articles but the draft and the scheduled one are published; nothing is rejected."""
    assert (demo.outcome.articles, demo.outcome.rejected, demo.outcome.warnings) == (16, (), ())
    everything = b"".join(demo.rendered.values())
    assert b"What a Sardine Costs" not in everything
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
    items = {item["url"].partition("8000")[2]: item for item in json.loads(demo.rendered["/feed.json"])["items"]}
    assert items["/culture/library-reopens/"]["authors"][0]["name"] == "Inês Fontoura"
    assert items["/news/council-votes-on-quay/"]["date_published"] == "2026-06-30T18:45:00+01:00"
    assert items["/sport/regatta-results/"]["image"].endswith("/assets/regatta.svg")
    open_day = items["/culture/lighthouse-open-day/"]
    assert open_day["image"].endswith("/culture/lighthouse-open-day/lamp.svg")
    assert len(open_day["authors"]) == 2
    assert "<iframe" not in open_day["content_html"]
    assert '">Map: the lighthouse of Cabo de São Vicente</a>' in open_day["content_html"]
    assert "<figcaption>" in open_day["content_html"]
    (sound,) = items["/podcast/harbour-talk-episode-1/"]["attachments"]
    size = (demo.content / "harbour-talk-episode-1" / "harbour-talk-1.mp3").stat().st_size
    assert (sound["mime_type"], sound["size_in_bytes"]) == ("audio/mpeg", size)
    assert items["/market-day/"]["title"] == "Market Day Moves to the Square"
    assert items["/market-day/"]["content_html"].count("data:") == 0
    assert items["/special/storm-lessons/"]["id"] == "https://gazette.example/2026/storm-lessons"
    for path, language in (("/column/on-fog/", None), ("/column/sobre-o-nevoeiro/", "pt"),
                           ("/kitchen/caldeirada/", None), ("/kitchen/caldeirada-para-seis/", "pt")):  # fmt: skip
        assert items[path].get("language") == language


def test_the_demo_reads_well_in_lists(demo):
    """Every entry has a summary in sentences, which is no part of a table, and every image has a text alternative."""
    for item in json.loads(demo.rendered["/feed.json"])["items"]:
        assert re.search(r"[.?!]$", item["summary"]), item["url"]
        assert 60 < len(item["summary"]) < 240, item["url"]
        images = re.findall(r"<img [^>]*>", item["content_html"])
        assert all(re.search(r'alt="[^"]{20,}"', image) for image in images), item["url"]


def test_the_program_in_the_demo_works(demo, tmp_path, monkeypatch, capsys):
    """The program in the article about the tide gauge prints the line that the article shows."""
    text = (demo.content / "tide-gauge" / "index.md").read_text("utf-8")
    program = tmp_path / "tide.py"
    program.write_text(text.partition("```python\n")[2].partition("```")[0])
    falling = [f"2026-11-13T21:{minute:02}:00+00:00 {1.9 - minute / 100:.2f}\n" for minute in range(42)]
    monkeypatch.setattr("sys.stdin", io.StringIO("2026-11-13T05:34:00+00:00 3.31\n" + "".join(falling)))
    runpy.run_path(str(program))
    assert capsys.readouterr().out == text.partition("python3 tide.py\n")[2].partition("```")[0]


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
