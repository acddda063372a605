"""Builds the documentation site and the man pages from docs/: `make docs`.

The pages are copied to build/docs, together with pages that are generated (the files in deploy/, the list of decisions)
or kept at the top of the repository (CHANGELOG.md, CONTRIBUTING.md). Zensical turns them into build/site/VERSION, and
`versions.json` beside it lists all versions that have been built there, for the menu of versions.
"""

import argparse
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import manpages

from feeds import __version__

DOCS = Path(__file__).parent
REPOSITORY = DOCS.parent
TOP_PAGES = {"CHANGELOG.md": "changelog.md", "CONTRIBUTING.md": "contributing.md", "SECURITY.md": "reporting.md",
             "CODE_OF_CONDUCT.md": "conduct.md"}  # fmt: skip
DEPLOYMENT_FILES = "deployment-files.md"
LINK = re.compile(r"\[(?P<text>[^\]]*)\]\((?P<address>[^)\s]+)\)")
FENCE = re.compile(r"^(```+|~~~+).*?^\1`*$", re.MULTILINE | re.DOTALL)
SLUG_DROPPED = re.compile(r"[^\w\- ]")
NOT_SEARCHED = "---\nsearch: {exclude: true}\n---\n\n"
LANGUAGES = {".conf": "nginx", ".yaml": "yaml", ".yml": "yaml", ".service": "ini", ".timer": "ini"}


def copy_pages(target: Path) -> None:
    """Write all pages of the site, with links that work there."""
    shutil.rmtree(target, ignore_errors=True)
    for source in sorted(DOCS.rglob("*")):
        name = source.relative_to(DOCS)
        if source.suffix in {".png", ".svg"}:
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target / name)
        elif source.suffix == ".md":
            _write(
                target / name,
                (NOT_SEARCHED if _is_for_contributors(name) else "") + _with_links(source.read_text("utf-8"), source),
            )
    for name, page in TOP_PAGES.items():
        source = REPOSITORY / name
        _write(target / page, NOT_SEARCHED + _with_links(source.read_text("utf-8"), source))
    _write(target / DEPLOYMENT_FILES, deployment_files())
    _write(target / "decisions" / "index.md", decisions())


def _is_for_contributors(page: Path) -> bool:
    """Return whether a page describes the code. The search omits such pages: they would hide those for users."""
    return page.parts[0] in {"decisions", "architecture.md"}


def deployment_files() -> str:
    """Return the page with the files in deploy/."""
    blocks = [
        "# Deployment files",
        "The working examples in the folder `deploy/`. [Deployment](deploy.md) explains them.",
    ]
    for file in _deploy_files():
        language = LANGUAGES.get(file.suffix, "text")
        blocks += [f"## {file.relative_to(REPOSITORY / 'deploy')}", f"````{language}\n{file.read_text('utf-8')}````"]
    return "\n\n".join(blocks) + "\n"


def decisions() -> str:
    """Return the page that lists the decisions."""
    lines = ["# Decisions", "", "Decisions that shape the architecture, with the alternatives that were rejected.", ""]
    for file in sorted((DOCS / "decisions").glob("*.md")):
        title = file.read_text("utf-8").partition("\n")[0].removeprefix("# ")
        lines.append(f"- [{title}]({file.name})")
    return "\n".join(lines) + "\n"


def build(version: str, folder: Path) -> Path:
    """Build the site of a version below a folder, and return its folder."""
    copy_pages(folder / "docs")
    configuration = (DOCS / "mkdocs.yml").read_text("utf-8")
    (folder / "mkdocs.yml").write_text(configuration.replace("site_dir: site", f"site_dir: site/{version}"), "utf-8")
    program = Path(sys.executable).with_name("zensical")
    subprocess.run([program, "build", "--clean", "--strict", "-f", "mkdocs.yml"], cwd=folder, check=True)
    site = folder / "site"
    _write_versions(site, version)
    return site / version


def _write_versions(site: Path, version: str) -> None:
    """Add a version to the menu, and let the start page lead to the newest."""
    file = site / "versions.json"
    names = {entry["version"] for entry in json.loads(file.read_text("utf-8"))} if file.exists() else set()
    names = sorted((names | {version}) & {path.name for path in site.iterdir()}, key=_version_key, reverse=True)
    entries = [{"version": name, "title": name, "aliases": ["latest"] if name == names[0] else []} for name in names]
    file.write_text(json.dumps(entries, indent=2) + "\n", "utf-8")
    (site / "index.html").write_text(
        '<!doctype html><meta charset="utf-8"><title>feeds</title>'
        f'<meta http-equiv="refresh" content="0; url={names[0]}/">'
        f'<a href="{names[0]}/">feeds {names[0]}</a>\n',
        "utf-8",
    )


def _version_key(name: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", name)]


def _deploy_files() -> list[Path]:
    return sorted(path for path in (REPOSITORY / "deploy").rglob("*") if path.is_file() and path.name[0] != ".")


def _with_links(text: str, source: Path) -> str:
    """Return a page with the links to files outside of docs/ replaced. Code blocks do not change."""
    parts, end = [], 0
    for fence in FENCE.finditer(text):
        parts += [LINK.sub(lambda link: _link(link, source), text[end : fence.start()]), fence[0]]
        end = fence.end()
    return "".join(parts) + LINK.sub(lambda link: _link(link, source), text[end:])


def _link(link: re.Match[str], source: Path) -> str:
    """Return a link of a page as it is in the site; only its text, if its target is not in the site."""
    address, _, anchor = link["address"].partition("#")
    if ":" in address or not address:
        return link[0]
    target = (source.parent / address).resolve()
    name = target.relative_to(REPOSITORY).as_posix()
    if name in TOP_PAGES:
        page = TOP_PAGES[name]
    elif name == "deploy" or name.startswith("deploy/"):
        page = DEPLOYMENT_FILES
        anchor = SLUG_DROPPED.sub("", name.removeprefix("deploy/").lower()) if target.is_file() else ""
    elif name == "docs/decisions":
        page = "decisions/index.md"
    elif name == "README.md":
        page, anchor = "index.md", ""
    elif name.startswith("docs/"):
        page = name.removeprefix("docs/")
    else:
        return link["text"]
    text = link["text"]
    if text.endswith(".md") and target.suffix == ".md":  # name the page instead of the file
        text = target.read_text("utf-8").partition("\n")[0].removeprefix("# ")
    up = "../" * (len(source.parent.relative_to(DOCS).parts) if source.is_relative_to(DOCS) else 0)
    return f"[{text}]({up}{page}{'#' * bool(anchor)}{anchor})"


def _write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, "utf-8")


def main() -> None:
    """Build the site and the man pages."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--version", default=__version__, help="the name of the version [default: %(default)s]")
    parser.add_argument("--folder", type=Path, default=REPOSITORY / "build", help="where to build [default: build/]")
    arguments = parser.parse_args()
    site = build(arguments.version, arguments.folder)
    pages = manpages.write(arguments.folder / "man")
    sys.stdout.write(f"built {site}/index.html and {len(pages)} man pages in {arguments.folder / 'man'}\n")


if __name__ == "__main__":
    main()
