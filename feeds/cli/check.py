"""`feeds check`: what is wrong, without writing anything."""

from datetime import UTC, datetime

import click

from feeds import schedule
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
    where,
)
from feeds.errors import GuardStopped


@command
@click.option("--strict", is_flag=True, help="Exit with 1 for warnings too.")
def check(call: Call, strict: bool) -> int:
    """Say what is wrong with the configuration and the articles, and what a run would stop at; write nothing."""
    settings = call.settings

    schedule.trigger(settings.schedule.cron, settings.for_core.timezone)
    catalog = open_published(settings).copy()
    publisher, folder = make_publisher(settings, catalog)
    stopped = None
    with progress_bar("checking", folder, quiet=call.quiet) as progress:
        try:
            outcome = publisher.refresh(datetime.now(UTC), force=True, progress=progress)
        except GuardStopped as error:
            stopped = error
            outcome = publisher.refresh(datetime.now(UTC), force=True, accept=True)
    for refusal in outcome.refused:
        click.echo(f"{where(refusal, settings)}: {refusal.reason}")
    warnings = [*settings.without_effect, *advice(settings)]
    warnings += [f"{settings.content.path}/{warning}" for warning in outcome.warnings]
    for warning in warnings:
        click.echo(f"warning: {warning}")
    if not call.quiet:
        say(f"{counted(outcome, 'to publish')}, {plural(len(warnings), 'warning')}")
    if stopped:
        raise stopped
    return REFUSED if outcome.refused or (strict and warnings) else 0
