"""The text of a file -> its front matter and its body, whichever of the dialects it is written in.

python-frontmatter's handler interface, with handlers of our own: its YAML guesses types, its TOML needs a library that
is not maintained, and `parse` strips the body's indentation and publishes broken front matter as text.
"""

import json
import re
from collections.abc import Callable
from typing import Any

import frontmatter
from frontmatter.default_handlers import BaseHandler

from feeds.errors import Refused
from feeds.parse import yaml
from feeds.parse.keys import ROLES, canonical

_LARGEST = 64 * 1024  # characters of front matter


class FrontMatter(dict[str, Any]):
    """The values by key, and where each key stands; `line_of` is asked only when something is wrong."""

    def __init__(self, values: dict[str, Any], line_of: Callable[[str], int]) -> None:
        super().__init__(values)
        self.line_of = line_of


def read(text: str) -> tuple[FrontMatter, str]:
    """Split a text into its front matter, with lines as in the file, and its body.

    A text without front matter gives an empty one. Raises `Refused` for front matter that is broken, not closed, too
    large, or no mapping.
    """
    if text.startswith("---\n") and (end := text.find("\n---\n", 3, _LARGEST)) > 0:
        head = text[4 : end + 1]
        if values := yaml.simple(head):  # then none of its lines is a fence, so that this is where it is closed
            return FrontMatter(values, lambda key: yaml.simple_line(head, key) + 1), text[end + 5 :]
    trimmed = text.lstrip()
    handler = frontmatter.detect_format(trimmed, _HANDLERS)
    if handler is None:
        _refuse_other_fences(trimmed, text.count("\n", 0, len(text) - len(trimmed)) + 1)
        return _metadata(text) or (FrontMatter({}, _nowhere), text)
    head, body = handler.split(trimmed)
    if len(head) > _LARGEST:
        raise Refused(f"front matter larger than {_LARGEST // 1024} KiB")
    above = text.count("\n", 0, len(text) - len(trimmed) + trimmed.index(head)) if head else 0
    try:
        matter = handler.load(head)
    except Refused as refused:
        raise Refused(f"front matter: {refused.reason}", refused.line + above) from None
    except RecursionError:
        raise Refused("front matter: nested too deep") from None
    if not isinstance(matter, FrontMatter):
        if (key := _WIDE_COLON.match(head.lstrip())) and canonical(key[1]) in ROLES:  # else it is Chinese prose
            line = above + head.count("\n", 0, len(head) - len(head.lstrip())) + 1
            raise Refused(f"front matter: {_WIDE}", line)
        return FrontMatter({}, _nowhere), text  # prose between two rules
    return FrontMatter(matter, lambda key: matter.line_of(key) + above), body


def _refuse_other_fences(text: str, line: int) -> None:
    """Raise `Refused` if a text begins with keys between two lines that are nearly `---` or `+++`."""
    opening = _NEARLY_FENCE.match(text)
    if opening is None:
        return
    mark = opening[1]
    closing = re.compile(rf"^[{mark[0]}]{{2,}}[ \t]*$", re.MULTILINE).search(text, opening.end(), _LARGEST)
    if closing is None and mark != "--":
        return  # a rule, and prose
    keys = _KEY.findall(text, opening.end(), closing.start() if closing else _LARGEST)
    if _KEY.match(text, opening.end()) and any(canonical(key) in ROLES for key in keys):
        right = "+++" if mark[0] == "+" else "---"
        raise Refused(f"front matter begins and ends with a line {right}, not {mark[:10]}", line)


def _metadata(text: str) -> tuple[FrontMatter, str] | None:
    """Return the metadata that Pelican and MultiMarkdown write at the beginning of a text, without marks, and the rest.

    They are lines `Key: value`, which indented lines continue, up to a blank line. Only with a title are they taken for
    metadata: an article may begin with `Date: Tuesday`.
    """
    if not _METADATA.match(text):
        return None
    values: dict[str, list[str]] = {}
    lines: dict[str, int] = {}
    key, at = "", 0
    twice: tuple[str, int] | None = None
    for number, line in enumerate(text[:_LARGEST].split("\n"), 1):
        at += len(line) + 1
        if not line.strip():
            break
        if line[0].isspace():
            values[key].append(line.strip())
        elif match := _METADATA.match(line):
            key, value = match[1], line[match.end() :].strip()
            if values.setdefault(key, [value]) != [value]:
                twice = twice or (key, number)
            lines.setdefault(key, number)
        else:
            return None
    if not any(key.lower() == "title" for key in values):
        return None
    if twice:
        raise Refused(f"front matter: {twice[0]}: said twice", twice[1])
    return FrontMatter({key: " ".join(parts) for key, parts in values.items()}, lambda key: lines[key]), text[at:]


class _Fenced(BaseHandler):
    """Front matter between two lines that hold nothing but a mark."""

    CLOSING: re.Pattern[str] | None = None  # where that is another one

    def split(self, text: str) -> tuple[str, str]:
        """Give the text between the marks and the text after them."""
        assert self.FM_BOUNDARY is not None
        opening = self.FM_BOUNDARY.match(text)
        assert opening is not None
        closing = (self.CLOSING or self.FM_BOUNDARY).search(text, opening.end())
        if closing is None:
            raise Refused(f"front matter: not closed, there is no second {self.START_DELIMITER}")
        return text[opening.end() + 1 : closing.start()], text[closing.end() + 1 :]


class _Yaml(_Fenced):
    FM_BOUNDARY = re.compile(r"^---[ \t]*$", re.MULTILINE)
    CLOSING = re.compile(r"^(?:(?:\.\.\.[ \t]*\n)?---|\.\.\.)[ \t]*$", re.MULTILINE)  # YAML 1.2 section 9.1.2
    START_DELIMITER = "---"

    def detect(self, text: str) -> bool:
        """Tell front matter from a text that opens with a rule: it is closed, or its first line is a key."""
        opening = self.FM_BOUNDARY.match(text)
        if opening is None:
            return False
        if self.CLOSING.search(text, opening.end()):
            return True
        lines = (line.strip() for line in text[opening.end() :].splitlines())
        first = next((line for line in lines if line and not line.startswith("#")), "")
        return _YAML_KEY.match(first) is not None

    def load(self, fm: str) -> Any:
        """Read the mapping; anything else is given back as it is."""
        if values := yaml.simple(fm):
            return FrontMatter(values, lambda key: yaml.simple_line(fm, key))
        try:
            node = yaml.load(fm)
        except yaml.YamlError as error:
            raise _explained(fm, error) from None
        if node.value is None:
            return FrontMatter({}, _nowhere)
        if not isinstance(node.value, dict):
            return node.plain()
        entries = node.value
        return FrontMatter(node.plain(), lambda key: entries[key].key_line)


class _Toml(_Fenced):
    FM_BOUNDARY = re.compile(r"^\+\+\+[ \t]*$", re.MULTILINE)
    START_DELIMITER = "+++"

    def load(self, fm: str) -> FrontMatter:
        """Read the table."""
        if _LONG_DOTTED_KEY.search(fm):
            raise Refused("nested too deep")  # and tomllib takes quadratic time for it
        import tomllib  # which few articles need

        try:
            return FrontMatter(tomllib.loads(fm), _finder(fm, r'^[ \t\[]*["\']?{}["\']?[ \t]*[=.\]]'))
        except ValueError as error:  # tomllib's own, and an integer of thousands of digits
            line = re.search(r"\(at line (\d+), column \d+\)", str(error))
            number = int(line[1]) if line else 1
            hint = _toml_hint(fm.split("\n")[number - 1], str(error))
            raise Refused(f"not TOML: {hint or str(error).split(' (at ')[0]}", number) from None


class _Json(BaseHandler):
    FM_BOUNDARY = re.compile(r'\{\s*["}]')  # "{% include %}" and "{{ shortcode }}" are no JSON

    def split(self, text: str) -> tuple[str, str]:
        """Give the object's text and what follows it."""
        try:
            _, end = _JSON.raw_decode(text[:_LARGEST])
        except json.JSONDecodeError as error:
            if len(text) > _LARGEST <= error.pos + 1:
                raise Refused(f"front matter larger than {_LARGEST // 1024} KiB") from None
            raise Refused(f"front matter: not JSON: {error.msg}", error.lineno) from None
        except ValueError as error:
            raise Refused(f"front matter: not JSON: {error}") from None
        except RecursionError:
            raise Refused("front matter: nested too deep") from None
        return text[:end], text[end:].removeprefix("\n")

    def load(self, fm: str) -> FrontMatter:
        """Read the object."""
        return FrontMatter(_JSON.decode(fm), _finder(fm, r'"{}"[ \t]*:'))


def _explained(text: str, error: yaml.YamlError) -> Refused:
    """Return the refusal of broken YAML that says what to write, as far as its lines show what is wrong."""
    lines = text.split("\n")
    broken, before = error.line - 1, error.line - 2
    if broken < len(lines) and (reason := _yaml_hint(lines[broken])):
        return Refused(f"not YAML: {reason}", error.line)
    if before >= 0 and _WIDE_COLON.match(lines[before]):  # which the parser notices in the next line
        return Refused(f"not YAML: {_WIDE}", error.line - 1)
    if before >= 0 and "mapping values" in error.reason and _NO_COLON.fullmatch(lines[before]):
        return Refused("not YAML: a colon and a space are missing after the key", error.line - 1)
    if not error.reason.startswith("not YAML"):
        return error
    if number := _unclosed_quote(text, error.line):
        reason = "the quote that begins here is not closed, or text follows it; close it at the end of the value"
        return Refused(f"not YAML: {reason}", number)
    if "\\" in "".join(lines[broken : broken + 1]):
        return Refused("not YAML: a backslash in double quotes is written twice; or use single quotes", error.line)
    return error


def _yaml_hint(line: str) -> str:
    """Return what is wrong in a line of YAML; "" if that does not show."""
    if "\t" in line[: len(line) - len(line.lstrip())]:
        return "a tab indents this line; use spaces"
    if reason := unfilled(line):
        return reason
    if _WIDE_COLON.match(line):
        return _WIDE
    if reserved := _RESERVED.fullmatch(line):
        value = reserved[1][:40].rstrip()
        return f"a text that begins with {value[0]} needs quotes, as in '{value}'"
    return ""


def _toml_hint(line: str, message: str) -> str:
    """Return what is wrong in a line of TOML; "" if that does not show."""
    if reason := unfilled(line):
        return reason
    if _WIDE_COLON.match(line) or _YAML_KEY.match(line):
        return 'a key and its value are separated by =, as in title = "…"'
    if message.startswith("Illegal character '\\n'"):
        return "a quote that begins in this line is not closed; close it at the end of the value"
    if message.startswith("Invalid value"):
        return 'a text needs straight quotes, as in title = "…"'
    if message.startswith("Expected newline"):
        return "text follows the end of a value; put a text in one pair of quotes, and write a date like 2026-01-24"
    return ""


def unfilled(text: str) -> str:
    """Return the reason to refuse a text with a placeholder such as `{{date}}`; "" if there is none."""
    template = _TEMPLATE.search(text)
    if template is None:
        return ""
    return (
        f"{template[0][:40]} is a placeholder of a template, and was not filled in; write the value, "
        "or name the folder of templates in content.exclude"
    )


def _unclosed_quote(text: str, last: int) -> int:
    """Return the line of the first quoted value, up to the last line, that does not end with its line; 0 if none."""
    at = 0
    while match := _QUOTE.search(text, at):
        number = text.count("\n", 0, match.start(1)) + 1
        end = (_DOUBLE_QUOTED if match[1] == '"' else _SINGLE_QUOTED).match(text, match.start(1))
        if number > last or end is None:
            return number if number <= last else 0
        at = end.end()
    return 0


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, value in pairs:
        known = values.setdefault(name, value)
        if known is not value and known != value:
            raise ValueError(f"{name}: said twice")
    return values


def _nowhere(_key: str) -> int:
    return 1


def _finder(text: str, pattern: str) -> Callable[[str], int]:
    """Give what finds the line of a key; TOML's and JSON's readers don't tell."""

    def line_of(key: str) -> int:
        match = re.search(pattern.format(re.escape(key)), text, re.MULTILINE)
        return text.count("\n", 0, match.start()) + 1 if match else 1

    return line_of


_YAML_KEY = re.compile(r"[\"']?\w[\w -]{0,60}[\"']?[ \t]*:(?:\s|$)")
_KEY = re.compile(r"^(\w[\w-]{0,60})[ \t]*[:=]", re.MULTILINE)
_NEARLY_FENCE = re.compile(r"(--|-{4,}|\+\+|\+{4,})[ \t]*\n\s*")
_WIDE_COLON = re.compile(r"[ \t]*(\w[\w-]{0,60})[ \t]*：")
_WIDE = "the colon after a key is a full-width one; write : and a space"
_RESERVED = re.compile(r"[ \t]*+(?:-|[^:#]{1,60}:)[ \t]+([@`%].*|\*[^*\s]+\*.*)")
_NO_COLON = re.compile(r"\w(?:[^:]|:(?! ))*(?<!:)")
_TEMPLATE = re.compile(r"\{\{[^{}\n]{0,80}\}\}|<%[^%\n]{0,80}%>")
_QUOTE = re.compile(r"^[ \t]*(?:-[ \t]+|[^:#\n'\"]{1,60}:[ \t]+)([\"'])", re.MULTILINE)
_DOUBLE_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*+"[ \t]*(?:#.*)?$', re.MULTILINE | re.DOTALL)
_SINGLE_QUOTED = re.compile(r"'(?:[^']|'')*+'[ \t]*(?:#.*)?$", re.MULTILINE)
_METADATA = re.compile(r"([A-Za-z][\w-]{0,60}):(?=\s|$)")
_LONG_DOTTED_KEY = re.compile(r"(?<![\w\"'-])(?:[\w\"'-]++[ \t]*+\.[ \t]*+){50}")
_JSON = json.JSONDecoder(object_pairs_hook=_once)
_HANDLERS = (_Yaml(), _Toml(), _Json())
