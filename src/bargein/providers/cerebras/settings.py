"""The settings of the vendor Cerebras."""

from typing import ClassVar

from bargein.settings.section import BaseUrl, Section, Text, variable


class CerebrasSettings(Section):
    """The account with Cerebras."""

    table: ClassVar[str] = "cerebras"
    title: ClassVar[str] = "Cerebras"

    api_key: Text | None = variable("CEREBRAS_API_KEY", secret=True)
    """The key for model provider `cerebras`, where no credential is stored for it."""

    base_url: BaseUrl = variable("CEREBRAS_BASE_URL", shown="https://api.cerebras.ai/v1")
    """Another address of Cerebras's API."""
