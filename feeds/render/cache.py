"""The cache of rendered documents, and which of them are current. For any number of threads."""

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from feeds.core import syndication
from feeds.core.model import FeedState, Site
from feeds.render.document_path import DocumentPath
from feeds.render.lru import LRUCache

T = TypeVar("T")

_MIN_VALIDATORS, _MAX_VALIDATORS = 1_000, 10_000  # documents whose validators are cached, depending on the cache's size
_VALIDATORS_BYTES = 5_000  # memory that the validators of one document take
_MAX_STALENESS_S = 0.3  # for how long a version may be served after a newer one was committed


@dataclass(slots=True)
class CacheEntry(Generic[T]):
    """A cached document, as `Documents` transformed it."""

    document_path: DocumentPath
    value: T
    size: int  # bytes
    document_revision: syndication.DocumentRevision | None
    outdated_since: float | None = None  # when it was last known to be current, by the monotonic clock; None: it is

    @property
    def is_recently_current(self) -> bool:
        """Whether this is the current version, or was until `_MAX_STALENESS_S` ago."""
        return self.outdated_since is None or time.monotonic() - self.outdated_since < _MAX_STALENESS_S


class DocumentCache(Generic[T]):
    """The most recently used documents; and of many more documents the validators and headers, without the body."""

    def __init__(self, site: Site, max_bytes: int) -> None:
        """Use half of `max_bytes` for documents and half for validators."""
        self.revision = 0
        self.checked_at = 0.0  # when `revision` was last the catalog's, by the monotonic clock
        self._site = site
        self._entries = LRUCache[CacheEntry[T]](max_bytes // 2, lambda entry: entry.size)
        self._validators: dict[str, dict[DocumentPath, T]] = {}  # by feed
        self._max_validators = max(_MIN_VALIDATORS, min(_MAX_VALIDATORS, max_bytes // 2 // _VALIDATORS_BYTES))
        self._lock = threading.Lock()

    def get(self, key: str) -> CacheEntry[T] | None:
        """Return the entry of a key, current or outdated; None if there is none."""
        return self._entries.get(key)

    def get_validators(self, document_path: DocumentPath) -> T | None:
        """Return the value of a document without its body, if that is cached and current."""
        return self._validators.get(document_path.feed, {}).get(document_path)

    def put(self, key: str, entry: CacheEntry[T], revision: int, validators: T | None = None) -> None:
        """Store an entry that was rendered at a revision, and its value without the body."""
        with self._lock:
            if revision < self.revision:  # a later revision was found meanwhile, and may have changed the document
                entry.outdated_since = time.monotonic()
            elif validators is not None:
                if sum(map(len, self._validators.values())) >= self._max_validators:
                    self._validators.clear()
                self._validators.setdefault(entry.document_path.feed, {})[entry.document_path] = validators
            self._entries.put(key, entry)

    def drop(self, key: str) -> None:
        """Remove a document that no longer exists."""
        self._entries.drop(key)

    def advance(self, revision: int, changed: Mapping[str, FeedState] | None) -> None:
        """Move to another revision, and mark entries of the feeds that it `changed` as outdated; None: of all feeds."""
        with self._lock:
            self.revision = revision
            last_current = self.checked_at
            for feed in list(self._validators) if changed is None else changed:
                self._validators.pop(feed, None)
            for entry in self._entries.items():
                state = changed.get(entry.document_path.feed) if changed is not None else None
                has_changed = changed is None or (
                    state is not None
                    and syndication.document_revision(state, entry.document_path.archive, self._site)
                    != entry.document_revision
                )
                if entry.outdated_since is None and has_changed:
                    entry.outdated_since = last_current
