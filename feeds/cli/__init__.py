"""The commands, one file each: contract section 4. A command that is not called is not imported, nor are its rooms."""

import gc
import importlib

import click

from feeds import __version__

_COMMANDS = {  # name -> module and attribute
    "build": ("feeds.cli.build", "build"),
    "check": ("feeds.cli.check", "check"),
    "init": ("feeds.cli.init", "init"),
    "list": ("feeds.cli.show", "list_feeds"),
    "stats": ("feeds.cli.stats", "stats"),
    "serve": ("feeds.cli.serve", "serve"),
    "status": ("feeds.cli.show", "status"),
}


class _Commands(click.Group):
    """Commands that are imported when they are asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # click's interface
        """Give the names."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002  # click's interface
        """Give one command."""
        if cmd_name not in _COMMANDS:
            return None
        module, attribute = _COMMANDS[cmd_name]
        gc.disable()  # what is imported stays: looking through it for garbage is a tenth of the time that it takes
        command: click.Command = getattr(importlib.import_module(module), attribute)
        gc.freeze()
        gc.enable()
        gc.set_threshold(50_000, 20, 50)  # a run makes much and keeps little: look seldom
        return command


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="feeds")
def main() -> None:
    """Publish a folder of Markdown articles as RSS 2.0, Atom 1.0 and JSON Feed 1.1.

    Exit codes: 0 all well; 1 done, but some articles were refused, or caches are still to be told (export.purge);
    2 wrong usage or config; 3 the run failed, what was published is untouched; 4 another run holds the lock; 5 the
    republish guard stopped the run.
    """
