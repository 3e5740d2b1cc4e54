"""SIP's addresses, and what a trunk makes of them."""

import pytest

from bargein.carriers.sip.inbound import InviteRefusedError, read_invite
from bargein.carriers.sip.messages import Invited
from bargein.carriers.sip.trunk import attempts_of, ended_reason, refer_to
from bargein.carriers.sip.uris import SipUri, display_name, read_uri, same_address
from bargein.ports import CarrierError
from bargein.wire import contract


@pytest.mark.parametrize(
    ("text", "uri"),
    [
        ("sip:ann@Example.COM", SipUri("ann", "example.com")),
        (
            '"Ann <x>" <sip:%2B15551234567;phone-context=a@h:5070;transport=tcp?X=1>;tag=1',
            SipUri("+15551234567", "h", 5070),
        ),
        ("<SIPS:h>", SipUri("", "h", None, "sips")),
        ("sip:u:secret@[2001:db8::1]:5061", SipUri("u", "[2001:db8::1]", 5061)),
        ("tel:+1555", None),
        ("sip:a@h:99999", None),
        ("sip:", None),
    ],
)
def test_uris_are_read(text: str, uri: SipUri | None) -> None:
    assert read_uri(text) == uri


def test_names_and_numbers() -> None:
    assert display_name('"Ann \\"B\\" C" <sip:a@h>') == 'Ann "B" C'
    assert display_name("Ann <sip:a@h>") == "Ann"
    assert display_name("<sip:a@h>;tag=1") is None
    assert display_name("sip:a@h") is None
    assert SipUri("+1 (555) 123-4567", "h").number == "+15551234567"
    assert SipUri("ann", "h").number is None
    assert same_address(SipUri("Ann", "h", 5060), SipUri("aNN", "h"))


def test_an_anonymous_caller_is_known_by_the_asserted_identity() -> None:
    headers = {
        "To": "<sip:+15550001111@h>",
        "From": '"Anonymous" <sip:anonymous@anonymous.invalid>;tag=1',
        "P-Asserted-Identity": "<sip:+15552223333@trunk>",
    }
    invite = read_invite(Invited(call="c", sip_call_id="i", caller="", headers=headers), None, direct=True)
    assert invite.caller.number == "+15552223333"
    for broken in ({"To": "<tel:+1>", "From": "<sip:a@b>"}, {}):
        with pytest.raises(InviteRefusedError, match="malformed"):
            read_invite(Invited(call="c", sip_call_id="i", caller="", headers=broken), None, direct=True)


def test_gateways_are_reached_as_they_say() -> None:
    trunk = {
        "gateways": [
            {"ip": "a.test", "outboundProtocol": "tls/srtp"},
            {"ip": "b.test", "outboundProtocol": "tcp", "port": 5090},
            {"ip": "c.test", "outboundEnabled": False},
            {"ip": "d.test", "outboundProtocol": "tls"},
        ],
        "outboundLeadingPlusEnabled": True,
    }
    tried = attempts_of(trunk, {"number": "+15551234567"}, "+15557770000", {"X-A": "b"})
    assert [attempt.uri for attempt in tried] == [
        "sip:+15551234567@a.test:5061;transport=tls",
        "sip:+15551234567@b.test:5090;transport=tcp",
        "sip:+15551234567@d.test:5061;transport=tls",
    ]
    assert [attempt.account.encryption for attempt in tried] == ["required", "none", "none"]
    assert tried[0].headers == {"X-A": "b"}
    for headers in ({"X A": "b"}, {"X-A": "b\r\nEvil: 1"}):
        with pytest.raises(CarrierError):
            attempts_of(trunk, {"number": "+15551234567"}, "+1", headers)
    for customer in ({}, {"sipUri": "tel:1"}, {"number": "a b"}):
        with pytest.raises(CarrierError):
            attempts_of(trunk, customer, "+1", {})


def test_a_number_is_transferred_to_where_it_is_known() -> None:
    number = {"type": "number", "number": "+15551234567"}
    assert refer_to(None, number, SipUri("x", "pbx.test", 5070)) == "sip:+15551234567@pbx.test:5070"
    assert refer_to({"gateways": [{"ip": "gw.test"}]}, number, None) == "sip:15551234567@gw.test:5060"
    for trunk, destination in ((None, number), (None, {"type": "sip", "sipUri": "x"}), (None, {"type": "number"})):
        with pytest.raises(CarrierError):
            refer_to(trunk, destination, None)


def test_every_reason_is_one_of_vapis() -> None:
    reasons = contract.definitions()["EndedReason"]["enum"]
    for status in (None, 401, 403, 404, 407, 408, 480, 486, 487, 500, 503, 600, 603):
        for established in (False, True):
            for inbound in (False, True):
                for timed_out in (False, True):
                    reason = ended_reason(status, established=established, inbound=inbound, timed_out=timed_out)
                    assert reason in reasons
