"""What the owner of a site has chosen for its pages: logo, menu, footer, stylesheets and templates."""

from dataclasses import dataclass, fields
from typing import NamedTuple

from feeds.core.model import Site


class NavItem(NamedTuple):
    """A link of the menu: its text and its URL."""

    title: str
    url: str


@dataclass(frozen=True, slots=True)
class PageSite(Site):
    """The site as templates see it: a `Site` with a logo and a menu, which no feed contains."""

    logo: str | None = None  # absolute URL
    nav: tuple[NavItem, ...] = ()


@dataclass(frozen=True, slots=True)
class Appearance:
    """The look of a site's pages; `site_footer` is sanitised HTML."""

    site: PageSite
    footer: str = ""
    stylesheets: tuple[str, ...] = ()  # paths below feeds.url, after page.css

    @classmethod
    def of(cls, site: Site) -> "Appearance":
        """Return the appearance of a site."""
        return cls(PageSite(**{field.name: getattr(site, field.name) for field in fields(site)}))
