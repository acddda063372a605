"""The 304 responses to polls of documents. Most responses are 304s, so this module takes as few steps as possible."""

import time
from collections.abc import Mapping
from typing import NamedTuple

from feeds.render import DocumentPath, Documents, WaitPolicy
from feeds.web.cached_response import CachedResponse, ResponseInfo, choose_coding
from feeds.web.request import Request
from feeds.web.response import Response

_MAX_REPEATED = 2_048
_MAX_ACCEPT_ENCODING_CHARS = 200
_MAX_AGE_S = 0.05  # as long as the time between two checks for a new revision


class NotModified(NamedTuple):
    """The 304 for a document."""

    response: Response
    info: ResponseInfo


class _Repeated(NamedTuple):
    """The 304 to a request that is likely to be repeated, and the time until which it may be used."""

    not_modified: NotModified
    generation: int  # of the documents
    valid_until: float  # by the monotonic clock


class NotModifiedFinder:
    """Finds the 304 to a request if its client has the current version of a document. Thread-safe.

    Many clients send the same header fields. The response to them is cached for a moment.
    """

    def __init__(self, documents: Documents[CachedResponse], aliases: Mapping[str, str]) -> None:
        """`aliases`: other paths of documents, with the paths of the documents."""
        self._documents = documents
        self._aliases = aliases
        self._repeated: dict[tuple[str, str | None, str], _Repeated] = {}

    def find(self, request: Request, wait_policy: WaitPolicy) -> NotModified | None:
        """Return the 304 to a GET or HEAD request; None if the client needs another response.

        Raise `WouldBlock` if finding it takes more than `wait_policy` allows.
        """
        repeated = self._repeated.get((request.path, request.if_none_match, request.accept_encoding))
        if (
            repeated is not None
            and repeated.generation == self._documents.generation
            and time.monotonic() < repeated.valid_until
        ):
            return repeated.not_modified
        return self._find(request, wait_policy) if request.is_conditional else None

    def _find(self, request: Request, wait_policy: WaitPolicy) -> NotModified | None:
        path, etags, accept_encoding = request.path, request.if_none_match, request.accept_encoding
        generation = self._documents.generation  # read before the document, which may belong to a later generation
        cached = self._documents.get_current(path, wait_policy)
        # if the path of an alias has the form of a document's path, a document may exist there
        custom_feeds = self._documents.site.feeds
        if cached is None and (alias := self._aliases.get(path)) and DocumentPath.parse(path, custom_feeds) is None:
            cached = self._documents.get_current(alias, wait_policy)
        if cached is None:
            return None
        now = time.time()
        next_change_at = self._documents.revision_watcher.next_change_at
        encoded = cached.encoded(choose_coding(accept_encoding), next_change_at, now, wait_policy)
        if not cached.is_unchanged(encoded, etags, request.if_modified_since):
            return None
        not_modified = NotModified(encoded.not_modified, encoded.not_modified_info)
        if etags == encoded.etag and len(accept_encoding) <= _MAX_ACCEPT_ENCODING_CHARS:
            if len(self._repeated) >= _MAX_REPEATED:
                self._repeated.clear()
            valid_until = min(
                time.monotonic() + min(_MAX_AGE_S, encoded.valid_until - now),
                self._documents.revision_watcher.next_check_at,
            )
            self._repeated[path, etags, accept_encoding] = _Repeated(not_modified, generation, valid_until)
        return not_modified
