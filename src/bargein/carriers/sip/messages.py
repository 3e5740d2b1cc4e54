"""What the server and its SIP agent say to each other about calls: JSON objects, over a link that only they hold.

The server gives orders, each with a number; the agent answers each of them once, and tells of its own accord what
happens to calls. A call is known by the agent's or the server's own name for it, never by its SIP Call-ID, which the
far end chooses.
"""

from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter, ValidationError

from bargein.errors import BargeinError

MediaEncryption = Literal["none", "offered", "required"]
"""Whether RTP is encrypted (SRTP, RFC 4568): never, where the far end wants it, or always."""

Transport = Literal["udp", "tcp", "tls"]


class MessageError(BargeinError, ValueError):
    """A message means nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Who the agent is towards a trunk.

    Attributes:
        user: the user part of its address: the number that calls.
        domain: the host of its address, with a port where it is not 5060.
        auth_user: whom the trunk knows (digest); None: nobody.
        password: the trunk's, for that user.
        proxy: a host and port that requests go through instead of to the domain.
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
        account: as whom.
        uri: the SIP URI to call.
        headers: to go with the INVITE.
    """

    account: Account
    uri: str
    headers: dict[str, str] = field(default_factory=dict[str, str])


# Orders of the server.


@dataclass(frozen=True, slots=True, kw_only=True)
class Configure:
    """The first order; nothing else is taken before it.

    Attributes:
        listen: address and port of SIP; TLS listens on the next port.
        transports: that are listened on.
        certificate: a PEM file with chain and key, for TLS.
        authorities: a PEM file with the certificates that trunks' are checked against.
        rtp_ports: first and last port of audio.
        interface: the network interface, or local address, of audio; None: the system's choice.
        headers: of an INVITE that are passed on.
        most_calls: more calls at once are refused (486).
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
    """Hold these registrations with trunks' registrars (REGISTER), beside those that are held already."""

    order: int
    accounts: tuple[Account, ...]
    do: Literal["register"] = "register"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Take a call that came in; `Taken` follows."""

    order: int
    call: str
    do: Literal["answer"] = "answer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refuse:
    """Turn a call away that came in; with `forward`, take it and send it there (REFER)."""

    order: int
    call: str
    forward: str | None = None
    do: Literal["refuse"] = "refuse"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Ring somebody; answered once the first INVITE is on its way.

    Attributes:
        attempts: gateways, in order.
        ring_s: how long all of it may take.
        keys: pressed once it is answered (`customer.extension`).
    """

    order: int
    call: str
    attempts: tuple[Attempt, ...]
    ring_s: float = 60.0
    keys: str = ""
    do: Literal["place"] = "place"


@dataclass(frozen=True, slots=True, kw_only=True)
class HangUp:
    """End a call; one that is over already is no error."""

    order: int
    call: str
    do: Literal["hang-up"] = "hang-up"


@dataclass(frozen=True, slots=True, kw_only=True)
class Press:
    """Press keys (RFC 4733, or INFO where the far end has no such events); `w` waits half a second, `W` one."""

    order: int
    call: str
    keys: str
    do: Literal["press"] = "press"


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """Have the far end call somebody else (REFER); answered once it tells that it was answered there (NOTIFY)."""

    order: int
    call: str
    uri: str
    timeout_s: float = 30.0
    do: Literal["transfer"] = "transfer"


Order = Configure | Register | Answer | Refuse | Place | HangUp | Press | Transfer


# What the agent tells.


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """An order was carried out, or was not: then `problem` says why, in words that may be shown."""

    order: int
    problem: str | None = None
    tell: Literal["done"] = "done"


@dataclass(frozen=True, slots=True, kw_only=True)
class Alive:
    """A sign of life, every two seconds; the SIP thread gave one, too.

    Attributes:
        calls: that go on.
    """

    calls: int = 0
    tell: Literal["alive"] = "alive"


@dataclass(frozen=True, slots=True, kw_only=True)
class Called:
    """A call comes in and rings.

    Attributes:
        sip_call_id: its Call-ID.
        caller: the URI that calls.
        headers: those that are passed on, by the names that were asked for.
    """

    call: str
    sip_call_id: str
    caller: str
    headers: dict[str, str] = field(default_factory=dict[str, str])
    tell: Literal["called"] = "called"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rings:
    """A call that was placed rings at the customer's."""

    call: str
    sip_call_id: str = ""
    tell: Literal["rings"] = "rings"


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """A call is answered, by us or by the customer, and its sound runs.

    Attributes:
        channel: of the link, that carries its sound from now on.
        rate_hz: of the sound, 16-bit mono: 8000 for G.711, 16000 for what has more.
    """

    call: str
    channel: int
    rate_hz: int
    sip_call_id: str = ""
    tell: Literal["taken"] = "taken"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A call is over.

    Attributes:
        taken: whether it had been answered.
        status: the SIP status with which it came to nothing; None where none came.
        why: words for it.
        timed_out: nobody answered in time.
    """

    call: str
    taken: bool
    status: int | None = None
    why: str = ""
    timed_out: bool = False
    tell: Literal["ended"] = "ended"


Told = Done | Alive | Called | Rings | Taken | Ended

_ORDER: TypeAdapter[Order] = TypeAdapter(Annotated[Order, Field(discriminator="do")])
_TOLD: TypeAdapter[Told] = TypeAdapter(Annotated[Told, Field(discriminator="tell")])


def write_order(order: Order) -> bytes:
    """An order as JSON."""
    return _ORDER.dump_json(order)


def read_order(data: bytes) -> Order:
    """Read an order.

    Raises:
        MessageError: it is none; the text does not hold it, for there may be secrets in it.
    """
    try:
        return _ORDER.validate_json(data)
    except ValidationError as error:
        raise MessageError(f"no order: {error.error_count()} findings") from None


def write_told(told: Told) -> bytes:
    """What the agent tells, as JSON."""
    return _TOLD.dump_json(told)


def read_told(data: bytes) -> Told:
    """Read what the agent tells.

    Raises:
        MessageError: it is nothing that an agent tells.
    """
    try:
        return _TOLD.validate_json(data)
    except ValidationError as error:
        raise MessageError(f"an agent tells no such thing: {error.error_count()} findings") from None
