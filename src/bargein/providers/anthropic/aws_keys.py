"""The AWS keys of a request: permanent ones, or those of a role that they may assume (AWS's `sts:AssumeRole`)."""

import html
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, Protocol
from urllib.parse import urlencode

import anyio
import httpx

from bargein.clock import Clock
from bargein.http_client import read_bounded
from bargein.ports import ProviderError
from bargein.providers.anthropic.sigv4 import AwsKeys, sign
from bargein.providers.vendor_errors import MAX_ERROR_BYTES, quote_of

_TIMEOUT_S = 10.0
_RENEW_MS = 60_000
"""Keys that end sooner than this are replaced."""

_FIELDS: Final = {
    "id": re.compile(r"<AccessKeyId>([A-Z0-9]{16,128})</AccessKeyId>"),
    "secret": re.compile(r"<SecretAccessKey>([A-Za-z0-9+/=]{16,256})</SecretAccessKey>"),
    "token": re.compile(r"<SessionToken>([A-Za-z0-9+/=]{1,8192})</SessionToken>"),
    "end": re.compile(r"<Expiration>([0-9T:.Z-]{10,40})</Expiration>"),
}
_MESSAGE = re.compile(r"<Message>([^<]*)</Message>")


class KeySource(Protocol):
    """A source of AWS keys."""

    async def keys(self) -> AwsKeys:
        """Return keys that are valid now.

        Raises:
            ProviderError: there are none.
            httpx.HTTPError: AWS cannot be reached.
        """
        ...


@dataclass(frozen=True, slots=True)
class PermanentKeys:
    """Keys that are valid until somebody withdraws them.

    Attributes:
        given: the keys.
    """

    given: AwsKeys

    async def keys(self) -> AwsKeys:
        """Return the keys."""
        return self.given


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """A role, and the keys that may assume it.

    Attributes:
        arn: the role.
        external_id: the secret that the role's owner asks for (`externalId`); None: none.
        region: of the service that is asked.
        own: the keys of the operator.
        provider: the `provider` of the model, for errors.
    """

    arn: str
    external_id: str | None = field(default=None, repr=False)
    region: str
    own: AwsKeys
    provider: str


class RoleKeys:
    """The keys of a role; they last an hour, and are replaced in time.

    Args:
        role: the role.
        client: shared by all calls and closed by its owner.
        clock: the one clock.
    """

    def __init__(self, role: Role, client: httpx.AsyncClient, clock: Clock) -> None:
        self._role = role
        self._client = client
        self._clock = clock
        self._keys: AwsKeys | None = None
        self._ends_ms = 0

    async def keys(self) -> AwsKeys:
        """Return the role's keys."""
        now_ms = self._clock.epoch_ms()
        if self._keys is None or self._ends_ms - _RENEW_MS < now_ms:
            try:
                with anyio.fail_after(_TIMEOUT_S):
                    self._keys, self._ends_ms = await self._assume(now_ms)
            except TimeoutError:
                raise self._failure(f"did not answer within {_TIMEOUT_S:g} s") from None
        return self._keys

    async def _assume(self, now_ms: int) -> tuple[AwsKeys, int]:
        role = self._role
        form = {"Action": "AssumeRole", "Version": "2011-06-15", "RoleArn": role.arn, "RoleSessionName": "bargein"}
        if role.external_id is not None:
            form["ExternalId"] = role.external_id
        request = self._client.build_request(
            "POST",
            f"https://sts.{role.region}.amazonaws.com/",
            headers={"content-type": "application/x-www-form-urlencoded"},
            content=urlencode(form).encode(),
        )
        sign(request, role.own, role.region, "sts", datetime.fromtimestamp(now_ms / 1000, UTC))
        response = await self._client.send(request, stream=True)
        try:
            text = (await read_bounded(response, MAX_ERROR_BYTES) or b"").decode("utf-8", "replace")
        finally:
            await response.aclose()
        if response.status_code != 200:
            message = _MESSAGE.search(text)
            raise self._failure(
                f"refused to let the role be assumed ({response.status_code})",
                quote=html.unescape(message[1]) if message is not None else "",
            )
        found = {name: match[1] for name, pattern in _FIELDS.items() if (match := pattern.search(text)) is not None}
        if found.keys() != _FIELDS.keys():
            raise self._failure("answered without keys")
        return AwsKeys(found["id"], found["secret"], found["token"]), self._end_ms(found["end"], now_ms)

    def _end_ms(self, text: str, now_ms: int) -> int:
        try:
            return int(datetime.fromisoformat(text).timestamp() * 1000)
        except ValueError:
            return now_ms + 2 * _RENEW_MS

    def _failure(self, problem: str, *, quote: str = "") -> ProviderError:
        role = self._role
        secrets = (role.own.secret_access_key, role.own.session_token or "", role.external_id or "")
        return ProviderError(
            f"the AWS service STS {problem} for the model {role.provider}",
            ended_reason=f"pipeline-error-{role.provider}-403-model-access-denied",
            provider=role.provider,
            setting=f"roleArn and externalId of the credential {role.provider}, or AWS_ACCESS_KEY_ID",
            quote=quote_of(quote, secrets),
        )
