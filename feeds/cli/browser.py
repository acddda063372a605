"""`feeds serve --open`: opens the site in the user's browser as soon as it is served."""

import os
import threading
import time
from contextlib import closing, suppress
from http.client import HTTPConnection, HTTPException
from urllib.parse import urlsplit

from feeds.cli.common import print_message

_POLL_INTERVAL_S = 0.1
_TIMEOUT_S = 5.0
_CONSOLE_BROWSERS = {"www-browser", "links", "elinks", "lynx", "w3m"}  # they would take over the server's terminal


def open_when_ready(url: str) -> None:
    """Open the URL of a server in the browser, from a thread, once the server has something to serve.

    If no browser can be opened, print the URL.
    """
    threading.Thread(target=_open_when_ready, args=(url,), name="browser", daemon=True).start()


def _open_when_ready(url: str) -> None:
    while not _is_ready(urlsplit(url).netloc):
        time.sleep(_POLL_INTERVAL_S)
    if not _open(url):
        print_message(f"no browser can be opened here; open {url} in yours")


def _is_ready(address: str) -> bool:
    """Return whether the server at an address has something to serve."""
    # `urllib` would use the proxy of the environment
    with suppress(OSError, HTTPException), closing(HTTPConnection(address, timeout=_TIMEOUT_S)) as connection:
        connection.request("HEAD", "/healthz")
        return connection.getresponse().status == 200  # noqa: PLR2004  # OK
    return False


def _open(url: str) -> bool:
    """Open a URL in the browser that BROWSER names, or in a graphical one. Return whether there is one."""
    import webbrowser  # it looks for browsers

    try:
        browser = webbrowser.get()
        if getattr(browser, "name", "") in _CONSOLE_BROWSERS and not os.environ.get("BROWSER"):
            return False
        return browser.open(url)
    except (webbrowser.Error, OSError):
        return False
