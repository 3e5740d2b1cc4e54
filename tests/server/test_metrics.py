"""`GET /metrics` after real calls, with the private key only."""

from pathlib import Path

import anyio
import httpx
import pytest
import websockets
from prometheus_client.parser import text_string_to_metric_families

from tests.call.harness import bearing, calling, create_call, eventually, stored
from tests.call.stage import STORY, staged
from tests.call.test_journal import SAYS, cut_call
from tests.webhooks.receiver import Receiver, response

pytestmark = pytest.mark.anyio

Values = dict[tuple[str, ...], float]


async def scraped(url: str) -> Values:
    """Return the metrics by name and label values, in the order of the labels' names."""
    async with httpx.AsyncClient() as client:
        answer = await client.get(f"{url}/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=")
    families = text_string_to_metric_families(answer.text)
    return {(s.name, *s.labels.values()): s.value for family in families for s in family.samples}


async def test_calls_are_counted_as_they_happen(tmp_path: Path) -> None:
    async with staged(tmp_path, transcriber=SAYS, llm=STORY) as stage:
        before = await scraped(stage.url)
        assert before["bargein_live_calls",] == 0
        assert before["bargein_latency_seconds_count", "turn"] == 0
        async with calling(stage.url, stage.speaker()) as caller:
            await caller.until(lambda: caller.audio)
            assert (await scraped(stage.url))["bargein_live_calls",] == 1
        over = await cut_call(stage)

        async def look() -> Values:
            return await scraped(stage.url)

        after = await eventually(look, lambda values: values["bargein_live_calls",] == 0)
        metrics = (await stored(stage.url, over.id))["artifact"]["performanceMetrics"]
    assert after["bargein_calls_ended_total", "customer-ended-call"] == 2
    assert after["bargein_interruptions_total",] >= metrics["numAssistantInterrupted"] > 0
    assert after["bargein_decisions_total", "stopped"] >= metrics["numAssistantInterrupted"]
    turns = metrics["turnLatencies"]
    assert after["bargein_latency_seconds_count", "turn"] == len(turns) > 0
    for part in ("transcriber", "endpointing", "model", "voice", "turn"):
        total_ms = sum(turn[f"{part}Latency"] for turn in turns)
        assert after["bargein_latency_seconds_sum", part] == pytest.approx(total_ms / 1000)
    assert after["process_resident_memory_bytes",] > 10_000_000


async def test_refused_sockets_are_counted_by_their_code(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        async with websockets.connect(f"ws{stage.url.removeprefix('http')}/no-such-call/transport") as socket:
            with anyio.fail_after(5):
                await socket.wait_closed()
        assert (await scraped(stage.url))["bargein_refused_sockets_total", "1008"] == 1
        call = await create_call(stage.url, stage.assistant())
        async with websockets.connect(call["transport"]["websocketCallUrl"]) as socket:
            await socket.send(bytes(3))  # one sample and a half
            with anyio.fail_after(5):
                await socket.wait_closed()
        assert (await scraped(stage.url))["bargein_refused_sockets_total", "1007"] == 1


async def test_a_call_that_could_not_start_is_counted(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        voice = {"provider": "custom-voice", "server": {"url": "http://127.0.0.1:9"}}
        model = {"provider": "anthropic", "model": "claude-3-opus-20240229"}
        call = await create_call(stage.url, stage.assistant(voice=voice, model=model))
        async with websockets.connect(call["transport"]["websocketCallUrl"]) as socket:
            with anyio.fail_after(5):
                await socket.wait_closed()
        reason = (await stored(stage.url, call["id"]))["endedReason"]
        assert (await scraped(stage.url))["bargein_calls_ended_total", reason] == 1


async def test_metrics_need_the_private_key(tmp_path: Path) -> None:
    async with staged(tmp_path, api_key="some-key", public_key="other-key") as stage, httpx.AsyncClient() as client:
        for key, status in ((None, 401), ("wrong", 401), ("other-key", 403), ("some-key", 200)):
            assert (await client.get(f"{stage.url}/metrics", headers=bearing(key))).status_code == status


async def test_messages_to_an_owners_server_are_counted_by_outcome(tmp_path: Path) -> None:
    async with Receiver([{}, response(500), {}]) as receiver, staged(tmp_path) as stage:
        told = stage.speaker("One two.", server={"url": receiver.url}, serverMessages=["status-update"])
        async with calling(stage.url, told) as caller:
            await caller.until(lambda: caller.audio)
            await caller.send({"type": "end-call"})
            await caller.until_closed()

        async def look() -> Values:
            return await scraped(stage.url)

        failed = ("bargein_webhook_deliveries_total", "status", "status-update")
        values = await eventually(look, lambda found: failed in found)
    assert values[failed] == 1
    assert values["bargein_webhook_deliveries_total", "taken", "status-update"] >= 1
