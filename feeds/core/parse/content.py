"""Renders an article's Markdown body to its `Content`: sanitised HTML and a summary."""

import re
from html import escape, unescape
from typing import Literal, NamedTuple, Protocol

from feeds.core.errors import ArticleError
from feeds.core.model import Content
from feeds.core.parse import html
from feeds.core.parse.commonmark import CommonMark
from feeds.core.parse.links import Links
from feeds.core.text import clean, one_line, truncate
from feeds.core.wording import ENGLISH, Wording, wording_of

Dialect = Literal["gfm", "obsidian", "python-markdown"]

_NO_LINKS = Links()
# marks the end of the excerpt while the HTML is sanitised
_MARK_ID = "feeds:end-of-excerpt"
_EXCERPT_END = re.compile(
    r"<!--\s*(?:more|truncate|excerpt|read more|endexcerpt)\s*-->"
    r"|(?<=<p>)\{/\*\s*(?:more|truncate|excerpt)\s*\*/\}(?=</p>)"
    r"|(?<=<p>)\{(?:&lt;)?!--\s*(?:more|truncate|excerpt)\s*--(?:&gt;)?\}(?=</p>)",
    re.IGNORECASE,
)
_PARAGRAPH = re.compile(r"<p(?:\s[^<>]*)?>((?:[^<]++|<(?!/?p[\s>]))*+)</p>")
# template tags of other generators at the beginning of a paragraph
_TEMPLATE = re.compile(r"(?:\{\{[<%][^{}]*[>%]\}\}\s*|\{%[^{}]*%\}\s*|\{#[^{}]*#\}\s*)+")
_BLOCK_END = re.compile(r"</(?:p|li|div|h[1-6]|t[dhr]|blockquote|pre|figure|figcaption|d[td])>|<br>")
_FOOTNOTE_MARK = re.compile(r'<sup id="[\w-]*fnref[^"]*"><a [^>]*>[^<]*</a></sup>')
_CALLOUT_TITLE = re.compile(r"<blockquote>\n<p><strong>[^<]*</strong></p>")
_ANY_TAG = re.compile(r"<[^<>]*>")
_TAG_NAME = re.compile(r"<(/?)([a-z][a-z0-9]*)")
_VOID_ELEMENTS = frozenset({"area", "br", "col", "hr", "img", "input", "source", "track", "wbr"})
_HEADING = re.compile(r"<h1(?:\s[^<>]*)?>((?:(?!<h1).){0,2000}?)</h1>", re.DOTALL)
_OPENING_HEADING = re.compile(r"\s*<h1(?:\s[^<>]*)?>(.{0,2000}?)</h1>\s*", re.DOTALL)
_MAX_SALUTATION_LENGTH = 50  # characters of a paragraph such as "Dear readers," which the next paragraph continues
_MAX_SUMMARY_LENGTH = 500  # characters
_MAX_TITLE_LENGTH = 300  # characters of a title that is taken from a heading


class Engine(Protocol):
    """Converts Markdown to HTML, which is not sanitised."""

    def convert(self, text: str, wording: Wording = ENGLISH) -> str:
        """Return the HTML of a text, with the program's own text in `wording`.

        Raise `ArticleError` if the engine can't convert it.
        """


class MarkdownRenderer:
    """Renders the bodies of articles in one dialect.

    Thread-safe, except for "python-markdown", whose engine keeps state and runs in the sandbox.
    """

    def __init__(self, dialect: Dialect = "gfm") -> None:
        self._engine = create_engine(dialect)

    def start(self) -> None:
        """Do nothing. `Sandbox`, which has the same interface, starts its process here."""

    def convert(self, body: str) -> str:
        """Return the HTML of a body before it is sanitised. Raise `ArticleError` if it can't be rendered."""
        max_length = html.max_html_length(body)
        converted = _clean_html(self._engine.convert(body), max_length)
        html.require_convertible(converted, max_length)
        return converted

    def render(
        self,
        body: str,
        summary: str | None,
        base: str,
        prefix: str,
        title: str = "",
        links: Links = _NO_LINKS,
        language: str = ENGLISH.language,
    ) -> Content:
        """Return the content of a body.

        Args:
            body: Markdown.
            summary: the summary in the front matter; None: use the excerpt or, if there is none, the first paragraph.
            base: the article's absolute URL.
            prefix: the prefix that makes the ids of the body unique in a document.
            title: the article's title; a level-1 heading with this text is omitted at the beginning of the body.
            links: the URLs of links to the files of other articles.
            language: the article's language, used for text that this program adds, such as the titles of alerts.

        Raises:
            ArticleError: the body can't be rendered.
        """
        max_length, wording = html.max_html_length(body), wording_of(language)
        converted = _clean_html(self._engine.convert(body, wording), max_length)
        if "!--" in converted or "{/*" in converted:  # searching for these first is faster
            converted = _EXCERPT_END.sub(f'<span id="{_MARK_ID}"></span>', converted, count=1)
        rendered = html.sanitize(converted, base, prefix, links, max_length, wording)
        excerpt, mark, rest = rendered.partition(f'<span id="{prefix}{_MARK_ID}"></span>')
        if mark:
            rendered = (excerpt.removesuffix("\n") + rest).replace("<p></p>", "")
        if title and (opening := _OPENING_HEADING.match(rendered)) and _text_of(opening[1]) == title:
            rendered = rendered[opening.end() :]
            excerpt = excerpt[opening.end() :]
        if mark:
            beginning = _Beginning(_text_of(excerpt) if summary is None else summary, _close_elements(excerpt))
        else:
            beginning = _first_paragraph(rendered) if summary is None else _Beginning(summary)
        text = truncate(beginning.text, _MAX_SUMMARY_LENGTH)
        html_ = beginning.html
        if not html_ or (not mark and len(beginning.text) > _MAX_SUMMARY_LENGTH):
            html_ = f"<p>{escape(text, quote=False)}</p>" if text else rendered.strip()
        return Content(rendered.strip(), text, _FOOTNOTE_MARK.sub("", html_) if "<sup" in html_ else html_)


class _Beginning(NamedTuple):
    """The beginning of an article as text, and as HTML; "" if it has no HTML of its own."""

    text: str
    html: str = ""


def _clean_html(converted: str, max_length: int) -> str:
    """Return HTML without characters that XML forbids. Raise `ArticleError` if it has more than `max_length`."""
    html.require_length(converted, max_length)
    return clean(converted)


def create_engine(dialect: Dialect) -> Engine:
    """Return the engine of a dialect."""
    if dialect == "python-markdown":
        from feeds.core.parse.python_markdown import PythonMarkdown  # slow to import

        return PythonMarkdown()
    return CommonMark(dialect)


def first_heading(body: str, dialect: Dialect = "gfm") -> str:
    """Return the text of the first level-1 heading of a body, or "" if it has none."""
    if "#" not in body and "\n=" not in body and "<h1" not in body:
        return ""
    try:
        converted = clean((_OBSIDIAN if dialect == "obsidian" else _COMMON_MARK).convert(body))
        heading = _HEADING.search(converted)
        return _text_of(html.sanitize(heading[1], "https://site.invalid/", ""))[:_MAX_TITLE_LENGTH] if heading else ""
    except (ArticleError, ValueError):
        return ""


_COMMON_MARK, _OBSIDIAN = CommonMark(), CommonMark("obsidian")


def plain_text_content(body: str, summary: str | None) -> Content:
    """Return the source of a body, split into paragraphs, as the content of an article that can't be rendered."""
    paragraphs = [part.strip() for part in clean(body).split("\n\n") if part.strip()]
    rendered = "\n".join(f"<p>{escape(part, quote=False)}</p>" for part in paragraphs)
    text = truncate(summary or " ".join(paragraphs[:1]), _MAX_SUMMARY_LENGTH)
    return Content(rendered, text, f"<p>{escape(text, quote=False)}</p>" if text else "")


def _first_paragraph(rendered: str) -> _Beginning:
    """Return the first paragraph with text. If it is a salutation, add the next paragraph."""
    first = _Beginning("")
    for match in _PARAGRAPH.finditer(_CALLOUT_TITLE.sub("", rendered)):
        text, html_ = _text_of(match[1]), match[0]
        if tags := _TEMPLATE.match(text):
            text, html_ = text[tags.end() :], ""
        if not text:
            continue
        if first.text:
            return _Beginning(
                f"{first.text} {text}".rstrip(" ,"), f"{first.html}\n{html_}" if first.html and html_ else ""
            )
        first = _Beginning(text, html_)
        if not text.endswith(",") or len(text) > _MAX_SALUTATION_LENGTH:
            return first
    return _Beginning(first.text.rstrip(" ,") or _text_of(rendered), first.html)


def _close_elements(fragment: str) -> str:
    """Return a truncated part of sanitised HTML with end tags for the elements that are still open."""
    names = list[str]()
    for slash, name in _TAG_NAME.findall(fragment):
        if not slash and name not in _VOID_ELEMENTS:
            names.append(name)
        elif slash and names and names[-1] == name:
            names.pop()
    closed = fragment.rstrip() + "".join(f"</{name}>" for name in reversed(names))
    return closed.replace("<p></p>", "").strip()


def _text_of(rendered: str) -> str:
    """Return the text of sanitised HTML, in which every `<` and `>` belongs to a tag."""
    return one_line(unescape(_ANY_TAG.sub("", _BLOCK_END.sub(" ", _FOOTNOTE_MARK.sub("", rendered)))))
