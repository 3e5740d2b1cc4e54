"""Vapi's model provider `anthropic-bedrock`: Claude at Amazon Bedrock (`InvokeModelWithResponseStream`).

From the API reference of Bedrock of 2026; not yet called for real.
"""

import base64
import binascii
import copy
import re
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, Literal
from urllib.parse import quote

import httpx
from typing_extensions import override

from bargein.clock import Clock
from bargein.ports import ChatMessage, ProviderError
from bargein.providers.anthropic.aws_keys import KeySource, PermanentKeys, Role, RoleKeys
from bargein.providers.anthropic.event_stream import stream_messages
from bargein.providers.anthropic.held import ArgumentsModel, held_options
from bargein.providers.anthropic.llm import options_of, read_events
from bargein.providers.anthropic.messages import MessagesOptions, ThinkingConfig, request_body
from bargein.providers.anthropic.settings import AnthropicSettings
from bargein.providers.anthropic.sigv4 import AwsKeys, sign
from bargein.providers.http import StreamError, endpoint, json_object
from bargein.providers.interface import CANNOT_START, MissingKeyError, Resources
from bargein.providers.model_server import (
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
from bargein.wire.json import as_object, as_string

PROVIDER = "anthropic-bedrock"

_STATUSES: Final = {
    "validationexception": 400,
    "accessdeniedexception": 403,
    "throttlingexception": 429,
    "internalserverexception": 500,
    "serviceunavailableexception": 503,
}
"""The HTTP status of each exception, which a stream names instead."""

_REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-\d")
_ANTHROPICS_NAME = re.compile(r"claude-[a-z0-9-]+")
_WITH_DATE = re.compile(r"-\d{8}$")
_WITHOUT_PROFILE = re.compile(r"claude-3-(opus|sonnet|haiku|5-sonnet-20240620)")
"""Models that Bedrock runs under their own name; later ones are run under the name of an inference profile."""


class BedrockModelConfig(WireModel):
    """`assistant.model` of provider `anthropic-bedrock` (Vapi's `AnthropicBedrockModel`)."""

    provider: Literal["anthropic-bedrock"]
    model: str
    temperature: Number | None = None
    max_tokens: Number | None = None
    thinking: ThinkingConfig | None = None


def bedrock_model_id(model: str, region: str) -> str:
    """Return Bedrock's id for a model: Vapi names models as Anthropic does; any other name is used as it is.

    Later models are reached through the inference profile of the region's part of the world (`us.`, `eu.`, …), so that
    the data stays there.
    """
    if not _ANTHROPICS_NAME.fullmatch(model):
        return model
    if model == "claude-3-5-sonnet-20241022":
        name = f"anthropic.{model}-v2:0"
    elif _WITH_DATE.search(model):
        name = f"anthropic.{model}-v1:0"
    else:
        name = f"anthropic.{model}-v1" if model == "claude-opus-4-6" else f"anthropic.{model}"
    if _WITHOUT_PROFILE.match(model):
        return name
    area = region.partition("-")[0]
    if area == "ap":
        recent = re.search(r"-4-[5-9]|-[5-9]($|-)", model) is not None
        area = {"ap-northeast-1": "jp", "ap-southeast-2": "au"}.get(region, "apac") if recent else "apac"
    return f"{area}.{name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class BedrockConfig:
    """The account of a `BedrockModel`.

    Attributes:
        region: of Bedrock.
        keys: of the AWS account.
        base_url: of Bedrock's runtime.
        secrets: what no error may quote.
    """

    region: str
    keys: KeySource
    base_url: str
    secrets: tuple[str, ...] = field(default=(), repr=False)


class BedrockModel(StreamedModel):
    """Claude, at Amazon Bedrock.

    Args:
        config: the account.
        options: the options of each request.
        client: shared by all calls and closed by its owner.
        clock: for the time in signatures.

    Raises:
        ProviderError: the base URL is unusable.
    """

    def __init__(
        self, config: BedrockConfig, options: MessagesOptions, client: httpx.AsyncClient, clock: Clock
    ) -> None:
        model_id = quote(bedrock_model_id(options.model, config.region), safe="")
        server = ModelServer(
            provider=PROVIDER,
            endpoint=endpoint(
                f"{config.base_url}/model/{model_id}/invoke-with-response-stream",
                {"content-type": "application/json", "accept": "application/vnd.amazon.eventstream"},
                ended_reason=f"pipeline-error-{PROVIDER}-llm-failed",
            ),
            timeout_s=DEFAULT_TIMEOUT_S if options.thinking_tokens is None else THINKING_TIMEOUT_S,
            key_setting=f"the credential {PROVIDER}, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
            url_setting="AWS_REGION",
            secrets=config.secrets,
        )
        # Bedrock's runtime has no list of models; the answer to this path is an error that costs nothing
        super().__init__(server, client, WarmConnection(client, config.base_url + "/", httpx.Headers()))
        self._config = config
        self._options = options
        self._clock = clock

    def held_to(self, schema: JsonObject) -> ArgumentsModel:
        """Return the model with answers that are JSON of a schema (`bargein.ports.SchemaModel`)."""
        held = copy.copy(self)
        held._options = held_options(self._options, schema)  # noqa: SLF001  # a copy of its own
        return ArgumentsModel(held)

    @override
    async def pieces(self, messages: Sequence[ChatMessage], tools: Sequence[JsonObject]) -> AsyncGenerator[Piece]:
        body = {"anthropic_version": "bedrock-2023-05-31", **request_body(self._options, messages, tools)}
        request = self._client.build_request(
            "POST", self._server.endpoint.url, headers=self._server.endpoint.headers, json=body
        )
        keys = await self._config.keys.keys()
        now = datetime.fromtimestamp(self._clock.epoch_ms() / 1000, UTC)
        sign(request, keys, self._config.region, "bedrock", now)
        async with (
            open_answer(self._client, self._server, request) as response,
            aclosing(self._events(response)) as events,
            aclosing(read_events(self._server, events)) as pieces,
        ):
            async for piece in pieces:
                yield piece
            await drain(events)

    async def _events(self, response: httpx.Response) -> AsyncGenerator[bytes]:
        async for message in stream_messages(response.aiter_bytes()):
            kind = message.headers.get(":message-type", "event")
            if kind != "event":
                raise self._exception(message.headers, message.payload)
            if message.headers.get(":event-type") == "chunk":
                encoded = as_string(json_object(message.payload).get("bytes"))
                try:
                    yield base64.b64decode(encoded or "", validate=True)
                except (binascii.Error, ValueError):
                    raise StreamError("an event is not base64") from None

    def _exception(self, headers: dict[str, str], payload: bytes) -> ProviderError:
        name = headers.get(":exception-type") or headers.get(":error-code") or ""
        body = payload or headers.get(":error-message", "").encode()
        return self._server.reported(_STATUSES.get(name.lower(), 0), name, body, problem="reported an error")


def create_model(config: BedrockModelConfig, resources: Resources) -> BedrockModel:
    """Make the model of one call.

    The account is that of the owner's credential (its region, and its keys or its role), else that of the settings. A
    role is assumed with the keys of the settings.

    Raises:
        MissingKeyError: there are no keys.
        ProviderError: there is no region.
    """
    settings = resources.settings.section(AnthropicSettings)
    credential = resources.credentials.get(PROVIDER, {})
    plan = as_object(credential.get("authenticationPlan"))
    region = as_string(credential.get("region")) or settings.aws_region or ""
    own = _own_keys(settings)
    keys: KeySource
    if (role_arn := as_string(plan.get("roleArn"))) is not None:
        if own is None:
            raise _no_keys(
                "its credential names a role, which needs keys of yours that may assume it: set AWS_ACCESS_KEY_ID and "
                "AWS_SECRET_ACCESS_KEY"
            )
        external_id = as_string(plan.get("externalId"))
        role = Role(arn=role_arn, external_id=external_id, region=region, own=own, provider=PROVIDER)
        keys, secrets = RoleKeys(role, resources.client, resources.clock), (own.secret_access_key, external_id or "")
    else:
        key_id, secret = as_string(plan.get("awsAccessKeyId")), as_string(plan.get("awsSecretAccessKey"))
        used = AwsKeys(key_id, secret) if key_id and secret else own
        if used is None:
            raise _no_keys(
                f"it needs AWS keys: add a credential for {PROVIDER}, or set AWS_ACCESS_KEY_ID and "
                "AWS_SECRET_ACCESS_KEY"
            )
        keys, secrets = PermanentKeys(used), (used.secret_access_key, used.session_token or "")
    if not _REGION.fullmatch(region):
        raise ProviderError(
            f"model provider {PROVIDER}: it needs an AWS region: set region in its credential, or set AWS_REGION",
            ended_reason=CANNOT_START,
            provider=PROVIDER,
        )
    account = BedrockConfig(
        region=region,
        keys=keys,
        base_url=settings.bedrock_base_url or f"https://bedrock-runtime.{region}.amazonaws.com",
        secrets=secrets,
    )
    options = options_of(config.model, config.temperature, config.max_tokens, config.thinking)
    return BedrockModel(account, options, resources.client, resources.clock)


def _own_keys(settings: AnthropicSettings) -> AwsKeys | None:
    if not settings.aws_access_key_id or not settings.aws_secret_access_key:
        return None
    return AwsKeys(settings.aws_access_key_id, settings.aws_secret_access_key, settings.aws_session_token)


def _no_keys(problem: str) -> MissingKeyError:
    return MissingKeyError(f"model provider {PROVIDER}: {problem}", ended_reason=CANNOT_START, provider=PROVIDER)
