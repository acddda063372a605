"""Real feed readers with the served feeds: complete entries at the first poll, a 304 at the second or third."""

import contextlib
import email
import email.policy
import itertools
import json
import sqlite3
import subprocess

import fastfeedparser
import feedparser
import pytest
from conftest import RetryingServer, Site

pytestmark = pytest.mark.integration

TITLES = {"Fish & <b>chips</b>", "Çà et là", "Plain"}
BODY = "Some *words* and [a link](/there/)."


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """Return a server whose access log shows the requests of each reader."""
    site = Site(tmp_path_factory.mktemp("clients") / "site")
    site.configure(server={"access_log": "access.log"})
    for number, title in enumerate(sorted(TITLES)):
        site.article(f"{number}.md", BODY, title=title, date=f"2026-05-0{number + 1}")
    served = RetryingServer(site.root)
    served.site = site
    for name in ("rss.xml", "atom.xml"):  # render the documents first, so that no reader gets a 503
        served.get(f"/{name}")
    yield served
    served.stop()


@pytest.fixture
def polled(server, tmp_path, monkeypatch):
    """Return the server, and a home folder for a reader's files."""
    server.home = tmp_path / "home"
    server.home.mkdir()
    monkeypatch.setenv("HOME", str(server.home))
    server.logged = len(logged(server))
    return server


def logged(server):
    """Return the lines of the access log after all requests so far are written."""
    marker = f"marker-{next(_MARKERS)}"
    server.get("/healthz", User_Agent=marker)
    log = server.site.root / "access.log"
    server.wait_for(lambda: f'"{marker}"' in log.read_text())
    return log.read_text().splitlines()


_MARKERS = itertools.count()


def urls(server, *names):
    return [f"http://127.0.0.1:{server.port}/{name}" for name in names]


def run(server, *command):
    done = subprocess.run(command, cwd=server.home, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done


def statuses(server, agent):
    """Return the statuses that a reader received in this test, by document."""
    found = {}
    for line in logged(server)[server.logged :]:
        said = json.loads(line)
        if agent in said.get("agent", ""):
            found.setdefault(said["path"], []).append(said["status"])
    return found


def test_feedparser(polled):
    """feedparser, unmodified, reads every entry, gets a 304 with either validator, and sees new entries."""
    rss, atom = urls(polled, "rss.xml", "atom.xml")
    first = {url: feedparser.parse(url) for url in (rss, atom)}
    for url, parsed in first.items():
        assert not parsed.bozo
        assert {entry.title for entry in parsed.entries} == TITLES
        assert all("<em>words</em>" in entry.content[0].value for entry in parsed.entries)
        assert feedparser.parse(url, etag=parsed.etag).status == 304
        assert feedparser.parse(url, modified=parsed.modified).status == 304
    new = polled.site.article("new.md", title="New")
    for url, parsed in first.items():
        polled.wait_for(lambda url=url, parsed=parsed: feedparser.parse(url, etag=parsed.etag).status == 200)
        assert "New" in {entry.title for entry in feedparser.parse(url, etag=parsed.etag).entries}
    new.unlink()  # the next test expects the site as it was
    polled.wait_for(lambda: all(b">New<" not in polled.get(f"/{name}").body for name in ("rss.xml", "atom.xml")))


@pytest.mark.needs("newsboat")
def test_newsboat(polled):
    """Newsboat gets all entries with their texts, and sends validators from its third poll on."""
    (polled.home / "urls").write_text("\n".join(urls(polled, "rss.xml", "atom.xml")))
    (polled.home / "config").write_text("reload-threads 1\n")
    for _ in range(3):
        run(polled, "newsboat", "-u", "urls", "-c", "cache.db", "-C", "config", "-x", "reload")
    with contextlib.closing(sqlite3.connect(polled.home / "cache.db")) as cache:
        rows = cache.execute("SELECT feedurl, title, guid, content FROM rss_item").fetchall()
    assert len(rows) == len({guid for _, _, guid, _ in rows}) == len(TITLES)  # both formats contain the same ids
    assert {title for _, title, *_ in rows} == TITLES
    assert all("<em>words</em>" in content for *_, content in rows)
    assert statuses(polled, "newsboat") == {"/rss.xml": [200, 200, 304], "/atom.xml": [200, 200, 304]}


@pytest.mark.needs("r2e")
def test_rss2email(polled):
    """rss2email sends one mail per entry, and gets a 304 at its second poll."""
    mail = polled.home / "mail"
    mail.mkdir()
    (polled.home / "r2e.cfg").write_text(
        f"[DEFAULT]\nfrom = feeds@localhost\nto = me@localhost\nemail-protocol = maildir\nmaildir-path = {mail}\n"
        "maildir-mailbox = inbox\nhtml-mail = True\n"
    )
    r2e = ("r2e", "-c", "r2e.cfg", "-d", "r2e.json")
    for name in ("rss", "atom"):
        run(polled, *r2e, "add", name, *urls(polled, f"{name}.xml"))
    for _ in range(2):
        run(polled, *r2e, "run")
    mails = [
        email.message_from_bytes(file.read_bytes(), policy=email.policy.default)
        for file in mail.rglob("*")
        if file.is_file()
    ]
    assert len(mails) == 2 * len(TITLES)
    assert all("words" in one.get_body(("html", "plain")).get_content() for one in mails)
    assert {one["subject"] for one in mails} >= {"Çà et là", "Plain"}
    assert statuses(polled, "feedparser") == {"/rss.xml": [200, 304], "/atom.xml": [200, 304]}


@pytest.mark.needs("sfeed_update", "curl")
def test_sfeed(polled):
    """sfeed reads all entries; with the conditional requests of its manual it gets a 304 at its second poll."""
    rss, atom = urls(polled, "rss.xml", "atom.xml")
    (polled.home / "sfeedrc").write_text(f"""
sfeedpath="{polled.home}/sfeed"
fetch() {{
    curl -s -f -m 15 -A sfeed --etag-save "$sfeedpath/$1.etag" --etag-compare "$sfeedpath/$1.etag" "$2"
}}
feeds() {{
    feed rss "{rss}"
    feed atom "{atom}"
}}
""")
    (polled.home / "sfeed").mkdir()
    for _ in range(2):
        run(polled, "sfeed_update", "sfeedrc")
    for name in ("rss", "atom"):
        rows = [
            line.split("\\t") for line in (polled.home / "sfeed" / name).read_text().replace("\t", "\\t").splitlines()
        ]
        assert {row[1] for row in rows} == TITLES
        assert all("<em>words</em>" in row[3] for row in rows)
    assert statuses(polled, "sfeed") == {"/rss.xml": [200, 304], "/atom.xml": [200, 304]}


@pytest.mark.needs("newsboat")
def test_options_mark_nothing_as_unread(tmp_path, monkeypatch):
    """After a change of the footer, the query of links and the texts, newsboat shows the new texts of read entries."""
    site = Site(tmp_path / "site")
    site.configure(site={"author": {"name": "Desk", "email": "desk@test.example"}})
    site.article("a.md", "One.\n\nTwo.", title="A")
    site.article("a.de.md", "Eins.\n\nZwei.", title="A", date="2026-05-02")
    site.article("b.md", "Three.\n\nFour.", title="B", external_url="https://x.example/")
    served = RetryingServer(site.root)
    served.home = tmp_path
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "urls").write_text("\n".join(urls(served, "rss.xml", "atom.xml")))
    (tmp_path / "config").write_text("reload-threads 1\n")
    command = ("newsboat", "-u", "urls", "-c", "cache.db", "-C", "config", "-x", "reload")
    try:
        run(served, *command)
        with contextlib.closing(sqlite3.connect(tmp_path / "cache.db")) as cache:
            guids = sorted(guid for (guid,) in cache.execute("SELECT guid FROM rss_item"))
            assert len(guids) == 3  # newsboat stores an id once
            cache.execute("UPDATE rss_item SET unread = 0")
            cache.commit()
        footer = "[Reply to {author}]({reply_by_email})"
        site.configure(feeds={"text": "excerpt", "footer": footer, "link_query": "from=feed", "link_blog": "external"})
        served.wait_for(lambda: all(b"Reply to" in served.get(f"/{name}").body for name in ("rss.xml", "atom.xml")))
        run(served, *command)
    finally:
        served.stop()
    with contextlib.closing(sqlite3.connect(tmp_path / "cache.db")) as cache:
        rows = cache.execute("SELECT guid, unread, url, content FROM rss_item").fetchall()
    assert sorted(guid for guid, *_ in rows) == guids
    assert {unread for _, unread, *_ in rows} == {0}
    assert {url for _, _, url, _ in rows} == {
        "https://test.example/a/?from=feed", "https://test.example/a.de/?from=feed", "https://x.example/",
    }  # fmt: skip
    assert all("Reply to Desk" in content for *_, content in rows)


@pytest.fixture(scope="module")
def multilingual(tmp_path_factory):
    """Return a server of a site in three languages, with a main feed without links, a feed of notes, and selected articles."""
    site = Site(tmp_path_factory.mktemp("multilingual") / "site")
    site.configure(
        feeds={
            "by": ["category", "language"],
            "site": {"exclude": {"category": "links"}},
            "custom": {
                "notes": {"title": "Notes", "include": {"folder": "notes"}},
                "picks": {"title": "Picks"},
            },
        }
    )
    for suffix, title in (("", "Tour"), (".de", "Führung"), (".fr", "Visite")):
        site.article(f"tour{suffix}.md", BODY, title=title, feeds=["picks"])
    site.article("links/lamp.md", BODY, title="Lamp", category="links", external_url="https://x.example/lamp")
    site.article("notes/glow.md", BODY, title="Glow")
    served = RetryingServer(site.root)
    served.home = tmp_path_factory.mktemp("home")
    for path in MULTILINGUAL:
        served.get(f"/{path}/rss.xml".replace("//", "/"))
    yield served
    served.stop()


MULTILINGUAL = {
    "": {"Tour", "Führung", "Visite", "Glow"},
    "language/en": {"Tour", "Lamp", "Glow"},
    "language/de": {"Führung"},
    "language/fr": {"Visite"},
    "notes": {"Glow"},
    "picks": {"Tour", "Führung", "Visite"},
}
ALL_TITLES = set().union(*MULTILINGUAL.values())


def multilingual_urls(server, name):
    """Return the URL of each feed in a format, by the feed."""
    return dict(zip(MULTILINGUAL, urls(server, *(f"{path}/{name}".lstrip("/") for path in MULTILINGUAL)), strict=True))


@pytest.mark.parametrize("name", ["rss.xml", "atom.xml"])
def test_feedparser_reads_selected_feeds(multilingual, name):
    """feedparser reads the selected entries and the language of each feed; an entry has one id in all of them."""
    ids = {}
    for path, url in multilingual_urls(multilingual, name).items():
        parsed = feedparser.parse(url)
        assert not parsed.bozo
        assert {entry.title for entry in parsed.entries} == MULTILINGUAL[path]
        assert parsed.feed.language == (path.removeprefix("language/") if "language/" in path else "en")
        assert parsed.feed.link == f"https://test.example/{path}/".replace("e//", "e/")
        for entry in parsed.entries:
            ids.setdefault(entry.title, set()).add(entry.id)
    assert {title: len(of_title) for title, of_title in ids.items()} == dict.fromkeys(ALL_TITLES, 1)


@pytest.mark.parametrize("name", ["rss.xml", "atom.xml", "feed.json"])
def test_fastfeedparser_reads_selected_feeds(multilingual, name):
    """fastfeedparser reads the selected entries of each feed in each format; an entry has one id in all of them."""
    ids = {}
    for path, titles in MULTILINGUAL.items():
        parsed = fastfeedparser.parse(multilingual.get(f"/{path}/{name}".replace("//", "/")).body)
        assert {entry.title for entry in parsed.entries} == titles
        for entry in parsed.entries:
            ids.setdefault(entry.title, set()).add(entry.id)
    assert {title: len(of_title) for title, of_title in ids.items()} == dict.fromkeys(ALL_TITLES, 1)


@pytest.mark.needs("newsboat")
def test_newsboat_stores_an_entry_of_several_feeds_once(multilingual, monkeypatch):
    """Newsboat, which follows all feeds in both formats, has each entry with its id once, or once per feed."""
    home = multilingual.home
    monkeypatch.setenv("HOME", str(home))
    followed = [url for name in ("rss.xml", "atom.xml") for url in multilingual_urls(multilingual, name).values()]
    (home / "urls").write_text("\n".join(followed))
    (home / "config").write_text("reload-threads 1\n")
    run(multilingual, "newsboat", "-u", "urls", "-c", "cache.db", "-C", "config", "-x", "reload")
    with contextlib.closing(sqlite3.connect(home / "cache.db")) as cache:
        rows = cache.execute("SELECT title, guid FROM rss_item").fetchall()
        links = dict(cache.execute("SELECT rssurl, url FROM rss_feed"))
    assert {title for title, _ in rows} == ALL_TITLES
    assert len(rows) == len({guid for _, guid in rows}) == len(ALL_TITLES)
    for path, url in multilingual_urls(multilingual, "atom.xml").items():
        assert links[url] == f"https://test.example/{path}/".replace("e//", "e/")  # no feed of another language


@pytest.mark.needs("sfeed_update", "curl")
def test_sfeed_reads_selected_feeds(multilingual):
    """sfeed reads the entries of each feed, with the same id in all of them."""
    home = multilingual.home
    feeds = {path.replace("/", "-") or "site": url for path, url in multilingual_urls(multilingual, "rss.xml").items()}
    lines = "\n".join(f'feed {name} "{url}"' for name, url in feeds.items())
    (home / "sfeedrc").write_text(f'sfeedpath="{home}/sfeed"\nfeeds() {{\n{lines}\n}}\n')
    (home / "sfeed").mkdir()
    run(multilingual, "sfeed_update", "sfeedrc")
    ids = set()
    for path, titles in MULTILINGUAL.items():
        rows = (home / "sfeed" / (path.replace("/", "-") or "site")).read_text().splitlines()
        fields = [row.split("\t") for row in rows]
        assert {row[1] for row in fields} == titles
        ids |= {(row[1], row[5]) for row in fields}
    assert len(ids) == len(ALL_TITLES)


@pytest.mark.needs("r2e")
def test_rss2email_mails_selected_entries(multilingual):
    """rss2email sends a mail for each entry of two selected feeds."""
    home = multilingual.home
    mail = home / "mail"
    mail.mkdir()
    (home / "r2e.cfg").write_text(
        f"[DEFAULT]\nfrom = feeds@localhost\nto = me@localhost\nemail-protocol = maildir\nmaildir-path = {mail}\n"
        "maildir-mailbox = inbox\nhtml-mail = True\n"
    )
    r2e = ("r2e", "-c", "r2e.cfg", "-d", "r2e.json")
    followed = multilingual_urls(multilingual, "atom.xml")
    for name, path in (("fr", "language/fr"), ("notes", "notes")):
        run(multilingual, *r2e, "add", name, followed[path])
    run(multilingual, *r2e, "run")
    files = [file for file in mail.rglob("*") if file.is_file()]
    mails = [email.message_from_bytes(file.read_bytes(), policy=email.policy.default) for file in files]
    assert sorted(str(one["subject"]) for one in mails) == ["Glow", "Visite"]


def test_json_feeds_of_a_multilingual_site(multilingual):
    """The JSON feeds have the same ids as the others, and links to the feeds of other languages."""
    ids = {}
    for path, url in multilingual_urls(multilingual, "feed.json").items():
        feed = json.loads(multilingual.get(url.partition(str(multilingual.port))[2]).body)
        assert {item["title"] for item in feed["items"]} == MULTILINGUAL[path]
        assert len(feed.get("_translations", {})) == (2 if "language/" in path else 0)
        ids |= {(item["title"], item["id"]): None for item in feed["items"]}
    assert len(ids) == len(ALL_TITLES)
