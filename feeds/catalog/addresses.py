"""Which articles want which pages, for the one writer."""

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa

from feeds.catalog.linking import LinkWriter
from feeds.catalog.rows import Claim
from feeds.catalog.schema import articles, chunks, readings

_CLAIMS = sa.select(*(articles.c[name] for name in Claim._fields)).where(
    articles.c.gone.is_(False), articles.c.draft.is_(False), articles.c.page.isnot(None)
)
_BELOW_A_FILE = articles.c.page.like("%.htm%/%")  # with a folder that may be named as the file of a page
_OF_INDEX = sa.or_(articles.c.page.like("%/index"), articles.c.page.like("%/index.html"))
_TO_DECIDE = sa.and_(articles.c.pending > 0, articles.c.page.isnot(None))


class AddressReader(LinkWriter):
    """Finds the articles that exclude each other, within one transaction."""

    def pages_to_decide(self, after: int, limit: int) -> list[tuple[int, str]]:
        """Return up to `limit` pending articles that have a page, as (key, page), in the order of their keys."""
        chosen = sa.select(articles.c.key, articles.c.page).where(_TO_DECIDE, articles.c.key > after)
        return [(key, page) for key, page in self._connection.execute(chosen.order_by(articles.c.key).limit(limit))]

    def pages_wanted_twice(self) -> set[str]:
        """Return the pages of pending articles that other articles have too, drafts aside."""
        wanted = sa.select(articles.c.page).where(_TO_DECIDE)
        there = (articles.c.page.in_(wanted), articles.c.gone.is_(False), articles.c.draft.is_(False))
        twice = sa.select(articles.c.page).where(*there).group_by(articles.c.page).having(sa.func.count() > 1)
        return set(self._connection.scalars(twice))

    def any_unusual_page(self, *, to_decide: bool) -> bool:
        """Return whether the page of any article, or of a pending one, is unusual.

        That is at `…/index.html`, or in a folder that may be another page's file.
        """
        among = _TO_DECIDE if to_decide else articles.c.page.isnot(None)
        chosen = sa.select(articles.c.key).where(among, sa.or_(_BELOW_A_FILE, _OF_INDEX)).limit(1)
        return self._connection.execute(chosen).scalar() is not None

    def claims(self, pages: Iterable[str]) -> list[Claim]:
        """Return the articles whose pages are at some paths, drafts aside."""
        found = (self._claims(_CLAIMS.where(articles.c.page.in_(some))) for some in chunks(list(pages)))
        return [claim for claims in found for claim in claims]

    def claims_below_files(self) -> list[Claim]:
        """Return the articles whose pages may need a folder where another's file would be, drafts aside."""
        return self._claims(_CLAIMS.where(_BELOW_A_FILE))

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
