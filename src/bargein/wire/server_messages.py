"""What the server tells its owner's server (`server.url`) and no client, as Vapi's `ServerMessage…` schemas have it.

A message is posted as `{"message": {…}}`. What both sides get has one type, in `client_messages`; whoever sends it puts
the envelope (call, assistant, customer, phoneNumber, timestamp) around it, and so the types here hold only their own.
"""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from bargein.wire.base import JsonObject, Number, WireModel
from bargein.wire.call import CallStatus


class ServerMessage(WireModel):
    """A message to an owner's server, without its envelope."""

    def bare(self) -> JsonObject:
        """Its own fields as JSON values; what was not given is left out."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


_Formatted = Annotated[
    list[JsonObject],
    Field(validation_alias="messagesOpenAIFormatted", serialization_alias="messagesOpenAIFormatted"),
]


class AssistantRequest(ServerMessage):
    """A call came in on a number that has no assistant: which one is to take it?"""

    type: Literal["assistant-request"] = "assistant-request"


class EndpointingRequest(ServerMessage):
    """The caller has paused: how long until their turn is taken to be over?"""

    type: Literal["call.endpointing.request"] = "call.endpointing.request"
    messages: list[JsonObject] | None = None
    messages_openai_formatted: _Formatted


class WaitingUpdate(ServerMessage):
    """A call waits: it is queued and may be joined, since it came in or its time has come; or it rings."""

    type: Literal["status-update"] = "status-update"
    status: CallStatus = "queued"


class EndedUpdate(ServerMessage):
    """The call's last status, with what became of it."""

    type: Literal["status-update"] = "status-update"
    status: CallStatus = "ended"
    ended_reason: str | None = None
    messages: list[JsonObject] | None = None
    messages_openai_formatted: Annotated[
        list[JsonObject] | None,
        Field(validation_alias="messagesOpenAIFormatted", serialization_alias="messagesOpenAIFormatted"),
    ] = None
    transcript: str | None = None
    artifact: JsonObject | None = None


class EndOfCallReport(ServerMessage):
    """All that became of a call.

    Attributes:
        analysis: empty, unless the call was analysed.
        cost: 0: this server bills nobody.
        duration_ms: as Vapi's receivers read it beside the schema, like the next ones, which the artifact holds too.
    """

    type: Literal["end-of-call-report"] = "end-of-call-report"
    ended_reason: str
    artifact: JsonObject
    analysis: JsonObject
    started_at: str | None = None
    ended_at: str | None = None
    cost: Number = 0.0
    costs: list[JsonObject] = Field(default_factory=list[JsonObject])
    duration_ms: Number | None = None
    duration_seconds: Number | None = None
    transcript: str | None = None
    messages: list[JsonObject] | None = None
    recording_url: str | None = None
    stereo_recording_url: str | None = None


SERVER_MESSAGES: dict[str, type[ServerMessage]] = {
    "assistant-request": AssistantRequest,
    "call.endpointing.request": EndpointingRequest,
    "end-of-call-report": EndOfCallReport,
}
"""The type of each message that only servers get, by its `type` on the wire."""


class EndpointingAnswer(WireModel):
    """The answer to `call.endpointing.request`."""

    timeout_seconds: Annotated[Number, Field(ge=0, le=15)]


def ended_messages(call: JsonObject, wanted: frozenset[str]) -> tuple[JsonObject, ...]:
    """What a server is told of a call that is over: its last `status-update` and the `end-of-call-report`.

    Both follow from the call's record alone, so that a call which a crash has ended is told of like any other.

    Args:
        call: the record, ended.
        wanted: `assistant.serverMessages`.
    """
    found: list[ServerMessage] = []
    artifact: dict[str, Any] = call.get("artifact") or {}
    reason = str(call.get("endedReason") or "unknown-error")
    if "status-update" in wanted:
        found.append(
            EndedUpdate(
                ended_reason=reason,
                messages=artifact.get("messages"),
                messages_openai_formatted=artifact.get("messagesOpenAIFormatted"),
                transcript=artifact.get("transcript"),
                artifact=artifact or None,
            )
        )
    if "end-of-call-report" in wanted:
        found.append(_report(call, artifact, reason))
    return tuple(message.bare() for message in found)


def _seconds_between(start: object, end: object) -> float | None:
    try:
        return (datetime.fromisoformat(str(end)) - datetime.fromisoformat(str(start))).total_seconds()
    except (ValueError, TypeError):
        return None


def _report(call: JsonObject, artifact: JsonObject, reason: str) -> EndOfCallReport:
    lasted_s = _seconds_between(call.get("startedAt"), call.get("endedAt"))
    return EndOfCallReport(
        ended_reason=reason,
        artifact=artifact,
        analysis=call.get("analysis") or {},
        started_at=call.get("startedAt"),
        ended_at=call.get("endedAt"),
        duration_ms=None if lasted_s is None else round(lasted_s * 1000),
        duration_seconds=lasted_s,
        transcript=artifact.get("transcript"),
        messages=artifact.get("messages"),
        recording_url=artifact.get("recordingUrl"),
        stereo_recording_url=artifact.get("stereoRecordingUrl"),
    )
