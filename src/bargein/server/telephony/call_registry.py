"""The registry of telephone calls, from their first notice to their end."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import anyio

from bargein.call.session import CallSession
from bargein.carriers.interface import Addresses, Carrier, PhoneLine
from bargein.carriers.registry import BY_PROVIDER
from bargein.carriers.stream import CallControl


@dataclass(frozen=True, slots=True)
class NumberEndpoint:
    """A number with its carrier.

    Attributes:
        provider: the number's provider.
        number_id: the number's id in URLs: its own, or one made of the call's id for an inline number.
        carrier: the number's carrier.
        phone_line: the number and its credential.
    """

    provider: str
    number_id: str
    carrier: Carrier
    phone_line: PhoneLine

    @property
    def failed_to_connect(self) -> str:
        """The `endedReason` of a call that the carrier would not place or connect."""
        return BY_PROVIDER[self.provider].names.failed_to_connect


@dataclass(slots=True, eq=False, kw_only=True)
class PhoneCall:
    """One telephone call.

    Attributes:
        id: this server's id of the call.
        endpoint: the number that was called, or that it goes out by.
        outbound: True if this server places it.
        addresses: the URLs at which the carrier reaches this server about the call.
        carrier_call_id: the carrier's id of the call; None until it was placed.
        session: the session, once the call has one.
        answered: set once it was answered, or is over.
        connected: set once its audio was connected, or it is over.
        answered_by: human or machine, with the carrier's own word for it; None if the carrier has not said.
        ended_reason: the reason of its end; None while it goes on.
    """

    id: str
    endpoint: NumberEndpoint
    outbound: bool
    addresses: Addresses
    carrier_call_id: str | None = None
    session: CallSession | None = None
    answered: anyio.Event = field(default_factory=anyio.Event)
    connected: anyio.Event = field(default_factory=anyio.Event)
    answered_by: tuple[str, str] | None = None
    ended_reason: str | None = None

    def end(self, reason: str) -> bool:
        """Mark the call as over; return False if it was before."""
        if self.ended_reason is not None:
            return False
        self.ended_reason = reason
        self.answered.set()
        self.connected.set()
        return True

    def control(self) -> CallControl:
        """Return the control of the call at its carrier.

        Raises:
            LookupError: it was not placed yet.
        """
        if self.carrier_call_id is None:
            raise LookupError("the call has not been placed yet")
        return CallControl(self.endpoint.carrier, self.endpoint.phone_line, self.carrier_call_id, self.addresses)


class PhoneCallRegistry:
    """The calls, by this server's ids and by the carriers'."""

    def __init__(self) -> None:
        self._calls: dict[str, PhoneCall] = {}
        self._by_carrier_id: dict[tuple[str, str], PhoneCall] = {}
        self._placing = 0
        self._placed = anyio.Event()

    def __iter__(self) -> Iterator[PhoneCall]:
        """Iterate over the calls of this moment."""
        return iter(tuple(self._calls.values()))

    def find(self, call_id: str) -> PhoneCall | None:
        """Return a call by this server's id."""
        return self._calls.get(call_id)

    def add(self, call: PhoneCall) -> None:
        """Add a call under the ids that it has by now."""
        self._calls[call.id] = call
        if call.carrier_call_id is not None:
            self._by_carrier_id[call.endpoint.provider, call.carrier_call_id] = call

    def begin_placing(self) -> None:
        """Note that a carrier is asked to place a call: its notices may come before the call's id is known."""
        self._placing += 1

    def end_placing(self) -> None:
        """Note that the carrier has responded."""
        self._placing -= 1
        self._placed.set()
        self._placed = anyio.Event()

    async def find_by_carrier_id(self, provider: str, carrier_call_id: str, wait_s: float) -> PhoneCall | None:
        """Return a call by the carrier's id; wait up to `wait_s` seconds while a call is being placed."""
        with anyio.move_on_after(wait_s):
            while (provider, carrier_call_id) not in self._by_carrier_id and self._placing:
                await self._placed.wait()
        return self._by_carrier_id.get((provider, carrier_call_id))

    def remove(self, call: PhoneCall) -> None:
        """Remove a call."""
        self._calls.pop(call.id, None)
        if call.carrier_call_id is not None:
            self._by_carrier_id.pop((call.endpoint.provider, call.carrier_call_id), None)
