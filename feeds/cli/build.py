"""`feeds build`: one regeneration and the static tree, for cron."""

from datetime import UTC, datetime
from pathlib import Path

import click

from feeds import config
from feeds.cli.common import (
    REFUSED,
    Call,
    command,
    counted,
    make_publisher,
    open_catalog,
    progress_bar,
    say,
    say_without_effect,
    where,
)
from feeds.documents import Documents, path_of
from feeds.export import Tree
from feeds.formats import FORMATS
from feeds.publish import Outcome


@command
@click.option("--output", type=click.Path(path_type=Path, file_okay=False), help="The folder to write [export.path].")
@click.option("--force", is_flag=True, help="Read every article and write every file again.")
@click.option("--accept", is_flag=True, help="Publish even what the republish guard would stop.")
@click.option("--wait", type=click.FloatRange(0), default=0.0, metavar="SECONDS", help="Wait for another run to end.")
def build(call: Call, output: Path | None, force: bool, accept: bool, wait: float) -> int:
    """Regenerate once and write the feeds as static files. Silent if all is well."""
    settings = call.settings

    say_without_effect(settings)
    catalog = open_catalog(settings)
    publisher, _ = make_publisher(settings, catalog)
    with catalog.lock(wait):
        with progress_bar("reading", quiet=call.quiet) as progress:
            outcome = publisher.refresh(datetime.now(UTC), force=force, accept=accept, progress=progress)
        documents = Documents(catalog, settings.for_core)
        tree = Tree((output or settings.export_root).absolute())
        paths = [path_of(state.path, format_) for state in documents.feeds() for format_ in FORMATS]
        tree.plan(paths)
        written = 0
        for state, document in documents.every(
            lambda format_, state: not force and tree.has(path_of(state.path, format_), state.digest)
        ):
            written += tree.write(document.path, document.body, state.digest, force=force)
        removed = tree.finish(paths)
    report(outcome, settings)
    if call.verbose:
        say(f"{counted(outcome)}; {written} files written, {len(removed)} removed, in {outcome.seconds:.2f} s")
    return REFUSED if outcome.refused else 0


def report(outcome: "Outcome", settings: config.Config) -> None:
    for refusal in outcome.refused:
        say(f"{where(refusal, settings)}: {refusal.reason}")
    for warning in outcome.warnings:
        say(f"warning: {settings.content.path}/{warning}")
