"""Calls of which nothing is kept: the disk and the log have no word of them, and the owner's server has all."""

import json
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from bargein.call.record.journal import Head, read
from bargein.call.record.privacy import WordlessJournal, is_private
from bargein.clock import LoopClock
from bargein.server.agents.egress import open_egress
from bargein.server.calls.owner_jobs import OwnerJobs, WordsElsewhereError
from bargein.server.calls.private_calls import PrivateCallMemory
from bargein.server.calls.recovery import WORKER_DIED, recover_from_journal
from bargein.server.ops.logs import TEXTLESS_CALLS
from bargein.store import Store
from bargein.store.journals import journal_path
from bargein.store.vault import Vault
from bargein.testing import FakeLlm, FakeTranscriber, FakeVoice, LlmScript, TimedReply, TranscriberScript
from bargein.testing.settings import make_settings
from bargein.turns import Plan
from bargein.turns.events import CallStarted, Tick
from bargein.wire.assistant import merge_overrides
from tests.browser.conftest import serve
from tests.call.conftest import Log
from tests.call.harness import Caller, assistant, calling, ended, stored
from tests.call.stage import staged
from tests.webhooks.receiver import Receiver, response

pytestmark = pytest.mark.anyio

CLOCK = LoopClock()
SAYS = TranscriberScript(timed=[TimedReply(200, "My illness is pellagra."), TimedReply(1700, "Stop that quinine.")])
"""Words of the caller, the second of which interrupt."""
LONG = LlmScript(tokens=["Take ", "arsenicum ", "twice. ", *(f"dose{n:02d} " for n in range(60))])
WORDS = (b"pellagra", b"quinine", b"arsenicum", b"dose0", b"antimony")
"""Words that the caller, the model and the owner's `say` said."""
REPORTS = ["status-update", "end-of-call-report"]


def reply(body: dict[str, Any]) -> LlmScript:
    """Return a long reply at first, which is interrupted, and then a short one."""
    asked = [message for message in body["messages"] if message["role"] == "user"]
    return LONG if len(asked) == 1 else LlmScript(tokens=["Very well. "])


@pytest.fixture
def unsealed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Store documents as they are: in an encrypted database no word could be found."""
    monkeypatch.setattr(Vault, "seal", lambda _vault, document: document)


def found(folder: Path) -> list[str]:
    """Return where the disk has any of the words."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return [f"{word.decode()} in {path.name}" for path in files for word in WORDS if word in path.read_bytes()]


def private_assistant(stage: Any, receiver: Receiver, compliance: dict[str, Any]) -> dict[str, Any]:
    return stage.assistant(
        server={"url": receiver.url}, serverMessages=REPORTS, stopSpeakingPlan={"numWords": 1}, **compliance
    )


async def talked(caller: Caller) -> None:
    """Have the conversation, with an interruption, a text of the owner and an error in a message, and hang up."""
    await caller.until(lambda: caller.of("user-interrupted"))
    await caller.send({"type": "say", "content": "Never take antimony.", "endCallAfterSpoken": "arsenicum"})
    await caller.send({"type": "say", "content": "Never take antimony."})
    await caller.until(lambda: "antimony" in json.dumps(caller.of("conversation-update")))
    await anyio.sleep(1.3)  # the files are written once a second
    await caller.send({"type": "end-call"})
    await caller.until_closed()


def words_of(report: dict[str, Any]) -> str:
    return json.dumps([report["artifact"], report.get("transcript"), report.get("messages")])


@pytest.mark.usefixtures("unsealed")
async def test_a_usual_call_is_on_the_disk(tmp_path: Path, log: Log) -> None:
    """The words are found where they are kept, or the next test would prove nothing."""
    async with Receiver() as receiver, staged(tmp_path, llm=reply, transcriber=SAYS) as stage:
        async with calling(stage.url, private_assistant(stage, receiver, {})) as caller:
            await talked(caller)
        await receiver.until(lambda: receiver.of("end-of-call-report"))
    places = found(tmp_path)
    assert {place.split(" in ")[0] for place in places} == {word.decode() for word in WORDS}
    assert any(place.endswith(".jsonl") for place in places)
    assert any("bargein.db" in place for place in places)


@pytest.mark.usefixtures("unsealed")
@pytest.mark.parametrize(
    "compliance",
    [{"compliancePlan": {"hipaaEnabled": True}}, {"compliancePlan": {"pciEnabled": True}}, {"hipaaEnabled": True}],
    ids=["hipaa", "pci", "legacy"],
)
async def test_of_a_private_call_the_disk_has_nothing_and_the_owner_everything(
    tmp_path: Path, log: Log, compliance: dict[str, Any]
) -> None:
    log.set_level("debug")
    async with Receiver() as receiver, staged(tmp_path, llm=reply, transcriber=SAYS) as stage:
        async with calling(stage.url, private_assistant(stage, receiver, compliance)) as caller:
            await talked(caller)
        assert found(tmp_path) == []
        await receiver.until(lambda: receiver.of("end-of-call-report"))
        record = await stored(stage.url, caller.id, until=lambda call: call["status"] == "ended")
        async with httpx.AsyncClient(base_url=stage.url) as client:
            for name in ("call-logs", "mono-recording", "stereo-recording"):
                assert (await client.get(f"/call/{caller.id}/{name}")).status_code == 404, name
    assert found(tmp_path) == []
    assert [word for word in WORDS if word.decode() in log.text] == []
    assert log.lines("call ended", call_id=caller.id)
    assert not (tmp_path / "recordings").exists()
    assert not (tmp_path / "logs").exists()

    assert record["endedReason"] == "manually-canceled" or record["endedReason"].endswith("ended-call")
    assert record["messages"] == []
    assert set(record["artifact"]) == {"assistantActivations", "performanceMetrics"}
    assert record["artifact"]["performanceMetrics"]["numAssistantInterrupted"] == 1

    report, update = receiver.of("end-of-call-report")[-1], receiver.of("status-update")[-1]
    for message in (report, update):
        text = words_of(message)
        assert [word for word in WORDS[:3] if word.decode() not in text] == []
        assert not {"recordingUrl", "logUrl", "recording"} & set(message["artifact"])
    assert report["startedAt"] < report["endedAt"]


@pytest.mark.usefixtures("unsealed")
async def test_a_report_that_waits_for_the_owners_server_has_no_words_on_the_disk(tmp_path: Path) -> None:
    async with Receiver() as receiver, staged(tmp_path, llm=reply, transcriber=SAYS) as stage:
        mine = private_assistant(stage, receiver, {"compliancePlan": {"hipaaEnabled": True}})
        async with calling(stage.url, mine) as caller:
            await caller.until(lambda: caller.of("user-interrupted"))
            receiver.script[:] = [response(503)]
            await caller.send({"type": "end-call"})
            await caller.until_closed()
        await ended(stage.url, caller.id)
        await receiver.until(lambda: len(receiver.got) >= 3)
        assert found(tmp_path) == []
        receiver.script[:] = [{}]
        await receiver.until(lambda: receiver.of("end-of-call-report"), 20)
    assert "pellagra" in words_of(receiver.of("end-of-call-report")[0])
    assert found(tmp_path) == []


async def test_a_private_call_whose_server_is_killed_ends_without_words(tmp_path: Path) -> None:
    async with (
        FakeLlm(reply) as llm,
        FakeVoice() as voice,
        FakeTranscriber(SAYS) as transcriber,
        Receiver() as receiver,
    ):
        mine = assistant(
            llm,
            voice,
            transcriber,
            server={"url": receiver.url},
            serverMessages=REPORTS,
            compliancePlan={"hipaaEnabled": True},
            stopSpeakingPlan={"numWords": 1},
        )
        async with serve(tmp_path) as served, calling(served.url, mine) as caller:
            await caller.until(lambda: caller.of("user-interrupted"))
            await anyio.sleep(1.2)
            served.process.kill()
            killed_ms = CLOCK.epoch_ms()
            await caller.until_closed()
        recovered = recover_from_journal(journal_path(tmp_path, caller.id))
        assert recovered is not None
        assert killed_ms - 2_600 < recovered.epoch_ms + recovered.summary.now_ms <= killed_ms
        async with serve(tmp_path) as served:
            assert await ended(served.url, caller.id) == WORKER_DIED
            await receiver.until(lambda: receiver.of("end-of-call-report"))
    (report,) = receiver.of("end-of-call-report")
    assert report["endedReason"] == WORKER_DIED
    assert "pellagra" not in words_of(report)
    assert found(tmp_path) == []


@pytest.mark.usefixtures("unsealed")
async def test_what_an_earlier_assistant_stored_is_deleted_when_a_private_one_takes_over(tmp_path: Path) -> None:
    async with Receiver() as receiver, staged(tmp_path, llm=reply, transcriber=SAYS) as stage:
        plain = private_assistant(stage, receiver, {}) | {"name": "Ada"}
        private = private_assistant(stage, receiver, {"compliancePlan": {"hipaaEnabled": True}}) | {
            "name": "Bea",
            "firstMessage": "I am Bea.",
            "firstMessageMode": "assistant-speaks-first",
        }
        async with calling(stage.url, plain) as caller:
            await caller.until(lambda: caller.of("user-interrupted"))
            await anyio.sleep(1.3)
            assert found(tmp_path)
            assert (tmp_path / "recordings" / f"{caller.id}.wav").exists()
            destination = {"type": "assistant", "assistant": private}
            await caller.send({"type": "handoff", "destination": destination, "content": "One moment."})
            await caller.until(lambda: "I am Bea." in json.dumps(caller.of("conversation-update")))
            await anyio.sleep(1.6)
            assert [place for place in found(tmp_path) if "bargein.db" not in place] == []
            await caller.send({"type": "end-call"})
            await caller.until_closed()
        await receiver.until(lambda: receiver.of("end-of-call-report"))
        record = await stored(stage.url, caller.id)
    assert found(tmp_path) == []
    assert not (tmp_path / "recordings" / f"{caller.id}.wav").exists()
    assert record["messages"] == []
    assert "pellagra" in words_of(receiver.of("end-of-call-report")[0])


@pytest.mark.parametrize("compliance", [{"compliancePlan": {"hipaaEnabled": True}}, {"hipaaEnabled": True}])
def test_a_caller_cannot_undo_what_the_owner_asks_for(compliance: dict[str, Any]) -> None:
    for undone in ({"compliancePlan": {"hipaaEnabled": False}, "hipaaEnabled": False}, dict.fromkeys(compliance)):
        assert is_private(merge_overrides(compliance, undone, "caller"))
        assert not is_private(merge_overrides(compliance, undone, "owner"))
    assert is_private(merge_overrides({}, compliance, "caller"))


def test_the_log_has_the_name_of_an_error_and_not_its_text(log: Log) -> None:
    import structlog

    TEXTLESS_CALLS.add("private-call")
    try:
        logger = structlog.get_logger("bargein.call")
        for call_id in ("private-call", "usual-call"):
            try:
                int("pellagra")
            except ValueError as error:
                logger.warning("failed", call_id=call_id, exc_info=error, detail="quinine", count=3)
                logger.exception("failed again", call_id=call_id, reason=["arsenicum"])
    finally:
        TEXTLESS_CALLS.discard("private-call")
    first, second = log.lines(call_id="private-call")
    assert (first["error"], second["error"], first["count"]) == ("ValueError", "ValueError", 3)
    assert not [word for word in WORDS if word.decode() in json.dumps([first, second])]
    assert "pellagra" in json.dumps(log.lines(call_id="usual-call"))


def test_a_wordless_journal_replays_to_the_end_of_the_call(tmp_path: Path) -> None:
    journal = WordlessJournal()
    plan = Plan(first_message="Take arsenicum.", silence_timeout_ms=10_000)
    lines = [journal.head_line(Head("some-call", "2024-01-01T00:00:00.000Z", plan))]
    events = [CallStarted(0), *(Tick(at) for at in range(20, 700_000, 20))]
    lines += [line for line in map(journal.event_line, events) if line is not None]
    assert 600 < len(lines) < 720
    lines.append(journal.end_line(700_000, "customer-ended-call"))
    head, _ = read(f"{line}\n" for line in lines)
    assert head.plan.first_message is None
    path = tmp_path / "some-call.jsonl"
    path.write_text("".join(f"{line}\n" for line in lines))
    recovered = recover_from_journal(path)
    assert recovered is not None
    assert recovered.summary.ended is not None
    assert (recovered.summary.now_ms, recovered.summary.ended.reason) == (700_000, "customer-ended-call")


async def test_another_server_leaves_the_report_to_the_one_that_has_the_words(tmp_path: Path) -> None:
    store = await Store.open(tmp_path / "bargein.db", CLOCK)
    settings = make_settings(data_dir=tmp_path)
    try:
        async with open_egress(settings, CLOCK, store.credentials, lambda *_: None) as egress:
            store.calls.node_id = "this-server"
            owner_jobs = OwnerJobs(store, egress.owner_channels, CLOCK, None, PrivateCallMemory())
            record = await store.calls.create({"status": "ended", "endedReason": "hangup", "assistant": {}})
            payload = {"callId": record["id"], "nodeId": "other-server"}
            await store.nodes.beat("other-server")
            with pytest.raises(WordsElsewhereError):
                await owner_jobs.submit_ended(payload, "some-key")
            with pytest.raises(WordsElsewhereError):
                await owner_jobs.deliver({**payload, "message": {"type": "end-of-call-report"}}, "some-key")
            await store.nodes.leave("other-server")
            await owner_jobs.submit_ended(payload, "some-key")
    finally:
        await store.close()
