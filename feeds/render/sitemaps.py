"""The sitemaps of a site, rendered on request within bounded memory.

`/sitemap.xml` lists all articles. If there are several parts, it lists the parts, and the parts list the articles.
`/news-sitemap.xml` lists the entries of the site's feed that were published in the last two days. It is the only
document that depends on the current time.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import NamedTuple

from feeds.catalog import CatalogReader, EntryRecord, SitemapPart
from feeds.core import paths, syndication
from feeds.core.formats import sitemap
from feeds.core.formats.sitemap import NewsUrl, SitemapUrl
from feeds.core.model import Site
from feeds.core.text import digest_of
from feeds.render.queue import InlineExecutor, Priority, RenderQueue
from feeds.render.renderer import DocumentRenderer

NEWS_AGE = timedelta(days=2)  # "Only include recent URLs for articles that were created in the last two days."
_SITE_FEED = ""


class ListedSitemap(NamedTuple):
    """A sitemap: its path, and a digest of its content that is known before it is rendered."""

    path: str
    digest: str


class RenderedSitemap(NamedTuple):
    """The bytes of a sitemap, when its content last changed, and until when it is valid."""

    body: bytes
    changed: datetime
    valid_until: float = float("inf")  # seconds since 1970: when an entry becomes too old


class Sitemaps:
    """Lists and renders the sitemaps of a site. Thread-safe."""

    def __init__(
        self,
        reading: Callable[[], AbstractContextManager[CatalogReader]],
        site: Site,
        renderer: DocumentRenderer,
        executor: RenderQueue | InlineExecutor,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Prepare to render.

        Args:
            reading: opens a read transaction of the catalog.
            site: the site.
            renderer: renders the entries of articles without a title, which a news sitemap needs.
            executor: runs the functions that render.
            clock: returns the current time.
        """
        self._reading = reading
        self._site = site
        self._renderer = renderer
        self._executor = executor
        self._clock = clock

    def may_be_sitemap(self, path: str) -> bool:
        """Return whether a sitemap of the site can be at a path; without I/O."""
        return paths.sitemap_owner(path, self._site) is not None

    def listed(self) -> Iterator[ListedSitemap]:
        """Yield all sitemaps of the site."""
        fingerprint = syndication.site_fingerprint(self._site)
        if self._site.sitemap:
            with self._reading() as catalog:
                parts = catalog.sitemap_parts()
            digest = digest_of(fingerprint, *map(tuple, parts))
            yield ListedSitemap(paths.SITEMAP, digest)
            for part in parts if len(parts) > 1 else ():
                is_first = part == parts[0]
                yield ListedSitemap(
                    paths.path_of_sitemap_part(part.number), digest_of(fingerprint, tuple(part), is_first)
                )
        if self._site.news_sitemap:
            with self._reading() as catalog:
                records = self._news(catalog, self._clock())
            versions = [(record.path, record.hash, record.id) for record in records]
            yield ListedSitemap(paths.NEWS_SITEMAP, digest_of(fingerprint, versions))

    def render(self, path: str) -> RenderedSitemap | None:
        """Return the sitemap at a path for which `may_be_sitemap` is true; None if there is none."""
        with self._reading() as catalog:
            revision = catalog.revision()
        render = self._render_news if path == paths.NEWS_SITEMAP else partial(self._render, path)
        return self._executor.run(f"sitemap {revision} {path}", render, Priority.ARCHIVE)

    def _render(self, path: str) -> RenderedSitemap | None:
        number = paths.sitemap_part(path)
        with self._reading() as catalog:
            parts = catalog.part_range()
            if number is None and parts and parts.first < parts.last:
                return self._render_index(catalog)
            if number is not None and not (parts and parts.first < parts.last):
                return None
            part = catalog.sitemap_part(number or parts.first) if parts else None
            if number is not None and part is None:
                return None
            changed = catalog.committed_at(part.revision) if part else catalog.first_committed_at()
            body = self._render_part(catalog, part, is_first=not (parts and part) or part.number == parts.first)
        return RenderedSitemap(body, changed)

    def _render_index(self, catalog: CatalogReader) -> RenderedSitemap:
        parts = catalog.sitemap_parts()
        committed = {revision: catalog.committed_at(revision) for revision in {part.revision for part in parts}}
        urls = [
            SitemapUrl(self._site.url + paths.path_of_sitemap_part(part.number), committed[part.revision])
            for part in parts
        ]
        return RenderedSitemap(sitemap.render_index(urls), max(committed.values()))

    def _render_part(self, catalog: CatalogReader, part: SitemapPart | None, *, is_first: bool) -> bytes:
        """Return the sitemap of a part, or one without articles.

        The first part also lists the home page. So does a part without any other URL, since a sitemap must have one.
        """
        home = SitemapUrl(f"{self._site.url}/", None)
        urls = [home] if is_first else []
        for article in catalog.articles_of_part(part.number) if part else ():
            url = syndication.entry_url(article, self._site)
            if article.listed and self._is_on_site(url):
                urls.append(SitemapUrl(url, article.updated))
            self._executor.yield_to_more_urgent(Priority.ARCHIVE)
        return sitemap.render_sitemap(urls or [home])

    def _render_news(self) -> RenderedSitemap:
        with self._reading() as catalog:
            records = self._news(catalog, self._clock())
            changed = catalog.committed_at(catalog.revision())
        urls = [url for record in records if (url := self._news_url(record))]
        oldest = min((url.published for url in urls), default=None)
        valid_until = (oldest + NEWS_AGE).timestamp() if oldest else float("inf")
        return RenderedSitemap(sitemap.render_news(urls, self._site.title), changed, valid_until)

    def _news(self, catalog: CatalogReader, now: datetime) -> list[EntryRecord]:
        """Return the entries of the last two days, the newest first."""
        records = catalog.newest_entries(_SITE_FEED, sitemap.MAX_NEWS)
        return [record for record in records if record.published > now - NEWS_AGE]

    def _news_url(self, record: EntryRecord) -> NewsUrl | None:
        article = record.article
        url = syndication.entry_url(article, self._site)
        if not self._is_on_site(url):
            return None
        title = article.title or self._renderer.render_entry(record, for_page=False).display_title
        return NewsUrl(url, title, article.published, article.language or self._site.language)

    def _is_on_site(self, url: str) -> bool:
        return url.startswith(f"{self._site.url}/")
