"""Pauses of the caller: the detector gets the right audio, and every request gets an answer."""

from dataclasses import dataclass, field

import anyio
import anyio.lowlevel
import numpy as np
import pytest

from bargein.audio.voice import VoiceEdge
from bargein.call.hearing.pauses import BEFORE_MS, INTO_MS, PauseTracker, bridge_dips, runs_of_turn, with_transcriber
from bargein.ports import ProviderError, TurnPause
from bargein.turns.commands import JudgePause
from bargein.turns.events import PauseJudged

pytestmark = pytest.mark.anyio

FRAME_MS = 20
PER_MS = 16


@dataclass
class FakeDetector:
    """A model that keeps its requests."""

    asked: list[TurnPause] = field(default_factory=list)
    broken: bool = False

    async def predict(self, pause: TurnPause) -> float:
        self.asked.append(pause)
        if self.broken:
            raise ProviderError("no model", ended_reason="pipeline-error-vapi-transcriber-failed")
        return 0.75


class Call:
    """The audio of a call in which the n-th millisecond of the caller's side is n."""

    def __init__(self, *, detects: bool = True) -> None:
        self.detector = FakeDetector()
        self.posted: list[PauseJudged] = []
        self.now_ms = 0.0
        self.pauses = PauseTracker(
            self.detector if detects else None, now_ms=lambda: self.now_ms, post=self.posted.append
        )

    def feed(self, until_ms: int) -> None:
        while self.now_ms < until_ms:
            samples = np.repeat(np.arange(self.now_ms, self.now_ms + FRAME_MS), PER_MS).astype(np.int16)
            self.now_ms += FRAME_MS
            self.pauses.feed(samples, self.now_ms)

    def speak(self, from_ms: int, to_ms: int) -> None:
        self.feed(from_ms + 40)
        self.pauses.push_edge(VoiceEdge(voiced=True, at_ms=from_ms, probability=0.9))
        self.feed(to_ms + 40)
        self.pauses.push_edge(VoiceEdge(voiced=False, at_ms=to_ms, probability=0.1))

    async def ask(self, *questions: JudgePause) -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self.pauses.run)
            await anyio.lowlevel.checkpoint()
            for question in questions:
                self.pauses.request(question)
            with anyio.fail_after(5):
                while len(self.posted) < len(questions):
                    await anyio.lowlevel.checkpoint()
            tasks.cancel_scope.cancel()


async def test_a_pause_is_judged_with_what_was_heard_around_its_beginning() -> None:
    call = Call()
    call.speak(5000, 7600)
    call.speak(8000, 9600)
    call.feed(10_200)
    await call.ask(JudgePause(7, "I would like", 9600, 900, 0.4, asked="What would you like?"))
    (pause,) = call.detector.asked
    assert (pause.said, pause.confidence, pause.asked) == ("I would like", 0.4, "What would you like?")
    assert pause.runs == ((5000, 7600), (8000, 9600))
    heard = pause.caller[::PER_MS]
    assert heard[0] == 9600 - BEFORE_MS
    assert heard[-1] == 9600 + INTO_MS - 1
    assert heard.size == BEFORE_MS + INTO_MS
    assert call.posted == [PauseJudged(10_200, 7, 0.75)]


async def test_runs_of_earlier_turns_and_later_voices_are_left_out() -> None:
    call = Call()
    call.speak(1000, 1600)
    call.speak(3000, 3600)
    call.speak(3900, 4200)
    await call.ask(JudgePause(1, "yes", 3600, 1600))
    assert call.detector.asked[0].runs == ((3000, 3600),)


async def test_a_call_that_has_just_begun_gives_what_there_is() -> None:
    call = Call()
    call.speak(200, 500)
    call.feed(700)
    await call.ask(JudgePause(1, "yes", 500, 0))
    assert call.detector.asked[0].caller.size == (500 + INTO_MS) * PER_MS


async def test_a_judge_that_fails_is_done_without() -> None:
    call = Call()
    call.detector.broken = True
    call.speak(200, 900)
    await call.ask(JudgePause(1, "yes", 900, 0), JudgePause(2, "yes please", 900, 0))
    assert [answer.probability for answer in call.posted] == [None, None]


@pytest.mark.parametrize("there", [True, False])
async def test_where_nothing_can_be_judged_that_is_said_at_once(there: bool) -> None:
    call = Call(detects=there)
    if not there:
        call.speak(200, 900)
    call.pauses.request(JudgePause(1, "yes", 900, 0))
    assert call.posted == [PauseJudged(int(call.now_ms), 1, None)]


async def test_words_without_a_voice_are_left_to_the_words() -> None:
    call = Call()
    call.feed(1200)
    call.pauses.request(JudgePause(1, "Tell me a story.", 900, 0))
    assert (call.detector.asked, call.posted) == ([], [PauseJudged(1200, 1, None)])


async def test_too_many_questions_at_once_are_answered_by_nothing() -> None:
    call = Call()
    call.speak(200, 900)
    for number in range(12):
        call.pauses.request(JudgePause(number, "yes", 900, 0))
    assert len(call.posted) == 4
    assert all(answer.probability is None for answer in call.posted)


async def test_memory_is_bounded() -> None:
    call = Call()
    call.feed(60_000)
    assert sum(chunk.size for chunk in call.pauses._chunks) <= 10_100 * PER_MS


def test_dips_that_speech_has_of_itself_end_no_run() -> None:
    assert bridge_dips([(0, 100), (180, 300), (450, 500)]) == [(0, 300), (450, 500)]
    assert runs_of_turn([(0, 100), (180, 300), (450, 500)], 300, 900) == ((450, 500),)


async def test_the_transcribers_own_probability_is_evidence_beside_the_detectors() -> None:
    call = Call()
    call.speak(200, 900)
    call.pauses.note_transcriber(0.9)
    await call.ask(JudgePause(1, "yes", 900, 0))
    assert call.detector.asked[0].transcriber == 0.9
    (judged,) = call.posted
    assert judged.probability == with_transcriber(0.75, 0.9)
    assert 0.75 < judged.probability < 0.9


async def test_what_the_transcriber_said_before_the_pause_counts_for_nothing() -> None:
    call = Call()
    call.pauses.push_edge(VoiceEdge(voiced=True, at_ms=0, probability=0.9))
    call.pauses.note_transcriber(0.1)  # the caller speaks
    call.pauses.push_edge(VoiceEdge(voiced=False, at_ms=0, probability=0.1))
    call.pauses.note_transcriber(0.2)  # about a pause that is over when the caller speaks again
    call.speak(200, 900)
    await call.ask(JudgePause(1, "yes", 900, 0))
    assert call.detector.asked[0].transcriber is None
    assert call.posted[0].probability == 0.75


@pytest.mark.parametrize("detector", [0.02, 0.3, 0.5, 0.8, 0.98])
def test_the_transcriber_decides_nothing_alone(detector: float) -> None:
    least, most = with_transcriber(detector, 0.0), with_transcriber(detector, 1.0)
    assert least < detector < most
    odds = detector / (1 - detector)
    assert most / (1 - most) == pytest.approx(odds * np.e)
    assert least / (1 - least) == pytest.approx(odds / np.e)
    assert with_transcriber(detector, 0.5) == pytest.approx(detector)
    assert with_transcriber(detector, None) == detector


async def test_without_a_detector_the_transcriber_does_not_judge() -> None:
    call = Call(detects=False)
    call.speak(200, 900)
    call.pauses.note_transcriber(0.99)
    await call.ask(JudgePause(1, "yes", 900, 0))
    assert call.posted[0].probability is None
