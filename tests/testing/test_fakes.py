"""The scripted model, the owner's server, and an agent that is prepared for them."""

import json
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from bargein.client.errors import ClientError
from bargein.client.server_api import Server
from bargein.testing.agents import NEEDED_MESSAGES, call_body, find_agent, prepare_assistant
from bargein.testing.owner import Owner
from bargein.testing.scripted_model import ScriptedModel
from tests.client.stub import StubServer

pytestmark = pytest.mark.anyio


async def ask(model: ScriptedModel, *messages: tuple[str, str]) -> httpx.Response:
    body = {"messages": [{"role": role, "content": content} for role, content in messages], "stream": True}
    async with httpx.AsyncClient() as client:
        return await client.post(f"{model.url}/chat/completions", json=body)


def said(answer: httpx.Response) -> str:
    """Return the text of a streamed answer, and the tools that it calls."""
    events = [json.loads(line[6:]) for line in answer.text.splitlines() if line.startswith("data: {")]
    deltas = [event["choices"][0]["delta"] for event in events]
    tools = [call["function"] for delta in deltas for call in delta.get("tool_calls", ())]
    names = "".join(tool.get("name", "") for tool in tools)
    return "".join(delta.get("content", "") for delta in deltas) + names + "".join(tool["arguments"] for tool in tools)


async def test_a_model_answers_turn_by_turn_and_the_same_turn_with_the_same_answer() -> None:
    async with ScriptedModel() as model:
        assert model.answers("One two.").calls_tool("book", says="Wait. ", day="Friday") is model
        model.streams(["a", "b"], every_ms=1).fails(503)
        assert said(await ask(model, ("user", "Hi"))) == "One two. "
        assert said(await ask(model, ("user", "Hi there"))) == "One two. "  # the server began to answer early
        turns = [("user", "Hi there"), ("assistant", "One two."), ("user", "Book")]
        assert said(await ask(model, *turns)) == 'Wait. book{"day": "Friday"}'
        assert said(await ask(model, *turns, ("tool", "booked"))) == "ab"
        assert (await ask(model, *turns, ("user", "And?"))).status_code == 503
        assert model.problems == []
        assert (await ask(model, *turns, ("user", "And?"), ("user", "Well?"))).status_code == 500
        (problem,) = model.problems
        assert problem == (
            "the model was asked for answer 5, but only 4 were scripted; the conversation ends with user: “Well?”"
        )
        assert [request["messages"][-1]["content"] for request in model.requests][:2] == ["Hi", "Hi there"]


async def test_a_model_that_hangs_sends_its_words_first() -> None:
    async with ScriptedModel() as model, httpx.AsyncClient() as client:
        model.hangs("Well,")
        body = {"messages": [{"role": "user", "content": "Hi"}]}
        with anyio.move_on_after(0.5) as time:
            async with client.stream("POST", f"{model.url}/chat/completions", json=body) as answer:
                text = ""
                async for line in answer.aiter_lines():
                    text += line
        assert time.cancelled_caught
        assert "Well," in text


async def post(owner: Owner, **message: Any) -> Any:
    async with httpx.AsyncClient() as client:
        return (await client.post(owner.url, json={"message": message})).json()


async def test_an_owner_keeps_messages_and_answers_tools() -> None:
    async with Owner() as owner:
        owner.tool("hours", "nine to five").tool("book", lambda day, people=2: {"day": day, "people": people})
        owner.answers("assistant-request", {"assistantId": "a1"})

        def call(name: str, arguments: object) -> dict[str, Any]:
            return {"id": f"{name}-id", "function": {"name": name, "arguments": arguments}}

        calls = [call("hours", {}), call("book", '{"day": "Friday"}'), call("book", {"daay": 1}), call("pay", {})]
        results = (await post(owner, type="tool-calls", toolCallList=calls))["results"]
        assert results[0] == {"toolCallId": "hours-id", "result": "nine to five"}
        assert results[1]["result"] == {"day": "Friday", "people": 2}
        assert results[2]["error"].startswith("TypeError")
        assert results[3]["error"] == "the test has no answer for pay"
        assert owner.problems == ["the tool pay was called, but the test has no answer: owner.tool('pay', …)"]
        assert await post(owner, type="assistant-request") == {"assistantId": "a1"}
        assert await post(owner, type="hang") == {}
        assert [message["type"] for message in owner.messages] == ["tool-calls", "assistant-request", "hang"]
        assert owner.of("hang") == [{"type": "hang"}]
        assert await owner.wait_for("hang") == {"type": "hang"}
        with pytest.raises(TimeoutError, match=r"got no status-update within 0\.05 s; it got tool-calls, assistant-"):
            await owner.wait_for("status-update", within_s=0.05)


TOOL = {"type": "function", "function": {"name": "book"}, "server": {"url": "https://a.example", "timeoutSeconds": 3}}
ASSISTANT = {
    "name": "A",
    "clientMessages": ["metadata"],
    "serverUrl": "https://b.example",
    "serverUrlSecret": "s3",
    "model": {"provider": "openai", "model": "gpt-4o", "messages": [], "tools": [TOOL, {"type": "endCall"}]},
}


def test_a_prepared_assistant_has_the_tests_model_and_server_and_the_messages_that_a_caller_needs() -> None:
    prepared = prepare_assistant(ASSISTANT, "http://model", "http://owner")
    tools = [{**TOOL, "server": {"url": "http://owner", "timeoutSeconds": 3}}, {"type": "endCall"}]
    assert prepared == {
        "name": "A",
        "clientMessages": sorted({"metadata", *NEEDED_MESSAGES}),
        "server": {"url": "http://owner"},
        "model": {"provider": "custom-llm", "url": "http://model", "model": "scripted", "messages": [], "tools": tools},
    }
    alone = prepare_assistant(ASSISTANT, None, None)
    assert alone == {**ASSISTANT, "clientMessages": prepared["clientMessages"]}


async def test_an_agent_is_json_a_file_a_squad_or_a_stored_assistant(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps(ASSISTANT))
    for given in ("a.json", Path("a.json"), tmp_path / "a.json", ASSISTANT):
        assert await find_agent(given, tmp_path) == ASSISTANT
    assert await find_agent("some-id", tmp_path) == "some-id"
    with pytest.raises(ClientError, match=r"cannot read none\.json"):
        await find_agent("none.json", tmp_path)
    squad = {"members": [{"assistant": ASSISTANT, "assistantDestinations": []}]}
    body = await call_body(Server(), squad, "http://model", None)
    (member,) = body["squad"]["members"]
    assert member["assistant"] == prepare_assistant(ASSISTANT, "http://model", None)
    assert member["assistantDestinations"] == []
    with pytest.raises(ClientError, match="a member with an assistantId is not changed"):
        await call_body(Server(), {"members": [{"assistantId": "a"}]}, None, None)
    async with StubServer() as stub:
        stored = await call_body(Server(url=stub.url), "some-id", "http://model", None)
    assert stored["assistant_id"] == "some-id"
    assert set(stored["assistant_overrides"]) == {"clientMessages", "model"}
