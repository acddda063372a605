"""What a value of config.yaml may be: for each kind what gives it back, or says in a sentence what is wrong."""

import difflib
import re
import shlex
import zoneinfo
from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Literal
from urllib.parse import unquote, urlsplit

from pydantic import AfterValidator, BeforeValidator, Field

from feeds.article_files import SUFFIXES, may_match
from feeds.paths import SITE_DOCUMENTS, alias_conflict
from feeds.patterns import NAMING, PARTS, SPELLINGS
from feeds.text import absolute, one_line, scheme

_NAMING = re.compile(rf"\{{({'|'.join(NAMING)})(:\w+)*\}}")
READERS = {  # name -> how a feed is subscribed to with it: {url} is the feed's address, encoded; {raw}, as it is
    "your reader": "feed:{raw}",
    "Feedly": "https://feedly.com/i/subscription/feed/{url}",
    "Inoreader": "https://www.inoreader.com/?add_feed={url}",
    "NewsBlur": "https://www.newsblur.com/?url={url}",
    "Feedbin": "https://feedbin.com/?subscribe={url}",
    "The Old Reader": "https://theoldreader.com/feeds/subscribe?url={url}",
}
_SCHEMED = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*:\S+$")
_SHORTEST_SECRET = 16  # characters
MAX_COMMAND_LENGTH = 10_000  # characters
_STORE = re.compile(r"(s3|gs|az)://(?!.*/\.\.?(/|$))[A-Za-z0-9][A-Za-z0-9._-]*(/[^?#]*)?")
_LIKE_A_STORE = re.compile(r"(s3|gs|gcs|az|azure)(:|//)")  # ./s3: is a folder
PURGE = re.compile(r"((?P<method>[A-Z]+) )?(?P<url>(https?://|\{raw\})\S*)")  # else it is a command
_METHOD = re.compile(r"[A-Z]+ \S*\{\w+\}\S*")
_CRON_FIELD = re.compile(r"[\d*/,A-Za-z-]+")


def did_you_mean(word: str, words: Iterable[str]) -> str:
    close = difflib.get_close_matches(word, list(words), n=1)
    return f"; did you mean {close[0]}?" if close else ""


def _text(value: str) -> str:
    value = one_line(value)
    if not value:
        raise ValueError("must not be empty")
    return value


def _include(value: str) -> str:
    value = _text(value)
    if value.startswith("!") or may_match(value):
        return value
    one_each = "; write a pattern for each ending, {a,b} is none of gitignore's" if "{" in value else ""
    raise ValueError(f"{value} can match nothing: article files end in {', '.join(SUFFIXES)}{one_each}")


def _http_url(value: str) -> str:
    url = absolute(value.strip(), "")
    if url is None or scheme(url) not in ("http", "https") or urlsplit(url).query or urlsplit(url).fragment:
        raise ValueError("must be a URL like https://news.example, without ? or #")
    return url


def _icon(value: str) -> str:
    if scheme(value) not in ("", "http", "https") or not one_line(value):
        raise ValueError("must be a path on the site, or an http(s) URL")
    return one_line(value)


def _base_url(value: str) -> str:
    return _http_url(value).rstrip("/")


def _timezone(value: str) -> str:
    try:
        zoneinfo.ZoneInfo(value)
    except (ValueError, OSError, zoneinfo.ZoneInfoNotFoundError):
        raise ValueError("is no IANA time zone" + did_you_mean(value, zoneinfo.available_timezones())) from None
    return value


def _language(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*", value):
        raise ValueError("is no language tag; write it like en or pt-BR")
    return value


def _email(value: str) -> str:
    if not re.fullmatch(r"[^@\s<>()]+@[^@\s<>()]+", value):
        raise ValueError("is no e-mail address")
    return value


def _authority(value: str) -> str:
    if not re.fullmatch(r"([\w.+-]+@)?[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?", value):
        raise ValueError("must be a domain name or an e-mail address (RFC 4151)")
    return value


def _permalink(value: str) -> str:
    _require_parts(value, PARTS)
    if not value.startswith("/") or not _NAMING.search(value):
        raise ValueError("must begin with / and hold {slug}, {path}, {file}, {name}, {title} or {headline}")
    return value


def _id_pattern(value: str) -> str:
    _require_parts(value, (*PARTS, "link"))
    if not scheme(value) or not (re.search(r"\{link[:}]", value) or _NAMING.search(value)):
        raise ValueError(
            "must be an absolute IRI like https://old.example{link}, with {link}, {slug}, {path} or {file}"
        )
    return value


def _require_parts(value: str, parts: Sequence[str]) -> None:
    for said in re.findall(r"\{([^{}]*+)[{}]", value):
        part, *spellings = said.split(":")
        if part not in parts:
            raise ValueError(f"{{{said}}} is no part of an article" + did_you_mean(part, parts))
        for spelling in spellings:
            if spelling not in SPELLINGS:
                raise ValueError(f"{{{said}}}: {spelling} is no way to spell it" + did_you_mean(spelling, SPELLINGS))


def _permalinks(value: dict[str, str]) -> dict[str, str]:
    return {folder.strip("/"): pattern for folder, pattern in value.items()}


def _cron(value: str) -> str:
    fields = value.split()
    if len(fields) != 5 or not all(_CRON_FIELD.fullmatch(field) for field in fields):  # noqa: PLR2004
        raise ValueError('must have five fields like "*/15 * * * *"')
    return value


def _state(value: str) -> str:
    if not re.match(r"sqlite:///.|postgresql://.", value):  # which is not shown: there may be a password in it
        raise ValueError("must be sqlite:///PATH or postgresql://USER@HOST/DATABASE")
    return value


def tree(value: str) -> str:
    """Give back a folder, or an object store's URL. Raises `ValueError`."""
    if ("://" in value or _LIKE_A_STORE.match(value)) and not _STORE.fullmatch(
        value
    ):  # which is not repeated: somebody may have put a key into it
        raise ValueError(
            "must be a folder, or s3://BUCKET/PREFIX, gs:// or az:// likewise; credentials belong into the environment"
        )
    return _text(value)


def _purge(value: str) -> str:
    if request := PURGE.fullmatch(value):
        if not re.search(r"\{(url|raw|path)\}", request["url"]):
            raise ValueError("must say what is purged: PURGE {raw}, or POST https://cdn.example/purge?url={url}")
        if not request["method"] and request["url"].startswith("{raw}"):
            raise ValueError("must say how it is purged: PURGE {raw}")
        return value
    if _METHOD.fullmatch(value):
        raise ValueError("must name an address, or {raw}, which stands for it: PURGE {raw}")
    return _command(value)


def _aliases(value: dict[str, str]) -> dict[str, str]:
    aliases = {unquote(alias): unquote(path) for alias, path in value.items()}
    for alias, path in aliases.items():
        if "?" in alias or "#" in alias:
            raise ValueError(f"{alias} is no path: a feed is found by its path alone, whatever the query")
        if taken := alias_conflict(alias):
            raise ValueError(f"{alias} is {taken}, and no alias")
        if path in aliases:
            raise ValueError(f"{alias} leads to {path}, which is an alias itself")
        if not any(path.endswith(document) for document in SITE_DOCUMENTS):
            raise ValueError(f"{alias} leads to {path}, and must lead to an rss.xml, atom.xml or feed.json")
    return aliases


def _command(value: str) -> str:
    if len(value) > MAX_COMMAND_LENGTH:  # `shlex` takes quadratic time
        raise ValueError(f"must have at most {MAX_COMMAND_LENGTH:,} characters; write a script, and run that")
    try:
        words = shlex.split(value)
    except ValueError as error:
        raise ValueError(f"is no command: {error}") from None
    if not words:
        raise ValueError("must not be empty")
    return value


def _secret(value: str) -> str:
    if len(value) < _SHORTEST_SECRET or not value.isascii() or not value.isprintable():
        raise ValueError(f"must be a secret of at least {_SHORTEST_SECRET} ASCII characters: openssl rand -hex 20")
    return value


def _rule(value: str) -> str:
    from feeds.lint import RULES  # which only `check` and this need

    if value not in RULES:
        raise ValueError(f"{value!r} is no rule of feeds check" + did_you_mean(value, RULES))
    return value


def _reader(value: str) -> str:
    if not _SCHEMED.match(value) or not {"{url}", "{raw}"} & set(re.findall(r"\{[^}]{0,200}\}", value)):
        raise ValueError("must be a link like https://reader.example/add?url={url}, or app:{raw}")
    if scheme(value) in {"javascript", "data", "vbscript", "file"}:
        raise ValueError(f"must not begin with {scheme(value)}:")
    return value


def _readers(value: Any) -> Any:
    """Leave out a reader that is set to nothing, and let people add to those that we know."""
    if not isinstance(value, dict):
        return value
    spelled = {name.lower(): name for name in READERS}
    mine: dict[str, Any] = {spelled.get(str(name).lower(), str(name)): link for name, link in value.items()}
    for name, link in mine.items():
        if link in (None, "", False) and name not in READERS:
            raise ValueError(f"{name} is none of those that we know" + did_you_mean(name, READERS))
    return {name: link for name, link in {**READERS, **mine}.items() if link not in (None, "", False)}


def _header(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9-]+", value):
        raise ValueError("must be the name of a header, like X-Real-IP")
    return value


def _address(value: str) -> str:
    host, _, port = value.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:  # noqa: PLR2004
        raise ValueError("must be an address and a port, like 127.0.0.1:9464")
    return value


def _archives(value: Any) -> Any:
    if value not in (True, False, "all"):
        raise ValueError("must be true, false or all")
    return value


def _one_or_many(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Text = Annotated[str, AfterValidator(_text)]
Texts = Annotated[tuple[Text, ...], BeforeValidator(_one_or_many)]
Include = Annotated[tuple[Annotated[str, AfterValidator(_include)], ...], BeforeValidator(_one_or_many)]
Url = Annotated[str, AfterValidator(_http_url)]
BaseUrl = Annotated[str, AfterValidator(_base_url)]
UrlPath = Annotated[str, Field(pattern="^/")]
Icon = Annotated[str, AfterValidator(_icon)]
TimeZone = Annotated[str, AfterValidator(_timezone)]
Language = Annotated[str, AfterValidator(_language)]
Email = Annotated[str, AfterValidator(_email)]
Authority = Annotated[str, AfterValidator(_authority)]
Permalink = Annotated[str, AfterValidator(_permalink)]
Permalinks = Annotated[dict[Text, Permalink], AfterValidator(_permalinks)]
IdPattern = Annotated[str, AfterValidator(_id_pattern)]
Archives = Annotated[bool | Literal["all"], BeforeValidator(_archives)]
Aliases = Annotated[dict[UrlPath, UrlPath], AfterValidator(_aliases)]
Readers = Annotated[dict[Text, Annotated[str, AfterValidator(_reader)]], BeforeValidator(_readers)]
Header = Annotated[str, AfterValidator(_header)]
Address = Annotated[str, AfterValidator(_address)]
Cron = Annotated[str, AfterValidator(_cron)]
Command = Annotated[str, AfterValidator(_command)]
Secret = Annotated[str, AfterValidator(_secret)]
Tree = Annotated[str, AfterValidator(tree)]
Purge = Annotated[str, AfterValidator(_purge)]
State = Annotated[str, AfterValidator(_state)]
Rules = Annotated[tuple[Annotated[str, AfterValidator(_rule)], ...], BeforeValidator(_one_or_many)]
