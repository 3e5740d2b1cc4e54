"""Messages of a client during a call (Vapi's `ClientClientControl…`), sent on the socket or to `monitor.controlUrl`."""

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter, ValidationError

from bargein.wire.base import Bool, JsonObject, WireModel
from bargein.wire.errors import WireError, bad_request, findings, one_of
from bargein.wire.json import as_object, as_object_or_none
from bargein.wire.providers import OpenAIMessage


class AddMessage(WireModel):
    """Adds a message to the history; with `trigger_response_enabled` the assistant answers it at once."""

    type: Literal["add-message"]
    message: OpenAIMessage
    trigger_response_enabled: Bool = True


class Control(WireModel):
    """Mutes or unmutes a side, or has the assistant say its first message."""

    type: Literal["control"]
    control: Literal["mute-assistant", "unmute-assistant", "mute-customer", "unmute-customer", "say-first-message"]


class Say(WireModel):
    """Has the assistant say a text.

    Attributes:
        content: the text; Vapi's web client sends it as `message`, which `parse_client_control` accepts.
        end_call_after_spoken: True ends the call afterwards.
        interruptions_enabled: False protects it from interruptions; None if the client did not send it.
        interrupt_assistant_enabled: True cuts the current speech; otherwise the text follows it.
    """

    type: Literal["say"]
    content: Annotated[str, Field(min_length=1)]
    end_call_after_spoken: Bool = False
    interruptions_enabled: Bool | None = None
    interrupt_assistant_enabled: Bool = False


class EndCall(WireModel):
    """Ends the call."""

    type: Literal["end-call", "hangup"]


class Transfer(WireModel):
    """Transfers the caller to a number or SIP address; `content` is said before."""

    type: Literal["transfer"]
    destination: JsonObject
    content: str | None = None


class Handoff(WireModel):
    """Hands the call over to another assistant (documented by Vapi, in no schema); `content` is said before."""

    type: Literal["handoff"]
    destination: JsonObject
    content: str | None = None


class PressKeys(WireModel):
    """Presses keys in place of a telephone's caller (not in Vapi's schema: its WebSocket transport has no keys)."""

    type: Literal["dtmf"]
    keys: Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[0-9*#A-D]+$")]


ClientControl = AddMessage | Control | Say | EndCall | Transfer | Handoff | PressKeys

_CONTROLS: TypeAdapter[ClientControl] = TypeAdapter(
    Annotated[AddMessage | Control | Say | EndCall | Transfer | Handoff | PressKeys, Field(discriminator="type")]
)
_TYPES = ("add-message", "control", "say", "end-call", "hangup", "transfer", "handoff", "dtmf")
_UNSUPPORTED = ("send-transport-message",)


def parse_client_control(data: object) -> ClientControl:
    """Read one message of a client, also one inside of `{"message": …}`.

    Raises:
        WireError: 400 if the message is not valid; 501 for a message of Vapi's that this server does not support.
    """
    message = _unwrapped(data)
    kind = message.get("type")
    if kind in _UNSUPPORTED:
        raise WireError(501, f"{kind} is not supported by this server")
    if kind not in _TYPES:
        raise bad_request(f"type {one_of(_TYPES)}")
    fields = {name: value for name, value in message.items() if value is not None}
    if kind == "say" and "content" not in fields and "message" in fields:
        fields["content"] = fields.pop("message")
    try:
        return _CONTROLS.validate_python(fields, by_alias=True, by_name=False)
    except ValidationError as error:
        raise bad_request(*findings(error, fields)) from None


def _unwrapped(data: object) -> JsonObject:
    message = as_object_or_none(data)
    if message is None:
        raise bad_request("a message must be a JSON object")
    inner = as_object(message.get("message"))
    return inner if "type" not in message and "type" in inner else message
