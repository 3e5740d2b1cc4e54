"""What is due, and when: everything the engine does of its own accord.

Each item says when it is due (None: not at all) and what then happens. An item that has happened is due no more, or
later; that is what keeps the timer from spinning.
"""

from bargein.turns import due, ending
from bargein.turns.endpointing import caller_voice
from bargein.turns.interruption import overlap
from bargein.turns.replies import speaking

AGENDA = (
    ending.LONGEST,
    speaking.STALE_DRAFT,
    overlap.INTERRUPTION,
    overlap.DUCK,
    overlap.EASE,
    overlap.LAPSE,
    overlap.SUPERSEDING,
    caller_voice.SILENCE,
    caller_voice.GRACE,
    caller_voice.STUCK,
    speaking.FINISH,
    overlap.RECOVERY,
    due.LATE_TOOL,
    due.DELAYED,
    speaking.SAYING,
    due.HANDOFF,
    due.ASKING,
    due.JUDGING,
    speaking.ENDPOINT,
    speaking.DRAFT,
    ending.ENDING,
    due.ORPHAN,
    due.SETTLED,
    speaking.OWED,
    speaking.PLAY,
    speaking.HANG,
    speaking.LATE_MODEL,
    speaking.STALLED,
    due.TIMED_HOOK,
    ending.QUIET,
    ending.CLOSED,
)
"""In the order in which things happen that are due at the same time: the caller goes first."""
