"""A SIP telephone for tests and benchmarks: SIP and paced G.711 over UDP.

It shares no code with the SIP agent, so that neither hides the other's errors. Signalling is as much of RFC 3261 as
calls on loopback need: INVITE, CANCEL, BYE, REFER with NOTIFY, OPTIONS, REGISTER, and digest in both directions.
"""

import asyncio
import re
import secrets
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import anyio
import anyio.abc
from typing_extensions import override

from bargein.testing.sip_call import EVENTS, Packet, SipCall, now_s
from bargein.testing.sip_message import Message, RefusedError, digest, is_authorized

__all__ = ["AnswerPolicy", "Message", "Packet", "Phone", "RefusedError", "SipCall", "now_s"]


class _Socket(asyncio.DatagramProtocol):
    def __init__(self, on_datagram: Callable[[bytes, tuple[str, int]], None]) -> None:
        self._on_datagram = on_datagram

    @override
    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._on_datagram(data, addr)


@dataclass
class AnswerPolicy:
    """The telephone's response to the next INVITEs.

    Attributes:
        status: the final status; 200 answers.
        ring_s: the seconds of ringing before it.
        user: the user and password that the caller must authenticate with (digest); None: no one.
        silent: True to send no response at all.
        rings: True to send 180.
    """

    status: int = 200
    ring_s: float = 0.05
    user: tuple[str, str] | None = None
    silent: bool = False
    rings: bool = True


class Phone:
    """A telephone on loopback.

    Attributes:
        invites: the INVITEs received.
        registers: the REGISTERs received.
        options: the number of OPTIONS received.
        calls: the incoming calls that were answered.
        cancelled: the Call-IDs of calls that were cancelled.
        answer_policy: the response to the next INVITEs.
        last_call_id: the Call-ID of the last outgoing call.
    """

    def __init__(self, tasks: anyio.abc.TaskGroup, user: str, host: str) -> None:
        self.user = user
        self.host = host
        self.invites: list[Message] = []
        self.registers: list[Message] = []
        self.options = 0
        self.calls: list[SipCall] = []
        self.cancelled: list[str] = []
        self.answer_policy = AnswerPolicy()
        self.last_call_id = ""
        self._picked_up: int | None = None
        self._tasks = tasks
        self._waiting: dict[tuple[str, int], asyncio.Queue[Message]] = {}
        self._dialogs: dict[str, SipCall] = {}
        self._seen: set[tuple[str, str]] = set()
        self._nonce = secrets.token_hex(8)
        self.sip: asyncio.DatagramTransport
        self.rtp: asyncio.DatagramTransport

    @classmethod
    @asynccontextmanager
    async def open(cls, user: str = "+15550001111", host: str = "127.0.0.1"):
        """Open the telephone's sockets."""
        loop = asyncio.get_running_loop()
        async with anyio.create_task_group() as tasks:
            phone = cls(tasks, user, host)
            phone.sip, _ = await loop.create_datagram_endpoint(lambda: _Socket(phone._sip), (host, 0))
            phone.rtp, _ = await loop.create_datagram_endpoint(lambda: _Socket(phone._rtp), (host, 0))
            try:
                yield phone
            finally:
                for call in tuple(phone._dialogs.values()):
                    call.over.set()
                tasks.cancel_scope.cancel()
                phone.sip.close()
                phone.rtp.close()

    @property
    def port(self) -> int:
        """The port of SIP."""
        return self.sip.get_extra_info("sockname")[1]

    @property
    def contact(self) -> str:
        """The SIP URI of the telephone."""
        return f"sip:{self.user}@{self.host}:{self.port}"

    def via(self) -> str:
        """Return a Via header with a new branch."""
        return f"Via: SIP/2.0/UDP {self.host}:{self.port};rport;branch=z9hG4bK{secrets.token_hex(8)}\r\n"

    def sdp(self, codecs: str = "0 101") -> str:
        """Return the offered session."""
        port = self.rtp.get_extra_info("sockname")[1]
        return (
            f"v=0\r\no=- 1 1 IN IP4 {self.host}\r\ns=-\r\nc=IN IP4 {self.host}\r\nt=0 0\r\n"
            f"m=audio {port} RTP/AVP {codecs}\r\n"
            f"a=rtpmap:0 PCMU/8000\r\na=rtpmap:{EVENTS} telephone-event/8000\r\na=fmtp:{EVENTS} 0-15\r\n"
            "a=ptime:20\r\na=sendrecv\r\n"
        )

    # Outgoing calls.

    async def call(
        self,
        to: str,
        at: tuple[str, int],
        headers: str = "",
        *,
        login: tuple[str, str] | None = None,
        sender: str | None = None,
        rung: Callable[[str], Awaitable[None]] | None = None,
    ) -> SipCall:
        """Place a call.

        Args:
            to: the URI to call.
            at: the address to send the INVITE to.
            headers: further headers of the INVITE.
            login: user and password for digest.
            sender: the From header, instead of the telephone's own.
            rung: is called once while it rings, with the CANCEL that would end it.

        Raises:
            RefusedError: the far end refuses the call.
        """
        call_id, local = (
            secrets.token_hex(10),
            f"{sender or f'<sip:{self.user}@{self.host}>'};tag={secrets.token_hex(4)}",
        )
        self.last_call_id = call_id
        authorization = ""
        for cseq in (1, 2):
            via = self.via()
            body = self.sdp()
            text = (
                f"INVITE {to} SIP/2.0\r\n{via}From: {local}\r\nTo: <{to}>\r\nCall-ID: {call_id}\r\n"
                f"CSeq: {cseq} INVITE\r\nContact: <{self.contact}>\r\nMax-Forwards: 70\r\n{headers}{authorization}"
                f"Content-Type: application/sdp\r\nContent-Length: {len(body)}\r\n\r\n{body}"
            )
            cancel = (
                f"CANCEL {to} SIP/2.0\r\n{via}From: {local}\r\nTo: <{to}>\r\nCall-ID: {call_id}\r\n"
                f"CSeq: {cseq} CANCEL\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
            )
            answer = await self.transact(text, call_id, cseq, at, ringing=rung, cancel=cancel)
            target = re.search(r"<([^>]+)>", answer.get("Contact"))
            uri = to if answer.status >= 300 or target is None else target[1]
            self._ack(answer, uri, local, call_id=call_id, cseq=cseq, via=via, at=at)
            if answer.status in (401, 407) and login is not None and cseq == 1:
                name = "WWW-Authenticate" if answer.status == 401 else "Proxy-Authenticate"
                reply = "Authorization" if answer.status == 401 else "Proxy-Authorization"
                authorization = f"{reply}: {digest(answer.get(name), *login, 'INVITE', to)}\r\n"
                continue
            if answer.status >= 300 or target is None:
                raise RefusedError(answer.status, answer.first)
            return self._start_call(
                answer, call_id, local=local, remote=answer.get("To"), target=target[1], sip_address=at
            )
        raise AssertionError("unreachable")

    def _ack(
        self, answer: Message, uri: str, local: str, *, call_id: str, cseq: int, via: str, at: tuple[str, int]
    ) -> None:
        routes = "".join(f"Route: {route}\r\n" for route in reversed(answer.all("Record-Route")))
        self.sip.sendto(
            (
                f"ACK {uri} SIP/2.0\r\n{via if answer.status >= 300 else self.via()}From: {local}\r\n"
                f"To: {answer.get('To')}\r\nCall-ID: {call_id}\r\nCSeq: {cseq} ACK\r\n{routes}"
                "Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
            ).encode(),
            at,
        )

    def _start_call(
        self, sdp: Message, call_id: str, *, local: str, remote: str, target: str, sip_address: tuple[str, int]
    ) -> SipCall:
        host = re.search(r"c=IN IP4 (\S+)", sdp.body)
        port = re.search(r"m=audio (\d+)", sdp.body)
        if host is None or port is None:
            raise RefusedError(488, "no audio was offered")
        call = SipCall(self, call_id, local, remote, target, sip_address, (host[1], int(port[1])))
        records = sdp.all("Record-Route")
        call.routes = "".join(
            f"Route: {route}\r\n" for route in (records if sdp.method == "INVITE" else reversed(records))
        )
        self._dialogs[call_id] = call
        self._tasks.start_soon(call.run)
        return call

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
        """Send a request, repeat it until there is a response, and return the final response."""
        queue = self._waiting[call_id, cseq] = asyncio.Queue()
        try:
            with anyio.fail_after(20):
                self.sip.sendto(text.encode(), at)
                responded = False
                while True:
                    try:
                        with anyio.fail_after(None if responded else 0.5):
                            message = await queue.get()
                    except TimeoutError:
                        self.sip.sendto(text.encode(), at)
                        continue
                    responded = True
                    if message.status >= 200:
                        return message
                    if message.status >= 180 and ringing is not None:
                        await ringing(cancel)
                        ringing = None
        finally:
            del self._waiting[call_id, cseq]

    # Incoming requests.

    def _rtp(self, data: bytes, source: tuple[str, int]) -> None:
        at = now_s()
        for call in self._dialogs.values():
            if call.rtp_address == source and len(data) > 12:
                call.heard.append(Packet(at, data[1] & 0x7F, data[12:]))

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
            return  # a retransmission
        self._seen.add(key)
        self._tasks.start_soon(self._handle, message)

    async def _handle(self, message: Message) -> None:
        call = self._dialogs.get(message.get("Call-ID"))
        if call is not None:
            call.requests.append(message)
        match message.method:
            case "INVITE" if call is None:
                await self._on_invite(message)
            case "INVITE":
                self.respond(message, 200, "OK", tag=False, body=self.sdp())
            case "BYE" if call is not None:
                self.respond(message, 200, "OK", tag=False)
                call.over.set()
            case "CANCEL":
                self.cancelled.append(message.get("Call-ID"))
                self.respond(message, 200, "OK")
            case "REFER" if call is not None:
                call.referred.append(message)
                self.respond(message, 202, "Accepted", tag=False)
                await self._notify(call)
            case "REGISTER":
                self.registers.append(message)
                await self._on_register(message)
            case "OPTIONS":
                self.options += 1
                self.respond(message, 200, "OK")
            case "ACK":
                pass
            case _:
                self.respond(message, 200, "OK", tag=False)

    async def _on_register(self, message: Message) -> None:
        user = self.answer_policy.user
        if user is not None and not is_authorized(message.get("Authorization"), *user, "phone.test", "REGISTER"):
            self._challenge(message, 401)
            return
        self.respond(message, 200, "OK", more=f"Contact: {message.get('Contact')};expires=300\r\n")

    async def _notify(self, call: SipCall) -> None:
        await anyio.sleep(0.05)
        for part, state in (
            ("SIP/2.0 100 Trying", "active;expires=60"),
            (call.refer_outcome, "terminated;reason=noresource"),
        ):
            headers = f"Event: refer\r\nSubscription-State: {state}\r\nContent-Type: message/sipfrag;version=2.0\r\n"
            await call.request("NOTIFY", headers, part + "\r\n")

    def _challenge(self, message: Message, status: int = 407) -> None:
        name = "Proxy-Authenticate" if status == 407 else "WWW-Authenticate"
        self.respond(
            message,
            status,
            "Authentication Required",
            more=f'{name}: Digest realm="phone.test", nonce="{self._nonce}", algorithm=MD5, qop="auth"\r\n',
        )

    async def _on_invite(self, message: Message) -> None:
        self.invites.append(message)
        policy = self.answer_policy
        if policy.silent:
            return
        self.respond(message, 100, "Trying", tag=False)
        if policy.user is not None and not is_authorized(
            message.get("Proxy-Authorization"), *policy.user, "phone.test", "INVITE"
        ):
            self._challenge(message)
            return
        if policy.rings:
            self.respond(message, 180, "Ringing")
        with anyio.move_on_after(policy.ring_s):
            while message.get("Call-ID") not in self.cancelled and self._picked_up is None:  # noqa: ASYNC110  # `cancelled` is filled by another task
                await anyio.sleep(0.01)
        status, self._picked_up = self._picked_up or policy.status, None
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
        local = f"{message.get('To')};tag=p{self._nonce}"
        call = self._start_call(
            message,
            message.get("Call-ID"),
            local=local,
            remote=message.get("From"),
            target=target[1],
            sip_address=message.source,
        )
        self.calls.append(call)

    def pick_up(self, status: int = 200) -> None:
        """Answer or refuse the ringing call now."""
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
