"""Hooks: what an assistant does when something happens in the call (Vapi's `assistant.hooks`).

A hook does its actions at once: it adds messages, calls tools, and puts what it has to say behind whatever is to be
said already. So a hook never cuts the caller, nor the assistant.
"""

from dataclasses import replace

from bargein.turns.commands import CallHookTool, Command, Decide, Remember
from bargein.turns.hooks.plan import Action, Hook, HookOn
from bargein.turns.plan import Plan
from bargein.turns.state import Closing, Fired, Reply, Saying, State
from bargein.turns.tools import tool_calls

Change = tuple[State, list[Command]]

ENDING_MS = 15_000
"""Hooks put off the end of a call by no more than this."""
GONE_MS = 3000
"""And by no more than this where the caller is not there any more, or the call may not go on."""
MOST_TRIGGERS = 1000
"""A hook triggers no more often in a call, whatever happens."""

_IDLE: HookOn = "customer.speech.timeout"
_DOUBT: HookOn = "assistant.transcriber.endpointedSpeechLowConfidence"
_LATE: HookOn = "model.response.timeout"
_NOT_EXTENDED = frozenset({"exceeded-max-duration"})
_AT_ONCE = frozenset({"worker-shutdown"})
_FAULTS = ("pipeline-error", "call.in-progress.error-")


def trigger(state: State, on: HookOn, plan: Plan, *, of_turn: str | None = None) -> Change:
    """Something has happened: whatever hooks wait for it do what they do."""
    commands: list[Command] = []
    for index, hook in enumerate(plan.hooks):
        if hook.on == on and state.closing is None and _may(state, index, hook):
            state, more = _fire(state, index, hook, of_turn=of_turn)
            commands.extend(more)
    return state, commands


def fired(state: State, index: int) -> Fired:
    """How often a hook has triggered."""
    return next((one for one in state.hooks if one.hook == index), Fired(index))


def _may(state: State, index: int, hook: Hook) -> bool:
    so_far = fired(state, index)
    return so_far.total < MOST_TRIGGERS and (not hook.most or so_far.count < hook.most)


def _fire(state: State, index: int, hook: Hook, *, of_turn: str | None = None, speaks: bool = True) -> Change:
    so_far = fired(state, index)
    now = Fired(index, so_far.count + 1, so_far.total + 1, state.now_ms, again=True)
    state = replace(state, hooks=(*(one for one in state.hooks if one.hook != index), now))
    commands: list[Command] = [Decide("hook", f"{hook.on}: {hook.name or 'a hook'} does what it is there for")]
    for action in hook.do:
        state, more = _act(state, hook, action, so_far.total, of_turn=of_turn, speaks=speaks)
        commands.extend(more)
    return state, commands


def _act(state: State, hook: Hook, action: Action, count: int, *, of_turn: str | None, speaks: bool) -> Change:
    match action.kind:
        case "add":
            entry = Remember(action.role, action.texts[0], state.now_ms, state.now_ms)
            owed = state.owed or (action.respond and speaks)
            return replace(state, history=(*state.history, entry), owed=owed), [entry]
        case "tool":
            command = CallHookTool(state.turn_id, action.tool)
            return replace(state, errands=(*state.errands, state.turn_id), replies=state.replies + 1), [command]
        case _ if speaks:
            saying = Saying(
                text=action.texts[count % len(action.texts)] if action.texts else "",
                prompt=action.prompt,
                interruptible=state.closing is None,
                of_turn=of_turn,
                by=hook.on,
            )
            return replace(state, sayings=(*state.sayings, saying)), []
        case _:
            return state, []


# The silence of a caller, and what else is a matter of time.


def spoke(state: State, reply: Reply) -> State:
    """A reply that sounded is over: the clock of the caller's silence starts, but for one that it has made itself."""
    if reply.by == _IDLE:
        return state
    kept = tuple(replace(one, again=False) if one.again and reply.by != _LATE else one for one in state.hooks)
    return replace(state, silence_ms=state.now_ms, hooks=kept)


def heard(state: State, plan: Plan) -> State:
    """The caller has said something: nobody needs to be asked whether they are there."""
    hooks = tuple(
        replace(one, again=False, count=0 if plan.hooks[one.hook].resets else one.count) for one in state.hooks
    )
    sayings = tuple(one for one in state.sayings if one.by != _IDLE)
    return replace(state, silence_ms=state.now_ms, hooks=hooks, sayings=sayings)


def timed_due(state: State, plan: Plan) -> int | None:
    """When the next hook triggers that is a matter of time."""
    found = _timed(state, plan)
    return None if found is None else found[0]


def fire_timed(state: State, plan: Plan) -> Change:
    """It does."""
    found = _timed(state, plan)
    if found is None:  # timed_due has just found it
        raise AssertionError
    return _fire(state, -found[2], plan.hooks[-found[2]])


def _timed(state: State, plan: Plan) -> tuple[int, int, int] | None:
    """The next: when; of those that are due at once the longest first, then the first."""
    still = _is_still(state)
    due: list[tuple[int, int, int]] = []
    for index, hook in enumerate(plan.hooks):
        if not _may(state, index, hook):
            continue
        if hook.on == "call.timeElapsed":
            due.append((state.started_ms + hook.after_ms, -hook.after_ms, -index))
        elif hook.on == _IDLE and still:
            so_far = fired(state, index)
            since_ms = max(state.quiet_ms, so_far.at_ms) if so_far.again else state.silence_ms or 0
            due.append((max(since_ms, state.caller.offset_ms) + hook.after_ms, -hook.after_ms, -index))
    return min(due, key=lambda one: (one[0], one[1], -one[2]), default=None)


def _is_still(state: State) -> bool:
    """Whether all has been said, and it is the caller's turn."""
    waits = state.silence_ms is not None and not state.caller.holds_floor and not state.caller.said
    busy = state.reply is not None or bool(state.sayings) or state.alarm is not None or state.owed
    leaving = state.handoff is not None or state.ending is not None
    return waits and not (busy or leaving or state.assistant_muted or state.errands or tool_calls.awaits(state))


def late_due(state: State, plan: Plan) -> int | None:
    """When a model that puts out nothing triggers `model.response.timeout`: when it is reported by `hang`."""
    reply = state.reply
    if reply is None or not reply.hang_sent or reply.kind != "model" or reply.text or reply.called or reply.ended:
        return None
    return state.now_ms if any(True for _ in _late(state, plan)) else None


def fire_late(state: State, plan: Plan) -> Change:
    """Do what is to be done about it; the caller tells whether the model is to be asked anew."""
    commands: list[Command] = []
    for index in list(_late(state, plan)):
        state, more = _fire(state, index, plan.hooks[index])
        commands.extend(more)
    return state, commands


def _late(state: State, plan: Plan) -> list[int]:
    return [
        index
        for index, hook in enumerate(plan.hooks)
        if hook.on == _LATE and not fired(state, index).again and _may(state, index, hook)
    ]


def doubted(state: State, confidence: float | None, plan: Plan) -> Change | None:
    """A final transcript has come that its transcriber is not sure of: it is not taken; None: it is.

    Between a hook's two bounds that hook triggers; below both the transcript is dropped.
    """
    by = [(n, h) for n, h in enumerate(plan.hooks) if h.on == _DOUBT and h.confidence_max > (confidence or 0.0)]
    if confidence is None or not by or state.closing is not None:
        return None
    commands: list[Command] = [Decide("ignored", f"the transcriber is {confidence:.2f} sure of what was said")]
    for index, hook in by:
        if confidence >= hook.confidence_min and _may(state, index, hook):
            state, more = _fire(state, index, hook)
            commands.extend(more)
    return state, commands


# The end.


def close(state: State, reason: str, detail: str, plan: Plan, *, present: bool) -> Change | None:
    """The call is about to end: what hooks do before; None: nothing.

    Args:
        state: with nothing of the call's own left to say.
        reason: the `endedReason`.
        detail: more of it.
        plan: the call's.
        present: the caller is still there, and may be told something.
    """
    if state.closing is not None or state.phase != "live" or reason in _AT_ONCE:
        return None
    wanted = [n for n, hook in enumerate(plan.hooks) if hook.on == "call.ending" and _fits(hook, reason)]
    if not wanted:
        return None
    present = present and reason not in _NOT_EXTENDED
    until_ms = state.now_ms + (ENDING_MS if present else GONE_MS)
    said = [entry.role for entry in state.history if entry.role in ("user", "assistant") and entry.text]
    unanswered = said[-1:] == ["user"]
    state = replace(state, closing=Closing(reason, detail, until_ms, present, unanswered))
    commands: list[Command] = []
    for index in wanted:
        state, more = _fire(state, index, plan.hooks[index], speaks=present)
        commands.extend(more)
    return state, commands


def _fits(hook: Hook, reason: str) -> bool:
    return all(any(_is_reason(value, reason) for value in values) for values in hook.reasons)


def _is_reason(value: str, reason: str) -> bool:
    """Vapi's `pipeline-error` stands for every fault of a provider's."""
    return value == reason or (value == "pipeline-error" and any(fault in reason for fault in _FAULTS))


def closed_due(state: State) -> int | None:
    """When the call really ends: once the hooks are done, and in any case at their limit."""
    closing = state.closing
    if closing is None:
        return None
    unsaid = state.may_speak and (bool(state.sayings) or state.owed)
    busy = state.reply is not None or unsaid
    return closing.until_ms if busy or state.errands or tool_calls.awaits(state) else state.now_ms
