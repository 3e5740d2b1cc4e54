"""Tools of type function, and any other that has a server: a message to the owner's server (`tool-calls`)."""

import json
from collections.abc import Sequence

from bargein.ports import OwnerMessenger, ToolCall, ToolResult
from bargein.tools.extraction import with_variables
from bargein.tools.outcome import arguments_of, done, failed, parsed
from bargein.tools.templates import Templates
from bargein.wire.assistant import FUNCTION_CALL
from bargein.wire.base import JsonObject
from bargein.wire.json import as_object_or_none, as_objects
from bargein.wire.ownership import is_callers
from bargein.wire.redact import without_secrets
from bargein.wire.tools import told_call, tool_with_call


async def run_function(tool: JsonObject, call: ToolCall, owner: OwnerMessenger, templates: Templates) -> ToolResult:
    """Ask the owner's server to run a tool call; `tool.server` takes precedence over the call's server.

    The static `parameters` of an owner's tool are the owner's: a server whose address a caller set does not get them.

    Raises:
        ToolError: the arguments or a template of the tool are broken.
        ServerError: the server gave no usable answer.
    """
    arguments = arguments_of(call)
    server = as_object_or_none(tool.get("server"))
    if is_callers(tool) or not owner.reaches_caller(server):
        arguments |= templates.static_parameters(tool, arguments)
    by_function_call = tool.get("type") == "function" and owner.asks_by_function_call
    message = function_call_of(call, arguments) if by_function_call else message_of(tool, call, arguments)
    answer = await owner.request(message, server=server)
    return await _result(answer, tool, call, templates)


def message_of(tool: JsonObject, call: ToolCall, arguments: JsonObject) -> JsonObject:
    """Return Vapi's `tool-calls` message (`ServerMessageToolCalls`) for one call."""
    told = told_call(call.id, call.name, arguments)
    return {
        "type": "tool-calls",
        "toolCallList": [told],
        "toolCalls": [told],
        "toolWithToolCallList": [tool_with_call(without_secrets(tool), told)],
    }


def function_call_of(call: ToolCall, arguments: JsonObject) -> JsonObject:
    """Return the `function-call` message for one call, which came before `tool-calls`; its answer has the `result`."""
    return {"type": FUNCTION_CALL, "functionCall": {"name": call.name, "parameters": arguments}}


async def _result(answer: JsonObject, tool: JsonObject, call: ToolCall, templates: Templates) -> ToolResult:
    """Read `{"results": […]}`, or the `{"result": …}` of older servers (`ServerMessageResponseToolCalls`)."""
    found: JsonObject | None = None
    if isinstance(answer.get("results"), list):
        found = _result_for(as_objects(answer["results"]), call)
        if found is None and answer.get("error") is None:
            return failed("The tool's server answered without a result for this call.")
    if found is None:
        found = answer
    more = {"message": as_object_or_none(found.get("message")), "metadata": as_object_or_none(found.get("metadata"))}
    if (error := found.get("error")) is not None:
        return failed(error if isinstance(error, str) else json.dumps(error, ensure_ascii=False), **more)
    if "result" not in found:
        return failed("The tool's server answered with neither a result nor an error.", **more)
    value: object = found["result"]
    body = parsed(value) if isinstance(value, str) else value
    return await with_variables(done(value, **more), tool, body, {}, templates)


def _result_for(results: Sequence[JsonObject], call: ToolCall) -> JsonObject | None:
    """Return the first result that names the call, or a single result that names none."""
    named = next((result for result in results if result.get("toolCallId") == call.id), None)
    if named is None and len(results) == 1 and results[0].get("toolCallId") is None:
        return results[0]
    return named
