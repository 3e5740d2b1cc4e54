"""The settings of the vendor Anyscale."""

from typing import ClassVar

from bargein.settings.section import BaseUrl, Section, Text, variable


class AnyscaleSettings(Section):
    """The account with Anyscale."""

    table: ClassVar[str] = "anyscale"
    title: ClassVar[str] = "Anyscale"

    api_key: Text | None = variable("ANYSCALE_API_KEY", secret=True)
    """The key for model provider `anyscale`, where no credential is stored for it."""

    base_url: BaseUrl = variable("ANYSCALE_BASE_URL", shown="none: it has to be set")
    """Another address of Anyscale's API."""
