"""`feeds stats`: who reads, by feed and by reader; and the counting of other servers' logs."""

import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import click

from feeds import syndicate
from feeds.audience import Importer, Report, Sums, close_days, in_bytes
from feeds.cli.common import REFUSED, Call, command, open_catalog, open_published, page_path, plural, print_json, say
from feeds.errors import FeedsError

_STDIN = "-"
_MOST_ROBOTS = 20
_DOUBT = " (doubtful: the most that is believed)"


@command
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.option("--days", type=click.IntRange(1, 10_000), default=30, show_default=True, help="Polls of so many days.")
@click.option("--import", "logs", multiple=True, metavar="LOG", help="First count an access log, - for stdin.")
@click.argument("more_logs", nargs=-1, metavar="[LOG]...")
def stats(call: Call, as_json: bool, days: int, logs: tuple[str, ...], more_logs: tuple[str, ...]) -> int:
    """Say who reads: subscribers by feed and reader.

    And how they poll.
    After --import several logs may be named.
    """
    if more_logs and not logs:
        raise click.UsageError("what is to be counted follows --import")
    now = datetime.now(UTC)
    unread = _import(call, [*logs, *more_logs], now) if logs else False
    catalog = open_published(call.settings)
    with catalog.read_stats() as reader:
        report = Report.of(reader, now, days)
    if as_json:
        print_json(_as_json(report))
    else:
        _show(report, days)
    return REFUSED if unread else 0


def _import(call: Call, logs: Iterable[str], now: datetime) -> bool:
    """Count the polls in logs. Tells whether one of them can't be read at all."""
    catalog, settings = open_catalog(call.settings), call.settings
    with catalog.reading() as reader:
        exists = {state.path for state in reader.feeds() if syndicate.exists(state, settings.for_core)}
    if not exists:
        raise FeedsError("there are no feeds yet whose polls could be counted: feeds build, or feeds serve")
    unread = False
    importer = Importer(catalog, settings.for_core, settings.feeds.aliases, exists.__contains__)
    for name in logs:
        try:
            with sys.stdin.buffer if name == _STDIN else Path(name).open("rb") as file:
                came = importer.read(file, now)
        except OSError as error:
            raise FeedsError(f"{name}: {error.strerror}") from None
        close_days(catalog, now, settings.stats.keep, more_logs=True)
        if not call.quiet:
            known = f", {came.known:,} bytes were known" if came.known else ""
            bad = f", {plural(came.bad, 'line')} could not be read" if came.bad else ""
            say(f"{name}: {plural(came.polls, 'poll')} in {plural(came.lines, 'line')}{known}{bad}")
        unread |= 0 < came.lines == came.bad
    close_days(catalog, now, settings.stats.keep)
    catalog.erase_closed_days()
    return unread


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
                **_sums(feed.sums),
            }
            for feed in report.feeds
        ],
        **_sums(report.sums),
        "crawlers": [{"name": name, **_sums(sums)} for name, sums in report.robots],
        "days": [
            {"day": day, "subscribers": report.subscribers_on(day), **_sums(sums)}
            for day, sums in sorted(report.days.items())
        ],
    }


def _sums(sums: Sums) -> dict[str, object]:
    return {
        "polls": sums.polls,
        "unchanged": sums.unchanged,
        "share_unchanged": round(sums.share_unchanged, 4),
        "bytes": sums.bytes,
        "saved": sums.saved,
    }


def _show(report: Report, days: int) -> None:
    if report.day is None:
        click.echo("Nobody was counted yet. feeds serve counts who polls (stats.count); --import counts logs.")
        return
    click.echo(f"{'subscribers':>11} {'polls':>9} {'304':>5} {'sent':>9} {'saved':>9}  feed")
    for feed in sorted(report.feeds, key=lambda feed: (-feed.subscribers, feed.path)):
        click.echo(f"{feed.subscribers:>11,} {_row(feed.sums)}  {page_path(feed.path)}")
        for reader in feed.readers:
            click.echo(f"{'':>48}  {reader.subscribers:>11,}  {reader.name}{_DOUBT if reader.is_doubtful else ''}")
    click.echo(f"{report.subscribers:>11,} {_row(report.sums)}  together; who follows two feeds is two")
    if report.robots:
        click.echo("\ncrawlers and browsers, which are no subscribers")
        for name, sums in report.robots[:_MOST_ROBOTS]:
            click.echo(f"{'':>11} {_row(sums)}  {name}")
        if len(report.robots) > _MOST_ROBOTS:
            click.echo(f"{'':>48}  and {len(report.robots) - _MOST_ROBOTS:,} others")
    click.echo(f"\nSubscribers: of {report.day} so far, or of the day before where they were more. Days are UTC.")
    click.echo(f"Polls: of {plural(days, 'day')}; the share that got a 304, bytes sent, and bytes that 304s saved.")


def _row(sums: Sums) -> str:
    share = f"{sums.share_unchanged:.0%}" if sums.polls else "-"
    return f"{sums.polls:>9,} {share:>5} {in_bytes(sums.bytes):>9} {in_bytes(sums.saved):>9}"
