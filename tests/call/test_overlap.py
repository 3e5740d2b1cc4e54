"""Overlapping voices: the classifier gets the right audio, and only when a score is wanted."""

from dataclasses import dataclass, field

import anyio
import anyio.lowlevel
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bargein.audio.voice import VoiceEdge
from bargein.call.hearing.overlap import AGES_MS, LEAD_MS, OverlapTracker, windows_before_onset
from bargein.ports import InterruptionScore, OverlappingSpeech, ProviderError
from bargein.turns.events import Event, InterruptionJudged

pytestmark = pytest.mark.anyio

FRAME_MS = 32
PER_MS = 16


@dataclass
class FakeClassifier:
    """A model that keeps its requests."""

    asked: list[OverlappingSpeech] = field(default_factory=list)
    broken: bool = False

    async def classify(self, overlap: OverlappingSpeech) -> InterruptionScore:
        self.asked.append(overlap)
        if self.broken:
            raise ProviderError("no model", ended_reason="pipeline-error-vapi-transcriber-failed")
        return InterruptionScore(interruption=overlap.age_ms / 1000, echo=0.25)


class Call:
    """The audio of a call in which the n-th millisecond of the caller's side is n, and of the assistant's -n."""

    def __init__(self, *, wanted: bool = True) -> None:
        self.classifier = FakeClassifier()
        self.posted: list[Event] = []
        self.wanted = wanted
        self.now_ms = 0.0
        self.overlaps = OverlapTracker(
            self.classifier, wanted=lambda: self.wanted, now_ms=lambda: self.now_ms, post=self.posted.append
        )

    async def feed(self, windows: int, voice: float = 0.9, edge: VoiceEdge | None = None, louder: int = 1) -> None:
        for number in range(windows):
            samples = np.repeat(np.arange(self.now_ms, self.now_ms + FRAME_MS), PER_MS).astype(np.int16) * louder
            self.now_ms += FRAME_MS
            self.overlaps.feed(samples, -samples, self.now_ms)
            self.overlaps.push_window(voice, self.now_ms, edge if number == 0 else None)
            await anyio.lowlevel.checkpoint()
            await anyio.lowlevel.checkpoint()

    def starts(self) -> VoiceEdge:
        return VoiceEdge(voiced=True, at_ms=int(self.now_ms), probability=0.9)

    def stops(self) -> VoiceEdge:
        return VoiceEdge(voiced=False, at_ms=int(self.now_ms), probability=0.1)


async def test_a_voice_is_judged_at_every_age_with_what_was_heard_from_just_before_its_onset() -> None:
    call = Call()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(call.overlaps.run)
        await call.feed(100, 0.0)
        await call.feed(30, 0.9, call.starts())
        await anyio.sleep(0.05)
        tasks.cancel_scope.cancel()
    assert [overlap.age_ms for overlap in call.classifier.asked] == list(AGES_MS)
    for overlap in call.classifier.asked:
        assert overlap.onset_ms == 3200
        heard = overlap.caller[::PER_MS]
        assert heard[0] == 3200 - LEAD_MS
        assert heard[-1] == 3200 + overlap.age_ms - 1
        assert heard.size == LEAD_MS + overlap.age_ms
        assert overlap.assistant[-1] == -heard[-1]
        assert overlap.assistant.size >= overlap.caller.size + 400 * PER_MS
        assert overlap.voice == (0.9,) * (overlap.age_ms // 32)
    assert [
        (e.onset_ms, e.age_ms, e.probability, e.echo) for e in call.posted if isinstance(e, InterruptionJudged)
    ] == [(3200, age_ms, age_ms / 1000, 0.25) for age_ms in AGES_MS]


async def test_a_voice_that_the_detector_recognises_late_is_judged_from_where_it_became_loud() -> None:
    call = Call()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(call.overlaps.run)
        await call.feed(20, 0.005)
        await call.feed(8, 0.1, louder=40)
        await call.feed(1, 0.9, call.starts(), louder=40)
        assert [overlap.age_ms for overlap in call.classifier.asked] == [9 * FRAME_MS], "at once, at its true age"
        await call.feed(24, 0.9, louder=40)
        await anyio.sleep(0.05)
        tasks.cancel_scope.cancel()
    first = call.classifier.asked[0]
    assert first.onset_ms == 28 * FRAME_MS, "the detector's onset identifies it"
    assert first.voice == (0.1,) * 8 + (0.9,)
    assert first.caller[LEAD_MS * PER_MS] == 40 * 20 * FRAME_MS, "it begins where it became loud"
    later = [overlap.age_ms for overlap in call.classifier.asked[1:]]
    assert later == [age_ms for age_ms in AGES_MS if age_ms > 9 * FRAME_MS]


@pytest.mark.parametrize(
    ("probabilities", "levels_db", "windows"),
    [
        ([0.0] * 20 + [0.9], [-70.0] * 20 + [-25.0], 0),
        ([0.0] * 18 + [0.06, 0.2, 0.9], [-70.0] * 21, 2),
        ([0.0] * 18 + [0.02, 0.02, 0.9], [-70.0] * 18 + [-30.0, -28.0, -25.0], 2),
        ([0.0] * 18 + [0.0, 0.02, 0.9], [-70.0] * 18 + [-30.0, -28.0, -25.0], 1),
        ([0.0] * 20 + [0.02] * 20 + [0.9], [-70.0] * 20 + [-25.0] * 21, 10),
        ([0.03] * 20 + [0.9], [-25.0] * 21, 0),
        ([0.0] * 18 + [0.02, 0.02, 0.9], [-70.0] * 18 + [-57.0, -28.0, -25.0], 1),
        ([0.9], [-25.0], 0),
    ],
)
def test_a_voice_begins_where_it_is_loud_or_its_probability_rises(
    probabilities: list[float], levels_db: list[float], windows: int
) -> None:
    assert windows_before_onset(probabilities, levels_db) == windows


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(-90, 0)), min_size=1, max_size=60))
def test_the_beginning_is_bounded_and_every_window_of_it_shows_some_voice(
    windows: list[tuple[float, float]],
) -> None:
    probabilities, levels_db = [p for p, _ in windows], [level for _, level in windows]
    earlier = windows_before_onset(probabilities, levels_db)
    assert 0 <= earlier <= min(10, len(windows) - 1)
    assert all(p > 0 for p in probabilities[len(probabilities) - 1 - earlier : -1]), (
        "no window without any sign of voice"
    )


async def test_nothing_is_judged_that_nobody_asks_about() -> None:
    call = Call(wanted=False)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(call.overlaps.run)
        await call.feed(10, 0.9, call.starts())
        call.wanted = True
        await call.feed(2)
        await call.feed(40, 0.0, call.stops())
        await anyio.sleep(0.05)
        tasks.cancel_scope.cancel()
    assert [overlap.age_ms for overlap in call.classifier.asked] == [age_ms for age_ms in AGES_MS if age_ms > 320]


async def test_a_short_dip_does_not_begin_a_voice_anew_but_a_longer_one_does() -> None:
    call = Call()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(call.overlaps.run)
        await call.feed(10, 0.0)
        await call.feed(5, 0.9, call.starts())
        await call.feed(2, 0.1, call.stops())
        await call.feed(5, 0.9, call.starts())
        first = {overlap.onset_ms for overlap in call.classifier.asked}
        await call.feed(6, 0.0, call.stops())
        onset_ms = int(call.now_ms)
        await call.feed(8, 0.9, call.starts())
        await anyio.sleep(0.05)
        tasks.cancel_scope.cancel()
    assert first == {320}
    assert {overlap.onset_ms for overlap in call.classifier.asked} == {320, onset_ms}
    assert call.classifier.asked[-1].voice == (0.9,) * 8


async def test_a_judge_that_fails_is_done_without() -> None:
    call = Call()
    call.classifier.broken = True
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(call.overlaps.run)
        await call.feed(10, 0.0)
        await call.feed(30, 0.9, call.starts())
        await anyio.sleep(0.05)
        tasks.cancel_scope.cancel()
    assert len(call.classifier.asked) == len(AGES_MS)
    assert call.posted == []
