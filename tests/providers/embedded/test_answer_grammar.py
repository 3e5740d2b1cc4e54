"""Grammars of answers: every text that a search returns belongs to them, and any digits can be returned."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bargein.providers.embedded.answer_grammar import (
    DIGITS,
    NUMBER,
    SPELLED,
    WHOLE_NUMBER,
    WHOLE_SPELLING,
    TokenGrammar,
)
from bargein.providers.embedded.held_answer import least, search
from bargein.providers.embedded.moonshine_model import END, START, Transcript

WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
PIECES = [
    *"0123456789abcdefghijklmnopqrstuvwxyzABCXYZ,.-'?",
    *("\u2581" + word for word in (*WORDS, "my", "is", "number", "don't", "I", "it's", "double", "Four", "A", "K")),
    *("\u2581", "th", "\u2581th", "ree", "ven", "\u2581se", "t"),
]
VOCABULARY = [b"<unk>", b"<s>", b"</s>", *(piece.encode() for piece in PIECES), b"<0x41>"]
GRAMMARS = {"digits": DIGITS, "number": NUMBER, "spelled": SPELLED}
TOKENS = {name: TokenGrammar(grammar, VOCABULARY) for name, grammar in GRAMMARS.items()}


def spell(tokens):
    return b"".join(VOCABULARY[token] for token in tokens).decode().replace("\u2581", " ").strip()


class Scripted:
    """A decoder that prefers the tokens of a script by so much, whatever came before."""

    def __init__(self, script, strength=20.0):
        self.script, self.strength = script, strength
        self.lengths = [0]

    def step(self, tokens, parents):
        first = self.lengths == [0] and list(tokens) == [START]
        self.lengths = [0] if first else [self.lengths[parent] + 1 for parent in parents]
        rows = np.zeros((len(tokens), len(VOCABULARY)), np.float32)
        for row, length in zip(rows, self.lengths, strict=True):
            row[self.script[length] if length < len(self.script) else END] = self.strength
        return rows - np.log(np.exp(rows).sum(axis=1, keepdims=True))


class Random:
    """A decoder with random preferences."""

    def __init__(self, seed):
        self.random = np.random.default_rng(seed)

    def step(self, tokens, parents):
        rows = self.random.normal(0, 3, (len(tokens), len(VOCABULARY)))
        return rows - np.log(np.exp(rows).sum(axis=1, keepdims=True))


def token(piece):
    return VOCABULARY.index(piece.encode())


@settings(deadline=None)  # the steps of a state are found when it is first reached
@given(st.sampled_from(sorted(GRAMMARS)), st.integers(0, 2**32 - 1), st.integers(1, 12))
def test_every_text_that_is_found_belongs_to_the_grammar(name, seed, most):
    found = search(Random(seed), TOKENS[name], most, -1e9)
    if found is not None:
        assert GRAMMARS[name].accepts(spell(found[0]))
        assert len(found[0]) < most
        assert found[1] < 0


@settings(deadline=None)  # the steps of a state are found when it is first reached
@given(st.sampled_from(sorted(GRAMMARS)), st.lists(st.sampled_from(WORDS), min_size=1, max_size=16))
def test_any_digits_can_be_found_as_words(name, digits):
    script = [token("\u2581" + digit) for digit in digits]
    found = search(Scripted(script), TOKENS[name], 20, -1e9)
    assert found is not None
    assert found[0] == script


@settings(deadline=None)  # the steps of a state are found when it is first reached
@given(st.sampled_from(sorted(GRAMMARS)), st.text("0123456789", min_size=1, max_size=16))
def test_any_digits_can_be_found_as_figures(name, digits):
    found = search(Scripted([token(digit) for digit in digits]), TOKENS[name], 20, -1e9)
    assert found is not None
    assert spell(found[0]) == digits


@settings(deadline=None)  # the steps of a state are found when it is first reached
@given(st.text("ABCXYZ0123456789", min_size=1, max_size=10))
def test_any_code_can_be_found(code):
    found = search(Scripted([token(one) for one in code]), TOKENS["spelled"], 20, -1e9)
    assert found is not None
    assert spell(found[0]) == code


def test_words_outside_of_the_grammar_are_passed_over():
    script = [token("\u2581I"), token("\u2581don't"), token("\u2581four")]
    found = search(Scripted(script, 4.0), TOKENS["digits"], 8, -1e9)
    assert found is not None
    assert DIGITS.accepts(spell(found[0]))
    assert found[1] < -8


def test_a_text_that_is_less_likely_than_asked_for_is_not_found():
    script = [token("\u2581four"), token("\u2581two")]
    _, total = search(Scripted(script), TOKENS["digits"], 8, -1e9)
    assert search(Scripted(script), TOKENS["digits"], 8, total - 0.01)[0] == script
    assert search(Scripted(script), TOKENS["digits"], 8, total + 0.01) is None


def test_an_abandoned_search_finds_nothing():
    assert search(Scripted([token("\u2581four")]), TOKENS["digits"], 8, -1e9, lambda: True) is None


@pytest.mark.parametrize(
    ("text", "digits", "number", "spelled"),
    [
        ("555-1234", True, True, True),
        ("Five, five, five.", True, True, True),
        ("My number is double 4, oh, 7.", True, True, True),
        ("plus four nine", True, True, True),
        ("area code 415", True, True, True),
        ("Twenty-two.", False, True, False),
        ("K-O-W", False, False, True),
        ("KOWALSKI", False, False, True),
        ("HT901", False, False, True),
        ("a, b, c", False, False, True),
        ("Kowalski", False, False, False),
        ("I don't know.", False, False, False),
        ("Okay.", False, False, False),
        ("My number is", False, False, False),
        ("FIve", False, False, False),
        ("", False, False, False),
    ],
)
def test_texts_belong_to_grammars(text, digits, number, spelled):
    assert [grammar.accepts(text) for grammar in (DIGITS, NUMBER, SPELLED)] == [digits, number, spelled]


@settings(deadline=None)  # the steps of a state are found when it is first reached
@given(st.text(max_size=20))
def test_what_answers_are_held_to_is_a_whole_answer(text):
    if NUMBER.accepts(text) or DIGITS.accepts(text):
        assert WHOLE_NUMBER.accepts(text)
    if SPELLED.accepts(text):
        assert WHOLE_SPELLING.accepts(text)


def test_a_usual_answer_gives_way_to_a_nearly_as_likely_one_only():
    assert least(Transcript("No.", -0.2, 3)) > least(Transcript("Mo.", -0.2, 3))
