"""Vapi's model provider `openai`, also for any server that speaks its protocol: Ollama, llama.cpp, vLLM."""

import copy
import re
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Self

import httpx
import structlog
from typing_extensions import override

from bargein.ports import ChatMessage, Model, ProviderError, ToolCall
from bargein.providers.chat import (
    DEFAULT_MAX_TOKENS,
    DEFAULT_TEMPERATURE,
    DEFAULT_TIMEOUT_S,
    ChatServer,
    completions_url,
    held_server,
    models_url,
    stream_chat,
)
from bargein.providers.http import endpoint
from bargein.providers.interface import CANNOT_START, MissingKeyError, Resources
from bargein.providers.model_server import THINKING_TIMEOUT_S, WarmConnection, watched
from bargein.providers.openai.settings import OpenAiSettings
from bargein.providers.openai.tool_schemas import StrictMode, compatible_tool
from bargein.providers.options import read_sampling
from bargein.wire import providers as wire
from bargein.wire.base import JsonObject

_log = structlog.get_logger(__name__)

OPENAI_BASE_URL = "https://api.openai.com/v1"

MOST_FALLBACKS = 4
"""The most models of `fallbackModels` that one reply tries: a caller waits meanwhile."""

_FALLBACK_AFTER_S = 10.0
"""The longest wait for the first text of a model while another one is left to try."""

_REASONING_MODEL = re.compile(r"^(o\d|gpt-5(?!.*chat))")
"""OpenAI's models that refuse every temperature but their own."""

_THINKS_BY_DEFAULT = re.compile(r"^gpt-5(-mini|-nano)?(-\d{4}-\d\d-\d\d)?$")
"""Models that think at length unless told otherwise, and accept the effort `minimal`; later ones do not think."""

_SPEAKS_BY_ITSELF = re.compile(r"^gpt-(\w+-)*realtime")
"""Models that hear and speak, which are not in OpenAI's chat API."""

_WITHOUT_SCHEMAS = re.compile(r"^(gpt-3\.5|gpt-4$|gpt-4-|gpt-4o-2024-05-13|chatgpt-|o1-mini)")
"""OpenAI's older models, whose answers cannot be held to a schema."""

_REASONS_BY_CODE = {
    (401, "invalid_api_key"): "401-incorrect-api-key",
    (429, "rate_limit_exceeded"): "429-rate-limit-reached",
}

_LONG_EFFORTS = frozenset({"medium", "high", "xhigh"})
"""Efforts that take longer than `DEFAULT_TIMEOUT_S`; OpenAI shows nothing of the thoughts."""

_THOUGHT_TOKENS = {"low": 1024, "medium": 4096, "high": 16_384, "xhigh": 32_768}
"""The room for thoughts beside `model.maxTokens`, by effort; efforts that are missing take none."""

ReasoningEffort = Literal["none", "minimal", "low", "medium", "high", "xhigh"]
PromptCacheRetention = Literal["in_memory", "24h"]


class OpenAiModelConfig(wire.OpenAiModel):
    """`assistant.model` of provider `openai` (Vapi's `OpenAIModel`)."""

    fallback_models: list[str] | None = None
    reasoning_effort: ReasoningEffort | None = None
    prompt_cache_key: str | None = None
    prompt_cache_retention: PromptCacheRetention | None = None
    tool_strict_compatibility_mode: StrictMode | None = None


def find_problem(config: OpenAiModelConfig) -> str | None:
    """Return why OpenAI would refuse the model of a `config`, as far as that is known, and what to change."""
    if _SPEAKS_BY_ITSELF.match(config.model) is None:
        return None
    return f"{config.model} hears and speaks by itself and is not in OpenAI's chat API; name a chat model, as gpt-4.1"


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
        fallback_models: `fallbackModels`, tried in turn when a model fails before its first piece.
        reasoning_effort: `reasoningEffort`; by default `minimal` for those models of OpenAI's that would otherwise
            spend `max_tokens` on thoughts.
        prompt_cache_key: `promptCacheKey`.
        prompt_cache_retention: `promptCacheRetention`.
        strict_mode: `toolStrictCompatibilityMode`.
    """

    model: str
    api_key: str | None = field(default=None, repr=False)
    base_url: str | None = None
    temperature: float = DEFAULT_TEMPERATURE
    max_tokens: int = DEFAULT_MAX_TOKENS
    timeout_s: float = DEFAULT_TIMEOUT_S
    fallback_models: tuple[str, ...] = ()
    reasoning_effort: ReasoningEffort | None = None
    prompt_cache_key: str | None = None
    prompt_cache_retention: PromptCacheRetention | None = None
    strict_mode: StrictMode | None = None


class OpenAiModel(Model):
    """A model at OpenAI or a compatible server.

    Args:
        config: the model and the server.
        client: shared by all calls and closed by its owner (`bargein.http_client.new_client`).

    Raises:
        ProviderError: the base URL or the key is unusable.
    """

    def __init__(self, config: OpenAiConfig, client: httpx.AsyncClient) -> None:
        base_url = config.base_url or OPENAI_BASE_URL
        names = tuple(dict.fromkeys((config.model, *config.fallback_models)))[: MOST_FALLBACKS + 1]
        self._client = client
        self._strict_mode: StrictMode | None = config.strict_mode
        server = ChatServer(
            provider="openai",
            endpoint=endpoint(
                completions_url(base_url),
                {} if config.api_key is None else {"Authorization": f"Bearer {config.api_key}"},
                ended_reason="pipeline-error-openai-llm-failed",
            ),
            body={},
            timeout_s=config.timeout_s,
            reasons_by_code=_REASONS_BY_CODE,
            key_setting="the credential openai, or OPENAI_API_KEY",
            url_setting="OPENAI_BASE_URL",
            tokens_setting="model.maxTokens or model.reasoningEffort",
        )
        self._servers = tuple(
            replace(
                server,
                body=_body(config, name),
                answer_format=None if _WITHOUT_SCHEMAS.match(name) else "json_schema",
            )
            for name in names
        )
        self._connection = WarmConnection(client, models_url(base_url), server.endpoint.headers)

    @override
    def reply(self, messages: Sequence[ChatMessage], tools: Sequence[JsonObject] = ()) -> AsyncIterator[str | ToolCall]:
        given = [compatible_tool(tool, self._strict_mode) for tool in tools]
        return watched(self._reply(messages, given), self._connection)

    async def _reply(
        self, messages: Sequence[ChatMessage], tools: Sequence[JsonObject]
    ) -> AsyncGenerator[str | ToolCall]:
        *first, last = self._servers
        for server in first:
            hasty = replace(server, timeout_s=min(server.timeout_s, _FALLBACK_AFTER_S))
            began = False
            try:
                async with aclosing(stream_chat(self._client, hasty, messages, tools)) as pieces:
                    async for piece in pieces:
                        began = True
                        yield piece
                return
            except ProviderError as error:
                if began:
                    raise
                _log.warning("a model failed; its fallback is asked", model=server.body["model"], error=str(error))
        async with aclosing(stream_chat(self._client, last, messages, tools)) as pieces:
            async for piece in pieces:
                yield piece

    def held_to(self, schema: JsonObject) -> Self | None:
        """Return the model with answers that are JSON (`bargein.ports.SchemaModel`)."""
        first, *others = self._servers
        if (held_first := held_server(first, schema)) is None:
            return None
        held = copy.copy(self)
        servers = (held_first, *(held_server(other, schema) or other for other in others))
        held._servers = servers  # noqa: SLF001  # a copy of its own
        return held

    @override
    async def run(self) -> None:
        await self._connection.run()


def _body(config: OpenAiConfig, model: str) -> dict[str, Any]:
    body: dict[str, Any] = {"model": model}
    effort = config.reasoning_effort
    if config.base_url is None:
        # OpenAI's newer models know the limit by this name alone, compatible servers often by the older one alone
        if effort is None and _THINKS_BY_DEFAULT.match(model):
            effort = "minimal"
        body["stream_options"] = {"include_usage": True}  # compatible servers may not know it
        body["max_completion_tokens"] = config.max_tokens + _thought_tokens(model, effort)
    else:
        body["max_tokens"] = config.max_tokens
    if config.base_url is not None or not _REASONING_MODEL.match(model):
        body["temperature"] = config.temperature
    options = {
        "reasoning_effort": effort,
        "prompt_cache_key": config.prompt_cache_key,
        "prompt_cache_retention": config.prompt_cache_retention,
    }
    return body | {name: value for name, value in options.items() if value is not None}


def _thought_tokens(model: str, effort: ReasoningEffort | None) -> int:
    """Return the room for a model's thoughts, which OpenAI takes out of the limit of tokens."""
    if not _REASONING_MODEL.match(model):
        return 0
    return _THOUGHT_TOKENS.get(effort or ("high" if "-pro" in model else "medium" if model[0] == "o" else "none"), 0)


def create_model(config: OpenAiModelConfig, resources: Resources) -> OpenAiModel:
    """Make the model of one call.

    Raises:
        MissingKeyError: there is no key, and no server of the operator's that may need none.
    """
    settings = resources.settings.section(OpenAiSettings)
    key = resources.api_key("openai") or settings.api_key
    if key is None and settings.base_url is None:
        raise MissingKeyError(
            "model provider openai needs a key: add a credential or set OPENAI_API_KEY, "
            "or OPENAI_BASE_URL for a compatible server",
            ended_reason=CANNOT_START,
            provider="openai",
        )
    options = read_sampling(config.temperature, config.max_tokens)
    settled = OpenAiConfig(
        model=config.model,
        api_key=key,
        base_url=settings.base_url,
        fallback_models=tuple(config.fallback_models or ()),
        reasoning_effort=config.reasoning_effort,
        prompt_cache_key=config.prompt_cache_key,
        prompt_cache_retention=config.prompt_cache_retention,
        strict_mode=config.tool_strict_compatibility_mode,
        timeout_s=THINKING_TIMEOUT_S if config.reasoning_effort in _LONG_EFFORTS else DEFAULT_TIMEOUT_S,
        **options,
    )
    return OpenAiModel(settled, resources.client)
