"""Purging caches in front of the export: exactly the changed files, repeated until it succeeds."""

import json
import re
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest
from conftest import free_port

from feeds.export import MANIFEST

pytestmark = pytest.mark.integration

URL = "https://test.example"
DOCUMENTS = ("rss.xml", "atom.xml", "feed.json")
OF_B = {f"/{name}" for name in DOCUMENTS} | {f"/category/y/{name}" for name in (*DOCUMENTS, "index.html", "")}


@contextmanager
def cdn():
    """Run a cache that records purge requests (method, target, Host) and answers with `status`."""
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def handle_one_request(self):
            self.raw_requestline = self.rfile.readline()
            if self.raw_requestline and self.parse_request():
                asked.append((self.command, self.path, self.headers["Host"]))
                self.send_response(server.status)
                self.send_header("Location", "https://elsewhere.example/")
                self.send_header("Content-Length", "0")
                self.end_headers()
            self.close_connection = True

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.status, server.asked, server.address = 200, asked, f"127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def built(site):
    """Return a site with two articles that was built."""
    site.article("a.md", title="a", category="x")
    site.article("b.md", title="b", category="y")
    assert site.run("build").returncode == 0
    return site


def edit(site, text="New."):
    site.article("b.md", text, title="b", category="y")


def test_the_url_itself_is_purged(built):
    """PURGE is sent for each changed URL, once, to the cache's address and with the site's host name."""
    with cdn() as cache:
        built.configure(export={"purge": f"PURGE http://{cache.address}{{path}}"})
        assert built.run("build").returncode == 0
        assert cache.asked == []
        edit(built)
        assert built.run("build").returncode == 0
        assert sorted(cache.asked) == sorted(("PURGE", path, "test.example") for path in OF_B)
        cache.asked.clear()
        (built.content / "b.md").unlink()
        cache.status = 404  # the response of a cache that has no copy
        assert built.run("build").returncode == 0
        gone = {path for _, path, _ in cache.asked}
        assert gone == OF_B | {"/feeds.opml"}


def test_what_was_not_written_is_not_purged(built):
    """Files that a run compared and found current are not purged, then or by the next run."""
    with cdn() as cache:
        built.configure(export={"purge": f"PURGE http://{cache.address}{{path}}"})
        manifest = built.root / "public" / MANIFEST
        facts = {path: ["other", *fact[1:]] for path, fact in json.loads(manifest.read_bytes()).items()}
        manifest.write_text(json.dumps(facts))
        assert "nothing changed" in built.run("build", "-v").stderr
        assert built.run("build").returncode == 0
        assert cache.asked == []


def test_urls_in_the_request(built):
    """A template gets the URL encoded or raw; file names are encoded as in links; compressed copies are not purged."""
    with cdn() as cache:
        built.configure(export={"purge": f"POST http://{cache.address}/purge?url={{url}}", "precompressed": ["gzip"]})
        built.article("c.md", title="c", tags=["é & ü"])
        assert built.run("build").returncode == 0
        assert {(method, host) for method, _, host in cache.asked} == {("POST", cache.address)}
        urls = {parse_qs(urlsplit(path).query)["url"][0] for _, path, _ in cache.asked}
        assert f"{URL}/tag/%C3%A9-%C3%BC/rss.xml" in urls
        assert f"{URL}/tag/%C3%A9-%C3%BC/" in urls
        assert f"{URL}/rss.xml.gz" not in urls
        cache.asked.clear()
        built.configure(
            site={"url": f"http://{cache.address}", "authority": "test.example"}, export={"purge": "PURGE {raw}"}
        )
        assert built.run("build", "--accept").returncode == 0
        assert ("PURGE", "/tag/%C3%A9-%C3%BC/rss.xml", cache.address) in cache.asked


def test_what_could_not_be_purged_is_purged_later(built):
    """A failed purge is reported in a sentence without secrets, changes no file, and is repeated by the next run."""
    with cdn() as cache:
        for status in (301, 403, 500, 599, None):  # 599: without a reason; None: nobody listens
            cache.status = status
            address = cache.address if status else f"127.0.0.1:{free_port()}"
            built.configure(export={"purge": f"PURGE http://{address}{{path}}?key=a-secret"})
            edit(built, f"New {status}.")
            done = built.run("build")
            what = f"answers {status}" if status else "can't be reached: Connection refused"
            assert (done.returncode, done.stderr.count("\n")) == (1, 1)
            assert f"export.purge: 127.0.0.1 {what}" in done.stderr
            assert "; the next run purges the remaining 7 files" in done.stderr
            assert " ;" not in done.stderr
            assert "a-secret" not in done.stderr
            assert f"New {status}.".encode() in (built.root / "public/rss.xml").read_bytes()
            cache.asked.clear()
            cache.status = 200
            built.configure(export={"purge": f"PURGE http://{cache.address}{{path}}"})
            assert built.run("build", "-q").returncode == 0
            assert {path for _, path, _ in cache.asked} == OF_B
            cache.asked.clear()
        assert built.run("build").returncode == 0
        assert cache.asked == []


def test_status_says_what_is_to_be_purged(built):
    """`feeds status` lists files that are not purged yet, as text and as JSON, until they are purged."""
    built.configure(export={"purge": f"PURGE http://127.0.0.1:{free_port()}{{path}}"})
    edit(built)
    assert built.run("build").returncode == 1
    (line,) = [line for line in built.run("status").stdout.splitlines() if line.startswith("unpurged")]
    assert re.fullmatch(
        r"unpurged +/\S.* and 4 more: caches may have old versions; the next export purges them .*", line
    )
    assert "/category/y/rss.xml" in json.loads(built.run("status", "--json").stdout)["unpurged"]
    built.configure(export={"purge": "true"})
    assert built.run("build").returncode == 0
    assert json.loads(built.run("status", "--json").stdout)["unpurged"] == []


def test_a_command_is_told_of_urls(built):
    """A command receives the URLs on standard input, one per line; after a failure they are passed again."""
    script = built.root / "purge.sh"
    built.configure(export={"purge": "sh purge.sh"})
    script.write_text("echo no token >&2\nexit 1\n")
    edit(built)
    done = built.run("build")
    assert done.returncode == 1
    assert (
        "export.purge: sh failed with exit code 1: no token; the next run purges the remaining 7 files" in done.stderr
    )
    script.write_text("kill -9 $PPID\n")
    edit(built, "Newer.")
    assert built.process("build").returncode == -9
    script.write_text("cat > told.txt\n")
    assert built.run("build").returncode == 0
    told = built.root / "told.txt"
    assert sorted(told.read_text().splitlines()) == sorted(URL + path for path in OF_B)
    told.unlink()
    assert built.run("build").returncode == 0
    assert not told.exists()


def test_a_run_that_is_cut_short_is_told_of(built):
    """Files that an interrupted run changed are purged by the next run, although it finds them written already."""
    with cdn() as cache:
        built.configure(export={"purge": f"PURGE http://{cache.address}{{path}}"})
        (built.root / "public/feeds.opml").unlink()
        (built.root / "public/feeds.opml").mkdir()  # can't be overwritten, and is written last
        edit(built)
        assert built.run("build").returncode == 3
        assert b"New." in (built.root / "public/rss.xml").read_bytes()
        assert cache.asked == []
        (built.root / "public/feeds.opml").rmdir()
        assert built.run("build").returncode == 0
        assert {path for _, path, _ in cache.asked} == {*OF_B, "/feeds.opml"}


def test_the_path_is_that_of_the_url(built):
    """If the feeds' URL has a path, purge requests contain it."""
    with cdn() as cache:
        built.configure(
            feeds={"url": "https://test.example/some"}, export={"purge": f"PURGE http://{cache.address}{{path}}"}
        )
        assert built.run("build").returncode == 0
        cache.asked.clear()
        edit(built)
        assert built.run("build").returncode == 0
        asked = {path for _, path, _ in cache.asked}
        assert asked == {f"/some{path}" for path in OF_B} | {"/some/", "/some/index.html"}  # it is the start page there
