"""What comes of a reply. It is known by its turn id: what belongs to another turn than the running one is dropped."""

from bargein.turns.commands import Hang, Send
from bargein.turns.endpointing import preemptive
from bargein.turns.events import Played, ReplyEnded, ReplyFailed, ReplyToken, SpeechQueued, SpeechRequested, ToolsCalled
from bargein.turns.plan import Plan
from bargein.turns.replies import lifecycle
from bargein.turns.replies.lifecycle import Change
from bargein.turns.state import PreemptiveReply, State
from bargein.turns.tools import tool_calls

AboutReply = ReplyToken | ToolsCalled | SpeechRequested | SpeechQueued | Played | ReplyEnded | ReplyFailed


def take(state: State, event: AboutReply, plan: Plan) -> Change:
    """Take an event of the running reply, or of a draft; drop it if it is of neither."""
    draft = state.draft
    if draft is not None and event.turn_id == draft.turn_id:
        return state if isinstance(event, Played) else preemptive.keep(state, draft, event), []
    reply = state.reply
    if reply is None or event.turn_id != reply.turn_id:
        return state, []
    match event:
        case ReplyToken():
            return lifecycle.put_out(state, reply, event)
        case ToolsCalled():
            return tool_calls.call(state, reply, event)
        case SpeechRequested():
            return lifecycle.request_speech(state, reply, event)
        case SpeechQueued():
            return lifecycle.queue_speech(state, reply, event)
        case Played():
            return lifecycle.hear_played(state, reply, event)
        case ReplyEnded():
            return lifecycle.end(state, reply, event)
        case _:  # ReplyFailed
            state, commands = lifecycle.cut(state, reply, "failed", plan)
            return lifecycle.end_call(state, event.reason, event.detail, plan, [*commands, Send(Hang())])


def adopt(state: State, draft: PreemptiveReply, gate_ms: int, plan: Plan) -> Change:
    """The turn is over: a draft is its answer, and all that came of it comes now."""
    state, commands = lifecycle.adopt(state, draft, gate_ms=gate_ms)
    for event in draft.events:
        state, more = take(state, event, plan)
        commands.extend(more)
    return state, commands
