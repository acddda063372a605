"""`feeds check`: the problems of the configuration and the articles. It writes nothing."""

import json
import os
import re
import shlex
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

import click

from feeds.catalog import Catalog
from feeds.cli.check_requirements import aggregator_names, check_requirements, feed_path
from feeds.cli.common import (
    EXIT_INCOMPLETE,
    CommandContext,
    PathType,
    advice,
    articles_summary,
    command,
    create_publisher,
    open_catalog_to_read,
    plural,
    print_line,
    print_message,
    unused_keys,
)
from feeds.cli.progress import ProgressDisplay, RunProgress
from feeds.cli.schema import SCHEMA_FILE, is_outdated
from feeds.config import Config
from feeds.content import Folder
from feeds.content.public_files import PublicFiles
from feeds.content.related_files import RelatedFiles
from feeds.content.static_files import StaticFiles
from feeds.core import syndication
from feeds.core.errors import ArticleError, ConfigError, FeedsError, GuardStopped, UsageError
from feeds.core.feed_settings import limit_of
from feeds.core.lint import RULES, Lint, Problem
from feeds.core.lint.aggregators import AGGREGATORS, REQUIREMENTS
from feeds.core.model import Article, FeedState, Site
from feeds.core.parse import article as articles
from feeds.core.parse.links import Links, find_targets
from feeds.core.text import escape_unprintable, printable_excerpt
from feeds.export import host_files
from feeds.export.site_pages import find_dead_links, find_template_problems, unexported_aliases
from feeds.publish.outcome import Outcome
from feeds.render.renderer import markdown_renderer

_MANY_FEEDS = 20
# the rules of notices in the order of their importance; articles need no summary, so most sites have many of the last
NOTICES = ("draft", "undated-page", "future-date", "expired", "unlisted", "old-schema", "small-feeds", "no-summary")
_CONFIG_MISTAKE = re.compile(r"(.*?):(\d+):(\d+): (.*)", re.DOTALL)


def _config_problem(mistake: str, rule: str, more: str = "") -> Problem:
    """Return a mistake, or a position and a key, of the configuration as a problem; `more` is added to its message."""
    if match := _CONFIG_MISTAKE.match(mistake):
        return Problem(match[1], int(match[2]), rule, f"{match[4]}{more}", int(match[3]))
    return Problem("config.yaml", 1, rule, f"{mistake}{more}")  # of a variable


def _print_config_mistakes(error: ConfigError, output_format: str, **_options: object) -> None:
    """Print the mistakes of the configuration on stdout for programs. As text they are on stderr anyway."""
    problems = [_config_problem(mistake, "mistake") for mistake in error.mistakes]
    if output_format != "text":
        for output in _FORMATS[output_format](problems):
            click.echo(output)


@partial(command, on_config_error=_print_config_mistakes)
@click.option("--strict", is_flag=True, help="Exit with code 1 if there are warnings.")
@click.option("--format", "output_format", type=click.Choice(["text", "json", "github"]), default="text",
              help="Print text, JSON, or annotations for GitHub Actions.")  # fmt: skip
@click.option("--ignore", multiple=True, type=click.Choice(sorted([*RULES, *REQUIREMENTS])), metavar="RULE",
              help="Ignore a rule, in addition to check.ignore; may be repeated.")  # fmt: skip
@click.option("--against", type=PathType(path_type=Path, dir_okay=False),
              help="Compare with a saved feed of the old site, and list the ids that would be lost.")  # fmt: skip
@click.option("--for", "aggregators", multiple=True, is_eager=True, callback=aggregator_names, metavar="NAME",
              help=f"Check only the rules of an aggregator: {', '.join(AGGREGATORS)}; may be repeated.")  # fmt: skip
@click.option("--feed", callback=feed_path, metavar="PATH",
              help="With --for: check this feed, such as category/news, instead of the site's feed.")  # fmt: skip
def check(
    context: CommandContext,
    strict: bool,
    output_format: str,
    ignore: tuple[str, ...],
    against: Path | None,
    aggregators: tuple[str, ...],
    feed: str,
) -> int:
    """List problems of the configuration and the articles.

    Write nothing. Also report whether the republish guard would stop a run.

    Each problem is one line: path:line: level: message (rule). docs/articles.md lists the rules, docs/aggregators.md
    those of aggregators. With -q, only errors are printed; with -q and --strict, also warnings. With --format json or
    github, all problems are printed, even with -q.
    """
    settings, now = context.settings, datetime.now(UTC)
    content = settings.content_root

    catalog = open_catalog_to_read(settings).copy_to_memory()
    publisher = create_publisher(settings, catalog)
    folder = publisher.folder
    stopped = None
    with ProgressDisplay(quiet=context.quiet) as display:
        observer = RunProgress(display, "reading", folder.count)
        try:
            outcome = publisher.run(now, read_all=True, observer=observer)
        except GuardStopped as error:
            stopped = error
            outcome = publisher.run(now, read_all=True, accept=True, observer=observer)
        display.begin("checking", "files", outcome.files_read)
        lint = _create_lint(settings, now, folder, catalog, {*ignore, *settings.check.ignore})
        if aggregators:
            report = check_requirements(settings, catalog, context.config_file, aggregators, feed, now)
            problems, summaries = lint.without_ignored(report.problems), report.summaries
        else:
            problems, summaries = _site_problems(settings, folder, catalog, lint, display, context.config_file), []
        problems += _with_relative_paths(content, lint.without_ignored(_run_problems(outcome, catalog)))
    comparison = _compare_ids(catalog, against) if against else None
    if comparison:
        problems += lint.check_lost_ids(str(against), comparison.lost)
    if stopped and output_format != "text":
        guard_problem = Problem(
            str(context.config_file), 1, "guard", f"the republish guard would stop a run: {stopped}"
        )
        problems += lint.without_ignored([guard_problem])
    problems.sort(key=lambda problem: problem.level != "error")
    is_text = output_format == "text"
    shown = [problem for problem in problems if not is_text or _is_shown(problem, context, strict=strict)]
    for output in _FORMATS[output_format](shown):
        click.echo(output)
    if comparison:
        show = print_line if output_format == "text" else print_message  # stdout is for programs
        show(comparison.summary)
    warnings = sum(problem.level == "warning" for problem in problems)
    if not context.quiet:
        omitted = Counter(problem.rule for problem in problems)
        omitted.subtract(problem.rule for problem in shown)
        _print_summary(outcome, summaries, warnings, omitted)
    if stopped:
        if output_format == "text":
            raise stopped
        return stopped.exit_code
    has_lost_ids = any(problem.rule == "lost-id" for problem in problems)
    has_broken_templates = any(problem.rule == "template" for problem in problems)
    is_incomplete = outcome.rejected or has_lost_ids or has_broken_templates or (strict and warnings)
    return EXIT_INCOMPLETE if is_incomplete else 0


def _site_problems(
    settings: Config, folder: Folder, catalog: Catalog, lint: Lint, display: ProgressDisplay, config_file: Path
) -> list[Problem]:
    """Return the problems of the configuration, of feeds and of articles that a run does not report."""
    problems = lint.without_ignored(_configuration_problems(settings, catalog, config_file))
    problems += _feed_problems(settings, catalog, lint, config_file)
    problems += lint.without_ignored(_look_problems(settings, catalog))
    of_articles = _article_problems(folder, catalog, lint, settings.site_model, display)
    return problems + _with_relative_paths(settings.content_root, of_articles)


def _print_summary(outcome: Outcome, summaries: list[str], warnings: int, omitted: Mapping[str, int]) -> None:
    """Print the results of aggregators, and the numbers of articles, of warnings, and of omitted notices by rule."""
    for summary in summaries:
        print_message(summary)
    counts = ", ".join(f"{omitted[rule]:,} {rule}" for rule in NOTICES if omitted.get(rule))
    notices = f"; notices: {counts} (-v shows them)" if counts else ""
    articles = articles_summary(outcome.articles, outcome.rejected_count, "to publish")
    print_message(f"{articles}, {plural(warnings, 'warning')}{notices}")


def _is_shown(problem: Problem, context: CommandContext, *, strict: bool) -> bool:
    """Return whether the text contains a problem. Those that change the exit code are always shown."""
    if problem.level == "error" or problem.rule == "lost-id":
        return True
    if problem.level == "warning":
        return strict or not context.quiet
    return (context.verbose or problem.rule in REQUIREMENTS) and not context.quiet


def _create_lint(settings: Config, now: datetime, folder: Folder, catalog: Catalog, ignored: set[str]) -> Lint:
    site = settings.site_model
    related_files, files = RelatedFiles(settings.content_root, site), _public_files(settings, folder, catalog)
    static_files = StaticFiles(settings.static_folder, settings.secrets)
    return Lint(
        site,
        now,
        ignored,
        convert=markdown_renderer(site).convert,
        is_missing=partial(_is_missing, related_files, files, static_files, site),
    )


def _with_relative_paths(content: Path, problems: Iterable[Problem]) -> list[Problem]:
    """Return problems of articles with paths relative to the current folder, as editors and GitHub need them."""
    return [
        Problem(os.path.relpath(content / problem.path), problem.line, problem.rule, problem.message)
        for problem in problems
    ]


def _run_problems(outcome: Outcome, catalog: Catalog) -> Iterator[Problem]:
    with catalog.read_transaction() as reader:
        all_rejected = reader.rejected_articles()
    for rejected in all_rejected:
        yield Problem(rejected.path, rejected.line, "refused", rejected.reason)
    # _article_problems finds the other warnings
    yield from (problem for problem in outcome.warnings if problem.rule == "doubtful-id")


def _public_files(settings: Config, folder: Folder, catalog: Catalog) -> PublicFiles:
    def is_of_draft(path: str) -> bool:
        with catalog.read_transaction() as reader:
            return reader.is_of_draft(path)

    return PublicFiles(
        settings.content_root,
        may_link_to=folder.may_link_to,
        is_of_draft=is_of_draft,
        aliases=tuple(settings.feeds.aliases),
        secrets=settings.secrets,
    )


def _is_missing(
    related_files: RelatedFiles,
    files: PublicFiles,
    static_files: StaticFiles,
    site: Site,
    article: Article,
    reference: str,
) -> bool:
    if not files.is_missing(site, article, reference):
        return False
    path = syndication.files_of(article, site).path(reference) if site.pages else None
    if path and static_files.find_by_path(f"/{path}"):
        return False
    # with site.pages, `RelatedFiles.complete` has replaced the names of embedded files by paths
    in_vault = site.markdown == "obsidian" and not site.pages
    return not (in_vault and related_files.has_embedded(article.path, unquote(reference)))


def _article_problems(
    folder: Folder, catalog: Catalog, lint: Lint, site: Site, display: ProgressDisplay
) -> Iterator[Problem]:
    related_files = RelatedFiles(folder.root, site)
    for display.done, file in enumerate(folder.scan()):
        try:
            source = folder.read(file, articles.MAX_FILE_BYTES)
            authors = related_files.authors_for(file.path)
            article = articles.parse_article(source, file.path, site.timezone, authors, site.markdown)
            article = related_files.complete(article)
        except ArticleError:
            continue  # _run_problems reports it
        except FeedsError:
            continue  # it is being written
        links = Links(article.path)
        if find_targets(article.body, article.path, wikilinks=site.markdown == "obsidian"):
            with catalog.read_transaction() as reader:
                record = reader.entry_of_file(article.path)
            links = record.links if record else links
        yield from lint.check_article(article, source.decode("utf-8-sig", "replace").replace("\r\n", "\n"), links)
    yield from lint.check_spellings()


def _configuration_problems(settings: Config, catalog: Catalog, file: Path) -> Iterator[Problem]:
    for note in unused_keys(settings):
        yield _config_problem(note, "configuration")
    for message in advice(settings):
        yield Problem(str(file), 1, "configuration", message)
    if is_outdated(file.parent):
        schema = os.path.relpath(file.with_name(SCHEMA_FILE))
        message = f"is of another version; write it again for your editor: feeds schema > {shlex.quote(schema)}"
        yield Problem(schema, 1, "old-schema", message)
    if omitted := host_files.omitted_aliases(settings.site_model, settings.export.hosts, settings.feeds.aliases):
        message = (
            f"export.hosts: Cloudflare allows 100 rules, so {len(omitted)} aliases (feeds.aliases) get no media type "
            f"there, such as {omitted[0]}"
        )
        yield Problem(str(file), 1, "configuration", message)
    for alias in unexported_aliases(settings, catalog):
        reason = "is not exported: a page, a file or a folder has its path; only `feeds serve` serves the alias"
        yield Problem(str(file), 1, "configuration", f"feeds.aliases: {alias} {reason}")


def _look_problems(settings: Config, catalog: Catalog) -> Iterator[Problem]:
    """Yield the problems of the links in menu and footer, and of the site's own templates and static files."""
    static_files = StaticFiles(settings.static_folder, settings.secrets)
    for file, reason in static_files.list_unpublished():
        yield Problem(os.path.relpath(file), 1, "static-file", f"is not published: {reason}")
    if static_files.problem and settings.static_folder:
        yield Problem(os.path.relpath(settings.static_folder), 1, "static-file", static_files.problem)
    for title, link in find_dead_links(settings, catalog):
        position = settings.footer_position if title is None else settings.nav_positions[title]
        shown = printable_excerpt(link if title is None else settings.site.nav[title])
        reason = "leads to nothing on this site; correct the link, or publish an article at this address"
        yield _config_problem(position, "dead-link", f": {shown} {reason}")
    if settings.templates_folder and (settings.site.templates or settings.templates_folder.is_dir()):
        for path, line, reason in find_template_problems(settings, catalog):
            yield Problem(path, line, "template", f"{reason}; the built-in page is shown instead")


def _feed_problems(settings: Config, catalog: Catalog, lint: Lint, file: Path) -> list[Problem]:
    site = settings.site_model
    with catalog.read_transaction() as reader:
        states = [state for state in reader.feeds() if syndication.exists(state, site)]
        sizes = {state.path: sum(len(record.article.body.encode())
                                 for record in reader.newest_entries(state.path, limit_of(state.path, site)))
                 if site.max_size else 0 for state in states}  # fmt: skip
    problems = list(lint.without_ignored([*_small_feeds(states, file), *_empty_feeds(settings, states)]))
    return problems + lint.check_feeds(str(file), sizes, settings.feeds.aliases)


def _small_feeds(states: list[FeedState], file: Path) -> Iterator[Problem]:
    """Yield a problem if a site has many feeds, and most of them have one entry."""
    small = sum(state.entries == 1 for state in states)
    if len(states) >= _MANY_FEEDS and small > len(states) / 2:
        message = (
            f"{small} of {len(states)} feeds have one entry; feeds.min_entries: 2 omits them, feeds list shows them"
        )
        yield Problem(str(file), 1, "small-feeds", message)


def _empty_feeds(settings: Config, states: list[FeedState]) -> Iterator[Problem]:
    """Yield a problem for each feed of `feeds.custom` that contains no article."""
    filled = {state.path for state in states if state.entries}
    for feed, position in settings.feed_positions.items():
        if feed not in filled:
            yield _config_problem(position, "empty-feed", ": no article is in this feed")


class _IdComparison(NamedTuple):
    """The ids of a saved feed, compared with those of the entries."""

    lost: dict[str, int]  # the lines, in the saved feed, of ids that no entry has
    summary: str  # one line


def _compare_ids(catalog: Catalog, against: Path) -> _IdComparison:
    from feeds.core.formats.entry_ids import entry_ids

    try:
        old = entry_ids(against.read_bytes())
    except OSError as error:
        raise UsageError(f"{against}: can't be read: {error.strerror}") from None
    except ValueError as error:
        raise UsageError(f"{against}: {error}") from None
    with catalog.read_transaction() as reader:
        live = reader.live_ids(list(old))
    lost = {id_: line for id_, line in old.items() if id_ not in live}
    return _IdComparison(lost, f"{against}: {len(old) - len(lost)} of {plural(len(old), 'id')} kept")


def _as_text(problems: list[Problem]) -> Iterator[str]:
    for problem in problems:
        position = f"{problem.path}:{problem.line}:" + (f"{problem.column}:" if problem.column else "")
        yield escape_unprintable(f"{position} {problem.level}: {problem.message} ({problem.rule})")


def _as_json(problems: list[Problem]) -> Iterator[str]:
    keys = ("path", "line", "level", "rule", "message")
    rows = [
        {key: getattr(problem, key) for key in keys} | ({"column": problem.column} if problem.column else {})
        for problem in problems
    ]
    yield json.dumps(rows, indent=2, ensure_ascii=False)


def _as_annotations(problems: list[Problem]) -> Iterator[str]:
    """Yield workflow commands, for which GitHub Actions shows annotations beside the lines."""

    def escape(text: str, more: str = "") -> str:
        text = escape_unprintable(text)
        for character in "%" + more:
            text = text.replace(character, f"%{ord(character):02X}")
        return text

    for problem in problems:
        column = f",col={problem.column}" if problem.column else ""
        properties = f"file={escape(problem.path, ':,')},line={problem.line}{column},title={problem.rule}"
        yield f"::{problem.level} {properties}::{escape(problem.message)}"


_FORMATS: dict[str, Callable[[list[Problem]], Iterator[str]]] = {
    "text": _as_text,
    "json": _as_json,
    "github": _as_annotations,
}
