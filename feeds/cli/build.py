"""`feeds build`: one regeneration and the static tree, for cron."""

import re
from datetime import UTC, datetime
from pathlib import Path

import click

from feeds import config
from feeds.catalog import Catalog
from feeds.cli.common import (
    REFUSED,
    Call,
    Days,
    command,
    counted,
    make_publisher,
    open_catalog,
    progress_bar,
    say,
    say_mended,
    say_without_effect,
    where,
)
from feeds.cli.writing import Task, Writer, write
from feeds.errors import CatalogDamaged, GuardStopped
from feeds.export import Tree
from feeds.publish import Outcome


@command
@click.option("--output", type=click.Path(path_type=Path, file_okay=False), help="The folder to write [export.path].")
@click.option("--force", is_flag=True, help="Read every article and write every file again.")
@click.option("--accept", is_flag=True, help="Publish even what the republish guard would stop.")
@click.option("--no-export", is_flag=True, help="Regenerate only; `feeds serve` gives the feeds out.")
@click.option("--wait", type=click.FloatRange(0), default=0.0, metavar="SECONDS", help="Wait for another run to end.")
def build(call: Call, output: Path | None, force: bool, accept: bool, no_export: bool, wait: float) -> int:
    """Regenerate once and write the feeds as static files. Silent if all is well."""
    settings = call.settings

    if call.verbose:
        say_without_effect(settings)
    catalog = open_catalog(settings)
    publisher, folder = make_publisher(settings, catalog)
    Days(settings, catalog).close()
    with catalog.lock(wait):
        with progress_bar("reading", folder, quiet=call.quiet) as progress:
            outcome = publisher.refresh(
                datetime.now(UTC), force=force, accept=accept, mended=say_mended, progress=progress
            )
        if no_export:
            report(outcome, settings)
            return REFUSED if outcome.refused else 0
        tree = Tree((output or settings.export_root).absolute())
        if not accept:
            _hold_against(tree, catalog)
        try:
            written, removed = _export(call, catalog, tree, force=force)
        except CatalogDamaged as damage:  # which only reading its texts has shown
            say_mended(damage, catalog.mend())
            outcome = publisher.refresh(datetime.now(UTC), accept=accept)
            written, removed = _export(call, catalog, tree, force=force)
    report(outcome, settings)
    if call.verbose:
        say(f"{counted(outcome)}; {written} files written, {removed} removed, in {outcome.seconds:.2f} s")
    return REFUSED if outcome.refused else 0


def _hold_against(tree: Tree, catalog: Catalog) -> None:
    """Stop where a catalog that never knew an article would empty a tree that shows some. Raises `GuardStopped`.

    The catalog and the folder of articles are missed together when volumes are not mounted.
    """
    with catalog.reading() as reader:
        if reader.any_ids():
            return
    if re.search(rb'"items":\s*\[\s*\{', tree.shown("/feed.json")):
        raise GuardStopped(
            f"nothing was written: {tree.root} shows entries, but the catalog is new, and there is no article to show. "
            "Are both where they should be? If that is meant: feeds build --accept"
        )


def _export(call: Call, catalog: Catalog, tree: Tree, *, force: bool) -> tuple[int, int]:
    """Write the documents that show something else, also where an alias leads to them, and remove those that are gone.

    Gives how many files were written and removed.
    """
    writer = Writer(call.settings, catalog, tree, force=force)
    digests = dict(writer.listed())
    places = {address: [address.path] for address in digests}
    published = {address.path: address for address in digests}
    for alias, path in call.settings.feeds.aliases.items():
        if path in published and alias not in published and not alias.endswith("/"):  # a folder is no file
            places[published[path]].append(alias)
    variants = {address: [file for path in some for file in writer.variants(path)] for address, some in places.items()}
    tasks = [Task(address, digest, places[address]) for address, digest in digests.items()
             if force or not all(tree.has(file, digest) for file in variants[address])]  # fmt: skip
    ours = [file for some in variants.values() for file in some]
    files = []
    for file in writer.others():
        there = writer.files_of(file)
        ours += there
        if force or not all(tree.has(path, file.digest) for path in there):
            files.append(file)
    if tasks or files:
        changed = [path for task in tasks for path in variants[task.address]]
        tree.plan(ours, changed + [path for file in files for path in writer.files_of(file)])
    written = 0
    for path, digest, new in write(writer, tasks, files):
        if new is None:
            say(f"{tree.root}{path}: is there already and not ours; it is left alone (--force overwrites it)")
        written += new is not None and tree.wrote(path, digest, new=new)
    return written, len(tree.finish(ours))


def report(outcome: "Outcome", settings: config.Config) -> None:
    for refusal in outcome.refused:
        say(f"{where(refusal, settings)}: {refusal.reason}")
    for warning in outcome.warnings:
        say(f"warning: {settings.content.path}/{warning}")
