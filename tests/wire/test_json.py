"""Reading of JSON that others sent, and typed access: values of the kind, and an empty value for others."""

import ast
import itertools
import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bargein.wire.json import (
    MAX_DEPTH,
    TextJoiner,
    as_list,
    as_list_or_none,
    as_object,
    as_object_or_none,
    as_objects,
    as_string,
    as_strings,
    read_json,
    read_json_pieces,
    repair_text,
)

SOURCES = Path(__file__).parents[2] / "src" / "bargein"

ANY_TEXT = st.text(st.characters(exclude_categories=()) | st.sampled_from("\ud83d\ude00\0\uffff\ufdd0"), max_size=20)
"""Texts with lone surrogates, pairs in two halves, NUL and non-characters."""
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ANY_TEXT, inner, max_size=4),
    max_leaves=20,
)

OWN = {
    "wire/json.py", "wire/contract.py", "server/api/bodies.py", "server/api/routes/files.py",
    "providers/embedded/tts.py",
    "call/record/journal.py", "call/record/outcome.py", "call/record/history.py", "call/clients/messages.py",
    "call/tuning/marks.py", "store/vault.py", "store/migrations/versions/v0003_resources.py", "cli/records.py",
    "cli/checking.py",
    "testing/http_peer.py", "testing/fake_transcriber.py",
}  # fmt: skip
"""Modules that read JSON that bargein wrote itself, the command line's, or request bodies by stricter rules."""


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)  # recursive values, on a machine under load
@given(ANY_JSON, st.booleans())
def test_every_text_of_a_peer_can_be_stored_and_sent(value: object, ascii_only: bool) -> None:
    read = read_json(json.dumps(value, ensure_ascii=ascii_only))
    stored = json.dumps(read, ensure_ascii=False, allow_nan=False).encode()  # raises for half a pair, NaN and Infinity
    assert b"\\u0000" not in stored
    assert read_json(stored) == read


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
def test_a_text_that_can_be_stored_is_unchanged(text: str) -> None:
    assert repair_text(text) is text
    assert read_json(json.dumps({text: [text]})) == {text: [text]}


@given(ANY_TEXT)
def test_only_halves_and_nul_are_replaced_one_by_one(text: str) -> None:
    whole = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")  # joins the pairs
    assert repair_text(text) == "".join("\ufffd" if c == "\0" or "\ud800" <= c <= "\udfff" else c for c in whole)


@given(ANY_TEXT, st.lists(st.integers(0, 20), max_size=6))
def test_a_text_does_not_depend_on_where_it_was_cut(text: str, places: list[int]) -> None:
    edges = [0, *sorted(place % (len(text) + 1) for place in places), len(text)]
    joiner = TextJoiner()
    pieces = [joiner.push(text[a:b]) for a, b in itertools.pairwise(edges)]
    assert "".join([*pieces, joiner.flush()]) == repair_text(text)
    for piece in pieces:
        piece.encode()


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b'{"a": NaN, "b": -Infinity, "c": 1e999, "d": -1e999}', {"a": None, "b": None, "c": None, "d": None}),
        (b"[" + b"9" * 5000 + b", 12345678901234567890123]", [None, 12345678901234567890123]),
        (b'{"a": 1, "a": 2}', {"a": 2}),
        (b'"\xff\xfe caf\xe9"', "\ufffd\ufffd caf\ufffd"),
        (b'\xef\xbb\xbf{"a": 1}', {"a": 1}),
        (b'"\\ud83d\\ude00"', "\U0001f600"),
        (b'{"\\udc00": "\\u0000"}', {"\ufffd": "\ufffd"}),
    ],
)
def test_values_that_no_store_takes_are_replaced(data: bytes, value: object) -> None:
    assert read_json(data) == value


@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_the_depth_is_limited(opening: str) -> None:
    closing = {"[": "]", '{"a":': "}"}[opening]
    for depth in (MAX_DEPTH, MAX_DEPTH + 1, 100_000):
        data = opening * depth + "1" + closing * depth
        if depth == MAX_DEPTH:
            read_json(data)
            continue
        for read in (read_json, read_json_pieces):
            with pytest.raises(ValueError, match="nested too deeply"):
                read(data)


def test_brackets_in_a_text_are_no_levels() -> None:
    assert read_json(json.dumps(["[" * 1000])) == ["[" * 1000]


def test_json_of_others_is_read_in_one_place() -> None:
    """`json.loads` and the like are called by the modules of `OWN` alone, and by the fakes of vendors."""
    found: set[str] = set()
    fakes = SOURCES / "testing" / "vendors"
    for path in (path for path in SOURCES.rglob("*.py") if not path.is_relative_to(fakes)):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                owner = node.func.value.id if isinstance(node.func.value, ast.Name) else ""
                if (owner == "json" and node.func.attr in {"loads", "load"}) or (
                    node.func.attr == "json" and owner in {"response", "answer"}
                ):
                    found.add(path.relative_to(SOURCES).as_posix())
    assert found <= OWN


OTHERS = (None, 1, 1.5, True, "x", [1], {"a": 1})


@pytest.mark.parametrize("value", OTHERS)
def test_values_of_the_kind_are_returned_and_others_are_empty(value: object) -> None:
    assert as_object(value) == (value if isinstance(value, dict) else {})
    assert as_object_or_none(value) == (value if isinstance(value, dict) else None)
    assert as_list(value) == (value if isinstance(value, list) else [])
    assert as_list_or_none(value) == (value if isinstance(value, list) else None)
    assert as_string(value) == (value if isinstance(value, str) else None)


def test_members_of_other_kinds_are_left_out() -> None:
    assert as_objects([{"a": 1}, 2, "x", {"b": 2}]) == [{"a": 1}, {"b": 2}]
    assert as_strings(["x", 1, {}, "y"]) == ["x", "y"]
    assert as_objects({"a": 1}) == as_strings("xy") == []
