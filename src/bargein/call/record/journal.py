"""The journal: every event that the engine was given, one JSON value a line, so that a call can be replayed.

The first line is the head with the call's plan. Each line after it is an event: the name of its class and its fields;
or a use of a provider, which the engine does not get and from which the call's costs follow.
The journal holds what was said and no secret: no part of an assistant but its plans gets in.

Version 2 has the present names of events, their fields and the plan's fields. Journals of version 1 are converted while
they are read.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, cast, get_args

from bargein.call.record.usage import Usage, Use
from bargein.errors import BargeinError
from bargein.turns import Plan
from bargein.turns.events import (
    DelayMessage,
    Event,
    HandoffRequested,
    HookToolCalled,
    SpeechQueued,
    TimedWord,
    ToolCallRequest,
    ToolsCalled,
)

VERSION = 2
_USE = '{"use":'
"""The beginning of a line that is no event."""
_EVENTS: dict[str, type[Event]] = {event.__name__: event for event in get_args(Event)}

_EVENTS_OF_1 = {
    "Judged": "InterruptionJudged",
    "Words": "TranscriptReceived",
    "HandedOff": "HandoffRequested",
    "Fail": "CallFailed",
}
"""Events by their names in version 1."""

_FIELDS_OF_1 = {
    "InterruptionJudged": {"floor": "probability"},
    "TranscriptReceived": {"whole": "complete"},
    "PauseJudged": {"done": "probability"},
    "ToolReturned": {"tell": "system_message", "ends": "end_call_reason"},
    "HandoffRequested": {"most": "max_messages"},
}
"""Fields of events by their names in version 1."""

_PLAN_OF_1 = {
    "by_evidence": "adaptive_interruption",
    "ease_ms": "unduck_after_ms",
    "by_judgement": "adaptive_endpointing",
    "cut_risk": "max_cutoff_risk",
    "least_pause_ms": "min_pause_ms",
    "longest_pause_ms": "max_pause_ms",
    "judged_wait_ms": "adaptive_wait_ms",
    "drafts": "preemptive",
    "ask_ms": "endpointing_timeout_ms",
    "silence_hang_ms": "speech_stopped_ms",
    "words_grace_ms": "transcript_timeout_ms",
    "alarm_grace_ms": "false_interruption_timeout_ms",
    "stuck_voice_ms": "background_voice_ms",
}
"""Fields of the plan by their names in version 1."""

_ADDED_TO_PLAN = {"pause_decay_ms": 1200, "smooth_resume": False, "failure_message": "", "unheard_voice_ms": 0}
"""Fields that were added to the plan, with the value that the engine had before: a replay decides as the call did."""

_HOOK_OF_1 = {"most": "max_count", "resets": "reset_on_speech"}
"""Fields of the plan's hooks by their names in version 1."""


class JournalError(BargeinError, ValueError):
    """A line does not belong to a journal; the text says which."""


@dataclass(frozen=True, slots=True)
class Head:
    """The head of a journal.

    Attributes:
        call_id: the call's id.
        started_at: when the call's time began, ISO 8601.
        plan: the engine's plan.
    """

    call_id: str
    started_at: str
    plan: Plan


def head_line(head: Head) -> str:
    """Return the first line of a journal."""
    value = {
        "journal": "bargein",
        "version": VERSION,
        "callId": head.call_id,
        "startedAt": head.started_at,
        "plan": head.plan.to_json(),
    }
    return json.dumps(value, ensure_ascii=False)


def event_line(event: Event) -> str:
    """Return the line of an event."""
    return json.dumps({"event": type(event).__name__, **asdict(event)}, ensure_ascii=False)


def use_line(use: Use) -> str:
    """Return the line of a use of a provider."""
    return json.dumps({"use": use.to_json()}, ensure_ascii=False)


def read_usage(lines: Iterable[str]) -> Usage:
    """Return the use of providers in a journal, up to a line that cannot be read."""
    usage = Usage()
    for line in lines:
        if line.startswith(_USE) and line.endswith("\n"):
            try:
                usage.add(Use(**json.loads(line)["use"]))
            except (ValueError, TypeError, KeyError):
                break
    return usage


def read(lines: Iterable[str]) -> tuple[Head, Iterator[Event]]:
    """Read a journal: the head at once, the events while they are iterated.

    A last line that breaks off (the server was killed while it wrote) ends the journal.

    Raises:
        JournalError: it is no journal of a known version; also while the events are iterated.
    """
    numbered = iter(enumerate(lines, 1))
    _, first = next(numbered, (0, ""))
    head, version = _head(first)
    return head, _events(numbered, version)


def _head(line: str) -> tuple[Head, int]:
    try:
        value = json.loads(line)
        kind, version = value["journal"], value["version"]
        known = kind == "bargein" and version in (1, VERSION)
        plan = _plan_from_1(value["plan"]) if version == 1 else value["plan"]
        head = Head(value["callId"], value["startedAt"], _plan(plan)) if known else None
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise JournalError("line 1: this is no head of a journal") from error
    if head is None:
        raise JournalError(f"this is no journal of version 1 to {VERSION}")
    return head, version


def _events(numbered: Iterator[tuple[int, str]], version: int) -> Iterator[Event]:
    for number, line in numbered:
        if not line.strip() or line.startswith(_USE):
            continue
        if not line.endswith("\n"):
            return  # the last line was cut off while it was written
        try:
            value = json.loads(line)
            yield _event(_event_from_1(value) if version == 1 else value)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise JournalError(f"line {number}: this is no event") from error


def _event(value: dict[str, Any]) -> Event:
    kind = _EVENTS[value.pop("event")]
    if kind is HandoffRequested:
        plan = _plan(value.pop("plan"))
        return HandoffRequested(**value, plan=plan)
    if kind is ToolsCalled or kind is HookToolCalled:
        calls = tuple(_request(call) for call in cast("list[dict[str, Any]]", value.pop("calls")))
        return kind(**value, calls=calls)
    if kind is SpeechQueued:
        words = cast("list[dict[str, int]]", value.pop("words"))
        return SpeechQueued(**value, words=tuple(TimedWord(**word) for word in words))
    return kind(**value)


def _request(value: dict[str, Any]) -> ToolCallRequest:
    delayed = tuple(DelayMessage(**message) for message in value.pop("delayed"))
    return ToolCallRequest(**value, delayed=delayed)


def _plan(value: dict[str, Any]) -> Plan:
    """Read a plan; what an earlier version did not do, and wrote nothing about, is as it was then."""
    return Plan.from_json({**_ADDED_TO_PLAN, **value})


def _plan_from_1(value: dict[str, Any]) -> dict[str, Any]:
    plan = _renamed(value, _PLAN_OF_1)
    if "hooks" in plan:
        plan["hooks"] = [_renamed(hook, _HOOK_OF_1) for hook in plan["hooks"]]
    return plan


def _event_from_1(value: dict[str, Any]) -> dict[str, Any]:
    written: str = value["event"]
    name = _EVENTS_OF_1.get(written, written)
    names: dict[str, str] = _FIELDS_OF_1.get(name, {})
    event = _renamed({**value, "event": name}, names)
    if "plan" in event:
        event["plan"] = _plan_from_1(event["plan"])
    return event


def _renamed(value: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    return {names.get(key, key): content for key, content in value.items()}
