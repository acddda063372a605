"""`feeds stats`: subscribers by feed and feed reader, and the import of other servers' access logs."""

import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import click

from feeds.cli.common import (
    EXIT_INCOMPLETE,
    CommandContext,
    PathType,
    command,
    open_catalog,
    open_catalog_to_read,
    page_path,
    plural,
    print_json,
    print_line,
    print_message,
)
from feeds.core import syndication
from feeds.core.errors import FeedsError
from feeds.stats.imports import LogImporter
from feeds.stats.report import Report, ReportTotals, format_bytes
from feeds.stats.rollup import roll_up_finished_days

_STDIN = "-"
_MAX_CRAWLERS = 20  # that are listed
_DOUBTFUL = " (doubtful: limited to a plausible number)"


@command
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option(
    "--days", type=click.IntRange(1, 10_000), default=30, show_default=True, help="Add up the polls of this many days."
)
@click.option(
    "--import",
    "logs",
    type=PathType(),
    multiple=True,
    metavar="LOG",
    help="Import an access log first; - reads standard input.",
)
@click.argument("more_logs", type=PathType(), nargs=-1, metavar="[LOG]...")
def stats(context: CommandContext, as_json: bool, days: int, logs: tuple[str, ...], more_logs: tuple[str, ...]) -> int:
    """Show the subscribers by feed and feed reader, and their polls.

    To import several logs, name them after --import.
    """
    if more_logs and not logs:
        raise click.UsageError("logs can only be named after --import")
    now = datetime.now(UTC)
    has_unreadable_log = _import(context, [*logs, *more_logs], now) if logs else False
    catalog = open_catalog_to_read(context.settings)
    with catalog.read_stats() as reader:
        report = Report.of(reader, now, days)
    if as_json:
        print_json(_as_json(report))
    else:
        _print_report(report, days)
    return EXIT_INCOMPLETE if has_unreadable_log else 0


def _import(context: CommandContext, logs: Iterable[str], now: datetime) -> bool:
    """Count the polls in access logs. Return whether there is a log of which no line can be read."""
    catalog, settings = open_catalog(context.settings), context.settings
    with catalog.read_transaction() as reader:
        feeds = {state.path for state in reader.feeds() if syndication.exists(state, settings.site_model)}
    if not feeds:
        raise FeedsError("there are no feeds yet, so polls can't be counted: run feeds build or feeds serve first")
    has_unreadable_log = False
    importer = LogImporter(catalog, settings.site_model, settings.feeds.aliases, feeds.__contains__)
    for name in logs:
        try:
            with sys.stdin.buffer if name == _STDIN else Path(name).open("rb") as file:
                result = importer.read(file, now)
        except OSError as error:
            raise FeedsError(f"{name}: can't be read: {error.strerror}") from None
        roll_up_finished_days(catalog, now, settings.stats.keep, more_logs=True)
        if not context.quiet:
            known = f", {result.known:,} bytes were imported before" if result.known else ""
            bad = f", {plural(result.bad, 'line')} could not be read" if result.bad else ""
            print_message(f"{name}: {plural(result.polls, 'poll')} in {plural(result.lines, 'line')}{known}{bad}")
        has_unreadable_log |= 0 < result.lines == result.bad
    roll_up_finished_days(catalog, now, settings.stats.keep)
    catalog.erase_closed_days()
    return has_unreadable_log


def _as_json(report: Report) -> object:
    return {
        "subscribers": report.subscribers,
        "day": report.day,
        "feeds": [
            {
                "path": page_path(feed.path),
                "subscribers": feed.subscribers,
                "readers": [
                    {
                        "name": reader.name,
                        "kind": reader.kind,
                        "subscribers": reader.subscribers,
                        **({"doubtful": True} if reader.is_doubtful else {}),
                    }
                    for reader in feed.readers
                ],
                **_totals_as_json(feed.sums),
            }
            for feed in report.feeds
        ],
        **_totals_as_json(report.sums),
        "crawlers": [{"name": robot.name, **_totals_as_json(robot.totals)} for robot in report.robots],
        "days": [
            {"day": day, "subscribers": report.subscribers_on(day), **_totals_as_json(totals)}
            for day, totals in sorted(report.days.items())
        ],
    }


def _totals_as_json(totals: ReportTotals) -> dict[str, object]:
    return {
        "polls": totals.polls,
        "unchanged": totals.unchanged,
        "share_unchanged": round(totals.share_unchanged, 4),
        "bytes": totals.bytes,
        "saved": totals.saved,
    }


def _print_report(report: Report, days: int) -> None:
    if report.day is None:
        click.echo("No polls have been counted yet. feeds serve counts them (stats.count); --import counts logs.")
        return
    click.echo(f"{'subscribers':>11} {'polls':>9} {'304':>5} {'sent':>9} {'saved':>9}  feed")
    for feed in sorted(report.feeds, key=lambda feed: (-feed.subscribers, feed.path)):
        click.echo(f"{feed.subscribers:>11,} {_columns(feed.sums)}  {page_path(feed.path)}")
        for reader in feed.readers:
            doubtful = _DOUBTFUL if reader.is_doubtful else ""
            print_line(f"{'':>48}  {reader.subscribers:>11,}  {reader.name}{doubtful}")
    click.echo(f"{report.subscribers:>11,} {_columns(report.sums)}  all feeds; a subscriber of two feeds counts twice")
    if report.robots:
        click.echo("\ncrawlers and browsers, which are not subscribers")
        for robot in report.robots[:_MAX_CRAWLERS]:
            print_line(f"{'':>11} {_columns(robot.totals)}  {robot.name}")
        if len(report.robots) > _MAX_CRAWLERS:
            click.echo(f"{'':>48}  and {len(report.robots) - _MAX_CRAWLERS:,} others")
    click.echo(f"\nSubscribers: on {report.day} so far, or on the day before if there were more. Days are UTC.")
    click.echo(
        f"Polls: of {plural(days, 'day')}; 304: the share answered with 304; saved: bytes that 304s made unnecessary."
    )


def _columns(totals: ReportTotals) -> str:
    share = f"{totals.share_unchanged:.0%}" if totals.polls else "-"
    return f"{totals.polls:>9,} {share:>5} {format_bytes(totals.bytes):>9} {format_bytes(totals.saved):>9}"
