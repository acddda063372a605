"""`feeds init`: a config.yaml and a first article that work at once, or the move of another generator's site."""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import click

from feeds.cli.common import plural, said
from feeds.errors import FeedsError, UsageError

if TYPE_CHECKING:
    from feeds.model import Article
    from feeds.moving import Generator, Move

_GENERATORS = ("hugo", "jekyll", "eleventy", "pelican")


@click.command()
@click.option(
    "-c", "--config", "config_file", type=click.Path(path_type=Path), help="The file to make [DIR/config.yaml]."
)
@click.option(
    "--from", "generator", type=click.Choice(_GENERATORS), help="Move in: DIR holds a site of this generator."
)
@click.option("-q", "--quiet", is_flag=True, help="Say nothing but errors.")
@click.option("-v", "--verbose", is_flag=True, help="Say more.")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), default=".", metavar="[DIR]")
def init(folder: Path, config_file: Path | None, generator: "Generator | None", quiet: bool, verbose: bool) -> None:
    """Make a config.yaml and a first article.

    They work at once. Articles that are there are left alone; where there is a config.yaml, nothing is done.

    With --from, the config.yaml says what the old site's configuration did: its permalinks, its ids, its feeds' paths.
    """
    with said():
        file = config_file or folder / "config.yaml"
        if file.exists():
            other = "; -c feeds.yaml makes another" if generator else ""
            raise UsageError(f"{file}: is there already; nothing was done{other}")
        lines = _move_in(generator, folder, file) if generator else _begin(file)
        if quiet:
            return
        for line in lines:
            click.echo(line)
        if verbose:
            click.echo("every key has a default; README and docs/config.md name them all")
        cd = "" if file.parent == Path() else f"cd {file.parent} && "
        named = "" if file.name == "config.yaml" else f" -c {file.name}"
        first = "look it over" if generator else "set title and url"
        click.echo(f"Now: {first} in {file.name}, then  {cd}feeds serve{named}")


def _begin(file: Path) -> list[str]:
    """Make a site of one article. Gives what to say."""
    now = datetime.now(UTC).replace(microsecond=0)
    content = file.parent / "content"
    files = {file: _FIRST_CONFIG}
    if not content.exists():
        files[content / f"{now:%Y-%m-%d}-hello.md"] = _FIRST_ARTICLE.format(date=now.isoformat())
    for made, text in files.items():
        _write(made, text)
    return [f"made {made}" for made in files]


def _move_in(generator: "Generator", folder: Path, file: Path) -> list[str]:
    """Make the configuration that goes on where another generator's left off. Gives what to say."""
    from feeds import config, moving
    from feeds.parse import yaml

    assert set(_GENERATORS) == set(get_args(moving.Generator))
    here = [file.relative_to(folder).as_posix() for name in moving.FILES[generator]
            for file in sorted(folder.glob(name)) if file.is_file()]  # fmt: skip
    if not here:
        raise UsageError(f"{folder}: no {generator} site: none of {', '.join(moving.FILES[generator])} is there")
    texts = {name: (folder / name).read_text("utf-8-sig", errors="replace") for name in here}
    try:
        move = moving.move(generator, texts)
    except moving.Unreadable as error:
        raise UsageError(f"{folder}/{error}") from None
    content = move.settings["content"]
    content["path"] = os.path.relpath(folder / content["path"], file.parent)
    articles, refused = _articles(file.parent / content["path"], move)
    move = moving.settled(move, articles)
    settings, mistakes = config.fitting(move.settings)
    _write(file, f"# Made by feeds init --from {generator}, of {here[0]}\n{yaml.dump(settings)}")
    feeds = plural(len(settings.get("feeds", {}).get("aliases", {})), "old feed")
    lines = [f"made {file}: {plural(len(articles), 'article')} in {content['path']}, {feeds} that live on"]
    if refused:
        lines.append(f"{plural(refused, 'article')} can't be read: feeds check says which, and why")
    lines += [f"note: {note}" for note in (*move.notes, *mistakes)]
    return [*lines, "Save the old feed, and see that its ids are kept:  feeds check --against old-feed.xml"]


def _articles(content: Path, move: "Move") -> "tuple[list[Article], int]":
    """Read the old site's articles as they will be read. Gives them, and how many can't be."""
    from feeds.article_files import DEFAULT_INCLUDE
    from feeds.folder import Folder
    from feeds.moving import zone
    from feeds.parse import article

    said = move.settings["content"]
    folder = Folder(content, said.get("include", DEFAULT_INCLUDE), said.get("exclude", []))
    found, refused = [], 0
    for one in folder.scan():
        try:
            found.append(article.read(folder.read(one, article.LARGEST), one.path, zone(move)))
        except FeedsError:
            refused += 1
    return found, refused


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
  url: http://127.0.0.1:8000        # where your articles live, like https://example.org
  description: What it is about, in a sentence.
  language: en
  pages: true                       # articles have pages here; remove this if another program makes the site
  # authority: example.org          # whose ids these are; set it once, and keep it when the site moves
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
description: The first article, to see that all works.
---

This is an article in Markdown. Save it, and it is in the feeds within a second.

Three things to try:
- change this text and look at /rss.xml again,
- write another file beside this one,
- run `feeds check`.
"""
