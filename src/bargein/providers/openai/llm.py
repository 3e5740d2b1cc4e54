"""Vapi's model provider `openai`, also for any server that speaks its protocol: Ollama, llama.cpp, vLLM."""

import re
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field

import httpx

from bargein.ports import ChatMessage, ToolCall
from bargein.providers.chat import (
    DEFAULT_MAX_TOKENS,
    DEFAULT_TEMPERATURE,
    DEFAULT_TIMEOUT_S,
    ChatServer,
    completions_url,
    stream_chat,
)
from bargein.providers.http import endpoint
from bargein.wire.base import JsonObject

OPENAI_BASE_URL = "https://api.openai.com/v1"

_REASONING_MODEL = re.compile(r"^(o\d|gpt-5(?!.*chat))")
"""OpenAI's models that refuse every temperature but their own."""

_REASONS_BY_CODE = {
    (401, "invalid_api_key"): "401-incorrect-api-key",
    (429, "rate_limit_exceeded"): "429-rate-limit-reached",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenAiConfig:
    """`OpenAIModel` of Vapi's schema, settled, with the process's own key.

    Attributes:
        model: name of the model.
        api_key: `OPENAI_API_KEY`; a server on this machine may want none.
        base_url: `OPENAI_BASE_URL`: another server than OpenAI's.
        temperature: as the schema has it, 0 to 2; left out for OpenAI's reasoning models, which refuse it.
        max_tokens: `maxTokens`, the longest reply.
        timeout_s: the longest wait for the first text, and between two pieces of text.
    """

    model: str
    api_key: str | None = field(default=None, repr=False)
    base_url: str | None = None
    temperature: float = DEFAULT_TEMPERATURE
    max_tokens: int = DEFAULT_MAX_TOKENS
    timeout_s: float = DEFAULT_TIMEOUT_S


class OpenAiModel:
    """A `bargein.ports.Model` at OpenAI or a compatible server.

    Args:
        config: see there.
        client: shared by all calls and closed by its owner (`bargein.providers.http.new_client`).

    Raises:
        ProviderError: the base URL or the key is unusable.
    """

    def __init__(self, config: OpenAiConfig, client: httpx.AsyncClient) -> None:
        body: dict[str, object] = {"model": config.model}
        if config.base_url is None:
            # OpenAI's newer models know the limit by this name alone, compatible servers often by the older one alone
            body["max_completion_tokens"] = config.max_tokens
        else:
            body["max_tokens"] = config.max_tokens
        if config.base_url is not None or not _REASONING_MODEL.match(config.model):
            body["temperature"] = config.temperature
        self._client = client
        self._server = ChatServer(
            vendor="openai",
            endpoint=endpoint(
                completions_url(config.base_url or OPENAI_BASE_URL),
                {} if config.api_key is None else {"Authorization": f"Bearer {config.api_key}"},
                ended_reason="pipeline-error-openai-llm-failed",
            ),
            body=body,
            timeout_s=config.timeout_s,
            reasons_by_code=_REASONS_BY_CODE,
        )

    def reply(
        self, messages: Sequence[ChatMessage], tools: Sequence[JsonObject] = ()
    ) -> AsyncGenerator[str | ToolCall]:
        """See `bargein.ports.Model.reply`; the failures are those of `bargein.providers.chat.stream_chat`."""
        return stream_chat(self._client, self._server, messages, tools)
