"""Tools of type function, and any other that has a server: a `tool-calls` message to the owner's server."""

import json
from collections.abc import Sequence

from bargein.ports import OwnerMessenger, ToolCall, ToolResult
from bargein.tools.extraction import with_variables
from bargein.tools.outcome import arguments_of, done, failed, parsed
from bargein.tools.templates import Templates
from bargein.wire.base import JsonObject
from bargein.wire.json import as_object_or_none, as_objects
from bargein.wire.ownership import is_callers
from bargein.wire.redact import without_secrets
from bargein.wire.tools import tool_with_call


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
    answer = await owner.request(message_of(tool, call, arguments), server=server)
    return await _result(answer, tool, call, templates)


def message_of(tool: JsonObject, call: ToolCall, arguments: JsonObject) -> JsonObject:
    """Return Vapi's `tool-calls` message (`ServerMessageToolCalls`) for one call.

    In `toolCallList` and `toolWithToolCallList` the schema has the arguments as text, as OpenAI does. Existing
    receivers also read them as an object: in `toolCalls`, and in `parameters` and `arguments` beside the function.
    """
    text = json.dumps(arguments, ensure_ascii=False)
    as_openai = {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": text}}
    listed = {**as_openai, "name": call.name, "parameters": arguments, "arguments": arguments}
    by_object = {**as_openai, "function": {"name": call.name, "arguments": arguments}}
    return {
        "type": "tool-calls",
        "toolCallList": [listed],
        "toolCalls": [by_object],
        "toolWithToolCallList": [tool_with_call(without_secrets(tool), as_openai)],
    }


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
