"""The feeds over HTTP: a real server, asked as pollers, browsers and attackers ask."""

import json
import signal
import time

import pytest

DOCUMENTS = ["rss.xml", "atom.xml", "feed.json"]


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """One site, served for all tests that only ask."""
    from conftest import Server, Site

    site = Site(tmp_path_factory.mktemp("served"))
    site.configure(server={"max_age": 120})
    site.article("a.md", "Text.", title="A & <b>", category="Été", tags=["x"])
    site.article("b.md", "Later.", title="Scheduled", date="2099-01-01", tags=["later"])
    server = Server(site.root)
    server.site = site
    yield server
    assert server.stop() == 0


FORGED = {"Host": "evil.example", "X_Forwarded_Host": "evil.example", "X_Forwarded_Proto": "gopher", "Forwarded": "host=evil.example",
          "X_Forwarded_Prefix": "/evil", "X_Original_URL": "/evil"}  # fmt: skip


@pytest.mark.parametrize(
    "path",
    [
        "/rss.xml",
        "/atom.xml",
        "/feed.json",
        "/",
        "/category/%C3%A9t%C3%A9/",
        "/tag/x",
        "/nothing",
        "/tag/x/rss.xml?host=evil",
    ],
)
def test_forged_hosts_change_no_byte(served, path):
    """Behind a forged Host or forwarding header no byte of any document, page or error changes."""
    plain, forged = served.get(path), served.get(path, **FORGED)
    assert (forged.status, forged.body) == (plain.status, plain.body)
    assert "evil" not in json.dumps(forged.headers)
    assert b"evil" not in forged.body


def test_pages(served):
    """The index leads to every feed in every format; a feed has a page; both show what is published and nothing else."""
    for path in ("/", "/category/%C3%A9t%C3%A9/"):
        page = served.get(path)
        assert page.status == 200
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        text = page.body.decode()
        assert "A &amp; &lt;b&gt;" in text
        assert 'rel="alternate" type="application/rss+xml"' in text
        assert "Scheduled" not in text
        assert "later" not in text
        assert served.get(path, If_None_Match=page.headers["etag"]).status == 304
    assert all(f"https://test.example/category/%C3%A9t%C3%A9/{name}" in text for name in DOCUMENTS)
    assert 'href="./tag/x/"' in served.get("/").body.decode()
    assert served.get("/static/page.css").status == 200


@pytest.mark.parametrize(
    ("path", "status"),
    [("/nothing", 404), ("/category/none/rss.xml", 404), ("/tag/later/", 404), ("/tag/later/rss.xml", 404),
     ("/../../etc/passwd", 404), ("/static/..%2f..%2fconfig.yaml", 404), ("/%00", 404), ("/%ff%fe", 404), ("/" + "x" * 4000, 404), ("/category/%C3%A9t%C3%A9", 404)],
)  # fmt: skip
def test_what_is_not_there(served, path, status):
    """Every other path is a plain 404, never an error of ours and never a redirect."""
    answer = served.get(path)
    assert answer.status == status
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"


def test_health(served):
    """/healthz says that all is well and how old the last regeneration is."""
    answer = served.get("/healthz")
    said = json.loads(answer.body)
    assert (answer.status, said["status"], said["revision"]) == (200, "ok", 1)
    assert 0 <= said["age"] < 600


def test_saved_is_served(site, serve):
    """A saved article is in the served feeds within a second; a broken one leaves its last good version and is named."""
    site.article("a.md", title="a")
    server = serve(site)
    assert server.titles() == ["a"]
    took = []
    for text in ("One.", "Two.", "Three.", "Good."):
        site.article("b.md", text, title="b")
        took.append(server.wait_for(lambda text=text: text.encode() in server.get("/feed.json").body))
    assert min(took) < 1  # the best of four: the other tests run beside this one
    site.write("b.md", "---\ntitle: b\ndate: never\n---\n")
    server.wait_for(lambda: "content/b.md:3: date: 'never' is not a date" in server.log.read_text())
    assert b"Good." in server.get("/feed.json").body
    site.article("b.md", "Better.", title="b")
    server.wait_for(lambda: b"Better." in server.get("/feed.json").body)
    (site.content / "b.md").unlink()
    server.wait_for(lambda: server.titles() == ["a"])


def test_a_thousand_files_at_once(site, serve):
    """A thousand files that appear at once are all in the feeds soon."""
    site.article("a.md", title="a")
    server = serve(site)
    for n in range(1000):
        site.article(f"new/{n}.md", title=f"t{n}", category="new")
    server.wait_for(lambda: ">1000<" in server.get("/").body.decode().partition("category/new")[2][:200], 20)


def test_the_folder_goes_and_comes_back(site, serve):
    """Without its content folder the feeds stay up; with it back they are live again by themselves."""
    for n in range(6):
        site.article(f"{n}.md", title=str(n))
    server = serve(site)
    before = server.get("/feed.json").body
    away = site.content.rename(site.root / "away")
    server.wait_for(lambda: "the content folder (content.path) is not there" in server.log.read_text())
    assert server.get("/feed.json").body == before
    away.rename(site.content)
    server.wait_for(lambda: "all is well again" in server.log.read_text())
    site.article("new.md", title="new", date="2026-05-31")
    server.wait_for(lambda: server.titles()[0] == "new")
    import shutil

    shutil.rmtree(site.content)
    server.wait_for(lambda: server.log.read_text().count("is not there") == 2)
    assert "new" in server.titles()
    site.content.mkdir()
    server.wait_for(lambda: "nothing was published: of 7 entries 7 would vanish" in server.log.read_text())
    assert "new" in server.titles()


def test_goes_live_at_its_hour(site, serve):
    """A scheduled article appears by itself at its hour, and nothing of it shows before."""
    from datetime import UTC, datetime, timedelta

    site.configure(schedule={"cron": None})
    site.article("a.md", title="a")
    server = serve(site)
    hour = datetime.now(UTC) + timedelta(seconds=3)  # counted from now on: a server may take long to start
    site.article("b.md", title="b", date=hour.isoformat())
    server.wait_for(lambda: server.titles() != ["a"])
    seen = datetime.now(UTC)
    assert server.titles() == ["b", "a"]
    assert timedelta(0) <= seen - hour < timedelta(seconds=10)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_ends_cleanly(site, serve, how):
    """Ctrl-C and SIGTERM end the server and its workers soon, with exit code 0 and no traceback."""
    site.article("a.md", title="a")
    server = serve(site, "--workers", "2")
    began = time.monotonic()
    assert server.stop(how) == 0
    assert time.monotonic() - began < 10
    assert "Traceback" not in server.log.read_text()
    assert "Error" not in server.log.read_text()
    with pytest.raises(OSError):
        server.get("/rss.xml")


def test_a_site_in_the_folder_of_its_config_rests(site, serve):
    """With the articles beside the catalog and the exported files, nothing happens while nothing changes."""
    site.configure(content={"path": "."})
    site.write("../a.md", "---\ndate: 2026-05-01\n---\nText.")
    server = serve(site)
    assert site.run("build", "--wait", "5").returncode == 0
    time.sleep(1.5)
    before = json.loads(server.get("/healthz").body)["regenerated"]
    time.sleep(2)
    assert json.loads(server.get("/healthz").body)["regenerated"] == before


def test_workers_end_with_their_parent(site, serve):
    """If the publishing process is killed outright, its workers end too, and the port is free for the next."""
    site.article("a.md", title="a")
    server = serve(site)
    server.stop(signal.SIGKILL)
    for _ in range(100):
        try:
            server.get("/rss.xml")
        except OSError:
            return
        time.sleep(0.1)
    raise AssertionError("a worker goes on without its parent")


def test_the_hour_needs_no_folder(site, serve):
    """With neither watch nor cron, and the folder away, articles go live at their hours."""
    from datetime import UTC, datetime, timedelta

    site.configure(content={"watch": "off"}, schedule={"cron": None})
    now = datetime.now(UTC)
    site.article("a.md", title="a")
    site.article("b.md", title="b", date=(now + timedelta(seconds=5)).isoformat())
    site.article("c.md", title="c", date=(now + timedelta(seconds=8)).isoformat())
    server = serve(site)
    site.content.rename(site.root / "away")
    server.wait_for(lambda: server.titles() == ["c", "b", "a"])


def test_restart_keeps_validators(site, serve):
    """A document that did not change has the same validators after a restart."""
    site.article("a.md", title="a")
    server = serve(site)
    before = server.get("/rss.xml")
    server.stop()
    (site.content / "a.md").touch()
    after = serve(site).get("/rss.xml")
    assert {k: before.headers[k] for k in ("etag", "last-modified")} == {
        k: after.headers[k] for k in ("etag", "last-modified")
    }


def test_a_build_beside_a_server_is_served(site, serve):
    """What `feeds build` commits, a running server serves."""
    site.configure(content={"watch": "off"}, schedule={"cron": None})
    site.article("a.md", title="a")
    server = serve(site)
    site.article("b.md", title="b")
    assert site.run("build", "--wait", "5").returncode == 0
    server.wait_for(lambda: "b" in server.titles())
