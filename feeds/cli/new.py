"""`feeds new`: a new article, with its front matter.

The command reads the configuration and no article, and needs no catalog, so that it is fast.
"""

import os
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import click

from feeds.cli.common import CommandContext, command, print_line
from feeds.config import Config
from feeds.core.article_files import SUFFIXES
from feeds.core.errors import ContentFolderMissing, FeedsError, UsageError
from feeds.core.parse import yaml
from feeds.core.text import one_line, printable_excerpt, slugify


@command
@click.option("--draft", is_flag=True, help="Write `draft: true`, so that the article is not published.")
@click.option("--category", metavar="NAME", help="The category of the article.")
@click.option("--tag", "tags", metavar="NAME", multiple=True, help="A tag of the article; may be repeated.")
@click.option("--folder", metavar="PATH", default="", help="A folder below the content folder [default: none].")
@click.argument("title", nargs=-1, required=True)
def new(
    context: CommandContext,
    draft: bool,
    category: str | None,
    tags: tuple[str, ...],
    folder: str,
    title: tuple[str, ...],
) -> int:
    """Create an article, and print its path.

    The file is named after the date and the title: 2026-10-28-winter-timetable.md. Its front matter has the title, the
    current time in the site's time zone (site.timezone), and the values of the options. No existing file is changed.

    A running `feeds serve` publishes the article at once. With --draft, the article is not public until you remove
    `draft: true`.
    """
    settings = context.settings
    if not settings.content_root.is_dir():
        raise ContentFolderMissing(f"{settings.content_root}: the content folder (content.path) is missing; create it")
    now = datetime.now(settings.site_model.timezone).replace(microsecond=0)
    name = _required("TITLE", " ".join(title))
    path = _article_path(settings, _subfolder(folder) + f"{now:%Y-%m-%d}-{slugify(name) or f'{now:%H%M%S}'}")
    options = yaml.dump(
        {
            "category": category if category is None else _required("--category", category),
            "tags": [_required("--tag", tag) for tag in tags],
            "draft": draft or None,
        }
    )
    file = settings.content_root / path
    shown = _relative_to_working_directory(file)
    _create(file, shown, f"---\n{yaml.dump({'title': name})}date: {now.isoformat()}\n{options}---\n\n")
    if not context.quiet:
        print_line(shown)
    return 0


def _required(name: str, value: str) -> str:
    """Return an argument's value on one line. Raise `UsageError` if it is empty."""
    value = one_line(value)
    if not value:
        raise UsageError(f"{name}: must not be empty")
    return value


def _subfolder(folder: str) -> str:
    """Return a folder below the content folder with a slash at its end; "" for the content folder itself."""
    parts = [part for part in folder.split("/") if part not in ("", ".")]
    if folder.startswith("/") or ".." in parts:
        raise UsageError(f"--folder: {printable_excerpt(folder)}: must be a path below the content folder")
    return "".join(f"{part}/" for part in parts)


def _article_path(settings: Config, stem: str) -> str:
    """Return the path, below the content folder, of an article whose path without suffix is given.

    The suffix is the first with which the file is an article. Raise `UsageError` if there is none.
    """
    from feeds.content import Folder

    folder = Folder(settings.content_root, settings.content.include, settings.content.exclude)
    for suffix in SUFFIXES:
        if folder.selects(stem + suffix):
            return stem + suffix
    raise UsageError(
        f"{settings.content.path}/{stem}{SUFFIXES[0]}: would not be an article, by content.include and "
        "content.exclude; choose a folder with --folder, or change these keys"
    )


def _create(file: Path, shown: str, text: str) -> None:
    """Write a new file, and the folders above it."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("x", encoding="utf-8") as article:
            try:
                article.write(text)
                article.flush()
            except OSError:
                with suppress(OSError):
                    file.unlink()  # an incomplete file is not an article
                raise
    except FileExistsError:
        raise UsageError(f"{shown}: already exists; nothing was done") from None
    except OSError as error:
        raise FeedsError(f"{shown}: can't be written: {error.strerror}") from None


def _relative_to_working_directory(file: Path) -> str:
    """Return a path relative to the working directory if it is below it, else the absolute path."""
    with suppress(ValueError, OSError):
        return os.fspath(file.relative_to(Path.cwd()))
    return os.fspath(file)
