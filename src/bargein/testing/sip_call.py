"""One established call of the SIP telephone: paced G.711 over RTP (RFC 3550), RFC 4733 events, and in-dialog requests.

Received packets are kept with their time, so that tests can measure when audio came and when it stopped.
"""

import struct
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import anyio
import numpy as np

from bargein.audio import g711
from bargein.clock import LoopClock
from bargein.testing.sip_message import Message

if TYPE_CHECKING:
    from bargein.testing.sip_phone import Phone

PACKET_S = 0.02
SAMPLES = 160
KEYS = "0123456789*#ABCD"
EVENTS = 101
_CLOCK = LoopClock()


def now_s() -> float:
    """Return the time by the clock of the packets."""
    return _CLOCK.monotonic_ms() / 1000


@dataclass(slots=True)
class Packet:
    """An RTP packet, with the time of its arrival (`now_s`)."""

    at: float
    kind: int
    payload: bytes


@dataclass
class SipCall:
    """An established call.

    Attributes:
        phone: the telephone.
        call_id: the Call-ID.
        local: the telephone's own From or To header.
        remote: that of the far end.
        target: the URI for requests within the dialog.
        sip_address: the address that requests go to.
        rtp_address: the address that audio goes to.
        heard: the packets received.
        over: set once either side has hung up.
        referred: the REFERs received.
        refer_outcome: the status that is reported for a REFER.
        requests: all requests received within the dialog.
        silent: True to send no RTP.
        spoken_at: the times at which packets of speech were sent.
        routes: the Route headers for requests within the dialog.
    """

    phone: "Phone"
    call_id: str
    local: str
    remote: str
    target: str
    sip_address: tuple[str, int]
    rtp_address: tuple[str, int]
    heard: list[Packet] = field(default_factory=list)
    over: anyio.Event = field(default_factory=anyio.Event)
    referred: list[Message] = field(default_factory=list)
    refer_outcome: str = "SIP/2.0 200 OK"
    requests: list[Message] = field(default_factory=list)
    silent: bool = False
    _queue: deque[bytes] = field(default_factory=deque)
    _sequence: int = 0
    _stamp: int = 0
    _cseq: int = 100
    spoken_at: list[float] = field(default_factory=list)
    routes: str = ""

    @property
    def received_audio(self) -> np.ndarray:
        """All audio received so far, at 8 kHz."""
        return g711.decode(b"".join(packet.payload for packet in self.heard if packet.kind == 0))

    @property
    def keys(self) -> str:
        """The keys that the far end sent, by the ends of their events."""
        pressed, last = "", -1
        for packet in self.heard:
            if packet.kind == EVENTS and packet.payload[1] & 0x80:
                start = packet.at
                if start - last > 0.15:
                    pressed += KEYS[packet.payload[0]]
                last = start
        return pressed

    def last_sound_at(self, level: int = 300, since: float = 0) -> float:
        """Return the time of the last packet that is not silence."""
        loud = [
            packet.at
            for packet in self.heard
            if packet.kind == 0 and packet.at >= since and np.abs(g711.decode(packet.payload)).max(initial=0) > level
        ]
        return max(loud, default=0.0)

    def say(self, pcm: np.ndarray) -> None:
        """Send speech, at 8 kHz, from the next packet on."""
        whole = np.concatenate((pcm, np.zeros(-pcm.size % SAMPLES, dtype=np.int16)))
        self._queue.extend(g711.encode(whole[at : at + SAMPLES]) for at in range(0, whole.size, SAMPLES))

    async def wait_said(self) -> None:
        """Wait until all speech was sent, or the call is over."""
        while self._queue and not self.over.is_set():  # noqa: ASYNC110  # `run` empties it by the clock
            await anyio.sleep(0.01)

    def send(self, payload: bytes, kind: int = 0, *, marker: bool = False, stamp: int | None = None) -> None:
        """Send an RTP packet."""
        head = struct.pack(
            ">BBHII", 0x80, kind | (0x80 if marker else 0), self._sequence & 0xFFFF, (stamp or self._stamp), 0xBA46E14
        )
        self._sequence += 1
        self.phone.rtp.sendto(head + payload, self.rtp_address)

    async def send_dtmf(self, keys: str) -> None:
        """Send keys as RFC 4733 events of 100 ms."""
        for key in keys:
            stamp, event = self._stamp, KEYS.index(key)
            for index in range(8):
                end = 0x80 if index >= 5 else 0
                payload = struct.pack(">BBH", event, end | 10, min(index + 1, 6) * SAMPLES)
                self.send(payload, EVENTS, marker=index == 0, stamp=stamp)
                await anyio.sleep(PACKET_S if index < 5 else 0)
            await anyio.sleep(0.1)

    async def run(self) -> None:
        """Send a packet every 20 ms until the call is over."""
        start, count = now_s(), 0
        while not self.over.is_set():
            if self._queue:
                payload = self._queue.popleft()
                self.spoken_at.append(now_s())
            else:
                payload = b"\xff" * SAMPLES
            if not self.silent:
                self.send(payload)
            self._stamp += SAMPLES
            count += 1
            await anyio.sleep(max(0.0, start + count * PACKET_S - now_s()))

    async def bye(self) -> None:
        """Hang up."""
        self.over.set()
        await self.request("BYE")

    async def request(self, method: str, headers: str = "", body: str = "") -> Message:
        """Send a request within the dialog; return the final response."""
        self._cseq += 1
        text = (
            f"{method} {self.target} SIP/2.0\r\n{self.phone.via()}From: {self.local}\r\nTo: {self.remote}\r\n"
            f"Call-ID: {self.call_id}\r\nCSeq: {self._cseq} {method}\r\nContact: <{self.phone.contact}>\r\n"
            f"Max-Forwards: 70\r\n{self.routes}{headers}Content-Length: {len(body)}\r\n\r\n{body}"
        )
        return await self.phone.transact(text, self.call_id, self._cseq, self.sip_address)
