import numpy as np
import pytest

from bargein.audio.ducking import DUCKED, RAMP_MS, Ducking

RATE_HZ = 16_000
FRAME = RATE_HZ // 50


def steady(frames: int) -> np.ndarray:
    return np.full(frames * FRAME, 10_000, dtype=np.int16)


def passed(ducking: Ducking, frames: int, size: int = FRAME) -> np.ndarray:
    pcm = steady(frames)
    return np.concatenate([ducking.apply(pcm[at : at + size]) for at in range(0, pcm.size, size)])


def test_a_voice_that_is_not_ducked_passes_unchanged() -> None:
    ducking = Ducking(RATE_HZ)
    assert ducking.idle
    assert np.array_equal(passed(ducking, 3), steady(3))
    assert ducking.idle


@pytest.mark.parametrize("size", [1, 7, 160, FRAME, 3 * FRAME])
def test_it_goes_down_by_twelve_decibels_without_a_step(size: int) -> None:
    ducking = Ducking(RATE_HZ)
    ducking.duck()
    assert not ducking.idle
    down = passed(ducking, 3, size)
    ramp = RATE_HZ * RAMP_MS // 1000
    assert np.abs(np.diff(down.astype(int))).max() <= 25
    assert down[0] < 10_000
    assert down[ramp // 2] == pytest.approx(10_000 * (1 + DUCKED) / 2, rel=0.02)
    assert set(down[ramp:]) == {2500}
    assert 20 * np.log10(down[-1] / 10_000) == pytest.approx(-12, abs=0.1)


def test_it_returns_from_any_level() -> None:
    ducking = Ducking(RATE_HZ)
    ducking.duck()
    half_way = ducking.apply(steady(1)[: FRAME // 2])
    ducking.unduck()
    back = passed(ducking, 2)
    assert abs(int(back[0]) - int(half_way[-1])) <= 25
    assert set(back[FRAME:]) == {10_000}
    assert ducking.idle


def test_a_reset_restores_the_full_level() -> None:
    ducking = Ducking(RATE_HZ)
    ducking.duck()
    passed(ducking, 2)
    ducking.reset()
    assert ducking.idle
    assert np.array_equal(passed(ducking, 1), steady(1))


def test_no_samples_give_no_samples() -> None:
    ducking = Ducking(RATE_HZ)
    ducking.duck()
    assert ducking.apply(np.zeros(0, dtype=np.int16)).size == 0
    assert not ducking.idle
