"""The settings of the vendor WellSaid."""

from typing import ClassVar

from bargein.settings.section import BaseUrl, Section, Text, variable


class WellSaidSettings(Section):
    """The account with WellSaid."""

    table: ClassVar[str] = "wellsaid"
    title: ClassVar[str] = "WellSaid"

    api_key: Text | None = variable("WELLSAID_API_KEY", secret=True)
    """The key for voice provider `wellsaid`, where no credential is stored for it."""

    base_url: BaseUrl = variable("WELLSAID_BASE_URL", shown="https://api.wellsaidlabs.com")
    """Another address of WellSaid's API."""
