import socket

import pytest

from bargein.client.connection import Audio, Message, Server, create_call, is_there, join
from bargein.client.errors import ClientError, RefusedError, UnreachableError
from tests.client.stub import Script, StubServer

pytestmark = pytest.mark.anyio


async def test_a_call_is_made_joined_heard_and_ended() -> None:
    async with StubServer(Script(key="k1")) as stub:
        server = Server(url=stub.url, key="k1")
        assert await is_there(server)
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
                    await connection.hang_up()
            assert connection.close_code == 1000
            with pytest.raises(ClientError, match="the call is over"):
                await connection.send_audio(bytes(640))
            await connection.hang_up()
    assert stub.socket_headers[0]["authorization"] == "Bearer k1"
    assert [said["type"] for said in stub.said] == ["say", "end-call"]
    assert sum(len(event.data) for event in events if isinstance(event, Audio)) == 300 * 32
    arrivals = [event.at_ms for event in events]
    assert arrivals == sorted(arrivals)
    assert isinstance(events[-1], Message)
    assert events[-1].data["endedReason"] == "customer-ended-call"


async def test_a_stored_assistant_is_named_by_its_id_and_overridden() -> None:
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


async def test_refusals_are_told_in_the_servers_words_and_without_the_key() -> None:
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


async def test_nobody_there() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # bound and not listening: nobody else can take it meanwhile
        port = closed.getsockname()[1]
        server = Server(url=f"http://127.0.0.1:{port}")
        assert not await is_there(server)
        with pytest.raises(UnreachableError, match="no answer"):
            await create_call(server, assistant={})
        async with StubServer() as stub:
            call = await create_call(Server(url=stub.url), assistant={})
        with pytest.raises(UnreachableError, match="does not open"):
            async with join(server, call):
                pass


async def test_a_call_that_breaks_off_ends_the_iteration_with_its_reason() -> None:
    async with StubServer(Script(close_after_ms=50)) as stub:
        server = Server(url=stub.url)
        async with join(server, await create_call(server, assistant={})) as connection:
            kinds = [event.data["type"] async for event in connection if isinstance(event, Message)]
            assert kinds == ["status-update", "assistant.started"]
            assert (connection.close_code, connection.close_reason) == (1011, "broken on purpose")
