"""The agenda: everything that the engine does without an event that asks for it, in order.

Each package defines its own items; this module only orders them. An item says when it is due (None: not at all) and
what then happens. After it has happened it is not due, or due later: otherwise the timer would spin.
"""

from bargein.turns import ending, handoff
from bargein.turns.endpointing import caller_voice, end_of_turn, preemptive, smart
from bargein.turns.hooks import triggers
from bargein.turns.interruption import overlap, recovery
from bargein.turns.item import Item
from bargein.turns.replies import speaking
from bargein.turns.tools import tool_calls

AGENDA: tuple[Item, ...] = (
    ending.MAX_DURATION,
    preemptive.STALE,
    overlap.INTERRUPTION,
    overlap.DUCK,
    overlap.END_DUCK,
    overlap.UNNEEDED_IDLE_MESSAGE,
    overlap.SUPERSEDED_REPLY,
    caller_voice.CALLER_STOPPED,
    caller_voice.TRANSCRIPT_TIMEOUT,
    caller_voice.BACKGROUND_VOICE,
    speaking.REPLY_FINISHED,
    recovery.FALSE_INTERRUPTION,
    recovery.PREPARE,
    tool_calls.TOOL_TIMEOUT,
    tool_calls.DELAY_MESSAGE,
    speaking.PENDING_SAY,
    handoff.HANDOFF,
    smart.ENDPOINTING_REQUEST,
    end_of_turn.JUDGE_PAUSE,
    speaking.END_OF_TURN,
    preemptive.START,
    ending.END_BY_TOOL,
    tool_calls.CANCELLED_TOOL,
    tool_calls.TOOL_RESULTS,
    speaking.PENDING_RESPONSE,
    speaking.START_PLAYOUT,
    speaking.HANG_NOTICE,
    speaking.MODEL_TIMEOUT_HOOK,
    speaking.STALLED_REPLY,
    triggers.TIMED_HOOK,
    ending.SILENCE_TIMEOUT,
    ending.END_AFTER_HOOKS,
)
"""The items in the order in which they happen when several are due at the same time: the caller's come first."""
