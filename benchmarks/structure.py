"""Compare the structure of rendered articles with GitHub's converter: python benchmarks/structure.py FOLDER [...].

Each FOLDER has articles that people wrote, such as a public blog. feeds and cmarkgfm (cmark-gfm, GitHub's converter,
with footnotes) render each article; the front matter, MDX and HTML passes of feeds apply to both. The structure
consists of the code blocks, list items with their depth, tables with rows and cells, quotes with their depth, and
headings, in their order.

GitHub's converter supports neither admonitions (`:::note`, `!!! note`) nor tags around code (`{% highlight %}`). If an
article differs, it is compared again, with quotes and fences in their place.

Print for each folder how many articles have the same structure, the first difference in each other article, the
rejected articles, and the median CPU time per article in milliseconds.
"""

import argparse
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from itertools import zip_longest
from pathlib import Path

import cmarkgfm
from cmarkgfm.cmark import Options

from feeds.core.article_files import SUFFIXES, is_mdx
from feeds.core.errors import ArticleError
from feeds.core.parse import frontmatter, html, mdx
from feeds.core.parse.admonitions import to_quotes
from feeds.core.parse.content import MarkdownRenderer
from feeds.core.parse.templates import to_fences

BASE = "https://bench.example/a/"
OPTIONS = Options.CMARK_OPT_UNSAFE | Options.CMARK_OPT_FOOTNOTES
LISTS = {"ul", "ol"}
NESTED = {"li", "blockquote"}  # compared with their depth
COMPARED = {"pre", "table", "tr", "td", "th", "h1", "h2", "h3", "h4", "h5", "h6"}


class Structure(HTMLParser):
    """Collects the compared elements, each with the beginning of its text."""

    def __init__(self, rendered: str) -> None:
        super().__init__()
        self.elements: list[str] = []
        self.texts: list[str] = []
        self._lists = self._quotes = 0
        self.feed(rendered)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Add an element."""
        del attrs
        self._lists += tag in LISTS
        self._quotes += tag == "blockquote"
        if tag in NESTED:
            self._add(f"{tag} of depth {self._lists if tag == 'li' else self._quotes}")
        elif tag in COMPARED:
            self._add(tag)

    def handle_endtag(self, tag: str) -> None:
        """Leave an element."""
        self._lists -= tag in LISTS
        self._quotes -= tag == "blockquote"

    def handle_data(self, data: str) -> None:
        """Add text to the last element."""
        if self.texts and len(self.texts[-1]) < 40:
            self.texts[-1] = " ".join(f"{self.texts[-1]}{data}".split())[:40]

    def _add(self, element: str) -> None:
        self.elements.append(element)
        self.texts.append("")

    def describe(self, index: int) -> str:
        """Return a text that describes an element."""
        return f"{self.elements[index]} {self.texts[index]!r}" if index < len(self.elements) else "nothing"


@dataclass
class Comparison:
    """The results for one folder."""

    same: int = 0
    extended: int = 0
    different: list[str] = field(default_factory=list)
    rejected: list[str] = field(default_factory=list)
    invalid_front_matter: list[str] = field(default_factory=list)
    milliseconds: list[float] = field(default_factory=list)

    def add(self, name: str, text: str, renderer: MarkdownRenderer) -> None:
        """Read, render and compare one article."""
        try:
            body = frontmatter.split_front_matter(text).body
        except ArticleError as error:
            self.invalid_front_matter.append(f"{name}:{error.line}: {error.reason}")
            return
        if is_mdx(name):
            body, _ = mdx.to_markdown(body, 1)
        began = time.process_time()
        try:
            rendered = renderer.render(body, None, BASE, "e-").html
        except ArticleError as error:
            self.rejected.append(f"{name}: {error.reason}")
            return
        self.milliseconds.append((time.process_time() - began) * 1000)
        structure = Structure(rendered)
        difference = _difference(structure, _reference(body))
        if not difference:
            self.same += 1
        elif _difference(structure, _reference(to_quotes(to_fences(body)))):
            self.different.append(f"{name}: {difference}")
        else:
            self.extended += 1

    def report(self, folder: Path) -> Iterator[str]:
        """Yield the lines to print."""
        alike, different = self.same + self.extended, len(self.different)
        count = alike + different + len(self.rejected)
        yield (
            f"{folder}: {count} articles; same structure: {alike} ({100 * alike / max(count, 1):.2f} %), of which "
            f"{self.extended} with admonitions or tags around code; different: {different}; "
            f"rejected because of their Markdown: {len(self.rejected)}; "
            f"invalid front matter: {len(self.invalid_front_matter)}; "
            f"median: {statistics.median(self.milliseconds or [0]):.2f} ms of CPU"
        )
        for result in ("different", "rejected", "invalid_front_matter"):
            yield from (f"  {result.replace('_', ' ')}: {line}" for line in getattr(self, result))


def _reference(body: str) -> Structure:
    """Return the structure of a text that GitHub's converter renders."""
    return Structure(html.sanitize(cmarkgfm.github_flavored_markdown_to_html(body, OPTIONS), BASE, "e-"))


def _difference(structure: Structure, reference: Structure) -> str:
    """Return the first difference; "" if there is none."""
    for index, (element, expected) in enumerate(zip_longest(structure.elements, reference.elements)):
        if element != expected:
            return f"{structure.describe(index)} instead of {reference.describe(index)}"
    return ""


def main() -> None:
    """Compare the articles of each folder, and print the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER")
    options = parser.parse_args()
    renderer = MarkdownRenderer()
    for folder in options.folders:
        comparison = Comparison()
        for file in sorted(folder.rglob("*")):
            if file.suffix.lower() in SUFFIXES and file.is_file():
                comparison.add(str(file.relative_to(folder)), file.read_text("utf-8-sig", errors="replace"), renderer)
        print(*comparison.report(folder), sep="\n", flush=True)


if __name__ == "__main__":
    main()
