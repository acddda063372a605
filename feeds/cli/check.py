"""`feeds check`: what is wrong, without writing anything."""

from datetime import UTC, datetime

import click

from feeds import schedule
from feeds.catalog import Catalog
from feeds.cli.common import REFUSED, Call, command, counted, make_publisher, progress_bar, say, where


@command
@click.option("--strict", is_flag=True, help="Exit with 1 for warnings too.")
def check(call: Call, strict: bool) -> int:
    """Say what is wrong with the configuration and the articles; write nothing."""
    settings = call.settings

    schedule.trigger(settings.schedule.cron, settings.for_core.timezone)
    catalog = Catalog(None)
    catalog.create()
    publisher, _ = make_publisher(settings, catalog)
    with progress_bar("checking", quiet=call.quiet) as progress:
        outcome = publisher.refresh(datetime.now(UTC), progress=progress)
    for refusal in outcome.refused:
        click.echo(f"{where(refusal, settings)}: {refusal.reason}")
    warnings = [*settings.without_effect, *outcome.warnings]
    for warning in warnings:
        click.echo(f"{warning}" if warning in settings.without_effect else f"{settings.content.path}/{warning}")
    if not call.quiet:
        say(f"{counted(outcome)}, {len(warnings)} warnings")
    return REFUSED if outcome.refused or (strict and warnings) else 0
