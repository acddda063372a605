"""A request, independent of the server that received it, and the check that each request must pass first.

`RsgiRequest` and `WsgiRequest` read header fields only on demand, because most responses depend on a few of them.
"""

from functools import lru_cache
from typing import Any, Protocol
from urllib.parse import unquote_to_bytes
from wsgiref.types import WSGIEnvironment

from feeds.web.response import Response

BAD_REQUEST = Response(
    400, [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", "0"), ("Cache-Control", "no-store")]
)
PROXY_HEADERS = ("x-forwarded-for", "forwarded", "via", "x-real-ip")


class Request(Protocol):
    """The parts of a request that responses depend on."""

    method: str
    path: str  # without percent-encoding; invalid UTF-8 is replaced
    if_none_match: str | None  # these header fields answer most requests
    accept_encoding: str  # "" if it is missing

    @property
    def if_modified_since(self) -> str | None:
        """The value of If-Modified-Since."""

    @property
    def is_conditional(self) -> bool:
        """Whether the request has If-None-Match or If-Modified-Since."""

    @property
    def is_forwarded(self) -> bool:
        """Whether the request has a header field of a proxy (`PROXY_HEADERS`)."""

    def header(self, name: str) -> str | None:
        """Return the value of a header field by its lower-case name; join repeated fields. None if it is missing."""

    @property
    def address(self) -> str:
        """The IP address of the connection."""

    @property
    def query(self) -> str:
        """The part of the URL after "?"."""

    @property
    def protocol(self) -> str:
        """The protocol's name and version, such as HTTP/1.1."""


class RsgiRequest:
    """A request from the scope of RSGI.

    RSGI keeps "_" and "-" in header names apart, so `X_Real_IP` is never mistaken for `X-Real-IP`.
    """

    __slots__ = ("_headers", "_scope", "accept_encoding", "if_none_match", "method", "path")

    def __init__(self, scope: Any) -> None:
        self._scope = scope
        self._headers = headers = scope.headers  # each access copies them
        self.method: str = scope.method
        path = scope.path
        self.path: str = unquote_to_bytes(path).decode("utf-8", "replace") if "%" in path else path
        self.if_none_match = _joined(headers.get_all("if-none-match"))
        self.accept_encoding = _joined(headers.get_all("accept-encoding")) or ""

    @property
    def if_modified_since(self) -> str | None:
        """The value of If-Modified-Since."""
        return self.header("if-modified-since")

    @property
    def is_conditional(self) -> bool:
        """Whether the request has a precondition (`Request.is_conditional`)."""
        return self.if_none_match is not None or "if-modified-since" in self._headers

    @property
    def is_forwarded(self) -> bool:
        """Whether a proxy has forwarded the request (`Request.is_forwarded`)."""
        headers = self._headers  # a loop would take twice the time
        return "x-forwarded-for" in headers or "forwarded" in headers or "via" in headers or "x-real-ip" in headers

    def header(self, name: str) -> str | None:
        """Return the value of a header field (`Request.header`)."""
        return _joined(self._headers.get_all(name))

    @property
    def address(self) -> str:
        """The IP address of the connection."""
        address: str = self._scope.client.rpartition(":")[0]
        return address.strip("[]")

    @property
    def query(self) -> str:
        """The part of the URL after "?"."""
        return self._scope.query_string  # type: ignore[no-any-return]

    @property
    def protocol(self) -> str:
        """The protocol's name and version."""
        return f"HTTP/{self._scope.http_version}"


class WsgiRequest:
    """A request from the environment of WSGI (PEP 3333).

    WSGI doesn't distinguish "_" and "-" in header names, so the server or the proxy must drop header fields with "_" in
    their names (docs/security.md).
    """

    __slots__ = ("_environ", "accept_encoding", "if_none_match", "method", "path")

    def __init__(self, environ: WSGIEnvironment) -> None:
        self._environ = environ
        self.method: str = environ["REQUEST_METHOD"]
        path = environ["PATH_INFO"]
        self.path: str = path if path.isascii() else path.encode("latin-1", "replace").decode("utf-8", "replace")
        self.if_none_match: str | None = environ.get("HTTP_IF_NONE_MATCH")
        self.accept_encoding: str = environ.get("HTTP_ACCEPT_ENCODING", "")

    @property
    def if_modified_since(self) -> str | None:
        """The value of If-Modified-Since."""
        return self._environ.get("HTTP_IF_MODIFIED_SINCE")

    @property
    def is_conditional(self) -> bool:
        """Whether the request has a precondition (`Request.is_conditional`)."""
        return "HTTP_IF_NONE_MATCH" in self._environ or "HTTP_IF_MODIFIED_SINCE" in self._environ

    @property
    def is_forwarded(self) -> bool:
        """Whether a proxy has forwarded the request (`Request.is_forwarded`)."""
        return any(_environ_key(name) in self._environ for name in PROXY_HEADERS)

    def header(self, name: str) -> str | None:
        """Return the value of a header field (`Request.header`)."""
        return self._environ.get(_environ_key(name))

    @property
    def address(self) -> str:
        """The IP address of the connection."""
        return self._environ.get("REMOTE_ADDR", "")  # type: ignore[no-any-return]

    @property
    def query(self) -> str:
        """The part of the URL after "?"."""
        return self._environ.get("QUERY_STRING", "")  # type: ignore[no-any-return]

    @property
    def protocol(self) -> str:
        """The protocol's name and version."""
        return self._environ.get("SERVER_PROTOCOL", "")  # type: ignore[no-any-return]


def _joined(values: list[str]) -> str | None:
    """Return the values of a header field as one (RFC 9110 section 5.3); None if there is none."""
    return ",".join(values) if values else None


@lru_cache(maxsize=100)
def _environ_key(name: str) -> str:
    """Return the key of a header field in the environment of WSGI."""
    return f"HTTP_{name.upper().replace('-', '_')}"


def has_one_host(request: Request) -> bool:
    """Return whether a request has one Host header; HTTP/1.0 needs none (RFC 9112 section 3.2).

    The values of a repeated header are joined with commas (RFC 9110 section 5.3). No host name has one.
    """
    host = request.header("host")
    return "," not in host if host is not None else request.protocol != "HTTP/1.1"
