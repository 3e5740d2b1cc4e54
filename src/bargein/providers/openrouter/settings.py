"""The settings of the vendor OpenRouter."""

from typing import ClassVar

from bargein.settings.section import BaseUrl, Section, Text, variable


class OpenRouterSettings(Section):
    """The account with OpenRouter."""

    table: ClassVar[str] = "openrouter"
    title: ClassVar[str] = "OpenRouter"

    api_key: Text | None = variable("OPENROUTER_API_KEY", secret=True)
    """The key for model provider `openrouter`, where no credential is stored for it."""

    base_url: BaseUrl = variable("OPENROUTER_BASE_URL", shown="https://openrouter.ai/api/v1")
    """Another address of OpenRouter's API."""
