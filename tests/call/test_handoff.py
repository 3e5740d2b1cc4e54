"""Handoffs between assistants, and a call that cannot be transferred to a telephone."""

from pathlib import Path
from typing import Any

import anyio
import pytest

from bargein.call.record.journal import read
from bargein.call.record.replay import replay
from bargein.store.journals import journal_path
from bargein.testing import FakeLlm, FakeTranscriber, LlmScript, TimedReply, TranscriberScript
from bargein.testing.http_peer import Exchange, HttpPeer
from tests.call.harness import Caller, calling, create_call, joining
from tests.call.harness import ended as ended_as
from tests.call.stage import Stage, staged
from tests.call.test_journal import watched_steps
from tests.vapi_schema import problems

pytestmark = pytest.mark.anyio

Body = dict[str, Any]
MESSAGES = ["assistant.started", "transfer-update", "tool-calls-result", "conversation-update", "model-output",
            "user-interrupted", "status-update", "transcript", "speech-update"]  # fmt: skip


def once_asked(name: str, arguments: str, said: str = "") -> Any:
    """Return a model that calls a tool when the caller speaks, and then says its result."""

    def script(body: Body) -> LlmScript:
        last = body["messages"][-1]
        if last["role"] == "user":
            return LlmScript(tokens=[said] if said else [], calls=[(name, arguments)])
        return LlmScript(tokens=[f"So: {last['content']}"])

    return script


def member(stage: Stage, name: str, **more: Any) -> Body:
    base = stage.assistant(name=name, clientMessages=MESSAGES)
    model = {**base["model"], "messages": [{"role": "system", "content": f"You are {name}."}]}
    return {**base, "model": model, **more}


async def said(caller: Caller, text: str) -> None:
    await caller.until(lambda: caller.of("transcript", role="assistant", transcriptType="final", transcript=text))


async def test_a_squads_member_hands_over_to_another_which_hears_and_can_be_interrupted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bea_hears = TranscriberScript(
        timed=[TimedReply(4500, "What is left?"), TimedReply(7000, "Wait", "partial"), TimedReply(7300, "Wait, stop.")]
    )
    story = LlmScript(tokens=[f"left{n:02d} " for n in range(60)])
    with watched_steps(monkeypatch) as steps:
        async with (
            staged(tmp_path, llm=once_asked("handoff_to_Bea", "{}", "I pass you on. ")) as stage,
            FakeLlm(story) as other,
            FakeTranscriber(bea_hears) as audio_input,
        ):
            bea = member(
                stage,
                "Bea",
                firstMessage="Bea speaking.",
                firstMessageMode="assistant-speaks-first",
                transcriber={"provider": "custom-transcriber", "server": {"url": audio_input.url}},
            )
            bea["model"]["url"] = other.url
            squad = {
                "members": [
                    {
                        "assistant": member(stage, "Ada"),
                        "assistantDestinations": [{"type": "assistant", "assistantName": "Bea"}],
                    },
                    {"assistant": bea, "assistantOverrides": {"firstMessage": "Bea here."}},
                ],
                "membersOverrides": {"maxDurationSeconds": 321, "metadata": {"team": "blue"}},
            }
            call = await create_call(stage.url, None, squad=squad)
            async with joining(stage.url, call) as caller:
                await said(caller, "I pass you on.")
                await said(caller, "Bea here.")
                await caller.until(lambda: caller.of("user-interrupted"), 15)
                await caller.send({"type": "end-call"})
                await caller.until_closed()
            body = (await other.exchange(0)).body
            assert await ended_as(stage.url, caller.id) == "customer-ended-call"
    assert len(stage.llm.exchanges) == 1, "who has handed over is not asked again"
    (passed,) = caller.of("transfer-update")
    assert passed["destination"] == {"type": "assistant", "assistantName": "Bea"}
    assert (passed["fromAssistant"]["name"], passed["toAssistant"]["name"]) == ("Ada", "Bea")
    assert passed["toAssistant"]["maxDurationSeconds"] == 321
    assert "metadata" not in passed["toAssistant"]  # it is the owner's
    assert [m["newAssistant"]["name"] for m in caller.of("assistant.started")] == ["Ada", "Bea"]
    assert caller.of("user-interrupted")[0]["assistant"]["name"] == "Bea"
    system, user, ada, result, greeting, question = body["messages"]
    assert system == {"role": "system", "content": "You are Bea."}
    assert user["content"] == "Tell me a story."
    assert (ada["content"], ada["tool_calls"][0]["function"]["name"]) == ("I pass you on.", "handoff_to_Bea")
    assert result["content"] == "Handed over."
    assert (greeting["content"], question["content"]) == ("Bea here.", "What is left?")
    with journal_path(tmp_path, caller.id).open() as lines:
        head, events = read(lines)
        assert [(moment.event, moment.commands) for moment in replay(head, events)] == steps
    assert problems("ClientMessageTransferUpdate", passed) == []


async def test_a_client_hands_the_call_over_without_its_history(tmp_path: Path) -> None:
    async with staged(tmp_path, llm=LlmScript(tokens=["Hm. "])) as stage:
        bea = member(stage, "Bea", firstMessageMode="assistant-speaks-first", firstMessage="Bea here.")
        destination = {"type": "assistant", "assistant": bea, "contextEngineeringPlan": {"type": "none"}}
        async with calling(stage.url, member(stage, "Ada")) as caller:
            await said(caller, "Hm.")
            await caller.send({"type": "handoff", "destination": destination, "content": "One moment."})
            await said(caller, "One moment.")
            await said(caller, "Bea here.")
            await caller.until(lambda: caller.of("conversation-update")[-1]["conversation"][-1:] == [
                {"role": "assistant", "content": "Bea here."}
            ])  # fmt: skip
            assert len(caller.of("conversation-update")[-1]["conversation"]) == 1
            await caller.send({"type": "handoff", "destination": {"type": "assistant", "assistantName": "Nobody"}})
            await caller.until(lambda: [m for _, m in caller.messages if m.get("statusCode") == 400])


async def test_a_model_is_told_that_there_is_nobody_of_that_name(tmp_path: Path) -> None:
    tool = {"type": "handoff", "destinations": [{"type": "assistant", "assistantName": "Nobody"}]}
    async with staged(tmp_path, llm=once_asked("handoff_to_Nobody", '{"destination": "Nobody"}')) as stage:
        ada = member(stage, "Ada")
        ada["model"]["tools"] = [tool]
        async with calling(stage.url, ada) as caller:
            await said(caller, "So: Not handed over: this call has no assistant of that name.")


async def test_a_socket_cannot_be_transferred_and_everybody_is_told(tmp_path: Path) -> None:
    tool = {"type": "transferCall", "destinations": [{"type": "number", "number": "+14155550100", "message": ""}]}
    async with staged(tmp_path, llm=once_asked("transferCall", '{"destination": "+14155550100"}')) as stage:
        ada = member(stage, "Ada")
        ada["model"]["tools"] = [tool]
        async with calling(stage.url, ada) as caller:
            told = "a call over a WebSocket cannot be transferred to a telephone."
            await caller.until(lambda: caller.of("tool-calls-result"))
            assert caller.of("tool-calls-result")[0]["toolCallResult"]["error"] == f"Not transferred: {told}"
            await caller.send({"type": "transfer", "destination": tool["destinations"][0]})
            await caller.until(lambda: [m for _, m in caller.messages if m.get("statusCode") == 501])
            declared = (await stage.llm.exchange(0)).body["tools"][0]["function"]
    assert declared["parameters"]["properties"]["destination"]["enum"] == ["+14155550100"]
    assert not caller.of("transfer-update")


class Office(HttpPeer):
    """An owner's server that names destinations, and keeps the messages it receives."""

    def __init__(self, destination: Body) -> None:
        super().__init__(self._answer)
        self.destination = destination
        self.told: list[Body] = []
        self.changed = anyio.Event()

    async def _answer(self, exchange: Exchange) -> None:
        message = exchange.body["message"]
        self.told.append(message)
        asks = message["type"].endswith("-destination-request")
        body = anyio_json({"destination": self.destination} if asks else {})
        await exchange.respond(200, body, content_type="application/json")


def anyio_json(value: Body) -> bytes:
    import json

    return json.dumps(value).encode()


async def test_the_owners_server_names_who_takes_over(tmp_path: Path) -> None:
    async with staged(tmp_path, llm=once_asked("pass", '{"destination": "dynamic", "mood": "sour"}')) as stage:
        bea = member(stage, "Bea", firstMessageMode="assistant-speaks-first", firstMessage="Bea here.")
        async with Office({"type": "assistant", "assistant": bea}) as office:
            tool = {"type": "handoff", "destinations": [{"type": "dynamic"}], "function": {"name": "pass"}}
            ada = member(stage, "Ada", server={"url": office.origin})
            ada["model"]["tools"] = [tool]
            async with calling(stage.url, ada) as caller:
                await said(caller, "Bea here.")
            asked = next(m for m in office.told if m["type"] == "handoff-destination-request")
    assert asked["parameters"] == {"destination": "dynamic", "mood": "sour"}


async def test_an_owner_who_forwards_calls_himself_is_told_where_to(tmp_path: Path) -> None:
    number = {"type": "number", "number": "+14155550100"}
    async with (
        staged(tmp_path, llm=once_asked("transferCall", "{}")) as stage,
        Office(number) as office,
    ):
        ada = member(stage, "Ada", server={"url": office.origin}, serverMessages=["phone-call-control"])
        ada["model"]["tools"] = [{"type": "transferCall"}]
        async with calling(stage.url, ada) as caller:
            await caller.until_closed()
        assert await ended_as(stage.url, caller.id) == "assistant-forwarded-call"
        kinds = [m["type"] for m in office.told]
    assert "transfer-destination-request" in kinds
    assert caller.of("transfer-update")[0]["destination"] == number
    assert [m["status"] for m in caller.of("status-update")] == ["in-progress", "forwarding", "ended"]
