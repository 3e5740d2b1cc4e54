"""The carrier's media stream as a faulty peer: telephone calls on a carrier on loopback whose stream fails."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial
from random import Random

import anyio
import anyio.lowlevel
import httpx
from tests.carriers.loopback import Phone
from tests.carriers.twilio.loopback import TwilioLoopback

from bargein.clock import LoopClock

MOMENTS = ("before connect", "before first byte", "middle")
"""Before the stream is opened, on a stream that never began, and while the assistant speaks."""

_CLOCK = LoopClock()
_SPEECH_MS = 500.0
_ASK_EVERY_MS = 500.0


class CarrierCalls:
    """Telephone calls through a carrier.

    Args:
        carrier: the carrier, running.
        http: client of the server's API.
    """

    def __init__(self, carrier: TwilioLoopback, http: httpx.AsyncClient) -> None:
        self._carrier = carrier
        self._http = http
        self._ended: dict[str, str] = {}
        self._asking = anyio.Lock()
        self._asked_ms = 0.0

    @classmethod
    @asynccontextmanager
    async def ready(
        cls, carrier: TwilioLoopback, http: httpx.AsyncClient, assistant: dict[str, object]
    ) -> AsyncGenerator["CarrierCalls"]:
        """Store the carrier's number, whose calls the assistant takes."""
        carrier.server_url = str(http.base_url).rstrip("/")
        spoken = {**assistant, "firstMessageMode": "assistant-speaks-first", "firstMessage": "Hello. " * 6}
        made = (await http.post("/assistant", json=spoken)).raise_for_status().json()
        number = {**await carrier.number(http), "assistantId": made["id"]}
        carrier.number_id = (await http.post("/phone-number", json=number)).raise_for_status().json()["id"]
        yield cls(carrier, http)

    async def observe(self, fault: str, moment: str, within_s: float) -> tuple[float, float, float | None, str]:
        """Ring, let the stream fail, and wait for the end on record.

        Returns:
            The time without a sound until the end, the amount that was heard, the time until the end (None: it had not
            ended within `within_s`), and the reason of the end, all in seconds.
        """
        phone = self._carrier.new_call()
        answer = await self._carrier.send(self._carrier.incoming(phone))
        began_ms = _CLOCK.monotonic_ms()
        reason, ended_s = "", None
        with anyio.move_on_after(within_s):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._fail, phone, answer, fault, moment)
                reason = await self._reason(phone)
                ended_s = (_CLOCK.monotonic_ms() - began_ms) / 1000
                tasks.cancel_scope.cancel()
        last_ms = max([began_ms, *phone.audio()])
        if phone.socket is not None:
            with anyio.move_on_after(1):
                await phone.socket.close()
        return (_CLOCK.monotonic_ms() - last_ms) / 1000, phone.sounds() / 1000, ended_s, reason

    async def _reason(self, phone: Phone) -> str:
        """Wait for the end of the call on record; return its reason."""
        while phone.id not in self._ended:
            async with self._asking:  # one request for all calls: one for each would keep the server busy
                if _CLOCK.monotonic_ms() - self._asked_ms > _ASK_EVERY_MS:
                    await self._ask_for_ends()
            await anyio.sleep(0.1)
        return self._ended[phone.id]

    async def _ask_for_ends(self) -> None:
        wanted = {"limit": 1000, "phoneNumberId": self._carrier.number_id}
        for record in (await self._http.get("/call", params=wanted)).json():
            if record.get("status") == "ended":
                self._ended[str(record.get("phoneCallProviderId"))] = str(record.get("endedReason"))
        self._asked_ms = _CLOCK.monotonic_ms()

    async def _fail(self, phone: Phone, answer: httpx.Response, fault: str, moment: str) -> None:
        if moment == "before connect":
            await anyio.sleep_forever()
        if moment == "before first byte":
            phone.connect = partial(phone.connect, opening=())  # type: ignore[method-assign]  # it does not say whose it is
        await self._carrier.follow(phone, answer)
        if moment == "middle":
            await phone.until(lambda: phone.sounds() > _SPEECH_MS, 15)
        await _FAULTS[fault](phone)
        await anyio.sleep_forever()


async def _hang(phone: Phone) -> None:
    phone.mute()
    phone.socket.transport.pause_reading()


async def _break_off(phone: Phone) -> None:
    phone.lose_socket()


async def _dawdle(phone: Phone) -> None:
    phone.mute()
    while not phone.closed:
        await phone.send(phone.audio_frame(phone.silence))
        await anyio.sleep(1)


async def _garble(phone: Phone) -> None:
    random = Random(1)
    while not phone.closed:
        await phone.send(random.choice(list(phone.nonsense().values())))
        await anyio.sleep(0.02)


async def _flood(phone: Phone) -> None:
    while not phone.closed:
        await phone.send(phone.audio_frame(phone.silence * 20))
        await anyio.lowlevel.checkpoint()


async def _go_on(_: Phone) -> None:
    """Send silence as before: the stream has no end of its own."""


_FAULTS = {
    "hung": _hang,
    "slow": _dawdle,
    "garbled": _garble,
    "endless": _go_on,
    "too fast": _flood,
    "broken off": _break_off,
}
