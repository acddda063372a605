"""Purges the caches in front of the export: by a request for each URL, or by a command of the owner.

Most CDNs need no code: `export.purge` configures the request for a CDN that is purged by one request per URL, or names
the owner's command for a CDN whose API needs a token or a body. To support another form of purge, begin in
`feeds.config.values`: add its type and its syntax there (`_purge`), then its request here (`CachePurger`).

Only files that changed are purged. An export is complete whether or not its purge succeeds; paths that could not be
purged are returned, to be purged later.
"""

import re
import threading
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from http.client import HTTPException
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

from feeds.config.values import PurgeRequest
from feeds.core.paths import COMPRESSED
from feeds.core.text import quote_path
from feeds.hooks import HookCommand

_MAX_CONCURRENT_REQUESTS = 8
_REQUEST_TIMEOUT_S = 10.0
_NOT_CACHED = {HTTPStatus.NOT_FOUND, HTTPStatus.GONE, HTTPStatus.PRECONDITION_FAILED}  # 412: from nginx's purge module
# every further request would fail too
_FATAL = {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.TOO_MANY_REQUESTS}


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Follows no redirect: a redirect purges nothing."""

    def redirect_request(self, *_: Any) -> None:
        return None


_OPENER = urllib.request.build_opener(_NoRedirects)


class PurgeResult(NamedTuple):
    """The first error of a purge, empty if there is none, and the paths that were not purged."""

    error: str
    failed: list[str]


class CachePurger:
    """Purges exported files from a cache, by requests or by a command.

    The forms of a purge are defined in `feeds.config.values` (`_purge`).
    """

    def __init__(self, purge: PurgeRequest | tuple[str, ...], feeds_url: str, folder: Path) -> None:
        """Prepare to purge.

        Args:
            purge: a request for each URL, or the words of a command.
            feeds_url: the URL of the export.
            folder: the folder in which the command runs.
        """
        self._feeds_url = feeds_url
        self._command = HookCommand(purge, folder) if isinstance(purge, tuple) else None
        self._method, self._template = (purge.method, purge.url) if isinstance(purge, PurgeRequest) else ("", "")
        self._is_failing = threading.Event()  # every further request would fail too

    def purge(self, paths: Sequence[str]) -> PurgeResult:
        """Purge files by their paths in the export. A command gets the URLs as its input, one per line."""
        if self._command:
            urls = [self._feeds_url + quote_path(path) for file in paths for path in _requested_paths(file)]
            error = self._command.run("".join(f"{url}\n" for url in urls).encode())
            return PurgeResult(error, list(paths) if error else [])
        self._is_failing.clear()
        with ThreadPoolExecutor(_MAX_CONCURRENT_REQUESTS) as threads:
            errors = list(threads.map(self._purge_file, paths))
        failed = [path for path, error in zip(paths, errors, strict=True) if error is not None]
        return PurgeResult(next(filter(None, errors), ""), failed)

    def _purge_file(self, file: str) -> str | None:
        """Purge all paths at which a file is requested. Return the error; None if there is none.

        Return "" without a request if an earlier error shows that every request would fail.
        """
        for path in _requested_paths(file):
            if self._is_failing.is_set():
                return ""
            if error := self._request(quote_path(path)):
                return error
        return None

    def _request(self, path: str) -> str:
        url = self._feeds_url + path
        values = {"{url}": quote(url, safe=""), "{raw}": url, "{path}": urlsplit(url).path}
        target = re.sub(r"\{(url|raw|path)\}", lambda part: values[part[0]], self._template)
        # a cache that is requested at its own address stores the site's files under the site's host name
        headers = {"Host": urlsplit(self._feeds_url).netloc} if "{path}" in self._template else {}
        host = urlsplit(target).hostname
        request = urllib.request.Request(target, method=self._method, headers=headers)  # noqa: S310  # http(s), by the configuration
        try:
            with _OPENER.open(request, timeout=_REQUEST_TIMEOUT_S):
                return ""
        except urllib.error.HTTPError as error:
            error.close()
            if self._method == "PURGE" and error.code in _NOT_CACHED:
                return ""
            if error.code in _FATAL or error.code >= HTTPStatus.INTERNAL_SERVER_ERROR:
                self._is_failing.set()
            return f"{host} answers {error.code} {error.reason}".rstrip()
        except (OSError, ValueError, HTTPException) as error:
            self._is_failing.set()
            reason = getattr(error, "reason", error)
            return f"{host} can't be reached: {getattr(reason, 'strerror', None) or reason or type(reason).__name__}"


def drop_compressed_siblings(paths: Iterable[str]) -> list[str]:
    """Return the paths without compressed copies of other files, which no client requests by name."""
    files = set(paths)
    return sorted(path for path in files if not any(
        path.endswith(suffix) and path.removesuffix(suffix) in files for suffix in COMPRESSED.values()
    ))  # fmt: skip


def _requested_paths(file: str) -> Iterator[str]:
    """Yield the paths at which clients request a file: a page also at its folder, or without its extension."""
    yield file
    if file.endswith("/index.html"):
        yield file.removesuffix("index.html")
    elif re.search(r"[^/]\.html$", file):
        yield file.removesuffix(".html")
