"""A simulated call: the tester speaks, says "uh-huh" and interrupts; the assistant is in a call of this server."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from bargein.clock import LoopClock
from bargein.providers.embedded import Embedded
from bargein.testing import FakeLlm, LlmScript
from bargein.wire import contract
from tests.call.harness import eventually, serving

pytestmark = pytest.mark.anyio

STORY = tuple(f"{word} " for word in ("Once upon a time there was a king who had a very long garden. " * 6).split())
SCRIPT = "script:\nTell me a story. [uh-huh after 1 s] [after 3 s] Stop it now.\n[silence 1 s]\n[hang up]"


async def test_a_tester_interrupts_and_the_call_is_evaluated(tmp_path: Path) -> None:
    embedded = Embedded(LoopClock())
    async with (
        FakeLlm(LlmScript(tokens=STORY, interval_ms=30)) as llm,
        serving(tmp_path, embedded) as url,
        httpx.AsyncClient(base_url=url) as client,
    ):
        await embedded.warm_up()
        model = {"provider": "custom-llm", "url": llm.url, "model": "m"}
        king: dict[str, Any] = {"name": "king", "type": "regex", "regex": "/king/i", "schema": {"type": "boolean"}}
        scenario: dict[str, Any] = {
            "name": "Interruption",
            "instructions": SCRIPT,
            "evaluations": [{"structuredOutput": king, "comparator": "=", "value": True}],
            "latencyExpectations": [{"metric": "turn", "aggregation": "max", "thresholdMs": 60_000}],
        }
        body: dict[str, Any] = {
            "simulations": [
                {"type": "simulation", "scenario": scenario, "personality": {"name": "Ada", "assistant": {}}}
            ],
            "target": {"type": "assistant", "assistant": {"model": model, "firstMessage": "Hello."}},
            "transport": {"provider": "vapi.websocket"},
        }
        begun = await client.post("/eval/simulation/run", json=body)
        assert begun.status_code == 201, begun.text
        path = f"/eval/simulation/run/{begun.json()['id']}"

        async def look() -> dict[str, Any]:
            return (await client.get(path)).json()

        await eventually(look, lambda one: one["status"] == "ended", seconds=90)
        (item,) = (await client.get(f"{path}/item")).json()
        assert not contract.problems("SimulationRunItem", item)
        call = (await client.get(f"/call/{item['callId']}")).json()
        recording = await client.get(item["metadata"]["call"]["recordingUrl"])
    assert item["status"] == "passed", item.get("failureReason")
    kept, cut = item["results"]["interruptions"]
    assert (kept["sound"], kept["overSpeech"], kept["interrupted"]) == ("uh-huh", True, False)
    assert (cut["sound"], cut["overSpeech"], cut["interrupted"]) == ("Stop it now.", True, True)
    assert 0 < cut["silenceMs"] < 2000
    assert item["results"]["latencyMetrics"]["turnCount"] >= 1
    assert "king" in item["metadata"]["call"]["transcript"]
    assert (call["status"], call["endedReason"]) == ("ended", "customer-ended-call")
    assert recording.content[:4] == b"RIFF"
