"""The keys of config.yaml in the sections `site` and `content`; see `schema`."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Field

from feeds.config.appearance import Colour, Fonts, Length, Links, OptionalFolder, css_variables
from feeds.config.section import Section
from feeds.config.values import (
    READER_LINKS,
    Authority,
    BaseUrl,
    Email,
    FilePath,
    Icon,
    IdPattern,
    Include,
    Language,
    Permalink,
    Permalinks,
    ReaderLinks,
    Text,
    Texts,
    TimeZone,
    Url,
)
from feeds.core.article_files import DEFAULT_INCLUDE

_MAX_FOOTER_CHARS = 10_000


def _author(value: Any) -> Any:
    return {"name": value} if isinstance(value, str) else value


class AuthorSection(Section):
    """The author of articles that name none."""

    name: Text
    """The author's name."""
    email: Email | None = None
    """The author's e-mail address, which the feeds contain."""
    url: Url | None = None
    """The author's page."""


class ColoursSection(Section):
    """Colours of pages. A key without a value keeps the built-in colour."""

    model_config = ConfigDict(validate_default=False)  # a written key without a value is a mistake

    text: Colour = None
    """The colour of text."""
    muted: Colour = None
    """The colour of dates and other secondary text."""
    border: Colour = None
    """The colour of lines and borders."""
    background: Colour = None
    """The colour of the page."""
    surface: Colour = None
    """The colour of boxes and code."""
    accent: Colour = None
    """The colour of links, of the outline of the focused element, and of the button under the pointer."""


class ThemeSection(ColoursSection):
    """Colours, fonts and the width of pages."""

    font_text: Fonts = None
    """The fonts of text, such as `Georgia, serif`."""
    font_heading: Fonts = None
    """The fonts of headings."""
    font_code: Fonts = None
    """The fonts of code."""
    width: Length = None
    """The width of the text, with the unit `rem`, `em`, `ch` or `px`."""
    dark: ColoursSection = ColoursSection()
    """Other colours for dark mode."""

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


class SiteSection(Section):
    """The site to which the entries link."""

    title: Text
    """The title of the site's feed. The title of any other feed is this title, followed by the name of that feed."""
    url: BaseUrl
    """The URL of the site, such as `https://news.example`. It may have a path after the host."""
    description: str = ""
    """One sentence about the site."""
    language: Language = "en"
    """The language of the site, as a language tag (BCP 47). An article may have its own language."""
    timezone: TimeZone = "UTC"
    """The IANA time zone of dates without a zone, such as `Europe/Lisbon`."""
    author: Annotated[AuthorSection, BeforeValidator(_author, json_schema_input_type=str | AuthorSection)] | None = None
    """The author of articles that name none: a name, or `{name: …, email: …, url: …}`."""
    icon: Icon | None = None
    """A picture of the site: a path on the site, or a URL."""
    copyright: Text | None = None
    """The copyright notice in the feeds."""
    authority: Authority | None = None
    """The domain in generated ids (the authority of RFC 4151). Default: the host of `site.url`. Set it once, and keep
    it when the site moves to another domain. `feeds init` sets it to the domain of the site. If the site has no address
    yet, `feeds init` sets it to a unique name that ends in `.invalid`.
    """
    pages: bool = False
    """Whether `feeds` serves and exports a page for each article. If it is false, another program publishes these
    pages.

    If it is true, the page of an article is at the path of `content.permalink`, or at the path in the key `link` of the
    article. An article whose `link` leads to another site has no page. Files in the article's folder (`NAME/index.md`),
    and files that the article refers to, are published too. `/` shows the newest articles. `feeds.url` must be the
    site's URL ([pages.md](pages.md)).
    """
    sitemap: bool = False
    """Whether [`/sitemap.xml`](http.md#sitemaps) lists the home page and the articles for search engines. `feeds.url`
    must then be the site's URL.
    """
    news_sitemap: bool = False
    """Whether [`/news-sitemap.xml`](http.md#sitemaps) lists the entries of the site's feed from the last two days, for
    Google News. The name of the publication is `site.title`. `feeds.url` must then be the site's URL.
    """
    readers: ReaderLinks = Field(dict(READER_LINKS))
    """The subscription links on pages, by name of the feed reader. Default: a `feed:` link, and links to Feedly,
    Inoreader, NewsBlur, Feedbin and The Old Reader. For example, `{Miniflux:
    "https://reader.example/bookmarklet?uri={url}"}` adds a link. `{url}` stands for the percent-encoded address of the
    feed, and `{raw}` for the address without encoding. `Feedly: false` removes the link to Feedly.
    """
    logo: Icon | None = None
    """A picture in the header of pages: a path on the site, such as `/static/logo.svg`, or a URL
    ([customise.md](customise.md)).
    """
    nav: Links = Field({})
    """The links in the menu of pages, in their order: `{Home: /, About: /about/}`. Each value is a path on the site, an
    http(s) URL or a mailto URL.
    """
    footer: str = Field("", max_length=_MAX_FOOTER_CHARS)
    """The footer of every page, in Markdown (`gfm`), up to 10,000 characters. It is sanitised like an article."""
    theme: ThemeSection = ThemeSection()
    """The colours, fonts and width of pages ([customise.md](customise.md)). A colour is written like `"#0b4f9c"` (in
    quotes), `navy` or `rgb(11 79 156)`. The colours in `dark` are for dark mode, and all others for light mode.
    """
    code_colors: bool = True
    """Whether pages of articles show code in colours (syntax highlighting). A code block must name its language
    ([pages.md](pages.md#code)). Feeds contain code without colours.
    """
    templates: Annotated[FilePath | Literal[False] | None, OptionalFolder] = None  # None: "templates" with `pages`
    """The folder of templates that replace built-in templates ([customise.md](customise.md#one-changed-template)).
    Default: `templates` if `site.pages` is true, otherwise no folder. With `false`, there is no folder.
    """
    static: Annotated[FilePath | Literal[False] | None, OptionalFolder] = None  # None: "static" with `pages`
    """The folder of files that are published at `/static/…` ([customise.md](customise.md#static-files)). Default:
    `static` if `site.pages` is true, otherwise no folder. With `false`, there is no folder.
    """


class ContentSection(Section):
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
    """The path of an article on the site. Placeholders: `{category}` `{slug}` `{path}` `{year}` `{month}` `{day}`. A
    placeholder without a value is left out. [More placeholders and modifiers](#placeholders-of-permalinks-and-ids)
    exist for migrated sites.
    """
    permalinks: Permalinks = Field({})
    """Patterns for the articles of single folders, instead of `content.permalink`: `{posts: "/{year}/{slug}/"}`. If
    several of the folders contain an article, the deepest one counts.
    """
    id: IdPattern | None = None
    """The pattern of generated ids, instead of `tag:AUTHORITY,YEAR:NAME`. For example, `https://old.example{link}` is
    for a site whose old feeds had the articles' addresses as ids. `{link}` is the article's path on the site. The
    pattern applies when an article is first published. Existing ids stay ([migrate.md](migrate.md)).
    """
    watch: Literal["auto", "events", "poll", "off"] = "auto"
    """How `feeds serve` notices changes.

    - `events`: by events of the operating system.
    - `poll`: by a scan every second, for network drives and Docker Desktop.
    - `auto`: `events` if the file system has events and the operating system can watch all folders, otherwise `poll`.
    - `off`: only in runs that `schedule.cron` or the webhook starts.
    """
    markdown: Literal["gfm", "obsidian", "python-markdown"] = "gfm"
    """The Markdown dialect: `gfm` (CommonMark with GitHub's extensions), `obsidian`, or `python-markdown` for sites
    written for Pelican or MkDocs ([articles.md](articles.md#markdown)).
    """
