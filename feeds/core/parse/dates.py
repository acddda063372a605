"""Parses dates in front matter, file names and folders into datetimes with a zone. Ambiguous dates are rejected."""

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple

_NUMERIC = re.compile(
    r"""(?P<year>\d{4})(?P<sep>[-/.])(?P<month>\d{1,2})(?P=sep)(?P<day>\d{1,2})
        (?:(?:[Tt]|[ \t]+)(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,](?P<fraction>\d{1,12}))?)?
           [ \t]*(?P<zone>[Zz]|UTC|GMT|[+-]\d{1,2}(?::?\d{2})?(?:[ ]+[A-Z]{3,5})?)?
        )?""",
    re.VERBOSE,
)
_IN_UTC = re.compile(r"\d{4}-\d\d-\d\dT(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{3}(?:\d{3})?)?Z", re.ASCII)
_BASIC = re.compile(r"\d{8}(?:T\d{4,6}(?:[.,]\d+)?(?:Z|[+-]\d{2}(?::?\d{2})?)?)?")
_RFC_822 = re.compile(
    r"(?:[A-Za-z]{3},\s*)?\d{1,2}\s+[A-Za-z]{3}\s+\d{4}\s+\d{1,2}:\d{2}(?::\d{2})?\s+\S+(?:\s+\(.*\))?"
)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_LONG_MONTHS = ("uary", "ruary", "ch", "il", "", "e", "y", "ust", "t(?:ember)?", "ober", "ember", "ember")
_MONTH = "(?:" + "|".join(f"{short}(?:{rest})?" for short, rest in zip(_MONTHS, _LONG_MONTHS, strict=True)) + r")\.?"
_DAY = r"\d{1,2}(?:st|nd|rd|th)?"
# English: "Jul 08 2022", "24 January 2024", "January 24, 2024, 10:00 am"; JavaScript: "Wed Mar 20 2024 12:00:32 GMT+01"
_IN_WORDS = re.compile(
    rf"""(?:(?:mon|tue|wed|thu|fri|sat|sun)[a-z]{{0,6}}\.?,?[ ]+)?
        (?:(?P<month>{_MONTH})[ ]+(?P<day>{_DAY}),?|(?P<day2>{_DAY})[ -]+(?:of[ ]+)?(?P<month2>{_MONTH}),?)
        [ -]+(?P<year>\d{{4}})
        (?:,?[ ]+(?:at[ ]+)?(?P<hour>\d{{1,2}}):(?P<minute>\d{{2}})(?::(?P<second>\d{{2}}))?[ ]*(?P<half>[ap]\.?m\.?)?
           [ ]*(?P<zone>Z|(?:UTC|GMT)?[+-]\d{{2}}:?\d{{2}}|UTC|GMT)?(?:[ ]+\([^()]{{1,60}}\))?
        )?""",
    re.VERBOSE | re.IGNORECASE | re.ASCII,
)
_FROM_C = re.compile(
    r"([A-Za-z]{3} +[A-Za-z]{3} +\d{1,2}) (\d\d:\d\d:\d\d)(?: (\S{1,6}))? (\d{4})"
)  # date(1), ctime(3)
_IN_NAME = re.compile(r"(\d{4})-(\d{2})-(\d{2})(?:[-_](?=.)|$)")
# without "Z", which would be copied for local times, too
_NO_DATE = "is not a date; write it like 2026-01-24T09:13 (in site.timezone) or 2026-01-24T09:13+01:00"
_IN_FOLDERS = re.compile(r"(?:^|/)(\d{4})([-/])(\d{2})\2(\d{2})(?=[-_/])", re.ASCII)


def parse(value: Any, zone: tzinfo) -> datetime:
    """Return the datetime of a value in front matter: ISO 8601, a date of YAML or TOML, RFC 822, or English words.

    `zone` applies if the value has none. A date without a time is midnight. Raise `ValueError` with the reason if the
    value is not a date.
    """
    if isinstance(value, datetime):
        moment = value
    elif isinstance(value, date):
        moment = datetime.combine(value, time())
    elif isinstance(value, str):
        moment = _parse_text(value.strip())
    else:
        raise ValueError(_NO_DATE)  # noqa: TRY004  # callers expect ValueError
    return _with_zone(moment, zone)


def is_date(value: Any) -> bool:
    """Return whether a value in front matter is a date."""
    try:
        parse(value, UTC)
    except ValueError:
        return False
    return True


class DatedName(NamedTuple):
    """The date at the beginning of a file name, and the rest of the name."""

    date: datetime | None
    rest: str


def split_dated_name(name: str, zone: tzinfo) -> DatedName:
    """Split `2026-01-24-a-title` into its date and the rest. The date is None if the name has no valid date.

    If there is no date, or if the name consists only of a date, the rest is the whole name.
    """
    match = _IN_NAME.match(name)
    if match and (moment := _day(match.groups(), zone)):
        return DatedName(moment, name[match.end() :] or name)
    return DatedName(None, name)


def date_from_folders(path: str, zone: tzinfo) -> datetime | None:
    """Return the date in the folders of a path: `2019/05/28/x.md`, `2019-05-28/x.md`, `2019-05-28-trip/x.md`."""
    dates = (_day((match[1], match[3], match[4]), zone) for match in _IN_FOLDERS.finditer(path))
    return next(filter(None, dates), None)


def _day(parts: Iterable[str], zone: tzinfo) -> datetime | None:
    try:
        return _with_zone(datetime(*map(int, parts)), zone)  # type: ignore[arg-type]  # noqa: DTZ001
    except ValueError:
        return None


def _parse_text(text: str) -> datetime:
    try:
        if _IN_UTC.fullmatch(text):  # the form that programs write, for which parsing is fastest
            return datetime.fromisoformat(text)
        if match := _NUMERIC.fullmatch(text):
            parts = match.groupdict()
            moment = datetime(int(parts["year"]), int(parts["month"]), int(parts["day"]))  # noqa: DTZ001
            if parts["hour"] is None:
                return moment
            second = int(parts["second"] or 0)
            return moment.replace(
                hour=int(parts["hour"]),
                minute=int(parts["minute"]),
                second=min(second, 59) if second <= 60 else second,  # noqa: PLR2004  # a leap second
                microsecond=int((parts["fraction"] or "0")[:6].ljust(6, "0")),
                tzinfo=_offset(parts["zone"]),
            )
        if _BASIC.fullmatch(text):
            return datetime.fromisoformat(text)
        if _RFC_822.fullmatch(text):
            moment = parsedate_to_datetime(text)
            if moment.tzinfo is None and "-0000" not in text:
                raise ValueError  # noqa: TRY301  # an ambiguous or unknown name of a zone
            return moment
        if match := _IN_WORDS.fullmatch(_FROM_C.sub(r"\1 \4 \2 \3", text).rstrip()):
            return _from_words(match)
    except (ValueError, TypeError, OverflowError):
        raise ValueError("is a date that does not exist") from None
    raise ValueError(_NO_DATE)


def _from_words(match: re.Match[str]) -> datetime:
    month, day = (match[name] or match[f"{name}2"] for name in ("month", "day"))
    hour = int(match["hour"] or 0)
    if match["half"]:
        if not 1 <= hour <= 12:  # noqa: PLR2004
            raise ValueError
        hour = hour % 12 + (12 if match["half"][0] in "pP" else 0)
    return datetime(
        int(match["year"]),
        _MONTHS.index(month[:3].lower()) + 1,
        int(day.rstrip("stndrhSTNDRH")),
        hour,
        int(match["minute"] or 0),
        int(match["second"] or 0),
        tzinfo=_offset(re.sub("(?i)^(utc|gmt)(?=.)", "", match["zone"]) if match["zone"] else None),
    )


def _offset(zone: str | None) -> timezone | None:
    if zone is None:
        return None
    if zone[0] not in "+-":
        return UTC
    digits = zone.split(" ")[0][1:].replace(":", "")
    hours, minutes = (int(digits), 0) if len(digits) <= 2 else (int(digits[:-2]), int(digits[-2:]))  # noqa: PLR2004
    if minutes > 59:  # noqa: PLR2004
        raise ValueError
    offset = timedelta(hours=hours, minutes=minutes)
    return timezone(-offset if zone[0] == "-" else offset)


def _with_zone(moment: datetime, zone: tzinfo) -> datetime:
    """Return a datetime with a fixed offset in whole minutes, in `zone` if it has none.

    Raise `ValueError` if its year in UTC is not between 1 and 9999.
    """
    try:
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=zone)
        offset = moment.utcoffset()
        in_utc = moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("is not in the years 1 to 9999") from None
    if not offset or offset % timedelta(minutes=1):  # local mean times of the 19th century have seconds
        return in_utc
    return moment.astimezone(timezone(offset))
