"""Stores links from one article's file to another's: their targets in the table `links`, their URLs in `articles`.

`core/parse/links.py` finds the links and defines the kinds of targets; `publish/links.py` resolves the targets.
"""

from collections.abc import Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any, NamedTuple

import sqlalchemy as sa
from pydantic_core import from_json, to_json

from feeds.catalog import schema as t
from feeds.catalog.access import ReadAccess, WriteAccess
from feeds.catalog.articles import is_live_or_has_file
from feeds.catalog.entries import RECORDS, EntryRecord, entry_record
from feeds.core.article_files import SUFFIXES
from feeds.core.parse.links import file_target, translation_target

_FIRST_TRANSLATION = translation_target("")  # sorts before all other targets of translations
_IS_TRANSLATION = sa.and_(
    t.links.c.target >= _FIRST_TRANSLATION,
    t.links.c.target < _FIRST_TRANSLATION[:-1] + chr(ord(_FIRST_TRANSLATION[-1]) + 1),
)
_IS_FILE = sa.and_(t.links.c.target > "/", t.links.c.target < "0")  # "0" is the character after "/"


class LinkingArticle(NamedTuple):
    """An article with links to other articles' files, and the URLs of these links."""

    key: int
    path: str
    id: str | None
    live: bool
    published: int
    feeds: str  # for `names_by_feed`
    revision: int  # the last revision that changed the published state
    targets: tuple[str, ...]
    urls: dict[str, str] | None  # of live articles and translations, by target; None: none, or not resolved yet


class LinkReader(ReadAccess):
    """Queries on links."""

    def has_links(self) -> bool:
        """Return whether any article links to the file of another article."""
        return self._connection.execute(sa.select(t.links.c.article).limit(1)).scalar() is not None

    def linking_keys(self) -> list[int]:
        """Return the keys of all articles that link to the file of another article."""
        chosen = sa.select(t.articles.c.key).where(t.articles.c.links_to.isnot(None)).order_by(t.articles.c.key)
        return list(self._connection.scalars(chosen))

    def keys_linking_to(self, keys: Iterable[int], targets: Iterable[str]) -> set[int]:
        """Return the keys of articles with a link to one of the articles `keys`, or with one of these targets."""
        by_key = [t.links.c.leads_to.in_(chunk) for chunk in t.chunks(list(keys))]
        by_target = [t.links.c.target.in_(chunk) for chunk in t.chunks(list(targets))]
        linking = set[int]()
        for condition in (*by_key, *by_target):
            linking |= set(self._connection.scalars(sa.select(t.links.c.article).where(condition)))
        return linking

    def linking_articles(self, keys: Sequence[int]) -> list[LinkingArticle]:
        """Return articles by their keys, with their links."""
        of_entries = {
            "published": sa.func.coalesce(t.articles.c.entry_published, t.articles.c.published).label("published"),
            "feeds": sa.func.coalesce(t.articles.c.entry_feeds, t.articles.c.feeds, "{}").label("feeds"),
        }
        names = ("key", "path", "id", "live", "published", "feeds", "revision", "links_to", "link_urls")
        columns = [of_entries[name] if name in of_entries else t.articles.c[name] for name in names]
        linking: list[LinkingArticle] = []
        for chunk in t.chunks(list(keys)):
            chosen = sa.select(*columns).where(t.articles.c.key.in_(chunk)).order_by(t.articles.c.key)
            for row in self._connection.execute(chosen):
                *values, links_to, link_urls = row
                targets, urls = tuple(from_json(links_to or "[]")), from_json(link_urls) if link_urls else None
                linking.append(LinkingArticle._make([*values, targets, urls]))
        return linking

    def has_translations(self) -> bool:
        """Return whether any article has a language in the name of its file."""
        return (
            self._connection.execute(sa.select(t.links.c.article).where(_IS_TRANSLATION).limit(1)).scalar() is not None
        )

    def translation_targets(
        self, keys: Iterable[int] = (), names: Iterable[str] = (), *, every: bool = False
    ) -> set[str]:
        """Return the translation targets of articles with these keys or names, or of all articles (`every`)."""
        wanted = [t.links.c.article.in_(chunk) for chunk in t.chunks(list(keys))]
        wanted += [t.links.c.target.in_(chunk) for chunk in t.chunks([translation_target(name) for name in names])]
        targets = set[str]()
        for condition in [sa.true()] if every else wanted:
            chosen = sa.select(t.links.c.target).distinct().where(condition, _IS_TRANSLATION)
            targets |= set(self._connection.scalars(chosen))
        return targets

    def live_translations(self, targets: Iterable[str]) -> dict[str, list[int]]:
        """Return, by translation target, the keys of the live articles that have it."""
        found: dict[str, list[int]] = {}
        for chunk in t.chunks(list(targets)):
            chosen = sa.select(t.links.c.target, t.links.c.article).join(
                t.articles, t.articles.c.key == t.links.c.article
            )
            chosen = chosen.where(t.links.c.target.in_(chunk), t.articles.c.live.is_(True)).order_by(t.articles.c.path)
            for target, key in self._connection.execute(chosen):
                found.setdefault(target, []).append(key)
        return found

    def linked_files(self, after: str, limit: int) -> list[str]:
        """Return the targets of up to `limit` files to which live articles link, sorted, after the target `after`."""
        chosen = sa.select(t.links.c.target).distinct().join(t.articles, t.articles.c.key == t.links.c.article)
        first = (
            chosen.where(_IS_FILE, t.links.c.target > after, t.articles.c.live.is_(True))
            .order_by(t.links.c.target)
            .limit(limit)
        )
        return list(self._connection.scalars(first))

    def linked_files_by_article(self, keys: Iterable[int]) -> dict[int, list[str]]:
        """Return, by the key of the article, the sorted targets of the files to which it links."""
        links, found = t.links.c, dict[int, list[str]]()
        for chunk in t.chunks(list(keys)):
            chosen = sa.select(links.article, links.target).where(links.article.in_(chunk), _IS_FILE)
            for key, target in self._connection.execute(chosen.order_by(links.article, links.target)):
                found.setdefault(key, []).append(target)
        return found

    def with_unresolved_links(self, limit: int) -> list[EntryRecord]:
        """Return up to `limit` live articles with links to articles that are not live; the links may be in code."""
        is_unresolved = sa.and_(t.links.c.leads_to.is_(None), sa.not_(_IS_FILE), sa.not_(_IS_TRANSLATION))
        linking = sa.select(t.links.c.article).where(is_unresolved)
        chosen = RECORDS.where(t.articles.c.key.in_(linking), t.articles.c.live.is_(True))
        return list(map(entry_record, self._connection.execute(chosen.order_by(t.articles.c.path).limit(limit))))

    def is_linked(self, target: str, *, live: bool) -> bool:
        """Return whether a live article links to a target; if `live` is false, whether any article with a file does."""
        chosen = sa.select(t.links.c.article).join(t.articles, t.articles.c.key == t.links.c.article)
        chosen = chosen.where(t.links.c.target == target, is_live_or_has_file(live=live)).limit(1)
        return self._connection.execute(chosen).scalar() is not None

    def is_of_draft(self, path: str) -> bool:
        """Return whether a file belongs to an article that is not live, by its path below the content folder.

        The nearest article with a folder of its own above the file decides. If there is none, the file belongs to the
        articles that link to it: return True if none of these is live, but False if no article links to it.
        """
        folders = [path[:end] for end, letter in enumerate(path) if letter == "/"]
        indexes = [f"{folder}/index{suffix}" for folder in folders for suffix in SUFFIXES]
        owners = sa.select(t.articles.c.live).where(t.articles.c.path.in_(indexes), t.articles.c.deleted.is_(False))
        nearest = owners.order_by(sa.func.length(t.articles.c.path).desc()).limit(1)
        live = self._connection.execute(nearest).scalar()
        if live is not None:
            return not live
        target = file_target(path)
        return self.is_linked(target, live=False) and not self.is_linked(target, live=True)


class LinkWriter(LinkReader, WriteAccess):
    """Stores links."""

    def save_link_urls(self, linking: Sequence[LinkingArticle]) -> None:
        """Store the URLs of articles' links, and the revision that changed them."""
        names = ("_key", "_revision", "_link_urls")
        values: dict[str, Any] = {name[1:]: sa.bindparam(name) for name in names[1:]}
        update = t.articles.update().where(t.articles.c.key == sa.bindparam("_key")).values(values)
        rows = [
            (article.key, article.revision, None if article.urls is None else to_json(article.urls).decode())
            for article in linking
        ]
        self._many(update, names, rows)

    def save_translation_targets(self, keys: Iterable[int], targets: Mapping[int, str]) -> None:
        """Replace the targets of translations of articles, by their keys."""
        for chunk in t.chunks(list(keys)):
            self._connection.execute(t.links.delete().where(t.links.c.article.in_(chunk), _IS_TRANSLATION))
        rows = [(target, key, None) for key, target in targets.items()]
        self._add(t.links, ("target", "article", "leads_to"), sorted(rows, key=itemgetter(0, 1)))

    def save_link_targets(self, targets: Mapping[int, Mapping[str, int | None]]) -> None:
        """Store the targets of articles' links, by key: for each target the key of its article, if that is live."""
        for chunk in t.chunks(list(targets)):
            self._connection.execute(t.links.delete().where(t.links.c.article.in_(chunk)))
        rows = [(target, key, leads_to) for key, its in targets.items() for target, leads_to in its.items()]
        self._add(t.links, ("target", "article", "leads_to"), sorted(rows, key=itemgetter(0, 1)))
