"""Which articles want which pages, for the one writer."""

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa

from feeds.catalog.linking import LinkWriter
from feeds.catalog.rows import Claim
from feeds.catalog.schema import articles, chunks, readings

_PENDING = (articles.c.pending > 0).label("pending")
_CLAIMS = sa.select(*(_PENDING if name == "pending" else articles.c[name] for name in Claim._fields)).where(
    articles.c.gone.is_(False), articles.c.draft.is_(False), articles.c.page.isnot(None)
)
_BELOW_A_FILE = articles.c.page.like("%.htm%/%")  # with a folder that may be named as the file of a page


class AddressReader(LinkWriter):
    """Finds the articles that exclude each other, within one transaction."""

    def claims_to_decide(self, after: int, limit: int) -> list[Claim]:
        """Return the pending articles with pages, drafts aside: so many after a key, by key."""
        chosen = _CLAIMS.where(articles.c.pending > 0, articles.c.key > after).order_by(articles.c.key).limit(limit)
        return self._claims(chosen)

    def claims(self, pages: Iterable[str]) -> list[Claim]:
        """Return the articles whose pages are at some paths, drafts aside."""
        found = (self._claims(_CLAIMS.where(articles.c.page.in_(some))) for some in chunks(list(pages)))
        return [claim for claims in found for claim in claims]

    def claims_below_files(self, *, pending: bool) -> list[Claim]:
        """Return the articles, or the pending ones, whose pages may need a folder where another's file would be."""
        return self._claims(_CLAIMS.where(_BELOW_A_FILE, *([articles.c.pending > 0] if pending else ())))

    def pages_read(self, paths: Iterable[str]) -> dict[str, str | None]:
        """Return by path the pages of the files that were read and are good; None of a draft, and of one without."""
        found: dict[str, str | None] = {}
        page = sa.case((readings.c.draft.is_(False), readings.c.page), else_=sa.null())
        for some in chunks(list(paths)):
            chosen = sa.select(readings.c.path, page).where(readings.c.path.in_(some), readings.c.hash.isnot(None))
            found |= map(tuple, self._connection.execute(chosen))
        return found

    def _claims(self, chosen: sa.Select[Any]) -> list[Claim]:
        return list(map(Claim._make, self._connection.execute(chosen)))
