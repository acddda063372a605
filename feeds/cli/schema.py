"""`feeds schema`: the JSON Schema of config.yaml, for editors."""

import json
from pathlib import Path

import click

from feeds.cli.common import shared_options

SCHEMA_FILE = ".feeds.schema.json"  # in the folder of config.yaml, so that it works offline and in every clone


@click.command()
@shared_options
def schema(**_shared: object) -> None:
    """Print the JSON Schema of config.yaml, for editors.

    With the schema, editors complete and check config.yaml. `feeds init` writes the schema to .feeds.schema.json, and
    names this file in the first line of config.yaml. After an update of feeds, `feeds check -v` reports if this file
    belongs to another version. Then write it again:

    feeds schema > .feeds.schema.json

    The command reads no configuration. The schema is the same for all sites.
    """
    click.echo(schema_text())


def is_outdated(folder: Path) -> bool:
    """Return whether the schema in the folder of a config.yaml differs from the schema of this version.

    A folder without the file, or with one that can't be read, has no outdated schema.
    """
    try:
        text = (folder / SCHEMA_FILE).read_text("utf-8")
    except (OSError, ValueError):
        return False
    return text.strip() != schema_text()


def schema_text() -> str:
    """Return the JSON Schema of config.yaml as a text."""
    from feeds.config.json_schema import json_schema

    return json.dumps(json_schema(), indent=2, ensure_ascii=False)
