"""Vapi's model provider `openai`, also for any server that speaks its protocol: Ollama, llama.cpp, vLLM."""

import re
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field

import httpx
from typing_extensions import override

from bargein.ports import ChatMessage, Model, ProviderError, ToolCall
from bargein.providers.chat import (
    DEFAULT_MAX_TOKENS,
    DEFAULT_TEMPERATURE,
    DEFAULT_TIMEOUT_S,
    ChatServer,
    completions_url,
    stream_chat,
)
from bargein.providers.http import endpoint
from bargein.providers.interface import CANNOT_START, Resources
from bargein.providers.openai.settings import OpenAiSettings
from bargein.providers.options import read_sampling
from bargein.wire import providers as wire
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
    """The configuration of an `OpenAiModel`: Vapi's `OpenAIModel` with the server's own key.

    Attributes:
        model: name of the model.
        api_key: of the owner's credential, or `OPENAI_API_KEY`; a server on this machine may need none.
        base_url: `OPENAI_BASE_URL`: another server than OpenAI's.
        temperature: 0 to 2, as in Vapi's schema; left out for OpenAI's reasoning models, which refuse it.
        max_tokens: `maxTokens`, the longest reply.
        timeout_s: the longest wait for the first text, and between two pieces of text.
    """

    model: str
    api_key: str | None = field(default=None, repr=False)
    base_url: str | None = None
    temperature: float = DEFAULT_TEMPERATURE
    max_tokens: int = DEFAULT_MAX_TOKENS
    timeout_s: float = DEFAULT_TIMEOUT_S


class OpenAiModel(Model):
    """A model at OpenAI or a compatible server.

    Args:
        config: the model and the server.
        client: shared by all calls and closed by its owner (`bargein.http_client.new_client`).

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

    @override
    def reply(
        self, messages: Sequence[ChatMessage], tools: Sequence[JsonObject] = ()
    ) -> AsyncGenerator[str | ToolCall]:
        return stream_chat(self._client, self._server, messages, tools)


def create_model(config: wire.OpenAiModel, resources: Resources) -> OpenAiModel:
    """Make the model of one call.

    Raises:
        ProviderError: there is no key, and no server of the operator's that may need none.
    """
    settings = resources.settings.section(OpenAiSettings)
    key = resources.api_key("openai") or settings.api_key
    if key is None and settings.base_url is None:
        raise ProviderError(
            "model provider openai needs a key: add a credential or set OPENAI_API_KEY, "
            "or OPENAI_BASE_URL for a compatible server",
            ended_reason=CANNOT_START,
        )
    options = read_sampling(config.temperature, config.max_tokens)
    return OpenAiModel(
        OpenAiConfig(model=config.model, api_key=key, base_url=settings.base_url, **options), resources.client
    )
