"""The settings of the vendor Gladia."""

from typing import ClassVar

from bargein.settings.section import BaseUrl, Section, Text, variable


class GladiaSettings(Section):
    """The account with Gladia."""

    table: ClassVar[str] = "gladia"
    title: ClassVar[str] = "Gladia"

    api_key: Text | None = variable("GLADIA_API_KEY", secret=True)
    """The key for transcriber provider `gladia`, where no credential is stored for it."""

    base_url: BaseUrl = variable("GLADIA_BASE_URL", shown="https://api.gladia.io")
    """Another address of Gladia's API."""
