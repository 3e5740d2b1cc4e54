"""The engine's two functions."""

from dataclasses import replace

from bargein.turns import handoff
from bargein.turns.agenda import AGENDA
from bargein.turns.commands import Command, Decide, Hang, Remember, Send, SpeechUpdate, Transcript
from bargein.turns.endpointing import end_of_turn, smart
from bargein.turns.events import (
    AddMessage,
    CallStarted,
    EndpointingAnswered,
    Event,
    Fail,
    HandedOff,
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
    Tick,
    ToolReturned,
    ToolsCalled,
    TranscriptReceived,
    VoiceStarted,
    VoiceStopped,
)
from bargein.turns.hooks import triggers
from bargein.turns.interruption.evidence import is_backchannel
from bargein.turns.interruption.explicit import BRIDGED_DIP_MS
from bargein.turns.item import Item
from bargein.turns.phrases import count_words
from bargein.turns.plan import Plan
from bargein.turns.replies import lifecycle, reply_events
from bargein.turns.replies.lifecycle import Change
from bargein.turns.state import Caller, Saying, State
from bargein.turns.tools import tool_calls

# More things than this never come due at once; if they do, two items of the agenda undo each other.
_MOST_AT_ONCE = 50


def step(state: State, event: Event, plan: Plan) -> tuple[State, tuple[Command, ...]]:
    """Take one event: the next state, and what is to be done, in order.

    `plan` is what the call began with; who took over since goes by a plan of its own, which came with an event.
    """
    if state.phase == "ended" or (state.phase == "new" and not isinstance(event, CallStarted | HangUp)):
        return state, ()
    state = replace(state, now_ms=max(state.now_ms, event.at_ms))
    state, commands = _take(state, event, state.plan or plan)
    for _ in range(_MOST_AT_ONCE):
        now = state.plan or plan  # an item may change it
        item = next((i for i in AGENDA if _counts(i, state) and _is_due(i.due_ms(state, now), state)), None)
        if item is None:
            return state, tuple(commands)
        state, more = item.act(state, now)
        commands.extend(more)
    raise AssertionError("the agenda does not come to rest")


def wake_at(state: State, plan: Plan) -> int | None:
    """When the engine wants a `Tick`, if nothing else happens before; always later than the last event."""
    if not _live(state):
        return None
    now = state.plan or plan
    return min(
        (due for item in AGENDA if _counts(item, state) and (due := item.due_ms(state, now)) is not None), default=None
    )


def _live(state: State) -> bool:
    return state.phase == "live"


def _counts(item: Item, state: State) -> bool:
    """While a call is ending, little of the agenda is left."""
    return _live(state) and (item.closing or state.closing is None)


def _is_due(due_ms: int | None, state: State) -> bool:
    return due_ms is not None and due_ms <= state.now_ms


def _take(state: State, event: Event, plan: Plan) -> Change:
    match event:
        case VoiceStarted():
            return _voice_started(state, event, plan)
        case VoiceStopped():
            return _voice_stopped(state, event, plan)
        case InterruptionJudged():
            return _judged(state, event)
        case TranscriptReceived():
            return _words(state, event, plan)
        case (
            ReplyToken() | ToolsCalled() | SpeechRequested() | SpeechQueued() | Played() | ReplyEnded() | ReplyFailed()
        ):
            return reply_events.take(state, event, plan)
        case HookToolCalled() | ToolReturned() | HandedOff() | EndpointingAnswered() | PauseJudged():
            return _from_outside(state, event)
        case Tick():
            return state, []
        case _:
            return _control(state, event, plan)


def _from_outside(
    state: State, event: HookToolCalled | ToolReturned | HandedOff | EndpointingAnswered | PauseJudged
) -> Change:
    match event:
        case HookToolCalled():
            return tool_calls.call_by_hook(state, event)
        case ToolReturned():
            return tool_calls.take(state, event)
        case HandedOff():
            return replace(state, handoff=event), []
        case PauseJudged():
            return end_of_turn.take(state, event), []
        case _:  # EndpointingAnswered
            return smart.take(state, event), []


def _control(
    state: State, event: CallStarted | Say | AddMessage | Mute | SayFirstMessage | Fail | HangUp, plan: Plan
) -> Change:
    match event:
        case CallStarted():
            return _start(state, plan)
        case Say():
            return _say(state, event, plan)
        case AddMessage():
            entry = Remember(event.role, event.text, state.now_ms, state.now_ms)
            owed, rounds = state.owed or event.respond, 0 if event.respond else state.rounds
            history = (*state.history, entry)
            return replace(state, history=history, owed=owed, rounds=rounds, quiet_ms=state.now_ms), [entry]
        case Mute():
            return _mute(state, event, plan)
        case SayFirstMessage():
            if not plan.first_message:
                return state, []
            saying = Say(event.at_ms, plan.first_message, interruptible=plan.first_message_interruptible)
            return _say(state, saying, plan)
        case Fail():
            return lifecycle.end_call(state, event.reason, event.detail, plan, [Send(Hang())])
        case _:  # HangUp
            return lifecycle.end_call(state, event.reason, "", plan, [], present=False)


def _start(state: State, plan: Plan) -> Change:
    if state.phase != "new":
        return state, []
    state = replace(state, phase="live", started_ms=state.now_ms, quiet_ms=state.now_ms)
    return handoff.greet(state, plan)


def _say(state: State, event: Say, plan: Plan) -> Change:
    if not event.text.strip():
        return state, []
    commands: list[Command] = []
    if event.interrupts and state.reply is not None:
        state, commands = lifecycle.cut(state, state.reply, "replaced", plan)
    if event.interrupts:
        state = replace(state, alarm=None)  # it replaces what a false alarm would bring back, too
    ends = lifecycle.SPOKEN_AND_ENDED if event.ends_call else None
    saying = Saying(text=event.text, interruptible=event.interruptible, ends=ends)
    sayings = (saying, *state.sayings) if event.interrupts else (*state.sayings, saying)
    return replace(state, sayings=sayings), commands


def _mute(state: State, event: Mute, plan: Plan) -> Change:
    if event.side == "assistant":
        commands: list[Command] = []
        if event.on and state.reply is not None:
            state, commands = lifecycle.cut(state, state.reply, "muted", plan)
        return replace(state, assistant_muted=event.on), commands
    state = replace(state, customer_muted=event.on)
    if event.on and state.caller.voiced:
        caller = replace(state.caller, voiced=False, offset_ms=state.now_ms)
        return replace(state, caller=caller), []
    return state, []


def _voice_started(state: State, event: VoiceStarted, plan: Plan) -> Change:
    caller = state.caller
    if state.customer_muted or caller.voiced:
        return state, []
    onset_ms = min(event.onset_ms, state.now_ms)
    if caller.offset_ms and 0 <= onset_ms - caller.offset_ms <= BRIDGED_DIP_MS:
        caller = replace(caller, voiced=True)
    else:
        caller = replace(
            _close_utterance(state, caller, plan),
            voiced=True,
            onset_ms=onset_ms,
            rising_ms=_rising(event, onset_ms, caller.offset_ms),
            fired=False,
            stuck=False,
            judged=None,
            eased=False,
        )
    caller = replace(caller, awaiting=not caller.stuck, committed_words=0)
    state, caller, turn = _open_turn(state, caller, onset_ms)
    state, commands = replace(state, quiet_ms=state.now_ms), list[Command]()
    if state.reply is not None and state.reply.audible_ms is not None and onset_ms < state.reply.audible_ms:
        state, commands = _overtake(state, plan)
    if caller.speaking_turn is not None:
        return replace(state, caller=caller), commands
    started = Send(SpeechUpdate("user", "started", turn))
    return replace(state, caller=replace(caller, speaking_turn=turn)), [started, *commands]


def _rising(event: VoiceStarted, onset_ms: int, offset_ms: int) -> int:
    """Since when the voice that began has lasted, which is not while the one before it did."""
    rising_ms = onset_ms if event.rising_ms is None else event.rising_ms
    return min(onset_ms, max(rising_ms, offset_ms))


def _voice_stopped(state: State, event: VoiceStopped, plan: Plan) -> Change:
    caller = state.caller
    if not caller.voiced:
        return state, []
    offset_ms = min(max(event.offset_ms, caller.onset_ms), state.now_ms)
    # The detector may be later than a final that came after the last sound: then there is nothing to wait for.
    told = caller.utterance_closed and caller.words_at_ms >= offset_ms
    awaiting = caller.awaiting and not told
    state = replace(state, caller=replace(caller, voiced=False, offset_ms=offset_ms, awaiting=awaiting))
    reply = state.reply
    if reply is None or reply.audible_ms is None or plan.by_evidence or offset_ms - caller.rising_ms >= plan.voice_ms:
        return state, []
    why = f"{offset_ms - caller.rising_ms} ms of voice"
    return state, [Decide("ignored", why, reply.turn_id)]


def _judged(state: State, event: InterruptionJudged) -> Change:
    """What is said of another run of voice than the latest comes too late, and is dropped by its onset."""
    caller = state.caller
    younger = caller.judged is not None and event.age_ms < caller.judged.age_ms
    if state.customer_muted or event.onset_ms != caller.onset_ms or younger:
        return state, []
    return replace(state, caller=replace(caller, judged=event)), []


def _words(state: State, event: TranscriptReceived, plan: Plan) -> Change:
    caller = state.caller
    if state.customer_muted:
        return state, []
    text, overtaken = event.text.strip(), list[Command]()
    if count_words(text) and event.final and (doubt := triggers.doubted(state, event.confidence, plan)) is not None:
        state, commands = doubt
        return replace(state, caller=_take_back(caller)), commands
    if not count_words(text):
        return replace(state, caller=_take_back(caller) if event.final else caller), []
    if caller.committed_words:
        # Its partial has been answered. Only if much more was said than that is the rest news.
        if count_words(text) <= caller.committed_words + 1:
            late: list[Command] = [Send(Transcript("user", final=True, text=text))] if event.final else []
            kept = 0 if event.final else caller.committed_words
            return replace(state, caller=replace(caller, committed_words=kept)), late
        caller = replace(caller, committed_words=0)
        state, overtaken = _overtake(state, plan)
    caller = _close_utterance(state, caller, plan)
    began_ms = caller.onset_ms if caller.awaiting else state.now_ms
    state, caller, _ = _open_turn(state, caller, began_ms)
    news = event.final or text != caller.utterance
    caller = replace(
        caller,
        utterance=text,
        utterance_closed=event.final,
        words_at_ms=state.now_ms if news else caller.words_at_ms,
        stuck=caller.stuck and not news,
    )
    # A partial that is only repeated under a voice that is stuck gives it no floor.
    told_all = event.final or (event.whole and plan.judges_pauses)
    caller = replace(caller, awaiting=not caller.stuck and (caller.voiced or not told_all))
    state = triggers.heard(replace(state, caller=caller, quiet_ms=state.now_ms), plan)
    return state, [Send(Transcript("user", final=event.final, text=text)), *overtaken]


def _overtake(state: State, plan: Plan) -> Change:
    """The caller goes on with what the reply that sounds has answered: the assistant has cut the caller."""
    reply = state.reply
    if reply is None or reply.audible_ms is None or reply.overtook:
        return state, []
    state = replace(state, reply=replace(reply, overtook=True))
    return triggers.trigger(state, "customer.speech.interrupted", plan)


def _take_back(caller: Caller) -> Caller:
    """The utterance was no speech after all: a partial of it that came before is void."""
    caller = replace(caller, awaiting=caller.voiced and not caller.stuck, committed_words=0)
    return caller if caller.utterance_closed else replace(caller, utterance="")


def _close_utterance(state: State, caller: Caller, plan: Plan) -> Caller:
    """A closed utterance moves to the settled words, unless it was only listening aloud."""
    if not caller.utterance_closed:
        return caller
    reply = state.reply
    aloud = reply is not None and reply.audible_ms is not None
    if aloud and is_backchannel(caller.utterance, plan):
        return replace(caller, utterance="", utterance_closed=False)
    return replace(caller, settled=caller.said, utterance="", utterance_closed=False)


def _open_turn(state: State, caller: Caller, began_ms: int) -> tuple[State, Caller, int]:
    """The caller's turn has a number from the first voice or word on; what brought no words did not begin it."""
    if caller.turn is None:
        return replace(state, turns=state.turns + 1), replace(caller, turn=state.turns, began_ms=began_ms), state.turns
    turn = caller.turn
    if not caller.said:
        caller = replace(caller, began_ms=began_ms)
    return state, caller, turn
