"""An article and its source -> what its author may want to mend: the rules of `feeds check`.

Rules look and never change: what they find is published all the same. Each has a name, by which it can be switched off,
and a level: an *error* keeps an article from being published, a *warning* spoils something for readers, a *notice* is
worth knowing.
"""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Literal
from urllib.parse import unquote

from feeds import syndicate
from feeds.errors import Refused
from feeds.model import Article, Site, Warned
from feeds.parse import fences
from feeds.parse.links import SCHEME, Links, hrefs, target_of
from feeds.text import on_site, scheme, slugify

Level = Literal["error", "warning", "notice"]

RULES: dict[str, tuple[Level, str]] = {
    "refused": ("error", "an article that can't be read, and so is not published"),
    "no-summary": ("notice", "no description, and nothing before <!--more-->: readers get the first paragraph"),
    "title-markup": ("warning", "a title with Markdown, HTML or entities, which readers show as they are"),
    "image-without-alt": ("warning", "an image that says nothing to who can't see it"),
    "relative-link": (
        "warning",
        "a link to a file that is no published article, or to an address relative to the article's",
    ),
    "template-code": ("warning", "a template's code, such as a shortcode, that would be shown as it is"),
    "dropped-html": ("warning", "HTML that is left out and that a reader would miss, such as a script"),
    "missing-image": ("warning", "an image, or an enclosure, whose file is not there"),
    "other-dialect": ("warning", "syntax of another dialect than content.markdown's, which is shown as it is"),
    "unrenderable": ("warning", "a text that can't be rendered, and is shown as it was typed"),
    "huge-text": ("warning", "a text so long that feeds with it give way to summaries"),
    "future-date": ("notice", "an article that goes live later"),
    "ambiguous-date": ("warning", "dates that contradict each other"),
    "duplicate-slug": ("warning", "two articles with one address"),
    "no-page": ("warning", "an article whose page can't be where its link leads (site.pages)"),
    "near-duplicate-tags": ("warning", "one category, tag or author in several spellings"),
    "feed-too-large": ("warning", "a feed over feeds.max_size"),
    "too-many-feeds": ("warning", "categories, tags or authors beyond the feeds that a site may have"),
    "alias-to-nothing": ("warning", "an alias of a feed that does not exist"),
    "lost-id": ("warning", "an id of the feed given with --against that no article has"),
    "doubtful-id": ("warning", "an id that is not what it should be"),
    "mistake": ("error", "config.yaml is wrong, so that nothing can be done"),
    "guard": ("error", "the republish guard would stop the run"),
    "unusable-value": ("warning", "a value of front matter that its field can't have, and that is ignored"),
    "withholding-key": (
        "warning",
        "a key or a value that would keep an article back elsewhere, and is not known here",
    ),
    "mdx": ("warning", "statements, components or expressions of MDX, which are left out"),
    "undated-page": ("notice", "a page without a date, such as about.md, that is left out"),
    "unlisted": ("notice", "an article that is in no feed, because it says so"),
    "configuration": ("warning", "a setting without effect, or one to look at before the first subscriber comes"),
}
_ONCE_A_LINE = frozenset({"template-code", "other-dialect"})
_HUGE = 100 * 1024  # bytes of Markdown: five of them fill a feed of 512 KiB
_SHORTER = "the oldest give way to summaries"
_MAX_PROBLEMS, _MAX_FOUND = 200, 2_000  # of one text: listed, and found with those of the same line
_APART = timedelta(days=2)  # between two dates that should be one; zones make up for less
_BACKTICKS = re.compile(r"`+")
_TAGS = (
    "a|abbr|b|big|br|cite|code|del|div|em|font|h[1-6]|i|img|ins|kbd|mark|p|pre|q|s|small|span|strong|sub|sup|tt|u|var"
)
_TITLE_MARKUP = re.compile(rf"<(?:{_TAGS})(?:\s[^<>]*)?/?>|</[a-zA-Z]\w*>|\*\*|`|\[[^\[\]]*\]\(|&(?:[a-zA-Z]+|#\d+);")
_MARKDOWN_IMAGE = re.compile(r"!\[\s*\]\(")
_HTML_IMAGE = re.compile(r"<img\b(?![^<>]*\salt(?:[\s=/>]))[^<>]*>", re.IGNORECASE)  # alt="" is decoration, and says so
_LINK = re.compile(r"\]\(\s*<?([^)\s>]+)|\b(?:href|src)\s*=\s*[\"']([^\"']+)", re.IGNORECASE)
_ITEM = re.compile(r"\s*(?:[*+-]|\d+[.)]|:|\[\^[^\]]+\]:)\s+\S")  # of lists, definitions and footnotes
_NAMED_DATE = re.compile(r"(?:^|/)(\d{4})-(\d\d)-(\d\d)-[^/]*$")


@dataclass(frozen=True, slots=True)
class Problem:
    """Something to mend, and where: a path, and a line from 1 on."""

    path: str
    line: int
    rule: str
    message: str

    @property
    def level(self) -> Level:
        """Give how bad it is."""
        return RULES[self.rule][0]


def of_reading(path: str, warnings: Iterable[Warned]) -> list[Problem]:
    """Return what was found in an article's front matter when its file was read."""
    return [Problem(path, one.line, one.rule, one.message) for one in warnings]


class Lint:
    """Looks at one article after the other, and remembers what only shows between several."""

    def __init__(
        self,
        site: Site,
        now: datetime,
        ignored: Collection[str] = (),
        *,
        convert: Callable[[str], str] | None = None,
        is_missing: Callable[[Article, str], bool] = lambda _article, _reference: False,
    ) -> None:
        """Look at the articles of a site at a moment.

        Args:
            site: The site.
            now: The moment.
            ignored: The rules that are switched off.
            convert: Return the HTML of a body before it is sanitised; None: convert it in this process.
            is_missing: Return whether a reference of an image in an article leads to a file that is not there.
        """
        self._site = site
        self._now = now
        self._ignored = ignored
        self._wikilinks = site.markdown == "obsidian"
        self._convert = convert or _converter(site)
        self._is_missing = is_missing
        self._at: dict[str, str] = {}  # the address of an article -> its path
        self._spellings: dict[str, dict[str, str]] = {}  # what is the same -> its spellings, each with a path

    def article(self, article: Article, source: str, links: Links) -> list[Problem]:
        """Return what is wrong with an article, given the text of its file and where its links to files lead."""
        found = [*self._facts(article), *self._dates(article)]
        if not article.draft:
            found += self._shared(article)
        problems = [Problem(article.path, _line_of(source, key), rule, said) for rule, key, said in found]
        problems += of_reading(article.path, article.warnings)
        problems += self._files(article, source)
        problems += self._in_body(article, source, links)
        return self.chosen(problems)

    def _in_body(self, article: Article, source: str, links: Links) -> Iterator[Problem]:
        """Yield what is wrong in a body; of template code and other dialects one problem a line."""
        first = max(1, source.count("\n") - article.body.count("\n") + 1)  # the body is the end of its file
        seen: set[tuple[int, str, str]] = set()
        found = (one for one in self._of_body(article, links, first) if one[1] not in self._ignored)
        for count, (number, rule, said) in enumerate(found):
            if count == _MAX_FOUND or len(seen) == _MAX_PROBLEMS:
                yield Problem(article.path, number, rule, f"more than {len(seen)} problems: the others are not listed")
                return
            if (problem := (number, rule, "" if rule in _ONCE_A_LINE else said)) not in seen:
                seen.add(problem)
                yield Problem(article.path, number, rule, said)

    def _of_body(self, article: Article, links: Links, first: int) -> Iterator[tuple[int, str, str]]:
        from feeds.lint.markup import Lines, found  # which only a command that looks at articles needs

        prose = list(_prose(article.body, first))
        for number, line in prose:
            for rule, said in (*_in_line(line), *_of_links(line, links, wikilinks=self._wikilinks)):
                yield number, rule, said
        try:
            html = self._convert(article.body)
        except Refused as refused:
            yield first, "unrenderable", f"shown as it was typed: {refused.reason}"
            return
        lines = Lines(prose, article.body, first)
        yield from found(html, lines, self._site.markdown, partial(self._is_missing, article))

    def _files(self, article: Article, source: str) -> Iterator[Problem]:
        """Yield the image and the enclosures of the front matter whose files are not there."""
        urls = [*([article.image.url] if article.image else []), *(one.url for one in article.enclosures)]
        for url in dict.fromkeys(urls):
            if self._is_missing(article, on_site(url, self._site.url, url) or url if url.startswith("/") else url):
                line = source.count("\n", 0, max(0, source.find(url))) + 1
                yield Problem(article.path, line, "missing-image", f"there is no file {url[:80]!r}")

    def configuration(self, file: str, feeds: Mapping[str, int], aliases: Mapping[str, str]) -> list[Problem]:
        """Look at what a configuration makes of the articles: its feeds, with the bytes of their texts, and aliases."""
        most = self._site.max_size
        problems = [
            Problem(file, 1, "feed-too-large", f"/{path}: {size >> 10} KiB of texts, {most >> 10} at most: {_SHORTER}")
            for path, size in feeds.items()
            if 0 < most < size
        ]
        problems += (
            Problem(file, 1, "alias-to-nothing", f"feeds.aliases: {alias} leads to {document}, which is no feed")
            for alias, document in aliases.items()
            if document.rpartition("/")[0].strip("/") not in feeds
        )
        return self.chosen(problems)

    def old_ids(self, file: str, lost: Iterable[str]) -> list[Problem]:
        """Tell of the ids in a saved feed that no article has."""
        said = "is no id of ours: its subscribers would see that entry anew"
        return self.chosen(Problem(file, 1, "lost-id", f"{id_} {said}") for id_ in lost)

    def site(self) -> list[Problem]:
        """Give what shows only when all articles were looked at."""
        problems = []
        for spellings in self._spellings.values():
            if len(spellings) > 1:
                names = ", ".join(f"{name!r} ({path})" for name, path in sorted(spellings.items()))
                path = list(spellings.values())[-1]
                problems.append(Problem(path, 1, "near-duplicate-tags", f"spelled in several ways: {names}"))
        return self.chosen(problems)

    def chosen(self, problems: Iterable[Problem]) -> list[Problem]:
        """Leave out what nobody wants to hear of, and put the others in the order of lines."""
        return sorted((one for one in problems if one.rule not in self._ignored), key=lambda one: (one.path, one.line))

    def _facts(self, article: Article) -> Iterator[tuple[str, str, str]]:
        is_published = not article.draft and not (article.expires and article.expires <= self._now)
        if is_published and article.summary is None and "<!--more-->" not in article.body:
            yield "no-summary", "title", "no description: readers show the first paragraph instead"
        if match := _TITLE_MARKUP.search(article.title):
            yield "title-markup", "title", f"the title holds {match[0]!r}, which readers show as it is"
        if is_published and not article.listed:
            yield "unlisted", "title", "in no feed, as its front matter says"
        size = len(article.body.encode())
        if size > _HUGE:
            yield "huge-text", "title", f"{size // 1024} KiB of text: feeds with it give way to summaries"

    def _dates(self, article: Article) -> Iterator[tuple[str, str, str]]:
        if article.draft:
            return
        live_from = article.live_from or article.published
        if live_from > self._now:
            yield "future-date", "date", f"goes live at {live_from.isoformat(sep=' ')}"
        elif article.updated > self._now + timedelta(days=1):
            yield "ambiguous-date", "updated", f"says it was updated in the future, {article.updated.date()}"
        if article.updated < article.published - _APART:
            yield "ambiguous-date", "updated", f"updated {article.updated.date()}, before it was published"
        if match := _NAMED_DATE.search(article.name):
            named = f"{match[1]}-{match[2]}-{match[3]}"
            try:
                moment = datetime.fromisoformat(named).replace(tzinfo=article.published.tzinfo)
            except ValueError:
                return
            if abs(moment - article.published) > _APART:
                yield "ambiguous-date", "date", f"the file's name says {named}, its date {article.published.date()}"

    def _shared(self, article: Article) -> Iterator[tuple[str, str, str]]:
        link = syndicate.link(article, self._site)
        first = self._at.setdefault(link, article.path)
        if first != article.path and syndicate.page(article, self._site) is None:  # else the later one is refused
            yield "duplicate-slug", "slug", f"has the address of {first}, {link}"
        if self._site.pages and link.startswith(f"{self._site.url}/"):
            at = syndicate.page(article, self._site)
            if at is None and syndicate.taken_page(article, self._site) is None:  # else it is refused
                yield "no-page", "slug", f"{link} can't be the address of a page"
        names = {"category": article.categories, "tag": article.tags,
                 "author": tuple(author.name for author in article.authors)}  # fmt: skip
        for kind in self._site.by:
            for name in names.get(kind, ()):
                same = f"{kind} {re.sub('[-_ ]', '', slugify(name))}"
                self._spellings.setdefault(same, {}).setdefault(name, article.path)


def _converter(site: Site) -> Callable[[str], str]:
    from feeds.parse.content import Renderer

    return Renderer(site.markdown).converted


def _prose(body: str, first: int) -> Iterator[tuple[int, str]]:
    """Yield the lines of a body that are not code, without code spans, with their numbers, of which `first` is one."""
    fence, code, blank, inside = "", False, True, 0  # inside: how far what belongs to a list's item is indented
    for number, line in enumerate(body.split("\n"), first):
        if fence:
            fence, blank = fences.after(line, fence), False
            continue
        if not line.strip():
            blank = True
            continue
        indent = len(line.expandtabs(4)) - len(line.expandtabs(4).lstrip())
        inside = min(inside, indent // 4 * 4) if blank else inside
        code = indent >= inside + 4 and (blank or code)
        blank = False
        if not code:
            inside = indent // 4 * 4 + 4 if _ITEM.match(line) else inside
            fence = fences.after(line, "")
            if not fence:
                yield number, _without_code(line)


def _without_code(line: str) -> str:
    """Return a line without its code spans, which end at as many backticks as they begin with."""
    runs = [match.span() for match in _BACKTICKS.finditer(line)]
    nearest: dict[int, int] = {}  # the next run of each length, seen from the end of the line
    ends = [-1] * len(runs)
    for at in reversed(range(len(runs))):
        length = runs[at][1] - runs[at][0]
        ends[at], nearest[length] = nearest.get(length, -1), at
    kept, begin, at = list[str](), 0, 0
    while at < len(runs):
        if (end := ends[at]) >= 0:
            kept.append(line[begin : runs[at][0]])
            begin, at = runs[end][1], end
        at += 1
    return "".join([*kept, line[begin:]])


def _in_line(text: str) -> Iterator[tuple[str, str]]:
    if _MARKDOWN_IMAGE.search(text) or _HTML_IMAGE.search(text):
        yield "image-without-alt", "an image without a text in its place: ![what it shows](…)"
    if "{{" in text or "{%" in text:
        return
    for match in _LINK.finditer(text):
        url = match[1] or match[2]
        if not scheme(url) and url.startswith("../") and not target_of(url, ""):
            yield "relative-link", f"{url[:80]!r} depends on the article's address; begin it with /"


def _of_links(text: str, links: Links, *, wikilinks: bool) -> Iterator[tuple[str, str]]:
    for href in hrefs(text, wikilinks=wikilinks):
        target = target_of(href, links.path)
        if target and target.article and links.url(href) is None:
            said = unquote(href.removeprefix(f"{SCHEME}:"))
            yield "relative-link", f"{said[:80]!r} leads to no published article"


def _line_of(source: str, key: str) -> int:
    """Give the line of a key of the front matter, 1 if it is not there."""
    match = re.search(rf"^[\"']?{key}[\"']?\s*[:=]", source[:5000], re.IGNORECASE | re.MULTILINE)
    return source.count("\n", 0, match.start()) + 1 if match else 1
