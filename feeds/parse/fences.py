"""Fenced code blocks: which lines begin and end them (CommonMark 0.31.2 section 4.5).

Some syntax is looked for in the source, before an engine has parsed it. All of that code asks here what is code.
"""

import re

# A fence may be in quotes and lists, and indented as far as their content. What follows backticks has no backtick:
# ```` ```x``` ```` is a code span.
OPENING = r"[ \t>]*+(?:(?:[-*+]|\d{1,9}[.)])[ \t]++[ \t>]*+)*+(?P<fence>`{3,}+(?=[^`\n]*$)|~{3,}+)"
_OPENING = re.compile(OPENING)
_CLOSING = re.compile(r"[ \t>]*+(`{3,}+|~{3,}+)[ \t]*$")


def after(line: str, fence: str) -> str:
    """Return the fence that is open after a line, "" if there is none; `fence` is the one that is open before it."""
    if fence:
        match = _CLOSING.match(line)
        return "" if match and match[1].startswith(fence) else fence
    match = _OPENING.match(line)
    return match["fence"] if match else ""


def end(text: str, fence: str, start: int) -> int:
    """Return where the code block ends whose fence is open at `start`: with its text if nothing closes it."""
    closing = re.compile(rf"^[ \t>]*+{fence[0]}{{{len(fence)},}}+[ \t]*$", re.MULTILINE).search(text, start)
    return closing.end() if closing else len(text)
