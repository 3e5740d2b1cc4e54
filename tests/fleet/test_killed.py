"""A server process is killed with SIGKILL at chosen moments: what was told of a call is what its record says."""

from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
import websockets
from anyio.abc import TaskGroup

from bargein.testing import FakeLlm, FakeTranscriber, FakeVoice, LlmScript
from tests.browser.conftest import Served, serve
from tests.call.harness import assistant, create_call, eventually, stored
from tests.webhooks.receiver import NEVER, Got, Receiver

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

REPORTS = {"serverMessages": ["status-update", "end-of-call-report"]}
CALLS = 10
STAGGER_S = 0.012


@dataclass
class Crowd:
    """Callers that join one after the other; the server is killed when the `fatal`th was told that its call began.

    Attributes:
        served: the server.
        fatal: the number of calls that were told `in-progress` before the kill.
        after_s: the time from that message to the kill.
        told: the ids of the calls whose caller was told `in-progress`.
    """

    served: Served
    fatal: int
    after_s: float
    told: list[str] = field(default_factory=list)
    killed: anyio.Event = field(default_factory=anyio.Event)

    async def join(self, call: dict[str, Any]) -> None:
        """Join a call, and listen until its server is dead."""
        address = f"ws{self.served.url.removeprefix('http')}/{call['id']}/transport"
        try:
            async with websockets.connect(address, compression=None) as socket:
                async for frame in socket:
                    if isinstance(frame, str) and '"in-progress"' in frame and call["id"] not in self.told:
                        self.told.append(call["id"])
                        if len(self.told) == self.fatal:
                            await self.kill()
        except (OSError, websockets.WebSocketException):
            pass

    async def kill(self) -> None:
        if self.after_s:
            await anyio.sleep(self.after_s)
        self.served.process.kill()
        self.killed.set()

    async def join_all(self, calls: list[dict[str, Any]], tasks: TaskGroup) -> None:
        for call in calls:
            tasks.start_soon(self.join, call)
            await anyio.sleep(STAGGER_S)


@pytest.mark.parametrize(("fatal", "after_s", "again"), [(4, 0.0, False), (CALLS, 0.02, True)])
async def test_every_call_that_was_told_of_ends_once_with_its_reports(
    tmp_path: Path, database_url: str | None, fatal: int, after_s: float, again: bool
) -> None:
    """With `again`, the server that recovers the calls is killed too."""
    keys = {} if database_url is None else {"BARGEIN_DATABASE_URL": database_url}
    async with (
        FakeLlm(LlmScript(tokens=["word "])) as llm,
        FakeVoice() as voice,
        FakeTranscriber() as transcriber,
        Receiver() as owner,
    ):
        mine = assistant(llm, voice, transcriber, server={"url": owner.url}, firstMessage="Hello.", **REPORTS)
        mine["firstMessageMode"] = "assistant-speaks-first"
        async with serve(tmp_path, **keys) as served:
            calls = [await create_call(served.url, mine) for _ in range(CALLS)]
            crowd = Crowd(served, fatal, after_s)
            with anyio.fail_after(30):
                async with anyio.create_task_group() as tasks:
                    await crowd.join_all(calls, tasks)
                    await crowd.killed.wait()
        told_owner = {got.message["call"]["id"] for got in owner.got}
        if again:
            async with serve(tmp_path, **keys) as served:
                served.process.kill()
        async with serve(tmp_path, **keys) as served:
            records = [await _settled(served.url, call["id"], {*crowd.told, *told_owner}) for call in calls]
            over = [record["id"] for record in records if record["status"] == "ended"]
            await owner.until(lambda: set(_reported(owner)) >= set(over), 20)
            await anyio.sleep(0.3)  # a second report would follow the first at once
    assert {record["status"] for record in records} <= {"queued", "ended"}
    assert set(crowd.told) | told_owner <= set(over)
    assert Counter(_keys(owner)) == Counter({key: 1 for call_id in over for key in _expected(call_id)})


async def test_calls_that_a_server_places_or_is_asked_about_end_when_it_is_killed(
    tmp_path: Path, database_url: str | None
) -> None:
    """Ten outbound calls and ten that ring: some were told to the carrier or the owner, of others only the client."""

    def answer(got: Got) -> Any:
        return NEVER if got.message["type"] == "assistant-request" else {}

    async with Receiver([NEVER]) as carrier, Receiver([answer]) as owner:
        keys = {"BARGEIN_SERVER_URL": owner.url, "TWILIO_API_URL": carrier.url.removesuffix("/hook")}
        if database_url is not None:
            keys["BARGEIN_DATABASE_URL"] = database_url
        async with serve(tmp_path, **keys) as served, httpx.AsyncClient(base_url=served.url, timeout=20) as client:
            number = await _number(client)
            created = anyio.Event()

            async def request(path: str, body: dict[str, Any]) -> None:
                with suppress(httpx.HTTPError):
                    await client.post(path, json=body)
                    created.set()

            async with anyio.create_task_group() as tasks:
                for n in range(10):
                    customer = {"number": f"+1415555{1000 + n}"}
                    body = {"assistant": {"firstMessage": "Hello."}, "phoneNumberId": number, "customer": customer}
                    tasks.start_soon(request, f"/phone-number/{number}/ring", {})
                    tasks.start_soon(request, "/call", body)
                with anyio.fail_after(20):
                    await created.wait()
                served.process.kill()
        async with serve(tmp_path, **keys) as served, httpx.AsyncClient(base_url=served.url) as client:

            async def look() -> set[str]:
                return {call["status"] for call in (await client.get("/call")).json()}

            assert await eventually(look, lambda found: found == {"ended"}, 10) == {"ended"}
            over = [call["id"] for call in (await client.get("/call")).json()]
            await owner.until(lambda: set(_reported(owner)) >= set(over), 20)
    assert Counter(_keys(owner)) == Counter({key: 1 for call_id in over for key in _expected(call_id)})


async def _number(client: httpx.AsyncClient) -> str:
    """Store a number of a carrier, and return its id."""
    number = {
        "provider": "twilio",
        "number": "+14155550100",
        "twilioAccountSid": "AC" + "0" * 32,
        "twilioAuthToken": "t" * 32,
    }
    made = await client.post("/phone-number", json=number)
    assert made.status_code == 201, made.text
    return str(made.json()["id"])


async def _settled(url: str, call_id: str, told: set[str]) -> dict[str, Any]:
    """Return a call's record; that of a call that somebody was told of once it has ended, or after some seconds."""
    if call_id not in told:
        return await stored(url, call_id)
    try:
        return await stored(url, call_id, until=lambda call: call["status"] == "ended")
    except TimeoutError:
        return await stored(url, call_id)


def _reported(owner: Receiver) -> list[str]:
    return [message["call"]["id"] for message in owner.of("end-of-call-report")]


def _keys(owner: Receiver) -> list[str]:
    """Return the idempotency keys of the messages about ends."""
    ends = [got for got in owner.got if got.message["type"] == "end-of-call-report" or _is_end(got.message)]
    return list({got.headers["idempotency-key"]: None for got in ends})


def _is_end(message: dict[str, Any]) -> bool:
    return message["type"] == "status-update" and message["status"] == "ended"


def _expected(call_id: str) -> list[str]:
    return [f"{call_id}:status-update", f"{call_id}:end-of-call-report"]
