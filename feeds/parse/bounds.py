"""What rendering an article may cost.

Nearly every article is *ordinary*: small enough in every respect that Python-Markdown needs a fraction of a second
for it, whatever it says. One that is not (20,000 brackets, a hundred unclosed fences, a book in one file) may be
harmless or may take minutes; whoever renders it must be able to stop that, which a core without processes can't. So
this room only tells the two apart; `trial` does the rest.
"""

import re

# Limits measured on Python-Markdown 3.11 (benchmarks/articles.py): the worst body that fits in all takes 0.2 s.
_SPECIAL = re.compile(r"[\[<*_`!&#|:]")
_LARGEST_BODY = 128 * 1024  # characters
_MOST_BLOCKS = 3_000
_MOST_SQUARED = 500_000  # sum over blocks of the square of their special characters: inline patterns are quadratic
_MOST_TAGS = 3_000  # the sanitiser is quadratic in nesting
_MOST_FENCES = 100  # each unclosed one searches to the end
_MOST_DEFINITIONS = 100  # recursive
_MOST_FOOTNOTES = 300
_MOST_ABBREVIATED = 1_000_000  # abbreviations times characters
_TOO_DEEP = re.compile(r"^ {80}|^\t{20}|^[ >]*(?:> ?){20}", re.MULTILINE)


def ordinary(body: str) -> bool:
    """Tell whether rendering is known to be quick. Linear in the body's length."""
    if len(body) > _LARGEST_BODY or body.count("<") > _MOST_TAGS or body.count("[^") > _MOST_FOOTNOTES:
        return False
    blocks = body.split("\n\n")
    if len(blocks) > _MOST_BLOCKS or sum(len(_SPECIAL.findall(block)) ** 2 for block in blocks) > _MOST_SQUARED:
        return False
    fences = body.count("\n```") + body.count("\n~~~")
    if fences > _MOST_FENCES or body.count("\n:") > _MOST_DEFINITIONS or _TOO_DEEP.search(body):
        return False
    return body.count("*[") * len(body) <= _MOST_ABBREVIATED
