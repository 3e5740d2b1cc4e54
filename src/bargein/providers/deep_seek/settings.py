"""The settings of the vendor DeepSeek."""

from typing import ClassVar

from bargein.settings.section import BaseUrl, Section, Text, variable


class DeepSeekSettings(Section):
    """The account with DeepSeek."""

    table: ClassVar[str] = "deep_seek"
    title: ClassVar[str] = "DeepSeek"

    api_key: Text | None = variable("DEEPSEEK_API_KEY", secret=True)
    """The key for model provider `deep-seek`, where no credential is stored for it."""

    base_url: BaseUrl = variable("DEEPSEEK_BASE_URL", shown="https://api.deepseek.com")
    """Another address of DeepSeek's API."""
