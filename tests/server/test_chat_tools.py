"""Tools in text conversations: they run on real servers, the model gets their results, the record has all messages."""

import json
from typing import Any

import httpx
import pytest

from bargein.server.chats import service
from bargein.testing import FakeLlm, LlmScript
from tests.server.conftest import Serve
from tests.server.test_chats import events
from tests.tools.mcp_peer import mcp_peer
from tests.webhooks.receiver import NEVER, Receiver, as_json

pytestmark = pytest.mark.anyio


def calls_in_turn(*rounds: list[tuple[str, str]]) -> Any:
    """Return a model script that calls tools round after round and then answers."""

    def script(body: dict[str, Any]) -> LlmScript:
        since = [m["role"] for m in body["messages"]]
        done = sum(
            m["role"] == "assistant" and bool(m.get("tool_calls")) for m in body["messages"][_last_user(since) :]
        )
        return LlmScript(tokens=(), calls=rounds[done]) if done < len(rounds) else LlmScript(tokens=("It is ", "7."))

    return script


def _last_user(roles: list[str]) -> int:
    return len(roles) - 1 - roles[::-1].index("user")


def function(url: str, name: str = "find") -> dict[str, Any]:
    return {
        "type": "function",
        "function": {"name": name, "parameters": {"type": "object", "properties": {}}},
        "server": {"url": url},
    }


def assistant(llm: FakeLlm, *tools: dict[str, Any]) -> dict[str, Any]:
    return {"model": {"provider": "custom-llm", "url": llm.url, "model": "m", "tools": list(tools)}}


def results_for(llm: FakeLlm, index: int = -1) -> list[str]:
    return [one["content"] for one in llm.exchanges[index].body["messages"] if one["role"] == "tool"]


async def test_tool_calls_are_run_and_recorded(client: httpx.AsyncClient) -> None:
    script = calls_in_turn([("find", '{"name": "Ann"}'), ("hangup", "{}"), ("order", "{}")])
    async with (
        Receiver([{"results": [{"result": {"id": 7}}]}]) as owner,
        Receiver([{"ok": True}]) as api,
        FakeLlm(script) as llm,
    ):
        order = {"type": "apiRequest", "name": "order", "method": "GET", "url": f"{api.url}/orders"}
        who = assistant(llm, function(owner.url), order, {"type": "endCall", "function": {"name": "hangup"}})
        answer = await client.post("/chat", json={"assistant": who, "input": "Find it."})
        assert answer.status_code == 201, answer.text
        chat = answer.json()
        called, *results, said = chat["output"]
        assert said == {"role": "assistant", "content": "It is 7."}
        assert [call["function"]["name"] for call in called["tool_calls"]] == ["find", "hangup", "order"]
        assert [one["tool_call_id"] for one in results] == [call["id"] for call in called["tool_calls"]]
        assert [one["role"] for one in results] == ["tool"] * 3
        assert json.loads(results[0]["content"]) == {"id": 7}
        assert "needs a call" in results[1]["content"]
        assert results_for(llm) == [one["content"] for one in results]
        (asked,) = owner.of("tool-calls")
        assert asked["toolCalls"][0]["function"] == {"name": "find", "arguments": {"name": "Ann"}}
        assert (asked["chat"]["id"], "call" in asked) == (chat["id"], False)
        assert (await client.get(f"/chat/{chat['id']}")).json() == chat

        more = {"previousChatId": chat["id"], "input": [{"role": "user", "content": "And now?"}]}
        assert (await client.post("/chat", json=more)).status_code == 201
        history = llm.exchanges[2].body["messages"]
        assert [one["role"] for one in history] == ["user", "assistant", "tool", "tool", "tool", "assistant", "user"]
        assert [call["id"] for call in history[1]["tool_calls"]] == [one["tool_call_id"] for one in results]


async def test_a_stream_has_the_text_of_all_rounds_and_responses_the_whole_text(client: httpx.AsyncClient) -> None:
    async with Receiver([{"result": "7"}]) as owner, FakeLlm(calls_in_turn([("find", "{}")])) as llm:
        body = {"assistant": assistant(llm, function(owner.url)), "input": "Find it."}
        *deltas, end = events((await client.post("/chat", json={**body, "stream": True})).text)
        assert ([one["delta"] for one in deltas], end) == (["It is ", "7."], "[DONE]")
        assert {one["path"] for one in deltas} == {"chat.output[0].content"}  # what Vapi's widget reads
        response = (await client.post("/chat/responses", json=body)).json()
        assert response["output"][0]["content"][0]["text"] == "It is 7."


async def test_a_page_gets_no_tool_messages(client: httpx.AsyncClient) -> None:
    async with Receiver([{"result": "7"}]) as owner, FakeLlm(calls_in_turn([("find", "{}")])) as llm:
        body = {"assistant": assistant(llm, function(owner.url)), "input": "Find it."}
        answer = (await client.post("/chat/web", json=body)).json()
        assert answer["output"] == [{"role": "assistant", "content": "It is 7."}]
        kept = (await client.get(f"/chat/{answer['id']}")).json()
        assert [one["role"] for one in kept["output"]] == ["assistant", "tool", "assistant"]


async def test_a_session_keeps_tool_messages(client: httpx.AsyncClient) -> None:
    async with Receiver([{"result": "7"}]) as owner, FakeLlm(calls_in_turn([("find", "{}")])) as llm:
        who = assistant(llm, function(owner.url))
        session_id = (await client.post("/session", json={"assistant": who})).json()["id"]
        for text in ("One.", "Two."):
            chat = await client.post("/chat", json={"sessionId": session_id, "input": text})
            assert chat.status_code == 201, chat.text
        session = (await client.get(f"/session/{session_id}")).json()
        assert [one["role"] for one in session["messages"]] == ["user", "assistant", "tool", "assistant"] * 2
        assert results_for(llm) == ["7", "7"]


async def test_the_model_gets_the_errors_of_tools(client: httpx.AsyncClient) -> None:
    script = calls_in_turn([("find", "{}"), ("nothing", "{}"), ("find", "[")])
    async with Receiver([as_json({}, 500)]) as owner, FakeLlm(script) as llm:
        body = {"assistant": assistant(llm, function(owner.url)), "input": "Find it."}
        chat = (await client.post("/chat", json=body)).json()
        assert chat["output"][-1]["content"] == "It is 7."
        failed, unknown, broken = results_for(llm)
        assert failed.startswith("It failed")
        assert unknown == "Not run: there is no such tool."
        assert "not a JSON object" in broken
        assert len(owner.got) == 1


async def test_a_model_that_never_stops_calling_must_answer(client: httpx.AsyncClient) -> None:
    async with Receiver([{"result": "7"}]) as owner, FakeLlm(calls_in_turn(*[[("find", "{}")]] * 20)) as llm:
        body = {"assistant": assistant(llm, function(owner.url)), "input": "Find it."}
        chat = (await client.post("/chat", json=body)).json()
        assert len(llm.exchanges) == 9
        assert ["tools" in one.body for one in llm.exchanges] == [True] * 8 + [False]
        assert len(owner.got) == 8
        assert chat["output"][-1] == {"role": "assistant", "content": ""}


async def test_an_answer_that_takes_too_long_is_given_up(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "_WHOLE_ANSWER_S", 0.5)
    async with Receiver([NEVER]) as owner, FakeLlm(calls_in_turn([("find", "{}")])) as llm:
        body = {"assistant": assistant(llm, function(owner.url)), "input": "Find it."}
        answer = await client.post("/chat", json=body)
        assert (answer.status_code, answer.json()["message"]) == (504, "the answer was not complete within 0.5 s")
        assert (await client.get("/chat")).json()["results"] == []


async def test_stored_tools_and_mcp_servers(serve: Serve) -> None:
    async with mcp_peer() as peer, serve() as client, Receiver([{"result": "7"}]) as owner:
        tool = (await client.post("/tool", json=function(owner.url))).json()
        async with FakeLlm(calls_in_turn([("find", "{}")])) as llm:
            who = assistant(llm, {"type": "mcp", "server": {"url": peer.url}})
            who["model"]["toolIds"] = [tool["id"]]
            chat = (await client.post("/chat", json={"assistant": who, "input": "Find it."})).json()
            assert chat["output"][1]["content"] == "7"
            declared = {one["function"]["name"] for one in llm.exchanges[0].body["tools"]}
            assert "find" in declared
            assert len(declared) > 1
            assert {headers["x-chat-id"] for _, headers in peer.requests} == {chat["id"]}
