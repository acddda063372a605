"""Compare the structure of articles with that of GitHub's converter: python benchmarks/structure.py FOLDER [...].

Each FOLDER holds articles that people wrote, such as a public blog. Each article is read by the program's own readers
of front matter and MDX, and rendered by the program and by cmarkgfm (cmark-gfm, GitHub's own converter, with
footnotes), whose HTML goes through the same HTML pass. The structure is compared: code blocks, list items with their
depth, tables with their rows and cells, quotes with their depth, and headings, all in their order.

GitHub's converter knows neither admonitions (`:::note`, `!!! note`) nor tags around code (`{% highlight %}`). An
article that differs is compared once more with the text in which these are quotes and fences, so that the rest of it
is compared too.

Print for each folder how many articles have the same structure, each article that has another one with the first
difference, each that is refused, and the median milliseconds that the program takes for an article.
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

from feeds.article_files import SUFFIXES, is_mdx
from feeds.errors import Refused
from feeds.parse import frontmatter, html, mdx
from feeds.parse.admonitions import as_quotes
from feeds.parse.content import Renderer
from feeds.parse.templates import as_fences

BASE = "https://bench.example/a/"
OPTIONS = Options.CMARK_OPT_UNSAFE | Options.CMARK_OPT_FOOTNOTES
LISTS = {"ul", "ol"}
NESTED = {"li", "blockquote"}  # whose depth counts
COUNTED = {"pre", "table", "tr", "td", "th", "h1", "h2", "h3", "h4", "h5", "h6"}


class Structure(HTMLParser):
    """Collects the elements that count, each with its depth and the beginning of its text."""

    def __init__(self, rendered: str) -> None:
        super().__init__()
        self.elements: list[str] = []
        self.texts: list[str] = []
        self._lists = self._quotes = 0
        self.feed(rendered)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Collect an element."""
        del attrs
        self._lists += tag in LISTS
        self._quotes += tag == "blockquote"
        if tag in NESTED:
            self._add(f"{tag} of depth {self._lists if tag == 'li' else self._quotes}")
        elif tag in COUNTED:
            self._add(tag)

    def handle_endtag(self, tag: str) -> None:
        """Leave an element."""
        self._lists -= tag in LISTS
        self._quotes -= tag == "blockquote"

    def handle_data(self, data: str) -> None:
        """Collect text of the last element."""
        if self.texts and len(self.texts[-1]) < 40:
            self.texts[-1] = " ".join(f"{self.texts[-1]}{data}".split())[:40]

    def _add(self, element: str) -> None:
        self.elements.append(element)
        self.texts.append("")

    def shown(self, at: int) -> str:
        """Return an element as it is printed."""
        return f"{self.elements[at]} {self.texts[at]!r}" if at < len(self.elements) else "nothing"


@dataclass
class Comparison:
    """What was found in one folder."""

    same: int = 0
    extended: int = 0
    different: list[str] = field(default_factory=list)
    rejected: list[str] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    milliseconds: list[float] = field(default_factory=list)

    def add(self, name: str, text: str, renderer: Renderer) -> None:
        """Read, render and compare one article."""
        try:
            _, body = frontmatter.read(text)
        except Refused as refused:
            self.unread.append(f"{name}:{refused.line}: {refused.reason}")
            return
        if is_mdx(name):
            body, _ = mdx.as_markdown(body, 1)
        began = time.process_time()
        try:
            ours = renderer.content(body, None, BASE, "e-").html
        except Refused as refused:
            self.rejected.append(f"{name}: {refused.reason}")
            return
        self.milliseconds.append((time.process_time() - began) * 1000)
        structure = Structure(ours)
        difference = _difference(structure, _reference(body))
        if not difference:
            self.same += 1
        elif _difference(structure, _reference(as_quotes(as_fences(body)))):
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
            f"front matter that can't be read: {len(self.unread)}; "
            f"median: {statistics.median(self.milliseconds or [0]):.2f} ms of CPU"
        )
        for what in ("different", "rejected", "unread"):
            yield from (f"  {what}: {line}" for line in getattr(self, what))


def _reference(body: str) -> Structure:
    """Return the structure that GitHub's converter gives a text."""
    return Structure(html.fit(cmarkgfm.github_flavored_markdown_to_html(body, OPTIONS), BASE, "e-"))


def _difference(ours: Structure, theirs: Structure) -> str:
    """Return the first difference, "" if there is none."""
    for at, (our, their) in enumerate(zip_longest(ours.elements, theirs.elements)):
        if our != their:
            return f"{ours.shown(at)} here, {theirs.shown(at)} there"
    return ""


def main() -> None:
    """Compare and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER")
    options = parser.parse_args()
    renderer = Renderer()
    for folder in options.folders:
        found = Comparison()
        for file in sorted(folder.rglob("*")):
            if file.suffix.lower() in SUFFIXES and file.is_file():
                found.add(str(file.relative_to(folder)), file.read_text("utf-8-sig", errors="replace"), renderer)
        print(*found.report(folder), sep="\n", flush=True)


if __name__ == "__main__":
    main()
