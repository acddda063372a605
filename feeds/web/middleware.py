"""WSGI middleware that answers requests for documents and pages from memory, and passes all others to Flask.

`DocumentMiddleware.respond` is independent of the server. An event loop (`rsgi`) calls it with `WaitPolicy.MEMORY`, and
again in a thread if it must wait. Other servers call the middleware as a WSGI application, one thread per request.

No response depends on the request's Host, query or forwarding headers: URLs come from the configuration.
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

from feeds.core.errors import CatalogError, FeedsError
from feeds.core.text import quote_path
from feeds.render import Documents, RenderQueueFull, WaitPolicy
from feeds.web.cached_response import (
    CachedResponse,
    EncodedResponse,
    ResponseInfo,
    choose_coding,
    parse_http_date,
    response_info,
)
from feeds.web.health import Health
from feeds.web.not_modified import NotModifiedFinder
from feeds.web.rate_limit import RateLimiter
from feeds.web.request import BAD_REQUEST, Request, WsgiRequest, has_one_host
from feeds.web.response import Headers, Response

_LOG = logging.getLogger(__name__)

# the request, the path of the document or page ("" for anything else), the status, and the bytes of the response's body
RecordRequest = Callable[[Request, str, str, int], Any]
RecordPoll = Callable[[Request, ResponseInfo], Any]

SENDS_FILES_KEY = "feeds.sends_files"  # in the environment: whether the server sends files itself
FILE_KEY = "feeds.file"  # in the environment: the path of the file that such a server sends as the body
NO_DOCUMENT = ""  # recorded as the path of anything but a document or page
CORS = ("Access-Control-Allow-Origin", "*")  # for feed readers that run in a browser
_PREFLIGHT = [
    CORS,
    ("Access-Control-Allow-Methods", "GET, HEAD, OPTIONS"),
    ("Access-Control-Allow-Headers", "A-IM, Cache-Control, If-Modified-Since, If-None-Match"),
    ("Access-Control-Max-Age", "86400"),
    ("Allow", "GET, HEAD, OPTIONS"),
    ("Cache-Control", "public, max-age=86400"),
]
_MAX_DELTA_HEADER_CHARS = 500  # the part of A-IM and of If-None-Match that is read for a delta: a dozen validators
_DIGEST = re.compile(r'"([0-9a-f]{32})(?:-\w+)?"')  # in a document's ETag
_RANGE = r"(?:\d{1,18}-(?:\d{1,18})?|-\d{1,18})"
_RANGES = re.compile(rf"bytes={_RANGE}(?:,[ \t]?{_RANGE})*", re.ASCII)
_MAX_RANGE_CHARS = 1_000
_STATUSES_WITH_BODY = {200, 206}
_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/\d+")
_STATUS_LINES = {status.value: f"{status.value} {status.phrase}" for status in HTTPStatus}
_RETRY_AFTER = "2"  # seconds, with 503


class DocumentMiddleware:
    """Answers requests for documents, pages and `/healthz`."""

    def __init__(
        self,
        documents: Documents[CachedResponse],
        find_page: Callable[[str, bool, WaitPolicy], CachedResponse | None],
        flask_app: WSGIApplication,
        *,
        aliases: Mapping[str, str],
        redirects_aliases: bool,
        redirect_max_age: int,
        deltas: bool,
        rate_limiter: RateLimiter,
        record_request: RecordRequest | None,
        record_poll: RecordPoll | None,
        health: Health,
        error_headers: Headers,
    ) -> None:
        """Prepare to answer.

        Args:
            documents: the documents.
            find_page: returns the page at a path; its arguments are those of `ServedPages.get`.
            flask_app: answers all other requests.
            aliases: old paths of feeds, with the paths of their documents.
            redirects_aliases: whether a request for an alias gets a redirect; otherwise, it gets the document.
            redirect_max_age: seconds for which caches may use such a redirect.
            deltas: whether clients may request only the entries that are new to them (RFC 3229).
            rate_limiter: limits unconditional requests.
            record_request: called with each request, for the access log and metrics.
            record_poll: called with each response for a document or page, for statistics.
            health: the content of `/healthz`.
            error_headers: sent with each 503.
        """
        self._documents = documents
        self._revision_watcher = documents.revision_watcher
        self._find_page = find_page
        self._flask_app = flask_app
        self._aliases = aliases
        self._redirects_aliases = redirects_aliases
        self._redirect_max_age = redirect_max_age
        self._deltas = deltas
        self._rate_limiter = rate_limiter
        self._record_request = record_request
        self._record_poll = record_poll
        self._not_modified = NotModifiedFinder(documents, {} if redirects_aliases else aliases)
        self.health = health
        self._error_headers = error_headers

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request (PEP 3333)."""
        request = WsgiRequest(environ)
        response = self.respond(request)
        if response is None:
            return self._call_flask(request, environ, start_response)
        start_response(_STATUS_LINES[response.status], response.headers)
        return [response.body] if response.body else []

    def respond(self, request: Request, wait_policy: WaitPolicy = WaitPolicy.RENDER) -> Response | None:
        """Return the response to a request, None if Flask must answer it.

        Raise `WouldBlock` if the response takes more than `wait_policy` allows.
        """
        if not has_one_host(request):
            return BAD_REQUEST
        try:
            return self._respond(request.path, request, wait_policy)
        except FeedsError as error:
            return self._unavailable(request, error)

    def too_busy(self, request: Request) -> Response:
        """Return the response to a request beyond the limits of the thread pools: 503."""
        return self._unavailable(request, RenderQueueFull("too many requests are waiting"))

    def body_timeout(self, request: Request) -> Response:
        """Return the response to a request whose body did not arrive in time: 408 (RFC 9110 section 15.5.9)."""
        headers = [("Connection", "close"), ("Cache-Control", "no-store")]
        return self._text(request, NO_DOCUMENT, 408, "The body of the request did not arrive.\n", headers)

    def _respond(self, path: str, request: Request, wait_policy: WaitPolicy) -> Response | None:
        method = request.method
        if path == "/healthz":
            if method in {"GET", "HEAD"}:
                return self._health_response(request)
            return self._method_not_allowed(request, NO_DOCUMENT, "GET, HEAD")
        is_read = method in {"GET", "HEAD"}
        if is_read and (not_modified := self._not_modified.find(request, wait_policy)):
            return self._not_modified_response(request, not_modified.response, not_modified.info)
        cached = self._find(path, wait_policy)
        if cached is None:
            return None
        if is_read:
            if self._redirects_aliases and path in self._aliases and cached.document.path != path:
                return self._redirect(request, cached.document.path)
            return self._conditional_response(path, cached, request, wait_policy)
        if method == "OPTIONS":
            return self._recorded(request, cached.document.path, 204, _PREFLIGHT)
        return self._method_not_allowed(request, cached.document.path)

    def _method_not_allowed(self, request: Request, document: str, allowed: str = "GET, HEAD, OPTIONS") -> Response:
        headers = [("Allow", allowed), ("Cache-Control", "no-store")]
        return self._text(request, document, 405, f"Only {allowed} are allowed.\n", headers)

    def _health_response(self, request: Request) -> Response:
        content, status = self.health.report()
        body = f"{json.dumps(content)}\n".encode()
        headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
        return self._recorded(request, NO_DOCUMENT, status, [*headers, ("Cache-Control", "no-store")], body)

    def _find(self, path: str, wait_policy: WaitPolicy, *, newest: bool = False) -> CachedResponse | None:
        cached = self._documents.get(path, newest=newest, wait_policy=wait_policy)
        if cached is None and (alias := self._aliases.get(path)):
            cached = self._documents.get(alias, newest=newest, wait_policy=wait_policy)
        elif cached is None:
            cached = self._find_page(path, newest, wait_policy)
        return cached

    def _encoded(
        self, cached: CachedResponse, request: Request, wait_policy: WaitPolicy = WaitPolicy.RENDER
    ) -> EncodedResponse:
        coding = choose_coding(request.accept_encoding)
        return cached.encoded(coding, self._revision_watcher.next_change_at, time.time(), wait_policy)

    def _newest_response(
        self, path: str, cached: CachedResponse, request: Request, wait_policy: WaitPolicy
    ) -> Response | None:
        """Return the response, from the newest revision, to a client whose version differs from `cached`.

        Another worker may have sent the client a version of a later revision. Because of the check for newer revisions,
        no client receives an older version than it had before (monotonic reads).
        """
        since = request.if_modified_since
        is_newest = self._revision_watcher.check_for_newer(path, request.if_none_match or since or "", wait_policy)
        newest = self._find(path, wait_policy, newest=True)
        if newest is cached and not is_newest and cached.is_older_than(since):
            raise CatalogError(
                self._revision_watcher.unavailable_reason or "can't check the catalog for a later version"
            )
        if newest is None:
            return None
        return self._conditional_response(path, newest, request, wait_policy, is_newest=True)

    def _conditional_response(
        self,
        path: str,
        cached: CachedResponse,
        request: Request,
        wait_policy: WaitPolicy,
        *,
        is_newest: bool = False,
    ) -> Response | None:
        encoded = self._encoded(cached, request, wait_policy)
        document, etags = cached.document.path, request.if_none_match
        if not request.is_conditional:
            if seconds := self._rate_limiter.retry_after(request, document):
                return self._too_many_requests(request, document, seconds)
        elif cached.is_unchanged(encoded, etags, request.if_modified_since):
            return self._not_modified_response(request, encoded.not_modified, encoded.not_modified_info)
        elif not is_newest:
            return self._newest_response(path, cached, request, wait_policy)
        elif self._deltas and etags and (delta := self._find_delta(cached, etags, request, wait_policy)):
            return self._delta_response(document, encoded, self._encoded(delta, request, wait_policy), request)
        return self._full_response(document, encoded, request)

    def _not_modified_response(self, request: Request, response: Response, info: ResponseInfo) -> Response:
        if self._record_request:
            self._record_request(request, info.path, "304", 0)
        if self._record_poll:
            self._record_poll(request, info)
        return response

    def _full_response(self, document: str, encoded: EncodedResponse, request: Request) -> Response:
        has_body = request.method == "GET"
        if self._record_request:
            self._record_request(request, document, "200", len(encoded.body) if has_body else 0)
        if self._record_poll:
            info = encoded.conditional_info if request.is_conditional else encoded.unconditional_info
            if not has_body:
                info = response_info(document, 200, 0, is_conditional=request.is_conditional)
            self._record_poll(request, info)
        return encoded.response if has_body else encoded.response._replace(body=b"")

    def _find_delta(
        self, cached: CachedResponse, etags: str, request: Request, wait_policy: WaitPolicy
    ) -> CachedResponse | None:
        """Return the entries that are new since the client's version, if it accepts a delta (RFC 3229), else None."""
        accepted = parse_accept_header((request.header("a-im") or "").lower()[:_MAX_DELTA_HEADER_CHARS])
        if accepted.quality("feed") <= 0:
            return None
        digests = _DIGEST.findall(etags[:_MAX_DELTA_HEADER_CHARS])
        try:
            return self._documents.delta(cached.document.path, digests, wait_policy) if digests else None
        except FeedsError:
            return None  # the whole document can be sent

    def _delta_response(
        self, document: str, encoded: EncodedResponse, delta: EncodedResponse, request: Request
    ) -> Response:
        """Return 226 with the document's validators; caches must not use it as the document (RFC 3229 10.8)."""
        validators = {name for name, _ in encoded.not_modified.headers}
        headers = [header for header in delta.response.headers if header[0] not in validators]  # headers of the body
        headers += [header for header in encoded.not_modified.headers if header[0] != "Cache-Control"]
        if self._record_poll:
            self._record_poll(request, response_info(document, 226, len(delta.body)))
        headers += [("IM", "feed"), ("Cache-Control", "no-store, im")]
        return self._recorded(request, document, 226, headers, delta.body)

    def _redirect(self, request: Request, document: str) -> Response:
        headers = [("Location", self._documents.site.feeds_url + quote_path(document)), CORS]
        headers.append(("Cache-Control", f"public, max-age={self._redirect_max_age}"))
        return self._recorded(request, document, 308, [*headers, ("Content-Length", "0")])

    def _too_many_requests(self, request: Request, document: str, seconds: int) -> Response:
        text = "Too many requests without If-None-Match or If-Modified-Since. Store the ETag, and send it next time.\n"
        headers = [("Retry-After", str(seconds)), ("Cache-Control", "no-store"), CORS]
        return self._text(request, document, 429, text, headers)

    def _unavailable(self, request: Request, error: FeedsError) -> Response:
        _LOG.info("%s: %s", request.path, error)
        headers = [("Retry-After", _RETRY_AFTER), ("Cache-Control", "no-store"), CORS, *self._error_headers]
        text = "This can't be served at the moment; try again in a few seconds.\n"
        return self._text(request, NO_DOCUMENT, 503, text, headers)

    def _text(self, request: Request, document: str, status: int, text: str, headers: Headers) -> Response:
        body = text.encode()
        content_headers = [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(body)))]
        return self._recorded(request, document, status, [*content_headers, *headers], body)

    def _recorded(self, request: Request, document: str, status: int, headers: Headers, body: bytes = b"") -> Response:
        """Record the request and return the response, without a body if the method is HEAD."""
        body = b"" if request.method == "HEAD" else body
        if self._record_request:
            self._record_request(request, document, str(status), len(body))
        return Response(status, headers, body)

    def _call_flask(self, request: Request, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        _drop_invalid_conditions(environ)
        record_request = self._record_request
        if record_request is None:
            return self._flask_app(environ, start_response)

        def start_recorded(status: str, headers: Headers, *error: Any) -> Callable[[bytes], object]:
            length = dict(headers).get("Content-Length", "0") if request.method != "HEAD" else "0"
            record_request(request, NO_DOCUMENT, status[:3], int(length))
            return start_response(status, headers, *error)

        return self._flask_app(environ, start_recorded)

    def flask_response(self, request: Request, environ: WSGIEnvironment) -> Response:
        """Return Flask's response to a request. If the server sends a file, `file` is its path.

        `environ`: the request's complete environment (PEP 3333).
        """
        started: list[tuple[str, Headers]] = []

        def start_response(status: str, headers: Headers, *_error: Any) -> Callable[[bytes], object]:
            started.append((status, headers))
            return _reject_write

        parts = self._call_flask(request, environ, start_response)
        try:
            body = b"" if FILE_KEY in environ else b"".join(parts)
        finally:
            if hasattr(parts, "close"):
                parts.close()
        status, headers = int(started[0][0][:3]), started[0][1]
        if FILE_KEY not in environ or status not in _STATUSES_WITH_BODY:
            return Response(status, headers, body)
        content_range = _CONTENT_RANGE.fullmatch(dict(headers).get("Content-Range", ""))
        byte_range = (int(content_range[1]), int(content_range[2]) + 1) if content_range else None
        return Response(status, headers, b"", environ[FILE_KEY], byte_range)


def _drop_invalid_conditions(environ: WSGIEnvironment) -> None:
    """Remove invalid dates and ranges, for which Flask would answer 500.

    Invalid conditions are ignored (RFC 9110 sections 13.1.3 to 13.1.5), and so are invalid ranges (14.2).
    """
    for name in ("HTTP_IF_MODIFIED_SINCE", "HTTP_IF_UNMODIFIED_SINCE"):
        if name in environ and parse_http_date(environ[name]) is None:
            del environ[name]
    condition = environ.get("HTTP_IF_RANGE", '"')
    if not condition.startswith(('"', "W/")) and parse_http_date(condition) is None:
        del environ["HTTP_IF_RANGE"]
        environ.pop("HTTP_RANGE", None)
    ranges = environ.get("HTTP_RANGE", "bytes=0-")
    if len(ranges) > _MAX_RANGE_CHARS or not _RANGES.fullmatch(ranges):
        del environ["HTTP_RANGE"]


def _reject_write(_data: bytes) -> None:
    raise AssertionError("Flask returns bodies and never calls write()")
