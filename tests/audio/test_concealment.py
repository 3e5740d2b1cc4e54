"""Holes of a line that loses packets are filled; nothing else is changed, moved or delayed."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from bargein.audio.concealment import CONCEALED_MS, LONGEST_HOLE_MS, Concealment
from bargein.audio.pcm import Float32Array, Int16Array

RATE = 8_000
FRAME = RATE // 50


def tone(ms: int, level: float = 4000.0) -> Int16Array:
    """Return a vowel-like sound of 125 Hz."""
    at = np.arange(RATE * ms // 1000) / RATE
    sound = sum(np.sin(2 * np.pi * 125 * n * at + n) / n for n in range(1, 9))
    return np.round(level * np.asarray(sound)).astype(np.int16)


def lose(sound: Int16Array, lost: set[int]) -> Int16Array:
    """Return the sound with silence in place of these frames."""
    given_ = sound.copy()
    for number in lost:
        given_[number * FRAME : (number + 1) * FRAME] = 0
    return given_


def through(line: Concealment, sound: Int16Array, size: int = FRAME) -> Int16Array:
    return np.concatenate([line.push(sound[at : at + size]) for at in range(0, sound.size, size)])


def level(sound: Int16Array) -> float:
    return float(np.sqrt(np.mean(np.square(sound.astype(np.float64)))))


def frames_of(sound: Int16Array) -> list[Int16Array]:
    return [sound[at : at + FRAME] for at in range(0, sound.size, FRAME)]


@given(st.lists(st.tuples(st.integers(0, 500), st.booleans()), max_size=40), st.sampled_from([8_000, 16_000, 48_000]))
def test_frames_without_holes_are_returned_as_they_are(frames: list[tuple[int, bool]], rate_hz: int) -> None:
    line = Concealment(rate_hz)
    for size, negative in frames:
        pcm = np.full(size, -5 if negative else 5, dtype=np.int16)
        assert np.array_equal(line.push(pcm), pcm)


@given(st.lists(st.sampled_from(["sound", "silence", "noise"]), max_size=80), st.sampled_from([80, 160, 256, 1000]))
def test_nothing_is_delayed_or_lost(kinds: list[str], size: int) -> None:
    line = Concealment(RATE)
    numbers = np.random.default_rng(1)
    for kind in kinds:
        pcm = np.zeros(size, dtype=np.int16)
        if kind == "sound":
            pcm = np.resize(tone(40), size)
        elif kind == "noise":
            pcm = numbers.integers(-9, 10, size).astype(np.int16)
        heard = line.push(pcm)
        assert heard.size == pcm.size
        # Only a hole, and the moment after it in which it is joined, may differ from what came.
        assert np.array_equal(heard[FRAME // 4 :], pcm[FRAME // 4 :]) or not pcm.any() or size > 3 * FRAME


def test_a_vowel_with_holes_stays_a_vowel() -> None:
    sound = tone(2_000)
    heard = through(Concealment(RATE), lose(sound, {5, 10, *range(20, 100, 4), *range(21, 100, 12)}))
    kept = frames_of(heard)[20:]
    assert min(map(level, kept)) > 0.5 * level(sound)
    # the period is kept: the filled frames are like those that were lost
    for number in range(20, 100, 4):
        mine, theirs = (one[number * FRAME : (number + 1) * FRAME].astype(float) for one in (heard, sound))
        assert np.dot(mine, theirs) / np.sqrt(np.dot(mine, mine) * np.dot(theirs, theirs)) > 0.8


def test_the_first_holes_of_a_line_only_show_that_it_has_them() -> None:
    given_ = lose(tone(1_000), {5, 10, 15})
    heard = through(Concealment(RATE), given_)
    assert not frames_of(heard)[5].any()
    assert not frames_of(heard)[10].any()
    assert frames_of(heard)[15].any()


def test_a_muted_microphone_is_not_filled() -> None:
    line = Concealment(RATE)
    muted = np.concatenate([np.concatenate((tone(300), np.zeros(RATE // 2, dtype=np.int16))) for _ in range(8)])
    assert np.array_equal(through(line, muted), muted)
    assert not line.active


def test_a_noise_gate_that_closes_softly_is_not_filled() -> None:
    sound = tone(300)
    sound[-FRAME:] = np.round(sound[-FRAME:] * np.linspace(1, 0, FRAME)).astype(np.int16)
    gated = np.concatenate([np.concatenate((sound, np.zeros(FRAME * 4, dtype=np.int16))) for _ in range(8)])
    assert np.array_equal(through(Concealment(RATE), gated), gated)


def test_a_long_hole_fades_and_ends_the_belief_in_holes() -> None:
    line = Concealment(RATE)
    through(line, lose(tone(1_000), {5, 10}))
    assert line.active
    faded = through(line, np.zeros(RATE // 2, dtype=np.int16))
    begin = RATE * CONCEALED_MS // 1000
    assert faded[: begin // 2].any()
    assert not faded[begin:].any()
    assert not line.active
    assert LONGEST_HOLE_MS > CONCEALED_MS


def test_a_line_that_has_lost_nothing_for_ten_seconds_is_trusted_again() -> None:
    line = Concealment(RATE)
    through(line, lose(tone(1_000), {5, 10}))
    through(line, tone(10_000))
    assert not line.active


@pytest.mark.parametrize("size", [FRAME, 256, 800])
def test_packets_need_not_be_aligned_with_frames(size: int) -> None:
    lost = {5, 10, *range(20, 100, 4)}
    heard = through(Concealment(RATE), lose(tone(2_000), lost), size)
    assert min(map(level, frames_of(heard)[21:])) > 0.4 * level(tone(2_000))


def test_a_hole_that_was_resampled_is_filled_too() -> None:
    """A filter rings into the hole, for 2 ms after the sound and before it."""
    sound = tone(2_000)
    window: Float32Array = np.hanning(33).astype(np.float32)
    taps: Float32Array = window / window.sum()
    ringing = np.rint(np.convolve(lose(sound, {5, 10, *range(20, 100, 4)}), taps, "same")).astype(np.int16)
    whole = np.rint(np.convolve(sound, taps, "same")).astype(np.int16)
    assert min(map(level, frames_of(ringing)[20:98])) < 0.5 * level(whole)
    assert min(map(level, frames_of(through(Concealment(RATE), ringing))[20:98])) > 0.6 * level(whole)


@pytest.mark.parametrize("rate_hz", [8_000, 16_000, 24_000, 48_000])
def test_every_rate_of_a_leg_is_concealed(rate_hz: int) -> None:
    line = Concealment(rate_hz)
    frame = np.round(3000 * np.sin(np.arange(rate_hz // 50) * 2 * np.pi * 200 / rate_hz) + 7).astype(np.int16)
    heard = frame
    for _ in range(3):
        line.push(frame)
        heard = line.push(np.zeros(frame.size, dtype=np.int16))
    assert heard.any()
    assert heard.dtype == np.int16
