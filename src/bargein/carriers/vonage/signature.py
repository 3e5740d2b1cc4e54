"""Whether a webhook or a media socket is Vonage's own: a JSON Web Token in `Authorization`.

It is signed with the account's signature secret (HS256) and says when it was made, which account and application it is
of, and what the body's hash is. Vonage's library checks the signature alone; the rest is checked here.
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
"""How old a token may be: five minutes, as the other carriers' signatures."""
AHEAD_MS = 60_000
"""How far Vonage's clock may be ahead of ours."""
MOST_REMEMBERED = 50_000
"""Tokens that are remembered as used. Only signed ones are, so that no stranger can push one out."""


class Signatures:
    """Checks tokens, and takes each once.

    Args:
        clock: the time.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._used: OrderedDict[str, int] = OrderedDict()

    def check_webhook(self, account: Account, request: WebhookRequest) -> None:
        """See that a webhook is Vonage's, fresh, new, and as it was sent.

        Raises:
            ForgedError: it is not, or there is nothing to check it with.
        """
        claims = self._claims(account, request)
        said: object = claims.get("payload_hash")
        if not isinstance(said, str):
            raise ForgedError("the token says no payload_hash")
        if not hmac.compare_digest(said.lower().encode(), hashlib.sha256(request.body).hexdigest().encode()):
            raise ForgedError("the body is not what was signed")
        self._take(claims)

    def check_socket(self, account: Account, request: WebhookRequest) -> None:
        """See that a media socket's upgrade is Vonage's, fresh and new. It has no body to be hashed.

        Raises:
            ForgedError: it is not, or there is nothing to check it with.
        """
        self._take(self._claims(account, request))

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

    def _take(self, claims: JsonObject) -> None:
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
        # How old it may be is for `Signatures` to say, by the one clock.
        options: Any = {"verify_iat": False, "verify_exp": False, "verify_nbf": False, "verify_aud": False}
        return jwt.decode(token, secret, algorithms=["HS256"], options=options)
    except jwt.PyJWTError:
        raise ForgedError("the token cannot be read") from None


def _verified(token: str, secret: str) -> bool:
    """Whether Vonage's own check passes; also where it only finds that its clock and ours differ."""
    from vonage_jwt import VonageVerifyJwtError, verify_signature  # noqa: PLC0415  # of the extra `vonage`

    try:
        return verify_signature(token, secret)
    except VonageVerifyJwtError as error:
        # It has no leeway: one second that our clock is behind would refuse every webhook. Decoding checks it again.
        if "ImmatureSignatureError" in str(error):
            return True
        raise ForgedError("the token is none, or is of another kind") from None
