"""TwiML: Twilio's instructions for a call."""

from urllib.parse import quote

from twilio.twiml.voice_response import Connect, Dial, VoiceResponse

from bargein.ports import CarrierError
from bargein.wire.base import JsonObject
from bargein.wire.json import as_object


def streamed(media: str) -> str:
    """Connect the call's audio to a media socket, in both directions; the call ends with the socket."""
    response, connect = VoiceResponse(), Connect()
    connect.stream(url=media)
    response.append(connect)
    return str(response)


def rejected() -> str:
    """Reject the call."""
    response = VoiceResponse()
    response.reject(reason="rejected")
    return str(response)


def forwarded(destination: JsonObject, caller_id: str | None = None) -> str:
    """Forward the caller to a number or a SIP address.

    Args:
        destination: Vapi's `TransferDestinationNumber` or `TransferDestinationSip`.
        caller_id: the caller id for a destination that names none; None: the caller's.

    Raises:
        CarrierError: the destination is neither.
    """
    response = VoiceResponse()
    message: object = destination.get("message")
    if isinstance(message, str) and message.strip():
        response.say(message)
    shown: object = destination.get("callerId") or caller_id
    named = {"caller_id": shown} if isinstance(shown, str) and shown else {}
    dial = Dial(answer_on_bridge=True, **named)
    match destination.get("type"):
        case "number":
            extension: object = destination.get("extension")
            keys = {"send_digits": f"ww{extension}"} if isinstance(extension, str) and extension else {}
            dial.number(str(destination.get("number")), **keys)
        case "sip":
            dial.sip(with_headers(str(destination.get("sipUri")), destination.get("sipHeaders")))
        case _:
            raise CarrierError("the destination is neither a number nor a SIP address.")
    response.append(dial)
    return str(response)


def with_headers(uri: str, headers: object) -> str:
    """Return a SIP address with headers for its INVITE; Twilio sends those that begin with X-."""
    given = as_object(headers)
    pairs = [f"{quote(name)}={quote(str(value))}" for name, value in given.items() if name.lower().startswith("x-")]
    return f"{uri}{'&' if '?' in uri else '?'}{'&'.join(pairs)}" if pairs else uri
