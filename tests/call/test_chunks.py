"""Cutting a reply's text into chunks for the voice."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bargein.call.plan.voice_text import VoiceTextPlan
from bargein.call.speaking.marks import pause_ms
from bargein.call.speaking.sentences import Chunks, Piece, Sentences
from bargein.turns.replies.flush_tags import without_flush_tags


def pieces(*tokens: str, pauses: bool = False, **plan: Any) -> list[str]:
    chunks = Chunks(VoiceTextPlan(**plan), pauses=pauses)
    cut = [piece for token in tokens for _, found in chunks.push(token) for piece in found]
    return [piece.text for piece in (*cut, *chunks.end()[1])]


def test_sentences_and_a_first_clause_without_a_plan() -> None:
    assert pieces("Yes. I can. The weather is fine today, as far as I know, and warm.") == [
        "Yes.",
        "I can.",
        "The weather is fine today, as far as I know, and warm.",
    ]
    assert pieces("The weather is fine today, dear caller, ", "and warm. Yes.") == [
        "The weather is fine today, dear caller,",
        "and warm.",
        "Yes.",
    ]


def test_marks_of_markdown_behind_a_sentence() -> None:
    assert pieces("**It is warm.** Go out.") == ["**It is warm.**", "Go out."]


def test_min_characters() -> None:
    assert pieces("Yes. I can. Of course.", min_chars=10) == ["Yes. I can.", "Of course."]
    assert pieces("Yes, dear caller, ", "I can", min_chars=6) == ["Yes, dear caller,", "I can"]


def test_boundaries() -> None:
    text = "One two three four five six seven, eight; nine ten eleven twelve thirteen. End"
    assert pieces(text, boundaries=frozenset(",")) == [
        "One two three four five six seven,",
        "eight; nine ten eleven twelve thirteen. End",
    ]
    assert pieces("one, two; three. four", boundaries=frozenset(",;."), min_chars=1) == [
        "one,",
        "two;",
        "three.",
        "four",
    ]
    assert pieces("a || b | c", boundaries=frozenset({"||"}), min_chars=1) == ["a ||", "b | c"]
    assert pieces("あ\uff0cい。う", boundaries=frozenset("\uff0c。"), min_chars=1) == ["あ\uff0c", "い。", "う"]
    assert pieces("Mr. Smith said 2.5. Yes", boundaries=frozenset("."), min_chars=1) == ["Mr. Smith said 2.5.", "Yes"]
    assert pieces("a, b. c", boundaries=frozenset(), min_chars=1) == ["a, b. c"]


def test_a_flush_tag_ends_a_chunk_at_once() -> None:
    chunks = Chunks(VoiceTextPlan())
    assert chunks.push("hold on one moment <fl") == [("hold on one moment ", [])]
    assert chunks.push("ush /> ") == [("", [Piece(0, "hold on one moment")]), ("", [])]
    assert chunks.push("the answer is four. ")[0][1] == [Piece(19, "the answer is four.")]
    assert pieces("One <flush /> two", flushes=False) == ["One two"], "it is not spoken without a chunk plan either"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('Look <img alt="One. Two. Three."> here. Yes.', ['Look <img alt="One. Two. Three."> here.', "Yes."]),
        ("<speak>Yes.</speak> I can.", ["<speak>Yes.</speak>", "I can."]),
        ("See [one. Two](https://a.example/b) now. Yes.", ["See [one. Two](https://a.example/b) now.", "Yes."]),
        ("<!-- a note. For me --> Yes. I can.", ["<!-- a note. For me --> Yes.", "I can."]),
        ("It is <spell>A. B. C</spell> here. Yes.", ["It is <spell>A. B. C</spell> here.", "Yes."]),
        ("Is 3 < 4. And [this. That", ["Is 3 < 4.", "And [this. That"]),
        ("a <b. Then", ["a <b. Then"]),
        ("The U.S. Army. Yes.", ["The U.S. Army.", "Yes."]),
    ],
)  # fmt: skip
@pytest.mark.parametrize("size", [1, 3, 7, 1000])
def test_a_mark_is_not_cut_whatever_the_tokens_are(text: str, expected: list[str], size: int) -> None:
    assert pieces(*(text[at : at + size] for at in range(0, len(text), size))) == expected


def test_a_long_text_is_not_cut_within_a_mark() -> None:
    tag = f'<img alt="{"word " * 20}">'
    for before in range(100, 240, 7):
        found = pieces("word " * (before // 5), tag, " word" * 100)
        assert any(tag in piece for piece in found)
        assert max(map(len, found)) <= 240


@pytest.mark.parametrize("size", [1, 4, 1000])
def test_a_break_is_a_piece_of_its_own_where_the_voice_has_no_pauses(size: int) -> None:
    text = '<break/>One moment <break time="1.5s" /> please. <BREAK time=\'200ms\'>Yes, <break time="90s"></break> no'
    tokens = [text[at : at + size] for at in range(0, len(text), size)]
    chunks = Chunks(VoiceTextPlan(min_chars=60), pauses=True)
    found = [piece for token in tokens for _, cut in chunks.push(token) for piece in cut]
    assert [piece.pause_ms or piece.text for piece in (*found, *chunks.end()[1])] == [
        500, "One moment", 1500, "please.", 200, "Yes,", 10_000, "</break> no",
    ]  # fmt: skip
    assert pieces(*tokens, min_chars=300) == [text]


@pytest.mark.parametrize(
    ("attributes", "ms"),
    [
        ("", 500), (' time="0.5s"', 500), (" time='.25s' ", 250), (" time = 3s /", 3000), (' strength="x-weak"', 100),
        (' strength="none"', 0), (' strength="loud"', 500), (' time="soon"', 500), (' TIME="10MS"', 10),
        (' time="99999s"', 10_000), (" daytime=2s", 500),
    ],
)  # fmt: skip
def test_the_length_of_a_break(attributes: str, ms: int) -> None:
    assert pause_ms(attributes) == ms


def test_a_line_ends_with_its_piece() -> None:
    sentences = Sentences()
    assert sentences.push("A title\nA text. ") == [Piece(0, "A title", ends_line=True), Piece(8, "A text.")]


PLANS = st.sampled_from(
    [
        VoiceTextPlan(),
        VoiceTextPlan(min_chars=10),
        VoiceTextPlan(boundaries=frozenset(",.|。")),
        VoiceTextPlan(boundaries=frozenset({"||", ")"}), min_chars=1),
        VoiceTextPlan(flushes=False),
    ]
)
TEXT = st.lists(
    st.sampled_from(
        [
            "word",
            " ",
            ", ",
            ". ",
            "|",
            "||",
            ")",
            "。",
            "\n",
            "<flush/>",
            "<",
            "12",
            "*",
            "a" * 300,
            "<break time='1s'/>",
            "<b>",
            "[",
            "](",
            "<spell>",
            "</spell>",
            "</",
            ">",
        ]
    )
).map("".join)


@given(TEXT, PLANS, st.data())
def test_the_pieces_are_the_text_in_order_whatever_the_tokens_are(
    text: str, plan: VoiceTextPlan, data: st.DataObject
) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=8)))
    chunks, shown, cut = Chunks(plan, pauses=data.draw(st.booleans())), "", list[Piece]()
    for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True):
        for part, found in chunks.push(text[start:end]):
            shown += part
            cut += found
    held, last = chunks.end()
    shown, cut = shown + held, [*cut, *last]
    assert shown == without_flush_tags(text)
    at = 0
    for piece in cut:
        assert shown.startswith(piece.text, piece.start)
        assert not shown[at : piece.start].strip(), "nothing is left out"
        at = piece.start + len(piece.text)
    assert not shown[at:].strip()


@pytest.mark.parametrize("plan", [VoiceTextPlan(min_chars=80), VoiceTextPlan(boundaries=frozenset({"."}))])
def test_no_piece_is_longer_than_a_voice_is_given_at_once(plan: VoiceTextPlan) -> None:
    sentences = Sentences(plan)
    found = sentences.push("word " * 400)
    assert found
    assert max(len(piece.text) for piece in found) <= 240
