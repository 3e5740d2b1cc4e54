"""The settings of the vendor Speechmatics."""

from typing import ClassVar

from bargein.settings.section import BaseUrl, Section, Text, variable


class SpeechmaticsSettings(Section):
    """The account with Speechmatics."""

    table: ClassVar[str] = "speechmatics"
    title: ClassVar[str] = "Speechmatics"

    api_key: Text | None = variable("SPEECHMATICS_API_KEY", secret=True)
    """The key for transcriber provider `speechmatics`, where no credential is stored for it."""

    base_url: BaseUrl = variable("SPEECHMATICS_BASE_URL", shown="https://eu.rt.speechmatics.com")
    """Another address of Speechmatics's API."""
