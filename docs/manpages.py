"""Writes the man pages: feeds(1), one for each command, and feeds-config(5). `make docs` calls this.

The sources are those of docs/reference.py: the `--help` of the commands, and the descriptions in
`feeds/config/`; the exit codes are those of docs/commands.md.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
from reference import command_contexts, key_facts

from feeds import __version__
from feeds.config.json_schema import json_schema

DOCS = Path(__file__).parent
EXIT_CODE = re.compile(r"^\| (\d) \| (.*) \|$", re.MULTILINE)


def write(folder: Path) -> list[Path]:
    """Write all man pages below a folder, as man1/feeds.1 and so on. Return their paths."""
    commands = dict(command_contexts())
    pages = {f"man1/{name.replace(' ', '-')}.1": command_page(name, context, commands)
             for name, context in commands.items()}  # fmt: skip
    pages["man5/feeds-config.5"] = config_page()
    for name, text in pages.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")
    return [folder / name for name in pages]


def command_page(name: str, context: click.Context, commands: dict[str, click.Context]) -> str:
    """Return the man page of a command."""
    command = context.command
    title = name.replace(" ", "-")
    summary, *paragraphs = re.split(r"\n\s*\n", (command.help or "").replace("\b\n", "").strip())
    lines = [*_header(title, 1, summary), ".SH SYNOPSIS", f".B {_escape(name)}"]
    lines.append(_escape(" ".join(command.collect_usage_pieces(context))))
    if paragraphs:
        lines.append(".SH DESCRIPTION")
        lines.append("\n.PP\n".join(_roff(" ".join(paragraph.split())) for paragraph in paragraphs))
    if isinstance(command, click.Group):
        lines.append(".SH COMMANDS")
        for other, inner in commands.items():
            if other != name:
                lines += [
                    ".TP",
                    f".BR {_escape(other.replace(' ', '-'))} (1)",
                    _roff(inner.command.get_short_help_str(200)),
                ]
    lines.append(".SH OPTIONS")
    for parameter in command.get_params(context):
        if record := parameter.get_help_record(context):
            lines += [".TP", f".B {_escape(record[0])}", _roff(record[1])]
    lines.append(".SH EXIT STATUS")
    for code, meaning in EXIT_CODE.findall((DOCS / "commands.md").read_text("utf-8")):
        lines += [".TP", f".B {code}", _roff(meaning)]
    lines += [".SH ENVIRONMENT", ".TP", ".B FEEDS_CONFIG", "The configuration file, instead of config.yaml."]
    lines += [".TP", ".B FEEDS__SECTION__KEY", "Overrides a key of the configuration, for example FEEDS__SITE__URL."]
    others = [other for other in commands if other != name] if isinstance(command, click.Group) else ["feeds"]
    return "\n".join([*lines, *_see_also([*((other, 1) for other in others), ("feeds-config", 5)])])


def config_page() -> str:
    """Return the man page of config.yaml."""
    lines = [*_header("feeds-config", 5, "the configuration of feeds, config.yaml."), ".SH DESCRIPTION"]
    lines += ["A YAML file.", "Only site.title and site.url are required.", "Unknown keys are mistakes."]
    for name, section in json_schema(for_editors=False)["properties"].items():
        lines.append(f".SH {name.upper()}")
        properties = section.get("properties")
        if properties:
            lines.append(_roff(section["description"]))
        for key, value in (properties or {"": section}).items():
            lines += [".TP", f".B {_escape(f'{name}.{key}' if key else name)}"]
            lines.append(_roff(key_facts(value, required=key in section.get("required", ()))))
            for paragraph in value["description"].split("\n"):
                lines += [".IP", _roff(paragraph)] if paragraph else []
    return "\n".join([*lines, *_see_also([("feeds", 1)])])


def _header(title: str, section: int, summary: str) -> Iterator[str]:
    summary = _roff(" ".join(summary.split()).removesuffix("."))
    yield f'.TH {title.upper()} {section} "" "feeds {__version__}"'
    yield from (".SH NAME", f"{title} \\- {summary[0].lower()}{summary[1:]}")


def _see_also(pages: list[Any]) -> Iterator[str]:
    yield ".SH SEE ALSO"
    *others, last = pages
    for name, section in others:
        yield f".BR {_escape(name.replace(' ', '-'))} ({section}),"
    yield f".BR {_escape(last[0].replace(' ', '-'))} ({last[1]})\n"


def _roff(text: str) -> str:
    """Return a paragraph of Markdown as roff: code is bold, emphasis is italic, and links are only their texts."""
    without_links = re.sub(r"\[([^\]]+)\]\([^)\s]+\)", r"\1", text)
    parts = re.split(r"`([^`]+)`", without_links.removeprefix("- "))
    for index, part in enumerate(parts):
        escaped = _escape(part)
        parts[index] = f"\\fB{escaped}\\fP" if index % 2 else re.sub(r"\*([^*]+)\*", r"\\fI\1\\fP", escaped)
    joined = "".join(parts)
    return f"\\[u2022] {joined}" if text.startswith("- ") else re.sub(r"\A(?=[.'])", r"\\&", joined)


def _escape(text: str) -> str:
    return text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq").replace("…", "\\&...")
