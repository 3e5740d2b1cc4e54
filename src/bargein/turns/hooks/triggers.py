"""Triggers and actions of hooks (Vapi's `assistant.hooks`).

A hook acts at once: it adds messages, calls tools, and queues what it has to say behind everything else to be said. So
a hook never interrupts the caller or the assistant.
"""

from dataclasses import replace

from bargein.turns import conversation
from bargein.turns.commands import CallHookTool, Command, Decide, Remember
from bargein.turns.hooks.plan import Action, Hook, HookOn
from bargein.turns.item import Item
from bargein.turns.plan import Plan
from bargein.turns.replies.reply import PendingSay, Reply
from bargein.turns.state import Change, Closing, HookCount, State
from bargein.turns.tools import tool_calls

CLOSING_MS = 15_000
"""Hooks delay the end of a call by at most this."""
CLOSING_WITHOUT_CALLER_MS = 3000
"""And by at most this where the caller has left, or the call may not go on."""
LAST_WORDS_MS = 10_000
"""And the last words after a failure of the model by at most this."""
MAX_TRIGGERS = 1000
"""A hook triggers at most this often in a call, whatever its own limit."""

_IDLE: HookOn = "customer.speech.timeout"
_LOW_CONFIDENCE: HookOn = "assistant.transcriber.endpointedSpeechLowConfidence"
_MODEL_TIMEOUT: HookOn = "model.response.timeout"
_NOT_EXTENDED = frozenset({"exceeded-max-duration"})
_WITHOUT_HOOKS = frozenset({"worker-shutdown"})
_FAULTS = ("pipeline-error", "call.in-progress.error-")


def trigger(state: State, on: HookOn, plan: Plan, *, turn_id: str | None = None) -> Change:
    """Trigger all hooks that wait for this; `turn_id` is the reply that it is about."""
    commands: list[Command] = []
    for index, hook in enumerate(plan.hooks):
        if hook.on == on and state.closing is None and _may_trigger(state, index, hook):
            state, more = _fire(state, index, hook, turn_id=turn_id)
            commands.extend(more)
    return state, commands


def count_of(state: State, index: int) -> HookCount:
    """Return how often a hook has triggered."""
    return next((one for one in state.hook_counts if one.hook == index), HookCount(index))


def _may_trigger(state: State, index: int, hook: Hook) -> bool:
    so_far = count_of(state, index)
    return so_far.total < MAX_TRIGGERS and (not hook.max_count or so_far.count < hook.max_count)


def _fire(state: State, index: int, hook: Hook, *, turn_id: str | None = None, speaks: bool = True) -> Change:
    so_far = count_of(state, index)
    now = HookCount(index, so_far.count + 1, so_far.total + 1, state.now_ms, fired_in_wait=True)
    state = replace(state, hook_counts=(*(one for one in state.hook_counts if one.hook != index), now))
    commands: list[Command] = [Decide("hook", f"{hook.on} triggers {hook.name or 'a hook'}")]
    for action in hook.do:
        state, more = _act(state, hook, action, so_far.total, turn_id=turn_id, speaks=speaks)
        commands.extend(more)
    return state, commands


def _act(state: State, hook: Hook, action: Action, count: int, *, turn_id: str | None, speaks: bool) -> Change:
    match action.kind:
        case "add":
            entry = Remember(action.role, action.texts[0], state.now_ms, state.now_ms)
            state = replace(state, history=conversation.with_utterance(state.history, entry))
            return (conversation.ask_for_response(state) if action.respond and speaks else state), [entry]
        case "tool":
            command = CallHookTool(state.next_turn_id, action.tool)
            state = replace(
                state,
                pending_hook_tools=(*state.pending_hook_tools, state.next_turn_id),
                reply_count=state.reply_count + 1,
            )
            return state, [command]
        case _ if speaks:
            say = PendingSay(
                text=action.texts[count % len(action.texts)] if action.texts else "",
                prompt=action.prompt,
                interruptible=state.closing is None,
                turn_id=turn_id,
                hook=hook.on,
            )
            return replace(state, pending_says=(*state.pending_says, say)), []
        case _:
            return state, []


# Hooks that depend on time: the caller's silence, the length of the call, a late model.


def assistant_finished(state: State, reply: Reply) -> State:
    """Start the time of the caller's silence after a reply that sounded, except an idle message."""
    if reply.hook == _IDLE:
        return state
    counts = tuple(
        replace(one, fired_in_wait=False) if one.fired_in_wait and reply.hook != _MODEL_TIMEOUT else one
        for one in state.hook_counts
    )
    return replace(state, silent_since_ms=state.now_ms, hook_counts=counts)


def caller_spoke(state: State, plan: Plan) -> State:
    """Restart the time of the caller's silence, and drop idle messages that have not begun."""
    counts = tuple(
        replace(one, fired_in_wait=False, count=0 if plan.hooks[one.hook].reset_on_speech else one.count)
        for one in state.hook_counts
    )
    says = tuple(one for one in state.pending_says if one.hook != _IDLE)
    return replace(state, silent_since_ms=state.now_ms, hook_counts=counts, pending_says=says)


def is_unneeded(reply: Reply) -> bool:
    """Return True if a reply that does not sound yet is about the silence of the caller, who then speaks."""
    return reply.hook == _IDLE and reply.audible_ms is None


def _timed_hook_due(state: State, plan: Plan) -> int | None:
    found = _next_timed(state, plan)
    return None if found is None else found[0]


def _trigger_timed(state: State, plan: Plan) -> Change:
    found = _next_timed(state, plan)
    if found is None:  # _timed_hook_due has found it
        raise AssertionError
    return _fire(state, -found[2], plan.hooks[-found[2]])


def _next_timed(state: State, plan: Plan) -> tuple[int, int, int] | None:
    """Find the next hook: when, its time and its index, both negated.

    Of hooks that are due at the same time the one with the longest time comes first, then the one listed first.
    """
    still = _is_caller_silent(state)
    due: list[tuple[int, int, int]] = []
    for index, hook in enumerate(plan.hooks):
        if not _may_trigger(state, index, hook):
            continue
        if hook.on == "call.timeElapsed":
            due.append((state.started_ms + hook.after_ms, -hook.after_ms, -index))
        elif hook.on == _IDLE and still:
            so_far = count_of(state, index)
            since_ms = max(state.idle_since_ms, so_far.at_ms) if so_far.fired_in_wait else state.silent_since_ms or 0
            due.append((max(since_ms, state.caller.offset_ms) + hook.after_ms, -hook.after_ms, -index))
    return min(due, key=lambda one: (one[0], one[1], -one[2]), default=None)


def _is_caller_silent(state: State) -> bool:
    """Return True if nothing is left to be said and the caller, whose turn it is, is silent."""
    if state.silent_since_ms is None or state.caller.holds_turn or state.caller.said or state.assistant_muted:
        return False
    if state.reply is not None or state.pending_says or state.false_interruption is not None:
        return False
    busy = state.response_pending or state.pending_hook_tools or tool_calls.is_awaited(state)
    return not busy and state.handoff is None and state.end_call_reason is None


def model_timeout_due(state: State, plan: Plan) -> int | None:
    """Return when a model that puts out nothing triggers `model.response.timeout`: at once after its `hang`."""
    reply = state.reply
    if reply is None or not reply.hang_sent or reply.kind != "model" or reply.text or reply.called_tools or reply.ended:
        return None
    return state.now_ms if _model_timeout_hooks(state, plan) else None


def trigger_model_timeout(state: State, plan: Plan) -> Change:
    """Trigger the hooks; whether the model is asked anew is left to the caller of this function."""
    commands: list[Command] = []
    for index in _model_timeout_hooks(state, plan):
        state, more = _fire(state, index, plan.hooks[index])
        commands.extend(more)
    return state, commands


def _model_timeout_hooks(state: State, plan: Plan) -> list[int]:
    return [
        index
        for index, hook in enumerate(plan.hooks)
        if hook.on == _MODEL_TIMEOUT and not count_of(state, index).fired_in_wait and _may_trigger(state, index, hook)
    ]


def drop_low_confidence(state: State, confidence: float | None, plan: Plan) -> Change | None:
    """Drop a final transcript whose confidence is too low for a hook; None: it is used.

    A hook triggers if the confidence is between its two bounds. A transcript below both is dropped without it.
    """
    concerned = [
        (n, h) for n, h in enumerate(plan.hooks) if h.on == _LOW_CONFIDENCE and h.confidence_max > (confidence or 0.0)
    ]
    if confidence is None or not concerned or state.closing is not None:
        return None
    commands: list[Command] = [Decide("ignored", f"the transcript has a confidence of {confidence:.2f}")]
    for index, hook in concerned:
        if confidence >= hook.confidence_min and _may_trigger(state, index, hook):
            state, more = _fire(state, index, hook)
            commands.extend(more)
    return state, commands


# The end of the call.


def start_closing(state: State, reason: str, detail: str, plan: Plan, *, caller_present: bool) -> Change | None:
    """Trigger the `call.ending` hooks of a call that is about to end; None: it has none, and ends now.

    Args:
        state: the state, with nothing left to be said.
        reason: the `endedReason`.
        detail: more about it.
        plan: the call's plan.
        caller_present: the caller is still there and can be told something.
    """
    if state.closing is not None or state.phase != "live" or reason in _WITHOUT_HOOKS:
        return None
    concerned = [n for n, hook in enumerate(plan.hooks) if hook.on == "call.ending" and _matches(hook, reason)]
    if not concerned:
        return None
    caller_present = caller_present and reason not in _NOT_EXTENDED
    until_ms = state.now_ms + (CLOSING_MS if caller_present else CLOSING_WITHOUT_CALLER_MS)
    speakers = [entry.role for entry in state.history if entry.role in ("user", "assistant") and entry.text]
    unanswered = speakers[-1:] == ["user"]
    state = replace(state, closing=Closing(reason, detail, until_ms, caller_present, unanswered))
    commands: list[Command] = []
    for index in concerned:
        state, more = _fire(state, index, plan.hooks[index], speaks=caller_present)
        commands.extend(more)
    return state, commands


def close_with(state: State, text: str, reason: str, detail: str) -> State:
    """Begin to end a call that has no `call.ending` hook with a last text, after which it ends in any case.

    Args:
        state: the state, with nothing left to be said, of a call in which the assistant may speak.
        text: the text.
        reason: the `endedReason`.
        detail: more about it.
    """
    closing = Closing(reason, detail, state.now_ms + LAST_WORDS_MS, caller_present=True, final=True)
    says = (PendingSay(text=text, interruptible=False),)
    return replace(state, closing=closing, pending_says=says, handoff=None)


def _matches(hook: Hook, reason: str) -> bool:
    return all(any(_is_reason(value, reason) for value in values) for values in hook.reasons)


def _is_reason(value: str, reason: str) -> bool:
    """Return True if a filter's value means the reason; Vapi's `pipeline-error` means every fault of a provider."""
    return value == reason or (value == "pipeline-error" and any(fault in reason for fault in _FAULTS))


def closing_due(state: State) -> int | None:
    """Return when a closing call ends: once its hooks or last words are done, and at its time limit in any case."""
    closing = state.closing
    if closing is None:
        return None
    unsaid = state.may_speak and (bool(state.pending_says) or state.response_pending)
    busy = state.reply is not None or unsaid
    if closing.final:
        return closing.until_ms if busy else state.now_ms
    return closing.until_ms if busy or state.pending_hook_tools or tool_calls.is_awaited(state) else state.now_ms


TIMED_HOOK = Item(
    "timed hook",
    "Due when the caller has been silent for the time of a `customer.speech.timeout` hook, or the call has lasted the"
    " time of a `call.timeElapsed` hook: the hook triggers.",
    _timed_hook_due,
    _trigger_timed,
)
