"""Vapi's model provider `google`: Gemini, by its own `streamGenerateContent`.

From its API reference of 2026; not yet called for real.
"""

import copy
import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Any, Final, Literal, Self
from urllib.parse import quote

import anyio.lowlevel
import httpx
from typing_extensions import override

from bargein.ports import ChatMessage, ProviderError, ToolCall
from bargein.ports.usage import report_usage
from bargein.providers.chat_tools import MOST_ARGUMENT_CHARS, MOST_CALLS, new_call_id
from bargein.providers.google.contents import STATE, generation_config, request_body
from bargein.providers.google.settings import GoogleSettings
from bargein.providers.http import StreamError, endpoint, json_object, sse_data
from bargein.providers.interface import Resources, account_of
from bargein.providers.model_server import (
    DEFAULT_MAX_TOKENS,
    DEFAULT_TEMPERATURE,
    ModelServer,
    Piece,
    Progress,
    StreamedModel,
    WarmConnection,
    drain,
    open_answer,
    out_of_tokens,
)
from bargein.providers.thoughts import ThoughtFilter
from bargein.providers.vendor_state import state_text
from bargein.wire.base import JsonObject, Number, WireModel
from bargein.wire.json import TextJoiner, as_object, as_objects, as_string, repair_text, repaired

PROVIDER = "google"
BASE_URL = "https://generativelanguage.googleapis.com"

_BLOCKED: Final = {
    "SAFETY": "its safety filter",
    "RECITATION": "its filter of recited texts",
    "BLOCKLIST": "its list of forbidden words",
    "PROHIBITED_CONTENT": "its filter of prohibited content",
    "SPII": "its filter of personal data",
    "LANGUAGE": "its choice of languages",
    "JAILBREAK": "its filter of prompts",
    "MODEL_ARMOR": "its filter Model Armor",
}
"""The reasons why Gemini withholds an answer (`finishReason`) or refuses a conversation (`blockReason`)."""

_FAILED: Final = {
    "MALFORMED_FUNCTION_CALL": "called a tool in a way that cannot be read",
    "UNEXPECTED_TOOL_CALL": "called a tool that it does not have",
    "TOO_MANY_TOOL_CALLS": "called too many tools",
    "MISSING_THOUGHT_SIGNATURE": "missed the thought signature of an earlier tool call",
    "MALFORMED_RESPONSE": "made an answer that cannot be read",
    "OTHER": "gave no answer, without a reason",
}


class GoogleModelConfig(WireModel):
    """`assistant.model` of provider `google` (Vapi's `GoogleModel`)."""

    provider: Literal["google"]
    model: str
    temperature: Number | None = None
    max_tokens: Number | None = None


class GoogleModel(StreamedModel):
    """Gemini, at Google's Gemini API.

    Args:
        server: the server, with the key in its headers.
        model: name of the model.
        generation: the options of each request.
        client: shared by all calls and closed by its owner.
        connection: keeps a connection ready during a call.
    """

    def __init__(
        self,
        server: ModelServer,
        model: str,
        generation: dict[str, Any],
        client: httpx.AsyncClient,
        connection: WarmConnection,
    ) -> None:
        super().__init__(server, client, connection)
        self._model = model
        self._generation = generation

    def held_to(self, schema: JsonObject) -> Self:
        """Return the model with answers that are JSON of a schema (`bargein.ports.SchemaModel`)."""
        held = copy.copy(self)
        format_ = {"responseMimeType": "application/json", "responseJsonSchema": schema}
        held._generation = self._generation | format_  # noqa: SLF001  # a copy of its own
        return held

    @override
    async def pieces(self, messages: Sequence[ChatMessage], tools: Sequence[JsonObject]) -> AsyncGenerator[Piece]:
        server = self._server
        body = request_body(self._model, self._generation, messages, tools)
        request = self._client.build_request("POST", server.endpoint.url, headers=server.endpoint.headers, json=body)
        async with (
            open_answer(self._client, server, request) as response,
            aclosing(_Reader(server).read(response)) as r,
        ):
            async for piece in r:
                yield piece


class _Reader:
    """The reader of one answer."""

    def __init__(self, server: ModelServer) -> None:
        self._server = server
        self._joiner = TextJoiner()
        self._thoughts = ThoughtFilter()
        self._calls: list[ToolCall] = []
        self._argument_chars = 0
        self._spoke = self._thought = False
        self._reason = ""

    async def read(self, response: httpx.Response) -> AsyncGenerator[Piece]:
        """Yield the pieces of the answer; it ends with a `finishReason`."""
        events = sse_data(response.aiter_bytes())
        async for event in events:
            await anyio.lowlevel.checkpoint()  # many events may arrive at once: other calls go on between them
            for piece in self._read_chunk(json_object(event, pieces=True)):
                yield piece
            if self._reason:
                break
        if rest := self._thoughts.push(self._joiner.flush()) + self._thoughts.flush():
            self._spoke = self._spoke or bool(rest.strip())
            yield rest
        if not self._reason and not self._spoke:
            raise self._server.failure("ended its answer without a word")
        for call in self._calls:
            yield call
        if not self._spoke and not self._calls and (problem := self._silence_problem()) is not None:
            raise problem
        await drain(events)

    def _read_chunk(self, chunk: dict[str, object]) -> list[Piece]:
        if error := as_object(chunk.get("error")):
            status = error.get("code")
            number = status if isinstance(status, int) else 0
            code = as_string(error.get("status")) or ""
            raise self._server.reported(number, code, json.dumps(error), problem="reported an error")
        feedback = as_object(chunk.get("promptFeedback"))
        if (reason := as_string(feedback.get("blockReason"))) is not None:
            raise self._server.failure(f"refused the conversation: {_filter(reason)} blocked it")
        report_tokens(chunk)
        candidates = as_objects(chunk.get("candidates"))
        if not candidates:
            if not chunk.keys() & {"usageMetadata", "promptFeedback", "modelVersion", "candidates"}:
                raise StreamError("an event is not a piece of an answer")
            return []
        self._reason = as_string(candidates[0].get("finishReason")) or self._reason
        parts = as_objects(as_object(candidates[0].get("content")).get("parts"))
        return [piece for part in parts if (piece := self._read_part(part))]

    def _read_part(self, part: JsonObject) -> Piece | None:
        if (called := part.get("functionCall")) is not None:
            self._call(as_object(called), part)
            return Progress.CALL
        text = as_string(part.get("text")) or ""
        if part.get("thought"):
            self._thought = True
            return Progress.THOUGHT
        spoken = self._thoughts.push(self._joiner.push(text))
        self._spoke = self._spoke or bool(spoken.strip())
        return spoken or (Progress.THOUGHT if self._thoughts.thinking else None)

    def _call(self, called: JsonObject, part: JsonObject) -> None:
        name = as_string(called.get("name"))
        arguments = json.dumps(repaired(as_object(called.get("args"))), ensure_ascii=False)
        self._argument_chars += len(arguments)
        if len(self._calls) == MOST_CALLS or self._argument_chars > MOST_ARGUMENT_CHARS:
            raise StreamError("it calls too many tools at once")
        if name is None:
            raise StreamError("a tool call has no name")
        own_id = as_string(called.get("id"))
        signature = as_string(part.get("thoughtSignature"))
        kept = {"id": own_id, "signature": signature}
        state = state_text(STATE, {name: value for name, value in kept.items() if value is not None})
        self._calls.append(ToolCall(own_id or new_call_id(), repair_text(name), arguments, state))

    def _silence_problem(self) -> ProviderError | None:
        if self._reason == "MAX_TOKENS":
            return out_of_tokens(self._server, thought=self._thought or self._thoughts.thought)
        if self._reason in _FAILED:
            return self._server.failure(f"{_FAILED[self._reason]} ({self._reason})")
        if self._reason == "STOP":
            return None
        return self._server.failure(f"gave no answer: {_filter(self._reason)} stopped it")


def report_tokens(chunk: JsonObject) -> None:
    """Report the tokens of an answer so far, if a piece of it has them; thoughts are a part of the answer."""
    usage = as_object(chunk.get("usageMetadata"))
    counts = [usage.get(name) for name in ("candidatesTokenCount", "thoughtsTokenCount")]
    answered = sum(count for count in counts if isinstance(count, int))
    report_usage(usage.get("promptTokenCount"), answered, usage.get("cachedContentTokenCount"))


def _filter(reason: str) -> str:
    return f"{_BLOCKED.get(reason, 'one of its filters')} ({reason[:40]})"


def create_model(config: GoogleModelConfig, resources: Resources) -> GoogleModel:
    """Make the model of one call.

    Raises:
        ProviderError: there is no key, or the base URL is unusable.
    """
    settings = resources.settings.section(GoogleSettings)
    key = account_of(resources, "model", PROVIDER, settings.api_key, "GEMINI_API_KEY").key
    base_url = settings.base_url or BASE_URL
    name = quote(config.model.removeprefix("models/"), safe="")
    server = ModelServer(
        provider=PROVIDER,
        endpoint=endpoint(
            f"{base_url}/v1beta/models/{name}:streamGenerateContent?alt=sse",
            {"x-goog-api-key": key},
            ended_reason=f"pipeline-error-{PROVIDER}-llm-failed",
        ),
        key_setting="the credential google, or GEMINI_API_KEY",
        url_setting="GEMINI_BASE_URL",
    )
    generation = generation_config(
        config.model,
        DEFAULT_TEMPERATURE if config.temperature is None else float(config.temperature),
        DEFAULT_MAX_TOKENS if config.max_tokens is None else int(config.max_tokens),
    )
    connection = WarmConnection(resources.client, f"{base_url}/v1beta/models/{name}", server.endpoint.headers)
    return GoogleModel(server, config.model, generation, resources.client, connection)
