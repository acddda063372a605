"""Hugo's configuration (gohugo.io/configuration), its permalinks and the paths of its feeds."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from feeds.moving.words import Move, OldFeed, Settings, folder_of, mapping, parsed, site, translated
from feeds.patterns import lower, pathize, plain

_SUFFIXES = ("toml", "yaml", "yml", "json")
_NAMES = [f"{name}.{suffix}" for name in ("hugo", "config") for suffix in _SUFFIXES]
_FOLDERS = ("config/_default", "config/production")  # `hugo` without arguments builds for production
FILES = [*_NAMES, *(f"{folder}/*.{suffix}" for folder in _FOLDERS for suffix in _SUFFIXES)]
_DATES = {"year": "{year}", "month": "{month}", "day": "{day}"}
_PARTS = {  # as `urlize` and what else the site says spell them
    "section": "{section:pathize}",
    "sections": "{folder:pathize}",
    "title": "{headline}",
    "slug": "{title}",
    "slugorcontentbasename": "{file}",
    "slugorfilename": "{file}",
    "contentbasename": "{name}",
    "filename": "{name}",
}


def read(files: Mapping[str, str]) -> Move:
    """Read the configuration, from however many files. Raises `Unreadable`."""
    found = _read_together(files)
    notes: list[str] = []
    found = _in_default_language(found, notes)
    params = mapping(found.get("params"))
    settings = site(
        found.get("title"),
        found.get("baseurl"),
        description=params.get("description"),
        language=found.get("locale") or found.get("languagecode") or found.get("defaultcontentlanguage"),
        timezone=found.get("timezone"),
        author=params.get("author") or found.get("author"),
        copyright=found.get("copyright"),
    )
    spelled = [name for name, said in (("plain", found.get("removepathaccents")),
                                       ("lower", not found.get("disablepathtolower"))) if said]  # fmt: skip
    settings["content"] = {
        "path": folder_of(found.get("contentdir"), "content"),
        **_permalinks(found, spelled, notes),
        "id": f"{settings['site']['url']}{{link}}",
    }
    rss = mapping(mapping(found.get("outputformats")).get("rss"))
    name = f"{rss.get('basename') or 'index'}.xml"
    settings["feeds"] = {"aliases": {} if name == "rss.xml" else {f"/{name}": "/rss.xml"}}
    return Move(
        settings,
        (
            OldFeed("category", f"/categories/{{name}}/{name}", "rss.xml"),
            OldFeed("tag", f"/tags/{{name}}/{name}", "rss.xml"),
        ),
        partial(_spelled, spelled=spelled),
        (*notes, "pages without a date, such as about.md, are no articles: name them in content.exclude"),
        slashes=True,
    )


def _permalinks(found: Settings, spelled: list[str], notes: list[str]) -> Settings:
    """Give `permalink` and `permalinks` of the section `content`."""
    more = "".join(f":{spelling}" for spelling in spelled)
    parts = _DATES | {name: part.replace("}", f":urlize{more}}}") for name, part in _PARTS.items()}
    ugly = found.get("uglyurls")
    if isinstance(ugly, dict):
        notes.append("uglyURLs of some sections: set content.permalinks to patterns that end in .html")
    end = ".html" if ugly is True else "/"
    said = found.get("permalinks")
    pages = mapping(mapping(said).get("page")) or {
        key: one for key, one in mapping(said).items() if isinstance(one, str)
    }
    if isinstance(said, list):
        notes.append("permalinks in a list are not read; write them as content.permalinks")
    patterns = {}
    for section, pattern in pages.items():
        if ":sections" in str(pattern).lower():
            notes.append(
                f"permalink {pattern}: Hugo's :sections are folders with an _index.md, {{folder}} is all of them"
            )
        patterns[section] = translated(str(pattern), parts, notes).rstrip("/") + end  # Hugo makes a folder of any
    if patterns.pop("/", None):
        notes.append("the permalink of pages at the top has no counterpart; look at content.permalink")
    path = "pathize" if "lower" in spelled else "sanitize"
    default = f"/{{folder:{path}{more}}}/{{file:{path}{more}}}{end}"
    return {"permalink": patterns.pop("**", None) or patterns.pop("*", None) or default, "permalinks": patterns}


def _spelled(name: str, spelled: list[str]) -> str:
    """Spell a term as Hugo does in its feed's path."""
    change: Mapping[str, Callable[[str], str]] = {"plain": plain, "lower": lower}
    path = pathize(name.strip())
    for spelling in spelled:
        path = change[spelling](path)
    return path


def _read_together(files: Mapping[str, str]) -> Settings:
    """Read all files: those of a folder go before the one at the top, and some are called as the key that they set."""
    found: Settings = {}
    top = [name for name in _NAMES if name in files][:1]
    for name in top + [name for folder in _FOLDERS for name in files if name.startswith(f"{folder}/")]:
        said = _lowered(parsed(name, files[name]))
        key, *language = name.rpartition("/")[2].lower().split(".")[:-1]
        if language:
            said = {"languages": {language[0]: said if key in {"hugo", "config"} else {key: said}}}
        elif key not in {"hugo", "config"}:
            said = {key: said}
        found = _merged(found, said)
    return found


def _in_default_language(found: Settings, notes: list[str]) -> Settings:
    """Give what holds in the language that articles have if they name none."""
    languages = mapping(found.get("languages"))
    if len(languages) > 1:
        notes.append("the site has several languages: this is for the default one; exclude the files of the others "
                     "(content.exclude), and give each a configuration of its own")  # fmt: skip
    if found.get("defaultcontentlanguageinsubdir"):
        notes.append(
            "defaultContentLanguageInSubdir: begin the permalinks and feeds.aliases with the language's folder"
        )
    language = str(found.get("defaultcontentlanguage") or "en")
    return _merged(found, mapping(languages.get(language)))


def _merged(old: Settings, new: Settings) -> Settings:
    both = {key: _merged(old[key], value) for key, value in new.items()
            if isinstance(value, dict) and isinstance(old.get(key), dict)}  # fmt: skip
    return old | new | both


def _lowered(value: Any) -> Any:
    """Give settings with their keys in lower case, as Hugo compares them."""
    if isinstance(value, dict):
        return {str(key).lower(): _lowered(child) for key, child in value.items()}
    return value
