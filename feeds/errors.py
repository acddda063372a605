"""What can go wrong, in one sentence each: where, what, and what to do.

Every error knows the exit code of a command that it ends (contract section 4). None of them means that something that
was published is lost: the catalog keeps the last good state, and documents are replaced whole or not at all.
"""


class FeedsError(Exception):
    """A run failed (exit code 3); what was published before is untouched and may be served on.

    The message is for the owner of the site. `public` says the same to anybody: without paths, and without anything
    that another program printed.
    """

    exit_code = 3
    public = "the last run failed"


class ConfigError(FeedsError):
    """config.yaml or a FEEDS__ variable is wrong: one line for each mistake, nothing was done (exit code 2)."""

    exit_code = 2
    public = "the configuration has a mistake"

    def __init__(self, mistakes: list[str]) -> None:
        super().__init__("\n".join(mistakes))
        self.mistakes = mistakes


class UsageError(FeedsError):
    """The command can't be carried out as asked, nothing was done (exit code 2)."""

    exit_code = 2


class CatalogError(FeedsError):
    """The catalog can't be opened, read or written; the documents in memory and on disk may still be served."""

    public = "the catalog can't be read or written"


class CatalogAway(CatalogError):
    """The database does not answer, or lets nobody in just now; it is to be tried again."""

    public = "the catalog does not answer"


class CatalogDamaged(CatalogError):
    """What is at the catalog's path is none, or can't be read: it is to be kept aside, and another made."""


class FolderGone(FeedsError):
    """The content folder is not there; everything published stays up until it is back."""

    public = "the content folder is missing"


class Locked(FeedsError):
    """Another run holds the catalog's lock; nothing was done (exit code 4)."""

    exit_code = 4
    public = "another run holds the lock"


class StandingBy(FeedsError):
    """Another publisher of the same catalog leads; this one does nothing until that is gone."""


class GuardStopped(FeedsError):
    """The republish guard stopped the run; the last good revision stays up (exit code 5)."""

    exit_code = 5
    public = "the republish guard stopped the run"


class TaskFailed(FeedsError):
    """A task around a regeneration failed, such as `schedule.before`; `public` names the task alone."""

    def __init__(self, message: str, public: str, exit_code: int = FeedsError.exit_code) -> None:
        super().__init__(message)
        self.public = public
        self.exit_code = exit_code


class Refused(FeedsError):
    """One article can't be read. All others are published, and so is its own last good version (exit code 1).

    `line` counts from 1 in the file; 1 where the reason concerns the file as a whole.
    """

    exit_code = 1

    def __init__(self, reason: str, line: int = 1) -> None:
        super().__init__(reason)
        self.reason = reason
        self.line = line


class Unreadable(Refused):
    """A file can't be opened or read just now; nothing about it tells when it can, so it is tried each time."""
