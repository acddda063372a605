"""The rules of `feeds check`, which find problems in articles.

A rule changes nothing: articles with warnings and notices are published. Each rule has a name, by which it can be
ignored, and a level. An *error* prevents an article, or a run, from being published, a *warning* affects what readers
see, a *notice* is information.
"""

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import NamedTuple
from urllib.parse import unquote

from feeds.core import syndication
from feeds.core.errors import ArticleError
from feeds.core.lint.levels import Level
from feeds.core.lint.rules import RULES, Finding, Problem, Rule
from feeds.core.memberships import group_names
from feeds.core.model import Article, ArticleWarning, Site
from feeds.core.parse import fences
from feeds.core.parse.keys import is_misspelled_boolean
from feeds.core.parse.links import NOTE_SCHEME, Links, find_hrefs, resolve_target
from feeds.core.text import resolve_on_site, slugify, url_scheme

__all__ = [
    "RULES",
    "Finding",
    "Level",
    "Lint",
    "Problem",
    "Rule",
    "count_dead_links",
    "front_matter_problems",
    "line_of_key",
]

_ONCE_PER_LINE = frozenset({"template-code", "other-dialect"})
_MAX_TEXT_BYTES = 100 * 1024  # of Markdown: five such texts fill a feed of 512 KiB
_MAX_PROBLEMS = 200  # listed for one body
_MAX_FINDINGS = 2_000  # for one body, with duplicates
_MAX_DATE_DIFFERENCE = timedelta(days=2)  # smaller differences may come from time zones
_BACKTICKS = re.compile(r"`+")
_TAGS = (
    "a|abbr|b|big|br|cite|code|del|div|em|font|h[1-6]|i|img|ins|kbd|mark|p|pre|q|s|small|span|strong|sub|sup|tt|u|var"
)
_TITLE_MARKUP = re.compile(rf"<(?:{_TAGS})(?:\s[^<>]*)?/?>|</[a-zA-Z]\w*>|\*\*|`|\[[^\[\]]*\]\(|&(?:[a-zA-Z]+|#\d+);")
_MARKDOWN_IMAGE = re.compile(r"!\[\s*\]\(")
_HTML_IMAGE = re.compile(r"<img\b(?![^<>]*\salt(?:[\s=/>]))[^<>]*>", re.IGNORECASE)  # alt="" marks decoration
_LINK = re.compile(r"\]\(\s*<?([^)\s>]+)|\b(?:href|src)\s*=\s*[\"']([^\"']+)", re.IGNORECASE)
_ITEM = re.compile(r"\s*(?:[*+-]|\d+[.)]|:|\[\^[^\]]+\]:)\s+\S")  # of a list, definition or footnote
_EXPIRY_KEY = r"(?:expir|unpublish|valid)[\w-]*"  # begins like each spelling in `keys`
_DATE_IN_NAME = re.compile(r"(?:^|/)(\d{4})-(\d\d)-(\d\d)-[^/]*$")


class _KeyFinding(NamedTuple):
    """A problem with a key of the front matter."""

    key: str  # a regular expression
    rule: str
    message: str


def front_matter_problems(path: str, warnings: Iterable[ArticleWarning]) -> list[Problem]:
    """Return the warnings of a parsed file as problems."""
    return [Problem(path, warning.line, warning.rule, warning.message) for warning in warnings]


class Lint:
    """Checks articles one after the other, and collects the problems that concern several of them."""

    def __init__(
        self,
        site: Site,
        now: datetime,
        ignored: Collection[str] = (),
        *,
        convert: Callable[[str], str] | None = None,
        is_missing: Callable[[Article, str], bool] = lambda _article, _reference: False,
    ) -> None:
        """Prepare a check.

        Args:
            site: the site.
            now: the current time.
            ignored: the names of the rules to ignore.
            convert: returns the unsanitised HTML of a body; None: convert it in this process.
            is_missing: returns whether a reference of an article leads to a file that does not exist.
        """
        self._site = site
        self._now = now
        self._ignored = ignored
        self._wikilinks = site.markdown == "obsidian"
        self._convert = convert or _converter(site)
        self._is_missing = is_missing
        self._paths_by_url: dict[str, str] = {}
        self._spellings: dict[str, dict[str, str]] = {}  # normalised name -> {spelling: path of the first article}

    def check_article(self, article: Article, source: str, links: Links) -> list[Problem]:
        """Return the problems of an article, given the text of its file and its resolved links to files."""
        findings = [*self._check_metadata(article), *self._check_dates(article)]
        if not article.draft:
            findings += self._check_names(article)
        problems = [Problem(article.path, line_of_key(source, key), rule, message) for key, rule, message in findings]
        problems += front_matter_problems(article.path, [*article.warnings, *_check_draft(article, source)])
        problems += self._check_files(article, source)
        problems += self._check_body(article, source, links)
        return self.without_ignored(problems)

    def _check_body(self, article: Article, source: str, links: Links) -> Iterator[Problem]:
        first = max(1, source.count("\n") - article.body.count("\n") + 1)  # the body is the end of its file
        listed: dict[Finding, Finding] = {}
        more, omitted = Counter[Finding](), list[Finding]()
        findings = (it for it in self._body_findings(article, links, first) if it.rule not in self._ignored)
        for count, finding in enumerate(findings):
            if count == _MAX_FINDINGS or len(listed) == _MAX_PROBLEMS:
                message = f"more than {len(listed)} problems: the others are not listed"
                omitted.append(finding._replace(message=message))
                break
            is_once = finding.rule in _ONCE_PER_LINE
            distinct = finding._replace(message="") if is_once else finding
            if distinct not in listed:
                listed[distinct] = finding
            elif is_once:
                more[distinct] += 1
        for distinct, finding in listed.items():
            others = f"; {more[distinct]} more on this line" if distinct in more else ""
            yield Problem(article.path, finding.line, finding.rule, f"{finding.message}{others}")
        for line, rule, message in omitted:
            yield Problem(article.path, line, rule, message)

    def _body_findings(self, article: Article, links: Links, first: int) -> Iterator[Finding]:
        from feeds.core.lint.markup import BodyLines, check_html  # not needed to name the rules

        prose = list(_prose(article.body, first))
        for number, line in prose:
            for rule, message in (*_check_line(line), *_check_links(line, links, wikilinks=self._wikilinks)):
                yield Finding(number, rule, message)
        try:
            html = self._convert(article.body)
        except ArticleError as error:
            yield Finding(first, "unrenderable", f"shown as plain text: {error.reason}")
            return
        lines = BodyLines(prose, article.body, first)
        yield from check_html(html, lines, self._site.markdown, partial(self._is_missing, article))

    def _check_files(self, article: Article, source: str) -> Iterator[Problem]:
        """Yield a problem for each image and enclosure of the front matter whose file does not exist."""
        urls = [*([article.image.url] if article.image else []), *(file.url for file in article.enclosures)]
        for url in dict.fromkeys(urls):
            reference = (resolve_on_site(url, self._site.url, url) or url) if url.startswith("/") else url
            if self._is_missing(article, reference):
                line = source.count("\n", 0, max(0, source.find(url))) + 1
                yield Problem(article.path, line, "missing-image", f"there is no file {url[:80]!r}")

    def check_feeds(self, config_file: str, feeds: Mapping[str, int], aliases: Mapping[str, str]) -> list[Problem]:
        """Return the problems of feeds and aliases; `feeds` maps the path of each feed to the bytes of its texts."""
        max_size = self._site.max_size
        problems = [
            Problem(
                config_file,
                1,
                "feed-too-large",
                f"/{path}: {size >> 10} KiB of texts exceed the limit of {max_size >> 10} KiB (feeds.max_size), "
                "so the oldest entries have only summaries",
            )
            for path, size in feeds.items()
            if 0 < max_size < size
        ]
        problems += (
            Problem(
                config_file, 1, "alias-to-nothing", f"feeds.aliases: {alias} leads to {document}, which is not a feed"
            )
            for alias, document in aliases.items()
            if document.rpartition("/")[0].strip("/") not in feeds
        )
        return self.without_ignored(problems)

    def check_lost_ids(self, feed_file: str, lost_ids: Mapping[str, int]) -> list[Problem]:
        """Return a problem for each id of a saved feed that no article has, given its line in the feed."""
        message = "is not the id of any article, so feed readers would show this entry again as new"
        problems = (Problem(feed_file, line, "lost-id", f"{id_} {message}") for id_, line in lost_ids.items())
        return self.without_ignored(problems)

    def check_spellings(self) -> list[Problem]:
        """Return the problems of categories, tags and authors; call it after all articles were checked."""
        problems = []
        for spellings in self._spellings.values():
            if len(spellings) > 1:
                names = ", ".join(f"{name!r} ({path})" for name, path in sorted(spellings.items()))
                path = list(spellings.values())[-1]
                problems.append(Problem(path, 1, "near-duplicate-tags", f"spelled in several ways: {names}"))
        return self.without_ignored(problems)

    def without_ignored(self, problems: Iterable[Problem]) -> list[Problem]:
        """Return the problems of the rules that are not ignored, sorted by path and line."""
        kept = (problem for problem in problems if problem.rule not in self._ignored)
        return sorted(kept, key=lambda problem: (problem.path, problem.line))

    def _check_metadata(self, article: Article) -> Iterator[_KeyFinding]:
        is_published = not article.draft and not self._is_expired(article)
        if is_published and article.summary is None and "<!--more-->" not in article.body:
            empty = "no text and no description"
            excerpt = "no description: the summary is the first paragraph"
            yield _KeyFinding("title", "no-summary", excerpt if article.body.strip() else empty)
        if match := _TITLE_MARKUP.search(article.title):
            message = f"the title contains {match[0]!r}, which feed readers show unchanged"
            yield _KeyFinding("title", "title-markup", message)
        if is_published and not article.listed:
            yield _KeyFinding("title", "unlisted", "in no feed, because of its front matter")
        for name in article.feeds:
            may_mean_no = is_misspelled_boolean(name)  # without feeds.custom, `feeds` is the key of another program
            if name not in self._site.feeds and (self._site.feeds or may_mean_no):
                advice = "; if the article should be in no feed, write feeds: false" if may_mean_no else ""
                yield _KeyFinding("feeds", "unknown-feed", f"feeds: there is no feed {name!r} in feeds.custom{advice}")
        size = len(article.body.encode())
        if size > _MAX_TEXT_BYTES:
            message = f"{size // 1024} KiB of text: feeds may have no space for full texts and show summaries instead"
            yield _KeyFinding("title", "huge-text", message)

    def _is_expired(self, article: Article) -> bool:
        return article.expires is not None and article.expires <= self._now

    def _check_dates(self, article: Article) -> Iterator[_KeyFinding]:
        if article.draft:
            return
        live_from = article.live_from or article.published
        if article.expires and self._is_expired(article):
            message = f"expired at {article.expires.isoformat(sep=' ')}: not published any more"
            yield _KeyFinding(_EXPIRY_KEY, "expired", message)
        elif live_from > self._now:
            yield _KeyFinding("date", "future-date", f"goes live at {live_from.isoformat(sep=' ')}")
        elif article.updated > self._now + timedelta(days=1):
            message = f"the date of the update is in the future: {article.updated.date()}"
            yield _KeyFinding("updated", "ambiguous-date", message)
        if article.updated < article.published - _MAX_DATE_DIFFERENCE:
            message = f"the date of the update, {article.updated.date()}, is before the date of publication"
            yield _KeyFinding("updated", "ambiguous-date", message)
        if match := _DATE_IN_NAME.search(article.name):
            date = f"{match[1]}-{match[2]}-{match[3]}"
            try:
                moment = datetime.fromisoformat(date).replace(tzinfo=article.published.tzinfo)
            except ValueError:
                return
            if abs(moment - article.published) > _MAX_DATE_DIFFERENCE:
                message = f"the date in the file name is {date}, in the front matter {article.published.date()}"
                yield _KeyFinding("date", "ambiguous-date", message)

    def _check_names(self, article: Article) -> Iterator[_KeyFinding]:
        url = syndication.article_url(article, self._site)
        first = self._paths_by_url.setdefault(url, article.path)
        page = syndication.page_path(article, self._site)
        if first != article.path and page is None:  # of two articles with pages, the run rejects the later one
            yield _KeyFinding("slug", "duplicate-slug", f"has the same address as {first}: {url}")
        is_on_site = self._site.pages and url.startswith(f"{self._site.url}/")
        if is_on_site and page is None and syndication.page_conflict(article, self._site) is None:
            yield _KeyFinding("slug", "no-page", f"{url} can't be the address of a page")
        names = group_names(article, article.authors, self._site.language)
        for kind in self._site.by:
            for name in names[kind]:
                normalised = f"{kind} {re.sub('[-_ ]', '', slugify(name))}"
                self._spellings.setdefault(normalised, {}).setdefault(name, article.path)


def _check_draft(article: Article, source: str) -> Iterator[ArticleWarning]:
    """Yield a notice for a draft, at the line of the key that makes it one."""
    from feeds.core.parse.article import draft_notice  # not needed to name the rules

    if article.draft and (notice := draft_notice(source, article.path)):
        yield notice


def _converter(site: Site) -> Callable[[str], str]:
    from feeds.core.parse.content import MarkdownRenderer

    return MarkdownRenderer(site.markdown).convert


def _prose(body: str, first: int) -> Iterator[tuple[int, str]]:
    """Yield (number, line) for the lines of a body that are not code, without code spans. Numbers start at `first`."""
    fence, is_code, was_blank, item_indent = "", False, True, 0
    for number, line in enumerate(body.split("\n"), first):
        if fence:
            fence, was_blank = fences.open_fence_after(line, fence), False
            continue
        if not line.strip():
            was_blank = True
            continue
        indent = len(line.expandtabs(4)) - len(line.expandtabs(4).lstrip())
        item_indent = min(item_indent, indent // 4 * 4) if was_blank else item_indent
        is_code = indent >= item_indent + 4 and (was_blank or is_code)
        was_blank = False
        if not is_code:
            item_indent = indent // 4 * 4 + 4 if _ITEM.match(line) else item_indent
            fence = fences.open_fence_after(line, "")
            if not fence:
                yield number, _without_code(line)


def _without_code(line: str) -> str:
    """Return a line without its code spans, which end at as many backticks as they begin with."""
    runs = [match.span() for match in _BACKTICKS.finditer(line)]
    next_run: dict[int, int] = {}  # length -> the next run of that length; the loop goes from right to left
    ends = [-1] * len(runs)
    for run in reversed(range(len(runs))):
        length = runs[run][1] - runs[run][0]
        ends[run], next_run[length] = next_run.get(length, -1), run
    kept, begin, run = list[str](), 0, 0
    while run < len(runs):
        if (end := ends[run]) >= 0:
            kept.append(line[begin : runs[run][0]])
            begin, run = runs[end][1], end
        run += 1
    return "".join([*kept, line[begin:]])


def _check_line(line: str) -> Iterator[tuple[str, str]]:
    """Yield (rule, message)."""
    if _MARKDOWN_IMAGE.search(line) or _HTML_IMAGE.search(line):
        yield "image-without-alt", "an image without alternative text; write ![description](…)"
    if "{{" in line or "{%" in line:
        return
    for match in _LINK.finditer(line):
        url = match[1] or match[2]
        if not url_scheme(url) and url.startswith("../") and not resolve_target(url, ""):
            yield "relative-link", f"{url[:80]!r} is relative to the article's address; begin it with /"


def _check_links(line: str, links: Links, *, wikilinks: bool) -> Iterator[tuple[str, str]]:
    """Yield (rule, message)."""
    for href in find_hrefs(line, wikilinks=wikilinks):
        target = resolve_target(href, links.path)
        if target and target.article and links.url(href) is None:
            name = unquote(href.removeprefix(f"{NOTE_SCHEME}:"))
            yield "relative-link", f"{name[:80]!r} leads to no published article"


def count_dead_links(article: Article, links: Links, site: Site) -> int:
    """Return how many links of an article lead to no published article, as `Lint` finds them."""
    wikilinks = site.markdown == "obsidian"
    prose = _prose(article.body, 1)
    return len({(number, found) for number, line in prose for found in _check_links(line, links, wikilinks=wikilinks)})


def line_of_key(source: str, key: str) -> int:
    """Return the line of a key of the front matter, which is a regular expression; 1 if it has none."""
    match = re.search(rf"^[\"']?{key}[\"']?\s*[:=]", source[:5000], re.IGNORECASE | re.MULTILINE)
    return source.count("\n", 0, match.start()) + 1 if match else 1
