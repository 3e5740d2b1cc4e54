"""Chat completions by OpenAI's streaming protocol, for every vendor with a compatible API."""

import copy
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Self

import anyio
import anyio.lowlevel
import httpx
from typing_extensions import override

from bargein.ports import ChatMessage, Model, ProviderError, ToolCall
from bargein.providers.chat_chunks import ChunkReader, answer_events
from bargein.providers.chat_tools import chat_json
from bargein.providers.conversation import alternated
from bargein.providers.http import StreamError
from bargein.providers.model_server import (
    DEFAULT_MAX_TOKENS,
    DEFAULT_TEMPERATURE,
    DEFAULT_TIMEOUT_S,
    DRAIN_S,
    ModelServer,
    Piece,
    WarmConnection,
    open_answer,
    paced,
    watched,
)
from bargein.providers.strict_schemas import response_format
from bargein.wire.base import JsonObject

__all__ = [
    "DEFAULT_MAX_TOKENS",
    "DEFAULT_TEMPERATURE",
    "DEFAULT_TIMEOUT_S",
    "AnswerFormat",
    "ChatModel",
    "ChatServer",
    "completions_url",
    "held_server",
    "models_url",
    "stream_chat",
]

_COMPLETIONS = "/chat/completions"

AnswerFormat = Literal["json_schema", "json_object"]
"""Ways in which a server holds answers to JSON (`response_format`): by a schema, or to any object."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatServer(ModelServer):
    """A server of chat completions, and the constant part of its requests.

    Attributes:
        body: the top-level fields of each request beside `messages` and `stream`.
        statuses_by_code: the HTTP statuses that the codes in its errors mean, if it answers those with status 200.
        returned_fields: fields with the thoughts of an answer that it wants back with the answer's tool calls.
        alternating: whether it demands that messages of the user and the assistant alternate, a user's first and last.
        takes_tools: whether it accepts `tools`.
        answer_format: how it holds answers to JSON; None: it does not.
    """

    body: Mapping[str, Any]
    statuses_by_code: Mapping[int, int] = field(default_factory=dict[int, int])
    returned_fields: tuple[str, ...] = ()
    alternating: bool = False
    takes_tools: bool = True
    answer_format: AnswerFormat | None = None


def completions_url(base_url: str) -> str:
    """Return the URL of the chat completions of a compatible server, given its base URL or the full one."""
    path, mark, query = base_url.partition("?")
    path = path.rstrip("/")
    if not path.endswith(_COMPLETIONS):
        path += _COMPLETIONS
    return path + mark + query


def models_url(base_url: str) -> str:
    """Return the URL of the list of models of a compatible server, given its base URL or that of the completions."""
    path, mark, query = completions_url(base_url).partition("?")
    return path.removesuffix(_COMPLETIONS) + "/models" + mark + query


class ChatModel(Model):
    """A model behind chat completions.

    Args:
        server: the server and the request's fields.
        client: shared by all calls and closed by its owner (`bargein.http_client.new_client`).
        connection: keeps a connection ready during a call; None: each reply opens its own where none is left.
    """

    def __init__(self, server: ChatServer, client: httpx.AsyncClient, connection: WarmConnection | None = None) -> None:
        self._server = server
        self._client = client
        self._connection = connection

    @override
    def reply(self, messages: Sequence[ChatMessage], tools: Sequence[JsonObject] = ()) -> AsyncIterator[str | ToolCall]:
        return watched(stream_chat(self._client, self._server, messages, tools), self._connection)

    def held_to(self, schema: JsonObject) -> Self | None:
        """Return the model with answers that are JSON (`bargein.ports.SchemaModel`)."""
        server = held_server(self._server, schema)
        if server is None:
            return None
        held = copy.copy(self)
        held._server = server  # noqa: SLF001  # a copy of its own
        return held

    @override
    async def run(self) -> None:
        if self._connection is not None:
            await self._connection.run()


def held_server(server: ChatServer, schema: JsonObject) -> ChatServer | None:
    """Return a server whose answers are held to JSON of a schema, as far as it can; None: it cannot."""
    match server.answer_format:
        case "json_schema":
            wanted = response_format(schema)
        case "json_object":
            wanted = {"type": "json_object"}
        case None:
            return None
    return replace(server, body={**server.body, "response_format": wanted})


def stream_chat(
    client: httpx.AsyncClient, server: ChatServer, messages: Sequence[ChatMessage], tools: Sequence[JsonObject] = ()
) -> AsyncGenerator[str | ToolCall]:
    """Request an answer and yield its text as it arrives, then its tool calls.

    Thoughts are not yielded. Closing the generator closes the connection at once. `paced` says the limits of time.
    Nothing is retried. A body that ends without `finish_reason` and `[DONE]` is an answer if it has text or whole tool
    calls; one that breaks off is an error.

    Raises:
        ProviderError: the server cannot be reached, answers with an error or reports one, falls silent, sends something
            else than a stream of chat completion chunks, or used up its limit of tokens without a word.
    """
    return paced(server, _pieces(client, server, messages, tools))


async def _pieces(
    client: httpx.AsyncClient, server: ChatServer, messages: Sequence[ChatMessage], tools: Sequence[JsonObject]
) -> AsyncGenerator[Piece]:
    given = alternated(messages) if server.alternating else messages
    request = client.build_request(
        "POST",
        server.endpoint.url,
        headers=server.endpoint.headers,
        json={
            **server.body,
            "messages": [chat_json(message, server.provider) for message in given],
            **({"tools": list(tools)} if tools and server.takes_tools else {}),
            "stream": True,
        },
    )
    async with open_answer(client, server, request) as response:
        reader = ChunkReader(server, server.statuses_by_code, server.provider, server.returned_fields)
        async with aclosing(answer_events(response)) as events:
            async for event in events:
                await anyio.lowlevel.checkpoint()  # many events may arrive at once: other calls go on between them
                if piece := reader.push(event):
                    yield piece
                if reader.finished:
                    break
            if rest := reader.end():
                yield rest
            if not reader.finished and not reader.calls.are_whole:
                raise server.failure("ended its answer within a tool call")
            calls = reader.complete_calls()
            for call in calls:
                yield call
            silent = not reader.spoke and not calls
            if silent and not reader.finished:
                raise server.failure("ended its answer without a word")
            await _drain(events, reader, silent=silent)
            if silent and (problem := reader.silence_problem()) is not None:
                raise problem


async def _drain(events: AsyncIterator[bytes], reader: ChunkReader, *, silent: bool) -> None:
    """Read what follows the end of an answer; an error there is that of an answer without a word."""
    with anyio.move_on_after(DRAIN_S):
        try:
            async for event in events:
                if silent:
                    reader.push(event)
                else:
                    reader.push_late(event)
        except ProviderError:
            if silent:
                raise
        except (httpx.HTTPError, StreamError):
            return  # the answer is complete: an error after it only costs the connection
