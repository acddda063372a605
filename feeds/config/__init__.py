"""config.yaml and FEEDS__* -> one frozen `Config`, or all mistakes at once, each with its line and column.

pydantic judges the values (`schema`); this room knows where each of them stands, and what the author may have meant. It
opens the one file it is told to, and nothing else.
"""

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")  # looking for them costs each start 20 ms

from pydantic import ValidationError

from feeds.config.schema import AuthorSection, Config
from feeds.config.values import did_you_mean
from feeds.errors import ConfigError
from feeds.parse import yaml
from feeds.text import clean, shortened

__all__ = ["Config", "fitting", "load"]

_REQUIRED: dict[tuple[str, ...], str] = {
    ("site", "title"): "My site",
    ("site", "url"): "https://example.org",
}  # and what stands in for them
_PREFIX = "FEEDS__"
_LONGEST = 1_000  # characters of a reason, which may quote a value
# In the contract, read and checked, but without effect in this version: docs/config.md says so of each.
_NOT_YET = {("push",)}


def load(file: Path, environment: Mapping[str, str]) -> Config:
    """Read a config file and what `FEEDS__SECTION__KEY` variables override. Raises `ConfigError` with every mistake."""
    try:
        text = clean(file.read_bytes().decode("utf-8-sig"))
    except FileNotFoundError:
        raise ConfigError([f"{file}: not there; `feeds init` makes one, -c FILE names another"]) from None
    except OSError as error:
        raise ConfigError([f"{file}: can't be read: {error.strerror}"]) from None
    except UnicodeDecodeError:
        raise ConfigError([f"{file}: not UTF-8; save it as UTF-8"]) from None
    try:
        root = yaml.load(text)
    except yaml.YamlError as error:
        raise ConfigError([f"{file}:{error.line}:{error.column}: {error.reason}"]) from None
    if root.value is None:
        root = yaml.Node({}, 1, 1)
    if not isinstance(root.value, dict):
        raise ConfigError([f"{file}:{root.line}:{root.column}: must be a mapping that begins with `site:`"])
    overridden = _override(root, environment)
    try:
        config = Config.model_validate(_without_nulls(root))
    except ValidationError as errors:
        mistakes = [_mistake(error, file, root, overridden) for error in errors.errors(include_url=False)]
        ordered = sorted(mistakes, key=_line_and_column)
        raise ConfigError([f"{place}: {shortened(reason, _LONGEST)}" for place, reason in ordered]) from None
    notes = [f"{_place(keys, file, root, overridden)}: {'.'.join(keys)}: has no effect in this version"
             for keys in sorted(_NOT_YET) if _at(root, keys)]  # fmt: skip
    place = file.absolute()
    return config.model_copy(update={"root": place.parent, "file": place, "without_effect": tuple(notes)})


def fitting(settings: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Leave out of settings what `load` would refuse. Gives them, and a sentence for each key that had to go."""
    root = yaml.load(yaml.dump(settings))
    assert isinstance(root.value, dict)
    root.value.setdefault("site", yaml.Node({}, 1, 1))
    aliases = _at(root, ("feeds", "aliases"))
    said = _without_wrong(aliases.value) if aliases and isinstance(aliases.value, dict) else []
    while True:
        try:
            Config.model_validate(_without_nulls(root))
        except ValidationError as errors:
            for error in errors.errors(include_url=False):
                keys = _keys(error, root)
                said.append(f"{'.'.join(map(str, keys))}: {_reason(error, keys)}; {_leave_out(root, keys)}")
            if not keys:  # a mistake that is of no key would be found for ever
                raise ConfigError(said) from None
        else:
            return root.plain(), said


def _without_wrong(aliases: dict[str, yaml.Node]) -> list[str]:
    """Leave out aliases that are none, each by itself: what is wrong of one says nothing of the others."""
    said = []
    for alias, path in list(aliases.items()):
        site = {keys[-1]: value for keys, value in _REQUIRED.items()}
        try:
            Config.model_validate({"site": site, "feeds": {"aliases": {alias: path.plain()}}})
        except ValidationError as errors:
            reason = _reason(errors.errors(include_url=False)[0], ("feeds", "aliases", alias))
            said.append(f"feeds.aliases: {alias}: {reason}; it is left out")
            del aliases[alias]
    return said


def _leave_out(root: yaml.Node, keys: tuple[str | int, ...]) -> str:
    """Leave out the innermost key of some that is there, and that may be absent. Gives what was done."""
    for length in range(len(keys), 0, -1):
        *above, key = keys[:length]
        around = _at(root, tuple(above))
        if around is None or not isinstance(around.value, dict):
            continue
        if instead := _REQUIRED.get(tuple(map(str, keys[:length]))):
            around.value[str(key)] = yaml.Node(instead, 1, 1)
            return f"{instead} stands there now"
        if around.value.pop(str(key), None) is not None:
            break
    return "it is left out"


def _override(root: yaml.Node, environment: Mapping[str, str]) -> dict[tuple[str, ...], str]:
    """Set in the tree what the variables say; give the variable for each path of keys that it set."""
    overridden = {}
    for variable in sorted(environment):
        if not variable.startswith(_PREFIX):
            continue
        keys = tuple(variable.removeprefix(_PREFIX).lower().split("__"))
        value = environment[variable]
        try:
            node = yaml.load(value) if value.lstrip()[:1] in ("[", "{") else yaml.scalar(value)
        except yaml.YamlError as error:
            raise ConfigError([f"{variable}: {error.reason}"]) from None
        mapping = root.value
        for key in keys[:-1]:
            assert isinstance(mapping, dict)
            if not isinstance(mapping.get(key, yaml.Node(None, 1, 1)).value, dict):
                mapping[key] = yaml.Node({}, 1, 1)
            mapping = mapping[key].value
        assert isinstance(mapping, dict)
        mapping[keys[-1]] = node
        overridden[keys] = variable
    return overridden


def _without_nulls(node: yaml.Node) -> Any:
    """Give the plain values; a key without a value has its default, except where null says something: `cron: null`."""
    if isinstance(node.value, dict):
        return {
            key: _without_nulls(child) for key, child in node.value.items() if child.value is not None or key == "cron"
        }
    return node.plain()


def _at(root: yaml.Node, keys: tuple[str | int, ...]) -> yaml.Node | None:
    node = root
    for key in keys:
        if isinstance(node.value, dict) and key in node.value:
            node = node.value[str(key)]
        elif isinstance(node.value, list) and isinstance(key, int) and key < len(node.value):
            node = node.value[key]
        else:
            return None
    return node


def _place(keys: tuple[str | int, ...], file: Path, root: yaml.Node, overridden: Mapping[tuple[str, ...], str]) -> str:
    """Say where a value stands, or the nearest mapping around it that does."""
    for length in range(len(keys), 0, -1):
        if variable := overridden.get(tuple(str(key) for key in keys[:length])):
            return variable
        if node := _at(root, keys[:length]):
            return f"{file}:{node.key_line or node.line}:{node.key_column or node.column}"
    return f"{file}:{root.line}:{root.column}"


def _mistake(error: Any, file: Path, root: yaml.Node, overridden: Mapping[tuple[str, ...], str]) -> tuple[str, str]:
    """Give where a mistake is and what it is."""
    keys = _keys(error, root)
    return _place(keys, file, root, overridden), f"{'.'.join(str(key) for key in keys)}: {_reason(error, keys)}"


def _keys(error: Any, root: yaml.Node) -> tuple[str | int, ...]:
    return tuple(key for key in error["loc"] if _at(root, (key,)) or _is_key(key))


def _line_and_column(mistake: tuple[str, str]) -> list[int]:
    return [int(part) for part in mistake[0].split(":")[-2:] if part.isdecimal()]


def _is_key(key: str | int) -> bool:
    """Tell a key or an index from what pydantic adds of its own, like `[key]`."""
    return isinstance(key, int) or re.fullmatch(r"[\w./-]+", key) is not None


def _reason(error: Any, keys: tuple[str | int, ...]) -> str:
    context = error.get("ctx", {})
    kind = error["type"]
    if kind == "extra_forbidden":
        return "unknown key" + did_you_mean(str(keys[-1]), _siblings(keys))
    if kind == "value_error":
        return str(context["error"])
    simple = {
        "missing": "missing; it is required",
        "int_parsing": "must be a whole number",
        "int_type": "must be a whole number",
        "int_from_float": "must be a whole number",
        "float_parsing": "must be a number",
        "float_type": "must be a number",
        "bool_parsing": "must be true or false",
        "bool_type": "must be true or false",
        "string_type": "must be text",
        "tuple_type": "must be a list",
        "model_type": "must be a mapping",
        "dict_type": "must be a mapping",
        "string_pattern_mismatch": "must begin with /",
        "greater_than_equal": f"must be at least {context.get('ge')}",
        "less_than_equal": f"must be at most {context.get('le')}",
    }
    if kind == "literal_error":
        return f"must be {context['expected']}" + did_you_mean(
            str(error["input"]), re.findall(r"'(\w+)'", context["expected"])
        )
    return simple.get(kind, str(error["msg"]))


def _siblings(keys: tuple[str | int, ...]) -> Iterator[str]:
    model: Any = Config
    for key in keys[:-1]:
        found = model.model_fields[str(key)].annotation
        model = found if isinstance(found, type) else AuthorSection  # the one section that may be absent
    yield from (name for name, field in model.model_fields.items() if not field.exclude)
