"""The rules of `feeds check`, and the problems that they find."""

from dataclasses import dataclass
from typing import NamedTuple

from feeds.core.lint.levels import Level


class Rule(NamedTuple):
    """A rule: the level of the problems that it finds, and a description of them."""

    level: Level
    description: str


RULES = {
    "refused": Rule("error", "a rejected article"),
    "template": Rule("error", "a mistake in a template of the site; the built-in page is shown instead"),
    "static-file": Rule("warning", "a file in the folder of static files that is not published"),
    "dead-link": Rule("warning", "a link of site.nav or site.footer to something that the site does not publish"),
    "no-summary": Rule(
        "notice",
        "an article without description and <!--more-->, whose summary is the first paragraph; an article without text",
    ),
    "title-markup": Rule("warning", "a title with Markdown, HTML or entities, which feed readers show unchanged"),
    "image-without-alt": Rule("warning", "an image without alternative text"),
    "relative-link": Rule(
        "warning", "a link to an unpublished article; a link such as ../x, which is relative to the article's address"
    ),
    "template-code": Rule("warning", "template code, such as a shortcode, which would be shown unchanged"),
    "dropped-html": Rule("warning", "HTML that is removed and that a reader would miss, such as a script"),
    "missing-image": Rule("warning", "an image or an enclosure whose file does not exist"),
    "other-dialect": Rule("warning", "syntax of a dialect other than content.markdown, which is shown unchanged"),
    "unrenderable": Rule("warning", "a text that can't be rendered and is shown as plain text"),
    "huge-text": Rule("warning", "a text so long that feeds may show summaries instead of full texts"),
    "draft": Rule("notice", "a draft: an article that is not published because of a key or its folder"),
    "future-date": Rule("notice", "a scheduled article"),
    "expired": Rule("notice", "an article that is not published any more, because its `expires` date has passed"),
    "ambiguous-date": Rule("warning", "an article whose dates contradict each other"),
    "duplicate-slug": Rule("warning", "two articles with the same address"),
    "no-page": Rule("warning", "an article whose link can't be the address of a page (site.pages)"),
    "near-duplicate-tags": Rule("warning", "a category, tag, author, language or folder with several spellings"),
    "feed-too-large": Rule("warning", "a feed larger than feeds.max_size"),
    "too-many-feeds": Rule(
        "warning", "more categories, tags, authors and folders than the limit of 20,000 feeds allows"
    ),
    "small-feeds": Rule(
        "notice", "a site where most feeds have only one entry; feeds.min_entries can leave these feeds out"
    ),
    "empty-feed": Rule("warning", "a feed of feeds.custom that contains no article"),
    "unknown-feed": Rule("warning", "an article that names a feed that feeds.custom does not have"),
    "alias-to-nothing": Rule("warning", "an alias of a feed that does not exist"),
    "lost-id": Rule("warning", "an id of the feed given with --against that no article has"),
    "doubtful-id": Rule("warning", "an id that is not an absolute IRI, or that belongs to another article"),
    "mistake": Rule("error", "an invalid config.yaml"),
    "guard": Rule("error", "the republish guard would stop the run"),
    "unusable-value": Rule("warning", "an invalid value in front matter, which is ignored"),
    "withholding-key": Rule(
        "warning", "an unknown value that withholds an article, or a key that withholds it in other programs"
    ),
    "misspelt-key": Rule(
        "warning", "an unknown key that looks like `title`, `category` or another key without a value"
    ),
    "mdx": Rule("warning", "statements, components or expressions of MDX, which are removed"),
    "undated-page": Rule("notice", "a page without a date, such as about.md, which is not published"),
    "unlisted": Rule("notice", "an article that is in no feed because of its front matter"),
    "old-schema": Rule("notice", "a .feeds.schema.json, which editors use, from another version of feeds"),
    "configuration": Rule(
        "warning", "a setting without effect, or a setting to review before the site has subscribers"
    ),
}


@dataclass(frozen=True, slots=True)
class Problem:
    """A problem that a rule found, and its position."""

    path: str
    line: int  # from 1
    rule: str  # a key of `RULES`, or of `aggregators.REQUIREMENTS`
    message: str
    column: int | None = None  # from 1; only of positions in the configuration

    @property
    def level(self) -> Level:
        """The level of the rule."""
        if self.rule in RULES:
            return RULES[self.rule].level
        from feeds.core.lint.aggregators import REQUIREMENTS  # only `feeds check --for` needs them

        return REQUIREMENTS[self.rule].level


class Finding(NamedTuple):
    """A problem in the body of an article."""

    line: int  # of the file, from 1
    rule: str
    message: str
