"""The settings of the vendor Inflection AI."""

from typing import ClassVar

from bargein.settings.section import BaseUrl, Section, Text, variable


class InflectionAiSettings(Section):
    """The account with Inflection AI."""

    table: ClassVar[str] = "inflection_ai"
    title: ClassVar[str] = "Inflection AI"

    api_key: Text | None = variable("INFLECTION_API_KEY", secret=True)
    """The key for model provider `inflection-ai`, where no credential is stored for it."""

    base_url: BaseUrl = variable(
        "INFLECTION_BASE_URL", shown="https://api.inflection.ai/external/api/inference/openai/v1"
    )
    """Another address of Inflection AI's API."""
