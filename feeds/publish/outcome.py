"""The result of a publish run."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from feeds.catalog import RejectedArticle
from feeds.publish.events import ArticleEvent, EventKind

if TYPE_CHECKING:
    from feeds.core.lint import Problem

MAX_REJECTED = 1_000  # articles that an outcome lists


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of a run."""

    revision: int  # the newest one; an older run committed it if nothing changed
    changed: tuple[str, ...]  # paths of the feeds whose live documents changed
    articles: int  # that are published
    files_read: int  # number of article files that this run has read
    events: tuple[ArticleEvent, ...]  # what happened to articles: some of many events
    event_counts: Mapping[EventKind, int]  # the number of all events
    rejected: tuple[RejectedArticle, ...]  # all that are rejected now, at most `MAX_REJECTED`, by path
    rejected_count: int  # number of all
    warnings: "tuple[Problem, ...]"  # about ids, and about files that this run has loaded
    omitted_warnings: int  # number of warnings about files beyond those listed
    being_written: tuple[str, ...]  # paths of files that were being written; run again soon
    seconds: float
    is_full_scan: bool = True
    has_read_all: bool = False  # whether it has read all files, also those that did not change
