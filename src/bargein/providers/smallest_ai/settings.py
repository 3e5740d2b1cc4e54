"""The settings of the vendor Smallest AI."""

from typing import ClassVar

from bargein.settings.section import BaseUrl, Section, Text, variable


class SmallestAiSettings(Section):
    """The account with Smallest AI."""

    table: ClassVar[str] = "smallest_ai"
    title: ClassVar[str] = "Smallest AI"

    api_key: Text | None = variable("SMALLEST_API_KEY", secret=True)
    """The key for voice provider `smallest-ai`, where no credential is stored for it."""

    base_url: BaseUrl = variable("SMALLEST_BASE_URL", shown="https://api.smallest.ai")
    """Another address of Smallest AI's API."""
