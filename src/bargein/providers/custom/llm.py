"""Vapi's `custom-llm`: the owner's model behind an OpenAI-compatible URL."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, cast

import httpx

from bargein.providers.chat import (
    DEFAULT_MAX_TOKENS,
    DEFAULT_TEMPERATURE,
    DEFAULT_TIMEOUT_S,
    ChatModel,
    ChatServer,
    completions_url,
)
from bargein.providers.http import endpoint
from bargein.providers.interface import Resources
from bargein.providers.options import read_headers, read_sampling
from bargein.wire import providers as wire

PROVIDER = "custom-llm"

MetadataSendMode = Literal["variable", "destructured", "off"]

_ABOUT_THE_CALL = ("call", "phoneNumber", "customer")


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomLlmConfig:
    """The configuration of a `CustomLlm`: Vapi's `CustomLLMModel` with its defaults.

    Attributes:
        url: base URL, to which `/chat/completions` is added where it is missing.
        model: name of the model.
        headers: sent with each request. Vapi ignores an `Authorization` here; we send it unless `api_key` is set,
            because the owner may have stored no credential.
        api_key: bearer key (Vapi's `custom-llm` credential).
        timeout_s: `timeoutSeconds`: the longest wait for the first text, and between two pieces of text.
        temperature: 0 to 2, as in Vapi's schema.
        max_tokens: `maxTokens`, the longest reply.
        metadata_send_mode: `metadataSendMode`. `variable` adds `metadata`, `call`, `phoneNumber` and `customer` to the
            request, `destructured` adds the fields of the metadata in place of `metadata`, `off` adds nothing.
        context: the call: `metadata`, `call`, `phoneNumber`, `customer`, without secrets.
    """

    url: str
    model: str
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    api_key: str | None = field(default=None, repr=False)
    timeout_s: float = DEFAULT_TIMEOUT_S
    temperature: float = DEFAULT_TEMPERATURE
    max_tokens: int = DEFAULT_MAX_TOKENS
    metadata_send_mode: MetadataSendMode = "variable"
    context: Mapping[str, Any] = field(default_factory=dict[str, Any], repr=False)


class CustomLlm(ChatModel):
    """A model at the owner's URL, for one call.

    No connection is opened ahead of its first reply: that takes a request, and the owner's server expects none.

    Args:
        config: the server and the request's fields.
        client: shared by all calls and closed by its owner (`bargein.http_client.new_client`).

    Raises:
        ProviderError: the URL or a header is unusable.
    """

    def __init__(self, config: CustomLlmConfig, client: httpx.AsyncClient) -> None:
        headers = dict(config.headers)
        if config.api_key is not None:
            headers = {name: value for name, value in headers.items() if name.lower() != "authorization"}
            headers["Authorization"] = f"Bearer {config.api_key}"
        server = ChatServer(
            provider=PROVIDER,
            endpoint=endpoint(
                completions_url(config.url), headers, ended_reason=f"pipeline-error-{PROVIDER}-llm-failed"
            ),
            body={
                **_context_fields(config),  # first: the metadata's own names must not take over the request
                "model": config.model,
                "temperature": config.temperature,
                "max_tokens": config.max_tokens,
            },
            timeout_s=config.timeout_s,
            key_setting=f"model.headers.authorization, or the credential {PROVIDER}",
            url_setting="model.url",
        )
        super().__init__(server, client)


def _context_fields(config: CustomLlmConfig) -> dict[str, Any]:
    if config.metadata_send_mode == "off":
        return {}
    fields = {name: config.context[name] for name in _ABOUT_THE_CALL if config.context.get(name) is not None}
    metadata: object = config.context.get("metadata")
    if config.metadata_send_mode == "variable":
        return fields if metadata is None else {"metadata": metadata, **fields}
    if not isinstance(metadata, Mapping):
        return fields
    return {**cast("Mapping[str, Any]", metadata), **fields}


def create_model(config: wire.CustomLlm, resources: Resources) -> CustomLlm:
    """Make the model of one call.

    Raises:
        ProviderError: the URL or a header is unusable.
    """
    seconds = config.timeout_seconds
    settled = CustomLlmConfig(
        url=config.url,
        model=config.model,
        headers=read_headers(config.headers),
        metadata_send_mode=config.metadata_send_mode or "variable",
        api_key=resources.api_key(PROVIDER),
        context=resources.context,
        timeout_s=float(seconds) if seconds else DEFAULT_TIMEOUT_S,
        **read_sampling(config.temperature, config.max_tokens),
    )
    return CustomLlm(settled, resources.guarded_client)
