"""The telephone calls that this server has to do with, from their first sign to their end."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import anyio

from bargein.call.session import CallSession
from bargein.carriers.interface import Addresses, Carrier, PhoneLine
from bargein.carriers.stream import CallControl


@dataclass(frozen=True, slots=True)
class NumberEndpoint:
    """A number, as its carrier's addresses name it.

    Attributes:
        provider: of the number.
        number_id: its id, or what stands for it.
        carrier: whose it is.
        phone_line: the number and what proves whose it is.
    """

    provider: str
    number_id: str
    carrier: Carrier
    phone_line: PhoneLine


@dataclass(slots=True, eq=False, kw_only=True)
class PhoneCall:
    """One call.

    Attributes:
        id: ours.
        endpoint: that it came in or goes out by.
        outbound: whether we placed it.
        addresses: where the carrier reaches it.
        carrier_call_id: the carrier's name of it; None: it has not been placed yet.
        session: once it is live.
        answered: it has been answered, or is over.
        connected: its audio has come, or it is over.
        by: who answered, human or machine, and the carrier's own word for it; None: it has not said.
        over: why it is over, if it is.
    """

    id: str
    endpoint: NumberEndpoint
    outbound: bool
    addresses: Addresses
    carrier_call_id: str | None = None
    session: CallSession | None = None
    answered: anyio.Event = field(default_factory=anyio.Event)
    connected: anyio.Event = field(default_factory=anyio.Event)
    by: tuple[str, str] | None = None
    over: str | None = None

    def end(self, reason: str) -> bool:
        """It is over; False if it was already."""
        if self.over is not None:
            return False
        self.over = reason
        self.answered.set()
        self.connected.set()
        return True

    def control(self) -> CallControl:
        """What steers it.

        Raises:
            LookupError: it has not been placed yet.
        """
        if self.carrier_call_id is None:
            raise LookupError("the call has not been placed yet")
        return CallControl(self.endpoint.carrier, self.endpoint.phone_line, self.carrier_call_id, self.addresses)


class PhoneCallRegistry:
    """The calls by their names."""

    def __init__(self) -> None:
        self._calls: dict[str, PhoneCall] = {}
        self._named: dict[tuple[str, str], PhoneCall] = {}
        self._placing = 0
        self._placed = anyio.Event()

    def __iter__(self) -> Iterator[PhoneCall]:
        """All of them, as they are now."""
        return iter(tuple(self._calls.values()))

    def find(self, call_id: str) -> PhoneCall | None:
        """By our name."""
        return self._calls.get(call_id)

    def enter(self, call: PhoneCall) -> None:
        """Take one in, under the names that it has by now."""
        self._calls[call.id] = call
        if call.carrier_call_id is not None:
            self._named[call.endpoint.provider, call.carrier_call_id] = call

    def placing(self) -> None:
        """A carrier is asked to place a call: it may tell of it before it has told its name."""
        self._placing += 1

    def placed(self) -> None:
        """It has answered."""
        self._placing -= 1
        self._placed.set()
        self._placed = anyio.Event()

    async def named(self, provider: str, carrier_call_id: str, wait_s: float) -> PhoneCall | None:
        """By the carrier's name; waits a little for one that is just being placed."""
        with anyio.move_on_after(wait_s):
            while (provider, carrier_call_id) not in self._named and self._placing:
                await self._placed.wait()
        return self._named.get((provider, carrier_call_id))

    def strike(self, call: PhoneCall) -> None:
        """Forget one."""
        self._calls.pop(call.id, None)
        if call.carrier_call_id is not None:
            self._named.pop((call.endpoint.provider, call.carrier_call_id), None)
