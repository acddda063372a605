"""The documentation: its code blocks run, its links have targets, and the site and the man pages can be built."""

import html
import json
import re
import shutil
import subprocess
import sys
import tomllib
import zoneinfo
from urllib.parse import unquote, urlsplit

import click
import lxml.html
import pytest
import yaml
from conftest import REPOSITORY, free_port
from doc_blocks import Folder, blocks

from feeds.cli import main
from feeds.config import load
from feeds.core.parse.article import parse_article

DOCS = REPOSITORY / "docs"
TOP_PAGES = ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "CODE_OF_CONDUCT.md"]
PAGES = sorted([*DOCS.rglob("*.md"), *(REPOSITORY / name for name in TOP_PAGES)])
OUTPUT = {"text", "nginx", "ini", "html", "js", "xml", "python", "css", "jinja", "console"}  # not run
CODE = re.compile(r"```.*?```|``.*?``|`[^`\n]*`", re.DOTALL)
LINK = re.compile(r"(?<!\\)\]\(([^)\s]+)(?: \"[^\"]*\")?\)|(?:src|href|srcset)=\"([^\"]+)\"")
HEADING = re.compile(r"^#{1,6} +(.+?)(?: *\{#[\w-]+\})?$", re.MULTILINE)
ANCHOR = re.compile(r"<a id=\"([^\"]+)\"")
MENTION = re.compile(r"docs/[\w/-]+\.(?:md|py)\b")
COMMAND = re.compile(r"(?:^|[`|&;( ])feeds (?!feeds)([a-z]+)((?: +[^`|&;\n#]*)?)", re.MULTILINE)


def name_of(page):
    """Return the name of a page for messages."""
    return page.relative_to(REPOSITORY).as_posix()


def page_blocks(page):
    """Return the code blocks of a page."""
    return list(blocks(page.read_text("utf-8")))


def anchors(page):
    """Return the anchors of a page: its headings as code hosts spell them, and its explicit ones."""
    text = re.sub(r"^```.*?^```", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    found = set(ANCHOR.findall(text))
    for heading in HEADING.findall(text):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        slug = re.sub(r"[^\w\- ]", "", html.unescape(plain).lower()).replace(" ", "-")
        number = sum(anchor == slug or re.fullmatch(rf"{re.escape(slug)}-\d+", anchor) is not None for anchor in found)
        found.add(f"{slug}-{number}" if slug in found else slug)
    return found


@pytest.mark.integration
@pytest.mark.unmeasured
@pytest.mark.needs("bash", "curl", "openssl")
@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if any(block.language == "sh" for block in page_blocks(page))],
    ids=name_of,
)
def test_commands_can_be_run_as_they_are_printed(page, tmp_path):
    """The commands of each page succeed, in order, in an empty folder (a tutorial) or in the folder of a new site."""
    folder = Folder(tmp_path, free_port(), shutil.which("curl"))
    if page.parent != DOCS / "tutorials" and page.name != "README.md":
        folder.create_site()
    try:
        for block in page_blocks(page):
            if block.not_run or not (block.title or block.language == "sh"):
                continue
            if block.language == "sh" and not block.title and block.needs_another_machine:
                subprocess.run(["bash", "-n"], input=block.text, text=True, check=True)
                continue
            try:
                folder.run(block)
            except AssertionError as error:
                raise AssertionError(f"{name_of(page)}:{block.line}: {error}") from None
    finally:
        folder.stop()


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_blocks_are_valid(page, tmp_path):
    """Each block names its language. Configurations, articles, JSON and TOML are valid."""
    for block in page_blocks(page):
        position = f"{name_of(page)}:{block.line}"
        assert block.language, f"{position}: name the language of the block"
        if block.not_run:
            assert len(block.not_run) > 10, f"{position}: give a reason"
        elif block.language == "yaml":
            check_yaml(block, position, tmp_path)
        elif block.language == "json":
            json.loads(block.text)
        elif block.language == "toml":
            tomllib.loads(block.text)
        elif block.language == "markdown":
            if re.match(r"(---|\+\+\+)\n", block.text) and "date" in block.text:
                parse_article(block.text.encode(), "a.md", zoneinfo.ZoneInfo("UTC"))
        else:
            assert block.language in OUTPUT | {"sh"}, f"{position}: unknown language {block.language}"


def check_yaml(block, position, folder):
    """Check a configuration, or a part of one. Any other YAML only has to be YAML."""
    settings = yaml.safe_load(block.text)
    if block.title and not block.title.endswith("config.yaml"):
        return
    if not isinstance(settings, dict) or not settings.keys() & {"site", "content", "feeds", "server", "schedule",
                                                                "export", "state", "check", "stats"}:  # fmt: skip
        return
    site = {"title": "A", "url": "https://a.example", **(settings.get("site") or {})}
    secret = json.dumps({**settings, "site": site}).replace('"\\u2026"', '"0123456789abcdef"')
    file = folder / "config.yaml"
    file.write_text(secret, "utf-8")
    assert load(file, {}), position


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page):
    """Each relative link of a page leads to a file of the repository, and its anchor to a heading of that page."""
    text = CODE.sub("", re.sub(r"^ *(```+).*?^ *\1", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL))
    for match in LINK.finditer(text):
        link = urlsplit(match[1] or match[2])
        if link.scheme or link.netloc:
            continue
        target = (page.parent / unquote(link.path)).resolve() if link.path else page
        assert target.exists(), f"{name_of(page)}: {match[0]}"
        assert target.is_relative_to(REPOSITORY), f"{name_of(page)}: {match[0]}"
        if link.fragment:
            assert target.suffix == ".md", f"{name_of(page)}: {match[0]}"
            assert link.fragment in anchors(target), f"{name_of(page)}: {match[0]}"


def test_files_that_mention_pages_name_existing_ones():
    """The code and the files in deploy/ and .github/ name only pages of docs/ that exist."""
    for folder in ("feeds", "deploy", ".github", "tests", "benchmarks"):
        for file in (REPOSITORY / folder).rglob("*"):
            if file.suffix in {".py", ".yaml", ".yml", ".conf", ".service", ".timer", ".html", ".css", ".js"} or (
                file.parent.name == "deploy" and file.is_file()
            ):
                for mention in MENTION.findall(file.read_text("utf-8")):
                    if file.name not in {"test_docs.py", "test_fields.py", "test_migrate.py"}:
                        assert (REPOSITORY / mention).exists(), f"{file.relative_to(REPOSITORY)}: {mention}"


@pytest.mark.parametrize("page", [page for page in PAGES if page.name != "CHANGELOG.md"], ids=name_of)
def test_commands_and_options_exist(page):
    """Each command and each option of `feeds` in a page exists."""
    root = click.Context(main)
    text = re.sub(r"<!--.*?-->", "", page.read_text("utf-8"), flags=re.DOTALL)
    for code in re.findall(r"```sh.*?```|`[^`\n]+`", text, flags=re.DOTALL):
        for name, arguments in COMMAND.findall(code.strip("`")):
            assert name in main.list_commands(root), f"{name_of(page)}: feeds {name}"
            command = main.get_command(root, name)
            known = {option for parameter in command.params for option in parameter.opts} | {"--help", "-h"}
            used = re.findall(r"(?<=\s)(--?[a-z][a-z-]*)", arguments)
            assert set(used) <= known, f"{name_of(page)}: feeds {name}{arguments}"


def navigation(entries):
    """Yield the pages that the navigation of the site names."""
    for entry in entries:
        value = next(iter(entry.values())) if isinstance(entry, dict) else entry
        if isinstance(value, str):
            yield value
        else:
            yield from navigation(value)


class Configuration(yaml.SafeLoader):
    """Loads mkdocs.yml, which names a Python function."""


Configuration.add_multi_constructor("tag:yaml.org,2002:python/", lambda *_: None)


def test_every_page_is_in_the_navigation():
    """The navigation in docs/mkdocs.yml has each page of docs/ once, and names no other page."""
    configuration = yaml.load((DOCS / "mkdocs.yml").read_text("utf-8"), Configuration)
    named = list(navigation(configuration["nav"]))
    pages = {page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md")}
    expected = {page for page in pages if not page.startswith("decisions/")}
    generated = {"deployment-files.md", "changelog.md", "contributing.md", "decisions/index.md"}
    assert set(named) == expected | generated, "add the page to `nav` in docs/mkdocs.yml"
    assert len(named) == len(set(named))


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Build the site and the man pages, as `make docs` does. Return the folder."""
    folder = tmp_path_factory.mktemp("build")
    done = subprocess.run(
        [sys.executable, DOCS / "site.py", "--folder", folder, "--version", "1.2"],
        capture_output=True, text=True, check=False, cwd=REPOSITORY,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.mark.integration
@pytest.mark.needs("zensical")
def test_the_links_of_the_site_lead_somewhere(built):
    """Each link and each picture of the built site leads to one of its files and anchors, and none to another host."""
    site = built / "site" / "1.2"
    documents = {file: lxml.html.parse(str(file)).getroot() for file in site.rglob("*.html")}
    ids = {file: {*document.xpath("//@id"), *document.xpath("//a/@name")} for file, document in documents.items()}
    assert len(documents) > 60
    for file, document in documents.items():
        if file.name == "404.html":
            continue
        for link in document.xpath("//a/@href | //img/@src | //link/@href | //script/@src"):
            address = urlsplit(link)
            if address.scheme in {"http", "https", "mailto", "data"}:
                continue
            target = (file.parent / unquote(address.path)).resolve() if address.path else file
            target = target / "index.html" if target.is_dir() else target
            assert target.exists(), f"{file.relative_to(site)}: {link}"
            if address.fragment and target in ids and not address.fragment.startswith("__"):
                assert unquote(address.fragment) in ids[target], f"{file.relative_to(site)}: {link}"
        loaded = document.xpath("//img/@src | //link[@rel='stylesheet']/@href | //script/@src")
        assert not [address for address in loaded if "//" in address]


@pytest.mark.integration
@pytest.mark.needs("zensical")
def test_versions_are_listed(built):
    """The menu of versions lists the built version, and the start page leads to it."""
    versions = json.loads((built / "site" / "versions.json").read_text("utf-8"))
    assert versions == [{"version": "1.2", "title": "1.2", "aliases": ["latest"]}]
    assert "url=1.2/" in (built / "site" / "index.html").read_text("utf-8")
    search = json.loads((built / "site" / "1.2" / "search.json").read_text("utf-8"))
    assert "feeds.tombstones" in json.dumps(search)


@pytest.mark.integration
@pytest.mark.needs("zensical", "mandoc")
def test_man_pages_are_valid(built):
    """There is a man page for `feeds`, each command and config.yaml, and mandoc reports no errors or warnings."""
    pages = sorted((built / "man").rglob("*.?"))
    names = {page.name for page in pages}
    assert names == {"feeds.1", "feeds-config.5", *(f"feeds-{name}.1" for name in main.list_commands(None))}
    for page in pages:
        done = subprocess.run(
            ["mandoc", "-T", "lint", "-W", "warning", page], capture_output=True, text=True, check=False
        )
        assert not [line for line in done.stdout.splitlines() if "missing date" not in line]
        text = subprocess.run(["mandoc", "-T", "ascii", page], capture_output=True, text=True, check=True).stdout
        assert "\\" not in text
    config = re.sub(r".\x08", "", subprocess.run(
        ["mandoc", "-T", "ascii", built / "man" / "man5" / "feeds-config.5"], capture_output=True, text=True, check=True
    ).stdout)  # fmt: skip
    assert re.search(r"feeds\.limit\n +Whole number from 1 to 10,000\. Default: 50\.\n", config)
