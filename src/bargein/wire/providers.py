"""Models, voices and transcribers, by their `provider`.

The providers that need a type before a call begins are declared here. All others of Vapi's are vendors
(`bargein.providers`): the fields are checked against Vapi's own type when an assistant is stored, and read by the
vendor's when a call begins. Some of Vapi's nobody can call any more (`bargein.wire.retired`): a request that names one
is refused, and a record that was stored before is read. Other providers are refused.
"""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from bargein.wire.base import JsonObject, Number, WireModel
from bargein.wire.plans import Server, Url
from bargein.wire.rejection import check_tool

MessageRole = Literal["assistant", "function", "user", "system", "tool"]


class OpenAIMessage(WireModel):
    """A message of OpenAI's chat API."""

    role: MessageRole
    content: str | None


class _ModelBase(WireModel):
    messages: list[OpenAIMessage] | None = None
    tools: list[Annotated[JsonObject, AfterValidator(check_tool)]] | None = None
    tool_ids: list[str] | None = None
    knowledge_base: JsonObject | None = None
    temperature: Annotated[Number, Field(ge=0, le=2)] | None = None
    max_tokens: Annotated[Number, Field(ge=50, le=10_000)] | None = None


class CustomLlm(_ModelBase):
    """Any server that speaks OpenAI's chat completions; see Vapi's `CustomLLMModel`."""

    provider: Literal["custom-llm"]
    url: Url
    model: str
    metadata_send_mode: Literal["off", "variable", "destructured"] | None = None
    headers: JsonObject | None = None
    timeout_seconds: Annotated[Number, Field(ge=0, le=300)] | None = None


class OpenAiModel(_ModelBase):
    """OpenAI, or another server at `OPENAI_BASE_URL`, so any model name is accepted."""

    provider: Literal["openai"]
    model: str


class EmbeddedModel(_ModelBase):
    """The scripted model inside bargein."""

    provider: Literal["vapi"]
    model: str | None = None


class VendorModel(_ModelBase):
    """A model of a vendor, whose folder in `bargein.providers` has the type of its fields."""

    provider: Literal[
        "anthropic", "anthropic-bedrock", "anyscale", "cerebras", "deepinfra", "deep-seek", "google", "groq",
        "inflection-ai", "minimax", "openrouter", "perplexity-ai", "together-ai", "xai",
    ]  # fmt: skip
    model: str | None = None


AssistantModel = Annotated[CustomLlm | OpenAiModel | EmbeddedModel | VendorModel, Field(discriminator="provider")]


class CustomVoice(WireModel):
    """A server that turns text into raw PCM; see Vapi's `CustomVoice`."""

    provider: Literal["custom-voice"]
    server: Server
    voice_id: str | None = None
    caching_enabled: bool | None = None
    chunk_plan: JsonObject | None = None
    fallback_plan: JsonObject | None = None


class EmbeddedVoice(WireModel):
    """The voice inside bargein."""

    provider: Literal["vapi"]
    voice_id: str | None = None
    speed: Annotated[Number, Field(ge=0.25, le=2)] | None = None
    chunk_plan: JsonObject | None = None


class VendorVoice(WireModel):
    """A voice of a vendor, whose folder in `bargein.providers` has the type of its fields."""

    provider: Literal[
        "azure", "cartesia", "deepgram", "11labs", "hume", "lmnt", "neuphonic", "openai", "playht", "wellsaid",
        "rime-ai", "smallest-ai", "tavus", "sesame", "inworld", "minimax", "xai", "microsoft",
    ]  # fmt: skip


AssistantVoice = Annotated[CustomVoice | EmbeddedVoice | VendorVoice, Field(discriminator="provider")]


class _TranscriberBase(WireModel):
    """The languages of a transcriber: Vapi's providers have one of the two fields, or both.

    Their values are checked against the type of the provider in Vapi's contract when an assistant is stored.
    """

    language: str | None = None
    languages: list[str] | None = None

    @property
    def tags(self) -> list[str]:
        """The tags of the languages: those of `languages`, or `language`; `multi` for an empty list."""
        if self.languages:
            return self.languages
        if self.language:
            return [self.language]
        return [] if self.languages is None else ["multi"]


class CustomTranscriber(_TranscriberBase):
    """A server that turns two channels of PCM into text; see Vapi's `CustomTranscriber`."""

    provider: Literal["custom-transcriber"]
    server: Server
    fallback_plan: JsonObject | None = None


class EmbeddedTranscriber(_TranscriberBase):
    """The transcriber inside bargein."""

    provider: Literal["vapi"]


class VendorTranscriber(_TranscriberBase):
    """A transcriber of a vendor, whose folder in `bargein.providers` has the type of its fields."""

    provider: Literal[
        "assembly-ai", "azure", "deepgram", "11labs", "gladia", "google", "speechmatics", "talkscriber", "openai",
        "cartesia", "soniox", "xai",
    ]  # fmt: skip


AssistantTranscriber = Annotated[
    CustomTranscriber | EmbeddedTranscriber | VendorTranscriber, Field(discriminator="provider")
]
