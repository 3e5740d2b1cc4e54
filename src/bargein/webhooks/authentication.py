"""Authentication of requests to an owner's server: Vapi's `server` and the credential that it names.

A credential becomes an `httpx.Auth`, so that every sender (a webhook, an `apiRequest` tool, a custom voice) uses it the
same way: it signs the body as it is sent, and repeats the request with a new token where the old one was refused.
"""

import base64
import binascii
import hmac
from collections.abc import AsyncGenerator, Callable, Generator, Iterable
from uuid import uuid4

import httpx
from pydantic import ValidationError
from typing_extensions import override

from bargein.clock import Clock
from bargein.ports import Credentials, ServerError
from bargein.webhooks.oauth import Tokens
from bargein.wire.authentication import BearerPlan, HmacPlan, OAuth2Plan, ServerCredential, server_credential
from bargein.wire.base import JsonObject
from bargein.wire.json import as_object, as_string
from bargein.wire.ownership import is_callers, may_use

_UNAUTHORIZED = 401


class BearerAuth(httpx.Auth):
    """Authentication by a fixed token in a header."""

    def __init__(self, plan: BearerPlan) -> None:
        self._name = plan.header_name or "Authorization"
        self._value = plan.token if plan.bearer_prefix_enabled is False else f"Bearer {plan.token}"
        _check_header(self._name, self._value)

    @override
    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response]:
        request.headers.setdefault(self._name, self._value)
        yield request


class HmacAuth(httpx.Auth):
    """Authentication by a signature over the request.

    Args:
        plan: Vapi's plan (`HMACAuthenticationPlan`).
        now_s: returns the time in seconds since 1970.
    """

    requires_request_body = True

    def __init__(self, plan: HmacPlan, now_s: Callable[[], int]) -> None:
        self._plan = plan
        self._now_s = now_s
        try:
            self._key = (
                base64.b64decode(plan.secret_key, validate=True) if plan.secret_is_base64 else plan.secret_key.encode()
            )
        except binascii.Error:
            raise _unusable("its secretKey is not base64") from None
        for name in (plan.signature_header, plan.timestamp_header, plan.message_id_header):
            _check_header(name or "x", plan.signature_prefix or "x")

    @override
    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response]:
        plan = self._plan
        with_time = plan.include_timestamp is not False
        now = str(self._now_s())
        message_id = f"msg_{uuid4().hex}"
        payload = plan.payload_format or ("{timestamp}.{body}" if with_time else "{body}")
        signed = _filled(
            payload,
            {
                "{body}": request.content,
                "{timestamp}": now.encode(),
                "{method}": request.method.encode(),
                "{url}": str(request.url).encode(),
                "{svix-id}": message_id.encode(),
            },
        )
        digest = hmac.new(self._key, signed, plan.algorithm).digest()
        signature = base64.b64encode(digest).decode() if plan.signature_encoding == "base64" else digest.hex()
        request.headers[plan.signature_header or "x-signature"] = (plan.signature_prefix or "") + signature
        if with_time:
            request.headers[plan.timestamp_header or "x-timestamp"] = now
        if plan.message_id_header:
            request.headers[plan.message_id_header] = message_id
        yield request


class OAuth2Auth(httpx.Auth):
    """Authentication by a fetched token; a server that refuses it (401) is asked once more, with a new one."""

    def __init__(self, plan: OAuth2Plan, tokens: Tokens) -> None:
        self._plan = plan
        self._tokens = tokens

    @override
    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        """Add a token to the request, and send it again with a new one if the server answers 401.

        Raises:
            ServerError: no token can be fetched.
        """
        if (
            "authorization" in request.headers
        ):  # a header that the owner set takes precedence over a credential, as with Vapi
            yield request
            return
        token = await self._tokens.get(self._plan)
        request.headers["Authorization"] = f"Bearer {token}"
        response = yield request
        if response.status_code == _UNAUTHORIZED:
            token = await self._tokens.get(self._plan, refused=token)
            request.headers["Authorization"] = f"Bearer {token}"
            yield request


class Authentication:
    """Finds the authentication of a request.

    Args:
        credentials: the stored credentials.
        tokens: the OAuth2 tokens.
        clock: gives the time in signatures.
    """

    def __init__(self, credentials: Credentials, tokens: Tokens, clock: Clock) -> None:
        self._credentials = credentials
        self._tokens = tokens
        self._clock = clock

    async def credential(self, named_by: JsonObject, inline: Iterable[JsonObject] = ()) -> ServerCredential | None:
        """Return the credential that an object names by its `credentialId`; None if it names none.

        Args:
            named_by: a `server` or a tool. The `credentialId` is the credential's id; for an inline credential also its
                name, since those may have no id.
            inline: `assistant.credentials`, which take precedence over the stored ones. Those that a caller brought are
                for addresses of callers, and no others are used there (`bargein.wire.ownership`).

        Raises:
            ServerError: there is no such credential, or it cannot be read.
        """
        credential_id = as_string(named_by.get("credentialId"))
        if not credential_id:
            return None
        named = (given for given in may_use(named_by, inline) if credential_id in (given.get("id"), given.get("name")))
        found = next(named, None)
        if found is None and not is_callers(named_by):
            found = await self._credentials.find(credential_id)
        if found is None:
            raise _unusable("none has that id")
        try:
            return server_credential(found)
        except ValidationError:
            raise _unusable("its plans cannot be read") from None

    def auth(self, credential: ServerCredential | None) -> httpx.Auth | None:
        """Return the authentication of a credential; None if it has none.

        Raises:
            ServerError: it holds a value that cannot stand in a header.
        """
        match credential.authentication_plan if credential is not None else None:
            case BearerPlan() as plan:
                return BearerAuth(plan)
            case HmacPlan() as plan:
                return HmacAuth(plan, lambda: self._clock.epoch_ms() // 1000)
            case OAuth2Plan() as plan:
                return OAuth2Auth(plan, self._tokens)
            case None:
                return None

    async def find(self, named_by: JsonObject, inline: Iterable[JsonObject] = ()) -> httpx.Auth | None:
        """Return the authentication that an object names by its `credentialId`; None if it names none.

        Raises:
            ServerError: the credential cannot be found or used.
        """
        return self.auth(await self.credential(named_by, inline))


def legacy_headers(server: JsonObject) -> dict[str, str]:
    """Return `server.headers`, with `X-Vapi-Secret` for a `server.secret`.

    Raises:
        ServerError: one of them cannot stand in a header.
    """
    headers = {str(name): str(value) for name, value in as_object(server.get("headers")).items()}
    secret: object = server.get("secret")
    if isinstance(secret, str) and secret:
        headers = {name: value for name, value in headers.items() if name.lower() != "x-vapi-secret"}
        headers["X-Vapi-Secret"] = secret
    for name, value in headers.items():
        _check_header(name, value, "server.headers")
    return headers


def _filled(pattern: str, values: dict[str, bytes]) -> bytes:
    """Fill a pattern's placeholders, each once: text inside a value is never taken for a placeholder."""
    first, placeholder = min(((pattern.find(p), p) for p in values if p in pattern), default=(-1, ""))
    if first < 0:
        return pattern.encode()
    after = pattern[first + len(placeholder) :]
    return pattern[:first].encode() + values[placeholder] + _filled(after, values)


def _check_header(name: str, value: str, where: str = "its plan") -> None:
    try:
        httpx.Headers({name: value})
        usable = name.isascii() and value.isascii() and not set("\r\n\0") & set(name + value) and name.strip() == name
    except (ValueError, TypeError):
        usable = False
    if not usable or not name:
        raise ServerError(f"{where} holds a value that cannot stand in a header", reason="invalid")


def _unusable(what: str) -> ServerError:
    return ServerError(f"the credential cannot be used: {what}", reason="invalid")
