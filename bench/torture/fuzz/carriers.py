"""Webhooks and media sockets of carriers, with correct signatures and mutated content."""

import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from random import Random
from urllib.parse import parse_qsl

import anyio
import httpx
from tests.carriers.loopback import Frame, Hook, Loopback, Phone
from tests.carriers.telnyx.loopback import TelnyxLoopback
from tests.carriers.twilio.loopback import TwilioLoopback
from tests.carriers.vonage.loopback import VonageLoopback
from tests.carriers.vonage.signing import bearer
from websockets.exceptions import InvalidHandshake

from bench.torture.fuzz.mutations import damaged, damaged_text, encoded, mutated
from bench.torture.fuzz.surfaces import World, check_answer


@asynccontextmanager
async def loopbacks() -> AsyncGenerator[tuple[Sequence[Loopback], dict[str, str]]]:
    """Run the carriers; yield them, and the environment variables by which a server finds them."""
    carriers: list[Loopback] = [TwilioLoopback(), TelnyxLoopback(), VonageLoopback()]
    async with AsyncExitStack() as stack:
        environment: dict[str, str] = {}
        for carrier in carriers:
            await stack.enter_async_context(carrier.running())
            _tolerate_odd_frames(carrier)
            environment |= {name.upper(): str(value) for name, value in carrier.settings.items()}
        yield carriers, environment


def _tolerate_odd_frames(carrier: Loopback) -> None:
    """Have its telephones ignore frames that they cannot read: the server repeats ids that were mutated."""
    make = carrier.make_phone

    def make_phone(call_id: str) -> Phone:
        phone = make(call_id)
        read = phone.read

        def read_or_ignore(frame: str | bytes) -> Frame:
            try:
                return read(frame)
            except (AssertionError, ValueError, KeyError, TypeError):
                return Frame("other")

        phone.read = read_or_ignore  # type: ignore[method-assign]
        return phone

    carrier.make_phone = make_phone  # type: ignore[method-assign]


async def register(carriers: Sequence[Loopback], url: str, assistant: dict[str, object]) -> None:
    """Store each carrier's phone number at a server, with an assistant that takes its calls."""
    async with httpx.AsyncClient(base_url=url, timeout=20, trust_env=False) as http:
        made = await http.post("/assistant", json=assistant)
        made.raise_for_status()
        for carrier in carriers:
            carrier.server_url = url
            body = {**await carrier.number(http), "assistantId": made.json()["id"]}
            number = await http.post("/phone-number", json=body)
            number.raise_for_status()
            carrier.number_id = number.json()["id"]


class CarrierSurfaces:
    """The inputs of carriers.

    Args:
        carriers: registered carriers.
    """

    def __init__(self, carriers: Sequence[Loopback]) -> None:
        self._carriers = carriers

    async def webhook(self, world: World, _index: int, random: Random) -> None:
        """A webhook whose signature is correct for its mutated body."""
        carrier = random.choice(self._carriers)
        phone = carrier.new_call()
        hook = _mutated_hook(carrier, carrier.incoming(phone), random)
        answer = await world.http.request(hook.method, hook.url, headers=hook.headers, content=hook.body)
        check_answer(hook.method, f"{carrier.provider} webhook", answer)

    async def media(self, _world: World, _index: int, random: Random) -> None:
        """A telephone call whose media socket sends mutated frames."""
        carrier = random.choice(self._carriers)
        # The call may be over before its socket connects: inputs of the API end calls, too.
        with suppress(OSError, TimeoutError, AssertionError, InvalidHandshake):
            phone = await carrier.rings()
            for _ in range(random.choice((1, 5, 20))):
                frame = random.choice((phone.audio_frame(phone.silence), phone.key_frame("1"), *phone.opening()))
                await phone.send(_mutated_frame(frame, random))
                if random.random() < 0.3:
                    await anyio.sleep(0.01)
            await phone.hang_up()


def _mutated_hook(carrier: Loopback, hook: Hook, random: Random) -> Hook:
    if isinstance(carrier, TwilioLoopback):
        fields = dict(parse_qsl(hook.body.decode()))
        changed = mutated(fields, random)
        items = changed.items() if isinstance(changed, dict) else ()
        flat = {_form_text(name): _form_text(value) for name, value in items}
        return carrier.hook_to(hook.url, flat)
    body = encoded(mutated(json.loads(hook.body), random), random)
    if isinstance(carrier, TelnyxLoopback):
        return carrier.hook(hook.url, body)
    return Hook(hook.method, hook.url, {"content-type": "application/json", **bearer(body)}, body)


def _form_text(value: object) -> str:
    return str(value)[:5000].encode(errors="replace").decode()


def _mutated_frame(frame: str | bytes, random: Random) -> str | bytes:
    if isinstance(frame, bytes):
        return damaged(frame, random)
    if random.random() < 0.2:
        return random.randbytes(random.choice((0, 5, 500)))
    if random.random() < 0.2:
        return damaged_text(frame, random)
    return encoded(mutated(json.loads(frame), random), random).decode("utf-8", errors="replace")
