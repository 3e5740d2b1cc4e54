"""`schedulePlan`: a call is queued at `earliestAt` and ended after `latestAt` if nobody joined it."""

from typing import Any

import anyio
import httpx
import pytest

from bargein.clock import LoopClock, iso_from_epoch_ms
from bargein.server.api.services import Services
from bargein.server.calls.live_calls import RefusedError
from bargein.wire import validation_text
from tests.server.conftest import Serve
from tests.webhooks.receiver import Receiver

pytestmark = pytest.mark.anyio

SOCKET = {"provider": "vapi.websocket"}
HOUR_MS = 3_600_000


class SetClock(LoopClock):
    """A clock whose time the test sets."""

    ms = 1_900_000_000_000

    def epoch_ms(self) -> int:
        return self.ms


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


def services_of(client: httpx.AsyncClient) -> Services:
    return client._transport.app.state.services  # type: ignore[attr-defined]  # httpx's ASGITransport


def planned(
    clock: SetClock, earliest_ms: int = HOUR_MS, latest_ms: int | None = None, **assistant: Any
) -> dict[str, Any]:
    plan = {"earliestAt": iso_from_epoch_ms(clock.ms + earliest_ms)}
    if latest_ms is not None:
        plan["latestAt"] = iso_from_epoch_ms(clock.ms + latest_ms)
    return {"assistant": assistant, "transport": SOCKET, "schedulePlan": plan}


async def made(client: httpx.AsyncClient, body: dict[str, Any]) -> dict[str, Any]:
    answer = await client.post("/call", json=body)
    assert answer.status_code == 201, answer.text
    return answer.json()


async def become(client: httpx.AsyncClient, call_id: str, status: str) -> dict[str, Any]:
    """Wait until a call has a status."""
    services_of(client).scheduler.wake()
    with anyio.fail_after(5):
        while True:
            call = (await client.get(f"/call/{call_id}")).json()
            if call["status"] == status:
                return call
            await anyio.sleep(0.01)


async def test_a_call_waits_for_its_time_across_a_restart(serve: Serve, clock: SetClock) -> None:
    async with serve(clock=clock) as client:
        body = planned(clock)
        call = await made(client, body)
        call_id = call["id"]
        assert (call["status"], call["schedulePlan"]) == ("scheduled", body["schedulePlan"])
        assert (await client.get("/call")).json() == [call]
        with pytest.raises(RefusedError, match="may not be joined before 2030-"):
            await services_of(client).live_calls.find(call_id)
        clock.ms += HOUR_MS - 1
        services_of(client).scheduler.wake()
        await anyio.wait_all_tasks_blocked()
        assert (await client.get(f"/call/{call_id}")).json()["status"] == "scheduled"
    clock.ms += 1
    async with serve(clock=clock) as client:
        await become(client, call_id, "queued")
        assert (await services_of(client).live_calls.find(call_id)).record["id"] == call_id


async def test_it_is_queued_when_its_time_comes(serve: Serve) -> None:
    async with serve() as client:  # by the real clock
        body = {"assistant": {}, "transport": SOCKET}
        soon_ms = LoopClock().epoch_ms() + 1000
        call = await made(client, {**body, "schedulePlan": {"earliestAt": iso_from_epoch_ms(soon_ms)}})
        assert call["status"] == "scheduled"
        with anyio.fail_after(5):
            while (await client.get(f"/call/{call['id']}")).json()["status"] != "queued":
                await anyio.sleep(0.01)
        assert LoopClock().epoch_ms() >= soon_ms


async def test_a_call_that_nobody_joins_is_ended_after_its_time(serve: Serve, clock: SetClock) -> None:
    async with serve(clock=clock) as client:
        call_id = (await made(client, planned(clock, HOUR_MS, 2 * HOUR_MS)))["id"]
        clock.ms += HOUR_MS
        await become(client, call_id, "queued")
        clock.ms += HOUR_MS + 1
        with pytest.raises(RefusedError, match="could be joined only until 2030-"):
            await services_of(client).live_calls.find(call_id)
        clock.ms += 15_000
        ended = await become(client, call_id, "ended")
        assert ended["endedReason"] == "customer-did-not-answer"
        assert ended["endedAt"] == iso_from_epoch_ms(clock.ms)


async def test_a_call_whose_time_passed_while_no_server_ran_is_ended(serve: Serve, clock: SetClock) -> None:
    async with serve(clock=clock) as client:
        call_id = (await made(client, planned(clock, HOUR_MS, 2 * HOUR_MS)))["id"]
    clock.ms += 3 * HOUR_MS
    async with serve(clock=clock) as client:
        assert (await become(client, call_id, "ended"))["endedReason"] == "customer-did-not-answer"


async def test_a_call_that_was_joined_is_left_alone(serve: Serve, clock: SetClock) -> None:
    async with serve(clock=clock) as client:
        store = services_of(client).store
        call_id = (await made(client, planned(clock, HOUR_MS, 2 * HOUR_MS)))["id"]
        clock.ms += HOUR_MS
        await store.calls.begin(call_id, {"status": "in-progress"}, "node")
        clock.ms += 5 * HOUR_MS
        assert await store.calls.due(clock.ms, 10) == []
        assert await store.calls.next_due_ms() is None
        await become(client, call_id, "in-progress")


async def test_of_several_servers_one_advances_a_call(serve: Serve, clock: SetClock) -> None:
    async with serve(clock=clock) as client:
        calls = services_of(client).store.calls
        call_id = (await made(client, planned(clock)))["id"]
        done: list[bool] = []

        def once(call: dict[str, Any]) -> dict[str, Any] | None:
            return {"status": "queued"} if call["status"] == "scheduled" else None

        async def advance() -> None:
            done.append(await calls.advance(call_id, once, []))

        async with anyio.create_task_group() as tasks:
            for _ in range(5):
                tasks.start_soon(advance)
        assert sorted(done) == [False] * 4 + [True]


async def test_a_scheduled_call_can_be_deleted(serve: Serve, clock: SetClock) -> None:
    async with serve(clock=clock) as client:
        call = await made(client, planned(clock))
        assert (await client.delete(f"/call/{call['id']}")).json() == call
        assert await services_of(client).store.calls.next_due_ms() is None


async def test_a_call_with_a_time_in_the_past_is_queued_at_once(serve: Serve, clock: SetClock) -> None:
    async with serve(clock=clock) as client:
        assert (await made(client, planned(clock, -HOUR_MS)))["status"] == "queued"
        batch = await made(client, {**planned(clock), "customers": [{"name": "Ada"}, {"name": "Bob"}]})
        assert [call["status"] for call in batch["results"]] == ["scheduled"] * 2


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        ({"earliestAt": "tomorrow"}, f"earliestAt {validation_text.DATE}"),
        ({"earliestAt": "2040-01-01T00:00:00Z", "latestAt": "x"}, f"latestAt {validation_text.DATE}"),
        ({}, f"earliestAt {validation_text.MISSING}"),
        (
            {"earliestAt": "2040-01-01T00:00:00Z", "latestAt": "2039-01-01T00:00:00Z"},
            "latestAt must not be before schedulePlan.earliestAt",
        ),
        ({"earliestAt": "2001-01-01T00:00:00Z", "latestAt": "2002-01-01"}, "latestAt must be in the future"),
    ],
)
async def test_an_impossible_plan_is_refused(client: httpx.AsyncClient, plan: dict[str, str], message: str) -> None:
    answer = await client.post("/call", json={"assistant": {}, "transport": SOCKET, "schedulePlan": plan})
    assert (answer.status_code, answer.json()["message"]) == (400, [f"schedulePlan.{message}"])


async def test_its_owner_gets_the_status_queued(serve: Serve, clock: SetClock) -> None:
    async with Receiver() as owner, serve(clock=clock) as client:
        call = await made(client, planned(clock, server={"url": owner.url}))
        clock.ms += HOUR_MS
        await become(client, call["id"], "queued")
        (message,) = await owner.until(lambda: [got.message for got in owner.got])
        assert (message["type"], message["status"], message["call"]["id"]) == ("status-update", "queued", call["id"])
