"""The rules of HTTP on which pollers and caches rely, for each format, also behind other WSGI servers."""

import gc
import gzip
import itertools
import json
import re
import tracemalloc
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from types import SimpleNamespace

import brotli
import pytest
import zstandard
from conftest import App, RetryingServer, Site, statuses_until_limited
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree
from rules import violations
from waiting import eventually

from feeds.render import Documents
from feeds.render.cache_policy import CachePolicy
from feeds.web.cached_response import CachedResponse
from feeds.web.client_address import ClientAddressResolver
from feeds.web.fixed_window import FixedWindowCounter
from feeds.web.rate_limit import RateLimiter
from feeds.web.request import WsgiRequest, has_one_host

DOCUMENTS = ["rss.xml", "atom.xml", "feed.json"]
TYPES = {
    "rss.xml": "application/xml; charset=utf-8",
    "atom.xml": "application/xml; charset=utf-8",
    "feed.json": "application/feed+json",
}
DECODE = {"": bytes, "br": brotli.decompress, "gzip": gzip.decompress,
          "zstd": lambda body: zstandard.ZstdDecompressor().decompress(body)}  # fmt: skip
ALIASES = {"rss.xml": "/index.xml", "atom.xml": "/old/", "feed.json": "/%C3%A9.json"}
GUNICORN = ("gunicorn", "--threads", "4", "--bind", "127.0.0.1:{port}", "feeds.web:create_app()")
OLD = "Sat, 01 Jan 2000 00:00:00 GMT"
ALWAYS = {"etag", "last-modified", "cache-control", "vary", "access-control-allow-origin"}
OURS = ALWAYS | {"content-type", "content-length", "content-encoding", "x-content-type-options"}
OTHERS = {
    "date",
    "expires",
    "server",
    "connection",
    "keep-alive",
    "transfer-encoding",
}  # headers that the server adds, or that depend on the time


def make(root, **server):
    """Return a published site with a history: seven articles, with three per feed document."""
    site = Site(root)
    site.configure(
        server={"max_age": 120, **server},
        feeds={"limit": 3, "aliases": {"/index.xml": "/rss.xml", "/old/": "/atom.xml", "/é.json": "/feed.json",
                                       "/tag/was/rss.xml": "/tag/x/rss.xml"}},
    )  # fmt: skip
    for number in range(1, 8):
        site.article(
            f"{number}.md", f"Text {number}.", title=f"T{number}", date=f"2026-05-0{number}", tags=["x", "été"]
        )
    site.article("gone.md", title="Gone", date="2026-05-09", category="gone")
    moment = datetime.now(UTC) - timedelta(minutes=1)  # otherwise, the second revision would have a date in the future
    site.publish(moment)
    (site.content / "gone.md").unlink()
    site.publish(moment)
    return site


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Return a site for all tests that only read."""
    site = make(tmp_path_factory.mktemp("made") / "site")
    yield site
    site.close()


@pytest.fixture(scope="module")
def asked(made):
    """Return the site's WSGI application in this process."""
    application = App(made.root)
    yield application
    application.close()


@pytest.fixture(scope="module", params=["granian", "gunicorn"])
def served(request, made):
    """Return the site on one of two servers."""
    server = RetryingServer(made.root) if request.param == "granian" else RetryingServer(made.root, command=GUNICORN)
    yield server
    server.stop()


def without_date(answer):
    return {name: value for name, value in answer.headers.items() if name in OURS}


def no_body(answer):
    return answer.body == b"" and answer.headers.get("content-length", "0") == "0"


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_document(asked, name):
    """A document has type, length, a strong ETag, Last-Modified, Cache-Control, Vary and CORS, each once."""
    answer = asked.ask(f"/{name}")
    headers = answer.headers
    assert answer.status == 200
    assert headers["content-type"] == TYPES[name]
    assert int(headers["content-length"]) == len(answer.body)
    assert headers["cache-control"] == "public, max-age=120, stale-while-revalidate=60, stale-if-error=86400"
    assert headers["vary"] == "Accept-Encoding"
    assert headers["access-control-allow-origin"] == "*"
    assert headers["x-content-type-options"] == "nosniff"
    assert re.fullmatch(r'"[0-9a-f]{32}"', headers["etag"])
    assert parsedate_to_datetime(headers["last-modified"]) <= datetime.now(UTC)
    assert list(violations(name, answer.body, f"https://test.example/{name}")) == []


@pytest.mark.parametrize("name", DOCUMENTS)
@pytest.mark.parametrize("coding", DECODE)
def test_a_304_and_a_head_say_what_the_200_says(asked, name, coding):
    """HEAD has the headers of GET; a 304 has those that do not describe a body, and the ETag of the 200."""
    accepts = [f"Accept-Encoding: {coding}"] if coding else []
    get, head = asked.ask(f"/{name}", *accepts), asked.ask(f"/{name}", *accepts, method="HEAD")
    assert (head.status, head.body) == (200, b"")
    assert without_date(head) == without_date(get)
    for method in ("GET", "HEAD"):
        condition = f"If-None-Match: {get.headers['etag']}"
        unchanged = asked.ask(f"/{name}", *accepts, condition, method=method)
        assert unchanged.status == 304
        assert no_body(unchanged)
        assert {key: unchanged.headers[key] for key in ALWAYS} == {key: get.headers[key] for key in ALWAYS}
        assert not {"content-type", "content-encoding"} & set(unchanged.headers)


@pytest.mark.parametrize("name", DOCUMENTS)
@pytest.mark.parametrize("coding", DECODE)
def test_conditions(asked, name, coding):
    """Validators may be a list, weak or strong, on one or two lines, or `*`; If-None-Match has precedence."""
    accepts = [f"Accept-Encoding: {coding}"] if coding else []
    first = asked.ask(f"/{name}", *accepts)
    etag, modified = first.headers["etag"], first.headers["last-modified"]
    moment = parsedate_to_datetime(modified)
    later = format_datetime(moment + timedelta(hours=1), usegmt=True)
    before = format_datetime(moment - timedelta(seconds=1), usegmt=True)
    other = asked.ask(f"/{name}", f"Accept-Encoding: {'gzip' if coding != 'gzip' else 'br'}").headers["etag"]
    for conditions, status in [
        ([f"If-None-Match: {etag}"], 304),
        ([f"If-None-Match: W/{etag}"], 304),
        ([f'If-None-Match: "a", W/"b" ,{etag}'], 304),
        ([f'If-None-Match: "a",,  W/{etag}, "c"'], 304),
        (['If-None-Match: "a"', f"If-None-Match: {etag}"], 304),
        ([f"If-None-Match: {etag}", 'If-None-Match: "a"'], 304),
        (["If-None-Match: *"], 304),
        (['If-None-Match: "a"'], 200),
        (['If-None-Match: "*"'], 200),
        (["If-None-Match: "], 200),
        (["If-Modified-Since: Thu, 01 Jan 99999999999999999999 00:00:00 GMT"], 200),
        (["If-Modified-Since: Mon, 23 Nov 2026 23:59:59 +99999999999999999"], 200),
        (["If-Modified-Since: Mon, 23 Nov 2026 99999999999:59:59 GMT"], 200),
        (['If-None-Match: "unclosed'], 200),
        ([f"If-None-Match: {etag[:-2]}"], 200),
        ([f"If-None-Match: {other}"], 200),  # of another encoding
        (['If-None-Match: "a"', f"If-Modified-Since: {modified}"], 200),
        ([f"If-None-Match: {etag}", f"If-Modified-Since: {OLD}"], 304),
        ([f"If-Modified-Since: {modified}"], 304),
        ([f"If-Modified-Since: {later}"], 304),
        ([f"If-Modified-Since: {moment.strftime('%A, %d-%b-%y %H:%M:%S GMT')}"], 304),  # RFC 850
        ([f"If-Modified-Since: {moment.ctime()}"], 304),  # asctime
        ([f"If-Modified-Since: {before}"], 200),
        ([f"If-Modified-Since: {OLD}"], 200),
        (["If-Modified-Since: nonsense"], 200),
        (["If-Modified-Since: Thu, 99 Foo 99999 99:99:99 GMT"], 200),
        ([f"If-Match: {etag[:-1]}x"], 200),
        (["Range: bytes=0-9"], 200),
    ]:
        answer = asked.ask(f"/{name}", *accepts, *conditions)
        assert answer.status == status, conditions
        assert answer.headers["etag"] == etag
        assert no_body(answer) is (status == 304)


@pytest.mark.parametrize("name", DOCUMENTS)
@pytest.mark.parametrize(
    ("accepts", "coding"),
    [("gzip", "gzip"), ("x-gzip", "gzip"), ("GZIP", "gzip"), ("zstd", "zstd"), ("gzip, deflate, br, zstd", "br"), ("gzip, zstd", "zstd"),
     ("br;q=0.1, gzip;q=0.9", "gzip"), ("br;q=0, gzip;q=0", ""), ("*", "br"), ("*;q=0", ""), ("br;q=0, *", "zstd"),
     ("identity;q=1, gzip;q=0.5", ""), ("gzip;q=0.5", "gzip"), ("identity;q=0, gzip", "gzip"), ("deflate, nonsense;q=x", ""), (",,;;q=,", ""), ("", "")],
)  # fmt: skip
def test_encodings(asked, name, accepts, coding):
    """The client's preferred encoding is sent, each encoding with its own ETag and the same decoded bytes."""
    plain, packed = asked.ask(f"/{name}"), asked.ask(f"/{name}", f"Accept-Encoding: {accepts}")
    assert packed.headers.get("content-encoding", "") == coding
    assert DECODE[coding](packed.body) == plain.body
    assert (packed.headers["etag"] == plain.headers["etag"]) is (coding == "")
    assert packed.headers["vary"] == "Accept-Encoding"


@pytest.mark.parametrize("name", DOCUMENTS)
def test_queries_do_not_matter(asked, name):
    """A query string changes neither bytes nor validators."""
    plain = asked.ask(f"/{name}")
    for query in ("?", "?a=1", "?utm_source=x&utm_medium=y", "?%00", "?/atom.xml", "?" + "x" * 3000):
        answer = asked.ask(f"/{name}{query}")
        assert (answer.status, answer.body, without_date(answer)) == (200, plain.body, without_date(plain))


@pytest.mark.parametrize("name", DOCUMENTS)
def test_methods(asked, name):
    """GET and HEAD are answered, OPTIONS allows validators for readers in browsers, other methods get a 405."""
    preflight = asked.ask(
        f"/{name}",
        "Origin: https://reader.example",
        "Access-Control-Request-Method: GET",
        "Access-Control-Request-Headers: if-none-match",
        method="OPTIONS",
    )
    assert preflight.status == 204
    assert preflight.headers["access-control-allow-origin"] == "*"
    assert "If-None-Match" in preflight.headers["access-control-allow-headers"]
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        answer = asked.ask(f"/{name}", "Content-Length: 0", method=method)
        assert answer.status == 405
        assert answer.headers["allow"] == "GET, HEAD, OPTIONS"
        assert asked.ask("/nothing", "Content-Length: 0", method=method).status in {404, 405}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_aliases_are_answered_with_the_feed_itself(asked, name):
    """An alias has the bytes, type and validators of the feed, with the feed's own self link."""
    alias = ALIASES[name]
    old, new = asked.ask(alias), asked.ask(f"/{name}")
    assert (old.status, old.body, without_date(old)) == (200, new.body, without_date(new))
    assert asked.ask(alias, f"If-None-Match: {new.headers['etag']}").status == 304


@pytest.mark.parametrize("name", DOCUMENTS)
def test_gone_and_never_there(asked, name):
    """A feed that no longer exists is a 410 in each format, also its page and archives; an unknown one is a 404."""
    for path in (f"/category/gone/{name}", "/category/gone/", f"/category/gone/archive/1/{name}"):
        answer = asked.ask(path)
        assert answer.status == 410, path
        assert "max-age=120" in answer.headers["cache-control"]
    for path in (f"/category/never/{name}", f"/archive/0/{name}", f"/archive/4/{name}", f"/archive/01/{name}",
                 f"/tag/x/archive/99999999999/{name}", f"/archive/{name}", f"/archive/x/{name}"):  # fmt: skip
        assert asked.ask(path).status == 404, path


@pytest.mark.parametrize("name", DOCUMENTS)
@pytest.mark.parametrize("feed", ["/", "/tag/x/", "/tag/%C3%A9t%C3%A9/"])
def test_the_whole_history(asked, name, feed):
    """All entries are reachable from the live document through the archives, and each archive follows its rules."""
    links, met, path = {}, [], feed
    while path:
        assert path not in links, "the way back leads in a circle"
        answer = asked.ask(path + name)
        assert answer.status == 200
        links[path], titles = read_history(name, answer.body)
        met += titles
        assert list(violations(name, answer.body, self_url(name, path, feed))) == []
        settled = re.search(r"/archive/[12]/$", path)
        assert answer.headers["cache-control"].startswith(
            "public, max-age=604800, stale" if settled else "public, max-age=120, stale"
        )
        etag = answer.headers["etag"]
        assert asked.ask(path + name, f"If-None-Match: {etag}").status == 304
        previous = links[path]["prev-archive"]
        path = previous and previous.removeprefix("https://test.example").removesuffix(name)
    assert set(met) == {f"T{number}" for number in range(1, 8)}
    assert list(links) == [feed, f"{feed}archive/2/", f"{feed}archive/1/"]
    if name != "feed.json":
        url = f"https://test.example{feed}"
        assert links[f"{feed}archive/2/"] == {
            "current": f"{url}{name}",
            "prev-archive": f"{url}archive/1/{name}",
            "next-archive": f"{url}archive/3/{name}",
            "archive": True,
        }
        assert links[feed]["archive"] is False
        newest, titles = read_history(name, asked.ask(f"{feed}archive/3/{name}").body)
        assert (newest["next-archive"], newest["archive"], titles) == (None, True, ["T7"])


def self_url(name, path, feed):
    """feed_url of JSON Feed is the URL of the feed, also in archives."""
    return f"https://test.example{feed if name == 'feed.json' else path}{name}"


def read_history(name, body):
    """Return the links of a document (RFC 5005), and the titles of its entries."""
    if name == "feed.json":
        document = json.loads(body)
        return {"prev-archive": document.get("next_url")}, [item["title"] for item in document["items"]]
    root = etree.fromstring(body)
    head = root.find("channel") if name == "rss.xml" else root
    atom = "{http://www.w3.org/2005/Atom}"
    found = {link.get("rel"): link.get("href") for link in head.findall(f"{atom}link")}
    links = {rel: found.get(rel) for rel in ("current", "prev-archive", "next-archive")}
    links["archive"] = head.find("{http://purl.org/syndication/history/1.0}archive") is not None
    entries = head.findall("item") if name == "rss.xml" else root.findall(f"{atom}entry")
    return links, [entry.findtext("title") or entry.findtext(f"{atom}title") for entry in entries]


def requests(etag):
    """Yield the method, path and header lines of requests that test each rule of HTTP once."""
    for name in DOCUMENTS:
        for method in ("GET", "HEAD"):
            yield method, f"/{name}", []
            for coding in ("br", "gzip", "zstd"):
                yield method, f"/{name}", [f"Accept-Encoding: {coding}"]
            yield method, f"/{name}", ["If-None-Match: *"]
            yield method, ALIASES[name], []
            yield method, f"/category/gone/{name}", []
        for method in ("OPTIONS", "POST", "PUT", "DELETE", "PATCH"):
            yield method, f"/{name}", ["Content-Length: 0"]
    for method in ("GET", "HEAD"):
        for condition in (
            f"If-None-Match: {etag}",
            f"If-None-Match: W/{etag}",
            'If-None-Match: "a"',
            f"If-Modified-Since: {OLD}",
        ):
            yield method, "/rss.xml", [condition]
        for path in ("/", "/tag/%C3%A9t%C3%A9/", "/static/page.css", "/nothing", "/archive/1/rss.xml"):
            yield method, path, []
    for query in ("?", "?a=1", "?%00", "?/atom.xml", "?" + "x" * 3000):
        yield "GET", f"/rss.xml{query}", []
    for path in (
        "/../../etc/passwd",
        "/static/..%2f..%2fconfig.yaml",
        "/%00",
        "/%ff%fe",
        "/" + "x" * 4000,
        "//rss.xml",
    ):
        yield "GET", path, []
    yield "GET", "/rss.xml", ["Range: bytes=0-9"]
    yield "GET", "/", ["X-Forwarded-Host: evil.example", "Forwarded: host=evil.example", "X-Forwarded-Prefix: /evil"]


@pytest.mark.integration
def test_servers_change_nothing(served, asked):
    """Over a socket, each response has the status, headers and body that the application returned."""
    for method, path, lines in requests(asked.ask("/rss.xml").headers["etag"]):
        answers = served.ask(path, *lines, method=method), asked.ask(path, *lines, method=method)
        said = []
        for answer in answers:
            headers = {name: value for name, value in answer.headers.items() if name not in OTHERS}
            length = headers.pop("content-length", None)
            if answer.body or length not in {None, "0"}:  # for an empty body, a server may add or omit the header
                headers["content-length"] = int(length) if length else len(answer.body)
            said.append((answer.status, headers, answer.body))
        assert said[0] == said[1], (method, path, lines)
        if {"etag", "last-modified"} <= set(answers[0].headers):
            moment, modified = (parsedate_to_datetime(answers[0].headers[name]) for name in ("date", "last-modified"))
            assert modified <= moment


@pytest.mark.integration
def test_fields_on_two_lines_are_one_list(served):
    """Validators and encodings on two header lines form one list (RFC 9110 5.3), in any order."""
    for name in DOCUMENTS:
        first = served.ask(f"/{name}", "Accept-Encoding: gzip", "Accept-Encoding: br")
        assert first.headers["content-encoding"] == "br"
        lines = ['If-None-Match: "a"', f"If-None-Match: {first.headers['etag']}"]
        for both in (lines, lines[::-1]):
            answer = served.ask(f"/{name}", "Accept-Encoding: br", *both)
            assert (answer.status, answer.body, answer.headers["etag"]) == (304, b"", first.headers["etag"])


@pytest.mark.integration
def test_old_and_huge_requests(served, asked):
    """HTTP/1.0 without Host is answered; a head of a megabyte is rejected, and the next request is answered."""
    head, _, body = served.raw(b"GET /rss.xml HTTP/1.0\r\n\r\n").partition(b"\r\n\r\n")
    assert b" 200 " in head[:20]
    assert body == asked.ask("/rss.xml").body
    for head in (b"X-Long: " + b"x" * 1_000_000, b"\r\n".join(b"X-%d: x" % n for n in range(50_000))):
        try:
            answer = served.raw(b"GET /rss.xml HTTP/1.1\r\nHost: x\r\n" + head + b"\r\nConnection: close\r\n\r\n")
        except ConnectionError:
            answer = b""
        assert b" 200 " not in answer[:20]
    assert served.ask("/rss.xml").status == 200


HOSTS = {"one": (b"Host: x\r\n", 200), "none": (b"", 400), "two": (b"Host: x\r\nHost: y\r\n", 400),
         "two that agree": (b"Host: x\r\nHost: x\r\n", 400)}  # fmt: skip


@pytest.mark.integration
@pytest.mark.parametrize("name", HOSTS)
def test_a_request_has_one_host(served, name):
    """A request without a Host header, or with several, gets 400 from every server (RFC 9112 section 3.2)."""
    lines, status = HOSTS[name]
    for path in (b"/rss.xml", b"/", b"/healthz", b"/nothing"):
        answer = served.raw(b"GET " + path + b" HTTP/1.1\r\nConnection: close\r\n" + lines + b"\r\n")
        assert int(answer.split()[1]) == (404 if path == b"/nothing" and status == 200 else status)


def test_hosts_in_a_wsgi_environment():
    """A server that joins several Host values, or passes on none, causes no wrong host; HTTP/1.0 needs no Host."""
    for environ, allowed in (
        ({"HTTP_HOST": "x"}, True),
        ({"HTTP_HOST": "x,y"}, False),
        ({"HTTP_HOST": "x, x"}, False),
        ({}, False),
    ):
        assert has_one_host(wsgi_request(SERVER_PROTOCOL="HTTP/1.1", **environ)) is allowed
    assert has_one_host(wsgi_request(SERVER_PROTOCOL="HTTP/1.0"))


def wsgi_request(**environ):
    return WsgiRequest({"REQUEST_METHOD": "GET", "PATH_INFO": "/", **environ})


@pytest.mark.integration
def test_underscores_are_no_hyphens(tmp_path):
    """`X_Client` is not accepted as `server.client_header`, under granian and under gunicorn's default settings."""
    site = make(tmp_path / "site", limit=3, client_header="X-Client")
    for options in ({}, {"command": GUNICORN}):
        server, said = RetryingServer(site.root, **options), itertools.count(2)

        def ask(server=server, said=said):
            return server.ask("/rss.xml", f"X_Client: 192.0.2.{next(said)}", "X-Client: 192.0.2.1").status

        try:
            assert statuses_until_limited(ask, 3) == {200}
        finally:
            server.stop()
    site.close()


def test_many_query_strings_are_one_document(asked):
    """Thousands of query strings on one path return the same document, and the worker's memory does not grow."""

    def ask(numbers):
        return {asked.ask(f"/rss.xml?{number}={'x' * 50}").headers["etag"] for number in numbers}

    etags = ask(range(100))  # imports, renders and caches everything that is needed once
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        etags |= ask(range(100, 500))
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(etags) == 1
    assert after - before < 1_500_000  # bytes, in all threads; 400 documents would take over 2.4 MB


def test_last_modified_is_never_in_the_future(site):
    """Each of several revisions within a second has a later date, and no date is in the future."""
    site.now = datetime(2026, 6, 1, 12, 0, 0, 500_000, tzinfo=UTC)
    moments = []
    for number in range(4):
        site.article("a.md", f"Text {number}.", title="a")
        site.publish()
        document = Documents(site.catalog, site.config.site_model).get("/rss.xml")
        moments.append(document.changed.replace(microsecond=0))
    assert len(set(moments)) == 4
    assert moments == sorted(moments)
    answer = CachedResponse(document, CachePolicy(300, 60, 60), [], [])
    told = []
    for seconds in (0, 0.6, 1, 2, 3, 100):
        now = site.now.timestamp() + seconds
        variant = answer.encoded("", float("inf"), now)
        told.append(dict(variant.response.headers)["Last-Modified"])
        assert parsedate_to_datetime(told[-1]).timestamp() <= now
        assert answer.is_unchanged(variant, None, told[-1]) is (now >= moments[-1].timestamp())
    assert [parsedate_to_datetime(one) for one in told] == sorted(map(parsedate_to_datetime, told))
    assert parsedate_to_datetime(told[-1]) == moments[-1]


def test_fresh_until_the_next_hour_only():
    """max-age ends when a scheduled article goes live, and returns to its normal value afterwards."""
    fresh = CachePolicy(300, 60, 900, ends_at_change=True)
    hour = 10_000.0
    for now, age, until in [
        (9_000, 300, 9_700), (9_700.5, 299, 9_701.5), (9_999.5, 1, 10_000),
        (10_001, 1, 10_300), (10_299, 1, 10_300), (10_300, 300, float("inf")), (20_000, 300, float("inf")),
    ]:  # fmt: skip
        revalidating = ", stale-while-revalidate=60" if age == 300 else ""  # this ends at the hour, too
        assert fresh.cache_control(hour, now) == (f"public, max-age={age}{revalidating}, stale-if-error=900", until)
    assert fresh.cache_control(float("inf"), 0).value.startswith("public, max-age=300")


def test_fresh_until_an_article_goes_live(site, app):
    """If an article goes live in less than max-age, no document may be cached for longer."""
    site.article("a.md", title="a")
    site.article("b.md", title="b", date=(datetime.now(UTC) + timedelta(seconds=240)).isoformat())
    site.publish(datetime.now(UTC))
    application = app(site)
    ages = [int(re.search(r"max-age=(\d+)", application.ask("/rss.xml").headers["cache-control"])[1]) for _ in range(2)]
    assert 0 < ages[1] <= ages[0] <= 240


def test_deltas(tmp_path, app):
    """With deltas, a client that requests one and has a known version gets the new entries, with the whole's ETag."""
    site = make(tmp_path / "site", deltas=True)
    worker = app(site)
    first = {name: worker.ask(f"/{name}") for name in DOCUMENTS}
    known = {name: f"If-None-Match: {answer.headers['etag']}" for name, answer in first.items()}
    for name in DOCUMENTS:
        assert first[name].headers["vary"] == "Accept-Encoding, A-IM"
        assert worker.ask(f"/{name}", known[name], "A-IM: feed").status == 304
    site.article("8.md", "Text 8.", title="T8", date="2026-05-08")
    site.publish(datetime.now(UTC))
    whole = {}
    many = ", ".join(f'"{number:032x}"' for number in range(1500))
    for name in DOCUMENTS:
        eventually(lambda name=name: worker.ask(f"/{name}").headers["etag"] != first[name].headers["etag"])
        whole[name] = worker.ask(f"/{name}")
        check_delta(worker, name, known[name], whole[name])
        assert worker.ask(f"/{name}", known[name]).status == 200  # without A-IM, the response is the whole document
        assert worker.ask(f"/{name}", 'If-None-Match: "unknown"', "A-IM: feed").status == 200
        assert worker.ask(f"/{name}", known[name], "A-IM: vcdiff").status == 200
        assert worker.ask(f"/{name}", known[name], "A-IM: feed;q=0").status == 200
        assert worker.ask(f"/{name}", known[name], "A-IM: FEED").status == 226
        assert worker.ask(f"/{name}", f"If-None-Match: {many}", "A-IM: feed").status == 200
    other = app(site)  # other workers soon know a version that one worker has sent
    for name in DOCUMENTS:
        eventually(lambda name=name: other.ask(f"/{name}", known[name], "A-IM: feed").status == 226)
        check_delta(other, name, known[name], whole[name])


def check_delta(server, name, known, whole):
    for coding in ("", "gzip"):
        accepts = f"Accept-Encoding: {coding}"
        delta = server.ask(f"/{name}", known, "A-IM: vcdiff, feed", accepts)
        assert delta.status == 226
        assert (delta.headers["im"], delta.headers["vary"]) == ("feed", "Accept-Encoding, A-IM")
        assert delta.headers["cache-control"] == "no-store, im"
        assert delta.headers["x-content-type-options"] == "nosniff"  # like every document
        assert delta.headers["etag"] == server.ask(f"/{name}", accepts).headers["etag"]
        body = DECODE[coding](delta.body)
        assert read_history(name, body)[1] == ["T8"]
        assert len(body) < len(whole.body)
        assert list(violations(name, body, f"https://test.example/{name}")) == []


def test_deltas_are_off_by_default(asked):
    """Without `server.deltas`, a server never answers 226."""
    answer = asked.ask("/rss.xml", 'If-None-Match: "x"', "A-IM: feed")
    assert answer.status == 200
    assert "A-IM" not in answer.headers["vary"]


@pytest.fixture
def minute(monkeypatch):
    """Freeze the clock of time windows within a minute."""
    monkeypatch.setattr("feeds.web.fixed_window.time", SimpleNamespace(time=lambda: 120.5))


def test_hammering(tmp_path, app, minute):
    """A client that requests a document repeatedly without validators is limited; other clients are not."""
    server = app(make(tmp_path / "site", limit=5, client_header="X-Client"))
    statuses = [server.ask("/rss.xml", "X-Client: 192.0.2.1, 198.51.100.7").status for _ in range(8)]
    assert statuses == [200] * 5 + [429] * 3
    refused = server.ask("/rss.xml", "X-Client: 198.51.100.7")
    assert refused.status == 429
    assert int(refused.headers["retry-after"]) == 60
    assert refused.headers["cache-control"] == "no-store"
    etag = server.ask("/rss.xml").headers["etag"]
    for headers, status in [
        (["X-Client: 198.51.100.7", f"If-None-Match: {etag}"], 304),
        (["X-Client: 198.51.100.7", 'If-None-Match: "x"'], 200),
        (["X-Client: 198.51.100.8"], 200),
        (["X-Client: nonsense"], 200),
        ([], 200),
    ]:
        assert server.ask("/rss.xml", *headers).status == status
    assert server.ask("/atom.xml", "X-Client: 198.51.100.7").status == 200


def test_who_is_hammering(minute):
    """Without `server.client_header`, only public addresses of direct connections are limited; IPv6 by /64."""
    limited = RateLimiter(1, ClientAddressResolver(None))

    def waits(**environ):
        return [limited.retry_after(wsgi_request(**environ), "/rss.xml") > 0 for _ in range(2)][1]

    assert waits(REMOTE_ADDR="8.8.8.8")
    assert waits(REMOTE_ADDR="2a00:1450::1")
    assert limited.retry_after(wsgi_request(REMOTE_ADDR="2a00:1450::2"), "/rss.xml")
    assert waits(REMOTE_ADDR="::ffff:8.8.4.4")
    assert not limited.retry_after(wsgi_request(REMOTE_ADDR="::ffff:8.8.4.5"), "/rss.xml")
    for environ in (
        {"REMOTE_ADDR": "127.0.0.1"}, {"REMOTE_ADDR": "10.0.0.1"}, {"REMOTE_ADDR": "fd00::1"}, {"REMOTE_ADDR": ""}, {},
        {"REMOTE_ADDR": "::ffff:10.0.0.1"},
        {"REMOTE_ADDR": "8.8.4.6", "HTTP_X_FORWARDED_FOR": "1.2.3.4"}, {"REMOTE_ADDR": "8.8.4.4", "HTTP_VIA": "1.1 x"},
    ):  # fmt: skip
        assert not waits(**environ)
    off = RateLimiter(0, ClientAddressResolver("X-Client"))
    assert not any(off.retry_after(wsgi_request(HTTP_X_CLIENT="8.8.8.8"), "/rss.xml") for _ in range(100))


def test_a_window_of_a_minute(monkeypatch):
    """Requests of a client are counted within one minute, in limited memory."""
    now = 120.0
    monkeypatch.setattr("time.time", lambda: now)
    window = FixedWindowCounter(2)
    assert [window.add("a"), window.add("a"), window.add("b")] == [1, 2, 1]
    assert (window.add("a"), window.seconds_left()) == (3, 60)
    assert [window.add("c"), window.add("a")] == [1, 1]
    now = 180.5
    assert [window.add("c"), window.seconds_left()] == [1, 60]
    now = 239.5
    assert window.seconds_left() == 1


def test_redirected_aliases(tmp_path, app):
    """With `feeds.redirect_aliases`, an alias is a permanent redirect to the feed's public address."""
    site = make(tmp_path / "site")
    site.configure(feeds={"redirect_aliases": True, "url": "https://feeds.test.example/f"})
    site.publish(datetime.now(UTC))
    server = app(site)
    answer = server.ask("/index.xml", "X-Forwarded-Host: evil.example")
    assert (answer.status, answer.body) == (308, b"")
    assert answer.headers["location"] == "https://feeds.test.example/f/rss.xml"
    assert server.ask("/tag/was/rss.xml").headers["location"] == "https://feeds.test.example/f/tag/x/rss.xml"


NUMBERS = st.sampled_from(
    ["0", "1", "-1", "9" * 20, "9" * 500, "-" + "9" * 500, "4294967296", "9223372036854775808", "99999", "00000", "", "+1", "1_0", "0x1", "1e5", "²", "\xb2"]
) | st.integers().map(str)  # fmt: skip
DATES = (
    st.builds(
        "Thu, {} Jan {} {}:00:00 {}".format, NUMBERS, NUMBERS, NUMBERS, st.sampled_from(["GMT", "+9999", "-2359"])
    )
    | st.builds("Thu, 01 Jan 2026 00:00:00 {}{}".format, st.sampled_from("+-"), NUMBERS)
    | st.builds("Thu, 01 Jan {} 00:00:00 GMT".format, NUMBERS)
    | st.text("0123456789:+- ,GMTJan", max_size=40)
    | NUMBERS
)
RANGES = (
    st.lists(st.builds("{}-{}".format, NUMBERS, NUMBERS), max_size=5).map(lambda parts: "bytes=" + ",".join(parts))
    | NUMBERS
)
HEADERS = st.fixed_dictionaries(
    {},
    optional={
        "If-Modified-Since": DATES, "If-Unmodified-Since": DATES, "If-Range": DATES, "Range": RANGES, "If-None-Match": NUMBERS,
        "Accept-Encoding": NUMBERS.map("gzip;q={}".format), "A-IM": NUMBERS.map("feed;q={}".format), "Max-Forwards": NUMBERS,
        "Cache-Control": NUMBERS.map("max-age={}".format),
    },
)  # fmt: skip


@pytest.fixture(scope="module")
def numbered(tmp_path_factory):
    """Return the application of a site with a file beside an article, for tests that only read."""
    site = Site(tmp_path_factory.mktemp("numbered") / "site")
    site.configure(site={"pages": True}, server={"deltas": True})
    site.article("big/index.md", "[text](text.txt)", title="Big")
    (site.content / "big/text.txt").write_bytes(b"x" * 1_000)
    site.publish()
    application = App(site.root)
    yield application
    application.close()


@given(st.sampled_from(["/rss.xml", "/feed.json", "/", "/big/text.txt", "/static/page.css", "/nothing"]), HEADERS)
def test_headers_of_any_numbers(numbered, path, headers):
    """Unusual numbers and dates in headers are ignored or used correctly, for documents, pages and files."""
    response = numbered.ask(path, *(f"{name}: {value}" for name, value in headers.items()))
    assert response.status == 404 if path == "/nothing" else response.status in {200, 206, 304, 412, 416}


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (["If-Modified-Since: Thu, 01 Jan 99999999999999999999 00:00:00 GMT"], 200),
        (["If-Modified-Since: Thu, 01 Jan 2099 00:00:00 GMT"], 304),
        (["If-Range: Thu, 01 Jan 99999999999999999999 00:00:00 GMT", "Range: bytes=0-9"], 200),
        (["Range: bytes=0-9"], 206),
        (["Range: bytes=5-"], 206),
        (["Range: bytes=-5"], 206),
        (["Range: bytes=0-99999999999999999999"], 200),
        (["Range: bytes=2000-"], 416),
    ],
)
def test_impossible_conditions_of_files_are_ignored(numbered, headers, status):
    """Invalid dates and ranges are ignored (RFC 9110 sections 13.1.3, 13.1.5 and 14.2); valid ones are used."""
    assert numbered.ask("/big/text.txt", *headers).status == status
