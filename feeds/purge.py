"""Caches in front of the tree, told what to fetch anew: by a command of the owner's, or by a request for each URL.

Nothing is told of but what changed. What could not be told is given back, and nothing that was published depends on it.
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
from typing import Any
from urllib.parse import quote, urlsplit

from feeds.command import Command
from feeds.config.values import PURGE
from feeds.paths import COMPRESSED
from feeds.text import quote_path

_AT_ONCE = 8
_PATIENCE = 10.0  # seconds for one request
_NOT_KEPT = {HTTPStatus.NOT_FOUND, HTTPStatus.GONE, HTTPStatus.PRECONDITION_FAILED}  # as nginx's module says
_OF_ALL = {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.TOO_MANY_REQUESTS}


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A redirect is no purge."""

    def redirect_request(self, *_: Any) -> None:
        return None


_OPENER = urllib.request.build_opener(_NoRedirects)


class Purge:
    """Tells caches."""

    def __init__(self, how: str, feeds_url: str, folder: Path) -> None:
        """`how` is a command, which is run in the folder, or a method and the template of a URL."""
        self._url = feeds_url
        request = PURGE.fullmatch(how)
        self._command = None if request else Command(how, folder)
        self._method = (request and request["method"]) or "GET"
        self._template = request["url"] if request else ""
        self._failed = threading.Event()  # in a way that makes it needless to ask again

    def tell(self, paths: Sequence[str]) -> tuple[str, list[str]]:
        """Tell of files by their paths in the tree. Gives what went wrong, "" if nothing, and what is to be told again.

        A command has the URLs as its input, one a line.
        """
        if self._command:
            urls = [self._url + quote_path(path) for file in paths for path in _asked_for(file)]
            complaint = self._command.run("".join(f"{url}\n" for url in urls).encode())
            return complaint, list(paths) if complaint else []
        self._failed.clear()
        with ThreadPoolExecutor(_AT_ONCE) as threads:
            complaints = list(threads.map(self._ask_for_all, paths))
        left = [path for path, complaint in zip(paths, complaints, strict=True) if complaint is not None]
        return next(filter(None, complaints), ""), left

    def _ask_for_all(self, file: str) -> str | None:
        """Purge all under which a file is asked for. Gives what went wrong; "" if that was said of another already."""
        for path in _asked_for(file):
            if self._failed.is_set():
                return ""
            if complaint := self._ask(quote_path(path)):
                return complaint
        return None

    def _ask(self, path: str) -> str:
        url = self._url + path
        values = {"{url}": quote(url, safe=""), "{raw}": url, "{path}": urlsplit(url).path}
        target = re.sub(r"\{(url|raw|path)\}", lambda part: values[part[0]], self._template)
        # a cache that is asked at its own address keeps the site's files under the site's name
        headers = {"Host": urlsplit(self._url).netloc} if "{path}" in self._template else {}
        host = urlsplit(target).hostname
        request = urllib.request.Request(target, method=self._method, headers=headers)  # noqa: S310  # http(s), by the configuration
        try:
            with _OPENER.open(request, timeout=_PATIENCE):
                return ""
        except urllib.error.HTTPError as error:
            error.close()
            if self._method == "PURGE" and error.code in _NOT_KEPT:
                return ""
            if error.code in _OF_ALL or error.code >= HTTPStatus.INTERNAL_SERVER_ERROR:
                self._failed.set()
            return f"{host} answers {error.code} {error.reason}".rstrip()
        except (OSError, ValueError, HTTPException) as error:
            self._failed.set()
            reason = getattr(error, "reason", error)
            return f"{host} can't be asked: {getattr(reason, 'strerror', None) or reason or type(reason).__name__}"


def plain(paths: Iterable[str]) -> list[str]:
    """Leave out what lies compressed beside another: nobody asks for it by its name."""
    some = set(paths)
    return sorted(path for path in some if not any(
        path.endswith(suffix) and path.removesuffix(suffix) in some for suffix in COMPRESSED.values()
    ))  # fmt: skip


def _asked_for(file: str) -> Iterator[str]:
    """Give the paths under which a file is asked for: a page by its folder too, or without its ending."""
    yield file
    if file.endswith("/index.html"):
        yield file.removesuffix("index.html")
    elif re.search(r"[^/]\.html$", file):
        yield file.removesuffix(".html")
