"""The part that the fakes of models share: a script, whatever protocol it is told in, and what was made of it."""

import hashlib
from abc import abstractmethod
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Literal

import anyio

from bargein.clock import LoopClock
from bargein.testing.http_peer import Exchange, HttpPeer

KEY = "key-of-the-fake-0123456789"
"""The key that the fakes accept."""

Ending = Literal["done", "length", "blocked", "cut", "die", "hang", "broken", "error"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelScript:
    """The behaviour of a fake model.

    Attributes:
        tokens: pieces of the answer's text, in order.
        thoughts: pieces of its thinking, before the text.
        calls: tool calls after the text, each a name and JSON arguments.
        first_token_ms: delay of the first piece.
        interval_ms: delay after each piece.
        ending: `done`, `length` (the limit of tokens was used up), `blocked` (a filter stopped it), `cut` (a complete
            body without an end of the answer), `die` (the connection breaks), `hang` (the stream stays open without
            data), `broken` (an event is not JSON), `error` (an event reports the error of `status`).
        status: HTTP status; with any but 200 the answer is an error in the vendor's shape, unless `ending` is `error`.
        message: the text of the error.
        retry_after_s: the header of an error.
        repeat: send the tokens again and again, without end.
    """

    tokens: Sequence[str] = ("Hello ", "there.")
    thoughts: Sequence[str] = ()
    calls: Sequence[tuple[str, str]] = ()
    first_token_ms: float = 0
    interval_ms: float = 1
    ending: Ending = "done"
    status: int = 200
    message: str = "as the script says"
    retry_after_s: int | None = None
    repeat: bool = False


class ScriptedLlm(HttpPeer):
    """A server of a model's protocol. A subclass says how requests are addressed and answers are written.

    Args:
        script: the behaviour; may be replaced at any time.

    Attributes:
        produced_tokens: the pieces of text that it made.
        last_token_ms: when it made the last one, on the loop's clock; None: it made none.
    """

    content_type = "text/event-stream"

    def __init__(self, script: ModelScript | None = None) -> None:
        super().__init__(self._reply)
        self.script = script or ModelScript()
        self.produced_tokens = 0
        self.last_token_ms: float | None = None
        self._clock = LoopClock()

    @property
    @abstractmethod
    def url(self) -> str:
        """The base URL, for the vendor's `…_BASE_URL`."""

    @abstractmethod
    def refusal_of(self, exchange: Exchange) -> int:
        """Return the status for a request with a wrong key or path; 0: it is right."""

    @abstractmethod
    def error_body(self, status: int, message: str) -> bytes:
        """Return the body of an error."""

    @abstractmethod
    def begin(self) -> bytes:
        """Return what is sent before the first piece."""

    @abstractmethod
    def text(self, token: str) -> bytes:
        """Return a piece of text."""

    @abstractmethod
    def thought(self, text: str) -> bytes:
        """Return a piece of thinking."""

    @abstractmethod
    def call(self, number: int, name: str, arguments: str) -> Sequence[bytes]:
        """Return the pieces of a tool call."""

    @abstractmethod
    def finish(self, reason: Literal["stop", "calls", "length", "blocked"]) -> bytes:
        """Return the end of an answer."""

    @abstractmethod
    def error_event(self, status: int, message: str) -> bytes:
        """Return an event that reports an error."""

    def broken_event(self) -> bytes:
        """Return an event that is not JSON."""
        return b"data: {broken\n\n"

    async def _reply(self, exchange: Exchange) -> None:
        script = self.script
        refused = self.refusal_of(exchange)
        status = refused or (200 if script.ending == "error" else script.status)
        if status != 200:
            wait = {} if script.retry_after_s is None else {"retry_after": str(script.retry_after_s)}
            message = "the key or the path is wrong" if refused else script.message
            await exchange.respond(status, self.error_body(status, message), content_type="application/json", **wait)
            return
        await exchange.start(self.content_type)
        await anyio.sleep(script.first_token_ms / 1000)
        async for piece in self._pieces(script):
            await exchange.send(piece)
        await self._end(exchange, script)

    async def _pieces(self, script: ModelScript) -> AsyncIterator[bytes]:
        yield self.begin()
        for thought in script.thoughts:
            yield self.thought(thought)
            await anyio.sleep(script.interval_ms / 1000)
        while True:
            for token in script.tokens:
                self.produced_tokens += 1
                self.last_token_ms = self._clock.monotonic_ms()
                yield self.text(token)
                await anyio.sleep(script.interval_ms / 1000)
            if not script.repeat:
                break
        for number, (name, arguments) in enumerate(script.calls):
            for piece in self.call(number, name, arguments):
                yield piece

    async def _end(self, exchange: Exchange, script: ModelScript) -> None:
        match script.ending:
            case "hang":
                await anyio.sleep_forever()
            case "die":
                await exchange.die()
                return
            case "broken":
                await exchange.send(self.broken_event())
            case "error":
                await exchange.send(self.error_event(script.status, script.message))
            case "length" | "blocked" as reason:
                await exchange.send(self.finish(reason))
            case "done":
                await exchange.send(self.finish("calls" if script.calls else "stop"))
            case "cut":
                pass
        await exchange.end()


def halves(text: str) -> tuple[str, str]:
    """Return a text in two pieces."""
    middle = len(text) // 2
    return text[:middle], text[middle:]


def signature_of(text: str) -> str:
    """Return a signature as vendors put beside thoughts: base64 that is opaque to everybody else."""
    return hashlib.sha256(text.encode()).hexdigest()
