"""Thoughts in a model's text: removed, however the text is split."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bargein.providers.thoughts import ThoughtFilter


def spoken(pieces: list[str]) -> str:
    thoughts = ThoughtFilter()
    return "".join([thoughts.push(piece) for piece in pieces] + [thoughts.flush()])


CASES = [
    ("Hello there.", "Hello there."),
    ("<think>Hm.</think>\n\nHello there.", "Hello there."),
    ("<think></think>Hello.", "Hello."),
    ("One. <think>Two?</think> Three.", "One. Three."),
    ("<think>It never ends", ""),
    ("One. <think>It never ends", "One. "),
    ("I thought so.</think>\nHello.", "I thought so.\nHello."),
    ("<thinking>Hm.</thinking>Hello.", "Hello."),
    ("<thought>Hm.</thought>Hello.", "Hello."),
    ("[THINK]Hm.[/THINK]Hello.", "Hello."),
    ("<think>a </thinking> b</think>c", "c"),
    ("1 < 2 and [3]", "1 < 2 and [3]"),
    ("a <thin line", "a <thin line"),
    ("the end <thi", "the end <thi"),
    ("<think>a</think><think>b</think>c", "c"),
]


@pytest.mark.parametrize(("text", "expected"), CASES)
def test_thoughts_are_removed_from_a_whole_text_and_from_single_letters(text: str, expected: str) -> None:
    assert spoken([text]) == expected
    assert spoken(list(text)) == expected


@given(st.sampled_from(CASES), st.lists(st.integers(0, 40), max_size=6))
def test_the_places_of_the_splits_do_not_matter(case: tuple[str, str], cuts: list[int]) -> None:
    text, expected = case
    edges = sorted({0, len(text), *(cut for cut in cuts if cut < len(text))})
    pieces = [text[begin:end] for begin, end in pairwise(edges)]
    assert spoken(pieces) == expected


def test_text_without_tags_is_passed_on_at_once() -> None:
    thoughts = ThoughtFilter()
    assert [thoughts.push(piece) for piece in ("One ", "two <", "b>three", " four")] == [
        "One ", "two ", "<b>three", " four"
    ]  # fmt: skip
    assert not thoughts.thought


def test_a_long_piece_of_many_tags_takes_little_time() -> None:
    thoughts = ThoughtFilter()
    assert thoughts.push("a<think>b</think>" * 100_000) + thoughts.flush() == "a" * 100_000
