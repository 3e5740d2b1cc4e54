"""Only what Vonage has signed, just now, and once, is taken for Vonage's."""

import base64
import json
from collections.abc import Mapping

import jwt
import pytest

from bargein.carriers.interface import ForgedError, PhoneLine
from bargein.carriers.vonage import signature as rules
from bargein.carriers.vonage.carrier import VonageCarrier
from bargein.clock import LoopClock
from tests.carriers.vonage.signing import API_KEY, APPLICATION, SECRET, bearer, request, token

BODY = b'{"uuid":"u","to":"15550001111","from":"15551234567","conversation_uuid":"CON-1"}'
CREDENTIAL = {"apiKey": API_KEY, "vonageApplicationId": APPLICATION, "signatureSecret": SECRET}
LINE = PhoneLine({"number": "+15550001111"}, CREDENTIAL)


class Moved(LoopClock):
    """The time, moved by hand."""

    by_ms = 0

    def epoch_ms(self) -> int:
        return super().epoch_ms() + self.by_ms


@pytest.fixture
def clock() -> Moved:
    return Moved()


@pytest.fixture
def carrier(clock: Moved) -> VonageCarrier:
    return VonageCarrier(clock)


def refused(
    carrier: VonageCarrier, headers: Mapping[str, str], body: bytes = BODY, phone_line: PhoneLine = LINE
) -> str:
    with pytest.raises(ForgedError) as told:
        carrier.verify(phone_line, request(body, headers))
    assert SECRET not in str(told.value)
    return str(told.value)


def test_signed_webhooks_are_accepted(carrier: VonageCarrier) -> None:
    carrier.verify(LINE, request(BODY, bearer(BODY)))
    carrier.verify(LINE, request(BODY, {"authorization": f"bearer {token(BODY)}"}))
    carrier.verify(LINE, request(b"", bearer(b"")))


def test_a_replay_is_refused_and_the_same_body_signed_anew_is_not(carrier: VonageCarrier) -> None:
    headers = bearer(BODY)
    carrier.verify(LINE, request(BODY, headers))
    assert "used before" in refused(carrier, headers)
    carrier.verify(LINE, request(BODY, bearer(BODY)))


def test_a_forged_request_does_not_use_up_a_token(carrier: VonageCarrier) -> None:
    headers = bearer(BODY)
    refused(carrier, headers, BODY + b" ")
    carrier.verify(LINE, request(BODY, headers))


def test_a_changed_body_is_refused(carrier: VonageCarrier) -> None:
    assert "body" in refused(carrier, bearer(BODY), BODY.replace(b"5550001111", b"5550001112"))


def test_unsigned_webhooks_are_refused(carrier: VonageCarrier) -> None:
    for headers in ({}, {"authorization": ""}, {"authorization": "Bearer "}, {"authorization": f"Basic {token(BODY)}"}):
        assert "not signed" in refused(carrier, headers)


def test_forged_webhooks_are_refused(carrier: VonageCarrier) -> None:
    assert "signature" in refused(carrier, bearer(BODY, "another-secret-of-some-length-0815"))
    refused(carrier, {"authorization": "Bearer not.a.token"})
    claims = jwt.decode(token(BODY), SECRET, ["HS256"])
    refused(carrier, {"authorization": f"Bearer {jwt.encode(claims, None, 'none')}"})
    refused(carrier, {"authorization": f"Bearer {jwt.encode(claims, SECRET * 2, 'HS512')}"})
    head, payload, signature = token(BODY, iat=1).split(".")
    claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
    claims["iat"] = LoopClock().epoch_ms() // 1000
    changed = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    assert "signature" in refused(carrier, {"authorization": f"Bearer {head}.{changed}.{signature}"})


def test_a_token_that_lacks_a_claim_is_refused(carrier: VonageCarrier) -> None:
    assert "jti" in refused(carrier, bearer(BODY, jti=None))
    assert "when" in refused(carrier, bearer(BODY, iat=None))
    assert "payload_hash" in refused(carrier, bearer(None))
    refused(carrier, bearer(BODY, payload_hash="ä"))


def test_another_accounts_or_applications_token_is_refused(carrier: VonageCarrier) -> None:
    assert "api_key" in refused(carrier, bearer(BODY, api_key="other"))
    assert "application_id" in refused(carrier, bearer(BODY, application_id="other"))
    carrier.verify(LINE, request(BODY, bearer(BODY, api_key=None, application_id=None)))


def test_a_stale_token_is_refused(carrier: VonageCarrier, clock: Moved) -> None:
    clock.by_ms = rules.FRESH_MS - 2_000
    carrier.verify(LINE, request(BODY, bearer(BODY)))
    clock.by_ms = rules.FRESH_MS + 2_000
    assert "old" in refused(carrier, bearer(BODY))


def test_clocks_may_differ_by_a_minute(carrier: VonageCarrier) -> None:
    now = LoopClock().epoch_ms() // 1000
    carrier.verify(LINE, request(BODY, bearer(BODY, iat=now + 50)))
    assert "clocks" in refused(carrier, bearer(BODY, iat=now + 70))
    refused(carrier, bearer(BODY, "another-secret-of-some-length-0815", iat=now + 50))


def test_without_a_signature_secret_nothing_is_accepted(carrier: VonageCarrier) -> None:
    for credential in (None, {}, {"signatureSecret": ""}, {"signatureSecret": "  "}, {"signatureSecret": 7}):
        assert "no signatureSecret" in refused(carrier, bearer(BODY), phone_line=PhoneLine({}, credential))


def test_remembered_tokens_are_limited(carrier: VonageCarrier, clock: Moved, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "MOST_REMEMBERED", 3)
    sent = [bearer(BODY) for _ in range(4)]
    for headers in sent:
        carrier.verify(LINE, request(BODY, headers))
    assert len(carrier._signatures._used) == 3
    for headers in sent[1:]:
        assert "used before" in refused(carrier, headers)
    clock.by_ms = 400_000
    carrier.verify(LINE, request(BODY, bearer(BODY, iat=clock.epoch_ms() // 1000)))
    assert len(carrier._signatures._used) == 1  # what is stale cannot come again


def test_a_media_sockets_upgrade_is_signed_too(carrier: VonageCarrier) -> None:
    headers = bearer(None)
    carrier.verify_socket(LINE, request(b"", headers), "token")
    for bad in (headers, {}, bearer(None, "another-secret-of-some-length-0815"), bearer(None, iat=1)):
        with pytest.raises(ForgedError):
            carrier.verify_socket(LINE, request(b"", bad), "token")
