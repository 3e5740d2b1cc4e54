"""The settings of the vendor ElevenLabs."""

from typing import ClassVar

from bargein.settings.section import BaseUrl, Section, Text, variable


class ElevenLabsSettings(Section):
    """The account with ElevenLabs."""

    table: ClassVar[str] = "elevenlabs"
    title: ClassVar[str] = "ElevenLabs"

    api_key: Text | None = variable("ELEVENLABS_API_KEY", secret=True)
    """The key for transcriber and voice provider `11labs`, where no credential is stored for it."""

    base_url: BaseUrl = variable("ELEVENLABS_BASE_URL", shown="https://api.elevenlabs.io")
    """Another address of ElevenLabs's API."""
