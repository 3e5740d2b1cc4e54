"""Words: how Vapi counts them, and which phrases always or never interrupt."""

from itertools import pairwise

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from bargein.turns.phrases import consists_of, count_words, find_phrase, normalise, word_spans
from bargein.turns.plan import ACKNOWLEDGEMENT_PHRASES, INTERRUPTION_PHRASES

WORDS = st.sampled_from(["a", "b", "c"])
UTTERANCES = st.lists(WORDS, max_size=8)
PHRASES = st.lists(st.lists(WORDS, max_size=3), max_size=4)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 0),
        ("   ", 0),
        ("...", 0),
        ("hello", 1),
        ("Hello, there!", 2),
        ("well ... yes - no", 3),
        ("uh-huh", 1),
        ("don't", 1),
        ("it is 4 7", 4),
        ("你好吗", 2),
        ("我想要 coffee please", 4),
        ("カフェ。", 1),
        ("はい、はい。", 2),
        ("ちょっと待ってください", 5),
        ("今日は天気がいいですね", 7),
        ("我想取消我的订单", 4),
        ("我想取消我嘅訂單", 5),
        ("等一等", 2),
        ("ผมอยากยกเลิกคำสั่งซื้อ", 6),
        ("สวัสดีครับ", 2),
        ("OK好的 thanks", 3),
        ("12个", 2),
        ("。、", 0),
    ],
)
def test_words_are_counted_as_vapi_counts_them(text: str, count: int) -> None:
    assert count_words(text) == count


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Don't, uh-huh!", ("dont", "uh", "huh")),
        ("I\u2019m LISTENING", ("im", "listening")),
        ("snake_case", ("snake", "case")),
        ("你好 ok", ("你", "好", "ok")),
        ("?!", ()),
    ],
)
def test_words_are_compared_without_case_and_punctuation(text: str, words: tuple[str, ...]) -> None:
    assert normalise(text) == words


def test_a_word_ends_after_its_punctuation() -> None:
    assert word_spans("  Hello, you.") == [(2, 8), (9, 13)]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("no", "no"),
        ("Oh no, not that", "not"),
        ("DON'T you dare", "dont"),
        ("Hold on!", "hold"),
        ("I know nothing", None),
        ("another button", None),
        ("", None),
    ],
)
def test_an_interruption_phrase_counts_as_a_whole_word_anywhere(text: str, found: str | None) -> None:
    assert find_phrase(text, INTERRUPTION_PHRASES) == found


def test_a_phrase_of_several_words_is_found_only_complete_and_in_order() -> None:
    assert find_phrase("please hang on a bit", ("hang on",)) == "hang on"
    assert find_phrase("hang it on", ("hang on",)) is None
    assert find_phrase("on hang", ("hang on",)) is None
    assert find_phrase("hang", ("hang on",)) is None


@pytest.mark.parametrize(
    ("text", "listening"),
    [
        ("Uh-huh.", True),
        ("uh huh", True),
        ("Yeah, okay.", True),
        ("right right, I see", True),
        ("I'm listening", True),
        ("yeah but", False),
        ("okay then", False),
        ("I", False),
        ("", False),
        ("...", False),
    ],
)
def test_an_acknowledgement_consists_of_acknowledgement_phrases_alone(text: str, listening: bool) -> None:
    assert consists_of(text, ACKNOWLEDGEMENT_PHRASES) is listening


def test_a_phrase_without_words_is_ignored() -> None:
    assert find_phrase("anything", ("...", "")) is None
    assert not consists_of("anything", ("...", ""))


def composed(words: list[str], phrases: list[list[str]]) -> bool:
    """Check by trying every phrase at the front."""
    return not words or any(p and words[: len(p)] == p and composed(words[len(p) :], phrases) for p in phrases)


@given(words=UTTERANCES, phrases=PHRASES)
def test_consists_of_agrees_with_an_exhaustive_search(words: list[str], phrases: list[list[str]]) -> None:
    expected = bool(words) and composed(words, phrases)
    assert consists_of(" ".join(words), tuple(" ".join(p) for p in phrases)) is expected


@given(words=UTTERANCES, phrases=PHRASES)
def test_find_phrase_agrees_with_searching_the_text(words: list[str], phrases: list[list[str]]) -> None:
    text = " " + " ".join(words) + " "
    expected = next((" ".join(p) for p in phrases if p and f" {' '.join(p)} " in text), None)
    assert find_phrase(text, tuple(" ".join(p) for p in phrases)) == expected


@given(text=st.text(max_size=60))
def test_every_word_lies_inside_the_text_in_order_and_nothing_else_does(text: str) -> None:
    spans = word_spans(text)
    assert all(start < end for start, end in spans)
    assert all(end <= start for (_, end), (start, _) in pairwise(spans))
    assert "".join(text[start:end] for start, end in spans) == "".join(text.split())
    if text.isascii():
        assert count_words(text) <= len(spans)


@given(st.text(alphabet="ab '_.\u3042\u30fb\n", max_size=40), st.integers(1, 80))
def test_words_of_a_long_text_are_counted_as_those_of_a_short_one(text: str, times: int) -> None:
    long = f"{text} " * times
    assert count_words(long) == count_words(text) * times
    if text.isascii():
        assert count_words(text * times) == sum(
            1 for start, end in word_spans(text * times) if normalise((text * times)[start:end])
        )


UNSPACED = [
    "我想",
    "取消",
    "一",
    "等一等",
    "請",
    "キャンセル",
    "して",
    "は",
    "い",
    "ครับ",
    "ขอ",
    "โทษ",
    "ก",
    " ",
    "。",
    "a",
    "7",
]


@settings(deadline=None)
@given(st.lists(st.sampled_from(UNSPACED), max_size=30), st.lists(st.sampled_from(UNSPACED), max_size=5))
def test_the_count_never_decreases_when_something_is_appended(said: list[str], more: list[str]) -> None:
    text = "".join(said)
    assert count_words(text) <= count_words(text + "".join(more))
    for end in range(len(text)):
        assert count_words(text[:end]) <= count_words(text[: end + 1])


@settings(max_examples=20, deadline=None)
@given(st.text(alphabet="我想取消 ครับ", min_size=1, max_size=30), st.integers(20, 60))
def test_nor_does_that_of_a_long_text(text: str, times: int) -> None:
    long = text * times
    counts = [count_words(long[:end]) for end in range(max(0, len(long) - 80), len(long) + 1)]
    assert counts == sorted(counts)
