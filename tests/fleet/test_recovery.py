"""A server is killed during a call: the next one ends the call from its journal and reports it to the owner."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from sqlalchemy import select

from bargein.call.record.costs import cost_fields
from bargein.call.record.journal import Head, event_line, head_line
from bargein.clock import LoopClock
from bargein.server.calls.recovery import WORKER_DIED, recover_from_journal
from bargein.store import Store
from bargein.store.journals import journal_path
from bargein.store.nodes import NodeId
from bargein.store.tables import jobs
from bargein.testing import FakeLlm, FakeTranscriber, FakeVoice, LlmScript, TimedReply, TranscriberScript
from bargein.turns import Plan
from bargein.turns.events import CallStarted, Tick
from bargein.wire.prices import Prices
from tests.browser.conftest import Served, serve
from tests.call.harness import Caller, assistant, calling, create_call, ended, joining, running, stored
from tests.call.stage import staged
from tests.postgres import Cluster
from tests.programs import needs
from tests.webhooks.receiver import Receiver, response

pytestmark = pytest.mark.anyio

CLOCK = LoopClock()
STORY = LlmScript(tokens=[f"word{n:02d} " for n in range(80)])
CALLER_WORDS = TranscriberScript(timed=[TimedReply(200, "Tell me a story."), TimedReply(1500, "Stop, please stop.")])
REPORTS = {"serverMessages": ["status-update", "end-of-call-report", "user-interrupted"]}


@dataclass
class Peers:
    """The fake providers of the calls."""

    llm: FakeLlm
    voice: FakeVoice
    transcriber: FakeTranscriber
    hook: Receiver

    def assistant(self, **more: Any) -> dict[str, Any]:
        server = {"url": self.hook.url, "secret": "hush-hush", "headers": {"X-Mine": "hush-too"}}
        return assistant(self.llm, self.voice, self.transcriber, server=server, **REPORTS, **more)


@asynccontextmanager
async def peers() -> AsyncIterator[Peers]:
    async with (
        FakeLlm(STORY) as llm,
        FakeVoice() as voice,
        FakeTranscriber(CALLER_WORDS) as transcriber,
        Receiver() as hook,
    ):
        yield Peers(llm, voice, transcriber, hook)


PRICES = {"voice": {"custom-voice": 100}}


def epoch_ms(iso: str) -> float:
    return datetime.fromisoformat(iso).timestamp() * 1000


async def talk_and_kill(served: Served, beside: Peers) -> tuple[Caller, int]:
    """Make a call with an interruption, kill its server about a second later, and return the time of the kill."""
    async with calling(served.url, beside.assistant(), customer={"number": "+15551234567"}) as caller:
        await caller.until(lambda: caller.of("user-interrupted"))
        await beside.hook.until(lambda: beside.hook.of("user-interrupted"))
        await anyio.sleep(1.2)  # the call simply continues for a while
        served.process.kill()
        killed_ms = CLOCK.epoch_ms()
        await caller.until_closed()
    return caller, killed_ms


async def payloads(tmp_path: Path, database_url: str | None) -> str:
    """Return the payloads of all pending jobs as JSON."""
    store = await Store.open(tmp_path / "bargein.db", CLOCK, url=database_url)
    async with store._database.reading() as connection:
        sealed = (await connection.execute(select(jobs.c.payload))).scalars().all()
    found = [store.jobs._vault.open(payload) for payload in sealed]
    await store.close()
    return json.dumps(found)


async def test_a_killed_servers_call_is_ended_and_reported(tmp_path: Path, database_url: str | None) -> None:
    keys = {} if database_url is None else {"BARGEIN_DATABASE_URL": database_url}
    (tmp_path / "prices.json").write_text(json.dumps(PRICES))
    keys["BARGEIN_PRICES"] = str(tmp_path / "prices.json")
    async with peers() as beside:
        hook = beside.hook
        async with serve(tmp_path, **keys) as served:
            waiting = await create_call(served.url, beside.assistant())
            caller, killed_ms = await talk_and_kill(served, beside)
        recovered = recover_from_journal(journal_path(tmp_path, caller.id))
        assert recovered is not None
        assert killed_ms - 1_500 < recovered.epoch_ms + recovered.summary.now_ms <= killed_ms

        # the owner's server is down while ours restarts
        hook.got.clear()
        hook.script[:] = [response(503)]
        async with serve(tmp_path, **keys) as served:
            assert await ended(served.url, caller.id) == WORKER_DIED
            record = await stored(served.url, caller.id)
            check_the_record(record, killed_ms)
            costs = cost_fields(record, recovered.summary.usage, Prices.from_json(PRICES), record["durationMs"])
            assert costs == {name: record[name] for name in costs}
            assert costs["costBreakdown"]["tts"] == pytest.approx(costs["costBreakdown"]["ttsCharacters"] / 10)
            assert costs["cost"] > 0
            async with joining(served.url, caller.call, pump=False) as late:
                assert (await late.until_closed(), late.reason) == (1008, "this call is over")
            await hook.until(lambda: len(hook.got) >= 2)
            pending = await payloads(tmp_path, database_url)
            assert "end-of-call-report" in pending
            assert "hush" not in pending
            hook.script[:] = [{}]
            await hook.until(lambda: hook.of("end-of-call-report"), 20)
            check_the_messages(hook, record)
            # a call that had not begun can still be joined
            async with joining(served.url, waiting) as other:
                await other.until(lambda: other.of("status-update", status="in-progress"))


def check_the_record(record: dict[str, Any], killed_ms: int) -> None:
    """Check that the record has the whole conversation up to the last second."""
    assert killed_ms - 1_500 < epoch_ms(record["endedAt"]) <= killed_ms
    user, bot, *_ = record["messages"]
    assert (user["role"], user["message"]) == ("user", "Tell me a story.")
    assert bot["role"] == "bot"
    assert bot["message"].startswith("word00")
    assert record["artifact"]["messages"] == record["messages"]
    assert record["artifact"]["transcript"].startswith("User: Tell me a story.\nAI: word00")
    assert record["artifact"]["performanceMetrics"]["numAssistantInterrupted"] == 1


def check_the_messages(hook: Receiver, record: dict[str, Any]) -> None:
    """Check that the status comes first, repeated with one idempotency key until it was accepted, then the report."""
    *updates, report = hook.got
    assert {got.message["type"] for got in updates} == {"status-update"}
    assert {got.message["status"] for got in updates} == {"ended"}
    assert len(updates) > 1
    assert len({got.headers["idempotency-key"] for got in updates}) == 1
    assert report.headers["idempotency-key"] != updates[0].headers["idempotency-key"]
    assert report.headers["x-vapi-secret"] == "hush-hush"
    assert report.headers["x-mine"] == "hush-too"
    assert report.message["endedReason"] == WORKER_DIED
    assert report.message["artifact"]["transcript"] == record["artifact"]["transcript"]
    assert report.message["call"]["id"] == record["id"]
    assert report.message["customer"] == {"number": "+15551234567"}


@pytest.mark.timed
async def test_a_call_that_ended_just_before_the_kill_keeps_its_reason(
    tmp_path: Path, database_url: str | None
) -> None:
    """The journal has the end of the call, but its record was not written."""
    async with staged(tmp_path, database_url=database_url) as stage:
        async with calling(stage.url, stage.assistant()) as caller:
            await caller.until(lambda: caller.of("transcript", role="user", transcriptType="final"))
            await caller.send({"type": "end-call"})
            await caller.until_closed()
        before = await stored(stage.url, caller.id, until=lambda call: call["status"] == "ended")
    store = await Store.open(tmp_path / "bargein.db", CLOCK, url=database_url)
    gone = dict.fromkeys(("endedReason", "endedAt", "messages", "artifact"))
    await store.calls.update(caller.id, {"status": "in-progress", **gone})
    await store.calls.begin(caller.id, {}, (tmp_path / "node").read_text())
    await store.close()
    async with running(tmp_path, database_url=database_url) as again:
        after = await stored(again.url, caller.id, until=lambda call: call["status"] == "ended")
    assert after["endedReason"] == before["endedReason"] == "customer-ended-call"
    assert after["messages"] == before["messages"]
    assert abs(epoch_ms(after["endedAt"]) - epoch_ms(before["endedAt"])) < 100
    assert plain(after["artifact"]) == plain(before["artifact"])


def plain(artifact: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in artifact.items() if not name.startswith("presigned")}


@pytest.mark.parametrize("left", [None, "", "no journal\n", '{"journal": "bargein", "version": 99}\n'])
async def test_a_call_without_a_journal_is_ended(tmp_path: Path, database_url: str | None, left: str | None) -> None:
    store = await Store.open(tmp_path / "bargein.db", CLOCK, url=database_url)
    node = NodeId(tmp_path)
    started_at = "2026-01-02T03:04:05.678Z"
    await store.calls.create({"status": "queued"}, record_id="a-call")
    await store.calls.begin("a-call", {"status": "in-progress", "startedAt": started_at}, node.id)
    await store.close()
    node.close()
    if left is not None:
        path = journal_path(tmp_path, "a-call")
        path.parent.mkdir()
        path.write_text(left)
    async with running(tmp_path, database_url=database_url) as server:
        call = await stored(server.url, "a-call", until=lambda call: call["status"] == "ended")
    assert (call["endedReason"], call["endedAt"], call["messages"]) == (WORKER_DIED, started_at, [])


def test_a_journal_is_replayed_up_to_the_first_unreadable_line(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    head = head_line(Head("a", "2026-01-02T03:04:05.678Z", Plan()))
    events = [event_line(event) for event in (CallStarted(0), Tick(1000), Tick(2000))]
    whole = "\n".join([head, *events, ""])
    for text, last_ms in (
        (whole, 2000),
        (whole[:-5], 1000),
        (whole + "garbage\n" + event_line(Tick(3000)) + "\n", 2000),
        (head + "\n", 0),
    ):
        path.write_text(text)
        recovered = recover_from_journal(path)
        assert recovered is not None
        assert (recovered.epoch_ms, recovered.summary.now_ms) == (1767323045678, last_ms)


@needs("postgres")
async def test_a_database_outage_during_calls_loses_nothing(tmp_path: Path, cluster: Cluster) -> None:
    with cluster.database() as url:
        async with Receiver() as hook, staged(tmp_path, database_url=url) as stage:
            mine = stage.assistant(server={"url": hook.url}, **REPORTS)
            waiting = await create_call(stage.url, mine)
            async with calling(stage.url, mine) as caller, calling(stage.url, mine) as other:
                await caller.until(lambda: caller.of("speech-update", role="assistant", status="started"))
                await other.until(lambda: other.of("speech-update", role="assistant", status="started"))
                cluster.stop()
                try:
                    async with httpx.AsyncClient() as client:
                        assert (await client.get(f"{stage.url}/call/{caller.id}")).status_code == 503
                    async with joining(stage.url, waiting, pump=False) as early:
                        assert await early.until_closed() == 1013
                    heard = len(caller.audio)
                    await caller.until(lambda: len(caller.audio) > heard + 20)
                    await caller.send({"type": "end-call"})
                    await caller.until_closed()
                finally:
                    cluster.start()
                heard = len(other.audio)
                await other.until(lambda: len(other.audio) > heard + 5)
            # one report for each call, also for the one that continued after the outage
            await hook.until(lambda: len(hook.of("end-of-call-report")) == 2, 20)
            for call in (caller, other):
                assert await ended(stage.url, call.id) == "customer-ended-call"
                record = await stored(stage.url, call.id)
                assert record["messages"][0]["message"] == "Tell me a story."
                assert record["startedAt"] < record["endedAt"]
