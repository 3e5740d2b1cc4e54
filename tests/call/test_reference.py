"""The assistant's audio is returned for the time at which the caller's was recorded."""

from typing import Any, cast

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from bargein.call.hearing.reference import PlayoutReference
from bargein.ports import Pcm16

FRAME = 320


class Leg:
    rate_hz = 16_000

    def decode(self, data: bytes) -> Pcm16:
        return np.frombuffer(data, np.int16)


def reference(recorded: list[tuple[int, float]] | None = None) -> PlayoutReference:
    def record(pcm: Pcm16, at_ms: float) -> None:
        if recorded is not None:
            recorded.append((pcm.size, at_ms))

    return PlayoutReference(cast("Any", Leg()), record)


def play(played: PlayoutReference, value: int, at_ms: float, samples: int = FRAME) -> None:
    played.add_frame(np.full(samples, value, np.int16).tobytes(), at_ms)


def test_audio_is_read_when_it_plays() -> None:
    recorded: list[tuple[int, float]] = []
    played = reference(recorded)
    play(played, 1, 40)
    play(played, 2, 60)
    assert not played.read(FRAME, 40).any()
    assert played.read(FRAME, 60).tolist() == [1] * FRAME
    assert played.read(FRAME // 2, 70).tolist() == [2] * (FRAME // 2)
    assert played.read(FRAME, 90).tolist() == [2] * (FRAME // 2) + [0] * (FRAME // 2)
    assert recorded == [(FRAME, 40), (FRAME, 60)]


def test_lost_audio_of_the_caller_moves_nothing() -> None:
    played = reference()
    for number in range(60):
        play(played, number + 1, 20.0 * number)
    for number in (0, 1, 2, 10, 11, 40, 59):
        assert played.read(FRAME, 20.0 * (number + 1)).tolist() == [number + 1] * FRAME


@given(st.lists(st.floats(-9, 9), min_size=1, max_size=50))
def test_small_errors_of_the_times_leave_no_gap_on_either_side(errors: list[float]) -> None:
    played = reference()
    sound = np.arange(1, FRAME * len(errors) + 1).astype(np.int16)
    for number, error_ms in enumerate(errors):
        at = number * FRAME
        played.add_frame(sound[at : at + FRAME].tobytes(), 100 + 20 * number + error_ms / 4 - errors[0] / 4)
    heard = [played.read(FRAME, 120 + 20 * number + error - errors[0]) for number, error in enumerate(errors)]
    assert np.array_equal(np.concatenate(heard), sound)


def test_a_pause_of_the_assistant_is_silent_and_old_audio_does_not_come_back() -> None:
    played = reference()
    for number in range(150):  # three seconds, more than are kept
        play(played, 7, 20.0 * number)
    assert not played.read(FRAME, 900).any(), "no longer kept"
    play(played, 8, 3_500)
    assert played.read(FRAME, 3_000).tolist() == [7] * FRAME
    assert not played.read(FRAME * 20, 3_450).any()
    assert played.read(FRAME, 3_520).tolist() == [8] * FRAME


def test_a_reply_that_begins_before_the_last_one_would_have_ended_replaces_its_rest() -> None:
    played = reference()
    play(played, 1, 0, FRAME * 10)
    play(played, 2, 100)
    assert played.read(FRAME * 6, 120).tolist() == [1] * FRAME * 5 + [2] * FRAME


@pytest.mark.parametrize("samples", [0, 1, 40_000])
def test_any_number_of_samples_can_be_read(samples: int) -> None:
    played = reference()
    assert played.read(samples, 10).size == samples
    play(played, 1, 0)
    assert played.read(samples, 10).size == samples
