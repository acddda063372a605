"""`POST /refresh`: clients with the secret request a publish run; the publisher finds the request in the catalog.

A signature covers the body. `feeds serve` reads the body without occupying a thread, within limits of size and time.
Under other servers, a body that arrives slowly would occupy a thread, so it is read only behind a proxy that buffers
bodies.

The number of wrong secrets is not limited: a limit that blocks a client would also block the code host behind the same
proxy. The secret is too long to be guessed (`config.values`).
"""

import hashlib
import hmac
import threading
from collections.abc import Callable

from werkzeug.wrappers import Request, Response

from feeds.web.fixed_window import FixedWindowCounter

BODY_KEY = "feeds.body"  # in the environment: the request's body, if the server has read it
MAX_BODY_BYTES = 8 << 20  # GitHub's bodies have some kilobytes, and grow with the commits of a push
_MAX_CALLS_PER_MINUTE = 30


class Webhook:
    """Authorises calls. `forward` later requests one run for all calls since it was last used."""

    def __init__(self, secret: str, *, proxied: bool) -> None:
        """Accept calls with `secret`. `proxied` is whether all requests come through a proxy that buffers bodies."""
        self._proxied = proxied
        self._secret = secret.encode()
        self._called = threading.Event()
        self._calls = FixedWindowCounter(1)

    def forward(self, request_run: Callable[[], object]) -> None:
        """Call `request_run` if there were calls since the last time. If it raises, the next `forward` tries again."""
        if self._called.is_set():
            self._called.clear()  # first, so that a call at this moment is not lost
            try:
                request_run()
            except BaseException:
                self._called.set()
                raise

    def respond(self, request: Request) -> Response:
        """Return 202 for a call with the secret: a bearer token, GitLab's token, or a signature of GitHub or Gitea."""
        if self._has_token(request):
            return self._accept()
        signature = request.headers.get("X-Hub-Signature-256", "")
        if not signature:
            return _reject("Authorization: Bearer …, X-Gitlab-Token or X-Hub-Signature-256 is missing or wrong.")
        if not (self._proxied or BODY_KEY in request.environ):
            return _reject("Signatures are accepted behind a proxy only: set server.client_header, or use a token.")
        length = request.content_length
        if length is None or length > MAX_BODY_BYTES:
            return _reject(f"The body must have a Content-Length of at most {MAX_BODY_BYTES >> 20} MiB.", 413)
        body = request.stream.read(length)  # to its end: otherwise, a proxy may answer 502 instead of this response
        expected = f"sha256={hmac.new(self._secret, body, hashlib.sha256).hexdigest()}"
        if not hmac.compare_digest(signature.encode(), expected.encode()):
            return _reject("The signature does not match this body and the secret.")
        return self._accept()

    def _has_token(self, request: Request) -> bool:
        scheme, _, bearer = request.headers.get("Authorization", "").partition(" ")
        tokens = [bearer if scheme.lower() == "bearer" else "", request.headers.get("X-Gitlab-Token", "")]
        return any(hmac.compare_digest(token.strip().encode(), self._secret) for token in tokens)

    def _accept(self) -> Response:
        if self._calls.add("") > _MAX_CALLS_PER_MINUTE:
            retry_after = {"Retry-After": str(FixedWindowCounter.seconds_left())}
            return _plain("Too many calls; the next publish run includes all changes.", 429, retry_after)
        self._called.set()
        return _plain("A publish run was requested.", 202)


def _reject(message: str, status: int = 401) -> Response:
    return _plain(message, status, {"WWW-Authenticate": "Bearer"} if status == 401 else {})  # noqa: PLR2004


def _plain(text: str, status: int, headers: dict[str, str] | None = None) -> Response:
    response = Response(f"{text}\n", status, content_type="text/plain; charset=utf-8", headers=headers)
    response.headers["Cache-Control"] = "no-store"
    return response
