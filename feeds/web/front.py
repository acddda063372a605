"""The WSGI layer around Flask: documents and pages are answered straight from memory, Flask has everything else.

No byte of any answer depends on the request's Host, query or forwarding headers: URLs come from the configuration.
"""

import logging
import re
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from werkzeug.http import parse_accept_header

from feeds.documents import Documents
from feeds.errors import CatalogError, FeedsError
from feeds.text import quote_path
from feeds.web.answer import Answer, Headers, Sent, Variant, coding_for, sent
from feeds.web.hammering import Hammering

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
_ASK_AGAIN = "2"  # seconds after which a client may ask again for what is not there yet


class Front:
    """Answers what is in memory, and passes on what is not."""

    def __init__(
        self,
        documents: Documents[Answer],
        page: Callable[[str, bool], Answer | None],
        rest: WSGIApplication,
        *,
        aliases: Mapping[str, str],
        redirect: bool,
        deltas: bool,
        hammering: Hammering,
        note: Note | None,
        polled: Polled | None,
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

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request (PEP 3333)."""
        path = environ["PATH_INFO"]
        if not path.isascii():
            path = path.encode("latin-1", "replace").decode("utf-8", "replace")
        try:
            answer = self._find(path, environ)
        except FeedsError as error:
            return self._unavailable(environ, start_response, error)
        method = environ["REQUEST_METHOD"]
        if answer is None:
            return self._pass_on(environ, start_response)
        if method in {"GET", "HEAD"}:
            if self._redirect and path in self._aliases and answer.document.path != path:
                return self._moved(environ, start_response, answer.document.path)
            return self._answer(path, answer, environ, start_response)
        if method == "OPTIONS":
            return self._give(environ, start_response, answer.document.path, "204 No Content", _PREFLIGHT)
        text = "Only GET and HEAD are answered here.\n"
        headers = [("Allow", "GET, HEAD, OPTIONS"), ("Cache-Control", "no-store")]
        return self._say(environ, start_response, answer.document.path, "405 Method Not Allowed", text, headers)

    def _find(self, path: str, environ: WSGIEnvironment, *, newest: bool = False) -> Answer | None:
        answer = self._document(path, environ, newest=newest)
        if answer is None and (alias := self._aliases.get(path)):
            answer = self._document(alias, environ, newest=newest)
        elif answer is None:
            answer = self._page(path, newest)
        return answer

    def _document(self, path: str, environ: WSGIEnvironment, *, newest: bool) -> Answer | None:
        if "HTTP_IF_NONE_MATCH" in environ or "HTTP_IF_MODIFIED_SINCE" in environ:
            answer = self._documents.known(path)
            if answer is not None and (answer.document.body or self._is_unchanged(answer, environ)):
                return answer
        return self._documents.get(path, newest=newest)

    def _variant(self, answer: Answer, environ: WSGIEnvironment) -> Variant:
        coding = coding_for(environ.get("HTTP_ACCEPT_ENCODING", ""))
        return answer.variant(coding, self._following.hour, time.time())

    def _is_unchanged(self, answer: Answer, environ: WSGIEnvironment) -> bool:
        known, since = environ.get("HTTP_IF_NONE_MATCH"), environ.get("HTTP_IF_MODIFIED_SINCE")
        return answer.is_unchanged(self._variant(answer, environ), known, since)

    def _answer_newest(
        self, path: str, given: Answer, environ: WSGIEnvironment, start_response: StartResponse
    ) -> Iterable[bytes]:
        """Answer who has another version than `given`: it may be of a worker that knows a later revision than this one.

        So nobody who polls is ever led back to what was before.
        """
        since = environ.get("HTTP_IF_MODIFIED_SINCE")
        sure = self._following.catch_up(path, environ.get("HTTP_IF_NONE_MATCH") or since or "")
        try:
            answer = self._find(path, environ, newest=True)
            if answer is given and not sure and given.is_before(since):
                raise CatalogError(self._following.away or "whether there is a later version can't be told just now")
        except FeedsError as error:
            return self._unavailable(environ, start_response, error)
        if answer is None:
            return self._pass_on(environ, start_response)
        return self._answer(path, answer, environ, start_response, newest=True)

    def _answer(
        self,
        asked: str,
        answer: Answer,
        environ: WSGIEnvironment,
        start_response: StartResponse,
        *,
        newest: bool = False,
    ) -> Iterable[bytes]:
        variant = self._variant(answer, environ)
        known, since = environ.get("HTTP_IF_NONE_MATCH"), environ.get("HTTP_IF_MODIFIED_SINCE")
        path = answer.document.path
        if known is None and since is None:
            if seconds := self._hammering.wait(environ, path):
                return self._too_many(environ, start_response, path, seconds)
        elif answer.is_unchanged(variant, known, since):
            if self._note:
                self._note(environ, path, "304", 0)
            if self._polled:
                self._polled(environ, variant.unchanged)
            start_response("304 Not Modified", variant.not_modified)
            return []
        elif not newest:
            return self._answer_newest(asked, answer, environ, start_response)
        elif self._deltas and known and (delta := self._delta(answer, known, environ)):
            return self._give_delta(path, variant, self._variant(delta, environ), environ, start_response)
        body = variant.body if environ["REQUEST_METHOD"] == "GET" else []
        if self._note:
            self._note(environ, path, "200", len(variant.body[0]) if body else 0)
        if self._polled:
            afresh = known is None and since is None
            whole = variant.afresh if afresh else variant.whole
            self._polled(environ, whole if body else sent(path, 200, 0, conditional=not afresh))
        start_response("200 OK", variant.ok)
        return body

    def _delta(self, answer: Answer, known: str, environ: WSGIEnvironment) -> Answer | None:
        """Give what is new since a version that the client has, if it wants just that (RFC 3229)."""
        if parse_accept_header(environ.get("HTTP_A_IM", "").lower()[:_LONGEST]).quality("feed") <= 0:
            return None
        digests = _DIGEST.findall(known[:_LONGEST])
        try:
            return self._documents.delta(answer.document.path, digests) if digests else None
        except FeedsError:
            return None  # the whole document is there

    def _give_delta(
        self, path: str, whole: Variant, delta: Variant, environ: WSGIEnvironment, start_response: StartResponse
    ) -> Iterable[bytes]:
        """Answer 226 with the validators of the whole, and so that no cache takes it for the whole (RFC 3229 10.8)."""
        kept = {"Content-Type", "Content-Length", "Content-Encoding"}
        headers = [header for header in delta.ok if header[0] in kept]
        headers += [header for header in whole.not_modified if header[0] != "Cache-Control"]
        if self._polled:
            self._polled(environ, sent(path, 226, len(delta.body[0])))
        headers += [("IM", "feed"), ("Cache-Control", "no-store, im")]
        return self._give(environ, start_response, path, "226 IM Used", headers, delta.body[0])

    def _moved(self, environ: WSGIEnvironment, start_response: StartResponse, path: str) -> Iterable[bytes]:
        headers = [("Location", self._documents.site.feeds_url + quote_path(path)), CORS]
        headers.append(("Cache-Control", f"public, max-age={self._documents.site.max_age}"))
        return self._give(environ, start_response, path, "308 Permanent Redirect", [*headers, ("Content-Length", "0")])

    def _too_many(
        self, environ: WSGIEnvironment, start_response: StartResponse, path: str, seconds: int
    ) -> Iterable[bytes]:
        text = "Too many requests without If-None-Match or If-Modified-Since: keep the validators, and send them.\n"
        headers = [("Retry-After", str(seconds)), ("Cache-Control", "no-store"), CORS]
        return self._say(environ, start_response, path, "429 Too Many Requests", text, headers)

    def _unavailable(
        self, environ: WSGIEnvironment, start_response: StartResponse, error: FeedsError
    ) -> Iterable[bytes]:
        _LOG.info("%s: %s", environ["PATH_INFO"], error)
        headers = [("Retry-After", _ASK_AGAIN), ("Cache-Control", "no-store"), CORS]
        text = "This can't be served just now; ask again in a moment.\n"
        return self._say(environ, start_response, OTHER, "503 Service Unavailable", text, headers)

    def _say(
        self,
        environ: WSGIEnvironment,
        start_response: StartResponse,
        what: str,
        status: str,
        text: str,
        headers: Headers,
    ) -> Iterable[bytes]:
        body = text.encode()
        plain = [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(body)))]
        return self._give(environ, start_response, what, status, [*plain, *headers], body)

    def _give(
        self,
        environ: WSGIEnvironment,
        start_response: StartResponse,
        what: str,
        status: str,
        headers: Headers,
        body: bytes = b"",
    ) -> Iterable[bytes]:
        given = b"" if environ["REQUEST_METHOD"] == "HEAD" else body
        if self._note:
            self._note(environ, what, status[:3], len(given))
        start_response(status, headers)
        return [given] if given else []

    def _pass_on(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        note = self._note
        if note is None:
            return self._rest(environ, start_response)

        def noted(status: str, headers: Headers, *error: Any) -> Callable[[bytes], object]:
            length = dict(headers).get("Content-Length", "0") if environ["REQUEST_METHOD"] != "HEAD" else "0"
            note(environ, OTHER, status[:3], int(length))
            return start_response(status, headers, *error)

        return self._rest(environ, noted)
