"""Trunks (Vapi's `byo-sip-trunk` credential): where calls may come from, and how calls go out."""

import ipaddress
import re
from collections.abc import Callable
from typing import Any, NamedTuple
from urllib.parse import quote

from bargein.carriers.sip.messages import Account, Attempt, MediaEncryption, Transport
from bargein.carriers.sip.uris import SipUri, read_uri
from bargein.ports import CarrierError
from bargein.wire.base import JsonObject
from bargein.wire.json import as_object, as_object_or_none, as_objects

_DEFAULT_PORT = 5060
_TLS_PORT = 5061
_DIALLED = re.compile(r"\+?[A-Za-z0-9*#]+")
_HEADER_NAME = re.compile(r"[A-Za-z0-9!%*_+`'~.-]{1,63}")
_ENDED: dict[int, str] = {
    403: "call.in-progress.error-providerfault-outbound-sip-403-forbidden",
    401: "call.in-progress.error-providerfault-outbound-sip-407-proxy-authentication-required",
    407: "call.in-progress.error-providerfault-outbound-sip-407-proxy-authentication-required",
    408: "call.in-progress.error-providerfault-outbound-sip-408-request-timeout",
    480: "call.in-progress.error-providerfault-outbound-sip-480-temporarily-unavailable",
    486: "customer-busy",
    487: "customer-did-not-answer",
    503: "call.in-progress.error-providerfault-outbound-sip-503-service-unavailable",
    600: "customer-busy",
    603: "customer-busy",
}
NOT_CONNECTED = "call.in-progress.error-sip-outbound-call-failed-to-connect"
HUNG_UP_EARLY = "call.ringing.sip-inbound-caller-hungup-before-call-connect"
IN_FAILED = "call.in-progress.error-sip-inbound-call-failed-to-connect"


def gateways_of(trunk: JsonObject | None) -> list[JsonObject]:
    """Return the gateways of a trunk."""
    return [gateway for gateway in as_objects((trunk or {}).get("gateways")) if gateway.get("ip")]


def network_of(gateway: JsonObject) -> str | None:
    """Return the addresses that calls may come from, as CIDR; None if none may, or the gateway has no IP address.

    Vapi's `netmask` is a prefix length, from 24 to 32.
    """
    if gateway.get("inboundEnabled") is False:
        return None
    try:
        return str(ipaddress.IPv4Network(f"{gateway['ip']}/{int(gateway.get('netmask') or 32)}", strict=False))
    except ValueError:
        return None


def may_call(trunk: JsonObject | None, source: str) -> bool:
    """Return whether calls from this address belong to the trunk."""
    try:
        address = ipaddress.ip_address(source)
    except ValueError:
        return False
    networks = [network for network in map(network_of, gateways_of(trunk)) if network is not None]
    return any(address in ipaddress.ip_network(network) for network in networks)


class Route(NamedTuple):
    """The way to a host.

    Attributes:
        host: the host, with a port if it names one.
        proxy: the host and port through which it is reached; None: directly.
    """

    host: str
    transport: Transport
    encryption: MediaEncryption
    proxy: str | None


def route_to(gateway: JsonObject, proxy: str | None) -> Route:
    """Return the route to a gateway."""
    transport: Transport = "udp"
    encryption: MediaEncryption = "none"
    match gateway.get("outboundProtocol"):
        case "tls/srtp":
            transport, encryption = "tls", "required"
        case "tls":
            transport = "tls"
        case "tcp":
            transport = "tcp"
        case _:
            pass
    port = int(gateway.get("port") or (_TLS_PORT if transport == "tls" else _DEFAULT_PORT))
    return Route(f"{gateway['ip']}:{port}", transport, encryption, proxy)


def outbound_gateways(trunk: JsonObject | None) -> list[JsonObject]:
    """Return the gateways for outbound calls, in order."""
    return [gateway for gateway in gateways_of(trunk) if gateway.get("outboundEnabled") is not False]


def _dialled(trunk: JsonObject, number: str) -> str:
    """Return a number in the trunk's format: with its tech prefix, and with or without a leading plus."""
    if not _DIALLED.fullmatch(number):
        raise CarrierError("the customer's number has a character that no telephone number has")
    digits = number.removeprefix("+")
    plus = "+" if trunk.get("outboundLeadingPlusEnabled") else ""
    return f"{trunk.get('techPrefix') or ''}{plus}{digits}"


def attempts_of(
    trunk: JsonObject | None,
    customer: JsonObject,
    caller_id: str,
    headers: dict[str, str],
    proxy: str | None = None,
    *,
    responds: Callable[[JsonObject], bool] = lambda _: True,
) -> tuple[Attempt, ...]:
    """Return the attempts to reach a customer: one for each gateway for outbound calls, in order.

    Args:
        trunk: a `byo-sip-trunk` credential; None for a number without one, which can only call SIP URIs.
        customer: Vapi's customer.
        caller_id: the calling number or user.
        headers: headers for each INVITE.
        proxy: the host and port of the proxy that all requests go through.
        responds: returns whether a gateway responded to its last ping.

    Raises:
        CarrierError: the customer cannot be reached.
    """
    for name, value in headers.items():
        if not _HEADER_NAME.fullmatch(name) or any(ord(sign) < 32 for sign in value):
            raise CarrierError("a SIP header has a name or a value that SIP does not allow")
    target = customer.get("sipUri")
    if isinstance(target, str):
        return (_to_uri(target, trunk, caller_id, headers, proxy),)
    number = customer.get("number")
    if not isinstance(number, str):
        raise CarrierError("the customer has no number and no sipUri")
    outgoing = outbound_gateways(trunk)
    if trunk is None or not outgoing:
        raise CarrierError("the phone number has no SIP trunk with a gateway for outbound calls")
    outgoing = [gateway for gateway in outgoing if responds(gateway)]
    if not outgoing:
        raise CarrierError("no gateway of the phone number's SIP trunk responds now")
    diversion = trunk.get("sipDiversionHeader")
    more = {"Diversion": _diversion(str(diversion), outgoing[0])} if diversion else {}
    dialled, all_headers = _dialled(trunk, number), {**headers, **more}
    found: list[Attempt] = []
    for gateway in outgoing:
        way = route_to(gateway, proxy)
        uri = f"sip:{dialled}@{way.host};transport={way.transport}"
        found.append(Attempt(account=_account(trunk, caller_id, way), uri=uri, headers=all_headers))
    return tuple(found)


def _account(trunk: JsonObject | None, caller_id: str, way: Route) -> Account:
    plan = as_object((trunk or {}).get("outboundAuthenticationPlan"))
    register = as_object(plan.get("sipRegisterPlan"))
    user = plan.get("authUsername")
    return Account(
        user=caller_id,
        domain=str(register.get("domain") or way.host),
        transport=way.transport,
        encryption=way.encryption,
        auth_user=str(user) if user else None,
        password=str(plan["authPassword"]) if user and plan.get("authPassword") else None,
        proxy=way.proxy or (way.host if register.get("domain") else None),
    )


def _to_uri(
    target: str, trunk: JsonObject | None, caller_id: str, headers: dict[str, str], proxy: str | None
) -> Attempt:
    uri = read_uri(target)
    if uri is None:
        raise CarrierError("the customer's sipUri is not a SIP URI")
    lowered = target.lower()
    transport: Transport = "udp"
    if uri.scheme == "sips" or "transport=tls" in lowered:
        transport = "tls"
    elif "transport=tcp" in lowered:
        transport = "tcp"
    host = uri.host if uri.port is None else f"{uri.host}:{uri.port}"
    account = _account(trunk, caller_id, Route(host, transport, "none", proxy))
    plain = SipUri(uri.user, uri.host, uri.port)
    return Attempt(account=account, uri=f"{plain.address};transport={transport}", headers=headers)


def _diversion(value: str, gateway: JsonObject) -> str:
    """Return the `Diversion` header (RFC 5806) of a number; a value that is such a header is kept."""
    if any(ord(sign) < 32 for sign in value):
        raise CarrierError("sipDiversionHeader has a character that SIP does not allow")
    return value if "sip:" in value.lower() else f"<sip:{value}@{gateway['ip']}>;reason=unconditional"


def registration_of(trunk: JsonObject, proxy: str | None = None) -> Account | None:
    """Return the account to register with a trunk (`sipRegisterPlan`); None if the trunk has no such plan."""
    plan = as_object(trunk.get("outboundAuthenticationPlan"))
    register = as_object_or_none(plan.get("sipRegisterPlan"))
    outgoing = outbound_gateways(trunk)
    if register is None or not outgoing:
        return None
    user = str(register.get("username") or plan.get("authUsername") or "")
    return _account(trunk, user, route_to(outgoing[0], proxy)) if user else None


def refer_to(trunk: JsonObject | None, destination: JsonObject, caller: SipUri | None) -> str:
    """Return the URI of a transfer's destination (Vapi's `TransferDestinationSip`, `TransferDestinationNumber`).

    A number is called at the trunk's first gateway, or without a trunk at the host that the caller came from.
    `sipHeaders` are put into the URI (RFC 3261, section 19.1.1), from which the far end copies them into its INVITE.

    Raises:
        CarrierError: the destination is neither.
    """
    plan = as_object(destination.get("transferPlan"))
    if plan.get("sipVerb") not in (None, "refer"):
        raise CarrierError("a SIP call can only be transferred by REFER")
    given: Any = destination.get("sipUri") if destination.get("type") == "sip" else None
    if given is not None:
        uri = read_uri(str(given))
        if uri is None:
            raise CarrierError("the destination's sipUri is not a SIP URI")
        address = uri.address
    else:
        address = _number_address(trunk, destination, caller)
    headers = as_object(destination.get("sipHeaders"))
    asked = "&".join(f"{quote(str(name), safe='')}={quote(str(value), safe='')}" for name, value in headers.items())
    return f"{address}?{asked}" if asked else address


def _number_address(trunk: JsonObject | None, destination: JsonObject, caller: SipUri | None) -> str:
    number = destination.get("number")
    if not isinstance(number, str):
        raise CarrierError("the destination has no number and no sipUri")
    outgoing = outbound_gateways(trunk)
    if trunk is not None and outgoing:
        return f"sip:{_dialled(trunk, number)}@{route_to(outgoing[0], None).host}"
    if caller is None:
        raise CarrierError("there is no gateway for the number")
    return SipUri(number, caller.host, caller.port).address


def ended_reason(status: int | None, *, established: bool, inbound: bool, timed_out: bool) -> str:
    """Return Vapi's `endedReason` for a call that the SIP side ended."""
    if established:
        return "customer-ended-call"
    if inbound:
        return HUNG_UP_EARLY
    if timed_out:
        return "customer-did-not-answer"
    return _ENDED.get(status or 0, NOT_CONNECTED)
