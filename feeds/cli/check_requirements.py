"""`feeds check --for`: checks a feed by the published rules of aggregators."""

import os
from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import click

from feeds.catalog import Catalog
from feeds.config import Config
from feeds.config.values import did_you_mean
from feeds.core import presentation, syndication
from feeds.core.errors import UsageError
from feeds.core.feed_settings import limit_of
from feeds.core.lint import Problem, line_of_key
from feeds.core.lint.aggregators import AGGREGATORS
from feeds.core.lint.requirements import CheckedEntry, CheckedFeed
from feeds.core.text import printable_excerpt
from feeds.render import BulkRenderer, DocumentPath


class RequirementReport(NamedTuple):
    """The requirements that a feed does not meet, and a line of text about each aggregator."""

    problems: list[Problem]
    summaries: list[str]


def aggregator_names(context: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names in --for, in lower case. Raise `click.BadParameter` for an aggregator without known rules."""
    names = tuple(value.strip().lower() for value in values)
    for name in names:
        if name not in AGGREGATORS:
            known, similar = ", ".join(AGGREGATORS), did_you_mean(name, AGGREGATORS)
            reason = f"no rules are known for '{printable_excerpt(name)}', only for {known}{similar}"
            raise click.BadParameter(reason, context, parameter)
    return names


def feed_path(context: click.Context, parameter: click.Parameter, value: str | None) -> str:
    """Return the path of the feed that --feed names; "" for the site's. Raise `click.BadParameter` without --for."""
    if value is not None and not context.params.get("aggregators"):  # --for is eager, so it is known already
        raise click.BadParameter("needs --for, the aggregator whose rules the feed must meet", context, parameter)
    return (value or "").strip("/")


def check_requirements(
    settings: Config, catalog: Catalog, config_file: Path, names: Iterable[str], feed: str, now: datetime
) -> RequirementReport:
    """Check a feed by the rules of aggregators.

    A problem of the whole feed has the path of the configuration file. A problem of an entry has the path of its
    article's file.

    Args:
        settings: the configuration.
        catalog: the catalog, after a run.
        config_file: the configuration file.
        names: the names of the aggregators.
        feed: the path of the feed, such as "category/news"; "" is the site's feed.
        now: the time.

    Raises:
        UsageError: there is no such feed.
    """
    checked = _load_feed(settings, catalog, feed, now)
    problems: list[Problem] = []
    summaries = []
    for name in dict.fromkeys(names):
        title, rules = AGGREGATORS[name]
        failed = set()
        for rule, requirement in rules.items():
            for message, path, key in requirement.check(checked):
                text = f"{title}: {message}; see {requirement.source.url}"
                file, line = str(config_file), 1
                if path:
                    file, line = _position(settings.content_root / path, key)
                problems.append(Problem(file, line, rule, text))
                failed.add(rule)
        shown = f"/{feed}" if feed else "the site's feed"
        summaries.append(f"{title}: {shown} meets {len(rules) - len(failed)} of {len(rules)} rules")
    return RequirementReport(problems, summaries)


def _load_feed(settings: Config, catalog: Catalog, path: str, now: datetime) -> CheckedFeed:
    site = settings.site_model
    with catalog.read_transaction() as reader:
        states = {state.path: state for state in reader.feeds() if syndication.exists(state, site)}
        if path not in states:
            reason = f"--feed: there is no feed at /{printable_excerpt(path)}{did_you_mean(path, filter(None, states))}"
            raise UsageError(f"{reason} (feeds list shows all feeds)")
        records = reader.newest_entries(path, limit_of(path, site))
    documents = BulkRenderer(catalog, site)
    page = documents.load_feed(path, 0)
    rss = DocumentPath.parse(f"/{path}/rss.xml" if path else "/rss.xml")
    assert rss is not None, "the path of a feed with the name of a format"
    rendered = next(documents.render_documents(page, [rss], has_archives=lambda _: True))
    options = syndication.entry_options(path, site)
    shown = [presentation.present(entry, options, site) for entry in page.feed.entries]
    entries = tuple(CheckedEntry(record.path, entry) for record, entry in zip(records, shown, strict=True))
    return CheckedFeed(page.feed, entries, len(rendered.document.body), site, now)


def _position(file: Path, key: str) -> tuple[str, int]:
    """Return the path of an article's file, relative to the current folder, and the line of a key in it."""
    line = 1
    with suppress(OSError):  # it was removed meanwhile
        line = line_of_key(file.read_text("utf-8-sig", "replace"), key)
    return os.path.relpath(file), line
