"""The state diagram of `docs/engine.md` has every change of phase that happens, and each change that it has happens."""

from importlib import import_module

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from bargein.turns import Plan, State
from bargein.turns.events import (
    AddMessage,
    CallFailed,
    Event,
    HandoffRequested,
    HangUp,
    InterruptionJudged,
    Mute,
    PauseJudged,
    ReplyEnded,
    TranscriptReceived,
    VoiceStarted,
    VoiceStopped,
)
from bargein.turns.hooks.plan import Action, Hook
from bargein.turns.item import Item
from bargein.turns.phases import TRANSITIONS, Transition, diagram, find_transition, phase_of
from bargein.turns.state import Change
from tests.turns.talking import Call, waiting
from tests.turns.test_laws import Conversation

ENGINE = import_module("bargein.turns.step")


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> set[Transition]:
    """Collect the transitions of all calls; one that the diagram does not have fails the test."""
    found: set[Transition] = set()

    def note(before: State, after: State, cause: str) -> None:
        source, target = phase_of(before), phase_of(after)
        if source != target:
            transition = find_transition(source, target, cause)
            assert transition is not None, f"{source} -> {target}: {cause}"
            found.add(transition)

    def watched(item: Item) -> Item:
        def act(state: State, plan: Plan) -> Change:
            after, commands = item.act(state, plan)
            note(state, after, item.name)
            return after, commands

        return item._replace(act=act)

    apply = ENGINE._apply

    def watched_apply(state: State, event: Event, plan: Plan) -> Change:
        after, commands = apply(state, event, plan)
        note(state, after, type(event).__name__)
        return after, commands

    monkeypatch.setattr(ENGINE, "AGENDA", tuple(map(watched, ENGINE.AGENDA)))
    monkeypatch.setattr(ENGINE, "_apply", watched_apply)
    return found


def test_the_diagram_has_every_change_of_phase_in_random_conversations(seen: set[Transition]) -> None:
    run_state_machine_as_test(Conversation, settings=settings(max_examples=30, deadline=None))  # type: ignore[no-untyped-call]
    assert len(seen) > 10


def test_every_transition_of_the_diagram_happens(seen: set[Transition]) -> None:
    calls_with_interruptions()
    calls_with_preemptive_replies()
    calls_that_hand_off()
    calls_that_end()
    assert [transition for transition in TRANSITIONS if transition not in seen] == []


def calls_with_interruptions() -> None:
    """Adaptive interruption: ducked and back, ducked and interrupted, resumed; and a plan with numbers."""
    adaptive = Call(waiting(adaptive_interruption=True))
    onset_ms = adaptive.talking(audio_ms=60_000) + 1000
    adaptive.voice(onset_ms, onset_ms + 100)
    onset_ms += 2000
    adaptive.feed(VoiceStarted(onset_ms + 32, onset_ms))
    adaptive.feed(InterruptionJudged(onset_ms + 300, onset_ms, 288, 0.95))
    adaptive.feed(VoiceStopped(onset_ms + 400, onset_ms + 380))
    adaptive.until(onset_ms + 3000)
    adaptive.feed(Mute(onset_ms + 3000, "assistant", on=True))
    numbers = Call(waiting(backoff_ms=0))
    onset_ms = numbers.talking(audio_ms=60_000) + 1000
    numbers.voice(onset_ms, onset_ms + 600)
    numbers.feed(TranscriptReceived(onset_ms + 700, "no, tell me", final=True))
    numbers.until(onset_ms + 2500)
    numbers.voice(onset_ms + 2600, onset_ms + 2700)
    numbers.feed(TranscriptReceived(onset_ms + 2800, "about Monday", final=True))
    # A reply that is cut before it has words leaves nothing to resume.
    cut = Call(Plan(first_message="Hi", first_message_interruptible=True))
    cut.start()
    cut.model_says(0, "Hi", 300)
    cut.hear(250, 300)
    cut.voice(260, 700)
    cut.until(3000)


def calls_with_preemptive_replies() -> None:
    """One that the caller talks over, and one that is kept; and words without a voice."""
    plan = waiting(adaptive_endpointing=True, preemptive=True, min_pause_ms=0)
    call = Call(plan).start()
    call.voice(1000, 1600)
    call.feed(TranscriptReceived(1700, "I would like a table.", final=True))
    call.feed(PauseJudged(1720, 1, 0.55))
    call.feed(VoiceStarted(1800, 1780))
    call.feed(VoiceStopped(2400, 2380))
    call.feed(TranscriptReceived(2500, "For two.", final=True))
    call.feed(PauseJudged(2520, 2, 0.55))
    call.until(6000)
    call = Call().start()
    call.feed(TranscriptReceived(1000, "Hello", final=True))
    call.feed(VoiceStarted(1100, 1090))
    call.feed(VoiceStopped(1200, 1190))
    call.until(3000)
    silent = Call().start()
    silent.voice(1000, 1200)
    silent.until(4000)


def calls_that_hand_off() -> None:
    """From a silent call, from one with an open interruption, and from one that is closing."""
    hook = Hook(on="call.ending", do=(Action(kind="tool", tool=0),))
    for successor in (waiting(), Plan(first_message="Hello, this is Bea.")):
        call = Call().start()
        call.feed(AddMessage(100, "system", "Be brief.", respond=True))
        call.model_says(200, "Yes.", 100)
        call.spoken(900)
        call.feed(HandoffRequested(1000, 0, successor))
        closing = Call(waiting(hooks=(hook,))).start()
        closing.feed(CallFailed(100, "pipeline-error"))
        closing.feed(HandoffRequested(200, 0, successor))
        ending = Call(waiting(hooks=(hook,))).start()
        ending.feed(CallFailed(100, "pipeline-error"))
        ending.until(20_000)


def calls_that_end() -> None:
    Call().feed(HangUp(0, "customer-ended-call"))
    Call().start().until(60_000)
    call = Call(Plan(first_message="Hello."))
    call.start()
    call.feed(ReplyEnded(100, call.reply()))


def test_a_change_that_the_diagram_does_not_have_is_not_found() -> None:
    assert find_transition("ended", "idle", "CallStarted") is None
    assert find_transition("pause", "generating", "Tick") is None
    assert find_transition("pause", "generating", "pending say") is not None


def test_the_diagram_is_mermaid_text() -> None:
    lines = diagram().splitlines()
    assert lines[0] == "stateDiagram-v2"
    assert "    speaking --> interrupted: interruption" in lines
    assert not any(" live" in line for line in lines), "a group that is not drawn has no arrows"
