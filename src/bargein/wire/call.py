"""The call: requests that make one, and its record."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from bargein.wire.assistant import Assistant, AssistantOverrides, PinnedVersion, merge_overrides, without_nulls
from bargein.wire.base import Integer, JsonObject, Name, WireModel
from bargein.wire.customer import Customer
from bargein.wire.json import as_object, as_object_or_none, as_string
from bargein.wire.limits import CALLER_LIMITS
from bargein.wire.ownership import MADE_BY, author_of, marked
from bargein.wire.redact import without_secrets
from bargein.wire.schedule import JOIN_UNTIL

AudioEncoding = Literal["pcm_s16le", "mulaw"]
CallType = Literal["inboundPhoneCall", "outboundPhoneCall", "webCall", "vapi.websocketCall"]
CallStatus = Literal[
    "scheduled", "queued", "ringing", "in-progress", "forwarding", "ended", "not-found", "deletion-failed"
]

DEFAULT_RATE_HZ: dict[AudioEncoding, int] = {"pcm_s16le": 16_000, "mulaw": 8_000}
"""Sample rate of a WebSocket call without `sampleRate`."""


class AudioFormat(WireModel):
    """Format of the audio in a WebSocket call's binary frames: mono, sample rate in Hz.

    Vapi's schema allows any rate up to 192 kHz; this server converts between 8 and 48 kHz and refuses other rates.
    """

    format: AudioEncoding | None = None
    container: Literal["raw"] | None = None
    sample_rate: Annotated[Integer, Field(ge=8_000, le=48_000)] | None = None

    def with_defaults(self) -> "AudioFormat":
        """Return the format with its defaults filled in: pcm_s16le, raw, 16 kHz (mulaw: 8 kHz)."""
        encoding = self.format or "pcm_s16le"
        rate_hz = self.sample_rate or DEFAULT_RATE_HZ[encoding]
        return self.model_copy(update={"format": encoding, "container": "raw", "sample_rate": rate_hz})


class WebsocketTransport(WireModel):
    """A call over a WebSocket that the client opens (Vapi's `VapiWebsocketTransport`)."""

    provider: Literal["vapi.websocket"]
    conversation_type: Literal["voice"] | None = None
    audio_format: AudioFormat | None = None


class OtherTransport(WireModel):
    """A transport that is accepted by name, without a type of its own."""

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
    """The body of `POST /call` (Vapi's `CreateCallDTO`), with `metadata`, which Vapi's own clients send."""

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
    """The body of `POST /call/web`: in no schema, but sent by Vapi's web, mobile and Python clients."""

    contract: ClassVar[str | None] = "CreateCallDTO"  # the fields that both have are of the same types

    name: Name | None = None
    room_delete_on_user_leave_enabled: bool | None = None


class UpdateCall(WireModel):
    """The body of `PATCH /call/{id}`."""

    contract: ClassVar[str | None] = "UpdateCallDTO"

    name: Name | None = None


class DeleteCalls(WireModel):
    """The optional body of `DELETE /call/{id}` (Vapi's `DeleteCallDTO`): `ids` replaces the id in the path."""

    ids: Annotated[list[str], Field(min_length=1, max_length=1000)] | None = None


@dataclass(frozen=True, slots=True)
class CallUrls:
    """The URLs of a call.

    Attributes:
        transport: the media socket (ws or wss).
        listen: the socket for listening in.
        control: the URL that control messages are posted to (http or https).
    """

    transport: str
    listen: str
    control: str

    @classmethod
    def of(cls, base_url: str, call_id: str) -> "CallUrls":
        """Return the URLs of a call below `base_url` (http or https, without a slash at its end)."""
        socket_url = "ws" + base_url.removeprefix("http")
        return cls(
            transport=f"{socket_url}/{call_id}/transport",
            listen=f"{socket_url}/{call_id}/listen",
            control=f"{base_url}/{call_id}/control",
        )

    def monitor(self) -> JsonObject:
        """Return the call's `monitor`."""
        return {"listenUrl": self.listen, "controlUrl": self.control}


def new_websocket_call(request: CreateCall, body: JsonObject, urls: CallUrls) -> JsonObject:
    """Return the record of a WebSocket call made by `POST /call`, without the store's fields (id, orgId, times).

    Args:
        request: the parsed body; its transport is a `WebsocketTransport`.
        body: the body as JSON; its fields are kept.
        urls: the URLs of the call.

    Raises:
        TypeError: the transport is not a `WebsocketTransport`.
    """
    transport = request.transport
    if not isinstance(transport, WebsocketTransport):
        raise TypeError("the request has another transport")
    audio_format = (transport.audio_format or AudioFormat()).with_defaults()
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


def normalize_widget_body(body: object) -> object:
    """Return a body of Vapi's React widget with a stored assistant's id and overrides moved out of `assistant`.

    Version 0.1.1 of the widget sends `{"assistant": {"assistantId", "assistantOverrides"}}` if it is given both.
    """
    request = as_object(body)
    assistant = as_object(request.get("assistant"))
    if "assistantId" not in assistant or set(assistant) - {"assistantId", "assistantOverrides"}:
        return body
    return {**{name: value for name, value in request.items() if name != "assistant"}, **assistant}


def body_for_customer(body: JsonObject, customer: JsonObject) -> JsonObject:
    """Return the body of a call to one of the `customers` of a `POST /call`, with the customer's overrides applied."""
    rest = {name: value for name, value in body.items() if name != "customers"}
    old, new = (as_object(each.get("assistantOverrides")) for each in (body, customer))
    values: JsonObject = {**(old.get("variableValues") or {}), **(new.get("variableValues") or {})}
    overrides = merge_overrides(old, new) | ({"variableValues": values} if values else {})
    return {**rest, "customer": customer, **({"assistantOverrides": overrides} if overrides else {})}


def new_web_call(body: JsonObject, urls: CallUrls) -> JsonObject:
    """Return the record of a call made by `POST /call/web`, without the store's fields.

    Vapi's clients read `webCallUrl`, `artifactPlan.videoRecordingEnabled`, `assistantOverrides`, `monitor` and the
    transport's `callUrl` and `assistantVideoEnabled`; some of them fail if one is missing.
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


def allows_rejoin(call: JsonObject) -> bool:
    """Return True if a call goes on when its caller leaves, so that the caller can rejoin it."""
    return as_object(call.get("transport")).get("roomDeleteOnUserLeaveEnabled") is False


def audio_format_of(call: JsonObject) -> AudioFormat:
    """Return the audio format of a stored call's socket; that of a web call is 16 kHz pcm_s16le."""
    transport = as_object(call.get("transport"))
    return AudioFormat.from_json(transport.get("audioFormat") or {}).with_defaults()


ACTIVE_ASSISTANT = "activeAssistant"
"""A field of the stored record only: the assistant that took over last. Vapi's `Call` has no field for it."""

ANALYSIS_STATE = "analysisState"
"""A field of the stored record only: the outcomes of a call's analysis so far, or that it is done."""

TOOL_MOCKS = "toolMocks"
"""A field of a simulated call or session: the name of a tool -> its result, in place of running it."""

INTERNAL_FIELDS = frozenset({ACTIVE_ASSISTANT, ANALYSIS_STATE, MADE_BY, CALLER_LIMITS, JOIN_UNTIL, TOOL_MOCKS})
"""The fields of a stored call that nobody is shown."""


def public_call(call: JsonObject) -> JsonObject:
    """Return a call's record as the API returns it: without the secrets of its own phone number."""
    public = {name: value for name, value in call.items() if name not in INTERNAL_FIELDS}
    number = as_object_or_none(public.get("phoneNumber"))
    return public if number is None else {**public, "phoneNumber": without_secrets(number)}


_AT_THE_END = frozenset({"messages", "artifact"})
"""Most of an ended call's record. The messages about the end of a call have both themselves."""


def call_in_messages(call: JsonObject, phone_number: JsonObject | None = None) -> JsonObject:
    """Return a call as messages to its owner carry it: as the API returns it, without secrets, messages and artifact.

    Args:
        call: the call's record.
        phone_number: the stored number of the call; receivers read it in the call, too.
    """
    told = {name: value for name, value in public_call(call).items() if name not in _AT_THE_END and value is not None}
    number = phone_number or as_object_or_none(call.get("phoneNumber"))
    return without_secrets(told if number is None else {**told, "phoneNumber": number_in_call(number)})


def number_in_call(phone_number: JsonObject) -> JsonObject:
    """Return a phone number as the field of a call, with the two fields that Vapi's type of it requires.

    The type is that of a number of Twilio's (`ImportTwilioPhoneNumberDTO`): clients with types cannot read a call whose
    number lacks them.
    """
    number: object = phone_number.get("number") or phone_number.get("sipUri") or ""
    return {"twilioPhoneNumber": number, "twilioAccountSid": "", **phone_number}


DEFINITIONS = frozenset({"assistant", "assistantOverrides", "squad", "squadOverrides"})
"""The fields of a call with prompts, which are left out of messages that are sent many times a second."""


def effective_assistant(call: JsonObject, stored: JsonObject | None) -> JsonObject:
    """Return the assistant that a call runs: its own or the stored one, with the call's overrides applied.

    Args:
        call: the call's record, whose author (`MADE_BY`) wrote what it contains.
        stored: the assistant with the call's `assistantId`, if the call has no `assistant`.
    """
    author = author_of(call)
    inline = as_object_or_none(call.get("assistant"))
    base: JsonObject = marked(inline, author) if inline else stored or {}
    merged = merge_overrides(base, marked(as_object(call.get("assistantOverrides")), author), author)
    return without_ids(merged)


def without_ids(assistant: JsonObject) -> JsonObject:
    """Return a stored assistant without nulls and without what the store adds."""
    return without_nulls({n: v for n, v in assistant.items() if n not in ("id", "orgId", "createdAt", "updatedAt")})


def duration_ms(call: JsonObject) -> int | None:
    """Return the duration of a call in milliseconds; None if it has not ended, or never began."""
    try:
        began, ended = (datetime.fromisoformat(str(call[name])) for name in ("startedAt", "endedAt"))
        return max(0, round((ended - began).total_seconds() * 1000))
    except (KeyError, ValueError, TypeError):
        return None


class RingTransport(WireModel):
    """The WebSocket transport of a `Ring`."""

    provider: Literal["vapi.websocket"] | None = None
    conversation_type: Literal["voice"] | None = None
    audio_format: AudioFormat | None = None


class Ring(WireModel):
    """The body of `POST /phone-number/{id}/ring`, which calls a number without a telephone; only bargein has it."""

    name: Name | None = None
    customer: Customer | None = None
    transport: RingTransport | None = None


class AssistantRequestAnswer(_Participants):
    """The answer to an `assistant-request` (Vapi's `ServerMessageResponseAssistantRequest`).

    Attributes:
        destination: number or SIP address that the call is transferred to at once, instead of an assistant.
        error: text that is said to the caller before the call ends.
    """

    destination: JsonObject | None = None
    error: str | None = None


_PARTICIPANT_FIELDS = (
    "assistantId", "assistant", "assistantOverrides", "squadId", "squad", "squadOverrides",
)  # fmt: skip


def participants_of(answer: JsonObject) -> JsonObject:
    """Return the fields of an `assistant-request`'s answer that name the assistant or squad."""
    return {name: answer[name] for name in _PARTICIPANT_FIELDS if answer.get(name) is not None}


def new_inbound_call(request: Ring, phone_number_id: str, urls: CallUrls) -> JsonObject:
    """Return the record of a call that `Ring` makes to a stored number, without an assistant and the store's fields."""
    transport = request.transport or RingTransport()
    audio_format = (transport.audio_format or AudioFormat()).with_defaults()
    customer = None if request.customer is None else without_nulls(request.customer.to_json())
    optional = {"name": request.name, "customer": customer}
    return {
        **{name: value for name, value in optional.items() if value is not None},
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
    """Return the text said to the caller before the call ends: the `error` of an `assistant-request`'s answer."""
    return as_string(as_object(call.get("inboundPhoneCallDebuggingArtifacts")).get("assistantRequestError"))
