"""The interface text of pages in several languages: gettext catalogs, and dates and numbers as a language writes them.

A page has the language of its content. A language without a catalog gets that of its main language (`pt` for `pt-BR`),
else English, the language of the messages in templates and in this package.
"""

from datetime import datetime
from functools import cache
from gettext import NullTranslations
from typing import NamedTuple

SOURCE_LANGUAGE = "en"
_RIGHT_TO_LEFT = {
    "ar",
    "arc",
    "ckb",
    "dv",
    "fa",
    "he",
    "ks",
    "ku",
    "ps",
    "sd",
    "ug",
    "ur",
    "yi",
}  # in their usual script
_MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)


class Interface(NamedTuple):
    """The interface text of a page: its language tag, its direction ("ltr" or "rtl") and its messages."""

    language: str
    direction: str
    messages: NullTranslations

    def long_date(self, moment: datetime) -> str:
        """Return a date with the name of the month, such as "28 October 2026"."""
        return f"{moment.day} {_MONTHS[moment.month - 1]} {moment.year}"

    def short_date(self, moment: datetime) -> str:
        """Return a date with the abbreviated name of the month, such as "28 Oct 2026"."""
        return f"{moment.day} {_MONTHS[moment.month - 1][:3]} {moment.year}"

    def number(self, value: int) -> str:
        """Return a whole number with its digits in groups, such as "12,345"."""
        return f"{value:,}"


@cache
def interface_of(language: str) -> Interface:
    """Return the interface text for content in a language."""
    del language
    return Interface(SOURCE_LANGUAGE, text_direction(SOURCE_LANGUAGE), NullTranslations())


def text_direction(language: str) -> str:
    """Return the direction of a language's script as the value of HTML's `dir`: "ltr" or "rtl"."""
    main, _, rest = language.lower().partition("-")
    scripts = set(rest.split("-"))
    is_rtl = scripts & {"arab", "hebr", "thaa", "syrc"} or (main in _RIGHT_TO_LEFT and "latn" not in scripts)
    return "rtl" if is_rtl else "ltr"


def mark(message: str) -> str:
    """Return a message as it is; `make messages` collects the arguments of this function for the catalogs."""
    return message
