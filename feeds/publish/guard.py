"""The republish guard: stops a run that would show too many entries as new to subscribers, or remove too many.

The guard counts the changes of the last 15 minutes, not only those of one run: under `feeds serve`, a slow script
causes a run for each file that it writes. The catalog keeps these changes with the state before them. So an article
counts once, and not at all if it returns to its earlier state.
"""

from collections import Counter
from datetime import datetime, timedelta
from typing import NamedTuple

from feeds.catalog import CatalogWriter, PendingArticle, to_microseconds
from feeds.core.errors import GuardStopped

_WINDOW = timedelta(minutes=15)
_MIN_CHANGES = 5  # fewer entries may change on any site
_VANISH, _ID, _DATE = "vanish", "change their id", "change their date"
_VERBS = (_ID, _DATE, _VANISH)  # in the order of the message


class GuardedChange(NamedTuple):
    """A change of a published article, with its state before the change. The catalog stores it as a JSON list."""

    at: int  # when it changed first, in microseconds since 1970
    id: str
    published: int
    verb: str


class Guard:
    """Counts how the published entries change, in this run and in the minutes before it."""

    def __init__(self, catalog: CatalogWriter, now: datetime, max_changed_share: float, *, accept: bool) -> None:
        """Allow `max_changed_share` (0 to 1) of the published entries to change; if `accept` is true, all of them."""
        self._catalog = catalog
        self._max_share = max_changed_share
        self._accept = accept
        self._moment = to_microseconds(now)
        self._changes = {} if accept or max_changed_share >= 1 else self._recent_changes()
        self._recovered = catalog.end_recovery()  # articles that were live in a damaged catalog
        self._live = catalog.count_live() or self._recovered or 0
        self._earlier = set(self._changes)
        self._counts = Counter(change.verb for change in self._changes.values())
        self._base = self._live + self._counts[_VANISH]  # entries before the first of these changes
        # more changes than this stop the run in any case, so they need not be stored
        self._max_stored = max(_MIN_CHANGES, int(max_changed_share * self._base)) + 1 if max_changed_share < 1 else 0
        self._counts_now = Counter[str]()  # of this run alone
        self._new = 0  # articles that this run publishes
        self._examples: dict[str, str] = {}  # verb -> path

    def record(
        self, article: PendingArticle, old_id: str | None, id_: str | None, *, live: bool, is_intended: bool
    ) -> None:
        """Record the decision about an article.

        Args:
            article: its state until now.
            old_id: the id that it had until now.
            id_: its id from now on.
            live: whether it is published from now on.
            is_intended: whether the article itself prevents its publication: it is a draft, or expired.
        """
        if self._accept:
            return
        self._new += live and not article.live
        before = self._changes.pop(article.key, None)
        if before:
            self._counts[before.verb] -= 1
            self._earlier.discard(article.key)
        elif article.live and old_id is not None:
            before = GuardedChange(self._moment, old_id, article.entry_published, "")
        if before is None:
            return
        verb = _verb(live, is_intended, id_ == before.id, article.published == before.published)
        if not verb:
            return
        self._counts[verb] += 1
        if len(self._changes) < self._max_stored:
            self._changes[article.key] = before._replace(verb=verb)
        if article.live and _verb(live, is_intended, id_ == old_id, article.published == article.entry_published):
            self._counts_now[verb] += 1
            self._examples.setdefault(verb, article.path)
        else:
            self._earlier.add(article.key)

    def check(self) -> None:
        """Store the changes in the catalog. Raise `GuardStopped` if there are too many."""
        if not self._accept:
            vanish = self._counts_now[_VANISH]
            all_vanish = 0 < self._live <= vanish  # unlisted articles may be among those that vanish
            if self._live < _MIN_CHANGES and self._new >= vanish:  # such as new articles in place of the first example
                all_vanish = False
            all_change = self._live > 1 and self._max_share < 1 and self._counts_now.total() >= self._live
            total = self._counts.total()
            too_many = total >= _MIN_CHANGES and total > self._max_share * self._base
            if all_vanish or all_change or (self._counts_now and too_many):  # a draft alone is never stopped
                raise GuardStopped(self._message())
            if self._recovered == 0 and not self._catalog.count_live():
                raise GuardStopped(
                    "nothing was published: the catalog was damaged, and there is no article in the content folder. "
                    "Check content.path and `state`. To publish anyway, run "
                    "feeds build --accept (with --no-export if you use feeds serve)"
                )
        self._catalog.state.guard_changes = {str(key): list(change) for key, change in self._changes.items()}
        self._catalog.state.guard_held_since = None

    def _message(self) -> str:
        changes = ", ".join(
            f"{count} would {verb}{_example(self._examples.get(verb), count)}"
            for verb in _VERBS
            if (count := self._counts[verb])
        )
        start, earlier = "nothing was published", ""
        if self._earlier:
            start, earlier = "nothing more was published", f", including {len(self._earlier)} of earlier runs"
        return (
            f"{start}: of {self._base} entries, {changes}{earlier}; feed readers would show them as new or lose them. "
            "To publish anyway, run feeds build --accept (with --no-export if you use feeds serve)"
        )

    def _recent_changes(self) -> dict[int, GuardedChange]:
        """Return by article key the changes of the last minutes; after a stopped run, also those since that run."""
        since = self._moment - _WINDOW // timedelta(microseconds=1)
        held_since = self._catalog.state.guard_held_since
        since = since if held_since is None else min(since, held_since)  # until they are undone or accepted
        stored = self._catalog.state.guard_changes
        changes = {int(key): GuardedChange(*change) for key, change in stored.items()}
        return {key: change for key, change in changes.items() if since <= change.at <= self._moment}


def start_accumulating(catalog: CatalogWriter, now: datetime) -> None:
    """Count the changes of later runs together with those of this stopped run and of the minutes before it."""
    if catalog.state.guard_held_since is None:
        catalog.state.guard_held_since = to_microseconds(now - _WINDOW)


def _verb(live: bool, is_intended: bool, same_id: bool, same_date: bool) -> str:
    """Return what a published article would do; "" for nothing that readers notice."""
    if not live:
        return "" if is_intended else _VANISH
    return _ID if not same_id else _DATE if not same_date else ""


def _example(path: str | None, count: int) -> str:
    return f" ({path}{' …' if count > 1 else ''})" if path else ""
