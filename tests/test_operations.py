"""Operation: several workers that behave like one, metrics, access log, health, and misbehaving clients."""

import contextlib
import json
import os
import re
import select
import socket
import threading
import urllib.request
from datetime import datetime

import pytest
from conftest import RetryingServer, Site, free_port
from test_history import history
from waiting import eventually, retry_while_busy

from feeds.render import Documents
from feeds.web.request_log import LoggedRequest

DOCUMENTS = ["rss.xml", "atom.xml", "feed.json"]


def test_all_workers_serve_the_same_revision(site, serve):
    """Soon after a commit, every worker serves the new revision, and none returns to the old one."""
    site.article("a.md", title="a")
    server = serve(site, "--workers", "3")

    def etags(times=40):
        """Return the ETags that several connections receive from any worker."""
        return [retry_while_busy(lambda: server.ask("/rss.xml")).headers["etag"] for _ in range(times)]

    seen = set(etags())
    assert len(seen) == 1
    for text in ("One.", "Two."):
        revision = json.loads(server.ask("/healthz").body)["revision"]
        site.article("a.md", text, title="a")
        server.wait_for(lambda revision=revision: json.loads(server.ask("/healthz").body)["revision"] > revision)
        server.wait_for(lambda seen=frozenset(seen): not seen & set(etags()))
        last = set(etags())
        assert len(last) == 1
        seen |= last
        assert text.encode() in server.ask("/rss.xml").body


def metrics(port):
    """Return a scrape as a dictionary: name{labels} -> value."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as answer:
        text = answer.read().decode()
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in text.splitlines() if line[0] != "#"}


def test_metrics_are_the_sum_of_all_workers(site, serve):
    """Prometheus metrics, on their own address, count the requests of all workers, and describe the last run.

    All pages share one label, except the site's page and the OPML.
    """
    port = free_port()
    site.configure(server={"metrics": f"127.0.0.1:{port}"}, feeds={"limit": 2})
    for number in range(5):
        site.article(f"{number}.md", title=str(number), date=f"2026-05-0{number + 1}", tags=[f"x{number}"])
    site.write("bad.md", "no front matter")
    server = serve(site, "--workers", "2")
    unavailable = []

    def ask(path, *lines):
        while (answer := server.ask(path, *lines)).status == 503:
            unavailable.append(path)
        return answer

    etag, size = ask("/rss.xml").headers["etag"], len(ask("/rss.xml").body)
    for _ in range(38):
        ask("/rss.xml")
    for _ in range(30):
        ask("/rss.xml", f"If-None-Match: {etag}")
    for path in ("/archive/1/atom.xml", "/archive/2/atom.xml", "/no/such/1", "/no/such/2", "/rss.xml?x"):
        ask(path)
    for path in ("/", "/feeds.opml", *(f"/tag/x{number}/" for number in range(5))):
        ask(path)
    requests = 'feeds_requests_total{document="%s",status="%d"}'
    expected = {
        requests % ("/rss.xml", 200): 41,
        requests % ("/rss.xml", 304): 30,
        requests % ("/archive/N/atom.xml", 200): 2,
        requests % ("other", 404): 2,
        requests % ("/", 200): 1,
        requests % ("/feeds.opml", 200): 1,
        requests % ("page", 200): 5,
        'feeds_response_bytes_total{document="/rss.xml"}': 41 * size,
    }

    def is_all_written(now):
        """Return whether both workers have written their counts, which each does twice a second."""
        hits = 80 - now["feeds_render_seconds_count"]
        return now.items() >= expected.items() and now["feeds_cache_hits_total"] == hits

    server.wait_for(lambda: is_all_written(metrics(port)))
    now = metrics(port)
    assert is_all_written(now), "more than what was asked for is counted"
    assert 3 <= now["feeds_render_seconds_count"] <= 6  # three documents, rendered by one worker or by both
    documents = {name.split('"')[1] for name in now if name.startswith("feeds_requests_total{")}
    assert documents == {"/rss.xml", "/archive/N/atom.xml", "other", "/", "/feeds.opml", "page"}
    assert not any("/tag/" in name for name in now if name.startswith("feeds_response_bytes"))
    assert now["feeds_revision"] == 1
    assert now["feeds_articles"] == 5
    assert now["feeds_refused_articles"] == 1
    assert now["feeds_catalog_up"] == 1
    assert now["feeds_regeneration_age_seconds"] >= 0
    assert now["feeds_revision_age_seconds"] >= 0
    assert server.ask("/metrics").status == 404  # not on the public address
    assert server.stop() == 0


def test_a_render_is_no_hit_of_the_cache():
    """A request for a document that had to be rendered is not a cache hit, also if it is counted later."""
    from feeds.web.metrics import WorkerMetrics

    counters = WorkerMetrics()
    counters.count_render(0.1)
    counters.count_requests([])  # as happens twice a second
    request = LoggedRequest(0.0, "/rss.xml", "200", 1, None)
    counters.count_requests([request])
    assert counters._hits._value.get() == 0
    counters.count_requests([request])
    assert counters._hits._value.get() == 1


@pytest.mark.integration
def test_an_address_for_metrics_that_is_taken(site):
    """An address that can't be listened on is reported in a sentence, before the server starts."""
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
        site.configure(server={"metrics": f"127.0.0.1:{port}"})
        done = site.process("serve", "--port", str(free_port()))  # changes the environment of its process
    assert done.returncode == 3
    assert done.stderr == f"can't listen on 127.0.0.1:{port}: Address already in use; change server.metrics\n"


def test_the_access_log_is_one_object_a_line(site, app):
    """Each request is one line of JSON with client, request and response; the log may be rotated at any time."""
    site.configure(server={"access_log": "access.log"})
    site.article("a.md", title="a")
    site.publish()
    server = app(site)
    log = site.root / "access.log"
    etag = server.ask("/rss.xml").headers["etag"]
    server.ask("/rss.xml?from=x", f"If-None-Match: {etag}", "User-Agent: Reader/1.0 (2 subscribers)")
    eventually(lambda: log.exists() and "Reader" in log.read_text())
    first, second = [json.loads(line) for line in log.read_text().splitlines()]
    assert datetime.fromisoformat(first["time"]).tzinfo
    assert (first["client"], first["method"], first["path"], first["status"]) == ("127.0.0.1", "GET", "/rss.xml", 200)
    assert (first["bytes"] > 0, first["conditional"], "query" in first) == (True, False, False)
    assert (second["status"], second["bytes"], second["query"], second["conditional"]) == (304, 0, "from=x", True)
    assert second["agent"].startswith("Reader/1.0")
    log.rename(site.root / "access.log.1")
    server.ask("/nothing")
    eventually(lambda: log.exists() and log.read_text())
    assert json.loads(log.read_text())["status"] == 404


def test_lines_of_the_access_log_are_bounded(site, app):
    """A line has at most 500 characters per client value, no control characters, and no preview key.

    Only its owner may read the log, whatever the umask.
    """
    site.configure(server={"access_log": "access.log"})
    site.publish()
    server, log = app(site, preview_key="the-key-of-the-preview"), site.root / "access.log"
    before = os.umask(0)
    try:
        server.ask("/preview/?the-key-of-the-preview")
        path = {"PATH_INFO": "/x\n\x1b" + "y" * 3_000}
        referer = "Referer: http://x/preview/?the-key-of-the-preview"
        server.ask("/", "User-Agent: " + "z" * 3_000, referer, environ=path)
        eventually(lambda: log.exists() and log.read_text().count("\n") == 2)
    finally:
        os.umask(before)
    text = log.read_text("ascii")
    assert "the-key" not in text
    assert all(character.isprintable() or character == "\n" for character in text)
    first, second = [json.loads(line) for line in text.splitlines()]
    assert (first["path"], first["query"]) == ("/preview/", "[hidden]")
    assert second["path"] == "/x\n\x1b" + "y" * 496 + "…"
    assert second["agent"] == "z" * 500 + "…"
    assert second["referer"] == "http://x/preview/?[hidden]"
    assert log.stat().st_mode & 0o777 == 0o600


@pytest.mark.integration
def test_health_fails_only_when_nothing_can_be_served(site, serve):
    """Without the catalog, /healthz reports that, and stays 200 as long as documents are served."""
    site.configure(content={"watch": "off"}, schedule={"cron": None})
    site.article("a.md", title="a")
    server = serve(site)
    body = retry_while_busy(lambda: server.ask("/rss.xml")).body
    for file in site.config.catalog.parent.glob("catalog.db*"):
        file.write_bytes(b"no database " * 10_000)
    server.wait_for(lambda: json.loads(server.ask("/healthz").body)["status"] != "ok")
    answer = server.ask("/healthz")
    said = json.loads(answer.body)
    assert (answer.status, said["status"]) == (200, "serving from memory")
    assert said["age"] >= 0
    assert server.ask("/rss.xml").body == body
    assert server.ask("/atom.xml").status == 503  # this document was never requested


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """Return a server for misbehaving clients."""
    site = Site(tmp_path_factory.mktemp("served") / "site")
    site.configure(feeds={"limit": 2})
    for number in range(40):
        site.article(f"{number}.md", "Text. " * 200, title=str(number), tags=[f"t{number}"], date="2026-05-01")
    server = RetryingServer(site.root)
    server.ask("/rss.xml")
    yield server
    server.stop()


@pytest.mark.integration
def test_silent_and_slow_clients_keep_nobody_waiting(served):
    """Polls are answered despite 300 silent and 40 very slow connections, which are then closed."""

    def connect():
        return contextlib.closing(socket.create_connection(("127.0.0.1", served.port), timeout=120))

    for _ in range(10):  # repeat until polls arrive while all these connections wait, as on a fast machine
        with contextlib.ExitStack() as stack:
            clients = [stack.enter_context(connect()) for _ in range(340)]
            with contextlib.suppress(ConnectionError):  # the server closes connections that have waited too long
                for number in range(10):
                    for client in clients[:40]:
                        client.send(b"GET /rss.xml HTTP/1.1\r\nHost: x\r\nX-Slow: "[number : number + 1])
                    assert served.ask("/rss.xml").status == 200
                if not select.select(clients, [], [], 0)[0]:
                    break
    else:
        raise AssertionError("polls are answered only once the other connections are closed")
    with connect() as client:
        client.send(b"GET /rss")
        received = b""
        with contextlib.suppress(ConnectionError):
            while chunk := client.recv(1000):  # until it is closed
                received += chunk
    assert b" 200 " not in received[:20]


@pytest.mark.integration
def test_no_flood_of_other_paths_keeps_polls_waiting(served):
    """While clients request documents that were never rendered, or do not exist, cached documents are served."""
    stop, statuses = threading.Event(), set()

    def flood(kind):
        number = 0
        while not stop.is_set():
            statuses.add(super(RetryingServer, served).ask(kind.format(number % 60)).status)
            number += 1

    kinds = ["/tag/t{}/rss.xml", "/tag/t{}/feed.json", "/no/such/{}", "/archive/{}/atom.xml"]
    threads = [threading.Thread(target=flood, args=(kind,)) for kind in kinds]
    for thread in threads:
        thread.start()
    try:
        polls = [super(RetryingServer, served).ask("/rss.xml").status for _ in range(100)]
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert polls == [200] * 100
    assert {200, 404} <= statuses <= {200, 404, 503}


def test_what_takes_long_to_render_keeps_no_poll_waiting(site, app, monkeypatch):
    """While a document is rendered, cached ones are served; clients that wait for it are told to try again."""
    monkeypatch.setattr("feeds.render.queue._RENDER_TIMEOUT_S", 0.1)
    site.article("a.md", title="a")
    site.publish()
    server = app(site)
    body = retry_while_busy(lambda: server.ask("/rss.xml")).body
    rendering, over = threading.Event(), threading.Event()

    def slow(*_arguments):
        rendering.set()
        over.wait()
        return real(*_arguments)

    real = Documents._render
    monkeypatch.setattr(Documents, "_render", slow)
    try:
        assert server.ask("/atom.xml").status == 503
        assert rendering.is_set()
        assert server.ask("/rss.xml").body == body
        refused = server.ask("/atom.xml")
        assert (refused.status, "retry-after" in refused.headers) == (503, True)
    finally:
        over.set()
    eventually(lambda: server.ask("/atom.xml").status == 200)


def test_what_is_too_large_is_shortened(site):
    """Beyond the size limit, the oldest texts become summaries, entries stay, and `feeds status` reports that."""
    site.configure(feeds={"max_size": 64})
    for number in range(1, 21):
        site.article(f"{number}.md", f"Some words. {number} " * 400, title=f"T{number}", description=f"Sum {number}",
                     date=f"2026-05-{number:02d}")  # fmt: skip
    assert site.run("build").returncode == 0
    said = json.loads(site.run("status", "--json").stdout)["shortened"]
    lines = site.run("status").stdout
    for name in DOCUMENTS:
        body = (site.root / "public" / name).read_bytes()
        assert 48 << 10 < len(body) <= 64 << 10
        assert all(f"Sum {number}".encode() in body for number in range(1, 21))
        full = [number for number in range(1, 21) if body.count(f"words. {number} ".encode()) > 100]
        assert full == list(range(21 - len(full), 21))
        assert 0 < len(full) < 20
        assert {"path": f"/{name}", "entries": 20, "texts": len(full)} in said
        line = (
            f"shortened  /{name}: larger than 64 KiB (feeds.max_size); {len(full)} of 20 entries have their full text"
        )
        assert line in lines
    site.configure(feeds={"max_size": 0})
    assert site.run("build").returncode == 0
    assert json.loads(site.run("status", "--json").stdout)["shortened"] == []
    assert all((site.root / "public" / name).stat().st_size > 64 << 10 for name in DOCUMENTS)


def test_summaries_that_are_too_large(site):
    """If even summaries exceed the limit, the oldest entries are left out, and archives still contain them."""
    site.configure(feeds={"max_size": 16, "limit": 10})
    for number in range(1, 31):
        site.article(f"{number}.md", "Text.", title=f"T{number} {'t' * 2000}", date=f"2026-05-{number:02d}")
    site.publish()
    documents = Documents(site.catalog, site.config.site_model)
    titles = {f"T{number} {'t' * 2000}" for number in range(1, 31)}
    for extra in range(4):
        for name in DOCUMENTS:
            eventually(lambda name=name: set(history(documents, "/", name)) == titles)
            document = documents.get(f"/{name}")
            assert 0 < len(document.body) <= 16 << 10
            assert document.body.count(b"t" * 2000) < 10, "there was room for all"
            fresh = Documents(site.catalog, site.config.site_model)
            assert fresh.get(f"/{name}").body == document.body
        title = f"X{extra} {'t' * 2000}"
        titles.add(title)
        site.article(f"x{extra}.md", "Text.", title=title, date=f"2026-04-{extra + 1:02d}")
        revision = site.publish().revision
        eventually(lambda revision=revision: documents.revision()[1] == revision)


def test_a_served_document_that_is_too_large_is_in_status(site, app):
    """`feeds status` soon reports documents that a worker shortened, in each format with its own numbers."""
    site.configure(feeds={"max_size": 64})
    for number in range(20):
        site.article(f"{number}.md", "Some words. " * 500, title=str(number))
    site.publish()
    server = app(site)
    assert len(server.ask("/rss.xml").body) <= 64 << 10

    def shortened():
        return json.loads(site.run("status", "--json").stdout)["shortened"]

    eventually(shortened)
    assert [it["path"] for it in shortened()] == ["/rss.xml"]
    assert re.search(r"shortened  /rss.xml", site.run("status").stdout)
