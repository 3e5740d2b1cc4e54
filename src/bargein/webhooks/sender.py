"""Posts one message to an owner's server, and reads the answer with a bound on everything."""

import json
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import cast

import anyio
import httpx
from pydantic import ValidationError

from bargein.ports import ServerError
from bargein.webhooks.authentication import Authentication, legacy_headers
from bargein.webhooks.backoff import StatusError, retried
from bargein.webhooks.encryption import encrypted_tool_calls
from bargein.webhooks.guard import PrivateAddressError
from bargein.webhooks.oauth import read_bounded
from bargein.wire.authentication import ServerCredential
from bargein.wire.base import JsonObject
from bargein.wire.plans import BackoffPlan, Server

DEFAULT_TIMEOUT_S = 20.0
"""`server.timeoutSeconds` where it is not given."""

MAX_ANSWER_BYTES = 1024 * 1024
"""No answer needs to be longer; of one that is, no more is read."""

IDEMPOTENCY_HEADER = "Idempotency-Key"
"""Where a message that may come more than once carries what it is known by."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message, ready to be sent as often as it takes.

    Attributes:
        server: whose server, as Vapi's JSON has it.
        body: what is posted.
        credential: of `server.credentialId`.
        backoff: `server.backoffPlan`.
        timeout_s: for one try, from the first byte to the last.
        key: goes out as `Idempotency-Key`.
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
        telling: for messages whose answer does not matter; guarded (`bargein.webhooks.guard`), without time limits.
        asking: for those whose answer does; the same, and it uses no connection twice.
        authentication: finds credentials.

    Attributes:
        watch: is told what became of each message: its type, and `taken` or the reason of the `ServerError`.
    """

    def __init__(self, telling: httpx.AsyncClient, asking: httpx.AsyncClient, authentication: Authentication) -> None:
        self._telling = telling
        self._asking = asking
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
        """Post a message, wrapped as Vapi wraps it, and give the answer's JSON object.

        Args:
            server: Vapi's `server`.
            message: with its envelope.
            inline: `assistant.credentials`.
            timeout_s: for everything, retries too; not given: `timeoutSeconds` for each try.

        Raises:
            ServerError: there is no usable answer.
        """
        with self._watched(message):
            try:
                with anyio.fail_after(timeout_s):
                    letter = await self._letter(server, message, inline, timeout_s, None)
                    return _answer_of(await retried(letter.backoff, lambda: self._try(letter, read=True)))
            except TimeoutError:
                what = f"the server did not answer within {timeout_s or 0:g} s"
                raise ServerError(what, reason="timeout") from None

    async def tell(
        self, server: JsonObject, message: JsonObject, *, inline: Sequence[JsonObject] = (), key: str | None = None
    ) -> None:
        """Post a message whose answer does not matter.

        Args:
            server: Vapi's `server`.
            message: with its envelope.
            inline: `assistant.credentials`.
            key: what a message that may come twice is known by.

        Raises:
            ServerError: it was not taken.
        """
        with self._watched(message):
            letter = await self._letter(server, message, inline, None, key)
            await retried(letter.backoff, lambda: self._try(letter, read=False))

    @contextmanager
    def _watched(self, message: JsonObject) -> Generator[None]:
        kind = str(message.get("type"))
        try:
            yield
        except ServerError as error:
            self.watch(kind, error.reason)
            raise
        self.watch(kind, "taken")

    async def _letter(
        self,
        server: JsonObject,
        message: JsonObject,
        inline: Sequence[JsonObject],
        timeout_s: float | None,
        key: str | None,
    ) -> Delivery:
        try:
            settled = Server.from_json(server)
        except ValidationError:
            raise ServerError("the server's settings cannot be read", reason="invalid") from None
        credential_id = settled.credential_id
        credential = await self._authentication.credential(credential_id, inline) if credential_id else None
        if settled.encrypted_paths:
            if credential is None or credential.encryption_plan is None:
                raise ServerError("server.encryptedPaths needs a credential with an encryptionPlan", reason="invalid")
            message = encrypted_tool_calls(message, settled.encrypted_paths, credential.encryption_plan)
        return Delivery(
            server=server,
            body=json.dumps({"message": message}, ensure_ascii=False).encode("utf-8", "replace"),
            credential=credential,
            backoff=settled.backoff_plan,
            timeout_s=timeout_s or float(settled.timeout_seconds or DEFAULT_TIMEOUT_S),
            key=key,
        )

    async def _try(self, letter: Delivery, *, read: bool) -> bytes:
        try:
            with anyio.fail_after(letter.timeout_s):
                return await self._exchange(letter, read=read)
        except TimeoutError:
            what = f"the server did not answer within {letter.timeout_s:g} s"
            raise ServerError(what, reason="timeout") from None
        except PrivateAddressError as error:
            raise ServerError(f"the server was not asked: {error}", reason="refused") from None
        except (httpx.HTTPError, httpx.StreamError) as error:
            what = f"the server could not be reached or broke off ({type(error).__name__})"
            raise ServerError(what, reason="unreachable") from error

    async def _exchange(self, letter: Delivery, *, read: bool) -> bytes:
        headers = {"Content-Type": "application/json", **legacy_headers(letter.server)}
        if letter.key is not None:
            headers[IDEMPOTENCY_HEADER] = letter.key
        client = self._asking if read else self._telling
        request = client.build_request(
            "POST", checked_url(letter.server.get("url")), headers=headers, content=letter.body
        )
        auth = self._authentication.auth(letter.credential)
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
    """The URL of a request.

    Raises:
        ServerError: it is none of http or https.
    """
    try:
        parsed = httpx.URL(url) if isinstance(url, str) else None
    except (httpx.InvalidURL, ValueError, TypeError):
        parsed = None
    if parsed is None or parsed.scheme not in {"http", "https"} or not parsed.host:
        raise ServerError("server.url must be an http or https URL", reason="invalid")
    return parsed


def _answer_of(body: bytes) -> JsonObject:
    try:
        answer: object = json.loads(body)
    except (ValueError, RecursionError):
        raise ServerError("the server's answer is not JSON", reason="invalid") from None
    if not isinstance(answer, dict):
        raise ServerError("the server's answer is not a JSON object", reason="invalid")
    return cast("JsonObject", answer)
