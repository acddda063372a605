"""`feeds init`: a config.yaml and a first article that work at once."""

from datetime import UTC, datetime
from pathlib import Path

import click

from feeds.cli.common import said
from feeds.errors import FeedsError, UsageError


@click.command()
@click.option(
    "-c", "--config", "config_file", type=click.Path(path_type=Path), help="The file to make [DIR/config.yaml]."
)
@click.option("-q", "--quiet", is_flag=True, help="Say nothing but errors.")
@click.option("-v", "--verbose", is_flag=True, help="Say more.")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), default=".", metavar="[DIR]")
def init(folder: Path, config_file: Path | None, quiet: bool, verbose: bool) -> None:
    """Make a config.yaml and a first article that work at once; what is there already is left alone."""
    with said():
        now = datetime.now(UTC).replace(microsecond=0)
        file = config_file or folder / "config.yaml"
        content = file.parent / "content"
        if file.exists():
            raise UsageError(f"{file}: is there already; nothing was done")
        files = {file: _FIRST_CONFIG}
        if not content.exists():
            files[content / f"{now:%Y-%m-%d}-hello.md"] = _FIRST_ARTICLE.format(date=now.isoformat())
        try:
            for made, text in files.items():
                made.parent.mkdir(parents=True, exist_ok=True)
                made.write_text(text, encoding="utf-8")
        except OSError as error:
            raise FeedsError(f"{error.filename}: can't be written: {error.strerror}") from None
        if quiet:
            return
        for made in files:
            click.echo(f"made {made}")
        if verbose:
            click.echo("every key has a default; README and docs/config.md name them all")
        cd = "" if file.parent == Path() else f"cd {file.parent} && "
        click.echo(f"Now: set title and url in {file.name}, then  {cd}feeds serve")


_FIRST_CONFIG = """\
# All keys and their defaults: docs/config.md
site:
  title: My site
  url: http://127.0.0.1:8000        # where your articles live, like https://example.org
  description: What it is about, in a sentence.
  language: en
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
