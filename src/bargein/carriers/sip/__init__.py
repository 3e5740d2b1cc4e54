"""SIP: numbers behind the owner's trunk (`byo-phone-number`), and SIP URIs of this server (`vapi`).

The SIP stack runs in a process of its own (`agent`), which `supervisor` keeps alive; start with `gateway`, which brings
it together with the server. `kamailio` writes the configuration of the proxy in front. Only `agent` imports the stack
(the extra `sip`), so that a crash of the stack ends no other call.
"""

from pathlib import Path

from bargein.carriers.interface import Carrier, PhoneLine
from bargein.carriers.sip.number import BYO, VAPI, ByoPhoneNumber, VapiPhoneNumber
from bargein.carriers.sip.settings import SipSettings
from bargein.carriers.spec import CarrierSpec, NumberProblem
from bargein.clock import Clock
from bargein.ports import CarrierError
from bargein.wire.telephony import CarrierNames

__all__ = ["CARRIER", "ByoPhoneNumber", "SipSettings", "VapiPhoneNumber"]


def _make(settings: SipSettings, clock: Clock, data_dir: Path) -> Carrier:
    if not settings.enabled:
        raise CarrierError("this server does not serve SIP: set BARGEIN_SIP_LISTEN.")
    from bargein.carriers.sip.carrier import SipCarrier  # noqa: PLC0415  # a server without SIP does without them
    from bargein.carriers.sip.gateway import SipGateway  # noqa: PLC0415
    from bargein.carriers.sip.secret import proxy_secret  # noqa: PLC0415

    secret = None if settings.direct else proxy_secret(settings, data_dir)
    return SipCarrier(SipGateway(settings, clock, secret))


def _check_number(settings: SipSettings, _: PhoneLine) -> NumberProblem | None:
    return None if settings.enabled else NumberProblem("SIP is not served", "set BARGEIN_SIP_LISTEN")


CARRIER = CarrierSpec(
    name="sip",
    settings=SipSettings,
    numbers={VAPI: VapiPhoneNumber, BYO: ByoPhoneNumber},
    names=CarrierNames("vapi.sip", "vapi", "call.in-progress.error-sip-outbound-call-failed-to-connect"),
    extra="sip",
    package="baresip",
    make=_make,
    check_number=_check_number,
    api_url=None,
)
