"""One file -> what the catalog keeps of it: the article, packed, or why there is none."""

import hashlib
import re
from functools import cache

from feeds import bundle, syndicate
from feeds.catalog import Reading, Stamp
from feeds.errors import Refused, Unreadable
from feeds.folder import Folder, Unsettled
from feeds.folder.companions import Companions
from feeds.model import Article, Site
from feeds.parse import article as articles
from feeds.parse import links
from feeds.parse.bounds import ordinary
from feeds.parse.content import Dialect, Renderer
from feeds.parse.media import may_name_files
from feeds.publish.reading import Differing, Doubtful, InFlux, Read, Touched
from feeds.sandbox import Sandbox
from feeds.text import one_line

_LONGEST = 2_000  # bytes of what an article is found by: an entry of PostgreSQL's indexes has 2,704
_ADDRESS = re.compile(rb"""^["']?(?:link|url|permalink|slug)["']?[ \t]*[:=]""", re.IGNORECASE | re.MULTILINE)
_FRONT_MATTER = 65_536  # bytes in which it may be
_SECONDS = 5.0  # of CPU for the conversion of a text, as for who shows it
_UNSEEN: Stamp = (0, 0, 0)  # no file has it, so that the next run reads the file again


class Reader:
    """Reads one file after the other."""

    def __init__(self, folder: Folder, site: Site) -> None:
        self._folder = folder
        self._site = site
        self._companions = Companions(folder.root, site)

    def forget(self) -> None:
        """Discard what was read of the files beside articles."""
        self._companions.forget()

    def read(self, differing: Differing) -> Read:
        """Read one file."""
        file, row, site = differing.file, differing.row, self._site
        stamp = (file.mtime_ns, file.size, file.inode)
        try:
            data = self._folder.read(file, articles.LARGEST)
            beside = self._companions.digest(file.path)
            hash_ = hashlib.sha256(data + beside).hexdigest()
            if row and row.hash == hash_ and not (row.refused or row.gone or differing.again):
                return Touched(row.key, file.path, stamp)
            read = articles.read(data, file.path, site.timezone, self._companions.people(file.path), site.markdown)
            article = self._companions.complete(read)
            if (article.enclosures, article.body) != (read.enclosures, read.body):  # what is in files beside shows
                found = repr((article.enclosures, article.body if article.body != read.body else ""))
                hash_ = hashlib.sha256(data + beside + found.encode()).hexdigest()
            page = syndicate.page(article, site)
            if page is None and not article.draft and (taken := syndicate.taken_page(article, site)):
                raise _taken(*taken, data)
            _require_short(("id", article.id), ("slug", article.slug), ("the path of its page", page))
        except Unsettled:
            return InFlux(file.path)
        except Refused as refused:
            stamp = _UNSEEN if isinstance(refused, Unreadable) else stamp
            return Reading(file.path, stamp, refused=one_line(refused.reason), refused_line=refused.line)
        minted, feeds = syndicate.mint(article, site), syndicate.feeds_of(article, site)
        links_to = links.targets(article.body, article.path, wikilinks=site.markdown == "obsidian")
        files = map(links.file_target, bundle.referred(article, site, _html(article, site)))
        reading = Reading.of(article, stamp, hash_, minted, feeds, page, (*links_to, *files))
        if self._site.markdown != "python-markdown" or ordinary(article.body):
            return reading
        return Doubtful(reading, article.body)


@cache
def _renderer(dialect: Dialect) -> Sandbox | Renderer:
    """Return what converts the texts of a dialect; one for each process, since no process can hand it to another."""
    return Sandbox(_SECONDS) if dialect == "python-markdown" else Renderer(dialect)


def _html(article: Article, site: Site) -> str:
    """Return the HTML of an article's text where it may refer to files that its page shows, else nothing."""
    if not site.pages or not may_name_files(article.body):
        return ""
    try:
        return _renderer(site.markdown).converted(article.body)
    except (Refused, ValueError, RecursionError, MemoryError):  # it is shown as plain text
        return ""


def _taken(path: str, owner: str, data: bytes) -> Refused:
    said = f"its address {path} is {owner}; give the article another link or slug"
    return Refused(said, _line_of_address(data))


def _line_of_address(data: bytes) -> int:
    """Return the line of the key that gives an article its address; 1 if none does."""
    match = _ADDRESS.search(data, 0, _FRONT_MATTER)
    return data.count(b"\n", 0, match.start()) + 1 if match else 1


def _require_short(*found_by: tuple[str, str | None]) -> None:
    for what, said in found_by:
        if said and len(said.encode()) > _LONGEST:
            raise Refused(f"{what} {said[:60]!r}… is longer than {_LONGEST} bytes")
