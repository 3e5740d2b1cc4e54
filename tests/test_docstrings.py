"""Docstrings begin with a verb or a noun, and every package says what it is for."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
FOLDERS = ("src", "tests", "bench", "training", "dev")
QUESTION = re.compile(r"(What|Who|Whose|Whether|How|Where|When|Why|See)\b")
"""A docstring that begins with one of these describes its subject in a roundabout way."""


def documented(folder: str) -> Iterator[tuple[str, str]]:
    for path in sorted((REPOSITORY / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                text = ast.get_docstring(node)
                if text is not None:
                    yield f"{path.relative_to(REPOSITORY)}:{getattr(node, 'lineno', 1)}", text


@pytest.mark.parametrize("folder", FOLDERS)
def test_docstrings_begin_with_a_verb_or_a_noun(folder: str) -> None:
    assert [where for where, text in documented(folder) if QUESTION.match(text)] == []


def test_every_package_says_what_it_is_for() -> None:
    silent = [
        str(path.relative_to(REPOSITORY))
        for path in sorted((REPOSITORY / "src" / "bargein").rglob("__init__.py"))
        if not ast.get_docstring(ast.parse(path.read_text()))
    ]
    assert silent == []


def test_server_and_call_have_no_flat_modules_beyond_the_named_ones() -> None:
    package = REPOSITORY / "src" / "bargein"
    flat = {folder: {path.stem for path in (package / folder).glob("*.py")} for folder in ("server", "call")}
    assert flat["server"] == {"__init__", "app", "lifespan", "serving", "doctor"}
    assert flat["call"] == {"__init__", "session", "components", "context", "background"}
