"""JSON Web Tokens that the owner signs with the private key, and what each of them may do (Vapi's JWT authentication).

The payload is `{"orgId", "token": {"tag", "restrictions"}}`. It is signed by HS256 and nothing else; `exp`, `nbf` and
`iat` count where they are given.
"""

from dataclasses import dataclass
from typing import Any, Literal

import jwt
from pydantic import ValidationError

from bargein.wire.base import Bool, JsonObject, WireModel
from bargein.wire.errors import WireError

Key = Literal["private", "public"]

MIN_KEY_BYTES = 32
"""A shorter key signs no tokens: who holds a token could find the key by trying (RFC 7518, section 3.2)."""
_MOST_CHARS = 8192


class Restrictions(WireModel):
    """What a token may do at most (`token.restrictions`); they count only where `enabled`.

    Attributes:
        allowed_origins: pages that may use it; none named: all may.
        allowed_assistant_ids: stored assistants that it may talk to; none named: all.
        allow_transient_assistant: whether a request may bring an assistant of its own; where that is not said: only if
            the token names no stored ones.
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
class Grant:
    """What a request may do.

    Attributes:
        key: everything (`private`), or what pages may (`public`).
        restrictions: what it may do at most; None: there are none.
    """

    key: Key
    restrictions: Restrictions | None = None

    def check_origin(self, origin: str | None) -> None:
        """See that a request comes from a page that may use the token.

        Raises:
            WireError: 403.
        """
        allowed = self.restrictions.allowed_origins if self.restrictions is not None else None
        if allowed and (origin is None or _plain(origin) not in map(_plain, allowed)):
            raise WireError(403, "This token may not be used from this origin.")

    def check_assistant(self, who: JsonObject) -> None:
        """See that a request, session or chat names nobody that the token may not talk to.

        Raises:
            WireError: 403.
        """
        if self.restrictions is None:
            return
        named, transient = self.restrictions.allowed_assistant_ids, self.restrictions.allow_transient_assistant
        brings = any(who.get(name) is not None for name in ("assistant", "squad"))
        if brings and not (transient if transient is not None else not named):
            raise WireError(403, "This token may not be used with an assistant of the request's own.")
        if named and not brings and (who.get("squadId") is not None or who.get("assistantId") not in named):
            raise WireError(403, "This token may not be used with this assistant.")


def read_token(token: str, key: str) -> Grant | None:
    """What a token lets its bearer do; None: it is none, it is not signed with this key, or its time is over."""
    if len(key.encode()) < MIN_KEY_BYTES or token.count(".") != 2 or len(token) > _MOST_CHARS:
        return None
    try:
        # no audience is set by Vapi's tokens; whoever adds one says so to others
        payload: dict[str, Any] = jwt.decode(token, key, algorithms=["HS256"], options={"verify_aud": False})
        read = _Payload.from_json(payload).token
    except (jwt.InvalidTokenError, ValidationError):
        return None
    given = read.restrictions
    return Grant(read.tag, given if given is not None and given.enabled else None)


def _plain(origin: str) -> str:
    return origin.strip().rstrip("/").lower()
