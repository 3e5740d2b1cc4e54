import pytest
from hypothesis import given
from hypothesis import strategies as st

from bargein.providers.embedded.expected_answer import OPEN, ExpectedAnswer, count_digits, expected_answer, fits

DIGITS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
NUMBER = ExpectedAnswer("number")


@pytest.mark.parametrize(
    ("question", "kind", "digits"),
    [
        ("What is your phone number?", "number", 10),
        ("Sure. Can I have your account number, please?", "number", None),
        ("Please tell me the last four digits of your card.", "number", 4),
        ("Could you give me your zip code? Take your time.", "number", 5),
        ("And what's the best number to reach you?", "number", 10),
        ("How many people will be coming?", "number", None),
        ("Please enter your six-digit verification code.", "number", 6),
        ("How old are you?", "number", None),
        ("Could you spell your last name for me?", "spelled", None),
        ("What is your confirmation code?", "spelled", None),
        ("What's your postcode?", "spelled", None),
        ("What is your date of birth?", "date", None),
        ("When would you like to come in?", "date", None),
        ("What time works for you?", "date", None),
        ("May I have your name?", "name", None),
        ("Who am I speaking with?", "name", None),
        ("Is your phone number still five five five one two three four?", "yes-no", None),
        ("Would you like to hear more?", "yes-no", None),
        ("So you need a table for two, right?", "yes-no", None),
        ("What can I do for you today?", "open", None),
        ("Your number is stored. How can I help?", "open", None),
        ("I called that number yesterday.", "open", None),
        ("Once upon a time there was a lamp.", "open", None),
        ("", "open", None),
    ],
)
def test_a_question_says_what_it_expects(question: str, kind: str, digits: int | None) -> None:
    expected = expected_answer(question)
    assert (expected.kind, expected.digits) == (kind, digits)


@given(st.text(max_size=600))
def test_any_text_expects_something(text: str) -> None:
    assert isinstance(expected_answer(text), ExpectedAnswer)


@pytest.mark.parametrize(
    ("said", "count"),
    [("five five, 12", 4), ("double two", 2), ("triple seven", 3), ("555-1234.", 7), ("twenty", 0), ("", 0)],
)
def test_digits_are_counted(said: str, count: int) -> None:
    assert count_digits(said) == count


@given(st.lists(st.sampled_from(DIGITS), max_size=16))
def test_every_digit_word_counts_once(digits: list[str]) -> None:
    assert count_digits(", ".join(digits)) == len(digits)
    assert fits(ExpectedAnswer("number", 10), " ".join(digits)) is (len(digits) >= 10)


@pytest.mark.parametrize(
    ("expected", "said", "whole"),
    [
        (NUMBER, "Twenty-two.", True),
        (NUMBER, "Just the two of us", True),
        (NUMBER, "Okay.", False),
        (ExpectedAnswer("number", 10), "five five five", False),
        (ExpectedAnswer("yes-no"), "Yes, please.", True),
        (ExpectedAnswer("yes-no"), "Yes, and my number", False),
        (ExpectedAnswer("date"), "The fifth of May", True),
        (ExpectedAnswer("date"), "I don't know", False),
        (ExpectedAnswer("spelled"), "M I L L E R", True),
        (ExpectedAnswer("spelled"), "Miller", False),
        (ExpectedAnswer("name"), "Anna Miller.", True),
        (ExpectedAnswer("name"), "five five", False),
        (OPEN, "Yes.", False),
        (NUMBER, "", False),
    ],
)
def test_an_answer_fits_what_was_asked(expected: ExpectedAnswer, said: str, *, whole: bool) -> None:
    assert fits(expected, said) is whole
