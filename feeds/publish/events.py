"""Events of a publish run for the log: what it did with each article, and the number of articles by kind of event.

A run can change a million articles. It counts all events, and keeps a few of them.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Literal, NamedTuple, get_args

from feeds.catalog import CatalogWriter, PendingArticle, RejectedArticle, from_microseconds, names_by_feed
from feeds.core import syndication
from feeds.core.model import Article, Site

MAX_EVENTS = 20  # of a run; those of the first kinds are kept first

EventKind = Literal[
    "rejected",  # a file that can't be published; its last good version stays published
    "fixed",  # a file that was rejected, and no longer is
    "withdrawn",  # an article that was published or scheduled, and no longer is
    "renamed",  # a published article whose file moved
    "published",  # a scheduled article whose time has come
    "scheduled",  # an article that will be published later
    "added",  # an article that is published for the first time, or again
    "edited",  # a published article with another text or other front matter
    "saved",  # a file of an article that is not published
]
EVENT_KINDS: tuple[EventKind, ...] = get_args(EventKind)

Reason = Literal["", "deleted", "draft", "expired", "scheduled"]  # why an article is not published


class LostArticle(NamedTuple):
    """An article whose file was deleted, and which another file seems to continue."""

    path: str
    id: str


class ArticleEvent(NamedTuple):
    """An article that a run added, edited, withdrew, rejected and so on."""

    kind: EventKind
    path: str
    title: str = ""
    feeds: tuple[str, ...] = ()  # paths of the feeds that list the article
    old_path: str = ""  # of a renamed article
    reason: Reason = ""
    at: datetime | None = None  # when a scheduled article is published
    line: int = 0  # of the file, why it is rejected; from 1
    rejection: str = ""
    linked_files: tuple[str, ...] = ()  # outside its own folder, perhaps missing: paths below the content folder
    continues: LostArticle | None = None  # of an added article: one with the same title or file name, apart from a date


class _Kept(NamedTuple):
    """An event whose details are still to be read from the catalog."""

    kind: EventKind
    article: PendingArticle
    live: bool
    old_path: str
    reason: Reason


class ArticleEvents:
    """Collects the events of a run."""

    def __init__(self, moment: int) -> None:
        """`moment` is the time of the run, in microseconds since 1970."""
        self._moment = moment
        self._counts = Counter[EventKind]()
        self._kept: list[_Kept] = []
        self._others: list[ArticleEvent] = []  # events of files without an article

    @property
    def counts(self) -> Mapping[EventKind, int]:
        """The number of events, by kind."""
        return dict(self._counts)

    def record(
        self, article: PendingArticle, *, live: bool, scheduled: bool, old_path: str | None, was_rejected: bool
    ) -> None:
        """Record the decision about an article.

        Args:
            article: its state until now, with its new version.
            live: whether it is published from now on.
            scheduled: whether it will be published later.
            old_path: the path that its file had until now, if it moved.
            was_rejected: whether its file was rejected until now.
        """
        reason: Reason = "" if live else self._reason(article, scheduled=scheduled)
        kind = _kind(article, live=live, scheduled=scheduled, moved=old_path is not None)
        if was_rejected and kind != "withdrawn":
            kind = "fixed"
        if kind and self._count(kind):
            self._kept.append(_Kept(kind, article, live, old_path or "", reason))

    def record_rejected(self, rejected: RejectedArticle) -> None:
        """Record that a file can't be published."""
        if self._count("rejected"):
            self._others.append(_rejection(rejected))

    def record_rejections(self, rejected: list[RejectedArticle], count: int) -> None:
        """Record that `count` files can't be published, given the first of them."""
        capacity = MAX_EVENTS - self._counts["rejected"]
        self._others += map(_rejection, rejected[: max(0, capacity)])
        if count:
            self._counts["rejected"] += count

    def record_deleted(self, rejected_paths: list[str]) -> None:
        """Record that rejected files, which never had a good version, were deleted."""
        for path in rejected_paths:
            if self._count("fixed"):
                self._others.append(ArticleEvent("fixed", path, reason="deleted"))

    def describe(self, catalog: CatalogWriter, site: Site) -> tuple[ArticleEvent, ...]:
        """Return at most `MAX_EVENTS` events with their details, in the order of `EVENT_KINDS`."""
        rank = {kind: number for number, kind in enumerate(EVENT_KINDS)}
        chosen: list[_Kept | ArticleEvent] = sorted([*self._others, *self._kept], key=lambda event: rank[event.kind])
        del chosen[MAX_EVENTS:]
        kept = [event for event in chosen if isinstance(event, _Kept)]
        if not kept:
            return tuple(event for event in chosen if isinstance(event, ArticleEvent))
        stored = catalog.stored_articles([event.article.key for event in kept])
        articles = {article.key: article.article for article in stored}
        lost = _LostArticles(kept, articles)
        paths = sorted({path for event in kept if event.live for path in names_by_feed(event.article.feeds)})
        published = {feed.path for feed in catalog.feeds_by_path(paths) if syndication.exists(feed, site)}
        keys = [event.article.key for event in kept if event.live]
        linked = catalog.linked_files_by_article(keys) if site.pages else {}
        return tuple(
            event if isinstance(event, ArticleEvent) else _describe(event, articles, lost, published, linked)
            for event in chosen
        )

    def _count(self, kind: EventKind) -> bool:
        """Count an event. Return whether to keep it."""
        self._counts[kind] += 1
        return self._counts[kind] <= MAX_EVENTS

    def _reason(self, article: PendingArticle, *, scheduled: bool) -> Reason:
        if article.deleted:
            return "deleted"
        if article.draft:
            return "draft"
        if article.expires is not None and article.expires <= self._moment:
            return "expired"
        return "scheduled" if scheduled else ""


def _kind(article: PendingArticle, *, live: bool, scheduled: bool, moved: bool) -> EventKind | None:
    """Return the kind of the event; None if nothing happened that the owner of the site would notice."""
    if live and not article.live:
        return "published" if article.scheduled and not article.edited else "added"
    if live:
        return "renamed" if moved else "edited" if article.edited else None
    if article.live:
        return "withdrawn"
    if scheduled:
        return "scheduled" if article.edited or not article.scheduled else None
    if article.scheduled:
        return "withdrawn"
    return "saved" if article.edited and not article.deleted else None


class _LostArticles:
    """The articles whose files a run no longer finds, by title and by file name without a date."""

    def __init__(self, kept: Iterable[_Kept], articles: Mapping[int, Article]) -> None:
        self._found: dict[tuple[str, str], LostArticle] = {}
        for event in kept:
            article = articles.get(event.article.key)
            if article and event.reason == "deleted" and event.article.id:
                lost = LostArticle(event.article.path, event.article.id)
                self._found |= {("title", article.title): lost, ("slug", article.slug): lost}
        self._found.pop(("title", ""), None)

    def find(self, article: Article) -> LostArticle | None:
        return self._found.get(("title", article.title)) or self._found.get(("slug", article.slug))


def _describe(
    event: _Kept,
    articles: Mapping[int, Article],
    lost: _LostArticles,
    published: set[str],
    linked: Mapping[int, list[str]],
) -> ArticleEvent:
    article, stored = event.article, articles.get(event.article.key)
    feeds = [path for path in names_by_feed(article.feeds) if path in published] if event.live else []
    return ArticleEvent(
        event.kind,
        article.path,
        title=stored.title if stored else "",
        feeds=tuple(feeds),
        old_path=event.old_path,
        reason=event.reason,
        at=from_microseconds(article.live_from) if event.reason == "scheduled" else None,
        linked_files=tuple(target.removeprefix("/") for target in linked.get(article.key, ())),
        continues=lost.find(stored) if stored and event.kind == "added" else None,
    )


def _rejection(rejected: RejectedArticle) -> ArticleEvent:
    return ArticleEvent("rejected", rejected.path, line=rejected.line, rejection=rejected.reason)
