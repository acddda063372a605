"""Measure the CPU time per article, step by step: python benchmarks/articles.py [FOLDER | COUNT].

Read the articles of FOLDER, or generate COUNT articles. Print the milliseconds of CPU per article for parsing the file,
for the Markdown engine, for the HTML pass, and for both with the summary (`MarkdownRenderer.render`); then for
Python-Markdown.
"""

import sys
import time
from collections.abc import Callable
from datetime import UTC
from pathlib import Path

import corpus
import markdown

from feeds.core.errors import ArticleError
from feeds.core.parse import frontmatter, html
from feeds.core.parse.article import parse_article
from feeds.core.parse.commonmark import CommonMark
from feeds.core.parse.content import MarkdownRenderer

BASE = "https://bench.example/a/"
ROUNDS = 3


def cpu_time(function: Callable[[], object]) -> float:
    """Call a function three times; return the CPU time of the fastest call, in seconds."""
    seconds = []
    for _ in range(ROUNDS):
        began = time.process_time()
        function()
        seconds.append(time.process_time() - began)
    return min(seconds)


def print_row(step: str, seconds: float, count: int) -> None:
    """Print the time per article of a step."""
    print(f"{step:<34} {seconds / count * 1000:8.3f} ms")


def articles(argument: str) -> list[tuple[str, bytes]]:
    """Return the articles of a folder, or the given number of generated articles, as (path, bytes)."""
    if argument.isdecimal():
        return [(path, text.encode()) for path, text in corpus.articles(int(argument))]
    root = Path(argument)
    return [(str(file.relative_to(root)), file.read_bytes()) for file in sorted(root.rglob("*.md"))]


def is_valid(path: str, text: bytes) -> bool:
    """Return whether an article has valid front matter."""
    try:
        parse_article(text, path, UTC)
    except ArticleError:
        return False
    return True


def main() -> None:
    """Measure each step, and print a table."""
    texts = [article for article in articles(sys.argv[1] if len(sys.argv) > 1 else "2000") if is_valid(*article)]
    bodies = [frontmatter.split_front_matter(text.decode("utf-8-sig")).body for _, text in texts]
    count = len(texts)
    print(f"{count} articles of {sum(map(len, bodies)) / count:.0f} characters; CPU time per article:\n")
    print_row("parse", cpu_time(lambda: [parse_article(text, path, UTC) for path, text in texts]), count)
    engine, renderer = CommonMark(), MarkdownRenderer()
    print_row("Markdown engine", cpu_time(lambda: [engine.convert(body) for body in bodies]), count)
    converted = [engine.convert(body) for body in bodies]
    print_row("HTML pass", cpu_time(lambda: [html.sanitize(source, BASE, "e-") for source in converted]), count)
    print_row(
        "both, with summary", cpu_time(lambda: [renderer.render(body, None, BASE, "e-") for body in bodies]), count
    )
    peer = markdown.Markdown(extensions=["extra", "sane_lists"])
    seconds = cpu_time(lambda: [peer.reset().convert(body) for body in bodies[:300]])
    print_row("Python-Markdown alone", seconds, min(count, 300))


if __name__ == "__main__":
    main()
