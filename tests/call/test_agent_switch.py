"""The assistant that takes a call over: its tools, credentials, servers and place in the record."""

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import anyio
import httpx
import numpy as np
import pytest

from bargein.call.plan.variables import Variables
from bargein.ports import SpeechChunk
from bargein.server.calls.recovery import WORKER_DIED
from bargein.testing import FakeLlm, FakeTranscriber, FakeVoice, LlmScript, TimedReply, TranscriberScript
from tests.browser.conftest import serve
from tests.call.harness import Caller, DetectorOnly, assistant, bearing, calling, ended, stored
from tests.call.stage import ASKS, staged
from tests.call.test_handoff import MESSAGES, member, said
from tests.tools.mcp_peer import mcp_peer
from tests.webhooks.receiver import Receiver

pytestmark = pytest.mark.anyio

Body = dict[str, Any]
REPORTS = ["status-update", "end-of-call-report", 'transcript[transcriptType="final"]']


def in_turn(*calls: tuple[str, str], said: str = "Done.") -> Any:
    """Return a model that calls one tool after the other once the caller has spoken, and then talks."""

    def script(body: Body) -> LlmScript:
        roles = [message["role"] for message in body["messages"]]
        since = roles[len(roles) - roles[::-1].index("user") :]
        done = since.count("tool")
        return LlmScript(tokens=(), calls=[calls[done]]) if done < len(calls) else LlmScript(tokens=[said])

    return script


MCP = {"type": "mcp", "metadata": {"protocol": "sse"}}


def passing_to(successor: Body, **more: Any) -> Body:
    return {"type": "handoff", "function": {"name": "pass"}, "destinations": [
        {"type": "assistant", "assistant": successor, **more}
    ]}  # fmt: skip


def function(name: str, **more: Any) -> Body:
    return {
        "type": "function", "function": {"name": name, "parameters": {"type": "object", "properties": {}}}, **more
    }  # fmt: skip


def picks(name: str) -> Body:
    schema = {"type": "object", "properties": {name: {"type": "string"}}}
    return {"variableExtractionPlan": {"schema": schema}}


async def taken_over(caller: Caller) -> None:
    await caller.until(lambda: [m for m in caller.of("assistant.started") if m["newAssistant"]["name"] == "Bea"])


class Quiet(DetectorOnly):
    """Embedded providers without transcripts, and with a silent voice."""

    def transcriber_of(self, _tags: Sequence[str]) -> Any:
        return self

    @property
    def voice(self) -> Any:
        return self

    @property
    def model(self) -> Any:
        return self

    lag_ms = 0

    def open(self, _hear: Any) -> Any:
        return self

    def feed(self, _customer: Any, _assistant: Any) -> None: ...

    def expect(self, _question: str) -> None: ...

    def voice_started(self, _lead_ms: int) -> None: ...

    def voice_paused(self) -> None: ...

    def voice_resumed(self) -> None: ...

    def voice_stopped(self) -> None: ...

    async def run(self) -> None:
        await anyio.sleep_forever()

    async def reply(self, _messages: Any, _tools: Any = ()) -> Any:
        yield "Hm."

    marks: frozenset[str] = frozenset()

    async def speak(self, _text: str) -> Any:
        yield SpeechChunk(np.zeros(1600, dtype=np.int16), 16_000)


class Peers:
    """The model, voice, transcriber and server of one assistant, each of which requires its credential."""

    def __init__(self, name: str, llm: Any, says: str) -> None:
        self.name = name
        self.llm = FakeLlm(llm)
        self.voice = FakeVoice()
        self.audio_input = FakeTranscriber(TranscriberScript(timed=[TimedReply(2500, says)]))
        self.office = Receiver([lambda got: {"results": [{"result": {"order": f"{name}-7"}}]}])
        self.api = Receiver([{"ok": True}])

    async def __aenter__(self) -> "Peers":
        for peer in (self.llm, self.voice, self.audio_input, self.office, self.api):
            await peer.__aenter__()
        return self

    async def __aexit__(self, *exc: Any) -> None:
        for peer in (self.api, self.office, self.audio_input, self.voice, self.llm):
            await peer.__aexit__(*exc)

    def assistant(self, *tools: Body, **more: Any) -> Body:
        """Return the assistant; its credential has the same name as those of the others, and another secret."""
        signed = {"credentialId": "mine"}
        base = assistant(self.llm, self.voice, self.audio_input)
        order = {
            "type": "apiRequest",
            "name": "order",
            "method": "GET",
            "url": f"{self.api.url}/{{{{ who }}}}",
            **signed,
        }
        return {
            **base,
            "name": self.name,
            "firstMessage": f"{self.name} here, {{{{ who }}}}.",
            "firstMessageMode": "assistant-speaks-first",
            "voice": {"provider": "custom-voice", "server": {"url": self.voice.url, **signed}},
            "transcriber": {"provider": "custom-transcriber", "server": {"url": self.audio_input.url, **signed}},
            "model": {**base["model"], "tools": [order, function("ask", **picks("order")), *tools]},
            "server": {"url": self.office.url, **signed},
            "credentials": [
                {"provider": "custom-llm", "apiKey": f"{self.name}-llm"},
                {
                    "provider": "webhook",
                    "name": "mine",
                    "authenticationPlan": {"type": "bearer", "token": f"{self.name}-token"},
                },
            ],
            "clientMessages": MESSAGES,
            "serverMessages": REPORTS,
            **more,
        }

    def was_told_who_asks(self) -> None:
        mine = f"Bearer {self.name}-token"
        assert self.llm.exchanges[0].headers["authorization"] == f"Bearer {self.name}-llm"
        assert {exchange.headers["authorization"] for exchange in self.voice.exchanges} == {mine}
        assert [hearing.headers["authorization"] for hearing in self.audio_input.connections] == [mine]
        assert [(got.path, got.headers["authorization"]) for got in self.api.got] == [("/hook/Ann", mine)]
        assert {got.headers["authorization"] for got in self.office.got} == {mine}
        assert len(self.office.of("tool-calls")) == 1
        assert self.office.of("tool-calls")[0]["assistant"]["name"] == self.name


async def test_each_successor_has_its_own_tools_credentials_and_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: dict[object, int] = {}
    real = Variables.render_assistant

    def watched(self: Variables, given: Body, epoch_ms: int) -> Body:
        threads[given.get("name")] = threading.get_ident()
        return real(self, given, epoch_ms)

    monkeypatch.setattr(Variables, "render_assistant", watched)
    uses = (("order", "{}"), ("ask", "{}"))
    async with (
        Receiver([{"results": [{"result": {"who": "Ann"}}]}]) as first,
        Peers("Bea", in_turn(*uses, ("pass", "{}")), "Go on.") as bea,
        Peers("Cid", in_turn(*uses), "And you?") as cid,
        staged(tmp_path, llm=in_turn(("find", "{}"), ("pass", "{}"))) as stage,
    ):
        ada = member(stage, "Ada", server={"url": first.url}, serverMessages=REPORTS)
        bea_json = bea.assistant(passing_to(cid.assistant()))
        ada["model"]["tools"] = [function("find", **picks("who")), passing_to(bea_json)]
        async with calling(stage.url, ada) as caller:
            await said(caller, "Bea here, Ann.")
            await said(caller, "Cid here, Ann.")
            await said(caller, "Done.")
            say = {"type": "say", "content": "{{ order }} for {{ who }}."}  # only the owner's texts are templates
            async with httpx.AsyncClient() as owner:
                assert (await owner.post(f"{stage.url}/{caller.id}/control", json=say)).is_success
            await said(caller, "Cid-7 for Ann.")
            await caller.send({"type": "end-call"})
            await caller.until_closed()
        await cid.office.until(lambda: cid.office.of("end-of-call-report"))
        record = await stored(stage.url, caller.id)
        async with httpx.AsyncClient(base_url=stage.url, headers=bearing("some-key")) as owner:
            listed, paged = (await owner.get("/call")).json()[0], (await owner.get("/v2/call")).json()["results"][0]
    bea.was_told_who_asks()
    cid.was_told_who_asks()
    assert {"Bea", "Cid"} <= threads.keys()
    assert threading.get_ident() not in (threads["Bea"], threads["Cid"])
    assert [m["transcript"] for m in bea.office.of(REPORTS[2]) if m["role"] == "assistant"] == ["Bea here, Ann."]
    (report,) = cid.office.of("end-of-call-report")
    assert report["assistant"]["name"] == "Cid"
    assert "-token" not in str(report)
    assert not first.of("end-of-call-report")
    assert not bea.office.of("end-of-call-report")
    for artifact in (report["artifact"], record["artifact"]):
        assert artifact["assistantActivations"] == [{"assistantName": name} for name in ("Ada", "Bea", "Cid")]
        assert artifact["variableValues"] == {"who": "Ann", "order": "Cid-7"}
    assert "activeAssistant" not in record | listed | paged


async def test_a_tool_in_flight_goes_on_when_another_assistant_takes_over(tmp_path: Path) -> None:
    async with mcp_peer("sse") as peer, FakeLlm(LlmScript(tokens=["I see."])) as other:

        def script(_body: Body) -> LlmScript:
            return LlmScript(tokens=["A moment. "], calls=[("wait", "{}"), ("pass", "{}")])

        async with staged(tmp_path, llm=script) as stage:
            bea = member(stage, "Bea")
            bea["model"]["url"] = other.url
            ada = member(stage, "Ada")
            ada["model"]["tools"] = [{**MCP, "server": {"url": peer.url}}, passing_to(bea)]
            async with calling(stage.url, ada) as caller:
                await taken_over(caller)
                assert peer.streams == 1
                peer.gate.set()
                await said(caller, "I see.")
                told = [m["content"] for m in (await other.exchange(0)).body["messages"] if m["role"] == "tool"]
                assert "waited" in told
                with anyio.fail_after(5):
                    while peer.streams:  # it tells nobody of what it does
                        await anyio.sleep(0.02)
                assert caller.closed is None, "the connection is let go before the call ends"


@pytest.mark.parametrize("part", ["model", "voice", "transcriber"])
async def test_a_successor_cannot_reach_into_this_servers_network(tmp_path: Path, part: str) -> None:
    embedded = {name: {"provider": "vapi"} for name in ("model", "voice", "transcriber")}
    async with staged(tmp_path, embedded=Quiet(), allow_private_addresses=None, api_key="some-key") as stage:
        ada = {**member(stage, "Ada"), **embedded}
        bea = member(stage, "Bea", firstMessageMode="assistant-speaks-first-with-model-generated-message")
        bea = {**bea, **{name: one for name, one in embedded.items() if name != part}}
        async with calling(stage.url, ada) as caller:
            await caller.send({"type": "handoff", "destination": {"type": "assistant", "assistant": bea}})
            await taken_over(caller)
            await caller.until_closed()
        assert stage.llm.exchanges == stage.voice.exchanges == stage.transcriber.connections == []
        assert stage.transcriber.attempts == 0
        assert "custom" in await ended(stage.url, caller.id, "some-key")


async def test_a_killed_servers_call_is_reported_for_the_assistant_that_had_it_last(tmp_path: Path) -> None:
    async with (
        FakeLlm(in_turn(("find", "{}"), ("pass", "{}"))) as llm,
        FakeVoice() as voice,
        FakeTranscriber(ASKS) as audio_input,
        Receiver([{"results": [{"result": {"who": "Ann"}}]}]) as first,
        Receiver() as last,
    ):
        base = assistant(llm, voice, audio_input, clientMessages=MESSAGES, serverMessages=REPORTS)
        speech = {"firstMessage": "Bea here, {{ who }}.", "firstMessageMode": "assistant-speaks-first"}
        bea = {**base, **speech, "name": "Bea", "server": {"url": last.url, "secret": "hush-hush"}}
        tools = [function("find", **picks("who")), passing_to(bea)]
        ada = {**base, "name": "Ada", "server": {"url": first.url}, "model": {**base["model"], "tools": tools}}
        squad = {"members": [{"assistant": ada}]}
        async with serve(tmp_path) as served, calling(served.url, None, squad=squad) as caller:
            await said(caller, "Bea here, Ann.")
            await anyio.sleep(1.2)  # nothing is waited for: the journal comes to rest
            served.process.kill()
            await caller.until_closed()
        async with serve(tmp_path) as served:
            assert await ended(served.url, caller.id) == WORKER_DIED
            await last.until(lambda: last.of("end-of-call-report"), 20)
            record = await stored(served.url, caller.id)
    (report,) = last.of("end-of-call-report")
    assert report["assistant"]["name"] == "Bea"
    assert last.got[-1].headers["x-vapi-secret"] == "hush-hush"
    assert not first.of("end-of-call-report")
    for artifact in (report["artifact"], record["artifact"]):
        assert artifact["assistantActivations"] == [{"assistantName": "Ada"}, {"assistantName": "Bea"}]
        assert artifact["variableValues"] == {"who": "Ann"}
        assert artifact["messages"][-1]["message"] == "Bea here, Ann."
    assert "activeAssistant" not in record
