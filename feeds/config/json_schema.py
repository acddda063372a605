"""The JSON Schema of config.yaml (draft 2020-12), with the descriptions below the keys in `schema`.

Editors complete and check config.yaml with it (`feeds schema`), and docs/config.md is generated from it.
"""

import ast
import inspect
import re
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema

from feeds.config import schema
from feeds.config.cron import CronSchedule

_DRAFT = "https://json-schema.org/draft/2020-12/schema"
_TITLE = "config.yaml"
_DESCRIPTION = "The configuration of feeds."
_WRAPPED = re.compile(r"(?<!\n)\n(?!\n|- ) *")  # a line break inside a paragraph or an item of a list
_PROPERTIES = {"properties", "patternProperties"}  # keywords of which each key is a name
_VALUES = {"default", "enum", "const"}  # keywords that contain values
_LINK = re.compile(r"\[([^\]]+)\]\([^)\s]+\)")


class _Generator(GenerateJsonSchema):
    def encode_default(self, dft: Any) -> Any:
        """Return a default as it is written in config.yaml; None for a section, whose keys have defaults."""
        if isinstance(dft, CronSchedule):
            return schema.DEFAULT_CRON
        return None if isinstance(dft, BaseModel) else super().encode_default(dft)


def json_schema(*, with_links: bool = False) -> dict[str, Any]:
    """Return the JSON Schema of config.yaml, without references.

    `load` accepts some unusual forms that the schema rejects: a number in quotation marks, a number in place of most
    texts, and a key without a value. The schema does not express the rules of texts, for example which placeholders a
    permalink has.

    Args:
        with_links: Whether the descriptions have links to pages in docs/. Editors can't follow them.
    """
    generated = schema.Config.model_json_schema(schema_generator=_Generator)
    sections = generated.pop("$defs")
    descriptions = _descriptions()
    for name, section in sections.items():
        section["type"] = ["object", "null"]  # a section of which each key is a comment
        for key, value in section["properties"].items():
            value["description"] = _text(descriptions[name][key], with_links=with_links)
    excluded = [key for key, field in schema.Config.model_fields.items() if field.exclude]
    for key in excluded:
        del generated["properties"][key]
    for key, text in descriptions[schema.Config.__name__].items():
        generated["properties"][key]["description"] = _text(text, with_links=with_links)
    config = _simplified(generated, sections)
    return {"$schema": _DRAFT, **config, "title": _TITLE, "description": _DESCRIPTION}


def _descriptions() -> dict[str, dict[str, str]]:
    """Return the text below each key in `schema`, by class and key, with each paragraph on one line."""
    return {
        node.name: {
            field.target.id: _WRAPPED.sub(" ", inspect.cleandoc(below.value.value))
            for field, below in zip(node.body, node.body[1:], strict=False)
            if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
            if isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant)
            if isinstance(below.value.value, str)
        }
        for node in ast.parse(inspect.getsource(schema)).body
        if isinstance(node, ast.ClassDef)
    }


def _text(description: str, *, with_links: bool) -> str:
    return description if with_links else _LINK.sub(_without_link, description)


def _without_link(link: re.Match[str]) -> str:
    return f"docs/{link[1]}" if link[1].endswith(".md") else link[1]


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
