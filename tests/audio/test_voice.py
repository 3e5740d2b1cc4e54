from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bargein.audio.voice import WINDOW_MS, PauseGate, UtteranceEdge, UtteranceGate, VoiceEdge, VoiceGate, Windower


@pytest.mark.parametrize(("rate_hz", "size"), [(8000, 256), (16000, 512)])
def test_windows_end_when_their_last_sample_arrived(rate_hz, size):
    w = Windower(rate_hz)
    frame = np.arange(rate_hz // 50, dtype=np.int16)  # 20 ms
    assert list(w.push(frame, 20.0)) == []
    ((window, end_ms),) = w.push(frame, 40.0)
    assert window.dtype == np.float32
    assert window.shape == (size,)
    assert end_ms == pytest.approx(32.0)
    assert list(w.push(frame, 60.0)) == []
    ((_, end_ms),) = w.push(frame, 87.0)  # seven ms late, and 16 ms of it belong to the next window
    assert end_ms == pytest.approx(71.0)


def test_a_burst_is_measured_as_if_it_had_come_frame_by_frame():
    windows = list(Windower(16000).push(np.zeros(16000, np.int16), 1000.0))
    assert [end for _, end in windows] == pytest.approx([32.0 * k for k in range(1, 32)])


def test_delayed_frames_do_not_turn_time_back():
    w = Windower(8000)
    ends = [end for _ in range(5) for _, end in w.push(np.zeros(800, np.int16), 500.0)]
    assert ends == sorted(ends)
    assert len(ends) == 15
    assert ends[-1] == 496.0


def test_a_window_is_not_reused():
    w = Windower(8000)
    ((first, _),) = w.push(np.full(256, 16384, np.int16), 32.0)
    list(w.push(np.zeros(256, np.int16), 64.0))
    assert np.all(first == 0.5)


@given(st.lists(st.integers(0, 1500), max_size=20), st.sampled_from([8000, 16000]))
def test_no_sample_is_lost_or_moved(lengths, rate_hz):
    x = np.random.default_rng(1).integers(-32768, 32768, sum(lengths)).astype(np.int16)
    w, at, got, ends = Windower(rate_hz), 0, [], [0.0]
    for n in lengths:
        for window, end in w.push(x[at : at + n], (at + n) * 1000 / rate_hz):
            got.append(window)
            ends.append(end)
        at += n
    joined = np.concatenate(got) if got else np.zeros(0, np.float32)
    assert np.array_equal(joined, x[: len(joined)] / np.float32(32768))
    assert len(x) - len(joined) < rate_hz * WINDOW_MS // 1000
    assert np.diff(ends) == pytest.approx(WINDOW_MS)


def test_other_rates_are_refused():
    with pytest.raises(ValueError, match="8000 or 16000"):
        Windower(44100)


def test_the_windower_counts_the_missing_samples():
    windower = Windower(8_000)
    assert windower.missing == 256
    windower.push(np.zeros(160, np.int16), 20)
    assert windower.missing == 96
    windower.push(np.zeros(160, np.int16), 40)
    assert windower.missing == 256 - 64


def test_the_gate_has_hysteresis_and_no_hangover():
    gate = VoiceGate()
    edges = [gate.push(p, 32.0 * (k + 1)) for k, p in enumerate([0.1, 0.49, 0.5, 0.4, 0.35, 0.34, 0.45, 0.9])]
    assert [e for e in edges if e] == [
        VoiceEdge(True, 64, 0.5, 0),
        VoiceEdge(False, 160, 0.34),
        VoiceEdge(True, 224, 0.9, 160),
    ]
    assert [k for k, e in enumerate(edges) if e] == [2, 5, 7]
    assert gate.voiced


def test_an_edge_is_never_before_the_call():
    assert VoiceGate().push(1.0, 20.0) == VoiceEdge(True, 0, 1.0, 0)


@pytest.mark.parametrize(
    ("before", "windows"),
    [
        ([0.01, 0.01], 0), ([0.3, 0.01], 0), ([0.01, 0.02], 1), ([0.01, 0.02, 0.1], 2), ([0.1, 0.02, 0.1, 0.1], 4),
        ([0.1] * 6, 4),
    ],
)  # fmt: skip
def test_a_soft_onset_rises_for_at_most_four_windows(before: list[float], windows: int) -> None:
    gate = VoiceGate()
    *quiet, edge = [gate.push(p, 1000 + 32.0 * k) for k, p in enumerate([0.01, *before, 0.9])]
    assert not any(quiet)
    assert edge is not None
    assert edge.rising_ms == edge.at_ms - 32 * windows


@pytest.mark.parametrize(("start", "stop"), [(0.3, 0.5), (1.2, 0.5), (0.5, -0.1)])
def test_thresholds_must_make_sense(start, stop):
    with pytest.raises(ValueError, match="stop"):
        VoiceGate(start, stop)


@given(st.lists(st.floats(0, 1)), st.floats(0, 1), st.floats(0, 1))
def test_edges_alternate_and_move_on(probabilities, a, b):
    gate = VoiceGate(max(a, b), min(a, b))
    edges = [e for k, p in enumerate(probabilities) if (e := gate.push(p, 32.0 * (k + 1)))]
    assert [e.voiced for e in edges] == [k % 2 == 0 for k in range(len(edges))]
    times = [e.at_ms for e in edges]
    assert times == sorted(set(times))
    for earlier, later in pairwise(edges):
        assert later.rising_ms is None or earlier.at_ms <= later.rising_ms <= later.at_ms


def utterances(probabilities, hang_ms):
    gate, joined = VoiceGate(), UtteranceGate(hang_ms)
    out = []
    for k, p in enumerate(probabilities):
        end_ms = 32.0 * (k + 1)
        if edge := joined.push(gate.push(p, end_ms), end_ms):
            out.append((end_ms, edge))
    return out, joined


def test_a_short_silence_does_not_end_an_utterance():
    out, gate = utterances([1, 1, 0, 0, 1, 0, 0, 0, 0, 0], 96)
    assert out == [(32.0, UtteranceEdge(True, 0)), (256.0, UtteranceEdge(False, 160))]
    assert not gate.open


def test_without_hang_it_ends_with_the_voice():
    out, _ = utterances([1, 0, 1], 0)
    assert [e.started for _, e in out] == [True, False, True]
    with pytest.raises(ValueError, match="hang is not negative"):
        UtteranceGate(-1)


@given(st.lists(st.booleans()), st.integers(0, 400))
def test_utterances_end_only_after_the_hang(voices, hang_ms):
    out, _ = utterances([float(v) for v in voices], hang_ms)
    assert [e.started for _, e in out] == [k % 2 == 0 for k in range(len(out))]
    for told_ms, edge in out:
        if not edge.started:
            assert told_ms - edge.at_ms >= hang_ms
            assert not any(voices[edge.at_ms // 32 : int(told_ms) // 32])


def test_a_pause_and_its_end_are_reported() -> None:
    gate, pause = VoiceGate(), PauseGate(96)
    told = []
    for number, probability in enumerate([0.9, 0.9, 0.1, 0.9, 0.1, 0.1, 0.1, 0.1, 0.1, 0.9, 0.9, 0.1, 0.1, 0.1]):
        end_ms = (number + 1) * 32.0
        told.append((end_ms, pause.push(gate.push(probability, end_ms), end_ms)))
    assert [(end_ms, what) for end_ms, what in told if what is not None] == [(224, True), (320, False), (448, True)]
    assert pause.paused_ms == 352


def test_the_length_of_a_pause_is_not_negative() -> None:
    with pytest.raises(ValueError, match="not negative"):
        PauseGate(-1)
