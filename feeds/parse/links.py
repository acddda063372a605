"""Links from one article's file to another's: `b.md`, `../c/index.md#part`, `[[Note]]`, `{{< relref "b" >}}`.

A link names its target in one of two ways: by the *name* of an article, which is its path below the content folder
without suffix ("posts/b"), or by the end of that name, in lower case ("*/b"), where the generator searches for it
(Obsidian, Hugo, Jekyll). The publisher finds the article of each target and keeps its URL; the HTML pass writes it.
"""

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple
from urllib.parse import quote, unquote

from feeds.article_files import SUFFIX_PATTERN, SUFFIXES, Files, article_name
from feeds.parse.media import media_type
from feeds.text import scheme

# of a link that names its target by the end of its name, between the engine and the HTML pass: note:name#fragment, or
# note:name%23heading for a heading in Obsidian's way
SCHEME = "note"
_BY_END = "*/"
_LONGEST_TARGET = 2_000  # bytes: an entry of PostgreSQL's indexes has 2,704
_MAX_LENGTH = 500  # characters of a link

_FILE = re.compile(rf"(?:{SUFFIX_PATTERN})$", re.IGNORECASE)
_BEGINS_SUFFIX = re.compile(r"\.[mM][dDaA]")  # one of SUFFIXES, maybe; it is found in a tenth of the time
_PELICAN = re.compile(r"(?:\{filename\}|\|filename\|)")
_PELICAN_FILE = re.compile(r"(?:\{|%7B|\||%7C)(?P<kind>static|attach|filename)(?:\}|%7D|\||%7C)", re.IGNORECASE)
_REF = (  # the first parameter is the path; the tag ends with the first braces
    r"""\{\{[<%]\s*+(?:rel)?ref\s++(?:path\s*+=\s*+)?+"""
    r"""(?:(?P<mark>["'`])(?P<quoted>[^"'`<>%{}\n]{1,500}+)(?P=mark)|(?P<bare>[^\s"'`<>%{}]{1,500}+))"""
    r"""(?=[\s%>])[^{}]{1,1000}+(?<=[%>])\}\}"""
)
_SITE_URL = r"(?:\{\{-?\s*site\.(?:base)?url\s*-?\}\}/?)*"
_POST = r"""\{%-?\s*(?P<tag>post_url|link)\s+["']?(?P<post>[^\s"'{}%]{1,500})["']?\s*-?%\}"""
_REFERENCE = re.compile(  # Hugo's ref and relref, Jekyll's post_url and link, where a link's address is
    rf"""(?:(?<=[(<"'])|(?<=\]:[ ]))(?:{_REF}|{_SITE_URL}{_POST})"""
)
_DESTINATION = re.compile(
    r"""(?:\]\(|\]:|\bhref\s*+=\s*+["']?+)\s*+(?:<(?P<pointed>[^<>\n]+)>|(?P<plain>(?:[^\s<>"'()]|\([^\s<>"'()]*\))+))""",
    re.IGNORECASE,
)
_WIKILINK = re.compile(r"(?<!!)\[\[([^\[\]|\n]+?)\\?(?=[|\]])|!\[\[([^\[\]|.\n]+?)\\?(?=[|\]])")  # embeds: of notes
_IN_FRAGMENT = "%!$&'*+,;=:@/?~"  # besides letters and digits; parentheses would end an address in Markdown
_NO_ANCHOR = re.compile(r"[^\w\- ]")


class Target(NamedTuple):
    """Where a link leads: an article, "" for the one that it is in, and a part of it."""

    article: str
    fragment: str = ""


class Links(NamedTuple):
    """The links of one article: its path, the URLs of the articles that its links name, and where files are."""

    path: str = ""
    urls: Mapping[str, str] = {}
    site_url: str = ""  # of files, as in `Files`
    own_url: str = ""

    def url(self, href: str) -> str | None:
        """Return the URL that a link to an article's file leads to; None if no article is known for it."""
        target = target_of(href, self.path)
        if target is None:
            return None
        url = self.urls.get(target.article) if target.article else ""
        if url is None:
            return None
        return f"{url.partition('#')[0]}#{target.fragment}" if target.fragment else url or None

    def file_url(self, reference: str) -> str | None:
        """Return the URL of a file that the article refers to relative to its own; None for any other reference."""
        if not self.site_url or not media_type(reference):
            return None
        return Files(self.path, self.site_url, self.own_url).url(reference)


def is_by_end(target: str) -> bool:
    """Return whether a target is the end of an article's name only."""
    return target.startswith(_BY_END)


def files_of(name: str) -> list[str]:
    """Return the paths at which the file of an article with this name may be."""
    return [f"{name}{middle}{suffix}" for middle in ("", "/index") for suffix in SUFFIXES]


def ends_of(path: str) -> list[str]:
    """Return the targets that name the article in a file by the end of its name."""
    parts = article_name(path).casefold().split("/")
    return [f"{_BY_END}{'/'.join(parts[at:])}" for at in range(len(parts))]


def target_of(href: str, path: str) -> Target | None:
    """Return the target of a link in the article at a path; None if it leads to no article's file."""
    if len(href) > _MAX_LENGTH:
        return None
    if href.startswith(f"{SCHEME}:"):
        said, _, fragment = href.removeprefix(f"{SCHEME}:").partition("#")
        return _searched(unquote(said), fragment)
    if not _BEGINS_SUFFIX.search(href):
        return None
    said, _, fragment = href.partition("#")
    said = _PELICAN.sub("", unquote(said.partition("?")[0]), count=1)
    if scheme(said) or said.startswith("//") or not _FILE.search(said):
        return None
    said = said.removeprefix("@")  # Zola's `@/b.md`
    parts = [] if said.startswith("/") else path.split("/")[:-1]
    for part in said.split("/"):
        if part == "..":
            del parts[-1:]
        elif part not in ("", "."):
            parts.append(part)
    return Target(article_name("/".join(parts)), fragment)


def _lines_with_files(body: str) -> Iterator[str]:
    """Yield the lines of a text in which one of SUFFIXES may be, each with the line before if a link begins there."""
    end = 0
    for match in _BEGINS_SUFFIX.finditer(body):
        if match.start() < end:
            continue
        start = body.rfind("\n", 0, match.start()) + 1
        end = body.find("\n", match.end())
        end = len(body) if end < 0 else end
        above = body.rfind("\n", 0, max(0, start - 1)) + 1
        begins_above = body[above:start].rstrip().endswith(("(", ":", "=", "<"))
        yield body[above if begins_above else start : end]


def targets(body: str, path: str, *, wikilinks: bool) -> tuple[str, ...]:
    """Return the articles that a body in Markdown names in links, each once; some may be in code, and are no links."""
    found: dict[str, None] = {}
    for href in hrefs(body, wikilinks=wikilinks):
        target = target_of(href, path)
        if target and target.article and len(target.article.encode()) <= _LONGEST_TARGET:
            found[target.article] = None
    return tuple(found)


def file_target(path: str) -> str:
    """Return the target that is a file below the content folder, and no article."""
    return f"/{path}"


def is_file(target: str) -> bool:
    """Return whether a target is a file, and no article."""
    return target.startswith("/")


def without_pelican(href: str) -> str:
    """Return the address of a file as a browser reads it: `{static}/images/a.png` is `/images/a.png`."""
    return _PELICAN_FILE.sub("", href, count=1) if href[:1] in "{%|" and _PELICAN_FILE.match(href) else href


def with_references(text: str) -> str:
    """Return Markdown in which the references of Hugo and Jekyll to articles are links that `target_of` knows."""
    return _REFERENCE.sub(_reference, text)


def has_references(text: str) -> bool:
    """Return whether `with_references` may change a text."""
    return "{" in text and (
        ("ref" in text and "{{" in text) or "{% post_url" in text or "{% link" in text or "{%- " in text
    )


def hrefs(body: str, *, wikilinks: bool) -> Iterator[str]:
    """Yield the addresses of links in Markdown that may lead to an article's file; some may be in code."""
    if _BEGINS_SUFFIX.search(body):
        for lines in _lines_with_files(body):
            found = (pointed or plain for pointed, plain in _DESTINATION.findall(lines))
            yield from filter(_BEGINS_SUFFIX.search, found)
    if has_references(body):
        for match in _REFERENCE.finditer(body):
            yield _reference(match)
    if wikilinks:
        for match in _WIKILINK.finditer(body):
            yield f"{SCHEME}:{quote((match[1] or match[2]).strip())}"


def _reference(match: re.Match[str]) -> str:
    """Return the link that a reference stands for."""
    said = match["quoted"] or match["bare"] or match["post"]
    if match["tag"] == "link":  # a path of the site; the content folder may be one of its folders
        said = said.rpartition("/")[2]
    path, _, fragment = said.strip().partition("#")
    end = f"#{quote(fragment, safe=_IN_FRAGMENT)}" if fragment else ""
    if path.startswith("/"):  # below the content folder
        path = _FILE.sub("", path) + ".md"
        return quote(path) + end
    return f"{SCHEME}:{quote(path)}{end}"


def _searched(said: str, fragment: str) -> Target:
    """Return the target that is the end of a name, and its part: a fragment, else a heading as Obsidian names it."""
    name, _, heading = said.partition("#")
    name = article_name(name.strip().strip("/").removeprefix("./")).casefold()
    heading = heading.rpartition("#")[2]
    if not fragment and not heading.startswith("^"):
        fragment = _NO_ANCHOR.sub("", heading.strip().lower()).replace(" ", "-")
    return Target(f"{_BY_END}{name}" if name else "", fragment)
