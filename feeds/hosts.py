"""What static hosts must be told of the exported documents: media types, caching and CORS, in each host's own file.

An object store is told of each file as it is written (`Sent`).

The same as `web.answer` says of a document when `feeds serve` gives it out, but for what only a server can know: the
next scheduled hour, and which archives are full.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

from feeds import paths, policy
from feeds.formats import FORMATS
from feeds.model import Site
from feeds.parse import media
from feeds.paths import OPML
from feeds.text import quote_path

_DAY = 86_400
_FIRST_LINE = "# Made by feeds build.\n"
_CLOUDFLARES_RULES = 100  # more are not read
_OPML = "text/x-opml; charset=utf-8"
_OURS = {
    "html": "text/html; charset=utf-8", "htm": "text/html; charset=utf-8", "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Sent:
    """The headers that each file of the tree is to be sent with, for what keeps them file by file."""

    site: Site
    aliases: Mapping[str, str]

    def __call__(self, path: str) -> dict[str, str]:
        """Give them for a path: documents as `feeds serve` sends them, and all for as long as documents."""
        name = self.aliases.get(path, path).rpartition("/")[2]
        ending = name.rpartition(".")[2].lower()
        kind = _types().get(name) or _OURS.get(ending) or media.media_type(name)
        if name == OPML:
            kind = _OPML
        elif not kind or (kind.startswith("text/") and "charset" not in kind):  # what hosts read has no ending
            kind = f"{kind or 'text/plain'}; charset=utf-8"
        headers = {"Content-Type": kind, "Cache-Control": _cache(self.site)}
        if ending in media.ACTIVE:  # a store keeps no Content-Security-Policy; pictures of pages are shown all the same
            headers["Content-Disposition"] = "attachment"
        return headers


def files(site: Site, hosts: Collection[str], aliases: Mapping[str, str]) -> dict[str, str]:
    """Give the files that some hosts look for, by path in the tree: netlify, cloudflare, apache, nginx."""
    most = _CLOUDFLARES_RULES if "cloudflare" in hosts else None
    headers = partial(_headers, most=most)
    writers: Mapping[str, tuple[str, Callable[[Site, Mapping[str, str]], str]]] = {
        "netlify": (paths.HEADERS_FILE, headers),
        "cloudflare": (paths.HEADERS_FILE, headers),
        "apache": (paths.HTACCESS, _htaccess),
        "nginx": (paths.NGINX_FILE, _nginx),
    }
    wanted = dict(writers[host] for host in hosts)
    return {path: f"{_FIRST_LINE}{write(site, aliases)}" for path, write in wanted.items()}


def left_out(site: Site, hosts: Collection[str], aliases: Mapping[str, str]) -> list[str]:
    """Give the aliases that a host is not told of, as it reads so many rules and no more."""
    if "cloudflare" not in hosts:
        return []
    return [
        alias for alias, _ in list(_places(aliases))[_CLOUDFLARES_RULES - len(_documents()) - len(_policies(site)) :]
    ]


def _cache(site: Site) -> str:
    return f"public, max-age={site.max_age}, stale-while-revalidate={min(site.max_age, 60)}, stale-if-error={_DAY}"


def _types() -> dict[str, str]:
    """Give file name -> media type, with its charset where the type has one."""
    return {format_.filename: format_.served_as for format_ in FORMATS}


def _documents() -> list[tuple[str, str]]:
    """Give (pattern, media type) of all documents, as hosts write patterns."""
    return [(path, media_type) for name, media_type in _types().items() for path in (f"/{name}", f"/*/{name}")]


def _policies(site: Site) -> list[tuple[str, str]]:
    """Return (pattern, Content-Security-Policy) of pages and files, as `_headers` has patterns.

    None where the folder may be another site's, whose pages may need what ours do not. Pages have a `meta` element too.
    """
    if not (site.pages or site.feeds_url != site.url):
        return []
    files = [(f"/*.{ending}", policy.FILE) for ending in media.ACTIVE] if site.pages else []
    return [("/", policy.SENT_PAGE), ("/*/", policy.SENT_PAGE), ("/*.html", policy.SENT_PAGE), *files]


def _places(aliases: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Give (alias, media type) of aliases that are files, but where their names say it already; the site's first."""
    types = _types()
    for alias, path in sorted(aliases.items(), key=lambda one: (one[1].count("/"), one[0])):
        name = path.rpartition("/")[2]
        if not alias.endswith(("/", f"/{name}")) and name in types and alias.isprintable():
            yield alias, types[name]


def _headers(site: Site, aliases: Mapping[str, str], most: int | None) -> str:
    lines = []
    for path, said in _policies(site):
        lines += [path, f"  Content-Security-Policy: {said}", "  X-Content-Type-Options: nosniff"]
    most = most and most - len(_policies(site))
    for path, media_type in [*_documents(), *((quote_path(alias), kind) for alias, kind in _places(aliases))][:most]:
        lines += [path, f"  Content-Type: {media_type}", f"  Cache-Control: {_cache(site)}",
                  "  Access-Control-Allow-Origin: *", "  X-Content-Type-Options: nosniff"]  # fmt: skip
    return "\n".join([*lines, ""])


def _htaccess(site: Site, aliases: Mapping[str, str]) -> str:
    sections = [("Files", f'"{name}"', media_type) for name, media_type in _types().items()]
    # a file's name is not enough: /index.xml may be RSS, and /blog/index.xml Atom. Both compare what is decoded.
    sections += [("If", _quoted(f"%{{REQUEST_URI}} == '{_escaped(alias)}'"), kind) for alias, kind in _places(aliases)]
    lines = []
    if _policies(site):
        files = [("|".join(media.ACTIVE), policy.FILE)] if site.pages else []
        for endings, said in (("html?", policy.SENT_PAGE), *files):
            lines += [
                f'<FilesMatch "(?i)\\.({endings})$">',
                "  <IfModule mod_headers.c>",
                f'    Header set Content-Security-Policy "{said}"',
                '    Header set X-Content-Type-Options "nosniff"',
                "  </IfModule>",
                "</FilesMatch>",
            ]
    for section, condition, media_type in sections:
        lines += [
            f"<{section} {condition}>",
            f'  ForceType "{media_type}"',
            "  <IfModule mod_headers.c>",
            f'    Header set Cache-Control "{_cache(site)}"',
            '    Header set Access-Control-Allow-Origin "*"',
            '    Header set X-Content-Type-Options "nosniff"',
            "  </IfModule>",
            f"</{section}>",
        ]
    return "\n".join([*lines, ""])


def _nginx(site: Site, aliases: Mapping[str, str]) -> str:
    places = [(f"~ /{name.replace('.', chr(92) + '.')}$", media_type) for name, media_type in _types().items()]
    places += [
        (f"= {_quoted(alias)}", media_type) for alias, media_type in _places(aliases)
    ]  # it compares what is decoded
    places.append((f"= /{OPML}", _OPML))
    lines = ["# include it in the server block whose root is this folder"]
    found = ["  try_files $uri $uri.html $uri/index.html =404;", "  gzip_static on;"] if site.pages else []
    if _policies(site):
        lines += ["location / {", *found, *_sent(policy.SENT_PAGE), "}"]
    for place, media_type in places:
        lines += [
            f"location {place} {{",
            "  types {}",
            f'  default_type "{media_type}";',
            "  gzip_static on;",
            f'  add_header Cache-Control "{_cache(site)}";',
            '  add_header Access-Control-Allow-Origin "*";',
            "  add_header X-Content-Type-Options nosniff;",
            "  add_header Vary Accept-Encoding;",
            "}",
        ]
    if site.pages:  # last: the first of these locations that fits is taken
        quiet = [ending for ending in media.ENDINGS if ending not in media.ACTIVE]
        lines += [f"location ~* \\.({'|'.join(media.ACTIVE)})$ {{", *found, *_sent(policy.FILE), "}"]
        lines += [f"location ~* \\.({'|'.join(quiet)})$ {{", *found, *_sent(""), "}"]
    return "\n".join([*lines, ""])


def _sent(said: str) -> list[str]:
    """Return nginx's lines for a page or a file, with a policy or without."""
    lines = ["  add_header X-Content-Type-Options nosniff;"]
    return [*lines, f'  add_header Content-Security-Policy "{said}";'] if said else lines


def _quoted(text: str) -> str:
    """Write a word of a configuration, for Apache and nginx alike."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _escaped(text: str) -> str:
    """Write what is inside a string of one of Apache's expressions, where `%{` and `$1` mean something."""
    return "".join(f"\\{letter}" if letter in "\\'{$" else letter for letter in text)
