"""Converts MDX to Markdown without the parts that need JavaScript. Every line keeps its number.

Import and export statements, expressions, and the tags of components are omitted; the text between tags of components
stays. HTML elements, which have lower-case names, stay too, and may contain Markdown. Code and formulas are unchanged.
The rules are those of MDX 3 (mdxjs.com/docs/what-is-mdx). An unclosed construct stays as text, so that invalid MDX
never prevents an article from being published.
"""

import re
import sys
from bisect import bisect_left
from typing import NamedTuple

from feeds.core.model import ArticleWarning
from feeds.core.parse import fences
from feeds.core.text import clean, one_line

_TOKEN = re.compile(
    r"\\."
    rf"|^{fences.OPENING}"
    r"|(?P<code>`+)"
    r"|(?P<formula>\$\$|\$(?![\s$])[^$\n]{0,1000}(?<![\s\\])\$(?!\d))"
    r"|(?P<comment><!--)"
    r"|<(?P<closes>/?)(?P<tag>[A-Za-z][\w-]*(?:\.[\w$-]+)*(?::[\w-]+)?(?=[\s/>{])|(?=>))"
    r"|(?P<brace>\{)"
    r"|^(?P<statement>import|export)\b",
    re.DOTALL | re.MULTILINE,
)
# brackets of JavaScript outside of strings and comments, and blank lines
_SCRIPT = re.compile(
    r"\\.|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`|/\*.*?(?:\*/|\Z)|(?<![:\w])//[^\n]*"
    r"|(?P<opens>[{(\[])|(?P<closes>[})\]])|(?P<blank>\n[ \t]*(?=\n|\Z))",
    re.DOTALL,
)
_IN_TAG = re.compile(r"\"[^\"]*\"|'[^']*'|(?P<brace>\{)|(?P<end>/?>)")
_IMPORT = re.compile(r"import\b\s{0,100}(?:[\w$*{}, \t\n]{1,2000}?\bfrom\s{0,100})?(?:\"[^\"\n]*\"|'[^'\n]*')[^\n]*")
_EXPORT = re.compile(r"export\s+(?:(?:default|const|let|var|async|function|class|type|interface|enum)\b|[{*])")
_ID = re.compile(r"\{#[\w:.-]{1,200}\}")  # the id of a heading in Docusaurus
_MARKER = re.compile(r"\{/\*\s*(?:more|truncate|excerpt)\s*\*/\}", re.IGNORECASE)  # the end of the excerpt
_COMMENT = re.compile(r"\{\s*(?:/\*.*\*/\s*)?\}", re.DOTALL)
_TEXT = re.compile(r"\{\s*(?:\"((?:\\.|[^\"\\\n])*)\"|'((?:\\.|[^'\\\n])*)'|`((?:\\.|[^`\\$])*)`)\s*\}", re.DOTALL)
_FILE = re.compile(  # references to files in Docusaurus
    r"\{\s*(?:require|useBaseUrl)\(\s*[\"']([^\"'\n]{1,500})[\"']\s*\)(?:\.default)?\s*\}"
)
_ESCAPED = re.compile(r"\\(?:([nrtvf])|(?:u\{([0-9a-fA-F]{1,6})\}|u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2}))|(.))", re.DOTALL)
_SPECIAL = re.compile(r"[!-/:-@\[-`{-~]")  # ASCII punctuation, which may be Markdown
_ATTRIBUTE = re.compile(r"\s*([^\s=>{}/\"']+)(?:\s*=\s*(\"[^\"]*\"|'[^']*'|(?=\{)))?|\s+")
_NOTABLE_ATTRIBUTES = frozenset({"src", "href", "alt", "srcset", "poster", "title"})  # the loss of one causes a warning
_VOID = frozenset(
    {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
)
_VERBATIM = frozenset({"pre", "script", "style", "textarea"})
_END_OF_EXCERPT = "<!-- truncate -->"
_BLOCK = "<!---->"  # an HTML block that begins with a comment ends with its line (CommonMark 0.31.2 section 4.6)
_MAX_SPAN_LENGTH = 5_000  # characters of a code span or a formula
_MAX_SCRIPT_LENGTH = 50_000  # characters of a statement, an expression or a tag
_MAX_FAILED_LENGTH = 1_000_000  # characters of an article, over all failed searches for the end of a construct
_MAX_IMPORT_LENGTH = 2_000  # characters, as in _IMPORT
_MAX_DEPTH = 20  # levels of nested components whose text is unindented
_MAX_INDENT = 200  # characters before a tag at the beginning of its line
_MAX_NAMES = 3  # in a message
_MAX_NAME_LENGTH = 40  # characters
_MESSAGES = {
    "statement": "import and export statements are left out: {}",
    "component": "components are left out, but their text is kept: {}",
    "expression": "expressions are left out: {}",
}


def to_markdown(text: str, line: int) -> tuple[str, tuple[ArticleWarning, ...]]:
    """Return the Markdown of an MDX text, and a warning for each kind of omitted construct.

    `line` is the line of the file at which the text begins.
    """
    return _Converter(text).convert(line) if _TOKEN.search(text) else (text, ())


class _Component(NamedTuple):
    """The opening tag of a component, or of an HTML element."""

    name: str
    line: int  # the line after the one on which the tag ends, from 0
    indent: int | None  # columns before a tag at the beginning of its line; None for other tags


class _Converter:
    """Converts one text in one pass."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._breaks = [match.start() for match in re.finditer("\n", text)]
        self._omitted: dict[str, list[tuple[int, str]]] = {kind: [] for kind in _MESSAGES}  # (offset, name) by kind
        self._open: list[_Component] = []
        self._contents: list[tuple[int, int, int]] = []  # (first line, line after the last, columns before the tag)
        self._failed_length = 0  # characters of failed searches
        self._statement_end = -1
        self._may_close_comments = True

    def convert(self, line: int) -> tuple[str, tuple[ArticleWarning, ...]]:
        """Return the Markdown and the warnings; `line` is the line of the file at which the text begins."""
        text, position = self._text, 0
        parts: list[str] = []
        while match := _TOKEN.search(text, position):
            end, replacement = self._replace(match)
            parts += [text[position : match.start()], replacement]
            position = end
        parts.append(text[position:])
        warnings = (
            ArticleWarning(
                line + self._line_of(omitted[0][0]), "mdx", _MESSAGES[kind].format(_join([name for _, name in omitted]))
            )
            for kind, omitted in self._omitted.items()
            if omitted
        )
        return self._align("".join(parts)), tuple(warnings)

    def _replace(self, match: re.Match[str]) -> tuple[int, str]:
        """Return the end of the construct that begins with a token, and its replacement."""
        text, (start, end) = self._text, match.span()
        if match["fence"]:
            end = fences.end_of_block(text, match["fence"], end)
        elif match["code"]:
            end = self._end_of_code(match["code"], end)
        elif match["formula"] == "$$":
            closing = text.find("$$", end, end + _MAX_SPAN_LENGTH)
            end = end if closing < 0 else closing + 2
        elif match["comment"]:
            end = self._end_of_comment(end)
        elif match["tag"] is not None:
            return self._tag(match)
        elif match["brace"]:
            return self._expression(start)
        elif match["statement"] and (after := self._end_of_statement(start)):
            self._statement_end = after
            self._omitted["statement"].append((start, text[start:after]))
            return after, _lines(text[start:after])
        return end, text[start:end]

    def _end_of_code(self, mark: str, end: int) -> int:
        """Return the end of a code span in a paragraph; if it is not closed, `end`, the end of its backticks."""
        blank = self._text.find("\n\n", end, end + _MAX_SPAN_LENGTH)
        until = blank if blank >= 0 else end + _MAX_SPAN_LENGTH
        closing = re.compile(rf"(?<!`){mark}(?!`)").search(self._text, end, until)
        return closing.end() if closing else end

    def _end_of_comment(self, end: int) -> int:
        closing = self._text.find("-->", end) if self._may_close_comments else -1
        self._may_close_comments = closing >= 0
        return closing + 3 if closing >= 0 else end

    def _end_of_statement(self, start: int) -> int | None:
        """Return the end of an import or export statement, or None if the line is prose."""
        text, line = self._text, self._line_of(start)
        above = text[self._start_of(line - 1) : start] if line else ""
        if (above.strip() and start != self._statement_end + 1) or not self._searchable():
            return None
        if match := _IMPORT.match(text, start):
            return match.end()
        if not _EXPORT.match(text, start):
            self._failed_length += _MAX_IMPORT_LENGTH
            return None
        depth = 0
        for token in _SCRIPT.finditer(text, start, start + self._searchable()):
            depth += bool(token["opens"]) - bool(token["closes"])
            if token["blank"] is not None and depth <= 0:
                return token.start()
        if depth <= 0 and len(text) - start <= _MAX_SCRIPT_LENGTH:
            return len(text)
        self._fail(start)
        blank = text.find("\n\n", start)  # an unclosed statement ends with its paragraph
        return blank if blank >= 0 else len(text)

    def _end_of_braces(self, start: int) -> int | None:
        """Return the end of an expression in braces, or None if they are not closed."""
        depth = 0
        for token in _SCRIPT.finditer(self._text, start, start + self._searchable()):
            if token[0] in {"{", "}"}:
                depth += 1 if token["opens"] else -1
                if not depth:
                    return token.end()
        self._fail(start)
        return None

    def _end_of_tag(self, start: int) -> int | None:
        """Return the end of a tag whose name ends at `start`, or None if the tag is not closed."""
        position: int | None = start
        until = start + self._searchable()
        while position is not None and (match := _IN_TAG.search(self._text, position, until)):
            if match["end"]:
                return match.end()
            position = self._end_of_braces(match.start()) if match["brace"] else match.end()
        self._fail(start)
        return None

    def _searchable(self) -> int:
        """Return the number of characters to search for the end of a construct: 0 after too many failed searches."""
        return _MAX_SCRIPT_LENGTH if self._failed_length < _MAX_FAILED_LENGTH else 0

    def _fail(self, start: int) -> None:
        self._failed_length += min(_MAX_SCRIPT_LENGTH, len(self._text) - start)

    def _line_of(self, position: int) -> int:
        return bisect_left(self._breaks, position)

    def _start_of(self, line: int) -> int:
        return self._breaks[line - 1] + 1 if line else 0

    def _end_of(self, line: int) -> int:
        return self._breaks[line] if line < len(self._breaks) else len(self._text)

    def _expression(self, start: int) -> tuple[int, str]:
        text = self._text
        if match := _ID.match(text, start):
            return match.end(), match[0]
        if match := _MARKER.match(text, start):
            return match.end(), self._marker(start, match.end())
        end = self._end_of_braces(start)
        if end is None:
            return start + 1, "{"
        expression = text[start:end]
        content = _text_of(expression)
        if content is not None:
            return end, _SPECIAL.sub(lambda sign: f"&#{ord(sign[0])};", content)
        if not _COMMENT.fullmatch(expression):
            self._omitted["expression"].append((start, expression))
        return end, _lines(expression)

    def _marker(self, start: int, end: int) -> str:
        """Return the marker of the excerpt's end, or "" if this comment would turn its line into an HTML block."""
        line = self._line_of(start)
        before, after = self._text[self._start_of(line) : start], self._text[end : self._end_of(line)]
        return "" if after.strip() and not before.strip(" \t>") else _END_OF_EXCERPT

    def _tag(self, match: re.Match[str]) -> tuple[int, str]:
        start, name = match.start(), match["tag"]
        end = self._end_of_tag(match.end())
        if end is None:
            return match.end(), match[0]
        is_html = name[:1].islower() and "." not in name
        indent = None if name in _VERBATIM else self._indent(start)
        is_self_closing = self._text[end - 2] == "/" or (is_html and name in _VOID)
        opened = None
        if match["closes"]:
            opened = self._close(name, start)
        elif not is_self_closing:
            opened = _Component(name, self._line_of(end) + 1, indent)
            self._open.append(opened)
        if is_html and not (name == "p" and opened and opened.indent is not None):
            is_alone = indent is not None and not self._text[end : self._end_of(self._line_of(end))].strip()
            return end, self._html(match, end, is_alone=is_alone)
        if name and not match["closes"] and not is_html:
            self._omitted["component"].append((start, f"<{name}>"))
        return end, _lines(self._text[start:end])  # Markdown adds a <p> to the content of a <p>

    def _html(self, match: re.Match[str], end: int, *, is_alone: bool) -> str:
        """Return the tag of an HTML element as HTML: without expressions, and self-closing only if the element is void.

        A tag that is alone on its lines (`is_alone`) becomes a separate block, because Markdown may follow it in MDX.
        """
        text, name = self._text, match["tag"]
        whole = text[match.start() : end]
        closed = whole.endswith("/>") and name not in _VOID
        if "{" not in whole and not closed and not (is_alone and "\n" in whole):
            return _BLOCK + whole if is_alone else whole
        position, attributes = match.end(), list[str]()
        stop = end - len("/>") if whole.endswith("/>") else end - len(">")
        while position < stop:
            attribute_match = _ATTRIBUTE.match(text, position, stop)
            attribute, value = (attribute_match[1], attribute_match[2]) if attribute_match else (None, None)
            position = attribute_match.end() if attribute_match else position
            if position < stop and text[position] == "{":
                after = self._end_of_braces(position) or stop
                value = self._value(attribute or "", position, after)
                attribute, position = attribute if value else None, after
            elif not attribute_match:
                position += 1
            if attribute:
                attributes.append(attribute + (f"={value}" if value else "").replace("\n", " "))
        # at most one line break before each attribute, because an HTML block ends at a blank line
        line_breaks = whole.count("\n")
        before = ["\n"] * (0 if is_alone else min(line_breaks, len(attributes))) + [" "] * len(attributes)
        joined = "".join(space + attribute for space, attribute in zip(before, attributes, strict=False))
        tag = f"<{match['closes']}{name}{joined}{f'></{name}>' if closed else text[stop:end]}"
        return f"{_BLOCK}{tag}{_lines(whole)}" if is_alone else tag + "\n" * (line_breaks - len(attributes))

    def _value(self, attribute: str, start: int, end: int) -> str | None:
        """Return the quoted value of an attribute that is an expression, or None if it is not constant."""
        expression = self._text[start:end]
        file = _FILE.fullmatch(expression)
        value = file[1] if file else _text_of(expression)
        if value is not None:
            return '"' + value.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;") + '"'
        if attribute.lower() in _NOTABLE_ATTRIBUTES:
            self._omitted["expression"].append((start, f"{attribute}={expression}"))
        return None

    def _indent(self, start: int) -> int | None:
        """Return the columns before a tag at the beginning of its line; None for other tags and deeply nested ones."""
        line_start = self._start_of(self._line_of(start))
        if start - line_start > _MAX_INDENT or len(self._open) >= _MAX_DEPTH:
            return None
        before = self._text[line_start:start]
        return None if before.strip() else _columns(before)

    def _close(self, name: str, start: int) -> _Component | None:
        """Return the element that a tag closes, or None if it is not open."""
        for back in range(1, min(len(self._open), _MAX_DEPTH) + 1):
            opened = self._open[-back]
            if opened.name == name:
                del self._open[-back:]
                if opened.indent is not None:
                    self._contents.append((opened.line, self._line_of(start), opened.indent))
                return opened
        return None

    def _align(self, text: str) -> str:
        """Return a text in which the content of elements is indented like their tags: MDX has no indented code."""
        if not self._contents:
            return text
        lines = text.split("\n")
        for first, end, indent in self._contents:
            columns = [_columns(line) for line in lines[first:end] if line.strip()]
            shift = min(columns, default=0) - indent
            if shift > 0:
                lines[first:end] = [_unindent(line, shift) for line in lines[first:end]]
        return "\n".join(lines)


def _columns(line: str) -> int:
    """Return the indentation of a line in columns."""
    blank = line[: len(line) - len(line.lstrip(" \t"))].expandtabs(4)
    return len(blank)


def _unindent(line: str, columns: int) -> str:
    text = line.lstrip(" \t")
    return " " * max(0, _columns(line) - columns) + text


def _lines(text: str) -> str:
    """Return only the line breaks of an omitted text."""
    return "\n" * text.count("\n")


def _text_of(expression: str) -> str | None:
    """Return the text of an expression that is a string, such as `{'{'}`, or None for other expressions."""
    match = _TEXT.fullmatch(expression)
    if match is None:
        return None
    unescaped = _ESCAPED.sub(_unescape, match[1] or match[2] or match[3] or "")
    joined = unescaped.encode("utf-16", "surrogatepass").decode("utf-16", "ignore")  # joins surrogate pairs
    return clean(joined) + _lines(
        expression[: match.start(match.lastindex or 0)] + expression[match.end(match.lastindex or 0) :]
    )


def _unescape(match: re.Match[str]) -> str:
    if match[5]:
        return match[5]
    code = int(match[2] or match[3] or match[4] or "20", 16)
    character = chr(code) if code <= sys.maxunicode else ""
    return " " if f"{character}x".splitlines()[1:] else character  # a line break would renumber the lines below


def _join(names: list[str]) -> str:
    """Return the first distinct names and the number of the others, joined with commas."""
    unique = list(dict.fromkeys(one_line(name[: 2 * _MAX_NAME_LENGTH]).rstrip(";") for name in names))
    first = [name if len(name) <= _MAX_NAME_LENGTH else f"{name[:_MAX_NAME_LENGTH]}…" for name in unique[:_MAX_NAMES]]
    more = [f"{len(unique) - _MAX_NAMES} more"] if len(unique) > _MAX_NAMES else []
    return ", ".join(first + more)
