import pytest
from hypothesis import given
from hypothesis import strategies as st

from bargein.ports import SpokenWord
from bargein.providers.embedded.word_timings import ReadWord, align, split_at_clauses


def reading(words, step_ms=100.0):
    return [ReadWord(w, k * step_ms, (k + 0.8) * step_ms) for k, w in enumerate(words.split())]


def spans(text, read, total_ms=10_000.0):
    return [(text[: w.char_end].split()[-1], w.start_ms, w.end_ms) for w in align(text, read, total_ms)]


def test_words_read_as_written_keep_their_time():
    text = "Hello, “dear” world! "
    assert align(text, reading("Hello, dear world!"), 1000) == (
        SpokenWord(6, 0, 80),
        SpokenWord(13, 100, 180),
        SpokenWord(20, 200, 280),
    )


def test_a_number_takes_the_time_of_all_its_words():
    assert spans("at 7:30 today", reading("at seven thirty today")) == [
        ("at", 0, 80),
        ("7:30", 100, 280),
        ("today", 300, 380),
    ]


def test_a_differing_stretch_is_shared_by_length():
    text = "on 3/4 St. Anne"
    words = spans(text, reading("on March fourth Saint Anne"))
    assert [w for w, _, _ in words] == ["on", "3/4", "St.", "Anne"]
    assert words[1] == ("3/4", 100, 324)  # eight of the ten parts of 100 to 380
    assert words[2] == ("St.", 324, 380)
    assert words[3][1] == 400


def test_unspoken_characters_belong_to_the_word_before():
    assert [w.char_end for w in align("well — you 😀 know …", reading("well you know"), 1000)] == [6, 12, 19]


def test_a_symbol_that_is_read_is_a_word():
    assert spans("salt & pepper", reading("salt & pepper"))[1] == ("&", 100, 180)


def test_words_that_were_not_read_take_no_time():
    assert spans("one two three", reading("one three")) == [("one", 0, 80), ("two", 80, 80), ("three", 100, 180)]
    assert spans("zero one", reading("one")) == [("zero", 0, 0), ("one", 0, 80)]


def test_words_that_were_not_written_belong_to_the_word_before():
    assert spans("one three", reading("one two three")) == [("one", 0, 180), ("three", 200, 280)]
    assert spans("two", reading("one two")) == [("two", 100, 180)]


@pytest.mark.parametrize("text", ["", "  \n"])
def test_blank_text_has_no_words(text):
    assert align(text, [], 100) == ()


def test_text_that_cannot_be_spoken_is_covered_at_the_end():
    assert align(" … 😀 ", [], 250.9) == (SpokenWord(4, 0, 250),)


WORDS = ["one", "two", "3", "4.50", "&", "—", "😀", "five,", "six.", "(seven)", "it's"]
words = st.lists(st.sampled_from(WORDS), max_size=12)


@given(words, words, st.floats(0, 2000), st.sampled_from([" ", "  ", "\n"]))
def test_times_are_in_order_and_the_text_is_covered(written, read, total_ms, space):
    text = space.join(written) + " "
    result = align(text, reading(" ".join(read)), total_ms)
    times = [t for w in result for t in (w.start_ms, w.end_ms)]
    assert times == sorted(times)
    assert all(0 <= t <= total_ms for t in times)
    ends = [w.char_end for w in result]
    assert ends == sorted(set(ends))
    assert not text.strip() or ends[-1] == len(text.rstrip())


def test_long_sentences_are_cut_at_clauses():
    text = "When the rain had stopped, the keeper went outside, looked at the sea, and whistled for his dog."
    pieces = split_at_clauses(text, 60)
    assert [text[a:b] for a, b in zip(pieces, [*pieces[1:], None], strict=True)] == [
        "When the rain had stopped, the keeper went outside, ",
        "looked at the sea, and whistled for his dog.",
    ]
    assert split_at_clauses(text, 100) == [0]
    assert split_at_clauses("Yes, I do.", 6) == [0, 5]
    assert split_at_clauses("Yes, this one word would be torn off", 30) == [0]


@given(st.lists(st.sampled_from(["word", "a,", "and;", "x" * 30, "—"]), max_size=80), st.integers(5, 60))
def test_pieces_are_bounded_and_lose_nothing(words, longest):
    text = " ".join(words)
    starts = split_at_clauses(text, longest)
    assert starts == sorted(set(starts))
    assert starts[0] == 0
    pieces = [text[a:b] for a, b in zip(starts, [*starts[1:], None], strict=True)]
    assert "".join(pieces) == text
    assert all(len(p) <= max(3 * longest, longest + 32) for p in pieces)
