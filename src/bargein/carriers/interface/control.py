"""Control: phone numbers, placing calls, and the `Carrier` itself."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from bargein.carriers.interface.media import Codec
from bargein.carriers.interface.webhooks import Answer, Incoming, Notice, WebhookRequest
from bargein.ports import CarrierError
from bargein.wire.base import JsonObject


@dataclass(frozen=True, slots=True)
class PhoneLine:
    """A phone number with the credential that is needed to use it.

    Attributes:
        number: the number's record with its secrets (a phone number of Vapi's, also an inline `phoneNumber`).
        credential: the decrypted credential of its `credentialId`; that of the settings if it names none; or None.
    """

    number: JsonObject = field(repr=False)
    credential: JsonObject | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Addresses:
    """The public URLs at which the carrier reaches this server for one call or one number.

    Attributes:
        voice: an `https` URL that is asked what to do with a call that comes in, or was answered.
        status: an `https` URL that is sent the progress of a call.
        media: a `wss` URL with the call's token in its path; None in the addresses of a number.
        media_token: the same token, for carriers that send it in a header of its own.
    """

    voice: str
    status: str
    media: str | None = None
    media_token: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Dial:
    """A call to be placed.

    Attributes:
        call_id: this server's id of the call.
        customer: Vapi's customer (`number`, `extension`, `sipUri`, `callerId`).
        addresses: the URLs of this call.
        ring_s: the longest time that it may ring, in seconds.
        detect_machine: True if the carrier is to find out who answered, where it can.
        machine_plan: the options of that (Vapi's `voicemailDetection`), for carriers that know such options.
        sip_headers: headers for the INVITE, where the carrier passes them on.
        configuration: the carrier's entry of the assistant's `transportConfigurations`.
    """

    call_id: str
    customer: JsonObject
    addresses: Addresses
    ring_s: int = 60
    detect_machine: bool = False
    machine_plan: JsonObject = field(default_factory=JsonObject)
    sip_headers: Mapping[str, str] = field(default_factory=dict[str, str])
    configuration: JsonObject = field(default_factory=JsonObject)


@dataclass(frozen=True, slots=True)
class Placed:
    """A call that the carrier has accepted.

    Attributes:
        carrier_call_id: the carrier's id of the call (`phoneCallProviderId`).
        details: further fields for the call's `transport`, as in `Incoming`.
    """

    carrier_call_id: str
    details: JsonObject = field(default_factory=JsonObject)


class Carrier(Protocol):
    """One carrier.

    Every awaited method limits its own time, and raises `bargein.ports.CarrierError` with a text that may be shown.

    Attributes:
        provider: the carrier's name in logs and metrics.
        can_send_dtmf: True if keys can be sent into a call.
    """

    provider: str
    can_send_dtmf: bool

    def codec(self) -> Codec:
        """Make a codec for a new media socket."""
        ...

    def verify(self, phone_line: PhoneLine, request: WebhookRequest) -> None:
        """Verify that a webhook comes from the carrier, and is recent.

        Raises:
            ForgedError: it does not, or there is nothing to verify it with.
        """
        ...

    def verify_socket(self, phone_line: PhoneLine, request: WebhookRequest, token: str) -> None:
        """Verify that a media socket's upgrade comes from the carrier; the token in its path is known to be good.

        Raises:
            ForgedError: it does not.
        """
        ...

    def read(self, request: WebhookRequest) -> Sequence[Notice]:
        """Read a verified webhook; it may hold no notice.

        Raises:
            ValueError: it cannot be read.
        """
        ...

    async def answer(self, phone_line: PhoneLine, carrier_call_id: str, addresses: Addresses) -> Answer:
        """Connect a call's audio to `addresses.media`: by the webhook's answer, by a request of its own, or both."""
        ...

    async def refuse(self, phone_line: PhoneLine, incoming: Incoming, forward_to: JsonObject | None) -> Answer:
        """Reject an incoming call, or forward it to a destination (Vapi's `fallbackDestination`)."""
        ...

    def acknowledge(self) -> Answer:
        """Return the answer to a webhook that asks for nothing."""
        ...

    async def place(self, phone_line: PhoneLine, dial: Dial) -> Placed:
        """Place a call to the customer."""
        ...

    async def hang_up(self, phone_line: PhoneLine, carrier_call_id: str) -> None:
        """End a call; a call that has ended already is no error."""
        ...

    async def send_dtmf(self, phone_line: PhoneLine, carrier_call_id: str, keys: str) -> None:
        """Send keys (as `Leg.send_dtmf`); only where `can_send_dtmf`."""
        ...

    async def send_sms(self, phone_line: PhoneLine, to: str, text: str) -> None:
        """Send a text message from the number (as `Leg.send_sms`)."""
        raise CarrierError(f"a number of the provider {self.provider} sends no text messages.")

    async def transfer(
        self, phone_line: PhoneLine, carrier_call_id: str, destination: JsonObject, addresses: Addresses
    ) -> None:
        """Transfer the caller to a number or SIP address (Vapi's `TransferDestinationNumber`, `…Sip`).

        Returns once the carrier has accepted the transfer.
        """
        ...

    async def configure_webhooks(self, phone_line: PhoneLine, addresses: Addresses) -> None:
        """Point a number's webhooks at this server, when it is imported or changed."""
        ...

    async def close(self) -> None:
        """Close all connections."""
        ...


@runtime_checkable
class SlowCarrier(Protocol):
    """A carrier whose SDK takes seconds to load."""

    async def warm_up(self) -> None:
        """Load the SDK, so that no caller has to wait for it."""
        ...
