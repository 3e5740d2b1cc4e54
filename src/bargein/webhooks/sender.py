"""Posts one message to an owner's server and reads the answer, with a limit on time and size."""

import json
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import cast

import anyio
import httpx
from pydantic import ValidationError

from bargein.http_client import PrivateAddressError, answer_problem, read_bounded, read_url
from bargein.ports import ServerError
from bargein.webhooks.authentication import Authentication, legacy_headers
from bargein.webhooks.backoff import StatusError, with_retries
from bargein.webhooks.encryption import encrypted_tool_calls
from bargein.wire.authentication import ServerCredential
from bargein.wire.base import JsonObject
from bargein.wire.json import read_json
from bargein.wire.plans import BackoffPlan, Server

DEFAULT_TIMEOUT_S = 20.0
"""Default of `server.timeoutSeconds`."""

MAX_ANSWER_BYTES = 1024 * 1024
"""Longest answer that is read."""

IDEMPOTENCY_HEADER = "Idempotency-Key"
"""Header by which a receiver recognises a message that is delivered twice."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message, ready to be sent and resent.

    Attributes:
        server: Vapi's `server` object.
        body: the request body.
        credential: the credential of `server.credentialId`.
        backoff: `server.backoffPlan`.
        timeout_s: limit of one attempt, from the first byte to the last.
        key: value of the `Idempotency-Key` header.
    """

    server: JsonObject = field(repr=False)
    body: bytes = field(repr=False)
    credential: ServerCredential | None = field(repr=False)
    backoff: BackoffPlan | None
    timeout_s: float
    key: str | None


class Sender:
    """Posts messages.

    Args:
        notifier: the client for messages whose answer does not matter; guarded (`bargein.webhooks.guard`), without time
            limits.
        requester: the client for messages whose answer matters; the same, but it uses each connection once.
        authentication: finds credentials.

    Attributes:
        watch: called with the type and the outcome of each message: `taken`, or the reason of the `ServerError`.
    """

    def __init__(
        self, notifier: httpx.AsyncClient, requester: httpx.AsyncClient, authentication: Authentication
    ) -> None:
        self._notifier = notifier
        self._requester = requester
        self._authentication = authentication
        self.watch: Callable[[str, str], None] = lambda _type, _outcome: None

    async def ask(
        self,
        server: JsonObject,
        message: JsonObject,
        *,
        inline: Sequence[JsonObject] = (),
        timeout_s: float | None = None,
    ) -> JsonObject:
        """Post a message as `{"message": …}` and return the JSON object of the answer.

        Args:
            server: Vapi's `server`.
            message: the message with its envelope.
            inline: `assistant.credentials`.
            timeout_s: limit for everything, retries included; by default `timeoutSeconds` for each attempt.

        Raises:
            ServerError: there is no usable answer.
        """
        with self._watched(message):
            try:
                with anyio.fail_after(timeout_s):
                    delivery = await self._prepare(server, message, inline, timeout_s, None)
                    return _answer_of(await with_retries(delivery.backoff, lambda: self._attempt(delivery, read=True)))
            except TimeoutError:
                what = f"the server did not answer within {timeout_s or 0:g} s"
                raise ServerError(what, reason="timeout") from None

    async def post(
        self, server: JsonObject, message: JsonObject, *, inline: Sequence[JsonObject] = (), key: str | None = None
    ) -> None:
        """Post a message whose answer does not matter.

        Args:
            server: Vapi's `server`.
            message: the message with its envelope.
            inline: `assistant.credentials`.
            key: value of the `Idempotency-Key` header.

        Raises:
            ServerError: the server did not accept it.
        """
        with self._watched(message):
            delivery = await self._prepare(server, message, inline, None, key)
            await with_retries(delivery.backoff, lambda: self._attempt(delivery, read=False))

    @contextmanager
    def _watched(self, message: JsonObject) -> Generator[None]:
        kind = str(message.get("type"))
        try:
            yield
        except ServerError as error:
            self.watch(kind, error.reason)
            raise
        self.watch(kind, "taken")

    async def _prepare(
        self,
        server: JsonObject,
        message: JsonObject,
        inline: Sequence[JsonObject],
        timeout_s: float | None,
        key: str | None,
    ) -> Delivery:
        try:
            settings = Server.from_json(server)
        except ValidationError:
            raise ServerError("the server's settings cannot be read", reason="invalid") from None
        credential = await self._authentication.credential(server, inline)
        if settings.encrypted_paths:
            if credential is None or credential.encryption_plan is None:
                raise ServerError("server.encryptedPaths needs a credential with an encryptionPlan", reason="invalid")
            message = encrypted_tool_calls(message, settings.encrypted_paths, credential.encryption_plan)
        return Delivery(
            server=server,
            body=json.dumps({"message": message}, ensure_ascii=False).encode("utf-8", "replace"),
            credential=credential,
            backoff=settings.backoff_plan,
            timeout_s=timeout_s or float(settings.timeout_seconds or DEFAULT_TIMEOUT_S),
            key=key,
        )

    async def _attempt(self, delivery: Delivery, *, read: bool) -> bytes:
        try:
            with anyio.fail_after(delivery.timeout_s):
                return await self._exchange(delivery, read=read)
        except TimeoutError:
            what = f"the server did not answer within {delivery.timeout_s:g} s"
            raise ServerError(what, reason="timeout") from None
        except PrivateAddressError as error:
            raise ServerError(f"the server {error}", reason="refused") from None
        except (httpx.HTTPError, httpx.StreamError) as error:
            problem = answer_problem(error)
            what = problem or f"could not be reached or closed the connection ({type(error).__name__})"
            raise ServerError(f"the server {what}", reason="invalid" if problem else "unreachable") from error

    async def _exchange(self, delivery: Delivery, *, read: bool) -> bytes:
        headers = {"Content-Type": "application/json", **legacy_headers(delivery.server)}
        if delivery.key is not None:
            headers[IDEMPOTENCY_HEADER] = delivery.key
        client = self._requester if read else self._notifier
        request = client.build_request(
            "POST", checked_url(delivery.server.get("url")), headers=headers, content=delivery.body
        )
        auth = self._authentication.auth(delivery.credential)
        response = await client.send(request, stream=True, auth=auth, follow_redirects=False)
        try:
            if not response.is_success:
                raise StatusError(f"the server answered {response.status_code}", response.status_code)
            body = await read_bounded(response, MAX_ANSWER_BYTES) if read else b""
        finally:
            await response.aclose()
        if body is None:
            raise ServerError(f"the server answered with more than {MAX_ANSWER_BYTES} bytes", reason="invalid")
        return body


def checked_url(url: object) -> httpx.URL:
    """Return the URL of a request.

    Raises:
        ServerError: it is not an http or https URL.
    """
    parsed = read_url(url)
    if parsed is None:
        raise ServerError("server.url must be an http or https URL", reason="invalid")
    return parsed


def _answer_of(body: bytes) -> JsonObject:
    try:
        answer = read_json(body)
    except ValueError:
        raise ServerError("the server's answer is not JSON", reason="invalid") from None
    if not isinstance(answer, dict):
        raise ServerError("the server's answer is not a JSON object", reason="invalid")
    return cast("JsonObject", answer)
