"""The text of a file -> its front matter and its body, whichever of the three dialects it is written in.

python-frontmatter's handler interface, with handlers of our own: its YAML guesses types, its TOML needs a library that
is not maintained, and `parse` strips the body's indentation and publishes broken front matter as text.
"""

import json
import re
import tomllib
from typing import Any

import frontmatter
from frontmatter.default_handlers import BaseHandler

from feeds.errors import Refused
from feeds.parse import yaml

_LARGEST = 64 * 1024  # characters of front matter


class FrontMatter(dict[str, Any]):
    """The values by key, with the line of each key counted from the first line after the opening mark."""

    def __init__(self, values: dict[str, Any], lines: dict[str, int]) -> None:
        super().__init__(values)
        self.lines = lines


def read(text: str) -> tuple[FrontMatter, str]:
    """Split a text into its front matter, with lines as in the file, and its body.

    A text without front matter gives an empty one. Raises `Refused` for front matter that is broken, not closed, too
    large, or no mapping.
    """
    handler = frontmatter.detect_format(text, _HANDLERS)
    if handler is None:
        return FrontMatter({}, {}), text
    head, body = handler.split(text)
    if len(head) > _LARGEST:
        raise Refused(f"front matter larger than {_LARGEST // 1024} KiB")
    above = text.count("\n", 0, text.index(head)) if head else 0
    try:
        matter = handler.load(head)
    except Refused as refused:
        raise Refused(f"front matter: {refused.reason}", refused.line + above) from None
    except RecursionError:
        raise Refused("front matter: nested too deep") from None
    if not isinstance(matter, FrontMatter):
        return FrontMatter({}, {}), text  # prose between two rules
    return FrontMatter(matter, {key: line + above for key, line in matter.lines.items()}), body


class _Fenced(BaseHandler):
    """Front matter between two lines that hold nothing but a mark."""

    def split(self, text: str) -> tuple[str, str]:
        """Give the text between the marks and the text after them."""
        assert self.FM_BOUNDARY is not None
        opening = self.FM_BOUNDARY.match(text)
        assert opening is not None
        closing = self.FM_BOUNDARY.search(text, opening.end())
        if closing is None:
            raise Refused(f"front matter: not closed, there is no second {self.START_DELIMITER}")
        return text[opening.end() + 1 : closing.start()], text[closing.end() + 1 :]


class _Yaml(_Fenced):
    FM_BOUNDARY = re.compile(r"^---[ \t]*$", re.MULTILINE)
    START_DELIMITER = "---"
    _KEY = re.compile(r"---[ \t]*\n(?:\s*#.*\n|\s*\n)*[\"']?[\w -]+[\"']?\s*:(\s|$)")

    def detect(self, text: str) -> bool:
        """Tell front matter from a text that opens with a rule: it is closed, or its first line is a key."""
        opening = self.FM_BOUNDARY.match(text)
        return bool(opening and (self.FM_BOUNDARY.search(text, opening.end()) or self._KEY.match(text)))

    def load(self, fm: str) -> Any:
        """Read the mapping; anything else is given back as it is."""
        node = yaml.load(fm)
        if node.value is None:
            return FrontMatter({}, {})
        if not isinstance(node.value, dict):
            return node.plain()
        return FrontMatter(node.plain(), {key: value.key_line for key, value in node.value.items()})


class _Toml(_Fenced):
    FM_BOUNDARY = re.compile(r"^\+\+\+[ \t]*$", re.MULTILINE)
    START_DELIMITER = "+++"

    def load(self, fm: str) -> FrontMatter:
        """Read the table."""
        try:
            return FrontMatter(values := tomllib.loads(fm), _lines(fm, values, r'^[ \t\[]*["\']?{}["\']?[ \t]*[=.\]]'))
        except ValueError as error:  # tomllib's own, and an integer of thousands of digits
            line = re.search(r"\(at line (\d+), column \d+\)", str(error))
            raise Refused(f"not TOML: {str(error).split(' (at ')[0]}", int(line[1]) if line else 1) from None


class _Json(BaseHandler):
    FM_BOUNDARY = re.compile(r'\{\s*["}]')  # "{% include %}" and "{{ shortcode }}" are no JSON

    def split(self, text: str) -> tuple[str, str]:
        """Give the object's text and what follows it."""
        try:
            _, end = _JSON.raw_decode(text)
        except json.JSONDecodeError as error:
            raise Refused(f"front matter: not JSON: {error.msg}", error.lineno) from None
        except ValueError as error:
            raise Refused(f"front matter: not JSON: {error}") from None
        except RecursionError:
            raise Refused("front matter: nested too deep") from None
        return text[:end], text[end:].removeprefix("\n")

    def load(self, fm: str) -> FrontMatter:
        """Read the object."""
        values = _JSON.decode(fm)
        return FrontMatter(values, _lines(fm, values, r'"{}"[ \t]*:'))


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"{next(name for name in names if names.count(name) > 1)}: said twice")
    return values


def _lines(text: str, values: dict[str, Any], pattern: str) -> dict[str, int]:
    """Find the line of each key; TOML's and JSON's readers don't tell."""
    found = {key: re.search(pattern.format(re.escape(key)), text, re.MULTILINE) for key in values}
    return {key: text.count("\n", 0, match.start()) + 1 for key, match in found.items() if match}


_JSON = json.JSONDecoder(object_pairs_hook=_once)
_HANDLERS = (_Yaml(), _Toml(), _Json())
