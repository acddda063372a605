"""`feeds list` and `feeds status`: what the catalog says, for people and for programs."""

from datetime import UTC, datetime

import click

from feeds import syndicate
from feeds.audience import subscribers
from feeds.cli.common import Call, command, open_published, page_path, plural, print_json, where
from feeds.cli.purging import owed
from feeds.text import quote_path

_SOME = 3  # files that are named


@command
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def list_feeds(call: Call, as_json: bool) -> int:
    """List the feeds: path, entries, subscribers, last change."""
    settings = call.settings

    catalog = open_published(settings)
    with catalog.reading() as reader:
        feeds = [state for state in reader.feeds() if syndicate.exists(state, settings.for_core)]
    with catalog.read_stats() as stats:
        counted = subscribers(stats)
    if as_json:
        print_json(
            [
                {
                    "path": page_path(state.path),
                    "kind": state.kind,
                    "name": state.name or settings.site.title,
                    "entries": state.entries,
                    "changed": state.changed.isoformat(),
                    "subscribers": counted.get(state.path, 0),
                }
                for state in feeds
            ]
        )
        return 0
    for state in feeds:
        name = state.name or settings.site.title
        numbers = f"{state.entries:>7} {counted.get(state.path, 0):>7}"
        click.echo(f"{page_path(state.path):<40} {numbers}  {state.changed:%Y-%m-%d %H:%M:%S}  {name}")
    return 0


@command
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def status(call: Call, as_json: bool) -> int:
    """Say what the last good regeneration came to.

    Refused articles with reasons, what is scheduled, what is too large, what fails since, what caches don't know yet.
    If something fails, the exit code is that of the failure: 3, or 1, 2, 4 or 5 as of any other command.
    """
    settings = call.settings
    published = open_published(settings)
    failing = published.failures()
    code = max((one.exit_code for one in failing.values()), default=0)
    with published.reading() as catalog:
        run, revision, live = catalog.run(), catalog.revision(), catalog.live()
        refused, scheduled = catalog.refused(), catalog.scheduled(datetime.now(UTC))
        shortened = catalog.shortened()
        unpurged = owed(catalog) if settings.export.purge else []
    if as_json:
        print_json(
            {
                "revision": revision,
                "run": run and {"at": run.at.isoformat(), "seconds": round(run.seconds, 3), "outcome": run.outcome},
                "failure": "; ".join(failing[task].reason for task in sorted(failing)) or None,
                "failures": [
                    {"task": task, "since": one.since.isoformat(), "reason": one.reason}
                    for task, one in sorted(failing.items())
                ],
                "articles": live,
                "refused": [{"path": item.path, "line": item.line, "reason": item.reason} for item in refused],
                "scheduled": [{"path": path, "at": at.isoformat()} for path, at in scheduled],
                "shortened": [{"path": it.path, "entries": it.entries, "texts": it.texts} for it in shortened],
                "unpurged": unpurged,
            }
        )
        return code
    lines = [
        f"failing since then: {one.reason}"
        if task == "publish" and run
        else f"failing    {task}, since {one.since:%Y-%m-%d %H:%M:%S} UTC: {one.reason}"
        for task, one in sorted(failing.items())
    ]
    if run is None:
        click.echo("\n".join(["Nothing was published yet: feeds build, or feeds serve.", *lines]))
        return code
    when = f"{run.at:%Y-%m-%d %H:%M:%S} UTC, {run.seconds:.2f} s"
    click.echo(f"Revision {revision}, {plural(live, 'article')}; last good regeneration {when}")
    for line in lines:
        click.echo(line)
    for item in refused:
        click.echo(f"refused    {where(item, settings)}: {item.reason}")
    for path, at in scheduled:
        click.echo(f"scheduled  {settings.content.path}/{path}: {at:%Y-%m-%d %H:%M:%S} UTC")
    limit = f"would be over {settings.feeds.max_size} KiB (feeds.max_size)"
    for it in shortened:
        click.echo(f"shortened  {quote_path(it.path)}: {limit}; {it.texts} of {it.entries} entries have their text")
    if unpurged:
        first = ", ".join(map(quote_path, unpurged[:_SOME]))
        more = f" and {len(unpurged) - _SOME:,} more" if len(unpurged) > _SOME else ""
        click.echo(f"unpurged   {first}{more}: caches are still to be told (export.purge), by the next export")
    return code
