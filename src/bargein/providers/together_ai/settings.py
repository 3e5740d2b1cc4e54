"""The settings of the vendor Together AI."""

from typing import ClassVar

from bargein.settings.section import BaseUrl, Section, Text, variable


class TogetherAiSettings(Section):
    """The account with Together AI."""

    table: ClassVar[str] = "together_ai"
    title: ClassVar[str] = "Together AI"

    api_key: Text | None = variable("TOGETHER_API_KEY", secret=True)
    """The key for model provider `together-ai`, where no credential is stored for it."""

    base_url: BaseUrl = variable("TOGETHER_BASE_URL", shown="https://api.together.xyz/v1")
    """Another address of Together AI's API."""
