"""Built-in tools, which the call itself carries out: its end, a voicemail, keys, text messages, transfer, handoff."""

import re
from collections.abc import Callable

from bargein.call.tools.executor import BuiltinTool, ToolOutcome
from bargein.call.tools.transfer import Transfers
from bargein.ports import CarrierError, Leg, ToolCall, ToolResult
from bargein.wire.assistant import Assistant
from bargein.wire.base import JsonObject

_MOST_KEYS = 100
_KEYS = frozenset("0123456789*#ABCDabcdwW,")
_NUMBER = re.compile(r"\+[1-9]\d{6,14}")
_SEPARATORS = re.compile(r"[\s().-]")

MOST_TEXT_MESSAGES = 10
"""The most text messages of one call: a model that repeats itself must not cost the owner more."""

LONGEST_TEXT_MESSAGE = 1600
"""The most characters of a text message that carriers take."""

_NO_SIP_REQUEST = (
    "Not sent: {} requests cannot be sent within a call by this server's SIP stack. Go on without it; where the far "
    "end only needs keys, use the tool dtmf."
)


def builtin_tools(
    leg: Leg, assistant: Callable[[], Assistant], transfers: Transfers, customer: Callable[[], str | None]
) -> dict[str, BuiltinTool]:
    """Return the implementation of each built-in tool, by its type.

    Args:
        leg: the caller's connection.
        assistant: returns the current assistant.
        transfers: carries out transfers and handoffs.
        customer: returns the caller's number, if it is known.
    """
    text_messages = TextMessages(leg, customer)

    async def end_call(_tool: JsonObject, _call: ToolCall, _arguments: JsonObject) -> ToolOutcome:
        goodbye = (assistant().end_call_message or "").strip()
        return ToolOutcome(ToolResult("The call is being ended."), say=goodbye or None, ends="assistant-ended-call")

    async def voicemail(_tool: JsonObject, _call: ToolCall, _arguments: JsonObject) -> ToolOutcome:
        message = (assistant().voicemail_message or "").strip()
        text = "The message is being left, then the call ends." if message else "There is no message: the call ends."
        return ToolOutcome(ToolResult(text), say=message or None, ends="voicemail")

    async def dtmf(_tool: JsonObject, _call: ToolCall, arguments: JsonObject) -> ToolOutcome:
        keys = str(arguments.get("dtmf", arguments.get("keys", ""))).strip()
        if not keys or len(keys) > _MOST_KEYS or not _KEYS.issuperset(keys):
            return ToolOutcome(ToolResult("Not sent: keys are 0 to 9, * and #.", failed=True))
        try:
            leg.send_dtmf(keys)
        except CarrierError as error:
            return ToolOutcome(ToolResult(f"Not sent: {error}", failed=True))
        return ToolOutcome(ToolResult("Sent."))

    async def sip_request(tool: JsonObject, _call: ToolCall, _arguments: JsonObject) -> ToolOutcome:
        return ToolOutcome(ToolResult(_NO_SIP_REQUEST.format(tool.get("verb")), failed=True))

    return {
        "sms": text_messages.send,
        "sipRequest": sip_request,
        "endCall": end_call,
        "voicemail": voicemail,
        "dtmf": dtmf,
        "handoff": transfers.handoff,
        "transferCall": transfers.transfer_call,
    }


class TextMessages:
    """The text messages of one call (the tool `sms`).

    Args:
        leg: sends them.
        customer: returns the caller's number, if it is known.
    """

    def __init__(self, leg: Leg, customer: Callable[[], str | None]) -> None:
        self._leg = leg
        self._customer = customer
        self._count = 0

    async def send(self, _tool: JsonObject, _call: ToolCall, arguments: JsonObject) -> ToolOutcome:
        """Send a text message, by default to the caller."""
        try:
            to = await self._send(arguments)
        except CarrierError as error:
            return ToolOutcome(ToolResult(f"Not sent: {error}", failed=True))
        return ToolOutcome(ToolResult(f"Sent to {to}."))

    async def _send(self, arguments: JsonObject) -> str:
        given = _first_text(arguments, ("to", "destination", "number", "phoneNumber")) or self._customer() or ""
        to = _SEPARATORS.sub("", given)
        text = _first_text(arguments, ("message", "text", "body", "content"))
        if not _NUMBER.fullmatch(to):
            raise CarrierError("the recipient must be a number with its country code, like +15551234567.")
        if not text or len(text) > LONGEST_TEXT_MESSAGE:
            raise CarrierError(f"a text message has 1 to {LONGEST_TEXT_MESSAGE} characters.")
        if self._count >= MOST_TEXT_MESSAGES:
            raise CarrierError(f"a call may send {MOST_TEXT_MESSAGES} text messages.")
        self._count += 1
        await self._leg.send_sms(to, text)
        return to


def _first_text(arguments: JsonObject, names: tuple[str, ...]) -> str:
    """Return the first of some arguments that has a text; tools with parameters of their own name them differently."""
    return next(
        (value.strip() for name in names if isinstance(value := arguments.get(name), str) and value.strip()), ""
    )
