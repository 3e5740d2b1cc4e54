"""OAuth2 tokens by client credentials (RFC 6749, section 4.4), cached until they expire."""

from dataclasses import dataclass, field

import anyio
import httpx

from bargein.clock import Clock
from bargein.http_client import answer_problem, read_bounded, read_url
from bargein.ports import ServerError
from bargein.wire.authentication import OAuth2Plan
from bargein.wire.json import as_object, read_json

_TIMEOUT_S = 10.0
_MAX_BYTES = 64 * 1024
_DEFAULT_LIFETIME_S = 300.0
_RENEW_EARLY_S = 30.0
_MAX_CACHED = 1000


@dataclass(slots=True)
class _Cached:
    token: str = field(default="", repr=False)
    until_ms: float = 0.0
    lock: anyio.Lock = field(default_factory=anyio.Lock)


class Tokens:
    """The tokens of all credentials. A token is fetched once, however many calls need it at the same time.

    Args:
        client: sends the requests; guarded, since the token's URL comes from a credential.
        clock: measures when a token expires.
    """

    def __init__(self, client: httpx.AsyncClient, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._cache: dict[tuple[str, str, str, str], _Cached] = {}

    async def get(self, plan: OAuth2Plan, *, refused: str | None = None) -> str:
        """Return a token for a plan.

        Args:
            plan: the OAuth2 plan of a credential.
            refused: a token that a server has refused (401); it is not returned again.

        Raises:
            ServerError: the token server gives no token.
        """
        key = (plan.url, plan.client_id, plan.client_secret, plan.scope or "")
        if key not in self._cache and len(self._cache) >= _MAX_CACHED:
            self._cache.pop(next(iter(self._cache)))
        cached = self._cache.setdefault(key, _Cached())
        async with cached.lock:
            if cached.token in ("", refused) or self._clock.monotonic_ms() >= cached.until_ms:
                cached.token, seconds = await self._fetch(plan)
                cached.until_ms = self._clock.monotonic_ms() + seconds * 1000
            return cached.token

    async def _fetch(self, plan: OAuth2Plan) -> tuple[str, float]:
        form = {
            "grant_type": "client_credentials",
            "client_id": plan.client_id,
            "client_secret": plan.client_secret,
            **({"scope": plan.scope} if plan.scope else {}),
        }
        url = read_url(plan.url)
        if url is None:
            raise _failure("has no http or https URL", "invalid")
        try:
            with anyio.fail_after(_TIMEOUT_S):
                request = self._client.build_request("POST", url, data=form, headers={"Accept": "application/json"})
                response = await self._client.send(request, stream=True)
                try:
                    body = await read_bounded(response, _MAX_BYTES)
                finally:
                    await response.aclose()
        except TimeoutError:
            raise _failure(f"did not answer within {_TIMEOUT_S:g} s", "timeout") from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            problem = answer_problem(error) or f"could not be reached ({type(error).__name__})"
            raise _failure(problem, "unreachable") from error
        if not response.is_success:
            raise _failure(f"answered {response.status_code}", "status")
        return _read(body)


def _read(body: bytes | None) -> tuple[str, float]:
    try:
        answer = read_json(body or b"")
    except ValueError:
        answer = None
    found = as_object(answer)
    token: object = found.get("access_token")
    seconds: object = found.get("expires_in")
    if not isinstance(token, str) or not token or not token.isprintable():
        raise _failure("answered without an access_token", "invalid")
    if isinstance(seconds, str) and seconds.isdecimal():
        seconds = float(seconds[:9])
    lasts_s = float(seconds) if isinstance(seconds, int | float) and seconds > 0 else _DEFAULT_LIFETIME_S
    return token, lasts_s - min(_RENEW_EARLY_S, lasts_s / 2)


def _failure(what: str, reason: str) -> ServerError:
    return ServerError(f"the OAuth2 token server {what}", reason=reason)
