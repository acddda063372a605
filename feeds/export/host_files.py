"""The configuration of static hosts for an export: media types, caching and CORS, in the files that each host reads.

An object store has no such file, and stores the headers of each object (`ObjectHeaders`), without CORS and nosniff,
which it can't store. The headers are those that `feeds serve` sends with a document, except those that depend on the
time or on the catalog: the next scheduled change, and which archives are immutable.

A new header of documents is added to `_document_headers`, one of pages to `_page_headers`, and both also to the
responses of `feeds serve` (`feeds.web`). The function of each host writes all headers of the two. `ObjectHeaders` uses
only Cache-Control of these: if object stores can keep a new header, add it to that class too. Another host is a
function in `render_host_files`, and a value of `export.hosts`.
"""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from feeds.catalog import MovedPage
from feeds.core import paths, policy
from feeds.core.formats import FORMATS
from feeds.core.model import Site
from feeds.core.parse import media
from feeds.core.paths import OPML
from feeds.core.text import quote_path
from feeds.render.cache_policy import document_cache_policy

_FIRST_LINE = "# Made by feeds build.\n"
_MAX_CLOUDFLARE_RULES = 100  # Cloudflare ignores further ones
# Cloudflare reads at most 2,000 redirects, lines of at most 1,000 characters, and 100 kB. Apache compares every request
# with each of its redirects.
_MAX_REDIRECTS = 2_000
_MAX_REDIRECT_CHARS = 1_000
_MAX_REDIRECT_BYTES = 95_000
_PLAIN_PATH = re.compile(r"/[\w./~-]*")  # without characters that have a meaning in the syntax of a host
_OPML_TYPE = "text/x-opml; charset=utf-8"
# the manifest, its marks and the files of hosts, which are not for visitors
_PRIVATE_FILES = r"\.feeds-[^/]*|\.htaccess|_headers|_redirects|feeds\.nginx\.conf"
_NGINX_INTERNAL = ("  internal;", "  gzip_static on;")
_NOSNIFF = {"X-Content-Type-Options": "nosniff"}
_PAGE_TYPES = {
    "html": "text/html; charset=utf-8", "htm": "text/html; charset=utf-8", "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8", "xml": "application/xml; charset=utf-8",
}  # fmt: skip


class _TypedPath(NamedTuple):
    """A path or a pattern of paths, and the media type of the files there."""

    path: str
    media_type: str


class _PathPolicy(NamedTuple):
    """A pattern of paths, and the Content-Security-Policy of the files there."""

    path: str
    policy: str


@dataclass(frozen=True, slots=True)
class ObjectHeaders:
    """The HTTP headers of each file of an export, for object stores, by the file's path."""

    site: Site
    aliases: Mapping[str, str]

    def __call__(self, path: str) -> dict[str, str]:
        """Return the headers of the file at a path. All files have the Cache-Control header of documents."""
        name = self.aliases.get(path, path).rpartition("/")[2]
        extension = name.rpartition(".")[2].lower()
        media_type = _document_types().get(name) or _PAGE_TYPES.get(extension) or media.media_type(name)
        if name == OPML:
            media_type = _OPML_TYPE
        elif not media_type or (media_type.startswith("text/") and "charset" not in media_type):
            media_type = f"{media_type or 'text/plain'}; charset=utf-8"  # hosts' files have no extension
        headers = {"Content-Type": media_type, "Cache-Control": _document_headers(self.site)["Cache-Control"]}
        if extension in media.SCRIPTABLE_EXTENSIONS:  # stores send no Content-Security-Policy; images still work
            headers["Content-Disposition"] = "attachment"
        return headers


def select_redirects(moved_pages: Iterable[MovedPage]) -> dict[str, str]:
    """Return the former addresses of pages that hosts can redirect, within their limits, each with its target.

    All hosts get the same ones. `SitePages` exports a page at each of the others.
    """
    redirects: dict[str, str] = {}
    size = 0
    for page, target in moved_pages:
        chars = len(quote_path(page)) + len(quote_path(target))
        if len(redirects) >= _MAX_REDIRECTS or size > _MAX_REDIRECT_BYTES:
            break
        is_plain = _PLAIN_PATH.fullmatch(page) and _PLAIN_PATH.fullmatch(target) and not media.media_type(page)
        if is_plain and chars <= _MAX_REDIRECT_CHARS and _without_ending(page) != _without_ending(target):
            redirects[page] = target
            size += chars
    return redirects


def render_host_files(
    site: Site,
    hosts: Collection[str],
    aliases: Mapping[str, str],
    redirects: Mapping[str, str],
    *,
    has_error_page: bool = False,
) -> dict[str, str]:
    """Return the files that some hosts read, by path in the export.

    Args:
        site: the site.
        hosts: any of netlify, cloudflare, apache and nginx.
        aliases: the aliases, each with its document's path.
        redirects: former addresses of pages, each with its target, as `select_redirects` returns them.
        has_error_page: whether the export has the page `/404.html`.
    """
    max_rules = _MAX_CLOUDFLARE_RULES if "cloudflare" in hosts else None
    headers = partial(_headers, max_rules=max_rules)
    writers: Mapping[str, tuple[str, Callable[[Site, Mapping[str, str]], str]]] = {
        "netlify": (paths.HEADERS_FILE, headers),
        "cloudflare": (paths.HEADERS_FILE, headers),
        "apache": (paths.HTACCESS, partial(_htaccess, redirects=redirects, has_error_page=has_error_page)),
        "nginx": (paths.NGINX_FILE, partial(_nginx, redirects=redirects, has_error_page=has_error_page)),
    }
    selected = dict(writers[host] for host in hosts)
    files = {path: f"{_FIRST_LINE}{write(site, aliases)}" for path, write in selected.items()}
    if redirects and paths.HEADERS_FILE in files:  # a folder without moved pages may have a _redirects of its own
        files[paths.REDIRECTS_FILE] = _FIRST_LINE + _redirects(site, redirects)
    return files


def omitted_aliases(site: Site, hosts: Collection[str], aliases: Mapping[str, str]) -> list[str]:
    """Return the aliases that exceed the number of rules that a host reads."""
    if "cloudflare" not in hosts:
        return []
    rules_left = _MAX_CLOUDFLARE_RULES - len(_document_patterns()) - len(_page_policies(site))
    return [alias.path for alias in list(_typed_aliases(aliases))[rules_left:]]


def _document_headers(site: Site) -> dict[str, str]:
    """Return the headers of all documents, without the media type."""
    cache_control = document_cache_policy(site).cache_control().value
    return {"Cache-Control": cache_control, "Access-Control-Allow-Origin": "*", **_NOSNIFF}


def _page_headers(content_security_policy: str) -> dict[str, str]:
    """Return the headers of pages, and of files with scripts."""
    return {"Content-Security-Policy": content_security_policy, **_NOSNIFF}


def _document_types() -> dict[str, str]:
    """Return the media types of documents by file name, with the charset if the type has one."""
    return {format_.filename: format_.content_type for format_ in FORMATS}


def _document_patterns() -> list[_TypedPath]:
    """Return patterns that match all documents, in the syntax of `_headers`."""
    return [
        _TypedPath(path, media_type)
        for name, media_type in _document_types().items()
        for path in (f"/{name}", f"/*/{name}")
    ]


def _page_policies(site: Site) -> list[_PathPolicy]:
    """Return the policies of pages and files, in the syntax of `_headers`.

    There are none if the folder may belong to another site, whose pages may need what these policies forbid. The pages
    of the export have a `meta` element with the policy too.
    """
    if not (site.pages or site.feeds_url != site.url):
        return []
    extensions = media.SCRIPTABLE_EXTENSIONS if site.pages else ()
    files = [_PathPolicy(f"/*.{extension}", policy.FILE) for extension in extensions]
    return [*(_PathPolicy(path, policy.PAGE_HEADER) for path in ("/", "/*/", "/*.html")), *files]


def _typed_aliases(aliases: Mapping[str, str]) -> Iterator[_TypedPath]:
    """Yield the aliases whose names don't imply the media type; aliases of the site's feed first."""
    types = _document_types()
    for alias, path in sorted(aliases.items(), key=lambda item: (item[1].count("/"), item[0])):
        name = path.rpartition("/")[2]
        if not alias.endswith(("/", f"/{name}")) and name in types and alias.isprintable():
            yield _TypedPath(alias, types[name])


def _headers(site: Site, aliases: Mapping[str, str], max_rules: int | None) -> str:
    """Return the file `_headers` of Netlify and Cloudflare."""
    pages = [(path, _page_headers(policy_)) for path, policy_ in _page_policies(site)]
    quoted_aliases = [_TypedPath(quote_path(alias), media_type) for alias, media_type in _typed_aliases(aliases)]
    documents = [
        (path, {"Content-Type": media_type, **_document_headers(site)})
        for path, media_type in [*_document_patterns(), *quoted_aliases]
    ]
    lines = []
    for path, headers in [*pages, *documents][:max_rules]:
        lines += [path, *(f"  {name}: {value}" for name, value in headers.items())]
    return "\n".join([*lines, ""])


def _redirects(site: Site, redirects: Mapping[str, str]) -> str:
    """Return the file `_redirects` of Netlify and Cloudflare. Netlify's documentation has no status 308."""
    base = urlsplit(site.url).path
    return "".join(f"{quote_path(page)} {base}{quote_path(target)} 301\n" for page, target in redirects.items())


def _htaccess(site: Site, aliases: Mapping[str, str], redirects: Mapping[str, str], *, has_error_page: bool) -> str:
    """Return the file `.htaccess` of Apache, which itself is not public."""
    base = unquote(urlsplit(site.url).path)
    lines = [f"ErrorDocument 404 {urlsplit(site.url).path}{paths.NOT_FOUND}"] if has_error_page else []
    lines += [  # Apache decodes the requested path, and encodes the target
        "<IfModule mod_alias.c>",
        f'RedirectMatch 404 "/({_PRIVATE_FILES})$"',
        *(f'RedirectMatch 308 "^{re.escape(page)}$" "{base}{target}"' for page, target in redirects.items()),
        "</IfModule>",
    ]
    if _page_policies(site):
        files = [("|".join(media.SCRIPTABLE_EXTENSIONS), policy.FILE)] if site.pages else []
        for extensions, policy_ in (("html?", policy.PAGE_HEADER), *files):
            lines += _apache_section("FilesMatch", f'"(?i)\\.({extensions})$"', _page_headers(policy_))
    documents = [("Files", f'"{name}"', media_type) for name, media_type in _document_types().items()]
    # A file name is not enough: /index.xml may be RSS, and /blog/index.xml Atom. Both sides are percent-decoded.
    documents += [
        ("If", _quote(f"%{{REQUEST_URI}} == '{_escape(alias)}'"), media_type)
        for alias, media_type in _typed_aliases(aliases)
    ]
    for section, condition, media_type in documents:
        lines += _apache_section(section, condition, _document_headers(site), f'  ForceType "{media_type}"')
    return "\n".join([*lines, ""])


def _apache_section(name: str, condition: str, headers: Mapping[str, str], *directives: str) -> list[str]:
    return [
        f"<{name} {condition}>",
        *directives,
        "  <IfModule mod_headers.c>",
        *(f'    Header set {header} "{value}"' for header, value in headers.items()),
        "  </IfModule>",
        f"</{name}>",
    ]


def _nginx(site: Site, aliases: Mapping[str, str], redirects: Mapping[str, str], *, has_error_page: bool) -> str:
    """Return a file of locations to include in a server block of nginx. nginx matches percent-decoded paths."""
    lines = [
        "# include it in the server block whose root is this folder",
        # before the other regular expressions, because nginx uses the first one that matches
        f"location ~ ^/({_PRIVATE_FILES})$ {{ return 404; }}",
    ]
    if has_error_page:
        lines.append(f"error_page 404 {paths.NOT_FOUND};")
        headers = _nginx_page_headers(policy.PAGE_HEADER)
        lines += _nginx_location(f"= {paths.NOT_FOUND}", _NGINX_INTERNAL, headers, is_error=True)
    lookup = ["  try_files $uri $uri.html $uri/index.html =404;", "  gzip_static on;"] if site.pages else []
    if _page_policies(site):
        lines += _nginx_location("/", lookup, _nginx_page_headers(policy.PAGE_HEADER))
    for page, target in redirects.items():  # relative, because nginx may not know the site's scheme and port
        lines.append(f"location = {_quote(page)} {{ return 308 {_quote(paths.relative_link(page, target))}; }}")
    documents = [
        _TypedPath(f"~ /{name.replace('.', chr(92) + '.')}$", media_type)
        for name, media_type in _document_types().items()
    ]
    documents += [_TypedPath(f"= {_quote(alias)}", media_type) for alias, media_type in _typed_aliases(aliases)]
    documents.append(_TypedPath(f"= /{OPML}", _OPML_TYPE))
    headers = {**_document_headers(site), "Vary": "Accept-Encoding"}
    for location, media_type in documents:
        directives = ["  types {}", f'  default_type "{media_type}";', "  gzip_static on;"]
        lines += _nginx_location(location, directives, headers)
    if site.pages:  # last, because nginx takes the first regular expression that matches
        inert = [extension for extension in media.FILE_EXTENSIONS if extension not in media.SCRIPTABLE_EXTENSIONS]
        scriptable = "|".join(media.SCRIPTABLE_EXTENSIONS)
        lines += _nginx_location(f"~* \\.({scriptable})$", lookup, _nginx_page_headers(policy.FILE))
        lines += _nginx_location(f"~* \\.({'|'.join(inert)})$", lookup, _NOSNIFF)
    return "\n".join([*lines, ""])


def _nginx_location(
    location: str, directives: Sequence[str], headers: Mapping[str, str], *, is_error: bool = False
) -> list[str]:
    """Return a location. `is_error`: its responses have a status for which nginx adds no headers by default."""
    always = " always" if is_error else ""
    words = {name: value if value.replace("-", "").isalpha() else f'"{value}"' for name, value in headers.items()}
    return [
        f"location {location} {{",
        *directives,
        *(f"  add_header {name} {word}{always};" for name, word in words.items()),
        "}",
    ]


def _nginx_page_headers(content_security_policy: str) -> dict[str, str]:
    """Return the headers of pages in the order of earlier versions: an upgrade must not change the file."""
    return dict(reversed(_page_headers(content_security_policy).items()))


def _quote(text: str) -> str:
    """Return a quoted word of a configuration, for Apache and nginx."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _escape(text: str) -> str:
    """Return the content of a string in an expression of Apache, where `%{` and `$1` have a meaning."""
    return "".join(f"\\{letter}" if letter in "\\'{$" else letter for letter in text)


def _without_ending(page: str) -> str:
    """Return a path without the ending that some hosts add or remove by themselves: a redirect would never end."""
    return page.rstrip("/").removesuffix(".html").removesuffix(".htm").casefold()
