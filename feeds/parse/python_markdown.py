"""The dialect of Python-Markdown, which Pelican and MkDocs use -> HTML, and two rules more.

Besides Python-Markdown's own extensions it has those of pymdown-extensions that sites use most: code blocks in lists
and quotes, tasks, struck text.

**Admonitions are quotes**, as in the other dialects: readers have no style sheet for them.

**A list right after a paragraph line is a list.** CommonMark, GitHub and every editor's preview say so;
Python-Markdown wants a blank line before it. As in CommonMark (section 5.3), bullets may interrupt a paragraph, and an
ordered list only if it starts with 1, so that a line that happens to begin with "2022." stays where it is.
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

from feeds.parse import admonitions

# begins code, escapes, links, images, HTML, entities, emphasis, struck text, breaks
_INLINE = re.compile(r"[`\\\[!<&*_~\x02]|  \n")
_BETWEEN_QUOTES = "<!--feeds:between-quotes-->"  # Python-Markdown joins quotes with only a blank line between
_WITHOUT = re.compile(rf"(?:<p>\s*+)?{_BETWEEN_QUOTES}(?:\s*</p>)?\n*+")
_INTERRUPTS = re.compile(r"\n(?=[ ]{0,3}(?:[*+-]|1\.)[ ]+\S)")


class _ListAfterParagraph(BlockProcessor):
    """Cuts a paragraph's block in two where a list begins."""

    def test(self, _parent: Element, block: str) -> bool:
        """Tell whether a line but the first begins a list."""
        return _INTERRUPTS.search(block) is not None

    def run(self, parent: Element, blocks: list[str]) -> None:
        """Make a paragraph of what comes before, and leave the list as the next block."""
        paragraph, items = _INTERRUPTS.split(blocks.pop(0), maxsplit=1)
        blocks.insert(0, items)
        self.parser.parseBlocks(parent, [paragraph])


class _PlainIsPlain(InlineProcessor):
    """Passes text on in which nothing stands that any inline pattern begins with: most text, a third of the time."""

    def _InlineProcessor__handleInline(self, data: str, patternIndex: int = 0) -> str:  # noqa: N802, N803  # theirs
        if not _INLINE.search(data):
            return data
        handle: Callable[[str, int], str] = super()._InlineProcessor__handleInline  # type: ignore[misc]
        return handle(data, patternIndex)


class _Ours(Extension):
    def extendMarkdown(self, md: markdown.Markdown) -> None:  # noqa: N802  # Python-Markdown's name
        """Put the rule just above the paragraph (10), below all others that may claim a block (15 and up)."""
        md.parser.blockprocessors.register(_ListAfterParagraph(md.parser), "list-after-paragraph", 12)
        md.treeprocessors.register(_PlainIsPlain(md), "inline", 20)  # in the place of theirs


class PythonMarkdown:
    """Converts Markdown with Python-Markdown, for sites that were written for it. For one thread, in the sandbox."""

    def __init__(self) -> None:
        self._markdown = _converter()

    def convert(self, text: str) -> str:
        """Return the HTML of a text. Raises whatever Python-Markdown raises, `RecursionError` among others."""
        try:
            html = self._markdown.reset().convert(admonitions.as_quotes(text, separator=_BETWEEN_QUOTES))
        except BaseException:
            self._markdown = _converter()  # one that was interrupted would take the next article for a list
            raise
        return _WITHOUT.sub("", html) if _BETWEEN_QUOTES in html else html


def _converter() -> markdown.Markdown:
    return markdown.Markdown(extensions=[*_EXTENSIONS, _Ours()], extension_configs=_OPTIONS, output_format="html")


def _code(source: str, language: str, _class: str, _options: object, _converter: object, **_attributes: object) -> str:
    """Return the HTML of a code block, without what highlights it."""
    kind = f' class="language-{escape(language)}"' if language else ""
    return f"<pre><code{kind}>{escape(source, quote=False)}\n</code></pre>"


def _any_header(*_header: object) -> bool:
    """Accept whatever stands after the language of a fence."""
    return True


_EXTENSIONS = (
    # those of `extra`, but for fenced_code, which knows no fence in a list
    *("abbr", "attr_list", "def_list", "footnotes", "md_in_html", "tables"),
    *("sane_lists", "toc", "pymdownx.superfences", "pymdownx.tasklist", "pymdownx.tilde"),
)
_OPTIONS: dict[str, dict[str, Any]] = {
    "pymdownx.superfences": {
        "relaxed_headers": True,
        "custom_fences": [{"name": "*", "class": "", "format": _code, "validator": _any_header}],
    },
    "pymdownx.tilde": {"subscript": False},  # Pelican has none, so that ~x~ is text there
}
