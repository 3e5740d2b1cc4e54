"""A server with a carrier on loopback, fake providers, and a stored number."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import anyio
import httpx
import websockets

from bargein.clock import LoopClock
from bargein.testing import FakeLlm, FakeTranscriber, FakeVoice, LlmScript, TranscriberScript
from tests.call.harness import Running, assistant, eventually, running, stored
from tests.carriers.loopback import Loopback, Phone
from tests.published import conforms

CLOCK = LoopClock()
K = TypeVar("K", bound=Loopback)
SPEECH = " ".join(f"speech{n:02d}" for n in range(40)) + "."
"""Twelve seconds of speech."""
SILENT = TranscriberScript()


@dataclass
class Listener:
    """A listener of a call: its messages, with the times of their arrival."""

    messages: list[tuple[float, dict[str, Any]]] = field(default_factory=list)
    _changed: anyio.Event = field(default_factory=anyio.Event)

    async def listen(self, socket: Any) -> None:
        try:
            async for frame in socket:
                if isinstance(frame, str):
                    message = json.loads(frame)
                    self.messages.append((CLOCK.monotonic_ms(), message))
                    conforms(message)
                    self._changed.set()
                    self._changed = anyio.Event()
        except websockets.ConnectionClosed:
            pass

    def of(self, kind: str, **fields: Any) -> list[dict[str, Any]]:
        return [m for _, m in self.messages if m["type"] == kind and fields.items() <= m.items()]

    def when(self, kind: str) -> list[float]:
        return [at for at, m in self.messages if m["type"] == kind]

    async def until(self, true: Callable[[], Any], seconds: float = 10.0) -> Any:
        with anyio.fail_after(seconds):
            while not (found := true()):
                await self._changed.wait()
        return found


@dataclass
class CallSetup:
    """A running server with its carrier, providers and number, as tests use them."""

    server: Running
    carrier: Any
    llm: FakeLlm
    voice: FakeVoice
    transcriber: FakeTranscriber
    client: httpx.AsyncClient
    number: dict[str, Any]

    @property
    def url(self) -> str:
        return self.server.url

    def assistant(self, **more: Any) -> dict[str, Any]:
        """Return an assistant without a background sound: tests look for silence."""
        return assistant(self.llm, self.voice, self.transcriber) | {"backgroundSound": "off"} | more

    def speaker(self, text: str = SPEECH, **more: Any) -> dict[str, Any]:
        return self.assistant(firstMessage=text, firstMessageMode="assistant-speaks-first", **more)

    async def keep(self, **changes: Any) -> None:
        """Change the number."""
        answer = await self.client.patch(f"/phone-number/{self.number['id']}", json=changes)
        assert answer.status_code == 200, answer.text

    async def answers(self, given: dict[str, Any]) -> None:
        """Have this assistant take the number's calls."""
        made = await self.client.post("/assistant", json=given)
        assert made.status_code == 201, made.text
        await self.keep(assistantId=made.json()["id"])

    async def call(self, given: dict[str, Any], **more: Any) -> dict[str, Any]:
        """Have the server place a call."""
        body = {"assistant": given, "phoneNumberId": self.number["id"], "customer": self.carrier.customer, **more}
        made = await self.client.post("/call", json=body)
        assert made.status_code == 201, made.text
        return made.json()

    async def calls(self) -> list[dict[str, Any]]:
        return (await self.client.get("/call")).json()

    async def the_call(self, phone: Phone) -> dict[str, Any]:
        """Return the record of a call of the carrier."""
        (found,) = [one for one in await self.calls() if one.get("phoneCallProviderId") == phone.id]
        return found

    async def ended(self, call_id: str) -> dict[str, Any]:
        """Wait for the end of a call; return its record."""
        return await stored(self.url, call_id, until=lambda call: call["status"] == "ended")

    async def live(self, call_id: str) -> None:
        """Wait until the call is live."""
        await stored(self.url, call_id, until=lambda call: call["status"] == "in-progress")

    async def control(self, call_id: str, message: dict[str, Any]) -> None:
        answer = await self.client.post(f"/{call_id}/control", json=message)
        assert answer.status_code == 200, answer.text

    @asynccontextmanager
    async def listening(self, call_id: str) -> AsyncIterator[Listener]:
        """Listen in on a call."""
        await self.live(call_id)
        listener = Listener()
        address = f"ws{self.url.removeprefix('http')}/{call_id}/listen"
        async with websockets.connect(address) as socket, anyio.create_task_group() as tasks:
            tasks.start_soon(listener.listen, socket)
            yield listener
            tasks.cancel_scope.cancel()

    async def refusals(self, reason: str) -> float:
        """Return the number of refusals for this reason."""
        text = (await self.client.get("/metrics")).text
        provider = self.carrier.counted_as or self.carrier.provider
        name = f'bargein_carrier_refusals_total{{provider="{provider}",reason="{reason}"}}'
        return sum(float(line.rpartition(" ")[2]) for line in text.splitlines() if line.startswith(name))

    async def refused(self, reason: str, times: int = 1) -> None:
        """Wait for this number of refusals."""
        await eventually(lambda: self.refusals(reason), lambda count: count >= times)


@asynccontextmanager
async def on_the_phone(
    tmp_path: Path,
    carrier: Loopback,
    *,
    llm: Any = None,
    voice: Any = None,
    transcriber: TranscriberScript = SILENT,
    embedded: Any = None,
    **settings: Any,
) -> AsyncIterator[CallSetup]:
    """Run a server with this carrier, and store its number."""
    async with (
        carrier.running(),
        running(tmp_path, embedded, **carrier.settings, **settings) as server,
        FakeLlm(llm or LlmScript()) as a_llm,
        FakeVoice(voice) as a_voice,
        FakeTranscriber(transcriber) as a_transcriber,
        httpx.AsyncClient(base_url=server.url, timeout=20) as client,
    ):
        carrier.server_url = server.url
        made = await client.post("/phone-number", json=await carrier.number(client))
        assert made.status_code == 201, made.text
        carrier.number_id = made.json()["id"]
        yield CallSetup(server, carrier, a_llm, a_voice, a_transcriber, client, made.json())
