"""A document's answer: 200, 304 and HEAD, whole or compressed, made once and given out from memory (RFC 9110, 9111).

All headers that pollers and caches see of a document are decided here. What depends on the hour is made anew when the
hour says so: `max-age` counts down to the next article that goes live by itself, and Last-Modified is never in the
future.
"""

from dataclasses import dataclass
from functools import lru_cache

from werkzeug.datastructures import Accept
from werkzeug.http import http_date, parse_accept_header, parse_date, parse_etags

from feeds.documents import MustWait, Patience
from feeds.encoding import CODINGS, encode
from feeds.model import Document
from feeds.web.response import Headers, Response

_LONGEST = 1000  # characters of a header that is looked at
_LONGEST_DATE = 64
_LEAST_QUALITY = 0.001  # RFC 9110 12.4.2; less is a refusal


@dataclass(frozen=True, slots=True)
class Freshness:
    """For how many seconds a cache may use an answer without asking (RFC 9111 5.2.2.1, RFC 5861)."""

    max_age: int
    while_revalidating: int  # and then while it asks
    if_error: int  # or if nobody answers
    until_the_hour: bool = False  # never beyond the next article that goes live or leaves by itself

    def header(self, hour: float, now: float) -> tuple[str, float]:
        """Give Cache-Control at a moment, and until when it stands. Moments are in seconds since 1970."""
        age, until = self.max_age, float("inf")
        left = hour - now
        if self.until_the_hour and -self.max_age < left < self.max_age:  # later, nobody seems to regenerate
            age = max(1, int(left))
            until = min(now + 1, hour) if left > 0 else hour + self.max_age
        elif self.until_the_hour and left > 0:
            until = hour - self.max_age
        counting_down = age < self.max_age  # what is stale then lacks what its hour has brought
        revalidating = 0 if counting_down else self.while_revalidating
        stale = f", stale-while-revalidate={revalidating}" if revalidating else ""
        return f"public, max-age={age}{stale}, stale-if-error={self.if_error}", until


@dataclass(frozen=True, slots=True, eq=False)  # the same facts are the same object: nothing is compared to count them
class Sent:
    """What was sent to who polled."""

    document: str  # its path
    status: int
    conditional: bool  # whether the poll had a validator
    size: int  # bytes of the body
    saved: int  # and of the one that a 304 made needless


@lru_cache(maxsize=4096)
def sent(document: str, status: int, size: int, saved: int = 0, *, conditional: bool = True) -> Sent:
    return Sent(document, status, conditional, size, saved)


@dataclass(slots=True)
class Variant:
    """An answer in one content coding."""

    etag: str
    modified: str | None  # Last-Modified, unless a later moment is the true one
    body: bytes
    response: Response
    unchanged_response: Response
    hour: float
    until: float  # when these headers are no longer true
    whole: Sent  # to who sent another validator
    afresh: Sent  # to who sent none
    unchanged: Sent


class Answer:
    """All that is answered for one document."""

    def __init__(
        self, document: Document, freshness: Freshness, always: Headers, whole: Headers, *, dated: bool = True
    ) -> None:
        """Send the headers `always` with every answer, `whole` with those that have a body.

        With `dated` false, nothing tells when it last changed; only its bytes do.
        """
        self.document = document
        self._dated = dated
        self._freshness = freshness
        self._changed = document.changed.timestamp()
        self._always = always
        self._whole = whole
        self._variants: dict[str, Variant] = {}

    def variant(self, coding: str, hour: float, now: float, patience: Patience = Patience.RENDER) -> Variant:
        """Return the answer in a coding, "" for none, as it is at a moment, with the site's next hour.

        Raises `MustWait` if a body is still to be compressed, and there is no patience for it.
        """
        variant = self._variants.get(coding)
        if variant is None or now >= variant.until or hour != variant.hour:
            if variant is None and coding and self.document.body and patience < Patience.CATALOG:
                raise MustWait("catalog")
            variant = self._variants[coding] = self._make(coding, hour, now, variant)
        return variant

    def is_unchanged(self, variant: Variant, if_none_match: str | None, if_modified_since: str | None) -> bool:
        """Tell whether the client has this already (RFC 9110 13.2.2: If-None-Match beats If-Modified-Since)."""
        if if_none_match is not None:
            return if_none_match == variant.etag or parse_etags(if_none_match).contains_weak(variant.etag[1:-1])
        if if_modified_since is None or not self._dated:
            return False
        if if_modified_since == variant.modified:
            return True
        since = date_of(if_modified_since)
        return since is not None and since >= int(self._changed)

    def is_before(self, if_modified_since: str | None) -> bool:
        """Tell whether the client has a later version than this, as far as it says."""
        since = date_of(if_modified_since) if if_modified_since and self._dated else None
        return since is not None and since > self._changed

    def _make(self, coding: str, hour: float, now: float, old: Variant | None) -> Variant:
        document = self.document
        body = old.body if old else encode(document.body, coding) if coding else document.body
        # RFC 9110 8.8.3.3: one strong validator for each encoding
        etag = f'"{document.digest}-{coding}"' if coding else f'"{document.digest}"'
        cache, until = self._freshness.header(hour, now)
        clamped = self._changed > now  # RFC 9110 8.8.2.1: never later than the answer itself
        if clamped:
            until = min(until, now + 1)
        modified = http_date(min(self._changed, now))
        dates = [("Last-Modified", modified)] if self._dated else []
        validators = [("ETag", etag), *dates, ("Cache-Control", cache), *self._always]
        whole = [("Content-Type", document.media_type), ("Content-Length", str(len(body))), *self._whole]
        encoded = [("Content-Encoding", coding)] if coding else []
        path, size = document.path, len(body)
        return Variant(
            etag=etag,
            modified=None if clamped else modified,
            body=body,
            response=Response(200, [*whole, *encoded, *validators], body),
            unchanged_response=Response(304, validators),
            hour=hour,
            until=until,
            whole=sent(path, 200, size),
            afresh=sent(path, 200, size, conditional=False),
            unchanged=sent(path, 304, 0, size),
        )


def coding_for(accept_encoding: str) -> str:
    """Choose the content coding that a client likes best, ours among equals (RFC 9110 12.5.3); "" for none."""
    return _best_coding(accept_encoding) if len(accept_encoding) <= _LONGEST else ""


@lru_cache(maxsize=1024)
def _best_coding(accept_encoding: str) -> str:
    accepted = parse_accept_header(accept_encoding.lower().replace("x-gzip", "gzip"), Accept)
    identity = max((quality for coding, quality in accepted if coding == "identity"), default=0.0)
    best = max(CODINGS, key=accepted.quality)  # the first of equals
    return best if accepted.quality(best) >= max(identity, _LEAST_QUALITY) else ""


def date_of(text: str) -> float | None:
    """Read an HTTP date as seconds since 1970; None for what is none (RFC 9110 13.1.3: it is ignored)."""
    try:
        date = parse_date(text) if len(text) <= _LONGEST_DATE else None
        return date.timestamp() if date else None
    except (OverflowError, ValueError):  # numbers of twenty digits
        return None
