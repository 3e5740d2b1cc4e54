"""The settings of the vendor Deepgram."""

from typing import ClassVar

from bargein.settings.section import BaseUrl, Section, Text, variable


class DeepgramSettings(Section):
    """The account with Deepgram."""

    table: ClassVar[str] = "deepgram"
    title: ClassVar[str] = "Deepgram"

    api_key: Text | None = variable("DEEPGRAM_API_KEY", secret=True)
    """The key for transcriber and voice provider `deepgram`, where no credential is stored for it."""

    base_url: BaseUrl = variable("DEEPGRAM_BASE_URL", shown="https://api.deepgram.com")
    """Another address of Deepgram's API."""
