"""The messages between the server and its SIP agent: orders and reports, as JSON objects.

The server sends numbered orders; the agent answers each of them once (`Done`), and reports by itself what happens to
calls. A call is named by the agent or the server, never by its SIP Call-ID, which the far end chooses.
"""

from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter, ValidationError

from bargein.errors import BargeinError

MediaEncryption = Literal["none", "offered", "required"]
"""The encryption of RTP (SRTP, RFC 4568): never, where the far end asks for it, or always."""

Transport = Literal["udp", "tcp", "tls"]


class MessageError(BargeinError, ValueError):
    """A message cannot be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """The identity of the agent towards a trunk.

    Attributes:
        user: the user part of its address: the calling number.
        domain: the host of its address, with a port if that is not 5060.
        auth_user: the user of digest authentication; None: there is none.
        password: that user's password.
        proxy: the host and port to which requests are sent instead of to the domain.
    """

    user: str
    domain: str
    transport: Transport = "udp"
    encryption: MediaEncryption = "none"
    auth_user: str | None = None
    password: str | None = field(default=None, repr=False)
    proxy: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One gateway to try.

    Attributes:
        account: the identity of the caller.
        uri: the SIP URI to call.
        headers: headers for the INVITE.
    """

    account: Account
    uri: str
    headers: dict[str, str] = field(default_factory=dict[str, str])


# Orders of the server.


@dataclass(frozen=True, slots=True, kw_only=True)
class Configure:
    """The first order, which all others must follow.

    Attributes:
        listen: address and port of SIP; TLS listens on the next port.
        transports: the transports to listen on.
        certificate: a PEM file with chain and key, for TLS.
        authorities: a PEM file with the authorities that trunks' certificates are verified with.
        rtp_ports: first and last port of audio.
        interface: the network interface, or local address, of audio; None: the system's choice.
        headers: the names of the headers of an INVITE that are passed on.
        most_calls: the number of simultaneous calls above which further calls are refused (486).
    """

    order: int
    listen: str
    transports: tuple[Transport, ...] = ("udp",)
    certificate: str | None = None
    authorities: str | None = None
    rtp_ports: tuple[int, int] = (10_000, 20_000)
    interface: str | None = None
    headers: tuple[str, ...] = ()
    most_calls: int = 100
    do: Literal["configure"] = "configure"


@dataclass(frozen=True, slots=True, kw_only=True)
class Register:
    """Register these accounts with their trunks (REGISTER), beside those that are registered already."""

    order: int
    accounts: tuple[Account, ...]
    do: Literal["register"] = "register"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Answer an incoming call; `Established` follows."""

    order: int
    call: str
    do: Literal["answer"] = "answer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refuse:
    """Reject an incoming call; with `forward`, answer it and transfer it there (REFER)."""

    order: int
    call: str
    forward: str | None = None
    do: Literal["refuse"] = "refuse"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Place a call; done once the first INVITE was sent.

    Attributes:
        attempts: the gateways to try, in order.
        ring_s: the time for all attempts together.
        keys: keys to send once the call is answered (`customer.extension`).
    """

    order: int
    call: str
    attempts: tuple[Attempt, ...]
    ring_s: float = 60.0
    keys: str = ""
    do: Literal["place"] = "place"


@dataclass(frozen=True, slots=True, kw_only=True)
class HangUp:
    """End a call; a call that has ended already is no error."""

    order: int
    call: str
    do: Literal["hang-up"] = "hang-up"


@dataclass(frozen=True, slots=True, kw_only=True)
class SendDtmf:
    """Send keys (RFC 4733, or INFO if the far end has no such events); `w` waits half a second, `W` one second."""

    order: int
    call: str
    keys: str
    do: Literal["send-dtmf"] = "send-dtmf"


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """Transfer a call (REFER); done once the far end reports (NOTIFY) that the new call was answered."""

    order: int
    call: str
    uri: str
    timeout_s: float = 30.0
    do: Literal["transfer"] = "transfer"


Order = Configure | Register | Answer | Refuse | Place | HangUp | SendDtmf | Transfer


# Reports of the agent.


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """An order was carried out, or failed: then `problem` is the reason, in words that may be shown."""

    order: int
    problem: str | None = None
    report: Literal["done"] = "done"


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat:
    """The agent and its SIP thread respond; sent every two seconds.

    Attributes:
        calls: the number of current calls.
    """

    calls: int = 0
    report: Literal["heartbeat"] = "heartbeat"


@dataclass(frozen=True, slots=True, kw_only=True)
class Invited:
    """A call comes in and rings.

    Attributes:
        sip_call_id: the Call-ID.
        caller: the URI of the caller.
        headers: the headers that are passed on, by the names of `Configure`.
    """

    call: str
    sip_call_id: str
    caller: str
    headers: dict[str, str] = field(default_factory=dict[str, str])
    report: Literal["invited"] = "invited"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rings:
    """An outbound call rings at the customer's."""

    call: str
    sip_call_id: str = ""
    report: Literal["rings"] = "rings"


@dataclass(frozen=True, slots=True, kw_only=True)
class Established:
    """A call was answered, by the agent or by the customer, and its audio runs.

    Attributes:
        channel: the channel of the link that carries its audio.
        rate_hz: the sampling rate of the audio (16 bit, mono): 8000 for G.711, 16000 for wideband codecs.
    """

    call: str
    channel: int
    rate_hz: int
    sip_call_id: str = ""
    report: Literal["established"] = "established"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A call is over.

    Attributes:
        established: True if it had been answered.
        status: the SIP status with which it failed; None if there was none.
        detail: the reason in words.
        timed_out: True if nobody answered in time.
    """

    call: str
    established: bool
    status: int | None = None
    detail: str = ""
    timed_out: bool = False
    report: Literal["ended"] = "ended"


Report = Done | Heartbeat | Invited | Rings | Established | Ended

_ORDER: TypeAdapter[Order] = TypeAdapter(Annotated[Order, Field(discriminator="do")])
_REPORT: TypeAdapter[Report] = TypeAdapter(Annotated[Report, Field(discriminator="report")])


def write_order(order: Order) -> bytes:
    """Write an order as JSON."""
    return _ORDER.dump_json(order)


def read_order(data: bytes) -> Order:
    """Read an order.

    Raises:
        MessageError: the data is not an order; the text does not quote it, because it may hold secrets.
    """
    try:
        return _ORDER.validate_json(data)
    except ValidationError as error:
        raise MessageError(f"not an order: {error.error_count()} findings") from None


def write_report(report: Report) -> bytes:
    """Write a report as JSON."""
    return _REPORT.dump_json(report)


def read_report(data: bytes) -> Report:
    """Read a report.

    Raises:
        MessageError: the data is not a report.
    """
    try:
        return _REPORT.validate_json(data)
    except ValidationError as error:
        raise MessageError(f"not a report: {error.error_count()} findings") from None
