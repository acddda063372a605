r"""How deep HTML nests its elements, without parsing it: for each tag, an HTML parser looks through open elements.

The elements that are open here are at least those that are open in a parser, in the same order, whatever the tags are:
an end tag ends an element here only if nothing is open in it that could make a parser ignore the tag (HTML, section
13.2.6). So the depth of HTML that is not well formed may be overestimated.
"""

import re
from collections import Counter
from collections.abc import Iterator

# a comment, a tag (whether it is an end tag, its name, its attributes), a declaration, or one of them that does not end
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
# where anything begins but a comment without "<" and ">", or a tag that can be read in one way only: its few attributes
# are quoted and contain neither "<" nor ">", and it begins neither text, nor a table, nor another special case
_NOT_PLAIN = re.compile(
    r"<(?!/?(?:p|a|li|ul|ol|em|code|pre|strong|span|div|del|blockquote|br|hr|img|h[1-6]|sup|sub|b|i|s|u|q|kbd|mark|small"
    r"|input|dl|dt|dd|figure|figcaption|section|details|summary)"
    r"(?: [a-z:_-]++(?:=\"[^\"<>]*+\")?+){0,20} ?/?>"
    r"|!--[^<>]*+(?<=--)>)"
)
_ATTRIBUTES = r"(?: [a-z:_-]++=\"[^\"<>]*+\")*+"  # which no parser can read in another way
# text, and inline elements around text
_INLINE = (
    rf"(?:[^<]++|<(?:br|img){_ATTRIBUTES} ?/?>"
    rf"|<(?P<inline>a|code|em|strong|b|i|del|sup|span|kbd){_ATTRIBUTES}>[^<>]*+</(?P=inline)>)*+"
)
# a comment; a block that contains nothing but inline elements, which is most of an article; or an element around text
_BLOCK_OR_LEAF = re.compile(
    r"<(?:!--[^<>]*+(?<=--)>"
    rf"|(?P<block>p|li|h[1-6]|dt|dd)(?: [^<>]*+)?+(?<!/)>{_INLINE}</(?P=block)>"
    r"|(?P<leaf>[a-z][a-z0-9]*+)(?:\s[^<>]*+)?+(?<!/)>[^<>]*+</(?P=leaf)>)"
)
# a table as comrak writes it
_CELLS_OF_ROW = r"<tr>\n(?:<(?P<cell>t[hd])(?: align=\"[a-z]++\")?+>" + _INLINE + r"</(?P=cell)>\n)*+</tr>\n"
_TABLE = re.compile(rf"<table>\n(?:</?(?:thead|tbody)>\n|{_CELLS_OF_ROW})*+</table>")
_LEVELS_OF_TABLE = 5
_LEVELS = 4  # of such elements that are left out, one after the other
_COST_OF_FORMATTING = 200  # steps, of an open element that a parser opens again
_COST_OF_COPYING = 10  # steps, of a character in its start tag
_START = re.compile(r"<([a-z][^\t\n\f\r\x20/>]*)", re.IGNORECASE)
_SELF_CLOSING = re.compile(r"(?:\A|[\t\n\f\r\x20\"'/])/\Z")  # else the slash may be the end of a value
_QUOTED = re.compile(r"\"[^\"]*\"|'[^']*'")
_FEW_TAGS, _FEW_CHARACTERS = 800, 50_000
_MANY_ATTRIBUTES = 10_000  # characters
_MAX_WITHOUT_END = 20  # start tags: the end of each is looked for in all of the rest
_MAX_STEPS = 40_000_000  # open elements that are looked at: a fifth of a second in nh3; and 4 MB that are copied
_TEXT_OF_PICTURE = re.compile(r"<(title|desc|style|script|m[inos]|mtext)\b[^<>]*>[^<]*</\1>", re.IGNORECASE)
_VOID = frozenset(
    {
        "area", "base", "basefont", "bgsound", "br", "col", "embed", "frame", "hr", "image", "img", "input", "keygen",
        "link", "meta", "param", "source", "track", "wbr",
    }
)  # fmt: skip
_FORMATTING = frozenset(
    {"a", "b", "big", "code", "em", "font", "i", "nobr", "s", "small", "strike", "strong", "tt", "u"}
)
_FORMATTING_WITH_ATTRIBUTES = re.compile(rf"<(?:{'|'.join(sorted(_FORMATTING))})[\s/]", re.IGNORECASE)
_FOREIGN = frozenset({"svg", "math"})
# elements that contain text, which a parser does not read as tags
_TEXT = frozenset(
    {"iframe", "noembed", "noframes", "noscript", "plaintext", "script", "style", "textarea", "title", "xmp"}
)
_CELLS = frozenset({"caption", "tbody", "td", "tfoot", "th", "thead", "tr"})
_TABLES = _CELLS | {"colgroup", "table"}
_OF_TABLES = _TABLES - {"caption", "td", "th"} | {"col", "script", "style", "template"}
_BOUNDARIES_OF_CELLS = frozenset({"select", "table", "template"})
# within one of these, the end tag of an element around it is ignored
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
_SPECIAL = _BOUNDARIES | _BLOCKS | _ITEMS | _VOID | {"body", "colgroup", "frameset", "head", "p"}
# after one of these, a parser may ignore any tag
_STRANGE = frozenset({"form", "frameset", "select", "template"})
# what surely leaves an SVG or MathML, or lets HTML begin in it
_LEAVING = (_SPECIAL - _FOREIGN) | _FORMATTING | {"ruby", "span", "sub", "sup", "var"}
_PARAGRAPHS = frozenset({"p", "br"})
# what a start tag ends if it is the innermost open element
_ENDED_BY = {
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
# what an end tag ends with its element
_ENDED_WITH = {
    "ul": frozenset({"li", "p"}),
    "ol": frozenset({"li", "p"}),
    "dl": frozenset({"dd", "dt", "p"}),
    "table": _CELLS | {"p"},
}


def too_deep(html: str) -> bool:
    """Return whether a parser may take long for the depth of HTML, or make much of it by opening elements again."""
    tags = html.count("<")
    few = tags <= _FEW_TAGS and len(html) <= _FEW_CHARACTERS and tags * len(html) * _COST_OF_COPYING <= _MAX_STEPS
    if few or _is_flat(html, tags):
        return False
    elements = _OpenElements()
    return any(elements.steps > _MAX_STEPS for _ in _read(html, elements))


def _is_flat(html: str, tags: int) -> bool:
    """Return whether so few elements are left without those that are closed around text that no depth takes long."""
    outer = _TABLE.sub("", html) if "<table>" in html else html
    if _NOT_PLAIN.search(outer):
        return False
    for level in range(1, _LEVELS + 1):
        outer = _BLOCK_OR_LEAF.sub("", outer)
        steps = (outer.count("<") + level) * _COST_OF_FORMATTING + level + _LEVELS_OF_TABLE
        if _FORMATTING_WITH_ATTRIBUTES.search(outer):
            steps += len(outer) * _COST_OF_COPYING
        if tags * steps <= _MAX_STEPS:
            return True
    return False


def _read(html: str, elements: "_OpenElements") -> Iterator[None]:
    """Read HTML, and yield after each tag."""
    at = 0
    while at < len(html) and not elements.unclear:
        start, at = at, len(html)
        for markup in _MARKUP.finditer(html, start):
            end = _read_one(markup, elements)
            yield
            if end is not None:
                at = end
                break
    without_end = 0
    for tag in _START.finditer(html, at):  # where it is not clear what is text, everything that could be a start tag
        found = _MARKUP.match(html, tag.start())
        attributes = found[3] if found else None
        if attributes is None:
            without_end += 1
            if without_end > _MAX_WITHOUT_END:
                elements.steps = _MAX_STEPS + 1
        elements.start(_lower(tag[1]), len(attributes or ""), self_closing=False)
        yield


def _read_one(markup: re.Match[str], elements: "_OpenElements") -> int | None:
    """Read a comment, a tag or a declaration. Return where to go on if that is not after it."""
    end, name, attributes, open_ended = markup.groups()
    html = markup.string
    if open_ended:  # then nothing comes after it
        elements.attributes("", len(_QUOTED.sub("", html[markup.start() :])) // 2)
        return len(html)
    elements.text(html, markup.start())
    elements.at = markup.end()
    if name is None:
        if elements.in_foreign() and markup[0].startswith("<![CDATA["):
            elements.unclear = True
        return elements.at if elements.unclear else None
    if elements.in_picture and (text := _TEXT_OF_PICTURE.match(html, markup.start())):
        return text.end()
    name = _lower(name)
    if end:
        elements.end(name)
        return None
    elements.start(name, len(attributes), self_closing=_SELF_CLOSING.search(attributes) is not None)
    if len(attributes) > _MANY_ATTRIBUTES or name == "html":
        elements.attributes(name, len(_QUOTED.sub("", attributes)) // 2)
    return _end_of_text(html, elements.at, name, elements) if name in _TEXT else None


def _lower(name: str) -> str:
    return name.lower() if name.isascii() else name  # HTML changes the case of ASCII letters alone


def _end_of_text(html: str, at: int, name: str, elements: "_OpenElements") -> int:
    """Return where the end tag of an element begins that contains text, or `at` if it contains tags."""
    if elements.in_picture:
        return at
    if elements.in_foreign() or elements.in_select:
        elements.unclear = True
        return at
    end = re.compile(rf"</{name}(?=[\t\n\f\r />])", re.IGNORECASE).search(html, at)
    stop = end.start() if end and name != "plaintext" else len(html)
    if name == "script" and html.find("<!--", at, stop) >= 0:  # in which "</script>" may not be the end
        elements.unclear = True
    return stop


class _OpenElements:
    """The elements that are open, the outermost first."""

    def __init__(self) -> None:
        self.steps = 0  # open elements that a parser looked at
        self.at = 0  # where the last markup ended
        self.unclear = False  # what is text, and what is a tag
        self.in_picture = False  # surely within an SVG or MathML, where "/>" ends an element
        self.in_select = False  # perhaps within a select, where a parser ignores most start tags
        self._names: list[str] = []
        self._count: Counter[str] = Counter()
        self._sizes: list[int] = []  # of their attributes
        self._formatting = 0
        self._formatting_size = 0  # characters in the attributes of those
        self._trusted = True  # what is open here is open in a parser, or was ended by it
        self._in_table = False  # perhaps in a table, and in none of its cells
        self._markups = 0
        self._root_attributes = 0

    def in_foreign(self) -> bool:
        """Return whether this may be within an SVG or MathML."""
        return bool(self._count["svg"] or self._count["math"])

    def text(self, html: str, end: int) -> None:
        """Count the text before the next markup."""
        self._markups += 1
        if self._in_table and self._count["table"] and html[self.at : end].strip():
            self._put_before_table()

    def attributes(self, name: str, count: int) -> None:
        """Count the attributes of a tag, each of which is compared with all before it."""
        self.steps += count * count // 20
        if name == "html":  # those of every further one are added to the root
            self._root_attributes += count
            self.steps += 8 * self._root_attributes

    def _put_before_table(self) -> None:
        """Count what does not belong into a table: a parser looks for the table among what is around it."""
        self.steps += self._markups // 4

    def start(self, name: str, size: int, *, self_closing: bool) -> None:
        """Count a start tag with attributes of some size."""
        if name in _STRANGE:
            self._trusted = False
            self.in_select = self.in_select or name in ("select", "frameset")
        if self._in_table or name in _TABLES:
            self._start_in_table(name)
        if self_closing and (name in _FOREIGN or (self.in_picture and name not in _LEAVING)):
            return  # it is closed
        if self.in_picture or name in _FOREIGN:
            self.in_picture = name not in _LEAVING
        if not self.in_foreign():
            if name in _VOID:
                self.steps += len(self._names)
                return
            ended = _ENDED_BY.get(name, ())
            while self._names and self._names[-1] in ended:
                self._remove(len(self._names) - 1)
        formats = name in _FORMATTING
        self._names.append(name)
        self._sizes.append(size if formats else 0)
        self._count[name] += 1
        self._formatting += formats
        self.steps += len(self._names) + self._formatting * (20 if formats else _COST_OF_FORMATTING)
        if not formats:
            self.steps += self._formatting_size * _COST_OF_COPYING
        self._formatting_size += self._sizes[-1]

    def _start_in_table(self, name: str) -> None:
        """Count a start tag of a table, or one that does not belong into a table."""
        if self._in_table and self._count["table"]:
            if name == "table":  # which ends the one that is open
                self._trusted = False
            elif name not in _OF_TABLES and name not in _TABLES:
                self._put_before_table()
        if name in _TABLES:
            self._in_table = name in _OF_TABLES or self.in_foreign()

    def end(self, name: str) -> None:
        """Count an end tag."""
        self.steps += len(self._names) + self._formatting_size * _COST_OF_COPYING
        if name in _TABLES:
            self._in_table = True
        elif name in _PARAGRAPHS:  # which leave an SVG or MathML, and may become elements
            self.in_picture = False
            if self._in_table and self._count["table"]:
                self._put_before_table()
        if self._count[name] and name != "form" and (at := self._ended(name)) is not None:  # a form may stay open
            ends_by_itself = _ENDED_WITH.get(name)
            if ends_by_itself and self._trusted and ends_by_itself.issuperset(self._names[at + 1 :]):
                while len(self._names) > at + 1:
                    self._remove(len(self._names) - 1)
            self._remove(at)
            if name in _FOREIGN:
                self.in_picture = False

    def _ended(self, name: str) -> int | None:
        """Return the innermost open element of a name; None if a parser might ignore its end tag."""
        if self._names[-1] == name:
            return len(self._names) - 1
        boundaries = self._boundaries_of(name)
        for at in reversed(range(len(self._names))):
            if self._names[at] == name:
                return at
            if self._names[at] in boundaries:
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

    def _remove(self, at: int) -> None:
        name = self._names.pop(at)
        self._count[name] -= 1
        self._formatting -= name in _FORMATTING
        self._formatting_size -= self._sizes.pop(at)
