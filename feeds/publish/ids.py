"""Which article owns which id, within one transaction: `IdRegistry`."""

from collections.abc import Iterable

from feeds.catalog import CatalogWriter, IdOwner, PendingArticle


class IdRegistry:
    """Looks up the owners of ids, and keeps the decisions of a run.

    It caches catalog lookups: call `forget` after decisions were written to the catalog.
    """

    def __init__(self, catalog: CatalogWriter) -> None:
        self._catalog = catalog
        self._owners: dict[str, IdOwner | None] = {}
        self._released: dict[int, str] = {}  # key of an article -> the id that it lost in this run

    def prefetch(self, ids: Iterable[str]) -> None:
        """Look up the owners of several ids with one query."""
        ids = set(ids)
        self._owners |= dict.fromkeys(ids, None) | self._catalog.id_owners(ids)

    def owner(self, id_: str) -> IdOwner | None:
        """Return the article that owns an id, or None."""
        if id_ not in self._owners:
            self._owners[id_] = self._catalog.id_owners([id_]).get(id_)
        return self._owners[id_]

    def cached_owner(self, id_: str | None) -> IdOwner | None:
        """Return the owner of an id that was looked up before; None for other ids."""
        return self._owners.get(id_) if id_ else None

    def is_available(self, id_: str, key: int) -> bool:
        """Return whether no article other than the one with this key owns an id."""
        owner = self.owner(id_)
        return owner is None or owner.key == key

    def release(self, owner: IdOwner) -> None:
        """Take the id from an article, because another article sets it explicitly."""
        id_ = self._catalog.release_id(owner.key)
        if id_ is not None:
            self._released[owner.key] = id_
            self._owners[id_] = None

    def previous_id(self, article: PendingArticle) -> str | None:
        """Return the id that an article had before this run."""
        return article.id or self._released.get(article.key)

    def assign(self, article: PendingArticle, id_: str | None) -> None:
        """Record the id that an article has from now on."""
        if article.id and article.id != id_:
            self._owners[article.id] = None
        if id_:
            self._owners[id_] = IdOwner(article.key, article.path, article.deleted)

    def forget(self) -> None:
        """Clear the cache."""
        self._owners.clear()
