"""Admission of INVITEs: the stored number that one calls, and whether its sender may call it.

The agent cannot see the address that an INVITE came from. The proxy in front of it (Kamailio, as `bargein sip config`
sets it up) can, and adds it in a header with a secret that the two share, so that a forged header is not trusted.
Without a proxy, `BARGEIN_SIP_DIRECT=1` lets everything call that can reach the agent's address.
"""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote_plus

from bargein.carriers.interface import Incoming, PhoneLine
from bargein.carriers.sip.messages import Invited
from bargein.carriers.sip.number import BYO, VAPI
from bargein.carriers.sip.trunk import may_call
from bargein.carriers.sip.uris import SipUri, display_name, read_uri, same_address
from bargein.errors import BargeinError
from bargein.wire.base import JsonObject
from bargein.wire.json import as_object_or_none

EDGE = "X-Bargein-Edge"
"""The proxy's header: the secret, the INVITE's source address, the authenticated user (or -), and the request URI."""
PACKED = "X-Bargein-Headers"
"""With a number behind it: the INVITE's X- headers, encoded by the proxy like a form (`name=value&…`), because baresip
passes on 16 headers at most, and 1024 characters of each."""
MOST_PACKED = 8  # headers; together 8192 characters of the INVITE's X- headers
ALWAYS = ("To", "From", "P-Asserted-Identity", "Diversion", EDGE)
FROM_PROXY = tuple(f"{PACKED}-{number}" for number in range(1, MOST_PACKED + 1))
_NOT_PASSED_ON = frozenset(name.lower() for name in (*ALWAYS[:2], EDGE, *FROM_PROXY))
_MOST_HEADERS = 64


class InviteRefusedError(BargeinError):
    """The sender of an INVITE may not call.

    Attributes:
        reason: a short word for the reason, as refusals are counted by.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Invite:
    """The trusted parts of an INVITE.

    Attributes:
        to: the address that is called.
        caller: the address of the caller.
        source: the IP address that it came from; None without a proxy, where every address may call.
        authenticated_user: the user that the proxy has authenticated (digest).
        headers: the headers that are passed on to the call's owner.
        name: the caller's display name.
    """

    to: SipUri
    caller: SipUri
    source: str | None
    authenticated_user: str | None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    name: str | None = None


def read_invite(invited: Invited, secret: str | None, *, direct: bool) -> Invite:
    """Read an INVITE.

    Args:
        invited: the agent's report.
        secret: the secret that the proxy shares; None: there is no proxy.
        direct: True if every address that reaches the agent may call.

    Raises:
        InviteRefusedError: it did not come through the proxy, or is malformed.
    """
    given = {name.lower(): value for name, value in invited.headers.items()}
    source = authenticated_user = None
    to = read_uri(given.get("to", ""))
    edge = given.get(EDGE.lower())
    if secret is not None and edge is not None:
        parts = edge.split()
        if len(parts) != 4 or not hmac.compare_digest(parts[0].encode(), secret.encode()):
            raise InviteRefusedError("forged")
        source, authenticated_user, to = parts[1], None if parts[2] == "-" else parts[2], read_uri(parts[3])
    elif not direct:
        raise InviteRefusedError("forged")
    sender = given.get("from", "")
    caller = read_uri(sender) or read_uri(invited.caller)
    asserted = read_uri(given.get("p-asserted-identity", ""))
    if asserted is not None and (caller is None or caller.user.lower() in ("", "anonymous")):
        caller = asserted
    if to is None or caller is None:
        raise InviteRefusedError("malformed")
    return Invite(to, caller, source, authenticated_user, _passed_on(invited.headers, given), display_name(sender))


def _passed_on(headers: Mapping[str, str], lowered: Mapping[str, str]) -> dict[str, str]:
    """Return the headers that the call's owner gets, by their own names."""
    found = {name: value for name, value in headers.items() if name.lower() not in _NOT_PASSED_ON}
    packed = "".join(lowered.get(name.lower(), "") for name in FROM_PROXY)
    for pair in packed.split("&")[:_MOST_HEADERS]:
        name, equals, value = pair.partition("=")
        if equals and unquote_plus(name).lower() not in _NOT_PASSED_ON:
            found[unquote_plus(name)] = unquote_plus(value).strip()
    return found


def number_for(invite: Invite, phone_lines: Mapping[str, Mapping[str, PhoneLine]]) -> tuple[str, str]:
    """Return the provider and the id of the stored number that an INVITE calls.

    Raises:
        InviteRefusedError: there is no such number, or this caller may not call it.
    """
    for number_id, phone_line in phone_lines.get(VAPI, {}).items():
        uri = read_uri(str(phone_line.number.get("sipUri") or ""))
        if uri is not None and same_address(uri, invite.to):
            _check_digest(phone_line.number, invite)
            return VAPI, number_id
    invited = [
        (number_id, phone_line)
        for number_id, phone_line in phone_lines.get(BYO, {}).items()
        if _plain(str(phone_line.number.get("number") or "")) == _plain(invite.to.number or invite.to.user)
    ]
    if not invited:
        raise InviteRefusedError("unknown-number")
    for number_id, phone_line in invited:
        if invite.source is None or may_call(phone_line.credential, invite.source):
            return BYO, number_id
    raise InviteRefusedError("not-a-gateway")


def _plain(number: str) -> str:
    return number.removeprefix("+").lower()


def _check_digest(number: JsonObject, invite: Invite) -> None:
    """Check that the proxy has authenticated the user that the number's `authentication` names."""
    required = as_object_or_none(number.get("authentication"))
    if required is not None and invite.authenticated_user != required.get("username"):
        raise InviteRefusedError("unauthenticated")


def incoming_of(invited: Invited, invite: Invite, provider: str) -> Incoming:
    """Make the notice of an incoming call."""
    telephone = invite.caller.number if provider == BYO else None
    details: JsonObject = {"callSid": invited.sip_call_id}
    if invite.source is not None:
        details["sourceAddress"] = invite.source
    return Incoming(
        carrier_call_id=invited.call,
        to=invite.to.address if provider == VAPI else invite.to.number or invite.to.user,
        caller=telephone or invite.caller.address,
        caller_name=invite.name,
        sip_headers=invite.headers,
        details=details,
    )
