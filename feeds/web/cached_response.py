"""The HTTP responses for one document: 200, 304 and HEAD, plain or compressed, built once and kept (RFC 9110, 9111).

The validators, Cache-Control and content headers are added here; `feeds.web` passes all other headers. Two of the added
headers depend on the time and are renewed: Cache-Control, because its `max-age` counts down to the next scheduled
change of the site, and Last-Modified, which is never in the future.
"""

from dataclasses import dataclass
from functools import lru_cache

from werkzeug.datastructures import Accept
from werkzeug.http import http_date, parse_accept_header, parse_date, parse_etags

from feeds.compression import CODINGS, encode
from feeds.core.model import Document
from feeds.render import WaitPolicy, WouldBlock
from feeds.render.cache_policy import CachePolicy
from feeds.web.response import Headers, Response

_MAX_HEADER_CHARS = 1000  # a longer Accept-Encoding is ignored
_MAX_DATE_CHARS = 64
_MIN_QUALITY = 0.001  # RFC 9110 12.4.2; a smaller quality is a refusal


@dataclass(frozen=True, slots=True, eq=False)  # equal values are the same object, so counting compares only identities
class ResponseInfo:
    """The facts about a response that statistics count."""

    path: str  # of the document
    status: int
    is_conditional: bool  # whether the request had a validator
    size: int  # bytes of the body
    saved: int  # bytes of the body that a 304 made unnecessary


@lru_cache(maxsize=4096)
def response_info(path: str, status: int, size: int, saved: int = 0, *, is_conditional: bool = True) -> ResponseInfo:
    """Return the `ResponseInfo` with these values, the same object each time."""
    return ResponseInfo(path, status, is_conditional, size, saved)


@dataclass(slots=True)
class EncodedResponse:
    """The responses for a document in one content coding."""

    etag: str
    last_modified: str | None  # the value of Last-Modified; None if the document's own time is in the future
    body: bytes
    response: Response
    not_modified: Response
    next_change_at: float  # the next change of the site, for which the headers were computed
    valid_until: float  # when the headers must be computed again
    conditional_info: ResponseInfo  # for a 200 to a request with a validator
    unconditional_info: ResponseInfo  # for a 200 to a request without a validator
    not_modified_info: ResponseInfo


class CachedResponse:
    """All responses for one document, built when they are first needed."""

    def __init__(
        self,
        document: Document,
        policy: CachePolicy,
        headers: Headers,
        body_headers: Headers,
        *,
        has_date: bool = True,
    ) -> None:
        """Prepare the responses for a document.

        Args:
            document: the document. Its body may be empty if only its validators are known.
            policy: how long caches may use it.
            headers: sent with each response.
            body_headers: additional headers of responses with a body.
            has_date: whether Last-Modified is sent and If-Modified-Since is evaluated.
        """
        self.document = document
        self._has_date = has_date
        self._policy = policy
        self._changed = document.changed.timestamp()
        self._headers = headers
        self._body_headers = body_headers
        self._encoded: dict[str, EncodedResponse] = {}

    def encoded(
        self, coding: str, next_change_at: float, now: float, wait_policy: WaitPolicy = WaitPolicy.RENDER
    ) -> EncodedResponse:
        """Return the responses in a content coding, "" for none, with headers that are valid at `now`.

        Raise `WouldBlock` if the body must be compressed first and `wait_policy` doesn't allow that.
        """
        encoded = self._encoded.get(coding)
        if encoded is None or now >= encoded.valid_until or next_change_at != encoded.next_change_at:
            if encoded is None and coding and self.document.body and wait_policy < WaitPolicy.CATALOG:
                raise WouldBlock("catalog")
            encoded = self._encoded[coding] = self._build(coding, next_change_at, now, encoded)
        return encoded

    def is_unchanged(self, encoded: EncodedResponse, if_none_match: str | None, if_modified_since: str | None) -> bool:
        """Return whether the client has this version (RFC 9110 13.2.2: If-None-Match precedes If-Modified-Since)."""
        if if_none_match is not None:
            return if_none_match == encoded.etag or parse_etags(if_none_match).contains_weak(encoded.etag[1:-1])
        if if_modified_since is None or not self._has_date:
            return False
        if if_modified_since == encoded.last_modified:
            return True
        since = parse_http_date(if_modified_since)
        return since is not None and since >= int(self._changed)

    def is_older_than(self, if_modified_since: str | None) -> bool:
        """Return whether the client has a later version than this one, according to its If-Modified-Since."""
        since = parse_http_date(if_modified_since) if if_modified_since and self._has_date else None
        return since is not None and since > self._changed

    def _build(self, coding: str, next_change_at: float, now: float, old: EncodedResponse | None) -> EncodedResponse:
        document = self.document
        body = old.body if old else encode(document.body, coding) if coding else document.body
        # RFC 9110 8.8.3.3: one strong validator for each encoding
        etag = f'"{document.digest}-{coding}"' if coding else f'"{document.digest}"'
        cache_control, valid_until = self._policy.cache_control(next_change_at, now)
        is_in_future = self._changed > now  # RFC 9110 8.8.2.1: Last-Modified is never later than the response
        if is_in_future:
            valid_until = min(valid_until, now + 1)
        last_modified = http_date(min(self._changed, now))
        dates = [("Last-Modified", last_modified)] if self._has_date else []
        validators = [("ETag", etag), *dates, ("Cache-Control", cache_control), *self._headers]
        content = [("Content-Type", document.media_type), ("Content-Length", str(len(body))), *self._body_headers]
        encoding = [("Content-Encoding", coding)] if coding else []
        path, size = document.path, len(body)
        return EncodedResponse(
            etag=etag,
            last_modified=None if is_in_future else last_modified,
            body=body,
            response=Response(200, [*content, *encoding, *validators], body),
            not_modified=Response(304, validators),
            next_change_at=next_change_at,
            valid_until=valid_until,
            conditional_info=response_info(path, 200, size),
            unconditional_info=response_info(path, 200, size, is_conditional=False),
            not_modified_info=response_info(path, 304, 0, size),
        )


def choose_coding(accept_encoding: str) -> str:
    """Return the content coding that a client prefers (RFC 9110 12.5.3), "" for none.

    If it accepts several codings with the same quality, the first of `CODINGS` is chosen.
    """
    return _best_coding(accept_encoding) if len(accept_encoding) <= _MAX_HEADER_CHARS else ""


@lru_cache(maxsize=1024)
def _best_coding(accept_encoding: str) -> str:
    accepted = parse_accept_header(accept_encoding.lower().replace("x-gzip", "gzip"), Accept)
    identity = max((quality for coding, quality in accepted if coding == "identity"), default=0.0)
    best = max(CODINGS, key=accepted.quality)  # the first of equals
    return best if accepted.quality(best) >= max(identity, _MIN_QUALITY) else ""


def parse_http_date(text: str) -> float | None:
    """Return an HTTP date in seconds since 1970, or None if the text is invalid (RFC 9110 13.1.3: it is ignored)."""
    try:
        date = parse_date(text) if len(text) <= _MAX_DATE_CHARS else None
        return date.timestamp() if date else None
    except (OverflowError, ValueError):  # numbers of twenty digits
        return None
