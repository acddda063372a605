"""The templates of pages, with the variables, filters and functions that all of them have.

`gettext`, `ngettext`, `pgettext`, `npgettext` and `_` translate into the language of the page that is rendered; so do
the blocks `{% trans %}`. The filters `long_date`, `short_date`, `date_and_time`, `number`, `percent`, `file_size`,
`data_size` and `comma_list` format values for that language.
"""

import re
from collections.abc import Iterable
from datetime import datetime
from functools import cache, lru_cache
from gettext import NullTranslations
from pathlib import Path
from typing import TYPE_CHECKING, Any

from feeds.core import policy
from feeds.core.formats import FORMATS
from feeds.core.languages import language_name
from feeds.core.model import Enclosure
from feeds.core.text import digest_of, quote_path
from feeds.core.wording import wording_of
from feeds.pages.appearance import Appearance
from feeds.pages.own_templates import Rendered, TemplateProblem
from feeds.pages.translations import (
    SOURCE_LANGUAGE,
    Interface,
    catalog_file,
    interface_of,
    languages,
    text_direction,
)
from feeds.render.relocation import move_url

if TYPE_CHECKING:
    from jinja2 import Environment
    from jinja2.runtime import Context

_FOLDER = Path(__file__).parent / "templates"
_EXTENSION = re.compile(r"[A-Za-z][A-Za-z0-9]{1,4}|7z")


def render(template: str, appearance: Appearance, root: str, language: str, **variables: Any) -> Rendered:
    """Return a page.

    Args:
        template: the name of the template.
        appearance: the look of the site's pages.
        root: the relative link, with a trailing slash, from the page to the top of the site.
        language: the language of the page's content, which determines the language of the interface text.
        variables: other variables of the template.
    """
    from markupsafe import Markup  # few processes need it

    site, interface = appearance.site, interface_of(language)
    common = {
        "site": site,
        "site_footer": Markup(appearance.footer(root)),  # noqa: S704  # it is sanitised
        "stylesheets": appearance.stylesheets,
        "formats": FORMATS,
        "root": root,
        "articles_url": site.url if site.pages else None,  # else another program serves the articles
        "page": None,  # by `page_key`; None: no item of the menu leads to it
        "reloads": False,
        "interface": interface,
        "ui_language": interface.language,
        "ui_direction": interface.direction,
    }
    return appearance.templates.render(template, common | variables, templates())


def check_templates(appearance: Appearance) -> list[TemplateProblem]:
    """Return the problem of each template of the site that can't be used."""
    return list(appearance.templates.check(templates()))


@cache
def templates() -> "Environment":
    """Return the environment of the templates."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context  # few processes need it

    from feeds.pages.template_cache import TemplateCache

    environment = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=StrictUndefined,
        extensions=["jinja2.ext.i18n"],
        auto_reload=False,
        bytecode_cache=TemplateCache(__file__),
    )
    environment.globals |= {"policy": policy.PAGE, "in_language": in_language}
    environment.filters |= {
        "direction": text_direction,
        "quoted": quote_path,
        "near": _relative_link,
        "long_date": pass_context(_long_date),
        "short_date": pass_context(_short_date),
        "date_and_time": pass_context(_date_and_time),
        "number": pass_context(_number),
        "percent": pass_context(_percent),
        "comma_list": pass_context(_comma_list),
        "file_kind": _file_kind,
        "file_size": pass_context(_file_size),
        "data_size": pass_context(_data_size),
        "language_name": language_name,
    }
    environment.policies["ext.i18n.trimmed"] = True
    _install_gettext(environment)
    return environment


def compile_templates() -> None:
    """Compile the templates of the pages of feeds and articles."""
    for name in ("base.html", "feed.html", "article.html"):
        templates().get_template(name)


def _install_gettext(environment: Any) -> None:
    from jinja2 import pass_context
    from markupsafe import Markup

    @lru_cache(maxsize=1024)
    def translated(messages: NullTranslations, message: str) -> Markup:
        # most messages have no variable; Jinja's own function translates and escapes each one again
        return Markup(messages.gettext(message)) % {}  # noqa: S704  # messages are HTML

    @pass_context
    def gettext(context: "Context", message: str, **variables: Any) -> str:
        messages = _interface(context).messages
        if not context.eval_ctx.autoescape:
            return messages.gettext(message) % variables
        if not variables:
            return translated(messages, message)
        return Markup(messages.gettext(message)) % variables  # noqa: S704

    @pass_context
    def ngettext(context: "Context", singular: str, plural: str, count: int) -> str:
        return _interface(context).messages.ngettext(singular, plural, count)

    @pass_context
    def pgettext(context: "Context", meaning: str, message: str) -> str:
        return _interface(context).messages.pgettext(meaning, message)

    @pass_context
    def npgettext(context: "Context", meaning: str, singular: str, plural: str, count: int) -> str:
        return _interface(context).messages.npgettext(meaning, singular, plural, count)

    environment.install_gettext_callables(gettext, ngettext, newstyle=True, pgettext=pgettext, npgettext=npgettext)
    environment.globals |= {"gettext": gettext, "_": gettext}  # without Jinja's wrapper


@lru_cache(maxsize=256)
def in_language(language: str, around: str) -> str:
    """Return the attributes of an element whose language differs from that of the text around it, as HTML."""
    from markupsafe import Markup  # few processes need it

    if language == around:
        return Markup("")
    attributes = Markup(' lang="{}"').format(language)
    direction = text_direction(language)
    return attributes if direction == text_direction(around) else attributes + Markup(' dir="{}"').format(direction)


def _interface(context: "Context") -> Interface:
    interface = context.resolve("interface")
    return interface if isinstance(interface, Interface) else interface_of("en")


def _long_date(context: "Context", moment: datetime) -> str:
    return _interface(context).long_date(moment.astimezone(context["site"].timezone))


def _short_date(context: "Context", moment: datetime) -> str:
    return _interface(context).short_date(moment.astimezone(context["site"].timezone))


def _date_and_time(context: "Context", moment: datetime) -> str:
    return _interface(context).date_and_time(moment.astimezone(context["site"].timezone))


def _percent(context: "Context", share: float) -> str:
    return _interface(context).percent(share)


def _comma_list(context: "Context", items: Iterable[str]) -> str:
    from markupsafe import Markup  # few processes need it

    return Markup(_interface(context).list_separator).join(items)  # noqa: S704  # the separator is not HTML


def _data_size(context: "Context", length: int) -> str:
    return _interface(context).data_size(length)


def _number(context: "Context", value: int) -> str:
    return _interface(context).number(value)


def _file_size(context: "Context", length: int) -> str:
    return _interface(context).file_size(length)


def _file_kind(file: Enclosure) -> str:
    """Return the common name of a file's type, such as "MP3".

    It is the extension of the file's name, or else a part of its media type.
    """
    extension = file.url.partition("?")[0].rpartition("/")[2].rpartition(".")[2]
    is_extension = _EXTENSION.fullmatch(extension) and "." in file.url.rpartition("/")[2]
    return (extension if is_extension else file.type.rpartition("/")[2].partition(";")[0].removeprefix("x-")).upper()


@cache
def templates_digest() -> str:
    """Return a digest of all templates and their texts: if it changes, every exported page is rendered again."""
    files = sorted(_FOLDER.iterdir())
    catalogs = [catalog_file(language).read_bytes() for language in languages() if language != SOURCE_LANGUAGE]
    templates = [(file.name, file.read_bytes()) for file in files if file.suffix == ".html"]
    return digest_of(policy.PAGE, templates, catalogs, [wording_of(language) for language in languages()])


def _relative_link(url: str, root: str, base: str | None) -> str:
    """Return a URL below `base` as a link relative to a page.

    Return any other URL, or any URL if `base` is None, unchanged. `root`: the relative link from the page to `base`.
    """
    link = move_url(url, base, root.removesuffix("/")) if base else url
    return root if link == root.removesuffix("/") else link
