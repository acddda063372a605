"""Pygments' lexers, which can still be imported after the process has lost its access to files."""

import importlib.util
import marshal
import os
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from importlib.machinery import ModuleSpec
from itertools import groupby
from types import ModuleType
from typing import Any

from pygments import lexer, lexers, modeline, plugin, scanner, style, unistring  # noqa: F401  # lexers import these
from pygments.lexers._mapping import LEXERS
from pygments.token import STANDARD_TYPES

from feeds.confined import child

# modules of the standard library that lexers import
import ast, bisect, copy, fnmatch, keyword, string, unicodedata  # noqa: E401, F401  # isort: skip

_PACKAGE = "pygments.lexers"
_OTHER_NAMES = {  # languages that Pygments does not know, or knows by another name -> its name for a similar language
    "jsonc": "json",
    "mdx": "markdown",
    "shellscript": "bash",
    "svelte": "html",
    "vue": "html",
}
# Names, punctuation and spaces look like other text in nearly every style. Without them, pages have half as many tags.
_PLAIN = {"n", "nx", "p", "w"}


class _Modules:
    """Reads the modules of a package into memory and imports them from there: a finder and loader of `importlib`.

    Importing all lexers would take two seconds. Reading them takes a few milliseconds. The base classes of finders and
    loaders would take as long to import as half of Pygments.
    """

    def __init__(self, folder: str, package: str) -> None:
        self._modules: dict[str, tuple[str, bytes]] = {}
        with os.scandir(folder) as files:
            for source in files:
                name, extension = os.path.splitext(source.name)  # noqa: PTH122  # importing pathlib would take 5 ms
                if extension == ".py" and name != "__init__":
                    self._modules[f"{package}.{name}"] = source.path, _read_module(source)

    def find_spec(
        self, fullname: str, _path: Sequence[str] | None, _target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the specification of a module that is in memory."""
        return ModuleSpec(fullname, self) if fullname in self._modules else None  # type: ignore[arg-type]

    def create_module(self, _spec: ModuleSpec) -> None:
        """Return None: the module is an ordinary one."""

    def exec_module(self, module: ModuleType) -> None:
        """Run the code of a module."""
        source, content = self._modules[module.__name__]
        is_compiled = content[:4] == importlib.util.MAGIC_NUMBER
        code = marshal.loads(content[16:]) if is_compiled else compile(content, source, "exec")  # noqa: S302
        exec(code, vars(module))  # noqa: S102  # as the interpreter does


def _read_module(source: os.DirEntry[str]) -> bytes:
    """Return the compiled code of a module if a current .pyc file exists, otherwise its source."""
    stat = source.stat()
    try:
        with open(importlib.util.cache_from_source(source.path), "rb", buffering=0) as file:  # noqa: PTH123
            compiled = file.read()
        flags, mtime, size = (int.from_bytes(compiled[start : start + 4], "little") for start in (4, 8, 12))
        is_current = flags == 0 and (mtime, size) == (int(stat.st_mtime) & 0xFFFFFFFF, stat.st_size & 0xFFFFFFFF)
        if is_current and compiled[:4] == importlib.util.MAGIC_NUMBER:
            return compiled
    except (OSError, NotImplementedError):  # there is none, or this interpreter has none
        pass
    with open(source.path, "rb", buffering=0) as file:  # noqa: PTH123
        return file.read()


class Lexers:
    """Tokenises code. Create it before the process is confined."""

    def __init__(self) -> None:
        sys.meta_path.insert(0, _Modules(lexers.__path__[0], _PACKAGE))
        vars(plugin)["iter_entry_points"] = lambda _group: ()  # the Markdown lexer would search files for plugins
        self._names = _names_of_lexers()
        self._lexers: dict[str, Any] = {}  # by the names of classes

    @property
    def languages(self) -> list[str]:
        """The names of all languages, in lower case."""
        return list(self._names)

    def tokens(self, language: str, code: str, seconds: float) -> list[str | int]:
        """Return the kinds and lengths of the tokens of code, in turn.

        There are none if there is no lexer for the language, or if it fails or takes more CPU time than `seconds`.
        """
        try:
            code_lexer = self._lexer(self._names[language])
            with child.limited_cpu(seconds):
                return _tokens(code_lexer, code)
        except Exception:  # any lexer may raise anything, and so may the limits on time, memory and depth
            return []

    def _lexer(self, name: str) -> Any:
        if name not in self._lexers:
            # PHP without `<?php` is PHP; lexers of other languages have no such option
            self._lexers[name] = getattr(lexers, name)(startinline=True)
        return self._lexers[name]


def _names_of_lexers() -> Mapping[str, str]:
    """Return the names of the lexers' classes by the names of languages: aliases, and unambiguous file extensions."""
    by_alias = {alias.lower(): name for name, (_, _, aliases, _, _) in LEXERS.items() for alias in aliases}
    patterns = [(pattern.lower(), name) for name, (_, _, _, files, _) in LEXERS.items() for pattern in files]
    uses = Counter(pattern for pattern, _ in patterns)
    by_extension = {
        pattern[2:]: name
        for pattern, name in patterns
        if uses[pattern] == 1 and pattern.startswith("*.") and pattern[2:].isalnum()
    }
    others = {other: by_alias[name] for other, name in _OTHER_NAMES.items() if name in by_alias}
    return others | by_extension | by_alias


def _tokens(code_lexer: Any, code: str) -> list[str | int]:
    tokens = [(_kind(type_), text) for _, type_, text in code_lexer.get_tokens_unprocessed(code) if text]
    if "".join(text for _, text in tokens) != code:
        return []  # the lexer has changed the code
    merged: list[str | int] = []
    for kind, group in groupby(tokens, lambda token: token[0]):
        merged += [kind, sum(len(text) for _, text in group)]
    return merged


def _kind(type_: Any) -> str:
    """Return the short name of a type of tokens, or of the next general type that has one."""
    while type_ not in STANDARD_TYPES:
        type_ = type_.parent
    kind = STANDARD_TYPES[type_]
    return "" if kind in _PLAIN else kind
