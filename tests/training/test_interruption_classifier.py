"""The training of the interruption classifier: it learns separable classes, and its thresholds hold."""

from pathlib import Path

import numpy as np
from bench.interruption.phrases import LANGUAGES as BENCHMARK_LANGUAGES
from bench.interruption.phrases import LONG, SHORT, WORDS
from hypothesis import given
from hypothesis import strategies as st
from training.interruption_classifier import corpus
from training.interruption_classifier.__main__ import evaluate
from training.interruption_classifier.circumstances import Circumstances
from training.interruption_classifier.corpus import Clip
from training.interruption_classifier.examples import Examples
from training.interruption_classifier.fit import fit
from training.interruption_classifier.policy import curve, curve_svg, decided_ms, thresholds

from bargein.call.hearing.overlap import AGES_MS
from bargein.providers.embedded.interruption_classifier import BACKCHANNEL, INTERRUPTION, NO_SPEECH
from bargein.providers.embedded.network import Network
from bargein.turns.events import InterruptionJudged
from bargein.turns.interruption.evidence import THRESHOLDS, suffices
from bargein.turns.phrases import normalise
from tests.speech import SPEECH


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
        np.full(count, 32.0),
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
    assert table["backchannel.tts"]["stopped"] <= 0.1
    rows = curve(found, interruption, least)
    stopped = [row["backchannels"] for row in rows]
    assert stopped == sorted(stopped, reverse=True), "stricter thresholds never stop it more often"
    assert next(row for row in rows if row["shift"] == 0)["backchannels"] == table["backchannel.tts"]["stopped"]
    assert "<polyline" in curve_svg(rows)


def test_the_engine_asks_at_the_ages_of_the_training() -> None:
    assert tuple(age_ms for age_ms, _ in THRESHOLDS) == AGES_MS
    least = [p for _, p in THRESHOLDS]
    assert least == sorted(least, reverse=True)


@given(
    st.lists(st.floats(0, 1), min_size=len(AGES_MS), max_size=len(AGES_MS)),
    st.sampled_from([32, 64, 128, 160, 200, 288, 352]),
)
def test_the_training_decides_as_the_engine_does(probabilities: list[float], known_ms: int) -> None:
    (at_ms,) = decided_ms(np.array([probabilities]), np.array([float(known_ms)]), [p for _, p in THRESHOLDS])
    before: InterruptionJudged | None = None
    stopped_ms = float("inf")
    for number, (age_ms, probability) in enumerate(zip(AGES_MS, probabilities, strict=True)):
        if number + 1 < len(AGES_MS) and AGES_MS[number + 1] <= known_ms:
            continue
        judged = InterruptionJudged(0, 0, age_ms, probability)
        if suffices(judged, before):
            stopped_ms = max(age_ms, known_ms)
            break
        before = judged
    assert at_ms == stopped_ms


def test_runs_that_were_examined_at_some_ages_train_with_those_alone() -> None:
    found = examples()
    found.rows[::2, 3:] = np.nan
    rows, labels, weights = found.flat(np.ones(len(found.labels), dtype=bool))
    assert len(rows) == len(labels) == len(weights) == 100 * 3 + 100 * len(AGES_MS)
    assert not np.isnan(rows).any()
    assert len(found.complete.labels) == 100


def test_no_phrase_of_the_benchmark_is_trained_on() -> None:
    trained = {normalise(text) for text in (*corpus.BACKCHANNEL_TEXTS, *corpus.INTERRUPTION_TEXTS)}
    assert not trained & {normalise(text) for text in (*WORDS, *SHORT, *LONG)}
    others = {(name.rpartition(".")[2], normalise(text)) for name, _, _, text in corpus.phrases_of_other_languages()}
    assert len({code for code, _ in others}) >= 10
    for language in BENCHMARK_LANGUAGES:
        held_out = (*language.commands, *language.words, *language.backchannels, *language.answers)
        assert not others & {(language.tag, normalise(text)) for text in held_out}


def test_the_circumstances_of_a_clip_do_not_depend_on_other_clips() -> None:
    clips = [Clip("interrupt.command", INTERRUPTION, "", np.ones(8_000, np.float32), key=key) for key in "ab"]
    alone = Circumstances(SPEECH, 3).heard(clips[1], 2)
    circumstances = Circumstances(SPEECH, 3)
    circumstances.heard(clips[0], 1)
    assert np.array_equal(circumstances.heard(clips[1], 2).sound, alone.sound)
    assert not np.array_equal(circumstances.heard(clips[0], 2).sound, alone.sound)
