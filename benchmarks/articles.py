"""What an article costs, step by step, beside the bare libraries: python benchmarks/articles.py [COUNT].

Prints milliseconds per article for parsing, rendering, indexing (a cold and an unchanged run), and for the three
formats per entry; each ratio is to what the library alone takes for the same text in the same run. And the slowest of
the bodies that count as ordinary.
"""

import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import corpus
import frontmatter
import markdown

from feeds.catalog import Catalog
from feeds.documents import Documents
from feeds.folder import Folder
from feeds.formats import FORMATS
from feeds.model import Site
from feeds.parse.article import read
from feeds.parse.bounds import ordinary
from feeds.parse.content import Renderer
from feeds.publish import Publisher
from feeds.sandbox import Sandbox

NOW = datetime(2026, 6, 2, tzinfo=UTC)
SITE = Site("Benchmark", "https://bench.example", "https://bench.example", "bench.example")


def timed(function: Callable[[], object]) -> float:
    """Give the seconds that a call takes."""
    began = time.perf_counter()
    function()
    return time.perf_counter() - began


def line(what: str, seconds: float, count: int, peer: str = "", peer_seconds: float = 0.0) -> None:
    """Print one row."""
    ratio = f"   {seconds / peer_seconds:5.2f} x {peer} ({peer_seconds / count * 1000:.3f} ms)" if peer else ""
    print(f"{what:<34} {seconds / count * 1000:8.3f} ms{ratio}")


def main() -> None:
    """Measure and print."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    texts = [(path, text.encode()) for path, text in corpus.articles(count)]
    print(f"{count} articles of {sum(len(text) for _, text in texts) / count:.0f} bytes; per article:\n")

    bare = timed(lambda: [frontmatter.parse(text.decode()) for _, text in texts])
    line("parse", timed(lambda: [read(text, path, UTC) for path, text in texts]), count, "python-frontmatter", bare)
    bodies = [read(text, path, UTC).body for path, text in texts]
    line("is it ordinary?", timed(lambda: [ordinary(body) for body in bodies]), count)

    plain, renderer = markdown.Markdown(extensions=["extra", "sane_lists"]), Renderer()
    bare = timed(lambda: [plain.reset().convert(body) for body in bodies])
    rendered = timed(lambda: [renderer.content(body, "S", "https://bench.example/a/", "e-") for body in bodies])
    line("render and make fit", rendered, count, "Python-Markdown", bare)

    sandbox = Sandbox()
    sandbox.content("", None, "https://bench.example/a/", "e-")  # started
    boxed = timed(lambda: [sandbox.content(body, "S", "https://bench.example/a/", "e-") for body in bodies])
    line("the same in the sandbox", boxed, count, "in this process", rendered)

    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        corpus.write(count, root / "content")
        catalog = Catalog(root / "catalog.db")
        catalog.create()
        folder = Folder(root / "content", ["**/*.md"], [])
        publisher = Publisher(folder, catalog, SITE, 0.2)
        line("index, cold", timed(lambda: publisher.refresh(NOW)), count)
        line("index, nothing changed", timed(lambda: publisher.refresh(NOW)), count)
        path, text = texts[0]
        (root / "content" / path).write_bytes(text + b"More.\n")
        line("index, one changed (whole run)", timed(lambda: publisher.refresh(NOW)), 1)
        documents = Documents(catalog, SITE)
        feed = documents.feed("")
        assert feed
        for format_ in FORMATS:
            line(
                f"{format_.name}, per entry",
                timed(lambda f=format_: [f.render(feed) for _ in range(20)]),
                20 * len(feed.entries),
            )
        catalog.close()

    print("\nthe slowest ordinary bodies:")
    for what, body in sorted(
        worst().items(), key=lambda item: -timed(lambda: renderer.content(item[1], None, "https://x.example/", "e-"))
    )[:4]:
        line(
            f"{what} ({len(body)} characters)",
            timed(lambda b=body: renderer.content(b, None, "https://x.example/", "e-")),
            1,
        )


def worst() -> dict[str, str]:
    """Give, for each kind of costly Markdown, the longest body that still counts as ordinary."""
    kinds: dict[str, Callable[[int], str]] = {
        "brackets": lambda n: "[" * n,
        "images": lambda n: "![" * n,
        "open links": lambda n: "[a](" * n,
        "tags": lambda n: "<a " * n,
        "emphasis": lambda n: "*a **b " * n,
        "code marks": lambda n: " ".join("`" * i for i in range(1, n)),
        "fences": lambda n: "\n\n".join("`" * i for i in range(3, n + 3)),
        "nested elements": lambda n: "<div>" * n,
        "footnotes": lambda n: "".join(f"a[^{i}]\n\n[^{i}]: b\n\n" for i in range(n)),
        "abbreviations": lambda n: "".join(f"*[a{i}]: b\n\n" for i in range(n)) + "a1 " * n,
        "paragraphs": lambda n: "a\n\n" * n,
        "brackets in paragraphs": lambda n: ("[" * 100 + "\n\n") * n,
        "headings": lambda n: "# a\n" * n,
        "definitions": lambda n: "a\n: b\n\n" * n,
        "table": lambda n: "|a|b|\n|-|-|\n" + "|[x](y)|z|\n" * n,
        "prose": lambda n: "word " * n,
    }
    longest = {}
    for name, make in kinds.items():
        low, high = 1, 200_000
        while low < high:
            middle = (low + high + 1) // 2
            low, high = (middle, high) if ordinary(make(middle)) else (low, middle - 1)
        longest[name] = make(low)
    return longest


if __name__ == "__main__":
    main()
