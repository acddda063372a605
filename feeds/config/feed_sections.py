"""The keys of config.yaml in the section `feeds`; see `schema`."""

from collections.abc import Collection
from typing import Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from feeds.config.section import KeyedError, Section
from feeds.config.values import (
    Aliases,
    Archives,
    BaseUrl,
    Footer,
    Icon,
    Language,
    LinkQuery,
    Names,
    Text,
)
from feeds.core.model import GROUPED_KINDS, LinkBlog
from feeds.core.paths import DOCUMENTS, custom_feed_conflict
from feeds.core.selection import Criteria, Selection, criteria
from feeds.core.text import printable_excerpt, slugify


class GroupsSection(Section):
    """Groups of articles. One name of each key must match."""

    category: Names | None = None
    """A category, or a list of categories."""
    tag: Names | None = None
    """A tag, or a list of tags."""
    author: Names | None = None
    """An author, or a list of authors."""
    language: Names | None = None
    """A language, or a list of languages. An article without a language has `site.language`."""
    folder: Names | None = None
    """A folder below the content folder, or a list of folders. A folder includes the folders below it."""

    @property
    def criteria(self) -> Criteria:
        """The paths of the groups, for each key."""
        return criteria(self.model_dump(exclude_none=True))


class SelectionSection(Section):
    """The articles of a feed."""

    include: GroupsSection | None = None
    """The articles that the feed contains."""
    exclude: GroupsSection | None = None
    """The articles that the feed does not contain."""

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
    """A feed of selected articles, or the settings of a feed that exists because of `feeds.by`."""

    title: Text | None = None
    """The title of the feed. Default: `site.title`, with the name of the feed."""
    description: Text | None = None
    """The description of the feed. Default: `site.description`."""
    language: Language | None = None
    """The language of the feed. Default: `site.language`; for a feed `language/…`, that language."""
    image: Icon | None = None
    """The image of the feed: a path on the site, or a URL. Default: `site.icon`."""
    limit: int | None = Field(None, ge=1, le=10_000)
    """The number of entries in the live document (the newest entries, `rss.xml`), and in each archive. Default:
    `feeds.limit`.
    """
    text: Literal["full", "summary", "excerpt", "both"] | None = None
    """The text of the entries. Default: `feeds.text`."""
    footer: Footer | None = None
    """The line below each text. Default: `feeds.footer`."""
    link_query: LinkQuery | None = None
    """Parameters that are added to the URLs of entries. Default: `feeds.link_query`."""
    link_blog: LinkBlog | None = None
    """The page to which titles in a link blog lead. Default: `feeds.link_blog`."""


class FeedsSection(Section):
    """The feeds and their content."""

    url: BaseUrl | None = None
    """The URL at which the feeds are served, if it is not the site's URL. Default: `site.url`."""
    by: tuple[Literal["category", "tag", "author", "language", "folder"], ...] = ("category", "tag", "author")
    """The kinds of groups that have feeds. For example, with `category`, each category has a feed. The feed of a
    language is at a path such as `/language/fr/rss.xml`, and the feed of a folder at `/folder/notes/rss.xml`
    ([recipes](feeds.md#a-feed-for-each-language)). A site has at most 20,000 feeds. If there would be more, the new
    feeds with the fewest entries are left out, with a warning.
    """
    site: SelectionSection = SelectionSection()
    """The articles of the site's feed: `include` and `exclude`, [described below](#selections). Without `include`, the
    feed contains all articles that `exclude` does not match. The other feeds are not affected.
    """
    custom: dict[Text, CustomFeedSection] = Field({})
    """Feeds of selected articles, and settings of single feeds, [described below](#feeds-of-your-own). If a feed has
    only `exclude`, it contains all other articles. If it has neither `include` nor `exclude`, it contains only the
    articles that name it (`feeds: [NAME]` in front matter).
    """
    limit: int = Field(50, ge=1, le=10_000)
    """The number of entries in a live document (the newest entries, `rss.xml`), and in each archive (`feeds.archives`).
    A change of this number moves entries between archives, so all archives change. Feed readers show no entry as new.
    """
    text: Literal["full", "summary", "excerpt", "both"] = "full"
    """The text of entries in feeds.

    - `full`: the full text.
    - `summary`: only the summary, as plain text.
    - `excerpt`: the beginning of the text as HTML, with a link "Continue reading" ([what an excerpt
      is](articles.md#excerpts)).
    - `both`: the full text. Each feed also has documents with excerpts, in its folder `summary`: `/summary/rss.xml`,
      `/category/news/summary/atom.xml`.
    """
    footer: Footer = ""
    """A line below each text, in Markdown, with at most 1,000 characters. It may contain placeholders:

    - `{title}`: the title of the entry.
    - `{url}`: the URL of the entry, with the parameters of `feeds.link_query`.
    - `{author}`: the names of the authors, or else the name of `site.author`, or else the title of the site.
    - `{reply_by_email}`: a `mailto:` URL with the author's e-mail address, or else with `site.author.email`. With this
      placeholder, `site.author.email` is required.

    The values are escaped. Within a URL, they are percent-encoded, except for `{url}` and `{reply_by_email}` at the
    beginning of the URL. Entries whose text becomes a summary because of `feeds.max_size` have no footer.
    """
    link_query: LinkQuery = ""
    """Parameters that are added to the URLs of entries on the site, such as `utm_source=rss&utm_medium=feed`. Ids do
    not contain the parameters, and neither do links of HTML pages and URLs of other sites.
    """
    link_blog: LinkBlog | None = None
    """The page to which the title of an entry with an `external_url` leads in RSS and Atom. The entry also contains the
    other of the two URLs, with `rel=related`.

    - `permalink`: the entry's own page.
    - `external`: the external page.

    Without this key, titles lead to the external page in RSS, and to the entry's own page in Atom. JSON Feed always has
    both URLs.
    """
    image_in_text: bool = False
    """Whether each text in feeds begins with the article's image, for feed readers that show only images in the text.
    The image is not added if the text already shows it, even if the two URLs differ in their query, such as `?w=800`.
    """
    min_entries: int = Field(1, ge=1, le=1_000_000)
    """The number of entries that a category, tag, author, language or folder needs to have a feed."""
    archives: Archives = True
    """Whether feeds have archives, which are documents with older entries (RFC 5005). Each archive has `feeds.limit`
    entries. JSON Feed links to archives with `next_url`.

    - `true`: `feeds serve` serves the archives of all feeds. `feeds build` writes only the archives of the site's feed.
    - `all`: `feeds build` also writes the archives of all other feeds.
    - `false`: there are no archives.
    """
    max_size: int = Field(512, ge=0, le=1_000_000)
    """The maximum size of a live document, in KiB. Some feed readers do not read documents that are larger than the
    default. If a document would be too large, summaries replace the texts of its oldest entries, and `feeds status`
    reports this. With 0, the maximum is 16 MiB.
    """
    guard: float = Field(0.2, ge=0, le=1)
    """The limit of the republish guard, as a share of the published entries. The guard counts the entries that changed
    their id or date, or lost their file, in this run or in the 15 minutes before it. If there are at least five such
    entries, and more than this share, the run publishes nothing and reports this. On a site with two to four entries,
    the same happens if one run changes all of them. On a site with one entry, it happens only if this entry disappears
    and no other entry replaces it.

    If the guard stops a run, undo the change, or accept it with `feeds build --accept`. With the value 1, the guard
    stops a run only if all entries would disappear.
    """
    tombstones: int = Field(30, ge=0, le=10_000)
    """The number of days for which Atom lists withdrawn entries as deleted (RFC 6721). After that, they leave the list
    when the feed next changes. With 0, they are never listed.
    """
    aliases: Aliases = Field({})
    """Old paths of feeds that stay valid, such as `{/index.xml: /rss.xml, /feed/: /rss.xml}`. The response at an old
    path is the feed itself, and not a redirect.

    - Paths are compared exactly: `/feed` is not `/feed/`.
    - A feed that exists takes precedence over an alias of its path. With `site.pages`, [no article has the address of
      an alias](articles.md#addresses-that-are-taken).
    - `feeds build` writes a copy of the feed at each path. It can't do so if the path ends in `/`, or if the export has
      a page, a file or a folder at the path. `feeds build` and `feeds check` report such an alias.
    """
    redirect_aliases: bool = False
    """Whether the response at an alias is a redirect to the feed (308), instead of the feed. Most feed readers request
    the old path again and again even after a redirect.
    """

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
        return f"is not a feed: a name has no /, and a path begins with {', '.join(GROUPED_KINDS)}"
    if kind not in kinds:
        return f"is not a feed, because feeds.by does not contain {kind}"
    if path != name:
        return f"is not the path of a feed; did you mean {path}?"
    if section.include or section.exclude:
        return f"contains the articles of this {kind}: include and exclude are for feeds of your own and for feeds.site"
    return None
