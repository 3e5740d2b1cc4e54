"""The settings of the vendor Perplexity."""

from typing import ClassVar

from bargein.settings.section import BaseUrl, Section, Text, variable


class PerplexitySettings(Section):
    """The account with Perplexity."""

    table: ClassVar[str] = "perplexity_ai"
    title: ClassVar[str] = "Perplexity"

    api_key: Text | None = variable("PERPLEXITY_API_KEY", secret=True)
    """The key for model provider `perplexity-ai`, where no credential is stored for it."""

    base_url: BaseUrl = variable("PERPLEXITY_BASE_URL", shown="https://api.perplexity.ai")
    """Another address of Perplexity's API."""
