"""A call's channel to its owner: which server it uses, the envelope of messages, and their order."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest

from bargein.clock import LoopClock
from bargein.ports import ServerError
from bargein.webhooks import owner_channel as module
from bargein.webhooks.owner_channel import OwnerChannel, OwnerChannels, server_of
from bargein.webhooks.sender import Sender
from tests.webhooks.receiver import NEVER, Receiver, as_json
from tests.webhooks.sending import plan, sending

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
async def channels_of(settings: dict[str, Any] | None = None, **credentials: Any) -> AsyncIterator[OwnerChannels]:
    async with sending(**credentials) as parts, anyio.create_task_group() as tasks:
        channels = OwnerChannels(tasks, parts.sender, LoopClock(), settings)
        yield channels
        await channels.close(5)
        tasks.cancel_scope.cancel()


def open_channel(channels: OwnerChannels, *args: Any, **more: Any) -> OwnerChannel:
    channel = channels.channel(*args, **more)
    channels.open(channel)
    return channel


def test_the_order_of_precedence() -> None:
    legacy = {"serverUrl": "http://l/", "serverUrlSecret": "s"}
    number, settings = {"server": {"url": "http://n/"}}, {"server": {"url": "http://o/"}}
    assert server_of(assistant("http://a/"), number, settings) == assistant("http://a/")["server"]
    assert server_of(legacy, number, settings) == {"url": "http://l/", "secret": "s"}
    assert server_of({**legacy, "server": {"url": "http://a/"}}, None, None) == {"url": "http://a/"}
    assert server_of({"server": {"timeoutSeconds": 3}}, number, settings) == {"url": "http://n/"}
    assert server_of(None, {}, settings) == {"url": "http://o/"}
    assert server_of(None, None, {}) is None


async def test_a_tools_server_overrides_the_calls() -> None:
    async with Receiver([{"from": "call"}]) as calls, Receiver([{"from": "tool"}]) as tools, channels_of() as channels:
        channel = channels.channel(CALL, assistant(calls.url))
        assert await channel.request({"type": "tool-calls"}, server={"url": tools.url}) == {"from": "tool"}
        assert await channel.request({"type": "tool-calls"}, server={"timeoutSeconds": 2}) == {"from": "call"}
        assert await channel.request({"type": "tool-calls"}) == {"from": "call"}


async def test_the_envelope_has_the_participants_and_no_secret() -> None:
    async with Receiver() as receiver, channels_of() as channels:
        channel = open_channel(channels, CALL, assistant(receiver.url), NUMBER)
        channel.send({"type": "user-interrupted", "turnId": "t"})
        await receiver.until(lambda: receiver.got)
        channel.close()
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
async def test_frequent_messages_have_a_small_envelope(kind: str) -> None:
    async with Receiver() as receiver, channels_of() as channels:
        channel = open_channel(channels, CALL, assistant(receiver.url), NUMBER)
        channel.send({"type": kind, **({"transcriptType": "partial"} if kind == "transcript" else {})})
        await receiver.until(lambda: receiver.got)
        channel.close()
    assert receiver.got[0].message.keys() - {"transcriptType"} == {"type", "timestamp", "call"}


async def test_messages_are_sent_in_order_one_after_the_other() -> None:
    busy = 0
    most = 0

    async def slowly(_: Any) -> dict[str, Any]:
        nonlocal busy, most
        busy, most = busy + 1, max(most, busy + 1)
        await anyio.sleep(0.002)
        busy -= 1
        return {}

    async with Receiver([slowly]) as receiver, channels_of() as channels:
        channel = open_channel(channels, CALL, assistant(receiver.url))
        for n in range(40):
            channel.send({"type": "speech-update", "turn": n})
        channel.close()
        channel.send({"type": "speech-update", "turn": "too late"})
    assert [m["turn"] for m in receiver.of("speech-update")] == list(range(40))
    assert most == 1


async def test_a_failing_server_loses_its_messages_and_nothing_else() -> None:
    async with Receiver([as_json({}, 500), {}]) as receiver, channels_of() as channels:
        channel = open_channel(channels, CALL, assistant(receiver.url))
        channel.send({"type": "hang", "n": 1})
        channel.send({"type": "hang", "n": 2})
        channel.close()
    assert [m["n"] for m in receiver.of("hang")] == [1, 2]


async def test_a_slow_server_gets_the_newest_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_WAITING", 3)
    go = anyio.Event()

    async def first_waits(_: Any) -> dict[str, Any]:
        await go.wait()
        return {}

    async with Receiver([first_waits]) as receiver, channels_of() as channels:
        channel = open_channel(channels, CALL, assistant(receiver.url))
        channel.send({"type": "hang", "n": 0})
        await receiver.until(lambda: receiver.got)
        for n in range(1, 9):
            channel.send({"type": "hang", "n": n})
        go.set()
        channel.close()
    assert [m["n"] for m in receiver.of("hang")] == [0, 6, 7, 8]


async def test_the_end_of_a_call_waits_for_a_stuck_server_with_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "DRAIN_S", 0.2)
    async with Receiver([NEVER]) as receiver, channels_of() as channels:
        channel = channels.channel(CALL, assistant(receiver.url))
        channel.send({"type": "hang"})
        channel.close()
        with anyio.fail_after(5):
            await channel.run()


async def test_without_a_server_messages_are_dropped_and_requests_fail() -> None:
    async with channels_of() as channels:
        channel = open_channel(channels, CALL, {"name": "Ada"})
        assert not channel.has_server
        channel.send({"type": "hang"})
        assert not channel._waiting
        with pytest.raises(ServerError, match=r"no server\.url") as refused:
            await channel.request({"type": "tool-calls"})
        channel.close()
    assert refused.value.reason == "invalid"


async def test_a_change_of_the_call_changes_the_envelope() -> None:
    async with Receiver() as receiver, channels_of() as channels:
        channel = open_channel(channels, CALL, assistant(receiver.url))
        channel.change_call({"status": "ended", "endedReason": "customer-ended-call"})
        channel.send({"type": "status-update", "status": "ended", "endedReason": "customer-ended-call"})
        channel.send({"type": "hang"})
        channel.close()
    first, second = (got.message["call"] for got in receiver.got)
    assert first["status"] == second["status"] == "ended"
    assert second["endedReason"] == "customer-ended-call"
    assert CALL["status"] == "in-progress"


async def test_another_assistant_brings_its_own_server() -> None:
    async with Receiver() as first, Receiver() as second, channels_of() as channels:
        channel = open_channel(channels, CALL, assistant(first.url), NUMBER)
        channel.change_call({"status": "forwarding"})
        channel.send({"type": "status-update", "status": "forwarding"})
        channel.switch_assistant({"name": "Bob", "server": {"url": second.url}})
        channel.send({"type": "hang"})
        channel.close()
    assert first.kinds == ["status-update"]
    (message,) = second.of("hang")
    assert message["assistant"]["name"] == "Bob"
    assert message["call"]["status"] == "forwarding"


async def test_the_servers_of_the_number_and_of_the_settings() -> None:
    async with Receiver() as numbers, Receiver() as org, channels_of({"url": org.url, "secret": "s"}) as channels:
        await channels.channel(CALL, {"name": "A"}, {**NUMBER, "server": {"url": numbers.url}}).request(
            {"type": "hang"}
        )
        await channels.channel(CALL, {"name": "A"}, NUMBER).request({"type": "hang"})
    assert [len(numbers.got), len(org.got)] == [1, 1]
    assert org.got[0].headers["x-vapi-secret"] == "s"


async def test_inline_credentials_of_the_assistant_are_found() -> None:
    given = {"name": "mine", **plan(type="bearer", token="inline")}
    async with Receiver() as receiver, channels_of() as channels:
        server = {"url": receiver.url, "credentialId": "mine"}
        await channels.channel(CALL, {"server": server, "credentials": [given]}).request({"type": "hang"})
    assert receiver.got[0].headers["authorization"] == "Bearer inline"


async def test_the_artifact_is_sent_on_request() -> None:
    async with Receiver() as receiver, channels_of() as channels:
        channel = channels.channel(CALL, assistant(receiver.url))
        channel.artifact = lambda: {"messages": []}
        await channel.request({"type": "tool-calls"})
        await channel.deliver({"type": "hang"}, key="k-1")
    assert receiver.got[0].message["artifact"] == {"messages": []}
    assert "artifact" not in receiver.got[1].message
    assert receiver.got[1].headers["idempotency-key"] == "k-1"
    assert json.loads(receiver.got[1].body)["message"]["type"] == "hang"


async def test_a_bug_costs_one_message_and_not_the_next_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    post = Sender.post

    async def fail_once(sender: Sender, server: dict[str, Any], message: dict[str, Any], **more: Any) -> None:
        if message["type"] == "hang":
            raise ZeroDivisionError("a bug")
        await post(sender, server, message, **more)

    monkeypatch.setattr(Sender, "post", fail_once)
    async with Receiver() as receiver, channels_of() as channels:
        channel = open_channel(channels, CALL, assistant(receiver.url))
        channel.send({"type": "hang"})
        channel.send({"type": "status-update", "status": "ended"})
        channel.close()
        await channel.done.wait()
        assert [got.message["type"] for got in receiver.got] == ["status-update"]
