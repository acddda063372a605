"""The application for granian's event loop (RSGI): what is in memory is answered at once, by the loop itself.

What must wait goes to the threads of `lanes`; files are sent by the server. So nothing that a client does, or leaves
undone, keeps another waiting.
"""

import asyncio
import contextlib
import ctypes
import gc
import io
import os
import socket
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes
from wsgiref.types import WSGIEnvironment

from feeds import config, logs
from feeds.catalog.failures import Memory
from feeds.documents import MustWait, Patience
from feeds.web import make_app
from feeds.web.edge import BAD_REQUEST, names_one_host
from feeds.web.front import SENDS_FILES, Front
from feeds.web.hook import BODY, LARGEST_BODY
from feeds.web.lanes import BODIES, BODY_SECONDS, BYTES_OF_BODIES, SECONDS_WITHOUT_PROGRESS, Full, Lanes
from feeds.web.response import Response

_TAKE_BODIES = {"/refresh"}
_SIGNATURE = "HTTP_X_HUB_SIGNATURE_256"  # of a body
_M_TRIM_THRESHOLD, _M_ARENA_MAX = -1, -8  # of malloc.h


class Application:
    """Answers granian's requests."""

    def __init__(self, front: Front, ready: Callable[[], object]) -> None:
        self._front = front
        self._ready = ready
        self._lanes = Lanes()
        self._bodies = 0  # that are being read or used
        self._bytes = 0  # of them
        self._limited = False

    def __rsgi_init__(self, _loop: asyncio.AbstractEventLoop) -> None:
        """Ask the catalog how it is from now on, and report that the worker is about to listen."""
        self._front.health.keep()
        self._ready()

    async def __rsgi__(self, scope: Any, protocol: Any) -> None:
        """Answer a request."""
        if not self._limited:  # the server begins to listen after it has called `__rsgi_init__`
            self._limited = True
            limit_silence()
        if scope.proto != "http":
            protocol.close(403)
            return
        environ = environment(scope)
        response = await self._respond(environ, protocol) if names_one_host(environ) else BAD_REQUEST
        _send(protocol, response, head=scope.method == "HEAD")

    async def _respond(self, environ: WSGIEnvironment, protocol: Any) -> Response:
        try:
            response = await self._ask(environ)
            if response is None:
                path = environ["PATH_INFO"]
                with_body = environ["REQUEST_METHOD"] == "POST" and path in _TAKE_BODIES
                async with self._body(environ, protocol) if with_body else contextlib.nullcontext():
                    for_wsgi(environ)
                    response = await self._lanes.run("other", lambda: self._front.ask_flask(environ))
        except Full:
            response = self._front.too_busy(environ)
        except TimeoutError:
            response = self._front.no_body(environ)
        return response

    async def _ask(self, environ: WSGIEnvironment) -> Response | None:
        """Ask for the response with more and more patience, until it is there."""
        front = self._front
        try:
            return front.respond(environ, Patience.MEMORY)
        except MustWait as needed:
            lane = needed.lane
        if lane == "catalog":
            try:
                return await self._lanes.run(lane, lambda: front.respond(environ, Patience.CATALOG))
            except MustWait as needed:
                lane = needed.lane
        return await self._lanes.run(lane, lambda: front.respond(environ, Patience.RENDER))

    @contextlib.asynccontextmanager
    async def _body(self, environ: WSGIEnvironment, protocol: Any) -> AsyncIterator[None]:
        """Read the body of a request, keep it if it is signed, and count it until it was used.

        It is read also without a signature: a client that is still sending may take the closed connection for an error.
        Raises `Full` if there are too many, or too many bytes of them, and `TimeoutError` if it takes too long.
        """
        length = environ.get("CONTENT_LENGTH", "")
        if not (length.isdecimal() and len(length) <= 9 and 0 < int(length) <= LARGEST_BODY):  # noqa: PLR2004  # digits
            yield
            return
        if self._bodies >= BODIES:
            raise Full
        self._bodies += 1
        parts, size, kept = list[bytes](), 0, 0
        try:
            async with asyncio.timeout(BODY_SECONDS):
                async for part in protocol:
                    size += len(part)
                    if size > LARGEST_BODY:
                        break
                    if _SIGNATURE in environ:
                        parts.append(bytes(part))
                        kept += len(part)
                        self._bytes += len(part)
                    if self._bytes > BYTES_OF_BODIES:
                        raise Full
            environ[BODY] = b"".join(parts)
            parts.clear()
            yield
        finally:
            self._bodies -= 1
            self._bytes -= kept


def create_rsgi(
    settings: config.Config, *, parent: int, preview_key: str, memory: Memory, ready: Callable[[], object], name: str
) -> Application:
    """Return the application for granian, as `feeds.web.make_app` makes it; `ready` is called before it listens."""
    logs.set_up()
    keep_little_free_memory()
    app = make_app(settings, parent=parent, preview_key=preview_key, memory=memory, name=name)
    gc.collect()
    gc.freeze()  # a full collection looks at each object that is not, and holds the interpreter meanwhile
    return Application(app.extensions["feeds.front"], ready)


def keep_little_free_memory() -> None:
    """Limit the C library's allocator to two heaps, and have it return free memory (mallopt(3); glibc only).

    It would give each thread that renders a heap of its own, and keep what one has freed for that thread.
    """
    with contextlib.suppress(AttributeError, TypeError):  # other C libraries have no such function
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_ARENA_MAX, 2)
        mallopt(_M_TRIM_THRESHOLD, 1 << 20)


def limit_silence() -> None:
    """Have the system end connections whose clients read nothing of what was sent to them.

    Without that, each would keep its part of a file or a document in memory for ever (tcp(7), TCP_USER_TIMEOUT). It is
    set for this process's listeners, whose connections inherit it, and for the connections that they have accepted.
    """
    if not hasattr(socket, "TCP_USER_TIMEOUT"):
        return
    sockets: list[socket.socket] = []
    with contextlib.ExitStack() as stack:
        for entry in Path("/proc/self/fd").iterdir():
            # nothing else: to close a copy of a database file's descriptor would release this process's locks on it
            with contextlib.suppress(OSError):
                if entry.readlink().name.startswith("socket:"):
                    sockets.append(stack.enter_context(socket.socket(fileno=os.dup(int(entry.name)))))
        inet = [one for one in sockets if one.family in {socket.AF_INET, socket.AF_INET6}]
        ports = {one.getsockname()[1] for one in inet if one.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)}
        for one in inet:
            if one.getsockname()[1] in ports:
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, SECONDS_WITHOUT_PROGRESS * 1000)


def environment(scope: Any) -> WSGIEnvironment:
    """Return what a request says, as PEP 3333 has it.

    Header fields with "_" are left out: they would be taken for those with "-" in their place.
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
        if (said := environ.pop(f"HTTP_{name}", None)) is not None:
            environ[name] = said
    return environ


def for_wsgi(environ: WSGIEnvironment) -> None:
    """Add what Flask needs besides."""
    body = environ.get(BODY, b"")
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
        SENDS_FILES: True,
    }


def _send(protocol: Any, response: Response, *, head: bool) -> None:
    if response.file is not None and not head:
        if response.part:
            protocol.response_file_range(response.status, response.headers, response.file, *response.part)
        else:
            protocol.response_file(response.status, response.headers, os.fspath(response.file))
    elif response.body and not head:
        protocol.response_bytes(response.status, response.headers, response.body)
    else:
        protocol.response_empty(response.status, response.headers)
