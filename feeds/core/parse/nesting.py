"""Estimates, without parsing HTML, how long an HTML parser takes: it searches the open elements for each tag.

For any input, the open elements in this module are a superset of those in a parser, in the same order. An end tag
closes an element here only if no element in it could make a parser ignore the tag (HTML, section 13.2.6). So this
module may overestimate the depth of HTML that is not well formed.
"""

import re
from typing import NamedTuple

# a comment, a tag (groups: end tag or not, name, attributes), a declaration, or the beginning of an unclosed one
_MARKUP = re.compile(
    r"""<!--(?:-?>|.*?--!?>)
    | <(/?)([a-z][^\t\n\f\r\x20/>]*+)
      (
        (?: [\t\n\f\r\x20/]++
          | (?: =?+[^\t\n\f\r\x20/>=]++ | = )
            (?: [\t\n\f\r\x20]*+ = [\t\n\f\r\x20]*+
                (?: "[^"]*+" | '[^']*+' | [^\t\n\f\r\x20>"'][^\t\n\f\r\x20>]*+ )?+ )?+
        )*+
      )>
    | <(?!!--)(?:[!?][^>]*+|/(?:[^a-z>][^>]*+)?+)>
    | (<)(?:[!?/]|[a-z])""",
    re.IGNORECASE | re.VERBOSE | re.DOTALL,
)
# elements without special rules: neither raw text, nor a table, nor a form
_PLAIN_NAMES = (
    "p|a|li|ul|ol|em|code|pre|strong|span|div|del|blockquote|h[1-6]|sup|sub|b|i|s|u|q|kbd|mark|small|dl|dt|dd|figure"
    "|figcaption|section|details|summary"
)
# a few quoted attributes without "<", ">" and line breaks, which every parser reads in the same way
_ATTRIBUTES = r"(?: [a-z:_-]++(?:=\"[^\"<>\n]*+\")?+){0,20}+"
_VOID_TAG = rf"(?:br|hr|img|input){_ATTRIBUTES} ?/?>"  # without its "<"


def _inline(group: str) -> str:
    """Return a pattern for text, and inline elements that contain only text or formatting elements around text.

    The most frequent elements come first, without groups, which makes it faster. `group` is the prefix of its groups.
    """
    link = rf"a href=\"[^\"<>\n]*+\">[^<]*+(?:<(?:code>[^<]*+</code>|{_VOID_TAG})[^<]*+)*+</a>"
    formatted = r"(?:code>[^<]*+</code|strong>[^<]*+</strong|em>[^<]*+</em)>"
    one = rf"(?P<{group}1>a|code|em|strong|b|i|del|kbd|span|sup){_ATTRIBUTES}>[^<]*+</(?P={group}1)>"
    inner = rf"<(?P<{group}2>a|code|em|strong|b|i){_ATTRIBUTES}>[^<]*+</(?P={group}2)>"
    two = rf"(?P<{group}3>a|em|strong){_ATTRIBUTES}>(?:[^<]++|{inner})*+</(?P={group}3)>"
    return rf"[^<]*+(?:<(?:{link}|{formatted}|{one}|{two}|{_VOID_TAG})[^<]*+)*+"


# parts of HTML that are well-formed and not deep: most blocks, elements around text, and most tables
_PART = re.compile(
    rf"<(?:(?P<block>p|li|h[1-6]|dt|dd){_ATTRIBUTES}>{_inline('block')}</(?P=block)>"
    rf"|(?P<leaf>{_PLAIN_NAMES}|script|style|iframe){_ATTRIBUTES}>[^<]*+</(?P=leaf)>"
    rf"|table{_ATTRIBUTES}>[ \t\n]*+(?:(?:</?(?:thead|tbody){_ATTRIBUTES}>"
    rf"|<tr{_ATTRIBUTES}>[ \t\n]*+(?:<(?P<cell>t[hd]){_ATTRIBUTES}>{_inline('cell')}</(?P=cell)>[ \t\n]*+)*+</tr>)"
    r"[ \t\n]*+)*+</table>)"
)
_DEPTH_OF_PART = 6  # levels of elements: a table with a tbody, a tr, a td and two formatting elements
# other tags; or the first character of markup of another kind
_TAG = re.compile(
    rf"<{_VOID_TAG}|<!--[^<>]*+(?<=--)>|<((?:{_PLAIN_NAMES}){_ATTRIBUTES}>|/(?:{_PLAIN_NAMES})>|[a-zA-Z!?/])"
)
_COST_OF_FORMATTING = 200  # steps for an open formatting element, which a parser may reopen
_COST_OF_COPYING = 10  # steps for a character in the start tag of such an element
_START = re.compile(r"<([a-z][^\t\n\f\r\x20/>]*)", re.IGNORECASE)
_SELF_CLOSING = re.compile(r"(?:\A|[\t\n\f\r\x20\"'/])/\Z")  # otherwise the slash may end a value
_QUOTED = re.compile(r"\"[^\"]*\"|'[^']*'")
_FEW_TAGS, _FEW_CHARACTERS = 800, 50_000
_MAX_UNUSUAL_TAGS = 120_000  # each takes 2 µs; the largest of 10,000 articles of real sites has 47,000 tags
_LONG_ATTRIBUTES = 10_000  # characters
_MAX_UNCLOSED = 20  # start tags without ">": for each, the rest of the HTML is searched
_MAX_MISNESTED = 30  # unclosed elements in an element that an end tag closes
_MAX_STEPS = 40_000_000  # visits of open elements: 0.2 s in nh3, or 4 MB of copied attributes
_TEXT_IN_FOREIGN = re.compile(r"<(title|desc|style|script|m[inos]|mtext)\b[^<>]*>[^<]*</\1>", re.IGNORECASE)
_VOID = frozenset(
    {
        "area", "base", "basefont", "bgsound", "br", "col", "embed", "frame", "hr", "image", "img", "input", "keygen",
        "link", "meta", "param", "source", "track", "wbr",
    }
)  # fmt: skip
_FORMATTING = frozenset(
    {"a", "b", "big", "code", "em", "font", "i", "nobr", "s", "small", "strike", "strong", "tt", "u"}
)
_FOREIGN = frozenset({"svg", "math"})
# elements whose content a parser reads as raw text
_TEXT = frozenset(
    {"iframe", "noembed", "noframes", "noscript", "plaintext", "script", "style", "textarea", "title", "xmp"}
)
_END_OF_TEXT = {name: re.compile(rf"</{name}(?=[\t\n\f\r />])", re.IGNORECASE) for name in _TEXT}
_CELLS = frozenset({"caption", "tbody", "td", "tfoot", "th", "thead", "tr"})
_TABLES = _CELLS | {"colgroup", "table"}
_OF_TABLES = _TABLES - {"caption", "td", "th"} | {"col", "script", "style", "template"}
_BOUNDARIES_OF_CELLS = frozenset({"select", "table", "template"})
# within one of these, a parser ignores the end tag of an element around it
_BOUNDARIES = _CELLS | _FOREIGN | {
    "annotation-xml", "applet", "button", "desc", "foreignobject", "html", "marquee", "mi", "mn", "mo", "ms", "mtext",
    "object", "select", "table", "template", "title",
}  # fmt: skip
_BLOCKS = frozenset(
    {
        "address", "article", "aside", "blockquote", "center", "details", "dialog", "dir", "div", "dl", "fieldset",
        "figcaption", "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hgroup", "listing",
        "main", "menu", "nav", "ol", "pre", "search", "section", "summary", "ul",
    }
)  # fmt: skip
_ITEMS = frozenset({"li", "dd", "dt"})
# elements whose tags have a special meaning only in tables, SVG and MathML
_PLAIN = (_BLOCKS - {"form"}) | _ITEMS | _FORMATTING | {"del", "kbd", "mark", "p", "q", "span", "sub", "sup"}
_SPECIAL = _BOUNDARIES | _BLOCKS | _ITEMS | _VOID | {"body", "colgroup", "frameset", "head", "p"}
# after one of these, a parser may ignore any tag
_STRANGE = frozenset({"form", "frameset", "select", "template"})
# elements that certainly end an SVG or MathML, or begin HTML in it
_LEAVING = (_SPECIAL - _FOREIGN) | _FORMATTING | {"ruby", "span", "sub", "sup", "var"}
_PARAGRAPHS = frozenset({"p", "br"})
# start tag -> the elements that it closes if they are the innermost open element
_CLOSED_BY_START = {
    "p": frozenset({"p"}),
    "li": frozenset({"li", "p"}),
    "dd": frozenset({"dd", "dt", "p"}),
    "dt": frozenset({"dd", "dt", "p"}),
    "td": frozenset({"td", "th", "p"}),
    "th": frozenset({"td", "th", "p"}),
    "tr": frozenset({"td", "th", "tr", "p"}),
    "tbody": _CELLS | {"p"},
    "tfoot": _CELLS | {"p"},
    "option": frozenset({"option"}),
}
# end tag -> the elements that it closes besides its own
_CLOSED_BY_END = {
    "ul": frozenset({"li", "p"}),
    "ol": frozenset({"li", "p"}),
    "dl": frozenset({"dd", "dt", "p"}),
    "table": _CELLS | {"p"},
}


def is_too_deep(html: str) -> bool:
    """Return whether a parser may take long because HTML is nested too deep, or may reopen too many elements.

    Return True also for very many tags that are not well-formed, because finding out takes long.
    """
    tags = html.count("<")
    few = tags <= _FEW_TAGS and len(html) <= _FEW_CHARACTERS and tags * len(html) * _COST_OF_COPYING <= _MAX_STEPS
    if few:
        return False
    outline = _outline(html)
    if outline and _is_fast(outline, tags):
        return False
    if not outline and tags > _MAX_UNUSUAL_TAGS:
        return True
    elements = _OpenElements()
    _read(html, elements)
    return elements.steps > _MAX_STEPS


class _Outline(NamedTuple):
    """The highest numbers at any place of well-formed HTML, not counting the elements in a `_PART`."""

    depth: int  # open elements
    formatting: int  # open formatting elements
    size: int  # characters in the start tags of the open formatting elements


def _outline(html: str) -> _Outline | None:
    """Return the outline of HTML, or None if it has an unusual tag, or an end tag for another element than the last."""
    names, sizes = list[str](), list[int]()
    depth = formatting = size = max_size = 0
    rest = _PART.sub("\n", html)  # no tag that `_TAG` matches contains a line break, so none contains such a part
    for tag in filter(None, _TAG.findall(rest)):
        if tag[0] == "/":
            name = tag[1:-1]
            if not names or names.pop() != name:
                return None
            if name in _FORMATTING:
                size -= sizes.pop()
        elif len(tag) == 1:
            return None
        else:
            name = tag[:-1].partition(" ")[0]
            names.append(name)
            depth = max(depth, len(names))
            if name in _FORMATTING:
                sizes.append(len(tag) - len(name) - 1)
                size += sizes[-1]
                formatting, max_size = max(formatting, len(sizes)), max(max_size, size)
    return _Outline(depth, formatting, max_size)


def _is_fast(outline: _Outline, tags: int) -> bool:
    """Return whether parsing HTML with an outline is fast even if each tag is at its deepest place."""
    depth = outline.depth + _DEPTH_OF_PART
    return tags * (depth + outline.formatting * _COST_OF_FORMATTING + outline.size * _COST_OF_COPYING) <= _MAX_STEPS


def _read(html: str, elements: "_OpenElements") -> None:
    """Update `elements` for each tag in HTML, until it has too many steps."""
    position, is_plain = 0, True
    while position < len(html) and not elements.ambiguous and elements.steps <= _MAX_STEPS:
        start, position = position, len(html)
        for markup in _MARKUP.finditer(html, start):
            end_tag, name, attributes, _ = markup.groups()
            if is_plain and name in _PLAIN and len(attributes) <= _LONG_ATTRIBUTES:  # faster
                if end_tag:
                    elements.end_plain(name)
                else:
                    elements.start_plain(name, len(attributes))
                end = None
            else:
                end = _read_one(markup, elements)
                is_plain = elements.are_plain()
            if elements.steps > _MAX_STEPS:
                return
            if end is not None:
                position = end
                break
    _read_ambiguous(html, position, elements)


def _read_ambiguous(html: str, position: int, elements: "_OpenElements") -> None:
    """Update `elements` for all that may be a start tag in HTML after a position, until it has too many steps."""
    unclosed = 0
    for tag in _START.finditer(html, position):
        markup_at_tag = _MARKUP.match(html, tag.start())
        attributes = markup_at_tag[3] if markup_at_tag else None
        if attributes is None:
            unclosed += 1
            if unclosed > _MAX_UNCLOSED:
                elements.steps = _MAX_STEPS + 1
        elements.start_tag(_lower(tag[1]), len(attributes or ""), self_closing=False)
        if elements.steps > _MAX_STEPS:
            return


def _read_one(markup: re.Match[str], elements: "_OpenElements") -> int | None:
    """Update `elements` for a comment, tag or declaration. Return the offset to continue at; None for its end."""
    end, name, attributes, open_ended = markup.groups()
    html = markup.string
    if open_ended:  # the markup is not closed, and extends to the end
        elements.count_attributes("", len(_QUOTED.sub("", html[markup.start() :])) // 2)
        return len(html)
    elements.count_text(html, markup.start())
    elements.position = markup.end()
    if name is None:
        if elements.may_be_in_foreign() and markup[0].startswith("<![CDATA["):
            elements.ambiguous = True
        return elements.position if elements.ambiguous else None
    if elements.in_foreign and (text := _TEXT_IN_FOREIGN.match(html, markup.start())):
        return text.end()
    name = _lower(name)
    if end:
        elements.end_tag(name)
        return None
    self_closing = attributes.endswith("/") and _SELF_CLOSING.search(attributes) is not None
    elements.start_tag(name, len(attributes), self_closing=self_closing)
    if len(attributes) > _LONG_ATTRIBUTES or name == "html":
        elements.count_attributes(name, len(_QUOTED.sub("", attributes)) // 2)
    return _end_of_text(html, elements.position, name, elements) if name in _TEXT else None


def _lower(name: str) -> str:
    return name.lower() if name.isascii() else name  # HTML converts only ASCII letters to lower case


def _end_of_text(html: str, start: int, name: str, elements: "_OpenElements") -> int:
    """Return the offset of the end tag of a raw-text element; if its content has tags, `start`, where it begins."""
    if elements.in_foreign:
        return start
    if elements.may_be_in_foreign() or elements.may_be_in_select:
        elements.ambiguous = True
        return start
    end = _END_OF_TEXT[name].search(html, start)
    stop = end.start() if end and name != "plaintext" else len(html)
    if name == "script" and html.find("<!--", start, stop) >= 0:  # then "</script>" may not be the end
        elements.ambiguous = True
    return stop


class _OpenElements:
    """The open elements, outermost first, and the steps that a parser takes for them."""

    def __init__(self) -> None:
        self.steps = 0  # visits of open elements by a parser
        self.position = 0  # the end of the last markup
        self.ambiguous = False  # whether text can't be told from tags
        self.in_foreign = False  # whether this is certainly in an SVG or MathML, where "/>" closes an element
        self.may_be_in_select = False  # whether this may be in a select, where a parser ignores most start tags
        self._names: list[str] = []
        self._count: dict[str, int] = {}
        self._sizes: list[int] = []  # characters in the attributes of formatting elements, 0 for others
        self._foreign = 0  # the number of SVG and MathML elements
        self._formatting = 0  # the number of formatting elements
        self._formatting_size = 0  # characters in their attributes
        self._trusted = True  # whether every element that is open here is open in a parser, or was closed by it
        self._in_table = False  # whether this may be in a table, outside of its cells
        self._markups = 0
        self._root_attributes = 0

    def may_be_in_foreign(self) -> bool:
        """Return whether the position may be within an SVG or MathML."""
        return self._foreign > 0

    def are_plain(self) -> bool:
        """Return whether the tags of `_PLAIN` have no special meaning at this position."""
        return not (self._in_table or self.in_foreign or self._foreign)

    def count_text(self, html: str, end: int) -> None:
        """Add the steps for the text before the next markup."""
        self._markups += 1
        if self._in_table and self._count.get("table") and html[self.position : end].strip():
            self._put_before_table()

    def count_attributes(self, name: str, count: int) -> None:
        """Add the steps for the attributes of a tag: a parser compares each with all attributes before it."""
        self.steps += count * count // 20
        if name == "html":  # a parser adds the attributes of further <html> tags to the root
            self._root_attributes += count
            self.steps += 8 * self._root_attributes

    def _put_before_table(self) -> None:
        """Add the steps for content that isn't allowed in a table: a parser moves it before the table."""
        self.steps += self._markups // 4

    def start_tag(self, name: str, size: int, *, self_closing: bool) -> None:
        """Open an element whose attributes have `size` characters, and add the steps for its start tag."""
        if name in _STRANGE:
            self._trusted = False
            self.may_be_in_select = self.may_be_in_select or name in ("select", "frameset")
        if self._in_table or name in _TABLES:
            self._start_in_table(name)
        if self_closing and (name in _FOREIGN or (self.in_foreign and name not in _LEAVING)):
            return  # the element is closed
        if self.in_foreign or name in _FOREIGN:
            self.in_foreign = name not in _LEAVING
        if not self._foreign:
            if name in _VOID:
                self.steps += len(self._names)
                return
            if name in _CLOSED_BY_START:
                self._close_before(name)
        self._push(name, size)
        self._foreign += name in _FOREIGN

    def start_plain(self, name: str, size: int) -> None:
        """Do the same as `start_tag` for a name of `_PLAIN` if `are_plain`."""
        self._markups += 1
        if name in _CLOSED_BY_START:
            self._close_before(name)
        self._push(name, size)

    def _close_before(self, name: str) -> None:
        """Close the innermost elements that the start of an element closes."""
        closed = _CLOSED_BY_START[name]
        while self._names and self._names[-1] in closed:
            self._remove(len(self._names) - 1)

    def _push(self, name: str, size: int) -> None:
        """Add an element, and the steps for its start tag."""
        self._names.append(name)
        self._count[name] = self._count.get(name, 0) + 1
        self.steps += len(self._names)
        if name in _FORMATTING:
            self._sizes.append(size)
            self._formatting += 1
            self._formatting_size += size
            self.steps += self._formatting * 20
        else:
            self._sizes.append(0)
            if self._formatting:
                self.steps += self._formatting * _COST_OF_FORMATTING + self._formatting_size * _COST_OF_COPYING

    def _start_in_table(self, name: str) -> None:
        """Add the steps for a start tag that belongs to a table, or isn't allowed in one."""
        if self._in_table and self._count.get("table"):
            if name == "table":  # it closes the open table
                self._trusted = False
            elif name not in _OF_TABLES and name not in _TABLES:
                self._put_before_table()
        if name in _TABLES:
            self._in_table = name in _OF_TABLES or self.may_be_in_foreign()

    def end_tag(self, name: str) -> None:
        """Close the elements that an end tag certainly closes, and add the steps for the tag."""
        self.steps += len(self._names) + self._formatting_size * _COST_OF_COPYING
        if name in _TABLES:
            self._in_table = True
        elif name in _PARAGRAPHS:  # these end an SVG or MathML, and may become elements
            self.in_foreign = False
            if self._in_table and self._count.get("table"):
                self._put_before_table()
        if name != "form":  # which may stay open in a parser
            self._close(name)

    def end_plain(self, name: str) -> None:
        """Do the same as `end_tag` for a name of `_PLAIN` if `are_plain`."""
        self._markups += 1
        self.steps += len(self._names) + self._formatting_size * _COST_OF_COPYING
        self._close(name)

    def _close(self, name: str) -> None:
        """Close the innermost element with a name if a parser certainly does."""
        if self._count.get(name) and (index := self._index_to_close(name)) is not None:
            also_closed = _CLOSED_BY_END.get(name)
            if also_closed and self._trusted and also_closed.issuperset(self._names[index + 1 :]):
                while len(self._names) > index + 1:
                    self._remove(len(self._names) - 1)
            self._remove(index)
            if name in _FOREIGN:
                self.in_foreign = False

    def _index_to_close(self, name: str) -> int | None:
        """Return the index of the innermost open element with a name, or None if a parser may ignore its end tag.

        Return None also if the element has many unclosed elements in it, because searching for it is slow.
        """
        if self._names[-1] == name:
            return len(self._names) - 1
        boundaries = self._boundaries_of(name)
        for index in range(len(self._names) - 1, max(-1, len(self._names) - 1 - _MAX_MISNESTED), -1):
            if self._names[index] == name:
                return index
            if self._names[index] in boundaries:
                return None
        return None

    @staticmethod
    def _boundaries_of(name: str) -> frozenset[str]:
        if name in _CELLS or name == "table":
            return _BOUNDARIES_OF_CELLS
        if name in _ITEMS:
            return _BOUNDARIES | {"ol", "ul"}
        if name in _BLOCKS or name == "p":
            return _BOUNDARIES
        return _SPECIAL

    def _remove(self, index: int) -> None:
        name = self._names.pop(index)
        self._count[name] -= 1
        self._foreign -= name in _FOREIGN
        size = self._sizes.pop(index)
        if name in _FORMATTING:
            self._formatting -= 1
            self._formatting_size -= size
