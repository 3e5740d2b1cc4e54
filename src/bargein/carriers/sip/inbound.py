"""Which stored number an INVITE is for, and whether whoever sent it may call it.

The agent cannot see where an INVITE came from. The proxy in front of it (Kamailio, as `bargein sip config` sets it up)
can, and says so in a header of its own, which holds a secret of the two: what a stranger writes there is not believed.
Without a proxy, `BARGEIN_SIP_DIRECT=1` says that whoever can reach the agent's address may call.
"""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast
from urllib.parse import unquote_plus

from bargein.carriers.interface import Incoming, PhoneLine
from bargein.carriers.sip.messages import Called
from bargein.carriers.sip.number import BYO, VAPI
from bargein.carriers.sip.trunk import may_call
from bargein.carriers.sip.uris import SipUri, display_name, read_uri, same_address
from bargein.errors import BargeinError
from bargein.wire.base import JsonObject

EDGE = "X-Bargein-Edge"
"""What the proxy adds: the secret, the address that the INVITE came from, whom it proved to be (or -), and its URI."""
PACKED = "X-Bargein-Headers"
"""With a number behind it: the INVITE's own headers, put together by the proxy as a form is (`name=value&…`), for
baresip passes 16 headers on at most, and 1024 signs of each."""
MOST_PACKED = 8
ALWAYS = ("To", "From", "P-Asserted-Identity", "Diversion", EDGE)
FROM_PROXY = tuple(f"{PACKED}-{number}" for number in range(1, MOST_PACKED + 1))
_NOT_THE_OWNERS = frozenset(name.lower() for name in (*ALWAYS[:2], EDGE, *FROM_PROXY))
_MOST_HEADERS = 64


class StrangerError(BargeinError):
    """Whoever sent an INVITE may not call.

    Attributes:
        reason: a short word for it.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Arrival:
    """An INVITE, as far as it can be believed.

    Attributes:
        to: whom it calls.
        caller: who calls.
        source: the address that it came from; None: nobody can tell, and everybody may call.
        proven: whom it proved to be to the proxy (digest).
        incoming: what the server is told.
    """

    to: SipUri
    caller: SipUri
    source: str | None
    proven: str | None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    name: str | None = None


def read_arrival(called: Called, proof: str | None, *, direct: bool) -> Arrival:
    """Read an INVITE.

    Args:
        called: as the agent tells it.
        proof: the secret that the proxy shares; None: there is no proxy.
        direct: whether whoever reaches the agent may call.

    Raises:
        StrangerError: it came past the proxy, or there is no sense in it.
    """
    given = {name.lower(): value for name, value in called.headers.items()}
    source = proven = None
    to = read_uri(given.get("to", ""))
    edge = given.get(EDGE.lower())
    if proof is not None and edge is not None:
        parts = edge.split()
        if len(parts) != 4 or not hmac.compare_digest(parts[0].encode(), proof.encode()):
            raise StrangerError("forged")
        source, proven, to = parts[1], None if parts[2] == "-" else parts[2], read_uri(parts[3])
    elif not direct:
        raise StrangerError("forged")
    sender = given.get("from", "")
    caller = read_uri(sender) or read_uri(called.caller)
    asserted = read_uri(given.get("p-asserted-identity", ""))
    if asserted is not None and (caller is None or caller.user.lower() in ("", "anonymous")):
        caller = asserted
    if to is None or caller is None:
        raise StrangerError("malformed")
    return Arrival(to, caller, source, proven, _owners(called.headers, given), display_name(sender))


def _owners(headers: Mapping[str, str], lowered: Mapping[str, str]) -> dict[str, str]:
    """The headers that the call's owner gets, by the names they came with."""
    found = {name: value for name, value in headers.items() if name.lower() not in _NOT_THE_OWNERS}
    packed = "".join(lowered.get(name.lower(), "") for name in FROM_PROXY)
    for pair in packed.split("&")[:_MOST_HEADERS]:
        name, equals, value = pair.partition("=")
        if equals and unquote_plus(name).lower() not in _NOT_THE_OWNERS:
            found[unquote_plus(name)] = unquote_plus(value).strip()
    return found


def number_for(arrival: Arrival, phone_lines: Mapping[str, Mapping[str, PhoneLine]]) -> tuple[str, str]:
    """The provider and the id of the stored number that an INVITE calls.

    Raises:
        StrangerError: there is none, or this caller may not call it.
    """
    for number_id, phone_line in phone_lines.get(VAPI, {}).items():
        uri = read_uri(str(phone_line.number.get("sipUri") or ""))
        if uri is not None and same_address(uri, arrival.to):
            _see_digest(phone_line.number, arrival)
            return VAPI, number_id
    called = [
        (number_id, phone_line)
        for number_id, phone_line in phone_lines.get(BYO, {}).items()
        if _plain(str(phone_line.number.get("number") or "")) == _plain(arrival.to.number or arrival.to.user)
    ]
    if not called:
        raise StrangerError("unknown-number")
    for number_id, phone_line in called:
        if arrival.source is None or may_call(phone_line.credential, arrival.source):
            return BYO, number_id
    raise StrangerError("not-a-gateway")


def _plain(number: str) -> str:
    return number.removeprefix("+").lower()


def _see_digest(number: JsonObject, arrival: Arrival) -> None:
    """See that a caller has proven to the proxy to be whom the number's `authentication` names."""
    given = number.get("authentication")
    if isinstance(given, dict) and arrival.proven != cast("JsonObject", given).get("username"):
        raise StrangerError("unauthenticated")


def incoming_of(called: Called, arrival: Arrival, provider: str) -> Incoming:
    """What the server is told of a call."""
    telephone = arrival.caller.number if provider == BYO else None
    details: JsonObject = {"callSid": called.sip_call_id}
    if arrival.source is not None:
        details["sourceAddress"] = arrival.source
    return Incoming(
        carrier_call_id=called.call,
        to=arrival.to.address if provider == VAPI else arrival.to.number or arrival.to.user,
        caller=telephone or arrival.caller.address,
        caller_name=arrival.name,
        sip_headers=arrival.headers,
        details=details,
    )
