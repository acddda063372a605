"""The keys of config.yaml, what each may hold and what it is if absent: contract section 2, as pydantic models."""

import zoneinfo
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, field_validator

from feeds.article_files import DEFAULT_INCLUDE
from feeds.config.values import (
    READERS,
    Address,
    Aliases,
    Archives,
    Authority,
    BaseUrl,
    Command,
    Cron,
    Email,
    Header,
    Icon,
    IdPattern,
    Include,
    Language,
    Permalink,
    Permalinks,
    Purge,
    Readers,
    Rules,
    Secret,
    State,
    Text,
    Texts,
    TimeZone,
    Tree,
    Url,
)
from feeds.model import Author, Kind, Site
from feeds.text import on_site, one_line

_OF_CATALOG = (  # endings of the catalog's files
    *("", "-wal", "-shm", "-journal", ".lock", ".leader", ".failures"),
    *(".stats", ".stats-wal", ".stats-shm", ".stats-journal"),
)


def _author(value: Any) -> Any:
    return {"name": value} if isinstance(value, str) else value


class _Section(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", validate_default=True, hide_input_in_errors=True, defer_build=True
    )


class AuthorSection(_Section):
    """Who writes where an article doesn't say."""

    name: Text
    email: Email | None = None
    url: Url | None = None


class SiteSection(_Section):
    """The site that the entries link to."""

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
    readers: Readers = dict(READERS)  # frozen


class ContentSection(_Section):
    """Where the articles are."""

    path: Text = "content"
    include: Include = DEFAULT_INCLUDE
    exclude: Texts = ()
    permalink: Permalink = "/{category}/{slug}/"
    permalinks: Permalinks = {}
    id: IdPattern | None = None
    watch: Literal["auto", "events", "poll", "off"] = "auto"
    markdown: Literal["gfm", "obsidian", "python-markdown"] = "gfm"


class FeedsSection(_Section):
    """Which feeds there are, and what is in them."""

    url: BaseUrl | None = None
    by: tuple[Literal["category", "tag", "author"], ...] = ("category", "tag", "author")
    limit: int = Field(50, ge=1, le=10_000)
    text: Literal["full", "summary"] = "full"
    image_in_text: bool = False
    min_entries: int = Field(1, ge=1)
    archives: Archives = True
    max_size: int = Field(512, ge=0, le=1_000_000)
    guard: float = Field(0.2, ge=0, le=1)
    tombstones: int = Field(30, ge=0, le=10_000)
    aliases: Aliases = {}
    redirect_aliases: bool = False


class ServerSection(_Section):
    """Where and how the feeds are served."""

    host: Text = "127.0.0.1"
    port: int = Field(8000, ge=1, le=65535)
    workers: int = Field(1, ge=1, le=64)
    max_age: int = Field(300, ge=0)
    memory: int = Field(64, ge=8, le=65536)
    limit: int = Field(60, ge=0)
    client_header: Header | None = None
    deltas: bool = False
    access_log: Text | None = None
    metrics: Address | None = None


class ScheduleSection(_Section):
    """When the feeds are regenerated besides when a file changes."""

    cron: Cron | None = "*/15 * * * *"
    before: Command | None = None
    webhook: Secret | None = None


class ExportSection(_Section):
    """Where `feeds build` writes."""

    path: Tree = "public"
    pages: bool | None = None  # None: as site.pages
    precompressed: tuple[Literal["br", "zstd", "gzip"], ...] = ()
    hosts: tuple[Literal["netlify", "cloudflare", "apache", "nginx"], ...] = ()
    purge: Purge | None = None


class CheckSection(_Section):
    """What `feeds check` looks for."""

    ignore: Rules = ()


class StatsSection(_Section):
    """Who reads."""

    count: bool = True
    token: Secret | None = None
    keep: int = Field(400, ge=2, le=10_000)


class PushSection(_Section):
    """Who is told of changes."""

    hub: bool = True
    hubs: tuple[Url, ...] = ()
    allow_private: bool = False


class Config(_Section):
    """All that the owner decides. Paths are still as written; `root` is what they are relative to."""

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
    without_effect: tuple[str, ...] = Field((), exclude=True)  # a line for each key that is set for a later version

    @field_validator("feeds")
    @classmethod
    def _pages_are_the_sites(cls, feeds: FeedsSection, others: ValidationInfo) -> FeedsSection:
        site = others.data.get("site")
        if site and site.pages and feeds.url not in {None, site.url}:
            raise ValueError("url must be that of the site where site.pages is true: both are served from here")
        return feeds

    @property
    def content_root(self) -> Path:
        """The folder of articles."""
        return self.root / self.content.path

    @property
    def secrets(self) -> tuple[Path, ...]:
        """Files that are never published, wherever they are: the configuration, the catalog, the access log."""
        catalog = self.catalog
        files = [catalog.with_name(catalog.name + end) for end in _OF_CATALOG] if isinstance(catalog, Path) else []
        if self.server.access_log:
            files.append(self.root / self.server.access_log)
        return (self.file, *files)

    @property
    def export_place(self) -> str:
        """The folder that `build` writes, or the URL of an object store."""
        return self.export.path if "://" in self.export.path else str(self.root / self.export.path)

    @property
    def catalog(self) -> Path | str:
        """Where the catalog is: a SQLite file, or the URL of a PostgreSQL database."""
        file = self.state.removeprefix("sqlite:///")
        return self.state if file == self.state else self.root / file

    @property
    def for_core(self) -> Site:
        """What the core must know."""
        site, feeds = self.site, self.feeds
        by: tuple[Kind, ...] = tuple(dict.fromkeys(feeds.by))
        return Site(
            title=site.title,
            url=site.url,
            feeds_url=feeds.url or site.url,
            authority=site.authority or urlsplit(site.url).hostname or "",
            description=one_line(site.description),
            language=site.language,
            timezone=zoneinfo.ZoneInfo(site.timezone),
            author=Author(site.author.name, site.author.email, site.author.url) if site.author else None,
            icon=site.icon and on_site(site.icon, site.url, site.url + "/"),
            copyright=site.copyright,
            permalink=self.content.permalink,
            permalinks=tuple(sorted(self.content.permalinks.items(), key=lambda one: -len(one[0]))),
            ids=self.content.id,
            by=by,
            limit=feeds.limit,
            text=feeds.text,
            image_in_text=feeds.image_in_text,
            min_entries=feeds.min_entries,
            archives=feeds.archives is not False,
            max_size=feeds.max_size << 10,
            max_age=self.server.max_age,
            aliases=tuple(sorted(feeds.aliases)),
            tombstones=feeds.tombstones,
            pages=site.pages,
            markdown=self.content.markdown,
        )
