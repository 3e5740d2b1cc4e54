"""The settings of the vendor Hume."""

from typing import ClassVar

from bargein.settings.section import BaseUrl, Section, Text, variable


class HumeSettings(Section):
    """The account with Hume."""

    table: ClassVar[str] = "hume"
    title: ClassVar[str] = "Hume"

    api_key: Text | None = variable("HUME_API_KEY", secret=True)
    """The key for voice provider `hume`, where no credential is stored for it."""

    base_url: BaseUrl = variable("HUME_BASE_URL", shown="https://api.hume.ai")
    """Another address of Hume's API."""
