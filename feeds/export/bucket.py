"""The static tree in an object store: S3, Google's, Azure's, and what speaks S3 as they do (R2, MinIO).

A key is the file's path. What is there is known from one listing; an object is ours and up to date as long as its size
and ETag are those that we noted when we wrote it. Credentials, region and endpoint come from the environment, where the
stores' own tools look for them too, and are in no message.
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

from feeds.errors import FeedsError, UsageError
from feeds.export.target import HEAD, MANIFEST, NOTHING, Stamp, Target
from feeds.paths import COMPRESSED
from feeds.text import digest_of

if TYPE_CHECKING:
    from obstore.store import ObjectStore

_ENDPOINTS = ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT", "AZURE_STORAGE_ENDPOINT", "AZURE_ENDPOINT")
_LARGE = 5 << 20  # bytes; more goes in parts of so many, for what S3 takes at once has a limit
_PARTS_AT_ONCE = 4
_PAGE = 1000  # objects of a listing, and of a deletion: what S3 does in one request
_PATIENCE: Any = {"max_retries": 4, "retry_timeout": timedelta(seconds=60)}  # twice, four times … a tenth of a second
_ONE_LARGE = threading.Lock()  # the memory of a run is bounded: a large file waits for the one before it
_REASONS = (  # what the library and the stores say -> what that means for who reads it
    (r"NoSuchBucket|BucketNotFound|ContainerNotFound|bucket does not exist", "there is no such bucket: make it first"),
    (r"169\.254\.169\.254|metadata\.google", "there are no credentials in the environment (such as AWS_ACCESS_KEY_ID)"),
    (r"Account must be specified", "there is no account in the environment: set AZURE_STORAGE_ACCOUNT_NAME"),
    (r"without LOCATION", "it is in another region: set AWS_REGION"),
    (
        r"error sending request|operation timed out",
        "it can't be reached: look at the network, and the endpoint if it is set",
    ),
)


class Bucket(Target):
    """A bucket, or what begins with a prefix in it."""

    at_once = 16  # an answer takes long to come and costs little to wait for

    def __init__(self, url: str, headers: Callable[[str], Mapping[str, str]]) -> None:
        """`headers` are those that the file at a path is to be sent with."""
        for name in _ENDPOINTS:
            if not os.environ.get(name, "http://").startswith(("http://", "https://")):
                raise UsageError(f"{name}: must begin with http:// or https://")
        scheme, _, place = url.partition("://")
        bucket, *prefix = [part for part in place.split("/") if part]
        self._bucket, self._prefix = f"{scheme}://{bucket}", "/".join(prefix)
        self.name = "/".join([self._bucket, *prefix])
        self._headers = headers
        self._kept = b""  # a digest of the manifest that is there
        self._there = self._listed()  # by key
        super().__init__(self.name)

    def __getstate__(self) -> dict[str, Any]:
        """Give what another process needs: connections are its own."""
        return {name: value for name, value in vars(self).items() if name != "_store"}

    def write(self, path: str, body: bytes, digest: str, *, coding: str = "", force: bool = False) -> bool:
        """Write an object, unless it is this already. Tells whether it did. Raises `FeedsError`. For any thread."""
        headers = dict(self._headers(path.removesuffix(COMPRESSED.get(coding, ""))))
        if coding:
            headers["Content-Encoding"] = coding
        return self._put(path, body, headers, self._mark(path, digest), hashlib.sha256(body).hexdigest(), force=force)

    def copy(self, path: str, source: Path, digest: str, *, force: bool = False) -> bool:
        """Write an object as a file is, unless it is so already. Raises `OSError` for the file. For any thread."""
        headers, mark = self._headers(path), self._mark(path, digest)
        with source.open("rb") as stream:
            content = hashlib.file_digest(stream, "sha256").hexdigest()
            stream.seek(0)
            body = stream.read(_LARGE + 1)
        if len(body) <= _LARGE:
            return self._put(path, body, headers, mark, content, force=force)
        del body
        with _ONE_LARGE:
            return self._put(path, source, headers, mark, content, force=force)

    def _put(
        self, path: str, body: bytes | Path, headers: Mapping[str, str], mark: str, content: str, *, force: bool
    ) -> bool:
        key, content = self._key(path), digest_of(content, sorted(headers.items()))
        old = self._facts.get(path)
        same = old is not None and old[3:] == (content,) and old[1:3] == self._stamp(path) != NOTHING
        if force or not same:
            large = isinstance(body, Path)
            with self._said(path):
                put = obstore.put(self._store, key, body, attributes=dict(headers), use_multipart=large,
                                  chunk_size=_LARGE, max_concurrency=_PARTS_AT_ONCE)  # fmt: skip
                size = body.stat().st_size if isinstance(body, Path) else len(body)
            self._there[key] = (size, _etag(put))
        self._facts[path] = (mark, *self._there[key], content)
        return force or not same

    def _mark(self, path: str, digest: str) -> str:
        """Give what stands for what an object shows: its headers are kept with it."""
        return digest_of(digest, sorted(self._headers(path).items()))

    def _stamp(self, path: str) -> Stamp:
        return self._there.get(self._key(path), NOTHING)

    def _is_there(self, path: str) -> bool:
        return self._key(path) in self._there

    def _read(self, path: str) -> bytes:
        if not self._is_there(path):
            return b""
        with self._said(path):
            body = bytes(obstore.get(self._store, self._key(path)).bytes())
        if path == MANIFEST:
            self._kept = hashlib.sha256(body).digest()
        return body

    def _head(self, path: str) -> bytes | None:
        length = min(HEAD, self._stamp(path)[0])
        if not length:  # S3 knows no empty range
            return b""
        with self._said(path):
            return bytes(obstore.get_range(self._store, self._key(path), start=0, length=length))

    def _remove(self, paths: Sequence[str]) -> None:
        keys = [self._key(path) for path in paths if self._is_there(path)]
        for start in range(0, len(keys), _PAGE):
            with self._said():
                obstore.delete(self._store, keys[start : start + _PAGE])

    def _keep(self, manifest: bytes) -> None:
        digest = hashlib.sha256(manifest).digest()
        if digest == self._kept:
            return
        with self._said(MANIFEST):
            put = obstore.put(self._store, self._key(MANIFEST), manifest, attributes=_OF_MANIFEST, use_multipart=False)
        self._there[self._key(MANIFEST)] = (len(manifest), _etag(put))
        self._kept = digest

    def _listed(self) -> dict[str, Stamp]:
        with self._said():
            pages = obstore.list(self._store, self._prefix or None, chunk_size=_PAGE)
            return {one["path"]: (one["size"], _etag(one)) for page in pages for one in page}

    @cached_property
    def _store(self) -> "ObjectStore":
        plain = any(os.environ.get(name, "").startswith("http://") for name in _ENDPOINTS)
        options: Any = {"allow_http": True} if plain else {}
        return from_url(self._bucket, client_options=options, retry_config=_PATIENCE)

    def _key(self, path: str) -> str:
        parts = [part for part in path.split("/") if part not in {"", "."}]  # as a folder would have it
        if ".." in parts:
            raise FeedsError(f"{path}: leads out of {self.name}")
        return "/".join([self._prefix, *parts] if self._prefix else parts)

    @contextmanager
    def _said(self, path: str = "") -> Iterator[None]:
        """Turn what the library says, in many lines, into a sentence."""
        try:
            yield
        except (BaseError, OSError, ValueError) as error:
            place = f"{self.name}/{path.lstrip('/')}" if path else self.name
            raise FeedsError(f"{place}: {_reason(error)}; what was there is untouched") from None


_OF_MANIFEST: Any = {"Content-Type": "application/json", "Cache-Control": "no-store"}


def _etag(facts: Any) -> str:
    """Give an ETag as all stores spell it; Azure's listings leave out its quotation marks."""
    return str(facts["e_tag"] or "").removeprefix("W/").strip('"')


def _reason(error: Exception) -> str:
    """Give what went wrong, with no URL in it: one may hold a signature."""
    text = str(error)
    for pattern, reason in _REASONS:
        if re.search(pattern, text):
            return reason
    code = re.search(r"<Code>(\w+)</Code>", text)
    status = re.search(r"status code: (\d+ [A-Z][\w ]*)", text)
    answer = " ".join(part for part in (status and status[1], code and f"({code[1]})") if part)
    if re.search(r"\b40[13]\b", answer):
        return f"access is refused, {answer}: look at the credentials in the environment, and at what they may do"
    if answer:
        return f"the store answers {answer}"
    return re.sub(r"(?<!\S)\S+?://\S+", "…", text.strip().split("\n", 1)[0])[:200] or type(error).__name__
