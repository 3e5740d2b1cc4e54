"""Messages to the owner's server (`server.url`) that no client gets (Vapi's `ServerMessage…` schemas).

A message is posted as `{"message": {…}}`. Messages that clients get too have their types in `client_messages`. The
sender adds the envelope (call, assistant, customer, phoneNumber, timestamp), so the types here have only the message's
own fields.
"""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from bargein.wire.base import JsonObject, Number, WireModel
from bargein.wire.call import CallStatus
from bargein.wire.json import as_object, as_objects, as_string


class ServerMessage(WireModel):
    """A message to an owner's server, without its envelope."""

    def without_envelope(self) -> JsonObject:
        """Return the message's own fields as JSON values, without fields that are None."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


_Formatted = Annotated[
    list[JsonObject],
    Field(validation_alias="messagesOpenAIFormatted", serialization_alias="messagesOpenAIFormatted"),
]


def _nothing_said() -> JsonObject:
    return {"messages": [], "messagesOpenAIFormatted": []}


class AssistantRequest(ServerMessage):
    """A request for the assistant of a call to a number that has none."""

    type: Literal["assistant-request"] = "assistant-request"
    artifact: JsonObject = Field(default_factory=_nothing_said)


class EndpointingRequest(ServerMessage):
    """A request, when the caller pauses, for the time after which the turn ends."""

    type: Literal["call.endpointing.request"] = "call.endpointing.request"
    messages: list[JsonObject] | None = None
    messages_openai_formatted: _Formatted


class WaitingUpdate(ServerMessage):
    """A call that no client has joined is queued, since it was made or is due, or is ringing."""

    type: Literal["status-update"] = "status-update"
    status: CallStatus = "queued"
    artifact: JsonObject = Field(default_factory=_nothing_said)


class EndedUpdate(ServerMessage):
    """The call's last status, with its artifact."""

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
    """The report of a call that has ended.

    Attributes:
        analysis: empty, unless the call was analysed.
        summary: `analysis.summary`; empty, unless the call was summarized.
        cost: the sum of `costs`, in US dollars, by the owner's prices; 0 without them.
        destination: where the call was transferred to, if it was.
        duration_ms: like `summary` and the following fields not in Vapi's schema, but sent by Vapi and read by
            receivers.
    """

    type: Literal["end-of-call-report"] = "end-of-call-report"
    ended_reason: str
    artifact: JsonObject
    analysis: JsonObject
    started_at: str | None = None
    ended_at: str | None = None
    cost: Number = 0.0
    costs: list[JsonObject] = Field(default_factory=list[JsonObject])
    cost_breakdown: JsonObject = Field(default_factory=JsonObject)
    summary: str = ""
    duration_ms: Number | None = None
    duration_seconds: Number | None = None
    duration_minutes: Number | None = None
    transcript: str | None = None
    messages: list[JsonObject] | None = None
    recording_url: str | None = None
    stereo_recording_url: str | None = None
    destination: JsonObject | None = None


SERVER_MESSAGES: dict[str, type[ServerMessage]] = {
    "assistant-request": AssistantRequest,
    "call.endpointing.request": EndpointingRequest,
    "end-of-call-report": EndOfCallReport,
}
"""The types of the messages that only servers get, by their `type`."""


class EndpointingAnswer(WireModel):
    """The answer to `call.endpointing.request`."""

    timeout_seconds: Annotated[Number, Field(ge=0, le=15)]


def ended_messages(call: JsonObject, subscribed: frozenset[str]) -> tuple[JsonObject, ...]:
    """Return the messages about a call that has ended: its last `status-update` and the `end-of-call-report`.

    Both are made from the call's record only, so that they are also sent for a call that ended by a crash.

    Args:
        call: the record of the ended call.
        subscribed: `assistant.serverMessages`.
    """
    found: list[ServerMessage] = []
    artifact: dict[str, Any] = call.get("artifact") or {}
    reason = str(call.get("endedReason") or "unknown-error")
    if "status-update" in subscribed:
        found.append(
            EndedUpdate(
                ended_reason=reason,
                messages=artifact.get("messages"),
                messages_openai_formatted=artifact.get("messagesOpenAIFormatted"),
                transcript=artifact.get("transcript"),
                artifact=artifact or None,
            )
        )
    if "end-of-call-report" in subscribed:
        found.append(_report(call, artifact, reason))
    return tuple(message.without_envelope() for message in found)


def _seconds_between(start: object, end: object) -> float | None:
    try:
        return (datetime.fromisoformat(str(end)) - datetime.fromisoformat(str(start))).total_seconds()
    except (ValueError, TypeError):
        return None


def _report(call: JsonObject, artifact: JsonObject, reason: str) -> EndOfCallReport:
    duration_s = _seconds_between(call.get("startedAt"), call.get("endedAt"))
    return EndOfCallReport(
        ended_reason=reason,
        artifact=artifact,
        analysis=as_object(call.get("analysis")),
        summary=as_string(as_object(call.get("analysis")).get("summary")) or "",
        cost=call.get("cost") or 0,
        costs=as_objects(call.get("costs")),
        cost_breakdown=as_object(call.get("costBreakdown")),
        started_at=call.get("startedAt"),
        ended_at=call.get("endedAt"),
        duration_ms=None if duration_s is None else round(duration_s * 1000),
        duration_seconds=duration_s,
        duration_minutes=None if duration_s is None else round(duration_s / 60, 4),
        transcript=artifact.get("transcript"),
        messages=artifact.get("messages"),
        recording_url=artifact.get("recordingUrl"),
        stereo_recording_url=artifact.get("stereoRecordingUrl"),
        destination=call.get("destination"),
    )
