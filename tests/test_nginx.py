"""deploy/nginx.conf, with a real nginx: what comes through its cache is what we said, whoever asks in which order."""

import gzip
import hashlib
import hmac
import os
import re
import shutil
import socket
import subprocess
import time

import brotli
import pytest
import zstandard
from conftest import REPOSITORY, Server, Site, free_port, until_refused

DOCUMENTS = ["rss.xml", "atom.xml", "feed.json"]
DECODE = {"": bytes, "br": brotli.decompress, "gzip": gzip.decompress,
          "zstd": lambda body: zstandard.ZstdDecompressor().decompress(body)}  # fmt: skip

pytestmark = pytest.mark.needs("nginx")


class Nginx(Server):
    """nginx with our configuration, on ports and in a folder of its own."""

    def __init__(self, root, upstream, *changes):
        self.port = free_port()
        user = "user root;" if os.geteuid() == 0 else ""  # who else may not enter our folder
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
        (root / "nginx.conf").write_text(text)
        self.log = root / "error.log"
        program = shutil.which("nginx") or "/usr/sbin/nginx"
        self.process = subprocess.Popen([program, "-p", str(root), "-c", str(root / "nginx.conf")])
        self.wait_for(lambda: self.ask("/healthz").status == 200)


@pytest.fixture
def proxied(tmp_path):
    """A site, served, behind nginx."""
    site = Site(tmp_path / "site")
    site.configure(server={"max_age": 1, "client_header": "X-Real-IP", "limit": 60})
    for number in range(8):
        site.article(f"{number}.md", f"Text {number}. " * 50, title=f"T{number}", date=f"2026-05-0{number + 1}")
    behind = Server(site.root)
    (tmp_path / "nginx").mkdir()
    front = Nginx(tmp_path / "nginx", behind.port)
    front.site, front.behind = site, behind
    yield front
    front.process.terminate()
    front.process.wait(10)
    behind.stop()


@pytest.mark.parametrize("name", DOCUMENTS)
def test_through_the_cache(proxied, name):
    """Cached, conditional and compressed answers are right for every client, in whatever order they come."""
    direct = {coding: proxied.behind.ask(f"/{name}", f"Accept-Encoding: {coding}") for coding in DECODE}
    for _ in range(2):
        for accepts, coding in [
            ("", ""), ("br", "br"), ("gzip", "gzip"), ("gzip, deflate, br, zstd", "br"), ("zstd, gzip", "zstd"),
            ("deflate, gzip;q=1.0, br;q=0", "gzip"), ("gzip;q=0", ""), ("nonsense", ""),
        ]:  # fmt: skip
            answer = proxied.ask(f"/{name}", f"Accept-Encoding: {accepts}")
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
                again = proxied.ask(f"/{name}", f"Accept-Encoding: {accepts}", condition)
                assert again.status == status, condition
                assert again.headers["etag"] == etag
                assert status == 200 or again.body == b""
            head = proxied.ask(f"/{name}", f"Accept-Encoding: {accepts}", method="HEAD")
            assert (head.status, head.body, head.headers["etag"]) == (200, b"", etag)
    assert proxied.ask(f"/{name}?query").headers["x-cache"] == "HIT"
    for spelling in ("br, x", "gzip;q=0.3, br", "br;q=1.0,deflate"):  # one copy of each encoding is enough
        assert proxied.ask(f"/{name}", f"Accept-Encoding: {spelling}").headers["x-cache"] != "MISS"


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_change_comes_through(proxied, name):
    """What is published reaches the clients behind the cache once the copy's time is over, in each encoding."""
    old = {coding: proxied.ask(f"/{name}", f"Accept-Encoding: {coding}") for coding in DECODE}
    proxied.site.article("new.md", title="New", date="2026-05-30")
    for coding, before in old.items():
        proxied.wait_for(
            lambda coding=coding, before=before: (
                proxied.ask(f"/{name}", f"Accept-Encoding: {coding}").body != before.body
            )
        )
        answer = proxied.ask(f"/{name}", f"Accept-Encoding: {coding}", f"If-None-Match: {before.headers['etag']}")
        assert answer.status == 200
        assert b"New" in DECODE[coding](answer.body)


def test_the_copy_outlives_us(proxied):
    """With `feeds serve` gone, the cache goes on answering with its copy, and conditional requests with a 304."""
    answer = proxied.ask("/rss.xml")
    proxied.behind.stop()
    time.sleep(2)
    stale = proxied.ask("/rss.xml")
    assert (stale.status, stale.body) == (200, answer.body)
    assert proxied.ask("/rss.xml", f"If-None-Match: {answer.headers['etag']}").status == 304


def test_one_copy_for_all_clients(proxied):
    """Who hammers what is in the cache gets the copy, and no client another encoding's."""
    assert {proxied.ask(f"/rss.xml?{n}").status for n in range(70)} == {200}
    for path in ("/rss.xmlbr", "/rss.xmlgzip"):
        assert proxied.ask(path, "Accept-Encoding: br").status == 404


def test_the_client_is_known_behind_it(tmp_path):
    """Without a cache the address that is limited is the client's, whatever it says of itself, and no other's."""
    site = Site(tmp_path / "site")
    site.configure(server={"client_header": "X-Real-IP", "limit": 2})
    site.article("a.md", title="a")
    behind = Server(site.root)
    (tmp_path / "nginx").mkdir()
    front = Nginx(tmp_path / "nginx", behind.port, ("proxy_cache feeds;", "proxy_cache off;"))
    try:
        said = [front.ask("/rss.xml", f"X-Real-IP: 198.51.100.{n}", f"X_Real_IP: 1.1.1.{n}").status for n in range(4)]
        assert said == [200, 200, 429, 429]
        with socket.create_connection(("127.0.0.1", front.port), source_address=("127.0.0.2", 0)) as other:
            other.sendall(b"GET /rss.xml HTTP/1.0\r\n\r\n")
            assert other.recv(12) == b"HTTP/1.1 200"
    finally:
        front.process.terminate()
        front.process.wait(10)
        behind.stop()


def test_a_signed_call_comes_through(tmp_path):
    """A webhook's call with a long body reaches us, signature and all; who signs wrongly shuts nobody else out."""
    site, secret, body = Site(tmp_path / "site"), "a-secret-of-the-owner", b"x" * 2_000_000
    site.configure(server={"client_header": "X-Real-IP"}, schedule={"webhook": secret})
    site.article("a.md", title="a")
    behind = Server(site.root)
    (tmp_path / "nginx").mkdir()
    front = Nginx(tmp_path / "nginx", behind.port)

    def call(signature, address):
        head = [f"X-Hub-Signature-256: sha256={signature}", "X-Real-IP: 198.51.100.7", f"Content-Length: {len(body)}"]
        request = "\r\n".join(["POST /refresh HTTP/1.1", "Host: x", "Connection: close", *head, "", ""]).encode() + body
        with socket.create_connection(("127.0.0.1", front.port), source_address=(address, 0)) as client:
            client.sendall(request)
            return int(client.recv(12).split()[1])

    try:
        assert until_refused(lambda: call("00", "127.0.0.2"), 30) == {401}
        assert call(hmac.new(secret.encode(), body, hashlib.sha256).hexdigest(), "127.0.0.3") == 202
    finally:
        front.process.terminate()
        front.process.wait(10)
        behind.stop()


def test_nothing_goes_wrong_in_its_log(proxied):
    """What nginx does with our configuration leaves no error in its log."""
    for name in DOCUMENTS:
        proxied.ask(f"/{name}")
    assert not re.search(r"\[(error|crit|emerg)\]", proxied.log.read_text())
