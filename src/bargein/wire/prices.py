"""The owner's table of prices (`BARGEIN_PRICES`), in US dollars, from which the costs of a call follow."""

from collections.abc import Mapping
from typing import Annotated, TypeVar

from pydantic import Field

from bargein.wire.base import WireModel

PriceT = TypeVar("PriceT")
Price = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class ModelPrice(WireModel):
    """The prices of a model's tokens, for a million of them.

    Attributes:
        prompt: the tokens of requests.
        completion: the tokens of answers.
        cached_prompt: the tokens of requests that the vendor had in its cache; None: as `prompt`.
    """

    prompt: Price = 0.0
    completion: Price = 0.0
    cached_prompt: Price | None = None


class Prices(WireModel):
    """A table of prices. A key is `provider/model` or, for all models of a provider, `provider`.

    Attributes:
        transcriber: for a minute of the call.
        model: for a million tokens.
        voice: for 1,000 characters.
        transport: for a minute of the call; the key is the transport's provider (`twilio`, `vapi.websocket`, …).
        vapi: for a minute of the call, on this platform.
    """

    transcriber: dict[str, Price] = Field(default_factory=dict[str, Price])
    model: dict[str, ModelPrice] = Field(default_factory=dict[str, ModelPrice])
    voice: dict[str, Price] = Field(default_factory=dict[str, Price])
    transport: dict[str, Price] = Field(default_factory=dict[str, Price])
    vapi: Price | None = None


def price_of(table: Mapping[str, PriceT], provider: str, model: str) -> PriceT | None:
    """Return the price of a provider's model; None: the table has neither it nor its provider."""
    return table.get(f"{provider}/{model}", table.get(provider))
