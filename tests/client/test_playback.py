"""The playback model, the measurement of interruptions, and tokens by turn."""

import numpy as np
import pytest

from bargein.client.playback import InterruptionMeter, PlaybackModel, SpeechSegment, audible_ms
from bargein.client.turns import Turns
from tests.client.stub import RATE_HZ


def test_audio_is_played_back_to_back_from_its_arrival() -> None:
    playback = PlaybackModel(flush=False)
    assert [playback.push(20, at).start_ms for at in (1000, 1001, 1002, 1055)] == [1000, 1020, 1040, 1060]
    assert playback.last == SpeechSegment(1000, 1080)


def test_queued_audio_is_played_or_dropped_on_an_interruption() -> None:
    for flush, end_ms in ((False, 1060), (True, 1010)):
        playback = PlaybackModel(flush=flush)
        for at in (1000, 1001, 1002):
            playback.push(20, at)
        assert playback.on_user_interrupted(1010) is flush
        assert playback.last == SpeechSegment(1000, end_ms)
        assert playback.push(20, 1012).start_ms == (1012 if flush else 1060)


def test_audio_after_playback_ran_dry_is_late_unless_speech_had_ended() -> None:
    playback = PlaybackModel(flush=False)
    assert playback.push(20, 1000).late_ms == 0
    assert playback.push(20, 1050).late_ms == 30
    playback.on_user_interrupted(1060)
    assert playback.push(20, 3000).late_ms == 0
    playback.push(20, 3010, audible_ms=0)
    assert playback.push(20, 3500).late_ms == 0, "no audio is late after silence"


def test_silence_ends_a_segment_and_a_short_pause_does_not() -> None:
    playback = PlaybackModel(flush=False)
    for index, audible in enumerate((20, 12, 0, 0, 20)):
        playback.push(20, 1000 + 20 * index, audible)
    assert playback.last == SpeechSegment(1000, 1100)
    for index in range(20):
        playback.push(20, 1100 + 20 * index, audible_ms=0)
    playback.push(20, 1500)
    assert playback.last == SpeechSegment(1500, 1520)
    assert playback.segment_from(1050) == SpeechSegment(1000, 1100)
    assert playback.segment_from(1100) == SpeechSegment(1500, 1520)
    assert playback.segment_from(1520) is None


def test_an_answer_soon_after_a_cut_is_another_segment() -> None:
    playback = PlaybackModel(flush=False)
    playback.push(20, 1000)
    playback.on_user_interrupted(1010)
    playback.push(20, 1110)
    assert playback.last == SpeechSegment(1000, 1130), "90 ms: still the same segment"
    playback.push(20, 1230)
    assert playback.last == SpeechSegment(1230, 1250)
    playback.push(20, 1400)
    assert playback.last == SpeechSegment(1230, 1420), "later only a pause ends a segment"


def test_the_end_of_the_audible_part() -> None:
    pcm = np.zeros(320, dtype=np.int16)
    assert audible_ms(pcm, RATE_HZ) == 0
    pcm[159] = -61
    assert audible_ms(pcm, RATE_HZ) == 10
    pcm[:] = 60
    assert audible_ms(pcm, RATE_HZ) == 0
    assert audible_ms(np.zeros(0, dtype=np.int16), RATE_HZ) == 0


def _speak(meter: InterruptionMeter, from_ms: float, to_ms: float, lead_ms: float = 40) -> None:
    at = from_ms
    while at < to_ms:
        meter.on_audio(20, max(from_ms, at - lead_ms))
        at += 20


def test_an_interruption_is_measured_with_and_without_a_flush() -> None:
    meter = InterruptionMeter()
    _speak(meter, 1000, 2240)
    meter.on_onset(2000, within_ms=2000)
    event = meter.on_user_interrupted(2210, "t1")
    _speak(meter, 3600, 4000)
    assert event is not None
    assert meter.finish() == [event]
    assert (event.message_ms, event.silence_ms, event.flushed_silence_ms) == (2210, 2240, 2210)
    assert (event.over_speech, event.turn_id, event.missed, meter.unprompted) == (True, "t1", False, 0)


def test_a_message_after_the_deadline_does_not_count() -> None:
    meter = InterruptionMeter()
    _speak(meter, 1000, 4100)
    event = meter.on_onset(2000, within_ms=2000)
    assert meter.on_user_interrupted(4001, "t1") is None
    meter.finish()
    assert event.missed
    assert event.over_speech
    assert event.silence_ms is None
    assert meter.unprompted == 1


def test_each_onset_causes_at_most_one_message() -> None:
    meter = InterruptionMeter()
    assert meter.on_user_interrupted(500, None) is None
    assert meter.unprompted == 1
    event = meter.on_onset(1000, within_ms=2000)
    assert meter.on_user_interrupted(1200, None) is event
    assert meter.on_user_interrupted(1300, "t2") is None
    meter.on_onset(5000, within_ms=2000)
    first, second = meter.finish()
    assert not first.over_speech
    assert first.silence_ms is None
    assert second.missed


def test_a_cut_during_a_pause_between_words_counts_from_the_cut() -> None:
    meter = InterruptionMeter()
    _speak(meter, 1000, 2100)
    for at in range(2100, 2200, 20):
        meter.on_audio(20, at - 40, audible_ms=0)
    meter.on_onset(2000, within_ms=2000)
    event = meter.on_user_interrupted(2190, None)
    meter.finish()
    assert event is not None
    assert (event.over_speech, event.silence_ms, event.flushed_silence_ms) == (True, 2190, 2190)
    meter.on_audio(20, 3000, audible_ms=0)
    meter.on_audio(20, 3020, audible_ms=0)
    meter.on_onset(3010, within_ms=2000)
    in_pause = meter.on_user_interrupted(3030, None)
    meter.finish()
    assert in_pause is not None
    assert (in_pause.over_speech, in_pause.silence_ms) == (True, 3030)


def test_late_audio_is_reported() -> None:
    late: list[float] = []
    meter = InterruptionMeter(late.append)
    meter.on_audio(20, 1000)
    meter.on_audio(20, 1020)
    meter.on_audio(20, 1065)
    assert late == [25]


def test_tokens_of_an_interrupted_turn_are_dropped() -> None:
    turns = Turns()

    def push(kind: str, turn_id: str | None, output: object = None) -> object:
        return turns.push({"type": kind, "turnId": turn_id, "output": output})

    push("model-output", "a", "One ")
    push("model-output", "a", "two")
    push("model-output", "b", "Other")
    first = turns.get("a")
    assert first is not None
    assert first.text == "One two"
    assert push("user-interrupted", "a") is first
    assert push("model-output", "a", " three") is None
    assert (first.text, first.interrupted, first.dropped_tokens) == ("", True, 3)
    other = turns.get("b")
    assert other is not None
    assert (other.text, other.interrupted) == ("Other", False)
    assert [turn.turn_id for turn in turns.all] == ["a", "b"]


@pytest.mark.parametrize("message", [
    {"type": "model-output", "output": "no id"},
    {"type": "model-output", "turnId": "a", "output": {"tool": 1}},
    {"type": "user-interrupted"},
    {"type": "transcript", "turnId": "a", "output": "x"},
    {},
])  # fmt: skip
def test_messages_without_a_turn_change_none(message: dict[str, object]) -> None:
    turns = Turns()
    assert turns.push(message) is None
    assert turns.all == []


def test_a_turn_interrupted_before_its_first_token_stays_empty() -> None:
    turns = Turns()
    turns.push({"type": "user-interrupted", "turnId": "a"})
    assert turns.push({"type": "model-output", "turnId": "a", "output": "late"}) is None
    assert turns.all[0].text == ""
