"""What rendering an article may cost.

Nearly every article is *ordinary*: small enough in every respect that Python-Markdown needs a fraction of a second for
it. One that is not (20,000 brackets, a hundred unclosed fences, a book in one file) may be harmless or may take
minutes, and is rendered once before it is published, so that it can be refused at its source. This is no guarantee:
counts can't know every way to be slow. That no article ever costs more than itself is what `sandbox` is for.
"""

import re

_LARGEST_BODY = 128 * 1024  # characters
_MOST_LINES = 5_000
_LONGEST_LINE = 20_000  # characters
_SPECIAL = rb"[<*_`!&#|:\{=+"
_MOST_SQUARED = 500_000  # sum over blocks of the square of their special characters: inline patterns are quadratic
_MOST_SEARCHED = 20_000_000  # sum over blocks of special characters times characters
_MOST_CELLS = 20_000  # a table's rows are filled up to its columns
_MOST_OF = {  # each searches to the end, recurses, or is dear by itself
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
_MOST_ABBREVIATED = 1_000_000  # abbreviations times characters
_TOO_DEEP = re.compile(r" {80}|\t{20}|[ >]*(?:> ?){20}|[ \t]*(?:(?:[*+-]|\d{1,9}\.)[ \t]+){8}")
_SMALL_BODY, _FEW_LINES, _FEW = 10_000, 100, 200  # within all these bounds, whatever it says
_BLANK = re.compile(r"\n[ \t]*\n")


def ordinary(body: str) -> bool:
    """Tell whether rendering is known to be quick. Linear in the body's length."""
    lines = body.split("\n")
    if any(map(_TOO_DEEP.match, lines)):
        return False
    if len(body) <= _SMALL_BODY and len(lines) <= _FEW_LINES and "fnref" not in body and _special(body) <= _FEW:
        return True
    if len(body) > _LARGEST_BODY or len(lines) > _MOST_LINES + 1:
        return False
    if any(body.count(mark) > most for mark, most in _MOST_OF.items()):
        return False
    if body.count("*[") * len(body) > _MOST_ABBREVIATED:
        return False
    squared = searched = 0
    for block in _BLANK.split(body):
        special = _special(block)
        squared += special**2
        searched += special * len(block)
        rows = block.split("\n")
        if max(map(len, rows)) > _LONGEST_LINE or len(rows) * max(row.count("|") for row in rows) > _MOST_CELLS:
            return False
    return squared <= _MOST_SQUARED and searched <= _MOST_SEARCHED


def _special(text: str) -> int:
    data = text.encode("utf-8", "surrogatepass")
    return len(data) - len(data.translate(None, _SPECIAL))
