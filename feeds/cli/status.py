"""`feeds status`: the result of the last successful publish run, and the current failures."""

from datetime import UTC, datetime

import click

from feeds.cli.common import (
    CommandContext,
    command,
    open_catalog_to_read,
    plural,
    print_json,
    print_line,
    rejected_line,
)
from feeds.core.text import quote_path

_MAX_NAMED_FILES = 3


@command
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def status(context: CommandContext, as_json: bool) -> int:
    """Show the result of the last successful run.

    Also show the numbers of drafts and expired articles, the rejected articles with reasons, the scheduled articles
    with times, the documents that exceed the size limit, the current failures, and the documents that caches have not
    purged yet.

    If a task fails, the exit code is that of the failure. If several tasks fail, it is the highest of their codes.
    `feeds --help` lists the codes.
    """
    settings = context.settings
    catalog = open_catalog_to_read(settings)
    failures = catalog.failures()
    code = max((failure.exit_code for failure in failures.values()), default=0)
    now = datetime.now(UTC)
    with catalog.read_transaction() as reader:
        run, revision, articles = reader.state.last_run, reader.revision(), reader.count_live()
        rejected, scheduled = reader.rejected_articles(), reader.scheduled_articles(now)
        unpublished, oversized = reader.count_unpublished(now), reader.oversized_documents()
        unpurged = reader.state.pending_purges if settings.export.purge else []
    if as_json:
        print_json(
            {
                "revision": revision,
                "run": run and {"at": run.at.isoformat(), "seconds": round(run.seconds, 3), "outcome": run.outcome},
                "failure": "; ".join(failures[task].reason for task in sorted(failures)) or None,
                "failures": [
                    {"task": task, "since": failure.since.isoformat(), "reason": failure.reason}
                    for task, failure in sorted(failures.items())
                ],
                "articles": articles,
                "drafts": unpublished.drafts,
                "expired": unpublished.expired,
                "refused": [{"path": item.path, "line": item.line, "reason": item.reason} for item in rejected],
                "scheduled": [{"path": path, "at": date.isoformat()} for path, date in scheduled],
                "shortened": [{"path": item.path, "entries": item.entries, "texts": item.texts} for item in oversized],
                "unpurged": unpurged,
            }
        )
        return code
    lines = [
        f"failing since then: {failure.reason}"
        if task == "publish" and run
        else f"failing    {task}, since {failure.since:%Y-%m-%d %H:%M:%S} UTC: {failure.reason}"
        for task, failure in sorted(failures.items())
    ]
    if run is None:
        for line in ["Nothing has been published yet: run feeds build or feeds serve.", *lines]:
            print_line(line)
        return code
    when = f"{run.at:%Y-%m-%d %H:%M:%S} UTC, {run.seconds:.2f} s"
    counts = [plural(articles, "article"), *([plural(unpublished.drafts, "draft")] if unpublished.drafts else [])]
    counts += [f"{count:,} {name}" for name, count in unpublished._asdict().items() if count and name != "drafts"]
    print_line(f"Revision {revision}, {', '.join(counts)}; last successful run {when}")
    for line in lines:
        print_line(line)
    for item in rejected:
        print_line(f"rejected   {rejected_line(item, settings)}")
    for path, date in scheduled:
        local = date.astimezone(settings.site_model.timezone)
        print_line(f"scheduled  {settings.content.path}/{path}: {local.isoformat(' ', 'seconds')}")
    limit = f"larger than {settings.feeds.max_size} KiB (feeds.max_size)"
    for document in oversized:
        texts = f"{document.texts} of {document.entries} entries have their full text"
        print_line(f"shortened  {quote_path(document.path)}: {limit}; {texts}")
    if unpurged:
        named = ", ".join(map(quote_path, unpurged[:_MAX_NAMED_FILES]))
        more = f" and {len(unpurged) - _MAX_NAMED_FILES:,} more" if len(unpurged) > _MAX_NAMED_FILES else ""
        print_line(
            f"unpurged   {named}{more}: caches may have old versions; the next export purges them (export.purge)"
        )
    return code
