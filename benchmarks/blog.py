"""Compare a first build of a real blog with Hugo: python benchmarks/blog.py FOLDER [--rounds N].

FOLDER has the Markdown articles of a blog. Both programs build a copy of it, in alternating rounds: `feeds build` with
the default configuration, which writes three formats, archives and a page for each feed; Hugo (dependency group
`bench`) writes RSS with the 50 newest articles for the site and for each category, tag and author. Articles that Hugo
cannot read are left out for both. Wall time, CPU time and peak memory are medians; ratios are feeds to Hugo.

    cold       without a catalog and without exported files
    unchanged  a second build without changes
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
MAX_UNREADABLE = 100  # articles that Hugo cannot read; more suggest that the folder is not a blog


def copy_articles(source: Path, target: Path) -> None:
    """Copy the articles, except an index beside other articles: Hugo would treat the folder as one article."""
    files = [file for file in sorted(source.rglob("*")) if file.suffix in ARTICLES and file.is_file()]
    articles_in = Counter(folder for file in files for folder in file.parents)
    for file in files:
        if file.stem != "index" or articles_in[file.parent] == 1:
            copy = target / file.relative_to(source)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, copy)


def taxonomies(content: Path) -> dict[str, str]:
    """Return the front matter key of each taxonomy that the articles use, the most frequent one."""
    used: Counter[str] = Counter()
    for file in content.rglob("*"):
        if file.is_file() and (match := FRONT_MATTER.match(file.read_text("utf-8-sig", "replace"))):
            used.update(set(re.findall(r"^(\w+)\s*[:=]", match[2], re.MULTILINE)))
    keys = {name: max(keys, key=lambda key: used[key]) for name, keys in TAXONOMIES.items()}
    return {name: key for name, key in keys.items() if used[key]}


class FeedsSite(scale.FeedsSite):
    """A site of feeds with the default configuration."""

    def __init__(self, root: Path, content: Path) -> None:
        self.root, self.content = root, content
        root.mkdir()
        (root / "config.yaml").write_text(CONFIG.format(content=content))

    def build(self) -> scale.Cost:
        """Build the site; rejected articles are not an error."""
        return scale.measure([sys.executable, "-m", "feeds", "build"], self.root, allowed={0, 1})


class HugoSite(scale.HugoSite):
    """A site of Hugo, with RSS for the site and for each term of the taxonomies."""

    def __init__(self, root: Path, content: Path, keys: dict[str, str]) -> None:
        self.root, self.content = root, content
        (root / "layouts").mkdir(parents=True)
        (root / "hugo.toml").write_text(
            scale.HUGO.format(taxonomies="\n".join(f'{name} = "{key}"' for name, key in keys.items()))
        )
        (root / "layouts" / "rss.xml").write_text(scale.RSS)

    def drop_unreadable(self) -> int:
        """Remove the articles that Hugo cannot read; return their number."""
        for removed in range(MAX_UNREADABLE):
            done = subprocess.run(self.command, cwd=self.root, capture_output=True, text=True, check=False)
            if done.returncode == 0:
                return removed
            article = re.search(
                rf"{re.escape(str(self.content))}/([^\":]+?\.(?:md|markdown))", done.stderr + done.stdout
            )
            if article is None:
                break
            (self.content / article[1]).unlink()
        sys.exit(f"Hugo cannot build the site: {done.stderr}")


def main() -> None:
    """Measure the builds, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    scale.become_subreaper()
    work = Path(tempfile.mkdtemp(prefix="feeds-blog-"))
    cold, unchanged, hugo_costs = [], [], []
    try:
        content = work / "content"
        copy_articles(options.folder, content)
        keys = taxonomies(content)
        site, hugo = FeedsSite(work / "feeds", content), HugoSite(work / "hugo", content, keys)
        removed = hugo.drop_unreadable()
        count = sum(file.is_file() for file in content.rglob("*"))
        for _ in range(options.rounds):
            hugo.clear()
            hugo_costs.append(hugo.build())
            site.clear()
            cold.append(site.build())
            unchanged.append(site.build())
        files = [file for file in (work / "feeds" / "public").rglob("*") if file.is_file()]
        feeds = len(list((work / "hugo" / "public").rglob("*.xml")))
    finally:
        shutil.rmtree(work, ignore_errors=True)
    print(
        f"{count} articles, {feeds} feeds ({', '.join(keys)}), without {removed} that Hugo cannot read; feeds writes "
        f"{len(files)} files. {datetime.now(UTC):%Y-%m-%d}: {os.cpu_count()} cores, {platform.system()}, "
        f"Python {platform.python_version()}, Hugo {version('hugo')}; medians of {options.rounds}.\n"
    )
    print("| articles | build | wall | CPU | MB | to Hugo |\n|---:|---|---:|---:|---:|---|")
    rows = (("Hugo", hugo_costs, []), ("cold", cold, hugo_costs), ("unchanged", unchanged, hugo_costs))
    for build, costs, reference in rows:
        print(scale.row(count, build, costs, reference))


if __name__ == "__main__":
    main()
