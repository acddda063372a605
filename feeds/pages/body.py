"""The HTML of an article as its page shows it, with classes for the stylesheet.

Feeds contain HTML without classes, because feed readers ignore them. On a page, alerts, task lists and code have a
style of their own, so this module finds them in the sanitised HTML, where every attribute is in double quotes.
"""

import re
from collections.abc import Callable, Mapping
from functools import cache
from html import unescape

from feeds.core.parse.admonitions import kinds_by_title
from feeds.core.wording import wording_of

_ALIGNMENT = re.compile(r' style="text-align: ?(left|right|center);?"')  # the only style in sanitised HTML
_ALERT = re.compile(r"<blockquote>\n<p><strong>([^<>\n]{1,100})</strong></p>")
_ALERT_KINDS = {  # by the default titles in English
    "Caution": "caution", "Danger": "caution", "Error": "caution", "Failure": "caution", "Bug": "caution",
    "Warning": "warning", "Attention": "warning", "Important": "important", "Tip": "tip", "Hint": "tip",
    "Success": "tip", "Note": "note", "Info": "note", "Abstract": "note", "Summary": "note",
}  # fmt: skip
_TASK = re.compile(r"<li>(\n?(?:<p>)?)([☐☑]) ?")


def format_body(html: str, language: str, markdown: str = "") -> str:
    """Return the HTML of an article with the classes, attributes and titles of its page.

    Args:
        html: the sanitised HTML of the article.
        language: the language of the article.
        markdown: its text in Markdown, from which the kinds of alerts with titles of their own are read.
    """
    if ' style="' in html:
        html = align_cells(html)
    if "<blockquote>\n<p><strong>" in html:
        kinds = cache(lambda: kinds_by_title(markdown))  # few articles have such alerts

        def kind_of(title: str) -> str:
            return kinds().get(unescape(title), "")

        html = _ALERT.sub(lambda match: _alert(match[1], language, kind_of), html)
    if "☐" in html or "☑" in html:
        html = _TASK.sub(r'<li class="task">\1<span>\2</span> ', html)
    return html


def align_cells(html: str) -> str:
    """Replace the style that aligns cells of tables with an attribute: the pages' policy allows no inline style."""
    return _ALIGNMENT.sub(r' align="\1"', html)


def _alert(title: str, language: str, kind_of: Callable[[str], str]) -> str:
    """Return the beginning of a quote whose first paragraph is a title in bold, as `commonmark` writes alerts.

    `kind_of` returns the kind of an alert with a title of its own, "" if it is unknown.
    """
    kind = _ALERT_KINDS.get(kind_of(title).replace("-", " ").capitalize())
    kind = kind or _kinds_by_title(wording_of(language).language).get(title.casefold())
    return f'<blockquote class="alert{f" {kind}" if kind else ""}">\n<p class="alert-title">{title}</p>'


@cache
def _kinds_by_title(language: str) -> Mapping[str, str]:
    """Return the kinds of alerts by their default titles, in English and in a language."""
    alerts = wording_of(language).alerts
    return {name.casefold(): kind for title, kind in _ALERT_KINDS.items() for name in (title, alerts.get(title, title))}
