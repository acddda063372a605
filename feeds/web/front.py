"""What a request is answered with: documents and pages straight from memory, and Flask has everything else.

`Front.respond` knows no server. One with an event loop asks it with no patience, and leaves what must wait to threads
(`rsgi`); any other calls `Front` as a WSGI application, one thread for each request.

No byte of any answer depends on the request's Host, query or forwarding headers: URLs come from the configuration.
"""

import json
import logging
import re
import time
from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from werkzeug.http import parse_accept_header

from feeds.documents import Busy, Documents, Patience
from feeds.errors import CatalogError, FeedsError
from feeds.text import quote_path
from feeds.web.answer import Answer, Sent, Variant, coding_for, date_of, sent
from feeds.web.edge import BAD_REQUEST, names_one_host
from feeds.web.hammering import Hammering
from feeds.web.health import Health
from feeds.web.response import Headers, Response

_LOG = logging.getLogger(__name__)

Note = Callable[[WSGIEnvironment, str, str, int], Any]  # the request; what was asked for, status, bytes of the answer
Polled = Callable[[WSGIEnvironment, Sent], Any]

_LONGEST = 500  # characters of a header that are looked at for a delta: a dozen validators
_DIGEST = re.compile(r'"([0-9a-f]{32})(?:-\w+)?"')  # in a validator of ours
OTHER = ""  # what was asked for is no document
CORS = ("Access-Control-Allow-Origin", "*")  # readers that run in a browser
_PREFLIGHT = [
    CORS,
    ("Access-Control-Allow-Methods", "GET, HEAD, OPTIONS"),
    ("Access-Control-Allow-Headers", "A-IM, Cache-Control, If-Modified-Since, If-None-Match"),
    ("Access-Control-Max-Age", "86400"),
    ("Allow", "GET, HEAD, OPTIONS"),
    ("Cache-Control", "public, max-age=86400"),
]
SENDS_FILES = "feeds.sends_files"  # in the environment: whether the server sends files by itself
FILE = "feeds.file"  # and then the path of the file that is the response's body
_RANGE = r"(?:\d{1,18}-(?:\d{1,18})?|-\d{1,18})"
_RANGES = re.compile(rf"bytes={_RANGE}(?:,[ \t]?{_RANGE})*", re.ASCII)
_LONGEST_RANGE = 1_000  # characters
_WITH_BODY = {200, 206}
_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/\d+")
_STATUS_LINES = {status.value: f"{status.value} {status.phrase}" for status in HTTPStatus}
_ASK_AGAIN = "2"  # seconds after which a client may ask again for what is not there yet


class Front:
    """Answers what is in memory, and says what is not."""

    def __init__(
        self,
        documents: Documents[Answer],
        page: Callable[[str, bool, Patience], Answer | None],
        rest: WSGIApplication,
        *,
        aliases: Mapping[str, str],
        redirect: bool,
        deltas: bool,
        hammering: Hammering,
        note: Note | None,
        polled: Polled | None,
        health: Health,
    ) -> None:
        self._documents = documents
        self._following = documents.following
        self._page = page
        self._rest = rest
        self._aliases = aliases
        self._redirect = redirect
        self._deltas = deltas
        self._hammering = hammering
        self._note = note
        self._polled = polled
        self.health = health

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request (PEP 3333)."""
        response = self.respond(environ) if names_one_host(environ) else BAD_REQUEST
        if response is None:
            return self._pass_on(environ, start_response)
        start_response(_STATUS_LINES[response.status], response.headers)
        return [response.body] if response.body else []

    def respond(self, environ: WSGIEnvironment, patience: Patience = Patience.RENDER) -> Response | None:
        """Return the response to a request (PEP 3333's environment); None if it is Flask's to answer.

        Raises `MustWait` if that takes more patience.
        """
        path = environ["PATH_INFO"]
        if not path.isascii():
            path = path.encode("latin-1", "replace").decode("utf-8", "replace")
        try:
            return self._respond(path, environ, patience)
        except FeedsError as error:
            return self._unavailable(environ, error)

    def too_busy(self, environ: WSGIEnvironment) -> Response:
        """Return the response to a request for which there is no room now."""
        return self._unavailable(environ, Busy("too many requests are waiting"))

    def no_body(self, environ: WSGIEnvironment) -> Response:
        """Return the response to a request whose body did not arrive in time (RFC 9110 section 15.5.9)."""
        headers = [("Connection", "close"), ("Cache-Control", "no-store")]
        return self._say(environ, OTHER, 408, "The body of the request did not arrive.\n", headers)

    def _respond(self, path: str, environ: WSGIEnvironment, patience: Patience) -> Response | None:
        method = environ["REQUEST_METHOD"]
        if path == "/healthz":
            return (
                self._say_health(environ)
                if method in {"GET", "HEAD"}
                else self._refuse_method(environ, OTHER, "GET, HEAD")
            )
        answer = self._find(path, environ, patience)
        if answer is None:
            return None
        if method in {"GET", "HEAD"}:
            if self._redirect and path in self._aliases and answer.document.path != path:
                return self._moved(environ, answer.document.path)
            return self._answer(path, answer, environ, patience)
        if method == "OPTIONS":
            return self._give(environ, answer.document.path, 204, _PREFLIGHT)
        return self._refuse_method(environ, answer.document.path)

    def _refuse_method(self, environ: WSGIEnvironment, what: str, allowed: str = "GET, HEAD, OPTIONS") -> Response:
        text = "Only GET and HEAD are answered here.\n"
        headers = [("Allow", allowed), ("Cache-Control", "no-store")]
        return self._say(environ, what, 405, text, headers)

    def _say_health(self, environ: WSGIEnvironment) -> Response:
        facts, status = self.health.said()
        body = f"{json.dumps(facts)}\n".encode()
        headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
        return self._give(environ, OTHER, status, [*headers, ("Cache-Control", "no-store")], body)

    def _find(self, path: str, environ: WSGIEnvironment, patience: Patience, *, newest: bool = False) -> Answer | None:
        answer = self._document(path, environ, patience, newest=newest)
        if answer is None and (alias := self._aliases.get(path)):
            answer = self._document(alias, environ, patience, newest=newest)
        elif answer is None:
            answer = self._page(path, newest, patience)
        return answer

    def _document(self, path: str, environ: WSGIEnvironment, patience: Patience, *, newest: bool) -> Answer | None:
        if "HTTP_IF_NONE_MATCH" in environ or "HTTP_IF_MODIFIED_SINCE" in environ:
            answer = self._documents.known(path, patience)
            if answer is not None and (answer.document.body or self._is_unchanged(answer, environ)):
                return answer
        return self._documents.get(path, newest=newest, patience=patience)

    def _variant(self, answer: Answer, environ: WSGIEnvironment, patience: Patience = Patience.RENDER) -> Variant:
        coding = coding_for(environ.get("HTTP_ACCEPT_ENCODING", ""))
        return answer.variant(coding, self._following.hour, time.time(), patience)

    def _is_unchanged(self, answer: Answer, environ: WSGIEnvironment) -> bool:
        known, since = environ.get("HTTP_IF_NONE_MATCH"), environ.get("HTTP_IF_MODIFIED_SINCE")
        return answer.is_unchanged(self._variant(answer, environ), known, since)

    def _answer_newest(self, path: str, given: Answer, environ: WSGIEnvironment, patience: Patience) -> Response | None:
        """Answer who has another version than `given`: it may be of a worker that knows a later revision than this one.

        So nobody who polls is ever led back to what was before.
        """
        since = environ.get("HTTP_IF_MODIFIED_SINCE")
        sure = self._following.catch_up(path, environ.get("HTTP_IF_NONE_MATCH") or since or "", patience)
        answer = self._find(path, environ, patience, newest=True)
        if answer is given and not sure and given.is_before(since):
            raise CatalogError(self._following.away or "whether there is a later version can't be told just now")
        if answer is None:
            return None
        return self._answer(path, answer, environ, patience, newest=True)

    def _answer(
        self, asked: str, answer: Answer, environ: WSGIEnvironment, patience: Patience, *, newest: bool = False
    ) -> Response | None:
        variant = self._variant(answer, environ, patience)
        known, since = environ.get("HTTP_IF_NONE_MATCH"), environ.get("HTTP_IF_MODIFIED_SINCE")
        path = answer.document.path
        if known is None and since is None:
            if seconds := self._hammering.wait(environ, path):
                return self._too_many(environ, path, seconds)
        elif answer.is_unchanged(variant, known, since):
            if self._note:
                self._note(environ, path, "304", 0)
            if self._polled:
                self._polled(environ, variant.unchanged)
            return variant.unchanged_response
        elif not newest:
            return self._answer_newest(asked, answer, environ, patience)
        elif self._deltas and known and (delta := self._delta(answer, known, environ, patience)):
            return self._give_delta(path, variant, self._variant(delta, environ, patience), environ)
        whole = environ["REQUEST_METHOD"] == "GET"
        if self._note:
            self._note(environ, path, "200", len(variant.body) if whole else 0)
        if self._polled:
            afresh = known is None and since is None
            told = variant.afresh if afresh else variant.whole
            self._polled(environ, told if whole else sent(path, 200, 0, conditional=not afresh))
        return variant.response if whole else variant.response._replace(body=b"")

    def _delta(self, answer: Answer, known: str, environ: WSGIEnvironment, patience: Patience) -> Answer | None:
        """Give what is new since a version that the client has, if it wants just that (RFC 3229)."""
        if parse_accept_header(environ.get("HTTP_A_IM", "").lower()[:_LONGEST]).quality("feed") <= 0:
            return None
        digests = _DIGEST.findall(known[:_LONGEST])
        try:
            return self._documents.delta(answer.document.path, digests, patience) if digests else None
        except FeedsError:
            return None  # the whole document is there

    def _give_delta(self, path: str, whole: Variant, delta: Variant, environ: WSGIEnvironment) -> Response:
        """Answer 226 with the validators of the whole, and so that no cache takes it for the whole (RFC 3229 10.8)."""
        kept = {"Content-Type", "Content-Length", "Content-Encoding"}
        headers = [header for header in delta.response.headers if header[0] in kept]
        headers += [header for header in whole.unchanged_response.headers if header[0] != "Cache-Control"]
        if self._polled:
            self._polled(environ, sent(path, 226, len(delta.body)))
        headers += [("IM", "feed"), ("Cache-Control", "no-store, im")]
        return self._give(environ, path, 226, headers, delta.body)

    def _moved(self, environ: WSGIEnvironment, path: str) -> Response:
        headers = [("Location", self._documents.site.feeds_url + quote_path(path)), CORS]
        headers.append(("Cache-Control", f"public, max-age={self._documents.site.max_age}"))
        return self._give(environ, path, 308, [*headers, ("Content-Length", "0")])

    def _too_many(self, environ: WSGIEnvironment, path: str, seconds: int) -> Response:
        text = "Too many requests without If-None-Match or If-Modified-Since: keep the validators, and send them.\n"
        headers = [("Retry-After", str(seconds)), ("Cache-Control", "no-store"), CORS]
        return self._say(environ, path, 429, text, headers)

    def _unavailable(self, environ: WSGIEnvironment, error: FeedsError) -> Response:
        _LOG.info("%s: %s", environ["PATH_INFO"], error)
        headers = [("Retry-After", _ASK_AGAIN), ("Cache-Control", "no-store"), CORS]
        return self._say(environ, OTHER, 503, "This can't be served just now; ask again in a moment.\n", headers)

    def _say(self, environ: WSGIEnvironment, what: str, status: int, text: str, headers: Headers) -> Response:
        body = text.encode()
        plain = [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(body)))]
        return self._give(environ, what, status, [*plain, *headers], body)

    def _give(self, environ: WSGIEnvironment, what: str, status: int, headers: Headers, body: bytes = b"") -> Response:
        given = b"" if environ["REQUEST_METHOD"] == "HEAD" else body
        if self._note:
            self._note(environ, what, str(status), len(given))
        return Response(status, headers, given)

    def _pass_on(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        _drop_impossible(environ)
        note = self._note
        if note is None:
            return self._rest(environ, start_response)

        def noted(status: str, headers: Headers, *error: Any) -> Callable[[bytes], object]:
            length = dict(headers).get("Content-Length", "0") if environ["REQUEST_METHOD"] != "HEAD" else "0"
            note(environ, OTHER, status[:3], int(length))
            return start_response(status, headers, *error)

        return self._rest(environ, noted)

    def ask_flask(self, environ: WSGIEnvironment) -> Response:
        """Return Flask's response to a request; of a file, its path (`FILE`), which the server sends."""
        said: list[tuple[str, Headers]] = []

        def start_response(status: str, headers: Headers, *_error: Any) -> Callable[[bytes], object]:
            said.append((status, headers))
            return _no_write

        parts = self._pass_on(environ, start_response)
        try:
            body = b"" if FILE in environ else b"".join(parts)
        finally:
            if hasattr(parts, "close"):
                parts.close()
        status, headers = int(said[0][0][:3]), said[0][1]
        if FILE not in environ or status not in _WITH_BODY:
            return Response(status, headers, body)
        part = _CONTENT_RANGE.fullmatch(dict(headers).get("Content-Range", ""))
        return Response(status, headers, b"", environ[FILE], (int(part[1]), int(part[2]) + 1) if part else None)


def _drop_impossible(environ: WSGIEnvironment) -> None:
    """Leave out dates that are none and numbers that no file has, which Flask would take for its own mistake.

    A condition that can't be read is ignored (RFC 9110 sections 13.1.3 to 13.1.5), and so is such a range (14.2).
    """
    for name in ("HTTP_IF_MODIFIED_SINCE", "HTTP_IF_UNMODIFIED_SINCE"):
        if name in environ and date_of(environ[name]) is None:
            del environ[name]
    condition = environ.get("HTTP_IF_RANGE", '"')
    if not condition.startswith(('"', "W/")) and date_of(condition) is None:
        del environ["HTTP_IF_RANGE"]
        environ.pop("HTTP_RANGE", None)
    ranges = environ.get("HTTP_RANGE", "bytes=0-")
    if len(ranges) > _LONGEST_RANGE or not _RANGES.fullmatch(ranges):
        del environ["HTTP_RANGE"]


def _no_write(_data: bytes) -> None:
    raise AssertionError("Flask returns what it has to say")
