"""`/stats`: the numbers of subscribers, for clients that have the token.

A thread of its own makes the page, at most every ten seconds; meanwhile the last one is returned. Wrong tokens are not
counted: a limit that shuts out a client also shuts out the owner behind the same proxy. The length of the token makes
it impossible to guess (`config.values`).
"""

import base64
import binascii
import hmac
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime

from werkzeug.wrappers import Request, Response

from feeds.audience import Report, in_bytes
from feeds.catalog import Catalog
from feeds.pages.stats import stats_page
from feeds.web.response import Headers

_DAYS = 90
_KEPT = 10.0  # seconds for which a page is given out again
_OLDEST = 60.0  # seconds for which it is while another is made
_PATIENCE = 1.0  # seconds for which a request waits for the page
_ASK_AGAIN = "2"  # seconds after which a client may ask for one that was not ready
_WORST = 10
_ROBOTS = 20


class StatsPage:
    """Decides who may see it, and makes it."""

    def __init__(self, catalog: Catalog, site: str, token: str, headers: Headers) -> None:
        self._catalog = catalog
        self._site = site
        self._token = token.encode()
        self._headers = headers
        self._page = Made(self._make)

    def answer(self, request: Request) -> Response:
        """Answer with the page, to who gives the token as a password (Basic) or a bearer token. Raises `FeedsError`."""
        given = _given(request.headers.get("Authorization", ""))
        if given is None:
            return self._ask("This page is for its owner. The password is stats.token; any user name will do.")
        if not hmac.compare_digest(given, self._token):
            return self._ask("That is not stats.token.")
        page = self._page.get()
        if page is None:
            response = _plain("The page is being made; ask again in a moment.", 503)
            response.headers["Retry-After"] = _ASK_AGAIN
            return response
        response = Response(page, content_type="text/html; charset=utf-8")
        response.headers.extend(self._headers)
        return _private(response)

    @staticmethod
    def _ask(why: str) -> Response:
        response = _plain(why, 401)
        response.headers["WWW-Authenticate"] = 'Basic realm="who reads", charset="UTF-8"'
        return response

    def _make(self) -> str:
        now = datetime.now(UTC)
        with self._catalog.read_stats() as catalog:
            report = Report.of(catalog, now, _DAYS)
            worst = catalog.worst(f"{now:%Y-%m-%d}", _WORST)
        return stats_page(
            self._site,
            f"{now:%Y-%m-%d}",
            report.day,
            _DAYS,
            {day: report.by_feed.get(day, {}) for day in report.days},
            report.feeds,
            by_reader={day: report.by_reader.get(day, {}) for day in report.days},
            subscribers=report.subscribers,
            sums=report.sums,
            robots=report.robots[:_ROBOTS],
            worst=worst,
            in_bytes=in_bytes,
        )


class Made:
    """A text that takes long to make, by a thread of its own. Any number of threads may ask for it."""

    def __init__(self, make: Callable[[], str]) -> None:
        self._make = make
        self._text, self._at = "", float("-inf")
        self._error: Exception | None = None
        self._maker: threading.Thread | None = None
        self._lock = threading.Lock()

    def get(self) -> str | None:
        """Return the text, made a moment ago; None if it is not ready yet. Raises what making it raised."""
        age = time.monotonic() - self._at
        if age < _KEPT:
            return self._text
        with self._lock:
            started = None
            if self._error is None and not (self._maker and self._maker.is_alive()):
                started = self._maker = threading.Thread(target=self._run, name="stats", daemon=True)
                started.start()
        if started and age >= _OLDEST:
            started.join(_PATIENCE)  # the request that has started it; others return at once
        error, self._error = self._error, None
        if error:
            raise error
        return self._text if time.monotonic() - self._at < _OLDEST else None

    def _run(self) -> None:
        try:
            self._text, self._at = self._make(), time.monotonic()
        except Exception as error:  # which `get` raises
            self._error = error


def _given(authorization: str) -> bytes | None:
    """Give the token in an Authorization header (RFC 7617, RFC 6750); None if there is none."""
    kind, _, said = authorization.partition(" ")
    if kind.lower() == "bearer":
        return said.strip().encode()
    if kind.lower() != "basic":
        return None
    try:
        return base64.b64decode(said.strip(), validate=True).partition(b":")[2]
    except (binascii.Error, ValueError):
        return b""


def _plain(text: str, status: int) -> Response:
    return _private(Response(f"{text}\n", status, content_type="text/plain; charset=utf-8"))


def _private(response: Response) -> Response:
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Robots-Tag"] = "noindex"
    response.headers["Referrer-Policy"] = "no-referrer"
    return response
