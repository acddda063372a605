"""`feeds new` creates an article that is published as it is, and changes no existing file."""

import os
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from conftest import run

from feeds.core.parse.article import parse_article

TITLES = [  # with the rest of the file name
    ("Winter timetable", "winter-timetable"),
    ('He said: "it\'s #1" & left', "he-said-it-s-sharp-1-left"),
    ("Привет, мир", "привет-мир"),
    ("日本語のタイトル", "日本語のタイトル"),
    ("2026", "2026"),
    ("true", "true"),
    ("  two\n lines ", "two-lines"),
    ("x" * 3_000, "x" * 200),
    ("../../etc/passwd", "etc-passwd"),
]


def read(site, path):
    """Parse a file of the site as an article."""
    relative = os.path.relpath(site.root / path, site.content)
    return parse_article((site.root / path).read_bytes(), relative, ZoneInfo("UTC"))


@pytest.mark.parametrize(("title", "name"), TITLES, ids=[name[:20] for _, name in TITLES])
def test_titles(site, title, name):
    """Any title with a letter or digit names the file, and is the title of the article; its date is the current time."""
    began = datetime.now(UTC).replace(microsecond=0)
    done = site.run("new", title)
    assert (done.returncode, done.stderr) == (0, "")
    path = done.stdout.removesuffix("\n")
    assert re.fullmatch(rf"content/\d{{4}}-\d\d-\d\d-{re.escape(name)}\.md", path)
    article = read(site, path)
    assert (article.title, article.slug) == (" ".join(title.split()), name)
    assert began <= article.published <= datetime.now(UTC)
    assert not (article.draft or article.body.strip() or article.warnings)
    assert site.publish(datetime.now(UTC)).articles == 1


def test_a_title_without_letters(site):
    """A title without a letter or digit names no file, so the time of day does."""
    done = site.run("new", "🎉")
    assert re.fullmatch(r"content/\d{4}-\d\d-\d\d-\d{6}\.md\n", done.stdout)
    assert read(site, done.stdout.strip()).title == "🎉"


def test_front_matter(site):
    """The options become keys of the front matter, and words without quotes are one title."""
    site.configure(site={"timezone": "Asia/Tokyo"})
    done = site.run("new", "Two", "words", "--draft", "--category", "News: x", "--tag", "a", "--tag", "b, c",
                    "--folder", "notes/2026")  # fmt: skip
    article = read(site, done.stdout.strip())
    assert article.path.startswith("notes/2026/")
    assert (article.title, article.draft, article.categories) == ("Two words", True, ("News: x",))
    assert article.tags == ("a", "b, c")
    text = (site.root / done.stdout.strip()).read_text("utf-8")
    assert re.search(r"^date: \S+\+09:00$", text, re.MULTILINE)
    assert text.endswith("\ndraft: true\n---\n\n")


def test_a_date_in_utc_has_an_offset(site):
    """On a site in UTC, the date ends with +00:00, not Z, so that it is clear what a changed time means."""
    path = site.run("new", "Hello").stdout.strip()
    assert re.search(r"^date: \S+\+00:00$", (site.root / path).read_text("utf-8"), re.MULTILINE)


def test_existing_files_stay(site):
    """A second article of the same name is a usage error, and the first stays as it is."""
    path = site.run("new", "Hello").stdout.strip()
    (site.root / path).write_text("mine")
    done = site.run("new", "hello")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"{path}: already exists; nothing was done\n"
    assert (site.root / path).read_text() == "mine"


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ([""], "TITLE: must not be empty"), ([" \t"], "TITLE: must not be empty"), ([], "Missing argument 'TITLE...'"),
        (["x", "--tag", " "], "--tag: must not be empty"), (["x", "--category", ""], "--category: must not be empty"),
        (["x", "--folder", "../x"], "--folder: ../x: must be a path below the content folder"),
        (["x", "--folder", "/tmp"], "--folder: /tmp: must be a path below the content folder"),
        (["x", "--folder", ".git"], "would not be an article, by content.include and content.exclude"),
        (["x", "--folder", "private"], "would not be an article, by content.include and content.exclude"),
    ],
)  # fmt: skip
def test_wrong_usage(site, arguments, reason):
    """A missing title, an empty name, and a path that is no article are usage errors, and nothing is created."""
    site.configure(content={"exclude": ["private/"]})
    done = site.run("new", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert reason in done.stderr
    assert list(site.content.iterdir()) == []


@pytest.mark.parametrize(
    ("include", "folder", "suffix"),
    [("**/*.markdown", "", ".markdown"), ("**/*.mdx", "", ".mdx"), ("posts/*.md", "posts", ".md")],
)
def test_the_file_is_an_article(site, include, folder, suffix):
    """The suffix is one that content.include accepts; otherwise the message names the option to use."""
    site.configure(content={"include": [include]})
    path = site.run("new", "x", "--folder", folder).stdout.strip()
    assert path.endswith(f"-x{suffix}")
    assert site.publish(datetime.now(UTC)).articles == 1
    if folder:
        assert "choose a folder with --folder" in site.run("new", "x").stderr


def test_the_printed_path_can_be_opened(site):
    """The path is relative to the working directory if the article is below it, and absolute if not."""
    site.configure()
    config = ["-c", str(site.root / "config.yaml")]
    inside = run("new", "a", *config, cwd=site.root.parent).stdout.strip()
    assert (site.root.parent / inside).is_file()
    assert not Path(inside).is_absolute()
    outside = run("new", "b", *config, cwd=site.content / ".." / "..").stdout.strip()
    assert (site.root.parent / outside).is_file()
    (site.root / "elsewhere").mkdir()
    assert Path(run("new", "c", *config, cwd=site.root / "elsewhere").stdout.strip()).is_absolute()


def test_files_that_cannot_be_written(site):
    """A missing content folder is not created, because it may be a drive that is not mounted; a file is no folder."""
    site.write("x", "a file")
    done = site.run("new", "a", "--folder", "x/y")
    assert (done.returncode, done.stderr.count("\n")) == (3, 1)
    assert "can't be written" in done.stderr
    site.configure(content={"path": "none"})
    done = site.run("new", "a")
    assert done.returncode == 3
    assert "the content folder (content.path) is missing; create it" in done.stderr
    assert not (site.root / "none").exists()


@pytest.mark.integration
def test_new_is_fast(site):
    """The command imports neither the database nor an engine of Markdown or HTML."""
    site.configure()
    code = "import sys, feeds.cli\ntry: feeds.cli.main()\nfinally: print(*sys.modules, sep='\\n', file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", code, "new", "x"], cwd=site.root, capture_output=True, text=True, check=True
    )
    unused = {"sqlalchemy", "comrak", "markdown", "nh3", "lxml", "jinja2", "flask", "granian", "asyncio", "watchfiles"}
    assert not unused & set(done.stderr.splitlines())
