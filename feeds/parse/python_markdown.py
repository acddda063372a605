"""The dialect of Python-Markdown, which Pelican and MkDocs use -> HTML, and one rule more.

**A list right after a paragraph line is a list.** CommonMark, GitHub and every editor's preview say so;
Python-Markdown wants a blank line before it. As in CommonMark (section 5.3), bullets may interrupt a paragraph, and an
ordered list only if it starts with 1, so that a line that happens to begin with "2022." stays where it is.
"""

import re
from collections.abc import Callable
from xml.etree.ElementTree import Element

import markdown
from markdown.blockprocessors import BlockProcessor
from markdown.extensions import Extension
from markdown.treeprocessors import InlineProcessor

_INLINE = re.compile(r"[`\\\[!<&*_\x02]|  \n")  # begins code, escapes, links, images, HTML, entities, emphasis, breaks
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
            return self._markdown.reset().convert(text)
        except BaseException:
            self._markdown = _converter()  # one that was interrupted would take the next article for a list
            raise


def _converter() -> markdown.Markdown:
    extensions: list[str | Extension] = ["extra", "admonition", "sane_lists", "toc", _Ours()]
    return markdown.Markdown(extensions=extensions, output_format="html")
