"""Listeners of a live call: both sides, the messages, any number of listeners, and no effect on the call."""

import json
from contextlib import AsyncExitStack
from pathlib import Path

import anyio
import anyio.to_thread
import httpx
import numpy as np
import pytest
import websockets

from bargein.call.clients.listeners import Listener, Listeners
from bargein.carriers.websocket import WebsocketLeg
from bargein.testing import FakeLlm, FakeTranscriber, FakeVoice, TranscriberScript
from tests.call.harness import assistant, calling, eventually, serving
from tests.call.stage import goes_on_smoothly, staged
from tests.call.test_bad_input import Deaf

pytestmark = pytest.mark.anyio


async def test_listeners_hear_both_sides_and_read_along(tmp_path: Path) -> None:
    async with (
        serving(tmp_path) as url,
        FakeLlm() as llm,
        FakeVoice() as voice,
        FakeTranscriber() as transcriber,
        calling(url, assistant(llm, voice, transcriber)) as caller,
    ):
        await caller.until(lambda: caller.of("assistant.started"))
        address = caller.call["monitor"]["listenUrl"]
        async with websockets.connect(address) as one, websockets.connect(address) as other:
            tone = (8000 * np.sin(np.arange(16_000) / 5)).astype("<i2")
            await caller.say(tone)
            await caller.send({"type": "say", "content": "Hello to all who listen in."})
            sound = {one: b"", other: b""}
            texts: list[str] = []
            with anyio.fail_after(10):
                for listener in (one, other):
                    while len(sound[listener]) < 64_000 * 3:
                        frame = await listener.recv()
                        if isinstance(frame, bytes):
                            sound[listener] += frame
                        else:
                            texts.append(json.loads(frame)["type"])
            await caller.send({"type": "end-call"})
            assert await caller.until_closed() == 1000
            with anyio.fail_after(5):
                await one.wait_closed()
            assert one.close_code == 1000
    for heard in sound.values():
        stereo = np.frombuffer(heard, "<i2").reshape(-1, 2).astype(float)
        assert np.abs(stereo[:, 0]).max() > 7000, "the customer is on the left"
        assert np.abs(stereo[:, 1]).max() > 500, "the assistant is on the right"
    assert "voice-input" in texts


@pytest.mark.parametrize(
    ("plan", "headers", "code"),
    [
        ({"listenEnabled": False}, {}, 1008),
        ({"listenAuthenticationEnabled": True}, {}, 1008),
        ({}, {"Authorization": "Bearer wrong"}, 1008),
    ],
)
async def test_who_may_not_listen_is_told(
    tmp_path: Path, plan: dict[str, bool], headers: dict[str, str], code: int
) -> None:
    async with (
        serving(tmp_path, api_key="some-key", public_key="other-key") as url,
        FakeLlm() as llm,
        FakeVoice() as voice,
        FakeTranscriber() as transcriber,
        calling(url, assistant(llm, voice, transcriber, monitorPlan=plan)) as caller,
    ):
        await caller.until(lambda: caller.of("assistant.started"))
        async with websockets.connect(caller.call["monitor"]["listenUrl"], additional_headers=headers) as listener:
            with anyio.fail_after(5):
                await listener.wait_closed()
            assert listener.close_code == code


@pytest.mark.timed
async def test_twenty_listeners_and_a_deaf_one_cost_the_call_nothing(tmp_path: Path) -> None:
    quick = {"ws_ping_interval": 1, "ws_ping_timeout": 1}  # a second in place of twenty, so that the test is short
    async with (
        staged(tmp_path, config=quick, transcriber=TranscriberScript()) as stage,
        calling(stage.url, stage.speaker()) as caller,
        httpx.AsyncClient(base_url=stage.url) as client,
        AsyncExitStack() as sockets,
    ):
        await caller.until(lambda: len(caller.audio) > 5)
        address = caller.call["monitor"]["listenUrl"]
        listeners = [await sockets.enter_async_context(websockets.connect(address)) for _ in range(20)]
        deaf = await anyio.to_thread.run_sync(Deaf, caller.call, address)
        sockets.callback(deaf.close)
        heard = [0] * len(listeners)

        async def listen(number: int) -> None:
            async for frame in listeners[number]:
                heard[number] += len(frame) if isinstance(frame, bytes) else 0

        async def count() -> str:
            text = (await client.get("/metrics")).text
            return next(line for line in text.splitlines() if line.startswith("bargein_listeners "))

        async with anyio.create_task_group() as tasks:
            for number in range(len(listeners)):
                tasks.start_soon(listen, number)
            assert await count() == "bargein_listeners 21.0"
            frames = len(caller.audio)
            await caller.until(lambda: len(caller.audio) > frames + 250)  # five seconds
            await eventually(count, lambda line: line == "bargein_listeners 20.0")
            await caller.send({"type": "end-call"})
            assert await caller.until_closed() == 1000
        goes_on_smoothly(caller)
    assert min(heard) > 64_000 * 3
    assert max(heard) - min(heard) < 64_000, "each hears the same, from when it came"


async def test_sound_that_the_last_listener_missed_is_not_played_to_the_next() -> None:
    listeners, first, second = Listeners(), list[bytes](), list[bytes]()
    one, other = np.full(320, 1, np.int16), np.full(320, 2, np.int16)
    leave = listeners.add(Listener(first.append, str))
    listeners.send_audio(one, one)
    leave()
    listeners.send_audio(one, one)
    listeners.add(Listener(second.append, str))
    for _ in range(5):
        listeners.send_audio(other, one)
    assert not first
    (frame,) = second
    assert np.frombuffer(frame, "<i2").reshape(-1, 2).tolist() == [[2, 1]] * 1600


class _Clogged:
    """A socket whose peer reads nothing."""

    def __init__(self) -> None:
        self.closed: int | None = None

    async def send_text(self, data: str) -> None:
        await anyio.sleep_forever()

    async def send_bytes(self, data: bytes) -> None:
        await anyio.sleep_forever()

    async def close(self, code: int = 1000, reason: str | None = None) -> None:
        self.closed = code


@pytest.mark.parametrize("what", ["audio", "text"])
async def test_who_reads_nothing_is_let_go(what: str) -> None:
    socket, lost = _Clogged(), anyio.Event()
    leg = WebsocketLeg(socket, "pcm_s16le", 16_000)
    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(leg.run, lost.set)
            for _ in range(10_000):  # far more than any leg may hold
                if what == "audio":
                    leg.send_audio(bytes(640))
                else:
                    leg.send_text("x" * 1000)
            await lost.wait()
    assert socket.closed == 1013
