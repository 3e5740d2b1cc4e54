"""Laws of adaptive interruption that compare two calls: a surer sound, no interruption at all, a plan with numbers."""

from dataclasses import dataclass, replace

import hypothesis.strategies as st
from hypothesis import assume, given, settings

from bargein.turns import Plan
from bargein.turns.commands import UserInterrupted
from bargein.turns.events import Event, InterruptionJudged, TranscriptReceived, VoiceStarted, VoiceStopped
from bargein.turns.interruption.evidence import THRESHOLDS, UNJUDGED_MS, UNLIKELY
from tests.turns.talking import WAITING, Call

PLAN = Plan(first_message_mode=WAITING, adaptive_interruption=True)
AGES_MS = [age_ms for age_ms, _ in THRESHOLDS]
PROBABILITIES = st.one_of(st.floats(0, 1), st.sampled_from([0.29, 0.3, 0.5, 0.6, 0.61, 0.75, 0.85, 0.9]))
SAID = st.sampled_from(["", "yeah", "I", "no", "stop", "tomorrow", "the blue", "the blue big one", "so I said stop it"])


@dataclass(frozen=True)
class Voice:
    """One voice over the assistant: its judgements, its words with their time, and its length."""

    probabilities: dict[int, float]
    words: list[tuple[int, str, bool]]
    lasts_ms: int
    echo: float = 0.0


@st.composite
def voices(draw: st.DrawFn, probabilities: st.SearchStrategy[float] = PROBABILITIES, words: int = 3) -> Voice:
    """Draw a voice that is judged at some of the ages."""
    ages_ms = draw(st.sets(st.sampled_from(AGES_MS), min_size=1))
    said = draw(st.lists(st.tuples(st.integers(120, 1600), SAID, st.booleans()), max_size=words))
    return Voice(
        {age_ms: draw(probabilities) for age_ms in sorted(ages_ms)},
        sorted(said),
        draw(st.integers(160, 2000)),
        draw(st.sampled_from([0.0, 0.0, 0.2])),
    )


def stopped_ms(voice: Voice, plan: Plan = PLAN, *, judged: bool = True) -> float:
    """Play a voice to a sounding reply; return when it stops, from the onset; infinity if it does not."""
    call = Call(plan)
    onset_ms = call.talking(audio_ms=60_000) + 2000
    events: list[Event] = [VoiceStarted(onset_ms + 32, onset_ms)]
    if judged:
        events += [
            InterruptionJudged(onset_ms + age_ms + 12, onset_ms, age_ms, probability, voice.echo)
            for age_ms, probability in voice.probabilities.items()
        ]
    events += [TranscriptReceived(onset_ms + at_ms, text, final) for at_ms, text, final in voice.words]
    events.append(VoiceStopped(onset_ms + voice.lasts_ms + 32, onset_ms + voice.lasts_ms))
    for event in sorted(events, key=lambda event: event.at_ms):
        call.feed(event)
    call.until(onset_ms + 4000)
    stops = call.when(UserInterrupted)
    return stops[0] - onset_ms if stops else float("inf")


@given(voices(), st.data())
@settings(max_examples=300, deadline=None)
def test_a_surer_sound_never_stops_the_assistant_later(voice: Voice, data: st.DataObject) -> None:
    surer = {age: data.draw(st.floats(p, 1), label=f"at {age} ms") for age, p in voice.probabilities.items()}
    assert stopped_ms(replace(voice, probabilities=surer)) <= stopped_ms(voice)


@given(voices(st.floats(0, UNLIKELY, exclude_max=True), words=0))
@settings(max_examples=100, deadline=None)
def test_a_sound_that_is_never_likely_and_brings_no_words_stops_nothing(voice: Voice) -> None:
    assume(min(voice.probabilities) < UNJUDGED_MS - 12)  # without a judgement until then the voice's length decides
    assert stopped_ms(voice) == float("inf")


@given(voices(), st.sampled_from([{"voice_ms": 200}, {"voice_ms": 500}, {"num_words": 1}, {"num_words": 2}]))
@settings(max_examples=100, deadline=None)
def test_a_plan_with_numbers_does_not_depend_on_judgements(voice: Voice, numbers: dict[str, int]) -> None:
    plan = Plan(first_message_mode=WAITING, **numbers)
    assert stopped_ms(voice, plan) == stopped_ms(voice, plan, judged=False)
