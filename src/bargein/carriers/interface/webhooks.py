"""Webhooks: a carrier's request, the notices that it is read as, and the answer."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from bargein.errors import BargeinError
from bargein.wire.base import JsonObject


class ForgedError(BargeinError):
    """A webhook or a media socket does not come from the carrier; the text says why and holds no secret."""


@dataclass(frozen=True, slots=True)
class WebhookRequest:
    """A request as it was sent, so that its signature can be verified.

    Attributes:
        url: the public URL that the carrier was given, with its query.
        headers: by lower-case name.
        body: the bytes of the request.
    """

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Incoming:
    """A call comes in and waits to be answered.

    Attributes:
        carrier_call_id: the carrier's id of the call (`phoneCallProviderId`).
        to: the number or SIP URI that was called.
        caller: the caller's number (E.164) or SIP URI.
        caller_name: the caller's name, where the carrier passes it on.
        sip_headers: headers of the INVITE by their own names, where the carrier passes them on.
        details: further fields for the call's `transport`, by their names there (as in Vapi's types of transport).
    """

    carrier_call_id: str
    to: str
    caller: str
    caller_name: str | None = None
    sip_headers: Mapping[str, str] = field(default_factory=dict[str, str])
    details: JsonObject = field(default_factory=JsonObject)


@dataclass(frozen=True, slots=True)
class Ringing:
    """An outbound call rings at the customer's."""

    carrier_call_id: str


@dataclass(frozen=True, slots=True)
class Answered:
    """An outbound call was answered, or the carrier found out by whom.

    A request to the voice URL that says this gets the answer of `Carrier.answer`.

    Attributes:
        by: a human or a machine, where the carrier says so.
        detail: the carrier's own word for it (`machine_end_beep`).
    """

    carrier_call_id: str
    by: Literal["human", "machine"] | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class CallEnded:
    """A call has ended, or was never connected.

    Attributes:
        reason: one of Vapi's `endedReason`s (`customer-busy`, `customer-did-not-answer`, `customer-ended-call`, …).
        detail: the carrier's own words for it.
    """

    carrier_call_id: str
    reason: str
    detail: str = ""


Notice = Incoming | Ringing | Answered | CallEnded


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a webhook."""

    body: str = ""
    content_type: str = "application/json"
    status: int = 200
