"""The events of a publish run (`PublishObserver`), and how to stop it (`CancelToken`)."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from feeds.core.errors import CatalogDamaged, FeedsError

if TYPE_CHECKING:
    from feeds.publish.outcome import Outcome


class PublishObserver:
    """Receives the events of runs. Every method does nothing; override the ones you need.

    The thread of the run calls them, so a slow method delays the run.
    """

    def on_progress(self, files: int) -> None:
        """Handle the progress of a scan: the number of files that it has compared, and read if needed; 0 at first."""

    def on_commit(self) -> None:
        """Handle the end of the scan: the run now publishes its results in one transaction, without progress."""

    def on_recovered(self, damage: CatalogDamaged, kept_as: Path | None) -> None:
        """Handle the replacement of a damaged catalog.

        `kept_as`: the path of the damaged file; None if the file was not kept.
        """

    def on_finished(self, outcome: "Outcome") -> None:
        """Handle the outcome of a run that succeeded."""

    def on_failed(self, error: FeedsError) -> None:
        """Handle the error of a run that failed, or could not start because another process publishes."""


class CancelToken:
    """Asks a run to stop, as soon as one of several conditions holds."""

    def __init__(self, *conditions: Callable[[], bool]) -> None:
        self._conditions = conditions

    @property
    def cancelled(self) -> bool:
        """Whether the run should stop."""
        return any(condition() for condition in self._conditions)
