"""`feeds init`: a config.yaml and a first article for a new site, or the migration of another generator's site.

On a terminal, three questions ask for the values that are hard to change later or easily forgotten: the title, the
address (on which the ids depend), and the language. In scripts, options replace the questions.
"""

import os
import re
import secrets
import shlex
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, get_args
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import click

from feeds.cli.common import (
    PathType,
    is_loopback,
    names_owner,
    plural,
    print_line,
    print_message,
    report_errors,
)
from feeds.cli.schema import SCHEMA_FILE, schema_text
from feeds.config import values
from feeds.core.errors import FeedsError, UsageError
from feeds.core.parse import yaml
from feeds.core.text import humanize

if TYPE_CHECKING:
    from feeds.core.model import Article
    from feeds.migrate import Generator, Migration

_GENERATORS = ("hugo", "jekyll", "eleventy", "pelican")
_MAX_NAMED_FILES = 3  # in the message that a folder is not the site of a generator
_MODELINE = f"# yaml-language-server: $schema={SCHEMA_FILE}"  # read by editors that use yaml-language-server
_NAMES_OF_UTC = ("Etc/UCT", "Etc/UTC", "Etc/Universal", "Etc/Zulu", "UCT", "Universal", "Zulu")  # tzdata's links
_LOCAL_URL = "http://127.0.0.1:8000"  # of `feeds serve`, until the site has an address


class _NewSite(NamedTuple):
    """The values of a new site, from the answers or the options."""

    title: str
    url: str  # "" if it is not known yet
    language: str
    timezone: str


def _answer(parse: Callable[[str], str]) -> Callable[[str], str]:
    """Return a function that parses an answer or the value of an option, or raises `click.BadParameter`."""

    def parse_answer(answer: str) -> str:
        try:
            return parse(answer)
        except ValueError as error:
            raise click.BadParameter(f"it {error}") from None

    return parse_answer


def _option(parse: Callable[[str], str]) -> Callable[[click.Context, click.Parameter, str | None], str | None]:
    return lambda _context, _parameter, value: None if value is None else _answer(parse)(value)


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
@click.option("--title", callback=_option(values.text), help="The title of the site.")
@click.option("--url", callback=_option(values.base_url), help="The address of the site, such as https://example.org.")
@click.option(
    "--language", callback=_option(values.language_tag), help="The language of the site, such as en or pt-BR."
)
@click.option("-q", "--quiet", is_flag=True, help="Print errors only.")
@click.option("-v", "--verbose", is_flag=True, help="Print more.")
@click.argument("folder", type=PathType(path_type=Path, file_okay=False), default=".", metavar="[DIR]")
def init(
    folder: Path,
    config_file: Path | None,
    generator: "Generator | None",
    title: str | None,
    url: str | None,
    language: str | None,
    quiet: bool,
    verbose: bool,
) -> None:
    """Create a config.yaml and a first article.

    On a terminal, the command asks for the title, the address and the language of the site. It does not ask if you use
    --title, --url, --language, --from or --quiet. Existing articles are not changed. If config.yaml exists already,
    nothing is changed, and the exit code is 2.

    The first line of config.yaml names .feeds.schema.json, with which editors complete and check config.yaml (`feeds
    schema`).

    With --from, the new config.yaml preserves the permalinks, ids and feed paths of the old site.
    """
    with report_errors():
        file = config_file or folder / "config.yaml"
        if file.exists():
            hint = "; create another file with -c feeds.yaml" if generator else ""
            raise UsageError(f"{file}: already exists; nothing was done{hint}")
        has_options = bool(title or url or language)
        if has_options and generator:
            raise UsageError("--title, --url and --language: the old site has them; edit config.yaml after --from")
        asks = not (has_options or generator or quiet) and sys.stdin.isatty() and sys.stdout.isatty()
        if generator:
            lines = _migrate(generator, folder, file)
        elif asks:
            lines = _create_site(file, _ask(folder))
        else:
            lines = _create_site(file, _NewSite(title or _default_title(folder), url or "", language or "en", "UTC"))
        if quiet:
            return
        for line in lines:
            print_line(line)
        if verbose:
            from feeds.distribution import share_folder

            print_line(f"{share_folder() / 'docs' / 'config.md'} lists all keys and their defaults")
        cd = "" if file.parent == Path() else f"cd {shlex.quote(str(file.parent))} && "
        option = "" if file.name == "config.yaml" else f" -c {shlex.quote(file.name)}"
        if asks or has_options:
            print_line(f"Next: {cd}feeds serve --open{option}")
        else:
            first_step = "review" if generator else "set title and url in"
            print_line(f"Next: {first_step} {file.name}, then run  {cd}feeds serve{option}")


def _ask(folder: Path) -> _NewSite:
    """Return the answers to three questions on the terminal. If the user presses Ctrl-C, end the process."""
    print_line(f"Three questions about the new site in {_absolute(folder)}. Enter accepts the value in brackets.")
    try:
        title = click.prompt("Title", _default_title(folder), value_proc=_answer(values.text))
        url = _ask_address()
        language = click.prompt("Language", _system_language(), value_proc=_answer(values.language_tag))
    except click.Abort:
        print_message("\nnothing was created")
        sys.exit(128 + signal.SIGINT)
    return _NewSite(title, url, language, _system_timezone())


def _ask_address() -> str:
    """Return the address of the site; "" if it has none yet. After a wrong answer, a similar address is the default."""
    question, suggestion = "Address, such as https://example.org (empty if none yet)", ""
    while True:
        answer: str = click.prompt(question, suggestion, show_default=bool(suggestion), value_proc=str)
        if not answer.strip():
            return ""
        try:
            return values.base_url(answer)
        except ValueError as error:
            print_line(f"Error: it {error}")
            suggestion = values.similar_url(answer)
            question = "Address" if suggestion else question


def _absolute(folder: Path) -> Path:
    with suppress(OSError):  # the current folder was deleted
        return folder.resolve()
    return folder


def _default_title(folder: Path) -> str:
    return humanize(_absolute(folder).name) or "My site"


def _system_language() -> str:
    """Return the language of the user's locale (environ(7)); English if it has none."""
    locale = next(filter(None, map(os.environ.get, ("LC_ALL", "LC_MESSAGES", "LANG"))), "")
    language = locale.partition(".")[0].partition("@")[0].replace("_", "-")
    return language if re.fullmatch(r"[a-z]{2,3}(-[A-Z]{2})?", language) else "en"


def _system_timezone() -> str:
    """Return the IANA name of the system's time zone (localtime(5)), UTC if it is unknown."""
    with suppress(OSError, ValueError):
        path = Path("/etc/localtime").resolve().as_posix()
        name = values.timezone(os.environ.get("TZ") or path.partition("/zoneinfo/")[2])
        return "UTC" if name in _NAMES_OF_UTC else name
    return "UTC"


def _create_site(file: Path, site: _NewSite) -> list[str]:
    """Write a configuration, an article if there is no content folder, and a .gitignore. Return the lines to print."""
    now = datetime.now(ZoneInfo(site.timezone)).replace(microsecond=0)
    content = file.parent / "content"
    texts = {file: _configuration(site), file.with_name(SCHEMA_FILE): _schema()}
    if not content.exists():
        texts[content / f"{now:%Y-%m-%d}-hello.md"] = _first_article(now, site.language)
    ignored = file.parent / ".gitignore"
    if not (ignored.exists() or _is_inside_site(file)):
        texts[ignored] = _GITIGNORE
    for path, text in texts.items():
        _write(path, text)
    lines = [f"created {path}" for path in texts]
    if not site.url:
        lines.append(
            f"Set site.url in {file.name} when the site has an address; the ids of articles do not depend on it"
        )
    return lines


def _first_article(now: datetime, language: str) -> str:
    """Return the text of the first article. It is in English, which it states on a site in another language."""
    is_english = language.partition("-")[0].lower() == "en"
    return _FIRST_ARTICLE.format(date=now.isoformat(), language="" if is_english else "lang: en\n")


def _is_inside_site(file: Path) -> bool:
    """Return whether another configuration is beside the new file, or in a folder above: its site has a .gitignore."""
    folder = _absolute(file.parent)
    return any((parent / "config.yaml").exists() for parent in (folder, *folder.parents))


def _configuration(site: _NewSite) -> str:
    """Return the text of config.yaml.

    The ids contain `site.authority` for ever. So it is written down, and is never the name of the user's machine, which
    the ids of other sites may contain too.
    """
    authority = urlsplit(site.url).hostname or ""
    try:
        has_domain = names_owner(values.authority(authority)) and not is_loopback(authority)
    except ValueError:
        has_domain = False
    if not has_domain:
        authority = f"{secrets.token_hex(8)}.invalid"  # a domain that never exists (RFC 2606), so the ids are unique
    title, url, language = (
        yaml.dump({key: value}).rstrip("\n")
        for key, value in (("title", site.title), ("url", site.url or _LOCAL_URL), ("language", site.language))
    )
    if not site.url:
        url += "  # the address of your site, such as https://example.org"
    return _CONFIG.format(title=title, url=url, language=language, timezone=site.timezone, authority=authority)


def _schema() -> str:
    """Return the text of the file with which editors complete and check config.yaml."""
    return schema_text() + "\n"


def _migrate(generator: "Generator", folder: Path, file: Path) -> list[str]:
    """Write the configuration that continues the site of another generator. Return the lines to print."""
    from feeds import config, migrate

    assert set(_GENERATORS) == set(get_args(migrate.Generator))
    names = [path.relative_to(folder).as_posix() for pattern in migrate.CONFIG_FILES[generator]
             for path in sorted(folder.glob(pattern)) if path.is_file()]  # fmt: skip
    if not names:
        patterns = migrate.CONFIG_FILES[generator]
        listed = ", ".join(patterns[:_MAX_NAMED_FILES]) + (" …" if len(patterns) > _MAX_NAMED_FILES else "")
        raise UsageError(f"{folder}: not a {generator} site: it has no configuration such as {listed}")
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
    _write(file, f"{_MODELINE}\n# Created by feeds init --from {generator}, from {names[0]}\n{yaml.dump(settings)}")
    _write(file.with_name(SCHEMA_FILE), _schema())
    feeds = plural(len(settings.get("feeds", {}).get("aliases", {})), "old feed")
    to_publish = sum(_is_to_publish(article, datetime.now(UTC)) for article in articles)
    others = len(articles) - to_publish
    counts = [plural(to_publish, "article") + " to publish"]
    counts += [f"{others:,} not published (drafts, scheduled, expired)"] if others else []
    shown = content["path"] if content["path"] != "." else _absolute(file.parent).name or "/"
    lines = [f"created {file} for {shown}: {', '.join(counts)}, {feeds} kept"]
    if rejected:
        lines.append(f"{plural(rejected, 'article')} can't be read: feeds check lists the reasons")
    lines += [f"note: {note}" for note in (*migration.notes, *valid.messages)]
    return [*lines, "Save the old feed, and check that its ids are kept:  feeds check --against old-feed.xml"]


def _is_to_publish(article: "Article", now: datetime) -> bool:
    """Return whether `feeds check` counts an article: it is not a draft, is not scheduled, and has not expired."""
    live_from = article.live_from or article.published
    return not article.draft and live_from <= now and not (article.expires and article.expires <= now)


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


_CONFIG = f"""\
{_MODELINE}
# All keys and their defaults: docs/config.md in the folder that "feeds --version" prints
site:
  {{title}}
  {{url}}
  {{language}}
  timezone: {{timezone}}  # of dates without a zone
  authority: {{authority}}  # part of all ids: never change it, even if the site moves
  pages: true  # feeds also serves the pages; remove this line if another program builds them
  # description: One sentence about the site
  # author: Your name
content:
  path: content
  permalink: /{{{{category}}}}/{{{{slug}}}}/
"""
_GITIGNORE = """\
# The catalog and the exported files of feeds
/.feeds/
/public/
"""
_FIRST_ARTICLE = """\
---
title: Hello, readers
date: {date}
category: news
tags: [hello, feeds]
description: The first article, to see that everything works.
{language}---

This is an article in Markdown. Save it, and it is in the feeds within a second.

Three things to try:
- change this text and save it: the page and the feeds show the change,
- write another article: `feeds new "My second article"`,
- run `feeds check`.
"""
