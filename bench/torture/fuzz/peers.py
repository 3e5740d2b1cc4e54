"""Providers and an owner's server whose answers are set by the path of the request: each input has its own."""

import json
from contextlib import AsyncExitStack
from typing import Self

import anyio
import anyio.lowlevel
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from bargein.testing import WORD_MS, speech
from bargein.testing.http_peer import Exchange, HttpPeer

_PROPER_TOKENS = ("This ", "is ", "a ", "proper ", "answer. ")


def sse(values: list[object]) -> bytes:
    """Return values as server-sent events."""
    return b"".join(b"data: " + json.dumps(value).encode() + b"\n\n" for value in values)


def completion(tokens: tuple[str, ...] = _PROPER_TOKENS) -> list[object]:
    """Return a streamed chat completion as a list of chunks."""
    head = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "scripted"}
    chunks: list[object] = [
        {**head, "choices": [{"index": 0, "delta": {"role": "assistant", "content": token}, "finish_reason": None}]}
        for token in tokens
    ]
    return [*chunks, {**head, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}]


class FuzzPeers:
    """HTTP and WebSocket servers for all inputs at once.

    Attributes:
        answers: the HTTP answer of an input (status, content type, body) by `kind/index`; a proper one if missing.
        frames: the frames that a transcriber sends, by `index`.
    """

    def __init__(self) -> None:
        self.answers: dict[str, tuple[int, str, bytes]] = {}
        self.frames: dict[str, list[str | bytes]] = {}
        self._http = HttpPeer(self._answer, record=False)
        self._sockets: Server | None = None
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        await self._stack.enter_async_context(self._http)
        self._sockets = await self._stack.enter_async_context(
            serve(self._transcribe, "127.0.0.1", 0, compression=None, ping_interval=None, close_timeout=0.2)
        )
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self._stack.aclose()

    def url(self, kind: str, index: int) -> str:
        """Return the URL of the `llm`, `voice` or `owner` of an input."""
        return f"{self._http.origin}/{kind}/{index}"

    def transcriber_url(self, index: int) -> str:
        """Return the URL of the transcriber of an input."""
        if self._sockets is None:
            raise RuntimeError("the transcriber is not running")
        return f"ws://127.0.0.1:{next(iter(self._sockets.sockets)).getsockname()[1]}/{index}"

    def assistant(self, index: int, **more: object) -> dict[str, object]:
        """Return an assistant with the peers of an input."""
        return {
            "firstMessage": "Hello there.",
            "model": {"provider": "custom-llm", "url": self.url("llm", index), "model": "scripted"},
            "voice": {
                "provider": "custom-voice",
                "server": {"url": self.url("voice", index), "timeoutSeconds": 5},
                "cachingEnabled": False,
            },
            "transcriber": {"provider": "custom-transcriber", "server": {"url": self.transcriber_url(index)}},
            "silenceTimeoutSeconds": 10,
            "maxDurationSeconds": 60,
            **more,
        }

    def forget(self, index: int) -> None:
        """Drop the answers of an input."""
        for kind in ("llm", "voice", "owner"):
            self.answers.pop(f"{kind}/{index}", None)
        self.frames.pop(str(index), None)

    async def _answer(self, exchange: Exchange) -> None:
        _, kind, index, *_ = f"{exchange.path}//".split("/")
        answer = self.answers.get(f"{kind}/{index}")
        if answer is not None:
            status, content_type, body = answer
            await exchange.respond(status, body, content_type=content_type)
        elif kind == "llm":
            await exchange.respond(200, sse(completion()) + b"data: [DONE]\n\n", content_type="text/event-stream")
        elif kind == "voice":
            message = exchange.body["message"]
            duration_ms = len(str(message["text"]).split()) * WORD_MS
            audio = speech(min(duration_ms, 3000), int(str(message["sampleRate"])))
            await exchange.respond(200, audio, content_type="application/octet-stream")
        else:
            await exchange.respond(200, b"{}", content_type="application/json")

    async def _transcribe(self, socket: ServerConnection) -> None:
        path = "" if socket.request is None else socket.request.path.strip("/")
        try:
            await socket.recv()
            for frame in self.frames.get(path, []):
                await socket.send(frame)
                await anyio.lowlevel.checkpoint()
            async for _ in socket:
                pass
        except ConnectionClosed:
            return
