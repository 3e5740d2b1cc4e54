"""The settings of the vendor Rime."""

from typing import ClassVar

from bargein.settings.section import BaseUrl, Section, Text, variable


class RimeAiSettings(Section):
    """The account with Rime."""

    table: ClassVar[str] = "rime_ai"
    title: ClassVar[str] = "Rime"

    api_key: Text | None = variable("RIME_API_KEY", secret=True)
    """The key for voice provider `rime-ai`, where no credential is stored for it."""

    base_url: BaseUrl = variable("RIME_BASE_URL", shown="https://users-ws.rime.ai")
    """Another address of Rime's API."""
