"""Chat completions by OpenAI's streaming protocol, for every vendor with a compatible API."""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, cast

import anyio
import anyio.lowlevel
import httpx

from bargein.http_client import answer_problem
from bargein.ports import ChatMessage, ProviderError, ToolCall
from bargein.providers.chat_tools import CallCollector, chat_json
from bargein.providers.http import Endpoint, StreamError, as_object, json_object, sse_data
from bargein.wire.base import JsonObject
from bargein.wire.json import TextJoiner

DEFAULT_TIMEOUT_S = 20.0
"""Default of `model.timeoutSeconds`."""
DEFAULT_TEMPERATURE = 0.5
DEFAULT_MAX_TOKENS = 250
"""Default of `model.maxTokens`."""

_LONGEST_ANSWER_S = 600.0
"""The longest time of one answer, however steadily its pieces come."""

_DRAIN_S = 0.2
"""The wait for the end of the body after a finished reply, so that the connection can be used again."""

_MAX_ERROR_BYTES = 16 * 1024

_END: Final = ""
"""Marks the end of an answer, whose pieces are never empty."""

_REASONS = {
    400: "400-bad-request-validation-failed",
    401: "401-unauthorized",
    403: "403-model-access-denied",
    429: "429-exceeded-quota",
    500: "500-server-error",
    503: "503-server-overloaded-error",
}
"""The ends of Vapi's `pipeline-error-<vendor>-…` reasons (`Call.endedReason`) by HTTP status."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatServer:
    """A server of chat completions, and the constant part of its requests.

    Attributes:
        vendor: the vendor's name in `Call.endedReason`, like `custom-llm`.
        endpoint: the full URL of the chat completions, and the headers.
        body: the top-level fields of each request beside `messages` and `stream`.
        timeout_s: the longest wait for the first piece of text, and between two pieces.
        reasons_by_code: ends of the reason for a status with a certain `error.code` in the body.
    """

    vendor: str
    endpoint: Endpoint
    body: Mapping[str, Any]
    timeout_s: float = DEFAULT_TIMEOUT_S
    reasons_by_code: Mapping[tuple[int, str], str] = field(default_factory=dict[tuple[int, str], str])

    def failure(self, problem: str, *, status: int = 0, code: str = "") -> ProviderError:
        """Return the error for a request without an answer; its text quotes nothing that the server sent."""
        reason = self.reasons_by_code.get((status, code)) or _REASONS.get(status, "llm-failed")
        return ProviderError(
            f"the model's server {self.endpoint.name} {problem}", ended_reason=f"pipeline-error-{self.vendor}-{reason}"
        )


def completions_url(base_url: str) -> str:
    """Return the URL of the chat completions of a compatible server, given its base URL or the full one."""
    path, mark, query = base_url.partition("?")
    path = path.rstrip("/")
    if not path.endswith("/chat/completions"):
        path += "/chat/completions"
    return path + mark + query


async def stream_chat(
    client: httpx.AsyncClient, server: ChatServer, messages: Sequence[ChatMessage], tools: Sequence[JsonObject] = ()
) -> AsyncGenerator[str | ToolCall]:
    """Request an answer and yield its text as it arrives, then its tool calls.

    Closing the generator closes the connection at once. A limit of `server.timeout_s` runs until the first text and
    again between two pieces; only text and the pieces of a tool call count, so that a server that sends comments or
    empty deltas does not leave a caller in silence. The whole answer has a limit, too. Nothing is retried.

    Raises:
        ProviderError: the server cannot be reached, answers with an error, falls silent, sends something else than
            a stream of chat completion chunks, or ends it without `finish_reason` or `[DONE]`.
    """
    pieces = _pieces(client, server, messages, tools)
    until_s = anyio.current_time() + _LONGEST_ANSWER_S
    async with aclosing(pieces):
        while True:
            left_s = until_s - anyio.current_time()
            try:
                with anyio.fail_after(min(server.timeout_s, left_s)):
                    piece = await anext(pieces, _END)
            except TimeoutError:
                if left_s < server.timeout_s:
                    raise server.failure(f"has not ended its answer after {_LONGEST_ANSWER_S:g} s") from None
                raise server.failure(f"sent no text for {server.timeout_s:g} s") from None
            except httpx.HTTPError as error:
                problem = answer_problem(error) or f"could not be reached or broke off ({type(error).__name__})"
                raise server.failure(problem) from error
            except StreamError as error:
                raise server.failure(f"sent an unreadable answer: {error}") from error
            if piece == _END:
                return
            if piece is not None:
                yield piece


async def _pieces(
    client: httpx.AsyncClient, server: ChatServer, messages: Sequence[ChatMessage], tools: Sequence[JsonObject]
) -> AsyncGenerator[str | ToolCall | None]:
    """Yield the pieces of an answer; None for a piece of a tool call."""
    request = client.build_request(
        "POST",
        server.endpoint.url,
        headers=server.endpoint.headers,
        json={
            **server.body,
            "messages": [chat_json(message) for message in messages],
            **({"tools": list(tools)} if tools else {}),
            "stream": True,
        },
    )
    response = await client.send(request, stream=True)
    try:
        if response.status_code != 200:
            raise server.failure(
                f"answered {response.status_code}", status=response.status_code, code=await _error_code(response)
            )
        events = sse_data(response.aiter_bytes())
        calls, joiner = CallCollector(), TextJoiner()
        async for event in events:
            await anyio.lowlevel.checkpoint()  # many events may arrive at once: other calls go on between them
            piece, finished, progress = _read_chunk(event, calls)
            text = joiner.push(piece) + (joiner.flush() if finished else "")
            if text:
                yield text
            elif progress:
                yield None
            if finished:
                for call in calls.complete():
                    yield call
                await _drain(events)
                return
        raise server.failure("ended its answer in mid-air")
    finally:
        # httpx closes the socket of a response that was not read to its end, which stops the model's work
        await response.aclose()


async def _drain(events: AsyncIterator[bytes]) -> None:
    with anyio.move_on_after(_DRAIN_S):
        try:
            async for _ in events:
                pass
        except (httpx.HTTPError, StreamError):
            return  # the answer is complete: an error after it only costs the connection


async def _error_code(response: httpx.Response) -> str:
    body = b""
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > _MAX_ERROR_BYTES:
            return ""
    try:
        error = as_object(json_object(body).get("error"))
    except StreamError:
        return ""
    return str(error.get("code") or "")


class _Read(NamedTuple):
    """The content of one event: text, the end of the answer, a piece of a tool call."""

    text: str = ""
    finished: bool = False
    progress: bool = False


def _read_chunk(event: bytes, calls: CallCollector) -> _Read:
    """Read one event, and add its pieces of tool calls to `calls`."""
    if event.strip() == b"[DONE]":
        return _Read(finished=True)
    chunk = json_object(event, pieces=True)
    if chunk.get("error"):
        raise StreamError("an event reports an error")
    choices = chunk.get("choices")
    if not isinstance(choices, list):
        raise StreamError("an event is not a chunk of a chat completion")
    if not choices:
        return _Read()  # the usage, or a content filter's report
    choice = as_object(cast("list[object]", choices)[0])
    delta = as_object(choice.get("delta") or {})
    content = delta.get("content") or ""
    if not isinstance(content, str):
        raise StreamError("an event's content is not text")
    progress = calls.push(delta.get("tool_calls") or ())
    return _Read(content, choice.get("finish_reason") is not None, progress)
