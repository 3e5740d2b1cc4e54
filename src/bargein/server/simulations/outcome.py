"""The outcome of one simulated conversation, before it is evaluated."""

from dataclasses import dataclass, field

from bargein.wire.base import JsonObject


@dataclass(frozen=True, slots=True)
class Conversation:
    """A conversation that is over.

    Attributes:
        messages: what was said, as messages of the roles `user` (the tester), `assistant`, `tool` and `system`.
        transcript: the same as text.
        record: the call's record, or the session's.
        performance: the call's `performanceMetrics`; None for a chat.
        interruptions: what the tester let be heard over the assistant, and what came of it.
    """

    messages: list[JsonObject]
    transcript: str
    record: JsonObject
    performance: JsonObject | None = None
    interruptions: list[JsonObject] = field(default_factory=list[JsonObject])
