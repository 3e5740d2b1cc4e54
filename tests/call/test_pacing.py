"""Pacing: audio is sent just in time, so that little of it must be cleared, and text never waits behind audio."""

import statistics
from pathlib import Path
from typing import Any

import anyio
import pytest

from bargein.carriers.websocket import WebsocketLeg
from bargein.testing import FakeVoice, LlmScript, VoiceScript
from tests.call.harness import Caller, Sound, calling
from tests.call.stage import goes_on_smoothly, staged

pytestmark = [pytest.mark.anyio, pytest.mark.timed]

AHEAD_MS = 60
JITTER_MS = 10
"""How late a caller in the same process may note the arrival of the first frame."""


async def test_a_caller_never_has_more_than_sixty_milliseconds_in_hand(tmp_path: Path) -> None:
    by_tokens = LlmScript(tokens=[f"word{n:02d}. " for n in range(12)], interval_ms=150)
    callers: dict[str, list[Caller]] = {}
    async with staged(tmp_path, llm=by_tokens) as stage, FakeVoice(VoiceScript(pace="realtime")) as streaming:
        streamed = {"provider": "custom-voice", "server": {"url": streaming.url}, "cachingEnabled": False}
        kinds: dict[str, tuple[dict[str, Any], Sound]] = {
            "at once": (stage.speaker(), Sound()),
            "at once, 44.1 kHz": (stage.speaker(), Sound(44_100)),
            "at once, mulaw": (stage.speaker(), Sound(8_000, "mulaw", 160)),
            "streamed": (stage.speaker(voice=streamed), Sound()),
            "by tokens": (stage.assistant(), Sound()),
        }

        async def listen(kind: str) -> None:
            assistant, sound = kinds[kind]
            async with calling(stage.url, assistant, sound=sound) as caller:
                await caller.until(lambda: len(caller.audio) > 150)
            callers.setdefault(kind, []).append(caller)

        async with anyio.create_task_group() as tasks:
            for kind in (*kinds, *kinds):
                tasks.start_soon(listen, kind)
    # Of each kind there are two callers, so that one may have been held up by the machine.
    for kind, both in callers.items():
        assert min(caller.ahead_ms() for caller in both) <= AHEAD_MS + JITTER_MS, kind
        # What is there is played without gaps; only by the token may the voice run dry.
        for caller in both if kind != "by tokens" else ():
            goes_on_smoothly(caller)


async def test_text_never_waits_behind_audio(tmp_path: Path) -> None:
    waits: list[float] = []
    async with staged(tmp_path) as stage, calling(stage.url, stage.speaker()) as caller:
        await caller.until(lambda: len(caller.audio) > 10)
        for count in range(1, 41):
            sent = caller.now()
            await caller.socket.send("?")
            await caller.until(lambda n=count: len([m for _, m in caller.messages if "statusCode" in m]) == n)
            waits.append(caller.now() - sent)
            await anyio.sleep(0.007)  # so that they fall on every part of a frame
        # All at once
        sent = caller.now()
        for _ in range(100):
            await caller.socket.send("?")
        await caller.until(lambda: len([m for _, m in caller.messages if "statusCode" in m]) == 140)
        burst_ms = caller.now() - sent
        goes_on_smoothly(caller)
    assert statistics.median(waits) < 5, waits
    assert statistics.quantiles(waits, n=10)[-1] < 20, waits
    assert burst_ms < 300


class Slow:
    """A socket that sends one frame at a time, on demand."""

    def __init__(self) -> None:
        self.sent: list[str | bytes] = []
        self.takes = anyio.Semaphore(0)
        self.taken = anyio.Event()

    async def send_text(self, data: str) -> None:
        await self._send(data)

    async def send_bytes(self, data: bytes) -> None:
        await self._send(data)

    async def _send(self, data: str | bytes) -> None:
        self.taken.set()
        await self.takes.acquire()
        self.sent.append(data)

    async def close(self, code: int = 1000, reason: str | None = None) -> None:
        self.sent.append(f"closed {code}")


async def test_text_overtakes_audio_that_has_not_left(tmp_path: Path) -> None:
    socket = Slow()
    leg = WebsocketLeg(socket, "pcm_s16le", 16_000)
    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            for number in range(5):
                leg.send_audio(bytes([number]))
            tasks.start_soon(leg.run, lambda: None)
            await socket.taken.wait()
            leg.send_text("first")
            leg.send_text("second")
            for _ in range(4):
                socket.takes.release()
            await anyio.wait_all_tasks_blocked()
            assert socket.sent == [b"\0", "first", "second", b"\1"]
            # What has been cut is not sent, what is said goodbye with is.
            leg.clear()
            leg.send_text("goodbye")
            leg.send_audio(b"late")
            leg.hang_up()
            for _ in range(4):
                socket.takes.release()
            await leg.done.wait()
    assert socket.sent[4:] == [b"\2", "goodbye", "closed 1000"]


async def test_a_peer_that_takes_no_text_is_given_up() -> None:
    socket = Slow()
    leg = WebsocketLeg(socket, "pcm_s16le", 16_000)
    lost = anyio.Event()
    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(leg.run, lost.set)
            for _ in range(9):
                leg.send_text("a" * (1 << 20))
            await lost.wait()
    assert socket.sent == ["closed 1013"]
