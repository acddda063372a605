"""Exceptions. Each message is one sentence: where, what, and what to do. It quotes foreign text with escapes.

Every error has the exit code of the command that it ends. No error loses published content: the catalog keeps the last
good state, and documents are replaced as a whole or not at all.
"""

from feeds.core.text import escape_unprintable


class FeedsError(Exception):
    """A run failed (exit code 3); everything published earlier is unchanged and can still be served.

    The message is for the owner of the site. `public_message` is for everyone: it contains no path and no output of
    another program.
    """

    exit_code = 3
    public_message = "the last run failed"

    def __init__(self, message: str = "") -> None:
        super().__init__(escape_unprintable(message))


class ConfigError(FeedsError):
    """config.yaml or a FEEDS__ variable is invalid; nothing was done (exit code 2). One line for each mistake."""

    exit_code = 2
    public_message = "the configuration has a mistake"

    def __init__(self, mistakes: list[str]) -> None:
        super().__init__()
        self.mistakes = [escape_unprintable(mistake) for mistake in mistakes]
        self.args = ("\n".join(self.mistakes),)


class UsageError(FeedsError):
    """The command can't be carried out with these arguments; nothing was done (exit code 2)."""

    exit_code = 2


class CatalogError(FeedsError):
    """The catalog can't be opened, read or written; documents in memory and on disk can still be served."""

    public_message = "the catalog can't be read or written"


class CatalogUnavailable(CatalogError):
    """The database does not answer, or accepts no connection for now; try again later."""

    public_message = "the catalog does not answer"


class CatalogDamaged(CatalogError):
    """The file at the catalog path is not a catalog or is corrupt. Move it aside and create a new one."""


class ContentFolderMissing(FeedsError):
    """The content folder does not exist; everything published stays published until the folder exists again."""

    public_message = "the content folder is missing"


class CatalogLocked(FeedsError):
    """Another run holds the catalog's lock; nothing was done (exit code 4)."""

    exit_code = 4
    public_message = "another run holds the lock"


class NotLeader(FeedsError):
    """Another publisher of the same catalog is the leader; this publisher waits until the leader ends."""


class GuardStopped(FeedsError):
    """The republish guard stopped the run; the last good revision stays published (exit code 5)."""

    exit_code = 5
    public_message = "the republish guard stopped the run"


class TaskFailed(FeedsError):
    """A task before or after a run failed, such as `schedule.before`; `public_message` names only the task."""

    def __init__(self, message: str, public_message: str, exit_code: int = FeedsError.exit_code) -> None:
        super().__init__(message)
        self.public_message = public_message
        self.exit_code = exit_code


class ArticleError(FeedsError):
    """A file can't be published as an article: it is rejected (exit code 1).

    All other articles are published, and the file's last good version stays published. `line` counts from 1; it is 1 if
    the reason concerns the whole file.
    """

    exit_code = 1

    def __init__(self, reason: str, line: int = 1) -> None:
        super().__init__(reason)
        self.reason = str(self)
        self.line = line


class ArticleUnreadable(ArticleError):
    """A file can't be opened or read for now; every run tries again, because no event announces that it can be read."""
