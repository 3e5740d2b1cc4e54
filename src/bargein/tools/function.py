"""Tools of type function, and any other that has a server: a `tool-calls` message to the owner's server."""

import json
from collections.abc import Sequence
from typing import cast

from bargein.ports import OwnerMessenger, ToolCall, ToolResult
from bargein.tools.extraction import with_variables
from bargein.tools.outcome import arguments_of, done, failed, parsed
from bargein.tools.templates import Templates
from bargein.wire.base import JsonObject
from bargein.wire.redact import without_secrets
from bargein.wire.tools import tool_with_call


async def run_function(tool: JsonObject, call: ToolCall, line: OwnerMessenger, templates: Templates) -> ToolResult:
    """Ask the owner's server (`tool.server` goes before the others) to carry out a call.

    Raises:
        ToolError: the arguments or a template of the tool are broken.
        ServerError: the server gave no usable answer.
    """
    arguments = arguments_of(call)
    arguments |= templates.static_parameters(tool, arguments)
    server: object = tool.get("server")
    message = message_of(tool, call, arguments)
    answer = await line.ask(message, server=cast("JsonObject", server) if isinstance(server, dict) else None)
    return await _result(answer, tool, call, templates)


def message_of(tool: JsonObject, call: ToolCall, arguments: JsonObject) -> JsonObject:
    """Vapi's `tool-calls` message (`ServerMessageToolCalls`), for one call.

    The schema's `toolCallList` and `toolWithToolCallList` have the arguments as text, as OpenAI has them. Receivers in
    the field read them as an object too: from `toolCalls`, and from `parameters` and `arguments` beside the function.
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
    """Read `{"results": […]}`, and the `{"result": …}` of older servers (`ServerMessageResponseToolCalls`)."""
    found: JsonObject | None = None
    results: object = answer.get("results")
    if isinstance(results, list):
        found = _of_call(cast("Sequence[object]", results), call)
        if found is None and answer.get("error") is None:
            return failed("The tool's server answered without a result for this call.")
    if found is None:
        found = answer
    message: object = found.get("message")
    metadata: object = found.get("metadata")
    more = {
        "message": cast("JsonObject", message) if isinstance(message, dict) else None,
        "metadata": cast("JsonObject", metadata) if isinstance(metadata, dict) else None,
    }
    if (error := found.get("error")) is not None:
        return failed(error if isinstance(error, str) else json.dumps(error, ensure_ascii=False), **more)
    if "result" not in found:
        return failed("The tool's server answered with neither a result nor an error.", **more)
    value: object = found["result"]
    body = parsed(value) if isinstance(value, str) else value
    return await with_variables(done(value, **more), tool, body, {}, templates)


def _of_call(results: Sequence[object], call: ToolCall) -> JsonObject | None:
    """The first result that names the call; where there is but one and it names none, that one."""
    objects = [cast("JsonObject", result) for result in results if isinstance(result, dict)]
    named = next((result for result in objects if result.get("toolCallId") == call.id), None)
    if named is None and len(objects) == 1 and objects[0].get("toolCallId") is None:
        return objects[0]
    return named
