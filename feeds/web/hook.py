"""`POST /refresh`: who knows the secret may ask for a regeneration; whoever publishes finds the request in the catalog.

A signature is of the body. `feeds serve` reads it beside all other requests, within limits of size and time. Under
another server a body is read only behind a proxy, which has it whole before it passes it on: it would hold a thread.

Wrong secrets are not counted: a count that shuts a client out also shuts out the forge behind the same proxy. What
makes guessing hopeless is the length of the secret (`config.values`).
"""

import hashlib
import hmac
import threading
from collections.abc import Callable

from werkzeug.wrappers import Request, Response

from feeds.web.window import Window

BODY = "feeds.body"  # in the environment: the body, if the server has read it
LARGEST_BODY = 8 << 20  # bytes of a body; GitHub's are some kilobytes, and grow with the commits of a push
_MOST = 30  # requests in a minute that are granted


class Hook:
    """Decides who may ask, and remembers that somebody did."""

    def __init__(self, secret: str, *, proxied: bool) -> None:
        """With `proxied`, every request comes through a proxy that buffers bodies."""
        self._proxied = proxied
        self._secret = secret.encode()
        self._asked = threading.Event()
        self._granted = Window(1)

    def hand_on(self, ask: Callable[[], object]) -> None:
        """Ask for a regeneration if somebody wants one; what raises will be tried again."""
        if self._asked.is_set():
            self._asked.clear()  # first, so that a call of this moment is not lost
            try:
                ask()
            except BaseException:
                self._asked.set()
                raise

    def answer(self, request: Request) -> Response:
        """Answer 202 to who has the secret: as a bearer token, as GitLab's, or in GitHub's and Gitea's signature."""
        if self._has_token(request):
            return self._grant()
        signature = request.headers.get("X-Hub-Signature-256", "")
        if not signature:
            return _refuse("Authorization: Bearer …, X-Gitlab-Token or X-Hub-Signature-256 is missing, or wrong.")
        if not (self._proxied or BODY in request.environ):
            return _refuse("Signatures are read behind a proxy only (server.client_header); or use a token.")
        length = request.content_length
        if length is None or length > LARGEST_BODY:
            return _refuse(f"A body of at most {LARGEST_BODY >> 20} MiB is wanted, with its length.", 413)
        body = request.stream.read(length)  # in any case: who is answered before that may get a 502 from the proxy
        expected = f"sha256={hmac.new(self._secret, body, hashlib.sha256).hexdigest()}"
        if not hmac.compare_digest(signature.encode(), expected.encode()):
            return _refuse("The signature is not that of this body with this secret.")
        return self._grant()

    def _has_token(self, request: Request) -> bool:
        kind, _, token = request.headers.get("Authorization", "").partition(" ")
        tokens = [token if kind.lower() == "bearer" else "", request.headers.get("X-Gitlab-Token", "")]
        return any(hmac.compare_digest(one.strip().encode(), self._secret) for one in tokens)

    def _grant(self) -> Response:
        if self._granted.add("") > _MOST:
            again = {"Retry-After": str(Window.left())}
            return _say("Asked often enough; the next regeneration sees everything.", 429, again)
        self._asked.set()
        return _say("The feeds are being regenerated.", 202)


def _refuse(why: str, status: int = 401) -> Response:
    return _say(why, status, {"WWW-Authenticate": "Bearer"} if status == 401 else {})  # noqa: PLR2004


def _say(text: str, status: int, headers: dict[str, str] | None = None) -> Response:
    response = Response(f"{text}\n", status, content_type="text/plain; charset=utf-8", headers=headers)
    response.headers["Cache-Control"] = "no-store"
    return response
