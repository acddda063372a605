"""Serves `/stats`: the numbers of subscribers, for clients that have the token.

A thread renders the page at most every ten seconds; meanwhile, the last page is returned. The number of wrong tokens is
not limited: a limit that blocks a client would also block the owner behind the same proxy. The token is too long to be
guessed (`config.values`).
"""

import base64
import binascii
import hmac
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime

from werkzeug.wrappers import Request, Response

from feeds.catalog import Catalog
from feeds.pages.appearance import Appearance
from feeds.pages.stats import stats_page
from feeds.stats.report import Report
from feeds.stats.user_agents import UNNAMED
from feeds.web.response import Headers

_DAYS = 90  # the period that the page covers
_FRESH_S = 10.0  # until this age, a page is returned without rendering it again
_MAX_STALE_S = 60.0  # until this age, a page is returned while it is rendered again
_RENDER_TIMEOUT_S = 1.0  # for a request that waits for the page
_RETRY_AFTER = "2"  # seconds, if the page was not ready
_MAX_WORST_CLIENTS = 10  # that the page lists
_MAX_CRAWLERS = 20  # that the page lists


class StatsPage:
    """Renders the page of statistics and authorises clients to see it."""

    def __init__(self, catalog: Catalog, appearance: Appearance, token: str, headers: Headers) -> None:
        self._catalog = catalog
        self._appearance = appearance
        self._token = token.encode()
        self._headers = headers
        self._page = BackgroundValue(self._render)

    def respond(self, request: Request) -> Response:
        """Return the page if the request has the token, as a password (Basic) or a bearer token; else 401.

        Raise `FeedsError` if the page can't be rendered.
        """
        token = _token_of(request.headers.get("Authorization", ""))
        if token is None:
            return self._unauthorized("Log in with stats.token as the password, and any user name.")
        if not hmac.compare_digest(token, self._token):
            return self._unauthorized("The password is wrong: use the value of stats.token.")
        page = self._page.get()
        if page is None:
            response = _plain("The page is being rendered; try again in a few seconds.", 503)
            response.headers["Retry-After"] = _RETRY_AFTER
            return response
        response = Response(page, content_type="text/html; charset=utf-8")
        response.headers.extend(self._headers)
        return _private(response)

    @staticmethod
    def _unauthorized(message: str) -> Response:
        response = _plain(message, 401)
        response.headers["WWW-Authenticate"] = 'Basic realm="feeds statistics", charset="UTF-8"'
        return response

    def _render(self) -> str:
        now = datetime.now(UTC)
        with self._catalog.read_stats() as catalog:
            report = Report.of(catalog, now, _DAYS)
            top_unconditional = catalog.top_unconditional(f"{now:%Y-%m-%d}", _MAX_WORST_CLIENTS)
        return stats_page(
            self._appearance,
            f"{now:%Y-%m-%d}",
            report.day,
            _DAYS,
            {day: report.by_feed.get(day, {}) for day in report.days},
            {day: report.by_reader.get(day, {}) for day in report.days},
            report.feeds,
            UNNAMED,
            subscribers=report.subscribers,
            sums=report.sums,
            robots=report.robots[:_MAX_CRAWLERS],
            top_unconditional=top_unconditional,
        )


class BackgroundValue:
    """A text that is slow to compute: a thread computes it, while requests get the last one. Thread-safe."""

    def __init__(self, compute: Callable[[], str]) -> None:
        self._compute = compute
        self._text, self._computed_at = "", float("-inf")
        self._error: Exception | None = None
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def get(self) -> str | None:
        """Return a recent text, None if it is not ready yet. Raise the exception of the last computation."""
        age = time.monotonic() - self._computed_at
        if age < _FRESH_S:
            return self._text
        with self._lock:
            started = None
            if self._error is None and not (self._thread and self._thread.is_alive()):
                started = self._thread = threading.Thread(target=self._run, name="stats", daemon=True)
                started.start()
        if started and age >= _MAX_STALE_S:
            started.join(_RENDER_TIMEOUT_S)  # only the request that has started it waits
        error, self._error = self._error, None
        if error:
            raise error
        return self._text if time.monotonic() - self._computed_at < _MAX_STALE_S else None

    def _run(self) -> None:
        try:
            self._text, self._computed_at = self._compute(), time.monotonic()
        except Exception as error:  # raised by `get`
            self._error = error


def _token_of(authorization: str) -> bytes | None:
    """Return the token in an Authorization header (RFC 7617, RFC 6750); None if there is none."""
    scheme, _, credentials = authorization.partition(" ")
    if scheme.lower() == "bearer":
        return credentials.strip().encode()
    if scheme.lower() != "basic":
        return None
    try:
        return base64.b64decode(credentials.strip(), validate=True).partition(b":")[2]
    except (binascii.Error, ValueError):
        return b""


def _plain(text: str, status: int) -> Response:
    return _private(Response(f"{text}\n", status, content_type="text/plain; charset=utf-8"))


def _private(response: Response) -> Response:
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Robots-Tag"] = "noindex"
    response.headers["Referrer-Policy"] = "no-referrer"
    return response
