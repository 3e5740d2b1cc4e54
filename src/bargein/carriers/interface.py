"""What a telephone carrier is to the rest of the house: a codec, a control, and its webhooks.

A carrier is a folder beside this file that exports `carrier`, a `MakeCarrier`; adding one touches nothing else but the
list in the server's composition root. The server knows no carrier's words: it takes a `WebhookRequest` to
`Carrier.verify` and `Carrier.read`, and a media socket's frames to a `Codec` (through `bargein.carriers.stream`).
A carrier whose calls come otherwise (SIP) is a `NativeCarrier`: it brings notices and `MediaLeg`s to the `CarrierHost`.

Every URL that a carrier is given holds the stored phone number's id, so that the secret with which a request must be
signed is known before anything in the request is believed; and a call's media URL holds a short-lived token that opens
that one call's socket once.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol, runtime_checkable

from bargein.clock import Clock
from bargein.errors import BargeinError
from bargein.ports import Leg
from bargein.wire.base import JsonObject

Encoding = Literal["pcm_s16le", "mulaw"]


class ForgedError(BargeinError):
    """A webhook or a socket is not its carrier's; the text says why and holds no secret."""


class FrameError(BargeinError, ValueError):
    """A frame of the media socket means nothing; it is ignored and counted. The text names what was wrong."""


@dataclass(frozen=True, slots=True)
class PhoneLine:
    """A stored phone number, and what it takes to use it.

    Attributes:
        number: the record, with its secrets (Vapi's `TwilioPhoneNumber`, …, also of an inline `phoneNumber`).
        credential: that of its `credentialId`, decrypted; of the environment where it names none; or None.
    """

    number: JsonObject = field(repr=False)
    credential: JsonObject | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the carrier reaches this node for one call or one number; all are public.

    Attributes:
        voice: an `https` URL that is asked what to do with a call that comes in, or was answered.
        status: an `https` URL that is told how a call fares.
        media: a `wss` URL, with the call's token in its path; None in what is for a number and not for one call.
        media_token: the same token, for carriers that send it as a header of its own.
    """

    voice: str
    status: str
    media: str | None = None
    media_token: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class WebhookRequest:
    """A request as it came, for its signature to be checked over.

    Attributes:
        url: the public URL that the carrier was given, with its query.
        headers: by lower-case name.
        body: as it was sent.
    """

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes


# What a webhook says.


@dataclass(frozen=True, slots=True)
class Incoming:
    """A call comes in and waits to be answered.

    Attributes:
        carrier_call_id: the carrier's name of it (`phoneCallProviderId`).
        to: the number or SIP URI that was called.
        caller: the number or SIP URI that calls, in E.164 where it is a number.
        caller_name: where the carrier says it.
        sip_headers: of the INVITE, where the carrier passes them on; by their own names.
        details: what else goes into the call's `transport`, by its names there (Vapi's `TwilioTransport`, …).
    """

    carrier_call_id: str
    to: str
    caller: str
    caller_name: str | None = None
    sip_headers: Mapping[str, str] = field(default_factory=dict[str, str])
    details: JsonObject = field(default_factory=JsonObject)


@dataclass(frozen=True, slots=True)
class Ringing:
    """A call that we placed rings at the customer's."""

    carrier_call_id: str


@dataclass(frozen=True, slots=True)
class Answered:
    """A call that we placed has been answered, or it became known by whom.

    Said at the voice URL, it gets the answer that `Carrier.answer` gives.

    Attributes:
        by: whom, where the carrier tells.
        detail: the same in the carrier's own word (`machine_end_beep`).
    """

    carrier_call_id: str
    by: Literal["human", "machine"] | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class CallEnded:
    """A call has ended, or came to nothing.

    Attributes:
        reason: an `endedReason` of Vapi's (`customer-busy`, `customer-did-not-answer`, `customer-ended-call`,
            `twilio-failed-to-connect-call`, …).
        detail: the carrier's own words for it.
    """

    carrier_call_id: str
    reason: str
    detail: str = ""


Notice = Incoming | Ringing | Answered | CallEnded


@dataclass(frozen=True, slots=True)
class Answer:
    """What a webhook is answered with."""

    body: str = ""
    content_type: str = "application/json"
    status: int = 200


# What a media socket says.


@dataclass(frozen=True, slots=True)
class Started:
    """The stream has begun; audio may be sent from now on.

    Attributes:
        carrier_call_id: the carrier's name of the call, where the stream says it.
    """

    carrier_call_id: str | None = None
    details: JsonObject = field(default_factory=JsonObject)


@dataclass(frozen=True, slots=True)
class Heard:
    """Audio of the caller, in the codec's encoding, in its right order."""

    audio: bytes


@dataclass(frozen=True, slots=True)
class MarkReached:
    """All that was sent before this mark has been played, or was dropped by a `clear`."""

    name: str


@dataclass(frozen=True, slots=True)
class Cleared:
    """The carrier has dropped what it held."""


@dataclass(frozen=True, slots=True)
class KeyPressed:
    """The caller pressed a key (RFC 4733 event or the carrier's own): 0 to 9, *, #, A to D."""

    key: str


@dataclass(frozen=True, slots=True)
class Stopped:
    """The stream is over; no audio will come or be taken any more."""


MediaEvent = Started | Heard | MarkReached | Cleared | KeyPressed | Stopped


class Waitable(Protocol):
    """What can be waited for (`anyio.Event`)."""

    def is_set(self) -> bool:
        """Whether it has come."""
        ...

    async def wait(self) -> None:
        """Return once it has."""
        ...


class MediaLeg(Leg, Protocol):
    """A caller's connection at a carrier, also as the server sees it."""

    @property
    def done(self) -> Waitable:
        """Whether it has been hung up, or is gone."""
        ...

    async def begin(self) -> None:
        """Wait until audio may be sent; whoever calls this limits the time.

        Raises:
            CarrierError: it never will.
        """
        ...

    def events(self) -> AsyncIterator[MediaEvent]:
        """What the far end says from then on, until it is gone."""
        ...

    async def farewell(self) -> str:
        """The `endedReason` once the far end is gone; waits for a transfer that is under way."""
        ...

    async def run(self) -> None:
        """Send until hung up, or until nothing can be sent any more."""
        ...


class Codec(Protocol):
    """One media socket's wire, both ways. It keeps what the wire makes it keep (stream ids, the order of chunks).

    Attributes:
        encoding: of the audio in both directions.
        rate_hz: of the audio in both directions.
        can_clear: whether the carrier drops, when told, what it holds.
        has_marks: whether the carrier says when a mark was reached.
        joins: whether binary frames that follow on each other may go out as one.
    """

    encoding: Encoding
    rate_hz: int
    can_clear: bool
    has_marks: bool
    joins: bool

    def read(self, frame: str | bytes) -> Sequence[MediaEvent]:
        """What a frame of the carrier's means; may be nothing.

        Raises:
            FrameError: it means nothing at all.
        """
        ...

    def audio(self, data: bytes) -> str | bytes:
        """A frame that carries audio in `encoding`."""
        ...

    def mark(self, name: str) -> str | bytes:
        """A frame that marks a place in the audio; only where `has_marks`."""
        ...

    def clear(self) -> str | bytes:
        """A frame that has the carrier drop what it holds; only where `can_clear`."""
        ...


# Placing and steering calls.


@dataclass(frozen=True, slots=True)
class Dial:
    """A call to be placed.

    Attributes:
        call_id: ours.
        customer: Vapi's customer (`number`, `extension`, `sipUri`, `callerId`).
        addresses: this call's.
        ring_s: how long it may ring.
        detect_machine: whether the carrier is to say who answered, where it can.
        machine_plan: how (Vapi's `TwilioVoicemailDetectionPlan`), for the carrier that knows such.
        sip_headers: to go with the INVITE, where the carrier passes them on.
    """

    call_id: str
    customer: JsonObject
    addresses: Addresses
    ring_s: int = 60
    detect_machine: bool = False
    machine_plan: JsonObject = field(default_factory=JsonObject)
    sip_headers: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class Placed:
    """A call that the carrier has taken.

    Attributes:
        carrier_call_id: the carrier's name of it (`phoneCallProviderId`).
        details: as of `Incoming`.
    """

    carrier_call_id: str
    details: JsonObject = field(default_factory=JsonObject)


class Carrier(Protocol):
    """One carrier.

    Every method that is awaited has a time limit of its own, and raises `bargein.ports.CarrierError` with words that
    may be shown.

    Attributes:
        provider: a phone number's `provider`.
        can_press: whether keys can be sent into a call.
    """

    provider: str
    can_send_dtmf: bool

    def codec(self) -> Codec:
        """For a new media socket."""
        ...

    def verify(self, line: PhoneLine, request: WebhookRequest) -> None:
        """See that a webhook is the carrier's own, and fresh.

        Raises:
            ForgedError: it is not, or there is nothing to check it with.
        """
        ...

    def verify_socket(self, line: PhoneLine, request: WebhookRequest, token: str) -> None:
        """See that a media socket's upgrade is the carrier's own. Its token in the path has been found good.

        Raises:
            ForgedError: it is not.
        """
        ...

    def read(self, request: WebhookRequest) -> Sequence[Notice]:
        """What a verified webhook says; nothing for what does not matter here.

        Raises:
            ValueError: it cannot be read.
        """
        ...

    async def answer(self, line: PhoneLine, carrier_call_id: str, addresses: Addresses) -> Answer:
        """Have a call's audio come to `addresses.media`: by the webhook's answer, by a request of its own, or both."""
        ...

    async def refuse(self, line: PhoneLine, incoming: Incoming, forward_to: JsonObject | None) -> Answer:
        """Turn a call away that nobody takes; with a destination (Vapi's `fallbackDestination`) forward it there."""
        ...

    def settled(self) -> Answer:
        """What a webhook is answered with that needs no answer."""
        ...

    async def place(self, line: PhoneLine, dial: Dial) -> Placed:
        """Ring the customer."""
        ...

    async def hang_up(self, line: PhoneLine, carrier_call_id: str) -> None:
        """End a call; one that is over already is no error."""
        ...

    async def send_dtmf(self, line: PhoneLine, carrier_call_id: str, keys: str) -> None:
        """Press keys (as `Leg.press`); only where `can_press`."""
        ...

    async def transfer(
        self, line: PhoneLine, carrier_call_id: str, destination: JsonObject, addresses: Addresses
    ) -> None:
        """Give the caller to a number or SIP address (Vapi's `TransferDestinationNumber`, `TransferDestinationSip`).

        Returns once the carrier has taken it over.
        """
        ...

    async def configure_webhooks(self, line: PhoneLine, addresses: Addresses) -> None:
        """Point a number's webhooks at this server (importing it)."""
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...


@runtime_checkable
class SlowCarrier(Protocol):
    """A carrier whose SDK takes seconds to load."""

    async def warm_up(self) -> None:
        """Load it now, so that no caller has to wait for it."""
        ...


class MakeCarrier(Protocol):
    """What a carrier's folder exports as `carrier`. It is called once, on the event loop."""

    def __call__(self, clock: Clock, api_url: str | None, /) -> Carrier:
        """Make the carrier.

        Args:
            clock: the one clock.
            api_url: where the carrier's API is; None: where it always is.
        """
        ...


# Carriers without webhooks and media sockets.


@dataclass(frozen=True, slots=True)
class Accepted:
    """An incoming call has somebody who takes it: answer it and bring its leg to `CarrierHost.hold`.

    Attributes:
        call_id: ours.
    """

    call_id: str


@dataclass(frozen=True, slots=True)
class Rejected:
    """Nobody takes an incoming call: end it, or forward it (Vapi's `fallbackDestination`, a hook's `transfer`)."""

    forward_to: JsonObject | None = None


class CarrierHost(Protocol):
    """The server, as carriers reach it that bring their calls themselves."""

    async def lines(self, provider: str) -> Mapping[str, PhoneLine]:
        """The stored numbers of a provider, by their ids; as they stand now."""
        ...

    async def incoming(self, provider: str, number_id: str, incoming: Incoming) -> Accepted | Rejected:
        """A call came in; the same one (by its `carrier_call_id`) gets the same answer."""
        ...

    async def notice(self, provider: str, notice: Ringing | Answered | CallEnded) -> None:
        """Something became of a call."""
        ...

    async def run_call(self, call_id: str, leg: MediaLeg) -> None:
        """Hold a call that was taken, or was placed and answered, until it is over.

        Raises:
            CarrierError: it cannot be held any more; the leg is to be hung up.
        """
        ...

    def refused(self, provider: str, reason: str) -> None:
        """Count something that made no sense (a packet of noise, an INVITE of a stranger), by a short word for it."""
        ...


class NativeCarrier(Carrier, Protocol):
    """A carrier that brings its calls itself. Its webhook methods raise `ForgedError` or `NotImplementedError`."""

    @property
    def problem(self) -> str | None:
        """Why it can neither place nor take calls now; None if it can."""
        ...

    async def run(self, house: CarrierHost) -> None:
        """Work until cancelled; started with the server."""
        ...
