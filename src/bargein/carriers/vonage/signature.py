"""The signature of Vonage's webhooks and media sockets: a JSON Web Token in `Authorization`.

It is signed with the account's signature secret (HS256) and has the time of its creation, the account, the application
and the hash of the body. Vonage's library only verifies the signature; the rest is checked here.
"""

import hashlib
import hmac
from collections import OrderedDict
from typing import Any

import jwt

from bargein.carriers.interface import ForgedError, WebhookRequest
from bargein.carriers.vonage.account import WHERE, Account
from bargein.clock import Clock
from bargein.wire.base import JsonObject

FRESH_MS = 300_000
"""The maximum age of a token: five minutes, as for other carriers' signatures."""
AHEAD_MS = 60_000
"""The tolerated time that Vonage's clock is ahead of this server's."""
MOST_REMEMBERED = 50_000
"""The number of used tokens that are remembered. Only verified ones are, so that forged ones push none out."""


class Signatures:
    """Verifies tokens, and accepts each once.

    Args:
        clock: the one clock.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._used: OrderedDict[str, int] = OrderedDict()

    def check_webhook(self, account: Account, request: WebhookRequest) -> None:
        """Verify that a webhook comes from Vonage, unchanged, is recent, and is not a repetition.

        Raises:
            ForgedError: it is not so, or there is nothing to verify it with.
        """
        claims = self._claims(account, request)
        payload_hash: object = claims.get("payload_hash")
        if not isinstance(payload_hash, str):
            raise ForgedError("the token has no payload_hash")
        if not hmac.compare_digest(payload_hash.lower().encode(), hashlib.sha256(request.body).hexdigest().encode()):
            raise ForgedError("the body is not what was signed")
        self._use(claims)

    def check_socket(self, account: Account, request: WebhookRequest) -> None:
        """Verify that a media socket's upgrade comes from Vonage, is recent, and is not a repetition; it has no body.

        Raises:
            ForgedError: it is not so, or there is nothing to verify it with.
        """
        self._use(self._claims(account, request))

    def _claims(self, account: Account, request: WebhookRequest) -> JsonObject:
        if account.signature_secret is None:
            raise ForgedError(f"there is no signatureSecret {WHERE}")
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise ForgedError("it is not signed")
        claims = _signed_claims(token.strip(), account.signature_secret)
        for name, ours in (("api_key", account.api_key), ("application_id", account.application_id)):
            theirs: object = claims.get(name)
            if theirs is not None and ours is not None and theirs != ours:
                raise ForgedError(f"the token's {name} is another one")
        self._check_age(claims)
        return claims

    def _check_age(self, claims: JsonObject) -> None:
        made: object = claims.get("iat")
        if not isinstance(made, int | float) or isinstance(made, bool):
            raise ForgedError("the token does not say when it was made")
        age_ms = self._clock.epoch_ms() - made * 1000
        if age_ms > FRESH_MS:
            raise ForgedError("the token is too old")
        if age_ms < -AHEAD_MS:
            raise ForgedError("the token is of the future: compare the clocks")

    def _use(self, claims: JsonObject) -> None:
        name: object = claims.get("jti")
        if not isinstance(name, str) or not name:
            raise ForgedError("the token has no jti")
        if name in self._used:
            raise ForgedError("the token was used before")
        now = self._clock.epoch_ms()
        self._used[name] = now
        while len(self._used) > MOST_REMEMBERED or self._oldest() < now - FRESH_MS - AHEAD_MS:
            self._used.popitem(last=False)

    def _oldest(self) -> int:
        return next(iter(self._used.values()))


def _signed_claims(token: str, secret: str) -> JsonObject:
    if not _verified(token, secret):
        raise ForgedError("the signature is wrong")
    try:
        # `Signatures` checks the age, by the one clock.
        options: Any = {"verify_iat": False, "verify_exp": False, "verify_nbf": False, "verify_aud": False}
        return jwt.decode(token, secret, algorithms=["HS256"], options=options)
    except jwt.PyJWTError:
        raise ForgedError("the token cannot be read") from None


def _verified(token: str, secret: str) -> bool:
    """Return whether Vonage's own check passes, or only fails because the clocks differ."""
    from vonage_jwt import VonageVerifyJwtError, verify_signature  # noqa: PLC0415  # of the extra `vonage`

    try:
        return verify_signature(token, secret)
    except VonageVerifyJwtError as error:
        # It has no leeway: a clock that is one second behind would refuse every webhook. Decoding verifies it again.
        if "ImmatureSignatureError" in str(error):
            return True
        raise ForgedError("the token cannot be read, or is of another kind") from None
