"""The leg of every carrier with a media socket, over a carrier whose wire is as plain as can be."""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import anyio
import numpy as np
import pytest

from bargein.carriers.interface import (
    Addresses,
    FrameError,
    Heard,
    KeyPressed,
    MarkReached,
    MediaEvent,
    PhoneLine,
    Started,
    Stopped,
)
from bargein.carriers.stream import FORWARDED, HUNG_UP, LOST, CallControl, StreamLeg
from bargein.ports import CarrierError

pytestmark = pytest.mark.anyio


class PlainCodec:
    """`["heard", "00"]` and the like."""

    encoding: Any = "mulaw"
    rate_hz = 8000
    can_clear = True
    has_marks = True
    joins = False

    def read(self, frame: str | bytes) -> Sequence[MediaEvent]:
        kinds: dict[str, Any] = {"start": Started, "mark": MarkReached, "key": KeyPressed, "stop": Stopped}
        try:
            kind, *more = json.loads(frame)
            return [Heard(bytes.fromhex(*more))] if kind == "heard" else [kinds[kind](*more)]
        except (ValueError, KeyError, TypeError):
            raise FrameError("it means nothing") from None

    def audio(self, data: bytes) -> str | bytes:
        return data

    def mark(self, name: str) -> str | bytes:
        return f"mark {name}"

    def clear(self) -> str | bytes:
        return "clear"


class PlainCarrier:
    provider = "plain"
    can_send_dtmf = True

    def __init__(self) -> None:
        self.done: list[str] = []
        self.may = anyio.Event()
        self.fails = False

    async def hang_up(self, phone_line: PhoneLine, carrier_call_id: str) -> None:
        self.done.append(f"hang up {carrier_call_id}")
        if self.fails:
            raise CarrierError("no")

    async def send_dtmf(self, phone_line: PhoneLine, carrier_call_id: str, keys: str) -> None:
        self.done.append(f"press {keys}")
        if self.fails:
            raise CarrierError("no")

    async def transfer(
        self, phone_line: PhoneLine, carrier_call_id: str, destination: Any, addresses: Addresses
    ) -> None:
        await self.may.wait()
        if self.fails:
            raise CarrierError("no")
        self.done.append("transfer")


class Peer:
    """The carrier's end of the socket."""

    def __init__(self) -> None:
        self.sent: list[str | bytes] = []
        self.closed = False
        self.takes = anyio.Event()
        self.takes.set()
        self.gone = False
        self.says, self.comes = anyio.create_memory_object_stream[str | bytes | None](100)

    async def send_text(self, data: str) -> None:
        await self._take(data)

    async def send_bytes(self, data: bytes) -> None:
        await self._take(data)

    async def _take(self, data: str | bytes) -> None:
        await self.takes.wait()
        if self.gone:
            raise ConnectionError
        self.sent.append(data)

    async def receive(self) -> str | bytes | None:
        return await self.comes.receive()

    async def close(self, code: int = 1000, reason: str | None = None) -> None:
        self.closed = True


class Stage:
    def __init__(self) -> None:
        self.peer, self.carrier = Peer(), PlainCarrier()
        self.on_bad_input: list[str] = []
        carrier: Any = self.carrier
        control = CallControl(carrier, PhoneLine({}), "CA1", Addresses("https://x/voice", "https://x/status"))
        self.leg = StreamLeg(self.peer, PlainCodec(), control, on_bad_input=self.on_bad_input.append, most_frames=20)

    async def until(self, true: Any) -> None:
        with anyio.fail_after(2):
            while not true():
                await anyio.sleep(0.001)


@asynccontextmanager
async def running() -> AsyncIterator[Stage]:
    stage = Stage()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(stage.leg.run)
        yield stage
        stage.leg.hang_up()
        with anyio.fail_after(2):
            await stage.leg.done.wait()
    assert stage.peer.closed
    stage.peer.says.close()
    stage.peer.comes.close()


async def test_a_clear_is_sent_first_and_drops_waiting_audio() -> None:
    async with running() as stage:
        stage.peer.takes = anyio.Event()
        for _ in range(4):
            stage.leg.send_audio(b"old")
            stage.leg.mark("1-3")
        await anyio.lowlevel.checkpoint()
        stage.leg.clear()
        stage.leg.send_text("nobody reads this")
        stage.leg.send_audio(b"new")
        stage.peer.takes.set()
        await stage.until(lambda: b"new" in stage.peer.sent)
        # the first was on its way already
        assert stage.peer.sent in ([b"old", "clear", b"new"], ["clear", b"new"])


@pytest.mark.parametrize("joins", [False, True])
async def test_binary_frames_are_joined_where_allowed_and_marks_keep_their_place(
    joins: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PlainCodec, "joins", joins)
    async with running() as stage:
        for frame in (b"a", b"b"):
            stage.leg.send_audio(frame)
        stage.leg.mark("1-2")
        for frame in (b"c", b"d", b"e"):
            stage.leg.send_audio(frame)
        await stage.until(lambda: b"e" in b"".join(sent for sent in stage.peer.sent if isinstance(sent, bytes)))
        apart = [b"a", b"b", "mark 1-2", b"c", b"d", b"e"]
        assert stage.peer.sent == ([b"ab", "mark 1-2", b"cde"] if joins else apart)


async def test_valid_and_unreadable_frames() -> None:
    async with running() as stage:
        for frame in ('["heard", "00"]', "{", b"\xff", '["start", "other"]', '["start", "CA1"]', '["start", "CA1"]'):
            stage.peer.says.send_nowait(frame)
        for frame in (
            '["heard", "ff"]',
            '["heard", "g"]',
            '["mark", "1-2"]',
            '["key", "5"]',
            '["stop"]',
            '["key", "6"]',
        ):
            stage.peer.says.send_nowait(frame)
        with anyio.fail_after(2):
            await stage.leg.begin()
            got = [event async for event in stage.leg.events()]
        assert got == [Started("CA1"), Heard(b"\xff"), MarkReached("1-2"), KeyPressed("5"), Stopped()]
        assert stage.on_bad_input == ["before-start", "frame", "frame", "other-call", "started-twice", "frame"]
        assert await stage.leg.ended_reason() == HUNG_UP


async def test_a_stream_that_ends_before_it_begins_is_an_error() -> None:
    async with running() as stage:
        stage.peer.says.send_nowait(None)
        with pytest.raises(CarrierError, match="before it had begun"):
            await stage.leg.begin()
        assert await stage.leg.ended_reason() == LOST


async def test_hanging_up_closes_the_socket_even_if_the_carrier_fails() -> None:
    for fails in (False, True):
        async with running() as stage:
            stage.carrier.fails = fails
            stage.leg.hang_up()
            await stage.leg.done.wait()
            assert stage.carrier.done == ["hang up CA1"]


@pytest.mark.parametrize("how", ["gone", "stalled"])
async def test_a_stalled_peer_is_disconnected(how: str) -> None:
    async with running() as stage:
        if how == "gone":
            stage.peer.gone = True
            stage.leg.send_audio(b"x")
        else:
            stage.peer.takes = anyio.Event()
            for _ in range(30):
                stage.leg.send_audio(b"x")
        with anyio.fail_after(2):
            await stage.leg.done.wait()
        assert stage.carrier.done == ["hang up CA1"]


async def test_a_transferred_caller_is_not_hung_up() -> None:
    async with running() as stage, anyio.create_task_group() as tasks:
        reasons: list[str] = []

        async def part() -> None:
            reasons.append(await stage.leg.ended_reason())

        tasks.start_soon(stage.leg.transfer, {"type": "number", "number": "+1"})
        await anyio.lowlevel.checkpoint()
        tasks.start_soon(part)  # the stream goes while the carrier takes the caller over
        await anyio.lowlevel.checkpoint()
        assert not reasons
        stage.carrier.may.set()
        await stage.until(lambda: reasons)
        assert reasons == [FORWARDED]
        stage.leg.hang_up()
        await stage.leg.done.wait()
        assert stage.carrier.done == ["transfer"]


async def test_a_failed_transfer_keeps_the_caller() -> None:
    async with running() as stage:
        stage.carrier.fails = True
        stage.carrier.may.set()
        with pytest.raises(CarrierError):
            await stage.leg.transfer({})
        assert await stage.leg.ended_reason() == LOST
        stage.leg.hang_up()
        await stage.leg.done.wait()
        assert stage.carrier.done == ["hang up CA1"]


async def test_keys_are_sent_in_order_and_a_failure_stops_nothing() -> None:
    async with running() as stage:
        stage.carrier.fails = True
        stage.leg.send_dtmf("1")
        stage.leg.send_dtmf("2#")
        await stage.until(lambda: len(stage.carrier.done) == 2)
        assert stage.carrier.done == ["press 1", "press 2#"]
        stage.carrier.can_send_dtmf = False
        with pytest.raises(CarrierError, match="cannot send keys"):
            stage.leg.send_dtmf("1")


async def test_audio_is_the_codecs() -> None:
    async with running() as stage:
        assert stage.leg.bytes_per_sample == 1
        pcm = stage.leg.decode(stage.leg.encode(np.full(160, 1000, np.int16)))
        assert abs(int(pcm[0]) - 1000) < 50
