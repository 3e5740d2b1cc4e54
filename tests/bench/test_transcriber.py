"""The scoring of transcripts, and that a question makes the digits of real callers come out right."""

import anyio
import pytest
from bench.transcriber.__main__ import run
from bench.transcriber.scoring import Score, errors, units

from tests.speech import SPEECH


@pytest.mark.parametrize(
    ("text", "letters", "found"),
    [
        ("22, two-two", False, ["two"] * 4),
        ("Twenty two.", False, ["two", "two"]),
        ("fourteen oh 5", False, ["one", "four", "zero", "five"]),
        ("I don't know", False, ["i", "don't", "know"]),
        ("KO, w 5", True, ["k", "o", "w", "five"]),
    ],
)
def test_texts_are_compared_by_digits_and_letters(text: str, letters: bool, found: list[str]) -> None:
    assert units(text, letters=letters) == found


def test_errors_are_counted_by_word() -> None:
    assert errors(["one", "two", "three"], ["one", "three"]) == 1
    assert errors(["one"], ["two", "three"]) == 2
    assert errors([], ["two"]) == 1
    score = Score()
    score.add("one two", "1 3", letters=False)
    score.add("four", "", letters=False)
    assert (score.words, score.errors, score.exact, score.empty, score.numbers) == (3, 2, 0, 1, 1)
    assert score.error_rate == pytest.approx(2 / 3)


def test_a_question_for_a_number_makes_the_digits_of_callers_come_out() -> None:
    scores = anyio.run(run, SPEECH, ["telephone numbers"])["telephone numbers"]
    without, with_question = scores["without the question"], scores["with the question"]
    assert without.words == with_question.words == 40
    assert with_question.error_rate < 0.6 * without.error_rate  # measured: 0.33 and 0.63
