"""Every type of tool that an assistant may have is run here, or says what it needs."""

from typing import Any

import pytest

from bargein.call.tools.declarations import BUILTIN_TYPES, ToolDeclarations
from bargein.ports import ToolCall
from bargein.server.agents.problems import problem_of_tool
from bargein.testing import make_settings
from bargein.tools.kinds import CLIENT_TOOLS, NEEDS, need_of
from bargein.wire import contract
from bargein.wire.tools import TOOLS
from tests.tools.tool_calls import ScriptedMessenger, call, tools

HERE = {"function", "apiRequest", "mcp", "query"}
"""The types with a runner of their own."""


OF_WORKFLOWS = {"output", "make", "ghl"}
"""Vapi's schema has these without a request that makes one."""


def all_types() -> set[str]:
    """Every type of a tool in Vapi's contract."""
    found = {
        kind
        for name, schema in contract.definitions().items()
        if name.startswith("Create") and name.endswith("ToolDTO")
        for kind in schema.get("properties", {}).get("type", {}).get("enum", ())
    }
    return found | set(TOOLS) | OF_WORKFLOWS


def test_the_contract_has_the_types_that_are_known() -> None:
    assert {"sms", "code", "sipRequest", "slack.message.send"} <= all_types()
    assert len(all_types()) >= 26


@pytest.mark.anyio
@pytest.mark.parametrize("kind", sorted(all_types()))
async def test_each_type_is_run_or_says_what_it_needs(kind: str) -> None:
    tool: dict[str, Any] = {"type": kind}
    need = need_of(tool, code=False)
    assert (need is None) == (kind in HERE | BUILTIN_TYPES - {"sipRequest"} | set(CLIENT_TOOLS))
    warned = problem_of_tool(tool, make_settings(), owned=True)
    assert warned == (None if need is None else f"a tool of type {kind} {need}")
    if need is None:
        return
    assert need.startswith(("needs ", "is off "))
    assert "server.url" in need, "each says a way out"
    assert need_of({**tool, "server": {"url": "https://a.example/"}}, code=False) is None
    async with tools() as runner:
        declared = await runner.expand(tool)
        if kind != "sipRequest":  # which the call itself answers
            result = await runner.run(tool, call("anything"))
            assert result.failed
            assert result.text == f"Not run: a tool of type {kind} {need}. Go on without it."
    (declaration,) = ToolDeclarations(declared).declarations
    assert declaration["function"]["name"], "the model may call it, and then learns why it cannot be run"


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("kind", "name", "argument"), [("bash", "bash", "command"), ("computer", "computer", "action"),
                                   ("textEditor", "str_replace_editor", "path")]
)  # fmt: skip
async def test_anthropics_tools_are_sent_to_the_owners_server(kind: str, name: str, argument: str) -> None:
    messenger = ScriptedMessenger({"result": "ran"})
    async with tools(messenger) as runner:
        (tool,) = await runner.expand({"type": kind, "name": name})
        result = await runner.run(tool, ToolCall("c1", name, f'{{"{argument}": "x"}}'))
    assert result.text == "ran"
    (message, server) = messenger.asked[0]
    assert server is None, "the assistant's, the number's or the installation's"
    assert message["toolCallList"][0]["name"] == name
    (declaration,) = ToolDeclarations([tool]).declarations
    assert argument in declaration["function"]["parameters"]["required"]
    without = problem_of_tool(tool, make_settings())
    assert without is not None
    assert "run by your server" in without
    assert problem_of_tool(tool, make_settings(server_url="https://a.example")) is None


def test_every_kind_of_need_is_of_a_type_that_exists() -> None:
    assert set(NEEDS) | set(CLIENT_TOOLS) <= all_types()
