"""Frames are timed by their samples: a network that delays them moves nothing, and a real gap is kept."""

from itertools import accumulate

import hypothesis.strategies as st
import pytest
from hypothesis import given

from bargein.audio.arrival import LONGEST_STALL_MS, ArrivalClock

FRAME_MS = 20.0
delays = st.lists(st.floats(0, LONGEST_STALL_MS, allow_nan=False), min_size=2, max_size=200)


def ends(arrivals: list[float]) -> list[float]:
    clock = ArrivalClock()
    return [clock.push(FRAME_MS, arrival_ms) for arrival_ms in arrivals]


def in_order(delays: list[float]) -> list[float]:
    """Return the arrivals of frames on a network that keeps their order."""
    return list(accumulate((FRAME_MS * (n + 1) + delay for n, delay in enumerate(delays)), max))


@given(st.lists(st.sampled_from([10.0, 20.0, 32.0, 60.0]), min_size=1, max_size=200), st.floats(0, 1e6))
def test_on_a_steady_stream_a_frame_is_complete_on_arrival(durations: list[float], begin_ms: float) -> None:
    clock = ArrivalClock()
    for duration_ms, arrival_ms in zip(durations, accumulate(durations, initial=begin_ms), strict=False):
        assert clock.push(duration_ms, arrival_ms + duration_ms) == pytest.approx(arrival_ms + duration_ms)


@given(delays)
def test_no_frame_is_complete_after_its_arrival_or_earlier_than_a_stall_before(delays: list[float]) -> None:
    arrivals = in_order(delays)
    for end_ms, arrival_ms in zip(ends(arrivals), arrivals, strict=True):
        assert arrival_ms - LONGEST_STALL_MS - 1e-6 <= end_ms <= arrival_ms + 1e-6


@given(delays)
def test_frames_keep_their_distances_once_one_was_on_time(delays: list[float]) -> None:
    """Every half second a frame is on time, so that the true times are known."""
    on_time = [0.0 if n % 20 == 0 else min(delay, 180.0) for n, delay in enumerate(delays)]
    arrivals = [FRAME_MS * (n + 1) + delay for n, delay in enumerate(on_time)]
    for n, end_ms in enumerate(ends(arrivals)):
        assert end_ms == pytest.approx(FRAME_MS * (n + 1))


def test_a_burst_after_a_stall_is_timed_as_it_was_recorded() -> None:
    assert ends([20, 40, 140, 140, 140, 140, 140, 160]) == [20, 40, 60, 80, 100, 120, 140, 160]


def test_a_sender_that_sent_nothing_leaves_a_gap() -> None:
    assert ends([20, 40, 1040, 1060]) == [20, 40, 1040, 1060]


def test_a_stream_that_is_late_for_good_is_followed_within_half_a_second() -> None:
    arrivals = [FRAME_MS * (n + 1) + (100 if n >= 5 else 0) for n in range(60)]
    found = ends(arrivals)
    assert found[5] == arrivals[5] - 100
    assert found[:5] == arrivals[:5]
    assert found[5 + 26 + 25 :] == arrivals[5 + 26 + 25 :]


def test_a_slow_clock_of_the_sender_is_followed() -> None:
    arrivals = [FRAME_MS * 1.001 * (n + 1) for n in range(6000)]  # 120 ms in two minutes
    assert max(arrival - end for arrival, end in zip(arrivals, ends(arrivals), strict=True)) < 1.5


def test_a_fast_clock_of_the_sender_is_followed() -> None:
    arrivals = [FRAME_MS * 0.999 * (n + 1) for n in range(6000)]
    assert ends(arrivals) == arrivals
