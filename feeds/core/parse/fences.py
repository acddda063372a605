"""Finds the lines that begin and end fenced code blocks (CommonMark 0.31.2 section 4.5).

All modules that convert syntax in the source, before an engine parses it, use this module to skip code.
"""

import re

# A fence may be in quotes and lists, and be indented like their content. No backtick may follow a fence of backticks on
# its line: ```` ```x``` ```` is a code span.
OPENING = r"[ \t>]*+(?:(?:[-*+]|\d{1,9}[.)])[ \t]++[ \t>]*+)*+(?P<fence>`{3,}+(?=[^`\n]*$)|~{3,}+)"
_OPENING = re.compile(OPENING)
_CLOSING = re.compile(r"[ \t>]*+(`{3,}+|~{3,}+)[ \t]*$")


def open_fence_after(line: str, fence: str) -> str:
    """Return the fence that is open after a line, or "" if there is none. `fence` is open before the line."""
    if fence:
        match = _CLOSING.match(line)
        return "" if match and match[1].startswith(fence) else fence
    match = _OPENING.match(line)
    return match["fence"] if match else ""


def end_of_block(text: str, fence: str, start: int) -> int:
    """Return the end of the code block that is open at offset `start`; if it is not closed, the end of the text."""
    closing = re.compile(rf"^[ \t>]*+{fence[0]}{{{len(fence)},}}+[ \t]*$", re.MULTILINE).search(text, start)
    return closing.end() if closing else len(text)
