"""The keys of config.yaml, what each may hold and what it is if absent: contract section 2, as pydantic models."""

import difflib
import re
import zoneinfo
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import unquote, urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from feeds.model import Author, Kind, Site
from feeds.text import absolute, one_line, scheme

_PERMALINK_PARTS = {"category", "slug", "path", "year", "month", "day"}
_SITE_DOCUMENTS = ("/rss.xml", "/atom.xml", "/feed.json")  # as formats has them, which takes long to import
_RESERVED = ("/", "/healthz", "/feeds.opml", "/hub")
_CRON_FIELD = re.compile(r"[\d*/,A-Za-z-]+")


def did_you_mean(word: str, words: Iterable[str]) -> str:
    close = difflib.get_close_matches(word, list(words), n=1)
    return f"; did you mean {close[0]}?" if close else ""


def _text(value: str) -> str:
    value = one_line(value)
    if not value:
        raise ValueError("must not be empty")
    return value


def _http_url(value: str) -> str:
    url = absolute(value.strip(), "")
    if url is None or scheme(url) not in ("http", "https") or urlsplit(url).query or urlsplit(url).fragment:
        raise ValueError("must be a URL like https://news.example, without ? or #")
    return url


def _icon(value: str) -> str:
    if scheme(value) not in ("", "http", "https") or not one_line(value):
        raise ValueError("must be a path on the site, or an http(s) URL")
    return one_line(value)


def _base_url(value: str) -> str:
    return _http_url(value).rstrip("/")


def _timezone(value: str) -> str:
    try:
        zoneinfo.ZoneInfo(value)
    except (ValueError, OSError, zoneinfo.ZoneInfoNotFoundError):
        raise ValueError("is no IANA time zone" + did_you_mean(value, zoneinfo.available_timezones())) from None
    return value


def _language(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*", value):
        raise ValueError("is no language tag; write it like en or pt-BR")
    return value


def _email(value: str) -> str:
    if not re.fullmatch(r"[^@\s<>()]+@[^@\s<>()]+", value):
        raise ValueError("is no e-mail address")
    return value


def _authority(value: str) -> str:
    if not re.fullmatch(r"([\w.+-]+@)?[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?", value):
        raise ValueError("must be a domain name or an e-mail address (RFC 4151)")
    return value


def _permalink(value: str) -> str:
    for part in re.findall(r"\{([^}]*)\}", value):
        if part not in _PERMALINK_PARTS:
            raise ValueError(f"{{{part}}} is no part of an article" + did_you_mean(part, _PERMALINK_PARTS))
    if not value.startswith("/") or not re.search(r"\{(slug|path)\}", value):
        raise ValueError("must begin with / and hold {slug} or {path}")
    return value


def _cron(value: str) -> str:
    fields = value.split()
    if len(fields) != 5 or not all(_CRON_FIELD.fullmatch(field) for field in fields):  # noqa: PLR2004
        raise ValueError('must have five fields like "*/15 * * * *"')
    return value


def _state(value: str) -> str:
    if not re.match(r"sqlite:///.", value):
        raise ValueError("must be sqlite:///PATH; other databases are not supported in this version")
    return value


def _folder(value: str) -> str:
    if "://" in value:
        raise ValueError("must be a folder; object stores are not supported in this version")
    return value


def _aliases(value: dict[str, str]) -> dict[str, str]:
    aliases = {unquote(alias): unquote(path) for alias, path in value.items()}
    for alias, path in aliases.items():
        if "?" in alias or "#" in alias:
            raise ValueError(f"{alias} is no path: a feed is found by its path alone, whatever the query")
        if alias in _RESERVED or alias.startswith("/static/"):
            raise ValueError(f"{alias} is a page of ours, and no alias")
        if alias in _SITE_DOCUMENTS:
            raise ValueError(f"{alias} is the site's own feed, and no alias")
        if path in aliases:
            raise ValueError(f"{alias} leads to {path}, which is an alias itself")
        if not any(path.endswith(document) for document in _SITE_DOCUMENTS):
            raise ValueError(f"{alias} leads to {path}, and must lead to an rss.xml, atom.xml or feed.json")
    return aliases


def _header(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9-]+", value):
        raise ValueError("must be the name of a header, like X-Real-IP")
    return value


def _address(value: str) -> str:
    host, _, port = value.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:  # noqa: PLR2004
        raise ValueError("must be an address and a port, like 127.0.0.1:9464")
    return value


def _archives(value: Any) -> Any:
    if value not in (True, False, "all"):
        raise ValueError("must be true, false or all")
    return value


def _author(value: Any) -> Any:
    return {"name": value} if isinstance(value, str) else value


def _one_or_many(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Text = Annotated[str, AfterValidator(_text)]
Url = Annotated[str, AfterValidator(_http_url)]
BaseUrl = Annotated[str, AfterValidator(_base_url)]
Patterns = Annotated[tuple[Text, ...], BeforeValidator(_one_or_many)]
UrlPath = Annotated[str, Field(pattern="^/")]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, hide_input_in_errors=True)


class AuthorSection(_Section):
    """Who writes where an article doesn't say."""

    name: Text
    email: Annotated[str, AfterValidator(_email)] | None = None
    url: Url | None = None


class SiteSection(_Section):
    """The site that the entries link to."""

    title: Text
    url: BaseUrl
    description: str = ""
    language: Annotated[str, AfterValidator(_language)] = "en"
    timezone: Annotated[str, AfterValidator(_timezone)] = "UTC"
    author: Annotated[AuthorSection, BeforeValidator(_author)] | None = None
    icon: Annotated[str, AfterValidator(_icon)] | None = None
    copyright: Text | None = None
    authority: Annotated[str, AfterValidator(_authority)] | None = None


class ContentSection(_Section):
    """Where the articles are."""

    path: Text = "content"
    include: Patterns = ("**/*.md", "**/*.markdown")
    exclude: Patterns = ()
    permalink: Annotated[str, AfterValidator(_permalink)] = "/{category}/{slug}/"
    watch: Literal["auto", "events", "poll", "off"] = "auto"


class FeedsSection(_Section):
    """Which feeds there are, and what is in them."""

    url: BaseUrl | None = None
    by: tuple[Literal["category", "tag", "author"], ...] = ("category", "tag", "author")
    limit: int = Field(50, ge=1, le=10_000)
    text: Literal["full", "summary"] = "full"
    min_entries: int = Field(1, ge=1)
    archives: Annotated[bool | Literal["all"], BeforeValidator(_archives)] = True
    max_size: int = Field(512, ge=0, le=1_000_000)
    guard: float = Field(0.2, ge=0, le=1)
    aliases: Annotated[dict[UrlPath, UrlPath], AfterValidator(_aliases)] = {}
    redirect_aliases: bool = False


class ServerSection(_Section):
    """Where and how the feeds are served."""

    host: Text = "127.0.0.1"
    port: int = Field(8000, ge=1, le=65535)
    workers: int = Field(1, ge=1, le=64)
    max_age: int = Field(300, ge=0)
    memory: int = Field(64, ge=8, le=65536)
    limit: int = Field(60, ge=0)
    client_header: Annotated[str, AfterValidator(_header)] | None = None
    deltas: bool = False
    access_log: Text | None = None
    metrics: Annotated[str, AfterValidator(_address)] | None = None


class ScheduleSection(_Section):
    """When the feeds are regenerated besides when a file changes."""

    cron: Annotated[str, AfterValidator(_cron)] | None = "*/15 * * * *"


class ExportSection(_Section):
    """Where `feeds build` writes."""

    path: Annotated[str, AfterValidator(_folder)] = "public"


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
    state: Annotated[str, AfterValidator(_state)] = "sqlite:///.feeds/catalog.db"
    push: PushSection = PushSection()
    root: Path = Field(Path(), exclude=True)
    without_effect: tuple[str, ...] = Field((), exclude=True)  # a line for each key that is set for a later version

    @property
    def content_root(self) -> Path:
        """The folder of articles."""
        return self.root / self.content.path

    @property
    def export_root(self) -> Path:
        """The folder that `build` writes."""
        return self.root / self.export.path

    @property
    def catalog_file(self) -> Path:
        """The SQLite file."""
        return self.root / self.state.removeprefix("sqlite:///")

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
            icon=site.icon and absolute(site.icon, site.url + "/"),
            copyright=site.copyright,
            permalink=self.content.permalink,
            by=by,
            limit=feeds.limit,
            text=feeds.text,
            min_entries=feeds.min_entries,
            archives=feeds.archives is not False,
            max_size=feeds.max_size << 10,
            max_age=self.server.max_age,
        )
