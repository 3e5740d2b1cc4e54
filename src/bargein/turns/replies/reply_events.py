"""Routing of reply events by turn id: an event of another turn than the running one is dropped."""

from bargein.turns.commands import Hang, Send
from bargein.turns.endpointing import preemptive
from bargein.turns.events import Played, ReplyEnded, ReplyToken, SpeechQueued, SpeechRequested, TextEnded, ToolsCalled
from bargein.turns.plan import Plan
from bargein.turns.replies import lifecycle
from bargein.turns.replies.reply import FalseInterruption, GeneratedEvent, PreemptiveReply
from bargein.turns.state import Change, State
from bargein.turns.tools import tool_calls


def route(state: State, event: GeneratedEvent | Played, plan: Plan) -> Change:
    """Apply an event to the running reply, keep one of the preemptive reply, and drop any other."""
    expected = state.preemptive
    if expected is not None and event.turn_id == expected.turn_id:
        return state if isinstance(event, Played) else preemptive.record_event(state, expected, event), []
    reply = state.reply
    if reply is None or event.turn_id != reply.turn_id:
        return state, []
    match event:
        case ReplyToken():
            return lifecycle.add_text(state, reply, event)
        case TextEnded():
            return lifecycle.end_text(state, reply), []
        case ToolsCalled():
            return tool_calls.call_by_reply(state, reply, event)
        case SpeechRequested():
            return lifecycle.add_segment(state, reply, event)
        case SpeechQueued():
            return lifecycle.add_audio(state, reply, event)
        case Played():
            return lifecycle.update_playout(state, reply, event)
        case ReplyEnded():
            return lifecycle.mark_ended(state, reply)
        case _:  # ReplyFailed
            state, commands = lifecycle.cut(state, reply, "failed", plan)
            last_words = plan.failure_message if event.by_model else ""
            commands.append(Send(Hang()))
            return lifecycle.end_call(state, event.reason, event.detail, plan, commands, last_words=last_words)


def keep_preemptive(state: State, reply: PreemptiveReply, not_before_ms: int, plan: Plan) -> Change:
    """Make the preemptive reply the answer and apply all events that it has had so far."""
    change = lifecycle.keep_preemptive(state, reply, not_before_ms=not_before_ms)
    return _apply_events(change, reply, plan)


def keep_prepared(state: State, reply: PreemptiveReply, cut: FalseInterruption, plan: Plan) -> Change:
    """Make the prepared rest of a reply the running reply and apply all events that it has had so far."""
    return _apply_events(lifecycle.resume(state, cut, reply), reply, plan)


def _apply_events(change: Change, reply: PreemptiveReply, plan: Plan) -> Change:
    state, commands = change
    for event in reply.events:
        state, more = route(state, event, plan)
        commands.extend(more)
    return state, commands
