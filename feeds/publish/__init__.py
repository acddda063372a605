"""The story, once: what changed in the folder becomes one committed revision.

    scan ─► compare with the catalog ─► read and parse what differs ─► stage it, or why not
                                                                        │
         stamp the feeds that show something else ◄─ place in feeds ◄─ name (id) ◄─ live at this hour?
                                │
                             commit: one revision, or nothing

What is staged is kept in batches, so that a run that is cut short goes on where it was; what the world knows changes in
one transaction. `Publisher.refresh` is safe to call at any time and as often as one likes: it holds the catalog's lock,
`now` is passed in, and an exception leaves the last revision as it was. It renders nothing, but for a trial of what may
be slow.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from feeds import syndicate
from feeds.catalog import Catalog, Refusal, Run
from feeds.errors import CatalogDamaged, GuardStopped
from feeds.folder import Folder
from feeds.folder.walk import AUTHORS_FILES
from feeds.lint import Problem
from feeds.model import Site
from feeds.publish.commit import Commit
from feeds.publish.guard import HELD, Guard, remember
from feeds.publish.look import Interrupted, Look, Progress, Seen
from feeds.publish.reading import Readers
from feeds.sandbox import Sandbox

__all__ = ["Interrupted", "OnRepair", "Outcome", "Progress", "Publisher"]

OnRepair = Callable[[CatalogDamaged, Path | None], object]  # what was wrong, where the damaged one is kept

_AUTHORS = "authors files"  # in the catalog: the state of every authors.yml when articles were read
_ALIASES = "aliases"  # in the catalog: those for which articles were read
_TRIAL_SECONDS = 1.0  # of CPU


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a regeneration came to."""

    revision: int
    changed: tuple[str, ...]  # paths of the feeds whose documents show something else now
    articles: int  # that the world can see
    refused: tuple[Refusal, ...]
    warnings: tuple[Problem, ...]  # about ids, and about files that were read in this run
    more_warnings: int  # about files that were read, beyond those listed
    unsettled: tuple[str, ...]  # paths of files that were being written; run again soon
    seconds: float
    whole: bool = True  # whether everything was looked at


class Publisher:
    """The only writer of the catalog."""

    def __init__(self, folder: Folder, catalog: Catalog, site: Site, guard: float) -> None:
        self._folder = folder
        self._catalog = catalog
        self._site = site
        self._guard = guard
        self._fingerprint = syndicate.fingerprint(site)
        self._aliases = "\n".join(site.aliases) if site.pages else ""  # whose paths articles can't have
        self._readers = Readers(folder, site, Sandbox(_TRIAL_SECONDS))

    @property
    def _staged_for(self) -> str:
        return f"{self._fingerprint} {self._aliases}".rstrip()

    def refresh(
        self,
        now: datetime,
        *,
        only: Iterable[str] | None = None,
        after: str = "",
        interrupted: Callable[[], bool] = lambda: False,
        force: bool = False,
        accept: bool = False,
        wait: float = 0.0,
        given_up: Callable[[], bool] = lambda: False,
        on_repair: OnRepair = lambda _damage, _aside: None,
        progress: Progress = lambda _looked_at: None,
    ) -> Outcome:
        """Bring the catalog up to what the folder says at `now`.

        `only` names files, and folders in it, beyond which nothing changed. A look at everything can begin `after` a
        path, and raises `Interrupted` if it is `interrupted` before it found another text. `force` reads every file
        again, `accept` overrules the guard, `wait` is for the lock, in seconds, unless that is `given_up` before.
        Raises `FolderGone`, `GuardStopped`, `Locked` and `CatalogError`; none of them changes what is published.
        A damaged catalog is moved aside and created again, once; `on_repair` gets the damage and the new path.
        """
        with self._catalog.lock(wait, given_up):
            try:
                look = Look(self._folder, self._catalog, self._readers, after=after, interrupted=interrupted)
                return self._refresh(now, only, look, force=force, accept=accept, progress=progress)
            except CatalogDamaged as damage:
                on_repair(damage, self._catalog.mend())
                look = Look(self._folder, self._catalog, self._readers)
                return self._refresh(now, None, look, force=False, accept=accept, progress=progress)

    def _refresh(
        self,
        now: datetime,
        only: Iterable[str] | None,
        look: Look,
        *,
        force: bool,
        accept: bool,
        progress: Progress,
    ) -> Outcome:
        began = time.monotonic()
        try:
            anew = self._begin(force=force)
            parts = [""] if only is None or anew else self._parts(only)
            seen = look.at(parts, again=anew, progress=progress)
            if parts == [""]:
                seen = self._look_for_authors(look, seen, read_again=anew, progress=progress)
            with self._catalog.writing(much=seen.first > 0) as catalog:
                guard = Guard(catalog, now, self._guard, accept=accept)
                commit = Commit(catalog, self._site, self._folder, now, guard)
                changed = commit.all(seen.vanished, anew=anew)
                guard.hold()
                refused = tuple(catalog.refused())
                catalog.set_meta("fingerprint", self._fingerprint)
                catalog.set_meta(_ALIASES, self._aliases)
                catalog.set_meta("read again", "")
                seconds = time.monotonic() - began
                whole = parts == [""]
                catalog.remember_run(Run(now, seconds, "refused" if refused else "ok"))
                articles, warnings = catalog.live(), (*seen.warnings, *commit.warnings)
                return Outcome(
                    catalog.revision(),
                    tuple(changed),
                    articles,
                    refused,
                    warnings,
                    seen.more_warnings,
                    tuple(seen.unsettled),
                    seconds,
                    whole,
                )
        except GuardStopped:
            with self._catalog.writing() as catalog:
                remember(catalog, now)
            raise

    def _look_for_authors(self, look: Look, seen: Seen, *, read_again: bool, progress: Progress) -> Seen:
        """Read all articles again if an authors.yml has changed since they were read."""
        state = self._folder.authors_state()
        with self._catalog.reading() as catalog:
            known = catalog.meta(_AUTHORS) or ""
        if state == known:
            return seen
        if not (read_again or seen.first):
            again = look.at([""], again=True, progress=progress)
            again.warnings[:0] = seen.warnings
            again.more_warnings += seen.more_warnings
            seen = again
        with self._catalog.writing() as catalog:
            catalog.set_meta(_AUTHORS, state)
        return seen

    def _begin(self, *, force: bool) -> bool:
        """Forget what was read for another site. Tells whether everything is to be read again."""
        if not self._catalog.is_there:  # somebody took it away
            self._catalog.create()
        with self._catalog.reading() as catalog:
            again = catalog.meta("fingerprint") != self._fingerprint or bool(catalog.meta("read again"))
            again |= (catalog.meta(_ALIASES) or "") != self._aliases
            staged_for_it = catalog.meta("staged for") == self._staged_for
            first = not catalog.any_articles() and catalog.revision() == 0
        if force or first or not staged_for_it:
            with self._catalog.writing() as catalog:
                catalog.unstage_all()
                catalog.set_meta("staged for", self._staged_for)
                if first:  # whatever is read from now on, also by a run that goes on with this one, is for this site
                    catalog.set_meta("fingerprint", self._fingerprint)
                    catalog.set_meta(_ALIASES, self._aliases)
        return force or (again and not first)

    def _parts(self, only: Iterable[str]) -> list[str]:
        """Give the paths to look at: those that may be articles or folders of them, and none below another.

        While the guard stops what was changed, all of it: none of that may pass beside what somebody edits.
        """
        with self._catalog.reading() as catalog:
            if catalog.meta(HELD):
                return [""]
            parts = sorted(path for path in only if self._folder.may_hold(path) or catalog.is_folder(path))
            if any(path.rpartition("/")[2] in AUTHORS_FILES for path in parts):
                return [""]
        return [path for path in parts if not any(path.startswith(f"{other}/") for other in parts)]
