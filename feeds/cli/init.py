"""`feeds init`: a config.yaml and a first article for a new site, or the migration of another generator's site."""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import click

from feeds.cli.common import PathType, plural, print_line, report_errors
from feeds.core.errors import FeedsError, UsageError

if TYPE_CHECKING:
    from feeds.core.model import Article
    from feeds.migrate import Generator, Migration

_GENERATORS = ("hugo", "jekyll", "eleventy", "pelican")


@click.command()
@click.option(
    "-c",
    "--config",
    "config_file",
    type=PathType(path_type=Path),
    help="The file to create [default: DIR/config.yaml].",
)
@click.option(
    "--from", "generator", type=click.Choice(_GENERATORS), help="Migrate the site in DIR from this generator."
)
@click.option("-q", "--quiet", is_flag=True, help="Print errors only.")
@click.option("-v", "--verbose", is_flag=True, help="Print more.")
@click.argument("folder", type=PathType(path_type=Path, file_okay=False), default=".", metavar="[DIR]")
def init(folder: Path, config_file: Path | None, generator: "Generator | None", quiet: bool, verbose: bool) -> None:
    """Create a config.yaml and a first article.

    Existing articles are not changed. If config.yaml exists already, nothing is changed, and the exit code is 2.

    With --from, the new config.yaml preserves the permalinks, ids and feed paths of the old site.
    """
    with report_errors():
        file = config_file or folder / "config.yaml"
        if file.exists():
            hint = "; create another file with -c feeds.yaml" if generator else ""
            raise UsageError(f"{file}: already exists; nothing was done{hint}")
        lines = _migrate(generator, folder, file) if generator else _create_site(file)
        if quiet:
            return
        for line in lines:
            print_line(line)
        if verbose:
            print_line("docs/config.md lists all keys and their defaults")
        cd = "" if file.parent == Path() else f"cd {file.parent} && "
        option = "" if file.name == "config.yaml" else f" -c {file.name}"
        first_step = "review" if generator else "set title and url in"
        print_line(f"Next: {first_step} {file.name}, then run  {cd}feeds serve{option}")


def _create_site(file: Path) -> list[str]:
    """Write a configuration, and an article if there is no content folder. Return the lines to print."""
    now = datetime.now(UTC).replace(microsecond=0)
    content = file.parent / "content"
    texts = {file: _FIRST_CONFIG}
    if not content.exists():
        texts[content / f"{now:%Y-%m-%d}-hello.md"] = _FIRST_ARTICLE.format(date=now.isoformat())
    for path, text in texts.items():
        _write(path, text)
    return [f"created {path}" for path in texts]


def _migrate(generator: "Generator", folder: Path, file: Path) -> list[str]:
    """Write the configuration that continues the site of another generator. Return the lines to print."""
    from feeds import config, migrate
    from feeds.core.parse import yaml

    assert set(_GENERATORS) == set(get_args(migrate.Generator))
    names = [path.relative_to(folder).as_posix() for pattern in migrate.CONFIG_FILES[generator]
             for path in sorted(folder.glob(pattern)) if path.is_file()]  # fmt: skip
    if not names:
        patterns = ", ".join(migrate.CONFIG_FILES[generator])
        raise UsageError(f"{folder}: not a {generator} site: it has none of these files: {patterns}")
    texts = {name: (folder / name).read_text("utf-8-sig", errors="replace") for name in names}
    try:
        migration = migrate.read_configuration(generator, texts)
    except migrate.ForeignConfigError as error:
        raise UsageError(f"{folder}/{error}") from None
    content = migration.settings["content"]
    content["path"] = os.path.relpath(folder / content["path"], file.parent)
    articles, rejected = _read_articles(file.parent / content["path"], migration)
    migration = migrate.resolve_migration(migration, articles)
    valid = config.drop_invalid_settings(migration.settings)
    settings = valid.settings
    _write(file, f"# Created by feeds init --from {generator}, from {names[0]}\n{yaml.dump(settings)}")
    feeds = plural(len(settings.get("feeds", {}).get("aliases", {})), "old feed")
    lines = [f"created {file}: {plural(len(articles), 'article')} in {content['path']}, {feeds} kept"]
    if rejected:
        lines.append(f"{plural(rejected, 'article')} can't be read: feeds check lists the reasons")
    lines += [f"note: {note}" for note in (*migration.notes, *valid.messages)]
    return [*lines, "Save the old feed, and check that its ids are kept:  feeds check --against old-feed.xml"]


def _read_articles(content: Path, migration: "Migration") -> "tuple[list[Article], int]":
    """Return the old site's articles, read with the settings of the migration, and the number of rejected ones."""
    from feeds.content import Folder
    from feeds.core.article_files import DEFAULT_INCLUDE
    from feeds.core.parse import article
    from feeds.migrate import source_timezone

    settings = migration.settings["content"]
    folder = Folder(content, settings.get("include", DEFAULT_INCLUDE), settings.get("exclude", []))
    timezone = source_timezone(migration)
    articles, rejected = [], 0
    for file in folder.scan():
        try:
            articles.append(article.parse_article(folder.read(file, article.MAX_FILE_BYTES), file.path, timezone))
        except FeedsError:
            rejected += 1
    return articles, rejected


def _write(file: Path, text: str) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise FeedsError(f"{error.filename}: can't be written: {error.strerror}") from None


_FIRST_CONFIG = """\
# All keys and their defaults: docs/config.md
site:
  title: My site
  url: http://127.0.0.1:8000        # the address of your site, such as https://example.org
  description: What it is about, in a sentence.
  language: en
  pages: true                       # feeds also serves the pages; remove this line if another program builds them
  # authority: example.org          # part of all ids; set it before you publish, and keep it when the site moves
content:
  path: content
  permalink: /{category}/{slug}/
"""
_FIRST_ARTICLE = """\
---
title: Hello, readers
date: {date}
category: News
tags: [hello, feeds]
description: The first article, to see that everything works.
---

This is an article in Markdown. Save it, and it is in the feeds within a second.

Three things to try:
- change this text and open /rss.xml again,
- write another file beside this one,
- run `feeds check`.
"""
