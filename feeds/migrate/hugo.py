"""Converts Hugo's configuration (gohugo.io/configuration): its permalinks and the paths of its feeds."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from feeds.core.permalinks import go_lower, pathize, strip_accents
from feeds.migrate.common import (
    LegacyFeed,
    Migration,
    Settings,
    as_mapping,
    folder_or,
    parse_settings,
    site_section,
    translate_pattern,
)

_SUFFIXES = ("toml", "yaml", "yml", "json")
_NAMES = [f"{name}.{suffix}" for name in ("hugo", "config") for suffix in _SUFFIXES]
_FOLDERS = ("config/_default", "config/production")  # `hugo` without arguments builds for production
FILES = [*_NAMES, *(f"{folder}/*.{suffix}" for folder in _FOLDERS for suffix in _SUFFIXES)]
_DATES = {"year": "{year}", "month": "{month}", "day": "{day}"}
_PLACEHOLDERS = {  # without the modifiers that the site's settings require
    "section": "{section:pathize}",
    "sections": "{folder:pathize}",
    "title": "{headline}",
    "slug": "{title}",
    "slugorcontentbasename": "{file}",
    "slugorfilename": "{file}",
    "contentbasename": "{name}",
    "filename": "{name}",
}


def convert(files: Mapping[str, str]) -> Migration:
    """Return the migration for one or several configuration files. Raise `ForeignConfigError`."""
    notes: list[str] = []
    values = _in_default_language(_merge_files(files), notes)
    params = as_mapping(values.get("params"))
    settings = site_section(
        values.get("title"),
        values.get("baseurl"),
        description=params.get("description"),
        language=values.get("locale") or values.get("languagecode") or values.get("defaultcontentlanguage"),
        timezone=values.get("timezone"),
        author=params.get("author") or values.get("author"),
        copyright=values.get("copyright"),
    )
    modifiers = [name for name, is_set in (("plain", values.get("removepathaccents")),
                                           ("lower", not values.get("disablepathtolower"))) if is_set]  # fmt: skip
    settings["content"] = {
        "path": folder_or(values.get("contentdir"), "content"),
        **_permalinks(values, modifiers, notes),
        "id": f"{settings['site']['url']}{{link}}",
    }
    rss = as_mapping(as_mapping(values.get("outputformats")).get("rss"))
    name = f"{rss.get('basename') or 'index'}.xml"
    settings["feeds"] = {"aliases": {} if name == "rss.xml" else {f"/{name}": "/rss.xml"}}
    return Migration(
        settings,
        (
            LegacyFeed("category", f"/categories/{{name}}/{name}", "rss.xml"),
            LegacyFeed("tag", f"/tags/{{name}}/{name}", "rss.xml"),
        ),
        partial(_spell, modifiers=modifiers),
        (*notes, "pages without a date, such as about.md, are not articles: add them to content.exclude"),
        adds_slash=True,
    )


def _permalinks(values: Settings, modifiers: list[str], notes: list[str]) -> Settings:
    """Return the keys `permalink` and `permalinks` of the section `content`."""
    suffix = "".join(f":{modifier}" for modifier in modifiers)
    placeholders = _DATES | {name: value.replace("}", f":urlize{suffix}}}") for name, value in _PLACEHOLDERS.items()}
    ugly_urls = values.get("uglyurls")
    if isinstance(ugly_urls, dict):
        notes.append("uglyURLs of some sections: set content.permalinks to patterns that end in .html")
    end = ".html" if ugly_urls is True else "/"
    permalinks = values.get("permalinks")
    sections = as_mapping(as_mapping(permalinks).get("page")) or {
        section: pattern for section, pattern in as_mapping(permalinks).items() if isinstance(pattern, str)
    }
    if isinstance(permalinks, list):
        notes.append("permalinks in a list are ignored; write them as content.permalinks")
    patterns = {}
    for section, pattern in sections.items():
        if ":sections" in str(pattern).lower():
            notes.append(
                f"permalink {pattern}: :sections in Hugo are only folders with an _index.md, {{folder}} is all folders"
            )
        # without uglyURLs, Hugo writes a folder for each article, even if the pattern has no slash at its end
        patterns[section] = translate_pattern(str(pattern), placeholders, notes).rstrip("/") + end
    if patterns.pop("/", None):
        notes.append("the permalink of top-level pages has no equivalent; check content.permalink")
    path = "pathize" if "lower" in modifiers else "sanitize"
    default = f"/{{folder:{path}{suffix}}}/{{file:{path}{suffix}}}{end}"
    return {"permalink": patterns.pop("**", None) or patterns.pop("*", None) or default, "permalinks": patterns}


def _spell(name: str, modifiers: list[str]) -> str:
    """Return a term as Hugo writes it in the path of the term's feed."""
    functions: Mapping[str, Callable[[str], str]] = {"plain": strip_accents, "lower": go_lower}
    path = pathize(name.strip())
    for modifier in modifiers:
        path = functions[modifier](path)
    return path


def _merge_files(files: Mapping[str, str]) -> Settings:
    """Return the settings of all files.

    Files in a folder override the one at the top. Some are named after the key that they set, or after a language.
    """
    merged: Settings = {}
    top = [name for name in _NAMES if name in files][:1]
    for name in top + [name for folder in _FOLDERS for name in files if name.startswith(f"{folder}/")]:
        settings = _with_lower_case_keys(parse_settings(name, files[name]))
        key, *language = name.rpartition("/")[2].lower().split(".")[:-1]
        if language:
            settings = {"languages": {language[0]: settings if key in {"hugo", "config"} else {key: settings}}}
        elif key not in {"hugo", "config"}:
            settings = {key: settings}
        merged = _merge(merged, settings)
    return merged


def _in_default_language(values: Settings, notes: list[str]) -> Settings:
    """Return the settings of the default language."""
    languages = as_mapping(values.get("languages"))
    if len(languages) > 1:
        notes.append("the site has several languages: these settings are for the default one; exclude the files of the "
                     "others (content.exclude), and create a configuration for each")  # fmt: skip
    if values.get("defaultcontentlanguageinsubdir"):
        notes.append("defaultContentLanguageInSubdir: prefix the permalinks and feeds.aliases with the language")
    language = str(values.get("defaultcontentlanguage") or "en")
    return _merge(values, as_mapping(languages.get(language)))


def _merge(old: Settings, new: Settings) -> Settings:
    both = {key: _merge(old[key], value) for key, value in new.items()
            if isinstance(value, dict) and isinstance(old.get(key), dict)}  # fmt: skip
    return old | new | both


def _with_lower_case_keys(value: Any) -> Any:
    """Return settings with lower-case keys, because Hugo ignores their case."""
    if isinstance(value, dict):
        return {str(key).lower(): _with_lower_case_keys(child) for key, child in value.items()}
    return value
