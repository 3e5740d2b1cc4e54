"""The settings of the vendor LMNT."""

from typing import ClassVar

from bargein.settings.section import BaseUrl, Section, Text, variable


class LmntSettings(Section):
    """The account with LMNT."""

    table: ClassVar[str] = "lmnt"
    title: ClassVar[str] = "LMNT"

    api_key: Text | None = variable("LMNT_API_KEY", secret=True)
    """The key for voice provider `lmnt`, where no credential is stored for it."""

    base_url: BaseUrl = variable("LMNT_BASE_URL", shown="https://api.lmnt.com")
    """Another address of LMNT's API."""
