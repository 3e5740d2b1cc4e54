"""OAuth2 tokens by client credentials (RFC 6749, section 4.4), kept until they expire."""

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

import anyio
import httpx

from bargein.clock import Clock
from bargein.ports import ServerError
from bargein.wire.authentication import OAuth2Plan

if TYPE_CHECKING:
    from bargein.wire.base import JsonObject

_TIMEOUT_S = 10.0
_MAX_BYTES = 64 * 1024
_WITHOUT_EXPIRY_S = 300.0
_EARLY_S = 30.0
_MOST_KEPT = 1000


@dataclass(slots=True)
class _Kept:
    token: str = field(default="", repr=False)
    until_ms: float = 0.0
    lock: anyio.Lock = field(default_factory=anyio.Lock)


class Tokens:
    """The tokens of all credentials. One is fetched once, however many calls want it at the same time.

    Args:
        client: for the requests; guarded, as the token's URL comes from a credential.
        clock: the one clock.
    """

    def __init__(self, client: httpx.AsyncClient, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._kept: dict[tuple[str, str, str, str], _Kept] = {}

    async def get(self, plan: OAuth2Plan, *, refused: str | None = None) -> str:
        """A token of a plan.

        Args:
            plan: whose.
            refused: a token that a server has refused (401): it is not given again.

        Raises:
            ServerError: the token's server gives none.
        """
        key = (plan.url, plan.client_id, plan.client_secret, plan.scope or "")
        if key not in self._kept and len(self._kept) >= _MOST_KEPT:
            self._kept.pop(next(iter(self._kept)))
        kept = self._kept.setdefault(key, _Kept())
        async with kept.lock:
            if kept.token in ("", refused) or self._clock.monotonic_ms() >= kept.until_ms:
                kept.token, seconds = await self._fetch(plan)
                kept.until_ms = self._clock.monotonic_ms() + seconds * 1000
            return kept.token

    async def _fetch(self, plan: OAuth2Plan) -> tuple[str, float]:
        form = {
            "grant_type": "client_credentials",
            "client_id": plan.client_id,
            "client_secret": plan.client_secret,
            **({"scope": plan.scope} if plan.scope else {}),
        }
        try:
            with anyio.fail_after(_TIMEOUT_S):
                request = self._client.build_request(
                    "POST", plan.url, data=form, headers={"Accept": "application/json"}
                )
                response = await self._client.send(request, stream=True)
                try:
                    body = await read_bounded(response, _MAX_BYTES)
                finally:
                    await response.aclose()
        except TimeoutError:
            raise _failure(f"did not answer within {_TIMEOUT_S:g} s", "timeout") from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise _failure(f"could not be reached ({type(error).__name__})", "unreachable") from error
        if not response.is_success:
            raise _failure(f"answered {response.status_code}", "status")
        return _read(body)


def _read(body: bytes | None) -> tuple[str, float]:
    try:
        answer: object = json.loads(body or b"")
    except (ValueError, RecursionError):
        answer = None
    found = cast("JsonObject", answer) if isinstance(answer, dict) else {}
    token: object = found.get("access_token")
    seconds: object = found.get("expires_in")
    if not isinstance(token, str) or not token or not token.isprintable():
        raise _failure("answered without an access_token", "invalid")
    if isinstance(seconds, str) and seconds.isdecimal():
        seconds = float(seconds[:9])
    lasts_s = float(seconds) if isinstance(seconds, int | float) and seconds > 0 else _WITHOUT_EXPIRY_S
    return token, lasts_s - min(_EARLY_S, lasts_s / 2)


def _failure(what: str, reason: str) -> ServerError:
    return ServerError(f"the OAuth2 token's server {what}", reason=reason)


async def read_bounded(response: httpx.Response, most: int) -> bytes | None:
    """An answer's body; None if it is longer than `most` bytes, of which no more is read."""
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > most:
            return None
    return bytes(body)
