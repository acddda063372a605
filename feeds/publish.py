"""The story, once: what changed in the folder becomes one committed revision.

    scan ─► compare with the catalog ─► read and parse what differs ─► keep it, or why not
                                                                        │
         stamp the feeds that show something else ◄─ place in feeds ◄─ name (id) ◄─ live at this hour?
                                │
                             commit: one revision, or nothing

`Publisher.refresh` is safe to call at any time and as often as one likes: it holds the catalog's lock, `now` is passed
in, and an exception leaves the last revision as it was. It renders nothing, but for a trial of what may be hostile.
"""

import hashlib
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime

from feeds import syndicate, trial
from feeds.catalog import Catalog, Known, Record, Refusal, Run, Stamp, Writer
from feeds.errors import GuardStopped, Refused, Unreadable
from feeds.folder import Folder, Found, Unsettled
from feeds.model import Article, FeedState, Kind, Site
from feeds.parse import article as articles
from feeds.parse.bounds import ordinary
from feeds.text import scheme

_LOG = logging.getLogger(__name__)
_UNSEEN: Stamp = (0, 0, 0)  # no file has it, so that the next run reads the file again
_GUARD_FROM = 5  # entries: fewer may change at once on any site

Progress = Callable[[int, int], None]


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


@dataclass(slots=True)
class _Seen:
    """What a look at the folder found to differ from the catalog."""

    versions: list[tuple[Known | None, Stamp, Article, str]] = field(default_factory=list)  # good ones, with their hash
    refusals: list[tuple[Known | None, Stamp, Refusal]] = field(default_factory=list)
    touched: list[tuple[int, Stamp]] = field(default_factory=list)  # same text, other stamp
    vanished: list[int] = field(default_factory=list)
    unsettled: bool = False


class Publisher:
    """The only writer of the catalog."""

    def __init__(self, folder: Folder, catalog: Catalog, site: Site, guard: float) -> None:
        self._folder = folder
        self._catalog = catalog
        self._site = site
        self._guard = guard
        self._fingerprint = syndicate.fingerprint(site)

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
        began = time.monotonic()
        with self._catalog.lock(wait):
            with self._catalog.reading() as catalog:
                known, same_site = catalog.known(), catalog.meta("fingerprint") == self._fingerprint
            everything = force or not same_site
            seen = self._look(known, progress, everything=everything)
            with self._catalog.writing() as catalog:
                commit = _Commit(catalog, self._site, now)
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
        return outcome

    def _look(self, known: dict[str, Known], progress: Progress, *, everything: bool) -> _Seen:
        seen = _Seen()
        found = self._folder.scan()
        here = {file.path for file in found}
        seen.vanished = [row.key for path, row in known.items() if path not in here and not row.gone]
        differing = [file for file in found if everything or _differs(file, known.get(file.path))]
        for done, file in enumerate(differing):
            progress(done, len(differing))
            self._read(file, known.get(file.path), seen, everything=everything)
        progress(len(differing), len(differing))
        return seen

    def _read(self, file: Found, row: Known | None, seen: _Seen, *, everything: bool) -> None:
        stamp = (file.mtime_ns, file.size, file.inode)
        try:
            data = self._folder.read(file, articles.LARGEST)
            hash_ = hashlib.sha256(data).hexdigest()
            if row and row.hash == hash_ and not (row.refused or row.gone or everything):
                seen.touched.append((row.key, stamp))
                return
            article = articles.read(data, file.path, self._site.timezone)
            if not ordinary(article.body):
                trial.render(article.body)
            seen.versions.append((row, stamp, article, hash_))
        except Unsettled:
            seen.unsettled = True
        except Refused as refused:
            refusal = Refusal(file.path, refused.line, refused.reason)
            seen.refusals.append((row, _UNSEEN if isinstance(refused, Unreadable) else stamp, refusal))


class _Commit:
    """One transaction's decisions, in the order in which they are taken."""

    def __init__(self, catalog: Writer, site: Site, now: datetime) -> None:
        self.warnings: list[str] = []
        self._catalog = catalog
        self._site = site
        self._now = now
        self._live_before = catalog.live()
        self._would: dict[str, list[str]] = {"change their id": [], "change their date": [], "vanish": []}

    def all(self, seen: _Seen, *, everything: bool) -> list[str]:
        """Keep what was seen and publish what follows from it. Gives the paths of the feeds that changed."""
        catalog = self._catalog
        keys = {row.key for row, *_ in seen.versions if row} | set(seen.vanished)
        before = {record.key: record for record in catalog.records(keys)}
        for key, stamp in seen.touched:
            catalog.touch(key, stamp)
        catalog.vanish(seen.vanished)
        for row, stamp, refusal in seen.refusals:
            catalog.refuse(row.key if row else None, stamp, refusal)
        for version in sorted(seen.versions, key=lambda version: (version[2].published, version[2].path)):
            if (kept := self._keep(*version, before)) is not None:
                keys.add(kept)
        keys |= set(catalog.all_keys() if everything else catalog.due(self._now))
        touched = {feed.path for feed in catalog.feeds()} if everything else set()
        for record in sorted(catalog.records(keys), key=lambda record: (record.article.published, record.article.path)):
            touched |= self._publish(record, before.get(record.key, record))
        if catalog.feed("") is None:
            touched.add("")  # a site without articles has a feed too
        return self._stamp(sorted(touched))

    def hold_against_guard(self, share: float) -> None:
        """Stop a run that would make too many subscribers see too much anew. Raises `GuardStopped`."""
        count = len({path for paths in self._would.values() for path in paths})
        all_vanish = self._live_before > 0 and len(self._would["vanish"]) == self._live_before
        if all_vanish or (count >= _GUARD_FROM and count > share * self._live_before):
            what = ", ".join(
                f"{len(paths)} would {verb} ({paths[0]} …)" for verb, paths in self._would.items() if paths
            )
            raise GuardStopped(
                f"nothing was published: of {self._live_before} entries {what}; readers would show them as new, or "
                "lose them. If that is meant: feeds build --accept (or raise feeds.guard)"
            )

    def _keep(
        self, row: Known | None, stamp: Stamp, article: Article, hash_: str, before: dict[int, Record]
    ) -> int | None:
        """Keep a good version under the article that it is a version of; refuse it if its id is another's."""
        catalog = self._catalog
        key = row.key if row else None
        if row is None or row.hash is None:
            moved = self._moved_from(article, hash_)
            if moved is not None:
                if row:
                    catalog.drop(row.key)  # the new path was refused until now, and nobody heard of it
                key = moved
                before.update((record.key, record) for record in catalog.records([moved]) if record.key not in before)
        holder = catalog.holder(article.id) if article.id else None
        if holder and holder[0] != key and not article.draft:
            if not catalog.records([holder[0]])[0].gone:
                reason = f"id: {article.id!r} is the id of {holder[1]}; give one of them another"
                catalog.refuse(key, _UNSEEN, Refusal(article.path, 1, reason))
                return None
            catalog.release(holder[0])
        return catalog.save(key, stamp, article, hash_)

    def _moved_from(self, article: Article, hash_: str) -> int | None:
        """Find the article whose file went away and that this is: the same given id, text or slug."""
        holder = self._catalog.holder(article.id) if article.id else None
        if holder and self._catalog.records([holder[0]])[0].gone:
            return holder[0]
        return self._catalog.gone_like(hash_, article.slug if article.slug_given else None)

    def _publish(self, record: Record, before: Record) -> set[str]:
        """Tell the world of an article, or no longer. Gives the paths of the feeds that it is or was in."""
        article = record.article
        live = not record.gone and syndicate.is_live(article, self._now)
        id_ = record.id
        if live:
            id_ = self._id(record)
            if id_ is None:
                return set()
        if before.live:
            # a draft and an expiry are said article by article: whoever says so must be able to rely on it
            meant = article.draft or (article.expires is not None and article.expires <= self._now)
            if not live and (record.gone or not meant):
                self._would["vanish"].append(article.path)
            elif live and id_ != before.id:
                self._would["change their id"].append(article.path)
            elif live and article.published != before.article.published:
                self._would["change their date"].append(article.path)
        memberships = syndicate.feeds_of(article, self._site) if live else []
        return self._catalog.publish(record, id_, memberships, live=live)

    def _id(self, record: Record) -> str | None:
        """Give an article's id: what it says itself, else the one it has, else a new one; None if it is refused."""
        article = record.article
        if article.id and not scheme(article.id):
            self.warnings.append(
                f"{article.path}: its id {article.id!r} is no absolute IRI, as Atom wants it (RFC 4287)"
            )
        if article.id and article.id != record.id:
            holder = self._catalog.holder(article.id)
            if holder is None:
                return article.id
            reason = f"id: {article.id!r} is the id of {holder[1]}; give one of them another"
            self._catalog.refuse(record.key, _UNSEEN, Refusal(article.path, 1, reason))
            return record.id
        if record.id:
            return record.id
        minted = syndicate.mint(article, self._site.authority)
        holder = self._catalog.holder(minted)
        if holder is None:
            return minted
        apart = syndicate.mint_apart(article, self._site.authority)
        self.warnings.append(f"{article.path}: its id would be that of {holder[1]}; it is {apart}")
        return apart

    def _stamp(self, paths: list[str]) -> list[str]:
        """Stamp the feeds whose documents show something else with a new revision. Gives their paths."""
        stamped = []
        for path in paths:
            old = self._catalog.feed(path)
            entries, name = self._catalog.count_and_name(path)
            kind: Kind = path.partition("/")[0] or "site"  # type: ignore[assignment]  # feeds_of made the path
            state = FeedState(path, kind, name or (old.name if old else ""), entries)
            shown = self._catalog.shown(path, self._site.limit)
            state = replace(state, digest=syndicate.digest(state, shown, self._site))
            if old and old.digest == state.digest:
                self._catalog.stamp(replace(old, entries=entries))
            else:
                # Last-Modified must not go back, whatever the clock does
                stamped.append(replace(state, changed=max(self._now, old.changed) if old else self._now))
        if stamped:
            revision = self._catalog.commit_revision(self._now)
            for state in stamped:
                self._catalog.stamp(replace(state, revision=revision))
        return [state.path for state in stamped]


def _differs(file: Found, row: Known | None) -> bool:
    return row is None or row.gone or (file.mtime_ns, file.size, file.inode) != (row.mtime_ns, row.size, row.inode)
