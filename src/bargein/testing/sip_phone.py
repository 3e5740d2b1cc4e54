"""A SIP telephone of our own: a few lines of SIP and paced G.711 over UDP, which keep what comes with its time.

It is made of nothing that the agent is made of. Signalling is as much of RFC 3261 as calls on loopback need: INVITE,
CANCEL, BYE, REFER with NOTIFY, OPTIONS, REGISTER, and digest both ways; RTP is RFC 3550 with RFC 4733 events.
"""

import asyncio
import re
import secrets
import struct
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import anyio
import anyio.abc
import numpy as np

from bargein.audio import g711
from bargein.clock import LoopClock
from bargein.testing.sip_message import Message, RefusedError, digest, proves

__all__ = ["Answering", "Message", "Packet", "Phone", "RefusedError", "Talk"]

PACKET_S = 0.02
SAMPLES = 160
KEYS = "0123456789*#ABCD"
EVENTS = 101
_CLOCK = LoopClock()


def now_s() -> float:
    """The time that packets have."""
    return _CLOCK.monotonic_ms() / 1000


class _Socket(asyncio.DatagramProtocol):
    def __init__(self, take: Callable[[bytes, tuple[str, int]], None]) -> None:
        self.take = take

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.take(data, addr)


@dataclass(slots=True)
class Packet:
    """An RTP packet, and when it came."""

    at: float
    kind: int
    payload: bytes


@dataclass
class Talk:
    """A call that is established."""

    phone: "Phone"
    call_id: str
    ours: str
    theirs: str
    target: str
    far: tuple[str, int]
    audio: tuple[str, int]
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
    def sound(self) -> np.ndarray:
        """All that was heard so far, at 8 kHz."""
        return g711.decode(b"".join(packet.payload for packet in self.heard if packet.kind == 0))

    @property
    def keys(self) -> str:
        """The keys that the far end pressed, by their events' ends."""
        pressed, last = "", -1
        for packet in self.heard:
            if packet.kind == EVENTS and packet.payload[1] & 0x80:
                start = packet.at
                if start - last > 0.15:
                    pressed += KEYS[packet.payload[0]]
                last = start
        return pressed

    def last_sound_at(self, level: int = 300, since: float = 0) -> float:
        """When the last packet came that is not silence."""
        loud = [
            packet.at
            for packet in self.heard
            if packet.kind == 0 and packet.at >= since and np.abs(g711.decode(packet.payload)).max(initial=0) > level
        ]
        return max(loud, default=0.0)

    def say(self, pcm: np.ndarray) -> None:
        """Say it, at 8 kHz, from the next packet on."""
        whole = np.concatenate((pcm, np.zeros(-pcm.size % SAMPLES, dtype=np.int16)))
        self._queue.extend(g711.encode(whole[at : at + SAMPLES]) for at in range(0, whole.size, SAMPLES))

    async def wait_said(self) -> None:
        """Returns once all has been said, or the call is over."""
        while self._queue and not self.over.is_set():  # noqa: ASYNC110  # it goes down by the clock
            await anyio.sleep(0.01)

    def send(self, payload: bytes, kind: int = 0, *, marker: bool = False, stamp: int | None = None) -> None:
        """Send an RTP packet."""
        head = struct.pack(
            ">BBHII", 0x80, kind | (0x80 if marker else 0), self._sequence & 0xFFFF, (stamp or self._stamp), 0xBA46E14
        )
        self._sequence += 1
        self.phone.rtp.sendto(head + payload, self.audio)

    async def send_dtmf(self, keys: str) -> None:
        """Press keys as RFC 4733 events of 100 ms."""
        for key in keys:
            stamp, event = self._stamp, KEYS.index(key)
            for index in range(8):
                end = 0x80 if index >= 5 else 0
                payload = struct.pack(">BBH", event, end | 10, min(index + 1, 6) * SAMPLES)
                self.send(payload, EVENTS, marker=index == 0, stamp=stamp)
                await anyio.sleep(PACKET_S if index < 5 else 0)
            await anyio.sleep(0.1)

    async def run(self) -> None:
        """Send a packet each 20 ms."""
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
        """Send a request within the call; gives the final response."""
        self._cseq += 1
        text = (
            f"{method} {self.target} SIP/2.0\r\n{self.phone.via()}From: {self.ours}\r\nTo: {self.theirs}\r\n"
            f"Call-ID: {self.call_id}\r\nCSeq: {self._cseq} {method}\r\nContact: <{self.phone.contact}>\r\n"
            f"Max-Forwards: 70\r\n{self.routes}{headers}Content-Length: {len(body)}\r\n\r\n{body}"
        )
        return await self.phone.transact(text, self.call_id, self._cseq, self.far)


@dataclass
class Answering:
    """How a telephone takes the next INVITEs.

    Attributes:
        status: 200 answers.
        ring_s: rings so long before.
        user: must prove to be (digest).
        silent: says nothing at all.
    """

    status: int = 200
    ring_s: float = 0.05
    user: tuple[str, str] | None = None
    silent: bool = False
    rings: bool = True


class Phone:
    """A telephone on loopback.

    Attributes:
        invites: what came.
        talks: calls that came in and were answered.
        last_call_id: of the last call that it made.
    """

    def __init__(self, tasks: anyio.abc.TaskGroup, user: str, host: str) -> None:
        self.user = user
        self.host = host
        self.invites: list[Message] = []
        self.registers: list[Message] = []
        self.options = 0
        self.talks: list[Talk] = []
        self.cancelled: list[str] = []
        self.answering = Answering()
        self.last_call_id = ""
        self._picked_up: int | None = None
        self._tasks = tasks
        self._waiting: dict[tuple[str, int], asyncio.Queue[Message]] = {}
        self._dialogs: dict[str, Talk] = {}
        self._seen: set[tuple[str, str]] = set()
        self._nonce = secrets.token_hex(8)
        self.sip: asyncio.DatagramTransport
        self.rtp: asyncio.DatagramTransport

    @classmethod
    @asynccontextmanager
    async def open(cls, user: str = "+15550001111", host: str = "127.0.0.1"):
        """Open its sockets."""
        loop = asyncio.get_running_loop()
        async with anyio.create_task_group() as tasks:
            phone = cls(tasks, user, host)
            phone.sip, _ = await loop.create_datagram_endpoint(lambda: _Socket(phone._sip), (host, 0))
            phone.rtp, _ = await loop.create_datagram_endpoint(lambda: _Socket(phone._rtp), (host, 0))
            try:
                yield phone
            finally:
                for talk in tuple(phone._dialogs.values()):
                    talk.over.set()
                tasks.cancel_scope.cancel()
                phone.sip.close()
                phone.rtp.close()

    @property
    def port(self) -> int:
        """Of SIP."""
        return self.sip.get_extra_info("sockname")[1]

    @property
    def contact(self) -> str:
        """Its address."""
        return f"sip:{self.user}@{self.host}:{self.port}"

    def via(self) -> str:
        """A Via header with a branch of its own."""
        return f"Via: SIP/2.0/UDP {self.host}:{self.port};rport;branch=z9hG4bK{secrets.token_hex(8)}\r\n"

    def sdp(self, codecs: str = "0 101") -> str:
        """What it offers."""
        port = self.rtp.get_extra_info("sockname")[1]
        return (
            f"v=0\r\no=- 1 1 IN IP4 {self.host}\r\ns=-\r\nc=IN IP4 {self.host}\r\nt=0 0\r\n"
            f"m=audio {port} RTP/AVP {codecs}\r\n"
            f"a=rtpmap:0 PCMU/8000\r\na=rtpmap:{EVENTS} telephone-event/8000\r\na=fmtp:{EVENTS} 0-15\r\n"
            "a=ptime:20\r\na=sendrecv\r\n"
        )

    # Calling.

    async def call(
        self,
        to: str,
        at: tuple[str, int],
        headers: str = "",
        *,
        login: tuple[str, str] | None = None,
        sender: str | None = None,
        rung: Callable[[str], Awaitable[None]] | None = None,
    ) -> Talk:
        """Call somebody; raises what they refuse with. `rung` is told the branch's Via and Call-ID while it rings."""
        call_id, ours = (
            secrets.token_hex(10),
            f"{sender or f'<sip:{self.user}@{self.host}>'};tag={secrets.token_hex(4)}",
        )
        self.last_call_id = call_id
        proof = ""
        for cseq in (1, 2):
            via = self.via()
            body = self.sdp()
            text = (
                f"INVITE {to} SIP/2.0\r\n{via}From: {ours}\r\nTo: <{to}>\r\nCall-ID: {call_id}\r\n"
                f"CSeq: {cseq} INVITE\r\nContact: <{self.contact}>\r\nMax-Forwards: 70\r\n{headers}{proof}"
                f"Content-Type: application/sdp\r\nContent-Length: {len(body)}\r\n\r\n{body}"
            )
            cancel = (
                f"CANCEL {to} SIP/2.0\r\n{via}From: {ours}\r\nTo: <{to}>\r\nCall-ID: {call_id}\r\n"
                f"CSeq: {cseq} CANCEL\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
            )
            answer = await self.transact(text, call_id, cseq, at, ringing=rung, cancel=cancel)
            target = re.search(r"<([^>]+)>", answer.get("Contact"))
            uri = to if answer.status >= 300 or target is None else target[1]
            self._ack(answer, uri, ours, call_id=call_id, cseq=cseq, via=via, at=at)
            if answer.status in (401, 407) and login is not None and cseq == 1:
                name = "WWW-Authenticate" if answer.status == 401 else "Proxy-Authenticate"
                reply = "Authorization" if answer.status == 401 else "Proxy-Authorization"
                proof = f"{reply}: {digest(answer.get(name), *login, 'INVITE', to)}\r\n"
                continue
            if answer.status >= 300 or target is None:
                raise RefusedError(answer.status, answer.first)
            return self._talk(answer, call_id, ours=ours, theirs=answer.get("To"), target=target[1], far=at)
        raise AssertionError("unreachable")

    def _ack(
        self, answer: Message, uri: str, ours: str, *, call_id: str, cseq: int, via: str, at: tuple[str, int]
    ) -> None:
        routes = "".join(f"Route: {route}\r\n" for route in reversed(answer.all("Record-Route")))
        self.sip.sendto(
            (
                f"ACK {uri} SIP/2.0\r\n{via if answer.status >= 300 else self.via()}From: {ours}\r\n"
                f"To: {answer.get('To')}\r\nCall-ID: {call_id}\r\nCSeq: {cseq} ACK\r\n{routes}"
                "Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
            ).encode(),
            at,
        )

    def _talk(self, sdp: Message, call_id: str, *, ours: str, theirs: str, target: str, far: tuple[str, int]) -> Talk:
        host = re.search(r"c=IN IP4 (\S+)", sdp.body)
        port = re.search(r"m=audio (\d+)", sdp.body)
        if host is None or port is None:
            raise RefusedError(488, "no audio was offered")
        talk = Talk(self, call_id, ours, theirs, target, far, (host[1], int(port[1])))
        records = sdp.all("Record-Route")
        talk.routes = "".join(
            f"Route: {route}\r\n" for route in (records if sdp.method == "INVITE" else reversed(records))
        )
        self._dialogs[call_id] = talk
        self._tasks.start_soon(talk.run)
        return talk

    async def transact(
        self,
        text: str,
        call_id: str,
        cseq: int,
        at: tuple[str, int],
        *,
        ringing: Callable[[str], Awaitable[None]] | None = None,
        cancel: str = "",
    ) -> Message:
        """Send a request, again and again until something comes; gives the final response."""
        queue = self._waiting[call_id, cseq] = asyncio.Queue()
        try:
            with anyio.fail_after(20):
                self.sip.sendto(text.encode(), at)
                came = False
                while True:
                    try:
                        with anyio.fail_after(None if came else 0.5):
                            message = await queue.get()
                    except TimeoutError:
                        self.sip.sendto(text.encode(), at)
                        continue
                    came = True
                    if message.status >= 200:
                        return message
                    if message.status >= 180 and ringing is not None:
                        await ringing(cancel)
                        ringing = None
        finally:
            del self._waiting[call_id, cseq]

    # Being called.

    def _rtp(self, data: bytes, source: tuple[str, int]) -> None:
        at = now_s()
        for talk in self._dialogs.values():
            if talk.audio == source and len(data) > 12:
                talk.heard.append(Packet(at, data[1] & 0x7F, data[12:]))

    def _sip(self, data: bytes, source: tuple[str, int]) -> None:
        if not data.strip():
            return
        message = Message.read(data, source)
        number, _, method = message.get("CSeq").partition(" ")
        if message.method is None:
            if (queue := self._waiting.get((message.get("Call-ID"), int(number)))) is not None and method != "CANCEL":
                queue.put_nowait(message)
            return
        key = (message.get("Call-ID"), message.get("CSeq"))
        if key in self._seen and method != "ACK":
            return  # sent again
        self._seen.add(key)
        self._tasks.start_soon(self._take, message)

    async def _take(self, message: Message) -> None:
        talk = self._dialogs.get(message.get("Call-ID"))
        if talk is not None:
            talk.requests.append(message)
        match message.method:
            case "INVITE" if talk is None:
                await self._invited(message)
            case "INVITE":
                self.respond(message, 200, "OK", tag=False, body=self.sdp())
            case "BYE" if talk is not None:
                self.respond(message, 200, "OK", tag=False)
                talk.over.set()
            case "CANCEL":
                self.cancelled.append(message.get("Call-ID"))
                self.respond(message, 200, "OK")
            case "REFER" if talk is not None:
                talk.referred.append(message)
                self.respond(message, 202, "Accepted", tag=False)
                await self._notify(talk)
            case "REGISTER":
                self.registers.append(message)
                await self._registered(message)
            case "OPTIONS":
                self.options += 1
                self.respond(message, 200, "OK")
            case "ACK":
                pass
            case _:
                self.respond(message, 200, "OK", tag=False)

    async def _registered(self, message: Message) -> None:
        user = self.answering.user
        if user is not None and not proves(message.get("Authorization"), *user, "phone.test", "REGISTER"):
            self._challenge(message, 401)
            return
        self.respond(message, 200, "OK", more=f"Contact: {message.get('Contact')};expires=300\r\n")

    async def _notify(self, talk: Talk) -> None:
        await anyio.sleep(0.05)
        for part, state in (
            ("SIP/2.0 100 Trying", "active;expires=60"),
            (talk.refer_outcome, "terminated;reason=noresource"),
        ):
            headers = f"Event: refer\r\nSubscription-State: {state}\r\nContent-Type: message/sipfrag;version=2.0\r\n"
            await talk.request("NOTIFY", headers, part + "\r\n")

    def _challenge(self, message: Message, status: int = 407) -> None:
        name = "Proxy-Authenticate" if status == 407 else "WWW-Authenticate"
        self.respond(
            message,
            status,
            "Prove it",
            more=f'{name}: Digest realm="phone.test", nonce="{self._nonce}", algorithm=MD5, qop="auth"\r\n',
        )

    async def _invited(self, message: Message) -> None:
        self.invites.append(message)
        how = self.answering
        if how.silent:
            return
        self.respond(message, 100, "Trying", tag=False)
        if how.user is not None and not proves(message.get("Proxy-Authorization"), *how.user, "phone.test", "INVITE"):
            self._challenge(message)
            return
        if how.rings:
            self.respond(message, 180, "Ringing")
        with anyio.move_on_after(how.ring_s):
            while message.get("Call-ID") not in self.cancelled and self._picked_up is None:  # noqa: ASYNC110  # it looks
                await anyio.sleep(0.01)
        status, self._picked_up = self._picked_up or how.status, None
        if message.get("Call-ID") in self.cancelled:
            self.respond(message, 487, "Request Terminated")
            return
        if status != 200:
            self.respond(message, status, "No")
            return
        self.respond(message, 200, "OK", body=self.sdp())
        target = re.search(r"<([^>]+)>", message.get("Contact"))
        if target is None:
            return
        ours = f"{message.get('To')};tag=p{self._nonce}"
        talk = self._talk(
            message, message.get("Call-ID"), ours=ours, theirs=message.get("From"), target=target[1], far=message.source
        )
        self.talks.append(talk)

    def pick_up(self, status: int = 200) -> None:
        """Answer what rings, or refuse it."""
        self._picked_up = status

    def respond(
        self, message: Message, status: int, reason: str, *, tag: bool = True, more: str = "", body: str = ""
    ) -> None:
        """Send a response."""
        to = message.get("To")
        if tag and status > 100 and ";tag=" not in to:
            to += f";tag=p{self._nonce}"
        vias = "".join(f"Via: {via}\r\n" for via in message.all("Via"))
        records = "".join(f"Record-Route: {route}\r\n" for route in message.all("Record-Route"))
        kind = "Content-Type: application/sdp\r\n" if body else ""
        contact = "" if "Contact:" in more else f"Contact: <{self.contact}>\r\n"
        self.sip.sendto(
            (
                f"SIP/2.0 {status} {reason}\r\n{vias}{records}From: {message.get('From')}\r\nTo: {to}\r\n"
                f"Call-ID: {message.get('Call-ID')}\r\nCSeq: {message.get('CSeq')}\r\n{contact}{more}{kind}"
                f"Content-Length: {len(body)}\r\n\r\n{body}"
            ).encode(),
            message.source,
        )
