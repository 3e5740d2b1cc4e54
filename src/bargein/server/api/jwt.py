"""JSON Web Tokens that the owner signs with the private key, and what they allow (Vapi's JWT authentication).

The payload is `{"orgId", "token": {"tag", "restrictions"}}`. The signature must be HS256; `exp`, `nbf` and `iat` are
checked where they are present.
"""

from dataclasses import dataclass
from typing import Any, Literal

import jwt
from pydantic import ValidationError

from bargein.wire.base import Bool, JsonObject, WireModel
from bargein.wire.errors import WireError
from bargein.wire.limits import AssistantLimits
from bargein.wire.ownership import Author

Key = Literal["private", "public"]

MIN_KEY_BYTES = 32
"""A shorter key signs no tokens, because a token's holder could find it by trying (RFC 7518, section 3.2)."""
_MAX_TOKEN_CHARS = 8192


class Restrictions(WireModel):
    """The limits of a token (`token.restrictions`); they apply only if `enabled`.

    Attributes:
        allowed_origins: the origins whose pages may use it; None or empty: all.
        allowed_assistant_ids: the stored assistants that it may talk to; None or empty: all.
        allow_transient_assistant: whether a request may contain an assistant; None: only if `allowed_assistant_ids`
            is empty.
    """

    enabled: Bool = True
    allowed_origins: list[str] | None = None
    allowed_assistant_ids: list[str] | None = None
    allow_transient_assistant: Bool | None = None


class _Token(WireModel):
    tag: Key
    restrictions: Restrictions | None = None


class _Payload(WireModel):
    token: _Token


@dataclass(frozen=True, slots=True)
class Permissions:
    """The permissions of a request.

    Attributes:
        key: the key whose rights it has: everything (`private`), or web calls and web chats (`public`).
        restrictions: the limits of its token; None: it has a key, or a token without limits.
    """

    key: Key
    restrictions: Restrictions | None = None

    @property
    def author(self) -> Author:
        """The author of what the request contains: the owner, or a caller."""
        return "owner" if self.key == "private" else "caller"

    def check_origin(self, origin: str | None) -> None:
        """Check that the token may be used by pages of an origin.

        Raises:
            WireError: 403.
        """
        allowed = self.restrictions.allowed_origins if self.restrictions is not None else None
        if allowed and (origin is None or _normalized(origin) not in map(_normalized, allowed)):
            raise WireError(403, "This token may not be used from this origin.")

    @property
    def limits(self) -> AssistantLimits:
        """The assistants that it may be used with."""
        given = self.restrictions
        if given is None:
            return AssistantLimits()
        named, transient = given.allowed_assistant_ids, given.allow_transient_assistant
        return AssistantLimits(frozenset(named) if named else None, not named if transient is None else transient)

    def check_assistant(self, body: JsonObject, source: JsonObject | None = None) -> None:
        """Check the assistant or squad that a request is about, and all that it contains.

        Args:
            body: the request's body.
            source: the session or chat that the request continues, which then names the assistant.

        Raises:
            WireError: 403.
        """
        self.limits.check_named(body if source is None else source)
        self.limits.check_written(body)


def read_token(token: str, key: str) -> Permissions | None:
    """Return a token's permissions, or None if it is malformed, not signed with `key`, expired or not valid yet."""
    if len(key.encode()) < MIN_KEY_BYTES or token.count(".") != 2 or len(token) > _MAX_TOKEN_CHARS:
        return None
    try:
        # Vapi's tokens have no audience; one that the owner added is for another verifier
        payload: dict[str, Any] = jwt.decode(token, key, algorithms=["HS256"], options={"verify_aud": False})
        read = _Payload.from_json(payload).token
    except (jwt.InvalidTokenError, ValidationError):
        return None
    given = read.restrictions
    return Permissions(read.tag, given if given is not None and given.enabled else None)


def _normalized(origin: str) -> str:
    return origin.strip().rstrip("/").lower()
