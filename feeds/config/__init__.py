"""Loads config.yaml and `FEEDS__*` variables as a frozen `Config`, or reports all errors with their line and column.

`schema` validates the values with pydantic. This module finds the position of each value in the file, and suggests
corrections. It opens only the configuration file.
"""

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, get_args, get_origin

os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")  # searching for plugins would take 20 ms of each start

from pydantic import BaseModel, ValidationError

from feeds.config.feed_sections import FeedsSection, SelectionSection
from feeds.config.schema import Config
from feeds.config.section import KeyedError
from feeds.config.values import did_you_mean
from feeds.core.errors import ConfigError
from feeds.core.parse import yaml
from feeds.core.text import clean, escape_unprintable, printable_excerpt, truncate

__all__ = ["Config", "drop_invalid_settings", "load"]

_REQUIRED: dict[tuple[str, ...], str] = {  # keys and placeholders for their values
    ("site", "title"): "My site",
    ("site", "url"): "https://example.org",
}
_PREFIX = "FEEDS__"
_MAX_REASON_LENGTH = 1_000  # characters; a reason may quote a value
_UNSUPPORTED_KEYS = {("push",)}  # validated, but without effect in this version (docs/config.md)

_Keys = tuple[str | int, ...]  # the path of a value in the file


def load(file: Path, environment: Mapping[str, str]) -> Config:
    """Return the configuration of a file, with `FEEDS__SECTION__KEY` variables overriding its values.

    Raise `ConfigError` with all errors.
    """
    try:
        text = clean(file.read_bytes().decode("utf-8-sig"))
    except FileNotFoundError:
        raise ConfigError(
            [f"{file}: does not exist; create it with `feeds init`, or name another with -c FILE"]
        ) from None
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
    _fill_custom_feeds(root)
    try:
        config = Config.model_validate(_without_nulls(root))
    except ValidationError as errors:
        located = [_locate(error, file, root, overridden) for error in errors.errors(include_url=False)]
        ordered = sorted(located, key=_line_and_column)
        raise ConfigError([f"{position}: {reason}" for position, reason in ordered]) from None
    unsupported = [f"{_position(keys, file, root, overridden)}: {_shown(keys)}: has no effect in this version"
                   for keys in sorted(_UNSUPPORTED_KEYS) if _node_at(root, keys)]  # fmt: skip

    def shown(*keys: str | int) -> str:
        return f"{_position(keys, file, root, overridden)}: {_shown(keys)}"

    absolute = file.absolute()
    update = {
        "root": absolute.parent,
        "file": absolute,
        "unsupported_keys": tuple(unsupported),
        "feed_positions": {name: shown("feeds", "custom", name) for name in config.feeds.custom},
        "nav_positions": {title: shown("site", "nav", title) for title in config.site.nav},
        "footer_position": shown("site", "footer"),
        "folder_positions": {folder: shown(*keys) for keys, folder in _selected_folders(config.feeds)},
    }
    return config.model_copy(update=update)


def _selected_folders(feeds: FeedsSection) -> Iterator[tuple[_Keys, str]]:
    """Yield the folders that selections name, with their keys."""
    selections: dict[_Keys, SelectionSection] = {("feeds", "site"): feeds.site}
    selections |= {("feeds", "custom", name): section for name, section in feeds.custom.items()}
    for keys, section in selections.items():
        for key, groups in (("include", section.include), ("exclude", section.exclude)):
            for folder in (groups and groups.folder) or ():
                yield (*keys, key, "folder"), folder


class ValidSettings(NamedTuple):
    """Settings that `load` accepts, and a message for each value that was dropped."""

    settings: dict[str, Any]
    messages: list[str]


def drop_invalid_settings(settings: Mapping[str, Any]) -> ValidSettings:
    """Return settings without the values that `load` would reject."""
    root = yaml.load(yaml.dump(settings))
    assert isinstance(root.value, dict)
    root.value.setdefault("site", yaml.Node({}, 1, 1))
    aliases = _node_at(root, ("feeds", "aliases"))
    messages = _drop_invalid_aliases(aliases.value) if aliases and isinstance(aliases.value, dict) else []
    while True:
        try:
            Config.model_validate(_without_nulls(root))
        except ValidationError as errors:
            for error in errors.errors(include_url=False):
                keys = _keys(error, root)
                messages.append(f"{_shown(keys)}: {_reason(error, keys)}; {_drop(root, keys)}")
            if not keys:  # an error without a key can't be dropped
                raise ConfigError(messages) from None
        else:
            return ValidSettings(root.to_value(), messages)


def _drop_invalid_aliases(aliases: dict[str, yaml.Node]) -> list[str]:
    """Drop each invalid alias, but keep the others. Return a message for each."""
    messages = []
    for alias, path in list(aliases.items()):
        site = {keys[-1]: value for keys, value in _REQUIRED.items()}
        try:
            Config.model_validate({"site": site, "feeds": {"aliases": {alias: path.to_value()}}})
        except ValidationError as errors:
            reason = _reason(errors.errors(include_url=False)[0], ("feeds", "aliases", alias))
            messages.append(f"feeds.aliases: {printable_excerpt(alias)}: {reason}; it is left out")
            del aliases[alias]
    return messages


def _drop(root: yaml.Node, keys: _Keys) -> str:
    """Drop the innermost existing key of a path; if it is required, set a placeholder. Return the change as text."""
    for length in range(len(keys), 0, -1):
        *above, key = keys[:length]
        mapping = _node_at(root, tuple(above))
        if mapping is None or not isinstance(mapping.value, dict):
            continue
        if placeholder := _REQUIRED.get(tuple(map(str, keys[:length]))):
            mapping.value[str(key)] = yaml.Node(placeholder, 1, 1)
            return f"it is set to {placeholder}"
        if mapping.value.pop(str(key), None) is not None:
            break
    return "it is left out"


def _override(root: yaml.Node, environment: Mapping[str, str]) -> dict[tuple[str, ...], str]:
    """Set the values of variables in the tree. Return the variable for each path of keys that was set."""
    overridden = {}
    for variable in sorted(environment):
        if not variable.startswith(_PREFIX):
            continue
        keys = tuple(variable.removeprefix(_PREFIX).lower().split("__"))
        value = environment[variable]
        try:
            node = yaml.load(value) if value.lstrip()[:1] in ("[", "{") else yaml.plain_scalar(value)
        except yaml.YamlError as error:
            raise ConfigError([f"{printable_excerpt(variable)}: {error.reason}"]) from None
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


def _fill_custom_feeds(root: yaml.Node) -> None:
    """Replace a custom feed without settings by an empty mapping: the feed contains the articles that name it."""
    custom = _node_at(root, ("feeds", "custom"))
    if custom and isinstance(custom.value, dict):
        custom.value.update(
            {name: replace(node, value={}) for name, node in custom.value.items() if node.value is None}
        )


def _without_nulls(node: yaml.Node) -> Any:
    """Return the plain values. A key without a value gets its default.

    Exceptions are `cron: null`, which disables the cron, and the keys of `theme`: a colour like #fff without quotes is
    a comment in YAML, so its key has no value.
    """
    if isinstance(node.value, dict):
        return {
            key: child.to_value() if key == "theme" else _without_nulls(child)
            for key, child in node.value.items()
            if child.value is not None or key == "cron"
        }
    return node.to_value()


def _node_at(root: yaml.Node, keys: _Keys) -> yaml.Node | None:
    node = root
    for key in keys:
        if isinstance(node.value, dict) and key in node.value:
            node = node.value[str(key)]
        elif isinstance(node.value, list) and isinstance(key, int) and key < len(node.value):
            node = node.value[key]
        else:
            return None
    return node


def _position(keys: _Keys, file: Path, root: yaml.Node, overridden: Mapping[tuple[str, ...], str]) -> str:
    """Return the position of a value, or of the nearest mapping around it, or the variable that set it."""
    for length in range(len(keys), 0, -1):
        if variable := overridden.get(tuple(str(key) for key in keys[:length])):
            return printable_excerpt(variable)
        if node := _node_at(root, keys[:length]):
            if not node.key_line and (variable := _variable_below(keys[:length], overridden)):
                return printable_excerpt(variable)
            return f"{file}:{node.key_line or node.line}:{node.key_column or node.column}"
    return f"{file}:{root.line}:{root.column}"


def _variable_below(keys: _Keys, overridden: Mapping[tuple[str, ...], str]) -> str:
    """Return the first variable that set a value in a mapping; "" if there is none."""
    above = tuple(map(str, keys))
    return next((variable for path, variable in overridden.items() if path[: len(above)] == above), "")


def _locate(error: Any, file: Path, root: yaml.Node, overridden: Mapping[tuple[str, ...], str]) -> tuple[str, str]:
    """Return the position of an error and its reason."""
    keys = _keys(error, root)
    return _position(keys, file, root, overridden), f"{_shown(keys)}: {_reason(error, keys)}"


def _shown(keys: _Keys) -> str:
    """Return the path of a value for a message."""
    return ".".join(printable_excerpt(str(key)) for key in keys)


def _keys(error: Any, root: yaml.Node) -> _Keys:
    keys: _Keys = ()
    cause = error.get("ctx", {}).get("error")
    for key in (*error["loc"], *cause.keys) if isinstance(cause, KeyedError) else error["loc"]:
        if _node_at(root, (*keys, key)) or _is_key(key):
            keys = (*keys, key)
    return keys


def _line_and_column(located: tuple[str, str]) -> list[int]:
    position, _ = located
    return [int(part) for part in position.split(":")[-2:] if part.isdecimal()]


def _is_key(key: str | int) -> bool:
    """Return whether this is a key or an index, and not a marker that pydantic adds, such as `[key]`."""
    return isinstance(key, int) or re.fullmatch(r"[\w./-]+", key) is not None


def _reason(error: Any, keys: _Keys) -> str:
    """Return the reason of an error, of bounded length: it quotes at most an excerpt of a value."""
    return truncate(escape_unprintable(_describe(error, keys)), _MAX_REASON_LENGTH)


def _describe(error: Any, keys: _Keys) -> str:
    context = error.get("ctx", {})
    kind = error["type"]
    if kind == "extra_forbidden":
        return "unknown key" + did_you_mean(str(keys[-1]), _siblings(keys))
    if kind == "value_error":
        return str(context["error"])
    simple = {
        "missing": "missing; it is required",
        "int_parsing": "must be a whole number",
        "int_parsing_size": "has too many digits",
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
        "string_too_long": f"must have at most {context.get('max_length', 0):,} characters",
    }
    if kind == "literal_error":
        return f"must be {context['expected']}" + did_you_mean(
            str(error["input"]), re.findall(r"'(\w+)'", context["expected"])
        )
    return simple.get(kind, str(error["msg"]))


def _siblings(keys: _Keys) -> Iterator[str]:
    annotation: Any = Config
    for key in keys[:-1]:
        if get_origin(annotation) is dict:  # its keys are names
            annotation = get_args(annotation)[1]
        else:
            annotation = _section_of(annotation).model_fields[str(key)].annotation
    yield from (name for name, field in _section_of(annotation).model_fields.items() if not field.exclude)


def _section_of(annotation: Any) -> type[BaseModel]:
    """Return the model of a section, which may be optional."""
    if isinstance(annotation, type):
        return annotation
    return _section_of(get_args(annotation)[0])
