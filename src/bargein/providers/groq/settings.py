"""The settings of the vendor Groq."""

from typing import ClassVar

from bargein.settings.section import BaseUrl, Section, Text, variable


class GroqSettings(Section):
    """The account with Groq."""

    table: ClassVar[str] = "groq"
    title: ClassVar[str] = "Groq"

    api_key: Text | None = variable("GROQ_API_KEY", secret=True)
    """The key for model provider `groq`, where no credential is stored for it."""

    base_url: BaseUrl = variable("GROQ_BASE_URL", shown="https://api.groq.com/openai/v1")
    """Another address of Groq's API."""
