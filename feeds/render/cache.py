"""The cache of rendered documents, which records whether each is current. Thread-safe."""

import threading
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from feeds.core import syndication
from feeds.core.model import FeedState, Site
from feeds.render.document_path import DocumentPath
from feeds.render.lru import LRUCache

T = TypeVar("T")

_MIN_WITHOUT_BODY, _MAX_WITHOUT_BODY = 1_000, 10_000  # documents cached without body, depending on the cache's size
_BYTES_WITHOUT_BODY = 5_000  # memory that one document without its body takes
_MAX_STALENESS_S = 0.3  # the time for which a version may be served after a newer one was committed


@dataclass(slots=True)
class CacheEntry(Generic[T]):
    """A cached document, as `Documents` transformed it."""

    document_path: DocumentPath
    value: T
    size: int  # bytes
    document_revision: syndication.DocumentRevision | None
    outdated_since: float | None = None  # when it was last known to be current (monotonic clock); None: it is current

    @property
    def is_recently_current(self) -> bool:
        """Whether this is the current version, or was until `_MAX_STALENESS_S` ago."""
        return self.outdated_since is None or time.monotonic() - self.outdated_since < _MAX_STALENESS_S


@dataclass(slots=True)
class _WithoutBody(Generic[T]):
    """The value of a document without its body, and the number of changes of its feed before it was rendered."""

    value: T
    changes: int


class DocumentCache(Generic[T]):
    """Caches the most recently used documents, and the validators and headers, without bodies, of many more."""

    def __init__(self, site: Site, max_bytes: int) -> None:
        """Use half of `max_bytes` for documents and half for documents without their bodies."""
        self.revision = 0
        self.generation = 0  # number of changes of the revision
        self.checked_at = 0.0  # when `revision` was last known to be the catalog's, by the monotonic clock
        self._site = site
        self._entries = LRUCache[CacheEntry[T]](max_bytes // 2, lambda entry: entry.size)
        self._max_without_body = max(_MIN_WITHOUT_BODY, min(_MAX_WITHOUT_BODY, max_bytes // 2 // _BYTES_WITHOUT_BODY))
        self._without_body = self._empty_cache()
        self._changes: Counter[str] = Counter()  # changes of each feed since all documents were marked as outdated
        self._lock = threading.Lock()

    def get(self, key: str) -> CacheEntry[T] | None:
        """Return the entry of a key, current or outdated; None if there is none."""
        return self._entries.get(key)

    def entries(self) -> list[CacheEntry[T]]:
        """Return all entries, the most recently used last."""
        return self._entries.items()

    def get_without_body(self, document_path: DocumentPath) -> T | None:
        """Return the value of a document without its body if that value is cached and current, else None."""
        cached = self._without_body.get(document_path)
        return cached.value if cached and cached.changes == self._changes[document_path.feed] else None

    def put(self, key: str, entry: CacheEntry[T], revision: int, without_body: T | None = None) -> None:
        """Store an entry that was rendered at a revision, and its value without the body."""
        with self._lock:
            if revision < self.revision:  # a later revision was found meanwhile, and may have changed the document
                entry.outdated_since = time.monotonic()
            elif without_body is not None:
                path = entry.document_path
                self._without_body.put(path, _WithoutBody(without_body, self._changes[path.feed]))
            self._entries.put(key, entry)

    def _empty_cache(self) -> "LRUCache[_WithoutBody[T]]":
        return LRUCache(self._max_without_body, lambda _: 1)

    def drop(self, key: str) -> None:
        """Remove a document that no longer exists."""
        self._entries.drop(key)

    def advance(self, revision: int, changed: Mapping[str, FeedState] | None) -> None:
        """Move to another revision, and mark entries of the `changed` feeds as outdated; None: of all feeds."""
        with self._lock:
            self.revision = revision
            self.generation += 1
            last_current = self.checked_at
            if changed is None:
                self._without_body = self._empty_cache()
                self._changes.clear()
            else:
                self._changes.update(changed.keys())
            for entry in self._entries.items():
                state = changed.get(entry.document_path.feed) if changed is not None else None
                has_changed = changed is None or (
                    state is not None
                    and syndication.document_revision(state, entry.document_path.archive, self._site)
                    != entry.document_revision
                )
                if entry.outdated_since is None and has_changed:
                    entry.outdated_since = last_current
