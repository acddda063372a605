"""`feeds list`: the published feeds."""

import shutil
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

import click

from feeds.cli.common import (
    CommandContext,
    command,
    open_catalog_to_read,
    page_path,
    plural,
    print_json,
    print_message,
)
from feeds.core import syndication
from feeds.core.model import LISTED_KINDS, FeedState
from feeds.core.text import escape_unprintable
from feeds.stats.report import subscribers_by_feed

_MAX_PATH_CHARS = 60  # of the column; longer paths move the rest of their line


class _Row(NamedTuple):
    """A feed as `feeds list` shows it."""

    state: FeedState
    name: str
    subscribers: int


_ORDERS: dict[str, Callable[[_Row], Any]] = {
    "path": lambda row: row.state.path,
    "entries": lambda row: (-row.state.entries, row.state.path),
    "subscribers": lambda row: (-row.subscribers, row.state.path),
    "changed": lambda row: (-row.state.changed.timestamp(), row.state.path),
    "name": lambda row: (row.name.casefold(), row.state.path),
}


@command
@click.argument("kind", required=False, type=click.Choice(["site", *LISTED_KINDS]))
@click.option(
    "--min",
    "min_entries",
    type=click.IntRange(min=0),
    default=0,
    metavar="N",
    help="List only feeds with at least N entries.",
)
@click.option(
    "--sort", "order", type=click.Choice([*_ORDERS]), default="path", show_default=True, help="Sort by this column."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_feeds(context: CommandContext, kind: str | None, min_entries: int, order: str, as_json: bool) -> int:
    """List the feeds: path, entries, subscribers, last change, name.

    With a kind, such as `tag`, list only the feeds of this kind.
    """
    settings = context.settings
    catalog = open_catalog_to_read(settings)
    with catalog.read_transaction() as reader:
        states = [state for state in reader.feeds() if syndication.exists(state, settings.site_model)]
    with catalog.read_stats() as stats:
        subscribers = subscribers_by_feed(stats)
    rows = sorted(
        (
            _Row(state, state.name or settings.site.title, subscribers.get(state.path, 0))
            for state in states
            if state.entries >= min_entries and kind in {None, state.kind}
        ),
        key=_ORDERS[order],
    )
    if as_json:
        print_json(
            [
                {
                    "path": page_path(row.state.path),
                    "kind": row.state.kind,
                    "name": row.name,
                    "entries": row.state.entries,
                    "changed": row.state.changed.isoformat(),
                    "subscribers": row.subscribers,
                }
                for row in rows
            ]
        )
    elif not states:
        print_message("There are no feeds yet. Publish the articles with feeds build or feeds serve.")
    elif not rows:
        print_message(f"No feed matches; the site has {plural(len(states), 'feed')}.")
    else:
        _print_table(rows)
    return 0


def _print_table(rows: list[_Row]) -> None:
    """Print rows with column headings; on a terminal, in a pager if they don't fit."""
    paths = [escape_unprintable(page_path(row.state.path)) for row in rows]
    width = min(max(map(len, [*paths, "PATH"])), _MAX_PATH_CHARS)
    lines = [f"{'PATH':<{width}}  ENTRIES  SUBSCRIBERS  LAST CHANGE (UTC)    NAME"]
    lines += [
        f"{path:<{width}}  {row.state.entries:>7}  {row.subscribers:>11}  {row.state.changed:%Y-%m-%d %H:%M:%S}  "
        f"{escape_unprintable(row.name)}"
        for path, row in zip(paths, rows, strict=True)
    ]
    if sys.stdout.isatty() and len(lines) >= shutil.get_terminal_size().lines:
        click.echo_via_pager("\n".join(lines))
    else:
        click.echo("\n".join(lines))
