"""deploy/nginx.conf with a real nginx: correct responses from its cache for all clients, in any order."""

import contextlib
import gzip
import hashlib
import hmac
import os
import re
import shutil
import socket
import subprocess

import brotli
import pytest
import zstandard
from conftest import REPOSITORY, RetryingServer, Site, free_port, statuses_until_limited
from waiting import eventually

DOCUMENTS = ["rss.xml", "atom.xml", "feed.json"]
DECODE = {"": bytes, "br": brotli.decompress, "gzip": gzip.decompress,
          "zstd": lambda body: zstandard.ZstdDecompressor().decompress(body)}  # fmt: skip
SECRET = "a-secret-of-the-owner"

pytestmark = pytest.mark.needs("nginx")


class Nginx(RetryingServer):
    """nginx with the configuration of deploy/, with its own ports and folder."""

    def __init__(self, root, upstream, *changes):
        self.port = free_port()
        user = "user root;" if os.geteuid() == 0 else ""  # another user could not read the test's folder
        text = (REPOSITORY / "deploy" / "nginx.conf").read_text("utf-8")
        for given, ours in [
            ("listen 8080;", f"listen 127.0.0.1:{self.port};"),
            ("server 127.0.0.1:8000;", f"server 127.0.0.1:{upstream};"),
            ("/var/cache/nginx/feeds", f"{root}/cache"),
            ("worker_processes auto;", f"{user} worker_processes 2; daemon off; pid {root}/nginx.pid; error_log {root}/error.log;"),
            ("http {\n", "http {\n" + "".join(f"{kind}_temp_path {root}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")) + f"access_log {root}/access.log;\n"),
            *changes,
        ]:  # fmt: skip
            assert text.count(given) == 1, given
            text = text.replace(given, ours)
        root.mkdir()
        (root / "nginx.conf").write_text(text)
        self.log = root / "error.log"
        program = shutil.which("nginx") or "/usr/sbin/nginx"
        self.process = subprocess.Popen([program, "-p", str(root), "-c", str(root / "nginx.conf")])
        self.wait_for(lambda: self.ask("/healthz").status == 200)


@contextlib.contextmanager
def served(root, site_keys=None, **server):
    """Serve a site of eight articles."""
    site = Site(root / "site")
    site.configure(
        site=site_keys or {},
        server={"max_age": 1, "client_header": "X-Real-IP", "limit": 60, **server},
        schedule={"webhook": SECRET},
    )
    for number in range(8):
        site.article(f"{number}.md", f"Text {number}. " * 50, title=f"T{number}", date=f"2026-05-0{number + 1}")
    behind = RetryingServer(site.root)
    behind.site = site
    try:
        yield behind
    finally:
        behind.stop()


@contextlib.contextmanager
def proxied(root, behind, *changes):
    """Run nginx in front of a server."""
    front = Nginx(root / "nginx", behind.port, *changes)
    try:
        yield front
    finally:
        front.stop()


@pytest.fixture(scope="module")
def behind(tmp_path_factory):
    """Return a server for all tests except the one that stops it."""
    with served(tmp_path_factory.mktemp("behind")) as server:
        yield server


@pytest.fixture(scope="module")
def front(tmp_path_factory, behind):
    """Return nginx in front of this server."""
    with proxied(tmp_path_factory.mktemp("front"), behind) as nginx:
        yield nginx


@pytest.mark.parametrize("name", DOCUMENTS)
def test_through_the_cache(front, behind, name):
    """Cached, conditional and compressed responses are correct for every client, in any order.

    nginx logs no error.
    """
    direct = {coding: behind.ask(f"/{name}", f"Accept-Encoding: {coding}") for coding in DECODE}
    for _ in range(2):
        for accepts, coding in [
            ("", ""), ("br", "br"), ("gzip", "gzip"), ("gzip, deflate, br, zstd", "br"), ("zstd, gzip", "zstd"),
            ("deflate, gzip;q=1.0, br;q=0", "gzip"), ("gzip;q=0", ""), ("nonsense", ""),
        ]:  # fmt: skip
            answer = front.ask(f"/{name}", f"Accept-Encoding: {accepts}")
            assert answer.status == 200
            assert answer.headers.get("content-encoding", "") == coding
            assert answer.body == direct[coding].body
            for header in ("etag", "last-modified", "content-type", "vary", "access-control-allow-origin"):
                assert answer.headers[header] == direct[coding].headers[header]
            etag = answer.headers["etag"]
            for condition, status in [
                (f"If-None-Match: {etag}", 304), (f"If-None-Match: W/{etag}", 304), (f'If-None-Match: "x", {etag}', 304),
                ('If-None-Match: "x"', 200), (f"If-Modified-Since: {answer.headers['last-modified']}", 304),
            ]:  # fmt: skip
                again = front.ask(f"/{name}", f"Accept-Encoding: {accepts}", condition)
                assert again.status == status, condition
                assert again.headers["etag"] == etag
                assert status == 200 or again.body == b""
            head = front.ask(f"/{name}", f"Accept-Encoding: {accepts}", method="HEAD")
            assert (head.status, head.body, head.headers["etag"]) == (200, b"", etag)
    eventually(lambda: front.ask(f"/{name}?query").headers["x-cache"] == "HIT")
    for spelling in ("br, x", "gzip;q=0.3, br", "br;q=1.0,deflate"):  # one copy of each encoding is enough
        assert front.ask(f"/{name}", f"Accept-Encoding: {spelling}").headers["x-cache"] != "MISS"
    assert not re.search(r"\[(error|crit|emerg)\]", front.log.read_text())


def test_files_are_not_written_to_the_disk(tmp_path):
    """A large file beside an article is sent whole or in part to each client, and is not cached."""
    with served(tmp_path, {"pages": True}) as behind:
        film = os.urandom(4 << 20)
        behind.site.article("film/index.md", "See [the film](film.mp4).", title="Film", date="2026-05-20")
        behind.site.write("film/film.mp4", film)
        eventually(lambda: behind.ask("/film/film.mp4").status == 200)
        with proxied(tmp_path, behind) as front:
            assert front.ask("/film/film.mp4").body == film
            part = front.ask("/film/film.mp4", "Range: bytes=10-19")
            assert (part.status, part.body) == (206, film[10:20])
            written = [file for name in ("cache", "proxy") for file in (front.log.parent / name).rglob("*")]
            assert sum(file.stat().st_size for file in written if file.is_file()) < len(film)


def test_a_change_comes_through(front, behind):
    """New content reaches clients behind the cache when the copy expires, in each encoding."""
    asked = [(name, coding) for name in DOCUMENTS for coding in DECODE]
    old = {(name, coding): front.ask(f"/{name}", f"Accept-Encoding: {coding}") for name, coding in asked}
    behind.site.article("new.md", title="New", date="2026-05-30")
    for name, coding in asked:
        before = old[name, coding]
        eventually(
            lambda name=name, coding=coding, before=before: (
                front.ask(f"/{name}", f"Accept-Encoding: {coding}").body != before.body
            )
        )
        answer = front.ask(f"/{name}", f"Accept-Encoding: {coding}", f"If-None-Match: {before.headers['etag']}")
        assert answer.status == 200
        assert b"New" in DECODE[coding](answer.body)


def test_one_copy_for_all_clients(front):
    """A client with many requests for a cached document gets the copy, and no client gets another's encoding."""
    assert {front.ask(f"/rss.xml?{n}").status for n in range(70)} == {200}
    for path in ("/rss.xmlbr", "/rss.xmlgzip"):
        assert front.ask(path, "Accept-Encoding: br").status == 404


def ask_as(front, address, request):
    """Send a request from an address of this machine; return the status of the answer."""
    with socket.create_connection(("127.0.0.1", front.port), source_address=(address, 0), timeout=60) as client:
        client.sendall(request)
        return int(client.recv(12).split()[1])


def test_the_client_is_known_behind_it(tmp_path, behind):
    """Without a cache, the limit applies to the client's address, whatever headers it sends, and to no other."""
    said = iter(range(1, 200))

    def ask(address):
        lines = f"X-Real-IP: 198.51.100.{next(said)}\r\nX_Real_IP: 1.1.1.{next(said)}"
        return ask_as(front, address, f"GET /atom.xml HTTP/1.0\r\n{lines}\r\n\r\n".encode())

    with proxied(tmp_path, behind, ("proxy_cache feeds;", "proxy_cache off;")) as front:
        assert statuses_until_limited(lambda: ask("127.0.0.4"), 60) == {200}
        assert ask("127.0.0.5") == 200


def test_a_signed_call_comes_through(front):
    """A signed webhook call with a long body is accepted; other spellings and wrong signatures are rejected.

    Wrong signatures lock out no client.
    """

    def call(body, *lines):
        lines = [*lines, "X-Real-IP: 198.51.100.7", f"Content-Length: {len(body)}"]
        head = "\r\n".join(["POST /refresh HTTP/1.1", "Host: x", "Connection: close", *lines, "", ""])
        return ask_as(front, "127.0.0.2", head.encode() + body)

    body = b"x" * 2_000_000
    right = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    assert {call(b"x", "X-Hub-Signature-256: sha256=00") for _ in range(40)} == {401}
    assert call(body, f"X_Hub_Signature_256: sha256={right}") == 401
    assert call(body, f"X-Hub-Signature-256: sha256={right}") == 202


def test_the_copy_outlives_us(tmp_path):
    """While `feeds serve` is stopped, the cache answers with its copy, and conditional requests with a 304."""
    with served(tmp_path) as server, proxied(tmp_path, server) as nginx:
        answer = nginx.ask("/rss.xml")
        server.stop()
        eventually(lambda: nginx.ask("/rss.xml").headers["x-cache"] == "STALE")
        stale = nginx.ask("/rss.xml")
        assert (stale.status, stale.body) == (200, answer.body)
        assert nginx.ask("/rss.xml", f"If-None-Match: {answer.headers['etag']}").status == 304
