"""The messages of `feeds serve`: on the terminal, each one once, and to systemd."""

import contextlib
import os
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

from feeds import config
from feeds.cli.common import (
    advice,
    outcome_summary,
    plural,
    print_message,
    rejected_line,
    report_recovery,
    warning_lines,
)
from feeds.core.errors import CatalogDamaged, FeedsError, GuardStopped, NotLeader
from feeds.publish.observer import PublishObserver
from feeds.publish.outcome import Outcome

_PROGRESS_INTERVAL_S = 5.0


class ConsoleReporter(PublishObserver):
    """Prints what a run has changed since the last one, and reports the state to systemd."""

    def __init__(
        self, settings: config.Config, role: str, url: str, *, quiet: bool, is_preview: bool, preview_key: str
    ) -> None:
        """Prepare to report.

        Args:
            settings: the configuration.
            role: "all", "publisher" or "web".
            url: the address of the server, as a browser on this machine needs it.
            quiet: whether to print errors only.
            is_preview: whether links lead to the server instead of `site.url`.
            preview_key: authorises browsers to see unpublished articles; empty if there is no preview.
        """
        self._settings = settings
        self._role = role
        self.catalog_name = ""
        self.count_articles: Callable[[], int] = lambda: 0  # returns about how many articles the folder has
        self._started_at, self._printed_at = 0.0, 0.0  # of the current run, and of its last message
        self._total = 0  # articles in the folder, once they are counted
        self._is_counting = False
        self._quiet = quiet
        self._url = url
        self._is_preview = is_preview
        self._preview_key = preview_key
        self._has_greeted = False
        self._rejected: set[str] = set()
        self._error, self._was_standby = "", False
        self._reporting = threading.Lock()  # the threads of the leader election and of the runs both report

    def set_settings(self, settings: config.Config) -> None:
        """Use another configuration from now on."""
        self._settings = settings

    def report_serving(self) -> None:
        """Report that this process serves, and doesn't publish."""
        self._greet()
        notify_systemd("READY=1\nSTATUS=serving")

    def on_progress(self, files: int) -> None:
        """Print the progress of a long run every few seconds."""
        notify_systemd("READY=1")  # published documents are served meanwhile
        now = time.monotonic()
        if not files:
            self._started_at = self._printed_at = now
        elif now - self._printed_at > _PROGRESS_INTERVAL_S and not self._quiet:
            self._printed_at = now
            rate = files / (now - self._started_at)
            remaining = f"; {(self._total - files) / rate:,.0f} s left" if self._total > files else ""
            self._print(f"scanned {files:,} articles, {rate:,.0f}/s{remaining}")
            if not self._is_counting:  # in a thread, so that it doesn't delay the run
                self._is_counting = True
                threading.Thread(target=self._count, name="count", daemon=True).start()

    def _count(self) -> None:
        self._total = self.count_articles()

    def on_recovered(self, damage: CatalogDamaged, kept_as: Path | None) -> None:
        """Print that a damaged catalog was replaced."""
        report_recovery(damage, kept_as)

    def on_failed(self, error: FeedsError) -> None:
        """Print why a run failed, unless the last run failed for the same reason."""
        with self._reporting:
            self._greet()
            notify_systemd(f"READY=1\nSTATUS={error}")
            # the guard's message changes with each file that a script writes: print it once
            reason = type(error).__name__ if isinstance(error, GuardStopped) else str(error)
            if reason != self._error:
                print_message(str(error))
            self._error, self._was_standby = reason, isinstance(error, NotLeader)

    def on_finished(self, outcome: Outcome) -> None:
        """Print what has changed since the last run."""
        with self._reporting:
            self._greet()
            notify_systemd(f"READY=1\nSTATUS={self._state(outcome)}")
            self._print_rejected(outcome)
            if self._error and outcome.is_full_scan:  # a run for one saved file doesn't show that the error is over
                self._print("this publisher leads now" if self._was_standby else "recovered: the last run succeeded")
                self._error = ""
            for line in warning_lines(outcome, self._settings):
                self._print(line)
            if outcome.changed:
                self._print(f"{self._state(outcome)}; {plural(len(outcome.changed), 'feed')} changed")

    @staticmethod
    def _state(outcome: Outcome) -> str:
        return f"revision {outcome.revision}: {outcome_summary(outcome)}"

    def _print_rejected(self, outcome: Outcome) -> None:
        lines = {rejected_line(rejected, self._settings) for rejected in outcome.rejected}
        for line in sorted(lines - self._rejected):
            print_message(line)
        self._rejected = lines

    def _greet(self) -> None:
        if self._has_greeted:
            return
        self._has_greeted = True
        if self._role == "web":
            self._print(f"{self._settings.site.title}, serving from {self.catalog_name}")
        else:
            self._print(f"{self._settings.site.title}, watching {self._settings.content_root}")
        if self._role == "publisher":
            self._print(f"  health        {self._url}/healthz")
        else:
            self._print_urls()
        for line in advice(self._settings):
            self._print(f"  {line}")
        self._print("  Press Ctrl-C to stop")

    def _print_urls(self) -> None:
        public_url = self._settings.site_model.feeds_url
        self._print(f"  open          {self._url}/")
        if self._preview_key:
            self._print(f"  drafts        {self._url}/preview/?{self._preview_key}")
        for path in ("/rss.xml", "/atom.xml", "/feed.json"):
            self._print(f"  subscribe to  {self._url}{path}")
        if self._is_preview:
            self._print("  preview: links lead to this server, and pages reload when you save")
        elif public_url != self._url:
            self._print(
                f"  note: the feeds give {public_url}/ as their address (site.url, feeds.url); route it to this server"
            )

    def _print(self, line: str) -> None:
        if not self._quiet:
            print_message(line)


def notify_systemd(state: str) -> None:
    """Send a state to systemd, if it has started this process and expects one (sd_notify(3))."""
    address = os.environ.get("NOTIFY_SOCKET")
    if address:
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notifier:
            notifier.connect(f"\0{address[1:]}" if address.startswith("@") else address)
            notifier.sendall(state.encode())
