"""Who says something in a conversation, as chat models have it."""

from typing import Literal

Role = Literal["system", "user", "assistant", "tool"]
