"""The place in a text at which a reply resumes: the beginning of a clause or of a word."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bargein.turns.events import TimedWord
from bargein.turns.interruption.join import REPEATED_MS, clause_char, complete_sentences, resume_char
from bargein.turns.phrases import word_spans
from bargein.turns.replies.history import audio_ms_at, heard_chars
from bargein.turns.replies.reply import Reply, Segment


@pytest.mark.parametrize(
    ("text", "clause"),
    [
        ("Your table is booked, for two", "for two"),
        ("Your table is booked. For two", "For two"),
        ("It is late: we close", "we close"),
        ('He said "no." We close', "We close"),
        ("It is late \u2014 we close", "we close"),
        ("Open until 9:30 today", "Open until 9:30 today"),
        ("It costs 1,000 dollars", "It costs 1,000 dollars"),
        ("Ask for Dr. Smith, or Mr. Jones", "or Mr. Jones"),
        ("She is J. Smith of St. Paul", "She is J. Smith of St. Paul"),
        ("one\ntwo three", "two three"),
        ("\u4f60\u597d\u3002\u8bf7\u7b49", "\u8bf7\u7b49"),
        ("word", "word"),
    ],
)
def test_the_clause_of_the_last_word(text: str, clause: str) -> None:
    last = word_spans(text)[-1][0]
    assert text[clause_char(text, last) :] == clause


def test_a_clause_that_begins_with_the_word_itself() -> None:
    assert clause_char("Well, no", 6) == 6


def test_a_long_text_is_not_searched_as_a_whole() -> None:
    text = "Yes, " + "so " * 300
    assert clause_char(text, 400) == 5
    assert clause_char(text, 800) == 0


@pytest.mark.parametrize(
    ("text", "complete"),
    [
        ("One. Two! Thr", "One. Two!"),
        ("One. Two. ", "One. Two."),
        ("One.", ""),
        ("3.5 is", ""),
        ("\u4f60\u597d\u3002\u8bf7", "\u4f60\u597d\u3002"),
    ],
)
def test_complete_sentences(text: str, complete: str) -> None:
    assert complete_sentences(text) == complete


def reply_of(text: str, played_ms: int, *, timed: bool, at: int = 0, repeated: int = 0, before_ms: int = 0) -> Reply:
    """Return a reply at 60 ms a character, whose second segment begins at an offset of its text."""
    segments = list[Segment]()
    start_ms = before_ms
    for begin, end in ((0, at), (at, len(text))) if at else ((0, len(text)),):
        piece = text[begin:end]
        words = tuple(TimedWord(e, 60 * b, 60 * e) for b, e in word_spans(piece)) if timed else ()
        segments.append(
            Segment(char_start=begin, text=piece, start_ms=start_ms, audio_ms=60 * len(piece), words=words, done=True)
        )
        start_ms += 60 * len(piece)
    return Reply(
        turn_id="t",
        kind="model",
        requested_ms=0,
        last_activity_ms=0,
        not_before_ms=0,
        text=text,
        segments=tuple(segments),
        audible_ms=0,
        played_ms=played_ms,
        repeated_chars=repeated,
    )


def test_where_a_word_begins_in_the_audio() -> None:
    text = "one two, three four"
    for timed in (True, False):
        assert audio_ms_at(reply_of(text, 0, timed=timed), 9) == pytest.approx(540, abs=60)
        assert audio_ms_at(reply_of(text, 0, timed=timed, at=9), 9) == 540
    assert audio_ms_at(reply_of("", 0, timed=True), 0) == 0
    unspoken = Reply(turn_id="t", kind="model", requested_ms=0, last_activity_ms=0, not_before_ms=0, text=text)
    assert audio_ms_at(unspoken, 4) == 0
    assert audio_ms_at(reply_of("one two ", 0, timed=True), 8) == 480  # after the last word that has a time


@given(
    text=st.lists(st.sampled_from(["a", "two,", "three", "garden.", "Dr.", "-", "eleven", "so;"]), max_size=30).map(
        " ".join
    ),
    played=st.floats(0, 1),
    timed=st.booleans(),
    repeated=st.integers(0, 40),
)
def test_it_is_the_beginning_of_a_word_and_leaves_nothing_out(
    text: str, played: float, timed: bool, repeated: int
) -> None:
    reply = reply_of(text, round(60 * len(text) * played), timed=timed, repeated=repeated)
    at, heard = resume_char(reply), heard_chars(reply)
    assert at in {begin for begin, _ in word_spans(text)} | {len(text)}
    assert not text[heard:at].strip(), "nothing is left out"
    if at < heard:
        assert at >= repeated, "a clause is repeated once"
        assert reply.played_ms - audio_ms_at(reply, at) <= REPEATED_MS
        assert heard < len(text), "nothing is repeated if nothing is left"
