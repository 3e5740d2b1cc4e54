"""The settings of the vendor Neuphonic."""

from typing import ClassVar

from bargein.settings.section import BaseUrl, Section, Text, variable


class NeuphonicSettings(Section):
    """The account with Neuphonic."""

    table: ClassVar[str] = "neuphonic"
    title: ClassVar[str] = "Neuphonic"

    api_key: Text | None = variable("NEUPHONIC_API_KEY", secret=True)
    """The key for voice provider `neuphonic`, where no credential is stored for it."""

    base_url: BaseUrl = variable("NEUPHONIC_BASE_URL", shown="https://api.neuphonic.com")
    """Another address of Neuphonic's API."""
