"""The agenda items that end a call.

`silenceTimeoutSeconds: 30`, counted from the last words of the caller or the last sound of the assistant:

    caller     ###|................##..............................
    assistant  ......|=====|.......................................|
                           |<---------- silence timeout ---------->|
                                                             call ends

A voice without words does not start the time anew: it is noise, or the transcriber has failed, and then nothing answers
the caller. While a voice lasts, and until its words are no longer waited for, the call does not end.
The time does not run while the assistant waits for a tool: a tool has a time limit of its own.

A transcriber that has died without an error lets every call end by silence. If the caller's voice was heard for long
enough meanwhile and nothing at all came of it, not even an empty transcript, the end is the transcriber's fault.
"""

from bargein.turns.commands import Command, Decide, Hang, Send
from bargein.turns.hooks import triggers
from bargein.turns.item import Item
from bargein.turns.plan import Plan
from bargein.turns.replies import lifecycle
from bargein.turns.state import Change, State
from bargein.turns.tools import tool_calls


def _max_duration_due(state: State, plan: Plan) -> int | None:
    return state.started_ms + plan.max_duration_ms


def _end_at_max_duration(state: State, plan: Plan) -> Change:
    why: list[Command] = [Decide("ending", f"the call has lasted {plan.max_duration_ms} ms")]
    return lifecycle.end_call(state, "exceeded-max-duration", "", plan, why)


def _end_by_tool_due(state: State, _plan: Plan) -> int | None:
    if state.end_call_reason is None or state.reply is not None or state.false_interruption is not None:
        return None
    # Pending says come earlier in the agenda, so here none is left, except those of a muted assistant.
    return None if state.caller.holds_turn or state.caller.said else state.now_ms


def _end_by_tool(state: State, plan: Plan) -> Change:
    why: list[Command] = [Decide("ending", "a tool ends the call, and nothing is left to be said")]
    return lifecycle.end_call(state, state.end_call_reason or "", "", plan, why)


def _silence_timeout_due(state: State, plan: Plan) -> int | None:
    caller = state.caller
    if state.reply is not None or state.pending_says or (caller.voiced and not caller.background):
        return None
    if tool_calls.is_awaited(state):  # a tool has a time limit of its own
        return None
    silent_ms = state.idle_since_ms + plan.silence_timeout_ms
    if caller.voiced:  # its words may come at its end alone
        return max(silent_ms, caller.onset_ms + plan.silence_timeout_ms)
    return max(silent_ms, caller.offset_ms + plan.transcript_timeout_ms) if caller.awaiting_transcript else silent_ms


def _end_by_silence(state: State, plan: Plan) -> Change:
    unheard_ms = state.caller.unheard_ms
    if plan.unheard_voice_ms and unheard_ms >= plan.unheard_voice_ms:
        detail = f"the transcriber sent nothing for {unheard_ms / 1000:.1f} s of the caller's voice"
        return lifecycle.end_call(
            state, plan.transcriber_failed_reason, detail, plan, [Decide("ending", detail), Send(Hang())]
        )
    why: list[Command] = [Decide("ending", f"nothing has been said for {plan.silence_timeout_ms} ms")]
    return lifecycle.end_call(state, "silence-timed-out", "", plan, why)


def _end_after_hooks_due(state: State, _plan: Plan) -> int | None:
    return triggers.closing_due(state)


def _end_after_hooks(state: State, plan: Plan) -> Change:
    return lifecycle.end_call(state, "", "", plan, [])


MAX_DURATION = Item(
    "maximum duration",
    "Due `maxDurationSeconds` after the call began: the call ends.",
    _max_duration_due,
    _end_at_max_duration,
)
END_BY_TOOL = Item(
    "end by tool",
    "Due when a tool has asked for the end of the call and nothing is left to be said: the call ends.",
    _end_by_tool_due,
    _end_by_tool,
)
SILENCE_TIMEOUT = Item(
    "silence timeout",
    "Due when the caller has said no words, the assistant was not heard and no tool was awaited for"
    " `silenceTimeoutSeconds`: the call ends, by the transcriber's fault if the caller's voice was heard without any"
    " transcript.",
    _silence_timeout_due,
    _end_by_silence,
)
END_AFTER_HOOKS = Item(
    "end after hooks",
    "Due when all `call.ending` hooks are done or the last words after a failure of the model were said, and at their"
    " time limit in any case: the call really ends.",
    _end_after_hooks_due,
    _end_after_hooks,
    closing=True,
)
