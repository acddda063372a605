"""The command line: one module per command, imported only when the command is run."""

import gc
import importlib
import sys
from typing import TYPE_CHECKING, NamedTuple

import click

from feeds import __version__

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem


class _CommandSource(NamedTuple):
    """Where a command is defined, and its summary, so that listing the commands imports none of them."""

    module: str
    attribute: str
    summary: str


_COMMANDS = {
    "build": _CommandSource("feeds.cli.build", "build", "Publish once and write the feeds as static files."),
    "check": _CommandSource("feeds.cli.check", "check", "List problems of the configuration and the articles."),
    "init": _CommandSource("feeds.cli.init", "init", "Create a config.yaml and a first article."),
    "list": _CommandSource(
        "feeds.cli.list", "list_feeds", "List the feeds: path, entries, subscribers, last change, name."
    ),
    "new": _CommandSource("feeds.cli.new", "new", "Create an article, and print its path."),
    "schema": _CommandSource("feeds.cli.schema", "schema", "Print the JSON Schema of config.yaml, for editors."),
    "stats": _CommandSource(
        "feeds.cli.stats", "stats", "Show the subscribers by feed and feed reader, and their polls."
    ),
    "serve": _CommandSource("feeds.cli.serve", "serve", "Publish changes of the content folder, and serve the feeds."),
    "status": _CommandSource("feeds.cli.status", "status", "Show the result of the last successful run."),
}


def import_without_collecting(module: str) -> None:
    """Import a module and its imports. Collect garbage rarely from then on."""
    gc.disable()  # modules stay in memory: collecting garbage during imports would take a tenth of their time
    importlib.import_module(module)
    gc.freeze()  # only after the first import of a module: the garbage of an earlier command would never be collected
    gc.enable()
    gc.set_threshold(50_000, 20, 50)  # a run creates many objects and little garbage


class _LazyGroup(click.Group):
    """A group of commands that imports a command's module when the command is needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # click's interface
        """Return the names of all commands."""
        return [*_COMMANDS]  # `list` is a module of this package

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002  # click's interface
        """Write the names and summaries of the commands."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, source.summary) for name, source in _COMMANDS.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> "list[CompletionItem]":
        """Return the commands and options that begin with a word."""
        from click.shell_completion import CompletionItem

        commands = [
            CompletionItem(name, help=source.summary)
            for name, source in _COMMANDS.items()
            if name.startswith(incomplete)
        ]
        return commands + click.Command.shell_complete(self, ctx, incomplete)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command with a name. If there is none, raise `click.UsageError` that suggests a similar one."""
        if cmd_name not in _COMMANDS:
            if ctx.resilient_parsing or cmd_name.startswith("-"):  # for completion; an unknown option
                return None
            from difflib import get_close_matches

            similar = get_close_matches(cmd_name, _COMMANDS, n=1)
            advice = f"Did you mean {similar[0]!r}?" if similar else f"Commands: {', '.join(_COMMANDS)}."
            raise click.UsageError(f"No such command {cmd_name!r}. {advice}", ctx)
        module, attribute, _ = _COMMANDS[cmd_name]
        if module not in sys.modules:
            import_without_collecting(module)
        command: click.Command = getattr(sys.modules[module], attribute)
        return command

    def invoke(self, ctx: click.Context) -> object:
        """Run a command. Escape the arguments that the message of a `click.UsageError` quotes."""
        try:
            return super().invoke(ctx)
        except click.UsageError as error:
            from feeds.core.text import escape_unprintable

            message = "\n".join(map(escape_unprintable, error.format_message().split("\n")))
            raise click.UsageError(message, error.ctx) from None


def _print_version(ctx: click.Context, parameter: click.Parameter, value: bool) -> None:  # noqa: ARG001  # click's interface
    """Print the version and the folder of docs/ and deploy/, and end the command."""
    if not value or ctx.resilient_parsing:
        return
    from feeds.distribution import share_folder

    click.echo(f"feeds, version {__version__}\ndocs/ and deploy/ are in {share_folder()}")
    ctx.exit()


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Show the version and where docs/ and deploy/ are, and exit.",
)
def main() -> None:
    """Publish a folder of Markdown articles as RSS 2.0, Atom 1.0 and JSON Feed 1.1.

    Exit codes: 0 success; 1 done, but some articles were rejected or caches could not be purged (export.purge); 2 wrong
    usage or configuration; 3 the run failed and published nothing; 4 another run holds the lock; 5 the republish guard
    stopped the run.
    """
