"""Whose each id is, within one transaction: asked of the catalog many at a time, and as decided since."""

from collections.abc import Iterable

from feeds.catalog import Holder, Pending, Writer


class Ids:
    """Who holds which id. Answers of the catalog are remembered until `forget`, which comes when it was told."""

    def __init__(self, catalog: Writer) -> None:
        self._catalog = catalog
        self._holders: dict[str, Holder | None] = {}
        self._released: dict[int, str] = {}  # key of an article -> the id that was taken from it in this run

    def expect(self, ids: Iterable[str]) -> None:
        """Ask for many ids at once."""
        ids = set(ids)
        self._holders |= dict.fromkeys(ids, None) | self._catalog.holders(ids)

    def holder(self, id_: str) -> Holder | None:
        """Give the article that has an id."""
        if id_ not in self._holders:
            self._holders[id_] = self._catalog.holders([id_]).get(id_)
        return self._holders[id_]

    def known_holder(self, id_: str | None) -> Holder | None:
        """Give the article that has an id, as far as was asked."""
        return self._holders.get(id_) if id_ else None

    def is_free(self, id_: str, key: int) -> bool:
        """Tell whether an article may have an id: nobody else has it."""
        holder = self.holder(id_)
        return holder is None or holder.key == key

    def release(self, holder: Holder) -> None:
        """Take its id from an article, for another that gives it itself."""
        id_ = self._catalog.release(holder.key)
        if id_ is not None:
            self._released[holder.key] = id_
            self._holders[id_] = None

    def had(self, one: Pending) -> str | None:
        """Give the id that an article had before this run."""
        return one.id or self._released.get(one.key)

    def assign(self, one: Pending, id_: str | None) -> None:
        """Note which id an article has from now on."""
        if one.id and one.id != id_:
            self._holders[one.id] = None
        if id_:
            self._holders[id_] = Holder(one.key, one.path, one.gone)

    def forget(self) -> None:
        """Forget what was asked: the catalog has what was decided."""
        self._holders.clear()
