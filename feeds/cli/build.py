"""`feeds build`: one regeneration and the static tree, for cron."""

import re
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime

import click

from feeds import config, export, hosts
from feeds.catalog import Catalog, Failures
from feeds.cli.common import (
    REFUSED,
    Call,
    Days,
    command,
    counted,
    make_publisher,
    open_catalog,
    progress_bar,
    report_repair,
    say,
    say_without_effect,
    warnings_of,
    where,
)
from feeds.cli.purging import Purging
from feeds.cli.writing import Crew, Task
from feeds.config.values import tree as tree_at
from feeds.errors import CatalogDamaged, GuardStopped, UsageError
from feeds.folder import Folder
from feeds.pool import cores, prepare
from feeds.publish import Outcome
from feeds.publish.reading import FEW


@command
@click.option("--output", metavar="PATH", help="The folder to write, or s3://BUCKET/PREFIX [export.path].")
@click.option("--force", is_flag=True, help="Read every article and write every file again.")
@click.option("--accept", is_flag=True, help="Publish even what the republish guard would stop.")
@click.option("--no-export", is_flag=True, help="Regenerate only; `feeds serve` gives the feeds out.")
@click.option("--wait", type=click.FloatRange(0), default=0.0, metavar="SECONDS", help="Wait for another run to end.")
def build(call: Call, output: str | None, force: bool, accept: bool, no_export: bool, wait: float) -> int:
    """Regenerate once and write the feeds as static files. Silent if all is well."""
    settings = call.settings
    place = _place(output) if output else settings.export_place

    if call.verbose:
        say_without_effect(settings)
    catalog = open_catalog(settings)
    failures = Failures(catalog)
    publisher, folder = make_publisher(settings, catalog)
    Days(settings, catalog).close()
    with catalog.lock(wait):
        _prepare(catalog, folder)
        now, told = datetime.now(UTC), True
        written, removed = list[str](), list[str]()

        with failures.of("publish"), progress_bar("reading", folder, quiet=call.quiet) as progress:
            outcome = publisher.refresh(now, force=force, accept=accept, on_repair=report_repair, progress=progress)
        if not no_export:
            with failures.of("export"):
                tree = export.opened(place, hosts.Sent(settings.for_core, settings.feeds.aliases))
                purging = Purging(settings, catalog, failures)
                with Crew(settings, catalog, tree, force=force) as crew:
                    if not accept:
                        _hold_against(tree, catalog)
                    try:
                        written, removed = _export(crew, tree, purging, catalog.require_lock)
                    except CatalogDamaged as damage:  # which only reading its texts has shown
                        report_repair(damage, catalog.mend())
                        outcome = publisher.refresh(datetime.now(UTC), accept=accept)
                        written, removed = _export(crew, tree, purging, catalog.require_lock)
            told = purging.tell([*written, *removed])
    report(outcome, settings)
    if call.verbose and not no_export:
        say(f"{counted(outcome)}; {len(written)} files written, {len(removed)} removed, in {outcome.seconds:.2f} s")
    return 0 if told and not outcome.refused else REFUSED


def _prepare(catalog: Catalog, folder: Folder) -> None:
    """Have what processes need imported meanwhile, if there will be some: where so many articles are new."""
    with suppress(CatalogDamaged), catalog.reading() as reader:  # the run finds that too, and mends it
        if not reader.any_articles() and cores() > 1 and folder.count(enough=FEW + 1) > FEW:
            prepare("feeds.publish.reader")


def _place(output: str) -> str:
    try:
        return tree_at(output)
    except ValueError as error:
        raise UsageError(f"--output: {error}") from None


def _hold_against(tree: export.Target, catalog: Catalog) -> None:
    """Stop where a catalog that never knew an article would empty a tree that shows some. Raises `GuardStopped`.

    The catalog and the folder of articles are missed together when volumes are not mounted.
    """
    with catalog.reading() as reader:
        if reader.any_ids():
            return
    if re.search(rb'"items":\s*\[\s*\{', tree.shown("/feed.json")):
        raise GuardStopped(
            f"nothing was written: {tree.name} shows entries, but the catalog is new, and there is no article to show. "
            "Are both where they should be? If that is meant: feeds build --accept"
        )


def _export(
    crew: Crew, tree: export.Target, purging: Purging, require_lock: Callable[[], None]
) -> tuple[list[str], list[str]]:
    """Write the documents that show something else, also where an alias leads to them, and remove those that are gone.

    Gives the paths of the files that were written, and of those that were removed. Whoever has lost the lock in between
    writes no more: what others write meanwhile is newer.
    """
    writer, force = crew.writer, crew.writer.force
    digests = dict(writer.listed())
    places = {address: [address.path] for address in digests}
    published = {address.path: address for address in digests}
    others = list(writer.others())
    aliases, in_the_way = writer.aliases(published)
    for alias, path in aliases.items():
        places[published[path]].append(alias)
    for alias in in_the_way:
        say(f"feeds.aliases: {alias} is not exported: a page, a file or a folder is at its path")
    variants = {address: [file for path in some for file in writer.variants(path)] for address, some in places.items()}
    tasks = [Task(address, digest, places[address]) for address, digest in digests.items()
             if force or not all(tree.has(file, digest) for file in variants[address])]  # fmt: skip
    ours = [file for some in variants.values() for file in some]
    files = []
    ours += tree.below(writer.unlisted)
    for file in others:
        there = writer.files_of(file)
        ours += there
        if force or not all(tree.has(path, file.digest) for path in there):
            files.append(file)
    if tasks or files:
        changed = [path for task in tasks for path in variants[task.address]]
        changed += [path for file in files for path in writer.files_of(file)]
        purging.remember([*changed, *tree.stale(ours)])
        tree.plan(ours, changed)
    written = []
    for path, fact, new in crew.write(tasks, files):
        require_lock()
        if fact is None:
            say(f"{tree.name}{path}: is there already and not ours; it is left alone (--force overwrites it)")
            continue
        tree.note(path, fact)
        if new:
            written.append(path)
    require_lock()
    return written, tree.finish(ours)


def report(outcome: "Outcome", settings: config.Config) -> None:
    for refusal in outcome.refused:
        say(f"{where(refusal, settings)}: {refusal.reason}")
    for line in warnings_of(outcome, settings):
        say(line)
