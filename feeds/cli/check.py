"""`feeds check`: what is wrong, without writing anything."""

import json
import os
import re
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from urllib.parse import unquote

import click

from feeds import hosts, schedule, syndicate
from feeds.bundle import PublicFiles
from feeds.catalog import Catalog
from feeds.cli.common import (
    REFUSED,
    Call,
    advice,
    command,
    counted,
    make_publisher,
    open_published,
    plural,
    progress_bar,
    say,
)
from feeds.cli.site import left_out_aliases
from feeds.config import Config
from feeds.documents.render import markdown_renderer
from feeds.errors import ConfigError, FeedsError, GuardStopped, Refused, UsageError
from feeds.folder import Folder
from feeds.folder.companions import Companions
from feeds.lint import RULES, Lint, Problem
from feeds.model import Article, Site
from feeds.parse import article as articles
from feeds.parse.links import Links, targets
from feeds.publish import Outcome

_MISTAKE = re.compile(r"(.*?):(\d+):\d+: (.*)", re.DOTALL)


def _say_mistakes(error: ConfigError, form: str, **_options: object) -> None:
    """Say to programs what is wrong with the configuration; people read it on stderr."""
    found = []
    for mistake in error.mistakes:
        match = _MISTAKE.match(mistake)
        path, line, said = match.groups() if match else ("config.yaml", "1", mistake)
        found.append(Problem(path, int(line or 1), "mistake", said))
    for told in _FORMS[form](found) if form != "text" else ():
        click.echo(told)


@partial(command, mistakes=_say_mistakes)
@click.option("--strict", is_flag=True, help="Exit with 1 for warnings too.")
@click.option("--format", "form", type=click.Choice(["text", "json", "github"]), default="text",
              help="Lines for people, JSON, or annotations of GitHub's.")  # fmt: skip
@click.option("--ignore", multiple=True, type=click.Choice(sorted(RULES)), metavar="RULE",
              help="Switch a rule off, by its name; may be repeated [check.ignore].")  # fmt: skip
@click.option("--against", type=click.Path(path_type=Path, dir_okay=False),
              help="A saved feed of the site as it was: see that its entries keep their ids.")  # fmt: skip
def check(call: Call, strict: bool, form: str, ignore: tuple[str, ...], against: Path | None) -> int:
    """Say what is wrong with config and articles.

    And what a run would stop at; nothing is written.

    Each problem is one line, path:line: level: message (rule). The rules are listed in docs/articles.md.
    """
    settings, now = call.settings, datetime.now(UTC)

    schedule.trigger(settings.schedule.cron, settings.for_core.timezone)
    catalog = open_published(settings).copy()
    publisher, folder = make_publisher(settings, catalog)
    stopped = None
    with progress_bar("checking", folder, quiet=call.quiet) as progress:
        try:
            outcome = publisher.refresh(now, force=True, progress=progress)
        except GuardStopped as error:
            stopped = error
            outcome = publisher.refresh(now, force=True, accept=True)
    renderer = markdown_renderer(settings.for_core)
    lint = Lint(
        settings.for_core,
        now,
        {*ignore, *settings.check.ignore},
        convert=renderer.converted,
        is_missing=partial(
            _is_missing,
            Companions(settings.content_root, settings.for_core),
            _files(settings, folder, catalog),
            settings,
        ),
    )
    problems = [*lint.chosen(_of_configuration(settings, catalog, call.config_file)),
                *_of_feeds(settings, catalog, lint, call.config_file)]  # fmt: skip
    problems += _below(settings.content_root, lint.chosen(_of_run(outcome)))
    problems += _below(settings.content_root, _of_articles(folder, catalog, lint, settings.for_core))
    lost, kept = _compare(catalog, against) if against else ([], "")
    problems += lint.old_ids(str(against), lost)
    if stopped and form != "text":
        problems += lint.chosen([Problem(str(call.config_file), 1, "guard", f"a run would stop: {stopped}")])
    problems.sort(key=lambda one: one.level != "error")  # first what is not published
    told = problems if form != "text" or call.verbose else [one for one in problems if one.level != "notice"]
    for line in _FORMS[form](told):
        click.echo(line)
    if kept:
        click.echo(kept, err=form != "text")  # what a program reads is all problems
    warnings = sum(problem.level == "warning" for problem in problems)
    if not call.quiet:
        more = f", {plural(len(problems) - len(told), 'notice')} (-v shows them)" if len(problems) > len(told) else ""
        say(f"{counted(outcome, 'to publish')}, {plural(warnings, 'warning')}{more}")
    if stopped:
        if form == "text":
            raise stopped
        return stopped.exit_code
    is_lost = any(problem.rule == "lost-id" for problem in problems)
    return REFUSED if outcome.refused or is_lost or (strict and warnings) else 0


def _below(content: Path, problems: Iterable[Problem]) -> list[Problem]:
    """Give problems of articles with their paths as seen from here, where editors and GitHub look for them."""
    return [Problem(os.path.relpath(content / one.path), one.line, one.rule, one.message) for one in problems]


def _of_run(outcome: Outcome) -> Iterator[Problem]:
    for refusal in outcome.refused:
        yield Problem(refusal.path, refusal.line, "refused", refusal.reason)
    yield from (problem for problem in outcome.warnings if problem.rule == "doubtful-id")  # the others: _of_articles


def _files(settings: Config, folder: Folder, catalog: Catalog) -> PublicFiles:
    def is_of_draft(path: str) -> bool:
        with catalog.reading() as reader:
            return reader.is_of_draft(path)

    return PublicFiles(
        settings.content_root,
        may_lead_to=folder.may_lead_to,
        is_of_draft=is_of_draft,
        aliases=tuple(settings.feeds.aliases),
        secrets=settings.secrets,
    )


def _is_missing(companions: Companions, files: PublicFiles, settings: Config, article: Article, reference: str) -> bool:
    site = settings.for_core
    if not files.is_missing(site, article, reference):
        return False
    # where articles have pages of ours, `complete` has put paths in the place of the names
    in_vault = site.markdown == "obsidian" and not site.pages
    return not (in_vault and companions.has_in_vault(article.path, unquote(reference)))


def _of_articles(folder: Folder, catalog: Catalog, lint: Lint, site: Site) -> Iterator[Problem]:
    companions = Companions(folder.root, site)
    for found in folder.scan():
        try:
            data = folder.read(found, articles.LARGEST)
            read = articles.read(data, found.path, site.timezone, companions.people(found.path), site.markdown)
            article = companions.complete(read)
        except Refused:
            continue  # the run has said so
        except FeedsError:
            continue  # it is being written
        links = Links(article.path)
        if targets(article.body, article.path, wikilinks=site.markdown == "obsidian"):
            with catalog.reading() as reader:
                record = reader.at_path(article.path)
            links = record.links if record else links
        yield from lint.article(article, data.decode("utf-8-sig", "replace").replace("\r\n", "\n"), links)
    yield from lint.site()


def _of_configuration(settings: Config, catalog: Catalog, file: Path) -> Iterator[Problem]:
    for note in settings.without_effect:
        path, line, _, said = note.split(":", 3)
        yield Problem(path, int(line), "configuration", said.strip())
    for line in advice(settings):
        yield Problem(str(file), 1, "configuration", line)
    if left_out := hosts.left_out(settings.for_core, settings.export.hosts, settings.feeds.aliases):
        said = f"export.hosts: Cloudflare reads no more than 100 rules: {len(left_out)} of feeds.aliases"
        yield Problem(str(file), 1, "configuration", f"{said} have no media type there, {left_out[0]} first")

    for alias in left_out_aliases(settings, catalog):
        said = "is not exported: a page, a file or a folder is at its path; `feeds serve` answers it"
        yield Problem(str(file), 1, "configuration", f"feeds.aliases: {alias} {said}")


def _of_feeds(settings: Config, catalog: Catalog, lint: Lint, file: Path) -> list[Problem]:
    site = settings.for_core
    with catalog.reading() as reader:
        paths = [state.path for state in reader.feeds() if syndicate.exists(state, site)]
        sizes = {path: sum(len(record.article.body.encode()) for record in reader.newest(path, site.limit))
                 if site.max_size else 0 for path in paths}  # fmt: skip
    return lint.configuration(str(file), sizes, settings.feeds.aliases)


def _compare(catalog: Catalog, against: Path) -> tuple[list[str], str]:
    """Give the ids of a saved feed that none of the entries has, and what to say of all."""
    from feeds.formats.ids import ids

    try:
        old = list(dict.fromkeys(ids(against.read_bytes())))
    except OSError as error:
        raise UsageError(f"{against}: can't be read: {error.strerror}") from None
    except ValueError as error:
        raise UsageError(f"{against}: {error}") from None
    with catalog.reading() as reader:
        live = reader.live_ids(old)
    lost = [id_ for id_ in old if id_ not in live]
    return lost, f"{against}: {len(old) - len(lost)} of {plural(len(old), 'id')} kept"


def _as_text(problems: list[Problem]) -> Iterator[str]:
    for one in problems:
        yield f"{one.path}:{one.line}: {one.level}: {one.message} ({one.rule})"


def _as_json(problems: list[Problem]) -> Iterator[str]:
    found = [{"path": one.path, "line": one.line, "level": one.level, "rule": one.rule, "message": one.message}
             for one in problems]  # fmt: skip
    yield json.dumps(found, indent=2, ensure_ascii=False)


def _as_annotations(problems: list[Problem]) -> Iterator[str]:
    """Write what GitHub Actions shows beside the line (workflow commands)."""

    def escaped(text: str, more: str = "") -> str:
        for letter in "%\r\n" + more:
            text = text.replace(letter, f"%{ord(letter):02X}")
        return text

    for one in problems:
        place = f"file={escaped(one.path, ':,')},line={one.line},title={one.rule}"
        yield f"::{one.level} {place}::{escaped(one.message)}"


_FORMS: dict[str, Callable[[list[Problem]], Iterator[str]]] = {
    "text": _as_text,
    "json": _as_json,
    "github": _as_annotations,
}
