"""Placing a call fails in an unexpected way: the call ends with a reason, and the server goes on."""

from pathlib import Path

import anyio
import httpx
import pytest

from bargein.carriers.twilio.carrier import TwilioCarrier
from bargein.ports import StoreUnavailableError
from bargein.store.calls import Calls
from tests.call.harness import ended, running

pytestmark = pytest.mark.anyio

NUMBER = {
    "provider": "twilio",
    "number": "+14155550100",
    "twilioAccountSid": "AC" + "0" * 32,
    "twilioAuthToken": "t" * 32,
}


@pytest.mark.parametrize(
    ("failing", "error", "reason"),
    [
        (Calls, StoreUnavailableError("away"), "call.start.error-vapifault-database-error"),
        (TwilioCarrier, RuntimeError("a bug"), "call.in-progress.error-vapifault-worker-died"),
    ],
)
async def test_a_call_that_cannot_be_placed_ends_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: type, error: Exception, reason: str
) -> None:
    async def fail(*_: object, **__: object) -> None:
        raise error

    async with running(tmp_path) as server, httpx.AsyncClient(base_url=server.url, timeout=10) as client:
        number = (await client.post("/phone-number", json=NUMBER)).json()["id"]
        with monkeypatch.context() as patched:
            patched.setattr(failing, "get" if failing is Calls else "place", fail)
            body = {"assistant": {}, "phoneNumberId": number, "customer": {"number": "+14155550123"}}
            made = await client.post("/call", json=body)
            assert made.status_code == 201, made.text
            await anyio.sleep(0.3)  # the call is dialled in the background
        assert await ended(server.url, made.json()["id"]) == reason
        assert (await client.get("/ready")).status_code == 200
