"""The progress display of `feeds build` and `feeds check`: one line on the terminal, for all steps."""

import contextlib
import logging
import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from feeds.cli.common import duration, print_message, recovery_message
from feeds.core.errors import CatalogDamaged
from feeds.parallel import pausable_threads
from feeds.publish.observer import PublishObserver

_FIRST_DRAW_S = 0.3  # after the start: a short run shows nothing
_INTERVAL_S = 0.1  # between two draws
_MIN_ESTIMATE_S, _MIN_ESTIMATE_SHARE = 1.0, 0.01  # of a step, before the remaining time is estimated
_BAR_COLUMNS = 20
_COLUMNS_WITH_BAR = 75  # of a terminal that has space for it
_DEFAULT_COLUMNS = 80
_CLEAR = "\r\x1b[K"  # the line of the terminal


class ProgressDisplay:
    """Shows the current step with its count, rate and remaining time, if standard error is a terminal.

    A thread draws it, so that a step costs nothing but the assignment of a number. Use it in a `with` statement, which
    clears it at the end.
    """

    def __init__(self, *, quiet: bool) -> None:
        """Show nothing if `quiet` is true, or if the terminal can't clear a line."""
        self._is_shown = not quiet and sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        self._label, self._noun, self._started_at = "", "", time.monotonic()
        self._total: int | None = None
        self._count_total: Callable[[], int] | None = None
        self.done = 0  # of the step
        self._drawing = threading.Lock()
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []  # the one that draws, and perhaps one that counts
        self._has_drawn = False
        self._exit = contextlib.ExitStack()

    def __enter__(self) -> Self:
        if self._is_shown:
            self._exit.enter_context(pausable_threads(self))
            self._exit.callback(self.pause)
            self._start(_FIRST_DRAW_S)
            for handler in logging.root.handlers:
                handler.addFilter(self._clear_before)
                self._exit.callback(handler.removeFilter, self._clear_before)
        return self

    def __exit__(self, *_: object) -> None:
        self._exit.close()
        self._clear()

    def count(self) -> int:
        """Return how many threads the display uses."""
        return sum(thread.is_alive() for thread in self._threads)

    def pause(self) -> None:
        """End the threads."""
        self._stop.set()
        for thread in self._threads:
            thread.join()
        self._threads = []

    def resume(self) -> None:
        """Start drawing again."""
        self._start(_INTERVAL_S)

    def _start(self, first_draw_s: float) -> None:
        self._stop.clear()
        self._start_thread(self._run, first_draw_s)

    def _start_thread(self, function: Callable[..., None], *arguments: Any) -> None:
        thread = threading.Thread(target=function, args=arguments, name="progress", daemon=True)
        self._threads.append(thread)
        thread.start()

    def begin(
        self, label: str, noun: str = "", total: int | None = None, count_total: Callable[[], int] | None = None
    ) -> None:
        """Begin a step.

        Args:
            label: what happens in the step, such as "reading".
            noun: what is counted, in the plural; "" if nothing is.
            total: how many there are, if that is known.
            count_total: returns how many there are. It is called in another thread, if the step takes longer.
        """
        self._label, self._noun, self._started_at = label, noun, time.monotonic()
        self.done, self._total, self._count_total = 0, total, count_total

    def print_message(self, message: str) -> None:
        """Print a message above the display."""
        with self._drawing:
            self._clear()
            print_message(message)

    def _run(self, first_draw_s: float) -> None:
        self._stop.wait(first_draw_s)
        while not self._stop.is_set():
            with self._drawing:
                self._write(f"{_CLEAR}{self._line(_columns())}")
                self._has_drawn = True
            count, self._count_total = self._count_total, None
            if count:
                self._start_thread(self._count, count)
            self._stop.wait(_INTERVAL_S)

    def _count(self, count: Callable[[], int]) -> None:
        label, total = self._label, count()
        if label == self._label:
            self._total = total

    def _line(self, columns: int) -> str:
        """Return the text of the display. It leaves the last column free, to stay on one line."""
        elapsed, done, total = time.monotonic() - self._started_at, self.done, self._total
        if not (self._noun and done):
            return f"{self._label:<10}  {duration(elapsed)}"[: columns - 1]
        rate = done / elapsed if elapsed else 0.0
        if total is None or done > total:
            return f"{self._label:<10}  {done:,} {self._noun}, {rate:,.0f}/s"[: columns - 1]
        filled = _BAR_COLUMNS * done // total
        bar = f"[{'#' * filled}{'-' * (_BAR_COLUMNS - filled)}]  " if columns >= _COLUMNS_WITH_BAR else ""
        can_estimate = elapsed >= _MIN_ESTIMATE_S and done >= total * _MIN_ESTIMATE_SHARE
        remaining = f", {duration((total - done) / rate)} left" if can_estimate else ""
        return f"{self._label:<10}  {bar}{done:,} of {total:,} {self._noun}, {rate:,.0f}/s{remaining}"[: columns - 1]

    def _clear_before(self, _record: logging.LogRecord) -> bool:
        """Clear the line before a message of the `logging` module is printed."""
        with self._drawing:
            self._clear()
        return True

    def _clear(self) -> None:
        if self._has_drawn:
            self._has_drawn = False
            self._write(_CLEAR)

    @staticmethod
    def _write(text: str) -> None:
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.write(text)
            sys.stderr.flush()


def _columns() -> int:
    """Return the width of the terminal; 80 if it is unknown."""
    with contextlib.suppress(OSError, ValueError):
        return os.get_terminal_size(sys.stderr.fileno()).columns or _DEFAULT_COLUMNS
    return _DEFAULT_COLUMNS


class RunProgress(PublishObserver):
    """Shows the steps of a publish run."""

    def __init__(self, display: ProgressDisplay, label: str, count_files: Callable[[], int]) -> None:
        """Show the scan as `label`; `count_files` returns about how many article files there are."""
        self._display = display
        self._label = label
        self._count_files = count_files

    def on_progress(self, files: int) -> None:
        """Show how many files were compared, and read if needed."""
        if not files:
            self._display.begin(self._label, "files", count_total=self._count_files)
        self._display.done = files

    def on_commit(self) -> None:
        """Show that the results are being committed."""
        self._display.begin("publishing")

    def on_recovered(self, damage: CatalogDamaged, kept_as: Path | None) -> None:
        """Print the damage, and where the damaged catalog is."""
        self._display.print_message(recovery_message(damage, kept_as))
