"""A vendor of models whose API is OpenAI's chat completions: one row in its `VENDOR`."""

import re
from collections.abc import Mapping
from typing import Any, Literal, Protocol, cast

from bargein.ports import ProviderError
from bargein.providers.chat import (
    DEFAULT_MAX_TOKENS,
    DEFAULT_TEMPERATURE,
    AnswerFormat,
    ChatModel,
    ChatServer,
    completions_url,
    models_url,
)
from bargein.providers.http import endpoint
from bargein.providers.interface import CANNOT_START, ModelPart, Resources, account_of
from bargein.providers.model_server import WarmConnection
from bargein.settings import Section
from bargein.wire.base import Number, WireModel

_THINKS = re.compile(r"(?i)reason|deepseek-r1|qwq|thinking|gpt-oss|minimax-m\d|magistral|grok-4|grok-3-mini")
"""Models that think before they answer, whatever they are told, and out of the limit of tokens."""

_THOUGHT_TOKENS = 1024
"""The room for their thoughts beside `model.maxTokens`, of whose default of 250 nothing would be left to be said."""


class ChatModelConfig(WireModel):
    """`assistant.model` of a vendor with chat completions; Vapi's types for these have the same fields."""

    provider: str
    model: str
    temperature: Number | None = None
    max_tokens: Number | None = None


class _Account(Protocol):
    """The settings of such a vendor."""

    api_key: str | None
    base_url: str | None


def chat_model_part(
    provider: str,
    settings: type[Section],
    base_url: str | None,
    *,
    limit_name: Literal["max_tokens", "max_completion_tokens"] = "max_tokens",
    body: Mapping[str, Any] | None = None,
    body_by_model: Mapping[str, Mapping[str, Any]] | None = None,
    most_temperature: float = 2.0,
    headers: Mapping[str, str] | None = None,
    statuses_by_code: Mapping[int, int] | None = None,
    returned_fields: tuple[str, ...] = (),
    alternating: bool = False,
    takes_tools: bool = True,
    lists_models: bool = True,
    answer_format: AnswerFormat | None = None,
) -> ModelPart:
    """Return the model part of a vendor with chat completions.

    Args:
        provider: the `provider` of Vapi's JSON.
        settings: the vendor's settings, with the fields `api_key` and `base_url`.
        base_url: the vendor's own address; None: it has none, and the operator has to set `base_url`.
        limit_name: the vendor's name for the limit of tokens.
        body: more fields of each request.
        body_by_model: more fields of requests to models whose name has a match of a pattern.
        most_temperature: the highest temperature that the vendor accepts; Vapi's type allows 2.
        headers: more headers of each request.
        statuses_by_code: `ChatServer.statuses_by_code`.
        returned_fields: `ChatServer.returned_fields`.
        alternating: `ChatServer.alternating`.
        takes_tools: `ChatServer.takes_tools`.
        lists_models: whether the vendor has a list of models, which a connection can be opened with.
        answer_format: `ChatServer.answer_format`.
    """
    variables = {variable.field: variable.name or "" for variable in settings.variables()}

    def create(config: ChatModelConfig, resources: Resources) -> ChatModel:
        own = cast("_Account", resources.settings.section(settings))
        base = own.base_url or base_url
        if base is None:
            raise ProviderError(
                f"model provider {provider} has no public address: set {variables['base_url']} to that of your own "
                "endpoint",
                ended_reason=CANNOT_START,
                provider=provider,
            )
        key = account_of(resources, "model", provider, own.api_key, variables["api_key"]).key
        server = ChatServer(
            provider=provider,
            endpoint=endpoint(
                completions_url(base),
                {**(headers or {}), "Authorization": f"Bearer {key}"},
                ended_reason=f"pipeline-error-{provider}-llm-failed",
            ),
            body={
                **(body or {}),
                **_of_model(config.model, body_by_model or {}),
                "model": config.model,
                "temperature": min(_temperature(config), most_temperature),
                limit_name: _token_limit(config),
            },
            key_setting=f"the credential {provider}, or {variables['api_key']}",
            url_setting=variables["base_url"],
            statuses_by_code=statuses_by_code or {},
            returned_fields=returned_fields,
            alternating=alternating,
            takes_tools=takes_tools,
            answer_format=answer_format,
        )
        connection = (
            WarmConnection(resources.client, models_url(base), server.endpoint.headers) if lists_models else None
        )
        return ChatModel(server, resources.client, connection)

    return ModelPart(ChatModelConfig, create)


def _temperature(config: ChatModelConfig) -> float:
    return DEFAULT_TEMPERATURE if config.temperature is None else float(config.temperature)


def _token_limit(config: ChatModelConfig) -> int:
    given = DEFAULT_MAX_TOKENS if config.max_tokens is None else int(config.max_tokens)
    return given + _THOUGHT_TOKENS if _thinks(config.model) else given


def _thinks(model: str) -> bool:
    return _THINKS.search(model) is not None and "non-reasoning" not in model


def _of_model(model: str, by_pattern: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for pattern, fields in by_pattern.items():
        if re.search(pattern, model):
            found |= fields
    return found
