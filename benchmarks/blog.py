"""What a cold build of a real blog costs, beside Hugo's: python benchmarks/blog.py FOLDER [--rounds N].

FOLDER has Markdown articles that people wrote. Both build the same copy of it in alternating rounds: `feeds build` with
the default configuration, which writes three formats, the whole history and a page for each feed; and Hugo (dependency
group `bench`), which writes RSS with the 50 newest articles for the site and for each category, tag and author. What
Hugo can't read is left out for both. Wall and CPU seconds and megabytes at the peak are medians; ratios are ours to
Hugo's.

    cold       nothing there but the articles
    unchanged  once more
"""

import argparse
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import scale

CONFIG = """
site: {{title: Benchmark, url: https://bench.example}}
content: {{path: {content}}}
"""
FRONT_MATTER = re.compile(r"(---|\+\+\+)\r?\n(.*?)^\1\s*$", re.DOTALL | re.MULTILINE)
TAXONOMIES = {"category": ("category", "categories"), "tag": ("tags", "tag"), "author": ("author", "authors")}
ARTICLES = {".md", ".markdown"}
MOST_ERRORS = 100  # articles that Hugo can't read, before one should look at what is wrong


def copied(source: Path, target: Path) -> None:
    """Copy the articles, without the index of a folder that has others: for Hugo the folder would be one article."""
    files = [file for file in sorted(source.rglob("*")) if file.suffix in ARTICLES and file.is_file()]
    articles_in = Counter(folder for file in files for folder in file.parents)
    for file in files:
        if file.stem != "index" or articles_in[file.parent] == 1:
            place = target / file.relative_to(source)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, place)


def taxonomies(content: Path) -> dict[str, str]:
    """Return the key that the articles use for each taxonomy that any of them has."""
    used: Counter[str] = Counter()
    for file in content.rglob("*"):
        if file.is_file() and (match := FRONT_MATTER.match(file.read_text("utf-8-sig", "replace"))):
            used.update(set(re.findall(r"^(\w+)\s*[:=]", match[2], re.MULTILINE)))
    keys = {name: max(keys, key=lambda key: used[key]) for name, keys in TAXONOMIES.items()}
    return {name: key for name, key in keys.items() if used[key]}


class Ours(scale.Ours):
    """`feeds` with the default configuration."""

    def __init__(self, root: Path, content: Path) -> None:
        self.root, self.content = root, content
        root.mkdir()
        (root / "config.yaml").write_text(CONFIG.format(content=content))

    def build(self) -> scale.Cost:
        """Build; articles that are refused are no error."""
        return scale.measured([sys.executable, "-m", "feeds", "build"], self.root, allowed={0, 1})


class Hugo(scale.Hugo):
    """Hugo, with RSS for the site and for each term of the taxonomies."""

    def __init__(self, root: Path, content: Path, keys: dict[str, str]) -> None:
        self.root, self.content = root, content
        (root / "layouts").mkdir(parents=True)
        (root / "hugo.toml").write_text(
            scale.HUGO.format(taxonomies="\n".join(f'{name} = "{key}"' for name, key in keys.items()))
        )
        (root / "layouts" / "rss.xml").write_text(scale.RSS)

    def drop_unreadable(self) -> int:
        """Remove the articles that Hugo can't read from the content. Returns how many."""
        for removed in range(MOST_ERRORS):
            done = subprocess.run(self.command, cwd=self.root, capture_output=True, text=True, check=False)
            if done.returncode == 0:
                return removed
            named = re.search(rf"{re.escape(str(self.content))}/([^\":]+?\.(?:md|markdown))", done.stderr + done.stdout)
            if named is None:
                break
            (self.content / named[1]).unlink()
        sys.exit(f"Hugo can't build it: {done.stderr}")


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    scale.adopt()
    work = Path(tempfile.mkdtemp(prefix="feeds-blog-"))
    cold, unchanged, theirs = [], [], []
    try:
        content = work / "content"
        copied(options.folder, content)
        keys = taxonomies(content)
        ours, hugo = Ours(work / "ours", content), Hugo(work / "hugo", content, keys)
        removed = hugo.drop_unreadable()
        count = sum(file.is_file() for file in content.rglob("*"))
        for _ in range(options.rounds):
            hugo.clear()
            theirs.append(hugo.build())
            ours.clear()
            cold.append(ours.build())
            unchanged.append(ours.build())
        files = [file for file in (work / "ours" / "public").rglob("*") if file.is_file()]
        feeds = len(list((work / "hugo" / "public").rglob("*.xml")))
    finally:
        shutil.rmtree(work, ignore_errors=True)
    print(
        f"{count} articles, {feeds} feeds ({', '.join(keys)}); {removed} left out that Hugo can't read; we write "
        f"{len(files)} files. {datetime.now(UTC):%Y-%m-%d}: {os.cpu_count()} cores, {platform.system()}, "
        f"Python {platform.python_version()}, Hugo {version('hugo')}; medians of {options.rounds}.\n"
    )
    print("| articles | what | wall | CPU | MB | to Hugo |\n|---:|---|---:|---:|---:|---|")
    for what, costs, peer in (("Hugo", theirs, []), ("cold", cold, theirs), ("unchanged", unchanged, theirs)):
        print(scale.row(count, what, costs, peer))


if __name__ == "__main__":
    main()
