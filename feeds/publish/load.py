"""Loads one file: the article in it, packed for the catalog, or why the file is rejected."""

import hashlib
import re
from functools import cache

from feeds.catalog import FileStamp, LoadedArticle
from feeds.content import FileChanging, Folder, public_files
from feeds.content.related_files import RelatedFiles
from feeds.core import memberships, syndication
from feeds.core.errors import ArticleError, ArticleUnreadable
from feeds.core.model import Article, Site
from feeds.core.parse import article as articles
from feeds.core.parse import links
from feeds.core.parse.content import Dialect, MarkdownRenderer
from feeds.core.parse.media import may_reference_files
from feeds.core.parse.render_cost import is_cheap_to_render
from feeds.core.text import one_line
from feeds.publish.load_results import BeingWritten, ChangedFile, NeedsTrialRender, ParseResult, Unchanged
from feeds.render.sandbox import Sandbox

_MAX_KEY_BYTES = 2_000  # of an id, a slug or a path: an index entry of PostgreSQL has 2,704 bytes at most
_ADDRESS_KEY = re.compile(rb"""^["']?(?:link|url|permalink|slug)["']?[ \t]*[:=]""", re.IGNORECASE | re.MULTILINE)
_MAX_FRONT_MATTER_BYTES = 65_536
_RENDER_TIMEOUT_S = 5.0  # of CPU, as when documents are rendered
_NO_STAMP = FileStamp(0, 0, 0)  # differs from that of any file, so the next run loads the file again


class ArticleLoader:
    """Loads one file after another."""

    def __init__(self, folder: Folder, site: Site) -> None:
        self._folder = folder
        self._site = site
        self._related_files = RelatedFiles(folder.root, site)

    def forget(self) -> None:
        """Clear the cache of files that complete articles."""
        self._related_files.clear()

    def load(self, changed: ChangedFile) -> ParseResult:
        """Return the article in a file, why it is rejected, or that there is nothing new to publish."""
        file, known, site = changed.file, changed.known, self._site
        stamp = FileStamp(file.mtime_ns, file.size, file.inode)
        try:
            data = self._folder.read(file, articles.MAX_FILE_BYTES)
            authors_digest = self._related_files.authors_digest(file.path)
            hash_ = hashlib.sha256(data + authors_digest).hexdigest()
            if known and known.hash == hash_ and not (known.is_rejected or known.deleted or changed.ignore_hash):
                return Unchanged(known.key, file.path, stamp)
            parsed = articles.parse_article(
                data, file.path, site.timezone, self._related_files.authors_for(file.path), site.markdown
            )
            article = self._related_files.complete(parsed)
            if (article.enclosures, article.body) != (parsed.enclosures, parsed.body):  # other files change the article
                added = repr((article.enclosures, article.body if article.body != parsed.body else ""))
                hash_ = hashlib.sha256(data + authors_digest + added.encode()).hexdigest()
            page = syndication.page_path(article, site)
            if page is None and not article.draft and (conflict := syndication.page_conflict(article, site)):
                raise _address_error(*conflict, data)
            _require_short(("id", article.id), ("slug", article.slug), ("the path of its page", page))
        except FileChanging:
            return BeingWritten(file.path)
        except ArticleError as error:
            stamp = _NO_STAMP if isinstance(error, ArticleUnreadable) else stamp
            return LoadedArticle(file.path, stamp, rejection=one_line(error.reason), rejection_line=error.line)
        groups = memberships.groups_of(article, site) if article.listed else None
        feeds = {} if groups is None else memberships.choose_feeds(groups, site)
        loaded = LoadedArticle.of(
            article,
            stamp,
            hash_,
            syndication.generate_id(article, site),
            feeds,
            None if groups is None else memberships.other_groups(article, groups, feeds),
            page,
            self._link_targets(article),
        )
        if site.markdown != "python-markdown" or is_cheap_to_render(article.body):
            return loaded
        return NeedsTrialRender(loaded, article.body)

    def _link_targets(self, article: Article) -> tuple[str, ...]:
        """Return the targets of links to other articles' files, of translations, and of files that its page shows."""
        site = self._site
        targets = links.find_targets(article.body, article.path, wikilinks=site.markdown == "obsidian")
        files = map(links.file_target, public_files.referenced_files(article, site, _html(article, site)))
        translated = self._related_files.translated_name(article.path)
        translations = (links.translation_target(translated),) if translated else ()
        return (*targets, *translations, *files)


@cache
def _renderer(dialect: Dialect) -> Sandbox | MarkdownRenderer:
    """Return the renderer of a dialect. Each process has its own, because a renderer can't be pickled."""
    return Sandbox(_RENDER_TIMEOUT_S) if dialect == "python-markdown" else MarkdownRenderer(dialect)


def _html(article: Article, site: Site) -> str:
    """Return the HTML of an article's text if it may refer to files that its page shows, else ""."""
    if not site.pages or not may_reference_files(article.body):
        return ""
    try:
        return _renderer(site.markdown).convert(article.body)
    except (ArticleError, ValueError, RecursionError, MemoryError):  # its page shows it as plain text
        return ""


def _address_error(path: str, owner: str, data: bytes) -> ArticleError:
    reason = f"its address {path} is {owner}; give the article another link or slug"
    return ArticleError(reason, _line_of_address(data))


def _line_of_address(data: bytes) -> int:
    """Return the line of the key that sets an article's address; 1 if there is no such key."""
    match = _ADDRESS_KEY.search(data, 0, _MAX_FRONT_MATTER_BYTES)
    return data.count(b"\n", 0, match.start()) + 1 if match else 1


def _require_short(*keys: tuple[str, str | None]) -> None:
    for name, key in keys:
        if key and len(key.encode()) > _MAX_KEY_BYTES:
            raise ArticleError(f"{name} {key[:60]!r}… is longer than {_MAX_KEY_BYTES} bytes; shorten it")
