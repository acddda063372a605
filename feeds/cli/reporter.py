"""Reports the events of `feeds serve` to the log, each failure once, and its state to systemd."""

import contextlib
import os
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from itertools import islice
from pathlib import Path

from feeds import __version__, config
from feeds.cli.common import advice, articles_summary, duration, page_path, plural, recovery_message, warning_lines
from feeds.cli.event_lines import MAX_FEEDS, MAX_TITLE_CHARS, article_text, counts_text, feeds_text, missing_text
from feeds.core.errors import CatalogDamaged, FeedsError, GuardStopped, NotLeader
from feeds.core.text import truncate
from feeds.event_log import EventLog
from feeds.publish.events import MAX_EVENTS, ArticleEvent
from feeds.publish.observer import PublishObserver
from feeds.publish.outcome import Outcome

_PROGRESS_INTERVAL_S = 5.0
_FIRST_RUN_REPORTED_AFTER_S = 1.0
_MAX_REASON_CHARS = 1_000
_MAX_KNOWN_WARNINGS = 10_000
_MAX_PICTURES = 100  # that are looked for after a run
MAX_MISTAKES = 20  # of the configuration that are reported
NOT_RELOADED = "the configuration is not reloaded"


class ConsoleReporter(PublishObserver):
    """Reports the changes of each run to the log, and the state to systemd."""

    def __init__(
        self, settings: config.Config, log: EventLog, role: str, url: str, *, is_preview: bool, preview_key: str
    ) -> None:
        """Prepare to report.

        Args:
            settings: the configuration.
            log: where events are written.
            role: "all", "publisher" or "web".
            url: the address of the server, as a browser on this machine needs it.
            is_preview: whether links lead to the server instead of `site.url`.
            preview_key: authorises browsers to see unpublished articles; empty if there is no preview.
        """
        self._settings = settings
        self._log = log
        self._role = role
        self._created_at = time.monotonic()
        self.catalog_name = ""
        self.count_articles: Callable[[], int] = lambda: 0  # returns about how many articles the folder has
        self._started_at, self._reported_at = 0.0, 0.0  # of the current run, and of its last message
        self._total = 0  # articles in the folder, once they are counted
        self._is_counting = False
        self._first_run: threading.Timer | None = None  # reports that it takes longer
        self._url = url
        self._is_preview = is_preview
        self._preview_url = f"{url}/preview/?{preview_key}" if preview_key else None
        self._warnings: dict[int, bool] = {}  # hashes of those that were reported, the newest last
        self._has_greeted = False
        self._has_finished = False  # whether a run has finished
        self._error, self._was_standby = "", False
        self._reporting = threading.Lock()  # the threads of the leader election and of the runs both report

    def set_settings(self, settings: config.Config) -> None:
        """Use another configuration from now on."""
        self._settings = settings

    def report_serving(self) -> None:
        """Report that this process serves, and doesn't publish."""
        self._greet()
        notify_systemd("READY=1\nSTATUS=serving")

    def report_stopped(self) -> None:
        """Report that the server has stopped."""
        if self._has_greeted:
            self._log.begin_line()
            self._log.write("stopped", f"after {duration(time.monotonic() - self._created_at)}")

    def report_mistakes(self, mistakes: list[str]) -> None:
        """Report why the configuration was not reloaded: one line for each mistake, or one JSON object."""
        reasons = [truncate(mistake, _MAX_REASON_CHARS) for mistake in mistakes[:MAX_MISTAKES]]
        message = f"{NOT_RELOADED}, the old one stays in effect"
        if len(mistakes) == 1:
            self._log.write("config", f"{message}: {mistakes[0]}", level="error", mistakes=reasons)
            return
        self._log.write("config", f"{message}; it has {len(mistakes):,} mistakes", level="error", mistakes=reasons)
        if not self._log.is_json:
            for reason in reasons:
                self._log.write("config", reason, level="error")

    def on_progress(self, files: int) -> None:
        """Report the progress of a long run every few seconds."""
        notify_systemd("READY=1")  # published documents are served meanwhile
        now = time.monotonic()
        if not files:
            self._started_at = self._reported_at = now
            if not self._has_finished and self._first_run is None:
                self._first_run = threading.Timer(_FIRST_RUN_REPORTED_AFTER_S, self._report_first_run)
                self._first_run.daemon = True
                self._first_run.start()
        elif now - self._reported_at > _PROGRESS_INTERVAL_S:
            self._reported_at = now
            rate = files / (now - self._started_at)
            remaining = f", {duration((self._total - files) / rate)} left" if self._total > files else ""
            total = f" of about {self._total:,}" if self._total > files else ""
            message = f"{files:,}{total} files scanned, {rate:,.0f}/s{remaining}"
            self._log.write("progress", message, files=files, total=self._total)
            if not self._is_counting:  # in a thread, so that it doesn't delay the run
                self._is_counting = True
                threading.Thread(target=self._count, name="count", daemon=True).start()

    def _count(self) -> None:
        self._total = self.count_articles()

    def _report_first_run(self) -> None:
        """Report that the first run of this process takes longer, and how many files it reads."""
        self._is_counting = True
        self._count()
        with self._reporting:
            if not self._has_finished:
                self._greet()
                self._log.write("progress", f"reading {plural(self._total, 'file')}", files=0, total=self._total)

    def on_recovered(self, damage: CatalogDamaged, kept_as: Path | None) -> None:
        """Report that a damaged catalog was replaced."""
        self._log.write("warning", recovery_message(damage, kept_as), level="warning")

    def on_failed(self, error: FeedsError) -> None:
        """Report why a run failed, unless the last run failed for the same reason."""
        with self._reporting:
            self._greet()
            self._cancel_first_run()
            notify_systemd(f"READY=1\nSTATUS={error}")
            # the guard's message changes with each file that a script writes: report it once
            reason = type(error).__name__ if isinstance(error, GuardStopped) else str(error)
            is_standby = isinstance(error, NotLeader)
            if reason != self._error and is_standby:
                self._log.write("standby", str(error))
            elif reason != self._error:
                self._log.write("failed", str(error), level="error")
            self._error, self._was_standby = reason, is_standby

    def on_finished(self, outcome: Outcome) -> None:
        """Report the changes of a run."""
        with self._reporting:
            self._greet()
            notify_systemd(f"READY=1\nSTATUS={self._state(outcome)}")
            if self._error and outcome.is_full_scan:  # a run for one saved file doesn't show that the error is over
                if self._was_standby:
                    self._log.write("leading", "this process publishes the site now")
                else:
                    self._log.write("recovered", "the last run succeeded")
                self._error = ""
            self._report_articles(outcome)
            self._report_warnings(outcome)
            if outcome.changed or not self._has_finished:
                self._report_feeds(outcome)
            self._has_finished = True
            self._cancel_first_run()

    def _cancel_first_run(self) -> None:
        if self._first_run:
            self._first_run.cancel()

    @staticmethod
    def _state(outcome: Outcome) -> str:
        return f"revision {outcome.revision}: {articles_summary(outcome.articles, outcome.rejected_count)}"

    def _report_warnings(self, outcome: Outcome) -> None:
        """Report the warnings of a run.

        A run that reads all files, for a new configuration, finds those about unchanged articles again: they are not
        repeated.
        """
        for line in warning_lines(outcome, self._settings):
            is_known = self._warnings.pop(hash(line), False)
            self._warnings[hash(line)] = True  # as the newest
            if len(self._warnings) > _MAX_KNOWN_WARNINGS:
                del self._warnings[next(iter(self._warnings))]
            if not (is_known and outcome.has_read_all):
                event, _, message = line.partition(": ")  # "warning" or "notice"
                self._log.write(event, message, level="warning" if event == "warning" else "info")

    def _report_articles(self, outcome: Outcome) -> None:
        """Report the events of a run; after the first one of this process also the articles that are still rejected."""
        events, counts = list(outcome.events), Counter(outcome.event_counts)
        if not self._has_finished:
            reported = {event.path for event in events if event.kind == "rejected"}
            earlier = [rejected for rejected in outcome.rejected if rejected.path not in reported]
            events += [
                ArticleEvent("rejected", rejected.path, line=rejected.line, rejection=rejected.reason)
                for rejected in earlier[: MAX_EVENTS - len(reported)]
            ]
            counts["rejected"] = max(counts["rejected"], outcome.rejected_count)
        missing = self._missing_pictures(events)
        for event in events:
            self._report_article(event)
            if event.path in missing:
                message = missing_text(event.path, missing[event.path], self._settings.content.path)
                self._log.write("warning", message, level="warning", path=f"{self._settings.content.path}/{event.path}")
        counts.subtract(event.kind for event in events)
        if more := {kind: count for kind, count in counts.items() if count > 0}:
            self._log.write("more", counts_text(more), counts=more)

    def _missing_pictures(self, events: list[ArticleEvent]) -> dict[str, list[str]]:
        """Return which of the first linked pictures do not exist, by the path of the article."""
        missing: dict[str, list[str]] = {}
        if not any(event.linked_files for event in events) or "missing-image" in self._settings.check.ignore:
            return missing
        from feeds.content.pictures import is_picture
        from feeds.content.public_files import find_target
        from feeds.content.static_files import StaticFiles

        static_files = StaticFiles(self._settings.static_folder, self._settings.secrets)
        linked = ((event.path, name) for event in events for name in event.linked_files if is_picture(name))
        for path, name in islice(linked, _MAX_PICTURES):
            if not (find_target(self._settings.content_root, name) or static_files.find_by_path(f"/{name}")):
                missing.setdefault(path, []).append(name)
        return missing

    def _report_article(self, event: ArticleEvent) -> None:
        content = self._settings.content.path
        is_rejected = event.kind == "rejected"
        self._log.write(
            event.kind,
            article_text(event, content),
            level="error" if is_rejected else "info",
            layout=None if is_rejected else lambda columns: article_text(event, content, columns),
            path=f"{content}/{event.path}",
            old_path=f"{content}/{event.old_path}" if event.old_path else None,
            title=truncate(event.title, MAX_TITLE_CHARS),
            feeds=[page_path(feed) for feed in event.feeds[:MAX_FEEDS]],
            reason=truncate(event.rejection, _MAX_REASON_CHARS) or event.reason,
            line=event.line or None,
            at=event.at and event.at.isoformat(timespec="seconds"),
        )
        if event.continues:
            path, old_path, old_id = f"{content}/{event.path}", f"{content}/{event.continues.path}", event.continues.id
            message = f"{path} looks like {old_path}, renamed and changed: it has a new id; to keep the old one, set id"
            self._log.write("notice", f"{message}: {old_id}", path=path, old_path=old_path, id=old_id)

    def _report_feeds(self, outcome: Outcome) -> None:
        changed, state = outcome.changed, articles_summary(outcome.articles, outcome.rejected_count)

        def text(columns: int | None = None) -> str:
            if not changed:
                return f"unchanged; {state}"
            return feeds_text(changed, f"; {state}", columns)

        self._log.write(
            "feeds",
            text(),
            layout=text,
            revision=outcome.revision,
            articles=outcome.articles,
            rejected=outcome.rejected_count,
            changed=len(changed),
            feeds=[page_path(feed) for feed in changed[:MAX_FEEDS]],
            seconds=round(outcome.seconds, 3),
        )

    def _greet(self) -> None:
        """Report once that this process is working, with its URLs."""
        if self._has_greeted:
            return
        self._has_greeted = True
        public_url = self._settings.site_model.feeds_url
        # the publisher creates the ids
        notes = [] if self._role == "web" else advice(self._settings, is_preview=self._is_preview)
        if self._is_preview:
            notes.insert(0, "preview: links lead to this server, and pages reload when you save")
        elif self._role != "publisher" and public_url != self._url:
            address = f"the feeds link to {public_url}/ (site.url, feeds.url)"
            advised = "in production, this address must lead to this server"
            notes.insert(0, f"note: {address}; while you write, use --preview, so that links lead here; {advised}")
        if self._log.is_json:
            self._greet_as_json(public_url, notes)
        else:
            self._greet_as_text(notes)

    def _greet_as_json(self, public_url: str, notes: list[str]) -> None:
        self._log.write(
            "started",
            f"{self._settings.site.title}: {self._url}/",
            version=__version__,
            role=self._role,
            url=f"{self._url}/",
            public_url=f"{public_url}/",
            preview=self._preview_url,
            content=None if self._role == "web" else str(self._settings.content_root),
            catalog=self.catalog_name,
        )
        for note in notes:
            self._log.write("warning", note.removeprefix("note: "), level="warning")

    def _greet_as_text(self, notes: list[str]) -> None:
        if self._role == "web":
            self._log.write_text(f"{self._settings.site.title}, serving from {self.catalog_name}")
        else:
            self._log.write_text(f"{self._settings.site.title}, watching {self._settings.content_root}")
        if self._role == "publisher":
            self._log.write_text(f"  health        {self._url}/healthz")
        else:
            self._log.write_text(f"  open          {self._url}/")
            if self._preview_url:
                self._log.write_text(f"  drafts        {self._preview_url}")
            for path in ("/rss.xml", "/atom.xml", "/feed.json"):
                self._log.write_text(f"  subscribe to  {self._url}{path}")
        for note in notes:
            self._log.write_text(f"  {note}")
        self._log.write_text("  Press Ctrl-C to stop")


def notify_systemd(state: str) -> None:
    """Send a state to systemd, if it has started this process and expects one (sd_notify(3))."""
    address = os.environ.get("NOTIFY_SOCKET")
    if address:
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notifier:
            notifier.connect(f"\0{address[1:]}" if address.startswith("@") else address)
            notifier.sendall(state.encode())
