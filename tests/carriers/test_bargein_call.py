"""`bargein call` and the library under it, against a real server and a carrier on loopback; any would do."""

import json
from pathlib import Path
from typing import Any

import anyio
import pytest

from bargein.client.calling import CallOptions, CallResult, call
from tests.carriers.loopback import CALLER, Loopback
from tests.carriers.stage import CallSetup, on_the_phone
from tests.carriers.vonage.loopback import VonageLoopback

pytestmark = pytest.mark.anyio


@pytest.fixture
def carrier() -> Loopback:
    return VonageLoopback()


class CommandOutput:
    """The lines on the terminal, and the exit status of the command."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.result: CallResult | None = None

    async def run(self, setup: CallSetup, **options: Any) -> None:
        call_options = {"from_number": str(setup.number.get("number") or setup.number["id"]), **options}
        asked = CallOptions(to=CALLER, url=setup.url, **call_options)
        self.result = await call(asked, self.lines.append, every_s=0.02)

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    async def until(self, words: str) -> None:
        with anyio.fail_after(10):
            while words not in self.text:
                await anyio.sleep(0.02)


async def test_bargein_call_places_a_call_and_prints_its_progress(tmp_path: Path, carrier: Loopback) -> None:
    async with on_the_phone(tmp_path, carrier) as setup:
        file = tmp_path / "assistant.json"
        file.write_text(json.dumps(setup.speaker("Hello there. " * 3)))
        told = CommandOutput()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lambda: told.run(setup, assistant=str(file)))
            phone = await carrier.next_placed()
            await carrier.tell_ringing(phone)
            await told.until("ringing")
            await carrier.answered(phone)
            await told.until("answered")
            await phone.until(lambda: phone.sounds() > 300)
            await told.until("Hello there.")
            await phone.hang_up()
    assert told.result is not None
    assert (told.result.ended_reason, told.result.exit_code) == ("customer-ended-call", 0)
    for secret in carrier.secrets:
        assert secret not in told.text


async def test_a_busy_customer_is_reported_and_fails(tmp_path: Path, carrier: Loopback) -> None:
    async with on_the_phone(tmp_path, carrier) as setup:
        told = CommandOutput()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lambda: told.run(setup))
            phone = await carrier.next_placed()
            await carrier.tell_over(phone, "busy")
    assert told.result is not None
    assert (told.result.ended_reason, told.result.exit_code) == ("customer-busy", 1)
    assert "the line was busy" in told.text


async def test_hanging_up_while_it_rings_stops_the_ringing(tmp_path: Path, carrier: Loopback) -> None:
    async with on_the_phone(tmp_path, carrier) as setup:
        told = CommandOutput()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lambda: told.run(setup))
            phone = await carrier.next_placed()
            await carrier.tell_ringing(phone)
            await told.until("ringing")
            [record] = await setup.calls()
            early = await setup.client.post(f"/{record['id']}/control", json={"type": "say", "content": "Hello?"})
            assert early.status_code == 409
            tasks.cancel_scope.cancel()
        await phone.until(lambda: phone.ended)
        over = await setup.ended(record["id"])
    assert over["endedReason"] == "manually-canceled"
    assert "hung up" in told.text
