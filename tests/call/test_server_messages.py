"""Server messages of a call: in Vapi's form, in order, and only those that were requested."""

from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from bargein.providers.embedded.llm import DemoModel
from bargein.testing import LlmScript, TimedReply, TranscriberScript
from bargein.wire import contract
from bargein.wire.assistant import DEFAULT_SERVER_MESSAGES, FINALS_ONLY
from tests.call.conftest import Log
from tests.call.harness import Caller, calling, create_call, ended, eventually, joining, stored
from tests.call.stage import STORY, Stage, staged
from tests.call.test_inbound import Speaking
from tests.published import validator
from tests.vapi_schema import message_types, problems
from tests.webhooks.receiver import NEVER, Receiver, as_json, response

pytestmark = pytest.mark.anyio

EVERYTHING = [
    "assistant.started", "assistant.speechStarted", "conversation-update", "end-of-call-report", "hang",
    "model-output", "speech-update", "status-update", "transcript", "user-interrupted", "voice-input",
]  # fmt: skip
LEAN = {"model-output", "voice-input", "assistant.speechStarted"}
CUSTOMER = {"number": "+15551234567", "name": "Ada Lovelace"}
SAYS = TranscriberScript(timed=[TimedReply(200, "Tell me a story."), TimedReply(1500, "Stop that.")])
"""Words of the caller that interrupt, without a detected voice."""


def told_then_fails(body: dict[str, Any]) -> LlmScript:
    asked = [m for m in body["messages"] if m["role"] == "user"]
    return STORY if len(asked) == 1 else LlmScript(status=500)


def check(message: dict[str, Any]) -> None:
    """Assert that a message is valid by its type."""
    kind = message["type"]
    published = validator(contract.messages("ServerMessage")[kind])
    assert [error.message for error in published.iter_errors(message)] == []
    if kind == "assistant.started":
        return  # it can be subscribed to, and has no schema among the server's
    assert problems(message_types("ServerMessage")[kind], message) == []


def plain(artifact: dict[str, Any]) -> dict[str, Any]:
    """Return the artifact without presigned addresses, which differ each time."""
    return {name: value for name, value in artifact.items() if not name.startswith("presigned")}


async def interrupted(stage: Stage, receiver: Receiver, reports: bool = True, **more: Any) -> Caller:
    """Run a call that is interrupted once and ends because its model fails."""
    server = {"url": receiver.url, "secret": "hush"}
    given = stage.assistant(server=server, stopSpeakingPlan={"numWords": 1}, **more)
    async with calling(stage.url, given, customer=CUSTOMER, name="A trial") as caller:
        assert await caller.until_closed(12) == 1000
    if reports:
        await receiver.until(lambda: receiver.of("end-of-call-report"))
    return caller


async def test_everything_that_is_asked_for_comes_whole_and_in_order(tmp_path: Path) -> None:
    async with Receiver() as receiver, staged(tmp_path, llm=told_then_fails, transcriber=SAYS) as stage:
        caller = await interrupted(stage, receiver, serverMessages=EVERYTHING, clientMessages=EVERYTHING[:1])
        record = await stored(stage.url, caller.id)
    for got in receiver.got:
        assert got.headers["x-vapi-secret"] == "hush"
        check(got.message)
        assert got.message["call"]["id"] == caller.id
        assert got.message["timestamp"] > 1_700_000_000_000
        lean = got.message["type"] in LEAN or got.message.get("transcriptType") == "partial"
        assert ("assistant" in got.message) != lean
    assert set(receiver.kinds) == {*EVERYTHING}
    assert caller.kinds() == ["assistant.started"]  # each side gets what it asked for

    kinds = receiver.kinds
    assert kinds[:2] == ["status-update", "assistant.started"]
    assert kinds[-2:] == ["status-update", "end-of-call-report"]
    (cut,) = receiver.of("user-interrupted")
    turns = [m["turnId"] for m in receiver.of("model-output")]
    assert cut["turnId"] == turns[0]
    after = kinds.index("user-interrupted")
    assert cut["turnId"] not in [m.message.get("turnId") for m in receiver.got[after + 1 :]]
    assert cut["customer"] == CUSTOMER
    assert cut["assistant"]["model"]["provider"] == "custom-llm"
    assert "secret" not in cut["assistant"]["server"]

    begun, over = receiver.of("status-update")
    assert (begun["status"], begun["call"]["status"]) == ("in-progress", "in-progress")
    assert (over["status"], over["endedReason"]) == ("ended", record["endedReason"])
    assert plain(over["artifact"]) == plain(record["artifact"])
    (report,) = receiver.of("end-of-call-report")
    assert report["endedReason"] == record["endedReason"] == "pipeline-error-custom-llm-500-server-error"
    assert plain(report["artifact"]) == plain(record["artifact"])
    assert report["artifact"].keys() == record["artifact"].keys()
    assert report["artifact"]["performanceMetrics"]["numAssistantInterrupted"] == 1
    assert (report["startedAt"], report["endedAt"]) == (record["startedAt"], record["endedAt"])
    assert report["analysis"] == {}
    assert report["call"]["status"] == "ended"
    assert report["customer"] == CUSTOMER
    assert 0 < report["durationSeconds"] * 1000 == report["durationMs"] < 12_000
    assert report["transcript"].startswith("User: Tell me a story.\nAI: ")


async def test_by_default_a_server_gets_what_vapi_sends_by_default(tmp_path: Path) -> None:
    async with Receiver() as receiver, staged(tmp_path, llm=told_then_fails, transcriber=SAYS) as stage:
        await interrupted(stage, receiver)
    asked_for = {*EVERYTHING} & DEFAULT_SERVER_MESSAGES
    assert asked_for - {"hang"} <= set(receiver.kinds) <= asked_for
    assert not LEAN & set(receiver.kinds)


async def test_final_transcripts_alone_come_by_the_name_that_was_asked_for(tmp_path: Path) -> None:
    async with Receiver() as receiver, staged(tmp_path, llm=told_then_fails, transcriber=SAYS) as stage:
        await interrupted(stage, receiver, serverMessages=[FINALS_ONLY, "end-of-call-report"])
    assert set(receiver.kinds) == {FINALS_ONLY, "end-of-call-report"}
    finals = receiver.of(FINALS_ONLY)
    assert {m["transcriptType"] for m in finals} == {"final"}
    assert finals[0]["transcript"] == "Tell me a story."
    check(finals[0])


async def test_who_asks_for_nothing_gets_nothing(tmp_path: Path) -> None:
    async with Receiver() as receiver, staged(tmp_path, llm=told_then_fails, transcriber=SAYS) as stage:
        caller = await interrupted(stage, receiver, reports=False, serverMessages=[])
        await ended(stage.url, caller.id)
    assert receiver.got == []


async def test_the_settings_server_gets_what_no_other_server_takes(tmp_path: Path) -> None:
    async with Receiver() as org, Receiver() as own:
        settings = {"server_url": org.url, "server_secret": "org-secret"}
        async with staged(tmp_path, llm=told_then_fails, transcriber=SAYS, **settings) as stage:
            for more in ({"server": {"url": own.url}}, {"serverUrl": own.url, "serverUrlSecret": "legacy"}, {}):
                async with calling(stage.url, stage.assistant(**more)) as caller:
                    await caller.until(lambda caller=caller: caller.of("status-update"))
            await org.until(lambda: org.of("end-of-call-report"))
            await own.until(lambda: len(own.of("end-of-call-report")) == 2)
    assert len(org.of("end-of-call-report")) == 1
    assert {got.headers.get("x-vapi-secret") for got in own.got} == {None, "legacy"}
    assert {got.headers["x-vapi-secret"] for got in org.got} == {"org-secret"}


async def test_a_call_that_cannot_begin_is_reported_too(tmp_path: Path) -> None:
    async with Receiver() as receiver, staged(tmp_path) as stage:
        given = stage.assistant(server={"url": receiver.url}, voice={"provider": "11labs", "voiceId": "sarah"})
        call = await create_call(stage.url, given)
        async with joining(stage.url, call, pump=False) as caller:
            assert await caller.until_closed(5) == 1011
        await receiver.until(lambda: receiver.of("end-of-call-report"))
    assert receiver.kinds == ["status-update", "end-of-call-report"]
    (report,) = receiver.of("end-of-call-report")
    check(report)
    assert report["endedReason"] == "call.start.error-get-resources-validation"


@pytest.mark.parametrize("answer", [NEVER, as_json({}, 500), response(200, b"<html>"), response(302, b"")])
async def test_a_server_that_misbehaves_costs_the_call_nothing(tmp_path: Path, answer: Any) -> None:
    async with Receiver([answer]) as receiver, staged(tmp_path, llm=told_then_fails, transcriber=SAYS) as stage:
        server = {"url": receiver.url, "timeoutSeconds": 1}
        async with calling(stage.url, stage.assistant(server=server, stopSpeakingPlan={"numWords": 1})) as caller:
            await caller.until(lambda: caller.of("user-interrupted"), 5)
            assert await caller.until_closed(8) == 1000
        assert await ended(stage.url, caller.id)


async def test_a_report_is_tried_again_until_it_is_taken(tmp_path: Path) -> None:
    def refuses_twice(got: Any) -> Any:
        seen = sum(one.headers.get("idempotency-key") == got.headers.get("idempotency-key") for one in receiver.got)
        return as_json({}, 503) if "idempotency-key" in got.headers and seen < 2 else {}

    async with Receiver([refuses_twice]) as receiver, staged(tmp_path) as stage:
        given = stage.assistant(server={"url": receiver.url}, serverMessages=["end-of-call-report"])
        async with calling(stage.url, given) as caller:
            await caller.until(lambda: caller.of("status-update"))
        await receiver.until(lambda: len(receiver.got) == 2)
    first, second = receiver.got
    assert first.headers["idempotency-key"] == second.headers["idempotency-key"]
    assert first.headers["idempotency-key"] == f"{caller.id}:end-of-call-report"


class Embedded(Speaking):
    """Embedded providers for a whole call, so that only one provider of it is elsewhere."""

    model: Any = DemoModel()


ALL_EMBEDDED = {
    "firstMessageMode": "assistant-speaks-first-with-model-generated-message",
    **{part: {"provider": "vapi"} for part in ("model", "voice", "transcriber")},
}


@pytest.mark.parametrize("allowed", [True, None])
async def test_a_stranger_cannot_have_this_server_reach_into_its_network(
    tmp_path: Path, log: Log, allowed: bool | None
) -> None:
    """With a key set, private addresses are closed to what assistants name: server, model, voice and transcriber.

    Where they are allowed, the same calls reach all four.
    """
    settings: dict[str, Any] = {"allow_private_addresses": allowed, "api_key": "some-key", "embedded": Embedded()}
    async with Receiver() as receiver, staged(tmp_path, transcriber=SAYS, **settings) as stage:
        named = stage.assistant(server={"url": receiver.url})
        inside = {
            "server": (receiver.url, receiver.got),
            "model": (stage.llm.url, stage.llm.exchanges),
            "voice": (stage.voice.url, stage.voice.exchanges),
            "transcriber": (stage.transcriber.url, stage.transcriber.connections),
        }

        async def reached() -> set[str]:
            return {part for part, (_, came) in inside.items() if came}

        async def refused() -> set[str]:
            ports = {line["port"] for line in log.lines("a request to a private address was refused")}
            return {part for part, (url, _) in inside.items() if urlsplit(url).port in ports}

        async with AsyncExitStack() as calls:
            for part in inside:
                await calls.enter_async_context(calling(stage.url, ALL_EMBEDDED | {part: named[part]}))
            await eventually(reached if allowed else refused, lambda parts: parts == {*inside})
        assert await (refused if allowed else reached)() == set()


async def test_asking_for_messages_that_do_not_exist_is_refused(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage, httpx.AsyncClient() as client:
        answer = await client.post(f"{stage.url}/assistant", json={"serverMessages": ["nonsense"]})
        assert answer.status_code == 400
