"""The keys of config.yaml with their types and defaults, as pydantic models. docs/config.md describes them."""

import zoneinfo
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, field_validator

from feeds.config.appearance import Colour, Fonts, Length, Links, OptionalFolder, css_variables
from feeds.config.cron import parse_cron
from feeds.config.values import (
    READER_LINKS,
    Address,
    Aliases,
    Archives,
    Authority,
    BaseUrl,
    Command,
    Cron,
    Email,
    ExportPath,
    FilePath,
    Footer,
    Header,
    Host,
    Icon,
    IdPattern,
    Include,
    Language,
    LinkQuery,
    Permalink,
    Permalinks,
    Purge,
    ReaderLinks,
    Rules,
    Secret,
    State,
    Text,
    Texts,
    TimeZone,
    Url,
)
from feeds.core.article_files import DEFAULT_INCLUDE
from feeds.core.model import Author, FeedKind, FolderPermalink, LinkBlog, Site
from feeds.core.paths import sitemap_owner
from feeds.core.text import one_line, resolve_on_site

_MAX_FOOTER_CHARS = 10_000
_CATALOG_SUFFIXES = (  # of the files that belong to a SQLite catalog
    *("", "-wal", "-shm", "-journal", ".lock", ".leader", ".failures"),
    *(".stats", ".stats-wal", ".stats-shm", ".stats-journal"),
)


def _author(value: Any) -> Any:
    return {"name": value} if isinstance(value, str) else value


class KeyedError(ValueError):
    """A mistake in the value of a key that the validator of its section finds."""

    def __init__(self, key: str, reason: str) -> None:
        super().__init__(reason)
        self.key = key


class _Section(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", validate_default=True, hide_input_in_errors=True, defer_build=True
    )


class AuthorSection(_Section):
    """The author of articles that name none."""

    name: Text
    email: Email | None = None
    url: Url | None = None


class ColoursSection(_Section):
    """Colours of pages; those without a value are the built-in ones."""

    model_config = ConfigDict(validate_default=False)  # a written key without a value is a mistake

    text: Colour = None
    muted: Colour = None
    border: Colour = None
    background: Colour = None
    surface: Colour = None
    accent: Colour = None


class ThemeSection(ColoursSection):
    """Colours, fonts and the width of pages."""

    font_text: Fonts = None
    font_heading: Fonts = None
    font_code: Fonts = None
    width: Length = None
    dark: ColoursSection = ColoursSection()

    @property
    def stylesheet(self) -> str:
        """The stylesheet that sets the values as CSS variables; "" if there are none."""
        general = {
            key: value for key, value in self if isinstance(value, str) and key not in ColoursSection.model_fields
        }
        light = {key: value for key, value in self if isinstance(value, str) and key in ColoursSection.model_fields}
        rules = [f":root {{ {' '.join(css_variables(general))} }}"] if general else []
        for scheme, colours in (("light", light), ("dark", {key: value for key, value in self.dark if value})):
            if colours:
                declarations = " ".join(css_variables(colours))
                rules.append(f"@media (prefers-color-scheme: {scheme}) {{ :root {{ {declarations} }} }}")
        return "".join(f"{rule}\n" for rule in rules)


class SiteSection(_Section):
    """The site to which the entries link."""

    title: Text
    url: BaseUrl
    description: str = ""
    language: Language = "en"
    timezone: TimeZone = "UTC"
    author: Annotated[AuthorSection, BeforeValidator(_author)] | None = None
    icon: Icon | None = None
    copyright: Text | None = None
    authority: Authority | None = None
    pages: bool = False
    sitemap: bool = False
    news_sitemap: bool = False
    readers: ReaderLinks = dict(READER_LINKS)  # frozen
    logo: Icon | None = None
    nav: Links = {}
    footer: str = Field("", max_length=_MAX_FOOTER_CHARS)
    theme: ThemeSection = ThemeSection()
    templates: Annotated[FilePath | Literal[False] | None, OptionalFolder] = None  # None: "templates" with `pages`
    static: Annotated[FilePath | Literal[False] | None, OptionalFolder] = None  # None: "static" with `pages`


class ContentSection(_Section):
    """The content folder, and the articles in it."""

    path: FilePath = "content"
    include: Include = DEFAULT_INCLUDE
    exclude: Texts = ()
    permalink: Permalink = "/{category}/{slug}/"
    permalinks: Permalinks = {}
    id: IdPattern | None = None
    watch: Literal["auto", "events", "poll", "off"] = "auto"
    markdown: Literal["gfm", "obsidian", "python-markdown"] = "gfm"


class FeedsSection(_Section):
    """The feeds and their content."""

    url: BaseUrl | None = None
    by: tuple[Literal["category", "tag", "author"], ...] = ("category", "tag", "author")
    limit: int = Field(50, ge=1, le=10_000)
    text: Literal["full", "summary", "excerpt", "both"] = "full"
    footer: Footer = ""
    link_query: LinkQuery = ""
    link_blog: LinkBlog | None = None
    image_in_text: bool = False
    min_entries: int = Field(1, ge=1, le=1_000_000)
    archives: Archives = True
    max_size: int = Field(512, ge=0, le=1_000_000)
    guard: float = Field(0.2, ge=0, le=1)
    tombstones: int = Field(30, ge=0, le=10_000)
    aliases: Aliases = {}
    redirect_aliases: bool = False


class ServerSection(_Section):
    """The HTTP server."""

    host: Host = "127.0.0.1"
    port: int = Field(8000, ge=1, le=65535)
    workers: int = Field(1, ge=1, le=64)
    max_age: int = Field(300, ge=0, le=31_536_000)  # a year
    memory: int = Field(64, ge=8, le=65536)
    limit: int = Field(60, ge=0, le=1_000_000)
    client_header: Header | None = None
    deltas: bool = False
    access_log: FilePath | None = None
    metrics: Address | None = None


class ScheduleSection(_Section):
    """The runs that do not follow from a changed file."""

    cron: Cron | None = parse_cron("*/15 * * * *")
    before: Command | None = None
    webhook: Secret | None = None


class ExportSection(_Section):
    """The output of `feeds build`."""

    path: ExportPath = "public"
    pages: bool | None = None  # None: as site.pages
    precompressed: tuple[Literal["br", "zstd", "gzip"], ...] = ()
    hosts: tuple[Literal["netlify", "cloudflare", "apache", "nginx"], ...] = ()
    purge: Purge | None = None


class CheckSection(_Section):
    """The rules of `feeds check`."""

    ignore: Rules = ()


class StatsSection(_Section):
    """The poll statistics."""

    count: bool = True
    token: Secret | None = None
    keep: int = Field(400, ge=2, le=10_000)


class PushSection(_Section):
    """The notification of WebSub hubs, which this version does not support."""

    hub: bool = True
    hubs: tuple[Url, ...] = ()
    allow_private: bool = False


class Config(_Section):
    """The configuration of a site. Paths are as written, relative to `root`."""

    site: SiteSection
    content: ContentSection = ContentSection()
    feeds: FeedsSection = FeedsSection()
    server: ServerSection = ServerSection()
    schedule: ScheduleSection = ScheduleSection()
    export: ExportSection = ExportSection()
    state: State = "sqlite:///.feeds/catalog.db"
    check: CheckSection = CheckSection()
    stats: StatsSection = StatsSection()
    push: PushSection = PushSection()
    root: Path = Field(Path(), exclude=True)
    file: Path = Field(Path(), exclude=True)
    unsupported_keys: tuple[str, ...] = Field((), exclude=True)  # a message for each key without effect

    @field_validator("feeds")
    @classmethod
    def _require_site_url(cls, feeds: FeedsSection, others: ValidationInfo) -> FeedsSection:
        site = others.data.get("site")
        if site and site.pages and feeds.url not in {None, site.url}:
            raise ValueError("url must be the same as site.url if site.pages is true: this program serves both")
        return feeds

    @field_validator("feeds")
    @classmethod
    def _require_paths_of_sitemaps(cls, feeds: FeedsSection, others: ValidationInfo) -> FeedsSection:
        site = others.data.get("site")
        if not site or not (site.sitemap or site.news_sitemap):
            return feeds
        key = "site.sitemap" if site.sitemap else "site.news_sitemap"
        if feeds.url not in {None, site.url}:
            raise ValueError(
                f"url must be the same as site.url if {key} is true: "
                "search engines accept only addresses on the sitemap's own host"
            )
        enabled = Site("", site.url, site.url, "", sitemap=site.sitemap, news_sitemap=site.news_sitemap)
        for alias in feeds.aliases:
            if owner := sitemap_owner(alias, enabled):
                raise ValueError(f"aliases: {alias} is the address of a sitemap ({owner}): remove the alias")
        return feeds

    @field_validator("feeds")
    @classmethod
    def _require_email(cls, feeds: FeedsSection, others: ValidationInfo) -> FeedsSection:
        site = others.data.get("site")
        if "{reply_by_email}" in feeds.footer and site and not (site.author and site.author.email):
            reason = "{reply_by_email} needs site.author.email, for articles whose authors have no address of their own"
            raise KeyedError("footer", reason)
        return feeds

    @property
    def content_root(self) -> Path:
        """The folder of articles."""
        return self.root / self.content.path

    @property
    def templates_folder(self) -> Path | None:
        """The folder of the site's own templates, which need not exist; None if there is none."""
        return self._own_folder(self.site.templates, "templates")

    @property
    def static_folder(self) -> Path | None:
        """The folder of the site's static files, which need not exist; None if there is none."""
        return self._own_folder(self.site.static, "static")

    def _own_folder(self, folder: str | Literal[False] | None, default: str) -> Path | None:
        """Return a folder; the default one only with `pages`, because else it belongs to the site's generator."""
        if folder is None and self.site.pages:
            folder = default
        return self.root / folder if folder else None

    @property
    def secrets(self) -> tuple[Path, ...]:
        """The files that are never published: the configuration, the catalog and the access log."""
        catalog = self.catalog
        files = []
        if isinstance(catalog, Path):
            files = [catalog.with_name(catalog.name + suffix) for suffix in _CATALOG_SUFFIXES]
        if self.server.access_log:
            files.append(self.root / self.server.access_log)
        return (self.file, *files)

    @property
    def export_target(self) -> Path | str:
        """The folder to which `feeds build` writes, or the URL of an object store."""
        return self.root / self.export.path if isinstance(self.export.path, Path) else self.export.path

    @property
    def catalog(self) -> Path | str:
        """The path of the SQLite file, or the URL of the PostgreSQL database."""
        file = self.state.removeprefix("sqlite:///")
        return self.state if file == self.state else self.root / file

    @property
    def site_model(self) -> Site:
        """The site as `core` needs it."""
        site, feeds = self.site, self.feeds
        by: tuple[FeedKind, ...] = tuple(dict.fromkeys(feeds.by))
        permalinks = (FolderPermalink(folder, pattern) for folder, pattern in self.content.permalinks.items())
        return Site(
            title=site.title,
            url=site.url,
            feeds_url=feeds.url or site.url,
            authority=site.authority or urlsplit(site.url).hostname or "",
            description=one_line(site.description),
            language=site.language,
            timezone=zoneinfo.ZoneInfo(site.timezone),
            author=Author(site.author.name, site.author.email, site.author.url) if site.author else None,
            icon=site.icon and resolve_on_site(site.icon, site.url, site.url + "/"),
            copyright=site.copyright,
            permalink=self.content.permalink,
            permalinks=tuple(sorted(permalinks, key=lambda permalink: -len(permalink.folder))),
            ids=self.content.id,
            by=by,
            limit=feeds.limit,
            text=feeds.text,
            footer=feeds.footer,
            link_query=feeds.link_query,
            link_blog=feeds.link_blog,
            image_in_text=feeds.image_in_text,
            min_entries=feeds.min_entries,
            archives=feeds.archives is not False,
            max_size=feeds.max_size << 10,
            max_age=self.server.max_age,
            aliases=tuple(sorted(feeds.aliases)),
            tombstones=feeds.tombstones,
            pages=site.pages,
            sitemap=site.sitemap,
            news_sitemap=site.news_sitemap,
            markdown=self.content.markdown,
        )
