"""Vapi's model provider `anthropic`: Claude, by Anthropic's own Messages API.

From its API reference of 2026; not yet called for real.
"""

import copy
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from typing import Literal

import anyio.lowlevel
import httpx
from typing_extensions import override

from bargein.ports import ChatMessage
from bargein.providers.anthropic.events import MessageReader
from bargein.providers.anthropic.held import ArgumentsModel, held_options
from bargein.providers.anthropic.messages import (
    MessagesOptions,
    ThinkingConfig,
    request_body,
)
from bargein.providers.anthropic.settings import AnthropicSettings
from bargein.providers.http import endpoint, sse_data
from bargein.providers.interface import Resources, account_of
from bargein.providers.model_server import (
    DEFAULT_MAX_TOKENS,
    DEFAULT_TIMEOUT_S,
    THINKING_TIMEOUT_S,
    ModelServer,
    Piece,
    StreamedModel,
    WarmConnection,
    drain,
    open_answer,
)
from bargein.wire.base import JsonObject, Number, WireModel

PROVIDER = "anthropic"
BASE_URL = "https://api.anthropic.com"
API_VERSION = "2023-06-01"


class AnthropicModelConfig(WireModel):
    """`assistant.model` of provider `anthropic` (Vapi's `AnthropicModel`)."""

    provider: Literal["anthropic"]
    model: str
    temperature: Number | None = None
    max_tokens: Number | None = None
    thinking: ThinkingConfig | None = None


class AnthropicModel(StreamedModel):
    """Claude, at Anthropic.

    Args:
        server: the server, with the key in its headers.
        options: the options of each request.
        client: shared by all calls and closed by its owner.
        connection: keeps a connection ready during a call.
    """

    def __init__(
        self, server: ModelServer, options: MessagesOptions, client: httpx.AsyncClient, connection: WarmConnection
    ) -> None:
        super().__init__(server, client, connection)
        self._options = options

    def held_to(self, schema: JsonObject) -> ArgumentsModel:
        """Return the model with answers that are JSON of a schema (`bargein.ports.SchemaModel`)."""
        held = copy.copy(self)
        held._options = held_options(self._options, schema)  # noqa: SLF001  # a copy of its own
        return ArgumentsModel(held)

    @override
    async def pieces(self, messages: Sequence[ChatMessage], tools: Sequence[JsonObject]) -> AsyncGenerator[Piece]:
        body = {"model": self._options.model, **request_body(self._options, messages, tools), "stream": True}
        request = self._client.build_request(
            "POST", self._server.endpoint.url, headers=self._server.endpoint.headers, json=body
        )
        async with open_answer(self._client, self._server, request) as response:
            events = sse_data(response.aiter_bytes())
            async with aclosing(read_events(self._server, events)) as pieces:
                async for piece in pieces:
                    yield piece
            await drain(events)


async def read_events(server: ModelServer, events: AsyncIterator[bytes]) -> AsyncGenerator[Piece]:
    """Yield the pieces of an answer from its events; the answer ends with `message_stop`.

    Raises:
        ProviderError: an event reports an error, or the answer ends without an end or without a word.
        StreamError: an event is no part of an answer.
    """
    reader = MessageReader(server)
    async for event in events:
        await anyio.lowlevel.checkpoint()  # many events may arrive at once: other calls go on between them
        if piece := reader.push(event):
            yield piece
        if reader.finished:
            break
    if rest := reader.end():
        yield rest
    if not reader.finished:
        raise server.failure("ended its answer in mid-air")
    calls = reader.calls()
    for call in calls:
        yield call
    if not reader.spoke and not calls and (problem := reader.silence_problem()) is not None:
        raise problem


def options_of(
    model: str, temperature: Number | None, max_tokens: Number | None, thinking: ThinkingConfig | None
) -> MessagesOptions:
    """Return the options of requests from the fields of Vapi's types."""
    return MessagesOptions(
        model=model,
        max_tokens=DEFAULT_MAX_TOKENS if max_tokens is None else int(max_tokens),
        temperature=None if temperature is None else float(temperature),
        thinking_tokens=None if thinking is None else int(thinking.budget_tokens),
    )


def create_model(config: AnthropicModelConfig, resources: Resources) -> AnthropicModel:
    """Make the model of one call.

    Raises:
        ProviderError: there is no key, or the base URL is unusable.
    """
    settings = resources.settings.section(AnthropicSettings)
    key = account_of(resources, "model", PROVIDER, settings.api_key, "ANTHROPIC_API_KEY").key
    base_url = settings.base_url or BASE_URL
    server = ModelServer(
        provider=PROVIDER,
        endpoint=endpoint(
            f"{base_url}/v1/messages",
            {"x-api-key": key, "anthropic-version": API_VERSION},
            ended_reason=f"pipeline-error-{PROVIDER}-llm-failed",
        ),
        timeout_s=DEFAULT_TIMEOUT_S if config.thinking is None else THINKING_TIMEOUT_S,
        key_setting="the credential anthropic, or ANTHROPIC_API_KEY",
        url_setting="ANTHROPIC_BASE_URL",
    )
    connection = WarmConnection(resources.client, f"{base_url}/v1/models", server.endpoint.headers)
    options = options_of(config.model, config.temperature, config.max_tokens, config.thinking)
    return AnthropicModel(server, options, resources.client, connection)
