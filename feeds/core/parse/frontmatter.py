"""Splits the text of a file into front matter (YAML, TOML, JSON or metadata lines) and body.

The handlers implement python-frontmatter's interface. The library's own handlers are not used: for YAML, they guess
types, and for TOML, they need an unmaintained library. Its `parse` is not used either, because it strips the body's
indentation and treats broken front matter as text.
"""

import json
import re
from collections.abc import Callable
from typing import Any, NamedTuple

import frontmatter
from frontmatter.default_handlers import BaseHandler

from feeds.core.errors import ArticleError
from feeds.core.parse import yaml
from feeds.core.parse.keys import FIELDS_BY_KEY, canonical_key

_MAX_LENGTH = 64 * 1024  # characters of front matter


class FrontMatter(dict[str, Any]):
    """The values by key. `line_of` returns the line of a key; it is called only for errors and warnings."""

    def __init__(self, values: dict[str, Any], line_of: Callable[[str], int]) -> None:
        super().__init__(values)
        self.line_of = line_of


class ArticleText(NamedTuple):
    """The two parts of an article file."""

    front_matter: FrontMatter
    body: str


def split_front_matter(text: str) -> ArticleText:
    """Split a text into its front matter, with line numbers of the file, and its body.

    The front matter of a text without any is empty. Raise `ArticleError` if the front matter is invalid, not closed or
    too large.
    """
    if text.startswith("---\n") and (end := text.find("\n---\n", 3, _MAX_LENGTH)) > 0:
        head = text[4 : end + 1]
        if values := yaml.load_simple(head):  # such a text contains no delimiter, so the front matter ends here
            return ArticleText(FrontMatter(values, lambda key: yaml.simple_line_of(head, key) + 1), text[end + 5 :])
    trimmed = text.lstrip()
    handler = frontmatter.detect_format(trimmed, _HANDLERS)
    if handler is None:
        _reject_wrong_delimiters(trimmed, text.count("\n", 0, len(text) - len(trimmed)) + 1)
        return _metadata(text) or ArticleText(FrontMatter({}, _first_line), text)
    head, body = handler.split(trimmed)
    if len(head) > _MAX_LENGTH:
        raise ArticleError(f"the front matter is larger than {_MAX_LENGTH // 1024} KiB")
    above = text.count("\n", 0, len(text) - len(trimmed) + trimmed.index(head)) if head else 0
    try:
        matter = handler.load(head)
    except ArticleError as error:
        raise ArticleError(f"front matter: {error.reason}", error.line + above) from None
    except RecursionError:
        raise ArticleError("front matter: nested too deep") from None
    if not isinstance(matter, FrontMatter):
        if (key := _WIDE_COLON.match(head.lstrip())) and canonical_key(
            key[1]
        ) in FIELDS_BY_KEY:  # otherwise the text is Chinese prose
            line = above + head.count("\n", 0, len(head) - len(head.lstrip())) + 1
            raise ArticleError(f"front matter: {_WIDE_COLON_REASON}", line)
        return ArticleText(FrontMatter({}, _first_line), text)  # prose between two rules
    return ArticleText(FrontMatter(matter, lambda key: matter.line_of(key) + above), body)


def _reject_wrong_delimiters(text: str, line: int) -> None:
    """Raise `ArticleError` if a text begins with keys between two lines that resemble `---` or `+++`."""
    opening = _NEARLY_DELIMITER.match(text)
    if opening is None:
        return
    mark = opening[1]
    closing = re.compile(rf"^[{mark[0]}]{{2,}}[ \t]*$", re.MULTILINE).search(text, opening.end(), _MAX_LENGTH)
    if closing is None and mark != "--":
        return  # a thematic break and prose
    keys = _KEY.findall(text, opening.end(), closing.start() if closing else _MAX_LENGTH)
    if _KEY.match(text, opening.end()) and any(canonical_key(key) in FIELDS_BY_KEY for key in keys):
        delimiter = "+++" if mark[0] == "+" else "---"
        raise ArticleError(f"front matter must begin and end with a line {delimiter}, not {mark[:10]}", line)


def _metadata(text: str) -> ArticleText | None:
    """Return metadata without delimiters, as in Pelican and MultiMarkdown, and the body; None without metadata.

    Metadata are lines `Key: value`, with indented continuation lines, up to a blank line. They need a title, because an
    article without front matter may begin with a line such as `Date: Tuesday`.
    """
    if not _METADATA.match(text):
        return None
    values: dict[str, list[str]] = {}
    lines: dict[str, int] = {}
    key, end = "", 0
    duplicate: ArticleError | None = None
    for number, line in enumerate(text[:_MAX_LENGTH].split("\n"), 1):
        end += len(line) + 1
        if not line.strip():
            break
        if line[0].isspace():
            values[key].append(line.strip())
        elif match := _METADATA.match(line):
            key, value = match[1], line[match.end() :].strip()
            if values.setdefault(key, [value]) != [value]:
                duplicate = duplicate or ArticleError(f"front matter: {key}: duplicate key", number)
            lines.setdefault(key, number)
        else:
            return None
    if not any(key.lower() == "title" for key in values):
        return None
    if duplicate:
        raise duplicate
    matter = FrontMatter({key: " ".join(parts) for key, parts in values.items()}, lambda key: lines[key])
    return ArticleText(matter, text[end:])


class _Delimited(BaseHandler):
    """Handles front matter between two lines that contain only a delimiter."""

    CLOSING: re.Pattern[str] | None = None  # if it differs from FM_BOUNDARY

    def split(self, text: str) -> tuple[str, str]:
        """Return the text between the delimiters and the text after them."""
        assert self.FM_BOUNDARY is not None
        opening = self.FM_BOUNDARY.match(text)
        assert opening is not None
        closing = (self.CLOSING or self.FM_BOUNDARY).search(text, opening.end())
        if closing is None:
            raise ArticleError(f"front matter: not closed; add a second line {self.START_DELIMITER}")
        return text[opening.end() + 1 : closing.start()], text[closing.end() + 1 :]


class _Yaml(_Delimited):
    FM_BOUNDARY = re.compile(r"^---[ \t]*$", re.MULTILINE)
    CLOSING = re.compile(r"^(?:(?:\.\.\.[ \t]*\n)?---|\.\.\.)[ \t]*$", re.MULTILINE)  # YAML 1.2 section 9.1.2
    START_DELIMITER = "---"

    def detect(self, text: str) -> bool:
        """Return whether a text begins with front matter (closed, or with a key first) and not a thematic break."""
        opening = self.FM_BOUNDARY.match(text)
        if opening is None:
            return False
        if self.CLOSING.search(text, opening.end()):
            return True
        lines = (line.strip() for line in text[opening.end() :].splitlines())
        first = next((line for line in lines if line and not line.startswith("#")), "")
        return _YAML_KEY.match(first) is not None

    def load(self, fm: str) -> Any:
        """Return the front matter, or the value of YAML that is not a mapping."""
        if values := yaml.load_simple(fm):
            return FrontMatter(values, lambda key: yaml.simple_line_of(fm, key))
        try:
            node = yaml.load(fm)
        except yaml.YamlError as error:
            raise _explain(fm, error) from None
        if node.value is None:
            return FrontMatter({}, _first_line)
        if not isinstance(node.value, dict):
            return node.to_value()
        entries = node.value
        return FrontMatter(node.to_value(), lambda key: entries[key].key_line)


class _Toml(_Delimited):
    FM_BOUNDARY = re.compile(r"^\+\+\+[ \t]*$", re.MULTILINE)
    START_DELIMITER = "+++"

    def load(self, fm: str) -> FrontMatter:
        """Return the front matter of a TOML table."""
        if _LONG_DOTTED_KEY.search(fm):
            raise ArticleError("nested too deep")  # tomllib takes quadratic time
        import tomllib  # few articles need it

        try:
            return FrontMatter(tomllib.loads(fm), _finder(fm, r'^[ \t\[]*["\']?{}["\']?[ \t]*[=.\]]'))
        except ValueError as error:  # an error of tomllib, or an integer of thousands of digits
            line = re.search(r"\(at line (\d+), column \d+\)", str(error))
            number = int(line[1]) if line else 1
            hint = _toml_hint(fm.split("\n")[number - 1], str(error))
            raise ArticleError(f"not TOML: {hint or str(error).split(' (at ')[0]}", number) from None


class _Json(BaseHandler):
    FM_BOUNDARY = re.compile(r'\{\s*["}]')  # "{% include %}" and "{{ shortcode }}" are not JSON

    def split(self, text: str) -> tuple[str, str]:
        """Return the text of the JSON object and the text after it."""
        try:
            _, end = _JSON.raw_decode(text[:_MAX_LENGTH])
        except json.JSONDecodeError as error:
            if len(text) > _MAX_LENGTH <= error.pos + 1:
                raise ArticleError(f"the front matter is larger than {_MAX_LENGTH // 1024} KiB") from None
            raise ArticleError(f"front matter: not JSON: {error.msg}", error.lineno) from None
        except ValueError as error:
            raise ArticleError(f"front matter: not JSON: {error}") from None
        except RecursionError:
            raise ArticleError("front matter: nested too deep") from None
        return text[:end], text[end:].removeprefix("\n")

    def load(self, fm: str) -> FrontMatter:
        """Return the front matter of a JSON object."""
        return FrontMatter(_JSON.decode(fm), _finder(fm, r'"{}"[ \t]*:'))


def _explain(text: str, error: yaml.YamlError) -> ArticleError:
    """Return the error for invalid YAML, with advice if the lines around it show the mistake."""
    lines = text.split("\n")
    index, before = error.line - 1, error.line - 2
    if index < len(lines) and (reason := _yaml_hint(lines[index])):
        return ArticleError(f"not YAML: {reason}", error.line)
    if before >= 0 and _WIDE_COLON.match(lines[before]):  # the parser reports the next line
        return ArticleError(f"not YAML: {_WIDE_COLON_REASON}", error.line - 1)
    if before >= 0 and "mapping values" in error.reason and _NO_COLON.fullmatch(lines[before]):
        return ArticleError("not YAML: a colon and a space are missing after the key", error.line - 1)
    if not error.reason.startswith("not YAML"):
        return error
    if number := _unclosed_quote(text, error.line):
        reason = "the quote that begins here is not closed, or text follows it; close it at the end of the value"
        return ArticleError(f"not YAML: {reason}", number)
    if "\\" in "".join(lines[index : index + 1]):
        return ArticleError("not YAML: write a backslash in double quotes twice, or use single quotes", error.line)
    return error


def _yaml_hint(line: str) -> str:
    """Return the mistake in a line of YAML and how to correct it, or "" if it is unknown."""
    if "\t" in line[: len(line) - len(line.lstrip())]:
        return "a tab indents this line; use spaces"
    if reason := placeholder_reason(line):
        return reason
    if _WIDE_COLON.match(line):
        return _WIDE_COLON_REASON
    if reserved := _RESERVED.fullmatch(line):
        value = reserved[1][:40].rstrip()
        return f"a text that begins with {value[0]} needs quotes, as in '{value}'"
    return ""


def _toml_hint(line: str, message: str) -> str:
    """Return the mistake in a line of TOML and how to correct it, or "" if it is unknown."""
    if reason := placeholder_reason(line):
        return reason
    if _WIDE_COLON.match(line) or _YAML_KEY.match(line):
        return 'a key and its value are separated by =, as in title = "…"'
    if message.startswith("Illegal character '\\n'"):
        return "a quote that begins in this line is not closed; close it at the end of the value"
    if message.startswith("Invalid value"):
        return 'a text needs straight quotes, as in title = "…"'
    if message.startswith("Expected newline"):
        return "text follows the end of a value; put the whole text in quotes, and write a date like 2026-01-24"
    return ""


def placeholder_reason(text: str) -> str:
    """Return the error message for a text with a placeholder such as `{{date}}`, or "" if it has none."""
    placeholder = _PLACEHOLDER.search(text)
    if placeholder is None:
        return ""
    return (
        f"{placeholder[0][:40]} is a placeholder of a template; write the value, "
        "or list the folder of templates in content.exclude"
    )


def _unclosed_quote(text: str, last: int) -> int:
    """Return the first line, up to line `last`, with a quoted value that is not closed correctly, or 0 if none is."""
    start = 0
    while match := _QUOTE.search(text, start):
        number = text.count("\n", 0, match.start(1)) + 1
        end = (_DOUBLE_QUOTED if match[1] == '"' else _SINGLE_QUOTED).match(text, match.start(1))
        if number > last or end is None:
            return number if number <= last else 0
        start = end.end()
    return 0


def _reject_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, value in pairs:
        earlier = values.setdefault(name, value)
        if earlier is not value and earlier != value:
            raise ValueError(f"{name}: duplicate key")
    return values


def _first_line(_key: str) -> int:
    return 1


def _finder(text: str, pattern: str) -> Callable[[str], int]:
    """Return a function that finds the line of a key by a pattern; the parsers of TOML and JSON report no lines."""

    def line_of(key: str) -> int:
        match = re.search(pattern.format(re.escape(key)), text, re.MULTILINE)
        return text.count("\n", 0, match.start()) + 1 if match else 1

    return line_of


_YAML_KEY = re.compile(r"[\"']?\w[\w -]{0,60}[\"']?[ \t]*:(?:\s|$)")
_KEY = re.compile(r"^(\w[\w-]{0,60})[ \t]*[:=]", re.MULTILINE)
_NEARLY_DELIMITER = re.compile(r"(--|-{4,}|\+\+|\+{4,})[ \t]*\n\s*")
_WIDE_COLON = re.compile(r"[ \t]*(\w[\w-]{0,60})[ \t]*：")
_WIDE_COLON_REASON = "the colon after a key is a full-width colon; write : and a space"
_RESERVED = re.compile(r"[ \t]*+(?:-|[^:#]{1,60}:)[ \t]+([@`%].*|\*[^*\s]+\*.*)")
_NO_COLON = re.compile(r"\w(?:[^:]|:(?! ))*(?<!:)")
_PLACEHOLDER = re.compile(r"\{\{[^{}\n]{0,80}\}\}|<%[^%\n]{0,80}%>")
_QUOTE = re.compile(r"^[ \t]*(?:-[ \t]+|[^:#\n'\"]{1,60}:[ \t]+)([\"'])", re.MULTILINE)
_DOUBLE_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*+"[ \t]*(?:#.*)?$', re.MULTILINE | re.DOTALL)
_SINGLE_QUOTED = re.compile(r"'(?:[^']|'')*+'[ \t]*(?:#.*)?$", re.MULTILINE)
_METADATA = re.compile(r"([A-Za-z][\w-]{0,60}):(?=\s|$)")
_LONG_DOTTED_KEY = re.compile(r"(?<![\w\"'-])(?:[\w\"'-]++[ \t]*+\.[ \t]*+){50}")
_JSON = json.JSONDecoder(object_pairs_hook=_reject_duplicates)
_HANDLERS = (_Yaml(), _Toml(), _Json())
