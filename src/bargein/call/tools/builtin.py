"""Tools that the call itself carries out."""

from collections.abc import Callable

from bargein.call.tools.executor import Answer, Inside
from bargein.call.tools.transfer import Transfers
from bargein.ports import CarrierError, Leg, ToolCall, ToolResult
from bargein.wire.assistant import Assistant
from bargein.wire.base import JsonObject

_MOST_KEYS = 100
_KEYS = frozenset("0123456789*#ABCDabcdwW,")


def builtin_tools(leg: Leg, assistant: Callable[[], Assistant], transfers: Transfers) -> dict[str, Inside]:
    """What carries out each type.

    Args:
        leg: the caller's connection.
        assistant: who has the call now.
        transfers: passes the caller on.
    """

    async def end_call(_tool: JsonObject, _call: ToolCall, _arguments: JsonObject) -> Answer:
        goodbye = (assistant().end_call_message or "").strip()
        return Answer(ToolResult("The call is being ended."), say=goodbye or None, ends="assistant-ended-call")

    async def voicemail(_tool: JsonObject, _call: ToolCall, _arguments: JsonObject) -> Answer:
        message = (assistant().voicemail_message or "").strip()
        text = "The message is being left, then the call ends." if message else "There is no message: the call ends."
        return Answer(ToolResult(text), say=message or None, ends="voicemail")

    async def dtmf(_tool: JsonObject, _call: ToolCall, arguments: JsonObject) -> Answer:
        keys = str(arguments.get("dtmf", arguments.get("keys", ""))).strip()
        if not keys or len(keys) > _MOST_KEYS or not _KEYS.issuperset(keys):
            return Answer(ToolResult("Not pressed: keys are 0 to 9, * and #.", failed=True))
        try:
            leg.send_dtmf(keys)
        except CarrierError as error:
            return Answer(ToolResult(f"Not pressed: {error}", failed=True))
        return Answer(ToolResult("Pressed."))

    return {
        "endCall": end_call,
        "voicemail": voicemail,
        "dtmf": dtmf,
        "handoff": transfers.handoff,
        "transferCall": transfers.transfer_call,
    }
