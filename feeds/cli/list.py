"""`feeds list`: the published feeds."""

import click

from feeds.cli.common import CommandContext, command, open_catalog_to_read, page_path, print_json, print_line
from feeds.core import syndication
from feeds.stats.report import subscribers_by_feed


@command
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_feeds(context: CommandContext, as_json: bool) -> int:
    """List the feeds: path, entries, subscribers, last change, name."""
    settings = context.settings

    catalog = open_catalog_to_read(settings)
    with catalog.read_transaction() as reader:
        feeds = [state for state in reader.feeds() if syndication.exists(state, settings.site_model)]
    with catalog.read_stats() as stats:
        subscribers = subscribers_by_feed(stats)
    if as_json:
        print_json(
            [
                {
                    "path": page_path(state.path),
                    "kind": state.kind,
                    "name": state.name or settings.site.title,
                    "entries": state.entries,
                    "changed": state.changed.isoformat(),
                    "subscribers": subscribers.get(state.path, 0),
                }
                for state in feeds
            ]
        )
        return 0
    for state in feeds:
        name = state.name or settings.site.title
        numbers = f"{state.entries:>7} {subscribers.get(state.path, 0):>7}"
        print_line(f"{page_path(state.path):<40} {numbers}  {state.changed:%Y-%m-%d %H:%M:%S}  {name}")
    return 0
