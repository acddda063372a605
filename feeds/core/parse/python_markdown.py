"""Converts the dialect of Python-Markdown, which Pelican and MkDocs use, to HTML.

Besides Python-Markdown's own extensions, the most common ones of pymdown-extensions are active: code blocks in lists
and quotes, task lists, struck text. Two rules differ from Python-Markdown:

**Admonitions become block quotes**, as in the other dialects, because feed readers have no style sheet for them.

**A list may follow a paragraph line directly**, as in CommonMark (section 5.3); Python-Markdown requires a blank line.
A bullet list may interrupt a paragraph. An ordered list may interrupt it only if it starts with 1, so that a line of
text that begins with "2022." stays in its paragraph.
"""

import re
from collections.abc import Callable
from html import escape
from typing import Any
from xml.etree.ElementTree import Element

import markdown
from markdown.blockprocessors import BlockProcessor
from markdown.extensions import Extension
from markdown.treeprocessors import InlineProcessor

from feeds.core.parse import admonitions
from feeds.core.wording import ENGLISH, Wording

# the beginning of code, escapes, links, images, HTML, entities, emphasis, struck text or breaks
_INLINE = re.compile(r"[`\\\[!<&*_~\x02]|  \n")
_QUOTE_SEPARATOR = "<!--feeds:between-quotes-->"  # Python-Markdown joins quotes that only a blank line separates
_SEPARATOR_HTML = re.compile(rf"(?:<p>\s*+)?{_QUOTE_SEPARATOR}(?:\s*</p>)?\n*+")
_FOOTNOTE_TITLE = re.compile(r'(?<=" )title="Jump back to footnote (\d+) in the text"')  # Python-Markdown's own
_INTERRUPTS = re.compile(r"\n(?=[ ]{0,3}(?:[*+-]|1\.)[ ]+\S)")


class _ListAfterParagraph(BlockProcessor):
    """Splits the block of a paragraph where a list begins."""

    def test(self, _parent: Element, block: str) -> bool:
        """Return whether a line other than the first begins a list."""
        return _INTERRUPTS.search(block) is not None

    def run(self, parent: Element, blocks: list[str]) -> None:
        """Parse the lines before the list as a paragraph, and leave the list as the next block."""
        paragraph, items = _INTERRUPTS.split(blocks.pop(0), maxsplit=1)
        blocks.insert(0, items)
        self.parser.parseBlocks(parent, [paragraph])


class _PlainTextShortcut(InlineProcessor):
    """Skips text in which no inline pattern can match, which is most text, to save time."""

    def _InlineProcessor__handleInline(self, data: str, patternIndex: int = 0) -> str:  # noqa: N802, N803  # Python-Markdown's names
        if not _INLINE.search(data):
            return data
        handle: Callable[[str, int], str] = super()._InlineProcessor__handleInline  # type: ignore[misc]
        return handle(data, patternIndex)


class _FeedsExtension(Extension):
    def extendMarkdown(self, md: markdown.Markdown) -> None:  # noqa: N802  # Python-Markdown's name
        """Register the list rule after all rules that may claim a block (15 and up) and before the paragraph (10)."""
        md.parser.blockprocessors.register(_ListAfterParagraph(md.parser), "list-after-paragraph", 12)
        md.treeprocessors.register(_PlainTextShortcut(md), "inline", 20)  # replaces Python-Markdown's


class PythonMarkdown:
    """Converts Markdown to HTML with Python-Markdown. Not thread-safe; runs in the sandbox."""

    def __init__(self) -> None:
        self._markdown = _converter()

    def convert(self, text: str, wording: Wording = ENGLISH) -> str:
        """Return the HTML of a text, with the titles of alerts and footnotes in `wording`.

        Raise any exception of Python-Markdown, such as `RecursionError`.
        """
        try:
            quotes = admonitions.to_quotes(text, separator=_QUOTE_SEPARATOR, wording=wording)
            html = self._markdown.reset().convert(quotes)
        except BaseException:
            self._markdown = _converter()  # the old one may still be in the state of parsing a list
            raise
        if wording is not ENGLISH and "footnote-backref" in html:
            html = _FOOTNOTE_TITLE.sub(lambda match: f'title="{wording.footnote.format(number=match[1])}"', html)
        return _SEPARATOR_HTML.sub("", html) if _QUOTE_SEPARATOR in html else html


def _converter() -> markdown.Markdown:
    return markdown.Markdown(
        extensions=[*_EXTENSIONS, _FeedsExtension()], extension_configs=_OPTIONS, output_format="html"
    )


def _code(source: str, language: str, _class: str, _options: object, _converter: object, **_attributes: object) -> str:
    """Return the HTML of a code block without syntax highlighting."""
    kind = f' class="language-{escape(language)}"' if language else ""
    return f"<pre><code{kind}>{escape(source, quote=False)}\n</code></pre>"


def _any_header(*_header: object) -> bool:
    """Accept any text after the language of a fence."""
    return True


_EXTENSIONS = (
    # the extensions of `extra`, except for fenced_code, which doesn't support fences in lists
    *("abbr", "attr_list", "def_list", "footnotes", "md_in_html", "tables"),
    *("sane_lists", "toc", "pymdownx.superfences", "pymdownx.tasklist", "pymdownx.tilde"),
)
_OPTIONS: dict[str, dict[str, Any]] = {
    "pymdownx.superfences": {
        "relaxed_headers": True,
        "custom_fences": [{"name": "*", "class": "", "format": _code, "validator": _any_header}],
    },
    "pymdownx.tilde": {"subscript": False},  # Pelican has no subscript: ~x~ is text
}
