"""The journal: everything the engine was told, one JSON value a line, so that a call can be run again.

The first line is the head: what the call ran by. Each line after it is an event. It holds what was said, and no secret:
no part of an assistant but its plans gets in.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, cast, get_args

from bargein.errors import BargeinError
from bargein.turns import Plan
from bargein.turns.events import (
    Event,
    HandedOff,
    HookToolCalled,
    SpeechQueued,
    Staged,
    TimedWord,
    ToolAsked,
    ToolsCalled,
)

VERSION = 1
_EVENTS: dict[str, type[Event]] = {event.__name__: event for event in get_args(Event)}


class JournalError(BargeinError, ValueError):
    """A line is not of a journal; the text says which."""


@dataclass(frozen=True, slots=True)
class Head:
    """What a call ran by.

    Attributes:
        call_id: the call.
        started_at: when its time began, ISO 8601.
        plan: the engine's plan.
    """

    call_id: str
    started_at: str
    plan: Plan


def head_line(head: Head) -> str:
    """The first line."""
    value = {
        "journal": "bargein",
        "version": VERSION,
        "callId": head.call_id,
        "startedAt": head.started_at,
        "plan": head.plan.to_json(),
    }
    return json.dumps(value, ensure_ascii=False)


def event_line(event: Event) -> str:
    """A line for an event."""
    return json.dumps({"event": type(event).__name__, **asdict(event)}, ensure_ascii=False)


def read(lines: Iterable[str]) -> tuple[Head, Iterator[Event]]:
    """Read a journal: its head now, its events as they are taken.

    A last line that breaks off (the server was killed while it wrote) ends the journal.

    Raises:
        JournalError: it is no journal of this version; also while the events are taken.
    """
    numbered = iter(enumerate(lines, 1))
    _, first = next(numbered, (0, ""))
    return _head(first), _events(numbered)


def _head(line: str) -> Head:
    try:
        value = json.loads(line)
        kind, head = (value["journal"], value["version"]), (value["callId"], value["startedAt"], value["plan"])
        plan = Plan.from_json(head[2]) if kind == ("bargein", VERSION) else None
    except (ValueError, TypeError, KeyError) as error:
        raise JournalError("line 1: this is no head of a journal") from error
    if plan is None:
        raise JournalError(f"this is no journal of version {VERSION}")
    return Head(head[0], head[1], plan)


def _events(numbered: Iterator[tuple[int, str]]) -> Iterator[Event]:
    for number, line in numbered:
        if not line.strip():
            continue
        if not line.endswith("\n"):
            return  # the last line was cut off while it was written
        try:
            yield _event(json.loads(line))
        except (ValueError, TypeError, KeyError) as error:
            raise JournalError(f"line {number}: this is no event") from error


def _event(value: dict[str, Any]) -> Event:
    kind = _EVENTS[value.pop("event")]
    if kind is HandedOff:
        plan = Plan.from_json(value.pop("plan"))
        return HandedOff(**value, plan=plan)
    if kind is ToolsCalled or kind is HookToolCalled:
        calls = tuple(_asked(call) for call in cast("list[dict[str, Any]]", value.pop("calls")))
        return kind(**value, calls=calls)
    if kind is SpeechQueued:
        words = cast("list[dict[str, int]]", value.pop("words"))
        return SpeechQueued(**value, words=tuple(TimedWord(**word) for word in words))
    return kind(**value)


def _asked(value: dict[str, Any]) -> ToolAsked:
    delayed = tuple(Staged(**staged) for staged in value.pop("delayed"))
    return ToolAsked(**value, delayed=delayed)
