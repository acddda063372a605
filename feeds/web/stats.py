"""`/stats`: who reads, for who has the token.

It is made anew at most every ten seconds, and nobody may guess for long: after ten wrong tokens a client waits for the
rest of the minute, and whoever can't be told apart is one client.
"""

import base64
import binascii
import hmac
import threading
import time
from datetime import UTC, datetime

from werkzeug.wrappers import Request, Response

from feeds.audience import Report, in_bytes
from feeds.catalog import Catalog
from feeds.pages.stats import stats_page
from feeds.web.answer import Headers
from feeds.web.clients import Clients
from feeds.web.window import Window

_DAYS = 90
_MOST = 10  # wrong tokens in a minute
_ROOM = 10_000  # clients whose guesses are counted; beyond that nobody may guess
_KEPT = 10.0  # seconds for which a page is given out again
_WORST = 10
_ROBOTS = 20


class StatsPage:
    """Decides who may see it, and makes it."""

    def __init__(self, catalog: Catalog, site: str, token: str, clients: Clients, headers: Headers) -> None:
        self._catalog = catalog
        self._site = site
        self._token = token.encode()
        self._clients = clients
        self._headers = headers
        self._wrong = Window(_ROOM)
        self._making = threading.Lock()
        self._made: tuple[float, str] | None = None

    def answer(self, request: Request) -> Response:
        """Answer with the page, to who gives the token as a password (Basic) or a bearer token. Raises `FeedsError`."""
        given = _given(request.headers.get("Authorization", ""))
        if given is None:
            return self._ask("This page is for its owner. The password is stats.token; any user name will do.")
        client = self._clients.network(self._clients.said(request.environ)) or ""
        if self._wrong.count(client) >= _MOST or self._wrong.is_full:
            response = _plain("Too many wrong tokens.", 429)
            response.headers["Retry-After"] = str(Window.left())
            return response
        if not hmac.compare_digest(given, self._token):
            self._wrong.add(client)
            return self._ask("That is not stats.token.")
        response = Response(self._page(), content_type="text/html; charset=utf-8")
        response.headers.extend(self._headers)
        return _private(response)

    @staticmethod
    def _ask(why: str) -> Response:
        response = _plain(why, 401)
        response.headers["WWW-Authenticate"] = 'Basic realm="who reads", charset="UTF-8"'
        return response

    def _page(self) -> str:
        with self._making:
            now = time.monotonic()
            if self._made is None or now - self._made[0] > _KEPT:
                self._made = now, self._make(datetime.now(UTC))
            return self._made[1]

    def _make(self, now: datetime) -> str:
        with self._catalog.reading() as catalog:
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
