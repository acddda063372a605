"""The look of a site's pages: the logo, the menu, the footer, the stylesheets and the templates of its owner."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

from feeds.config import Config
from feeds.content.pictures import picture_size
from feeds.content.static_files import StaticFiles
from feeds.core import paths
from feeds.core.errors import ArticleError
from feeds.core.model import Site
from feeds.core.text import digest_of, resolve_on_site
from feeds.highlight import highlighter
from feeds.pages.code_blocks import CodeBlocks
from feeds.pages.own_templates import OwnTemplates, TemplateProblem, ignore_problem
from feeds.render.relocation import move_html, move_url

LOGO_HEIGHT = 40  # pixels, as in base.html


class NavItem(NamedTuple):
    """A link of the menu: its text, its URL, and the page to which it leads, as `page_key` returns it."""

    title: str
    url: str
    page: str | None  # None: it leads to no page of this program, or to a part of one


@dataclass(frozen=True, slots=True)
class PageSite(Site):
    """The site as templates see it: a `Site` with a logo and a menu, which no feed contains."""

    logo: str | None = None  # absolute URL
    logo_width: int | None = None  # pixels, if it is shown `LOGO_HEIGHT` high; None: its size is unknown
    nav: tuple[NavItem, ...] = ()


@dataclass(frozen=True, slots=True)
class Appearance:
    """The look of a site's pages."""

    site: PageSite
    stylesheets: tuple[str, ...]  # paths below feeds.url, without the built-in stylesheet
    templates: OwnTemplates
    _footer: str  # sanitised HTML
    _code: CodeBlocks | None  # None: code has no colours

    @classmethod
    def load(
        cls, settings: Config, site: Site, on_problem: Callable[[TemplateProblem], object] = ignore_problem
    ) -> "Appearance":
        """Return the look that a configuration and its folders define.

        Args:
            settings: the configuration.
            site: the site as it is served; in a preview, its URLs are those of this machine.
            on_problem: called with each mistake in a template that is found while a page is rendered.
        """
        section = settings.site
        values = {field.name: getattr(site, field.name) for field in fields(site)}
        static_files = StaticFiles(settings.static_folder, settings.secrets)
        logo = section.logo and _resolve(section.logo, site)
        links = [(title, _resolve(link, site)) for title, link in section.nav.items()]
        nav = tuple(NavItem(title, url, _page_of(url, site)) for title, url in links)
        has_custom = static_files.find(Path(paths.CUSTOM_STYLESHEET).name) is not None
        stylesheets = [(paths.THEME_STYLESHEET, bool(section.theme.stylesheet)), (paths.CUSTOM_STYLESHEET, has_custom)]
        return cls(
            PageSite(**values, logo=logo, logo_width=_logo_width(section.logo, static_files), nav=nav),
            tuple(path for path, exists in stylesheets if exists),
            OwnTemplates(settings.templates_folder, is_required=bool(section.templates), on_problem=on_problem),
            _render_footer(section.footer, site),
            CodeBlocks() if section.code_colors else None,
        )

    @property
    def digest(self) -> str:
        """A digest of everything that all pages depend on, apart from `Site`."""
        values = [
            self.site.logo,
            self.site.logo_width,
            self.site.nav,
            self.stylesheets,
            self.templates.digest,
            self._footer,
        ]
        return digest_of(*values, highlighter.version() if self._code else None)

    def colour_code(self, body: str) -> str:
        """Return the HTML of an article with classes for the colours of its code, if the site has such colours."""
        return self._code.colour(body) if self._code else body

    def footer(self, root: str) -> str:
        """Return the footer as HTML whose links within the site are relative to a page.

        `root`: the relative link, with a trailing slash, from the page to the top of the site.
        """
        return move_html(self._footer, self.site.url, root.removesuffix("/")) if self.site.pages else self._footer


def page_key(path: str) -> str:
    """Return the key by which the path of a page and links to it are compared: a slash at the end is ignored."""
    return path.rstrip("/") or "/"


def _logo_width(logo: str | None, static_files: StaticFiles) -> int | None:
    """Return the width of a logo that is `LOGO_HEIGHT` high, if it is a static file whose size is known."""
    if not logo or not logo.startswith("/static/"):
        return None
    file = static_files.find(unquote(logo.removeprefix("/static/").partition("?")[0].partition("#")[0]))
    size = picture_size(file) if file else None
    return size and max(1, round(LOGO_HEIGHT * size.width / size.height))


def _page_of(url: str, site: Site) -> str | None:
    path = move_url(url, site.feeds_url, "") if url != site.feeds_url else "/"
    is_page = path.startswith("/") and not path.startswith("//") and not {"#", "?"}.intersection(path)
    return page_key(unquote(path)) if is_page else None


def _resolve(reference: str, site: Site) -> str:
    """Return the absolute URL of a reference in the configuration; static files are below feeds.url."""
    base = site.feeds_url if reference.startswith("/static/") else site.url
    return resolve_on_site(reference, base, f"{base}/") or reference


def _render_footer(footer: str, site: Site) -> str:
    if not footer:
        return ""
    from feeds.core.parse.content import MarkdownRenderer, plain_text_content  # few processes need it

    try:
        return MarkdownRenderer().render(footer, "", f"{site.url}/", "footer-").html
    except ArticleError:  # the text is nested too deeply, for example
        return plain_text_content(footer, "").html
