"""Parses the bytes of one file into an `Article`.

A file that can't be parsed raises `ArticleError`. An unusable value of a secondary field is ignored with a warning.
"""

import re
from datetime import UTC, datetime, tzinfo
from difflib import get_close_matches

from feeds.core.article_files import article_name, is_mdx
from feeds.core.errors import ArticleError
from feeds.core.model import Article, ArticleWarning
from feeds.core.parse import dates, frontmatter, mdx
from feeds.core.parse.content import Dialect, first_heading
from feeds.core.parse.fields import AuthorProfiles, FrontMatterFields
from feeds.core.parse.keys import canonical_key
from feeds.core.text import absolute_url, clean, humanize, one_line, to_safe_path, url_scheme

MAX_FILE_BYTES = 1024 * 1024  # bytes of one file
# files that are pages, not articles: lower-case names without suffix
_PAGES = frozenset(
    {
        "about", "about-me", "about-us", "archive", "archives", "authors", "blogroll", "bio", "categories", "changelog",
        "code_of_conduct", "colophon", "contact", "contributing", "cookies", "cv", "datenschutz", "disclaimer", "faq",
        "home", "impressum", "imprint", "index", "legal", "license", "links", "now", "privacy", "privacy-policy",
        "projects", "readme", "resume", "search", "security", "sitemap", "start-here", "support", "tags", "team",
        "terms", "uses", "404",
    }
)  # fmt: skip
_PAGE_LAYOUTS = frozenset(
    {"page", "home", "about", "default", "archive", "archives", "search", "tags", "categories", "404"}
)
_LAYOUT_KEYS = frozenset({"layout", "type", "template"})
_ARTICLE_KEYS = frozenset({"tags", "categories", "category", "draft", "keywords"})
_NUMBER = re.compile(r"[\d\W_]*(?:\d[tT]\d[\d\W_]*[zZ]?)?")  # a number, or a time such as 20240501T101500Z
_NO_DATE = "no date, so it is treated as a page and not published; add a `date`, or list it in content.exclude"
_CLEAN_ASCII = bytes(range(0x20, 0x7F)) + b"\n\t"  # characters that `clean` never changes
_BOMS = {b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16"}
_DATE_OF_UNDATED = datetime(1970, 1, 1, tzinfo=UTC)  # the date of a draft that has none
# values of `permalink` in Eleventy and Jekyll that are not a path
_PERMALINK_STYLES = {"false", "date", "pretty", "ordinal", "weekdate", "none"}
_TEMPLATE = re.compile(r"\{[{%]|/:[a-z]")
_METADATA = re.compile(r"\s*[A-Za-z_-]{2,20}: \S[^\n]*\n(?:[A-Za-z_-]{2,20}:[^\n]*\n)*\s*\n")
_DATE_IN_NAME = re.compile(r"\d{4}-\d\d-\d\d")


def parse_article(
    data: bytes, path: str, zone: tzinfo, profiles: AuthorProfiles | None = None, dialect: Dialect = "gfm"
) -> Article:
    """Return the article in the bytes of a file.

    Args:
        data: the bytes of the whole file.
        path: the path of the file below the content folder, with "/".
        zone: the time zone of dates without one.
        profiles: the profiles of the authors.yml that applies to the file.
        dialect: the Markdown dialect.

    Raises:
        ArticleError: the file can't be parsed; the error has a line number. No other exception is raised.
    """
    try:
        return _parse(data, path, zone, profiles, dialect)
    except (ValueError, TypeError, RecursionError, OverflowError) as error:  # such as an integer of 5,000 digits
        raise ArticleError(f"can't be parsed: {one_line(str(error))[:100]}") from None


def _parse(data: bytes, path: str, zone: tzinfo, profiles: AuthorProfiles | None, dialect: Dialect) -> Article:
    text = _decode(data)
    matter, body = frontmatter.split_front_matter(text)
    fields = FrontMatterFields(matter, zone, profiles)
    if is_mdx(path):
        body, mdx_warnings = mdx.to_markdown(body, 1 + text.count("\n") - body.count("\n"))
        fields.warnings += mdx_warnings
    name = article_name(path)
    dated_name = dates.split_dated_name(name.rpartition("/")[2], zone)
    explicit_slug = to_safe_path(fields.text("slug") or "")
    slug = explicit_slug or to_safe_path(dated_name.rest) or "article"
    folders = path.split("/")[:-1]
    is_jekyll = "_posts" in folders or "_drafts" in folders
    draft = fields.withholding_line() is not None or "_drafts" in folders
    published = fields.date("published") or dated_name.date or fields.date("dated") or _date_in_path(matter, path, zone)
    embargo = fields.latest_date("embargo")
    if published is None:
        if not (draft or _is_page(matter, name, is_jekyll=is_jekyll)):
            raise ArticleError(f"no date: {_explain_missing_date(matter, body, name)}")
        if not draft:
            fields.warnings.append(ArticleWarning(1, "undated-page", _NO_DATE))
        draft, published = True, _DATE_OF_UNDATED
    title = fields.text("title")
    if title is None:
        title = first_heading(body, dialect) or ("" if _is_note(matter, slug) else humanize(slug))
    return Article(
        path=path,
        name=name,
        title=title,
        published=published,
        updated=fields.optional_date("updated") or published,
        body=body,
        slug=slug,
        slug_given=bool(explicit_slug),
        id=fields.text("id"),
        link=_link(fields),
        categories=fields.names("categories", words="categories" if is_jekyll else ""),
        tags=fields.names("tags", commas=True, words="tags" if is_jekyll else ""),
        authors=fields.authors(),
        summary=fields.optional_text("summary"),
        image=fields.image(),
        enclosures=fields.enclosures(),
        language=fields.language(),
        draft=draft,
        expires=fields.optional_date("expires"),
        live_from=embargo if embargo and embargo > published else None,
        listed=fields.is_listed(),
        feeds=fields.feed_names(),
        canonical=fields.url("canonical"),
        external_url=fields.url("external_url"),
        warnings=tuple(fields.warnings),
    )


def draft_notice(source: str, path: str) -> ArticleWarning | None:
    """Return the notice for a draft, or None for any other file, such as a page without a date.

    `source`: the text of the file; `path`: its path below the content folder, with "/".
    """
    try:
        matter, _ = frontmatter.split_front_matter(source)
        line = FrontMatterFields(matter, UTC).withholding_line()
    except ArticleError:  # the preview passes a text without its front matter
        line = None
    if line is not None:
        return ArticleWarning(line, "draft", "a draft: not published")
    if "_drafts" in path.split("/")[:-1]:
        return ArticleWarning(1, "draft", "in a folder _drafts: not published")
    return None


def _is_note(matter: frontmatter.FrontMatter, slug: str) -> bool:
    """Return whether an article without a heading has no title: `title: ""`, or a slug that is a number or a time."""
    is_empty = any(value == "" and canonical_key(key) == "title" for key, value in matter.items())
    return is_empty or bool(_NUMBER.fullmatch(slug.rpartition("/")[2]))


def _date_in_path(matter: frontmatter.FrontMatter, path: str, zone: tzinfo) -> datetime | None:
    """Return the date in the folders of a file (`2019/05/28/x.md`), or in Zola's key `path`."""
    date = dates.date_from_folders(path, zone)
    zola_path = matter.get("path")
    return date or (dates.date_from_folders(f"{zola_path.strip('/')}/", zone) if isinstance(zola_path, str) else None)


def _is_page(matter: frontmatter.FrontMatter, name: str, *, is_jekyll: bool) -> bool:
    """Return whether a file without a date is a page, such as about.md, rather than an article without its date."""
    keys = {canonical_key(key): key for key in matter}
    if is_jekyll or keys.keys() & _ARTICLE_KEYS or _close_to_date(matter):
        return False
    if any(str(matter[keys[key]]).lower() in _PAGE_LAYOUTS for key in _LAYOUT_KEYS & keys.keys()):
        return True
    return name.rpartition("/")[2].lower() in _PAGES


def _explain_missing_date(matter: frontmatter.FrontMatter, body: str, name: str) -> str:
    """Return advice on how to add the missing date, with the text that may be meant as the date."""
    if _METADATA.match(body):
        return "the first lines are metadata only if they include `Title:`, or are between two lines ---"
    if date := _DATE_IN_NAME.match(name.rpartition("/")[2]):
        return f"{date[0]} in the file name is not a valid date"
    close = _close_to_date(matter)
    suggestion = f" (is `{close[0]}` meant to be the date?)" if close else ""
    return f"add a `date`{suggestion}, or use a file name like 2026-01-24-a-title.md"


def _close_to_date(matter: frontmatter.FrontMatter) -> list[str]:
    keys = (key for key, value in matter.items() if not isinstance(value, bool))  # `publish: true` is not a date
    return [key for key in keys if get_close_matches(key.lower(), ["date", "published", "pubdate"], 1, 0.7)]


def _decode(data: bytes) -> str:
    if len(data) > MAX_FILE_BYTES:
        raise ArticleError(f"the file is larger than {MAX_FILE_BYTES // 1024} KiB")
    if coding := _BOMS.get(data[:2]):
        raise ArticleError(f"saved as {coding}; save it as UTF-8")
    if data.isascii() and not data.translate(None, _CLEAN_ASCII):  # most English texts, which are decoded fastest
        text = data.decode("ascii")
        if text.isspace() or not text:
            raise ArticleError("the file is empty")
        return text
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ArticleError(f"not UTF-8: byte 0x{data[error.start]:02x}; save it as UTF-8", line) from None
    if not (text := clean(text)).strip():
        raise ArticleError("the file is empty")
    return text


def _link(fields: FrontMatterFields) -> str | None:
    link = fields.text("link")
    key = fields.key_of("link")
    if link is None or (key.lower() == "permalink" and link in _PERMALINK_STYLES):
        return None
    if _TEMPLATE.search(link):
        reason = f"{link[:60]!r} is a template; write the full path, or remove the key to use content.permalink"
        raise fields.error(key, reason)
    is_web = url_scheme(link) in ("http", "https")
    if (
        link.startswith("//")
        or "\\" in link
        or absolute_url(link, "https://site.invalid/") is None
        or (url_scheme(link) and not is_web)
    ):
        raise fields.error(key, f"{link[:60]!r} is neither a path on the site nor an http(s) URL")
    if is_web:
        return link
    return "/" + to_safe_path(link) + ("/" if link.endswith("/") and to_safe_path(link) else "")
