"""Carriers without webhooks and media sockets, which bring their calls to the server themselves."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from bargein.carriers.interface.control import Carrier, PhoneLine
from bargein.carriers.interface.media import MediaLeg
from bargein.carriers.interface.webhooks import Answered, CallEnded, Incoming, Ringing
from bargein.wire.base import JsonObject


@dataclass(frozen=True, slots=True)
class Accepted:
    """An incoming call has an assistant: answer it and pass its leg to `CarrierHost.run_call`.

    Attributes:
        call_id: this server's id of the call.
    """

    call_id: str


@dataclass(frozen=True, slots=True)
class Rejected:
    """An incoming call has no assistant: reject or forward it (Vapi's `fallbackDestination`, a hook's `transfer`)."""

    forward_to: JsonObject | None = None


class CarrierHost(Protocol):
    """The server, as native carriers use it."""

    async def phone_lines(self, provider: str) -> Mapping[str, PhoneLine]:
        """Return the stored numbers of a provider at this moment, by their ids."""
        ...

    async def incoming(self, provider: str, number_id: str, incoming: Incoming) -> Accepted | Rejected:
        """Report an incoming call; the same call (by its `carrier_call_id`) gets the same result."""
        ...

    async def notice(self, provider: str, notice: Ringing | Answered | CallEnded) -> None:
        """Report the progress of a call."""
        ...

    async def run_call(self, call_id: str, leg: MediaLeg) -> None:
        """Run a call that was accepted, or was placed and answered, until it is over.

        Raises:
            CarrierError: the call is over, or has a leg already; this leg is to be hung up.
        """
        ...

    def count_refusal(self, provider: str, reason: str) -> None:
        """Count bad input (an unreadable packet, an INVITE of an unknown source), by a short word for the reason."""
        ...


class NativeCarrier(Carrier, Protocol):
    """A carrier that brings its calls itself. Its webhook methods raise `ForgedError` or `NotImplementedError`."""

    @property
    def problem(self) -> str | None:
        """The reason why it can neither place nor receive calls now; None if it can."""
        ...

    async def run(self, host: CarrierHost) -> None:
        """Work until cancelled; the server starts it."""
        ...
