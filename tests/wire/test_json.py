"""Typed reading of JSON values: each function returns values of its kind, and an empty value for others."""

import pytest

from bargein.wire.json import as_list, as_list_or_none, as_object, as_object_or_none, as_objects, as_string, as_strings

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
