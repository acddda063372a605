"""Access logs of other servers, line by line: who asked for what. Each line tells by itself of which kind it is.

Read are nginx's and Apache's combined format, with a host before it or not; JSON of Caddy, Cloudflare, Fastly,
Traefik, nginx and our own, by the names that they give things; and W3C logs with a line of `#Fields`, as CloudFront and
IIS write.
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
# What others call it, the surest first. A dot leads into an object, and the first of a list is meant.
_NAMES = {
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
_WANTED = {what: tuple(names.split()) for what, names in _NAMES.items()}
_CLOUDFRONT = ["date", "time", "x-edge-location", "sc-bytes", "c-ip", "cs-method", "cs(Host)", "cs-uri-stem"]
_CLOUDFRONT += ["sc-status", "cs(Referer)", "cs(User-Agent)"]  # what it has of each, if the head is lost
_MONTHS = "JanFebMarAprMayJunJulAugSepOctNovDec"
_CLF_TIME = re.compile(r"(\d{2})/([A-Z][a-z]{2})/(\d{4}):(\d{2}):(\d{2}):(\d{2}) ([+-]\d{2})(\d{2})")
_LARGEST_STATUS = 999
_LARGEST_SIZE = 1 << 40  # bytes of a response: sums of many such numbers still fit the database
_EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)  # before there was any web server
_SECONDS = (1e10, 1e13, 1e16)  # below: seconds since 1970, milliseconds, microseconds; else nanoseconds


class UnknownLog(ValueError):
    """A line that is none of a log that we know."""


@dataclass(frozen=True, slots=True)
class Line:
    """One request."""

    at: datetime
    client: str
    method: str
    path: str  # as text, without query
    status: int
    size: int
    agent: str
    conditional: bool  # surely; most logs don't say


class Log:
    """Reads the lines of one log."""

    def __init__(self) -> None:
        self._fields = _CLOUDFRONT

    def read(self, line: str) -> Line | None:
        """Give what a line says; None for one that says nothing. Raises `UnknownLog`."""
        line = line.strip("\r\n\ufeff ")
        if not line:
            return None
        if line.startswith("#"):
            self._note_fields(line)
            return None
        try:
            if line.startswith("{"):
                return _of_json(json.loads(line))
            if "\t" in line or self._fields is not _CLOUDFRONT:
                return _of_fields(dict(zip(self._fields, line.split("\t" if "\t" in line else None), strict=False)))
            return _of_combined(line)
        except (ValueError, TypeError, KeyError, IndexError, OverflowError, OSError, RecursionError) as error:
            raise UnknownLog(str(error)) from None

    def note_fields(self, raw: bytes) -> None:
        """Look at a line that is known only for what it says of those that follow."""
        if raw.startswith(b"#"):
            self._note_fields(raw.decode("utf-8", "replace").strip())

    def _note_fields(self, line: str) -> None:
        if line.startswith("#Fields:"):
            self._fields = line.removeprefix("#Fields:").split()


def _of_combined(line: str) -> Line:
    found = _COMBINED.match(line)
    if found is None:
        raise UnknownLog("neither combined, nor JSON, nor W3C")
    agent = _ESCAPED.sub(_unescaped, found["agent"] or "")
    at = _clf_time(found["time"])
    return _line(
        at, found["client"], found["method"], found["target"], found["status"], found["size"], agent, conditional=False
    )


def _line(
    at: datetime, client: str, method: str, target: str, status: Any, size: Any, agent: str, *, conditional: bool
) -> Line:
    try:
        path = unquote(urlsplit(target).path if "://" in target[:9] else re.split("[?#]", target, maxsplit=1)[0])
    except ValueError:  # a host that is none
        path = ""
    said = int(status)
    sent = 0 if size in {"-", "", None} else int(size)
    if not 0 <= said <= _LARGEST_STATUS or sent > _LARGEST_SIZE or at < _EARLIEST:
        raise UnknownLog(f"status {said}, {sent} bytes at {at}")
    return Line(at, client, method, path, said, max(sent, 0), "" if agent == "-" else agent, conditional or said == 304)  # noqa: PLR2004


def _of_json(said: dict[str, Any]) -> Line | None:
    found = {what: _first(said, names) for what, names in _WANTED.items()}
    if found["target"] is None or found["status"] is None:
        if "msg" in said or "level" in said:  # Caddy says other things too
            return None
        raise UnknownLog("no path or no status")
    headers = _in(said, "request.headers")
    conditional = said.get("conditional") is True or (
        isinstance(headers, dict) and not {"If-None-Match", "If-Modified-Since"}.isdisjoint(headers)
    )
    client = str(found["client"] or "").rpartition(",")[2].strip()
    agent = str(found["agent"] or "")
    method, target = str(found["method"] or "GET"), str(found["target"])
    return _line(
        _time(found["time"]),
        client,
        method,
        target,
        found["status"],
        found["size"] or 0,
        agent,
        conditional=conditional,
    )


def _of_fields(said: dict[str, str]) -> Line:
    at = datetime.fromisoformat(f"{said['date']}T{said['time']}").replace(tzinfo=UTC)
    agent = said.get("cs(User-Agent)", "")
    agent = agent.replace("+", " ") if "%" not in agent and " " not in agent else agent  # IIS
    agent = unquote(unquote(agent))  # CloudFront encodes the percent sign too
    size = said.get("sc-bytes", "0")
    return _line(
        at,
        said["c-ip"],
        said.get("cs-method", "GET"),
        said["cs-uri-stem"],
        said["sc-status"],
        size,
        agent,
        conditional=False,
    )


def _first(said: dict[str, Any], names: Iterable[str]) -> Any:
    found = (_in(said, name) for name in names)
    return next((value for value in found if value not in (None, "")), None)


def _in(said: Any, name: str) -> Any:
    if isinstance(said, dict) and name in said:
        return _one(said[name])
    for part in name.split("."):
        said = said.get(part) if isinstance(said, dict) else None
    return _one(said)


def _one(value: Any) -> Any:
    return value[0] if isinstance(value, list) and value else value


def _time(value: Any) -> datetime:
    if isinstance(value, str) and re.fullmatch(r"\d+(\.\d+)?", value):
        value = float(value)
    if isinstance(value, int | float):
        scale = next((1000**step for step, most in enumerate(_SECONDS) if value < most), 1000**3)
        return datetime.fromtimestamp(value / scale, UTC)
    if "/" in str(value)[:6]:
        return _clf_time(str(value))
    at = datetime.fromisoformat(str(value))
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def _clf_time(text: str) -> datetime:
    found = _CLF_TIME.match(text)
    if found is None:
        raise ValueError(f"{text} is no time")
    day, month, year, hour, minute, second, zone, minutes = found.groups()
    at = f"{year}-{_MONTHS.index(month) // 3 + 1:02}-{day}T{hour}:{minute}:{second}{zone}:{minutes}"
    return datetime.fromisoformat(at).astimezone(UTC)


def _unescaped(found: re.Match[str]) -> str:
    return chr(int(found[1], 16)) if found[1] else found[2]
