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
    """The number of entries in the feed, and in each archive. Default: `feeds.limit`."""
    text: Literal["full", "summary", "excerpt", "both"] | None = None
    """The text of the entries. Default: `feeds.text`."""
    footer: Footer | None = None
    """The line below each text. Default: `feeds.footer`."""
    link_query: LinkQuery | None = None
    """Parameters that are added to the URLs of entries. Default: `feeds.link_query`."""
    link_blog: LinkBlog | None = None
    """The target of titles in a link blog. Default: `feeds.link_blog`."""


class FeedsSection(Section):
    """The feeds and their content."""

    url: BaseUrl | None = None
    """The URL at which the feeds are served, if it is not the site's URL. Default: `site.url`."""
    by: tuple[Literal["category", "tag", "author", "language", "folder"], ...] = ("category", "tag", "author")
    """The kinds of feeds besides the site's feed: a feed for each category, tag, author, language
    (`/language/fr/rss.xml`) or folder (`/folder/notes/rss.xml`); see the [recipes](feeds.md#a-feed-for-each-language).
    A site has at most 20,000 feeds. If there would be more, the new feeds with the fewest entries are left out, with a
    warning.
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
    """The number of entries in a feed, and in each archive. Another number moves entries between archives, so all
    archives change. Feed readers show nothing as new.
    """
    text: Literal["full", "summary", "excerpt", "both"] = "full"
    """`full`: full texts. `summary`: the summary only, as plain text. `excerpt`: the beginning of the text as HTML,
    with a link "Continue reading" ([what an excerpt is](articles.md#excerpts)). `both`: full texts, and excerpts in the
    folder `summary` of each feed: `/summary/rss.xml`, `/category/news/summary/atom.xml`.
    """
    footer: Footer = ""
    """A line below each text, in Markdown, with at most 1,000 characters. It may contain placeholders:

    - `{title}`: the title of the entry.
    - `{url}`: the URL of the entry, with the parameters of `feeds.link_query`.
    - `{author}`: the names of the authors, or else of `site.author`, or else the title of the site.
    - `{reply_by_email}`: a `mailto:` URL with the author's e-mail address, or else with `site.author.email`, which is
      required.

    The values are escaped. Within a URL, they are percent-encoded, except for `{url}` and `{reply_by_email}` at its
    beginning. Entries that are shortened because of `feeds.max_size` have no footer.
    """
    link_query: LinkQuery = ""
    """Parameters that are added to the URLs of entries on the site, such as `utm_source=rss&utm_medium=feed`. Ids, the
    links of HTML pages and the URLs of other sites do not contain them.
    """
    link_blog: LinkBlog | None = None
    """The target of the title of an entry with an `external_url`: `permalink` is the entry's own page, `external` the
    external page. The other URL is a link with `rel=related`. Without this key, each format follows its own definition:
    RSS links to the external page, Atom to the entry. JSON Feed always has both URLs.
    """
    image_in_text: bool = False
    """Whether each text in feeds begins with the article's image, for feed readers that show only images in the text.
    The image is not added if the text already shows it, even with another query (`?w=800`).
    """
    min_entries: int = Field(1, ge=1, le=1_000_000)
    """The number of entries that a category, tag, author, language or folder must have to get a feed."""
    archives: Archives = True
    """Whether feeds have archives: documents with their older entries, `feeds.limit` in each (RFC 5005; `next_url` in
    JSON Feed).

    - `true`: `feeds serve` has the archives of all feeds, `feeds build` writes the archives of the site's feed.
    - `all`: `feeds build` writes the archives of all feeds.
    - `false`: there are no archives.
    """
    max_size: int = Field(512, ge=0, le=1_000_000)
    """The maximum size of a live document in KiB; some feed readers do not read documents that are larger than the
    default. If a document would be larger, its oldest texts become summaries, and `feeds status` reports this. 0 means
    16 MiB.
    """
    guard: float = Field(0.2, ge=0, le=1)
    """The limit of the republish guard, as a share of the published entries. The guard counts the entries that
    change their id or date, or lose their file, within 15 minutes. If their number exceeds this share, and is at least
    five, the run publishes nothing and reports this. On a site with two to four entries, the same happens if one run
    changes all of them. On a site with one entry, it happens only if the entry disappears and no other replaces it.

    Undo the change, or accept it with `feeds build --accept`. With 1, the guard stops a run only if all entries would
    disappear.
    """
    tombstones: int = Field(30, ge=0, le=10_000)
    """The number of days for which Atom lists withdrawn entries (RFC 6721). After that, they are removed
    when the feed next changes. 0: never listed.
    """
    aliases: Aliases = Field({})
    """Old paths of feeds that stay valid, such as `{/index.xml: /rss.xml, /feed/: /rss.xml}`. A request for an old path
    gets the feed itself.

    - Paths are compared exactly: `/feed` is not `/feed/`.
    - A feed that exists takes precedence over an alias of its path. With `site.pages`, [no article has the address of
      an alias](articles.md#addresses-that-are-taken).
    - `feeds build` writes a copy of the feed at each path, except for paths that end in `/`, and for paths at which the
      export has a page, a file or a folder. `feeds build` and `feeds check` report an alias with such a path.
    """
    redirect_aliases: bool = False
    """Whether an alias redirects to the feed with a 308, instead of returning the feed. Most feed readers keep
    requesting the old path anyway.
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
