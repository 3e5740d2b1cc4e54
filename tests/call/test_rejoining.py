"""A web call with `roomDeleteOnUserLeaveEnabled: false`: the caller leaves, and returns by another socket."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from bargein.testing import TranscriberScript
from tests.call.harness import ended, joining, stored
from tests.call.stage import Stage, staged

pytestmark = pytest.mark.anyio

SILENT = TranscriberScript()


async def web_call(stage: Stage, *, ends_when_left: bool | None) -> dict[str, Any]:
    body = {"assistant": stage.speaker(), "roomDeleteOnUserLeaveEnabled": ends_when_left}
    async with httpx.AsyncClient() as client:
        answer = await client.post(f"{stage.url}/call/web", json=body)
    assert answer.status_code == 201, answer.text
    return answer.json()


async def test_who_comes_back_hears_the_rest(tmp_path: Path) -> None:
    async with staged(tmp_path, transcriber=SILENT) as stage:
        call = await web_call(stage, ends_when_left=False)
        assert call["transport"]["roomDeleteOnUserLeaveEnabled"] is False
        async with joining(stage.url, call) as caller:
            await caller.until(lambda: len(caller.audio) > 5)
            assert caller.of("speech-update", role="assistant", status="started")
        assert (await stored(stage.url, call["id"]))["status"] == "in-progress"
        async with joining(stage.url, call) as again:
            await again.until(lambda: len(again.audio) > 20)
            assert not again.of("speech-update", status="started")  # it has not begun anew
            await again.send({"type": "end-call"})
            assert await again.until_closed() == 1000
        # its record may not be written yet: a call that is over lets nobody in all the same
        async with joining(stage.url, call) as at_once:
            assert await at_once.until_closed() == 1008
        assert await ended(stage.url, call["id"]) == "customer-ended-call"
        async with joining(stage.url, call) as late:
            assert await late.until_closed() == 1008


async def test_a_page_that_is_back_before_it_has_gone(tmp_path: Path) -> None:
    async with staged(tmp_path, transcriber=SILENT) as stage:
        call = await web_call(stage, ends_when_left=False)
        async with joining(stage.url, call) as first:
            await first.until(lambda: first.audio)
            async with joining(stage.url, call) as second:
                assert await first.until_closed() == 1008
                assert "another socket" in first.reason
                heard = len(second.audio)
                await second.until(lambda: len(second.audio) > heard + 10)


async def test_a_room_that_nobody_is_in_can_be_closed(tmp_path: Path) -> None:
    async with staged(tmp_path, transcriber=SILENT) as stage:
        call, other = await web_call(stage, ends_when_left=False), await web_call(stage, ends_when_left=False)
        for made in (call, other):
            async with joining(stage.url, made) as caller:
                await caller.until(lambda: caller.audio)  # awaited before the next one
        async with httpx.AsyncClient() as client:
            answer = await client.post(call["monitor"]["controlUrl"], json={"type": "end-call"})
            assert answer.status_code == 200
        assert await ended(stage.url, call["id"]) == "manually-canceled"
        await stage.server.stop()  # the other one is no reason to wait


@pytest.mark.parametrize("ends_when_left", [True, None])
async def test_other_calls_end_when_they_are_left(tmp_path: Path, *, ends_when_left: bool | None) -> None:
    async with staged(tmp_path, transcriber=SILENT) as stage:
        call = await web_call(stage, ends_when_left=ends_when_left)
        assert call["transport"]["roomDeleteOnUserLeaveEnabled"] is True
        async with joining(stage.url, call) as caller:
            await caller.until(lambda: caller.audio)
        assert await ended(stage.url, call["id"]) == "customer-ended-call"
