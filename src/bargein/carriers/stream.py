"""The leg of a telephone call whose audio comes over a carrier's WebSocket, for all such carriers."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

import anyio
import structlog
from typing_extensions import override

from bargein.audio import g711
from bargein.audio.pcm import from_bytes, to_bytes
from bargein.carriers.interface import (
    Addresses,
    Carrier,
    Codec,
    FrameError,
    Heard,
    MediaEvent,
    MediaLeg,
    PhoneLine,
    Started,
    Stopped,
)
from bargein.ports import CarrierError, Pcm16
from bargein.wire.base import JsonObject

FORWARDED = "assistant-forwarded-call"
HUNG_UP = "customer-ended-call"
LOST = "phone-call-provider-closed-websocket"

_HANG_UP_S = 5.0
_CLOSE_S = 2.0
_DTMF_S = 30.0
# Three seconds of audio. Audio is sent little ahead of its time, so a longer queue means that the peer has stalled.
_MOST_FRAMES = 150

_log = structlog.get_logger("bargein.carriers")


class MediaSocket(Protocol):
    """A server's WebSocket, as this leg uses it. Sending to a peer that is gone raises a `ConnectionError`."""

    async def send_text(self, data: str) -> None:
        """Send a text frame."""
        ...

    async def send_bytes(self, data: bytes) -> None:
        """Send a binary frame."""
        ...

    async def receive(self) -> str | bytes | None:
        """Return the next frame; None once the peer is gone."""
        ...

    async def close(self, code: int = 1000, reason: str | None = None) -> None:
        """Close the socket."""
        ...


@dataclass(frozen=True, slots=True)
class CallControl:
    """The control of one call at its carrier.

    Attributes:
        carrier: the carrier.
        phone_line: the number and its credential.
        carrier_call_id: the carrier's id of the call.
        addresses: the URLs of the call.
    """

    carrier: Carrier
    phone_line: PhoneLine
    carrier_call_id: str
    addresses: Addresses

    async def hang_up(self) -> None:
        """End the call, as `Carrier.hang_up`."""
        await self.carrier.hang_up(self.phone_line, self.carrier_call_id)

    async def send_dtmf(self, keys: str) -> None:
        """Send keys, as `Carrier.send_dtmf`."""
        await self.carrier.send_dtmf(self.phone_line, self.carrier_call_id, keys)

    async def send_sms(self, to: str, text: str) -> None:
        """Send a text message, as `Carrier.send_sms`."""
        await self.carrier.send_sms(self.phone_line, to, text)

    async def transfer(self, destination: JsonObject) -> None:
        """Transfer the caller, as `Carrier.transfer`."""
        await self.carrier.transfer(self.phone_line, self.carrier_call_id, destination, self.addresses)


class StreamLeg(MediaLeg):
    """A `bargein.carriers.interface.MediaLeg` over one media socket.

    A `clear` is sent ahead of all waiting audio. Text messages are dropped, because a telephone has no client.

    Args:
        socket: the media socket.
        codec: reads and makes its frames.
        control: the control of the call at its carrier.
        on_bad_input: is called with a short word for each bad input that is ignored.
        most_frames: the number of frames that may wait to be sent; a peer with more has stalled and is disconnected.
    """

    can_transfer = True
    has_client = False

    def __init__(
        self,
        socket: MediaSocket,
        codec: Codec,
        control: CallControl,
        *,
        on_bad_input: Callable[[str], None],
        most_frames: int = _MOST_FRAMES,
    ) -> None:
        self.rate_hz = codec.rate_hz
        self.can_clear = codec.can_clear
        self.has_marks = codec.has_marks
        self._done = anyio.Event()
        self._socket = socket
        self._codec = codec
        self._control = control
        self._on_bad_input = on_bad_input
        self._most_frames = most_frames
        self._urgent: deque[str | bytes] = deque()
        self._frames: deque[str | bytes] = deque()
        self._queued_keys, self._keys_to_send = anyio.create_memory_object_stream[str](100)
        self._work = asyncio.Event()  # one for the whole call: anyio's cannot be cleared
        self._scope = anyio.CancelScope()
        self._hanging_up = False
        self._transferred = False
        self._released = False
        self._transferring: anyio.Event | None = None
        self._early: deque[MediaEvent] = deque()
        self._stopped = False
        self._begun = False

    # The call's side (`Leg`).

    @property
    @override
    def bytes_per_sample(self) -> int:
        return 2 if self._codec.encoding == "pcm_s16le" else 1

    @override
    def encode(self, pcm: Pcm16) -> bytes:
        return to_bytes(pcm) if self._codec.encoding == "pcm_s16le" else g711.encode(pcm)

    @override
    def decode(self, data: bytes) -> Pcm16:
        return from_bytes(data) if self._codec.encoding == "pcm_s16le" else g711.decode(data)

    @override
    def send_audio(self, frame: bytes) -> None:
        self._queue(self._codec.audio(frame))

    @override
    def mark(self, name: str) -> None:
        self._queue(self._codec.mark(name))

    @override
    def send_text(self, text: str) -> None:
        """Do nothing: listeners get messages without this leg."""

    @override
    def clear(self) -> None:
        self._frames.clear()
        if self.can_clear:
            self._urgent.append(self._codec.clear())
            self._work.set()

    @override
    def hang_up(self) -> None:
        self._hanging_up = True
        self._frames.clear()
        self._work.set()

    @override
    def release(self) -> None:
        self._released = True

    @override
    def send_dtmf(self, keys: str) -> None:
        if not self._control.carrier.can_send_dtmf:
            raise CarrierError(f"a call over {self._control.carrier.provider} cannot send keys.")
        try:
            self._queued_keys.send_nowait(keys)
        except anyio.WouldBlock:
            raise CarrierError("too many keys wait to be sent.") from None

    @override
    async def send_sms(self, to: str, text: str) -> None:
        await self._control.send_sms(to, text)

    @override
    async def transfer(self, destination: JsonObject) -> None:
        self._transferring = anyio.Event()
        try:
            await self._control.transfer(destination)
            self._transferred = True
        finally:
            self._transferring.set()

    # The server's side (`MediaLeg`).

    @property
    @override
    def done(self) -> anyio.Event:
        return self._done

    @override
    async def begin(self) -> None:
        while not self._begun:
            found = await self._next()
            if found is None:
                raise CarrierError("the carrier's stream ended before it had begun.")
            self._early.extend(found)

    @override
    async def events(self) -> AsyncIterator[MediaEvent]:
        while True:
            while self._early:
                yield self._early.popleft()
            if self._stopped or (found := await self._next()) is None:
                return
            self._early.extend(found)

    @override
    async def ended_reason(self) -> str:
        if self._transferring is not None:
            await self._transferring.wait()
        if self._transferred:
            return FORWARDED
        return HUNG_UP if self._stopped else LOST

    @override
    async def run(self) -> None:
        """Send until hung up. A single send has no time limit: a stalled peer shows in its queue."""
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._send_keys)
                with self._scope, suppress(OSError):
                    while await self._send_next():
                        pass
                tasks.cancel_scope.cancel()
        finally:
            with anyio.CancelScope(shield=True):
                await self._end()
            self._done.set()

    async def _next(self) -> list[MediaEvent] | None:
        """Return the events of the next frame that are valid now; None once the peer is gone."""
        frame = await self._socket.receive()
        if frame is None:
            return None
        try:
            found = self._codec.read(frame)
        except FrameError as error:
            self._on_bad_input("frame")
            _log.debug("a carrier's frame was ignored", reason=str(error))
            return []
        return [event for event in found if self._is_expected(event)]

    def _is_expected(self, event: MediaEvent) -> bool:
        match event:
            case Started(carrier_call_id):
                if carrier_call_id not in (None, self._control.carrier_call_id):
                    self._on_bad_input("other-call")
                    return False
                if self._begun:
                    self._on_bad_input("started-twice")
                    return False
                self._begun = True
                return True
            case Heard() if not self._begun:
                self._on_bad_input("before-start")
                return False
            case Stopped():
                self._stopped = True
                return True
            case _:
                return True

    def _queue(self, frame: str | bytes) -> None:
        self._frames.append(frame)
        self._work.set()
        if len(self._frames) > self._most_frames:
            _log.info("the carrier's socket has stalled")
            self._scope.cancel()

    async def _send_next(self) -> bool:
        """Send one frame, a `clear` first; return False once the call is to be hung up."""
        if self._urgent:
            await self._send(self._urgent.popleft())
        elif self._hanging_up:
            return False
        elif self._frames:
            await self._send(self._next_frame())
        else:
            self._work.clear()
            await self._work.wait()
        return True

    def _next_frame(self) -> str | bytes:
        frames = self._frames
        frame = frames.popleft()
        if not self._codec.joins or isinstance(frame, str):
            return frame
        joined = [frame]
        while frames and isinstance(following := frames[0], bytes):
            joined.append(following)
            frames.popleft()
        return frame if len(joined) == 1 else b"".join(joined)

    async def _send(self, frame: str | bytes) -> None:
        if isinstance(frame, str):
            await self._socket.send_text(frame)
        else:
            await self._socket.send_bytes(frame)

    async def _send_keys(self) -> None:
        async for keys in self._keys_to_send:
            try:
                with anyio.fail_after(_DTMF_S):
                    await self._control.send_dtmf(keys)
            except (CarrierError, TimeoutError) as error:
                _log.warning("keys could not be sent", reason=str(error) or "it took too long")

    async def _end(self) -> None:
        """End the call at its carrier, unless it was transferred or is the owner's now, and close the socket."""
        self._queued_keys.close()
        self._keys_to_send.close()
        if not (self._transferred or self._released):
            try:
                with anyio.fail_after(_HANG_UP_S):
                    await self._control.hang_up()
            except (CarrierError, TimeoutError) as error:
                _log.warning("a call could not be hung up", reason=str(error) or "it took too long")
            except Exception as error:  # noqa: BLE001  # an SDK may raise anything; the socket is closed in any case
                _log.error("a carrier failed while a call was hung up", exc_info=error)
        with anyio.move_on_after(_CLOSE_S), suppress(OSError):
            await self._socket.close()
