"""The call: how it is asked for and what is kept of it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, ClassVar, Literal, cast

from pydantic import Field

from bargein.wire.assistant import Assistant, AssistantOverrides, PinnedVersion, merge_overrides, without_nulls
from bargein.wire.base import Integer, JsonObject, Name, WireModel
from bargein.wire.customer import Customer
from bargein.wire.redact import without_secrets

AudioEncoding = Literal["pcm_s16le", "mulaw"]
CallType = Literal["inboundPhoneCall", "outboundPhoneCall", "webCall", "vapi.websocketCall"]
CallStatus = Literal[
    "scheduled", "queued", "ringing", "in-progress", "forwarding", "ended", "not-found", "deletion-failed"
]

DEFAULT_RATE_HZ: dict[AudioEncoding, int] = {"pcm_s16le": 16_000, "mulaw": 8_000}
"""Sample rate of a WebSocket call that names none."""


class AudioFormat(WireModel):
    """What the binary frames of a WebSocket call hold: mono, at a rate in Hz.

    Vapi's schema takes any rate up to 192 kHz; this server converts between 8 and 48 kHz and refuses the rest.
    """

    format: AudioEncoding | None = None
    container: Literal["raw"] | None = None
    sample_rate: Annotated[Integer, Field(ge=8_000, le=48_000)] | None = None

    def settled(self) -> "AudioFormat":
        """The format with its defaults filled in: pcm_s16le, raw, 16 kHz (mulaw: 8 kHz)."""
        encoding = self.format or "pcm_s16le"
        rate_hz = self.sample_rate or DEFAULT_RATE_HZ[encoding]
        return self.model_copy(update={"format": encoding, "container": "raw", "sample_rate": rate_hz})


class WebsocketTransport(WireModel):
    """A call over a WebSocket of the client's (Vapi's `VapiWebsocketTransport`)."""

    provider: Literal["vapi.websocket"]
    conversation_type: Literal["voice"] | None = None
    audio_format: AudioFormat | None = None


class OtherTransport(WireModel):
    """A transport that bargein knows by name and does not carry calls over."""

    provider: Literal["vonage", "twilio", "vapi.sip", "telnyx", "daily"]


Transport = Annotated[WebsocketTransport | OtherTransport, Field(discriminator="provider")]


class _Participants(WireModel):
    assistant_id: str | None = None
    assistant: Assistant | None = None
    assistant_overrides: AssistantOverrides | None = None
    assistant_version: PinnedVersion | None = None
    squad_id: str | None = None
    squad: JsonObject | None = None
    squad_overrides: JsonObject | None = None
    workflow_id: str | None = None
    workflow: JsonObject | None = None
    workflow_overrides: JsonObject | None = None
    metadata: JsonObject | None = None


class CreateCall(_Participants):
    """What `POST /call` takes (Vapi's `CreateCallDTO`), and `metadata`, which Vapi's own clients send."""

    contract: ClassVar[str | None] = "CreateCallDTO"

    name: Name | None = None
    transport: Transport | None = None
    schedule_plan: JsonObject | None = None
    phone_number_id: str | None = None
    phone_number: JsonObject | None = None
    customer_id: str | None = None
    customer: Customer | None = None
    customers: list[Customer] | None = None


class CreateWebCall(_Participants):
    """What `POST /call/web` takes: it is in no schema, Vapi's web, mobile and Python clients send it."""

    contract: ClassVar[str | None] = "CreateCallDTO"  # what the two have in common has the same types

    name: Name | None = None
    room_delete_on_user_leave_enabled: bool | None = None


class UpdateCall(WireModel):
    """What `PATCH /call/{id}` takes."""

    contract: ClassVar[str | None] = "UpdateCallDTO"

    name: Name | None = None


class DeleteCalls(WireModel):
    """What `DELETE /call/{id}` may take (Vapi's `DeleteCallDTO`): with `ids` the one in the path does not count."""

    ids: Annotated[list[str], Field(min_length=1, max_length=1000)] | None = None


@dataclass(frozen=True, slots=True)
class CallUrls:
    """Where a call is reached.

    Attributes:
        transport: the media socket (ws or wss).
        listen: the socket of those who listen in.
        control: where control messages are posted (http or https).
    """

    transport: str
    listen: str
    control: str

    @classmethod
    def of(cls, base_url: str, call_id: str) -> "CallUrls":
        """The addresses of one call below `base_url` (http or https, without a slash at its end)."""
        socket_url = "ws" + base_url.removeprefix("http")
        return cls(
            transport=f"{socket_url}/{call_id}/transport",
            listen=f"{socket_url}/{call_id}/listen",
            control=f"{base_url}/{call_id}/control",
        )

    def monitor(self) -> JsonObject:
        """The call's `monitor`."""
        return {"listenUrl": self.listen, "controlUrl": self.control}


def new_websocket_call(request: CreateCall, body: JsonObject, urls: CallUrls) -> JsonObject:
    """The call that `POST /call` makes, but for what the store adds (id, orgId, times).

    Args:
        request: the body as types; its transport is a `WebsocketTransport`.
        body: the same as it came; what it holds is kept.
        urls: where the call will be.

    Raises:
        TypeError: the transport is another one.
    """
    transport = request.transport
    if not isinstance(transport, WebsocketTransport):
        raise TypeError("the request asks for another transport")
    audio_format = (transport.audio_format or AudioFormat()).settled()
    return {
        **without_nulls(body),
        "type": "vapi.websocketCall",
        "status": "queued",
        "cost": 0,
        "monitor": urls.monitor(),
        "transport": {
            "conversationType": "voice",
            **without_nulls(transport.to_json()),
            "audioFormat": audio_format.to_json(),
            "websocketCallUrl": urls.transport,
        },
    }


def named_by_widget(body: object) -> object:
    """Set right a body of Vapi's React widget, which puts a stored assistant's id and overrides in `assistant`.

    Its 0.1.1 sends `{"assistant": {"assistantId", "assistantOverrides"}}` where it is given both.
    """
    whole = _object_or_empty(body)
    named = _object_or_empty(whole.get("assistant"))
    if "assistantId" not in named or set(named) - {"assistantId", "assistantOverrides"}:
        return body
    return {**{name: value for name, value in whole.items() if name != "assistant"}, **named}


def _object_or_empty(value: object) -> JsonObject:
    return cast("JsonObject", value) if isinstance(value, dict) else {}


def for_customer(body: JsonObject, customer: JsonObject) -> JsonObject:
    """What one of the `customers` of a `POST /call` is called with: their own overrides lie over the call's."""
    one = {name: value for name, value in body.items() if name != "customers"}
    old, new = (cast("JsonObject", each.get("assistantOverrides") or {}) for each in (body, customer))
    values: JsonObject = {**(old.get("variableValues") or {}), **(new.get("variableValues") or {})}
    laid = merge_overrides(old, new) | ({"variableValues": values} if values else {})
    return {**one, "customer": customer, **({"assistantOverrides": laid} if laid else {})}


def new_web_call(body: JsonObject, urls: CallUrls) -> JsonObject:
    """The call that `POST /call/web` makes, but for what the store adds.

    Vapi's clients read `webCallUrl`, `artifactPlan.videoRecordingEnabled`, `assistantOverrides`, `monitor` and the
    transport's `callUrl` and `assistantVideoEnabled`; some of them fail where one is missing.
    """
    kept = without_nulls(body)
    ends_when_left = kept.pop("roomDeleteOnUserLeaveEnabled", True)
    return {
        "assistantOverrides": {},
        **kept,
        "type": "webCall",
        "status": "queued",
        "cost": 0,
        "monitor": urls.monitor(),
        "webCallUrl": urls.transport,
        "artifactPlan": {"videoRecordingEnabled": False},
        "transport": {
            "conversationType": "voice",
            "provider": "daily",
            "callUrl": urls.transport,
            "assistantVideoEnabled": False,
            "roomDeleteOnUserLeaveEnabled": ends_when_left,
        },
    }


def keeps_room(call: JsonObject) -> bool:
    """Whether a call goes on when its caller leaves, so that it can come back."""
    transport: JsonObject = call.get("transport") or {}
    return transport.get("roomDeleteOnUserLeaveEnabled") is False


def audio_format_of(call: JsonObject) -> AudioFormat:
    """The audio on a stored call's socket; a web call's is 16 kHz pcm_s16le."""
    transport: JsonObject = call.get("transport") or {}
    given: JsonObject = transport.get("audioFormat") or {}
    return AudioFormat.from_json(given).settled()


ACTIVE_ASSISTANT = "activeAssistant"
"""A field of the record alone: the assistant that took the call over last. Vapi's `Call` has none for it."""


def as_told(call: JsonObject) -> JsonObject:
    """A call's record as the API gives it: without the secrets of a phone number of its own."""
    told = {name: value for name, value in call.items() if name != ACTIVE_ASSISTANT}
    number: object = told.get("phoneNumber")
    return {**told, "phoneNumber": without_secrets(cast("JsonObject", number))} if isinstance(number, dict) else told


def effective_assistant(call: JsonObject, stored: JsonObject | None) -> JsonObject:
    """The assistant that a call runs: its own or the stored one, with its overrides laid over.

    Args:
        call: the call's JSON.
        stored: the assistant named by `assistantId`, where the call brings none of its own.
    """
    base: JsonObject = call.get("assistant") or stored or {}
    merged = merge_overrides(base, call.get("assistantOverrides"))
    for name in ("id", "orgId", "createdAt", "updatedAt"):
        merged.pop(name, None)
    return without_nulls(merged)


def duration_ms(call: JsonObject) -> int | None:
    """How long a call took by its record, in milliseconds; None for one that has not ended, or never began."""
    try:
        began, ended = (datetime.fromisoformat(str(call[name])) for name in ("startedAt", "endedAt"))
        return max(0, round((ended - began).total_seconds() * 1000))
    except (KeyError, ValueError, TypeError):
        return None


class RingTransport(WireModel):
    """The socket over which the call will be held."""

    provider: Literal["vapi.websocket"] | None = None
    conversation_type: Literal["voice"] | None = None
    audio_format: AudioFormat | None = None


class Ring(WireModel):
    """What `POST /phone-number/{id}/ring` takes: bargein's own way to call a number without a telephone."""

    name: Name | None = None
    customer: Customer | None = None
    transport: RingTransport | None = None


class AssistantRequestAnswer(_Participants):
    """The answer to an `assistant-request` (Vapi's `ServerMessageResponseAssistantRequest`).

    Attributes:
        destination: where the call goes at once, instead of to an assistant.
        error: what the caller is told before the call ends.
    """

    destination: JsonObject | None = None
    error: str | None = None


_OF_AN_ANSWER = (
    "assistantId", "assistant", "assistantOverrides", "squadId", "squad", "squadOverrides",
)  # fmt: skip


def participants_of(answer: JsonObject) -> JsonObject:
    """The fields of an `assistant-request`'s answer that say who takes the call."""
    return {name: answer[name] for name in _OF_AN_ANSWER if answer.get(name) is not None}


def new_inbound_call(request: Ring, phone_number_id: str, urls: CallUrls) -> JsonObject:
    """A call that comes in on a stored number over a socket, but for what the store adds; nobody has it yet."""
    transport = request.transport or RingTransport()
    audio_format = (transport.audio_format or AudioFormat()).settled()
    customer = None if request.customer is None else without_nulls(request.customer.to_json())
    given = {"name": request.name, "customer": customer}
    return {
        **{name: value for name, value in given.items() if value is not None},
        "type": "inboundPhoneCall",
        "status": "ringing",
        "cost": 0,
        "phoneNumberId": phone_number_id,
        "monitor": urls.monitor(),
        "transport": {
            "conversationType": "voice",
            "provider": "vapi.websocket",
            "audioFormat": audio_format.to_json(),
            "websocketCallUrl": urls.transport,
        },
    }


def rejection_of(call: JsonObject) -> str | None:
    """What the caller of an inbound call is told before it ends: the `error` of an `assistant-request`'s answer."""
    found: object = call.get("inboundPhoneCallDebuggingArtifacts")
    error: object = cast("JsonObject", found).get("assistantRequestError") if isinstance(found, dict) else None
    return error if isinstance(error, str) else None
