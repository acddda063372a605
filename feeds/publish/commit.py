"""One transaction's decisions: which article a file is a version of, its id, whether it is live, what shows it."""

from datetime import datetime

from feeds import syndicate
from feeds.catalog import Place, Record, Refusal, Writer
from feeds.errors import GuardStopped
from feeds.model import Article, Site
from feeds.publish.seen import UNSEEN, Seen, Version
from feeds.publish.stamps import Stamps
from feeds.text import scheme

_GUARD_FROM = 5  # entries: fewer may change at once on any site


class Commit:
    """One transaction's decisions, in the order in which they are taken."""

    def __init__(self, catalog: Writer, site: Site, now: datetime) -> None:
        self.warnings: list[str] = []
        self._catalog = catalog
        self._site = site
        self._now = now
        self._live_before = catalog.live()
        self._before: dict[int, Record] = {}
        self._would: dict[str, list[str]] = {"change their id": [], "change their date": [], "vanish": []}

    def all(self, seen: Seen, *, everything: bool) -> list[str]:
        """Keep what was seen and publish what follows from it. Gives the paths of the feeds that changed."""
        catalog = self._catalog
        versions = sorted(seen.versions, key=lambda version: version.order)
        keys = {version.row.key for version in versions if version.row} | set(seen.moves.values()) | set(seen.vanished)
        self._before = {record.key: record for record in catalog.records(keys)}
        for key, stamp in seen.touched:
            catalog.touch(key, stamp)
        catalog.vanish(seen.vanished)
        for row, stamp, refusal in seen.refusals:
            catalog.refuse(row.key if row else None, stamp, refusal)
        keys |= self._keep(versions, seen.moves)
        keys |= set(catalog.all_keys() if everything else catalog.due(self._now))
        stamps = Stamps(catalog, self._site, anew=catalog.meta("fingerprint") != syndicate.fingerprint(self._site))
        touched = {feed.path for feed in catalog.feeds()} if everything else set()
        left = catalog.withdraw(keys)
        for record in sorted(catalog.records(keys), key=lambda record: (record.article.published, record.article.path)):
            before, had = self._before.get(record.key, record), left.get(record.key, set())
            has = self._publish(record, before)
            edited = (before.hash, before.article.path) != (record.hash, record.article.path)
            stamps.moved(record.key, had, has, edited=edited)
            touched |= {feed for feed, *_ in had | has}
        if catalog.feed("") is None:
            touched.add("")  # a site without articles has a feed too
        return stamps.commit(sorted(touched), self._now)

    def hold_against_guard(self, share: float) -> None:
        """Stop a run that would make too many subscribers see too much anew. Raises `GuardStopped`."""
        count = len({path for paths in self._would.values() for path in paths})
        all_vanish = self._live_before > 0 and len(self._would["vanish"]) == self._live_before
        if all_vanish or (count >= _GUARD_FROM and count > share * self._live_before):
            what = ", ".join(
                f"{len(paths)} would {verb} ({paths[0]}{' …' if len(paths) > 1 else ''})"
                for verb, paths in self._would.items()
                if paths
            )
            raise GuardStopped(
                f"nothing was published: of {self._live_before} entries {what}; readers would show them as new, or "
                "lose them. If that is meant: feeds build --accept"
            )

    def _keep(self, versions: list[Version], moves: dict[str, int]) -> set[int]:
        """Keep good versions, each under the article that it is a version of; refuse what gives another's id."""
        catalog = self._catalog
        mine = self._identities(versions, moves)
        for version in versions:
            if version.row and version.row.key != mine[version.article.path]:
                catalog.displace(version.row.key)  # its path is another article's now
        kept: set[int] = set()
        given: dict[str, str] = {}  # id -> path, of this run
        giving = {key: version.article.id for version in versions if (key := mine[version.article.path])}
        for version in versions:
            article, key = version.article, mine[version.article.path]
            other = None
            if article.id and not article.draft:
                first = given.setdefault(article.id, article.path)
                other = first if first != article.path else self._holder_of(article.id, key, giving)
            if other:
                catalog.refuse(key, UNSEEN, self._id_taken(article, other))
            else:
                kept.add(catalog.save(key, version.stamp, article, version.hash))
        return kept

    def _identities(self, versions: list[Version], moves: dict[str, int]) -> dict[str, int | None]:
        """Find for each path the article that the file there is a version of; None for a new one."""
        found: dict[str, int | None] = dict(moves)
        taken = set(moves.values())
        for version in versions:
            if version.article.path not in found:
                key = self._known_as(version)
                found[version.article.path] = key if key not in taken else None
                taken |= {key} if key else set()
        return found

    def _known_as(self, version: Version) -> int | None:
        """Find the article that a file is a version of: its path's, or one whose file is gone and that it continues."""
        row, article, catalog = version.row, version.article, self._catalog
        if row and row.hash is not None:
            return row.key
        for id_ in (article.id, syndicate.mint(article, self._site.authority)):
            holder = catalog.holder(id_) if id_ else None
            if holder and holder.gone:
                return holder.key
        return catalog.gone_with_slug(article.slug) if article.slug_given else None

    def _holder_of(self, id_: str, key: int | None, giving: dict[int, str | None]) -> str | None:
        """Give the path of another article whose id this is; None if it is free, or given up in this run."""
        holder = first = self._catalog.holder(id_)
        if first is None or first.key == key:
            return None
        passed = {key}
        while holder and not holder.gone and holder.key not in passed:  # it gives this one up for one that is free?
            passed.add(holder.key)
            next_ = giving.get(holder.key)
            if next_ is None or next_ == id_:
                return first.path
            id_, holder = next_, self._catalog.holder(next_)
        self._catalog.release(first.key)
        return None

    @staticmethod
    def _id_taken(article: Article, holder: str) -> Refusal:
        return Refusal(article.path, 1, f"id: {article.id!r} is the id of {holder}; give one of them another")

    def _publish(self, record: Record, before: Record) -> set[Place]:
        """Tell the world of an article, or no longer. Gives its places in feeds."""
        article = record.article
        live = not record.gone and syndicate.is_live(article, self._now)
        id_ = record.id
        if live:
            id_ = self._id(record, record.id or before.id)
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

    def _id(self, record: Record, had: str | None) -> str | None:
        """Give an article's id: what it says itself, else the one it had, else a new one; None if it is refused."""
        article = record.article
        if article.id and not scheme(article.id):
            self.warnings.append(
                f"{article.path}: its id {article.id!r} is no absolute IRI, as Atom wants it (RFC 4287)"
            )
        if article.id and article.id != had:
            holder = self._catalog.holder(article.id)
            if holder is None or holder.key == record.key:
                return article.id
            self._catalog.refuse(record.key, UNSEEN, self._id_taken(article, holder.path))
            if had is None or self._is_free(had, record.key):
                return had
        if had and self._is_free(had, record.key):
            return had
        minted = syndicate.mint(article, self._site.authority)
        holder = self._catalog.holder(minted)
        if holder is None:
            return minted
        apart = base = syndicate.mint_apart(article, self._site.authority)
        number = 2
        while not self._is_free(apart, record.key):  # an article that once had this path moved on
            apart, number = f"{base}-{number}", number + 1
        self.warnings.append(f"{article.path}: its id would be that of {holder.path}; it is {apart}")
        return apart

    def _is_free(self, id_: str, key: int) -> bool:
        holder = self._catalog.holder(id_)
        return holder is None or holder.key == key
