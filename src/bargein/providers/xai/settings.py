"""The settings of the vendor xAI."""

from typing import ClassVar

from bargein.settings.section import BaseUrl, Section, Text, variable


class XaiSettings(Section):
    """The account with xAI."""

    table: ClassVar[str] = "xai"
    title: ClassVar[str] = "xAI"

    api_key: Text | None = variable("XAI_API_KEY", secret=True)
    """The key for model, transcriber and voice provider `xai`, where no credential is stored for it."""

    base_url: BaseUrl = variable("XAI_BASE_URL", shown="https://api.x.ai/v1")
    """Another address of xAI's API."""
