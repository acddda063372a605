"""The keys of config.yaml, as pydantic models.

Below each key is its description, in Markdown, with links relative to docs/. `json_schema` reads it for `feeds schema`
and docs/config.md (`make reference`), and adds the type, the default and the range.
"""

import zoneinfo
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, field_validator

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

DEFAULT_CRON = "*/15 * * * *"
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
    """The author's name."""
    email: Email | None = None
    """The author's e-mail address, which the feeds contain."""
    url: Url | None = None
    """The author's page."""


class SiteSection(_Section):
    """The site to which the entries link."""

    title: Text
    """The title of the site's feed. The other feeds add their name to it."""
    url: BaseUrl
    """The URL of the articles, such as `https://news.example`. A path after the host is kept."""
    description: str = ""
    """One sentence about the site."""
    language: Language = "en"
    """A language tag (BCP 47). An article may have its own."""
    timezone: TimeZone = "UTC"
    """The IANA time zone of dates without a zone, such as `Europe/Lisbon`."""
    author: Annotated[AuthorSection, BeforeValidator(_author, json_schema_input_type=str | AuthorSection)] | None = None
    """The author of articles that name none: a name, or `{name: …, email: …, url: …}`."""
    icon: Icon | None = None
    """A picture of the site: a path on it, or a URL."""
    copyright: Text | None = None
    """The copyright notice in the feeds."""
    authority: Authority | None = None
    """The authority in generated ids (RFC 4151). Default: the host of `site.url`. Set it once, and keep it when the
    site moves. `feeds init` sets it: to the domain of the site, or, if the site has no address yet, to a unique name
    that ends in `.invalid`.
    """
    pages: bool = False
    """Whether `feeds` provides the website of the articles, instead of another program. Each article with a link on the
    site then has a page here, at `content.permalink`. Files in the article's folder (`NAME/index.md`), and files that
    the article refers to, are published too. `/` shows the newest articles. `feeds.url` must then be the site's URL
    ([pages.md](pages.md)).
    """
    sitemap: bool = False
    """Whether [`/sitemap.xml`](http.md#sitemaps) lists the home page and the articles for search engines. `feeds.url`
    must then be the site's URL.
    """
    news_sitemap: bool = False
    """Whether [`/news-sitemap.xml`](http.md#sitemaps) lists the entries of the site's feed of the last two days for
    Google News. The name of the publication is `site.title`. `feeds.url` must then be the site's URL.
    """
    readers: ReaderLinks = dict(READER_LINKS)  # frozen
    """The subscription links on pages, by name of the feed reader. Default: a `feed:` link, and links to Feedly,
    Inoreader, NewsBlur, Feedbin and The Old Reader. For example,
    `{Miniflux: "https://reader.example/bookmarklet?uri={url}"}` adds one. `{url}` is the encoded address of the
    feed, `{raw}` the address as it is. `Feedly: false` removes one.
    """


class ContentSection(_Section):
    """The content folder, and the articles in it."""

    path: FilePath = "content"
    """The folder of articles."""
    include: Include = DEFAULT_INCLUDE
    """The files that are articles, as gitignore patterns. `**/*.mdx` adds [MDX](articles.md#mdx) files. A pattern that
    can match no article file, such as `*.txt`, is a mistake.
    """
    exclude: Texts = ()
    """Files and folders that are not articles, as gitignore patterns."""
    permalink: Permalink = "/{category}/{slug}/"
    """The path of an article on the site. Placeholders: `{category}` `{slug}` `{path}` `{year}` `{month}` `{day}`; one
    without a value is left out. [More placeholders and modifiers](#placeholders-of-permalinks-and-ids) exist for
    migrated sites.
    """
    permalinks: Permalinks = {}
    """Other patterns for folders: `{posts: "/{year}/{slug}/"}`. The deepest matching folder applies."""
    id: IdPattern | None = None
    """The pattern of generated ids, instead of `tag:AUTHORITY,YEAR:NAME`. For example, `https://old.example{link}` is
    for a site whose ids were its permalinks. `{link}` is the article's path on the site. Only an article that is
    published for the first time gets such an id; existing ids stay ([migrate.md](migrate.md)).
    """
    watch: Literal["auto", "events", "poll", "off"] = "auto"
    """How changes are noticed.

    - `events`: by events of the operating system.
    - `poll`: by a scan every second (network drives, Docker Desktop).
    - `auto`: `poll` if the folder is on a file system without events or the system can't watch more folders, otherwise
      `events`.
    - `off`: only in runs of the cron or webhook.
    """
    markdown: Literal["gfm", "obsidian", "python-markdown"] = "gfm"
    """The Markdown dialect: `gfm` (CommonMark with GitHub's extensions), `obsidian`, or `python-markdown` for sites
    written for Pelican or MkDocs ([articles.md](articles.md#markdown)).
    """


class FeedsSection(_Section):
    """The feeds and their content."""

    url: BaseUrl | None = None
    """The URL at which the feeds are served, if it differs from the site. Default: `site.url`."""
    by: tuple[Literal["category", "tag", "author"], ...] = ("category", "tag", "author")
    """The feeds in addition to the site's. A site has at most 20,000 feeds; those with the fewest entries are left out,
    with a warning.
    """
    limit: int = Field(50, ge=1, le=10_000)
    """The number of entries in a feed, and in each archive. Choose it once: another number changes all archives."""
    text: Literal["full", "summary", "excerpt", "both"] = "full"
    """`full`: full texts. `summary`: the summary only, as plain text. `excerpt`: the beginning of the text as HTML,
    with a link "Continue reading" ([what an excerpt is](articles.md#excerpts)). `both`: full texts, and excerpts at the
    same paths below `/summary/`: `/summary/rss.xml`, `/category/news/summary/atom.xml`.
    """
    footer: Footer = ""
    """A line below each text, in Markdown, with at most 1,000 characters. Placeholders: `{title}`, `{url}` (of the
    entry), `{author}` (names; of an entry without authors, `site.author` or the title of the site), `{reply_by_email}`
    (a `mailto:` URL for an e-mail to the author, or else to `site.author.email`, which is required). Their values are
    escaped; as a part of a URL, they are percent-encoded. Entries that are shortened because of `feeds.max_size` have
    no footer.
    """
    link_query: LinkQuery = ""
    """Parameters that are added to the URLs of entries on the site, such as `utm_source=rss&utm_medium=feed`. Ids, the
    links of HTML pages and the URLs of other sites do not contain them.
    """
    link_blog: LinkBlog | None = None
    """Where the title of an entry with an `external_url` leads: to its own `permalink`, or to the `external` page. The
    other URL is a link with `rel=related`. Without this key, each format follows its own definition: RSS links to the
    external page, Atom to the entry. JSON Feed always has both URLs.
    """
    image_in_text: bool = False
    """Whether each text begins with the article's image, for feed readers that show no other image. The image is not
    added if the text already shows it, even with another query (`?w=800`), nor on pages, which show it themselves.
    """
    min_entries: int = Field(1, ge=1, le=1_000_000)
    """The number of entries that a category, tag or author needs to have a feed."""
    archives: Archives = True
    """Whether feeds have archives: documents with their older entries, `feeds.limit` in each (RFC 5005; `next_url` in
    JSON Feed).

    - `true`: `feeds serve` has the archives of all feeds, `feeds build` writes those of the site's feed.
    - `all`: `feeds build` writes those of all feeds.
    - `false`: there are no archives.
    """
    max_size: int = Field(512, ge=0, le=1_000_000)
    """The maximum size of a live document in KiB; some feed readers do not read more than the default. Beyond it, the
    oldest texts become summaries, and `feeds status` reports this. 0 means 16 MiB.
    """
    guard: float = Field(0.2, ge=0, le=1)
    """The limit of the republish guard, as a share of the published entries. The guard counts the entries that
    change their id or date, or lose their file, within 15 minutes. If they are more than this share, and at least five,
    the run publishes nothing and reports this. On a site with fewer than five entries, the same happens if one run
    changes all of them.

    Undo the change, or accept it with `feeds build --accept`. 1 turns the guard off, unless all
    entries would disappear.
    """
    tombstones: int = Field(30, ge=0, le=10_000)
    """The number of days for which Atom lists withdrawn entries (RFC 6721). After that, they are removed
    when the feed next changes. 0: never listed.
    """
    aliases: Aliases = {}
    """Old paths of feeds that stay valid, such as `{/index.xml: /rss.xml, /feed/: /rss.xml}`. The feed itself is served
    there. A feed that exists takes precedence over an alias of its path. Paths are compared exactly: `/feed` is not
    `/feed/`. `feeds build` writes a copy, except for paths that end in `/`, and for paths already used by a page, file
    or folder; `feeds build` and `feeds check` report the latter. With `site.pages`, [no article has the address of an
    alias](articles.md#addresses-that-are-taken).
    """
    redirect_aliases: bool = False
    """Whether aliases redirect with a 308 instead. Most feed readers keep requesting the old path anyway."""


class ServerSection(_Section):
    """The HTTP server."""

    host: Host = "127.0.0.1"
    """The address that `feeds serve` listens on."""
    port: int = Field(8000, ge=1, le=65535)
    """The port that `feeds serve` listens on."""
    workers: int = Field(1, ge=1, le=64)
    """The number of processes that answer requests."""
    max_age: int = Field(300, ge=0, le=31_536_000)  # a year
    """The number of seconds for which a feed reader or a cache may use a document without a new request
    (`Cache-Control`, `ttl` and `sy:` in RSS), at most a year. It is shorter before a scheduled article goes
    live.
    """
    memory: int = Field(64, ge=8, le=65536)
    """The memory in MiB that each worker uses for documents, their validators, rendered articles and pages; the process
    itself needs about 80 more. Documents that do not fit are rendered again on request. Their validators are kept
    longer, so most polls of them are still answered at once. The number of files that a worker sends at the same time
    is half this value (by default 32), but at least 16; each takes 0.25 MiB more. Further requests for files wait for
    up to two seconds, and then get a 503 with Retry-After.
    """
    limit: int = Field(60, ge=0, le=1_000_000)
    """Rate limit for requests without `If-None-Match` and `If-Modified-Since`: a client that sends more than this
    number for one document within a minute gets a 429 for the rest of the minute. 0: no limit. Each
    worker counts separately. Private addresses and clients behind a proxy are not limited, unless
    `server.client_header` is set.
    """
    client_header: Header | None = None
    """The header in which your proxy sends the client's address, such as `X-Real-IP` or `X-Forwarded-For` (of which the
    last address counts). Set it only if every request comes through that proxy, because any client can send a header.
    """
    deltas: bool = False
    """Whether clients get only new entries if they request that (RFC 3229, `A-IM: feed`, status 226). Some feed
    readers, such as rss2email, can't read them.
    """
    access_log: FilePath | None = None
    """A file for an access log with one JSON object per line; `-` is standard output. It contains client addresses."""
    metrics: Address | None = None
    """A separate address and port for Prometheus, such as `127.0.0.1:9464`. Keep it private."""


class ScheduleSection(_Section):
    """The runs that do not follow from a changed file."""

    cron: Cron | None = parse_cron(DEFAULT_CRON)
    """When runs start in addition to those for changed files, in the site's time zone and crontab syntax: minute, hour,
    day, month, weekday. Each is a list of numbers, ranges and steps: `0,30 6-20/2 * * mon-fri`. Months and weekdays may
    be names, weekdays are 0–7 from Sunday to Sunday, and the day `last` is the last one of the month. `null`: none.
    """
    before: Command | None = None
    """A command that `feeds serve` runs in the configuration's folder before each run by the cron or the webhook, such
    as `git -C content pull --ff-only`. No shell interprets it. After 120 s it gets SIGTERM, and five seconds later
    SIGKILL. If it fails, the failure is reported, and the files are published as they are.
    """
    webhook: Secret | None = None
    """A secret of at least 16 characters. `POST /refresh` with it starts a run within a second or two. Send it as
    `Authorization: Bearer …`, as GitLab's token, or as the signature of a GitHub or Gitea webhook. Under another server
    than `feeds serve`, reading a body would block a thread. There, signatures are accepted only if
    `server.client_header` is set, which means that every request comes through a proxy; that proxy must buffer bodies.
    Prefer `FEEDS__SCHEDULE__WEBHOOK` to the file.
    """


class ExportSection(_Section):
    """The output of `feeds build`."""

    path: ExportPath = "public"
    """The folder that `feeds build` writes, or an object store: `s3://BUCKET/PREFIX`, and likewise `gs://` and `az://`
    (`pip install ".[s3]"` in the clone; [deploy.md](deploy.md#an-object-store-and-a-cdn)). Credentials come from the
    environment only. A file there that `feeds build` did not write is left alone and reported.
    """
    pages: bool | None = None  # None: as site.pages
    """Which pages are exported. If this is not set, the page of each feed is exported, because its documents link to
    it. `/index.html` is exported only with `site.pages`, or if `feeds.url` is not the site's URL: otherwise it would
    replace the home page of another generator. `true`: `/index.html` too. `false`: no pages.
    """
    precompressed: tuple[Literal["br", "zstd", "gzip"], ...] = ()
    """The compressed copies to write beside each exported document: any of `[gzip, br, zstd]`, as `.gz`, `.br` and
    `.zst`, for servers that send such files.
    """
    hosts: tuple[Literal["netlify", "cloudflare", "apache", "nginx"], ...] = ()
    """The files to write that set media types and caching on a static host: `netlify` or `cloudflare` (`_headers`),
    `apache` (`.htaccess`), `nginx` (`feeds.nginx.conf`, to be included). With `site.pages`, they also redirect [former
    addresses](pages.md#former-addresses) of articles, for Netlify and Cloudflare in `_redirects`. Cloudflare reads a
    hundred rules for headers; `feeds check` reports aliases beyond that. A file of that name that `feeds build` did not
    write is left alone.
    """
    purge: Purge | None = None
    """How `feeds build` notifies caches of the files that it changed or removed, and of no others. The value is either
    a request for each URL, such as `PURGE {raw}`, or a command that reads the URLs from its input, one per line. In a
    request, `{raw}` is the URL, `{url}` the encoded URL (`POST https://cdn.example/purge?url={url}`), and `{path}` its
    path: `PURGE http://127.0.0.1:6081{path}` goes to that address with the site's name as Host. The default method is
    GET. Redirects are not followed. A request may take 10 s, a command 120. A failed purge is reported (exit code 1)
    and repeated by the next run. Put tokens into a command, or into `FEEDS__EXPORT__PURGE`.
    """


class CheckSection(_Section):
    """The rules of `feeds check`."""

    ignore: Rules = ()
    """The rules that `feeds check` skips, by name; [articles.md](articles.md#what-feeds-check-reports) and
    [aggregators.md](aggregators.md) list them.
    """


class StatsSection(_Section):
    """The poll statistics."""

    count: bool = True
    """Whether polls are counted: subscribers by feed and feed reader, without addresses ([stats.md](stats.md))."""
    token: Secret | None = None
    """A secret of at least 16 characters that opens `/stats`, as the password (with any user name) or as
    `Authorization: Bearer …`. Prefer `FEEDS__STATS__TOKEN` to the file. Without it, the page does not exist.
    """
    keep: int = Field(400, ge=2, le=10_000)
    """The number of days for which daily totals are kept."""


class PushSection(_Section):
    """The notification of WebSub hubs, which this version does not support."""

    hub: bool = True
    """*No effect in this version*: the site's own WebSub hub."""
    hubs: tuple[Url, ...] = ()
    """*No effect in this version*: other hubs to notify."""
    allow_private: bool = False
    """*No effect in this version*: whether subscribers may have private addresses."""


class Config(_Section):
    """The configuration of a site. Paths are as written, relative to `root`."""

    site: SiteSection
    content: ContentSection = ContentSection()
    feeds: FeedsSection = FeedsSection()
    server: ServerSection = ServerSection()
    schedule: ScheduleSection = ScheduleSection()
    export: ExportSection = ExportSection()
    state: State = "sqlite:///.feeds/catalog.db"
    """The catalog: ids and last good versions. Back it up with the articles. If it is lost, the same ids are generated
    again from the folder, except where paths or slugs were edited since. If `site.authority` changed (or the host of
    `site.url`, if `site.authority` is not set), all generated ids differ. If both catalog and articles are missing,
    `feeds build` leaves the existing export unchanged (exit code 5), unless you pass `--accept`. Alternatively
    `postgresql://USER@HOST/DATABASE` ([the catalog in PostgreSQL](#the-catalog-in-postgresql)).
    """
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
