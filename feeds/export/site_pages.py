"""The exported files other than documents: pages for people, the list of all feeds, sitemaps, assets, files of hosts.

Every feed has a page, to which its documents link. The pages of articles are exported only with `site.pages`. The start
page is exported only with `site.pages`, with `export.pages: true`, or if the feeds have another URL than the site:
otherwise, `index.html` belongs to another program.
"""

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from functools import cached_property
from html import unescape
from pathlib import Path
from typing import Literal, NamedTuple
from urllib.parse import unquote

from feeds import config, pages
from feeds.catalog import Catalog
from feeds.content import Folder
from feeds.content.pictures import Pictures, is_picture
from feeds.content.public_files import PublicFiles
from feeds.content.static_files import StaticFiles
from feeds.core import paths, syndication
from feeds.core.article_files import has_own_folder
from feeds.core.model import FeedState
from feeds.core.text import digest_of
from feeds.export import host_files
from feeds.pages import PageBody
from feeds.pages.appearance import Appearance
from feeds.pages.own_templates import TemplateProblem
from feeds.render import BulkRenderer, FeedPage
from feeds.render.relocation import move_url

_HREF = re.compile(r' href="([^"]*)"')  # sanitised HTML has all values in double quotes
_MAX_CHECKED_PAGES = 50  # of a kind, that `feeds check` renders


class ExportFile(NamedTuple):
    """A file of the export: its path, a digest of its content, its kind and its source."""

    path: str
    digest: str
    kind: Literal["opml", "sitemap", "asset", "host", "feed", "archive", "article", "moved", "error", "file"]
    source: str = ""  # the path of the page, or of the file on disk
    target: str = ""  # the page to which a former address leads


class DeadLink(NamedTuple):
    """A link to something that the site does not publish: the text of its item in the menu, None in the footer."""

    title: str | None
    link: str  # a path on the site


class AliasFiles(NamedTuple):
    """The aliases that are exported as files, each with its document's path; and those whose paths are occupied."""

    exported: dict[str, str]
    occupied: list[str]


class _FilesOfArticles(NamedTuple):
    """Files of articles that are found together with the pages that show them, and follow these in the export."""

    own: list[ExportFile]  # in the articles' own folders
    linked: dict[str, ExportFile | None]  # pictures, by their paths below the content folder; None: does not exist


class SitePages:
    """Lists and renders all files of the export except documents."""

    def __init__(
        self,
        settings: config.Config,
        documents: BulkRenderer,
        is_foreign: Callable[[str, bytes], bool] = lambda _path, _body: False,
    ) -> None:
        """Prepare an export of a configuration.

        Args:
            settings: the configuration.
            documents: lists and renders the content of the pages.
            is_foreign: returns whether a file that is not from `feeds` is at a path, where a body is to be written.
        """
        self._settings = settings
        self._is_foreign = is_foreign
        self._site = settings.site_model
        self._documents = documents
        self._is_home = self._site.pages or self._site.feeds_url != self._site.url
        self._appearance = Appearance.load(settings, self._site)
        self._page_settings = (
            self._site,
            settings.site.readers,
            digest_of(pages.templates_digest(), self._appearance.digest),
        )  # what every page depends on
        self._content = PublicFiles(
            settings.content_root,
            may_link_to=Folder(settings.content_root, settings.content.include, settings.content.exclude).may_link_to,
            is_of_draft=documents.page_queries.is_of_draft,
            aliases=self._site.aliases,
            secrets=settings.secrets,
        )
        self._static_files = StaticFiles(settings.static_folder, settings.secrets)
        self._pictures = Pictures(self._content, self._static_files)
        self._pages = pages.PageRenderer(
            self._appearance,
            settings.site.readers,
            documents.page_queries,
            pictures=self._pictures,
            has_archives=self.has_archives,
        )
        self._claimed = paths.PathRegistry(self._site.aliases)
        self.unreadable: list[str] = []  # paths of files, and of folders with "/", whose content is unknown
        self.missing_pictures: list[str] = []  # linked by articles, as paths below the content folder

    @property
    def template_problems(self) -> list[TemplateProblem]:
        """The problems of the site's own templates that were found when they were read."""
        return self._appearance.templates.problems

    def compile_templates(self) -> None:
        """Compile the built-in templates, if pages are exported."""
        if self._settings.export.pages is not False:
            pages.compile_templates()

    @property
    def warning(self) -> str:
        """The reason why `list_files` has omitted static files; "" if it has omitted none."""
        problem = self._static_files.problem
        return problem and f"{self._settings.static_folder}: {problem}"

    def find_template_problems(self) -> list[TemplateProblem]:
        """Return the mistakes in the site's own templates: compile all of them, and render pages of each kind."""
        problems = dict.fromkeys(pages.check_templates(self._appearance))
        rendered = Counter[str]()
        renderer = pages.PageRenderer(
            Appearance.load(self._settings, self._site, lambda problem: problems.update({problem: None})),
            self._settings.site.readers,
            self._documents.page_queries,
        )
        renderer.error_page("/", 404)
        for file in self.list_files():
            rendered[file.kind] += 1
            if file.kind == "moved":
                renderer.moved_page(file.source, file.target)
            elif file.kind in {"feed", "archive", "article"} and rendered[file.kind] <= _MAX_CHECKED_PAGES:
                renderer.render(file.source)
        return list(problems)

    def find_dead_links(self) -> Iterator[DeadLink]:
        """Yield the links of the menu and the footer, within the site, that lead to nothing that is published."""
        links = [DeadLink(title, move_url(url, self._site.url, "")) for title, url, _ in self._appearance.site.nav]
        links += [DeadLink(None, unescape(link)) for link in _HREF.findall(self._appearance.footer(""))]
        for link in links:
            path = unquote(link.link.partition("#")[0].partition("?")[0])
            is_on_site = path.startswith("/") and not path.startswith("//")
            if is_on_site and not self._is_published(path):
                yield link

    def _is_published(self, path: str) -> bool:
        """Return whether a site with pages has a page, a document or a file at a path, or redirects it to a page."""
        queries = self._documents.page_queries
        is_fixed = path in {pages.OPML_PATH, paths.NOT_FOUND} or path.removesuffix("/") in paths.ENDPOINTS
        if is_fixed or paths.is_asset(path) or paths.sitemap_owner(path, self._site) or path in self._site.aliases:
            return True
        if self._static_files.find_by_path(path):
            return True
        page = path.removesuffix("index.html") if path.endswith("/index.html") else path
        if queries.has_page(page) or queries.redirect_target(page) or queries.has_document(path):
            return True
        of_article = queries.file_of_article(path, live=True)
        if of_article and self._content.find_in_own_folder(*of_article, path):
            return True
        name = path.removeprefix("/")
        return self._content.find(name) is not None and queries.is_linked(name, live=True)

    @cached_property
    def _redirects(self) -> dict[str, str]:
        """The former addresses of pages that hosts redirect, each with its target.

        Empty if the owner of the site has written `_redirects`: then each former address has a page that links to the
        current one.
        """
        if not (self._settings.export.hosts and self._site.pages):
            return {}
        redirects = host_files.select_redirects(self._documents.list_moved_pages())
        text = self._render_host_files(redirects).get(paths.REDIRECTS_FILE)
        return {} if text and self._is_foreign(paths.REDIRECTS_FILE, text.encode()) else redirects

    @cached_property
    def _host_files(self) -> dict[str, str]:
        return self._render_host_files(self._redirects)

    def _render_host_files(self, redirects: dict[str, str]) -> dict[str, str]:
        settings = self._settings
        return host_files.render_host_files(
            self._site,
            settings.export.hosts,
            settings.feeds.aliases,
            redirects,
            has_error_page=self._site.pages and settings.export.pages is not False,
        )

    def list_files(self) -> Iterator[ExportFile]:
        """Yield all files, the pages of articles last."""
        feeds = self._documents.page_queries.feeds().feeds
        self._claimed, self.unreadable, self.missing_pictures = paths.PathRegistry(self._site.aliases), [], []
        self._claimed.claim(self.encoded_paths(pages.OPML_PATH))
        digest = digest_of(self._site, [(feed.path, feed.name, self._site.feeds.get(feed.path)) for feed in feeds])
        yield ExportFile(pages.OPML_PATH, digest, "opml", pages.OPML_PATH)
        for path, digest in self._documents.page_queries.sitemaps.listed():
            self._claimed.claim(self.encoded_paths(path))
            yield ExportFile(path, digest, "sitemap", path)
        for path in paths.ASSETS:
            self._claimed.claim(self.encoded_paths(path))
            yield ExportFile(path, digest_of(pages.read_asset(path)), "asset")
        if theme := self._settings.site.theme.stylesheet:
            self._claimed.claim(self.encoded_paths(paths.THEME_STYLESHEET))
            yield ExportFile(paths.THEME_STYLESHEET, digest_of(theme), "asset")
        for path, text in self._host_files.items():
            self._claimed.claim([path])
            yield ExportFile(path, digest_of(text), "host")
        with_pages = self._settings.export.pages
        has_pages = False
        for state in feeds if with_pages is not False else ():
            if not state.path and not with_pages and not self._is_home:
                continue  # the start page belongs to another program
            has_pages = True
            yield from self._pages_of_feed(state, feeds)
        static = [
            self._file_on_disk(f"/static/{name}", self._static_files.find(name))
            for name in self._static_files.list_names()
        ]
        of_articles = _FilesOfArticles([], {})
        if self._site.pages and has_pages:
            yield from self._pages_of_articles(of_articles)
        for file in static:
            yield from self._claim(file)
        if self._site.pages and has_pages:
            yield from self._files_of_articles(of_articles)
            yield from self._moved_pages(self._page_settings[-1])

    def _pages_of_feed(self, state: FeedState, feeds: list[FeedState]) -> Iterator[ExportFile]:
        """Yield the page of a feed, and the pages of its archives if these are exported; with the site's, 404.html."""
        if not state.path and self._site.pages:
            yield from self._not_found_page(state)
        listed = [(feed.path, feed.name, feed.entries) for feed in feeds] if not state.path else []
        page = f"/{state.path}/" if state.path else "/"
        self._claimed.claim(self.encoded_paths(f"{page}index.html"))
        site, readers, templates_digest = self._page_settings
        digest = digest_of(state.digest, site, readers, listed, templates_digest)
        yield ExportFile(f"{page}index.html", digest, "feed", page)
        last = syndication.archive_count(state, self._site) if self._site.pages and self.has_archives(state) else 0
        for archive in range(1, last + 1):
            archive_page = f"{page}archive/{archive}/"
            revision = syndication.document_revision(state, archive, self._site)
            self._claimed.claim(self.encoded_paths(f"{archive_page}index.html"))
            # a plain tuple, because manifests of earlier versions contain a digest of its `repr`
            digest = digest_of(revision and tuple(revision), *self._page_settings)
            yield ExportFile(f"{archive_page}index.html", digest, "archive", archive_page)

    def _not_found_page(self, state: FeedState) -> Iterator[ExportFile]:
        """Yield the page that hosts send for a path without a file; none if the owner has written such a page."""
        if not self._is_foreign(paths.NOT_FOUND, b"") or not self._is_foreign(  # render the page only if necessary
            paths.NOT_FOUND, self._pages.error_page(None, 404).body
        ):
            self._claimed.claim(self.encoded_paths(paths.NOT_FOUND))
            # the live documents of the site's feed may contain fewer articles than the page lists
            older = (
                self._documents.page_queries.newest_pages(pages.MAX_NEWEST)
                if self._site.limit < pages.MAX_NEWEST
                else []
            )
            yield ExportFile(paths.NOT_FOUND, digest_of(state.digest, *self._page_settings, *older), "error")

    def _pages_of_articles(self, found: "_FilesOfArticles") -> Iterator[ExportFile]:
        """Yield the pages of articles. Add the files in the articles' own folders, and linked pictures, to `found`."""
        templates_digest = self._page_settings[-1]
        for page, source, digest, linked_files in self._documents.list_article_pages():
            path = paths.file_of_page(page)
            # the path may have become reserved after the article was published
            if paths.owner(page, self._site) is not None or not self._claimed.claim(self.encoded_paths(path)):
                continue
            for name in linked_files:
                if is_picture(name) and name not in found.linked:
                    found.linked[name] = self._file_on_disk(f"/{name}", self._content.find(name))
            own = list(self._files_of_article(page, source)) if has_own_folder(source) else []
            found.own.extend(own)
            sizes = self._pictures.known_sizes([*(f"/{name}" for name in linked_files), *(file.path for file in own)])
            yield ExportFile(path, digest_of(digest, templates_digest, *sizes), "article", page)

    def _files_of_articles(self, found: "_FilesOfArticles") -> Iterator[ExportFile]:
        """Yield the files of articles, except at the paths of pages."""
        for file in found.own:
            yield from self._claim(file)
        for name in self._documents.list_linked_files():
            is_found = name in found.linked
            linked = found.linked[name] if is_found else self._file_on_disk(f"/{name}", self._content.find(name))
            yield from self._claim(linked)
            if self._content.is_unreadable(name):
                self.unreadable.append(f"/{name}")
            elif linked is None and is_picture(name) and not self._static_files.find_by_path(f"/{name}"):
                self.missing_pictures.append(name)

    def _moved_pages(self, templates_digest: str) -> Iterator[ExportFile]:
        """Yield the pages at former addresses, except for those that hosts redirect or that another file has."""
        for page, target in self._documents.list_moved_pages():
            path = paths.file_of_page(page)
            if page in self._redirects or paths.is_spelling_of(page, target):
                continue
            files = [*self.encoded_paths(path), *([page] if "." in page.rpartition("/")[2] else [])]
            if self._claimed.claim(files):
                digest = digest_of(self._site.url, self._site.title, target, templates_digest)
                yield ExportFile(path, digest, "moved", page, target)

    def _files_of_article(self, page: str, source: str) -> Iterator[ExportFile]:
        """Yield the files of an article in its own folder."""
        folder = paths.folder_of_page(page)
        names, unreadable = self._content.list_own_folder(source)
        self.unreadable += [folder if inside == "." else f"{folder}{inside}/" for inside in unreadable]
        for name in names:
            path = folder + name
            if file := self._file_on_disk(path, self._content.find_in_own_folder(source, name, path)):
                yield file

    def _file_on_disk(self, path: str, file: Path | None) -> ExportFile | None:
        """Return a file of the content folder or a static file; None if it does not exist."""
        if file is None:
            return None
        try:
            stat = file.stat()
        except OSError:  # it was removed meanwhile
            return None
        if is_picture(path):
            self._pictures.remember(path, file)
        return ExportFile(path, digest_of(stat.st_mtime_ns, stat.st_size), "file", str(file))

    def _claim(self, file: ExportFile | None) -> Iterator[ExportFile]:
        """Yield a file if it exists and its path in the export is free."""
        if file and self._claimed.claim([file.path]):
            yield file

    def alias_files(self, documents: Collection[str]) -> AliasFiles:
        """Return which aliases are exported. Call it after `list_files` has yielded all files.

        `documents` are the paths of all documents.
        """
        aliases = {
            alias: path
            for alias, path in self._settings.feeds.aliases.items()
            if path in documents and alias not in documents and not alias.endswith("/")  # the path of a folder
        }
        for path in documents if aliases else ():
            self._claimed.claim(self.encoded_paths(path))
        exported = {alias: path for alias, path in aliases.items() if self._claimed.claim(self.encoded_paths(alias))}
        return AliasFiles(exported, [alias for alias in aliases if alias not in exported])

    def has_archives(self, state: FeedState) -> bool:
        """Return whether the archives of a feed are exported."""
        return self._settings.feeds.archives == "all" or not state.path

    def encoded_paths(self, path: str) -> list[str]:
        """Return the paths at which a document or a page is exported: its own, and those of compressed copies."""
        return [path, *(path + paths.COMPRESSED[coding] for coding in self._settings.export.precompressed)]

    def render_feed_page(self, content: FeedPage) -> PageBody:
        """Return the page of a feed, or of one of its archives."""
        return self._pages.feed_page(content)

    def render(self, file: ExportFile) -> PageBody | None:
        """Return the content of a file that isn't on disk; None if its article or feed was removed meanwhile."""
        match file.kind:
            case "asset" if file.path == paths.THEME_STYLESHEET:
                return PageBody(self._settings.site.theme.stylesheet.encode(), "")
            case "asset":
                return PageBody(pages.read_asset(file.path), "")
            case "host":
                return PageBody(self._host_files[file.path].encode(), "")
            case "error":
                return self._pages.error_page(None, 404)
            case "moved":
                return self._pages.moved_page(file.source, file.target)
        page = self._pages.render(file.source)
        return PageBody(page.body, page.problem) if page else None


def unexported_aliases(settings: config.Config, catalog: Catalog) -> list[str]:
    """Return the aliases that are not exported, because a page, a file or a folder is at their paths."""
    if not settings.feeds.aliases:
        return []
    documents = BulkRenderer(catalog, settings.site_model)
    files = SitePages(settings, documents)
    for _ in files.list_files():
        pass
    listed = documents.list_documents(has_archives=files.has_archives)
    return files.alias_files({document_path.path for document_path, _ in listed}).occupied


def find_dead_links(settings: config.Config, catalog: Catalog) -> list[DeadLink]:
    """Return the links of the menu and the footer that lead to nothing; none if another program serves the pages."""
    if not settings.site.pages or not (settings.site.nav or settings.site.footer):
        return []
    return list(SitePages(settings, BulkRenderer(catalog, settings.site_model)).find_dead_links())


def find_template_problems(settings: config.Config, catalog: Catalog) -> list[TemplateProblem]:
    """Return the mistakes in the site's own templates: compile all of them, and render pages of each kind."""
    documents = BulkRenderer(catalog, settings.site_model)
    files = SitePages(settings, documents)
    return files.find_template_problems()
