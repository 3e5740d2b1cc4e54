"""Real tools in real calls: the model's tool calls reach servers, and the model gets their answers."""

from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from bargein.testing import LlmScript
from tests.call.harness import bearing, calling
from tests.call.stage import Stage, staged
from tests.tools.mcp_peer import mcp_peer
from tests.webhooks.receiver import Receiver

pytestmark = pytest.mark.anyio


def tooled(stage: Stage, *tools: dict[str, Any]) -> dict[str, Any]:
    assistant = stage.assistant()
    return {**assistant, "model": {**assistant["model"], "tools": list(tools)}}


def calls_in_turn(*calls: tuple[str, str]) -> Any:
    """Return a model that calls one tool after the other, and then talks."""

    def script(body: dict[str, Any]) -> LlmScript:
        done = sum(message["role"] == "tool" for message in body["messages"])
        return LlmScript(tokens=(), calls=[calls[done]]) if done < len(calls) else LlmScript(tokens=["Done."])

    return script


async def results(stage: Stage, count: int) -> list[str]:
    with anyio.fail_after(20):
        body = (await stage.llm.exchange(count, within_s=20)).body
    return [message["content"] for message in body["messages"] if message["role"] == "tool"]


async def test_a_function_then_an_api_that_uses_what_it_found(tmp_path: Path) -> None:
    script = calls_in_turn(("find", '{"name": "Ann"}'), ("order", "{}"))
    async with Receiver([{"results": [{"result": {"id": 7}}]}]) as owner, Receiver([{"ok": True}]) as api:
        async with staged(tmp_path, llm=script) as stage:
            function = {
                "type": "function",
                "function": {"name": "find", "parameters": {"type": "object", "properties": {}}},
                "server": {"url": owner.url},
                "variableExtractionPlan": {"schema": {"type": "object", "properties": {"id": {"type": "number"}}}},
            }
            order = {"type": "apiRequest", "name": "order", "method": "GET", "url": f"{api.url}/{{{{ id }}}}"}
            async with calling(stage.url, tooled(stage, function, order)) as caller:
                assert await results(stage, 2) == ['{"id": 7}', '{"ok": true}']
            declared = (await stage.llm.exchange(0)).body["tools"]
        assert [tool["function"]["name"] for tool in declared] == ["find", "order"]
        (asked,) = owner.of("tool-calls")
        assert asked["call"]["id"] == caller.id
        assert asked["toolCalls"][0]["function"] == {"name": "find", "arguments": {"name": "Ann"}}
        assert api.got[0].path == "/hook/7"


async def test_an_mcp_servers_tools_are_the_models(tmp_path: Path) -> None:
    async with mcp_peer() as peer, staged(tmp_path, llm=calls_in_turn(("add", '{"a": 2, "b": 3}'))) as stage:
        dead = {"type": "mcp", "server": {"url": "http://127.0.0.1:9/"}}
        mcp = {"type": "mcp", "server": {"url": peer.url}}
        async with calling(stage.url, tooled(stage, dead, mcp)) as caller:
            assert await results(stage, 1) == ["5"]
    assert {headers["x-call-id"] for _, headers in peer.requests} == {caller.id}


async def test_an_uploaded_file_is_searched(tmp_path: Path) -> None:
    script = calls_in_turn(("search_knowledge", '{"query": "opening hours"}'))
    async with staged(tmp_path, llm=script) as stage:
        async with httpx.AsyncClient(base_url=stage.url, headers=bearing("some-key")) as owner:
            text = "Opening hours: from nine to six."
            uploaded = await owner.post("/file", files={"file": ("hours.txt", text, "text/plain")})
            assert uploaded.status_code == 201
        base = {"provider": "google", "name": "shop", "description": "The shop", "fileIds": [uploaded.json()["id"]]}
        async with calling(stage.url, tooled(stage, {"type": "query", "knowledgeBases": [base]})):
            assert await results(stage, 1) == [f"[hours.txt]\n{text}"]
