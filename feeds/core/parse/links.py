"""Finds links between article files in Markdown: `b.md`, `../c/index.md#part`, `[[Note]]`, `{{< relref "b" >}}`.

The target of a link is either the *name* of an article, which is its path below the content folder without suffix
("posts/b"), or *partial*: the last parts of that name in lower case ("*/b"), for generators that search for articles
(Obsidian, Hugo, Jekyll). The publisher finds the article of each target and stores its URL; `html` writes the URL.

An article in another language ("posts/b.de.md") also has the *translation* target of the article that it translates
("?/posts/b"), by which the publisher finds all translations of an article. Their URLs have the language as their target
("?/de").
"""

import re
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import NamedTuple
from urllib.parse import quote, unquote

from feeds.core.article_files import SUFFIX_PATTERN, SUFFIXES, ArticleFiles, article_name
from feeds.core.model import Translation
from feeds.core.parse.media import media_type
from feeds.core.text import url_scheme

# the scheme of a link with a partial target between the engine and `html`: note:name#fragment, or
# note:name%23heading for a heading as Obsidian writes it
NOTE_SCHEME = "note"
_PARTIAL_PREFIX = "*/"
_TRANSLATION_PREFIX = "?/"
_MAX_TARGET_BYTES = 2_000  # an entry of an index in PostgreSQL has at most 2,704
_MAX_HREF_LENGTH = 500  # characters
_MAX_HREFS = 20_000  # links that are searched for targets; an article with as many relative links is not rendered

_FILE = re.compile(rf"(?:{SUFFIX_PATTERN})$", re.IGNORECASE)
_SUFFIX_START = re.compile(r"\.[mM][dDaA]")  # the start of any of SUFFIXES; searching for it is 10 times faster
_PELICAN = re.compile(r"(?:\{filename\}|\|filename\|)")
_PELICAN_FILE = re.compile(r"(?:\{|%7B|\||%7C)(?P<kind>static|attach|filename)(?:\}|%7D|\||%7C)", re.IGNORECASE)
_REF = (  # the first parameter is the path; the tag ends at the first closing braces
    r"""\{\{[<%]\s*+(?:rel)?ref\s++(?:path\s*+=\s*+)?+"""
    r"""(?:(?P<mark>["'`])(?P<quoted>[^"'`<>%{}\n]{1,500}+)(?P=mark)|(?P<bare>[^\s"'`<>%{}]{1,500}+))"""
    r"""(?=[\s%>])[^{}]{1,1000}+(?<=[%>])\}\}"""
)
_SITE_URL = r"(?:\{\{-?\s*site\.(?:base)?url\s*-?\}\}/?)*"
_POST = r"""\{%-?\s*(?P<tag>post_url|link)\s+["']?(?P<post>[^\s"'{}%]{1,500})["']?\s*-?%\}"""
_REFERENCE = re.compile(  # Hugo's ref and relref, Jekyll's post_url and link, as the URL of a link
    rf"""(?:(?<=[(<"'])|(?<=\]:[ ]))(?:{_REF}|{_SITE_URL}{_POST})"""
)
_DESTINATION = re.compile(
    r"""(?:\]\(|\]:|\bhref\s*+=\s*+["']?+)\s*+(?:<(?P<pointed>[^<>\n]+)>|(?P<plain>(?:[^\s<>"'()]|\([^\s<>"'()]*\))+))""",
    re.IGNORECASE,
)
_WIKILINK = re.compile(
    r"(?<!!)\[\[([^\[\]|\n]+?)\\?(?=[|\]])|!\[\[([^\[\]|.\n]+?)\\?(?=[|\]])"
)  # links, embeds of notes
_FRAGMENT_SAFE = "%!$&'*+,;=:@/?~"  # besides letters and digits; parentheses would end a URL in Markdown
_NOT_IN_ANCHOR = re.compile(r"[^\w\- ]")


class LinkTarget(NamedTuple):
    """The target of a link: an article, "" for the article with the link, and a fragment of it."""

    article: str
    fragment: str = ""


class Links(NamedTuple):
    """The links of one article: its path, the URL of the article for each link target, and the URLs of its files."""

    path: str = ""
    urls: Mapping[str, str] = {}
    site_url: str = ""  # of files, as in `ArticleFiles`
    own_url: str = ""

    def url(self, href: str) -> str | None:
        """Return the URL for a link to an article's file, or None if the article is unknown."""
        target = resolve_target(href, self.path)
        if target is None:
            return None
        url = self.urls.get(target.article) if target.article else ""
        if url is None:
            return None
        return f"{url.partition('#')[0]}#{target.fragment}" if target.fragment else url or None

    @property
    def translations(self) -> list[Translation]:
        """The translations of the article."""
        return [
            Translation(key.removeprefix(_TRANSLATION_PREFIX), url)
            for key, url in self.urls.items()
            if is_translation_target(key)
        ]

    def file_url(self, reference: str) -> str | None:
        """Return the URL of a file to which the article refers by a relative path, or None for other references."""
        if not self.site_url or not media_type(reference):
            return None
        return ArticleFiles(self.path, self.site_url, self.own_url).url(reference)


def is_partial(target: str) -> bool:
    """Return whether a target is partial."""
    return target.startswith(_PARTIAL_PREFIX)


def translation_target(name: str) -> str:
    """Return the translation target for the name of an article, or the key of a translation's URL for a language."""
    return f"{_TRANSLATION_PREFIX}{name}"


def translated_name(target: str) -> str:
    """Return the name of the article to which a translation target belongs."""
    return target.removeprefix(_TRANSLATION_PREFIX)


def is_translation_target(target: str) -> bool:
    """Return whether a target is a translation target."""
    return target.startswith(_TRANSLATION_PREFIX)


def candidate_paths(name: str) -> list[str]:
    """Return the possible paths of the file of an article by its name."""
    return [f"{name}{middle}{suffix}" for middle in ("", "/index") for suffix in SUFFIXES]


def partial_targets(path: str) -> list[str]:
    """Return all partial targets of the article in the file at `path`."""
    parts = article_name(path).casefold().split("/")
    return [f"{_PARTIAL_PREFIX}{'/'.join(parts[start:])}" for start in range(len(parts))]


def resolve_target(href: str, path: str) -> LinkTarget | None:
    """Return the target of a link in the article at `path`, or None if it doesn't link to an article's file."""
    if len(href) > _MAX_HREF_LENGTH:
        return None
    if href.startswith(f"{NOTE_SCHEME}:"):
        note, _, fragment = href.removeprefix(f"{NOTE_SCHEME}:").partition("#")
        return _partial_target(unquote(note), fragment)
    if not _SUFFIX_START.search(href):
        return None
    file, _, fragment = href.partition("#")
    file = _PELICAN.sub("", unquote(file.partition("?")[0]), count=1)
    if url_scheme(file) or file.startswith("//") or not _FILE.search(file):
        return None
    file = file.removeprefix("@")  # Zola's `@/b.md`
    parts = [] if file.startswith("/") else path.split("/")[:-1]
    for part in file.split("/"):
        if part == "..":
            del parts[-1:]
        elif part not in ("", "."):
            parts.append(part)
    return LinkTarget(article_name("/".join(parts)), fragment)


def _lines_with_files(body: str) -> Iterator[str]:
    """Yield the lines that may contain one of SUFFIXES, each with the line before it if a link begins there."""
    end = 0
    for match in _SUFFIX_START.finditer(body):
        if match.start() < end:
            continue
        start = body.rfind("\n", 0, match.start()) + 1
        end = body.find("\n", match.end())
        end = len(body) if end < 0 else end
        above = body.rfind("\n", 0, max(0, start - 1)) + 1
        starts_above = body[above:start].rstrip().endswith(("(", ":", "=", "<"))
        yield body[above if starts_above else start : end]


def find_targets(body: str, path: str, *, wikilinks: bool) -> tuple[str, ...]:
    """Return the targets of the links to articles in a Markdown body, each once. Some may be in code.

    Not all are returned if there are more links than a text may have.
    """
    targets: dict[str, None] = {}
    for href in islice(find_hrefs(body, wikilinks=wikilinks), _MAX_HREFS):
        target = resolve_target(href, path)
        if not target or is_translation_target(target.article):  # a folder "?" would lead to the latter
            continue
        if target.article and len(target.article.encode()) <= _MAX_TARGET_BYTES:
            targets[target.article] = None
    return tuple(targets)


def file_target(path: str) -> str:
    """Return the target for a file below the content folder that is not an article."""
    return f"/{path}"


def is_file_target(target: str) -> bool:
    """Return whether a target is a file that is not an article."""
    return target.startswith("/")


def strip_pelican_marker(href: str) -> str:
    """Return the URL of a file without Pelican's marker: `{static}/images/a.png` is `/images/a.png`."""
    return _PELICAN_FILE.sub("", href, count=1) if href[:1] in "{%|" and _PELICAN_FILE.match(href) else href


def convert_references(text: str) -> str:
    """Return Markdown with the references of Hugo and Jekyll to articles as links that `resolve_target` accepts."""
    return _REFERENCE.sub(_reference, text)


def may_have_references(text: str) -> bool:
    """Return whether `convert_references` may change a text."""
    return "{" in text and (
        ("ref" in text and "{{" in text) or "{% post_url" in text or "{% link" in text or "{%- " in text
    )


def find_hrefs(body: str, *, wikilinks: bool) -> Iterator[str]:
    """Yield the URLs of links in Markdown that may lead to an article's file. Some may be in code."""
    if _SUFFIX_START.search(body):
        for lines in _lines_with_files(body):
            urls = (pointed or plain for pointed, plain in _DESTINATION.findall(lines))
            yield from filter(_SUFFIX_START.search, urls)
    if may_have_references(body):
        for match in _REFERENCE.finditer(body):
            yield _reference(match)
    if wikilinks:
        for match in _WIKILINK.finditer(body):
            yield f"{NOTE_SCHEME}:{quote((match[1] or match[2]).strip())}"


def _reference(match: re.Match[str]) -> str:
    """Return the URL of the link that replaces a reference."""
    reference = match["quoted"] or match["bare"] or match["post"]
    if match["tag"] == "link":  # a path from the root of the site, whose content folder may be a subfolder
        reference = reference.rpartition("/")[2]
    path, _, fragment = reference.strip().partition("#")
    end = f"#{quote(fragment, safe=_FRAGMENT_SAFE)}" if fragment else ""
    if path.startswith("/"):  # below the content folder
        path = _FILE.sub("", path) + ".md"
        return quote(path) + end
    return f"{NOTE_SCHEME}:{quote(path)}{end}"


def _partial_target(note: str, fragment: str) -> LinkTarget:
    """Return the partial target for `name` or Obsidian's `name#heading`. A fragment takes precedence over a heading."""
    name, _, heading = note.partition("#")
    name = article_name(name.strip().strip("/").removeprefix("./")).casefold()
    heading = heading.rpartition("#")[2]
    if not fragment and not heading.startswith("^"):
        fragment = _NOT_IN_ANCHOR.sub("", heading.strip().lower()).replace(" ", "-")
    return LinkTarget(f"{_PARTIAL_PREFIX}{name}" if name else "", fragment)
