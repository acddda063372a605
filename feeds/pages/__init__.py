"""Feeds and entries -> pages for people, in HTML: what there is to subscribe to, and articles to read.

Pure but for the templates, which are files of ours. A page is the same bytes for the same facts, on whatever path or
port it is asked for: its links are relative, or as the configuration says.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from feeds import policy, syndicate
from feeds.formats import FORMATS
from feeds.model import Entry, Feed, FeedState, Site
from feeds.paths import RSS
from feeds.text import digest_of, quote_path

if TYPE_CHECKING:
    from jinja2 import Environment

HERE = Path(__file__).parent
MEDIA_TYPE = "text/html; charset=utf-8"
_SHOWN = 10  # entries of a feed on its page, where the site has a home elsewhere
_LISTED = 1_000  # feeds of a kind
_HEADINGS = (("category", "Categories"), ("tag", "Tags"), ("author", "Authors"))
_EXPLAINED = {
    "RSS": "What every reader understands, and podcast apps too.",
    "Atom": "The stricter standard: it also says what was edited or withdrawn.",
    "JSON Feed": "The same for programs, and for readers of today.",
}
_ALIGNED = re.compile(r' style="text-align: ?(left|right|center);?"')  # tables' columns, the one style that is left
_RIGHT_TO_LEFT = {"ar", "arc", "ckb", "dv", "fa", "he", "ks", "ku", "ps", "sd", "ug", "ur", "yi"}  # as usually written


class Pages:
    """Writes the pages of a site."""

    def __init__(self, site: Site, readers: Mapping[str, str]) -> None:
        """`readers` are templates of the links with which a feed is subscribed to, by the reader's name."""
        self._site = site
        self._readers = readers

    def feed(self, feed: Feed, state: FeedState, feeds: Sequence[FeedState]) -> bytes:
        """Write the page of a feed; of the site's, with all others."""
        home = self._site.pages and not feed.path
        shown = feed.entries if self._site.pages else feed.entries[:_SHOWN]
        live = feed.current or feed.address  # who subscribes to an archive is shown nothing new, ever
        return self._write(
            "page.html",
            feed.address.removeprefix(self._site.feeds_url),
            feed=feed,
            state=state,
            entries=shown,
            live=live,
            older=feed.prev_archive if self._site.pages else None,
            newer=feed.next_archive or feed.current,
            home=home,  # who comes here comes to read
            readers=[(name, filled(link, live + RSS)) for name, link in self._readers.items()],
            groups=list(_grouped(feeds)),
            count=len(feeds),
            explained=_EXPLAINED,
            direction=direction(feed.language),
        )

    def article(self, path: str, entry: Entry, places: Sequence[FeedState]) -> bytes:
        """Write the page of an article at a path, which is in these feeds."""
        body = aligned(entry.html or "")
        return self._write(
            "article.html",
            path,
            entry=entry,
            body=body,
            image=entry.image if entry.image and not syndicate.shows_image(body, entry.image.url) else None,
            places=[place for place in places if place.path],
            listed=bool(places),  # an unlisted article is in no feed, and for no search engine
            lang=entry.language,
            dir=direction(entry.language),
        )

    def _write(self, template: str, path: str, **facts: Any) -> bytes:
        root = "../" * (path.count("/") - 1) or "./"  # links hold whatever path or port leads here
        page = templates().get_template(template)
        return page.render(site=self._site, formats=FORMATS, root=root, **facts).encode()


@cache
def templates() -> "Environment":
    """Give the templates."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # which only a page that is made needs

    made = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=StrictUndefined,
    )
    made.globals["policy"] = policy.PAGE
    made.filters |= {"direction": direction, "quoted": quote_path, "near": _near}
    return made


@cache
def look() -> str:
    """Return a digest of what pages are made with: where it is another, they are."""
    files = sorted((HERE / "templates").iterdir())
    return digest_of(policy.PAGE, [(file.name, file.read_bytes()) for file in files if file.suffix == ".html"])


def _near(address: str, feed: Feed, root: str) -> str:
    """Give an address of ours as a relative link, which holds whatever host and port lead here."""
    base = feed.page.removesuffix(f"{quote_path(feed.path)}/") if feed.path else feed.page
    return root + address.removeprefix(base)


def direction(language: str) -> str:
    """Give the direction in which a language is written, as HTML's `dir` has it."""
    main, _, rest = language.lower().partition("-")
    scripts = set(rest.split("-"))
    right = scripts & {"arab", "hebr", "thaa", "syrc"} or (main in _RIGHT_TO_LEFT and "latn" not in scripts)
    return "rtl" if right else "ltr"


def aligned(html: str) -> str:
    """Say how tables' columns are aligned without the one style that is left, which no page of ours may have."""
    return _ALIGNED.sub(r' align="\1"', html)


def filled(link: str, address: str) -> str:
    """Fill a feed's address into the template of a reader's link: {url} encoded for a query, {raw} as it is."""
    return link.replace("{url}", quote(address, safe="")).replace("{raw}", address)


def asset(path: str) -> bytes:
    """Return a stylesheet or a script, by one of `paths.ASSETS`."""
    return (HERE / path.lstrip("/")).read_bytes()


def _grouped(feeds: Iterable[FeedState]) -> Iterable[tuple[str, str, list[FeedState], int]]:
    """Give (kind, heading, feeds by name, how many smaller ones are left out) for each kind that there is."""
    by_kind: dict[str, list[FeedState]] = {}
    for state in feeds:
        by_kind.setdefault(state.kind, []).append(state)
    for kind, heading in _HEADINGS:
        if states := by_kind.get(kind):
            largest = sorted(states, key=lambda one: (-one.entries, one.path))[:_LISTED]
            yield kind, heading, sorted(largest, key=lambda one: one.name.casefold()), len(states) - len(largest)
