"""A journal told to a person: what came in, what was decided, and why."""

from collections.abc import Iterable, Iterator
from typing import Any

from bargein.call.plan.compile import with_stop_speaking
from bargein.call.record.journal import JournalError, read
from bargein.call.record.replay import Moment, replay
from bargein.errors import BargeinError
from bargein.turns import commands as told
from bargein.turns import events
from bargein.wire.errors import WireError, parse_request
from bargein.wire.plans import StopSpeakingPlan

_MOST_SHOWN = 200


class ExplainError(BargeinError, ValueError):
    """It cannot be told; the text says why."""


def explain(lines: Iterable[str], stop_speaking: Any = None) -> Iterator[str]:
    """Tell a journal line by line, optionally under another `stopSpeakingPlan` (JSON values).

    Raises:
        RetellingError: it is no journal, or no plan.
    """
    try:
        head, happened = read(lines)
        plan = head.plan
        if stop_speaking is not None:
            plan = with_stop_speaking(plan, parse_request(StopSpeakingPlan, stop_speaking))
        other = " (under another plan)" if plan != head.plan else ""
        yield f"call {head.call_id}, begun {head.started_at}{other}"
        yield (
            f"numWords {plan.num_words}, voiceSeconds {plan.voice_ms / 1000:g}, "
            f"backoffSeconds {plan.backoff_ms / 1000:g}, waitSeconds {plan.wait_ms / 1000:g}"
        )
        for moment in replay(head, happened, plan):
            yield from _moment(moment)
    except WireError as error:
        raise ExplainError("; ".join(map(str, error.messages))) from None
    except JournalError as error:
        raise ExplainError(str(error)) from None


def _moment(moment: Moment) -> Iterator[str]:
    at = f"{moment.at_ms / 1000:9.3f}  "
    if (line := explain_event(moment.event)) is not None:
        yield at + line
    for command in moment.commands:
        if (line := explain_command(command)) is not None:
            yield at + line


def explain_event(event: events.Event) -> str | None:
    """A line about something that came in, indented; None for what is told by what comes of it."""
    match event:
        case events.VoiceStarted(at_ms, onset_ms, probability, _):
            return f"  caller's voice began ({at_ms - onset_ms} ms ago, probability {probability:.2f})"
        case events.VoiceStopped(at_ms, offset_ms):
            return f"  caller's voice stopped ({at_ms - offset_ms} ms ago)"
        case events.TranscriptReceived(_, text, final):
            return f'  caller {"said" if final else "is saying"} "{text}"'
        case events.Say(_, text):
            return f'  told to say "{text}"'
        case events.AddMessage(_, role, text):
            return f'  given a {role} message "{text}"'
        case events.Mute(_, side, on):
            return f"  {side} {'muted' if on else 'unmuted'}"
        case events.ReplyFailed(_, turn_id, reason, detail):
            return f"  reply {_short(turn_id)} failed: {reason} ({detail})"
        case events.HangUp(_, reason):
            return f"  hung up: {reason}"
        case events.CallFailed(_, reason, detail):
            return f"  failed: {reason} ({detail})"
        case _:
            return _about_tools(event)


def _about_tools(event: events.Event) -> str | None:
    match event:
        case events.ToolsCalled(_, turn_id, calls):
            asked = ", ".join(f"{call.name}({_cut(call.arguments)})" for call in calls)
            return f"  reply {_short(turn_id)} calls {asked}"
        case events.ToolReturned(_, call_id, text, failed):
            return f'  tool {call_id} {"failed" if failed else "answered"} "{_cut(text)}"'
        case _:
            return None


def explain_command(command: told.Command) -> str | None:
    """A line about something that the engine answered, indented or marked; None for what is of no interest."""
    match command:
        case told.Decide(what, why, turn_id):
            about = "" if turn_id is None else f" [{_short(turn_id)}]"
            return f"=> {what.upper()}{about}: {why}"
        case told.StartReply() | told.KeepReply():
            return _tell_start(command)
        case told.Play(turn_id):
            return f"   reply {_short(turn_id)} sounds"
        case told.CloseReply(turn_id, outcome):
            return f"   reply {_short(turn_id)} over: {outcome}"
        case told.Remember(role, text, interrupted=interrupted) if text and command.tool_call_id is None:
            return f'   remembered, {role}{" (what was heard)" if interrupted else ""}: "{text}"'
        case told.Send(told.UserInterrupted(turn_id)):
            return f"   sent user-interrupted {'without a turn' if turn_id is None else _short(turn_id)}"
        case told.EndCall(reason, detail):
            return f"   call ended: {reason}" + (f" ({detail})" if detail else "")
        case told.RunTools(turn_id, call_ids):
            return f"   reply {_short(turn_id)} has {', '.join(call_ids)} run"
        case _:
            return None


def _cut(text: str) -> str:
    return text if len(text) <= _MOST_SHOWN else text[:_MOST_SHOWN] + "…"


def _short(turn_id: str) -> str:
    return "#" + str(int(turn_id[-12:], 16))


def _tell_start(command: told.StartReply | told.KeepReply) -> str:
    match command:
        case told.KeepReply(turn_id):
            return f"   draft {_short(turn_id)} is the answer"
        case told.StartReply(turn_id, text, said=said) if not said:
            return f"   reply {_short(turn_id)} begun" + ("" if text is None else f': "{text}"')
        case _:
            return f'   draft {_short(command.turn_id)} begun, should that be all: "{command.said}"'
