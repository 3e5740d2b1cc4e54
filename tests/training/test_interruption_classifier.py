"""The training of the interruption classifier: it learns separable classes, and its thresholds hold."""

from pathlib import Path

import numpy as np
from training.interruption_classifier.__main__ import evaluate, thresholds
from training.interruption_classifier.examples import Examples
from training.interruption_classifier.fit import fit

from bargein.call.hearing.overlap import AGES_MS
from bargein.providers.embedded.interruption_classifier import BACKCHANNEL, INTERRUPTION, NO_SPEECH
from bargein.providers.embedded.network import Network
from bargein.turns.interruption.evidence import THRESHOLDS


def clouds(seed: int, count: int = 2000) -> tuple[np.ndarray, np.ndarray]:
    """Return examples of three separate classes."""
    numbers = np.random.default_rng(seed)
    labels = np.repeat(np.arange(3), count)
    centres = np.array([[2.0, 0, 0, 0, 0], [0, 2.0, 0, 0, 0], [0, 0, 2.0, 0, 0]])
    return (centres[labels] + numbers.normal(0, 0.4, (labels.size, 5))).astype(np.float32), labels


def test_it_learns_three_classes_and_can_be_saved_and_loaded(tmp_path: Path) -> None:
    rows, labels = clouds(1)
    network = fit(rows, labels, np.ones(labels.size))
    unseen, truth = clouds(2)
    assert np.mean(network.probabilities(unseen).argmax(axis=1) == truth) > 0.97
    network.save(tmp_path / "weights.npz")
    again = Network.load(tmp_path / "weights.npz")
    assert np.allclose(again.probabilities(unseen), network.probabilities(unseen), atol=0.02)


def test_the_same_seed_gives_the_same_network() -> None:
    rows, labels = clouds(1, 40)
    first, second = (fit(rows, labels, np.ones(labels.size), seed=5) for _ in range(2))
    assert np.array_equal(first.hidden, second.hidden)


def examples() -> Examples:
    names = ["interrupt.command"] * 50 + ["backchannel.tts"] * 100 + ["noise.rain"] * 50
    labels = [INTERRUPTION] * 50 + [BACKCHANNEL] * 100 + [NO_SPEECH] * 50
    count = len(names)
    return Examples(
        np.zeros((count, len(AGES_MS), 1), dtype=np.float32),
        np.array(labels),
        np.ones(count),
        np.array(names),
        np.zeros(count, dtype=int),
        np.full(count, 20.0),
        np.ones(count, dtype=bool),
    )


def test_thresholds_allow_no_more_false_stops_than_the_given_shares() -> None:
    found = examples()
    numbers = np.random.default_rng(3)
    interruption = np.clip(numbers.normal(0.3, 0.2, (200, len(AGES_MS))), 0, 1).astype(np.float32)
    interruption[:50] = np.linspace(0.4, 1.0, len(AGES_MS))
    least = thresholds(found, interruption, listening=0.1, noise=0.05)
    assert least == sorted(least, reverse=True), "a longer voice never needs more"
    table = evaluate(found, interruption, least)
    assert table["interrupt.command"]["stopped"] == 1.0
    assert table["interrupt.command"]["p50_ms"] > AGES_MS[0]
    assert table["backchannel.tts"]["stopped"] <= 0.3


def test_the_engine_asks_at_the_ages_of_the_training() -> None:
    assert tuple(age_ms for age_ms, _ in THRESHOLDS) == AGES_MS
    least = [p for _, p in THRESHOLDS]
    assert least == sorted(least, reverse=True)
