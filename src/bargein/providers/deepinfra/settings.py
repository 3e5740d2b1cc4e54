"""The settings of the vendor DeepInfra."""

from typing import ClassVar

from bargein.settings.section import BaseUrl, Section, Text, variable


class DeepInfraSettings(Section):
    """The account with DeepInfra."""

    table: ClassVar[str] = "deepinfra"
    title: ClassVar[str] = "DeepInfra"

    api_key: Text | None = variable("DEEPINFRA_API_KEY", secret=True)
    """The key for model provider `deepinfra`, where no credential is stored for it."""

    base_url: BaseUrl = variable("DEEPINFRA_BASE_URL", shown="https://api.deepinfra.com/v1/openai")
    """Another address of DeepInfra's API."""
