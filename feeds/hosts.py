"""What static hosts must be told of the exported documents: media types, caching and CORS, in each host's own file.

The same as `web.answer` says of a document when `feeds serve` gives it out, but for what only a server can know: the
next scheduled hour, and which archives are full.
"""

from collections.abc import Callable, Collection, Mapping

from feeds.formats import FORMATS
from feeds.model import Site
from feeds.text import quote_path

_DAY = 86_400


def files(site: Site, hosts: Collection[str], aliases: Mapping[str, str]) -> dict[str, str]:
    """Give the files that some hosts look for, by path in the tree: netlify, cloudflare, apache, nginx."""
    writers: Mapping[str, tuple[str, Callable[[Site, Mapping[str, str]], str]]] = {
        "netlify": ("/_headers", _headers),
        "cloudflare": ("/_headers", _headers),
        "apache": ("/.htaccess", _htaccess),
        "nginx": ("/feeds.nginx.conf", _nginx),
    }
    wanted = dict(writers[host] for host in hosts)
    return {path: f"# Made by feeds build.\n{write(site, aliases)}" for path, write in wanted.items()}


def _cache(site: Site) -> str:
    return f"public, max-age={site.max_age}, stale-while-revalidate={min(site.max_age, 60)}, stale-if-error={_DAY}"


def _types() -> dict[str, str]:
    """Give file name -> media type, with its charset where the type has one."""
    return {format_.filename: format_.served_as for format_ in FORMATS}


def _places(name: str, aliases: Mapping[str, str]) -> list[str]:
    """Give the aliases, written as files, that lead to documents with a file name."""
    return [quote_path(alias) for alias, path in sorted(aliases.items())
            if path.endswith(f"/{name}") and not alias.endswith(("/", f"/{name}"))]  # fmt: skip


def _headers(site: Site, aliases: Mapping[str, str]) -> str:
    lines = []
    for name, media_type in _types().items():
        for path in (f"/{name}", f"/*/{name}", *_places(name, aliases)):
            lines += [path, f"  Content-Type: {media_type}", f"  Cache-Control: {_cache(site)}",
                      "  Access-Control-Allow-Origin: *", "  X-Content-Type-Options: nosniff"]  # fmt: skip
    return "\n".join([*lines, ""])


def _htaccess(site: Site, aliases: Mapping[str, str]) -> str:
    lines = []
    for name, media_type in _types().items():
        for file in dict.fromkeys([name, *(path.rpartition("/")[2] for path in _places(name, aliases))]):
            lines += [
                f'<Files "{file}">',
                f'  ForceType "{media_type}"',
                "  <IfModule mod_headers.c>",
                f'    Header set Cache-Control "{_cache(site)}"',
                '    Header set Access-Control-Allow-Origin "*"',
                '    Header set X-Content-Type-Options "nosniff"',
                "  </IfModule>",
                "</Files>",
            ]
    return "\n".join([*lines, ""])


def _nginx(site: Site, aliases: Mapping[str, str]) -> str:
    lines = ["# include it in the server block whose root is this folder"]
    for name, media_type in _types().items():
        places = [f"~ /{name.replace('.', chr(92) + '.')}$", *(f'= "{path}"' for path in _places(name, aliases))]
        for place in places:
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
    return "\n".join([*lines, ""])
