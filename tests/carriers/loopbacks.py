"""The loopbacks of all carriers that the conformance suite runs over."""

from collections.abc import Sequence

from tests.carriers.loopback import Loopback
from tests.carriers.sip.loopback import SipLoopback, UriLoopback
from tests.carriers.telnyx.loopback import TelnyxLoopback
from tests.carriers.twilio.loopback import TwilioLoopback
from tests.carriers.vonage.loopback import VonageLoopback

LOOPBACKS: Sequence[type[Loopback]] = (
    TwilioLoopback,
    TelnyxLoopback,
    VonageLoopback,
    SipLoopback,
    UriLoopback,
)
