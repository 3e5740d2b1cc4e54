"""Making, joining and ending a WebSocket call."""

import socket

import pytest

from bargein.client.connection import Audio, Message, join
from bargein.client.errors import ClientError, RefusedError, UnreachableError
from bargein.client.server_api import Server, create_call, is_reachable
from tests.client.stub import Script, StubServer

pytestmark = pytest.mark.anyio


async def test_a_call_is_made_joined_and_ended() -> None:
    async with StubServer(Script(key="k1")) as stub:
        server = Server(url=stub.url, key="k1")
        assert await is_reachable(server)
        call = await create_call(server, assistant={"firstMessage": "Hi"})
        assert stub.requests[-1].body == {
            "assistant": {"firstMessage": "Hi"},
            "transport": {
                "provider": "vapi.websocket",
                "audioFormat": {"format": "pcm_s16le", "container": "raw", "sampleRate": 16000},
            },
        }
        events: list[Audio | Message] = []
        async with join(server, call) as connection:
            await connection.send_audio(bytes(640))
            async for event in connection:
                events.append(event)
                if isinstance(event, Message) and event.data.get("status") == "stopped":
                    await connection.send({"type": "say", "content": "x"})
                    await connection.end_call()
            assert connection.close_code == 1000
            with pytest.raises(ClientError, match="the call is over"):
                await connection.send_audio(bytes(640))
            await connection.end_call()
    assert stub.socket_headers[0]["authorization"] == "Bearer k1"
    assert [control["type"] for control in stub.controls] == ["say", "end-call"]
    assert sum(len(event.data) for event in events if isinstance(event, Audio)) == 300 * 32
    arrivals = [event.at_ms for event in events]
    assert arrivals == sorted(arrivals)
    assert isinstance(events[-1], Message)
    assert events[-1].data["endedReason"] == "customer-ended-call"


async def test_a_call_with_a_stored_assistant_and_overrides() -> None:
    async with StubServer() as stub:
        call = await create_call(
            Server(url=stub.url),
            assistant_id="a1",
            assistant_overrides={"firstMessage": ""},
            encoding="mulaw",
            rate_hz=8000,
        )
        body = stub.requests[-1].body
        assert (body["assistantId"], body["assistantOverrides"]) == ("a1", {"firstMessage": ""})
        assert "assistant" not in body
        assert (call.encoding, call.rate_hz) == ("mulaw", 8000)


async def test_errors_contain_the_servers_message_and_not_the_key() -> None:
    async with StubServer(Script(key="right")) as stub:
        with pytest.raises(RefusedError, match=r"401: Invalid Key\. \(set --key") as refused:
            await create_call(Server(url=stub.url, key="wrong-secret"), assistant={})
        assert refused.value.status == 401
        assert "wrong-secret" not in str(refused.value) + repr(Server(key="wrong-secret"))
        stub.script = Script(status=400, body={"message": ["a should not exist", "b must be a string"]})
        with pytest.raises(RefusedError, match="a should not exist; b must be a string"):
            await create_call(Server(url=stub.url), assistant={})
        stub.script = Script(status=500, body="not an object")
        with pytest.raises(RefusedError, match="500"):
            await create_call(Server(url=stub.url), assistant={})
        stub.script = Script(status=201, body={"id": "c1"})
        with pytest.raises(ClientError, match="websocketCallUrl"):
            await create_call(Server(url=stub.url), assistant={})


async def test_an_unreachable_server() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # bound and not listening, so that no other process can use the port
        port = closed.getsockname()[1]
        server = Server(url=f"http://127.0.0.1:{port}")
        assert not await is_reachable(server)
        with pytest.raises(UnreachableError, match="no answer"):
            await create_call(server, assistant={})
        async with StubServer() as stub:
            call = await create_call(Server(url=stub.url), assistant={})
        with pytest.raises(UnreachableError, match="does not open"):
            async with join(server, call):
                pass


async def test_iteration_ends_when_the_connection_breaks() -> None:
    async with StubServer(Script(close_after_ms=50)) as stub:
        server = Server(url=stub.url)
        async with join(server, await create_call(server, assistant={})) as connection:
            kinds = [event.data["type"] async for event in connection if isinstance(event, Message)]
            assert kinds == ["status-update", "assistant.started"]
            assert (connection.close_code, connection.close_reason) == (1011, "broken on purpose")
