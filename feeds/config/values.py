"""The types of values in config.yaml. Each validator returns the value or raises `ValueError` with a sentence.

If a text has parts, such as an address or a command, the result is a value with these parts (`PlainValidator`).

Most CDNs can be purged without new code (`feeds.export.purge`). To add another form of purge, add a type beside
`PurgeRequest`, include it in `Purge`, parse its syntax in `_purge`, and send its request in `CachePurger` of
`feeds.export.purge`, which chooses by type.
"""

import difflib
import re
import shlex
import zoneinfo
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple
from urllib.parse import quote, unquote, urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, PlainValidator, WithJsonSchema

from feeds.config.cron import CronSchedule, parse_cron
from feeds.core.article_files import SUFFIXES, may_match_articles
from feeds.core.model import FOOTER_PLACEHOLDERS
from feeds.core.paths import SITE_DOCUMENTS, alias_conflict
from feeds.core.permalinks import MODIFIERS, PLACEHOLDERS, UNIQUE_PLACEHOLDERS
from feeds.core.text import absolute_url, is_language_tag, one_line, printable_excerpt, slugify, url_scheme
from feeds.home import expand_home

_NAMING = re.compile(rf"\{{({'|'.join(UNIQUE_PLACEHOLDERS)})(:\w+)*\}}")
READER_LINKS = {  # links that subscribe with a feed reader; {url}: the feed's URL, percent-encoded; {raw}: as it is
    "your reader": "feed:{raw}",
    "Feedly": "https://feedly.com/i/subscription/feed/{url}",
    "Inoreader": "https://www.inoreader.com/?add_feed={url}",
    "NewsBlur": "https://www.newsblur.com/?url={url}",
    "Feedbin": "https://feedbin.com/?subscribe={url}",
    "The Old Reader": "https://theoldreader.com/feeds/subscribe?url={url}",
}
_WITH_SCHEME = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*:\S+$")
_MIN_SECRET_LENGTH = 16  # characters
_MAX_FOOTER_LENGTH = 1_000  # characters
_NOT_IN_QUERY = re.compile(r"[^A-Za-z0-9._~!$'()*+,;=:@/?&%-]|%(?![0-9A-Fa-f]{2})")  # RFC 3986 section 3.4
MAX_COMMAND_LENGTH = 10_000  # characters
_PORT = re.compile(r"[0-9]{1,5}")
_STORE_URL = re.compile(r"(s3|gs|az)://(?!.*/\.\.?(/|$))[A-Za-z0-9][A-Za-z0-9._-]*(/[^?#]*)?")
_STORE_TYPO = re.compile(r"(s3|gs|gcs|az|azure)(:|//)")  # ./s3: is a folder
_PURGE_REQUEST = re.compile(r"((?P<method>[A-Z]+) )?(?P<url>(https?://|\{raw\})\S*)")  # any other value is a command
_PURGE_TYPO = re.compile(r"[A-Z]+ \S*\{\w+\}\S*")


@dataclass(frozen=True, slots=True)
class PurgeRequest:
    """The HTTP request that purges a file from a cache."""

    method: str
    url: str  # with placeholders: {url}, {raw} or {path}


class NetworkAddress(NamedTuple):
    """A host and a port to listen on."""

    host: str  # without brackets
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def did_you_mean(word: str, words: Iterable[str]) -> str:
    """Return "; did you mean X?" for the most similar word, or an empty string."""
    close = difflib.get_close_matches(word, list(words), n=1)
    return f"; did you mean {close[0]}?" if close else ""


def text(value: str) -> str:
    """Return a text on one line. Raise `ValueError` if it is empty."""
    value = one_line(value)
    if not value:
        raise ValueError("must not be empty")
    return value


def _file_path(value: str) -> str:
    return expand_home(text(value))


def _include(value: str) -> str:
    value = text(value)
    if value.startswith("!") or may_match_articles(value):
        return value
    hint = "; write a pattern for each ending, because gitignore patterns have no {a,b}" if "{" in value else ""
    raise ValueError(f"{printable_excerpt(value)} matches no article: article files end in {', '.join(SUFFIXES)}{hint}")


def _http_url(value: str) -> str:
    url = absolute_url(value.strip(), "")
    if url is None or url_scheme(url) not in ("http", "https") or urlsplit(url).query or urlsplit(url).fragment:
        suggestion = similar_url(value)
        hint = f"; did you mean {printable_excerpt(suggestion)}?" if suggestion else ""
        raise ValueError(f"must be a URL like https://news.example, without ? or #{hint}")
    return url


def similar_url(address: str) -> str:
    """Return the URL for the address of a host without a scheme, or an empty string."""
    address = address.strip()
    url = absolute_url(f"https://{address}", "") or ""
    is_host = "." in (urlsplit(url).hostname or "") and not set("@?#\\").intersection(address) and "//" not in address
    return url if is_host else ""


def _icon(value: str) -> str:
    if url_scheme(value) not in ("", "http", "https") or not one_line(value):
        raise ValueError("must be a path on the site, or an http(s) URL")
    return one_line(value)


def base_url(value: str) -> str:
    """Return the URL of a site without a slash at its end. Raise `ValueError` if it can't be one."""
    return _http_url(value).rstrip("/")


def timezone(value: str) -> str:
    """Return the name of a time zone. Raise `ValueError` if the IANA database doesn't have it."""
    try:
        zoneinfo.ZoneInfo(value)
    except (ValueError, OSError, zoneinfo.ZoneInfoNotFoundError):
        raise ValueError("is not an IANA time zone" + did_you_mean(value, zoneinfo.available_timezones())) from None
    return value


def language_tag(value: str) -> str:
    """Return a language tag. Raise `ValueError` if the text is not a language tag."""
    if not is_language_tag(value):
        raise ValueError("is not a language tag; write it like en or pt-BR")
    return value


def _email(value: str) -> str:
    if not re.fullmatch(r"[^@\s<>()]+@[^@\s<>()]+", value):
        raise ValueError("is not an e-mail address")
    return value


def authority(value: str) -> str:
    """Return the authority of ids. Raise `ValueError` if RFC 4151 doesn't allow it."""
    if not re.fullmatch(r"([\w.+-]+@)?[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?", value):
        raise ValueError("must be a domain name or an e-mail address (RFC 4151)")
    return value


def _permalink(value: str) -> str:
    _require_parts(value, PLACEHOLDERS)
    if not value.startswith("/") or not _NAMING.search(value):
        raise ValueError("must begin with / and contain {slug}, {path}, {file}, {name}, {title} or {headline}")
    return value


def _id_pattern(value: str) -> str:
    _require_parts(value, (*PLACEHOLDERS, "link"))
    if not url_scheme(value) or not (re.search(r"\{link[:}]", value) or _NAMING.search(value)):
        raise ValueError(
            "must be an absolute IRI like https://old.example{link}, and contain {link}, {slug}, {path} or {file}"
        )
    return value


def _require_parts(value: str, parts: Sequence[str]) -> None:
    for placeholder in re.findall(r"\{([^{}]*+)[{}]", value):
        part, *spellings = placeholder.split(":")
        shown = f"{{{printable_excerpt(placeholder)}}}"
        if part not in parts:
            raise ValueError(f"{shown} is not a placeholder" + did_you_mean(part, parts))
        for spelling in spellings:
            if spelling not in MODIFIERS:
                reason = f"{shown}: {printable_excerpt(spelling)} is not a modifier"
                raise ValueError(reason + did_you_mean(spelling, MODIFIERS))


def _permalinks(value: dict[str, str]) -> dict[str, str]:
    return {folder.strip("/"): pattern for folder, pattern in value.items()}


def _cron(value: Any) -> CronSchedule:
    if isinstance(value, CronSchedule):
        return value
    if not isinstance(value, str):
        raise ValueError("must be text")  # noqa: TRY004  # pydantic reports a ValueError
    return parse_cron(value)


def _state(value: str) -> str:
    if not re.match(r"sqlite:///.|postgresql://.", value):  # the value is not quoted: it may have a password
        raise ValueError("must be sqlite:///PATH or postgresql://USER@HOST/DATABASE")
    prefix = "sqlite:///"
    return prefix + expand_home(value.removeprefix(prefix)) if value.startswith(prefix) else value


def export_path(value: Any) -> Path | str:
    """Return the path of a folder, or the URL of an object store as a text. Raise `ValueError` for an invalid URL."""
    target = _require_text(value)
    if ("://" in target or _STORE_TYPO.match(target)) and not _STORE_URL.fullmatch(
        target
    ):  # the value is not quoted: it may have a secret key
        raise ValueError(
            "must be a folder, or s3://BUCKET/PREFIX, gs://… or az://…; put credentials into environment variables"
        )
    return text(target) if "://" in target else Path(_file_path(target))


def _require_text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("must be text")  # noqa: TRY004  # pydantic reports a ValueError
    return value


def _purge(value: Any) -> PurgeRequest | tuple[str, ...]:
    """Return the request that purges a file, or the words of a command that does."""
    value = _require_text(value)
    if request := _PURGE_REQUEST.fullmatch(value):
        if not re.search(r"\{(url|raw|path)\}", request["url"]):
            raise ValueError("must have the URL to purge: PURGE {raw}, or POST https://cdn.example/purge?url={url}")
        if not request["method"] and request["url"].startswith("{raw}"):
            raise ValueError("must have a method or a command: PURGE {raw}")
        return PurgeRequest(request["method"] or "GET", request["url"])
    if _PURGE_TYPO.fullmatch(value):
        raise ValueError("must have a URL, or its placeholder {raw}: PURGE {raw}")
    return _command(value)


def _aliases(value: dict[str, str]) -> dict[str, str]:
    aliases = {unquote(alias): unquote(path) for alias, path in value.items()}
    for alias, path in aliases.items():
        shown, shown_path = printable_excerpt(alias), printable_excerpt(path)
        if "?" in alias or "#" in alias:
            raise ValueError(f"{shown} is not a path: a query or fragment can't select a feed")
        if taken := alias_conflict(alias):
            raise ValueError(f"{shown} can't be an alias: it is {taken}")
        if path in aliases:
            raise ValueError(f"{shown} leads to {shown_path}, which is an alias itself")
        if not any(path.endswith(document) for document in SITE_DOCUMENTS):
            raise ValueError(f"{shown} leads to {shown_path}, but must lead to an rss.xml, atom.xml or feed.json")
    return aliases


def _command(value: Any) -> tuple[str, ...]:
    """Return the words of a command."""
    value = _require_text(value)
    if len(value) > MAX_COMMAND_LENGTH:  # `shlex` takes quadratic time
        raise ValueError(f"must have at most {MAX_COMMAND_LENGTH:,} characters; put the command into a script")
    try:
        words = shlex.split(value)
    except ValueError as error:
        raise ValueError(f"is not a command: {error}") from None
    if not words:
        raise ValueError("must not be empty")
    return tuple(words)


def _secret(value: str) -> str:
    if len(value) < _MIN_SECRET_LENGTH or not value.isascii() or not value.isprintable():
        raise ValueError(
            f"must have at least {_MIN_SECRET_LENGTH} ASCII characters; create one with: openssl rand -hex 20"
        )
    return value


def _rule(value: str) -> str:
    from feeds.core.lint import RULES  # imported only if it is needed
    from feeds.core.lint.aggregators import REQUIREMENTS

    if value not in RULES and value not in REQUIREMENTS:
        similar = did_you_mean(value, [*RULES, *REQUIREMENTS])
        raise ValueError(f"'{printable_excerpt(value)}' is not a rule of feeds check{similar}")
    return value


def _reader(value: str) -> str:
    if not _WITH_SCHEME.match(value) or not {"{url}", "{raw}"} & set(re.findall(r"\{[^}]{0,200}\}", value)):
        raise ValueError("must be a link like https://reader.example/add?url={url}, or app:{raw}")
    if url_scheme(value) in {"javascript", "data", "vbscript", "file"}:
        raise ValueError(f"must not begin with {url_scheme(value)}:")
    return value


def _readers(value: Any) -> Any:
    """Merge with the default links; drop readers whose link is false, null or empty."""
    if not isinstance(value, dict):
        return value
    known_names = {name.lower(): name for name in READER_LINKS}
    links: dict[str, Any] = {known_names.get(str(name).lower(), str(name)): link for name, link in value.items()}
    for name, link in links.items():
        if link in (None, "", False) and name not in READER_LINKS:
            raise ValueError(f"{printable_excerpt(name)} is not a known reader" + did_you_mean(name, READER_LINKS))
    return {name: link for name, link in {**READER_LINKS, **links}.items() if link not in (None, "", False)}


def _header(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9-]+", value):
        raise ValueError("must be the name of a header, like X-Real-IP")
    return value


def _host(value: str) -> str:
    value = text(value)
    try:
        value.encode("idna")  # as the socket module does
    except UnicodeError:
        raise ValueError("must be the name or the address of a host") from None
    return value


def _address(value: Any) -> NetworkAddress:
    host, _, port = _require_text(value).rpartition(":")
    if host:
        _host(host)
    if not host or not _PORT.fullmatch(port) or not 0 < int(port) < 65536:  # noqa: PLR2004
        raise ValueError("must be an address and a port, like 127.0.0.1:9464")
    return NetworkAddress(host.strip("[]"), int(port))


def _footer(value: Any) -> str:
    if isinstance(value, (dict, list)):
        raise ValueError("must be text; put it into quotes, because { and [ have a meaning in YAML")  # noqa: TRY004  # pydantic reports a ValueError
    footer = one_line(_require_text(value))
    if len(footer) > _MAX_FOOTER_LENGTH:
        raise ValueError(f"must have at most {_MAX_FOOTER_LENGTH:,} characters")
    for placeholder in re.findall(r"\{([^{}\s]*)\}", footer):
        if placeholder not in FOOTER_PLACEHOLDERS:
            reason = f"{{{printable_excerpt(placeholder)}}} is not a placeholder"
            raise ValueError(reason + did_you_mean(placeholder, FOOTER_PLACEHOLDERS))
    return footer


def _link_query(value: str) -> str:
    if value.startswith("?"):
        raise ValueError(f"must not begin with ?; write {printable_excerpt(value.lstrip('?'))}")
    if "&amp;" in value:
        raise ValueError(f"must have & instead of &amp;; write {printable_excerpt(value.replace('&amp;', '&'))}")
    if wrong := _NOT_IN_QUERY.search(value):
        hint = f"; write {quote(wrong[0])}" if wrong[0].isprintable() else ""
        shown = "a space" if wrong[0] == " " else f"'{printable_excerpt(wrong[0])}'"
        raise ValueError(f"must not contain {shown}{hint}")
    if not all(part.partition("=")[0] for part in value.split("&")) and value:
        raise ValueError("must be parameters like utm_source=rss&utm_medium=feed")
    return value


def _archives(value: Any) -> Any:
    if value not in (True, False, "all"):
        raise ValueError("must be true, false or all")
    return value


def _group_name(value: str) -> str:
    if any(not slugify(part) for part in value.strip("/").split("/")):
        raise ValueError(f"{printable_excerpt(value)} is not a name: it has no letters or digits")
    return value


def _names(value: tuple[str, ...]) -> tuple[str, ...]:
    if not value:
        raise ValueError("must have at least one name")
    return value


def _one_or_many(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


# `json_schema_input_type`: the type in config.yaml, which `feeds.config.json_schema` describes
_OneOrMany = BeforeValidator(_one_or_many, json_schema_input_type=str | list[str])
Text = Annotated[str, AfterValidator(text), WithJsonSchema({"type": ["string", "number"]})]  # title: 2024
Texts = Annotated[tuple[Text, ...], _OneOrMany]
Names = Annotated[tuple[Annotated[Text, AfterValidator(_group_name)], ...], _OneOrMany, AfterValidator(_names)]
FilePath = Annotated[str, AfterValidator(_file_path)]
Include = Annotated[tuple[Annotated[str, AfterValidator(_include)], ...], _OneOrMany]
Url = Annotated[str, AfterValidator(_http_url)]
BaseUrl = Annotated[str, AfterValidator(base_url)]
UrlPath = Annotated[str, Field(pattern="^/")]
Icon = Annotated[str, AfterValidator(_icon)]
TimeZone = Annotated[str, AfterValidator(timezone)]
Language = Annotated[str, AfterValidator(language_tag)]
Email = Annotated[str, AfterValidator(_email)]
Authority = Annotated[str, AfterValidator(authority)]
Permalink = Annotated[str, AfterValidator(_permalink)]
Permalinks = Annotated[dict[Text, Permalink], AfterValidator(_permalinks)]
IdPattern = Annotated[str, AfterValidator(_id_pattern)]
Footer = Annotated[str, PlainValidator(_footer, json_schema_input_type=str)]
LinkQuery = Annotated[str, AfterValidator(_link_query)]
Archives = Annotated[bool | Literal["all"], BeforeValidator(_archives)]
Aliases = Annotated[dict[UrlPath, UrlPath], AfterValidator(_aliases)]
ReaderLinks = Annotated[
    dict[Text, Annotated[str, AfterValidator(_reader)]],
    BeforeValidator(_readers, json_schema_input_type=dict[str, str | Literal[False] | None]),
]
Host = Annotated[str, AfterValidator(_host)]
Header = Annotated[str, AfterValidator(_header)]
Address = Annotated[NetworkAddress, PlainValidator(_address, json_schema_input_type=str)]
Cron = Annotated[CronSchedule, PlainValidator(_cron, json_schema_input_type=str)]
Command = Annotated[tuple[str, ...], PlainValidator(_command, json_schema_input_type=str)]
Secret = Annotated[str, AfterValidator(_secret)]
ExportPath = Annotated[Path | str, PlainValidator(export_path, json_schema_input_type=str)]
Purge = Annotated[PurgeRequest | tuple[str, ...], PlainValidator(_purge, json_schema_input_type=str)]
State = Annotated[str, AfterValidator(_state)]
Rules = Annotated[tuple[Annotated[str, AfterValidator(_rule)], ...], _OneOrMany]
