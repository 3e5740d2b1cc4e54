"""The settings of the vendor Cartesia."""

from typing import ClassVar

from bargein.settings.section import BaseUrl, Section, Text, variable


class CartesiaSettings(Section):
    """The account with Cartesia."""

    table: ClassVar[str] = "cartesia"
    title: ClassVar[str] = "Cartesia"

    api_key: Text | None = variable("CARTESIA_API_KEY", secret=True)
    """The key for transcriber and voice provider `cartesia`, where no credential is stored for it."""

    base_url: BaseUrl = variable("CARTESIA_BASE_URL", shown="https://api.cartesia.ai")
    """Another address of Cartesia's API."""
