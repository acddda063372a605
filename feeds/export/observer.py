"""The events of an export (`ExportObserver`)."""


class ExportObserver:
    """Receives the events of an export. Every method does nothing; override the ones you need.

    The thread of the export calls them, so a slow method delays it.
    """

    def on_compared(self, files: int) -> None:
        """Handle the progress of the comparison with the last export: the number of files that were compared so far."""

    def on_written(self, files: int, total: int) -> None:
        """Handle the progress of writing: the number of files that were written so far, and of all files to write."""

    def on_warning(self, message: str) -> None:
        """Handle a message about a file that is not exported."""

    def on_template_problem(self, problem: str) -> None:
        """Handle a mistake in one of the site's own templates; the built-in template is used instead."""
