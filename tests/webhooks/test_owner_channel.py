"""A call's line: whose server it is, what stands around a message, and that messages come in order or not at all."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest

from bargein.clock import LoopClock
from bargein.ports import ServerError
from bargein.webhooks import owner_channel as room
from bargein.webhooks.owner_channel import OwnerChannel, OwnerChannels, server_of
from tests.webhooks.owner_server import house, plan
from tests.webhooks.receiver import NEVER, Receiver, as_json

pytestmark = pytest.mark.anyio

CALL = {
    "id": "call-1",
    "orgId": "org",
    "type": "inboundPhoneCall",
    "status": "in-progress",
    "customer": {"number": "+15551234567", "sipUri": "sip:a@b"},
    "assistantOverrides": {"server": {"url": "http://x/", "secret": "hush"}},
    "metadata": {"apiKey": "hush", "plan": "gold"},
}
NUMBER = {"id": "pn", "provider": "twilio", "number": "+15550001111", "twilioAuthToken": "hush"}


def assistant(url: str, **more: Any) -> dict[str, Any]:
    return {"name": "Ada", "server": {"url": url, "secret": "hush", "headers": {"X-Key": "hush"}}, **more}


@asynccontextmanager
async def board(settings: dict[str, Any] | None = None, **credentials: Any) -> AsyncIterator[OwnerChannels]:
    async with house(**credentials) as here, anyio.create_task_group() as tasks:
        switchboard = OwnerChannels(tasks, here.sender, LoopClock(), settings)
        yield switchboard
        await switchboard.close(5)
        tasks.cancel_scope.cancel()


def opened(switchboard: OwnerChannels, *args: Any, **more: Any) -> OwnerChannel:
    line = switchboard.channel(*args, **more)
    switchboard.open(line)
    return line


def test_the_order_of_precedence() -> None:
    legacy = {"serverUrl": "http://l/", "serverUrlSecret": "s"}
    number, settings = {"server": {"url": "http://n/"}}, {"server": {"url": "http://o/"}}
    assert server_of(assistant("http://a/"), number, settings) == assistant("http://a/")["server"]
    assert server_of(legacy, number, settings) == {"url": "http://l/", "secret": "s"}
    assert server_of({**legacy, "server": {"url": "http://a/"}}, None, None) == {"url": "http://a/"}
    assert server_of({"server": {"timeoutSeconds": 3}}, number, settings) == {"url": "http://n/"}
    assert server_of(None, {}, settings) == {"url": "http://o/"}
    assert server_of(None, None, {}) is None


async def test_a_tools_server_goes_before_the_calls() -> None:
    async with Receiver([{"from": "call"}]) as calls, Receiver([{"from": "tool"}]) as tools, board() as switchboard:
        line = switchboard.channel(CALL, assistant(calls.url))
        assert await line.request({"type": "tool-calls"}, server={"url": tools.url}) == {"from": "tool"}
        assert await line.request({"type": "tool-calls"}, server={"timeoutSeconds": 2}) == {"from": "call"}
        assert await line.request({"type": "tool-calls"}) == {"from": "call"}


async def test_the_envelope_holds_who_takes_part_and_no_secret() -> None:
    async with Receiver() as receiver, board() as switchboard:
        line = opened(switchboard, CALL, assistant(receiver.url), NUMBER)
        line.send({"type": "user-interrupted", "turnId": "t"})
        await receiver.until(lambda: receiver.got)
        line.close()
    message = receiver.got[0].message
    assert (message["type"], message["turnId"]) == ("user-interrupted", "t")
    assert message["call"]["id"] == "call-1"
    assert message["call"]["metadata"] == {"plan": "gold"}
    assert message["assistant"] == {"name": "Ada", "server": {"url": receiver.url}}
    assert message["phoneNumber"] == {"id": "pn", "provider": "twilio", "number": "+15550001111"}
    assert message["customer"]["number"] == "+15551234567"
    assert message["timestamp"] > 1_700_000_000_000
    assert b"hush" not in receiver.got[0].body


@pytest.mark.parametrize("kind", ["model-output", "voice-input", "assistant.speechStarted", "transcript"])
async def test_messages_that_come_often_are_lean(kind: str) -> None:
    async with Receiver() as receiver, board() as switchboard:
        line = opened(switchboard, CALL, assistant(receiver.url), NUMBER)
        line.send({"type": kind, **({"transcriptType": "partial"} if kind == "transcript" else {})})
        await receiver.until(lambda: receiver.got)
        line.close()
    assert receiver.got[0].message.keys() - {"transcriptType"} == {"type", "timestamp", "call"}


async def test_messages_come_in_order_one_after_the_other() -> None:
    busy = 0
    most = 0

    async def slowly(_: Any) -> dict[str, Any]:
        nonlocal busy, most
        busy, most = busy + 1, max(most, busy + 1)
        await anyio.sleep(0.002)
        busy -= 1
        return {}

    async with Receiver([slowly]) as receiver, board() as switchboard:
        line = opened(switchboard, CALL, assistant(receiver.url))
        for n in range(40):
            line.send({"type": "speech-update", "turn": n})
        line.close()
        line.send({"type": "speech-update", "turn": "too late"})
    assert [m["turn"] for m in receiver.of("speech-update")] == list(range(40))
    assert most == 1


async def test_a_server_that_fails_loses_its_messages_and_nothing_else() -> None:
    async with Receiver([as_json({}, 500), {}]) as receiver, board() as switchboard:
        line = opened(switchboard, CALL, assistant(receiver.url))
        line.send({"type": "hang", "n": 1})
        line.send({"type": "hang", "n": 2})
        line.close()
    assert [m["n"] for m in receiver.of("hang")] == [1, 2]


async def test_a_server_that_is_slow_gets_the_newest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "MAX_WAITING", 3)
    go = anyio.Event()

    async def first_waits(_: Any) -> dict[str, Any]:
        await go.wait()
        return {}

    async with Receiver([first_waits]) as receiver, board() as switchboard:
        line = opened(switchboard, CALL, assistant(receiver.url))
        line.send({"type": "hang", "n": 0})
        await receiver.until(lambda: receiver.got)
        for n in range(1, 9):
            line.send({"type": "hang", "n": n})
        go.set()
        line.close()
    assert [m["n"] for m in receiver.of("hang")] == [0, 6, 7, 8]


async def test_the_end_of_a_call_waits_for_a_stuck_server_only_so_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "DRAIN_S", 0.2)
    async with Receiver([NEVER]) as receiver, board() as switchboard:
        line = switchboard.channel(CALL, assistant(receiver.url))
        line.send({"type": "hang"})
        line.close()
        with anyio.fail_after(5):
            await line.run()


async def test_without_a_server_nothing_is_kept_and_asking_says_why() -> None:
    async with board() as switchboard:
        line = opened(switchboard, CALL, {"name": "Ada"})
        assert not line.has_server
        line.send({"type": "hang"})
        assert not line._waiting
        with pytest.raises(ServerError, match=r"no server\.url") as refused:
            await line.request({"type": "tool-calls"})
        line.close()
    assert refused.value.reason == "invalid"


async def test_a_status_update_is_known_from_then_on() -> None:
    async with Receiver() as receiver, board() as switchboard:
        line = opened(switchboard, CALL, assistant(receiver.url))
        line.send({"type": "status-update", "status": "ended", "endedReason": "customer-ended-call"})
        line.send({"type": "hang"})
        line.close()
    first, second = (got.message["call"] for got in receiver.got)
    assert first["status"] == second["status"] == "ended"
    assert second["endedReason"] == "customer-ended-call"
    assert CALL["status"] == "in-progress"


async def test_another_assistant_brings_its_own_server() -> None:
    async with Receiver() as first, Receiver() as second, board() as switchboard:
        line = opened(switchboard, CALL, assistant(first.url), NUMBER)
        line.send({"type": "status-update", "status": "forwarding"})
        line.switch_assistant({"name": "Bob", "server": {"url": second.url}})
        line.send({"type": "hang"})
        line.close()
    assert first.kinds == ["status-update"]
    (message,) = second.of("hang")
    assert message["assistant"]["name"] == "Bob"
    assert message["call"]["status"] == "forwarding"


async def test_the_servers_of_the_number_and_of_the_settings() -> None:
    async with Receiver() as numbers, Receiver() as org, board({"url": org.url, "secret": "s"}) as switchboard:
        await switchboard.channel(CALL, {"name": "A"}, {**NUMBER, "server": {"url": numbers.url}}).request(
            {"type": "hang"}
        )
        await switchboard.channel(CALL, {"name": "A"}, NUMBER).request({"type": "hang"})
    assert [len(numbers.got), len(org.got)] == [1, 1]
    assert org.got[0].headers["x-vapi-secret"] == "s"


async def test_inline_credentials_of_the_assistant_are_found() -> None:
    given = {"name": "mine", **plan(type="bearer", token="inline")}
    async with Receiver() as receiver, board() as switchboard:
        server = {"url": receiver.url, "credentialId": "mine"}
        await switchboard.channel(CALL, {"server": server, "credentials": [given]}).request({"type": "hang"})
    assert receiver.got[0].headers["authorization"] == "Bearer inline"


async def test_who_asks_for_it_gets_the_artifact() -> None:
    async with Receiver() as receiver, board() as switchboard:
        line = switchboard.channel(CALL, assistant(receiver.url))
        line.artifact = lambda: {"messages": []}
        await line.request({"type": "tool-calls"})
        await line.deliver({"type": "hang"}, key="k-1")
    assert receiver.got[0].message["artifact"] == {"messages": []}
    assert "artifact" not in receiver.got[1].message
    assert receiver.got[1].headers["idempotency-key"] == "k-1"
    assert json.loads(receiver.got[1].body)["message"]["type"] == "hang"
