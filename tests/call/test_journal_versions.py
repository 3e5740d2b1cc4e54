"""Journals of version 1 are read: events, their fields and the plan's fields had other names."""

import json
from dataclasses import replace

import pytest

from bargein.call.record.journal import VERSION, Head, JournalError, event_line, head_line, read
from bargein.turns import Plan
from bargein.turns.events import (
    CallFailed,
    CallStarted,
    DelayMessage,
    Event,
    HandoffRequested,
    InterruptionJudged,
    PauseJudged,
    SpeechQueued,
    TimedWord,
    ToolCallRequest,
    ToolReturned,
    ToolsCalled,
    TranscriptReceived,
    VoiceStarted,
)
from bargein.turns.hooks.plan import Action, Hook
from bargein.turns.plan import Rule

PLAN_1 = """{"num_words": 2, "voice_ms": 300, "by_evidence": true, "ease_ms": 260, "by_judgement": true,
"cut_risk": 0.1, "least_pause_ms": 410, "longest_pause_ms": 1900, "judged_wait_ms": 10, "drafts": true, "ask_ms": 900,
"rules": [{"assistant": null, "customer": "table", "assistant_flags": "", "customer_flags": "i", "timeout_ms": 3000}],
"hooks": [{"on": "customer.speech.timeout", "do": [{"kind": "say", "texts": ["Hello?"], "prompt": [], "role": "system",
"respond": true, "tool": 0}], "name": "idle", "after_ms": 5000, "most": 3, "resets": true, "reasons": [],
"confidence_min": 0.0, "confidence_max": 0.0}], "silence_hang_ms": 310, "words_grace_ms": 1100, "alarm_grace_ms": 440,
"stuck_voice_ms": 4900, "hang_ms": 4000}""".replace("\n", " ")

PLAN = Plan(
    smooth_resume=False,
    unheard_voice_ms=0,
    num_words=2,
    voice_ms=300,
    adaptive_interruption=True,
    unduck_after_ms=260,
    adaptive_endpointing=True,
    max_cutoff_risk=0.1,
    pause_decay_ms=1200,
    min_pause_ms=410,
    max_pause_ms=1900,
    adaptive_wait_ms=10,
    preemptive=True,
    endpointing_timeout_ms=900,
    rules=(Rule(customer="table", customer_flags="i", timeout_ms=3000),),
    hooks=(
        Hook(
            on="customer.speech.timeout",
            do=(Action(kind="say", texts=("Hello?",)),),
            name="idle",
            after_ms=5000,
            max_count=3,
            reset_on_speech=True,
        ),
    ),
    speech_stopped_ms=310,
    transcript_timeout_ms=1100,
    false_interruption_timeout_ms=440,
    background_voice_ms=4900,
)

EVENTS: list[tuple[str, Event]] = [
    ('{"event": "CallStarted", "at_ms": 0}', CallStarted(0)),
    (
        '{"event": "VoiceStarted", "at_ms": 40, "onset_ms": 8, "probability": 0.7, "rising_ms": null}',
        VoiceStarted(40, 8, 0.7),
    ),
    (
        '{"event": "Judged", "at_ms": 300, "onset_ms": 8, "age_ms": 224, "floor": 0.9, "echo": 0.1}',
        InterruptionJudged(300, 8, 224, 0.9, 0.1),
    ),
    (
        '{"event": "Words", "at_ms": 400, "text": "Hello.", "final": false, "confidence": null, "whole": true}',
        TranscriptReceived(400, "Hello.", final=False, complete=True),
    ),
    ('{"event": "PauseJudged", "at_ms": 500, "number": 1, "done": 0.8}', PauseJudged(500, 1, 0.8)),
    (
        (
            '{"event": "SpeechQueued", "at_ms": 600, "turn_id": "t", "segment": 0, "audio_ms": 90, '
            '"words": [{"char_end": 2, "start_ms": 0, "end_ms": 90}], "done": true}'
        ),
        SpeechQueued(600, "t", 0, 90, (TimedWord(2, 0, 90),), done=True),
    ),
    (
        (
            '{"event": "ToolsCalled", "at_ms": 700, "turn_id": "t", "calls": [{"id": "a", "name": "weather", '
            '"arguments": "{}", "start": "", "blocking": false, "delayed": [{"after_ms": 1000, "text": "Wait."}], '
            '"is_async": false, "timeout_ms": 20000}]}'
        ),
        ToolsCalled(
            700,
            "t",
            (ToolCallRequest("a", "weather", "{}", delayed=(DelayMessage(1000, "Wait."),), timeout_ms=20_000),),
        ),
    ),
    (
        (
            '{"event": "ToolReturned", "at_ms": 800, "call_id": "a", "text": "Rain.", "failed": false, "say": null, '
            '"tell": "Be brief.", "ends": "done", "metadata": null, "variables": null}'
        ),
        ToolReturned(800, "a", "Rain.", system_message="Be brief.", end_call_reason="done"),
    ),
    (
        '{"event": "HandedOff", "at_ms": 900, "successor": 1, "plan": ' + PLAN_1 + ', "context": "lastNMessages", '
        '"most": 4, "name": "Bea", "assistant_id": null}',
        HandoffRequested(900, 1, PLAN, "lastNMessages", 4, "Bea"),
    ),
    (
        '{"event": "Fail", "at_ms": 1000, "reason": "pipeline-error", "detail": "gone"}',
        CallFailed(1000, "pipeline-error", "gone"),
    ),
]
"""Lines as version 1 wrote them, and their events."""


def head_of(version: int, plan: str) -> str:
    return (
        f'{{"journal": "bargein", "version": {version}, "callId": "c", "startedAt": "2026-01-01T00:00:00Z", '
        f'"plan": {plan}}}\n'
    )


def test_a_journal_of_version_1_is_read_with_the_present_names() -> None:
    head, events = read([head_of(1, PLAN_1), *(line + "\n" for line, _ in EVENTS)])
    assert head == Head("c", "2026-01-01T00:00:00Z", PLAN)
    assert list(events) == [event for _, event in EVENTS]


def test_a_journal_of_version_1_may_have_any_of_its_plan_fields() -> None:
    head, _ = read([head_of(1, '{"num_words": 1}')])
    assert head.plan == Plan(num_words=1, pause_decay_ms=1200, smooth_resume=False, unheard_voice_ms=0)


def test_a_journal_is_written_with_the_present_names() -> None:
    head = Head("c", "2026-01-01T00:00:00Z", PLAN)
    lines = [head_line(head) + "\n", *(event_line(event) + "\n" for _, event in EVENTS)]
    assert json.loads(lines[0])["version"] == VERSION == 2
    again, events = read(lines)
    assert again == head
    assert list(events) == [event for _, event in EVENTS]


def test_names_of_version_1_are_unknown_in_version_2() -> None:
    with pytest.raises(JournalError, match="line 1: this is no head"):
        read([head_of(2, PLAN_1)])
    _, events = read([head_of(2, "{}"), EVENTS[3][0] + "\n"])
    with pytest.raises(JournalError, match="line 2: this is no event"):
        next(events)


@pytest.mark.parametrize("line", ["{}", "[]", "1", "null", "?"])
def test_another_line_is_no_event_in_version_1(line: str) -> None:
    _, events = read([head_of(1, "{}"), line + "\n"])
    with pytest.raises(JournalError, match="line 2: this is no event"):
        next(events)


def test_a_journal_of_an_unknown_version_is_refused() -> None:
    with pytest.raises(JournalError, match="no journal of version 1 to 2"):
        read([head_of(3, "{}")])
    with pytest.raises(JournalError, match="no head"):
        read([head_of(1, "[]")])


def test_a_converted_plan_is_the_same_as_the_plan_of_version_2() -> None:
    head, _ = read([head_of(1, PLAN_1)])
    again, _ = read([head_line(replace(head, call_id="d")) + "\n"])
    assert again.plan == head.plan


def test_a_plan_that_says_nothing_of_smooth_resumption_is_replayed_without_it() -> None:
    handoff = (
        '{"event": "HandoffRequested", "at_ms": 1, "successor": 0, "plan": {}, "context": "all", "max_messages": 0}'
    )
    head, events = read([head_of(2, "{}"), handoff + "\n"])
    (event,) = events
    assert isinstance(event, HandoffRequested)
    assert not head.plan.smooth_resume
    assert not event.plan.smooth_resume
    assert Plan().smooth_resume


def test_a_journal_without_the_pause_decay_has_the_one_of_its_time() -> None:
    plan = Plan(adaptive_endpointing=True).to_json()
    del plan["pause_decay_ms"]
    handoff = HandoffRequested(900, 1, Plan())
    later = json.loads(event_line(handoff))
    del later["plan"]["pause_decay_ms"]
    head = {**json.loads(head_line(Head("c", "t", Plan()))), "plan": plan}
    found, events = read(f"{json.dumps(line)}\n" for line in (head, later))
    assert found.plan == Plan(adaptive_endpointing=True, pause_decay_ms=1200)
    assert [event.plan for event in events if isinstance(event, HandoffRequested)] == [Plan(pause_decay_ms=1200)]
