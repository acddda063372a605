"""The RSGI application for granian: its event loop answers requests from memory.

All other requests run in the thread pools of `concurrency`, and granian sends files. So no client can delay another.
"""

import asyncio
import contextlib
import ctypes
import io
import os
import socket
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes
from wsgiref.types import WSGIEnvironment

from feeds.core.parse.media import media_type
from feeds.render import WaitPolicy, WouldBlock
from feeds.web import ServedApplication
from feeds.web.concurrency import (
    BODY_TIMEOUT_S,
    MAX_BODIES,
    MAX_TOTAL_BODY_BYTES,
    SEND_BUFFER_BYTES,
    STALLED_CLIENT_TIMEOUT_S,
    PoolFull,
    ThreadPools,
)
from feeds.web.file_transfers import FileTransfers
from feeds.web.middleware import SENDS_FILES_KEY, DocumentMiddleware
from feeds.web.request import RsgiRequest
from feeds.web.response import Response
from feeds.web.webhook import BODY_KEY, MAX_BODY_BYTES

_PATHS_WITH_BODIES = {"/refresh"}
_SIGNATURE_KEY = "HTTP_X_HUB_SIGNATURE_256"  # the key of the signature of a body in the environment
_MIN_FILE_TRANSFERS = 16  # files that are sent at the same time; otherwise one for each 2 MiB of `server.memory`
_M_TRIM_THRESHOLD, _M_ARENA_MAX = -1, -8  # of malloc.h


class AnsweringApplication:
    """An application, and the requests that it is answering."""

    def __init__(self, served: ServedApplication) -> None:
        settings = served.settings
        self.served = served
        self.middleware = served.middleware
        folders = [folder for folder in (settings.content_root, settings.static_folder) if folder]
        self.file_transfers = FileTransfers(folders, max(_MIN_FILE_TRANSFERS, settings.server.memory // 2))
        self.requests = 0  # changed by the event loop only


class Application:
    """Answers granian's requests, with one application at a time."""

    def __init__(self, served: ServedApplication, on_ready: Callable[[], object]) -> None:
        """Prepare to answer with an application; `on_ready` is called before the server listens."""
        self._answering = AnsweringApplication(served)
        self._on_ready = on_ready
        self._pools = ThreadPools()
        self._bodies = 0  # number of bodies that are being read or used
        self._body_bytes = 0  # their total size
        self._are_sockets_set_up = False

    @property
    def served(self) -> ServedApplication:
        """The application that answers new requests."""
        return self._answering.served

    def use(self, served: ServedApplication) -> "AnsweringApplication":
        """Answer new requests with another application. Return the previous one, which may still be answering some."""
        previous, self._answering = self._answering, AnsweringApplication(served)
        return previous

    def __rsgi_init__(self, _loop: asyncio.AbstractEventLoop) -> None:
        """Start to poll the catalog's health, and report that the worker is about to listen."""
        self.served.middleware.health.start_polling()
        self._on_ready()

    async def __rsgi__(self, scope: Any, protocol: Any) -> None:
        """Answer a request."""
        if not self._are_sockets_set_up:  # the server begins to listen after it has called `__rsgi_init__`
            self._are_sockets_set_up = True
            disconnect_stalled_clients()
        answering = self._answering
        answering.requests += 1
        try:
            await self._answer(answering, scope, protocol)
        finally:
            answering.requests -= 1

    async def _answer(self, answering: "AnsweringApplication", scope: Any, protocol: Any) -> None:
        request = RsgiRequest(scope)
        try:
            response = answering.middleware.respond(request, WaitPolicy.MEMORY)
        except WouldBlock as error:
            response = await self._respond_later(answering.middleware, request, error.pool)
        if response is None:
            response = await self._file_or_flask_response(answering, request, scope, protocol)
        _send(protocol, response, is_head=request.method == "HEAD")

    async def _respond_later(self, middleware: DocumentMiddleware, request: RsgiRequest, pool: str) -> Response | None:
        """Return the response for a document or page from a thread that may wait for it; None if Flask must answer."""
        try:
            if pool == "catalog":
                try:
                    return await self._pools.run(pool, lambda: middleware.respond(request, WaitPolicy.CATALOG))
                except WouldBlock as error:
                    pool = error.pool
            return await self._pools.run(pool, lambda: middleware.respond(request, WaitPolicy.RENDER))
        except PoolFull:
            return middleware.too_busy(request)

    async def _file_or_flask_response(
        self, answering: "AnsweringApplication", request: RsgiRequest, scope: Any, protocol: Any
    ) -> Response:
        """Return Flask's response, or 503 if it is a file and too many are being sent."""
        middleware, file_transfers = answering.middleware, answering.file_transfers
        if media_type(request.path) and file_transfers.is_overloaded():
            return middleware.too_busy(request)
        response = await self._flask_response(middleware, request, scope, protocol)
        if response.file is None or request.method == "HEAD" or await file_transfers.start():
            return response
        return middleware.too_busy(request)

    async def _flask_response(
        self, middleware: DocumentMiddleware, request: RsgiRequest, scope: Any, protocol: Any
    ) -> Response:
        environ = wsgi_environ(scope)
        has_body = request.method == "POST" and request.path in _PATHS_WITH_BODIES
        try:
            async with self._body(environ, protocol) if has_body else contextlib.nullcontext():
                complete_environ(environ)
                return await self._pools.run("other", lambda: middleware.flask_response(request, environ))
        except PoolFull:
            return middleware.too_busy(request)
        except TimeoutError:
            return middleware.body_timeout(request)

    @contextlib.asynccontextmanager
    async def _body(self, environ: WSGIEnvironment, protocol: Any) -> AsyncIterator[None]:
        """Read a request's body, put it into `environ` if it is signed, and count it until the context ends.

        A body without a signature is read too: if the connection were closed, a client that is still sending might
        report an error. Raise `PoolFull` if there are too many bodies or bytes, and `TimeoutError` if reading takes too
        long.
        """
        length = environ.get("CONTENT_LENGTH", "")
        if not (length.isdecimal() and len(length) <= 9 and 0 < int(length) <= MAX_BODY_BYTES):  # noqa: PLR2004  # digits
            yield
            return
        if self._bodies >= MAX_BODIES:
            raise PoolFull
        self._bodies += 1
        parts, received, kept = list[bytes](), 0, 0
        try:
            async with asyncio.timeout(BODY_TIMEOUT_S):
                async for part in protocol:
                    received += len(part)
                    if received > MAX_BODY_BYTES:
                        break
                    if _SIGNATURE_KEY in environ:
                        parts.append(bytes(part))
                        kept += len(part)
                        self._body_bytes += len(part)
                    if self._body_bytes > MAX_TOTAL_BODY_BYTES:
                        raise PoolFull
            environ[BODY_KEY] = b"".join(parts)
            parts.clear()
            yield
        finally:
            self._bodies -= 1
            self._body_bytes -= kept


def limit_allocator() -> None:
    """Limit the C library's allocator to two heaps, and have it return free memory (mallopt(3); glibc only).

    By default each thread that renders gets a heap of its own, and keeps the memory that it has freed.
    """
    with contextlib.suppress(AttributeError, TypeError):  # other C libraries have no such function
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_ARENA_MAX, 2)
        mallopt(_M_TRIM_THRESHOLD, 1 << 20)


def disconnect_stalled_clients() -> None:
    """Configure the system to end connections whose clients don't read their responses (tcp(7), TCP_USER_TIMEOUT).

    Otherwise, each of them would keep its part of a file or a document in memory until the client disconnects. The
    option is set for this process's listening sockets, whose connections inherit it, and for accepted connections.
    """
    if not hasattr(socket, "TCP_USER_TIMEOUT"):
        return
    sockets: list[socket.socket] = []
    with contextlib.ExitStack() as stack:
        for entry in Path("/proc/self/fd").iterdir():
            # sockets only: closing a copy of a database file's descriptor would release this process's locks on it
            with contextlib.suppress(OSError):
                if entry.readlink().name.startswith("socket:"):
                    sockets.append(stack.enter_context(socket.socket(fileno=os.dup(int(entry.name)))))
        tcp_sockets = [sock for sock in sockets if sock.family in {socket.AF_INET, socket.AF_INET6}]
        listeners = [sock for sock in tcp_sockets if sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)]
        ports = {sock.getsockname()[1] for sock in listeners}
        for sock in tcp_sockets:
            if sock.getsockname()[1] in ports:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, STALLED_CLIENT_TIMEOUT_S * 1000)
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)


def wsgi_environ(scope: Any) -> WSGIEnvironment:
    """Return a request's WSGI environment (PEP 3333), except for the values that `complete_environ` adds.

    Header fields with "_" in their names are dropped, because WSGI would not distinguish them from those with "-".
    """
    environ: WSGIEnvironment = {
        "REQUEST_METHOD": scope.method,
        "PATH_INFO": scope.path,
        "QUERY_STRING": scope.query_string,
        "REMOTE_ADDR": scope.client.rpartition(":")[0].strip("[]"),
        "SERVER_PROTOCOL": f"HTTP/{scope.http_version}",
    }
    if "%" in scope.path:
        environ["PATH_INFO"] = unquote_to_bytes(scope.path).decode("latin-1")
    elif not scope.path.isascii():
        environ["PATH_INFO"] = scope.path.encode().decode("latin-1")
    for name, value in scope.headers.items():
        if "_" in name:
            continue
        key = f"HTTP_{name.upper().replace('-', '_')}"
        environ[key] = f"{environ[key]},{value}" if key in environ else value
    for name in ("CONTENT_LENGTH", "CONTENT_TYPE"):
        if (header := environ.pop(f"HTTP_{name}", None)) is not None:
            environ[name] = header
    return environ


def complete_environ(environ: WSGIEnvironment) -> None:
    """Add the values that Flask needs in addition to those of `wsgi_environ`."""
    body = environ.get(BODY_KEY, b"")
    environ |= {
        "SCRIPT_NAME": "",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        SENDS_FILES_KEY: True,
    }


def _send(protocol: Any, response: Response, *, is_head: bool) -> None:
    if response.file is not None and not is_head:
        if response.byte_range:
            protocol.response_file_range(response.status, response.headers, response.file, *response.byte_range)
        else:
            protocol.response_file(response.status, response.headers, os.fspath(response.file))
    elif response.body and not is_head:
        protocol.response_bytes(response.status, response.headers, response.body)
    else:
        protocol.response_empty(response.status, response.headers)
