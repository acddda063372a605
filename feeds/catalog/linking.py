"""The links from one article's file to another's, for the one writer."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from operator import itemgetter
from typing import Any

import sqlalchemy as sa
from pydantic_core import from_json, to_json

from feeds.catalog.rows import Linking, unpacked
from feeds.catalog.schema import articles, chunks, links, texts
from feeds.catalog.staging import Staging
from feeds.model import Article


class LinkWriter(Staging):
    """Reads and keeps where links between articles' files lead, within one transaction."""

    def any_links(self) -> bool:
        """Return whether any article links to another's file."""
        return self._connection.execute(sa.select(links.c.article).limit(1)).scalar() is not None

    def with_links(self) -> list[int]:
        """Return the keys of all articles that link to another's file."""
        chosen = sa.select(articles.c.key).where(articles.c.links_to.isnot(None)).order_by(articles.c.key)
        return list(self._connection.scalars(chosen))

    def linking_to(self, keys: Iterable[int], targets: Iterable[str]) -> set[int]:
        """Return the keys of the articles with a link that leads to one of these, or names one of these targets."""
        found = set[int]()
        leading = [links.c.leads_to.in_(some) for some in chunks(list(keys))]
        naming = [links.c.target.in_(some) for some in chunks(list(targets))]
        for those in (*leading, *naming):
            found |= set(self._connection.scalars(sa.select(links.c.article).where(those)))
        return found

    def linking(self, keys: Sequence[int]) -> list[Linking]:
        """Return the links of articles, by their keys."""
        places = {
            "published": sa.func.coalesce(articles.c.shown_at, articles.c.published).label("published"),
            "feeds": sa.func.coalesce(articles.c.shown_in, articles.c.feeds, "{}").label("feeds"),
        }
        names = ("key", "path", "id", "live", "published", "feeds", "revision", "links_to", "link_urls")
        columns = [places[name] if name in places else articles.c[name] for name in names]
        found: list[Linking] = []
        for some in chunks(list(keys)):
            chosen = sa.select(*columns).where(articles.c.key.in_(some)).order_by(articles.c.key)
            for row in self._connection.execute(chosen):
                targets, urls = from_json(row.links_to or "[]"), from_json(row.link_urls) if row.link_urls else None
                known = (row.key, row.path, row.id, row.live, row.published, row.feeds, row.revision)
                found.append(Linking(*known, tuple(targets), urls))
        return found

    def live_at(self, paths: Iterable[str]) -> dict[str, int]:
        """Return the keys of the live articles whose files are at these paths, by path."""
        found: dict[str, int] = {}
        for some in chunks(list(paths)):
            chosen = sa.select(articles.c.path, articles.c.key).where(articles.c.path.in_(some))
            found |= map(tuple, self._connection.execute(chosen.where(articles.c.live.is_(True))))
        return found

    def live_paths(self) -> Iterator[tuple[str, int]]:
        """Yield the paths and keys of all live articles."""
        chosen = sa.select(articles.c.path, articles.c.key).where(articles.c.live.is_(True))
        yield from map(tuple, self._connection.execute(chosen))

    def articles(self, keys: Iterable[int]) -> Iterator[tuple[int, Article]]:
        """Yield articles by their keys."""
        for some in chunks(list(keys)):
            chosen = sa.select(articles.c.key, texts.c.article).join_from(
                articles, texts, texts.c.key == articles.c.text
            )
            for key, packed in self._connection.execute(chosen.where(articles.c.key.in_(some))):
                yield key, unpacked(packed)

    def link(self, linked: Sequence[Linking]) -> None:
        """Keep where links of articles lead, and the revision that changed it."""
        names = ("_key", "_revision", "_link_urls")
        values: dict[str, Any] = {name[1:]: sa.bindparam(name) for name in names[1:]}
        update = articles.update().where(articles.c.key == sa.bindparam("_key")).values(values)
        rows = [(one.key, one.revision, None if one.urls is None else to_json(one.urls).decode()) for one in linked]
        self._many(update, names, rows)

    def keep_targets(self, targets: Mapping[int, Mapping[str, int | None]]) -> None:
        """Keep the targets of the links of articles, by their keys: the key of each target's article, if it is live."""
        for some in chunks(list(targets)):
            self._connection.execute(links.delete().where(links.c.article.in_(some)))
        rows = [(target, key, leads_to) for key, its in targets.items() for target, leads_to in its.items()]
        self._add(links, ("target", "article", "leads_to"), sorted(rows, key=itemgetter(0, 1)))
