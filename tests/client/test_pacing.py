"""The caller's microphone, on a clock that the test advances."""

import heapq
from collections.abc import Callable
from itertools import count

import anyio
import anyio.lowlevel
import numpy as np
import pytest

from bargein.audio import pcm
from bargein.client.pacing import PacedSender

pytestmark = pytest.mark.anyio


class ManualClock:
    def __init__(self) -> None:
        self.now = 5000.0
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()

    def monotonic_ms(self) -> float:
        return self.now

    def epoch_ms(self) -> int:
        return int(self.now)

    def call_at(self, monotonic_ms: float, action: Callable[[], None]) -> "ManualClock":
        heapq.heappush(self._timers, (monotonic_ms, next(self._order), action))
        return self

    def cancel(self) -> None:
        pass

    async def advance(self, to_ms: float, *, at_once: bool = False) -> None:
        """Advance to `to_ms`, running due timers; with `at_once` all run late, as on a busy machine."""
        if at_once:
            self.now = to_ms
        while self._timers and self._timers[0][0] <= to_ms:
            due, _, action = heapq.heappop(self._timers)
            self.now = max(self.now, due)
            action()
            for _ in range(5):
                await anyio.lowlevel.checkpoint()
        self.now = to_ms


async def test_frames_keep_an_absolute_schedule_and_catch_up_after_a_stall() -> None:
    clock, sent = ManualClock(), list[tuple[float, bytes]]()

    async def send(frame: bytes) -> None:
        sent.append((clock.now, frame))

    sender = PacedSender(send, pcm.to_bytes, 16_000, clock, noise_peak=0)
    with pytest.raises(RuntimeError, match="not running"):
        _ = sender.start_ms
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(sender.run)
        await anyio.lowlevel.checkpoint()
        await anyio.lowlevel.checkpoint()
        await clock.advance(5100)
        assert [at for at, _ in sent] == [5020, 5040, 5060, 5080, 5100]
        await clock.advance(5195, at_once=True)
        assert [at for at, _ in sent[5:]] == [5195] * 4
        await clock.advance(5240)
        assert [at for at, _ in sent[9:]] == [5200, 5220, 5240]
        tasks.cancel_scope.cancel()
    assert {len(frame) for _, frame in sent} == {640}
    assert sender.lateness().worst_ms == 75


async def test_a_clip_starts_at_its_scheduled_sample() -> None:
    clock, sent = ManualClock(), bytearray()

    async def send(frame: bytes) -> None:
        sent.extend(frame)

    sender = PacedSender(send, pcm.to_bytes, 16_000, clock, noise_peak=0)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(sender.run)
        await anyio.lowlevel.checkpoint()
        await anyio.lowlevel.checkpoint()
        first = sender.play(np.arange(1, 501, dtype=np.int16), 5033.25)
        behind = sender.play(np.full(100, 7, dtype=np.int16), 5040)
        assert not first.begun.is_set()
        await clock.advance(5040)
        assert first.begun.is_set()
        assert not first.ended.is_set()
        await clock.advance(5120)
        assert behind.ended.is_set()
        past = sender.play(np.full(10, 9, dtype=np.int16), 5001)
        await clock.advance(5140)
        tasks.cancel_scope.cancel()
    stream = np.frombuffer(bytes(sent), "<i2")
    assert (first.start_ms, behind.start_ms, past.start_ms) == (5033.25, 5033.25 + 500 / 16, 5120)
    assert stream.size == 7 * 320
    assert not stream[:532].any()
    assert stream[532:1032].tolist() == list(range(1, 501))
    assert stream[1032:1132].tolist() == [7] * 100
    assert not stream[1132:1920].any()
    assert stream[1920:1930].tolist() == [9] * 10


async def test_noise_is_sent_between_clips() -> None:
    clock, sent = ManualClock(), list[bytes]()

    async def send(frame: bytes) -> None:
        sent.append(frame)

    sender = PacedSender(send, pcm.to_bytes, 8_000, clock, noise_peak=3)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(sender.run)
        await anyio.lowlevel.checkpoint()
        await anyio.lowlevel.checkpoint()
        await clock.advance(5400)
        tasks.cancel_scope.cancel()
    noise = np.frombuffer(b"".join(sent), "<i2")
    assert noise.size == 20 * 160
    assert set(noise.tolist()) == set(range(-3, 4))
