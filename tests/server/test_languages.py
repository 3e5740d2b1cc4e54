"""Calls in other languages than English: what a server without their transcriber says, and what the call waits for."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from bargein.providers.embedded import whisper
from bargein.server.agents.providers import ProviderFactory
from bargein.turns import Plan
from bargein.wire.assistant import Assistant
from tests.server.conftest import Serve

pytestmark = pytest.mark.anyio

SOCKET = {"provider": "vapi.websocket"}
SPANISH = {"transcriber": {"provider": "vapi", "language": "es"}}


def call_with(where: str) -> dict[str, Any]:
    match where:
        case "assistant":
            return {"assistant": SPANISH, "transport": SOCKET}
        case "assistantOverrides":
            return {"assistant": {}, "assistantOverrides": SPANISH, "transport": SOCKET}
        case _:
            return {"squad": {"members": [{"assistant": SPANISH}]}, "transport": SOCKET}


@pytest.mark.parametrize("where", ["assistant", "assistantOverrides", "squad"])
async def test_a_call_in_a_language_that_cannot_be_heard_is_refused_with_the_extras_name(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    monkeypatch.setattr(whisper, "is_installed", lambda: False)
    async with serve() as client:
        response = await client.post("/call", json=call_with(where))
        assert response.status_code == 400
        (message,) = response.json()["message"]
        assert "transcriber.language: the embedded transcriber hears es only with the extra languages" in message
        stored = await client.post("/assistant", json=SPANISH)
        assert stored.status_code == 201, "it may be stored for a server that has the extra"
        assert (await client.post("/call", json={"assistant": {}, "transport": SOCKET})).status_code == 201
        multi = {"assistant": {"transcriber": {"provider": "vapi", "languages": []}}, "transport": SOCKET}
        assert (await client.post("/call", json=multi)).status_code == 201


async def test_a_call_in_a_language_that_can_be_heard_is_created(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(whisper, "is_installed", lambda: True)
    async with serve() as client:
        assert (await client.post("/call", json=call_with("assistant"))).status_code == 201
        unknown = {"assistant": {"transcriber": {"provider": "vapi", "language": "aa"}}, "transport": SOCKET}
        response = await client.post("/call", json=unknown)
        assert response.status_code == 400
        assert "does not know aa" in response.text


def test_words_that_come_late_are_waited_for() -> None:
    settings = SimpleNamespace(calls=SimpleNamespace(early_replies=True, denoiser=None))
    egress = SimpleNamespace(client=None, guard=None)
    factory = ProviderFactory(cast("Any", settings), *[cast("Any", None)] * 3, cast("Any", egress))
    late = factory.plan(Assistant.model_validate({}), cast("Any", SimpleNamespace(lag_ms=1_500)))
    assert late.transcript_timeout_ms == Plan().transcript_timeout_ms + 1_500
    assert late.false_interruption_timeout_ms == Plan().false_interruption_timeout_ms + 1_500
    usual = factory.plan(Assistant.model_validate({}), cast("Any", SimpleNamespace(lag_ms=0)))
    assert usual.transcript_timeout_ms == Plan().transcript_timeout_ms
