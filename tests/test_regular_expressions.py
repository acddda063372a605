"""No regular expression takes more than linear time for a text from outside.

The tests find all patterns: those of modules and classes, and those in calls of `re`. Each is applied, in the way in
which the package applies it, to texts that repeat what it matches.
"""

import ast
import importlib
import inspect
import pkgutil
import re
import re._constants as ops
import re._parser as sre
import signal
import time
from collections import defaultdict, deque
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import is_dataclass
from functools import cache
from itertools import islice, product
from pathlib import Path

import pytest

import feeds

ROOT = Path(feeds.__file__).parent
LENGTH = 8_000  # characters; quadratic time is a hundred times linear time then
SUSPICIOUS = 0.005  # seconds of CPU, above which the time is compared with that of other lengths
ENOUGH = 0.5  # seconds of CPU: no text of these lengths takes that long in linear time
METHODS = {"match", "fullmatch", "search", "sub", "subn", "split", "findall", "finditer"}
ANCHORED = {"match", "fullmatch"}
# applied with `match` by a function that is given the pattern, or until the first markup that has no end
AT_ONE_PLACE = {
    "feeds.core.parse.admonitions._COLONS",
    "feeds.core.parse.admonitions._END_OF_COLONS",
    "feeds.core.parse.admonitions._MARKS",
    "feeds.core.parse.frontmatter._DOUBLE_QUOTED",
    "feeds.core.parse.frontmatter._SINGLE_QUOTED",
    "feeds.core.parse.nesting._MARKUP",
}


def modules():
    """Yield all modules of the package."""
    for found in pkgutil.walk_packages(feeds.__path__, "feeds."):
        if not found.name.endswith("__main__"):
            yield importlib.import_module(found.name)


def held(value, depth=3):
    """Yield the compiled patterns in a value and in what it contains."""
    if isinstance(value, re.Pattern):
        yield value
    elif depth and isinstance(value, dict):
        for one in [*value.keys(), *value.values()]:
            yield from held(one, depth - 1)
    elif depth and isinstance(value, list | tuple | set | frozenset):
        for one in value:
            yield from held(one, depth - 1)
    elif depth and is_dataclass(type(value)):
        for name in type(value).__dataclass_fields__:
            yield from held(getattr(value, name), depth - 1)


def text_of(node):
    """Return the pattern in a node of the syntax tree, with "3" for inserted values; None if it is no text."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str | bytes):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(part.value if isinstance(part, ast.Constant) else "3" for part in node.values)
    return None


def uses(tree):
    """Return how each name of a module is used: `_NAME.search(…)` is {"_NAME": {"search"}}."""
    found = defaultdict(set)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in METHODS:
            value = node.value
            name = value.id if isinstance(value, ast.Name) else value.attr if isinstance(value, ast.Attribute) else ""
            found[name].add(node.attr)
    return found


def named(module):
    """Yield (name, pattern) for all patterns in the variables of a module and its classes."""
    for name, value in list(vars(module).items()):
        for pattern in held(value):
            yield name, pattern
        if inspect.isclass(value) and value.__module__ == module.__name__:
            for inner, attribute in list(vars(value).items()):
                for pattern in held(attribute):
                    yield inner, pattern


def inline(tree):
    """Yield (line, method, pattern) for all patterns in calls of `re`, except those in variables."""
    bodies = [tree.body, *(node.body for node in ast.walk(tree) if isinstance(node, ast.ClassDef))]
    kept = {id(node.value) for body in bodies for node in body if isinstance(node, ast.Assign | ast.AnnAssign)}
    for node in ast.walk(tree):
        if id(node) in kept:
            continue
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
            of_re = isinstance(node.func.value, ast.Name) and node.func.value.id == "re"
            if of_re and node.func.attr in METHODS | {"compile"} and (text := text_of(node.args[0])) is not None:
                yield node.lineno, node.func.attr, text


@cache
def collected():
    """Return all patterns of the package: {(pattern, flags): (place, whether it is only applied at one position)}."""
    found = {}

    def add(where, pattern, methods):
        anchored = bool(methods) and methods <= ANCHORED
        old = found.get((pattern.pattern, pattern.flags))
        found[pattern.pattern, pattern.flags] = (where, anchored and (old is None or old[1]), pattern)

    every = list(modules())
    applied = defaultdict(set)  # patterns may be applied in other modules than their own
    trees = {module: ast.parse(Path(module.__file__).read_text("utf-8")) for module in every}
    for tree in trees.values():
        for name, methods in uses(tree).items():
            applied[name] |= methods
    for module in every:
        if not Path(module.__file__).is_relative_to(ROOT):
            continue
        mine = uses(trees[module])
        for name, pattern in named(module):
            add(f"{module.__name__}.{name}", pattern, mine[name] or applied[name])
        for line, method, text in inline(trees[module]):
            flags = re.MULTILINE if method == "compile" else 0
            add(f"{module.__name__}:{line}", re.compile(text, flags), {method} if method in METHODS else set())
    return sorted(found.values(), key=lambda one: one[0])


def letters(node, flags):
    """Return a few characters that a set or a category of a pattern matches."""
    sample = [*"a1 \n\t_-.,:;'\"<>/=&|{}[]()*#@%+!?\\~^$`Zé\r\0"]
    pattern = sre.SubPattern(sre.State())
    pattern.append(node)
    one = re.compile(_source(node), flags & ~re.VERBOSE)
    return [letter for letter in sample if one.fullmatch(letter)][:4]


def _source(node):
    """Return a set of characters as a pattern."""
    kind, value = node
    if kind is ops.LITERAL:
        return re.escape(chr(value))
    if kind is ops.NOT_LITERAL:
        return f"[^{re.escape(chr(value))}]"
    if kind is ops.ANY:
        return "."
    parts = []
    for inner, one in value:
        if inner is ops.NEGATE:
            parts.append("^")
        elif inner is ops.LITERAL:
            parts.append(re.escape(chr(one)))
        elif inner is ops.RANGE:
            parts.append(f"{re.escape(chr(one[0]))}-{re.escape(chr(one[1]))}")
        else:
            parts.append(
                {
                    ops.CATEGORY_DIGIT: r"\d", ops.CATEGORY_NOT_DIGIT: r"\D", ops.CATEGORY_SPACE: r"\s",
                    ops.CATEGORY_NOT_SPACE: r"\S", ops.CATEGORY_WORD: r"\w", ops.CATEGORY_NOT_WORD: r"\W",
                }[one]
            )  # fmt: skip
    return f"[{''.join(parts)}]"


def sample(parsed, flags, groups, choice=0):
    """Return a text that a parsed pattern probably matches, and all its beginnings and repeated parts."""
    text, units = "", []
    for node in parsed:
        kind, value = node
        if kind in (ops.LITERAL, ops.NOT_LITERAL, ops.ANY, ops.IN):
            found = [chr(value)] if kind is ops.LITERAL else letters(node, flags)
            units += found
            text += found[choice % len(found)] if found else ""
        elif kind in (ops.MAX_REPEAT, ops.MIN_REPEAT, ops.POSSESSIVE_REPEAT):
            least, _, inner = value
            part, more = sample(inner, flags, groups, choice)
            units += [*more, part]
            text += part * min(max(least, 1), 200)
        elif kind is ops.SUBPATTERN:
            part, more = sample(value[-1], flags, groups, choice)
            groups[value[0]] = part
            units += more
            text += part
        elif kind is ops.ATOMIC_GROUP:
            part, more = sample(value, flags, groups, choice)
            units += more
            text += part
        elif kind is ops.BRANCH:
            parts = [sample(one, flags, groups, choice) for one in islice(value[1], 40)]
            units += [part for part, _ in parts] + [unit for _, more in parts for unit in more]
            text += parts[choice % len(parts)][0]
        elif kind is ops.GROUPREF:
            text += groups.get(value, "")
        elif kind in (ops.ASSERT, ops.ASSERT_NOT):
            part, more = sample(value[1], flags, groups, choice)
            units += [*more, part]
            if kind is ops.ASSERT and value[0] < 0:
                text += part
        units.append(text)
    return text, units


def hostile(pattern):
    """Yield texts that repeat what a pattern searches for, and then end differently."""
    source = pattern.pattern if isinstance(pattern.pattern, str) else pattern.pattern.decode("latin-1")
    flags = pattern.flags & ~re.UNICODE if isinstance(pattern.pattern, bytes) else pattern.flags
    parsed = sre.parse(source, flags)
    units, wholes = {}, []
    for choice in range(3):
        whole, more = sample(parsed, flags, {}, choice)
        wholes.append(whole)
        units |= dict.fromkeys(unit for unit in more if 0 < len(unit) <= 400)
    few = list(units)
    short = [unit for unit in few if len(unit) == 1][:12]
    longer = sorted((unit for unit in few if len(unit) > 1), key=len, reverse=True)[:24]
    pairs = ["".join(pair) for pair in product(short[:6], repeat=2)]
    for unit in dict.fromkeys([*short, *longer, *wholes, *pairs, " ", "\n", "\n ", "<", "a "]):
        if unit:
            yield "", unit, "\0"
    for start, unit in product(longer[:8], short[:8]):  # the start of a match, repeated
        yield start, unit, "\0\n"


class TooLong(Exception):
    """A search was stopped."""


@contextmanager
def ended():
    """Stop the block after half a second of CPU time."""
    began = time.process_time()

    def stop(*_):
        if time.process_time() - began >= ENOUGH:  # the timer counts ticks, and may be early
            raise TooLong
        signal.setitimer(signal.ITIMER_VIRTUAL, ENOUGH / 10)

    before = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, ENOUGH)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def applied(pattern, anchored) -> Callable[[str], None]:
    """Return a function that applies a pattern as the package does: at one position, or everywhere in a text."""

    def everywhere(text):
        subject = text.encode("utf-8") if isinstance(pattern.pattern, bytes) else text
        deque(pattern.finditer(subject), 0)

    def at_the_beginning(text):
        subject = text.encode("utf-8") if isinstance(pattern.pattern, bytes) else text
        pattern.match(subject)
        pattern.fullmatch(subject)

    return at_the_beginning if anchored else everywhere


def seconds(apply, start, unit, end, length, times=1):
    """Return the CPU time of a pattern for a text of a length."""
    text = start + unit * (length // len(unit)) + end
    spent = []
    for _ in range(times):
        began = time.process_time()
        apply(text)
        spent.append(time.process_time() - began)
    return min(spent)


def is_slow(pattern, anchored, start, unit, end):
    """Return whether a text of eight times the length takes a pattern much more than eight times as long."""
    apply = applied(pattern, anchored)
    try:
        with ended():
            if seconds(apply, start, unit, end, LENGTH) < SUSPICIOUS:
                return False
            short = seconds(apply, start, unit, end, LENGTH // 2, times=3)
            return seconds(apply, start, unit, end, 4 * LENGTH, times=2) >= 24 * short  # 8 if linear, 64 if quadratic
    except TooLong:
        return True


def slow_case(pattern, anchored=False):
    """Return a text for which a pattern is slow (its start, repeated part and end); None if there is none."""
    for case in hostile(pattern):
        if all(is_slow(pattern, anchored, *case) for _ in range(5)):  # on a busy machine any measurement may be wrong
            return case
    return None


@pytest.mark.parametrize("pattern", [r"\s+$", r"<img .*?alt", r"\{% .*%\}", r"(?:a|ab|b)*c", r"a*b?a*x", r"\w+:\w+;"])
def test_slow_patterns_are_found(pattern):
    """Patterns that take quadratic time are found, which shows that the next test can fail."""
    assert slow_case(re.compile(pattern))


@pytest.mark.parametrize("pattern", [r"\s++\S", r"<img\s[^<>]*>", r"[a-z]{1,20}:", r"(?<!a)a++b"])
def test_fast_patterns_are_not_found(pattern):
    """Patterns that take linear time are not reported."""
    assert slow_case(re.compile(pattern)) is None


def test_all_patterns_are_collected():
    """Patterns are collected from all parts of the package."""
    places = " ".join(where for where, _, _ in collected())
    for name in (
        "parse.html._START_TAG",
        "stats.user_agents._ROBOT",
        "lint.markup",
        "stats.access_logs._COMBINED",
        "text:",
        "web.middleware._DIGEST",
    ):
        assert name in places
    assert len(collected()) > 200


@pytest.mark.integration
@pytest.mark.parametrize("part", range(8))
def test_every_pattern_takes_linear_time(part):
    """No pattern of the package takes more than linear time for texts that repeat what it matches."""
    slow = []
    for where, anchored, pattern in collected()[part::8]:
        if found := slow_case(pattern, anchored=anchored or where in AT_ONE_PLACE):
            slow.append((where, found))
    assert slow == []
