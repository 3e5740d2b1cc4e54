"""The roles of a conversation's messages, as chat models have them."""

from typing import Literal

Role = Literal["system", "user", "assistant", "tool"]
