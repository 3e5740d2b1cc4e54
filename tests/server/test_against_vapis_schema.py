"""Responses of the server have the structure of Vapi's types."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.call.harness import stored
from tests.call.stage import STORY, staged
from tests.call.test_journal import SAYS, cut_call
from tests.server.conftest import VISITOR
from tests.vapi_schema import fill, problems, types

pytestmark = pytest.mark.anyio

SOCKET = {"transport": {"provider": "vapi.websocket", "audioFormat": {"format": "mulaw"}}}
PHRASES = {"interruptionPhrases": ["stop"], "acknowledgementPhrases": None}
ASSISTANT: dict[str, Any] = {
    "name": "Ada",
    "firstMessage": None,
    "voice": {"provider": "vapi", "voiceId": "Elliot"},
    "transcriber": {"provider": "vapi"},
    "model": {"provider": "custom-llm", "url": "https://example.org", "model": "m"},
    "stopSpeakingPlan": {"numWords": 0, "voiceSeconds": 0.2, **PHRASES},
    "startSpeakingPlan": {"smartEndpointingPlan": None, "waitSeconds": 0.4},
    "clientMessages": ["user-interrupted", "model-output"],
}


async def test_an_assistant_has_vapis_structure(client: httpx.AsyncClient) -> None:
    made = (await client.post("/assistant", json=ASSISTANT)).json()
    assert problems("Assistant", made) == []
    (listed,) = (await client.get("/assistant")).json()
    assert problems("Assistant", listed) == []
    patched = (await client.patch(f"/assistant/{made['id']}", json={"name": None, "stopSpeakingPlan": PHRASES})).json()
    assert problems("Assistant", patched) == []


@pytest.mark.parametrize("branch", range(4))
async def test_an_assistant_with_every_field_is_returned(client: httpx.AsyncClient, branch: int) -> None:
    whole = fill("CreateAssistantDTO", lambda _: False, "", branch=branch)
    whole["server"]["url"] = "https://example.org"
    for part in ("voice", "model", "transcriber", "startSpeakingPlan"):
        whole.pop(part)
    made = (await client.post("/assistant", json=whole)).json()
    assert {name: made[name] for name in whole} == whole


async def test_calls_are_vapis(client: httpx.AsyncClient) -> None:
    stored = (await client.post("/assistant", json=ASSISTANT)).json()["id"]
    for body in ({"assistant": ASSISTANT, "customer": {"number": "+14155550123"}}, {"assistantId": stored}):
        call = (await client.post("/call", json={**body, **SOCKET})).json()
        assert problems("Call", call) == []
        assert problems("Call", (await client.get(f"/call/{call['id']}")).json()) == []
    web = (await client.post("/call/web", json={"assistantId": stored, "assistantOverrides": {"name": "Bob"}})).json()
    assert problems("Call", web) == []


async def test_a_web_call_made_with_the_public_key_has_the_structure_of_a_call(
    client_with_keys: httpx.AsyncClient,
) -> None:
    server = {"server": {"url": "https://u:p@example.org", "headers": {"a": "b"}, "secret": "s"}}
    body = {"assistant": {**ASSISTANT, **server, "credentials": [{"provider": "openai", "apiKey": "k"}]}}
    web = (await client_with_keys.post("/call/web", json=body, headers=VISITOR)).json()
    assert problems("Call", web) == []
    assert web["assistant"]["server"] == {"url": "https://example.org"}
    assert "credentials" not in web["assistant"]


def schema_of(name: str) -> dict[str, Any]:
    found: dict[str, Any] = types()[name]
    return found


async def test_an_ended_call_has_vapis_structure(tmp_path: Path) -> None:
    async with staged(tmp_path, transcriber=SAYS, llm=STORY) as stage:
        caller = await cut_call(stage, name="Ada")
        record = await stored(stage.url, caller.id)
    assert record["artifact"]["performanceMetrics"]["turnLatencies"]
    assert problems("Call", record) == []
    assert problems("Artifact", record["artifact"]) == []
    known = set(schema_of("Artifact")["properties"])
    assert set(record["artifact"]) <= known
    for field, name in (("performanceMetrics", "PerformanceMetrics"), ("recording", "Recording")):
        assert set(record["artifact"][field]) <= set(schema_of(name)["properties"])
