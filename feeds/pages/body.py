"""The HTML of an article as its page shows it, with classes for the stylesheet.

Feeds contain HTML without classes, because feed readers ignore them. On a page, alerts, task lists and code have a
style of their own, so this module finds them in the sanitised HTML, where every attribute is in double quotes. It also
translates the titles that alerts have by default, which are in English in feeds.
"""

import re

from feeds.pages.translations import interface_of, mark_in_context

_ALIGNMENT = re.compile(r' style="text-align: ?(left|right|center);?"')  # the only style in sanitised HTML
_ALERT = re.compile(r"<blockquote>\n<p><strong>([^<>\n]{1,100})</strong></p>")
_ALERT_KINDS = {  # titles by default, and the kinds that have a style
    mark_in_context("alert", "Caution"): "caution", mark_in_context("alert", "Danger"): "caution",
    mark_in_context("alert", "Error"): "caution", mark_in_context("alert", "Failure"): "caution",
    mark_in_context("alert", "Bug"): "caution", mark_in_context("alert", "Warning"): "warning",
    mark_in_context("alert", "Attention"): "warning", mark_in_context("alert", "Important"): "important",
    mark_in_context("alert", "Tip"): "tip", mark_in_context("alert", "Hint"): "tip",
    mark_in_context("alert", "Success"): "tip", mark_in_context("alert", "Note"): "note",
    mark_in_context("alert", "Info"): "note", mark_in_context("alert", "Abstract"): "note",
    mark_in_context("alert", "Summary"): "note", mark_in_context("alert", "Details"): "",
    mark_in_context("alert", "Example"): "", mark_in_context("alert", "Question"): "",
    mark_in_context("alert", "Quote"): "",
}  # fmt: skip
_TASK = re.compile(r"<li>(\n?(?:<p>)?)([☐☑]) ?")


def format_body(html: str, language: str) -> str:
    """Return the sanitised HTML of an article in a language with the classes, attributes and titles of its page."""
    if ' style="' in html:
        html = align_cells(html)
    if "<blockquote>\n<p><strong>" in html:
        html = _ALERT.sub(lambda match: _alert(match[1], language), html)
    if "☐" in html or "☑" in html:
        html = _TASK.sub(r'<li class="task">\1<span>\2</span> ', html)
    return html


def align_cells(html: str) -> str:
    """Replace the style that aligns cells of tables by an attribute: the pages' policy allows no inline style."""
    return _ALIGNMENT.sub(r' align="\1"', html)


def _alert(title: str, language: str) -> str:
    """Return the beginning of a quote whose first paragraph is a title in bold, as `commonmark` writes alerts."""
    kind = _ALERT_KINDS.get(title.capitalize())  # a title of the author's own does not name the kind
    if title in _ALERT_KINDS:
        title = interface_of(language).messages.pgettext("alert", title)
    return f'<blockquote class="alert{f" {kind}" if kind else ""}">\n<p class="alert-title">{title}</p>'
