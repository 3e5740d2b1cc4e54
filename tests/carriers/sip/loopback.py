"""A SIP trunk on loopback, and callers of this server's SIP URIs: the conformance suite's carrier of both providers.

There is no webhook and no media socket: a `Hook` stands for an INVITE, and its answer for what became of that.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, ClassVar, Self

import anyio
import httpx
import numpy as np
import soxr
from starlette.requests import Request
from starlette.responses import Response

from bargein.audio import g711
from bargein.carriers.sip import SipSettings
from bargein.testing.sip_phone import AnswerPolicy, RefusedError, SipCall
from bargein.testing.sip_phone import Phone as Telephone
from tests.carriers.loopback import CALLER, Frame, Hook, Loopback, Phone, Played
from tests.carriers.sip.carrier_host import NUMBER, free_port

SECRET = "secret-of-proxy-and-server"
URI = "sip:robot@sip.test"
PASSWORD = "trunk-password-0123456789"


class SipPhone(Phone):
    encoding = "mulaw"
    rate_hz = 8000

    def __init__(self, carrier: "SipLoopback", call_id: str) -> None:
        self.telephone: Telephone | None = None
        self.talk: SipCall | None = None
        self.hook_id = call_id
        super().__init__(carrier, call_id)

    # What the far end of a SIP call sees.

    @property
    def heard(self) -> list[Played]:  # type: ignore[override]
        found = [] if self.talk is None else self.talk.heard
        return [Played(one.at * 1000, g711.decode(one.payload)) for one in found if one.kind == 0]

    @heard.setter
    def heard(self, _: object) -> None:
        """Ignore it: nothing is played yet."""

    @property
    def pressed(self) -> str:  # type: ignore[override]
        return "" if self.talk is None else self.talk.keys

    @pressed.setter
    def pressed(self, _: object) -> None:
        """Ignore it: no key was sent yet."""

    @property
    def forwarded(self) -> Any:
        return self.talk.referred[0].get("Refer-To") if self.talk is not None and self.talk.referred else None

    @forwarded.setter
    def forwarded(self, _: object) -> None:
        """Ignore it: the call is not forwarded yet."""

    @property
    def closed(self) -> bool:  # type: ignore[override]
        return self.talk is not None and self.talk.over.is_set()

    @closed.setter
    def closed(self, _: object) -> None:
        """Ignore it: the call has not ended yet."""

    @property
    def ended(self) -> bool:  # type: ignore[override]
        if self.talk is None:
            cancelled = self.telephone is not None and bool(self.telephone.cancelled)
            return cancelled or self._refused
        return not self.talk.referred and any(message.method == "BYE" for message in self.talk.requests)

    @ended.setter
    def ended(self, refused: bool) -> None:
        self._refused = refused

    async def until(self, true: Callable[[], Any], seconds: float = 10.0) -> Any:
        with anyio.fail_after(seconds):
            while not (found := true()):
                await anyio.sleep(0.02)
        return found

    def say(self, clip: np.ndarray) -> float:
        assert self.talk is not None
        self.talk.say(np.clip(soxr.resample(clip.astype(np.float32), 16_000, 8000), -32768, 32767).astype(np.int16))
        return super().say(np.zeros(0, dtype=np.int16))

    async def send_dtmf(self, keys: str) -> None:
        assert self.talk is not None
        await self.talk.send_dtmf(keys)

    async def hang_up(self) -> None:
        assert self.talk is not None
        await self.talk.bye()

    # What has no counterpart.

    def opening(self) -> Sequence[str | bytes]:
        raise NotImplementedError

    def audio_frame(self, data: bytes) -> str | bytes:
        raise NotImplementedError

    def key_frame(self, key: str) -> str | bytes:
        raise NotImplementedError

    def mark_frame(self, name: str) -> str | bytes:
        raise NotImplementedError

    def stop_frame(self) -> str | bytes | None:
        raise NotImplementedError

    def read(self, frame: str | bytes) -> Frame:
        raise NotImplementedError

    def nonsense(self) -> dict[str, str | bytes]:
        raise NotImplementedError

    def other_format(self) -> Sequence[str | bytes] | None:
        raise NotImplementedError


class SipLoopback(Loopback):
    provider = "byo-phone-number"
    counted_as: ClassVar[str] = "sip"
    can_send_dtmf = True
    native = True
    to = f"sip:{NUMBER}@sip.test"
    source = "127.0.0.1"

    def __init__(self) -> None:
        super().__init__()
        self.secrets = (SECRET, PASSWORD)
        self.port = free_port()
        self._open: Any = None
        self._answers: dict[str, httpx.Response] = {}
        self._done: dict[str, anyio.Event] = {}

    @property
    def settings(self) -> dict[str, Any]:
        listen = f"127.0.0.1:{self.port}"
        return {"sip": SipSettings(listen=listen, interface="127.0.0.1", secret=SECRET)}

    async def number(self, client: httpx.AsyncClient) -> dict[str, Any]:
        plan = {"authUsername": "trunkuser", "authPassword": PASSWORD}
        gateways = [{"ip": "127.0.0.1", "port": self.trunk.port}]
        trunk = {"provider": "byo-sip-trunk", "gateways": gateways, "outboundAuthenticationPlan": plan}
        made = await client.post("/credential", json=trunk)
        assert made.status_code == 201, made.text
        return {"provider": self.provider, "number": NUMBER, "credentialId": made.json()["id"]}

    async def rest(self, request: Request) -> Response:
        raise NotImplementedError

    def make_phone(self, call_id: str) -> SipPhone:
        return SipPhone(self, call_id)

    # Calls that come in.

    def incoming(self, phone: Phone, caller: str = CALLER) -> Hook:
        edge = f"X-Bargein-Edge: {SECRET} {self.source} - {self.to}"
        return Hook("INVITE", self.to, {"phone": phone.id, "caller": caller, "edge": edge})

    def forged(self, hook: Hook) -> Hook:
        return Hook(hook.method, hook.url, {**hook.headers, "edge": hook.headers["edge"].replace(SECRET, "guess")})

    def unsigned(self, hook: Hook) -> Hook:
        return Hook(hook.method, hook.url, {**hook.headers, "edge": "X-Other: 1"})

    async def send(self, hook: Hook) -> httpx.Response:
        """Send an INVITE; a repetition of it, as over UDP, has the same result."""
        key = hook.headers["phone"] + hook.headers["edge"]
        if (done := self._done.get(key)) is not None:
            await done.wait()
            return self._answers[key]
        self._done[key] = anyio.Event()
        phone = next(one for one in self.calls.values() if one.hook_id == hook.headers["phone"])  # type: ignore[attr-defined]
        assert isinstance(phone, SipPhone)
        headers = f"{hook.headers['edge']}\r\nX-Bargein-Headers-1: X-Colour=red&\r\n"
        sender = self.sender(hook.headers["caller"])
        try:
            phone.talk = await self.trunk.call(hook.url, ("127.0.0.1", self.port), headers, sender=sender)
            answer = httpx.Response(200, text="answered")
        except RefusedError as error:
            phone.ended = True
            genuine = SECRET in hook.headers["edge"]
            answer = httpx.Response(200 if genuine else 403, text=f"{error.status}")
        self._answers[key] = answer
        self._done[key].set()
        await self._name(phone)
        return answer

    def sender(self, caller: str) -> str:
        return f"<sip:{caller}@127.0.0.1>"

    async def _name(self, phone: SipPhone) -> None:
        """Rename the call: the server names it by its agent's id, not by the Call-ID; the record has both."""
        async with httpx.AsyncClient(base_url=self.server_url) as client:
            for call in (await client.get("/call")).json():
                if call.get("transport", {}).get("callSid") == self.trunk.last_call_id:
                    del self.calls[phone.id]
                    phone.id = call["phoneCallProviderId"]
                    self.calls[phone.id] = phone

    async def follow(self, phone: Phone, answer: httpx.Response) -> None:
        """Do nothing: it is done already."""

    # Calls that go out.

    async def next_placed(self, seconds: float = 5.0) -> Phone:
        with anyio.fail_after(seconds):
            wants = self.trunk.answer_policy.user is not None
            while not any(one.get("Proxy-Authorization") or not wants for one in self.trunk.invites):
                await anyio.sleep(0.01)
        phone = self.make_phone("placed")
        phone.telephone = self.trunk
        async with httpx.AsyncClient(base_url=self.server_url) as client:
            with anyio.fail_after(seconds):
                while True:
                    found = [one for one in (await client.get("/call")).json() if one.get("phoneCallProviderId")]
                    if found:
                        break
                    await anyio.sleep(0.01)
        phone.id = found[0]["phoneCallProviderId"]
        return phone

    async def tell_ringing(self, phone: Phone) -> None:
        """Do nothing: the trunk's telephone rings by itself."""

    async def answered(self, phone: Phone) -> None:
        assert isinstance(phone, SipPhone)
        self.trunk.pick_up(200)
        with anyio.fail_after(5):
            while not self.trunk.calls:
                await anyio.sleep(0.01)
        phone.talk = self.trunk.calls[-1]

    async def tell_over(self, phone: Phone, why: str = "completed") -> None:
        self.trunk.pick_up({"busy": 486, "no-answer": 487, "failed": 503}[why])

    @property
    def trunk(self) -> Telephone:
        assert self._open is not None
        return self._open

    @property
    def fails(self) -> int | None:
        return None

    @fails.setter
    def fails(self, status: int | None) -> None:
        if status is not None:
            self.trunk.answer_policy = AnswerPolicy(status=status, ring_s=0)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Self]:
        async with Telephone.open(CALLER) as telephone:
            self._open = telephone
            telephone.answer_policy = AnswerPolicy(user=("trunkuser", PASSWORD), ring_s=60)
            yield self


class UriLoopback(SipLoopback):
    """SIP URIs of the server, which have no trunk and can call other SIP URIs."""

    provider = "vapi"
    numbers = False
    to = URI
    source = "203.0.113.77"

    async def number(self, client: httpx.AsyncClient) -> dict[str, Any]:
        self.trunk.answer_policy = AnswerPolicy(ring_s=60)
        return {"provider": self.provider, "sipUri": URI}

    @property
    def customer(self) -> dict[str, Any]:
        return {"sipUri": self.trunk.contact}

    def seen(self, caller: str) -> dict[str, Any]:
        return {"sipUri": f"sip:{caller}@127.0.0.1"}
