"""Measure what an article costs, step by step: python benchmarks/articles.py [FOLDER | COUNT].

With a FOLDER of Markdown articles that people wrote, or COUNT generated ones, print the milliseconds of CPU per article
for reading it, for the Markdown engine, for the HTML pass and for everything together (`Renderer.content`), beside
Python-Markdown in the same run.
"""

import sys
import time
from collections.abc import Callable
from datetime import UTC
from pathlib import Path

import corpus
import markdown

from feeds.errors import Refused
from feeds.parse import frontmatter, html
from feeds.parse.article import read
from feeds.parse.commonmark import CommonMark
from feeds.parse.content import Renderer

BASE = "https://bench.example/a/"
ROUNDS = 3


def timed(function: Callable[[], object]) -> float:
    """Return the seconds of CPU of a call, the least of three."""
    measured = []
    for _ in range(ROUNDS):
        began = time.process_time()
        function()
        measured.append(time.process_time() - began)
    return min(measured)


def line(what: str, seconds: float, count: int) -> None:
    """Print one row."""
    print(f"{what:<34} {seconds / count * 1000:8.3f} ms")


def articles(argument: str) -> list[tuple[str, bytes]]:
    """Return the articles of a folder, or as many generated ones, as (path, bytes)."""
    if argument.isdecimal():
        return [(path, text.encode()) for path, text in corpus.articles(int(argument))]
    root = Path(argument)
    return [(str(file.relative_to(root)), file.read_bytes()) for file in sorted(root.rglob("*.md"))]


def readable(path: str, text: bytes) -> bool:
    """Return whether an article has front matter that can be read."""
    try:
        read(text, path, UTC)
    except Refused:
        return False
    return True


def main() -> None:
    """Measure and print."""
    texts = [one for one in articles(sys.argv[1] if len(sys.argv) > 1 else "2000") if readable(*one)]
    bodies = [frontmatter.read(text.decode("utf-8-sig"))[1] for _, text in texts]
    count = len(texts)
    print(f"{count} articles of {sum(map(len, bodies)) / count:.0f} characters; per article, seconds of CPU:\n")
    line("read", timed(lambda: [read(text, path, UTC) for path, text in texts]), count)
    engine, renderer = CommonMark(), Renderer()
    line("Markdown engine", timed(lambda: [engine.convert(body) for body in bodies]), count)
    converted = [engine.convert(body) for body in bodies]
    line("HTML pass", timed(lambda: [html.fit(one, BASE, "e-") for one in converted]), count)
    line("both, with summary", timed(lambda: [renderer.content(body, None, BASE, "e-") for body in bodies]), count)
    peer = markdown.Markdown(extensions=["extra", "sane_lists"])
    line("Python-Markdown alone", timed(lambda: [peer.reset().convert(body) for body in bodies[:300]]), min(count, 300))


if __name__ == "__main__":
    main()
