"""Traces for Langfuse: one a call, with generations and tools, by the owner's key, and none of private calls."""

import base64
import json
from pathlib import Path
from typing import Any

import anyio
import pytest

from bargein.clock import LoopClock
from bargein.http_client import new_client
from bargein.server.calls.langfuse import LangfuseTraces, TraceError, plan_of
from bargein.store import Store
from bargein.testing import LlmScript, TimedReply, TranscriberScript
from bargein.wire.ownership import marked
from tests.call.conftest import Log
from tests.call.harness import Caller, calling, ended
from tests.call.stage import Stage, staged
from tests.call.test_handoff import once_asked
from tests.webhooks.receiver import NEVER, Receiver, response

pytestmark = pytest.mark.anyio

CLOCK = LoopClock()
ASKS = TranscriberScript(timed=[TimedReply(200, "Where is Ada?"), TimedReply(1600, "Stop that.")])
LONG = LlmScript(tokens=["It ", "is ", *(f"word{n:02d} " for n in range(60))])


def told(body: dict[str, Any]) -> LlmScript:
    """Return a long reply at first, which is interrupted, and then a short one."""
    asked = [message for message in body["messages"] if message["role"] == "user"]
    return LONG if len(asked) == 1 else LlmScript(tokens=["Very ", "well."])


def traced(stage: Stage, langfuse: Receiver, **more: Any) -> dict[str, Any]:
    key = {"provider": "langfuse", "publicKey": "pk-lf-1", "apiKey": "sk-lf-2", "apiUrl": f"{langfuse.url}/"}
    plan = {
        "provider": "langfuse",
        "tags": ["voice", "trial"],
        "traceName": "{{ assistant.name }} - {{ call.type }}",
        "metadata": {"team": "blue", "size": 3},
        "promptName": "greeter",
        "promptVersion": 4,
    }
    given = stage.assistant(
        name="Bea",
        credentials=[key],
        observabilityPlan=plan,
        metadata={"tier": "gold"},
        stopSpeakingPlan={"numWords": 1},
        **more,
    )
    given["model"] |= {"messages": [{"role": "system", "content": "You are {{name}}."}], "temperature": 0.3}
    return given


def plain(value: dict[str, Any]) -> Any:
    """Return an attribute's value."""
    ((kind, given),) = value.items()
    if kind == "arrayValue":
        return [plain(one) for one in given["values"]]
    return int(given) if kind == "intValue" else given


def spans(body: dict[str, Any]) -> list[dict[str, Any]]:
    (resource,) = body["resourceSpans"]
    assert [plain(one["value"]) for one in resource["resource"]["attributes"]] == ["bargein"]
    (scope,) = resource["scopeSpans"]
    return [
        {**span, "attributes": {one["key"]: plain(one["value"]) for one in span["attributes"]}}
        for span in scope["spans"]
    ]


def of_type(found: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [span for span in found if span["attributes"]["langfuse.observation.type"] == kind]


def took_ms(span: dict[str, Any]) -> float:
    return (int(span["endTimeUnixNano"]) - int(span["startTimeUnixNano"])) / 1e6


async def talked(stage: Stage, given: dict[str, Any], **body: Any) -> Caller:
    async with calling(stage.url, given, **body) as caller:
        await caller.until(lambda: caller.of("user-interrupted"))
        await caller.until(lambda: "Very well." in json.dumps(caller.of("conversation-update")))
        await caller.send({"type": "end-call"})
        await caller.until_closed()
    await ended(stage.url, caller.id)
    return caller


async def test_a_call_is_one_trace_with_a_generation_for_each_answer(tmp_path: Path) -> None:
    async with Receiver() as langfuse, staged(tmp_path, llm=told, transcriber=ASKS) as stage:
        overrides = {"variableValues": {"name": "Bea"}}
        caller = await talked(stage, traced(stage, langfuse), assistantOverrides=overrides)
        await langfuse.until(lambda: langfuse.got)
        await anyio.sleep(0.3)
    (got,) = langfuse.got
    assert got.path.endswith("/api/public/otel/v1/traces")
    assert got.headers["authorization"] == "Basic " + base64.b64encode(b"pk-lf-1:sk-lf-2").decode()
    assert got.headers["content-type"] == "application/json"
    found = spans(got.json)
    root, *rest = found
    assert len({span["traceId"] for span in found}) == 1
    assert len({span["spanId"] for span in found}) == len(found)
    assert all((len(span["traceId"]), len(span["spanId"])) == (32, 16) for span in found)
    assert "parentSpanId" not in root
    assert {span["parentSpanId"] for span in rest} == {root["spanId"]}
    about = root["attributes"]
    assert about["langfuse.trace.name"] == "Bea - vapi.websocketCall"
    assert about["langfuse.trace.tags"] == ["voice", "trial"]
    assert (about["langfuse.trace.metadata.team"], about["langfuse.trace.metadata.size"]) == ("blue", 3)
    assert about["langfuse.trace.metadata.callId"] == caller.id
    assert json.loads(about["langfuse.trace.metadata.assistant"]) == {"tier": "gold"}
    assert json.loads(about["langfuse.trace.metadata.assistantOverrides"]) == overrides
    assert "Where is Ada?" in about["langfuse.trace.output"]
    assert 1_600 < took_ms(root) < 30_000

    first, second = of_type(found, "generation")[0], of_type(found, "generation")[-1]
    one = first["attributes"]
    assert one["langfuse.observation.model.name"] == "scripted"
    assert json.loads(one["langfuse.observation.model.parameters"]) == {"temperature": 0.3}
    assert json.loads(one["langfuse.observation.input"]) == [
        {"role": "system", "content": "You are Bea."},
        {"role": "user", "content": "Where is Ada?"},
    ]
    assert one["langfuse.observation.output"].startswith("It is word00 word01")
    assert one["langfuse.observation.metadata.outcome"] == "interrupted"
    assert one["langfuse.observation.prompt.name"] == "greeter"
    assert one["langfuse.observation.prompt.version"] == 4
    assert one["langfuse.observation.metadata.turnId"] == caller.of("user-interrupted")[0]["turnId"]
    assert json.loads(one["langfuse.observation.completion_start_time"]).endswith("Z")
    assert second["attributes"]["langfuse.observation.output"] == "Very well."
    assert "Stop that." in second["attributes"]["langfuse.observation.input"]
    assert int(second["startTimeUnixNano"]) > int(first["startTimeUnixNano"])
    assert "sk-lf-2" not in got.body.decode()


async def test_tools_and_failures_are_in_the_trace(tmp_path: Path) -> None:
    def answer(got: Any) -> Any:
        call = got.message["toolCallList"][0]
        return {"results": [{"toolCallId": call["id"], "result": "Ada is in London."}]}

    async with (
        Receiver() as langfuse,
        Receiver([answer]) as office,
        staged(tmp_path, llm=once_asked("find", '{"who": "Ada"}'), transcriber=ASKS) as stage,
    ):
        given = traced(stage, langfuse)
        given["model"]["tools"] = [
            {"type": "function", "function": {"name": "find"}, "server": {"url": office.url}, "async": False}
        ]
        async with calling(stage.url, given) as caller:
            await caller.until(lambda: "London" in json.dumps(caller.of("conversation-update")))
            await caller.send({"type": "end-call"})
            await caller.until_closed()
        await langfuse.until(lambda: langfuse.got)
    found = spans(langfuse.got[0].json)
    (tool,) = of_type(found, "tool")
    assert (tool["name"], tool["attributes"]["langfuse.observation.input"]) == ("find", '{"who": "Ada"}')
    assert tool["attributes"]["langfuse.observation.output"] == "Ada is in London."
    called = of_type(found, "generation")[0]["attributes"]["langfuse.observation.output"]
    assert json.loads(called)["tool_calls"][0]["function"] == {"name": "find", "arguments": '{"who": "Ada"}'}


async def test_a_trace_is_sent_again_under_the_same_ids_until_it_is_taken(tmp_path: Path) -> None:
    async with Receiver([response(503)]) as langfuse, staged(tmp_path, llm=told, transcriber=ASKS) as stage:
        await talked(stage, traced(stage, langfuse))
        await langfuse.until(lambda: langfuse.got)
        langfuse.script[:] = [{}]
        await langfuse.until(lambda: len(langfuse.got) == 2)
        await anyio.sleep(1.5)
        assert len(langfuse.got) == 2
    assert langfuse.got[0].body == langfuse.got[1].body


async def test_a_refused_trace_is_given_up_with_a_line_in_the_log(tmp_path: Path, log: Log) -> None:
    async with Receiver([response(401)]) as langfuse, staged(tmp_path, llm=told, transcriber=ASKS) as stage:
        await talked(stage, traced(stage, langfuse))
        await langfuse.until(lambda: langfuse.got)
        await anyio.sleep(1.5)
        assert len(langfuse.got) == 1
    assert log.lines("Langfuse refused a trace")[0]["status"] == 401
    assert "sk-lf-2" not in log.text


async def test_private_calls_have_no_trace(tmp_path: Path) -> None:
    async with Receiver() as langfuse, staged(tmp_path, llm=told, transcriber=ASKS) as stage:
        await talked(stage, traced(stage, langfuse, compliancePlan={"hipaaEnabled": True}))
        await anyio.sleep(1)
        assert not langfuse.got


def test_a_caller_cannot_ask_for_traces() -> None:
    asked = {"observabilityPlan": {"provider": "langfuse", "tags": []}}
    assert plan_of(asked) == asked["observabilityPlan"]
    assert plan_of(marked(asked, "caller")) is None
    assert plan_of({"observabilityPlan": marked(asked["observabilityPlan"], "caller")}) is None
    assert plan_of({**asked, "hipaaEnabled": True}) is None
    assert plan_of({}) is None


async def test_a_job_without_a_journal_or_credential_ends_and_a_silent_langfuse_fails(
    tmp_path: Path, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bargein.server.calls.langfuse._TIMEOUT_S", 0.2)
    store = await Store.open(tmp_path / "bargein.db", CLOCK)
    try:
        async with new_client() as client, Receiver([NEVER]) as silent:
            store.calls.node_id = "this-server"
            traces = LangfuseTraces(store, tmp_path, client, CLOCK)
            await traces.send({"call": "some-call", "nodeId": "this-server"}, "key")
            assert log.lines("a trace is left out: the call has no journal here")
            await store.nodes.beat("other-server")
            with pytest.raises(TraceError, match="another server"):
                await traces.send({"call": "some-call", "nodeId": "other-server"}, "key")
            credential = {"publicKey": "pk", "apiKey": "sk", "apiUrl": silent.url}
            with pytest.raises(TraceError, match="TimeoutError"):
                await traces._post(credential, b"{}", "some-call")
    finally:
        await store.close()
