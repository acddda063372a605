"""Renders the records of a feed to entries with HTML, and the entries to a document that obeys the size limit."""

import hashlib
import logging
import sys
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple

from feeds.catalog import CatalogReader, EntryRecord
from feeds.core import presentation, syndication
from feeds.core.errors import ArticleError
from feeds.core.feed_settings import limit_of
from feeds.core.formats import FORMATS, Format
from feeds.core.model import (
    Article,
    Content,
    Document,
    Entry,
    EntryOptions,
    EntryVersion,
    Feed,
    FeedState,
    FeedTranslation,
    Site,
    Tombstone,
)
from feeds.core.parse.content import MarkdownRenderer, plain_text_content
from feeds.core.parse.links import Links
from feeds.render.document_path import DocumentPath
from feeds.render.lru import LRUCache
from feeds.render.relocation import move_entry
from feeds.render.sandbox import TOO_LONG, CpuBudget, Sandbox
from feeds.render.shared_entries import SharedEntries

_LOG = logging.getLogger(__name__)
_SANDBOX_CPU_S = 5.0  # per article: five times the limit of the publisher, so that published articles pass
_CPU_S_PER_ARTICLE = 0.2  # for each article of a document
_SHARED_CPU_S = 5.0  # in addition, for all articles of a document together
_MAX_CPU_S_PER_CHAR = 2e-6  # an upper bound, for a render in this process, which can't be interrupted
_ENTRY_OVERHEAD_BYTES = 2_000  # memory that an entry takes besides its text
_MAX_DOCUMENT_BYTES = 16 << 20  # if the site sets no limit: aggregators stop at 15 MB
_MAX_FAILED = 10_000  # articles whose failures are cached


class DocumentContent(NamedTuple):
    """The content of a document, as stored in the catalog."""

    records: list[EntryRecord]
    changed: datetime  # when the records or tombstones last changed
    began: datetime  # when the site's first revision was committed
    tombstones: Sequence[Tombstone] = ()
    translations: Sequence[FeedTranslation] = ()


class Heading(NamedTuple):
    """The title of an article as a page shows it, and the article's language."""

    title: str
    language: str


class _FormattedEntry(NamedTuple):
    """An entry in the syntax of a format."""

    entry: Entry
    text: bytes
    own_chars: int  # characters of HTML that it doesn't share with the cache of entries


@dataclass(frozen=True, slots=True)
class RenderedDocument:
    """A document, and how much of its feed fits in it."""

    document: Document
    full_entries: int  # entries that were not shortened
    oldest: datetime | None  # when its last entry was published


def markdown_renderer(site: Site) -> Sandbox | MarkdownRenderer:
    """Return the renderer of a site's articles. Python-Markdown may take long, and runs in a process of its own."""
    return Sandbox(_SANDBOX_CPU_S) if site.markdown == "python-markdown" else MarkdownRenderer(site.markdown)


class DocumentRenderer:
    """Renders documents, and caches entries, which several feeds share. Thread-safe."""

    def __init__(self, site: Site, max_bytes: int, served_site: Site | None = None) -> None:
        """Prepare to render.

        Args:
            site: the site.
            max_bytes: the memory for entries; entries in the syntax of a format may take the same again.
            served_site: the site with the URLs to which feeds and pages link, if they differ (`relocate_site`).
        """
        self._site = site
        self._served_site = served_site or site
        # the settings with which entries are rendered: with full texts, unless all feeds have summaries
        has_texts = any(settings.text not in {None, "summary"} for settings in site.feeds.values())
        self._entry_site = replace(site, text="full") if site.text == "summary" and has_texts else site
        self._markdown = markdown_renderer(site)
        self._entries = LRUCache[Entry](
            max_bytes,
            lambda entry: (
                sum(map(sys.getsizeof, (entry.html, entry.excerpt))) + len(entry.summary) + _ENTRY_OVERHEAD_BYTES
            ),
        )
        self._failed = LRUCache[str](_MAX_FAILED, lambda _: 1)  # the reasons, until the article changes
        self._formatted = LRUCache[_FormattedEntry](
            max_bytes, lambda formatted: len(formatted.text) + formatted.own_chars
        )
        self._shared: SharedEntries | None = None

    def share(self, entries: SharedEntries) -> None:
        """Share rendered entries with the processes that are forked from this one, while the catalog doesn't change."""
        self._shared = entries

    def prepare(self) -> None:
        """Start the process of the sandbox, if there is one, and import the modules of the formats."""
        self._markdown.start()
        self.import_formats()

    def import_formats(self) -> None:
        """Import the modules of the formats."""
        for format_ in FORMATS:
            format_.import_module()

    def load_content(
        self,
        catalog: CatalogReader,
        state: FeedState,
        archive: int = 0,
        *,
        began: datetime | None = None,
        has_tombstones: bool = True,
        records: list[EntryRecord] | None = None,
    ) -> DocumentContent:
        """Return the content of a feed's live document, or of one of its archives.

        Args:
            catalog: the catalog.
            state: the feed.
            archive: the archive, or 0 for the live document.
            began: when the site's first revision was committed, if that is known already.
            has_tombstones: whether the feed may have tombstones; if it is false, they are not queried.
            records: all entries of the feed, the newest first, if they were read already; only for a live document.
        """
        began = began or catalog.first_committed_at()
        limit = limit_of(state.path, self._site)
        if archive == 0:
            records = catalog.newest_entries(state.path, limit) if records is None else records[:limit]
            tombstones = catalog.tombstones(state.path, limit) if has_tombstones else ()
            languages = catalog.feeds_of_kind("language") if state.kind == "language" else ()
            translations = syndication.feed_translations(state, languages, self._served_site)
            return DocumentContent(records, state.changed, began, tombstones, translations)
        skip = (archive - 1) * limit
        if not syndication.is_full_archive(state, archive, self._site):
            records = catalog.oldest_entries(state.path, state.entries, state.entries - skip, skip)
            return DocumentContent(records, max(state.changed, catalog.committed_at(state.renumbered_revision)), began)
        records = catalog.oldest_entries(state.path, state.entries, limit, skip)
        changed = catalog.committed_at(max([state.renumbered_revision, *(record.revision for record in records)]))
        return DocumentContent(records, changed, began)

    def render_entry(self, record: EntryRecord, *, for_page: bool) -> Entry:
        """Return the entry of one article, with its full text even if feeds have summaries only.

        If `for_page` is true, the entry has the URLs at which the site is served, and its text doesn't contain the
        article's image, which the page shows separately.
        """
        site = replace(
            self._entry_site,
            text="full" if self._entry_site.text == "summary" else self._entry_site.text,  # all others have full texts
            image_in_text=self._site.image_in_text and not for_page,
        )
        entry = self._entry(record) if site == self._entry_site else self._render_entry(record, site)[0]
        return self._relocated(entry) if for_page else entry

    def cached_heading(self, version: EntryVersion) -> Heading | None:
        """Return the title and the language of a version of an article if they are cached, otherwise None."""
        entry = self._entries.get((version.content_hash, version.id, version.path))
        return Heading(entry.display_title, entry.language) if entry else None

    def heading(self, record: EntryRecord) -> Heading | None:
        """Return the title and the language of an article; None if its text must be rendered first."""
        if heading := self.cached_heading(EntryVersion(record.id, record.path, record.hash)):
            return heading
        article = record.article
        return Heading(article.title, article.language or self._site.language) if article.title else None

    def render_heading(self, record: EntryRecord) -> Heading:
        """Return the title of an article (of a note without a title, the beginning of its text), and its language."""
        entry = self._entry(record)
        return Heading(entry.display_title, entry.language)

    def _relocated(self, entry: Entry) -> Entry:
        """Return an entry with the URLs at which the site is served."""
        return move_entry(entry, self._site.url, self._served_site.url)

    def render_feed(
        self,
        state: FeedState,
        content: DocumentContent,
        archive: int = 0,
        *,
        after_each: Callable[[], None] = lambda: None,
    ) -> Feed:
        """Return a feed, or one of its archives, with whole entries; `render_document` applies the feed's options.

        When full texts exceed the size limit, the text that exceeds it and all older texts are omitted.
        The same applies to excerpts.
        In a feed that shows excerpts only, full texts that are longer than their excerpts are omitted.

        Args:
            state: the feed.
            content: the feed's content, from `load_content`.
            archive: the archive, or 0 for the live document.
            after_each: called after each article that had to be rendered.
        """
        entries = list[Entry]()
        budget = CpuBudget(_CPU_S_PER_ARTICLE, _SHARED_CPU_S)
        text_chars_left = excerpt_chars_left = self._max_bytes(archive)
        has_full_texts = syndication.entry_options(state.path, self._site).text == "full"
        for record in content.records:
            entry = self._entries.get(_key(record))
            if entry is None:
                entry = self._entry(record, budget)
                after_each()
            if entry.html is not None:
                text_chars_left -= len(entry.html) if has_full_texts else 0
                excerpt_chars_left -= len(entry.excerpt)
                if text_chars_left < 0 or not (has_full_texts or entry.html == entry.excerpt):
                    entry = replace(entry, html=None)
                entry = replace(entry, excerpt="") if excerpt_chars_left < 0 else entry
            entries.append(self._relocated(entry))
        return syndication.build_feed(
            state,
            entries,
            self._served_site,
            archive,
            content.tombstones,
            began=content.began,
            translations=content.translations,
        )

    def render_document(
        self, document_path: DocumentPath, feed: Feed, state: FeedState, changed: datetime
    ) -> RenderedDocument:
        """Return a document of at most the allowed size, which is checked before its entries are joined."""
        site, max_bytes, format_ = self._served_site, self._max_bytes(document_path.archive), document_path.format
        options = syndication.entry_options(state.path, site, summary=document_path.summary)
        feed = replace(feed, entries=tuple(presentation.present(entry, options, site) for entry in feed.entries))
        if document_path.summary:
            feed = syndication.summary_feed(feed)
        entries = self._format_entries(format_, feed, options)
        sizes = list(map(len, entries))
        body = format_.render_document(feed, entries) if sum(sizes) <= max_bytes else b""
        while max(sum(sizes), len(body)) > max_bytes:
            smaller = syndication.shrink_to_fit(feed.entries, max(sum(sizes), len(body)) - max_bytes, sizes)
            if smaller == feed.entries or (document_path.archive and len(smaller) < len(feed.entries)):
                _LOG.warning("%s: larger than allowed, although it has only summaries", document_path.path)
                body = body or format_.render_document(feed, entries)
                break
            prev_archive_url = feed.prev_archive_url
            if prev_archive_url and len(smaller) < len(feed.entries):
                shorter = syndication.build_feed(state, smaller, site, began=feed.updated)
                shorter = syndication.summary_feed(shorter) if document_path.summary else shorter
                prev_archive_url = shorter.prev_archive_url
            feed = replace(feed, entries=smaller, prev_archive_url=prev_archive_url)
            entries = self._format_entries(format_, feed, options)
            sizes = list(map(len, entries))
            body = format_.render_document(feed, entries) if sum(sizes) <= max_bytes else b""
        digest = hashlib.sha256(body).hexdigest()[:32]
        is_immutable = bool(document_path.archive) and syndication.is_full_archive(state, document_path.archive, site)
        full_entries = sum(entry.html is not None or options.text == "summary" for entry in feed.entries)
        document = Document(document_path.path, format_.content_type, body, digest, changed, is_immutable)
        return RenderedDocument(document, full_entries, feed.entries[-1].published if feed.entries else None)

    def _max_bytes(self, archive: int) -> int:
        """Return the largest size of a document, in bytes."""
        return max(self._site.max_size, _MAX_DOCUMENT_BYTES) if archive else self._site.max_size or _MAX_DOCUMENT_BYTES

    def _format_entries(self, format_: Format, feed: Feed, options: EntryOptions) -> list[bytes]:
        return [self._format_entry(format_, entry, feed, options) for entry in feed.entries]

    def _format_entry(self, format_: Format, entry: Entry, feed: Feed, options: EntryOptions) -> bytes:
        """Return an entry in the syntax of a format. Feeds that show an entry in the same way share the result."""
        # the hash of a whole entry takes longer than the rest
        key = (format_.name, entry.id, entry.html is None, options, feed.language)
        cached = self._formatted.get(key)
        if cached is not None and cached.entry == entry:
            return cached.text
        # forked processes have the same hashes of strings
        shared_key = f"{format_.name} {feed.language} {entry.id} {hash((entry.html, entry.summary, options))}"
        formatted: bytes | None = self._shared.get(shared_key) if self._shared else None
        if formatted is None:
            formatted = format_.render_entry(entry, feed)
            if self._shared:
                self._shared.put(shared_key, formatted)
        own_chars = 0 if options == EntryOptions() else len(entry.html or "")
        self._formatted.put(key, _FormattedEntry(entry, formatted, own_chars))
        return formatted

    def _entry(self, record: EntryRecord, budget: CpuBudget | None = None) -> Entry:
        key = _key(record)
        entry = self._entries.get(key)
        if entry is None and self._shared:
            entry = self._shared.get(" ".join(key))
            if entry is not None:
                self._entries.put(key, entry)
        if entry is None:  # two threads rarely render the same entry, so a lock would cost more than it saves
            entry, is_cacheable = self._render_entry(record, self._entry_site, budget)
            if is_cacheable:
                self._entries.put(key, entry)
                if self._shared:
                    self._shared.put(" ".join(key), entry)
        return entry

    def _render_entry(self, record: EntryRecord, site: Site, budget: CpuBudget | None = None) -> tuple[Entry, bool]:
        """Return an article's entry, and whether it can be cached: not if there was too little memory or time."""
        article, id_ = record.article, record.id
        url, prefix = syndication.base_url(article, self._site), syndication.anchor_prefix(id_)
        files = syndication.files_of(article, self._site)
        links = record.links._replace(site_url=files.site_url, own_url=files.own_url)
        content, is_cacheable = None, True
        had_whole_budget = budget is None or budget.is_untouched
        if self._failed.get(_key(record)) is None:
            try:
                content = self._render_content(article, url, prefix, links, budget)
            except (ArticleError, ValueError, RecursionError, MemoryError) as error:  # only this article is affected
                reason = error.reason if isinstance(error, ArticleError) else f"{type(error).__name__}: {error}"
                _LOG.warning("%s: shown as plain text: %s", article.path, reason)
                # in another document, or later, there may be enough memory or time
                is_cacheable = not isinstance(error, MemoryError) and (
                    had_whole_budget or not reason.startswith(TOO_LONG)
                )
                if is_cacheable:
                    self._failed.put(_key(record), reason)
        content = content or plain_text_content(article.body, article.summary)
        return syndication.build_entry(article, id_, content, site, record.links.translations), is_cacheable

    def _render_content(
        self, article: Article, url: str, prefix: str, links: Links, budget: CpuBudget | None
    ) -> Content:
        """Render an article's text within the rest of a budget. Raise `ArticleError` if it can't be rendered."""
        arguments = (article.body, article.summary, url, prefix, article.title, links)
        language = article.language or self._site.language
        if isinstance(self._markdown, Sandbox):
            return self._markdown.render(*arguments, language, budget)
        if budget and len(article.body) * _MAX_CPU_S_PER_CHAR > budget.seconds:
            raise ArticleError(f"{TOO_LONG} together with the other articles of its feed; split the article")
        with budget.measure() if budget else nullcontext():
            return self._markdown.render(*arguments, language)


def _key(record: EntryRecord) -> tuple[str, str, str]:
    return record.hash, record.id, record.path
