"""What is due, and when: everything the engine does of its own accord.

Each item says when it is due (None: not at all) and what then happens. An item that has happened is due no more, or
later; that is what keeps the timer from spinning.
"""

from bargein.turns import due, ending, floor, speaking, voice

AGENDA = (
    ending.LONGEST,
    speaking.STALE_DRAFT,
    floor.INTERRUPTION,
    floor.DUCK,
    floor.EASE,
    floor.LAPSE,
    floor.SUPERSEDING,
    voice.SILENCE,
    voice.GRACE,
    voice.STUCK,
    speaking.FINISH,
    floor.RECOVERY,
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
