"""The command line: one module per command, imported only when the command is run."""

import gc
import importlib
import sys

import click

from feeds import __version__

_COMMANDS = {  # name: (module, attribute)
    "build": ("feeds.cli.build", "build"),
    "check": ("feeds.cli.check", "check"),
    "init": ("feeds.cli.init", "init"),
    "list": ("feeds.cli.list", "list_feeds"),
    "stats": ("feeds.cli.stats", "stats"),
    "serve": ("feeds.cli.serve", "serve"),
    "status": ("feeds.cli.status", "status"),
}


class _LazyGroup(click.Group):
    """A group of commands that imports a command's module when the command is needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # click's interface
        """Return the names of all commands."""
        return [*_COMMANDS]  # `list` is a module of this package

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002  # click's interface
        """Return the command with a name, None if there is none."""
        if cmd_name not in _COMMANDS:
            return None
        module, attribute = _COMMANDS[cmd_name]
        if module not in sys.modules:
            gc.disable()  # modules stay in memory: collecting garbage during imports would take a tenth of their time
            importlib.import_module(module)
            gc.freeze()  # not for each command of a process: the garbage of the last one would never be collected
            gc.enable()
            gc.set_threshold(50_000, 20, 50)  # a run creates many objects and little garbage: collect rarely
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


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="feeds")
def main() -> None:
    """Publish a folder of Markdown articles as RSS 2.0, Atom 1.0 and JSON Feed 1.1.

    Exit codes: 0 success; 1 done, but some articles were rejected or caches could not be purged (export.purge); 2 wrong
    usage or configuration; 3 the run failed and published nothing; 4 another run holds the lock; 5 the republish guard
    stopped the run.
    """
