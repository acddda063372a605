"""The HTML of an article as its page shows it, with classes for the stylesheet.

Feeds contain HTML without classes, because feed readers ignore them. On a page, alerts, task lists and code have a
style of their own, so this module finds them in the sanitised HTML, where every attribute is in double quotes.
"""

import re

_ALIGNMENT = re.compile(r' style="text-align: ?(left|right|center);?"')  # the only style in sanitised HTML
_ALERT = re.compile(r"<blockquote>\n<p><strong>([^<>\n]{1,100})</strong></p>")
_ALERT_KINDS = {
    "caution": "caution", "danger": "caution", "error": "caution", "failure": "caution", "bug": "caution",
    "warning": "warning", "attention": "warning",
    "important": "important",
    "tip": "tip", "hint": "tip", "success": "tip",
    "note": "note", "info": "note", "abstract": "note", "summary": "note",
}  # fmt: skip
_TASK = re.compile(r"<li>(\n?(?:<p>)?)([☐☑]) ?")


def format_body(html: str) -> str:
    """Return the sanitised HTML of an article with the classes and attributes that pages need."""
    if ' style="' in html:
        html = align_cells(html)
    if "<blockquote>\n<p><strong>" in html:
        html = _ALERT.sub(_alert, html)
    if "☐" in html or "☑" in html:
        html = _TASK.sub(r'<li class="task">\1<span>\2</span> ', html)
    return html


def align_cells(html: str) -> str:
    """Replace the style that aligns cells of tables by an attribute: the pages' policy allows no inline style."""
    return _ALIGNMENT.sub(r' align="\1"', html)


def _alert(match: re.Match[str]) -> str:
    """Return the beginning of a quote whose first paragraph is a title in bold, as `commonmark` writes alerts."""
    kind = _ALERT_KINDS.get(match[1].casefold())  # a title of the author's own does not name the kind
    return f'<blockquote class="alert{f" {kind}" if kind else ""}">\n<p class="alert-title">{match[1]}</p>'
