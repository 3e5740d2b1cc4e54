"""Invalid input of clients gets an answer, a close code and a log line, and never affects another call."""

import json
import socket
import struct
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import httpx
import numpy as np
import pytest
import websockets

from tests.call.conftest import Log
from tests.call.harness import Caller, bearing, calling, create_call, ended, joining, running, stored
from tests.call.stage import beside_another, goes_on_smoothly, holds_for, staged

pytestmark = [pytest.mark.anyio, pytest.mark.timed]

KEY, PUBLIC = "private-key-1234", "public-key-5678"

BAD_TEXTS = {
    "no JSON": ('{"type": "say", ', 400),
    "a number that is none": ('{"type": "say", "content": NaN}', 400),
    "no object": ('["say"]', 400),
    "an unknown type": ('{"type": "sing", "content": "la"}', 400),
    "no type": ("{}", 400),
    "nested deeply": ("[" * 50_000 + "]" * 50_000, 400),
    "nested a little too deeply": ('{"a":' * 100 + "1" + "}" * 100, 400),
    "without what it needs": ('{"type": "say"}', 400),
    "of a wrong kind": ('{"type": "control", "control": "dance"}', 400),
    "what only Vapi does": ('{"type": "send-transport-message"}', 501),
    "larger than a message needs to be": (json.dumps({"type": "say", "content": "a" * 300_000}), 413),
}


def is_vapis_error(answer: dict[str, Any], status: int) -> bool:
    """Return whether an answer has the form of every refusal."""
    return (
        answer.keys() == {"message", "error", "statusCode"}
        and answer["statusCode"] == status
        and bool(answer["message"])
        and isinstance(answer["message"], list if status == 400 else str)
        and isinstance(answer["error"], str)
    )


def refusals(caller: Caller) -> list[dict[str, Any]]:
    return [m for _, m in caller.messages if "statusCode" in m]


async def test_a_bad_message_is_answered_and_the_call_goes_on(tmp_path: Path, log: Log) -> None:
    async with (
        staged(tmp_path) as stage,
        beside_another(stage),
        calling(stage.url, stage.assistant(firstMessageMode="assistant-waits-for-user")) as caller,
    ):
        for count, (text, status) in enumerate(BAD_TEXTS.values(), 1):
            await caller.socket.send(text)
            await caller.until(lambda n=count: len(refusals(caller)) == n)
            assert is_vapis_error(refusals(caller)[-1], status), (text[:80], refusals(caller)[-1])
        assert len(log.lines("a client's message was refused", call_id=caller.id)) == len(BAD_TEXTS)
        await caller.send({"type": "say", "content": "Still here."})
        await caller.until(lambda: caller.of("voice-input", input="Still here."))


async def closed_with(caller: Caller, code: int, log: Log) -> None:
    """Assert that the socket was closed with this code, that it was logged once, and that the stored call has ended."""
    assert await caller.until_closed(5) == code
    assert await ended(caller.url, caller.id) == "customer-ended-call"
    assert len(log.lines("closed a call's socket", call_id=caller.id, code=code)) == 1


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (bytes(641), 1007),
        (bytes(10_000_000), 1009),
        ("not UTF-8: \xc3\x28", 1007),
    ],
    ids=["half a sample", "ten megabytes", "no text"],
)
async def test_a_frame_that_cannot_be_read_closes_its_call_alone(
    tmp_path: Path, log: Log, frame: bytes | str, code: int
) -> None:
    async with staged(tmp_path) as stage, beside_another(stage), calling(stage.url, stage.speaker()) as caller:
        await caller.until(lambda: caller.audio)
        if isinstance(frame, str):
            caller.socket.transport.write(raw_frame(1, frame.encode("latin-1")))
        else:
            with anyio.move_on_after(5):
                await send_whatever_happens(caller, frame)
        await closed_with(caller, code, log)


async def send_whatever_happens(caller: Caller, frame: bytes) -> None:
    """Send a frame; the server may close meanwhile."""
    try:
        await caller.socket.send(frame)
    except websockets.ConnectionClosed:
        return


async def test_audio_before_anything_else_empty_frames_and_silence_are_fine(tmp_path: Path, log: Log) -> None:
    async with staged(tmp_path) as stage:
        call = await create_call(stage.url, stage.speaker())
        async with joining(stage.url, call, pump=False) as caller:
            for frame in (bytes(640), b"", bytes(2), bytes(640 * 25), b""):
                await caller.socket.send(frame)
            await caller.until(lambda: caller.audio)
            assert caller.kinds()[:2] == ["status-update", "assistant.started"]
            assert await holds_for(0.3, lambda: caller.closed is None)
        assert await ended(stage.url, caller.id) == "customer-ended-call"
        assert not [line for line in log.lines() if line["level"] in ("warning", "error")]


async def test_audio_that_comes_faster_than_time_goes_by_closes_its_call(tmp_path: Path, log: Log) -> None:
    second = np.random.default_rng(1).integers(-3000, 3000, 16_000).astype("<i2").tobytes()
    async with staged(tmp_path) as stage, beside_another(stage):
        call = await create_call(stage.url, stage.speaker())
        async with joining(stage.url, call, pump=False) as caller:
            # A recording that is sent at once is taken in…
            for _ in range(20):
                await caller.socket.send(second)
            assert await holds_for(0.3, lambda: caller.closed is None)
            # …a flood is not.
            for _ in range(100):
                await send_whatever_happens(caller, second)
            await closed_with(caller, 1008, log)


def raw_frame(opcode: int, data: bytes) -> bytes:
    """Return a frame that is masked with zeros, which no client library sends."""
    return bytes([0x80 | opcode, 0x80 | len(data)]) + bytes(4) + data


async def test_a_storm_of_tiny_frames_closes_its_call(tmp_path: Path, log: Log) -> None:
    # To read twenty thousand frames takes its time on the one core that all share, but not a second on end.
    async with staged(tmp_path) as stage, beside_another(stage, gap_ms=250):
        call = await create_call(stage.url, stage.speaker())
        async with joining(stage.url, call, pump=False) as caller:
            await caller.until(lambda: caller.audio)
            caller.socket.transport.write(raw_frame(2, bytes(2)) * 20_000)
            await closed_with(caller, 1008, log)


async def test_a_storm_of_bad_messages_is_answered(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage, beside_another(stage), calling(stage.url, stage.speaker()) as caller:
        await caller.until(lambda: caller.audio)
        caller.socket.transport.write(raw_frame(1, b"?") * 1_000)
        await caller.until(lambda: len(refusals(caller)) == 1_000)
        await caller.send({"type": "end-call"})
        assert await caller.until_closed(5) == 1000


async def refused(stage_url: str, call_id: str, key: str | None = None) -> tuple[int, str]:
    """Open a call's socket, and return the code and reason with which it was closed."""
    address = f"ws{stage_url.removeprefix('http')}/{call_id}/transport"
    async with websockets.connect(address, additional_headers=bearing(key)) as socket:
        with anyio.fail_after(5):
            await socket.wait_closed()
    return socket.close_code or 0, socket.close_reason or ""


async def test_a_call_has_one_socket(tmp_path: Path, log: Log) -> None:
    async with staged(tmp_path) as stage, calling(stage.url, stage.speaker()) as caller:
        await caller.until(lambda: len(caller.audio) > 20)
        code, reason = await refused(stage.url, caller.id)
        assert (code, reason) == (1008, "this call has a socket already")
        assert len(log.lines("closed a call's socket", call_id=caller.id, code=1008)) == 1
        heard = len(caller.audio)
        await caller.until(lambda: len(caller.audio) > heard + 20)
        goes_on_smoothly(caller)


async def test_a_socket_needs_a_call_that_waits_for_it(tmp_path: Path, log: Log) -> None:
    async with staged(tmp_path) as stage:
        unknown = "00000000-0000-4000-8000-000000000000"
        async with calling(stage.url, stage.assistant()) as caller:
            await caller.until(lambda: caller.of("status-update"))
        assert await ended(stage.url, caller.id) == "customer-ended-call"
        for call_id, why in ((unknown, "there is no such call"), (caller.id, "this call is over")):
            assert await refused(stage.url, call_id) == (1008, why)
            assert len(log.lines("closed a call's socket", call_id=call_id, code=1008)) == 1
        gone = (await create_call(stage.url, stage.assistant()))["id"]
        async with httpx.AsyncClient() as client:
            assert (await client.delete(f"{stage.url}/call/{gone}")).status_code == 200
        assert (await refused(stage.url, gone))[0] == 1008


async def test_a_socket_needs_no_key_and_takes_no_wrong_one(tmp_path: Path, log: Log) -> None:
    async with staged(tmp_path, api_key=KEY, public_key=PUBLIC) as stage, beside_another(stage, key=KEY):
        for key in (KEY, PUBLIC, None):
            call = await create_call(stage.url, stage.assistant(), key=KEY)
            assert (await refused(stage.url, call["id"], "wrong"))[0] == 1008
            assert len(log.lines("closed a call's socket", call_id=call["id"], code=1008)) == 1
            async with joining(stage.url, call, key=key) as caller:
                await caller.until(lambda c=caller: c.of("status-update", status="in-progress"))
        assert "wrong" not in log.text.replace("the bearer key is not valid", "")


async def test_an_assistant_out_of_range_is_refused(tmp_path: Path, log: Log) -> None:
    async with staged(tmp_path) as stage, httpx.AsyncClient(base_url=stage.url) as client:
        wrong = stage.assistant(stopSpeakingPlan={"numWords": 99})
        body = {"assistant": wrong, "transport": {"provider": "vapi.websocket"}}
        made = await client.post("/assistant", json=wrong)
        asked = await client.post("/call", json=body)
    assert made.status_code == asked.status_code == 400
    assert made.json() == {
        "message": ["stopSpeakingPlan.numWords must not be greater than 10"],
        "error": "Bad Request",
        "statusCode": 400,
    }
    assert asked.json()["message"] == ["assistant.stopSpeakingPlan.numWords must not be greater than 10"]
    assert len(log.lines("refused", status=400)) == 2


async def test_the_control_url_refuses_in_vapis_shape(tmp_path: Path, log: Log) -> None:
    async with (
        staged(tmp_path, api_key=KEY) as stage,
        calling(stage.url, stage.speaker(), key=KEY) as caller,
        httpx.AsyncClient() as client,
    ):
        await caller.until(lambda: caller.audio)
        control = caller.call["monitor"]["controlUrl"]
        known = {"content-type": "application/json"}
        for url, content, headers, status in (
            (control, b"{not json", known, 400),
            (control, b'{"type": "sing"}', known, 400),
            (control, b"[" * 50_000, known, 400),
            (control, b"type=end-call", {"content-type": "application/x-www-form-urlencoded"}, 415),
            (control, b" " * 2_000_000, known, 413),
            (control, b'{"type": "end-call"}', known | bearing("wrong"), 401),
            (control.replace(caller.id, "nobody"), b'{"type": "end-call"}', known, 404),
        ):
            said = len(log.lines("refused"))
            answer = await client.post(url, content=content, headers=headers)
            assert answer.status_code == status
            assert is_vapis_error(answer.json(), status)
            assert len(log.lines("refused")) == said + 1
        heard = len(caller.audio)
        await caller.until(lambda: len(caller.audio) > heard + 10)
        assert caller.closed is None


async def test_a_client_that_vanishes_ends_its_call(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage, beside_another(stage):
        call = await create_call(stage.url, stage.speaker())
        address = call["transport"]["websocketCallUrl"]
        async with websockets.connect(address) as connection:
            await connection.recv()
            # A reset in place of a goodbye
            raw = connection.transport.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.transport.abort()
        assert await ended(stage.url, call["id"]) == "customer-ended-call"
        await stage.server.keeps(1)


class Deaf:
    """A client that opens a call's socket with the smallest receive buffer, and never reads from it."""

    def __init__(self, call: dict[str, Any], address: str | None = None) -> None:
        url = httpx.URL(address or call["transport"]["websocketCallUrl"])
        self._raw = socket.socket()
        self._raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        self._raw.connect((url.host, url.port))
        self._raw.sendall(
            f"GET {url.path} HTTP/1.1\r\nHost: {url.host}:{url.port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )

    def send_text(self, text: str) -> None:
        """Send one frame, masked with zeros."""
        data = text.encode()
        self._raw.sendall(struct.pack("!BBQ", 0x81, 0x80 | 127, len(data)) + bytes(4) + data)

    def close(self) -> None:
        self._raw.close()


async def test_a_client_that_never_reads_is_given_up(tmp_path: Path, log: Log) -> None:
    # In a second in place of twenty, so that the test is short
    quick = {"ws_ping_interval": 1, "ws_ping_timeout": 1}
    async with staged(tmp_path, config=quick) as stage, beside_another(stage):
        call = await create_call(stage.url, stage.speaker())
        deaf = await anyio.to_thread.run_sync(Deaf, call)
        try:
            await stored(stage.url, call["id"], until=lambda c: c["status"] == "in-progress")
            record = await stored(stage.url, call["id"], until=lambda c: c["status"] == "ended")
            assert record["endedReason"] == "customer-ended-call"
            await stage.server.keeps(1)
        finally:
            deaf.close()
    assert len(log.lines("call ended", call_id=call["id"])) == 1


async def test_a_client_that_never_reads_what_it_asks_for_is_given_up(tmp_path: Path, log: Log) -> None:
    """Each message sends it the whole history, which soon fills all buffers."""
    async with staged(tmp_path) as stage, beside_another(stage, gap_ms=250):
        stage.server.give_up_after_s(2)
        call = await create_call(stage.url, stage.assistant())
        deaf = await anyio.to_thread.run_sync(Deaf, call)
        try:
            long = {"role": "user", "content": "word " * 8_000}
            for _ in range(20):
                message = {"type": "add-message", "message": long, "triggerResponseEnabled": False}
                await anyio.to_thread.run_sync(deaf.send_text, json.dumps(message))
                await anyio.sleep(0.05)
            assert await ended(stage.url, call["id"]) == "customer-ended-call"
            await stage.server.keeps(1)
        finally:
            deaf.close()
    assert len(log.lines("the caller's socket has stalled or closed")) >= 1


async def test_a_server_that_is_stopped_says_goodbye(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        calls = [stage.speaker(), stage.assistant(), stage.speaker()]
        async with calling(stage.url, calls[0]) as a, calling(stage.url, calls[1]) as b:
            waiting = await create_call(stage.url, calls[2])
            await a.until(lambda: a.audio)
            await b.until(lambda: b.of("status-update"))
            await stage.server.stop()
            for caller in (a, b):
                assert await caller.until_closed(5) == 1000
                last = caller.messages[-1][1]
                assert (last["type"], last["status"]) == ("status-update", "ended")
                assert last["endedReason"] == last["call"]["endedReason"] == "worker-shutdown"
        async with running(tmp_path) as again:
            for caller in (a, b):
                assert await ended(again.url, caller.id) == "worker-shutdown"
            # The one that nobody had joined still waits.
            async with joining(again.url, waiting) as caller:
                await caller.until(lambda: caller.audio)
