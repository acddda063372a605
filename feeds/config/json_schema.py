"""The JSON Schema of config.yaml (draft 7), with the descriptions below the keys in `schema`.

Editors complete and check config.yaml with it (`feeds schema`), and docs/config.md is generated from it.
"""

import ast
import inspect
import re
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema

from feeds.config import schema
from feeds.config.cron import CronSchedule

_DRAFT = "http://json-schema.org/draft-07/schema#"  # a draft that all editors support
_TITLE = "config.yaml"
_DESCRIPTION = "The configuration of feeds."
_WRAPPED = re.compile(r"(?<!\n)\n(?!\n|- ) *")  # a line break inside a paragraph or an item of a list
_PROPERTIES = {"properties", "patternProperties"}  # keywords whose value is a mapping with names as keys
_VALUES = {"default", "enum", "const"}  # keywords that contain values
_LINK = re.compile(r"\[([^\]\[]{1,200})\]\([^)\s]{1,200}\)")


class _Generator(GenerateJsonSchema):
    def encode_default(self, dft: Any) -> Any:
        """Return a default as it is written in config.yaml; None for a section, whose keys have defaults."""
        if isinstance(dft, CronSchedule):
            return schema.DEFAULT_CRON
        return None if isinstance(dft, BaseModel) else super().encode_default(dft)


def json_schema(*, for_editors: bool = True) -> dict[str, Any]:
    """Return the JSON Schema of config.yaml, without references.

    `load` accepts some unusual forms that the schema rejects: a number in quotation marks, a number in place of most
    texts, and a key without a value. The schema does not express the rules for texts, such as the allowed placeholders
    of a permalink.

    Args:
        for_editors: Whether each `description` is plain text, beside a `markdownDescription`, and neither has links.
            Otherwise, the descriptions are Markdown, with links that are relative to docs/.
    """
    generated = schema.Config.model_json_schema(schema_generator=_Generator)
    sections = generated.pop("$defs")
    config_section = schema.Config.__name__
    for key, field in schema.Config.model_fields.items():
        if field.exclude:
            del generated["properties"][key]
    descriptions = _descriptions()
    for name, section in {**sections, config_section: generated}.items():
        if name != config_section:
            section["type"] = ["object", "null"]  # null: all keys of the section are commented out
        for key, value in section["properties"].items():
            if text := descriptions[name].get(key):
                value.update(_for_editors(text) if for_editors else {"description": text})
    config = _simplified(generated, sections)
    return {"$schema": _DRAFT, **config, "title": _TITLE, "description": _DESCRIPTION}


def _descriptions() -> dict[str, dict[str, str]]:
    """Return the text below each key, by section and key, with each paragraph on one line."""
    texts: dict[str, dict[str, dict[str, str]]] = {}  # by module, class and key
    found: dict[str, dict[str, str]] = {}
    for section in _sections(schema.Config):
        found[section.__name__] = {}
        for base in reversed(section.__mro__):
            if issubclass(base, BaseModel) and base is not BaseModel:
                if base.__module__ not in texts:
                    texts[base.__module__] = _texts_below_keys(sys.modules[base.__module__])
                found[section.__name__] |= texts[base.__module__].get(base.__name__, {})
    return found


def _texts_below_keys(module: ModuleType) -> dict[str, dict[str, str]]:
    """Return the strings below annotated names in the source of a module, by class and name."""
    return {
        node.name: {
            field.target.id: _WRAPPED.sub(" ", inspect.cleandoc(below.value.value))
            for field, below in zip(node.body, node.body[1:], strict=False)
            if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
            if isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant)
            if isinstance(below.value.value, str)
        }
        for node in ast.parse(inspect.getsource(module)).body
        if isinstance(node, ast.ClassDef)
    }


def _sections(annotation: Any) -> Iterator[type[BaseModel]]:
    """Yield the sections in a type, and those in the types of their keys."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
        for field in annotation.model_fields.values():
            yield from _sections(field.annotation)
    for argument in get_args(annotation):
        yield from _sections(argument)


def _for_editors(description: str) -> dict[str, str]:
    markdown = _LINK.sub(lambda link: f"docs/{link[1]}" if link[1].endswith(".md") else link[1], description)
    return {"description": markdown.replace("`", ""), "markdownDescription": markdown}


def _simplified(value: Any, sections: dict[str, Any], *, is_properties: bool = False) -> Any:
    """Return a schema with the sections in place of references, without titles and defaults that are null."""
    if isinstance(value, list):
        return [_simplified(item, sections) for item in value]
    if not isinstance(value, dict):
        return value
    if is_properties:
        return {key: _simplified(item, sections) for key, item in value.items()}
    if "$ref" in value:
        value = {**sections[value["$ref"].rpartition("/")[2]], **value}
    result = {}
    for keyword, item in value.items():
        if keyword in _VALUES:
            if item is not None:
                result[keyword] = item
        elif keyword not in {"title", "$ref"}:
            result[keyword] = _simplified(item, sections, is_properties=keyword in _PROPERTIES)
    if "patternProperties" in result:
        result["additionalProperties"] = False  # a name that matches no pattern is a mistake
    return result
