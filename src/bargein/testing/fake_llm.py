"""A fake model: a server of OpenAI's streaming chat completions that answers as a script says."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import anyio

from bargein.testing.http_peer import Exchange, HttpPeer

_STORY = tuple(f"{word} " for word in ("This is a sentence of ten words that never ends. " * 4).split())


@dataclass(frozen=True, slots=True, kw_only=True)
class LlmScript:
    """The behaviour of a fake model.

    Attributes:
        tokens: pieces of the answer's text, in order.
        first_token_ms: delay of the first token.
        interval_ms: delay between tokens; 0 sends all of them in one packet.
        ending: `done` (finish_reason and [DONE]), `finish` (finish_reason alone), `bare-done` ([DONE] alone), `cut` (a
            complete body without either), `die` (the connection breaks), `hang` (the stream stays open without data).
        status: HTTP status; with any but 200 the body is an error in OpenAI's shape with `error_code`.
        tail: raw bytes to send after the tokens, before the ending.
        repeat: send the tokens again and again, without end.
        deaf: continue the answer after the client has disconnected.
        redirect_to: answer 307 with this location.
        calls: tool calls after the tokens, each a name and JSON arguments, streamed in pieces as OpenAI does.
    """

    tokens: Sequence[str] = _STORY
    first_token_ms: float = 0
    interval_ms: float = 0
    ending: Literal["done", "finish", "bare-done", "cut", "die", "hang"] = "done"
    status: int = 200
    error_code: str | None = None
    tail: bytes = b""
    repeat: bool = False
    deaf: bool = False
    redirect_to: str | None = None
    calls: Sequence[tuple[str, str]] = ()


class FakeLlm(HttpPeer):
    """A server of streaming chat completions, as `CustomLLMModel` uses them.

    Args:
        script: the behaviour, or a function that returns it for a request's body; may be replaced at any time.
        record: whether to keep the requests in `exchanges`.
    """

    def __init__(
        self, script: LlmScript | Callable[[dict[str, object]], LlmScript] | None = None, *, record: bool = True
    ) -> None:
        super().__init__(self._reply, record=record)
        self.script = script or LlmScript()
        self._called = 0

    @property
    def url(self) -> str:
        """The base URL, for `CustomLLMModel.url`."""
        return f"{self.origin}/v1"

    async def _reply(self, exchange: Exchange) -> None:
        script = self.script if isinstance(self.script, LlmScript) else self.script(exchange.body)
        exchange.deaf = script.deaf
        if script.calls:
            script = replace(script, tail=script.tail + self._call_events(script.calls))
        if script.redirect_to is not None:
            await exchange.respond(307, location=script.redirect_to)
        elif script.status != 200:
            error = {"error": {"message": "as the script says", "code": script.error_code}}
            await exchange.respond(script.status, json.dumps(error).encode(), content_type="application/json")
        elif script.interval_ms == 0 and not script.first_token_ms and not script.repeat and script.ending == "done":
            whole = b"".join(_delta(token) for token in script.tokens) + script.tail + _FINISH + _DONE
            await exchange.start("text/event-stream", whole)
            await exchange.end()
        else:
            await _reply_slowly(exchange, script)

    def _call_events(self, calls: Sequence[tuple[str, str]]) -> bytes:
        events = b""
        for index, (name, arguments) in enumerate(calls):
            self._called += 1
            head = {"index": index, "id": f"call_{self._called}", "type": "function"}
            events += _calls_delta({**head, "function": {"name": name, "arguments": ""}})
            half = len(arguments) // 2
            for piece in (arguments[:half], arguments[half:]):
                events += _calls_delta({"index": index, "function": {"arguments": piece}})
        return events + _finish("tool_calls")


async def _reply_slowly(exchange: Exchange, script: LlmScript) -> None:
    await exchange.start("text/event-stream")
    await anyio.sleep(script.first_token_ms / 1000)
    while True:
        for token in script.tokens:
            await exchange.send(_delta(token))
            await anyio.sleep(script.interval_ms / 1000)
        if not script.repeat:
            break
    await exchange.send(script.tail)
    match script.ending:
        case "hang":
            await anyio.sleep_forever()
        case "die":
            await exchange.die()
        case "done" | "finish" | "bare-done" | "cut":
            await exchange.send(
                {"done": _FINISH + _DONE, "finish": _FINISH, "bare-done": _DONE, "cut": b""}[script.ending]
            )
            await exchange.end()


def _calls_delta(call: dict[str, object]) -> bytes:
    return _event({"choices": [{"index": 0, "delta": {"tool_calls": [call]}, "finish_reason": None}]})


def _delta(text: str) -> bytes:
    return _event({"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None}]})


def _event(value: object) -> bytes:
    return b"data: " + json.dumps(value).encode() + b"\n\n"


def _finish(reason: str) -> bytes:
    nothing: dict[str, object] = {}
    return _event({"choices": [{"index": 0, "delta": nothing, "finish_reason": reason}]})


_FINISH = _finish("stop")
_DONE = b"data: [DONE]\n\n"
