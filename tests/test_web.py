"""Feeds over HTTP: responses to pollers, browsers and attackers, and a server that publishes meanwhile."""

import contextlib
import json
import os
import re
import shutil
import signal
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from conftest import App, RetryingServer, Site
from publish_loops import EventRecorder
from waiting import eventually, retry_while_busy

from feeds.catalog import Failures
from feeds.content import Folder
from feeds.core.errors import ConfigError, ContentFolderMissing
from feeds.publish.loop import PublishLoop
from feeds.publish.publisher import Publisher
from feeds.web import create_app

DOCUMENTS = ["rss.xml", "atom.xml", "feed.json"]


@pytest.fixture(scope="module")
def asked(tmp_path_factory):
    """Return the application of one site, in this process, for all tests that only read."""
    site = Site(tmp_path_factory.mktemp("asked") / "site")
    site.configure(server={"max_age": 120})
    site.article("a.md", "Text.", title="A & <b>", category="Été", tags=["x"])
    site.article("b.md", "Later.", title="Scheduled", date="2099-01-01", tags=["later"])
    site.publish(datetime.now(UTC))
    with contextlib.closing(App(site.root)) as application:
        yield application


@pytest.fixture(scope="module")
def live(tmp_path_factory):
    """Return a server that watches its folder, for tests that change only articles of their own and restore them."""
    site = Site(tmp_path_factory.mktemp("live") / "site")
    site.configure(schedule={"cron": None})
    for number in range(20):
        site.article(f"{number}.md", title=str(number))
    server = RetryingServer(site.root)
    server.site = site
    yield server
    assert server.stop() == 0


def test_the_configuration_in_a_home_folder(site, monkeypatch):
    """`create_app` reads the file that FEEDS_CONFIG names, with "~" as the home folder; an unknown one is a mistake."""
    site.configure()
    site.publish()
    monkeypatch.setenv("HOME", str(site.root))
    monkeypatch.setenv("FEEDS_CONFIG", "~/config.yaml")
    application = create_app()
    try:
        assert application.test_client().get("/rss.xml").status_code == 200
    finally:
        application.extensions["feeds.close"]()
    monkeypatch.setenv("FEEDS_CONFIG", "~nobody-here/config.yaml")
    with pytest.raises(ConfigError, match=r"^~nobody-here/config\.yaml: the home folder ~nobody-here is unknown"):
        create_app()


FORGED = {"Host": "evil.example", "X_Forwarded_Host": "evil.example", "X_Forwarded_Proto": "gopher", "Forwarded": "host=evil.example",
          "X_Forwarded_Prefix": "/evil", "X_Original_URL": "/evil"}  # fmt: skip
FORGEABLE = ["/rss.xml", "/atom.xml", "/feed.json", "/", "/category/%C3%A9t%C3%A9/", "/tag/x", "/nothing", "/tag/x/rss.xml?host=evil"]  # fmt: skip


def check_forged(client, path):
    plain, forged = client.get(path), client.get(path, **FORGED)
    assert (forged.status, forged.body) == (plain.status, plain.body)
    assert "evil" not in json.dumps(forged.headers)
    assert b"evil" not in forged.body


@pytest.mark.parametrize("path", FORGEABLE)
def test_forged_hosts_change_no_byte(asked, path):
    """A forged Host or forwarding header changes no byte of documents, pages and errors."""
    check_forged(asked, path)


@pytest.mark.integration
def test_forged_hosts_change_no_byte_of_a_server(live):
    """The same holds if a server creates the environment of the request."""
    for path in FORGEABLE:
        check_forged(live, path)


def test_pages(asked):
    """The index links to every feed in every format; a feed has a page; both show only published articles."""
    for path in ("/", "/category/%C3%A9t%C3%A9/"):
        page = asked.get(path)
        assert page.status == 200
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        text = page.body.decode()
        assert "A &amp; &lt;b&gt;" in text
        assert 'rel="alternate" type="application/rss+xml"' in text
        assert "Scheduled" not in text
        assert "later" not in text
        assert asked.get(path, If_None_Match=page.headers["etag"]).status == 304
    assert all(f"https://test.example/category/%C3%A9t%C3%A9/{name}" in text for name in DOCUMENTS)
    assert 'href="./tag/x/"' in asked.get("/").body.decode()
    assert asked.get("/static/page.css").status == 200


@pytest.mark.parametrize(
    ("path", "status"),
    [("/nothing", 404), ("/category/none/rss.xml", 404), ("/tag/later/", 404), ("/tag/later/rss.xml", 404),
     ("/../../etc/passwd", 404), ("/static/..%2f..%2fconfig.yaml", 404), ("/%00", 404), ("/%ff%fe", 404), ("/" + "x" * 4000, 404), ("/category/%C3%A9t", 404)],
)  # fmt: skip
def test_what_is_not_there(asked, path, status):
    """Every other path is a 404, never a server error or a redirect: a line of text for documents, else a page."""
    answer = asked.get(path)
    assert answer.status == status
    kind = "text/plain" if path.endswith((".xml", ".json")) else "text/html"
    assert answer.headers["content-type"] == f"{kind}; charset=utf-8"


def test_error_pages(site, app):
    """The pages for 404 and 410 lead to the start page, have the headers of pages, and contain nothing of the path."""
    site.article("a.md", title="A", category="x")
    site.publish()
    (site.content / "a.md").unlink()
    site.publish(accept=True)
    site.configure(site={"title": "<My> site"})
    served = app(site)
    for pages in (False, True):
        site.configure(site={"pages": pages})
        served = app(site)
        for path, status in (("/some/secret/%3Cwords%3E", 404), ("/category/x/", 410)):
            answer = served.get(path)
            body = answer.body.decode()
            assert answer.status == status
            assert answer.headers["content-type"] == "text/html; charset=utf-8"
            assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert f'href="{"../" * (path.count("/") - 1)}">Go to the start page</a>' in body
            assert "&lt;My&gt; site" in body
            assert "words" not in body
            assert "secret" not in body
        for path in ("/none.xml", "/none/feed.json", "/none.png", "/category/x/rss.xml"):
            answer = served.get(path)
            assert (answer.headers["content-type"], len(answer.body) < 100) == ("text/plain; charset=utf-8", True)


def test_what_can_not_be_served_yet(site, app):
    """In a preview, a page that can't be served yet is requested again by the browser."""
    site.configure()
    site.publish()
    for options in ({}, {"preview_url": "http://127.0.0.1:8000"}):
        served = app(site, **options)
        (site.root / ".feeds/catalog.db").rename(site.root / "moved")
        answer = served.get("/")
        (site.root / "moved").rename(site.root / ".feeds/catalog.db")
        assert (answer.status, answer.headers.get("Refresh")) == (503, "1" if options else None)


def test_health(asked):
    """/healthz reports "ok" and the age of the last publish run."""
    answer = asked.get("/healthz")
    said = json.loads(answer.body)
    assert (answer.status, said["status"], said["revision"]) == (200, "ok", 1)
    assert datetime.fromisoformat(said["regenerated"]) <= datetime.now(UTC)
    assert said["age"] >= 0


@pytest.mark.integration
def test_saved_is_served(live):
    """A saved article is soon in the feeds; a broken one is reported, and its last good version stays."""
    for text in ("One.", "Two.", "Good."):
        live.site.article("b.md", text, title="b")
        live.wait_for(lambda text=text: text.encode() in live.get("/feed.json").body)
    live.site.write("b.md", "---\ntitle: b\ndate: never\n---\n")
    live.wait_for(lambda: "content/b.md:3: date: 'never' is not a date" in live.log.read_text())
    assert b"Good." in live.get("/feed.json").body
    live.site.article("b.md", "Better.", title="b")
    live.wait_for(lambda: b"Better." in live.get("/feed.json").body)
    (live.site.content / "b.md").unlink()
    live.wait_for(lambda: "b" not in live.titles())


@pytest.mark.integration
def test_a_thousand_files_at_once(live):
    """A thousand files that appear at the same time are all in the feeds."""
    for n in range(1000):
        live.site.article(f"new/{n}.md", title=f"t{n}", category="new", date="2026-04-01")
    live.wait_for(lambda: ">1,000<" in live.get("/").body.decode().partition("category/new")[2][:200])


@pytest.mark.integration
def test_goes_live_at_its_hour(live):
    """A scheduled article appears at its time, and nothing of it is visible before."""
    hour = datetime.now(UTC) + timedelta(seconds=2)
    live.site.article("hour.md", title="hour", date=hour.isoformat())
    live.wait_for(lambda: "hour" in live.titles())
    assert datetime.now(UTC) >= hour
    assert live.titles()[0] == "hour"
    (live.site.content / "hour.md").unlink()
    live.wait_for(lambda: "hour" not in live.titles())


@pytest.mark.integration
def test_a_build_beside_a_server_is_served(live):
    """A running server serves what `feeds build` commits."""
    live.site.article("built.md", title="built")
    assert live.site.run("build", "--wait", "60").returncode == 0
    live.wait_for(lambda: "built" in live.titles())
    (live.site.content / "built.md").unlink()
    live.wait_for(lambda: "built" not in live.titles())


@pytest.mark.integration
def test_the_folder_goes_and_comes_back(live):
    """Without the content folder, the feeds are still served; when it returns, they are updated again."""

    def said(text):
        return len(re.findall(text, live.log.read_text()))

    site = live.site
    site.article("old.md", title="old", date="2026-05-30")  # published after the changes of earlier tests
    live.wait_for(lambda: "old" in live.titles())
    well = said("the last run succeeded")
    away = site.content.rename(site.root / "away")
    live.wait_for(lambda: said(r"the content folder \(content.path\) is missing") == 1)
    assert "old" in live.titles()
    away.rename(site.content)
    live.wait_for(lambda: said("the last run succeeded") > well)
    site.article("new.md", title="new", date="2026-05-31")
    live.wait_for(lambda: "new" in live.titles())
    shutil.copytree(site.content, away)
    shutil.rmtree(site.content)
    live.wait_for(lambda: said("is missing") == 2)
    assert "new" in live.titles()
    well = said("the last run succeeded")
    site.content.mkdir()
    live.wait_for(lambda: said(r"of ([\d,]+) entries, \1 would vanish") == 1)
    assert "new" in live.titles()
    (away / "new.md").unlink()
    shutil.copytree(away, site.content, dirs_exist_ok=True)
    shutil.rmtree(away)
    live.wait_for(lambda: "new" not in live.titles())


def workers(server):
    """Return the number of workers that have started; each then has its own process group."""
    children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text().split()
    return sum(os.getpgid(int(child)) == int(child) for child in children)


@pytest.mark.integration
def test_ends_and_begins_again(site, serve):
    """A server ends on Ctrl-C and SIGTERM, its workers end with it even if it is killed, and validators stay.

    Its exit code is 0, without a traceback. Afterwards its port is free for the next server, which sends unchanged
    documents with the same validators.
    """
    site.article("a.md", title="a")
    seen = set()
    for how in (signal.SIGKILL, signal.SIGINT, signal.SIGTERM):
        server = serve(site, "--workers", "2")
        server.wait_for(lambda server=server: server.get("/rss.xml").status == 200)
        headers = retry_while_busy(lambda server=server: server.get("/rss.xml")).headers
        seen.add((headers["etag"], headers["last-modified"]))
        eventually(lambda server=server: workers(server) == 2)  # one that is still being imported is interrupted
        ended = server.stop(how)
        until = time.monotonic() + 60
        with contextlib.suppress(OSError):
            while True:
                server.get("/rss.xml")
                assert how == signal.SIGKILL, "a worker goes on after an end in good order"
                assert time.monotonic() < until, "a worker goes on without its parent"
                time.sleep(0.05)
        if how != signal.SIGKILL:
            assert ended == 0
            assert "Traceback" not in server.log.read_text()
            assert "Error" not in server.log.read_text()
        (site.content / "a.md").touch()
    assert len(seen) == 1


@pytest.mark.integration
@pytest.mark.parametrize("looks", [False, True])
def test_the_hours_need_no_folder(site, app, looks):
    """Without watching, cron and content folder, scheduled articles go live, even after a failed scan."""
    site.configure(content={"watch": "off"}, schedule={"cron": None})
    settings, catalog, events = site.config, site.catalog, EventRecorder()
    folder = Folder(settings.content_root, settings.content.include, settings.content.exclude)
    site.article("a.md", title="a")
    now = datetime.now(UTC)
    for number, title in enumerate("bc", 2):
        site.article(f"{title}.md", title=title, date=(now + timedelta(seconds=number)).isoformat())
    keeper = PublishLoop(
        Publisher(folder, catalog, settings.site_model, settings.feeds.guard),
        folder,
        catalog,
        Failures(catalog),
        watch=settings.content.watch,
        cron=None,
        before=None,
        has_webhook=False,
        observer=events,
    )
    keeper.start()
    try:
        eventually(lambda: events.ended)
        site.content.rename(site.root / "away")
        if looks:
            keeper._request_scan(None)
            eventually(lambda: isinstance(events.ended[-1], ContentFolderMissing))
        server = app(site)
        eventually(lambda: server.titles() == ["c", "b", "a"])
    finally:
        keeper.stop()


@pytest.mark.integration
def test_what_a_build_writes_wakes_no_watch(site):
    """If articles are beside the catalog and the export, only changes of articles cause hints."""
    site.configure(content={"path": "."}, server={"access_log": ".access.log"})

    def article(name, text):
        site.write(f"../{name}.md", f"---\ndate: 2026-05-01\n---\n{text}")

    article("a", "Before.")
    assert site.run("build").returncode == 0  # creates all folders
    hints, stop = [], threading.Event()

    folder = Folder(site.root, site.config.content.include, site.config.content.exclude)
    watcher = threading.Thread(target=lambda: hints.extend(folder.watch("events", stop)))
    watcher.start()
    try:
        eventually(lambda: hints.count(None) >= 2)  # the watcher has started
        article("a", "After.")
        assert site.run("build").returncode == 0  # writes the catalog and every document
        with contextlib.closing(App(site.root)) as application:
            assert application.get("/rss.xml").status == 200
        article("last", "Text.")
        eventually(lambda: any("last.md" in hint for hint in hints if hint))
    finally:
        stop.set()
        watcher.join()
    assert set().union(*filter(None, hints)) == {"a.md", "last.md"}
