"""Built-in tools, which the call itself carries out: end the call, leave a voicemail, send DTMF, transfer, hand off."""

from collections.abc import Callable

from bargein.call.tools.executor import BuiltinTool, ToolOutcome
from bargein.call.tools.transfer import Transfers
from bargein.ports import CarrierError, Leg, ToolCall, ToolResult
from bargein.wire.assistant import Assistant
from bargein.wire.base import JsonObject

_MOST_KEYS = 100
_KEYS = frozenset("0123456789*#ABCDabcdwW,")


def builtin_tools(leg: Leg, assistant: Callable[[], Assistant], transfers: Transfers) -> dict[str, BuiltinTool]:
    """Return the implementation of each built-in tool, by its type.

    Args:
        leg: the caller's connection.
        assistant: returns the current assistant.
        transfers: carries out transfers and handoffs.
    """

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

    return {
        "endCall": end_call,
        "voicemail": voicemail,
        "dtmf": dtmf,
        "handoff": transfers.handoff,
        "transferCall": transfers.transfer_call,
    }
