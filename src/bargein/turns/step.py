"""The engine's two functions, and the dispatch of events."""

from dataclasses import replace

from bargein.turns import added_messages, caller, handoff
from bargein.turns.agenda import AGENDA
from bargein.turns.commands import Command, Hang, Send
from bargein.turns.endpointing import end_of_turn, smart
from bargein.turns.events import (
    AddMessage,
    CallFailed,
    CallStarted,
    EndpointingAnswered,
    Event,
    HandoffRequested,
    HangUp,
    HookToolCalled,
    InterruptionJudged,
    Mute,
    PauseJudged,
    Played,
    ReplyEnded,
    ReplyFailed,
    ReplyToken,
    Say,
    SayFirstMessage,
    SpeechQueued,
    SpeechRequested,
    TextEnded,
    Tick,
    ToolReturned,
    ToolsCalled,
    TranscriptReceived,
    VariablesSet,
    VoiceStarted,
    VoiceStopped,
)
from bargein.turns.item import Item
from bargein.turns.plan import Plan
from bargein.turns.replies import lifecycle, reply_events
from bargein.turns.replies.reply import PendingSay
from bargein.turns.state import Change, State
from bargein.turns.tools import tool_calls

# More items than this never come due at once; if they do, two items of the agenda undo each other.
_MAX_AT_ONCE = 50


def step(state: State, event: Event, plan: Plan) -> tuple[State, tuple[Command, ...]]:
    """Apply one event, then every item of the agenda that is due.

    Args:
        state: the state before the event.
        event: the event; its time may not be before that of the last one, or it counts as happening then.
        plan: the plan with which the call began. After a handoff the state has the plan that applies.

    Returns:
        The next state, and the commands to perform, in order.
    """
    if state.phase == "ended" or (state.phase == "new" and not isinstance(event, CallStarted | HangUp)):
        return state, ()
    state = replace(state, now_ms=max(state.now_ms, event.at_ms))
    state, commands = _apply(state, event, state.plan or plan)
    for _ in range(_MAX_AT_ONCE):
        current = state.plan or plan  # a handoff changes it
        item = next((i for i in AGENDA if _applies(i, state) and _is_due(i.due_ms(state, current), state)), None)
        if item is None:
            return state, tuple(commands)
        state, more = item.act(state, current)
        commands.extend(more)
    raise AssertionError("the agenda does not come to rest")


def wake_at(state: State, plan: Plan) -> int | None:
    """Return when the engine needs a `Tick` if nothing else happens before; always later than the last event."""
    if not _is_live(state):
        return None
    current = state.plan or plan
    times = (item.due_ms(state, current) for item in AGENDA if _applies(item, state))
    return min((due_ms for due_ms in times if due_ms is not None), default=None)


def _is_live(state: State) -> bool:
    return state.phase == "live"


def _applies(item: Item, state: State) -> bool:
    """Return True if the item may happen in this phase: while a call is ending, only some do."""
    return _is_live(state) and (item.closing or state.closing is None)


def _is_due(due_ms: int | None, state: State) -> bool:
    return due_ms is not None and due_ms <= state.now_ms


def _apply(state: State, event: Event, plan: Plan) -> Change:
    match event:
        case VoiceStarted():
            return caller.start_voice(state, event, plan)
        case VoiceStopped():
            return caller.stop_voice(state, event, plan)
        case InterruptionJudged():
            return caller.apply_judgement(state, event)
        case TranscriptReceived():
            return caller.apply_transcript(state, event, plan)
        case (
            ReplyToken()
            | TextEnded()
            | ToolsCalled()
            | SpeechRequested()
            | SpeechQueued()
            | Played()
            | ReplyEnded()
            | ReplyFailed()
        ):
            return reply_events.route(state, event, plan)
        case HookToolCalled() | ToolReturned() | HandoffRequested() | EndpointingAnswered() | PauseJudged():
            return _apply_answer(state, event)
        case Tick() | VariablesSet():
            return state, []
        case _:
            return _apply_control(state, event, plan)


def _apply_answer(
    state: State, event: HookToolCalled | ToolReturned | HandoffRequested | EndpointingAnswered | PauseJudged
) -> Change:
    match event:
        case HookToolCalled():
            return tool_calls.call_by_hook(state, event)
        case ToolReturned():
            return tool_calls.apply_result(state, event)
        case HandoffRequested():
            return replace(state, handoff=event), []
        case PauseJudged():
            return end_of_turn.apply_judgement(state, event), []
        case _:  # EndpointingAnswered
            return smart.apply_answer(state, event), []


def _apply_control(
    state: State, event: CallStarted | Say | AddMessage | Mute | SayFirstMessage | CallFailed | HangUp, plan: Plan
) -> Change:
    match event:
        case CallStarted():
            return _start_call(state, plan)
        case Say():
            return _say(state, event, plan)
        case AddMessage():
            return added_messages.add_message(state, event, plan)
        case Mute():
            return _mute(state, event, plan)
        case SayFirstMessage():
            if not plan.first_message:
                return state, []
            say = Say(event.at_ms, plan.first_message, interruptible=plan.first_message_interruptible)
            return _say(state, say, plan)
        case CallFailed():
            return lifecycle.end_call(state, event.reason, event.detail, plan, [Send(Hang())])
        case _:  # HangUp
            return lifecycle.end_call(state, event.reason, "", plan, [], caller_present=False)


def _start_call(state: State, plan: Plan) -> Change:
    if state.phase != "new":
        return state, []
    state = replace(state, phase="live", started_ms=state.now_ms, idle_since_ms=state.now_ms)
    return handoff.greet(state, plan)


def _say(state: State, event: Say, plan: Plan) -> Change:
    if not event.text.strip():
        return state, []
    commands: list[Command] = []
    if event.interrupts and state.reply is not None:
        state, commands = lifecycle.cut(state, state.reply, "replaced", plan)
    if event.interrupts:
        state = replace(state, false_interruption=None)  # it also replaces a reply that might be resumed
    end_call_reason = lifecycle.SPOKEN_AND_ENDED if event.ends_call else None
    say = PendingSay(text=event.text, interruptible=event.interruptible, end_call_reason=end_call_reason)
    says = (say, *state.pending_says) if event.interrupts else (*state.pending_says, say)
    return replace(state, pending_says=says), commands


def _mute(state: State, event: Mute, plan: Plan) -> Change:
    if event.side == "assistant":
        commands: list[Command] = []
        if event.on and state.reply is not None:
            state, commands = lifecycle.cut(state, state.reply, "muted", plan)
        return replace(state, assistant_muted=event.on), commands
    state = replace(state, customer_muted=event.on)
    if event.on and state.caller.voiced:
        return replace(state, caller=replace(state.caller, voiced=False, offset_ms=state.now_ms)), []
    return state, []
