"""An article's body in Markdown -> its `Content`: one conversion produces the HTML, the summary and the title."""

import re
from html import escape, unescape
from typing import Literal, Protocol

from feeds.errors import Refused
from feeds.model import Content
from feeds.parse import html
from feeds.parse.commonmark import CommonMark
from feeds.parse.links import Links
from feeds.text import clean, one_line, shortened

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
# what a paragraph may begin with that only another generator understands
_TEMPLATE = re.compile(r"(?:\{\{[<%][^{}]*[>%]\}\}\s*|\{%[^{}]*%\}\s*|\{#[^{}]*#\}\s*)+")
_BLOCK_END = re.compile(r"</(?:p|li|div|h[1-6]|t[dhr]|blockquote|pre|figure|figcaption|d[td])>|<br>")
_FOOTNOTE_MARK = re.compile(r'<sup id="[\w-]*fnref[^"]*"><a [^>]*>[^<]*</a></sup>')
_CALLOUT_TITLE = re.compile(r"<blockquote>\n<p><strong>[^<]*</strong></p>")
_ANY_TAG = re.compile(r"<[^<>]*>")
_HEADING = re.compile(r"<h1(?:\s[^<>]*)?>((?:(?!<h1).){0,2000}?)</h1>", re.DOTALL)
_OPENING_HEADING = re.compile(r"\s*<h1(?:\s[^<>]*)?>(.{0,2000}?)</h1>\s*", re.DOTALL)
_LONGEST_GREETING = 50  # characters of a paragraph that the next one continues
_LONGEST_SUMMARY = 500  # characters
_MAX_HEADING = 300  # characters of a title that is taken from a heading


class Engine(Protocol):
    """Converts Markdown to HTML that is not sanitised."""

    def convert(self, text: str) -> str:
        """Return the HTML of a text. Raises `Refused` for a text that it can't convert."""


class Renderer:
    """Renders the bodies of articles of one dialect.

    Safe for several threads, except for Python-Markdown, which keeps state and runs in the sandbox.
    """

    def __init__(self, dialect: Dialect = "gfm") -> None:
        self._engine = engine(dialect)

    def start(self) -> None:
        """Do nothing: there is no process to start."""

    def converted(self, body: str) -> str:
        """Return the HTML of a body before it is sanitised. Raises `Refused` if it can't be rendered."""
        most = html.most_of(body)
        converted = _bounded(self._engine.convert(body), most)
        html.require_moderate(converted, most)
        return converted

    def content(
        self, body: str, summary: str | None, base: str, prefix: str, title: str = "", links: Links = _NO_LINKS
    ) -> Content:
        """Return what a body becomes.

        Args:
            body: Markdown.
            summary: the front matter's; if None, the text before the excerpt's end, else the first paragraph.
            base: the article's absolute URL.
            prefix: makes the ids of the body unique in a document.
            title: the article's; a level-1 heading with the same text is left out where it opens the body.
            links: where links to the files of other articles lead.

        Raises:
            Refused: the body can't be rendered.
        """
        most = html.most_of(body)
        converted = _bounded(self._engine.convert(body), most)
        if "!--" in converted or "{/*" in converted:  # which is found in less time than the end of the excerpt
            converted = _EXCERPT_END.sub(f'<span id="{_MARK_ID}"></span>', converted, count=1)
        rendered = html.fit(converted, base, prefix, links, most)
        excerpt, mark, rest = rendered.partition(f'<span id="{prefix}{_MARK_ID}"></span>')
        if mark:
            rendered = (excerpt.removesuffix("\n") + rest).replace("<p></p>", "")
        if title and (opening := _OPENING_HEADING.match(rendered)) and _plain(opening[1]) == title:
            rendered = rendered[opening.end() :]
            excerpt = excerpt[opening.end() :]
        if summary is None:
            summary = _plain(excerpt) if mark else _first_paragraph(rendered)
        return Content(rendered.strip(), shortened(summary, _LONGEST_SUMMARY))


def _bounded(converted: str, most: int) -> str:
    """Return HTML without characters that a feed can't carry. Raise `Refused` if it has more than `most`."""
    html.require_small(converted, most)
    return clean(converted)


def engine(dialect: Dialect) -> Engine:
    """Return the engine of a dialect."""
    if dialect == "python-markdown":
        from feeds.parse.python_markdown import PythonMarkdown  # which takes long to import

        return PythonMarkdown()
    return CommonMark(dialect)


def heading(body: str, dialect: Dialect = "gfm") -> str:
    """Return the text of the first level-1 heading of a body, "" if there is none."""
    if "#" not in body and "\n=" not in body and "<h1" not in body:
        return ""
    try:
        converted = clean((_OBSIDIAN if dialect == "obsidian" else _COMMON_MARK).convert(body))
        found = _HEADING.search(converted)
        return _plain(html.fit(found[1], "https://site.invalid/", ""))[:_MAX_HEADING] if found else ""
    except (Refused, ValueError):
        return ""


_COMMON_MARK, _OBSIDIAN = CommonMark(), CommonMark("obsidian")


def as_plain_text(body: str, summary: str | None) -> Content:
    """Return the body as it was typed, in paragraphs: the last resort for what can't be rendered."""
    paragraphs = [part.strip() for part in clean(body).split("\n\n") if part.strip()]
    rendered = "\n".join(f"<p>{escape(part, quote=False)}</p>" for part in paragraphs)
    return Content(rendered, shortened(summary or " ".join(paragraphs[:1]), _LONGEST_SUMMARY))


def _first_paragraph(rendered: str) -> str:
    found = (_plain(match[1]) for match in _PARAGRAPH.finditer(_CALLOUT_TITLE.sub("", rendered)))
    texts = (left for text in found if (left := text[match.end() :] if (match := _TEMPLATE.match(text)) else text))
    first = next(texts, "")
    if first.endswith(",") and len(first) <= _LONGEST_GREETING:
        first = f"{first} {next(texts, '')}".rstrip(" ,")
    return first or _plain(rendered)


def _plain(rendered: str) -> str:
    """Return the text of HTML that is sanitised, in which every `<` and `>` belongs to a tag."""
    return one_line(unescape(_ANY_TAG.sub("", _BLOCK_END.sub(" ", _FOOTNOTE_MARK.sub("", rendered)))))
