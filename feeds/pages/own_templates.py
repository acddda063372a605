"""Templates that the owner of a site has written, which replace built-in ones as a whole or block by block.

A template may extend the built-in one: `{% extends "builtin/article.html" %}`. After a mistake, the built-in page is
shown, and the mistake is reported with its file and line. The templates run in Jinja's sandbox, because people copy
them from elsewhere, and they can't create arbitrarily large texts by mistake.
"""

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from datetime import tzinfo
from difflib import get_close_matches
from functools import lru_cache
from gettext import NullTranslations
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple

from feeds.config.values import did_you_mean
from feeds.content.look import MAX_TEMPLATES, list_templates
from feeds.core.text import digest_of, one_line, truncate

if TYPE_CHECKING:
    from jinja2 import Environment

BUILT_IN_PREFIX = "builtin/"
_MAX_FILE_BYTES = 1 << 20
_MAX_PAGE_CHARS = 32 << 20
_MAX_TEXT_CHARS = 1 << 20  # of a text that an operator multiplies
_MAX_NUMBER_BITS = 1024  # of a power
_MAX_REASON_CHARS = 300
_SHARED = (NullTranslations, tzinfo, type(lru_cache(str)))
_LAST_WORD = re.compile(r"[A-Z]?[^A-Z]++|[A-Z]")
_UNDEFINED = re.compile(r"'(\w+)' is undefined")  # Jinja's messages
_UNKNOWN_FILTER = re.compile(r"No filter named '([\w.]+)'\.?")
_LONG_NUMBER = re.compile(r"[0-9]{5}")


class TemplateProblem(NamedTuple):
    """A mistake in a template: the path of its file, the line, and the reason."""

    path: str
    line: int
    reason: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.reason}"


class Rendered(NamedTuple):
    """The text of a page, and the problem because of which the built-in page is shown; "" if there is none."""

    text: str
    problem: str


class OwnTemplates:
    """The templates in a folder, as they were when this object was created. Thread-safe."""

    def __init__(
        self, folder: Path | None, *, is_required: bool, on_problem: Callable[[TemplateProblem], object]
    ) -> None:
        """Read the templates.

        Args:
            folder: the folder, which need not exist; None: there are none.
            is_required: whether it is a problem that the folder does not exist.
            on_problem: called with each problem that is found while a page is rendered.
        """
        self.problems: list[TemplateProblem] = []  # of files that can't be used
        self._on_problem = on_problem
        self._folder = folder
        self._files: dict[str, str] = {}  # by name
        self._environment: Environment | None = None
        if folder and not folder.is_dir():
            if is_required:
                self.problems.append(TemplateProblem(_shown(folder), 1, "is not a folder; see site.templates"))
        elif folder:
            self._read(folder)

    @property
    def names(self) -> list[str]:
        """The names of the templates, which are their paths in the folder."""
        return sorted(self._files)

    @property
    def digest(self) -> str:
        """A digest of the templates; "" if there are none."""
        return digest_of(sorted(self._files.items())) if self._files else ""

    def render(self, name: str, variables: Mapping[str, Any], built_in: "Environment") -> Rendered:
        """Return a page.

        Args:
            name: the name of the template.
            variables: its variables.
            built_in: the environment of the built-in templates.
        """
        if not self._files:
            return Rendered(built_in.get_template(name).render(variables), "")
        try:
            return Rendered(self._render(name, variables, built_in), "")
        except Exception as error:  # a template may raise anything
            problem = self._problem_of(error, name, variables, built_in)
        self._on_problem(problem)
        return Rendered(built_in.get_template(name).render(variables), str(problem))

    def check(self, built_in: "Environment") -> Iterator[TemplateProblem]:
        """Yield the problem of each file that can't be used."""
        yield from self.problems
        for name in self.names:
            try:
                self._environment_for(built_in).get_template(name)
            except Exception as error:  # few files
                yield self._problem_of(error, name, {}, built_in)

    def _render(self, name: str, variables: Mapping[str, Any], built_in: "Environment") -> str:
        parts, length = [], 0
        for part in self._environment_for(built_in).get_template(name).generate(variables):
            parts.append(part)
            length += len(part)
            if length > _MAX_PAGE_CHARS:
                raise ValueError(f"the page has more than {_MAX_PAGE_CHARS:,} characters")
        return "".join(parts)

    def _environment_for(self, built_in: "Environment") -> "Environment":
        """Return the environment, which has the filters and functions of the built-in one."""
        if self._environment is None:
            self._environment = _create_environment(self._files, self._path_of, built_in)
        return self._environment

    def _read(self, folder: Path) -> None:
        for number, name in enumerate(list_templates(folder)):
            if number == MAX_TEMPLATES:
                self.problems.append(TemplateProblem(_shown(folder), 1, f"has more than {MAX_TEMPLATES} files"))
                break
            try:
                if (folder / name).exists() and not (folder / name).is_file():  # a pipe would block
                    self.problems.append(TemplateProblem(self._path_of(name), 1, "is not a file"))
                    continue
                with (folder / name).open("rb") as stream:
                    source = stream.read(_MAX_FILE_BYTES + 1)
                if len(source) > _MAX_FILE_BYTES:
                    self.problems.append(
                        TemplateProblem(self._path_of(name), 1, f"has more than {_MAX_FILE_BYTES:,} bytes")
                    )
                else:
                    self._files[name] = source.decode("utf-8-sig")
            except OSError as error:
                self.problems.append(TemplateProblem(self._path_of(name), 1, f"can't be read: {error.strerror}"))
            except UnicodeDecodeError as error:
                line = source.count(b"\n", 0, error.start) + 1
                self.problems.append(TemplateProblem(self._path_of(name), line, "is not UTF-8; save it as UTF-8"))

    def _path_of(self, name: str) -> str:
        return _shown((self._folder or Path()) / name)

    def _problem_of(
        self, error: Exception, name: str, variables: Mapping[str, Any], built_in: "Environment"
    ) -> TemplateProblem:
        """Return the problem of an exception: in the innermost template of this folder that raised it.

        Args:
            error: the exception.
            name: the name of the template that was rendered.
            variables: its variables.
            built_in: the environment of the built-in templates.
        """
        from jinja2 import TemplateError, TemplateNotFound, TemplateSyntaxError

        own = {self._path_of(file) for file in self._files}
        path, line = self._path_of(name), 1
        for frame_path, frame_line in _frames(error.__traceback__):
            if frame_path in own:
                path, line = frame_path, frame_line
        reason = str(error)
        if isinstance(error, TemplateSyntaxError):
            path, line, reason = error.filename or path, error.lineno, error.message or ""
        elif isinstance(error, TemplateNotFound):
            reason = f"there is no template {error.message!r}; the built-in ones begin with {BUILT_IN_PREFIX}"
        elif not isinstance(error, (TemplateError, ValueError)):
            reason = f"{type(error).__name__}: {reason}"
        if match := _UNDEFINED.fullmatch(reason):
            set_in_templates = dict.fromkeys(_assigned_names(built_in, {name, "base.html"}))
            reason += _similar_variable(match[1], {**built_in.globals, **set_in_templates, **variables})
        elif match := _UNKNOWN_FILTER.fullmatch(reason):
            reason = reason.removesuffix(".") + did_you_mean(f"'{match[1]}'", map(repr, built_in.filters))
        return TemplateProblem(path, line, truncate(one_line(reason), _MAX_REASON_CHARS))


def ignore_problem(_problem: TemplateProblem) -> None:
    """Do nothing."""


def _shown(path: Path) -> str:
    """Return a path for a message: relative to the current folder if it is below it."""
    relative = os.path.relpath(path)
    return str(path) if relative.startswith("..") else relative


def _frames(trace: TracebackType | None) -> Iterator[tuple[str, int]]:
    """Yield the file and the line of each frame, from the outermost on."""
    while trace:
        yield trace.tb_frame.f_code.co_filename, trace.tb_lineno
        trace = trace.tb_next


def _create_environment(
    files: Mapping[str, str], path_of: Callable[[str], str], built_in: "Environment"
) -> "Environment":
    from jinja2 import BaseLoader, StrictUndefined, TemplateNotFound
    from jinja2.exceptions import SecurityError
    from jinja2.sandbox import ImmutableSandboxedEnvironment
    from jinja2.utils import missing

    class TemplateLoader(BaseLoader):
        """Finds templates in the folder, or else the built-in ones."""

        def get_source(
            self, environment: "Environment", template: str
        ) -> tuple[str, str | None, Callable[[], bool] | None]:
            if template in files:
                return files[template], path_of(template), None
            assert built_in.loader
            try:
                source, path, _ = built_in.loader.get_source(environment, template.removeprefix(BUILT_IN_PREFIX))
            except TemplateNotFound:
                raise TemplateNotFound(template) from None
            return source, path, None

    class NamedUndefined(StrictUndefined):
        """Reports an attribute that does not exist with the name of a similar one."""

        __slots__ = ()

        @property
        def _undefined_message(self) -> str:
            if self._undefined_hint or self._undefined_obj is missing or not isinstance(self._undefined_name, str):
                return super()._undefined_message
            return _missing_attribute(self._undefined_obj, self._undefined_name)

    class LimitedEnvironment(ImmutableSandboxedEnvironment):
        """Limits the size of the results of operators."""

        intercepted_binops = frozenset({"*", "**", "%"})

        def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
            if _is_excessive(operator, left, right):
                raise SecurityError(f"the result of {operator} is too large")
            return super().call_binop(context, operator, left, right)

        def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
            # methods of these types change objects that all pages of the process share: `NullTranslations.install`,
            # `cache_clear`
            return not isinstance(obj, _SHARED) and super().is_safe_attribute(obj, attr, value)

    environment = LimitedEnvironment(
        loader=TemplateLoader(),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=NamedUndefined,
        extensions=[type(extension) for extension in built_in.extensions.values()],
        auto_reload=False,
    )
    environment.globals |= {name: value for name, value in built_in.globals.items() if name not in environment.globals}
    environment.filters |= {name: value for name, value in built_in.filters.items() if name not in environment.filters}
    environment.policies |= built_in.policies
    # as in the built-in one; `extend` would keep the value that the extension has set
    vars(environment)["newstyle_gettext"] = True
    return environment


def _assigned_names(built_in: "Environment", templates: Iterable[str]) -> Iterator[str]:
    """Yield the names of the variables that built-in templates set."""
    from jinja2 import nodes

    for template in sorted(set(templates).intersection(built_in.list_templates())):
        assert built_in.loader
        source = built_in.loader.get_source(built_in, template)[0]
        for node in built_in.parse(source).find_all(nodes.Assign):
            if isinstance(node.target, nodes.Name):
                yield node.target.name


def _similar_variable(name: str, variables: Mapping[str, Any]) -> str:
    """Return "; did you mean X?" for the variable, or the attribute of one, with a similar name; else ""."""
    known = {variable: variable for variable in variables}
    for variable, value in reversed(list(variables.items())):  # the site, which all pages have, is one of the first
        if is_dataclass(value):
            known = {field.name: f"{variable}.{field.name}" for field in fields(value)} | known
    close = get_close_matches(name, known, n=1)
    return f"; did you mean {known[close[0]]!r}?" if close else ""


def _missing_attribute(value: Any, name: str) -> str:
    """Return the message that a value has no attribute or key with a name."""
    shown = _LAST_WORD.findall(type(value).__name__)[-1].lower()  # `Entry` is `entry` in templates, `PageSite` `site`
    names = value if isinstance(value, Mapping) else dir(value)
    similar = [repr(other) for other in names if isinstance(other, str) and not other.startswith("_")]
    return f"{shown} has no {name!r}{did_you_mean(repr(name), similar)}"


def _is_excessive(operator: str, left: Any, right: Any) -> bool:
    """Return whether the result of an operator would be much larger than its operands."""
    if operator == "%":
        return isinstance(left, str) and _LONG_NUMBER.search(left) is not None
    if operator == "**":
        is_number = isinstance(left, (int, float)) and isinstance(right, (int, float))
        return is_number and abs(right) * max(1, int(abs(left)).bit_length()) > _MAX_NUMBER_BITS
    for text, count in ((left, right), (right, left)):
        if isinstance(text, (str, bytes, list, tuple)) and isinstance(count, int):
            return len(text) * count > _MAX_TEXT_CHARS
    return False
