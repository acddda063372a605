"""One client can't delay others: responses in memory are sent at once, all other requests have limits."""

import asyncio
import hashlib
import hmac
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from conftest import Site, serving
from rsgi_scope import rsgi_scope
from waiting import eventually

from feeds.render import RenderQueueFull, queue
from feeds.render.queue import Priority, RenderQueue
from feeds.web import concurrency, file_transfers, rsgi
from feeds.web.concurrency import PoolFull, PoolLimits, ThreadPools
from feeds.web.file_transfers import FileTransfers
from feeds.web.request import PROXY_HEADERS, RsgiRequest, WsgiRequest, has_one_host

SECRET = "a-secret-of-the-owner"
MANY = 40  # clients; more than any thread pool has threads


@pytest.fixture(scope="module")
def big(tmp_path_factory):
    """Serve a site with a webhook and an article with a large file; yield the site and the server."""
    site = Site(tmp_path_factory.mktemp("big"))
    site.configure(
        site={"pages": True},
        schedule={"webhook": SECRET},
        server={"client_header": "X-Real-IP", "memory": 64},
        feeds={"limit": 1},
    )
    site.article("big/index.md", "[film](film.mp4)", title="Big")
    for number in range(5):
        site.article(f"{number}.md", title=f"T{number}", tags=["t"])
    (site.content / "big/film.mp4").write_bytes(bytes(range(256)) * 40_000)
    with serving() as serve:
        yield site, serve(site)


def connected(stack, server, request):
    """Open a connection and send a request, but read nothing of the response."""
    connection = stack.enter_context(closing(socket.socket()))
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.connect(("127.0.0.1", server.port))
    connection.sendall(request)
    return connection


@pytest.mark.integration
@pytest.mark.parametrize(
    "request_",
    [
        b"GET /big/film.mp4 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST /refresh HTTP/1.1\r\nHost: x\r\nX-Hub-Signature-256: sha256=0\r\nContent-Length: 1000\r\n\r\n",
        b"POST /rss.xml HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n",
    ],
    ids=["slow readers of a file", "bodies of the webhook", "bodies of others", "bodies of probes"],
)
def test_stalled_clients_delay_nobody(big, request_):
    """While many clients read nothing, or never send the body that they announced, all others are served."""
    site, server = big
    with ExitStack() as stack:
        server.wait_for(lambda: server.get("/rss.xml").status == 200)
        etag = server.get("/rss.xml").headers["ETag"]
        for _ in range(MANY):
            connected(stack, server, request_)
        assert server.get("/rss.xml", If_None_Match=etag).status == 304
        assert server.get("/healthz").status == 200
        assert server.get("/tag/t/archive/1/rss.xml").status == 200
        title = f"New {len(list(site.content.iterdir()))}"
        site.article(f"{title}.md", title=title, date="2026-05-02")
        server.wait_for(lambda: title.encode() in server.get("/rss.xml").body)


@pytest.mark.integration
def test_a_signature_needs_no_proxy(big):
    """The webhook's body is read while other requests are served: GitHub's signature is accepted, a wrong one rejected."""
    body = b'{"ref": "main"}'
    _, server = big

    def call(signature):
        head = ["POST /refresh HTTP/1.1", "Host: x", "Connection: close", f"X-Hub-Signature-256: sha256={signature}"]
        head += [f"Content-Length: {len(body)}", "", ""]
        return server.raw("\r\n".join(head).encode() + body).split(b" ")[1]

    assert call(hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()) == b"202"
    assert call("0" * 64) == b"401"


@pytest.mark.integration
def test_files_are_sent_in_parts(big):
    """The server sends files with validators and ranges (RFC 9110 section 14), as Flask does behind any other server."""
    site, server = big
    whole = (site.content / "big/film.mp4").read_bytes()
    answer = server.get("/big/film.mp4")
    assert (answer.status, answer.body) == (200, whole)
    assert answer.headers["Content-Type"] == "video/mp4"
    etag = answer.headers["ETag"]
    assert server.get("/big/film.mp4", If_None_Match=etag).status == 304
    head = server.get("/big/film.mp4", method="HEAD")
    assert (head.status, head.body, head.headers["Content-Length"]) == (200, b"", str(len(whole)))
    for range_, part in (("bytes=0-0", whole[:1]), ("bytes=100-199", whole[100:200]), ("bytes=-5", whole[-5:])):
        answer = server.get("/big/film.mp4", Range=range_)
        assert (answer.status, answer.body) == (206, part)
        assert answer.headers["Content-Length"] == str(len(part))
    assert server.get("/big/film.mp4", Range="bytes=0-9", If_Range='"other"').body == whole
    assert server.get("/big/film.mp4", Range=f"bytes={len(whole)}-").status == 416


@pytest.mark.integration
@pytest.mark.parametrize(
    ("lines", "status"),
    [
        ([b"Host: x"], 200),
        ([], 400),
        ([b"Host: x", b"Host: y"], 400),
    ],
    ids=["one", "none", "two"],
)
def test_a_request_names_one_host(big, lines, status):
    """A request without Host, or with several, is rejected (RFC 9112 section 3.2)."""
    head = b"\r\n".join([b"GET /rss.xml HTTP/1.1", b"Connection: close", *lines, b"", b""])
    _, server = big
    assert server.raw(head).split(b" ")[1] == str(status).encode()


def test_header_names_with_underscores_are_dropped():
    """`X_Real_IP` is not mistaken for `X-Real-IP`; repeated fields of one name are joined."""
    headers = [
        ("host", "x"),
        ("x_real_ip", "192.0.2.1"),
        ("X_Hub_Signature_256", "a"),
        ("accept", "a"),
        ("accept", "b"),
    ]
    scope = rsgi_scope("GET", "/a%20b", headers, client="192.0.2.9:80")
    environ = rsgi.wsgi_environ(scope)
    assert environ["HTTP_ACCEPT"] == "a,b"
    assert environ["PATH_INFO"] == "/a b"
    assert environ["REMOTE_ADDR"] == "192.0.2.9"
    assert {name for name in environ if name.startswith("HTTP_")} == {"HTTP_HOST", "HTTP_ACCEPT"}
    request = RsgiRequest(scope)
    assert request.header("accept") == "a,b"
    assert not request.is_forwarded
    for name in PROXY_HEADERS:
        scope = rsgi_scope("GET", "/", [("host", "x"), (name, "192.0.2.1")])
        assert RsgiRequest(scope).is_forwarded
        assert WsgiRequest(rsgi.wsgi_environ(scope)).is_forwarded


@pytest.mark.parametrize("path", ["/", "/a%20b", "/%E3%82%AB", "/カ", "/%ff", "/a%2fb", "/a%", "/%zz"])
@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("host", "x"), ("if-none-match", '"a"'), ("if-none-match", '"b"'), ("via", "1.1 x")],
        [("host", "x"), ("host", "y"), ("if-modified-since", "Mon, 23 Nov 2026 00:00:00 GMT"), ("user-agent", "r")],
        [("host", "x"), ("accept-encoding", "gzip"), ("accept-encoding", "br"), ("forwarded", "for=192.0.2.1")],
    ],
)
def test_a_request_is_the_same_on_every_server(path, headers):
    """A response depends on a request in the same way under RSGI and under WSGI."""
    scope = rsgi_scope("HEAD", path, headers, query="a=b", client="[2001:db8::1]:80")
    requests = [RsgiRequest(scope), WsgiRequest(rsgi.wsgi_environ(scope))]
    names = ["host", "if-none-match", "if-modified-since", "via", "user-agent", "accept"]
    one, other = (
        (
            request.method, request.path, request.query, request.protocol, request.address, request.is_conditional,
            request.if_none_match, request.if_modified_since, [request.header(name) for name in names],
            request.accept_encoding, request.is_forwarded, has_one_host(request),
        )
        for request in requests
    )  # fmt: skip
    assert one == other
    assert one[4] == "2001:db8::1"


def test_a_thread_pool_has_limits(monkeypatch):
    """A thread pool rejects requests beyond its number and after its time; running calls and other pools continue."""
    monkeypatch.setitem(concurrency.POOLS, "archive", PoolLimits(threads=1, max_requests=2, timeout_s=60))
    monkeypatch.setitem(concurrency.POOLS, "page", PoolLimits(threads=1, max_requests=2, timeout_s=0.01))
    go = threading.Event()

    async def run():
        ours = ThreadPools()
        first = [asyncio.ensure_future(ours.run("archive", lambda: go.wait(60))) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(PoolFull):
            await ours.run("archive", lambda: None)
        with pytest.raises(PoolFull):
            await ours.run("page", lambda: go.wait(60))
        assert ours._requests["page"] == 1  # its thread is still running
        assert await ours.run("catalog", lambda: 1) == 1
        go.set()
        assert await asyncio.gather(*first) == [True, True]
        assert await ours.run("archive", lambda: 2) == 2
        with pytest.raises(ValueError, match="of the function"):
            await ours.run("archive", failing)

    def failing():
        raise ValueError("of the function")

    asyncio.run(run())


def test_documents_come_before_archives():
    """A polled document is rendered before all other queued jobs, and many queued archives don't fill the queue for it."""
    render_queue, done, go = RenderQueue(), [], threading.Event()
    render_queue.submit("first", lambda: go.wait(60), Priority.ARCHIVE)
    number = 0
    with pytest.raises(RenderQueueFull):
        while number < 10_000:
            number += 1
            render_queue.submit(f"archive {number}", lambda number=number: done.append(number), Priority.ARCHIVE)
    render_queue.submit("page", lambda: done.append("page"), Priority.PAGE)
    render_queue.submit("document", lambda: done.append("document"), Priority.DOCUMENT)
    render_queue.submit("polled", lambda: done.append("polled"), Priority.POLLED)
    go.set()
    eventually(lambda: len(done) == number + 2)
    assert done[:3] == ["polled", "document", "page"]
    assert done[3:] == list(range(1, number))


def test_a_long_archive_yields_to_documents():
    """A long job yields to live documents and pages, but not to jobs of its own priority."""
    render_queue, done, go = RenderQueue(), [], threading.Event()

    def archive():
        go.wait(60)
        render_queue.yield_to_more_urgent(Priority.ARCHIVE)
        done.append("archive")

    def page():
        render_queue.yield_to_more_urgent(Priority.PAGE)
        done.append("page")

    render_queue.submit("long", archive, Priority.ARCHIVE)
    render_queue.submit("another", lambda: done.append("another"), Priority.ARCHIVE)
    render_queue.submit("page", page, Priority.PAGE)
    render_queue.submit("document", lambda: done.append("document"), Priority.DOCUMENT)
    go.set()
    eventually(lambda: len(done) == 4)
    assert done == ["document", "page", "archive", "another"]
    render_queue.yield_to_more_urgent(Priority.ARCHIVE)  # has no effect in other threads


def test_a_polled_document_ends_a_pause(monkeypatch):
    """After a job that a crawler can cause, the rendering thread pauses, but not while a polled document waits."""
    monkeypatch.setattr(queue, "_PAUSE", 1e9)
    monkeypatch.setattr(queue, "_MAX_PAUSE_S", 3600.0)
    render_queue, done = RenderQueue(), []
    render_queue.submit("archive", lambda: done.append("archive"), Priority.ARCHIVE)
    eventually(lambda: done == ["archive"])
    render_queue.submit("another", lambda: done.append("another"), Priority.DOCUMENT)
    render_queue.run("polled", lambda: done.append("polled"), Priority.POLLED)
    eventually(lambda: len(done) == 3)
    assert done == ["archive", "polled", "another"]


@pytest.fixture
def transfers(tmp_path, monkeypatch):
    """Return the transfers of at most two files of two folders, of which the first one is a symbolic link."""
    if not Path("/proc/self/fd").exists():
        pytest.skip("the system has no list of open files")
    monkeypatch.setattr(file_transfers, "_COUNT_INTERVAL_S", 0.0)
    monkeypatch.setattr(file_transfers, "_MAX_LOAD", 1e9)
    monkeypatch.setattr(file_transfers, "_MAX_WAIT_S", 0.0)
    for folder in ("one", "two", "other", "static"):
        (tmp_path / folder).mkdir()
        for name in ("a.png", "b.png", "font.woff2", "catalog.db"):
            (tmp_path / folder / name).write_bytes(b"x")
    (tmp_path / "current").symlink_to("one")
    transfers = FileTransfers([tmp_path / "current", tmp_path / "static"], 2)
    for _ in range(2):
        asyncio.run(transfers.start())
    return transfers


def test_files_that_are_being_sent_are_counted(transfers, tmp_path):
    """Only open files below the folder count, also after it was replaced, and no file of another kind."""

    def may_start():
        transfers._started = 2  # so that the limit applies
        return asyncio.run(transfers.start())

    with ExitStack() as stack:
        for name in ("other/a.png", "other/b.png", "one/catalog.db", "one/catalog.db", "one/a.png"):
            stack.enter_context((tmp_path / name).open())
        assert may_start()
        with (tmp_path / "one/b.png").open():
            (tmp_path / "one/b.png").unlink()
            assert not may_start()
        assert may_start()
        (tmp_path / "current").unlink()
        (tmp_path / "current").symlink_to("two")
        with (tmp_path / "two/a.png").open():
            assert not may_start(), "one of the former folder is still being sent"
        assert may_start()


def test_static_files_that_are_being_sent_are_counted(transfers, tmp_path):
    """Files of all folders count together, also types that only static files have."""
    with (tmp_path / "static/font.woff2").open(), (tmp_path / "one/a.png").open():
        transfers._started = 2  # so that the limit applies
        assert not asyncio.run(transfers.start())


def test_files_wait_for_others(transfers, tmp_path, monkeypatch):
    """A request for a file waits until another transfer ends; the number of waiting requests is limited."""
    monkeypatch.setattr(file_transfers, "_MAX_WAIT_S", 60.0)

    async def run():
        with (tmp_path / "one/a.png").open(), (tmp_path / "one/b.png").open():
            transfers._started = 2
            waiting = [asyncio.ensure_future(transfers.start()) for _ in range(2)]
            while not transfers.is_overloaded():  # noqa: ASYNC110  # the requests set no event
                await asyncio.sleep(0)
            assert not await transfers.start()
        assert await asyncio.gather(*waiting) == [True, True]
        assert not transfers.is_overloaded()

    asyncio.run(run())


@pytest.mark.integration
def test_many_small_pictures_are_sent_at_once(big):
    """A page with more pictures than files may be sent at a time gets them all."""
    site, server = big
    for number in range(80):
        (site.content / f"big/{number}.png").write_bytes(b"x" * 20_000)
    site.article("big/index.md", "[film](film.mp4) " + " ".join(f"![]({n}.png)" for n in range(80)), title="Big")
    server.wait_for(lambda: server.get("/big/79.png").status == 200)
    with ThreadPoolExecutor(40) as threads:
        statuses = list(threads.map(lambda number: server.get(f"/big/{number}.png").status, range(80)))
    assert statuses == [200] * 80


@pytest.mark.integration
def test_slow_downloads_are_limited(big):
    """Beyond a number of simultaneous downloads, files get 503 and all else is served; afterwards files are served again."""
    _, server = big

    def status():
        answer = server.get("/big/film.mp4", Range="bytes=0-0")
        return answer.status, answer.headers.get("Retry-After")

    server.wait_for(lambda: status() == (206, None))  # wait for the end of other tests' downloads
    with ExitStack() as stack:
        for _ in range(80):  # server.memory allows half as many files as it has MiB, and as many may wait
            connected(stack, server, b"GET /big/film.mp4 HTTP/1.1\r\nHost: x\r\n\r\n")
        server.wait_for(lambda: status() == (503, "2"))
        assert server.get("/rss.xml").status == 200
        assert server.get("/big/").status == 200
    server.wait_for(lambda: status() == (206, None))


def test_the_system_keeps_little_of_a_response(monkeypatch):
    """The system's send buffer of a connection is small, so slow clients occupy little memory."""
    monkeypatch.setattr(rsgi, "SEND_BUFFER_BYTES", 64 << 10)
    with ExitStack() as stack:
        listener = stack.enter_context(closing(socket.create_server(("127.0.0.1", 0))))
        rsgi.disconnect_stalled_clients()
        stack.enter_context(closing(socket.create_connection(listener.getsockname())))
        served = stack.enter_context(closing(listener.accept()[0]))
        assert served.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) <= 128 << 10  # Linux doubles it


@pytest.mark.integration
@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="of Linux")
def test_silent_readers_are_disconnected(monkeypatch):
    """The system ends a connection whose client reads nothing for a while."""
    monkeypatch.setattr(rsgi, "STALLED_CLIENT_TIMEOUT_S", 1)
    with ExitStack() as stack:
        listener = stack.enter_context(closing(socket.create_server(("127.0.0.1", 0))))
        rsgi.disconnect_stalled_clients()
        client = stack.enter_context(closing(socket.create_connection(listener.getsockname())))
        served = stack.enter_context(closing(listener.accept()[0]))
        served.settimeout(0.1)
        until = time.monotonic() + 60
        with pytest.raises(OSError, match="timed out") as caught:
            while time.monotonic() < until:
                try:
                    served.send(bytes(1 << 16))
                except TimeoutError as error:
                    if error.errno:  # a timeout of the system, not of `settimeout`
                        raise
        assert caught.value.errno
        assert client.fileno() >= 0
