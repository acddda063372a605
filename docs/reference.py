"""Writes the generated parts of docs/config.md and docs/commands.md: `make reference`.

The sources are the keys and descriptions in `feeds/config/`, and the `--help` of the commands. A generated
part is between two comments. The rest of the pages is written by hand.
"""

import json
import re
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from feeds.cli import main
from feeds.config.json_schema import json_schema

DOCS = Path(__file__).parent
WIDTH = 120
HELP_WIDTH = 80
MAX_DEFAULT_LENGTH = 80
PARTS = re.compile(r"(<!-- generated: (\w+) -->\n).*?(?=<!-- end of the generated part -->)", re.DOTALL)


def update(text: str) -> str:
    """Return a page with its generated parts written again."""
    writers = {"keys": keys, "commands": commands}
    return PARTS.sub(lambda part: part[1] + "\n" + "\n\n".join(writers[part[2]]()) + "\n\n", text)


def keys() -> Iterator[str]:
    """Yield the blocks that describe each key of config.yaml."""
    for name, section in json_schema(for_editors=False)["properties"].items():
        yield f"## {name}"
        if "properties" not in section:
            yield from _key(section, required=False)
            continue
        yield section["description"]
        for key, value in section["properties"].items():
            yield f"### `{name}.{key}`"
            yield from _key(value, required=key in section.get("required", ()))


def commands() -> Iterator[str]:
    """Yield the blocks that describe each command."""
    for name, command in command_contexts():
        yield f"## {name}"
        text = command.get_help()
        yield f"```text\n{text}\n```"


def command_contexts() -> Iterator[tuple[str, click.Context]]:
    """Yield each command's name, such as `feeds build`, and its context; `feeds` itself first."""
    root = click.Context(main, info_name="feeds", terminal_width=HELP_WIDTH, **main.context_settings)
    yield "feeds", root
    for name in main.list_commands(root):
        command = main.get_command(root, name)
        assert command
        yield (
            f"feeds {name}",
            click.Context(command, info_name=name, parent=root, terminal_width=HELP_WIDTH, **command.context_settings),
        )


def key_facts(schema: dict[str, Any], *, required: bool) -> str:
    """Return the type of a key, whether it is required, and its default, in words."""
    facts = [_type(schema)]
    facts += ["Required"] if required else []
    default = _yaml(schema["default"]) if "default" in schema else ""
    if len(default) > MAX_DEFAULT_LENGTH:
        default = ""  # the description has it in words
    elif default in {"", '""'} and not required and "Default: " not in schema["description"]:
        facts.append("Default: none")
    elif default not in {"", '""'}:
        facts.append(f"Default: `{default}`")
    return ". ".join(fact[0].upper() + fact[1:] for fact in facts) + "."


def _key(schema: dict[str, Any], *, required: bool) -> Iterator[str]:
    yield _wrap(key_facts(schema, required=required))
    yield from _paragraphs(schema["description"])
    if lines := [*_inner_keys(schema)]:
        yield "\n".join(lines)


def _inner_keys(schema: dict[str, Any], path: str = "") -> Iterator[str]:
    """Yield an item of a list for each key of a mapping inside a value."""
    inner = _inner(schema)
    for key, value in (inner["properties"] if inner else {}).items():
        note = _note(value, key in inner.get("required", ()))
        description = " ".join(value.get("description", "").split())
        yield _wrap(f"- `{path}{key}`: {_type(value)}{note}. {description}")
        yield from _inner_keys(value, f"{path}{key}.")


def _paragraphs(text: str) -> Iterator[str]:
    for paragraph in text.split("\n\n"):
        yield "\n".join(_wrap(line) for line in paragraph.split("\n"))


def _note(schema: dict[str, Any], required: bool) -> str:
    if required:
        return ", required"
    return f", default `{_yaml(schema['default'])}`" if "default" in schema else ""


def _inner(schema: dict[str, Any]) -> dict[str, Any] | None:
    """Return the schema of the mapping that a value may be, or that contains its keys; None without one."""
    for choice in [schema, *schema.get("anyOf", ())]:
        if "properties" in choice:
            return choice
        values = choice.get("additionalProperties")
        if isinstance(values, dict) and (inner := _inner(values)):
            return inner
    return None


def _type(schema: dict[str, Any]) -> str:
    """Return the type of a value in words."""
    if "anyOf" in schema:
        has_default = schema.get("default") is not None
        choices = [_type(choice) for choice in schema["anyOf"] if choice != {"type": "null"} or has_default]
        return _either([word for choice in choices for word in choice.split(" or ")])
    if "enum" in schema or "const" in schema:
        return _either([f"`{_yaml(value)}`" for value in schema.get("enum", [schema.get("const")])])
    if "items" in schema:
        return f"list of {_plural(schema['items'])}"
    types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    limits = [f"{schema[limit]:,}" for limit in ("minimum", "maximum") if limit in schema]
    bounds = f" from {limits[0]} to {limits[1]}" if len(limits) == 2 else ""
    words = {"string": "text", "integer": "whole number", "number": "number", "boolean": "`true` or `false`",
             "object": "mapping", "null": "`null`"}  # fmt: skip
    return words[types[0]] + bounds


def _plural(schema: dict[str, Any]) -> str:
    return _type(schema) if "enum" in schema else f"{_type(schema)}s"


def _either(words: list[str]) -> str:
    *others, last = words
    return f"{', '.join(others)} or {last}" if others else last


def _yaml(value: Any) -> str:
    """Return a value as it may be written in config.yaml."""
    if isinstance(value, str) and re.fullmatch(r"[\w./-]+|[\w*/ :.-]+|/[\w{}/]+", value):
        return value
    if isinstance(value, list):
        return (
            "[" + ", ".join(_yaml(item) if not set(str(item)) & set("*,") else json.dumps(item) for item in value) + "]"
        )
    return json.dumps(value, ensure_ascii=False)


def _wrap(text: str) -> str:
    indent = "  " if text.startswith("- ") else ""
    lines = textwrap.wrap(text, WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
    return "\n".join(lines)


if __name__ == "__main__":
    for page in ("config.md", "commands.md"):
        file = DOCS / page
        before = file.read_text("utf-8")
        after = update(before)
        if after != before:
            file.write_text(after, "utf-8")
            sys.stdout.write(f"{file.name}: updated\n")
