"""Every pattern of this server's own takes linear time, whatever the text: most of them run over text of others."""

import importlib
import inspect
import itertools
import pkgutil
import re
import time
from collections.abc import Callable, Iterator
from types import ModuleType

import pytest

import bargein

SIZE = 16_000
"""A pattern in quadratic time needs at least 60 ms for so many characters, one in linear time about 0.4 ms."""
LIMIT_S = 0.03
WORDS = (
    "sip:",
    "sip:a@",
    "://",
    "a: ",
    "{{a",
    "{%a",
    '"a',
    "a.m.",
    "one ",
    "um ",
    "bytes=1-",
    "bearer ",
    "teen",
    "e.g. ",
)
METHODS = ("search", "match", "fullmatch", "findall", "finditer", "sub", "split")


def modules() -> Iterator[ModuleType]:
    for found in pkgutil.walk_packages(bargein.__path__, "bargein."):
        if found.name.endswith("__main__") or ".migrations" in found.name:
            continue
        try:
            yield importlib.import_module(found.name)
        except ModuleNotFoundError as error:  # an extra that is not installed
            if str(error.name).startswith("bargein"):
                raise


def patterns() -> dict[str, tuple[re.Pattern[str], tuple[str, ...]]]:
    """Return each module's patterns with the methods by which the module uses them."""
    found: dict[str, tuple[re.Pattern[str], tuple[str, ...]]] = {}
    for module in modules():
        source = inspect.getsource(module)
        for name, value in vars(module).items():
            if isinstance(value, re.Pattern) and isinstance(value.pattern, str):
                used = tuple(method for method in METHODS if f"{name}.{method}" in source)
                found[f"{module.__name__}.{name}"] = (value, used or ("finditer", "fullmatch"))
    return found


PATTERNS = patterns()


def texts(pattern: re.Pattern[str]) -> Iterator[str]:
    """Yield repetitions of what the pattern names, which are most likely to be hard for it."""
    named = [*sorted({character for character in pattern.pattern if not character.isalnum()} - set("|?^")), "\n"]
    letters = sorted({character for character in pattern.pattern if character.isalnum()})
    alphabet = [*named, *letters[:2], "x", "1"]
    for first in alphabet:
        yield first * SIZE
        yield "x" + first * SIZE + "\x00"
        yield (first + "x") * (SIZE // 2)
    for word in WORDS:
        yield word * (SIZE // len(word))
        yield word + "x" * SIZE
        yield word + "1" * SIZE
        yield word + " " * SIZE + "x"
    for first, second in itertools.permutations(named[:7], 2):
        yield first + second * SIZE


def run(pattern: re.Pattern[str], method: str) -> Callable[[str], object]:
    match method:
        case "sub":
            return lambda text: pattern.sub("", text)
        case "finditer":
            return lambda text: list(pattern.finditer(text))
        case _:
            return getattr(pattern, method)


def cpu_s(work: Callable[[str], object], text: str) -> float:
    began = time.thread_time()
    work(text)
    return time.thread_time() - began


def test_all_patterns_are_found() -> None:
    assert len(PATTERNS) > 40
    assert "bargein.turns.phrases._WORD" in PATTERNS


@pytest.mark.parametrize("name", PATTERNS)
def test_a_pattern_takes_linear_time(name: str) -> None:
    pattern, methods = PATTERNS[name]
    for method in methods:
        work = run(pattern, method)
        for text in texts(pattern):
            if cpu_s(work, text) > LIMIT_S:
                best = min(cpu_s(work, text) for _ in range(3))
                assert best < LIMIT_S, f"{method} takes {best * 1000:.0f} ms on {text[:8]!r}…"


def test_a_pattern_in_quadratic_time_is_noticed() -> None:
    pattern = re.compile(r"a+b")
    assert any(cpu_s(pattern.search, text) > LIMIT_S for text in texts(pattern))
