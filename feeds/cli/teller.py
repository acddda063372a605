"""What `feeds serve` says: on the terminal once, not each time, and to systemd."""

import contextlib
import os
import socket
import threading
import time
from collections.abc import Callable

from feeds import config
from feeds.cli.common import advice, counted, plural, say, warnings_of, where
from feeds.errors import FeedsError, GuardStopped, StandingBy
from feeds.publish import Outcome

_SAY_EVERY = 5.0  # seconds


class Teller:
    """Says on the terminal what a regeneration under `serve` came to, once, not each time."""

    def __init__(self, settings: config.Config, role: str, host: str, port: int, *, quiet: bool, key: str) -> None:
        """`key` opens what is not published yet, "" if nothing does."""
        self._settings = settings
        self._role = role
        self.source = ""  # the name of the catalog
        self.count: Callable[[], int] = lambda: 0  # about how many articles there are
        self._began, self._said = 0.0, 0.0  # when the run began, and when something was last said of it
        self._about = 0  # how many articles there are, as soon as that is known
        self._counting = False
        self._quiet = quiet
        shown = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  # what can be opened here
        self._address = f"http://{f'[{shown}]' if ':' in shown else shown}:{port}"
        self._key = key
        self._greeted = False
        self._refused: set[str] = set()
        self._error, self._stood_by = "", False
        self._telling = threading.Lock()  # who leads and who regenerates both tell

    def use(self, settings: config.Config) -> None:
        """Report from now on with a configuration that was read again."""
        self._settings = settings

    def answering(self) -> None:
        """Say that there is only who answers."""
        self._greet()
        notify("READY=1\nSTATUS=answering")

    def progress(self, done: int) -> None:
        """Say how far a long run is, every few seconds."""
        notify("READY=1")  # what is published already is served meanwhile
        now = time.monotonic()
        if not done:
            self._began = self._said = now
        elif now - self._said > _SAY_EVERY and not self._quiet:
            self._said = now
            rate = done / (now - self._began)
            left = f"; {(self._about - done) / rate:,.0f} s to go" if self._about > done else ""
            self._inform(f"looked at {done:,} articles, {rate:,.0f}/s{left}")
            if not self._counting:  # beside the look, which a save may be waiting for
                self._counting = True
                threading.Thread(target=self._count, name="count", daemon=True).start()

    def _count(self) -> None:
        self._about = self.count()

    def tell(self, outcome: Outcome | FeedsError) -> None:
        """Say what is new since the last time."""
        with self._telling:
            self._tell(outcome)

    def _tell(self, outcome: Outcome | FeedsError) -> None:
        self._greet()
        notify(f"READY=1\nSTATUS={outcome if isinstance(outcome, FeedsError) else self._state(outcome)}")
        if isinstance(outcome, FeedsError):
            # the guard's sentence counts what a script changes file by file: once is enough
            error = type(outcome).__name__ if isinstance(outcome, GuardStopped) else str(outcome)
            if error != self._error:
                say(str(outcome))
            self._error, self._stood_by = error, isinstance(outcome, StandingBy)
            return
        self._say_refused(outcome)
        if self._error and outcome.whole:  # what only looked at a file that was saved knows no better
            self._inform("leading now" if self._stood_by else "all is well again")
            self._error = ""
        for line in warnings_of(outcome, self._settings):
            self._inform(line)
        if outcome.changed:
            self._inform(f"{self._state(outcome)}; {plural(len(outcome.changed), 'feed')} changed")

    @staticmethod
    def _state(outcome: Outcome) -> str:
        return f"revision {outcome.revision}: {counted(outcome)}"

    def _say_refused(self, outcome: Outcome) -> None:
        lines = {f"{where(refusal, self._settings)}: {refusal.reason}" for refusal in outcome.refused}
        for line in sorted(lines - self._refused):
            say(line)
        self._refused = lines

    def _greet(self) -> None:
        if self._greeted:
            return
        self._greeted = True
        if self._role == "web":
            self._inform(f"{self._settings.site.title}, answering from {self.source}")
        else:
            self._inform(f"{self._settings.site.title}, watching {self._settings.content_root}")
        if self._role == "publisher":
            self._inform(f"  how that goes {self._address}/healthz")
        else:
            self._say_addresses()
        for line in advice(self._settings):
            self._inform(f"  {line}")
        self._inform("  Ctrl-C ends it")

    def _say_addresses(self) -> None:
        public = self._settings.for_core.feeds_url
        self._inform(f"  look at       {self._address}/")
        if self._key:
            self._inform(f"  drafts        {self._address}/preview/?{self._key}")
        for path in ("/rss.xml", "/atom.xml", "/feed.json"):
            self._inform(f"  subscribe to  {self._address}{path}")
        if public != self._address:
            self._inform(f"  the feeds name {public}/ as their address (site.url, feeds.url): it must lead here")

    def _inform(self, line: str) -> None:
        if not self._quiet:
            say(line)


def notify(state: str) -> None:
    """Tell systemd, if it has started us and wants to know (sd_notify(3))."""
    address = os.environ.get("NOTIFY_SOCKET")
    if address:
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notifier:
            notifier.connect(f"\0{address[1:]}" if address.startswith("@") else address)
            notifier.sendall(state.encode())
