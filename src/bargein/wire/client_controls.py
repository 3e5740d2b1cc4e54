"""What a client tells the server during a call: bare JSON on the socket, or posted to `monitor.controlUrl`."""

from typing import Annotated, Literal, cast

from pydantic import Field, TypeAdapter, ValidationError

from bargein.wire.base import Bool, JsonObject, WireModel
from bargein.wire.errors import WireError, bad_request, findings, one_of
from bargein.wire.providers import OpenAIMessage


class AddMessage(WireModel):
    """Puts a message into the history; unless told otherwise the assistant answers it at once."""

    type: Literal["add-message"]
    message: OpenAIMessage
    trigger_response_enabled: Bool = True


class Control(WireModel):
    """Mutes or unmutes a side, or has the first message said."""

    type: Literal["control"]
    control: Literal["mute-assistant", "unmute-assistant", "mute-customer", "unmute-customer", "say-first-message"]


class Say(WireModel):
    """Has the assistant say a text.

    Attributes:
        content: the text; Vapi's web client calls it `message`, which `parse_inbound` knows.
        end_call_after_spoken: whether the call ends then.
        interruptions_enabled: whether the caller may cut it; None where the client did not say.
        interrupt_assistant_enabled: say it at once, in place of what is being said; otherwise after it.
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
    """Gives the caller to a number or SIP address; `content` is said before."""

    type: Literal["transfer"]
    destination: JsonObject
    content: str | None = None


class Handoff(WireModel):
    """Gives the call to another assistant (documented by Vapi, in no schema); `content` is said before."""

    type: Literal["handoff"]
    destination: JsonObject
    content: str | None = None


InboundMessage = AddMessage | Control | Say | EndCall | Transfer | Handoff

_INBOUND: TypeAdapter[InboundMessage] = TypeAdapter(
    Annotated[AddMessage | Control | Say | EndCall | Transfer | Handoff, Field(discriminator="type")]
)
_TYPES = ("add-message", "control", "say", "end-call", "hangup", "transfer", "handoff")
_NOT_YET = ("send-transport-message",)


def parse_inbound(data: object) -> InboundMessage:
    """Read one message of a client. One level of `{"message": …}` around it is tolerated.

    Raises:
        WireError: 400 for what is no message; 501 for a message of Vapi's that this server cannot carry out.
    """
    message = _unwrapped(data)
    kind = message.get("type")
    if kind in _NOT_YET:
        raise WireError(501, f"{kind} is not supported by this server")
    if kind not in _TYPES:
        raise bad_request(f"type {one_of(_TYPES)}")
    given = {name: value for name, value in message.items() if value is not None}
    if kind == "say" and "content" not in given and "message" in given:
        given["content"] = given.pop("message")
    try:
        return _INBOUND.validate_python(given, by_alias=True, by_name=False)
    except ValidationError as error:
        raise bad_request(*findings(error, given)) from None


def _unwrapped(data: object) -> JsonObject:
    if not isinstance(data, dict):
        raise bad_request("a message must be a JSON object")
    message = cast("JsonObject", data)
    inner: object = message.get("message")
    if "type" not in message and isinstance(inner, dict) and "type" in inner:
        return cast("JsonObject", inner)
    return message
