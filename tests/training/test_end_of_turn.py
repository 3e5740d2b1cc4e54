"""The corpus and the calibration of the end-of-turn detector."""

import numpy as np
from training.end_of_turn.calibration import fit_calibration
from training.end_of_turn.phrases import phrases
from training.end_of_turn.voices import HELD_OUT_VOICES, VOICES

from bargein.providers.embedded.end_of_turn import combined
from bargein.providers.embedded.turn_text import Group

_FILLERS = {"um,", "uh,", "let me think,", "hmm,", "you know,", "well,"}
_RANDOM = ("number", "telephone")
"""Classes of random digits: their groups are no phrases."""


def test_no_phrase_and_no_voice_is_in_both_parts() -> None:
    parts: dict[bool, set[str]] = {True: set(), False: set()}
    for phrase in phrases(200):
        if phrase.part == "spelled":
            parts[phrase.held_out].add("".join(c for c in "".join(phrase.pieces[-2:]) if c.isupper())[-4:])
        elif phrase.part not in _RANDOM:
            parts[phrase.held_out] |= set(phrase.pieces) - _FILLERS
    assert len(parts[True]) > 40
    assert not parts[True] & parts[False]
    assert not set(VOICES) & set(HELD_OUT_VOICES)


def test_phrases_are_the_same_at_each_call_and_equal_in_number() -> None:
    found = list(phrases(20))
    assert found == list(phrases(20))
    counts = [sum(phrase.part == part for phrase in found) for part in {phrase.part for phrase in found}]
    assert counts == [20] * 10
    assert all(len(phrase.pauses_s) == len(phrase.pieces) - 1 for phrase in found)


def test_the_calibration_finds_how_likely_the_end_is() -> None:
    """Scores that are twice too sure of themselves, and another share of ends in one of the groups."""
    numbers = np.random.default_rng(1)
    scores = numbers.normal(0, 3, (4000, 2))
    groups = np.where(numbers.random(4000) < 0.5, int(Group.SHORT), int(Group.LONG))
    truth = 1 / (1 + np.exp(-(scores[:, 1] / 2 + np.where(groups == Group.SHORT, 1.5, 0.0))))
    done = (numbers.random(4000) < truth).astype(np.int64)
    coefficients = fit_calibration(scores, groups, done, np.ones(4000))
    assert np.abs(combined(scores, coefficients[groups]) - truth).mean() < 0.03
    assert (coefficients[:, :2] >= 0).all()


def test_the_calibration_survives_groups_that_are_empty_or_have_one_outcome() -> None:
    groups = np.full(30, int(Group.COMPLETE))
    coefficients = fit_calibration(np.full((30, 2), 2.0), groups, np.ones(30, np.int64), np.ones(30))
    assert np.isfinite(coefficients).all()
    assert combined(np.array([[2.0, 2.0]]), coefficients[[Group.COMPLETE]])[0] > 0.8
