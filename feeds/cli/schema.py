"""`feeds schema`: the JSON Schema of config.yaml, for editors."""

import json

import click

from feeds.cli.common import shared_options


@click.command()
@shared_options
def schema(**_shared: object) -> None:
    """Print the JSON Schema of config.yaml, for editors.

    Editors complete and check config.yaml with it. `feeds init` writes it to .feeds.schema.json, and names this file in
    the first line of config.yaml. After an update of feeds, write it again: feeds schema > .feeds.schema.json

    The command reads no configuration. The schema is the same for all sites.
    """
    click.echo(schema_text())


def schema_text() -> str:
    """Return the JSON Schema of config.yaml as a text."""
    from feeds.config.json_schema import json_schema

    return json.dumps(json_schema(), indent=2, ensure_ascii=False)
