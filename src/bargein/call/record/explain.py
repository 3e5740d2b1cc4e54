"""A journal as text: what came in, what was decided, and why."""

from collections.abc import Iterable, Iterator
from typing import Any

from bargein.call.plan.compile import with_stop_speaking
from bargein.call.record.journal import JournalError, read
from bargein.call.record.replay import Moment, replay
from bargein.errors import BargeinError
from bargein.turns import commands, events
from bargein.wire.errors import WireError, parse_request
from bargein.wire.plans import StopSpeakingPlan

_MOST_SHOWN = 200


class ExplainError(BargeinError, ValueError):
    """A journal or a plan cannot be read; the text says why."""


def explain(lines: Iterable[str], stop_speaking: Any = None) -> Iterator[str]:
    """Explain a journal line by line, optionally under another `stopSpeakingPlan` (JSON values).

    Raises:
        ExplainError: it is not a journal, or not a plan.
    """
    try:
        head, happened = read(lines)
        plan = head.plan
        if stop_speaking is not None:
            plan = with_stop_speaking(plan, parse_request(StopSpeakingPlan, stop_speaking))
        other = " (under another plan)" if plan != head.plan else ""
        yield f"call {head.call_id}, started at {head.started_at}{other}"
        yield (
            f"numWords {plan.num_words}, voiceSeconds {plan.voice_ms / 1000:g}, "
            f"backoffSeconds {plan.backoff_ms / 1000:g}, waitSeconds {plan.wait_ms / 1000:g}"
        )
        for moment in replay(head, happened, plan):
            yield from _explain_moment(moment)
    except WireError as error:
        raise ExplainError("; ".join(map(str, error.messages))) from None
    except JournalError as error:
        raise ExplainError(str(error)) from None


def _explain_moment(moment: Moment) -> Iterator[str]:
    at = f"{moment.at_ms / 1000:9.3f}  "
    if (line := explain_event(moment.event)) is not None:
        yield at + line
    for command in moment.commands:
        if (line := explain_command(command)) is not None:
            yield at + line


def explain_event(event: events.Event) -> str | None:
    """Return an indented line about an event; None if its commands say enough."""
    match event:
        case events.VoiceStarted(at_ms, onset_ms, probability, _):
            return f"  caller's voice began ({at_ms - onset_ms} ms ago, probability {probability:.2f})"
        case events.VoiceStopped(at_ms, offset_ms):
            return f"  caller's voice stopped ({at_ms - offset_ms} ms ago)"
        case events.TranscriptReceived(_, text, final):
            return f'  caller {"said" if final else "is saying"} "{text}"'
        case events.Say(_, text):
            return f'  asked to say "{text}"'
        case events.AddMessage(_, role, text):
            return f'  received a {role} message "{text}"'
        case events.Mute(_, side, on):
            return f"  {side} {'muted' if on else 'unmuted'}"
        case events.ReplyFailed(_, turn_id, reason, detail):
            return f"  reply {_short(turn_id)} failed: {reason} ({detail})"
        case events.HangUp(_, reason):
            return f"  hung up: {reason}"
        case events.CallFailed(_, reason, detail):
            return f"  failed: {reason} ({detail})"
        case _:
            return _explain_tool_event(event)


def _explain_tool_event(event: events.Event) -> str | None:
    match event:
        case events.ToolsCalled(_, turn_id, calls):
            asked = ", ".join(f"{call.name}({_cut(call.arguments)})" for call in calls)
            return f"  reply {_short(turn_id)} calls {asked}"
        case events.VariablesSet(_, variables):
            return f"  variables were set: {_cut(variables)}"
        case events.ToolReturned(_, call_id, text, failed):
            return f'  tool {call_id} {"failed" if failed else "answered"} "{_cut(text)}"'
        case _:
            return None


def explain_command(command: commands.Command) -> str | None:
    """Return an indented or marked line about a command; None if it is of no interest."""
    match command:
        case commands.Decide(what, why, turn_id):
            about = "" if turn_id is None else f" [{_short(turn_id)}]"
            return f"=> {what.upper()}{about}: {why}"
        case commands.StartReply() | commands.KeepReply():
            return _explain_start(command)
        case commands.Play(turn_id):
            return f"   reply {_short(turn_id)} plays"
        case commands.CloseReply(turn_id, outcome):
            return f"   reply {_short(turn_id)} ended: {outcome}"
        case commands.Remember(role, text, interrupted=interrupted) if text and command.tool_call_id is None:
            return f'   history, {role}{" (what was heard)" if interrupted else ""}: "{text}"'
        case commands.Send(commands.UserInterrupted(turn_id)):
            return f"   sent user-interrupted {'without a turn' if turn_id is None else _short(turn_id)}"
        case commands.EndCall(reason, detail):
            return f"   call ended: {reason}" + (f" ({detail})" if detail else "")
        case commands.RunTools(turn_id, call_ids):
            return f"   reply {_short(turn_id)} runs {', '.join(call_ids)}"
        case _:
            return None


def _cut(text: str) -> str:
    return text if len(text) <= _MOST_SHOWN else text[:_MOST_SHOWN] + "…"


def _short(turn_id: str) -> str:
    return "#" + str(int(turn_id[-12:], 16))


def _explain_start(command: commands.StartReply | commands.KeepReply) -> str:
    match command:
        case commands.KeepReply(turn_id):
            return f"   preemptive reply {_short(turn_id)} is kept"
        case commands.StartReply(turn_id, text, prepared=True):
            return f'   reply {_short(turn_id)} prepared, should this be a false interruption: "{text}"'
        case commands.StartReply(turn_id, text, said=said) if not said:
            return f"   reply {_short(turn_id)} started" + ("" if text is None else f': "{text}"')
        case _:
            return f'   preemptive reply {_short(command.turn_id)} started, should the turn end with "{command.said}"'
