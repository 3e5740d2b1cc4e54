"""The settings of the vendor MiniMax."""

from typing import ClassVar

from bargein.settings.section import BaseUrl, Section, Text, variable


class MinimaxSettings(Section):
    """The account with MiniMax."""

    table: ClassVar[str] = "minimax"
    title: ClassVar[str] = "MiniMax"

    api_key: Text | None = variable("MINIMAX_API_KEY", secret=True)
    """The key for model and voice provider `minimax`, where no credential is stored for it."""

    group_id: Text | None = variable("MINIMAX_GROUP_ID")
    """The group of the account, where no credential names one."""

    base_url: BaseUrl = variable("MINIMAX_BASE_URL", shown="https://api.minimax.io/v1")
    """Another address of MiniMax's API."""
