"""Queries on links between articles' files, for the writer."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from operator import itemgetter
from typing import Any

import sqlalchemy as sa
from pydantic_core import from_json, to_json

from feeds.catalog import schema as t
from feeds.catalog.staging import Staging
from feeds.catalog.types import LinkingArticle, unpack_article
from feeds.core.model import Article


class LinkWriter(Staging):
    """Reads and stores the links between articles' files, within one transaction."""

    def has_links(self) -> bool:
        """Return whether any article links to another's file."""
        return self._connection.execute(sa.select(t.links.c.article).limit(1)).scalar() is not None

    def linking_keys(self) -> list[int]:
        """Return the keys of all articles that link to another's file."""
        chosen = sa.select(t.articles.c.key).where(t.articles.c.links_to.isnot(None)).order_by(t.articles.c.key)
        return list(self._connection.scalars(chosen))

    def keys_linking_to(self, keys: Iterable[int], targets: Iterable[str]) -> set[int]:
        """Return the keys of articles with a link to one of these articles, or with one of these targets."""
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

    def live_keys(self, paths: Iterable[str]) -> dict[str, int]:
        """Return the keys of the live articles whose files are at these paths, by path."""
        keys: dict[str, int] = {}
        for chunk in t.chunks(list(paths)):
            chosen = sa.select(t.articles.c.path, t.articles.c.key).where(t.articles.c.path.in_(chunk))
            keys |= map(tuple, self._connection.execute(chosen.where(t.articles.c.live.is_(True))))
        return keys

    def live_paths(self) -> Iterator[tuple[str, int]]:
        """Yield the paths and keys of all live articles."""
        chosen = sa.select(t.articles.c.path, t.articles.c.key).where(t.articles.c.live.is_(True))
        yield from map(tuple, self._connection.execute(chosen))

    def articles_by_key(self, keys: Iterable[int]) -> Iterator[tuple[int, Article]]:
        """Yield articles by their keys, as (key, article)."""
        articles = sa.select(t.articles.c.key, t.texts.c.article)
        articles = articles.join_from(t.articles, t.texts, t.texts.c.key == t.articles.c.text)
        for chunk in t.chunks(list(keys)):
            for key, packed in self._connection.execute(articles.where(t.articles.c.key.in_(chunk))):
                yield key, unpack_article(packed)

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

    def save_link_targets(self, targets: Mapping[int, Mapping[str, int | None]]) -> None:
        """Store the targets of articles' links, by key: for each target the key of its article, if that is live."""
        for chunk in t.chunks(list(targets)):
            self._connection.execute(t.links.delete().where(t.links.c.article.in_(chunk)))
        rows = [(target, key, leads_to) for key, its in targets.items() for target, leads_to in its.items()]
        self._add(t.links, ("target", "article", "leads_to"), sorted(rows, key=itemgetter(0, 1)))
