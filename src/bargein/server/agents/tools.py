"""The tools of an assistant: inline, stored, and those that its hooks call."""

from collections.abc import Sequence

import anyio
import structlog

from bargein.call.plan.hooks import compile_hooks
from bargein.ports import ToolRunner
from bargein.store import Store
from bargein.wire.base import JsonObject
from bargein.wire.json import as_list, as_object, as_objects
from bargein.wire.ownership import is_callers

_log = structlog.get_logger("bargein.server")

_EXPAND_S = 8.0
"""How long the expansion of tools may take. A call begins without the tools that are not expanded by then."""


async def gather_tools(assistant_json: JsonObject, store: Store, runner: ToolRunner) -> tuple[JsonObject, ...]:
    """Return the tools of an assistant: `model.tools`, and the stored ones that `model.toolIds` names.

    The legacy field `endCallFunctionEnabled` adds the tool `endCall`. The runner expands each tool, so that every tool
    of the result is one function. A tool that has been deleted is left out and logged.
    """
    model = as_object(assistant_json.get("model"))
    tools = as_objects(model.get("tools"))
    for tool_id in as_list(model.get("toolIds")):
        stored = await store.tools.get(str(tool_id))
        if stored is None:
            _log.warning("a tool of an assistant does not exist", tool_id=str(tool_id)[:80])
        else:
            tools.append(stored)
    tools = [_for_server(tool, assistant_json) for tool in tools]
    if assistant_json.get("endCallFunctionEnabled") is True and not any(t.get("type") == "endCall" for t in tools):
        tools.append({"type": "endCall"})
    return await _expanded(tools, runner)


async def gather_hook_tools(
    assistant_json: JsonObject, store: Store, runner: ToolRunner
) -> tuple[JsonObject | None, ...]:
    """Return the tools that an assistant's hooks call, in their order; None for one that has been deleted."""
    tools: list[JsonObject | None] = []
    for one in compile_hooks(assistant_json, log=False).tools:
        tool_id: object = one.get("toolId")
        stored = one if "type" in one else await store.tools.get(str(tool_id))
        if stored is None:
            _log.warning("a tool of a hook does not exist", tool_id=str(tool_id)[:80])
        expanded = () if stored is None else await _expanded([_for_server(stored, assistant_json)], runner)
        tools.append(expanded[0] if expanded else None)
    return tuple(tools)


def _for_server(tool: JsonObject, assistant_json: JsonObject) -> JsonObject:
    """Return a tool without its fixed arguments if they would go to a server that a caller set.

    A tool without a server is run by the assistant's, and its owner wrote the arguments for the owner's server.
    """
    at_assistants = not as_object(tool.get("server")).get("url")
    if is_callers(tool) or not (at_assistants and is_callers(as_object(assistant_json.get("server")))):
        return tool
    return {name: value for name, value in tool.items() if name != "parameters" or tool.get("type") == "apiRequest"}


async def _expanded(tools: Sequence[JsonObject], runner: ToolRunner) -> tuple[JsonObject, ...]:
    found: dict[int, Sequence[JsonObject]] = {}

    async def expand(index: int, tool: JsonObject) -> None:
        found[index] = await runner.expand(tool)

    with anyio.move_on_after(_EXPAND_S):
        async with anyio.create_task_group() as tasks:
            for index, tool in enumerate(tools):
                tasks.start_soon(expand, index, tool)
    return tuple(one for index in sorted(found) for one in found[index])
