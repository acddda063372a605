"""The republish guard: stops a run that would make too many subscribers see too much anew, or lose it.

A run is held against what the world knew some minutes ago, not only against the one before: under `feeds serve` a slow
script makes a run of each file. What changed since is kept in the catalog, with what was known before it changed, so
that an article counts once, and not at all if it is again what it was.
"""

import json
from collections import Counter
from datetime import datetime, timedelta
from typing import NamedTuple

from feeds.catalog import Pending, Writer, micros
from feeds.errors import GuardStopped

HELD = "guard held"  # in the catalog: since when the changes are added up that the guard has stopped
_CHANGES = "guard changes"
_WINDOW = timedelta(minutes=15)
_FROM = 5  # entries: fewer may change on any site
_VANISH, _ID, _DATE = "vanish", "change their id", "change their date"
_VERBS = (_ID, _DATE, _VANISH)  # as they are said


class Change(NamedTuple):
    """What happened to an article: when it did first, what was known of it before, and what it came to."""

    at: int
    id: str
    published: int
    verb: str


class Guard:
    """Counts what becomes of published entries in one run, and in those before it."""

    def __init__(self, catalog: Writer, now: datetime, share: float, *, accept: bool) -> None:
        """`share` of the published entries may change; `accept` whatever does."""
        self._catalog = catalog
        self._share = share
        self._accept = accept
        self._moment = micros(now)
        self._changes = {} if accept or share >= 1 else self._read()
        self._saved = catalog.resume()  # what a damaged catalog told
        self._live = catalog.live() or self._saved or 0
        self._earlier = set(self._changes)
        self._counts = Counter(change.verb for change in self._changes.values())
        self._base = self._live + self._counts[_VANISH]  # entries when the first of these changes came
        self._room = max(_FROM, int(share * self._base)) + 1 if share < 1 else 0  # more need not be told apart
        self._now = Counter[str]()  # what this run does
        self._arrived = 0  # articles that go live in this run
        self._paths: dict[str, str] = {}  # an example of each

    def see(self, one: Pending, had: str | None, id_: str | None, *, live: bool, meant: bool) -> None:
        """Note what becomes of an article; `meant`: it says itself that it is not live."""
        if self._accept:
            return
        self._arrived += live and not one.live
        known = self._changes.pop(one.key, None)
        if known:
            self._counts[known.verb] -= 1
            self._earlier.discard(one.key)
        elif one.live and had is not None:
            known = Change(self._moment, had, one.shown_at, "")
        if known is None:
            return
        verb = _what(live, meant, id_ == known.id, one.published == known.published)
        if not verb:
            return
        self._counts[verb] += 1
        if len(self._changes) < self._room:
            self._changes[one.key] = known._replace(verb=verb)
        if one.live and _what(live, meant, id_ == had, one.published == one.shown_at):
            self._now[verb] += 1
            self._paths.setdefault(verb, one.path)
        else:
            self._earlier.add(one.key)

    def hold(self) -> None:
        """Hold the run against what was known, and keep what it adds to that. Raises `GuardStopped`."""
        if not self._accept:
            count = self._counts.total()
            all_vanish = 0 < self._live <= self._now[_VANISH]  # unlisted articles may be among those that vanish
            if self._live < _FROM and self._arrived >= self._now[_VANISH]:  # as when the first example is replaced
                all_vanish = False
            all_change = self._live > 1 and self._share < 1 and self._now.total() >= self._live
            too_many = count >= _FROM and count > self._share * self._base
            if all_vanish or all_change or (self._now and too_many):  # a draft alone is never stopped
                raise GuardStopped(self._said())
            if self._saved == 0 and not self._catalog.live():
                raise GuardStopped(
                    "nothing was published: the catalog was damaged, and there is no article in the content folder. "
                    "Are both where they should be? If that is meant: "
                    "feeds build --accept (with --no-export beside feeds serve)"
                )
        self._keep()

    def _said(self) -> str:
        what = ", ".join(
            f"{many} would {verb}{_example(self._paths.get(verb), many)}"
            for verb in _VERBS
            if (many := self._counts[verb])
        )
        began, before = "nothing was published", ""
        if self._earlier:
            began, before = "nothing more was published", f", counting {len(self._earlier)} that have already"
        return (
            f"{began}: of {self._base} entries {what}{before}; readers would show them as new, or lose them. "
            "If that is meant: feeds build --accept (with --no-export beside feeds serve)"
        )

    def _read(self) -> dict[int, Change]:
        since = self._moment - _WINDOW // timedelta(microseconds=1)
        held = self._catalog.meta(HELD)
        since = min(since, int(held)) if held else since  # until it is undone or accepted
        kept = json.loads(self._catalog.meta(_CHANGES) or "{}")
        changes = ((int(key), Change(*facts)) for key, facts in kept.items())
        return {key: change for key, change in changes if since <= change.at <= self._moment}

    def _keep(self) -> None:
        kept = json.dumps(self._changes, separators=(",", ":")) if self._changes else ""
        for key, value in ((_CHANGES, kept), (HELD, "")):
            if value != (self._catalog.meta(key) or ""):
                self._catalog.set_meta(key, value)


def remember(catalog: Writer, now: datetime) -> None:
    """Keep, after a run that was stopped, that its changes are added up to those of the minutes before it."""
    if not catalog.meta(HELD):
        catalog.set_meta(HELD, str(micros(now - _WINDOW)))


def _what(live: bool, meant: bool, same_id: bool, same_date: bool) -> str:
    """Say what an article would do that was live before; "" for nothing that readers notice."""
    if not live:
        return "" if meant else _VANISH
    return _ID if not same_id else _DATE if not same_date else ""


def _example(path: str | None, many: int) -> str:
    return f" ({path}{' …' if many > 1 else ''})" if path else ""
