"""An export to an object store: Amazon S3, Google Cloud Storage, Azure, or a store with S3's API (R2, MinIO).

The key of an object is the file's path. One listing returns all objects. An object belongs to the export and is current
as long as it has the size and the ETag of the manifest. Credentials, region and endpoint come from the environment
variables that the stores' own tools read; no message contains them.
"""

import hashlib
import os
import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import obstore
from obstore.exceptions import BaseError
from obstore.store import from_url

from feeds.core.errors import FeedsError, UsageError
from feeds.core.paths import COMPRESSED
from feeds.core.text import digest_of
from feeds.export.target import HEAD_BYTES, MANIFEST, NO_FILE, ExportTarget, ManifestEntry, Stamp

if TYPE_CHECKING:
    from obstore.store import ObjectStore

_ENDPOINTS = ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT", "AZURE_STORAGE_ENDPOINT", "AZURE_ENDPOINT")
_PART_BYTES = 5 << 20  # larger files are uploaded in parts of this size, because S3 limits single uploads
_MAX_CONCURRENT_PARTS = 4
_BATCH = 1000  # objects per request of a listing or a deletion, the limit of S3
_RETRIES: Any = {"max_retries": 4, "retry_timeout": timedelta(seconds=60)}
_LARGE_UPLOAD = threading.Lock()  # one large file at a time, so that the memory of an export is bounded
_REASONS = (  # (a pattern of errors of the library or the stores, the message of feeds)
    (
        r"NoSuchBucket|BucketNotFound|ContainerNotFound|bucket does not exist",
        "the bucket does not exist; create it first",
    ),
    (
        r"169\.254\.169\.254|metadata\.google",
        "no credentials were found; set environment variables such as AWS_ACCESS_KEY_ID",
    ),
    (r"Account must be specified", "the name of the account is missing; set AZURE_STORAGE_ACCOUNT_NAME"),
    (r"without LOCATION", "the bucket is in another region; set AWS_REGION"),
    (
        r"error sending request|operation timed out",
        "the store can't be reached; check the network, and the endpoint if it is set",
    ),
)


class BucketTarget(ExportTarget):
    """The target of an export: a bucket, or the objects in it whose keys have a prefix. Thread-safe."""

    at_once = 16  # a request takes long, but costs little CPU

    def __init__(self, url: str, headers: Callable[[str], Mapping[str, str]]) -> None:
        """List the objects and read the manifest. `headers` returns the HTTP headers of the file at a path."""
        for name in _ENDPOINTS:
            if not os.environ.get(name, "http://").startswith(("http://", "https://")):
                raise UsageError(f"{name}: must begin with http:// or https://")
        scheme, _, location = url.partition("://")
        bucket, *prefix = [part for part in location.split("/") if part]
        self._bucket, self._prefix = f"{scheme}://{bucket}", "/".join(prefix)
        self.name = "/".join([self._bucket, *prefix])
        self._headers = headers
        self._manifest_hash = b""  # of the manifest in the store
        self._objects = self._list_objects()  # by key
        super().__init__(self.name)

    def __getstate__(self) -> dict[str, Any]:
        """Return the state for another process, which opens its own connections."""
        return {name: value for name, value in vars(self).items() if name != "_store"}

    def write(self, path: str, body: bytes, digest: str, *, coding: str = "", force: bool = False) -> bool:
        """Write an object, unless its bytes and headers are already the same. Return whether it was written."""
        headers = dict(self._headers(path.removesuffix(COMPRESSED.get(coding, ""))))
        if coding:
            headers["Content-Encoding"] = coding
        return self._put(
            path, body, headers, self._manifest_digest(path, digest), hashlib.sha256(body).hexdigest(), force=force
        )

    def copy(self, path: str, source: Path, digest: str, *, force: bool = False) -> bool:
        """Write an object with the bytes of a file, unless it is already the same. Return whether it was written."""
        headers, digest = self._headers(path), self._manifest_digest(path, digest)
        with source.open("rb") as stream:
            body_hash = hashlib.file_digest(stream, "sha256").hexdigest()
            stream.seek(0)
            body = stream.read(_PART_BYTES + 1)
        if len(body) <= _PART_BYTES:
            return self._put(path, body, headers, digest, body_hash, force=force)
        del body
        with _LARGE_UPLOAD:
            return self._put(path, source, headers, digest, body_hash, force=force)

    def _put(
        self, path: str, body: bytes | Path, headers: Mapping[str, str], digest: str, body_hash: str, *, force: bool
    ) -> bool:
        key, content_hash = self._key(path), digest_of(body_hash, sorted(headers.items()))
        old = self._entries.get(path)
        is_same = old is not None and old.content_hash == content_hash and old.stamp == self._stamp(path) != NO_FILE
        if force or not is_same:
            is_large = isinstance(body, Path)
            with self._translate_errors(path):
                put = obstore.put(self._store, key, body, attributes=dict(headers), use_multipart=is_large,
                                  chunk_size=_PART_BYTES, max_concurrency=_MAX_CONCURRENT_PARTS)  # fmt: skip
                size = body.stat().st_size if isinstance(body, Path) else len(body)
            self._objects[key] = Stamp(size, _etag(put))
        self._entries[path] = ManifestEntry(digest, self._objects[key], content_hash)
        return force or not is_same

    def _manifest_digest(self, path: str, digest: str) -> str:
        """Return a digest of the content and the headers, which the store keeps with the object."""
        return digest_of(digest, sorted(self._headers(path).items()))

    def _stamp(self, path: str) -> Stamp:
        return self._objects.get(self._key(path), NO_FILE)

    def _exists(self, path: str) -> bool:
        return self._key(path) in self._objects

    def _read(self, path: str) -> bytes:
        if not self._exists(path):
            return b""
        with self._translate_errors(path):
            body = bytes(obstore.get(self._store, self._key(path)).bytes())
        if path == MANIFEST:
            self._manifest_hash = hashlib.sha256(body).digest()
        return body

    def _head(self, path: str) -> bytes | None:
        length = min(HEAD_BYTES, self._stamp(path)[0])
        if not length:  # S3 has no empty range
            return b""
        with self._translate_errors(path):
            return bytes(obstore.get_range(self._store, self._key(path), start=0, length=length))

    def _remove(self, paths: Sequence[str]) -> None:
        keys = [self._key(path) for path in paths if self._exists(path)]
        for start in range(0, len(keys), _BATCH):
            with self._translate_errors():
                obstore.delete(self._store, keys[start : start + _BATCH])

    def _write_manifest(self, manifest: bytes) -> None:
        digest = hashlib.sha256(manifest).digest()
        if digest == self._manifest_hash:
            return
        with self._translate_errors(MANIFEST):
            put = obstore.put(
                self._store, self._key(MANIFEST), manifest, attributes=_MANIFEST_HEADERS, use_multipart=False
            )
        self._objects[self._key(MANIFEST)] = Stamp(len(manifest), _etag(put))
        self._manifest_hash = digest

    def _list_objects(self) -> dict[str, Stamp]:
        with self._translate_errors():
            pages = obstore.list(self._store, self._prefix or None, chunk_size=_BATCH)
            return {item["path"]: Stamp(item["size"], _etag(item)) for page in pages for item in page}

    @cached_property
    def _store(self) -> "ObjectStore":
        is_plain_http = any(os.environ.get(name, "").startswith("http://") for name in _ENDPOINTS)
        options: Any = {"allow_http": True} if is_plain_http else {}
        return from_url(self._bucket, client_options=options, retry_config=_RETRIES)

    def _key(self, path: str) -> str:
        parts = [part for part in path.split("/") if part not in {"", "."}]  # like paths of a file system
        if ".." in parts:
            raise FeedsError(f"{path}: is outside {self.name}")
        return "/".join([self._prefix, *parts] if self._prefix else parts)

    @contextmanager
    def _translate_errors(self, path: str = "") -> Iterator[None]:
        """Raise `FeedsError` with one sentence instead of the library's errors of many lines."""
        try:
            yield
        except (BaseError, OSError, ValueError) as error:
            url = f"{self.name}/{path.lstrip('/')}" if path else self.name
            raise FeedsError(f"{url}: {_reason(error)}; existing files are unchanged") from None


_MANIFEST_HEADERS: Any = {"Content-Type": "application/json", "Cache-Control": "no-store"}


def _etag(metadata: Any) -> str:
    """Return an ETag without quotation marks, which Azure's listings omit."""
    return str(metadata["e_tag"] or "").removeprefix("W/").strip('"')


def _reason(error: Exception) -> str:
    """Return the reason of an error, without URLs, which may contain signatures."""
    text = str(error)
    for pattern, reason in _REASONS:
        if re.search(pattern, text):
            return reason
    code = re.search(r"<Code>(\w+)</Code>", text)
    status = re.search(r"status code: (\d+ [A-Z][\w ]*)", text)
    response = " ".join(part for part in (status and status[1], code and f"({code[1]})") if part)
    if re.search(r"\b40[13]\b", response):
        return f"access is refused, {response}; check the credentials in the environment and their permissions"
    if response:
        return f"the store answers {response}"
    return re.sub(r"(?<!\S)\S+?://\S+", "…", text.strip().split("\n", 1)[0])[:200] or type(error).__name__
