"""YAML as people mean it: text stays text, and nothing in it can hurt.

Read from the event stream, so that depth, aliases and duplicate keys are refused before anything is built (PyYAML's
own composer crashes the process on 40 kB of "["). Only null, true and false are resolved: `2024-01-02`, `12:30`,
`0123` and `No` are the text that the author wrote. Every value knows its line and column.

`simple` reads what most front matter is, a key and a value on each line, without the parser: a hundred thousand
articles are read in a third of the time. It knows no more of YAML than that and leaves all else, errors too, to `load`.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from feeds.errors import Refused

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the C parser where the wheel has it: ten times faster
_DEEPEST = 50
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
_UNQUOTED = re.compile(r"[A-Za-z0-9/._](?:[A-Za-z0-9 /._-]*[A-Za-z0-9/._-])?")  # what YAML takes for nothing else
_ITEM = re.compile(_IN_FLOW)
_HARMLESS_TAGS = {f"tag:yaml.org,2002:{name}" for name in ("str", "int", "float", "timestamp", "seq", "map")}


@dataclass(frozen=True, slots=True)
class Node:
    """A value and where it stands; lines and columns count from 1."""

    value: bool | str | list["Node"] | dict[str, "Node"] | None
    line: int
    column: int
    key_line: int = 0  # of a mapping's entry: where its key stands
    key_column: int = 0

    def plain(self) -> Any:
        """Give the value without positions: None, bool, str, and lists and dicts of them."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        return self.value


class YamlError(Refused):
    """The text is no YAML, or more of it than we take. Line and column count from 1."""

    def __init__(self, reason: str, line: int, column: int = 1) -> None:
        super().__init__(reason, line)
        self.column = column


def load(text: str) -> Node:
    """Read one YAML document. Raises `YamlError` for what is broken, aliased, tagged, too deep or said twice."""
    events = _events(text)
    next(events)  # the stream
    start = next(events)
    if isinstance(start, yaml.StreamEndEvent):
        return Node(None, 1, 1)
    root = _node(next(events), events, 0)
    next(events)  # the document's end
    after = next(events)
    if not isinstance(after, yaml.StreamEndEvent):
        raise _error("a second YAML document begins here; one is enough", after)
    return root


def simple(text: str) -> dict[str, Any] | None:
    """Read a mapping of one-line texts, and lists of them, as `load` would: values by key. Else None."""
    if not text.replace("\n", "").isprintable():
        return None
    lines = _SIMPLE_LINES.findall(text)
    values: dict[str, Any] = {}
    for key, quoted, plain, items in lines:
        if quoted:
            values[key] = quoted[1:-1]
        else:
            values[key] = [_said(item) for item in _ITEM.findall(items)] if items else _said(plain)
    all_simple = len(lines) == sum(map(bool, text.split("\n")))
    return values if all_simple and len(values) == len(lines) and _WORDS.keys().isdisjoint(values) else None


def simple_line(text: str, key: str) -> int:
    """Give the line of a key of what `simple` has read."""
    return next(number for number, line in enumerate(text.split("\n"), 1) if line.startswith(f"{key}:"))


def _said(written: str) -> bool | str | None:
    if written.startswith(("'", '"')):
        return written[1:-1]
    written = written.rstrip(" ")
    return _WORDS.get(written, written)


def dump(values: Mapping[str, Any], indent: str = "") -> str:
    """Write mappings, lists and texts as YAML that `load` reads back, leaving out what is empty."""
    lines = []
    for key, value in values.items():
        begin = f"{indent}{_written(key)}:"
        if value in ([], None):
            continue
        if isinstance(value, Mapping):
            inside = dump(value, indent + "  ")
            lines.append(f"{begin}\n{inside}" if inside else "")
        elif isinstance(value, list):
            lines.append(f"{begin} [{', '.join(json.dumps(item, ensure_ascii=False) for item in value)}]\n")
        else:
            lines.append(f"{begin} {_written(value)}\n")
    return "".join(lines)


def _written(value: Any) -> str:
    plain = isinstance(value, str) and value not in _WORDS and _UNQUOTED.fullmatch(value)
    return str(value) if plain else json.dumps(value, ensure_ascii=False)


def scalar(text: str) -> Node:
    """Read text as the plain scalar that it would be in a YAML file."""
    return Node(_WORDS.get(text, text), 1, 1)


def _events(text: str) -> Iterator[Any]:
    try:
        yield from yaml.parse(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        hint = "; quote a text that holds a colon" if "mapping values" in (error.problem or "") else ""
        raise YamlError(f"not YAML: {error.problem or error.context}{hint}", line, column) from None
    except yaml.YAMLError as error:
        raise YamlError(f"not YAML: {str(error).splitlines()[0]}", 1) from None


def _node(event: Any, events: Iterator[Any], depth: int, key: Any = None) -> Node:
    mark = event.start_mark
    place = (
        mark.line + 1,
        mark.column + 1,
        *((key.start_mark.line + 1, key.start_mark.column + 1) if key else ()),
    )
    if isinstance(event, yaml.AliasEvent):
        raise _error(f"*{event.anchor}: aliases are not read; write the value out", event)
    if event.tag not in (None, "!", *_HARMLESS_TAGS):
        raise _error(f"the tag {event.tag} is not read", event)
    if depth > _DEEPEST:
        raise _error(f"nested deeper than {_DEEPEST} levels", event)
    if isinstance(event, yaml.ScalarEvent):
        unquoted = event.implicit[0]
        return Node(_WORDS.get(event.value, event.value) if unquoted else event.value, *place)
    if isinstance(event, yaml.SequenceStartEvent):
        items = []
        while not isinstance(event := next(events), yaml.SequenceEndEvent):
            items.append(_node(event, events, depth + 1))
        return Node(items, *place)
    entries: dict[str, Node] = {}
    while not isinstance(key := next(events), yaml.MappingEndEvent):
        if not isinstance(key, yaml.ScalarEvent):
            raise _error("a key must be one word", key)
        node = _node(next(events), events, depth + 1, key)
        earlier = entries.setdefault(key.value, node)
        if earlier is not node and earlier.plain() != node.plain():
            raise _error(f"{key.value}: said twice", key)
    return Node(entries, *place)


def _error(reason: str, event: Any) -> YamlError:
    return YamlError(reason, event.start_mark.line + 1, event.start_mark.column + 1)
