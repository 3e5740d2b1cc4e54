"""The bytes that a page gets of a stored assistant's call or chat: none of them is the owner's own."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import anyio
import httpx
import pytest
import websockets

from bargein.call.clients.messages import ClientMessenger, Participants
from bargein.call.tools.executor import ToolInvocation
from bargein.ports import OwnerMessenger, ToolCall
from bargein.testing import FakeLlm, LlmScript, TranscriberScript
from bargein.turns import commands
from bargein.wire.assistant import Assistant
from bargein.wire.client_messages import CLIENT_MESSAGES
from tests.call.harness import bearing, joining
from tests.call.stage import Stage, staged
from tests.webhooks.receiver import Receiver
from tests.wire.test_client_view import MARK, NUMBERS, whole

pytestmark = pytest.mark.anyio

OWNERS = ("assistant.started", "transfer-update", "conversation-update")
KEY, PUBLIC = "private-key-1234", "public-key-5678"


def hidden(name: str) -> str:
    return f"{MARK}-{name}"


def full_of_marks(stage: Stage, hook: Receiver, name: str, **more: Any) -> dict[str, Any]:
    """Return an assistant that runs and has something of its owner's in each field that a page must not see."""
    look_up = {
        "type": "function",
        "function": {"name": "look_up", "description": hidden("tool")},
        "server": {"url": f"{hook.url}/{hidden('tool-server')}", "secret": hidden("tool-secret")},
        "messages": [{"type": "request-failed", "content": "No.", "role": "system"}],
    }
    plan = {"summaryPlan": {"messages": [{"role": "system", "content": hidden("analysis")}]}}
    note = {"type": "message.add", "message": {"role": "system", "content": hidden("hook")},
            "triggerResponseEnabled": False}  # fmt: skip
    assistant = stage.assistant(name=name, clientMessages=sorted(CLIENT_MESSAGES), **more)
    return {
        **assistant,
        "model": {
            **assistant["model"],
            "headers": {"x-key": hidden("header")},
            "messages": [{"role": "system", "content": hidden("prompt")}],
            "toolIds": [hidden("tool-id")],  # there is no such tool
            "tools": [look_up, *more.get("model", {}).get("tools", [])],
        },
        "server": {"url": f"{hook.url}/{hidden('server')}", "secret": hidden("server-secret")},
        "serverMessages": ["assistant.started", "conversation-update", "transfer-update", "tool-calls"],
        "credentials": [{"provider": "openai", "apiKey": hidden("key")}],
        "hooks": [{"on": "call.timeElapsed", "options": {"seconds": 1}, "do": [note]}],
        "analysisPlan": plan,
        "voicemailMessage": hidden("voicemail"),
        "endCallMessage": "Bye.",
        "metadata": {"note": hidden("metadata")},
    }


def asked_to(*calls: tuple[str, str]) -> Callable[[dict[str, Any]], LlmScript]:
    """Return a model that calls these tools one after the other, and then talks."""

    def script(body: dict[str, Any]) -> LlmScript:
        done = sum(message["role"] == "tool" for message in body["messages"])
        return (
            LlmScript(tokens=[], calls=[calls[done]])
            if done < len(calls)
            else LlmScript(tokens=["So ", "that ", "is ", "it."])
        )

    return script


async def posted(url: str, path: str, body: dict[str, Any], key: str) -> httpx.Response:
    async with httpx.AsyncClient() as client:
        answer = await client.post(f"{url}{path}", json=body, headers=bearing(key), timeout=20)
    assert answer.status_code in {200, 201}, answer.text
    return answer


async def squad_of_two(stage: Stage, hook: Receiver) -> str:
    handoff = {"type": "handoff", "destinations": [
        {"type": "assistant", "assistantName": "Bea", "description": hidden("destination")}
    ]}  # fmt: skip
    ada = full_of_marks(stage, hook, "Ada")
    ada["model"]["tools"].append(handoff)
    bea = full_of_marks(stage, hook, "Bea", firstMessage="Bea here.", firstMessageMode="assistant-speaks-first")
    ids = [(await posted(stage.url, "/assistant", one, KEY)).json()["id"] for one in (ada, bea)]
    values = {"assistantOverrides": {"variableValues": {"api_token": hidden("variable")}}}
    squad = {"members": [{"assistantId": one, **values} for one in ids]}
    return (await posted(stage.url, "/squad", squad, KEY)).json()["id"]


async def heard(url: str, call: dict[str, Any], path: str, kept: list[bytes]) -> None:
    """Keep what a listener gets."""
    async with websockets.connect(f"ws{url.removeprefix('http')}/{call['id']}/{path}", compression=None) as socket:
        kept.extend([frame.encode() async for frame in socket if isinstance(frame, str)])


async def test_no_byte_of_a_page_is_the_owners(tmp_path: Path) -> None:
    kept: list[bytes] = []
    script = asked_to(("look_up", "{}"), ("handoff_to_Bea", "{}"))
    async with (
        Receiver() as hook,
        staged(tmp_path, llm=script, api_key=KEY, public_key=PUBLIC) as stage,
    ):
        squad_id = await squad_of_two(stage, hook)
        answer = await posted(stage.url, "/call/web", {"squadId": squad_id}, PUBLIC)
        kept.append(answer.content)
        call = answer.json()
        async with joining(stage.url, call) as caller, anyio.create_task_group() as tasks:
            await caller.until(lambda: caller.messages)
            tasks.start_soon(heard, stage.url, call, "listen", kept)
            await caller.until(lambda: len(caller.of("assistant.started")) == 2, 20)
            await caller.until(lambda: caller.of("transcript", role="assistant", transcript="Bea here."), 20)
            # Refused: there is nobody of that name, and no such message.
            await caller.send({"type": "handoff", "destination": {"type": "assistant", "assistantName": "Nobody"}})
            await caller.send({"type": "dance"})
            await caller.until(lambda: len([m for _, m in caller.messages if m.get("statusCode") == 400]) == 2)
            await caller.send({"type": "end-call"})
            await caller.until_closed()
        await hook.until(lambda: hook.of("transfer-update"))
        frames = [json.dumps(frame).encode() for frame in caller.order if isinstance(frame, dict)]
        kinds = set(caller.kinds())
        told = json.dumps([got.message for got in hook.got])
    assert kinds >= {"assistant.started", "transfer-update", "tool-calls", "tool-calls-result", "conversation-update"}
    assert len(kept) > 5, "a listener got messages too"
    for text in (*frames, *kept):
        assert MARK.encode() not in text, text[max(0, text.index(MARK.encode()) - 300) :][:600]
    for name in ("prompt", "tool", "hook", "analysis", "metadata"):
        assert hidden(name) in told, "the owner's server sees what is its own"
    for name in ("tool-secret", "server-secret", "header", "key"):
        assert f'"{hidden(name)}"' not in told


@pytest.mark.parametrize("stream", [False, True])
async def test_no_byte_of_a_pages_chat_is_the_owners(tmp_path: Path, stream: bool) -> None:
    async with (
        Receiver() as hook,
        staged(tmp_path, llm=asked_to(("look_up", "{}")), api_key=KEY, public_key=PUBLIC) as stage,
    ):
        assistant = full_of_marks(stage, hook, "Ada")
        assistant_id = (await posted(stage.url, "/assistant", assistant, KEY)).json()["id"]
        body = {"assistantId": assistant_id, "input": "Hi.", "stream": stream}
        answer = await posted(stage.url, "/chat/web", body, PUBLIC)
        assert "that" in answer.text
        assert MARK not in answer.text
        for method, path in (("GET", f"/assistant/{assistant_id}"), ("GET", "/call"), ("GET", "/chat")):
            async with httpx.AsyncClient() as client:
                refused = await client.request(method, f"{stage.url}{path}", headers=bearing(PUBLIC))
            assert refused.status_code == 403
            assert MARK not in refused.text


AWAY = "http://127.0.0.1:9"


@pytest.mark.parametrize("stream", [False, True])
async def test_an_error_of_the_owners_model_names_no_server_to_a_page(tmp_path: Path, stream: bool) -> None:
    async with staged(tmp_path, api_key=KEY, public_key=PUBLIC) as stage, httpx.AsyncClient() as client:
        for model in ({"provider": "custom-llm", "model": "m", "url": AWAY}, {"provider": "groq", "model": "m"}):
            assistant = (await posted(stage.url, "/assistant", {"model": model}, KEY)).json()
            body = {"assistantId": assistant["id"], "input": "Hi.", "stream": stream}
            shown = await client.post(f"{stage.url}/chat/web", json=body, headers=bearing(PUBLIC))
            whole = await client.post(f"{stage.url}/chat", json=body, headers=bearing(KEY))
            assert shown.status_code == whole.status_code in {400, 502}
            for name in ("127.0.0.1", "groq"):
                assert name not in shown.text
            assert "the assistant" in shown.text
            assert "127.0.0.1" in whole.text or "groq" in whole.text


async def test_a_page_is_not_told_why_the_owners_assistant_cannot_run(tmp_path: Path) -> None:
    async with staged(tmp_path, api_key=KEY, public_key=PUBLIC) as stage:
        voice = {"provider": "11labs", "voiceId": "sarah"}
        broken = (await posted(stage.url, "/assistant", stage.assistant(voice=voice), KEY)).json()["id"]
        call = (await posted(stage.url, "/call/web", {"assistantId": broken}, PUBLIC)).json()
        for key, told in ((None, False), (KEY, True)):
            call = (await posted(stage.url, "/call/web", {"assistantId": broken}, PUBLIC)).json()
            async with joining(stage.url, call, key=key) as caller:
                assert await caller.until_closed() == 1011
                assert ("11labs" in caller.reason) == told
        works = (await posted(stage.url, "/assistant", stage.assistant(), KEY)).json()["id"]
        call = (await posted(stage.url, "/call/web", {"assistantId": works}, PUBLIC)).json()
        async with joining(stage.url, call) as caller:
            await caller.until(lambda: caller.messages)
            await caller.send({"type": "handoff", "destination": {"type": "assistant", "assistantId": broken}})
            await caller.until(lambda: [m for _, m in caller.messages if m.get("statusCode") == 400])
            assert "11labs" not in json.dumps([m for _, m in caller.messages])


async def test_a_hooks_name_and_arguments_are_not_a_pages(tmp_path: Path) -> None:
    keys = {"type": "dtmf", "parameters": [{"key": "dtmf", "value": "47110815#47110815"}]}
    hook = {"on": "call.timeElapsed", "options": {"seconds": 1}, "name": hidden("name"),
            "do": [{"type": "tool", "tool": keys}]}  # fmt: skip
    insights: list[bytes] = []

    async def watch(call: dict[str, Any]) -> None:
        async with (
            httpx.AsyncClient() as client,
            client.stream("GET", f"{stage.url}/{call['id']}/insight", headers=bearing(PUBLIC)) as answer,
        ):
            insights.append(await answer.aread())

    async with staged(tmp_path, transcriber=TranscriberScript(), api_key=KEY, public_key=PUBLIC) as stage:
        assistant = stage.assistant(clientMessages=sorted(CLIENT_MESSAGES), hooks=[hook])
        assistant_id = (await posted(stage.url, "/assistant", assistant, KEY)).json()["id"]
        call = (await posted(stage.url, "/call/web", {"assistantId": assistant_id}, PUBLIC)).json()
        async with joining(stage.url, call) as caller, anyio.create_task_group() as tasks:
            await caller.until(lambda: caller.messages)
            tasks.start_soon(watch, call)
            await caller.until(lambda: caller.of("tool.completed"))
            await caller.send({"type": "end-call"})
            await caller.until_closed()
    assert b'"hook"' in insights[0]
    assert {"tool-calls", "tool.completed", "conversation-update"} <= set(caller.kinds())
    for text in (json.dumps([m for _, m in caller.messages]).encode(), *insights):
        assert MARK.encode() not in text
        assert b"47110815" not in text, text[text.index(b"47110815") - 300 :][:400]


class Owner:
    """An owner's server that keeps what it is sent."""

    has_server = True

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []

    def send(self, message: dict[str, Any]) -> None:
        self.sent.append(message)

    def change_call(self, changes: dict[str, Any]) -> None:
        """Do nothing: the call is in the envelope, which this owner does not have."""


@pytest.mark.parametrize("branch", range(0, 36, 3))
def test_every_message_of_a_call_hides_what_its_assistants_hold(branch: int) -> None:
    sent: list[str] = []
    owner = Owner()
    call = whole("Call", "call", branch) | {
        "customer": whole("CreateCustomerDTO", "customer", branch),
        "phoneNumber": whole(f"Create{NUMBERS[branch % len(NUMBERS)]}PhoneNumberDTO", "phoneNumber", branch),
    }
    call.pop("endedMessage", None)  # the record of a live call has none
    ada, bea = (whole("CreateAssistantDTO", "assistant", n) for n in (branch, branch + 1))
    lists = Assistant.from_json({"clientMessages": sorted(CLIENT_MESSAGES), "serverMessages": sorted(OWNERS)})
    messenger = ClientMessenger(
        Participants.of(call, ada), lists, 0, lambda: 1, sent.append, owner=cast("OwnerMessenger", owner)
    )
    tool = whole("CreateFunctionToolDTO", "tool", branch) | {"type": "function"}
    invocation = ToolInvocation(ToolCall("call_1", "look", "{}"), tool, {}, None, 0, None)
    history = (
        commands.Remember("system", MARK, 0, 0),
        commands.Remember("user", "Hi.", 0, 1),
        commands.Remember("assistant", "Hello.", 1, 2),
    )
    for _ in range(2):
        messenger.status("in-progress")
        messenger.assistant_started()
        for message in (
            commands.SpeechUpdate("user", "started", 1),
            commands.ModelOutput("t", "word "),
            commands.VoiceInput("word "),
            commands.Transcript("user", True, "Hi."),
            commands.Transcript("user", False, "Hi."),
            commands.UserInterrupted("t"),
            commands.Hang(),
        ):
            messenger.send(message)
        messenger.conversation(history)
        messenger.tool_calls([invocation])
        messenger.transfer_update(whole("TransferDestinationAssistant", "destination", branch), bea)
        messenger.switch_agent(bea, lists)
    messenger.status("ended", "customer-ended-call")
    assert {json.loads(text)["type"] for text in sent} == set(CLIENT_MESSAGES) - {
        "assistant.speechStarted", "tool-calls-result", "tool.completed"
    }  # fmt: skip
    assert not [text for text in sent if MARK in text]
    for kind in OWNERS:
        assert MARK in json.dumps([one for one in owner.sent if one["type"] == kind]), "the owner sees what is its own"


async def test_a_page_cannot_have_the_owners_prompt_sent_to_a_server_of_its_own(tmp_path: Path) -> None:
    async with (
        Receiver() as owners,
        Receiver() as callers,
        FakeLlm(LlmScript(tokens=["So ", "it ", "is."])) as callers_llm,
        staged(tmp_path, llm=LlmScript(tokens=["So ", "it ", "is."]), api_key=KEY, public_key=PUBLIC) as stage,
    ):
        assistant = full_of_marks(stage, owners, "Ada")
        assistant["model"]["tools"] = [{**assistant["model"]["tools"][0], "server": {"url": f"{owners.url}/tool"}}]
        assistant_id = (await posted(stage.url, "/assistant", assistant, KEY)).json()["id"]
        messages = ["assistant.started", "conversation-update", "status-update", "end-of-call-report"]
        overrides: list[dict[str, Any]] = [
            {"server": {"url": callers.url}, "serverMessages": messages},
            {"serverUrl": callers.url, "server": None, "serverMessages": messages},
            {"model": {"provider": "custom-llm", "model": "m", "url": callers_llm.url}},
            {
                "server": {"url": callers.url},
                "tools:append": [{"type": "function", "function": {"name": "mine"}, "server": {"url": callers.url}}],
            },
        ]
        for changed in overrides:
            body = {"assistantId": assistant_id, "assistantOverrides": changed}
            call = (await posted(stage.url, "/call/web", body, PUBLIC)).json()
            async with joining(stage.url, call) as caller:
                await caller.until(lambda c=caller: c.of("transcript", role="assistant", transcript="So it is."), 15)
                await caller.send({"type": "handoff", "destination": {
                    "type": "assistant", "assistantId": assistant_id, "assistantOverrides": changed
                }})  # fmt: skip
                await caller.until(lambda c=caller: len(c.of("assistant.started")) == 2, 15)
                await caller.send({"type": "end-call"})
                await caller.until_closed()
        await callers.until(lambda: callers.of("end-of-call-report"))
        got = [got.body.decode() for got in callers.got]
        got += [json.dumps(exchange.body) for exchange in callers_llm.exchanges]
    assert callers_llm.exchanges
    for text in got:
        assert MARK not in text, text[max(0, text.index(MARK) - 300) :][:600]
