"""The keys of config.yaml with their types and defaults, as pydantic models. docs/config.md describes them."""

import zoneinfo
from collections.abc import Collection
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, field_validator, model_validator

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
    Names,
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
from feeds.core.model import GROUPED_KINDS, Author, FeedKind, FeedSettings, FolderPermalink, LinkBlog, Site
from feeds.core.paths import DOCUMENTS, custom_feed_conflict, sitemap_owner
from feeds.core.selection import Criteria, Selection, criteria
from feeds.core.text import one_line, printable_excerpt, resolve_on_site, slugify

_MAX_FOOTER_CHARS = 10_000
_CATALOG_SUFFIXES = (  # of the files that belong to a SQLite catalog
    *("", "-wal", "-shm", "-journal", ".lock", ".leader", ".failures"),
    *(".stats", ".stats-wal", ".stats-shm", ".stats-journal"),
)


def _author(value: Any) -> Any:
    return {"name": value} if isinstance(value, str) else value


class KeyedError(ValueError):
    """A mistake in the value of a key that the validator of a section around it finds."""

    def __init__(self, reason: str, *keys: str) -> None:
        """`keys` lead from the section to the value."""
        super().__init__(reason)
        self.keys = keys


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


class GroupsSection(_Section):
    """Groups of articles. One name of each key must match."""

    category: Names | None = None
    tag: Names | None = None
    author: Names | None = None
    language: Names | None = None
    folder: Names | None = None

    @property
    def criteria(self) -> Criteria:
        """The paths of the groups, for each key."""
        return criteria(self.model_dump(exclude_none=True))


class SelectionSection(_Section):
    """Which articles a feed contains."""

    include: GroupsSection | None = None
    exclude: GroupsSection | None = None

    @model_validator(mode="after")
    def _require_possible_entries(self) -> Self:
        if self.selection.is_contradictory:
            raise ValueError("can never contain an article: exclude matches everything that include matches")
        return self

    @property
    def selection(self) -> Selection:
        """The selection."""
        return Selection(
            self.include.criteria if self.include else (),
            self.exclude.criteria if self.exclude else (),
        )


class CustomFeedSection(SelectionSection):
    """A feed of selected articles, or the settings of a feed that exists anyway."""

    title: Text | None = None
    description: Text | None = None
    language: Language | None = None
    image: Icon | None = None
    limit: int | None = Field(None, ge=1, le=10_000)
    text: Literal["full", "summary", "excerpt", "both"] | None = None
    footer: Footer | None = None
    link_query: LinkQuery | None = None
    link_blog: LinkBlog | None = None


class FeedsSection(_Section):
    """The feeds and their content."""

    url: BaseUrl | None = None
    by: tuple[Literal["category", "tag", "author", "language", "folder"], ...] = ("category", "tag", "author")
    site: SelectionSection = SelectionSection()
    custom: dict[Text, CustomFeedSection] = {}
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

    @field_validator("custom")
    @classmethod
    def _require_free_paths(
        cls, custom: dict[str, CustomFeedSection], others: ValidationInfo
    ) -> dict[str, CustomFeedSection]:
        for name, section in custom.items():
            if problem := _custom_feed_problem(name, section, others.data.get("by", ())):
                raise KeyedError(problem, name)
        return custom

    @field_validator("aliases")
    @classmethod
    def _require_no_custom_feed(cls, aliases: dict[str, str], others: ValidationInfo) -> dict[str, str]:
        for name in others.data.get("custom", ()):
            folder = f"/{name}/"
            for alias in {folder, folder[:-1], *(folder + document for document in DOCUMENTS)} & aliases.keys():
                raise ValueError(f"{printable_excerpt(alias)} can't be an alias: it belongs to feeds.custom.{name}")
        return aliases


def _custom_feed_problem(name: str, section: CustomFeedSection, kinds: Collection[str]) -> str | None:
    """Return why a key of `feeds.custom` can't have its section, as the end of a sentence; None if it can."""
    kind, _, group = name.partition("/")
    if not group:
        return custom_feed_conflict(name)
    path = f"{kind}/{slugify(group)}"
    if kind not in GROUPED_KINDS:
        return f"is no feed: a name has no /, and a path begins with {', '.join(GROUPED_KINDS)}"
    if kind not in kinds:
        return f"is no feed, because feeds.by does not contain {kind}"
    if path != name:
        return f"is not the path of a feed; did you mean {path}?"
    if section.include or section.exclude:
        return f"contains the articles of this {kind}: include and exclude are for feeds of your own and for feeds.site"
    return None


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
    # by custom feed, and by folder that a selection names: the position and the keys, as messages begin
    feed_positions: dict[str, str] = Field({}, exclude=True)
    folder_positions: dict[str, str] = Field({}, exclude=True)

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
        footers: dict[tuple[str, ...], str] = {("footer",): feeds.footer}
        footers |= {("custom", name, "footer"): section.footer or "" for name, section in feeds.custom.items()}
        for keys, footer in footers.items():
            if "{reply_by_email}" in footer and site and not (site.author and site.author.email):
                reason = (
                    "{reply_by_email} needs site.author.email, for articles whose authors have no address of their own"
                )
                raise KeyedError(reason, *keys)
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

    def _feed_settings(self, section: CustomFeedSection) -> FeedSettings:
        url = self.site.url
        return FeedSettings(
            title=section.title,
            description=section.description,
            language=section.language,
            image=section.image and resolve_on_site(section.image, url, url + "/"),
            limit=section.limit,
            text=section.text,
            footer=section.footer,
            link_query=section.link_query,
            link_blog=section.link_blog,
            selection=section.selection if section.include or section.exclude else None,
        )

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
            selection=feeds.site.selection,
            feeds={name: self._feed_settings(section) for name, section in feeds.custom.items()},
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
