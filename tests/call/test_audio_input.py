"""The audio input processes each window with the frame that completes it."""

from typing import Any, cast

import numpy as np
import pytest

from bargein.audio.pcm import Float32Array
from bargein.call.hearing.audio_input import AudioInput
from bargein.call.hearing.reference import PlayoutReference
from bargein.ports import Pcm16


class Leg:
    def __init__(self, rate_hz: int) -> None:
        self.rate_hz = rate_hz

    def decode(self, data: bytes) -> Pcm16:
        return np.frombuffer(data, np.int16)


class Listening:
    """An audio input whose collaborators record what they get, and when."""

    def __init__(self, rate_hz: int) -> None:
        self.now_ms = 0.0
        self.rate_hz = rate_hz
        self.windows: list[tuple[float, float]] = []
        self.fed: list[tuple[float, int]] = []
        self.recorded: list[tuple[float, int]] = []
        self.questions: list[str] = []
        self.opened: list[Any] = []
        leg = cast("Any", Leg(rate_hz))

        def nothing(*_: object) -> None: ...

        self.audio_input = AudioInput(
            leg,
            detector=cast("Any", self),
            transcriber=cast("Any", self),
            reference=PlayoutReference(leg, nothing),
            now_ms=lambda: self.now_ms,
            post=nothing,
            on_probability=nothing,
            on_audio=nothing,
            record=lambda pcm, at_ms: self.recorded.append((at_ms, pcm.size)),
        )

    def open(self, *given: object) -> "Listening":
        self.opened += [each for each in given if callable(each)][:1] if len(given) == 1 else []
        return self

    def push(self, window: Float32Array, end_ms: float) -> None:
        self.windows.append((self.now_ms, end_ms))

    def feed(self, customer: Pcm16, assistant: Pcm16) -> None:
        assert customer.size == assistant.size
        self.fed.append((self.now_ms, customer.size))

    def expect(self, question: str) -> None:
        self.questions.append(question)

    def frame(self, at_ms: float, ms: int = 20) -> None:
        self.receive(at_ms, np.ones(ms * self.rate_hz // 1000, np.int16))

    def receive(self, at_ms: float, pcm: Pcm16) -> None:
        self.now_ms = at_ms
        self.audio_input.receive(pcm.tobytes())


@pytest.mark.parametrize("rate_hz", [8_000, 16_000])
def test_a_window_is_heard_with_the_frame_that_completes_it(rate_hz: int) -> None:
    listening = Listening(rate_hz)
    for number in range(8):  # 160 ms: five windows
        listening.frame(20.0 * (number + 1))
    assert listening.windows == [(40, 32), (80, 64), (100, 96), (140, 128), (160, 160)]
    assert [at_ms for at_ms, _ in listening.fed] == [40, 80, 100, 140, 160]
    assert sum(size for _, size in listening.fed) == pytest.approx(160 * 16, abs=16)


def test_audio_that_is_resampled_first_waits_for_nothing() -> None:
    listening = Listening(48_000)
    for number in range(4):
        listening.frame(20.0 * (number + 1))
    assert [at_ms for at_ms, _ in listening.fed] == [20, 40, 60, 80]


def test_what_waited_before_a_gap_keeps_its_place() -> None:
    listening = Listening(16_000)
    listening.frame(20)
    listening.frame(1020)
    listening.frame(1040)
    assert listening.recorded == [(0, 320), (1000, 320)]


def test_one_long_frame_is_heard_at_once() -> None:
    listening = Listening(16_000)
    listening.frame(100, ms=100)
    assert listening.windows == [(100, 32), (100, 64), (100, 96)]


@pytest.mark.parametrize("rate_hz", [8_000, 16_000])
def test_frames_that_arrive_together_are_timed_as_they_were_recorded(rate_hz: int) -> None:
    listening = Listening(rate_hz)
    for number in range(8):
        listening.frame(20.0 * (number + 1) if number < 2 else 160)
    assert [end_ms for _, end_ms in listening.windows] == [32, 64, 96, 128, 160]
    assert [round(at_ms, -1) for at_ms, _ in listening.recorded] == [0, 40, 80, 100, 140]


def test_audio_after_a_gap_is_not_moved_into_it() -> None:
    listening = Listening(16_000)
    listening.frame(32, ms=32)
    listening.frame(532, ms=32)
    assert [end_ms for _, end_ms in listening.windows] == [32, 532]


def test_lost_packets_do_not_silence_the_windows() -> None:
    listening = Listening(8_000)
    levels: list[float] = []

    def push(window: Float32Array, _end_ms: float) -> None:
        levels.append(float(np.sqrt(np.mean(window**2))))

    listening.push = push  # type: ignore[method-assign]
    vowel = np.round(3000 * np.sin(np.arange(160) * 2 * np.pi / 40) + 5).astype(np.int16)  # four periods a frame
    for number in range(100):
        listening.receive(20.0 * (number + 1), np.zeros(160, np.int16) if number % 5 == 4 else vowel)
    assert min(levels[20:]) > 0.5 * levels[0]
    assert min(levels[:8]) < 0.8 * levels[0]  # two holes show first that the line has them


def test_each_question_is_told_once_and_again_to_another_transcriber() -> None:
    listening, successor = Listening(16_000), Listening(16_000)
    for question in ("How can I help you?", "What is your phone number?", "What is your phone number?"):
        listening.audio_input.expect(question)
    assert listening.questions == ["How can I help you?", "What is your phone number?"]
    listening.audio_input.switch_transcriber(cast("Any", successor))
    assert successor.questions == ["What is your phone number?"]


class Pauses:
    """A tracker of pauses that keeps what transcribers tell about the end of the turn."""

    def __init__(self) -> None:
        self.noted: list[float] = []

    def note_transcriber(self, probability: float) -> None:
        self.noted.append(probability)


def test_a_transcribers_word_on_the_end_of_the_turn_goes_to_the_pauses() -> None:
    listening = Listening(16_000)
    pauses = listening.audio_input._pauses = cast("Any", Pauses())
    (tell,) = listening.opened
    tell("yes", True, 0.9, end_of_turn=0.7)
    tell("yes", True, 0.9)
    listening.audio_input.switch_transcriber(cast("Any", listening))
    tell("no", True, 0.9, end_of_turn=0.2)  # from a transcriber that has been replaced
    assert pauses.noted == [0.7]
