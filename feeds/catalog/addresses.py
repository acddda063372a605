"""Queries that find articles whose pages conflict, for the writer."""

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa

from feeds.catalog import schema as t
from feeds.catalog.links import LinkWriter
from feeds.catalog.types import PageClaim

_CLAIMS = sa.select(*(t.articles.c[name] for name in PageClaim._fields)).where(
    t.articles.c.deleted.is_(False), t.articles.c.draft.is_(False), t.articles.c.page.isnot(None)
)
_BELOW_A_FILE = t.articles.c.page.like("%.htm%/%")  # with a folder that may have the name of another page's file
_IS_INDEX = sa.or_(t.articles.c.page.like("%/index"), t.articles.c.page.like("%/index.html"))
_IS_PENDING = sa.and_(t.articles.c.pending > 0, t.articles.c.page.isnot(None))


class AddressReader(LinkWriter):
    """Queries on the pages of articles, within one transaction."""

    def pending_pages(self, after: int, limit: int) -> list[tuple[int, str]]:
        """Return up to `limit` pending articles that have a page, as (key, page), in the order of their keys."""
        chosen = sa.select(t.articles.c.key, t.articles.c.page).where(_IS_PENDING, t.articles.c.key > after)
        return [(key, page) for key, page in self._connection.execute(chosen.order_by(t.articles.c.key).limit(limit))]

    def contested_pages(self) -> set[str]:
        """Return the pages of pending articles that other articles have too, without drafts."""
        a = t.articles.c
        of_pending = sa.select(a.page).where(_IS_PENDING)
        claims = sa.select(a.page).where(a.page.in_(of_pending), a.deleted.is_(False), a.draft.is_(False))
        return set(self._connection.scalars(claims.group_by(a.page).having(sa.func.count() > 1)))

    def has_unusual_page(self, *, pending_only: bool) -> bool:
        """Return whether the page of any article, or of a pending one, is unusual.

        That is at `…/index.html`, or in a folder that may be another page's file.
        """
        among = _IS_PENDING if pending_only else t.articles.c.page.isnot(None)
        chosen = sa.select(t.articles.c.key).where(among, sa.or_(_BELOW_A_FILE, _IS_INDEX)).limit(1)
        return self._connection.execute(chosen).scalar() is not None

    def page_claims(self, pages: Iterable[str]) -> list[PageClaim]:
        """Return the articles whose pages are at these paths, without drafts."""
        claims = (self._claims(_CLAIMS.where(t.articles.c.page.in_(chunk))) for chunk in t.chunks(list(pages)))
        return [claim for chunk in claims for claim in chunk]

    def claims_below_files(self) -> list[PageClaim]:
        """Return the articles whose pages may need a folder where another page's file is, without drafts."""
        return self._claims(_CLAIMS.where(_BELOW_A_FILE))

    def staged_pages(self, paths: Iterable[str]) -> dict[str, str | None]:
        """Return by path the pages of the staged good versions; None for a draft, and for one without a page."""
        r = t.readings.c
        page = sa.case((r.draft.is_(False), r.page), else_=sa.null())
        pages: dict[str, str | None] = {}
        for chunk in t.chunks(list(paths)):
            chosen = sa.select(r.path, page).where(r.path.in_(chunk), r.hash.isnot(None))
            pages |= map(tuple, self._connection.execute(chosen))
        return pages

    def _claims(self, chosen: sa.Select[Any]) -> list[PageClaim]:
        return list(map(PageClaim._make, self._connection.execute(chosen)))
