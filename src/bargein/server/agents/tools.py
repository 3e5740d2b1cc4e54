"""What an assistant may call: its tools, from where it names them."""

from collections.abc import Sequence
from typing import cast

import anyio
import structlog

from bargein.call.plan.hooks import compile_hooks
from bargein.ports import ToolRunner
from bargein.store import Store
from bargein.wire.base import JsonObject

_log = structlog.get_logger("bargein.server")

_EXPAND_S = 8.0
"""A call begins without the tools that cannot tell in time what they are."""


async def gather_tools(
    assistant: JsonObject, store: Store, runner: ToolRunner | None, more: Sequence[JsonObject] = ()
) -> tuple[JsonObject, ...]:
    """The tools of an assistant: `model.tools`, those that `model.toolIds` names in the store, and `more`.

    The legacy field `endCallFunctionEnabled` adds the tool endCall. Each is expanded by whoever runs it, so that every
    one stands for one function. A tool that has been deleted is left out, and told to the log.
    """
    model: object = assistant.get("model")
    part = cast("JsonObject", model) if isinstance(model, dict) else {}
    tools = [*_objects(part.get("tools")), *more]
    for tool_id in cast("list[object]", part.get("toolIds") or []):
        stored = await store.tools.get(str(tool_id))
        if stored is None:
            _log.warning("an assistant's tool is not there", tool_id=str(tool_id)[:80])
        else:
            tools.append(stored)
    if assistant.get("endCallFunctionEnabled") is True and not any(t.get("type") == "endCall" for t in tools):
        tools.append({"type": "endCall"})
    if runner is None:
        return tuple(tools)
    return await _expanded(tools, runner)


async def gather_hook_tools(
    assistant: JsonObject, store: Store, runner: ToolRunner | None
) -> tuple[JsonObject | None, ...]:
    """The tools that an assistant's hooks call, in their order; None for one that has been deleted."""
    tools: list[JsonObject | None] = []
    for one in compile_hooks(assistant, tell=False).tools:
        tool_id: object = one.get("toolId")
        stored = one if "type" in one else await store.tools.get(str(tool_id))
        if stored is None:
            _log.warning("a hook's tool is not there", tool_id=str(tool_id)[:80])
        expanded = () if stored is None else (stored,) if runner is None else await _expanded([stored], runner)
        tools.append(expanded[0] if expanded else None)
    return tuple(tools)


async def _expanded(tools: Sequence[JsonObject], runner: ToolRunner) -> tuple[JsonObject, ...]:
    found: dict[int, Sequence[JsonObject]] = {}

    async def expand(index: int, tool: JsonObject) -> None:
        found[index] = await runner.expand(tool)

    with anyio.move_on_after(_EXPAND_S):
        async with anyio.create_task_group() as tasks:
            for index, tool in enumerate(tools):
                tasks.start_soon(expand, index, tool)
    return tuple(one for index in sorted(found) for one in found[index])


def _objects(given: object) -> list[JsonObject]:
    found = cast("list[object]", given) if isinstance(given, list) else []
    return [cast("JsonObject", one) for one in found if isinstance(one, dict)]
