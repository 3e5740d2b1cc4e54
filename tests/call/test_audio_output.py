"""The frames that the audio output reports and their times, from which recordings are made; marks of the far end."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pytest

from bargein.call.speaking.audio_output import AudioOutput
from bargein.turns.events import Played

RATE = 16_000


@dataclass
class HandClock:
    """A clock that the test advances."""

    now_ms: float = 50_000.0
    due: list[tuple[float, Callable[[], None]]] = field(default_factory=list)

    def monotonic_ms(self) -> float:
        return self.now_ms

    def epoch_ms(self) -> int:
        return int(self.now_ms)

    def call_at(self, monotonic_ms: float, action: Callable[[], None]) -> "HandTimer":
        entry = (monotonic_ms, action)
        self.due.append(entry)
        return HandTimer(self, entry)

    def until(self, now_ms: float) -> None:
        while self.due and min(at for at, _ in self.due) <= now_ms:
            entry = min(self.due, key=lambda one: one[0])
            self.due.remove(entry)
            self.now_ms = max(self.now_ms, entry[0])
            entry[1]()
        self.now_ms = now_ms


@dataclass
class HandTimer:
    clock: HandClock
    entry: tuple[float, Callable[[], None]]

    def cancel(self) -> None:
        if self.entry in self.clock.due:
            self.clock.due.remove(self.entry)


class Leg:
    """A leg of a carrier, which can clear audio or not."""

    rate_hz = RATE
    bytes_per_sample = 2

    def __init__(self, can_clear: bool, has_marks: bool = False) -> None:
        self.can_clear, self.has_marks = can_clear, has_marks
        self.cleared = 0
        self.marks: list[str] = []

    def mark(self, name: str) -> None:
        self.marks.append(name)

    def encode(self, pcm: np.ndarray) -> bytes:
        return pcm.tobytes()

    def decode(self, data: bytes) -> np.ndarray:
        return np.frombuffer(data, np.int16)

    def send_audio(self, frame: bytes) -> None: ...

    def send_text(self, text: str) -> None: ...

    def clear(self) -> None:
        self.cleared += 1

    def hang_up(self) -> None: ...


class Output:
    def __init__(self, can_clear: bool, has_marks: bool = False) -> None:
        self.clock, self.leg = HandClock(), Leg(can_clear, has_marks)
        self.posted: list[Played] = []
        self.at: list[float] = []
        self.silent_from: list[float] = []
        self.audio_output = AudioOutput(
            self.leg,
            self.clock,
            50_000.0,
            self.posted.append,
            on_sent=self.output,
            on_silenced=self.silent_from.append,
        )

    def output(self, data: bytes, at_ms: float) -> None:
        """Record the reported audio; several frames may be reported as one."""
        self.at.extend(at_ms + ms for ms in range(0, len(data) // 2 * 1000 // RATE, 20))

    def say(self, turn_id: str, ms: int) -> None:
        self.audio_output.open(turn_id)
        self.audio_output.queue(turn_id, np.ones(ms * RATE // 1000, np.int16))
        self.audio_output.complete(turn_id)
        self.audio_output.play(turn_id)


@pytest.mark.parametrize("can_clear", [False, True])
def test_each_frame_is_overheard_where_it_sounds_however_early_it_is_sent(can_clear: bool) -> None:
    output = Output(can_clear)
    output.clock.until(51_000)
    output.say("one", 100)
    output.clock.until(52_000)
    output.say("two", 40)
    output.clock.until(53_000)
    assert output.at == [1000, 1020, 1040, 1060, 1080, 2000, 2020]
    assert not output.silent_from


def test_what_a_leg_drops_is_silenced_from_then_on() -> None:
    output = Output(can_clear=True)
    output.say("one", 1000)
    output.clock.until(50_310)
    output.audio_output.stop("one")
    assert output.at[-1] > 400, "it was sent ahead"
    assert output.silent_from == [310]
    assert output.leg.cleared == 1


def test_what_a_leg_cannot_take_back_will_be_heard() -> None:
    output = Output(can_clear=False)
    output.say("one", 1000)
    output.clock.until(50_310)
    output.audio_output.stop("one")
    assert 310 < output.at[-1] <= 340
    assert not output.silent_from


def test_stopping_another_reply_silences_nothing() -> None:
    output = Output(can_clear=True)
    output.say("one", 1000)
    output.audio_output.stop("other")
    assert not output.silent_from
    assert not output.leg.cleared


def heard(output: Output) -> tuple[int, bool]:
    played = output.audio_output.played(0)
    assert played is not None
    return played.position_ms, played.drained


def test_what_counts_as_heard_follows_the_marks() -> None:
    far = Output(can_clear=True, has_marks=True)
    far.say("one", 500)
    far.clock.until(50_150)
    first, second = far.leg.marks[:2]
    assert heard(far) == (20, False), "nothing has come back: no more than up to the first mark"
    assert far.audio_output.mark_reached(first)
    far.clock.until(50_190)
    assert heard(far) == (60, False)
    assert far.audio_output.mark_reached(second)
    assert heard(far) == (220, False)
    far.clock.until(50_700)
    assert heard(far) == (420, False)
    assert far.audio_output.mark_reached(far.leg.marks[-1])
    assert heard(far) == (500, True)
    assert far.posted[-1] == Played(700, "one", 500, drained=True, heard_ms=0), "the end is told at once"


def test_marks_of_a_cut_reply_count_for_nothing() -> None:
    far = Output(can_clear=True, has_marks=True)
    far.say("one", 1000)
    old = list(far.leg.marks)
    far.audio_output.stop("one")
    assert not any(map(far.audio_output.mark_reached, old)), "a clear returns them"
    far.say("two", 1000)
    assert not any(
        map(far.audio_output.mark_reached, [*old, "", "2", "2-", "2-x", "3-160", "2-" + "9" * 5000, "2-\u0663"])
    )
    assert heard(far)[0] == 0
    assert far.audio_output.mark_reached(far.leg.marks[len(old)])


def test_marks_that_never_come_keep_no_reply_from_its_end() -> None:
    far = Output(can_clear=True, has_marks=True)
    far.say("one", 400)
    far.clock.until(52_019)
    assert heard(far) == (20, False)
    far.clock.until(60_000)
    assert heard(far) == (400, True)
    assert far.posted[-1].drained
