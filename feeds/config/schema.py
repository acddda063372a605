"""The keys of config.yaml, as pydantic models.

Below each key is its description, in Markdown, with links relative to docs/. `json_schema` reads it for `feeds schema`
and docs/config.md (`make reference`), and adds the type, the default and the range.
"""

import zoneinfo
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, ValidationInfo, field_validator

from feeds.config.cron import parse_cron
from feeds.config.feed_sections import CustomFeedSection, FeedsSection
from feeds.config.section import KeyedError, Section
from feeds.config.site_sections import ContentSection, SiteSection
from feeds.config.values import (
    Address,
    Command,
    Cron,
    ExportPath,
    FilePath,
    Header,
    Host,
    Purge,
    Rules,
    Secret,
    State,
    Url,
)
from feeds.core.model import Author, FeedKind, FeedSettings, FolderPermalink, Site
from feeds.core.paths import sitemap_owner
from feeds.core.text import one_line, resolve_on_site

DEFAULT_CRON = "*/15 * * * *"


_CATALOG_SUFFIXES = (  # of the files that belong to a SQLite catalog
    *("", "-wal", "-shm", "-journal", ".lock", ".leader", ".failures"),
    *(".stats", ".stats-wal", ".stats-shm", ".stats-journal"),
)


class ServerSection(Section):
    """The HTTP server."""

    host: Host = "127.0.0.1"
    """The address that `feeds serve` listens on."""
    port: int = Field(8000, ge=1, le=65535)
    """The port that `feeds serve` listens on."""
    workers: int = Field(1, ge=1, le=64)
    """The number of processes that answer requests."""
    max_age: int = Field(300, ge=0, le=31_536_000)  # a year
    """The number of seconds for which a feed reader or a cache may use a document without a new request. It is sent in
    the header `Cache-Control`, and in RSS also as `ttl` and `sy:updatePeriod`. The time is shorter if a scheduled
    article goes live earlier.
    """
    memory: int = Field(64, ge=8, le=65536)
    """The memory in MiB that each worker uses for documents, their validators (ETag and Last-Modified), rendered
    articles and pages. The process itself needs about 80 MiB more.

    - Documents that do not fit into this memory are rendered again on request. Their validators are kept longer than
      the documents, so most requests of feed readers are still answered without rendering.
    - The number of files that a worker sends at the same time is limited. It may send one file for each 2 MiB of this
      value, and in any case 16 files. With the default, this is a limit of 32 files. Each file takes another 0.25 MiB
      of memory. Further requests for files wait for up to two seconds, and then get a 503 with Retry-After.
    """
    limit: int = Field(60, ge=0, le=1_000_000)
    """The number of requests for one document that a client may send within a minute without `If-None-Match` and
    `If-Modified-Since`. Further requests get a 429 for the rest of the minute. With 0, there is no limit. Each worker
    counts separately. Private addresses and clients behind a proxy are not limited, unless `server.client_header` is
    set.
    """
    client_header: Header | None = None
    """The header in which your proxy sends the client's address, such as `X-Real-IP` or `X-Forwarded-For`. If the
    header has several addresses, the last one counts. Set this key only if every request comes through that proxy,
    because any client can send a header.
    """
    deltas: bool = False
    """Whether clients can request only the new entries of a feed (RFC 3229, `A-IM: feed`). The response has the status
    226. Some feed readers, such as rss2email, request this, but can't read the response.
    """
    access_log: FilePath | None = None
    """A file for an access log with one JSON object per line. `-` stands for the standard output. The log contains
    client addresses.
    """
    metrics: Address | None = None
    """A separate address and port at which Prometheus reads metrics, such as `127.0.0.1:9464`. Do not make it public.
    """


class ScheduleSection(Section):
    """Runs that start without a changed file."""

    cron: Cron | None = parse_cron(DEFAULT_CRON)
    """The times at which runs start, in crontab syntax and in the site's time zone. When a file changes, a run starts
    independently of these times. With `null`, there are no such times.

    The fields are minute, hour, day, month and weekday: `0,30 6-20/2 * * mon-fri`. Each is a list of numbers, ranges
    and steps. Months and weekdays may be English names. Weekdays are 0 to 7, and both 0 and 7 mean Sunday. The day
    `last` is the last day of the month.
    """
    before: Command | None = None
    """A command that `feeds serve` runs in the configuration's folder before each run that `schedule.cron` or the
    webhook starts, such as `git -C content pull --ff-only`. The command runs without a shell. After 120 seconds, it
    gets SIGTERM, and five seconds later SIGKILL. If it fails, the failure is reported, and the files are published as
    they are.
    """
    webhook: Secret | None = None
    """The secret of the webhook, with at least 16 characters. A request `POST /refresh` with this secret starts a run
    within a second or two. Send the secret as `Authorization: Bearer …`, as GitLab's token, or as the signature of a
    GitHub or Gitea webhook. Write it into the environment variable `FEEDS__SCHEDULE__WEBHOOK` rather than into the
    file.

    If a WSGI server such as gunicorn runs the application instead of `feeds serve`, signatures are accepted only behind
    a proxy: `server.client_header` must be set. The proxy must buffer request bodies, because a slow client would block
    a thread of the server.
    """


class ExportSection(Section):
    """The output of `feeds build`."""

    path: ExportPath = "public"
    """The folder that `feeds build` writes, or an object store: `s3://BUCKET/PREFIX`, `gs://BUCKET/PREFIX` or
    `az://CONTAINER/PREFIX` ([deploy.md](deploy.md#an-object-store-and-a-cdn)). Credentials come from the environment
    only. `feeds build` reports a file of another program that is at the path of an exported file, and leaves it alone.
    """
    pages: bool | None = None  # None: as site.pages
    """Which pages are exported. Default: the page of each feed, and with `site.pages` also the page of each article.

    By default, the page of the site's feed, `/index.html`, is exported only with `site.pages`, or if `feeds.url` is not
    the site's URL. In other cases, it would replace the home page of another generator.

    - `true`: the same pages as by default, and `/index.html` in any case.
    - `false`: no pages.
    """
    precompressed: tuple[Literal["br", "zstd", "gzip"], ...] = ()
    """The kinds of compressed copies that `feeds build` writes beside each exported document, for servers that send
    such files. Their names end in `.gz`, `.br` and `.zst`.
    """
    hosts: tuple[Literal["netlify", "cloudflare", "apache", "nginx"], ...] = ()
    """The static hosts for which `feeds build` writes host files. From these files, the host reads media types and
    rules for caches. With `site.pages`, the files also redirect the [former addresses](pages.md#former-addresses) of
    articles.

    - `netlify`, `cloudflare`: `_headers` and `_redirects`. Cloudflare reads only the first hundred rules of `_headers`.
      The rules for aliases are at the end. `feeds check` reports how many aliases are beyond this limit.
    - `apache`: `.htaccess`.
    - `nginx`: `feeds.nginx.conf`. Include this file in the server block.

    If another program has written a file with one of these names, `feeds build` leaves this file alone.
    """
    purge: Purge | None = None
    """How `feeds build` notifies caches of the files that it changed or removed. If a purge fails, the exit code is 1,
    and the next run repeats the purge. The value is one of these:

    - a request for each URL, such as `PURGE {raw}`. The default method is GET. Redirects are not followed. A request
      may take 10 s.
    - a command that reads the URLs from its input, one per line. It may take 120 s.

    In a request, `{raw}` stands for the URL, `{url}` for the percent-encoded URL, and `{path}` for the path of the URL.
    Examples: `POST https://cdn.example/purge?url={url}` and `PURGE http://127.0.0.1:6081{path}`. In the second
    request, the header `Host` contains the host of `feeds.url`. If the value contains a token, write it into the
    environment variable `FEEDS__EXPORT__PURGE`, or into the script that the command runs.
    """


class CheckSection(Section):
    """The rules of `feeds check`."""

    ignore: Rules = ()
    """The names of the rules that `feeds check` skips. [articles.md](articles.md#what-feeds-check-reports) and
    [aggregators.md](aggregators.md) list all rules.
    """


class StatsSection(Section):
    """The statistics of polls and subscribers."""

    count: bool = True
    """Whether `feeds serve` counts polls, from which subscribers are estimated. Client addresses are not stored
    ([stats.md](stats.md)).
    """
    token: Secret | None = None
    """The secret for the page `/stats`, with at least 16 characters. In a browser, it is the password, and any user
    name works. Programs send it as `Authorization: Bearer …`. Write it into the environment variable
    `FEEDS__STATS__TOKEN` rather than into the file. Without this secret, the page does not exist.
    """
    keep: int = Field(400, ge=2, le=10_000)
    """The number of days for which daily totals are kept."""


class PushSection(Section):
    """WebSub, which this version does not support."""

    hub: bool = True
    """*No effect in this version*: the site's own WebSub hub."""
    hubs: tuple[Url, ...] = ()
    """*No effect in this version*: other hubs to notify."""
    allow_private: bool = False
    """*No effect in this version*: whether subscribers may have private addresses."""


class Config(Section):
    """The configuration of a site. Paths are as written, relative to `root`."""

    site: SiteSection
    content: ContentSection = ContentSection()
    feeds: FeedsSection = FeedsSection()
    server: ServerSection = ServerSection()
    schedule: ScheduleSection = ScheduleSection()
    export: ExportSection = ExportSection()
    state: State = "sqlite:///.feeds/catalog.db"
    """The address of the catalog, the database of ids and of the last good versions of articles. Back up the catalog
    with the articles. `postgresql://USER@HOST/DATABASE` selects a [catalog in PostgreSQL](#the-catalog-in-postgresql).

    If the catalog is lost, the ids are generated again from the content folder. They are the same as before, with two
    exceptions:

    - Articles whose path or slug was changed after their publication get other ids.
    - If `site.authority` was changed, all generated ids are different. Without `site.authority`, the same is true of a
      change of the host of `site.url`.

    If the articles are missing too, `feeds build` leaves the existing export unchanged (exit code 5), unless you pass
    `--accept`.
    """
    check: CheckSection = CheckSection()
    stats: StatsSection = StatsSection()
    push: PushSection = PushSection()
    root: Path = Field(Path(), exclude=True)
    file: Path = Field(Path(), exclude=True)
    unsupported_keys: tuple[str, ...] = Field((), exclude=True)  # a message for each key without effect
    # the position and the keys, with which messages begin: by custom feed, and by folder that a selection names
    feed_positions: dict[str, str] = Field({}, exclude=True)
    folder_positions: dict[str, str] = Field({}, exclude=True)
    # the same for the links of the menu, by their texts, and for the footer
    nav_positions: dict[str, str] = Field({}, exclude=True)
    footer_position: str = Field("", exclude=True)

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
        """Return a folder; the default one only with `pages`, because otherwise it belongs to the site's generator."""
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
