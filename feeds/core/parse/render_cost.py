"""Estimates whether Python-Markdown renders an article quickly.

Nearly every article is within all limits of this module, and is rendered in a fraction of a second. An article that
exceeds a limit (20,000 brackets, 100 unclosed fences, a book in one file) may take minutes. It is rendered once before
it is published, so that it can be rejected. The limits don't detect every slow text, so `feeds.render.sandbox` also
limits the time of rendering.
"""

import re

_MAX_BODY_LENGTH = 128 * 1024  # characters
_MAX_LINES = 5_000
_MAX_LINE_LENGTH = 20_000  # characters
_SPECIAL = rb"[<*_`!&#|:\{=+"
_MAX_SQUARED = 500_000  # sum over blocks of the square of their special characters: inline patterns are quadratic
_MAX_SEARCHED = 20_000_000  # sum over blocks of special characters times characters
_MAX_CELLS = 20_000  # including the missing cells that Python-Markdown adds to rows
_MAX_COUNTS = {  # each of these texts starts a search to the end of the text, recurses, or is slow by itself
    "<": 3_000,
    "[^": 300,
    "\n```": 100,
    "\n~~~": 100,
    "\n:": 100,
    "\n---": 200,
    "\n-\n": 100,
    "  \n": 1_000,
    "fnref": 50,
}
_MAX_ABBREVIATED = 1_000_000  # abbreviations times characters
_TOO_DEEP = re.compile(r" {80}|\t{20}|[ >]*(?:> ?){20}|[ \t]*(?:(?:[*+-]|\d{1,9}\.)[ \t]+){8}")
# a body within these limits is within all other limits
_SMALL_BODY_LENGTH, _FEW_LINES, _FEW_SPECIAL = 10_000, 100, 200
_BLANK = re.compile(r"\n[ \t]*\n")


def is_cheap_to_render(body: str) -> bool:
    """Return whether rendering a body is estimated to be quick. Takes time linear in its length."""
    lines = body.split("\n")
    if any(map(_TOO_DEEP.match, lines)):
        return False
    if (
        len(body) <= _SMALL_BODY_LENGTH
        and len(lines) <= _FEW_LINES
        and "fnref" not in body
        and _count_special(body) <= _FEW_SPECIAL
    ):
        return True
    if len(body) > _MAX_BODY_LENGTH or len(lines) > _MAX_LINES + 1:
        return False
    if any(body.count(mark) > limit for mark, limit in _MAX_COUNTS.items()):
        return False
    if body.count("*[") * len(body) > _MAX_ABBREVIATED:
        return False
    squared = searched = 0
    for block in _BLANK.split(body):
        special = _count_special(block)
        squared += special**2
        searched += special * len(block)
        rows = block.split("\n")
        if max(map(len, rows)) > _MAX_LINE_LENGTH or len(rows) * max(row.count("|") for row in rows) > _MAX_CELLS:
            return False
    return squared <= _MAX_SQUARED and searched <= _MAX_SEARCHED


def _count_special(text: str) -> int:
    data = text.encode("utf-8", "surrogatepass")
    return len(data) - len(data.translate(None, _SPECIAL))
