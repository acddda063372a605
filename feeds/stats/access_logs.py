"""Parses access logs of web servers, line by line. The content of each line shows its format.

The formats are: the combined format of nginx and Apache, with or without a host before it; JSON of Caddy, Cloudflare,
Fastly, Traefik, nginx and `feeds serve`, by the names of their fields; and W3C logs with a line of `#Fields`, as
CloudFront and IIS write.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote, urlsplit

_COMBINED = re.compile(
    r"(?:\S+ )??(?P<client>\S+) \S+ \S+ \[(?P<time>[^\]]+)\] "
    r'"(?P<method>[A-Z]+) (?P<target>\S+)(?: [^"]*)?" (?P<status>\d{3}) (?P<size>\d+|-)'
    r'(?: "(?:[^"\\]|\\.)*" "(?P<agent>(?:[^"\\]|\\.)*)")?'
)
_ESCAPED = re.compile(r"\\(?:x([0-9a-fA-F]{2})|(.))")
# The names of fields in JSON, the most specific first. A dot leads into an object; of a list, the first item counts.
_FIELD_NAMES = {
    "time": "time ts timestamp EdgeStartTimestamp StartUTC time_iso8601 @timestamp start_time time_local msec",
    "client": "request.client_ip request.remote_ip ClientIP client_ip ClientHost remote_addr clientip c-ip remote_ip"
    " forwarded client",
    "method": "request.method method ClientRequestMethod request_method RequestMethod cs-method",
    "target": "request.uri path ClientRequestURI ClientRequestPath request_uri RequestPath url request_url uri"
    " cs-uri-stem",
    "status": "status EdgeResponseStatus response_status DownstreamStatus status_code sc-status",
    "size": "bytes size EdgeResponseBytes body_bytes_sent response_body_size response_size resp_body_size"
    " DownstreamContentSize bytes_sent sc-bytes",
    "agent": "agent request.headers.User-Agent ClientRequestUserAgent http_user_agent request_user_agent user_agent"
    " request_User-Agent useragent cs(User-Agent)",
}
_NAMES_BY_FIELD = {field: tuple(names.split()) for field, names in _FIELD_NAMES.items()}
_CLOUDFRONT = ["date", "time", "x-edge-location", "sc-bytes", "c-ip", "cs-method", "cs(Host)", "cs-uri-stem"]
_CLOUDFRONT += [
    "sc-status",
    "cs(Referer)",
    "cs(User-Agent)",
]  # its first fields, in case the line of `#Fields` is missing
_MONTHS = "JanFebMarAprMayJunJulAugSepOctNovDec"
_CLF_TIME = re.compile(r"(\d{2})/([A-Z][a-z]{2})/(\d{4}):(\d{2}):(\d{2}):(\d{2}) ([+-]\d{2})(\d{2})")
_MAX_STATUS = 999
_MAX_RESPONSE_BYTES = 1 << 40  # so that sums fit a database column
_MIN_TIME = datetime(1990, 1, 1, tzinfo=UTC)  # before the first web server
_MAX_UNIX_TIMES = (1e10, 1e13, 1e16)  # in seconds, milliseconds, microseconds; larger numbers are nanoseconds


class UnknownLog(ValueError):
    """Raised for a line of an unknown format."""


@dataclass(frozen=True, slots=True)
class LogLine:
    """One request."""

    time: datetime
    client: str
    method: str
    path: str  # decoded, without the query
    status: int
    size: int
    agent: str
    conditional: bool  # whether it certainly had a validator, which most logs don't record


class LogParser:
    """Parses the lines of one log."""

    def __init__(self) -> None:
        self._fields = _CLOUDFRONT

    def parse(self, line: str) -> LogLine | None:
        """Return the request of a line; None if the line has none. Raise `UnknownLog` if its format is unknown."""
        line = line.strip("\r\n\ufeff ")
        if not line:
            return None
        if line.startswith("#"):
            self._note_fields(line)
            return None
        try:
            if line.startswith("{"):
                return _parse_json(json.loads(line))
            if "\t" in line or self._fields is not _CLOUDFRONT:
                return _parse_fields(dict(zip(self._fields, line.split("\t" if "\t" in line else None), strict=False)))
            return _parse_combined(line)
        except (ValueError, TypeError, KeyError, IndexError, OverflowError, OSError, RecursionError) as error:
            raise UnknownLog(str(error)) from None

    def note_fields(self, raw: bytes) -> None:
        """Read a line that was counted before, only because it may define the fields of the following lines."""
        if raw.startswith(b"#"):
            self._note_fields(raw.decode("utf-8", "replace").strip())

    def _note_fields(self, line: str) -> None:
        if line.startswith("#Fields:"):
            self._fields = line.removeprefix("#Fields:").split()


def _parse_combined(line: str) -> LogLine:
    match = _COMBINED.match(line)
    if match is None:
        raise UnknownLog("neither combined, nor JSON, nor W3C")
    agent = _ESCAPED.sub(_unescape, match["agent"] or "")
    time = _clf_time(match["time"])
    return _line(
        time,
        match["client"],
        match["method"],
        match["target"],
        match["status"],
        match["size"],
        agent,
        conditional=False,
    )


def _line(
    time: datetime, client: str, method: str, target: str, status: Any, size: Any, agent: str, *, conditional: bool
) -> LogLine:
    try:
        path = unquote(urlsplit(target).path if "://" in target[:9] else re.split("[?#]", target, maxsplit=1)[0])
    except ValueError:  # an invalid host
        path = ""
    status = int(status)
    size = 0 if size in {"-", "", None} else int(size)
    if not 0 <= status <= _MAX_STATUS or size > _MAX_RESPONSE_BYTES or time < _MIN_TIME:
        raise UnknownLog(f"status {status}, {size} bytes at {time}")
    return LogLine(
        time,
        client,
        method,
        path,
        status,
        max(size, 0),
        "" if agent == "-" else agent,
        conditional or status == 304,  # noqa: PLR2004
    )


def _parse_json(record: dict[str, Any]) -> LogLine | None:
    values = {field: _first(record, names) for field, names in _NAMES_BY_FIELD.items()}
    if values["target"] is None or values["status"] is None:
        if "msg" in record or "level" in record:  # Caddy logs other events too
            return None
        raise UnknownLog("no path or no status")
    headers = _get(record, "request.headers")
    conditional = record.get("conditional") is True or (
        isinstance(headers, dict) and not {"If-None-Match", "If-Modified-Since"}.isdisjoint(headers)
    )
    client = str(values["client"] or "").rpartition(",")[2].strip()
    agent = str(values["agent"] or "")
    method, target = str(values["method"] or "GET"), str(values["target"])
    return _line(
        _time(values["time"]),
        client,
        method,
        target,
        values["status"],
        values["size"] or 0,
        agent,
        conditional=conditional,
    )


def _parse_fields(values: dict[str, str]) -> LogLine:
    time = datetime.fromisoformat(f"{values['date']}T{values['time']}").replace(tzinfo=UTC)
    agent = values.get("cs(User-Agent)", "")
    agent = agent.replace("+", " ") if "%" not in agent and " " not in agent else agent  # as IIS writes it
    agent = unquote(unquote(agent))  # CloudFront encodes percent signs twice
    size = values.get("sc-bytes", "0")
    return _line(
        time,
        values["c-ip"],
        values.get("cs-method", "GET"),
        values["cs-uri-stem"],
        values["sc-status"],
        size,
        agent,
        conditional=False,
    )


def _first(record: dict[str, Any], names: Iterable[str]) -> Any:
    values = (_get(record, name) for name in names)
    return next((value for value in values if value not in (None, "")), None)


def _get(record: Any, name: str) -> Any:
    if isinstance(record, dict) and name in record:
        return _first_item(record[name])
    value = record
    for part in name.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return _first_item(value)


def _first_item(value: Any) -> Any:
    return value[0] if isinstance(value, list) and value else value


def _time(value: Any) -> datetime:
    if isinstance(value, str) and re.fullmatch(r"\d+(\.\d+)?", value):
        value = float(value)
    if isinstance(value, int | float):
        scale = next((1000**step for step, limit in enumerate(_MAX_UNIX_TIMES) if value < limit), 1000**3)
        return datetime.fromtimestamp(value / scale, UTC)
    if "/" in str(value)[:6]:
        return _clf_time(str(value))
    time = datetime.fromisoformat(str(value))
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


def _clf_time(text: str) -> datetime:
    match = _CLF_TIME.match(text)
    if match is None:
        raise ValueError(f"{text} is not a time")
    day, month, year, hour, minute, second, zone, minutes = match.groups()
    iso = f"{year}-{_MONTHS.index(month) // 3 + 1:02}-{day}T{hour}:{minute}:{second}{zone}:{minutes}"
    return datetime.fromisoformat(iso).astimezone(UTC)


def _unescape(match: re.Match[str]) -> str:
    return chr(int(match[1], 16)) if match[1] else match[2]
