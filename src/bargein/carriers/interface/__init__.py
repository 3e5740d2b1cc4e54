"""The interface between the server and a telephone carrier: a control, webhooks, and a codec.

A carrier is a folder beside this one that exports a `CarrierSpec` (`bargein.carriers.spec`), whose `make` returns a
`Carrier`. The server knows no carrier's formats: it passes a `WebhookRequest` to `Carrier.verify` and `Carrier.read`,
and the frames of a media socket to a `Codec` (through `bargein.carriers.stream`). A carrier whose calls do not come by
webhook (SIP) is a `NativeCarrier`: it brings notices and `MediaLeg`s to the `CarrierHost`.

Every URL that a carrier is given holds the stored phone number's id, so that the secret that verifies a request's
signature is known before anything in the request is trusted; a call's media URL holds a short-lived token that opens
that one call's socket once.

`control` has the `Carrier`, `webhooks` its notices, `media` its audio, `native` carriers without webhooks.
"""

from bargein.carriers.interface.control import Addresses, Carrier, Dial, PhoneLine, Placed, SlowCarrier
from bargein.carriers.interface.media import (
    Cleared,
    Codec,
    Encoding,
    FrameError,
    Heard,
    KeyPressed,
    MarkReached,
    MediaEvent,
    MediaLeg,
    Started,
    Stopped,
    Waitable,
)
from bargein.carriers.interface.native import Accepted, CarrierHost, NativeCarrier, Rejected
from bargein.carriers.interface.webhooks import (
    Answer,
    Answered,
    CallEnded,
    ForgedError,
    Incoming,
    Notice,
    Ringing,
    WebhookRequest,
)

__all__ = [
    "Accepted",
    "Addresses",
    "Answer",
    "Answered",
    "CallEnded",
    "Carrier",
    "CarrierHost",
    "Cleared",
    "Codec",
    "Dial",
    "Encoding",
    "ForgedError",
    "FrameError",
    "Heard",
    "Incoming",
    "KeyPressed",
    "MarkReached",
    "MediaEvent",
    "MediaLeg",
    "NativeCarrier",
    "Notice",
    "PhoneLine",
    "Placed",
    "Rejected",
    "Ringing",
    "SlowCarrier",
    "Started",
    "Stopped",
    "Waitable",
    "WebhookRequest",
]
