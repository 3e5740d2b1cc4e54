"""The heard part of a reply: whole words, and never more than was played."""

from dataclasses import replace

import hypothesis.strategies as st
import pytest
from hypothesis import given

from bargein.turns.events import TimedWord
from bargein.turns.phrases import word_spans
from bargein.turns.replies.history import heard_chars, heard_chars_of, heard_text
from bargein.turns.replies.reply import Reply, Segment

TEN = "aaa bbb ccc ddd eee fff ggg hhh iii jjj"  # ten words that take the same time


def reply(*segments: Segment, text: str | None = None, played_ms: int = 0) -> Reply:
    text = " ".join(s.text for s in segments) if text is None else text
    return Reply(
        turn_id="t",
        kind="model",
        requested_ms=0,
        last_activity_ms=0,
        not_before_ms=0,
        text=text,
        segments=segments,
        played_ms=played_ms,
    )


def segment(
    text: str, audio_ms: int, *, start: int = 0, start_ms: int = 0, done: bool = True, **more: object
) -> Segment:
    return Segment(char_start=start, text=text, start_ms=start_ms, audio_ms=audio_ms, done=done, **more)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("played_ms", "words"),
    [(0, 0), (1, 0), (299, 0), (300, 1), (301, 1), (599, 1), (600, 2), (2999, 9), (3000, 10), (9999, 10)],
)
def test_without_timings_each_word_takes_its_share(played_ms: int, words: int) -> None:
    heard = heard_text(reply(segment(TEN, 3000), played_ms=played_ms))
    assert heard == TEN[: max(0, 4 * words - 1)]


def test_a_finished_segment_is_as_long_as_its_audio_however_fast_that_is() -> None:
    assert heard_text(reply(segment("aaa bbb", 200), played_ms=100)) == "aaa"


def test_a_longer_word_takes_longer() -> None:
    spoken = segment("a bbbbbbbbb", 1200)  # two and ten parts of twelve
    assert heard_text(reply(spoken, played_ms=199)) == ""
    assert heard_text(reply(spoken, played_ms=200)) == "a"
    assert heard_text(reply(spoken, played_ms=1199)) == "a"
    assert heard_text(reply(spoken, played_ms=1200)) == "a bbbbbbbbb"


@pytest.mark.parametrize(
    ("played_ms", "heard"),
    [(399, ""), (400, "one"), (699, "one"), (700, "one two"), (1499, "one two"), (1500, "one two three")],
)
def test_word_timings_are_used(played_ms: int, heard: str) -> None:
    words = (TimedWord(3, 0, 400), TimedWord(7, 500, 700), TimedWord(13, 800, 1500))
    assert heard_text(reply(segment("one two three", 1600, words=words), played_ms=played_ms)) == heard


def test_a_finished_segment_counts_as_heard_whatever_its_timings_say() -> None:
    words = (TimedWord(3, 0, 400),)
    assert heard_text(reply(segment("one two ", 900, words=words), text="one two ", played_ms=900)) == "one two"


def test_later_segments_count_from_where_their_audio_begins() -> None:
    first, second = segment("Hi there.", 600), segment("aaa bbb", 800, start=10, start_ms=600)
    assert heard_text(reply(first, second, played_ms=600)) == "Hi there."
    assert heard_text(reply(first, second, played_ms=999)) == "Hi there."
    assert heard_text(reply(first, second, played_ms=1000)) == "Hi there. aaa"
    assert heard_text(reply(first, second, played_ms=1400)) == "Hi there. aaa bbb"


def test_a_segment_without_playout_is_not_heard() -> None:
    assert heard_text(reply(text="Hello there.", played_ms=0)) == ""
    assert heard_text(reply(segment("Hello", 0, done=False), text="Hello there.", played_ms=0)) == ""


def test_an_incomplete_segment_is_estimated_at_the_rate_of_speech() -> None:
    # 39 characters at 66 ms: 2574 ms for ten words, though only 900 ms of them have come.
    coming = segment(TEN, 900, done=False)
    assert heard_text(reply(coming, played_ms=257)) == ""
    assert heard_text(reply(coming, played_ms=258)) == "aaa"
    assert heard_text(reply(coming, played_ms=900)) == "aaa bbb ccc"


def test_earlier_segments_give_the_rate() -> None:
    said = segment(TEN, 3900)  # 100 ms a character
    coming = segment(TEN, 1000, start=40, start_ms=3900, done=False)
    assert heard_text(reply(said, coming, played_ms=3900 + 389)) == TEN
    assert heard_text(reply(said, coming, played_ms=3900 + 390)) == f"{TEN} aaa"


def test_a_few_characters_give_no_rate() -> None:
    said = segment("Slow down, everybody", 20_000)
    coming = segment(TEN, 1000, start=21, start_ms=20_000, done=False)
    short = segment("Slow down everybody", 20_000)
    assert heard_text(reply(said, coming, played_ms=20_300)) == "Slow down, everybody"
    after_short = segment(TEN, 1000, start=20, start_ms=20_000, done=False)
    assert heard_text(reply(short, after_short, played_ms=20_300)) == "Slow down everybody aaa"


def test_an_estimate_is_never_shorter_than_the_queued_audio() -> None:
    coming = segment(TEN, 6000, done=False)
    assert heard_text(reply(coming, played_ms=599)) == ""
    assert heard_text(reply(coming, played_ms=600)) == "aaa"


TEXTS = st.lists(st.sampled_from(["a", "bb", "ccc,", "dddd dd", "eee. e", "你好"]), min_size=1, max_size=5)


@st.composite
def replies(draw: st.DrawFn) -> Reply:
    """A reply in which all segments but the last are done; its voice may give timings."""
    segments: list[Segment] = []
    start = start_ms = 0
    texts = draw(TEXTS)
    for index, text in enumerate(texts):
        audio_ms = draw(st.integers(1, 2000))
        words = ()
        if draw(st.booleans()):
            words = tuple(
                TimedWord(end, audio_ms * a // len(text), audio_ms * end // len(text)) for a, end in word_spans(text)
            )
        done = index < len(texts) - 1 or draw(st.booleans())
        segments.append(segment(text, audio_ms, start=start, start_ms=start_ms, done=done, words=words))
        start, start_ms = start + len(text) + 1, start_ms + audio_ms
    return reply(*segments, text=" ".join(texts) + draw(st.sampled_from(["", " more"])))


@given(spoken=replies(), data=st.data())
def test_heard_text_is_a_growing_prefix_of_whole_words(spoken: Reply, data: st.DataObject) -> None:
    places = sorted(data.draw(st.lists(st.integers(0, spoken.audio_ms), min_size=2, max_size=6)))
    heard = [replace(spoken, played_ms=p) for p in places]
    chars = [heard_chars(r) for r in heard]
    assert chars == sorted(chars)
    ends = {0, *(end for _, end in word_spans(spoken.text))}
    for one, count in zip(heard, chars, strict=True):
        assert spoken.text.startswith(heard_text(one))
        assert count in ends


@given(spoken=replies(), data=st.data())
def test_no_segment_is_heard_further_than_it_was_played(spoken: Reply, data: st.DataObject) -> None:
    now = replace(spoken, played_ms=data.draw(st.integers(0, spoken.audio_ms)))
    for one in now.segments:
        inside = now.played_ms - one.start_ms
        heard = heard_chars_of(one, now)
        if inside <= 0:
            assert heard == 0
        if one.words and inside < one.audio_ms:
            assert all(w.end_ms <= inside for w in one.words if w.char_end <= heard)
        elif one.done and inside < one.audio_ms:
            weights = [end - start + 1 for start, end in word_spans(one.text)]
            shares = sum(w for w, (_, end) in zip(weights, word_spans(one.text), strict=True) if end <= heard)
            assert shares * one.audio_ms <= max(0, inside) * sum(weights)


@given(spoken=replies())
def test_a_reply_that_was_played_out_was_heard_completely(spoken: Reply) -> None:
    done = tuple(replace(s, done=True) for s in spoken.segments)
    whole = replace(spoken, segments=done, played_ms=spoken.audio_ms)
    assert heard_text(whole) == " ".join(s.text for s in done)
