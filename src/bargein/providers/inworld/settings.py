"""The settings of the vendor Inworld."""

from typing import ClassVar

from bargein.settings.section import BaseUrl, Section, Text, variable


class InworldSettings(Section):
    """The account with Inworld."""

    table: ClassVar[str] = "inworld"
    title: ClassVar[str] = "Inworld"

    api_key: Text | None = variable("INWORLD_API_KEY", secret=True)
    """The key for voice provider `inworld`, where no credential is stored for it."""

    base_url: BaseUrl = variable("INWORLD_BASE_URL", shown="https://api.inworld.ai")
    """Another address of Inworld's API."""
