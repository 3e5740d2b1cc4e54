"""Peers of calls that fail in one way at one moment; each call has its own, by the path of its URLs."""

import json
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from random import Random
from typing import Self

import anyio
from anyio.abc import SocketAttribute
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from bargein.testing import WORD_MS, speech
from bargein.testing.http_peer import Exchange, HttpPeer

FAULTS = ("hung", "slow", "garbled", "endless", "too fast", "broken off")
MOMENTS = ("before connect", "before first byte", "middle", "end", "interruption")
"""The moment at which a fault begins; the last: once the caller has interrupted, in what is under way and after."""

_WORDS = ["This", "is", "an", "answer", "of", "some", "length", "that", "goes", "on", "for", "a", "while."]
_SLOW_S = 2.0
_HUGE = 2_000_000


@dataclass(slots=True)
class _Plan:
    """The faulty peer of a call."""

    peer: str
    fault: str
    moment: str
    interrupted: anyio.Event = field(default_factory=anyio.Event)
    tool_called: bool = False

    def faulty_at(self, moment: str) -> bool:
        """Return whether the fault begins at this moment of an answer."""
        if self.moment == "interruption":
            return self.interrupted.is_set() and moment == "middle"
        return self.moment == moment


class FaultyPeers:
    """Models, voices, transcribers, tool servers and owners' servers on loopback."""

    def __init__(self) -> None:
        self._plans: dict[str, _Plan] = {}
        self._http = HttpPeer(self._answer, record=False)
        self._sockets: Server | None = None
        self._stack = AsyncExitStack()
        self._silent_port = 0
        self._closed_port = 0

    async def __aenter__(self) -> Self:
        await self._stack.enter_async_context(self._http)
        self._sockets = await self._stack.enter_async_context(
            serve(self._transcribe, "127.0.0.1", 0, compression=None, ping_interval=None, close_timeout=0.2)
        )
        # The kernel completes the handshake of connections that nobody accepts.
        silent = await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=0)
        self._silent_port = silent.extra(SocketAttribute.local_port)  # noqa: S610  # anyio's, not Django's
        self._stack.push_async_callback(silent.aclose)
        closed = await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=0)
        self._closed_port = closed.extra(SocketAttribute.local_port)  # noqa: S610  # see above
        await closed.aclose()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self._stack.aclose()

    def add(self, key: str, peer: str, fault: str, moment: str) -> None:
        """Add the faulty peer of a call."""
        self._plans[key] = _Plan(peer, fault, moment)

    def interrupt(self, key: str) -> None:
        """Note that the caller has interrupted."""
        self._plans[key].interrupted.set()

    def assistant(self, key: str, limit_s: float) -> dict[str, object]:
        """Return the assistant of a call; `limit_s` is its silence timeout and the time limit of each peer."""
        plan = self._plans[key]
        tools = [
            {
                "type": "function",
                "function": {"name": "look", "parameters": {"type": "object", "properties": {}}},
                "server": {"url": self._url(plan, "tool server", key), "timeoutSeconds": limit_s},
            }
        ]
        model: dict[str, object] = {
            "provider": "custom-llm",
            "url": self._url(plan, "model", key),
            "model": "scripted",
            "timeoutSeconds": max(limit_s, 20),
        }
        if plan.peer == "tool server":
            model["tools"] = tools
        return {
            "firstMessageMode": "assistant-waits-for-user",
            "model": model,
            "voice": {
                "provider": "custom-voice",
                "cachingEnabled": False,
                "server": {"url": self._url(plan, "voice", key), "timeoutSeconds": limit_s},
            },
            "transcriber": {
                "provider": "custom-transcriber",
                "server": {"url": self._socket_url(plan, key), "timeoutSeconds": limit_s},
            },
            "server": {"url": self._url(plan, "owner's server", key), "timeoutSeconds": limit_s},
            "silenceTimeoutSeconds": limit_s,
            "stopSpeakingPlan": {"numWords": 0, "voiceSeconds": 0.2},
        }

    def _port(self, plan: _Plan, peer: str, port: int) -> int:
        if plan.peer != peer or plan.moment != "before connect":
            return port
        return self._silent_port if plan.fault == "hung" else self._closed_port

    def _url(self, plan: _Plan, peer: str, key: str) -> str:
        name = peer.split("'", maxsplit=1)[0].split(" ", maxsplit=1)[0]
        return f"http://127.0.0.1:{self._port(plan, peer, self._http.port)}/{name}/{key.replace(chr(39), '')}"

    def _socket_url(self, plan: _Plan, key: str) -> str:
        if self._sockets is None:
            raise RuntimeError("the transcriber is not running")
        port = int(next(iter(self._sockets.sockets)).getsockname()[1])
        return f"ws://127.0.0.1:{self._port(plan, 'transcriber', port)}/{key.replace(chr(39), '')}"

    def _plan(self, key: str) -> _Plan:
        return next(plan for name, plan in self._plans.items() if name.replace("'", "") == key)

    async def _answer(self, exchange: Exchange) -> None:
        _, kind, key, *_ = f"{exchange.path}//".split("/")
        plan = self._plan(key)
        pieces, content_type = _proper(kind, exchange, plan)
        if plan.peer.startswith(kind):
            await _answer_with_fault(exchange, plan, pieces, content_type)
        else:
            await _answer_properly(exchange, pieces, content_type)

    async def _transcribe(self, socket: ServerConnection) -> None:
        plan = self._plan("" if socket.request is None else socket.request.path.strip("/"))
        faulty = plan.peer == "transcriber"
        try:
            await socket.recv()
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(_drain, socket, tasks.cancel_scope)  # ends the rest with the connection
                if faulty and plan.faulty_at("before first byte"):
                    await _socket_fault(socket, plan.fault)
                if faulty and plan.moment in ("middle", "end"):
                    await anyio.sleep(0.5)
                    await socket.send(_transcript("Hello", "partial" if plan.moment == "middle" else "final"))
                    await _socket_fault(socket, plan.fault)
                await plan.interrupted.wait()
                await socket.send(_transcript("Wait, stop.", "final"))
                if faulty:
                    await _socket_fault(socket, plan.fault)
                await anyio.sleep_forever()
        except* ConnectionClosed:
            pass


async def _drain(socket: ServerConnection, scope: anyio.CancelScope) -> None:
    async for _ in socket:
        pass
    scope.cancel()


def _transcript(text: str, kind: str) -> str:
    return json.dumps(
        {"type": "transcriber-response", "transcription": text, "channel": "customer", "transcriptType": kind}
    )


async def _socket_fault(socket: ServerConnection, fault: str) -> None:
    """Fail in this way until the socket is closed."""
    random = Random(1)
    match fault:
        case "broken off":
            socket.transport.abort()
        case "garbled":
            while True:
                await socket.send(random.randbytes(30))
                await socket.send(random.randbytes(30).decode("latin-1"))
                await anyio.sleep(0.05)
        case "endless":
            while True:
                await socket.send(_transcript("and so on", "partial"))
                await anyio.sleep(0.05)
        case "too fast":
            for _ in range(20_000):
                await socket.send(_transcript("and so on", "partial"))
        case "slow":
            while True:
                await anyio.sleep(_SLOW_S)
                await socket.ping()
        case _:
            pass
    await anyio.sleep_forever()


def _proper(kind: str, exchange: Exchange, plan: _Plan) -> tuple[list[bytes], str]:
    """Return the pieces of a proper answer, and its content type."""
    match kind:
        case "model":
            return _completion(plan), "text/event-stream"
        case "voice":
            message = exchange.body["message"]
            audio = speech(len(str(message["text"]).split()) * WORD_MS, int(str(message["sampleRate"])))
            size = len(audio) // 8 // 2 * 2 or 2
            return [audio[at : at + size] for at in range(0, len(audio), size)], "application/octet-stream"
        case "tool":
            calls = exchange.body["message"].get("toolCallList") or [{"id": "call_1"}]
            results = [{"toolCallId": call.get("id"), "result": "42"} for call in calls]
            data = json.dumps({"results": results}).encode()
            return [data[:10], data[10:]], "application/json"
        case _:
            return [b"{", b"}"], "application/json"


def _completion(plan: _Plan) -> list[bytes]:
    def event(delta: dict[str, object], finish: str | None = None) -> bytes:
        return (
            b"data: "
            + json.dumps({"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}).encode()
            + b"\n\n"
        )

    if plan.peer == "tool server" and not plan.tool_called:
        plan.tool_called = True
        call = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
        return [event({"tool_calls": [call]}), event({}, "tool_calls"), b"data: [DONE]\n\n"]
    return [*(event({"content": f"{word} "}) for word in _WORDS), event({}, "stop"), b"data: [DONE]\n\n"]


async def _answer_properly(exchange: Exchange, pieces: list[bytes], content_type: str) -> None:
    await exchange.start(content_type)
    for piece in pieces:
        await exchange.send(piece)
    await exchange.end()


async def _answer_with_fault(exchange: Exchange, plan: _Plan, pieces: list[bytes], content_type: str) -> None:
    if plan.faulty_at("before first byte"):
        await _fail_before_the_body(exchange, plan.fault, pieces, content_type)
    await exchange.start(content_type)
    for number, piece in enumerate(pieces):
        if number == len(pieces) // 2:
            if plan.moment == "interruption":
                with anyio.move_on_after(3):  # the rest of an answer that the caller interrupts
                    await plan.interrupted.wait()
            if plan.faulty_at("middle"):
                await _FAULTS[plan.fault](exchange, pieces)
        await exchange.send(piece)
    if plan.faulty_at("end"):
        await _FAULTS[plan.fault](exchange, pieces)
    await exchange.end()


async def _fail_before_the_body(exchange: Exchange, fault: str, pieces: list[bytes], content_type: str) -> None:
    if fault == "slow":
        for byte in b"HTTP/1.1 200 OK\r\n" * 20:
            await exchange.stream.send(bytes([byte]))
            await anyio.sleep(_SLOW_S)
    elif fault == "garbled":
        await exchange.stream.send(Random(1).randbytes(500))
        await anyio.sleep_forever()
    elif fault in ("endless", "too fast"):
        await exchange.start(content_type)
    await _FAULTS[fault](exchange, pieces)


async def _break_off(exchange: Exchange, _: list[bytes]) -> None:
    await exchange.stream.aclose()
    await anyio.sleep_forever()


async def _garble(exchange: Exchange, _: list[bytes]) -> None:
    random = Random(1)
    for _number in range(50):
        await exchange.send(random.randbytes(400))
    await exchange.end()
    await anyio.sleep_forever()


async def _never_end(exchange: Exchange, pieces: list[bytes]) -> None:
    while True:
        for piece in pieces[:-2] or pieces:
            await exchange.send(piece)
            await anyio.sleep(0.1)


async def _hurry(exchange: Exchange, pieces: list[bytes]) -> None:
    whole = b"".join(pieces[:-2] or pieces)
    for _ in range(max(1, _HUGE // max(1, len(whole)))):
        await exchange.send(whole)
    await exchange.end()
    await anyio.sleep_forever()


async def _dawdle(exchange: Exchange, pieces: list[bytes]) -> None:
    while True:
        for byte in b"".join(pieces):
            await exchange.send(bytes([byte]))
            await anyio.sleep(_SLOW_S)


async def _hang(_exchange: Exchange, _: list[bytes]) -> None:
    await anyio.sleep_forever()


_FAULTS = {
    "hung": _hang,
    "slow": _dawdle,
    "garbled": _garble,
    "endless": _never_end,
    "too fast": _hurry,
    "broken off": _break_off,
}
"""The faults of an HTTP body. None returns while the connection lives."""
