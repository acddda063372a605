"""The problems of a build. From cron, a build prints only the problems that the last build did not have."""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Self

from feeds.catalog import Catalog
from feeds.cli.common import plural
from feeds.core.errors import CatalogDamaged, CatalogError

_MAX_PROBLEMS = 1_000  # of a step, that are printed and remembered
_MAX_STEPS = 8  # that are remembered: publishing, and exports to several targets
_DIGEST_BYTES = 6


class ProblemReport:
    """Prints problems. Use it in a `with` statement, which stores them in the catalog at its end."""

    def __init__(self, catalog: Catalog, print_line: Callable[[str], object], *, print_all: bool) -> None:
        """Prepare a report.

        Args:
            catalog: the catalog, which the caller has locked.
            print_line: prints a problem.
            print_all: whether to print also the problems that the last build had.
        """
        self._catalog = catalog
        self._print_line = print_line
        self._print_all = print_all
        self._stored: dict[str, list[str]] = {}
        with suppress(CatalogDamaged), catalog.read_transaction() as reader:  # the run finds the damage too
            self._stored = reader.state.reported_problems
        self._reported = dict(self._stored)  # by step: the digests of its problems
        self._known, self._found = set[str](), list[str]()  # of the current step
        self._omitted = 0
        self.count = 0  # of all steps

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Store the problems. If that fails, they are printed again by the next build."""
        reported = dict(list(self._reported.items())[-_MAX_STEPS:])
        if reported != self._stored:
            with suppress(CatalogError), self._catalog.write_transaction() as catalog:
                catalog.state.reported_problems = reported

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Collect the problems of a step. If the step fails, those of the last build are remembered too."""
        before = self._reported.pop(name, [])
        self._known, self._found, self._omitted = set(before), [], 0
        try:
            yield
            if self._omitted:
                self._report(f"{plural(self._omitted, 'more problem')} of this kind")
        except BaseException:
            self._found += [digest for digest in before if digest not in self._found]
            raise
        finally:
            if self._found:
                self._reported[name] = self._found[: _MAX_PROBLEMS + 1]

    def add(self, line: str, key: str = "") -> None:
        """Add a problem of the current step, and print it if it is new.

        `key` identifies it, if its text may differ although it is the same problem.
        """
        self.count += 1
        if len(self._found) >= _MAX_PROBLEMS:
            self._omitted += 1
        else:
            self._report(line, key)

    def _report(self, line: str, key: str = "") -> None:
        digest = hashlib.sha256((key or line).encode("utf-8", "replace")).hexdigest()[: 2 * _DIGEST_BYTES]
        self._found.append(digest)
        if self._print_all or digest not in self._known:
            self._print_line(line)
