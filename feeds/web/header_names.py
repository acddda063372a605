"""Checks that each request must pass first, independent of the server.

RSGI passes header fields as they were sent, so that `rsgi` can drop those with "_" in their names. PEP 3333 merges them
with those that have "-" before an application is called: there it is up to the server and the proxy (docs/security.md).
"""

from wsgiref.types import WSGIEnvironment

from feeds.web.response import Response

BAD_REQUEST = Response(
    400, [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", "0"), ("Cache-Control", "no-store")]
)


def has_one_host(environ: WSGIEnvironment) -> bool:
    """Return whether a request has one Host header; HTTP/1.0 needs none (RFC 9112 section 3.2).

    Servers join the values of a repeated header with commas (RFC 9110 section 5.3). No host name has one.
    """
    host = environ.get("HTTP_HOST")
    if host is None:
        return environ.get("SERVER_PROTOCOL") != "HTTP/1.1"
    return "," not in host
