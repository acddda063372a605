"""The text of one file -> an Article.

What can't be read raises `errors.Refused`; an unusable value of a secondary field is left out, with a warning.
"""

import re
from datetime import UTC, datetime, tzinfo
from difflib import get_close_matches

from feeds.article_files import article_name, is_mdx
from feeds.errors import Refused
from feeds.model import Article, Warned
from feeds.parse import dates, frontmatter, mdx
from feeds.parse.content import Dialect, heading
from feeds.parse.fields import Fields, People
from feeds.parse.keys import canonical
from feeds.text import absolute, clean, in_words, one_line, safe_path, scheme

LARGEST = 1024 * 1024  # bytes of one file
# files that stand among articles and are none, by their names in lower case without suffix
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
_OF_ARTICLES = frozenset({"tags", "categories", "category", "draft", "keywords"})
_NUMBER = re.compile(r"[\d\W_]*(?:\d[tT]\d[\d\W_]*[zZ]?)?")  # or a time, such as 20240501T101500Z
_NO_DATE = "no date, so it is taken for a page and left out; give it a `date`, or name it in content.exclude"
_PLAIN = bytes(range(0x20, 0x7F)) + b"\n\t"  # what `clean` leaves as it is
_BOMS = {b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16"}
_NO_DATE_YET = datetime(1970, 1, 1, tzinfo=UTC)  # of a draft that has none
_NO_PERMALINKS = {
    "false",
    "date",
    "pretty",
    "ordinal",
    "weekdate",
    "none",
}  # Eleventy's and Jekyll's, which say no path
_TEMPLATE = re.compile(r"\{[{%]|/:[a-z]")
_METADATA = re.compile(r"\s*[A-Za-z_-]{2,20}: \S[^\n]*\n(?:[A-Za-z_-]{2,20}:[^\n]*\n)*\s*\n")
_DATE_OF_NAME = re.compile(r"\d{4}-\d\d-\d\d")


def read(data: bytes, path: str, zone: tzinfo, people: People | None = None, dialect: Dialect = "gfm") -> Article:
    """Return the article in the bytes of a file.

    Args:
        data: The bytes of the whole file.
        path: The path of the file below the content folder, with "/".
        zone: The time zone of dates that name none.
        people: The entries of the authors.yml that belongs to the file.
        dialect: That of its Markdown.

    Raises:
        Refused: If it can't be read, with the line; nothing else is raised.
    """
    try:
        return _read(data, path, zone, people, dialect)
    except (ValueError, TypeError, RecursionError, OverflowError) as error:  # integers of 5,000 digits and their like
        raise Refused(f"can't be parsed: {one_line(str(error))[:100]}") from None


def _read(data: bytes, path: str, zone: tzinfo, people: People | None, dialect: Dialect) -> Article:
    text = _decode(data)
    matter, body = frontmatter.read(text)
    fields = Fields(matter, zone, people)
    if is_mdx(path):
        body, lost = mdx.as_markdown(body, 1 + text.count("\n") - body.count("\n"))
        fields.warnings += lost
    name = article_name(path)
    named_date, file_name = dates.from_name(name.rpartition("/")[2], zone)
    given_slug = safe_path(fields.text("slug") or "")
    slug = given_slug or safe_path(file_name) or "article"
    folders = path.split("/")[:-1]
    jekyll = "_posts" in folders or "_drafts" in folders
    draft = fields.is_withheld() or "_drafts" in folders
    published = fields.date("published") or named_date or fields.date("dated") or _date_of_path(matter, path, zone)
    embargo = fields.latest_date("embargo")
    if published is None:
        if not (draft or _is_page(matter, name, jekyll=jekyll)):
            raise Refused(f"no date: {_why_no_date(matter, body, name)}")
        if not draft:
            fields.warnings.append(Warned(1, "undated-page", _NO_DATE))
        draft, published = True, _NO_DATE_YET
    title = fields.text("title")
    if title is None:
        title = heading(body, dialect)
    return Article(
        path=path,
        name=name,
        title=title or ("" if _NUMBER.fullmatch(slug.rpartition("/")[2]) else in_words(slug)),
        published=published,
        updated=fields.optional_date("updated") or published,
        body=body,
        slug=slug,
        slug_given=bool(given_slug),
        id=fields.text("id"),
        link=_link(fields),
        categories=fields.names("categories", words="categories" if jekyll else ""),
        tags=fields.names("tags", commas=True, words="tags" if jekyll else ""),
        authors=fields.authors(),
        summary=fields.optional_text("summary"),
        image=fields.image(),
        enclosures=fields.enclosures(),
        language=fields.language(),
        draft=draft,
        expires=fields.optional_date("expires"),
        live_from=embargo if embargo and embargo > published else None,
        listed=fields.is_listed(),
        canonical=fields.url("canonical"),
        external_url=fields.url("external_url"),
        warnings=tuple(fields.warnings),
    )


def _date_of_path(matter: frontmatter.FrontMatter, path: str, zone: tzinfo) -> datetime | None:
    """Return the date in the folders of a file (`2019/05/28/x.md`), or in Zola's `path`."""
    moment = dates.from_folders(path, zone)
    zola = matter.get("path")
    return moment or (dates.from_folders(f"{zola.strip('/')}/", zone) if isinstance(zola, str) else None)


def _is_page(matter: frontmatter.FrontMatter, name: str, *, jekyll: bool) -> bool:
    """Return whether a file without a date is a page such as about.md, and not an article whose date is missing."""
    keys = {canonical(key): key for key in matter}
    if jekyll or keys.keys() & _OF_ARTICLES or _close_to_date(matter):
        return False
    if any(str(matter[keys[key]]).lower() in _PAGE_LAYOUTS for key in _LAYOUT_KEYS & keys.keys()):
        return True
    return name.rpartition("/")[2].lower() in _PAGES


def _why_no_date(matter: frontmatter.FrontMatter, body: str, name: str) -> str:
    """Say what the author may have meant to be the date."""
    if _METADATA.match(body):
        return "what stands at its beginning is metadata only with a `Title:`, or between two lines ---"
    if date := _DATE_OF_NAME.match(name.rpartition("/")[2]):
        return f"{date[0]} in its name is no day"
    close = _close_to_date(matter)
    meant = f" (did you mean that by `{close[0]}`?)" if close else ""
    return f"give it a `date`{meant}, or a file name like 2026-01-24-a-title.md"


def _close_to_date(matter: frontmatter.FrontMatter) -> list[str]:
    keys = (key for key, value in matter.items() if not isinstance(value, bool))  # `publish: true` is no date
    return [key for key in keys if get_close_matches(key.lower(), ["date", "published", "pubdate"], 1, 0.7)]


def _decode(data: bytes) -> str:
    if len(data) > LARGEST:
        raise Refused(f"larger than {LARGEST // 1024} KiB")
    if coding := _BOMS.get(data[:2]):
        raise Refused(f"saved as {coding}; save it as UTF-8")
    if data.isascii() and not data.translate(None, _PLAIN):  # as nearly every English text: told in microseconds
        text = data.decode("ascii")
        if text.isspace() or not text:
            raise Refused("empty")
        return text
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise Refused(f"not UTF-8: byte 0x{data[error.start]:02x}; save it as UTF-8", line) from None
    if not (text := clean(text)).strip():
        raise Refused("empty")
    return text


def _link(fields: Fields) -> str | None:
    link = fields.text("link")
    key = fields.key_of("link")
    if link is None or (key.lower() == "permalink" and link in _NO_PERMALINKS):
        return None
    if _TEMPLATE.search(link):
        reason = f"{link[:60]!r} is a template; write the path out, or leave it to content.permalink"
        raise fields.refused(key, reason)
    web = scheme(link) in ("http", "https")
    if (
        link.startswith("//")
        or "\\" in link
        or absolute(link, "https://site.invalid/") is None
        or (scheme(link) and not web)
    ):
        raise fields.refused(key, f"{link[:60]!r} is neither a path on the site nor an http(s) URL")
    if web:
        return link
    return "/" + safe_path(link) + ("/" if link.endswith("/") and safe_path(link) else "")
