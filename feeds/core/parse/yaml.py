"""Loads YAML safely, with scalars as text, and dumps values as YAML.

`load` reads the event stream, so that it rejects deep nesting, aliases and duplicate keys before it builds values.
(PyYAML's composer crashes the process on 40 kB of "[".) `load` converts only null, true and false: `2024-01-02`,
`12:30`, `0123` and `No` stay text. Every value has its line and column.

`load_simple` reads the most common form of front matter, one key and value per line, without the YAML parser. This
saves a third of the time for 100,000 articles. For all other texts, including invalid ones, callers use `load`.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from feeds.core.errors import ArticleError
from feeds.core.text import printable_excerpt

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the C parser, if the wheel has it, is 10 times faster
_MAX_DEPTH = 50  # levels of nesting
_WORDS = {"": None, "~": None, "null": None, "Null": None, "NULL": None} | {
    spelling: word == "true" for word in ("true", "false") for spelling in (word, word.title(), word.upper())
}
_PLAIN = r"[\w/](?:[\w /.,()'+&!?-]++|:(?=[\w/]))*+"
_QUOTED = r"\"[^\"\\\n]*\"|'[^'\n]*'"
_IN_FLOW = rf"(?:{_QUOTED}|[\w/](?:[\w /.()'+&!-])*+)"
_SIMPLE_LINES = re.compile(
    rf"^(?P<key>[A-Za-z_][\w-]{{0,60}}):[ ]*(?:[ ](?:(?P<quoted>{_QUOTED})|(?P<plain>{_PLAIN})"
    rf"|\[[ ]*(?P<items>{_IN_FLOW}(?:,[ ]*{_IN_FLOW})*)[ ]*\])[ ]*)?$",
    re.MULTILINE,
)
# text that needs no quotes in YAML, such as a URL without a port
_UNQUOTED = re.compile(r"[A-Za-z0-9/._](?:(?:[A-Za-z0-9 /._-]|:(?=//))*[A-Za-z0-9/._-])?")
_ITEM = re.compile(_IN_FLOW)
_HARMLESS_TAGS = {f"tag:yaml.org,2002:{name}" for name in ("str", "int", "float", "timestamp", "seq", "map")}


@dataclass(frozen=True, slots=True)
class Node:
    """A value with its position. Lines and columns count from 1."""

    value: bool | str | list["Node"] | dict[str, "Node"] | None
    line: int
    column: int
    key_line: int = 0  # the position of the key, for a value in a mapping
    key_column: int = 0

    def to_value(self) -> Any:
        """Return the value without positions: None, bool, str, or lists and dicts of them."""
        if isinstance(self.value, dict):
            return {key: node.to_value() for key, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.to_value() for node in self.value]
        return self.value


class YamlError(ArticleError):
    """The text is not valid YAML, or uses a feature that `load` rejects. Line and column count from 1."""

    def __init__(self, reason: str, line: int, column: int = 1) -> None:
        super().__init__(reason, line)
        self.column = column


def load(text: str) -> Node:
    """Return the root node of a YAML document.

    Raise `YamlError` if it is invalid, has aliases, tags or duplicate keys, or is nested too deep.
    """
    events = _events(text)
    next(events)  # the start of the stream
    start = next(events)
    if isinstance(start, yaml.StreamEndEvent):
        return Node(None, 1, 1)
    root = _node(next(events), events, 0)
    next(events)  # the end of the document
    end = next(events)
    if not isinstance(end, yaml.StreamEndEvent):
        raise _error("a second YAML document begins here; remove it", end)
    return root


def load_simple(text: str) -> dict[str, Any] | None:
    """Return the values by key of a mapping of one-line texts and lists of such texts, as `load` would.

    Return None for any other YAML.
    """
    if not text.replace("\n", "").isprintable():
        return None
    lines = _SIMPLE_LINES.findall(text)
    values: dict[str, Any] = {}
    for key, quoted, plain, items in lines:
        if quoted:
            values[key] = quoted[1:-1]
        else:
            values[key] = [_scalar(item) for item in _ITEM.findall(items)] if items else _scalar(plain)
    all_simple = len(lines) == sum(map(bool, text.split("\n")))
    return values if all_simple and len(values) == len(lines) and _WORDS.keys().isdisjoint(values) else None


def simple_line_of(text: str, key: str) -> int:
    """Return the line, from 1, of a key in a text that `load_simple` accepts."""
    return next(number for number, line in enumerate(text.split("\n"), 1) if line.startswith(f"{key}:"))


def _scalar(source: str) -> bool | str | None:
    if source.startswith(("'", '"')):
        return source[1:-1]
    source = source.rstrip(" ")
    return _WORDS.get(source, source)


def dump(values: Mapping[str, Any], indent: str = "") -> str:
    """Return mappings, lists and texts as YAML that `load` can read, without None, empty lists and empty mappings."""
    lines = []
    for key, value in values.items():
        start = f"{indent}{_dump_scalar(key)}:"
        if value in ([], None):
            continue
        if isinstance(value, Mapping):
            inside = dump(value, indent + "  ")
            lines.append(f"{start}\n{inside}" if inside else "")
        elif isinstance(value, list):
            lines.append(f"{start} [{', '.join(json.dumps(item, ensure_ascii=False) for item in value)}]\n")
        else:
            lines.append(f"{start} {_dump_scalar(value)}\n")
    return "".join(lines)


def _dump_scalar(value: Any) -> str:
    plain = isinstance(value, str) and value not in _WORDS and _UNQUOTED.fullmatch(value)
    return str(value) if plain else json.dumps(value, ensure_ascii=False)


def plain_scalar(text: str) -> Node:
    """Return the node for a text, as if it were an unquoted scalar of a YAML file."""
    return Node(_WORDS.get(text, text), 1, 1)


def _events(text: str) -> Iterator[Any]:
    try:
        yield from yaml.parse(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        hint = "; put text that contains a colon in quotes" if "mapping values" in (error.problem or "") else ""
        raise YamlError(f"not YAML: {error.problem or error.context}{hint}", line, column) from None
    except yaml.YAMLError as error:
        raise YamlError(f"not YAML: {str(error).splitlines()[0]}", 1) from None


def _node(event: Any, events: Iterator[Any], depth: int, key: Any = None) -> Node:
    mark = event.start_mark
    position = (
        mark.line + 1,
        mark.column + 1,
        *((key.start_mark.line + 1, key.start_mark.column + 1) if key else ()),
    )
    if isinstance(event, yaml.AliasEvent):
        raise _error(f"*{printable_excerpt(str(event.anchor))}: aliases are not supported; repeat the value", event)
    if event.tag and event.tag not in ("!", *_HARMLESS_TAGS):
        raise _error(f"the tag {printable_excerpt(event.tag)} is not supported; remove it", event)
    if depth > _MAX_DEPTH:
        raise _error(f"nested deeper than {_MAX_DEPTH} levels", event)
    if isinstance(event, yaml.ScalarEvent):
        unquoted = event.implicit[0]
        return Node(_WORDS.get(event.value, event.value) if unquoted else event.value, *position)
    if isinstance(event, yaml.SequenceStartEvent):
        items = []
        while not isinstance(event := next(events), yaml.SequenceEndEvent):
            items.append(_node(event, events, depth + 1))
        return Node(items, *position)
    entries: dict[str, Node] = {}
    while not isinstance(key := next(events), yaml.MappingEndEvent):
        if not isinstance(key, yaml.ScalarEvent):
            raise _error("a key must be one word", key)
        node = _node(next(events), events, depth + 1, key)
        earlier = entries.setdefault(key.value, node)
        if earlier is not node and earlier.to_value() != node.to_value():
            raise _error(f"{printable_excerpt(key.value)}: duplicate key", key)
    return Node(entries, *position)


def _error(reason: str, event: Any) -> YamlError:
    return YamlError(reason, event.start_mark.line + 1, event.start_mark.column + 1)
