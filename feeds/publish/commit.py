"""One transaction's decisions: which article a file is a version of, its id, whether it is live, what shows it."""

from collections.abc import Iterator
from datetime import datetime
from functools import lru_cache

from feeds import syndicate
from feeds.catalog import Pending, Place, Refusal, Shown, Version, Writer, micros, names_by_feed
from feeds.folder import Folder
from feeds.lint import Problem
from feeds.model import Site
from feeds.publish.addresses import Addresses
from feeds.publish.guard import Guard
from feeds.publish.ids import Ids
from feeds.publish.linking import Linker
from feeds.publish.moves import moves
from feeds.publish.stamps import MOST_FEEDS, Stamps

_PAGE = 5_000  # articles that are decided of together
_MANY_PLACES = 100_000  # in feeds, put in together: the more, the more are neighbours; they are sorted in memory


class Commit:
    """One transaction's decisions, in the order in which they are taken."""

    def __init__(self, catalog: Writer, site: Site, folder: Folder, now: datetime, guard: Guard) -> None:
        self.warnings: list[Problem] = []
        self._catalog = catalog
        self._site = site
        self._folder = folder
        self._now = now
        self._moment = micros(now)
        self._ids = Ids(catalog)
        self._guard = guard
        self._moves: dict[str, tuple[int, str]] = {}
        self._linker = Linker(catalog, site)
        self._addresses = Addresses(catalog, site, self._moment)
        self._taken: dict[int, str] = {}  # key of an article that is refused for its address -> why
        self._gone: dict[str, int] = {}  # slug -> the article that gave it and whose file is gone
        self._coming: list[int] = []  # keys of articles that are still to be put into their feeds
        self._in_feeds = 0  # places that they will have there

    def all(self, vanished: list[int], *, anew: bool) -> list[str]:
        """Publish what follows from what is staged. Gives the paths of the feeds that changed."""
        catalog = self._catalog
        catalog.end_filling()
        catalog.vanish(vanished)
        catalog.refuse_staged()
        self._keep()
        catalog.reconsider(None if anew else self._now)
        other_site = catalog.meta("fingerprint") != syndicate.fingerprint(self._site)
        stamps = Stamps(catalog, self._site, anew=other_site)
        self._publish_all(stamps)
        self._linker.update(stamps, every=anew)
        catalog.end_staging()
        changed = stamps.commit(self._now, every=anew)
        if stamps.left_out:
            self.warnings.append(
                Problem(
                    "config.yaml",
                    1,
                    "too-many-feeds",
                    f"feeds.by: {len(stamps.left_out)} categories, tags or authors have no feed, such as"
                    f" {stamps.left_out[0]}: a site has {MOST_FEEDS:,} feeds at most; use fewer, or change feeds.by",
                )
            )
        return changed

    def _keep(self) -> None:
        """Keep good versions, each under the article that it is a version of; refuse what gives another's id."""
        catalog = self._catalog
        self._moves = moves(catalog.same_texts(), self._folder.has)
        given_up = {origin for _, origin in self._moves.values()}
        taken = {key for key, _ in self._moves.values()}
        firsts = catalog.given_twice()
        any_gone = catalog.any_gone()
        for page in self._versions():
            self._ids.expect(version.given for version in page if version.given)
            if any_gone:
                self._ids.expect(version.minted for version in page if not version.known)
                self._gone = catalog.gone_with_slugs({version.slug for version in page if version.slug})
            kept, taken_by = [], self._addresses.refused_edits(page)
            for version in page:
                key = self._article_of(version, given_up, taken)
                if version.key is not None and version.key != key:
                    catalog.displace(version.key)  # its path is another article's now
                other = None
                if version.given and not version.draft:
                    first = firsts.get(version.given, version.path)
                    other = first if first != version.path else self._holder_of(version.given, key)
                if other:
                    catalog.refuse(key, _id_taken(version.path, version.given, other))
                elif version.path in taken_by:
                    catalog.refuse(key, Refusal(version.path, 1, taken_by[version.path]))
                else:
                    kept.append((key, version.path))
            catalog.save(kept)
            self._ids.forget()

    def _versions(self) -> Iterator[list[Version]]:
        after = ""
        while page := self._catalog.versions(after, _PAGE):
            yield page
            after = page[-1].path

    def _article_of(self, version: Version, given_up: set[str], taken: set[int]) -> int | None:
        """Find the article that a file is a version of; None for a new one."""
        if version.path in self._moves:
            return self._moves[version.path][0]
        if version.path in given_up:
            return None
        if version.known and not version.gone:
            return version.key
        key = version.key if version.known else self._continued(version)
        if key is None or key in taken:
            return None
        taken.add(key)
        return key

    def _continued(self, version: Version) -> int | None:
        """Find the article whose file is gone and that a new file continues: by its id, or by its slug."""
        for id_ in (version.given, version.minted):
            holder = self._ids.known_holder(id_)
            if holder and holder.gone:
                return holder.key
        return self._gone.get(version.slug) if version.slug else None

    def _holder_of(self, id_: str, key: int | None) -> str | None:
        """Give the path of another article whose id this is; None if it is free, or given up in this run."""
        holder = first = self._ids.holder(id_)
        if first is None or first.key == key:
            return None
        passed = {key}
        paths = {key: path for path, (key, _) in self._moves.items()}
        while holder and not holder.gone and holder.key not in passed:  # it gives this one up for one that is free?
            passed.add(holder.key)
            read, next_ = self._catalog.giving(paths.get(holder.key, holder.path))
            if not read or next_ is None or next_ == id_:
                return first.path
            id_, holder = next_, self._ids.holder(next_)
        self._ids.release(first)
        return None

    def _publish_all(self, stamps: Stamps) -> None:
        """Tell the world of all articles of which something is to be decided; first of those that want the same id."""
        self._taken = self._addresses.refused()
        contested = self._catalog.contested()
        for start in range(0, len(contested), _PAGE):
            keys = contested[start : start + _PAGE]
            page = {one.key: one for one in self._catalog.pending(_PAGE, keys)}
            self._publish([page[key] for key in keys], stamps)
        while pending := self._catalog.pending(_PAGE):
            self._publish(pending, stamps)
        self._put_in()

    def _publish(self, page: list[Pending], stamps: Stamps) -> None:
        """Tell the world of articles, or no longer."""
        self._ids.expect(id_ for one in page for id_ in (one.given, one.id or one.minted) if id_)
        shown, going = [], set[Place]()
        for one in page:
            had = self._ids.had(one)
            id_, live, waiting = self._decide(one, had)
            if live and id_ and not one.live:
                feeds = _names_by_feed(one.feeds)
                stamps.arrived(feeds, (one.published, id_))
                self._comes(one, len(feeds))
                news = True
            else:
                was = _places(one.shown_in, one.shown_at, had) if one.live else {}
                is_ = _places(one.feeds, one.published, id_) if live else {}
                if was != is_:
                    self._comes(one, len(is_))
                    # whose id was given to another is in no feed any more, and that one may be in its place
                    going |= {place for place, name in was.items() if one.id and is_.get(place) != name}
                if not (live and id_ == had):
                    stamps.withdrew(was)
                news = stamps.moved(was.keys(), is_.keys(), edited=one.edited)
            self._linker.note(one, changed=news or live != one.live)
            shown.append(Shown(one.key, id_, live, waiting, stamps.revision if news else one.revision))
        self._catalog.publish(shown)
        if going:
            self._catalog.take_out(going)
        if self._in_feeds >= _MANY_PLACES:
            self._put_in()
        self._ids.forget()

    def _comes(self, one: Pending, places: int) -> None:
        """Note that an article is to be put into so many feeds, once what the world knows of it is kept."""
        if places:
            self._coming.append(one.key)
            self._in_feeds += places

    def _put_in(self) -> None:
        if self._coming:
            self._catalog.put_in(self._coming)
        self._coming, self._in_feeds = [], 0

    def _decide(self, one: Pending, had: str | None) -> tuple[str | None, bool, bool]:
        """Decide what the world knows of an article from now on: its id, whether it is live, whether it will be."""
        expired = one.expires is not None and one.expires <= self._moment
        here = not one.gone and not one.draft and not expired
        if here and (reason := self._taken.get(one.key)):
            self._catalog.refuse(one.key, Refusal(one.path, 1, reason))
            here = one.live  # what is published stays so
        live = here and one.live_from <= self._moment
        id_ = self._id(one, had) if live else one.id
        if id_ is None:
            live = False
        # a draft and an expiry are said article by article: whoever says so must be able to rely on it
        self._guard.see(one, had, id_, live=live, meant=not one.gone and (one.draft or expired))
        self._ids.assign(one, id_)
        return id_, live, here and one.live_from > self._moment

    def _id(self, one: Pending, had: str | None) -> str | None:
        """Give an article's id: what it says itself, else the one it had, else a new one; None if it is refused."""
        ids = self._ids
        if one.given and not syndicate.is_iri(one.given):
            self._warn(one, f"its id {one.given!r} is no absolute IRI, as Atom wants it (RFC 4287)")
        if one.given and one.given != had:
            holder = ids.holder(one.given)
            if holder is None or holder.key == one.key:
                return one.given
            self._catalog.refuse(one.key, _id_taken(one.path, one.given, holder.path))
            if had is None or ids.is_free(had, one.key):
                return had
        if had and ids.is_free(had, one.key):
            return had
        holder = ids.holder(one.minted)
        if holder is None:
            return one.minted
        apart = base = syndicate.apart(one.minted, one.path)
        number = 2
        while not ids.is_free(apart, one.key):  # an article that once had this path moved on
            apart, number = f"{base}-{number}", number + 1
        self._warn(one, f"its id would be that of {holder.path}; it is {apart}")
        return apart

    def _warn(self, one: Pending, message: str) -> None:
        self.warnings.append(Problem(one.path, 1, "doubtful-id", message))


def _places(feeds: str, published: int, id_: str | None) -> dict[Place, str]:
    """Give an article's places in feeds, each with the feed's name as the article spells it."""
    assert id_ is not None, "what is live has an id"
    return {(feed, published, id_): name for feed, name in _names_by_feed(feeds).items()}


_names_by_feed = lru_cache(maxsize=4096)(names_by_feed)


def _id_taken(path: str, id_: str | None, holder: str) -> Refusal:
    return Refusal(path, 1, f"id: {id_!r} is the id of {holder}; give one of them another")
