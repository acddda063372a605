"""A document's answer: 200 or 304, whole or compressed, with the headers that pollers and caches need (RFC 9110)."""

from typing import Any

from werkzeug.datastructures import Accept
from werkzeug.http import parse_accept_header
from werkzeug.wrappers import Response

from feeds.model import Document

_PREFERRED = ("br", "gzip")  # smallest first


def document(shown: Document, max_age: int, environ: dict[str, Any]) -> Response:
    """Answer a GET or HEAD for a document."""
    coding = _coding(shown, environ)
    body = shown.encodings[coding] if coding else shown.body
    response = Response(body, content_type=shown.media_type)
    headers = response.headers
    headers["Cache-Control"] = f"public, max-age={max_age}"
    headers["Vary"] = "Accept-Encoding"
    headers["Access-Control-Allow-Origin"] = "*"  # readers that run in a browser
    headers["X-Content-Type-Options"] = "nosniff"
    if coding:
        headers["Content-Encoding"] = coding
    # RFC 9110 8.8.3.3: one strong validator for each encoding
    response.set_etag(shown.digest + (f"-{coding}" if coding else ""))
    response.last_modified = shown.changed
    return response.make_conditional(environ)


def _coding(shown: Document, environ: dict[str, Any]) -> str | None:
    """Choose the content coding that the client likes best, ours among equals (RFC 9110 12.5.3); None for none."""
    accepted = parse_accept_header(environ.get("HTTP_ACCEPT_ENCODING", ""), Accept)
    best, best_quality = None, max((quality for coding, quality in accepted if coding == "identity"), default=0.0)
    for coding in _PREFERRED:
        quality = accepted.quality(coding)
        if coding in shown.encodings and quality > best_quality:
            best, best_quality = coding, quality
    return best
