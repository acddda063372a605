"""The result of a publish run."""

from dataclasses import dataclass

from feeds.catalog import RejectedArticle
from feeds.core.lint import Problem


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of a run."""

    revision: int  # the newest one; an older run committed it if nothing changed
    changed: tuple[str, ...]  # paths of the feeds whose live documents changed
    articles: int  # that are published
    rejected: tuple[RejectedArticle, ...]
    warnings: tuple[Problem, ...]  # about ids, and about files that this run has loaded
    omitted_warnings: int  # number of warnings about files beyond those listed
    being_written: tuple[str, ...]  # paths of files that were being written; run again soon
    seconds: float
    is_full_scan: bool = True
