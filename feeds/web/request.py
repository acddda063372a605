"""A request, independent of the server that received it, and the check that each request must pass first.

`RsgiRequest` and `WsgiRequest` read only what is asked for: most requests are answered after a few header fields.
"""

from collections.abc import Iterable
from functools import lru_cache
from typing import Any, Protocol
from urllib.parse import unquote_to_bytes
from wsgiref.types import WSGIEnvironment

from feeds.web.response import Response

BAD_REQUEST = Response(
    400, [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", "0"), ("Cache-Control", "no-store")]
)


class Request(Protocol):
    """The parts of a request that responses depend on."""

    method: str
    path: str  # without percent-encoding; invalid UTF-8 is replaced
    if_none_match: str | None  # the header fields that most requests are answered by
    if_modified_since: str | None
    is_conditional: bool  # whether it has one of the two

    def header(self, name: str) -> str | None:
        """Return the value of a header field by its name in lower case, repeated ones joined; None if it is missing."""

    def has_any(self, names: Iterable[str]) -> bool:
        """Return whether a request has one of these header fields, by their names in lower case."""

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

    __slots__ = ("_headers", "_scope", "if_modified_since", "if_none_match", "is_conditional", "method", "path")

    def __init__(self, scope: Any) -> None:
        self._scope = scope
        self._headers = scope.headers  # each access copies them
        self.method: str = scope.method
        path = scope.path
        self.path: str = unquote_to_bytes(path).decode("utf-8", "replace") if "%" in path else path
        self.if_none_match = self.header("if-none-match")
        self.if_modified_since = self.header("if-modified-since")
        self.is_conditional = self.if_none_match is not None or self.if_modified_since is not None

    def header(self, name: str) -> str | None:
        """Return the value of a header field (`Request.header`)."""
        values = self._headers.get_all(name)
        return ",".join(values) if values else None

    def has_any(self, names: Iterable[str]) -> bool:
        """Return whether the request has one of these header fields (`Request.has_any`)."""
        for name in names:  # noqa: SIM110  # on the path of each request, where `any` takes twice the time
            if name in self._headers:
                return True
        return False

    @property
    def address(self) -> str:
        """The IP address of the connection."""
        return self._scope.client.rpartition(":")[0].strip("[]")  # type: ignore[no-any-return]

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

    __slots__ = ("_environ", "if_modified_since", "if_none_match", "is_conditional", "method", "path")

    def __init__(self, environ: WSGIEnvironment) -> None:
        self._environ = environ
        self.method: str = environ["REQUEST_METHOD"]
        path = environ["PATH_INFO"]
        self.path: str = path if path.isascii() else path.encode("latin-1", "replace").decode("utf-8", "replace")
        self.if_none_match: str | None = environ.get("HTTP_IF_NONE_MATCH")
        self.if_modified_since: str | None = environ.get("HTTP_IF_MODIFIED_SINCE")
        self.is_conditional = self.if_none_match is not None or self.if_modified_since is not None

    def header(self, name: str) -> str | None:
        """Return the value of a header field (`Request.header`)."""
        return self._environ.get(_environ_key(name))

    def has_any(self, names: Iterable[str]) -> bool:
        """Return whether the request has one of these header fields (`Request.has_any`)."""
        return any(_environ_key(name) in self._environ for name in names)

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


@lru_cache(maxsize=100)
def _environ_key(name: str) -> str:
    """Return the key of a header field in the environment of WSGI."""
    return f"HTTP_{name.upper().replace('-', '_')}"


def has_one_host(request: Request) -> bool:
    """Return whether a request has one Host header; HTTP/1.0 needs none (RFC 9112 section 3.2).

    The values of a repeated header are joined with commas (RFC 9110 section 5.3). No host name has one.
    """
    host = request.header("host")
    if host is None:
        return request.protocol != "HTTP/1.1"
    return "," not in host
