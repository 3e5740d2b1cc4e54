"""Generation of the OpenAPI document: beside live calls, and once."""

import threading

import anyio
import httpx
import pytest

from bargein.server.api import openapi
from bargein.wire.base import JsonObject

pytestmark = pytest.mark.anyio


async def test_the_document_is_generated_once_and_not_on_the_event_loop(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[threading.Thread] = []
    bodies: list[bytes] = []
    components = openapi.components

    def recorded() -> JsonObject:
        threads.append(threading.current_thread())
        return components()

    async def request() -> None:
        answer = await client.get("/openapi.json")
        assert answer.headers["content-type"] == "application/json"
        bodies.append(answer.content)

    monkeypatch.setattr(openapi, "components", recorded)
    async with anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(request)
    assert len(threads) == 1
    assert threads[0] is not threading.current_thread()
    assert len(set(bodies)) == 1
