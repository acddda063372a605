"""The interface text of pages in several languages: gettext catalogs, and the formats of dates and numbers.

The text of a page is in the language of its content. A language without a catalog gets that of its main language (`pt`
for `pt-BR`), else English, the language of the messages in templates and in this package. `locales/` contains the
catalogs. The `.po` files are read directly, so no compiled file can be out of date.

Dates follow CLDR, the Unicode Common Locale Data Repository. A catalog contains the few values that pages need; a test
compares them with Babel's data, whose import would take 40 ms in each process.
"""

from datetime import date, datetime
from functools import cache
from gettext import GNUTranslations, NullTranslations
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

from feeds.pages.po import parse_po, to_mo

SOURCE_LANGUAGE = "en"
_FOLDER = Path(__file__).parent / "locales"
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


def mark(message: str) -> str:
    """Return a message as it is; `make messages` collects the arguments of this function for the catalogs."""
    return message


def mark_in_context(context: str, message: str) -> str:
    """Return a message as it is; `make messages` collects it with a context that distinguishes it from others."""
    del context
    return message


_MONTHS = (
    mark_in_context("month", "January"),
    mark_in_context("month", "February"),
    mark_in_context("month", "March"),
    mark_in_context("month", "April"),
    mark_in_context("month", "May"),
    mark_in_context("month", "June"),
    mark_in_context("month", "July"),
    mark_in_context("month", "August"),
    mark_in_context("month", "September"),
    mark_in_context("month", "October"),
    mark_in_context("month", "November"),
    mark_in_context("month", "December"),
)
_SHORT_MONTHS = (
    mark_in_context("short month", "Jan"),
    mark_in_context("short month", "Feb"),
    mark_in_context("short month", "Mar"),
    mark_in_context("short month", "Apr"),
    mark_in_context("short month", "May"),
    mark_in_context("short month", "Jun"),
    mark_in_context("short month", "Jul"),
    mark_in_context("short month", "Aug"),
    mark_in_context("short month", "Sep"),
    mark_in_context("short month", "Oct"),
    mark_in_context("short month", "Nov"),
    mark_in_context("short month", "Dec"),
)
_LONG_DATE = mark_in_context("date", "{day} {month} {year}")
_SHORT_DATE = mark_in_context("date", "{day} {short_month} {year}")
_DAY_AND_MONTH = mark_in_context("date", "{day} {short_month}")
_DATE_AND_TIME = mark_in_context("date", "{date}, {time}")
_SEPARATOR = mark_in_context("number", ",")
_DECIMAL_SIGN = mark_in_context("number", ".")
_PERCENT = mark_in_context("number", "{number}%")
_LIST_SEPARATOR = mark_in_context("list", ", ")
_MIN_MEGABYTE = 999_500  # bytes that round to 1 MB
_KILOBYTES = mark("{number} kB")
_MEGABYTES = mark("{number} MB")
_SIZES = (mark("{number} B"), _KILOBYTES, _MEGABYTES, mark("{number} GB"), mark("{number} TB"))
_MIN_NEXT_UNIT = 999.5  # of a unit: rounds to 1 of the next one
_MIN_WITHOUT_DECIMALS = 99.95  # rounds to 100, so a decimal would not matter


class Interface(NamedTuple):
    """The interface text of a page: its language tag, its direction ("ltr" or "rtl") and its messages."""

    language: str
    direction: str
    messages: NullTranslations

    def long_date(self, moment: date) -> str:
        """Return a date with the name of the month, such as "28 October 2026"."""
        month = self.messages.pgettext("month", _MONTHS[moment.month - 1])
        return self.messages.pgettext("date", _LONG_DATE).format(day=moment.day, month=month, year=moment.year)

    def short_date(self, moment: date) -> str:
        """Return a date with the abbreviated name of the month, such as "28 Oct 2026"."""
        month = self._short_month(moment)
        return self.messages.pgettext("date", _SHORT_DATE).format(day=moment.day, short_month=month, year=moment.year)

    def day_and_month(self, moment: date) -> str:
        """Return a date without the year, such as "28 Oct"."""
        month = self._short_month(moment)
        return self.messages.pgettext("date", _DAY_AND_MONTH).format(day=moment.day, short_month=month)

    def date_and_time(self, moment: datetime) -> str:
        """Return a date with the time in 24 hours, such as "28 Oct 2026, 14:05"."""
        texts = {"date": self.short_date(moment), "time": f"{moment:%H:%M}"}
        return self.messages.pgettext("date", _DATE_AND_TIME).format(**texts)

    def _short_month(self, moment: date) -> str:
        return self.messages.pgettext("short month", _SHORT_MONTHS[moment.month - 1])

    def file_size(self, length: int) -> str:
        """Return the size of a file of `length` bytes, such as "165 kB" or "12 MB" (decimal units)."""
        if length < _MIN_MEGABYTE:
            return self.messages.gettext(_KILOBYTES).format(number=max(1, round(length / 1_000)))
        return self.messages.gettext(_MEGABYTES).format(number=self.number(round(length / 1_000_000)))

    def data_size(self, length: int) -> str:
        """Return a number of bytes with three significant digits or more, such as "1.2 MB" (decimal units)."""
        value, units = float(length), list(_SIZES)
        while value >= _MIN_NEXT_UNIT and len(units) > 1:
            value /= 1_000
            del units[0]
        if units[0] == _SIZES[0] or value >= _MIN_WITHOUT_DECIMALS:
            text = self.number(round(value))
        else:
            text = f"{value:.1f}".replace(".", self.messages.pgettext("number", _DECIMAL_SIGN))
        return self.messages.gettext(units[0]).format(number=text)

    def percent(self, share: float) -> str:
        """Return a share, from 0 to 1, as a percentage, such as "45%"."""
        return self.messages.pgettext("number", _PERCENT).format(number=round(100 * share))

    @property
    def list_separator(self) -> str:
        """The text between two items of a list: a comma and a space."""
        return self.messages.pgettext("list", _LIST_SEPARATOR)

    def number(self, value: int) -> str:
        """Return a whole number with its digits in groups of three, such as "12,345"."""
        return f"{value:,}".replace(",", self.messages.pgettext("number", _SEPARATOR))


@cache
def languages() -> tuple[str, ...]:
    """Return the languages with a catalog, and English."""
    return (SOURCE_LANGUAGE, *sorted(folder.name for folder in _FOLDER.iterdir() if catalog_file(folder.name).exists()))


def catalog_file(language: str) -> Path:
    """Return the path of a language's catalog."""
    return _FOLDER / language / "LC_MESSAGES" / "feeds.po"


@cache
def interface_of(language: str) -> Interface:
    """Return the interface text for content in a language."""
    main = language.partition("-")[0].lower()
    if main not in languages():
        language = main = SOURCE_LANGUAGE
    return Interface(language, text_direction(language), _messages(main))


@cache
def _messages(language: str) -> NullTranslations:
    if language == SOURCE_LANGUAGE:
        return NullTranslations()
    return GNUTranslations(BytesIO(to_mo(parse_po(catalog_file(language).read_text("utf-8")))))


def text_direction(language: str) -> str:
    """Return the direction of a language's script as the value of HTML's `dir`: "ltr" or "rtl"."""
    main, _, rest = language.lower().partition("-")
    scripts = set(rest.split("-"))
    is_rtl = scripts & {"arab", "hebr", "thaa", "syrc"} or (main in _RIGHT_TO_LEFT and "latn" not in scripts)
    return "rtl" if is_rtl else "ltr"
