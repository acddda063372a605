"""Create hostile front matter, configurations, requests, access logs and manifests, and check how the program handles them.

A seed determines an input. The program must return a valid result or one clear message. The tests run a sample,
`benchmarks/fuzz.py` any number.
"""

import asyncio
import io
import json
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import fuzzing
from conftest import Site
from lxml import etree
from rsgi_scope import rsgi_scope

from feeds import config
from feeds.core.errors import ArticleError, ConfigError
from feeds.core.parse import article, keys
from feeds.core.text import clean, escape_unprintable
from feeds.export import MANIFEST, host_files
from feeds.publish import loop
from feeds.web import create_application, rsgi

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
MAX_MESSAGE_CHARACTERS = 2_000

NUMBERS = (
    "0", "-1", "1", "65536", "2147483648", "9223372036854775808", "-9223372036854775809", "9" * 30, "9" * 400, "9" * 5_000, "1e308", "1e999", "-1e999",
    "0.1", ".5", ".inf", "-.inf", ".nan", "NaN", "Infinity", "0x7fffffffffffffff", "0o777", "1_000", "1:30", "007", "٣", "½",
)  # fmt: skip
DATES = (
    "2026-05-01", "2026-05-01T10:00:00Z", "2026-05-01 10:00", "2026-05-01T10:00:00+99:99", "2026-02-30", "2026-13-01", "0000-00-00",
    "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "10000-01-01", "2026-05-01T25:61:61", "1 May 2026", "May 1, 2026 10:00 PM",
    "1777000000", "1777000000000", "-62135596801", "253402300800", "01/Jun/2026:10:00:00 +0000", "99/Xxx/99999:99:99:99 +9999",
)  # fmt: skip
WORDS = (
    "", "a", "true", "no", "null", "~", "A title: with a colon", "x" * 300, "é", "中文", "😀", "\u202eabc", "\u0000", "\u0007", "\ufeff", "\ud7ff",
    "../../etc/passwd", "/x/", "/rss.xml", "/static/page.css/", "//host/x", "https://a.example/b", "javascript:alert(1)", "http://[", "a@b.c",
    "%00", "%2e%2e%2f", "<b>", "&amp;", "]]>", "'", '"', "\\", "$1", "{slug}", "{{ x }}", "${x}", "*", "**/*", "[", "(?:", "* * * * *", "en-x-y", "Mars/Olympus",
)  # fmt: skip
PLAIN = (*NUMBERS, *DATES, *WORDS)
OF_YAML = (
    "[]", "{}", "[a, b]", "{a: b}", "[[[[a]]]]", "{a: {b: {c: d}}}", "[" * 50, "{a: " * 50, "&a [*a]", "*a", "!!binary aGk=", "!!python/name:os.x", "!!set {a}",
    "|\n  a\n  b", ">-\n  a", "- a\n- b", "? a\n: b", "'a", '"a', "@a", "`a`", "%a", "a: b: c", "# a", "\ta", "---", "...", "<<: {a: b}", "2026-05-01: a",
)  # fmt: skip
MARKS = (
    "---\n",
    "+++\n",
    "\n---\n",
    ": ",
    ":",
    "- ",
    "[",
    "]",
    "{",
    "}",
    ",",
    "'",
    '"',
    "|",
    ">",
    "&a ",
    "*a",
    "!",
    "\\u0000",
    "\\x",
    "\n",
    "\n  ",
    "=",
    *NUMBERS,
    *DATES,
)
FIELDS = tuple(key for names in keys.FIELDS.values() for key in names) + tuple(keys.CONTAINERS)

Response = tuple[int, Sequence[tuple[str, str]], bytes]


def message_violations(message: str) -> Iterator[str]:
    """Yield the violations in an error message."""
    if not message.strip():
        yield "an empty message"
    if escape_unprintable(message) != message:
        yield f"a message with control characters: {message[:100]!r}"
    if len(message) > MAX_MESSAGE_CHARACTERS:
        yield f"a message of {len(message)} characters: {message[:100]!r}"


class FrontMatter:
    """Files with front matter in YAML, TOML and JSON, which are read, published and rendered in every format."""

    def __init__(self, folder: Path) -> None:
        self._site = Site(folder / "front-matter")
        self._site.configure(feeds={"guard": 1}, site={"pages": True})

    def create_input(self, random: Random) -> list[str]:
        """Return the texts of ten files."""
        return [self._file(random) for _ in range(10)]

    def _file(self, random: Random) -> str:
        chosen = random.choices(FIELDS, k=random.choice((1, 2, 5, 9)))
        match random.randrange(4):
            case 0:
                lines = [f"{key} = {self._toml(random)}" for key in {"date", *chosen}]
                text = "\n".join(["+++", *lines, "+++", "Text."])
            case 1:
                values = {key: self._json(random, 3) for key in chosen} | {"date": random.choice(DATES)}
                text = json.dumps(values, ensure_ascii=random.random() < 0.5) + "\nText."
            case _:
                lines = [f"{key}: {_quoted(random) or random.choice((*PLAIN, *OF_YAML))}" for key in chosen]
                date = random.choice(DATES) if random.random() < 0.5 else DATES[0]
                text = "\n".join(["---", f"date: {date}", *lines, "---", "Text."])
        return fuzzing.mutate(random, [text], MARKS) if random.random() < 0.3 else text

    @staticmethod
    def _toml(random: Random) -> str:
        return _quoted(random) or random.choice((*NUMBERS, *DATES, "[]", '["a", "b"]', "{a = 1}", "'''\na\n'''"))

    def _json(self, random: Random, depth: int) -> Any:
        if depth and random.random() < 0.4:
            inside = [self._json(random, depth - 1) for _ in range(random.randrange(4))]
            return (
                inside
                if random.random() < 0.5
                else {random.choice((*FIELDS, "url", "name", "src")): value for value in inside}
            )
        return random.choice((*PLAIN, None, True, False, 0, -1, 1e308, 10**30, 2**63))

    def violations(self, files: list[str]) -> list[str]:
        """Return the violations in the articles, messages and documents that the files lead to."""
        found: list[str] = []
        for number, text in enumerate(files):
            data = text.encode("utf-8", "surrogatepass")
            self._site.write(f"{number}.md", data)
            try:
                read = article.parse_article(data, f"{number}.md", UTC)
            except ArticleError as error:
                found += message_violations(error.reason)
                if not 1 <= error.line <= text.count("\n") + 2:
                    found.append(f"rejected in line {error.line}")
                continue
            for warning in read.warnings:
                found += message_violations(warning.message)
            found += _article_violations(read)
        self._site.publish(NOW, accept=True)
        for path, body in self._site.documents().items():
            if path.endswith(".json"):
                json.loads(body)
            else:
                etree.fromstring(body)
        return found


def _quoted(random: Random) -> str:
    """Return a value as a JSON string, which is valid YAML and TOML; or "", if the caller must write a value without quotes."""
    return json.dumps(random.choice(PLAIN).replace("\ud7ff", "")) if random.random() < 0.8 else ""


def _article_violations(read: Any) -> Iterator[str]:
    """Yield the violations in an article."""
    texts = [read.title, read.slug, read.id, read.link, read.summary, *read.categories, *read.tags]
    texts += [part for author in read.authors for part in (author.name, author.email, author.url)]
    for text in texts:
        if text is not None and clean(text) != text:
            yield f"a character that XML forbids: {text[:100]!r}"
    for moment in (read.published, read.updated):
        if moment.tzinfo is None:
            yield f"a date without a zone: {moment}"
        moment.astimezone(UTC)


class Configuration:
    """A config.yaml with environment variables that override it."""

    # valid values by section and key
    SECTIONS: Mapping[str, Mapping[str, str]] = {
        "site": {"title": "T", "url": "https://t.example", "language": "en", "timezone": "UTC", "author": "{name: A, email: a@b.c}", "icon": "/i.png",
                 "copyright": "C", "authority": "t.example", "pages": "true", "readers": "{R: 'https://r.example/?{url}'}"},
        "content": {"path": "content", "include": "['**/*.md']", "exclude": "[x]", "permalink": "/{slug}/", "permalinks": "{a: '/{year}/{slug}/'}",
                    "id": "'https://old.example/{path}'", "watch": "auto", "markdown": "gfm"},
        "feeds": {"limit": "20", "url": "https://t.example", "aliases": "{/index.xml: /rss.xml}", "guard": "0.2", "max_size": "512", "tombstones": "30",
                  "redirect_aliases": "true", "archives": "all", "image_in_text": "true"},
        "server": {"host": "127.0.0.1", "port": "8000", "workers": "1", "max_age": "300", "memory": "64", "limit": "60", "deltas": "true",
                   "client_header": "X-Real-IP", "access_log": "'-'", "metrics": "'127.0.0.1:9464'"},
        "schedule": {"cron": "'*/15 * * * *'", "before": "git pull", "webhook": "a-secret-of-the-owner"},
        "export": {"path": "public", "hosts": "[netlify, nginx]", "precompressed": "[gzip]", "pages": "true", "purge": "'PURGE {raw}'"},
        "stats": {"count": "true", "keep": "400", "token": "a-secret-of-the-owner"},
        "check": {"ignore": "[no-summary]"},
    }  # fmt: skip

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "configuration"
        self._folder.mkdir()

    def create_input(self, random: Random) -> tuple[str, dict[str, str]]:
        """Return the text of the file, and the variables."""
        lines = ["site: {title: T, url: 'https://t.example'}"] if random.random() < 0.3 else []
        variables = {}
        for section, valid in self.SECTIONS.items():
            if lines and section == "site":
                continue
            chosen = random.sample(sorted(valid), random.randint(0, len(valid)))
            lines.append(f"{section}:")
            for key in {*chosen, *(("title", "url") if section == "site" else ())}:
                value = valid[key] if random.random() < 0.97 else random.choice((*PLAIN, *OF_YAML))
                lines.append(f"  {key}: {value}")
            if random.random() < 0.1:
                name = f"FEEDS__{section}__{random.choice(sorted(valid))}".upper()
                variables[name] = random.choice((*PLAIN, *OF_YAML)).replace("\0", "")
        text = "\n".join(lines)
        return (fuzzing.mutate(random, [text], MARKS) if random.random() < 0.3 else text), variables

    def violations(self, given: tuple[str, dict[str, str]]) -> list[str]:
        """Return the violations in the messages; raise any exception but `ConfigError`."""
        text, variables = given
        file = self._folder / "config.yaml"
        file.write_bytes(text.encode("utf-8", "surrogatepass"))
        try:
            settings = config.load(file, variables)
        except ConfigError as error:
            found = [violation for mistake in error.mistakes for violation in message_violations(mistake)]
            return found + [
                f"a message without its location: {mistake[:100]}"
                for mistake in error.mistakes
                if not mistake.startswith((f"{file}:", "FEEDS__", "state:"))
            ]
        site = settings.site_model
        if trigger := loop.create_trigger(settings.schedule.cron, site.timezone):
            assert trigger.get_next_fire_time(None, NOW)
        host_files.render_host_files(site, ["netlify", "cloudflare", "apache", "nginx"], settings.feeds.aliases, {})
        settings.server.host.encode("idna")
        _ = settings.catalog, settings.content_root
        return []


class Requests:
    """Requests to one site, sent through WSGI and through granian's interface (RSGI)."""

    PATHS = (
        "/", "/rss.xml", "/atom.xml", "/feed.json", "/feeds.opml", "/a/", "/a/p.png", "/a/x.svg", "/tag/t/", "/tag/t/rss.xml", "/archive/1/rss.xml", "/index.xml",
        "/healthz", "/stats", "/refresh", "/static/page.css", "/static/", "/preview/", "/nothing", "*", "", "//", "/%2e%2e/", "/..", "/%00", "/%ff", "/%", "/%zz",
        "/category/%C3%A9/rss.xml", "/archive/99999999999999999999/rss.xml", "/archive/-1/rss.xml", "/archive/0/rss.xml", "/archive/٣/rss.xml", "/" + "a" * 3000,
        "/a" * 500, "http://x/rss.xml", "/rss.xml;x", "/rss.xml/", "/\u00e9", "/\r\nX: y", "/\t", "/😀",
    )  # fmt: skip
    HEADERS: Mapping[str, tuple[str, ...]] = {
        "Host": ("x", "x:80", "[::1]", "", "x,y", "é", "x" * 500),
        "Accept-Encoding": ("gzip", "br, gzip;q=0.5", "zstd;q=0", "*", ";;;,,,q=", "gzip;q=1e999", "br;q=nan", "identity;q=0, *;q=0", "," * 2000),
        "If-None-Match": ("*", '"x"', 'W/"x"', '"' * 99, "etag", "," * 3000, '"' + "0" * 32 + '-br"'),
        "If-Modified-Since": (*DATES, "Thu, 01 Jan 1970 00:00:00 GMT", "Fri, 31 Dec 9999 23:59:59 GMT", "Mon, 99 Xxx 99999 99:99:99 GMT"),
        "If-Range": ('"x"', *DATES),
        "Range": ("bytes=0-0", "bytes=-1", "bytes=0-99999999999999999999", "bytes=9-1", "bytes=0-,1-", "bytes=" + "0-1," * 999, "x", "bytes=-", "bytes=١-٢"),
        "A-IM": ("feed", "feed;q=nan", "vcdiff, feed", ";" * 99),
        "Authorization": ("Basic", "Basic ???", "Basic OmE=", "Bearer é", "Bearer a-secret-of-the-owner", "Digest x", " " * 999),
        "X-Gitlab-Token": ("a-secret-of-the-owner", "é", ""),
        "X-Hub-Signature-256": ("sha256=", "sha256=00", "é", "x" * 999),
        "Content-Length": ("0", "5", "-1", "1e9", "99999999999999999999", "٣", ""),
        "Cookie": ("feeds-preview=x", "feeds-preview", "=;=;", "a" * 3000, 'x="\\'),
        "User-Agent": ("x", "Feedly/1.0 (99999999999999999999 subscribers; )", "(" * 999, "é", "x/1 (+http://[; -1 subscribers)"),
        "X-Real-IP": ("192.0.2.1", "::1", "x, y", "[::1]:99999", "1.2.3.4.5", "::ffff:1.2.3.4%eth0", "," * 999),
        "X_Real_IP": ("192.0.2.9",),
        "X-Forwarded-For": ("192.0.2.1", ""),
        "Referer": ("http://x/", "\x1b[31m"),
        "Accept": ("*/*", "text/html;q=x"),
    }  # fmt: skip
    METHODS = ("GET", "GET", "GET", "GET", "HEAD", "OPTIONS", "POST", "PUT", "DELETE", "TRACE", "get", "X" * 99)
    ALLOWED = frozenset(
        {200, 202, 204, 206, 226, 304, 308, 400, 401, 403, 404, 405, 408, 410, 412, 413, 414, 415, 416, 429, 501, 503}
    )  # fmt: skip

    def __init__(self, folder: Path) -> None:
        self._site = Site(folder / "requests")
        secret = "a-secret-of-the-owner"
        self._site.configure(
            site={"pages": True}, feeds={"limit": 2, "aliases": {"/index.xml": "/rss.xml"}}, stats={"token": secret, "count": False},
            schedule={"webhook": secret}, server={"deltas": True, "client_header": "X-Real-IP", "access_log": "access.log"},
        )  # fmt: skip
        self._site.article("a/index.md", "![](p.png) ![](x.svg)", title="a", tags=["t"], date="2026-05-01")
        for name in ("p.png", "x.svg"):
            self._site.write(f"a/{name}", "x" * 2_000)
        for number in range(6):
            self._site.article(f"{number}.md", title=str(number), date=f"2026-04-0{number + 1}", category="é")
        self._site.publish(NOW)
        self._served = create_application(self._site.config)
        self._app = self._served.app
        self._rsgi = rsgi.Application(self._served, lambda: None)
        self._rsgi._are_sockets_set_up = True  # there are no connections to time out

    def create_input(self, random: Random) -> tuple[str, str, str, list[tuple[str, str]], bytes, str]:
        """Return a method, a path, a query, header fields, a body and an HTTP version."""
        path = random.choice(self.PATHS)
        if random.random() < 0.2:
            path = fuzzing.mutate(random, [path], ("/", "%", "..", "\0", ".xml"))[:5_000]
        headers = [("Host", "x")] if random.random() < 0.9 else []
        for _ in range(random.choice((0, 1, 2, 5))):
            name = random.choice(sorted(self.HEADERS))
            value = random.choice(self.HEADERS[name])
            if random.random() < 0.1:
                value = fuzzing.mutate(random, [value], (",", ";", "=", '"', "q=", *NUMBERS))
            headers.append((name, re.sub(r"[\r\n\0]", "", value)[:5_000]))  # every server ends a field at these
        query = random.choice(("", "", "x", "a-secret-of-the-owner", "&" * 999, "%00%ff"))
        return (
            random.choice(self.METHODS),
            path,
            query,
            headers,
            random.choice((b"", b"hello", b"\xff" * 99)),
            random.choice(("1.1", "1.0", "2")),
        )

    def violations(self, given: Any) -> list[str]:
        """Return the violations in the responses."""
        method, path, query, headers, body, version = given
        scope = rsgi_scope(method, path, headers, query=query, version=version)
        protocol = _Protocol(body)
        asyncio.run(self._rsgi.__rsgi__(scope, protocol))
        found = [f"granian: {violation}" for violation in self._response_violations(method, protocol.response)]
        environ = rsgi.wsgi_environ(scope)
        rsgi.complete_environ(environ)
        environ |= {"wsgi.input": io.BytesIO(body), rsgi.SENDS_FILES_KEY: False}
        response = _wsgi_response(self._app.wsgi_app, environ)
        return found + [f"WSGI: {violation}" for violation in self._response_violations(method, response)]

    def _response_violations(self, method: str, response: Response) -> Iterator[str]:
        status, headers, body = response
        if status not in self.ALLOWED:
            yield f"status {status}"
        for name, value in headers:
            if not re.fullmatch(r"[\w-]+", name) or re.search(r"[\r\n\0]", value) or len(value) > 5_000:
                yield f"the header {name}: {value[:200]!r}"
        lengths = [value for name, value in headers if name.lower() == "content-length"]
        if method != "HEAD" and status not in {204, 304} and lengths not in ([], [str(len(body))]):
            yield f"Content-Length: {lengths} of {len(body)} bytes"
        if (method == "HEAD" or status in {204, 304}) and body:
            yield f"a body of {len(body)} bytes"

    def close(self) -> None:
        """Stop the application's threads."""
        self._served.close()
        self._site.close()


class _Protocol:
    """Granian's side of a request: yields the body of the request, and stores the response."""

    def __init__(self, body: bytes) -> None:
        self.response: Response = (0, [], b"")
        self._parts = iter([body])

    def __aiter__(self) -> "_Protocol":
        return self

    async def __anext__(self) -> bytes:
        try:
            return next(self._parts)
        except StopIteration:
            raise StopAsyncIteration from None

    def response_empty(self, status: int, headers: Sequence[tuple[str, str]]) -> None:
        """Store a response without a body; for HEAD, it may have the Content-Length of a GET."""
        self.response = status, [field for field in headers if field[0] != "Content-Length" or field[1] == "0"], b""

    def response_bytes(self, status: int, headers: Sequence[tuple[str, str]], body: bytes) -> None:
        """Store a response."""
        self.response = status, headers, body

    def response_file(self, status: int, headers: Sequence[tuple[str, str]], file: str) -> None:
        """Store a response with the content of a file."""
        self.response = status, headers, Path(file).read_bytes()

    def response_file_range(
        self, status: int, headers: Sequence[tuple[str, str]], file: str, start: int, end: int
    ) -> None:
        """Store a response with a part of a file."""
        self.response = status, headers, Path(file).read_bytes()[start:end]


def _wsgi_response(application: Callable[..., Any], environ: dict[str, Any]) -> Response:
    """Return the response of a WSGI application."""
    started: list[tuple[str, list[tuple[str, str]]]] = []
    parts = application(environ, lambda status, headers, *_: started.append((status, headers)))
    try:
        body = b"".join(parts)
    finally:
        if hasattr(parts, "close"):
            parts.close()
    status, headers = started[0]
    return int(status[:3]), headers, body


class Logs:
    """Access logs of other servers, which `feeds stats --import` counts."""

    AGENTS = (
        "Feedly/1.0 (+http://www.feedly.com/fetcher.html; 9 subscribers)",
        "NetNewsWire (RSS Reader; https://netnewswire.com/)",
        "x",
        "(" * 999,
        "\x1b[31m",
        *NUMBERS,
    )

    def __init__(self, folder: Path) -> None:
        self._site = Site(folder / "logs")
        self._site.article("a.md", title="a", tags=["t"])
        self._site.publish(NOW)

    def create_input(self, random: Random) -> bytes:
        """Return the content of a log file."""
        kind = random.randrange(4)
        lines = (
            ["#Version: 1.0", "#Fields: date time c-ip cs-method cs-uri-stem sc-status sc-bytes cs(User-Agent)"]
            if kind == 3
            else []
        )
        lines += [self._line(random, kind) for _ in range(random.choice((1, 3, 20)))]
        text = "\n".join(lines) + "\n"
        if random.random() < 0.4:
            text = fuzzing.mutate(
                random, [text], ('"', "[", "]", "-", "\t", "\\x22", "\\u0000", "{", "}", ",", *NUMBERS, *DATES)
            )
        data = text.encode("utf-8", "surrogatepass")
        return b"\x1f\x8b" + data if random.random() < 0.05 else data

    def _line(self, random: Random, kind: int) -> str:
        odd = random.random() < 0.5
        client = (
            random.choice(("192.0.2.1", "2001:db8::1", "x", "", "1.2.3.4.5"))
            if odd
            else f"192.0.2.{random.randrange(256)}"
        )
        status = random.choice((*NUMBERS, "200", "304")) if odd else "200"
        size = random.choice((*NUMBERS, "-", "5000")) if odd else "5000"
        path = (
            random.choice(
                ("/rss.xml", "/tag/t/feed.json", "/nothing", "/" + "x" * 9_000, "/%00", "http://[/rss.xml", "")
            )
            if odd
            else "/rss.xml"
        )
        agent = random.choice(self.AGENTS) if odd else self.AGENTS[0]
        match kind:
            case 0:
                at = random.choice((*DATES, "30/May/2026:10:00:00 +0000")) if odd else "30/May/2026:10:00:00 +0000"
                return f'{client} - - [{at}] "GET {path} HTTP/1.1" {status} {size} "-" "{agent}"'
            case 1:
                at = random.choice((*NUMBERS, *DATES)) if odd else "1780135200.5"
                values = {
                    "client": client,
                    "time": at,
                    "method": "GET",
                    "path": path,
                    "status": status,
                    "bytes": size,
                    "agent": agent,
                }
                written = {key: value if random.random() < 0.5 else _number(value) for key, value in values.items()}
                return json.dumps(written, ensure_ascii=False)
            case 2:
                request = {
                    "client_ip": client,
                    "method": "GET",
                    "uri": path,
                    "headers": {"User-Agent": random.choice(([agent], agent, [], {}, None))},
                }
                return json.dumps(
                    {
                        "ts": _number(random.choice(NUMBERS)),
                        "request": request,
                        "status": _number(status),
                        "size": _number(size),
                    }
                )
        date, clock = random.choice((("2026-05-30", "10:00:00"), (random.choice(DATES), random.choice(NUMBERS))))
        return f"{date}\t{clock}\t{client}\tGET\t{path}\t{status}\t{size}\t{agent}"

    def violations(self, log: bytes) -> list[str]:
        """Return the violations in the report and in the messages."""
        done = self._site.run("stats", "--json", "--days", "3", "--import", "-", stdin=log)
        found = [violation for line in done.stderr.splitlines() for violation in message_violations(line)]
        if done.returncode not in {0, 1} and "can't be read to its end" not in done.stderr:
            found.append(f"exit code {done.returncode}: {done.stderr[:200]}")
        if done.returncode in {0, 1}:
            found += _number_violations(json.loads(done.stdout))
        return found


def _number(text: str) -> Any:
    """Return the value of a JSON text, or the text if it is not JSON."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def _number_violations(value: Any) -> Iterator[str]:
    """Yield the numbers of a report that are negative or not finite."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for element in value:
            yield from _number_violations(element)
    elif isinstance(value, (int, float)) and not (math.isfinite(value) and value >= 0):
        yield f"the number {value}"


class Manifests:
    """Manifests of an export, which list its files, and which another program may have changed."""

    PATHS = (
        "/rss.xml", "/index.html", "/nothing.html", "/tag/t/rss.xml", "/../outside", "/a/../../outside", "../outside", "outside", "//outside", "/", "", "/.", "/..",
        "/static", "/static/", "/rss.xml/", "/rss.xml/x", "/\0", "/é", "/" + "x" * 300, "/a" * 2_000, "/\ud800", "/.feeds-manifest.json", "/.feeds-unfinished",
    )  # fmt: skip
    ENTRIES = (
        '"x"',
        '["x", 1, 2]',
        '["x", 1, "2"]',
        '["", -1, -1]',
        "[]",
        "[1]",
        "null",
        "true",
        "{}",
        '["x"]',
        '["x", null, null]',
        '[["x"], {}, []]',
        *NUMBERS,
    )

    def __init__(self, folder: Path) -> None:
        self._site = Site(folder / "manifests")
        self._site.article("a.md", title="a", tags=["t"])
        assert self._site.run("build").returncode == 0
        self._public = self._site.root / "public"
        self._good = (self._public / MANIFEST).read_text("utf-8")
        self._document = (self._public / "rss.xml").read_bytes()
        self._outside = self._site.root / "outside"
        self._outside.write_text("unchanged")

    def create_input(self, random: Random) -> str:
        """Return the text of a manifest."""
        pairs = [
            f"{json.dumps(random.choice(self.PATHS))}: {random.choice(self.ENTRIES)}"
            for _ in range(random.randrange(5))
        ]
        text = random.choice(
            (
                self._good,
                self._good.rstrip().removesuffix("}") + "".join(f", {pair}" for pair in pairs) + "}",
                f"{{{', '.join(pairs)}}}",
            )
        )
        return (
            fuzzing.mutate(random, [text], ('"', "{", "}", "[", "]", ",", ":", "/..", "\\u0000", *NUMBERS))
            if random.random() < 0.4
            else text
        )

    def violations(self, manifest: str) -> list[str]:
        """Return the violations in the next export, and in a file outside its folder."""
        (self._public / MANIFEST).write_bytes(manifest.encode("utf-8", "surrogatepass"))
        done = self._site.run("build")
        found = [violation for line in done.stderr.splitlines() for violation in message_violations(line)]
        if done.returncode:
            found.append(f"exit code {done.returncode}: {done.stderr[:300]}")
        if (self._public / "rss.xml").read_bytes() != self._document:
            found.append("a document has changed")
        if self._outside.read_text() != "unchanged":
            found.append("a file outside the export has changed")
        return found


TARGETS: Mapping[str, Callable[[Path], Any]] = {
    "front-matter": FrontMatter,
    "configuration": Configuration,
    "requests": Requests,
    "logs": Logs,
    "manifests": Manifests,
}


def violations_of(target: Any, given: Any) -> list[str]:
    """Return the violations that an input leads to; an exception is one."""
    try:
        return list(target.violations(given))
    except Exception as error:
        traceback = error.__traceback__
        while traceback and traceback.tb_next:
            traceback = traceback.tb_next
        location = f"{Path(traceback.tb_frame.f_code.co_filename).name}:{traceback.tb_lineno}" if traceback else ""
        return [f"raises {type(error).__name__} at {location}: {error!s:.200}"]
