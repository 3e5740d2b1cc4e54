"""The settings of the vendor OpenAI."""

from typing import ClassVar

from bargein.settings.section import BaseUrl, Section, Text, variable


class OpenAiSettings(Section):
    """The account with OpenAI, or another server that speaks its protocol."""

    table: ClassVar[str] = "openai"
    title: ClassVar[str] = "OpenAI"

    api_key: Text | None = variable(
        "OPENAI_API_KEY", secret=True, unset="not set: model provider openai needs it, or OPENAI_BASE_URL"
    )
    """The key for model provider `openai`, where no credential is stored for it."""

    base_url: Text | None = variable(
        "OPENAI_BASE_URL",
        shown="OpenAI's own",
        unset="not set: model provider openai means OpenAI's own server",
    )
    """Any OpenAI-compatible server, for model provider `openai`."""

    audio_base_url: BaseUrl = variable("OPENAI_AUDIO_BASE_URL", shown="OpenAI's own")
    """Another address of OpenAI's transcriptions and speech, for transcriber and voice provider `openai`."""
