"""The form of a turn's words, and what they lack of the answer that was asked for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bargein.providers.embedded.expected_answer import expected_answer
from bargein.providers.embedded.turn_text import Form, Group, count_digits, features_of, form_of, group_of, lacks_digits


@pytest.mark.parametrize(
    ("said", "form"),
    [
        ("", Form.EMPTY),
        ("...", Form.EMPTY),
        ("Yes.", Form.ANSWER),
        ("No, thank you.", Form.ANSWER),
        ("I don't know.", Form.ANSWER),
        ("Thank you very much.", Form.ANSWER),
        ("Stop.", Form.COMMAND),
        ("Please call me back.", Form.COMMAND),
        ("Who?", Form.QUESTION),
        ("What's the weather like?", Form.QUESTION),
        ("How much is it", Form.QUESTION),
        ("Anna.", Form.OTHER),
        ("I'd like the large one.", Form.OTHER),
        ("five five five", Form.NUMBER),
        ("B, A, K", Form.NUMBER),
        ("552", Form.NUMBER),
        ("I'd like to", Form.UNFINISHED),
        ("My number is", Form.UNFINISHED),
        ("My phone number is.", Form.UNFINISHED),
        ("Can you?", Form.UNFINISHED),
        ("I want to book a", Form.UNFINISHED),
        ("The blue one and the", Form.UNFINISHED),
        ("We need, um", Form.UNFINISHED),
        ("Yes, I am.", Form.ANSWER),
    ],
)
def test_form(said: str, form: Form) -> None:
    assert form_of(said) is form


def test_digits_and_letters_are_counted_as_they_are_spoken() -> None:
    assert count_digits("552 one") == 4
    assert count_digits("My number is five, five.") == 2
    assert count_digits("S M I T H") == 5 - 1  # "I" alone is a word
    assert count_digits("Hello.") == 0


@pytest.mark.parametrize(
    ("said", "language", "form"),
    [
        ("Ja.", "de", Form.OTHER),
        ("Ich komme mit", "de", Form.UNFINISHED),
        ("Wie sp\u00e4t ist es?", "de", Form.QUESTION),
        ("f\u00fcnf, f\u00fcnf, drei", "de", Form.NUMBER),
    ],
)
def test_form_in_another_language(said: str, language: str, form: Form) -> None:
    assert form_of(said, language) is form


def test_words_instead_of_the_digits_that_were_asked_for_lack_digits() -> None:
    number = expected_answer("What is your phone number?")
    assert lacks_digits(number, "Okay then big")
    assert lacks_digits(number, "five five five")
    assert not lacks_digits(number, "No.")
    assert not lacks_digits(number, "Why do you need it?")
    assert not lacks_digits(number, "five five five one two three four six seven eight")
    assert not lacks_digits(expected_answer("Is that correct?"), "five")
    assert not lacks_digits(expected_answer("How many people will be coming?"), "Two.")


@given(
    st.text(max_size=300), st.text(max_size=300), st.integers(0, 60_000), st.sampled_from(("en", "de", "ja", "multi"))
)
def test_any_text_has_features_of_one_length(asked: str, said: str, voice_ms: int, language: str) -> None:
    """Check that no text of a caller or a model fails; a detector that fails leaves the pause to the words alone."""
    row = features_of(said, asked, voice_ms, language)
    assert len(row) == len(features_of("Yes.", "", 500))
    assert all(0 <= value <= 2 for value in row)


@pytest.mark.parametrize(
    ("said", "asked", "group"),
    [
        ("Yes.", "Is that correct?", Group.COMPLETE),
        ("Yes,", "Is that correct?", Group.SHORT),
        ("Stop.", "", Group.COMPLETE),
        ("How much is it?", "", Group.COMPLETE),
        ("Four.", "How many people will be coming?", Group.COMPLETE),
        ("Four.", "What is your phone number?", Group.NUMBER),
        ("Seven thirty.", "What time should I book it for?", Group.COMPLETE),
        ("nine four one", "What are the last four digits?", Group.NUMBER),
        ("nine four one three", "What are the last four digits?", Group.COMPLETE),
        ("five five five one two three four six seven eight", "What is your phone number?", Group.NUMBER),
        ("five five five", "", Group.NUMBER),
        ("Milk.", "What do you need?", Group.SHORT),
        ("We moved to another town.", "", Group.LONG),
        ("My number is", "What is your phone number?", Group.NUMBER),
        ("My number is", "", Group.UNFINISHED),
        ("", "", Group.UNFINISHED),
    ],
)
def test_group(said: str, asked: str, group: Group) -> None:
    assert group_of(said, asked) is group


def test_a_short_answer_that_was_hard_to_hear_is_no_answer_to_a_question_for_digits() -> None:
    asked = "What is your phone number?"
    assert group_of("No.", asked, confidence=0.4) is Group.NUMBER
    assert group_of("No.", asked, confidence=0.9) is Group.COMPLETE
    assert group_of("No.", asked) is Group.COMPLETE
    assert group_of("Okay.", asked, confidence=0.9) is Group.NUMBER, "the number follows, or was misheard"
    assert group_of("Okay.", "How do you spell that?") is Group.NUMBER
    assert group_of("Okay.", "Is that correct?", confidence=0.4) is Group.COMPLETE
