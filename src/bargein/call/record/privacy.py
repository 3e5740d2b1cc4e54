"""Calls of which nothing that is said is kept: `hipaaEnabled` and `pciEnabled` of Vapi's `CompliancePlan`.

Of such a call the disk has no recording, no transcript, no log and no words in its journal, and the log of the server
has no text of it. The owner's server gets everything: the messages at the end are made from memory. The rule holds from
the first assistant that asks for it until the end of the call, because a successor has the conversation before it; what
an earlier assistant had stored is deleted.
"""

from typing import Any

from bargein.call.record.journal import Head, event_line, head_line
from bargein.turns import Plan
from bargein.turns.events import CallStarted, Event, HangUp, Tick
from bargein.wire.base import JsonObject
from bargein.wire.json import as_object, as_objects

WITHHELD = "withheld"
"""A field of a call's last changes that is never stored: memory has more of its end (`PrivateCalls.withhold`)."""

_EVERY_MS = 1000
_NEVER_MS = 1 << 50
_TIMELESS = Plan(first_message_mode="assistant-waits-for-user", max_duration_ms=_NEVER_MS, silence_timeout_ms=_NEVER_MS)

_ESSENTIAL = (
    "status", "endedReason", "endedAt", "durationMs", "durationSeconds", "durationMinutes", "cost", "costs",
    "costBreakdown",
)  # fmt: skip
_NUMBERS = ("assistantActivations", "performanceMetrics")
_NEEDED = (
    "id", "name", "server", "serverUrl", "serverUrlSecret", "serverMessages", "credentials", "credentialIds",
    "artifactPlan", "compliancePlan", "hipaaEnabled",
)  # fmt: skip
"""The fields of an assistant that the messages after the end need; others may have a caller's words in templates."""


def is_private(assistant: JsonObject) -> bool:
    """Return whether nothing of what is said to this assistant may be kept."""
    plan = as_object(assistant.get("compliancePlan"))
    return True in (plan.get("hipaaEnabled"), plan.get("pciEnabled"), assistant.get("hipaaEnabled"))


def transport_configuration(assistant: JsonObject, provider: str) -> JsonObject:
    """Return the entry of `transportConfigurations` for a carrier; in a private call the carrier does not record."""
    entries = as_objects(assistant.get("transportConfigurations"))
    found = next((entry for entry in entries if entry.get("provider") == provider), JsonObject())
    return {**found, "record": False} if is_private(assistant) else found


def without_words(outcome: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a call's end that may be stored: why and when it ended, its costs and its latencies."""
    artifact = as_object(outcome.get("artifact"))
    return {
        **{name: outcome[name] for name in _ESSENTIAL if name in outcome},
        "messages": [],
        "artifact": {name: artifact[name] for name in _NUMBERS if name in artifact},
        WITHHELD: True,
    }


def without_texts(assistant: JsonObject) -> JsonObject:
    """Return what may be stored of an assistant that takes over, whose templates have values from the call."""
    return {name: assistant[name] for name in _NEEDED if name in assistant}


class WordlessJournal:
    """The lines of a journal that has times and no words, from which a call whose server died is ended.

    The head has an empty plan, since the call's own has texts; an event is the time, once a second.
    """

    def __init__(self) -> None:
        self._written_ms: int | None = None

    def head_line(self, head: Head) -> str:
        """Return the first line."""
        return head_line(Head(head.call_id, head.started_at, _TIMELESS))

    def event_line(self, event: Event) -> str | None:
        """Return the line of an event; None: it has none."""
        if self._written_ms is None:
            self._written_ms = event.at_ms
            return event_line(CallStarted(event.at_ms))
        if event.at_ms - self._written_ms < _EVERY_MS:
            return None
        self._written_ms = event.at_ms
        return event_line(Tick(event.at_ms))

    def end_line(self, at_ms: int, reason: str) -> str:
        """Return the line of the call's end."""
        return event_line(HangUp(at_ms, reason))
