"""The story, once: what changed in the folder becomes one committed revision.

    scan ─► compare with the catalog ─► read and parse what differs ─► keep it, or why not
                                                                        │
         stamp the feeds that show something else ◄─ place in feeds ◄─ name (id) ◄─ live at this hour?
                                │
                             commit: one revision, or nothing

`Publisher.refresh` is safe to call at any time and as often as one likes: it holds the catalog's lock, `now` is passed
in, and an exception leaves the last revision as it was. It renders nothing, but for a trial of what may be slow.
"""

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from feeds import syndicate
from feeds.catalog import Catalog, Known, Refusal, Run
from feeds.errors import FolderGone, GuardStopped, Refused, Unreadable
from feeds.folder import Folder, Found, Unsettled
from feeds.model import Site
from feeds.parse import article as articles
from feeds.parse.bounds import ordinary
from feeds.publish.commit import Commit
from feeds.publish.seen import UNSEEN, Seen, Version, moves
from feeds.sandbox import Sandbox
from feeds.text import one_line

__all__ = ["Outcome", "Progress", "Publisher"]

Progress = Callable[[int, int], None]

_TRIAL_SECONDS = 1.0  # of CPU


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a regeneration came to."""

    revision: int
    changed: tuple[str, ...]  # paths of the feeds whose documents show something else now
    articles: int  # that the world can see
    refused: tuple[Refusal, ...]
    warnings: tuple[str, ...]
    unsettled: bool  # a file was being written; run again soon
    seconds: float


class Publisher:
    """The only writer of the catalog."""

    def __init__(self, folder: Folder, catalog: Catalog, site: Site, guard: float) -> None:
        self._folder = folder
        self._catalog = catalog
        self._site = site
        self._guard = guard
        self._fingerprint = syndicate.fingerprint(site)
        self._sandbox = Sandbox(_TRIAL_SECONDS)

    def refresh(
        self,
        now: datetime,
        *,
        force: bool = False,
        accept: bool = False,
        wait: float = 0.0,
        progress: Progress = lambda _done, _total: None,
    ) -> Outcome:
        """Bring the catalog up to what the folder says at `now`.

        `force` reads every file again, `accept` overrules the guard, `wait` is for the lock, in seconds. Raises
        `FolderGone`, `GuardStopped`, `Locked` and `CatalogError`; none of them changes what is published.
        """
        with self._catalog.lock(wait):
            began = time.monotonic()
            try:
                seen, everything = self._look(progress, force=force)
                with self._catalog.writing() as catalog:
                    commit = Commit(catalog, self._site, now)
                    changed = commit.all(seen, everything=everything)
                    if not accept:
                        commit.hold_against_guard(self._guard)
                    outcome = Outcome(
                        catalog.revision(),
                        tuple(changed),
                        catalog.live(),
                        tuple(catalog.refused()),
                        tuple(commit.warnings),
                        seen.unsettled,
                        time.monotonic() - began,
                    )
                    catalog.set_meta("fingerprint", self._fingerprint)
                    catalog.remember_run(Run(now, outcome.seconds, "refused" if outcome.refused else "ok"))
            except (FolderGone, GuardStopped) as error:
                with self._catalog.writing() as catalog:
                    catalog.set_meta("failure", str(error))
                raise
        return outcome

    def _look(self, progress: Progress, *, force: bool) -> tuple[Seen, bool]:
        """Compare the folder with the catalog. Gives what differs, and whether everything was read again."""
        with self._catalog.reading() as catalog:
            known, same_site = catalog.known(), catalog.meta("fingerprint") == self._fingerprint
        everything, seen = force or not same_site, Seen()
        found = self._folder.scan()
        here = {file.path for file in found}
        seen.vanished = [row.key for path, row in known.items() if path not in here and (row.refused or not row.gone)]
        differing = [file for file in found if everything or _differs(file, known.get(file.path))]
        for done, file in enumerate(differing):
            progress(done, len(differing))
            self._read(file, known.get(file.path), seen, everything=everything)
        progress(len(differing), len(differing))
        seen.moves = moves(seen.versions, known, here)
        return seen, everything

    def _read(self, file: Found, row: Known | None, seen: Seen, *, everything: bool) -> None:
        stamp = (file.mtime_ns, file.size, file.inode)
        try:
            data = self._folder.read(file, articles.LARGEST)
            hash_ = hashlib.sha256(data).hexdigest()
            if row and row.hash == hash_ and not (row.refused or row.gone or everything):
                seen.touched.append((row.key, stamp))
                return
            article = articles.read(data, file.path, self._site.timezone)
            if not ordinary(article.body):
                self._sandbox.content(article.body, None, self._site.url, "e-")  # for whether it can be done
            seen.versions.append(Version(row, stamp, article, hash_))
        except Unsettled:
            seen.unsettled = True
        except Refused as refused:
            refusal = Refusal(file.path, refused.line, one_line(refused.reason))
            seen.refusals.append((row, UNSEEN if isinstance(refused, Unreadable) else stamp, refusal))


def _differs(file: Found, row: Known | None) -> bool:
    return row is None or row.gone or (file.mtime_ns, file.size, file.inode) != (row.mtime_ns, row.size, row.inode)
