"""The carrier: calls over Twilio's REST API, through the official SDK."""

import logging
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any, NamedTuple, cast

import aiohttp
import anyio
from twilio.base.exceptions import TwilioException, TwilioRestException
from twilio.http.async_http_client import AsyncTwilioHttpClient
from twilio.rest import Client
from typing_extensions import override

from bargein.carriers.interface import (
    Addresses,
    Answer,
    Carrier,
    Dial,
    ForgedError,
    Incoming,
    Notice,
    PhoneLine,
    Placed,
    WebhookRequest,
)
from bargein.carriers.twilio import API, twiml, webhooks
from bargein.carriers.twilio.codec import TwilioCodec
from bargein.ports import CarrierError
from bargein.wire.base import JsonObject

_TIMEOUT_S = 10.0
_MAX_BODY_BYTES = 4 * 1024 * 1024
_XML = "text/xml"
_OVER = frozenset({20404, 21220})
"""Twilio's errors for a call that does not exist, or has ended."""

_MACHINE_OPTIONS = {
    "machineDetectionTimeout": "machine_detection_timeout",
    "machineDetectionSpeechThreshold": "machine_detection_speech_threshold",
    "machineDetectionSpeechEndThreshold": "machine_detection_speech_end_threshold",
    "machineDetectionSilenceTimeout": "machine_detection_silence_timeout",
}


class _Account(NamedTuple):
    """An account at Twilio.

    Attributes:
        sid: its id.
        auth_token: its token, with which its webhooks are signed, too.
        key: an API key and its secret, for requests without the token.
    """

    sid: str
    auth_token: str | None
    key: tuple[str, str] | None


class _Answer(aiohttp.ClientResponse):
    """An answer with a limited body, which may not be compressed (as in `bargein.http_client`)."""

    @override
    async def read(self) -> bytes:
        if self._body is None:
            if self.headers.get("Content-Encoding", "identity").strip().lower() != "identity":
                self.close()
                raise aiohttp.ClientPayloadError("a compressed answer")
            body = bytearray()
            async for chunk in self.content.iter_any():
                body += chunk
                if len(body) > _MAX_BODY_BYTES:
                    self.close()
                    raise aiohttp.ClientPayloadError("too long an answer")
            self._body = bytes(body)  # where the base class keeps it, for `text`
        return self._body


class _Http(AsyncTwilioHttpClient):
    """Twilio's HTTP client with another address of the API; its user limits the time."""

    def __init__(self, api_url: str) -> None:
        # It logs its requests, with the called numbers.
        super().__init__(pool_connections=False, logger=_silent())
        self.session = aiohttp.ClientSession(
            headers={"Accept-Encoding": "identity"}, auto_decompress=False, response_class=_Answer
        )
        self._api_url = api_url

    @override
    async def request(self, method: str, url: str, *args: Any, **more: Any) -> Any:
        return await super().request(method, url.replace(API, self._api_url, 1), *args, **more)


def _silent() -> logging.Logger:
    logger = logging.getLogger("bargein.carriers.twilio.sdk")
    logger.disabled = True
    return logger


class TwilioCarrier(Carrier):
    """The carrier of numbers at Twilio.

    Keys cannot be sent into a call: Twilio does that by new TwiML only, which would end the media stream.
    """

    provider = "twilio"
    can_send_dtmf = False

    def __init__(self, api_url: str = API) -> None:
        self._api_url = api_url
        self._http: _Http | None = None

    @override
    def codec(self) -> TwilioCodec:
        return TwilioCodec()

    # Webhooks.

    @override
    def verify(self, phone_line: PhoneLine, request: WebhookRequest) -> None:
        """Verify the signature. It has no time, so a repeated request gets the same answer again."""
        webhooks.verify(request, _account(phone_line).auth_token)

    @override
    def verify_socket(self, phone_line: PhoneLine, request: WebhookRequest, token: str) -> None:
        """Verify the signature of the upgrade, which is that of a webhook over the `wss` URL."""
        webhooks.verify(request, _account(phone_line).auth_token)

    @override
    def read(self, request: WebhookRequest) -> Sequence[Notice]:
        return webhooks.read(request)

    @override
    async def answer(self, phone_line: PhoneLine, carrier_call_id: str, addresses: Addresses) -> Answer:
        return Answer(twiml.streamed(addresses.media or ""), _XML)

    @override
    async def refuse(self, phone_line: PhoneLine, incoming: Incoming, forward_to: JsonObject | None) -> Answer:
        return Answer(twiml.rejected() if forward_to is None else twiml.forwarded(forward_to), _XML)

    @override
    def acknowledge(self) -> Answer:
        return Answer("<Response/>", _XML)

    # Calls.

    @override
    async def place(self, phone_line: PhoneLine, dial: Dial) -> Placed:
        customer = dial.customer
        to = customer.get("number") or twiml.with_headers(str(customer.get("sipUri") or ""), dict(dial.sip_headers))
        options: dict[str, Any] = {
            "twiml": twiml.streamed(dial.addresses.media or ""),
            "status_callback": dial.addresses.status,
            "status_callback_event": ["initiated", "ringing", "answered", "completed"],
            "status_callback_method": "POST",
            "timeout": dial.ring_s,
        }
        if customer.get("extension"):
            options["send_digits"] = f"ww{customer['extension']}"
        if dial.detect_machine:
            options |= _machine_options(dial)
        if dial.configuration.get("record") is True:
            options |= {"record": True, "recording_channels": dial.configuration.get("recordingChannels") or "mono"}
        async with self._client(phone_line) as client:
            call = await client.calls.create_async(to=to, from_=str(phone_line.number.get("number")), **options)
        return Placed(str(call.sid), {"accountSid": str(call.account_sid), "callSid": str(call.sid)})

    @override
    async def hang_up(self, phone_line: PhoneLine, carrier_call_id: str) -> None:
        async with self._client(phone_line, ignored=_OVER) as client:
            await client.calls(carrier_call_id).update_async(status="completed")

    @override
    async def send_dtmf(self, phone_line: PhoneLine, carrier_call_id: str, keys: str) -> None:
        raise CarrierError("Twilio cannot send keys without ending the media stream.")

    @override
    async def send_sms(self, phone_line: PhoneLine, to: str, text: str) -> None:
        async with self._client(phone_line) as client:
            await client.messages.create_async(to=to, from_=str(phone_line.number.get("number")), body=text)

    @override
    async def transfer(
        self, phone_line: PhoneLine, carrier_call_id: str, destination: JsonObject, addresses: Addresses
    ) -> None:
        """Transfer by new TwiML, which ends the media stream."""
        document = twiml.forwarded(destination)
        async with self._client(phone_line) as client:
            await client.calls(carrier_call_id).update_async(twiml=document)

    @override
    async def configure_webhooks(self, phone_line: PhoneLine, addresses: Addresses) -> None:
        number = str(phone_line.number.get("number"))
        async with self._client(phone_line) as client:
            found = await client.incoming_phone_numbers.list_async(phone_number=number, limit=1)
            if not found:
                raise CarrierError(f"the account at Twilio has no number {number}.")
            await found[0].update_async(
                voice_url=addresses.voice,
                voice_method="POST",
                status_callback=addresses.status,
                status_callback_method="POST",
            )

    @override
    async def close(self) -> None:
        http, self._http = self._http, None
        if http is not None:
            await http.close()

    @asynccontextmanager
    async def _client(self, phone_line: PhoneLine, ignored: frozenset[int] = frozenset()) -> AsyncGenerator[Client]:
        """Yield the SDK's client of the number's account; turn its errors into `CarrierError`."""
        try:
            account = _account(phone_line)
        except ForgedError as error:
            raise CarrierError(str(error)) from None
        if self._http is None:
            self._http = _Http(self._api_url)
        name, secret = account.key or (account.sid, account.auth_token)
        if secret is None:
            raise CarrierError("no auth token or API key is known for this number: set twilioAuthToken.")
        try:
            with anyio.fail_after(_TIMEOUT_S):
                yield Client(name, secret, account.sid, http_client=self._http)
        except TwilioRestException as error:
            if error.code not in ignored and not (error.status == 404 and ignored):
                raise CarrierError(f"Twilio refused: {_words(error)}") from None
        except (TwilioException, aiohttp.ClientError, TimeoutError, OSError) as error:
            raise CarrierError(f"Twilio could not be reached: {type(error).__name__}.") from None


def _words(error: TwilioRestException) -> str:
    """Return Twilio's text of an error; it holds no secret of this server."""
    return f"{str(error.msg)[:300]} (HTTP {error.status}, code {error.code})"


def _account(phone_line: PhoneLine) -> _Account:
    """Read the account from the number, its credential or the settings, in this order.

    Raises:
        ForgedError: the number names another account than the one whose secrets are known.
    """
    number, credential = phone_line.number, phone_line.credential or {}
    sid = str(number.get("twilioAccountSid") or credential.get("accountSid") or "")
    if credential.get("accountSid") not in (None, sid):
        credential = {}  # the credential is of another account
    token: object = number.get("twilioAuthToken") or credential.get("authToken")
    key, secret = (number.get(f"twilioApi{part}") or credential.get(f"api{part}") for part in ("Key", "Secret"))
    pair = (str(key), str(secret)) if key and secret and not token else None
    if not sid:
        raise ForgedError("the number names no account at Twilio")
    return _Account(sid, str(token) if token else None, pair)


def _machine_options(dial: Dial) -> dict[str, Any]:
    """Return the options for asynchronous machine detection: the call goes on while Twilio listens."""
    options: dict[str, Any] = {
        "machine_detection": "DetectMessageEnd",
        "async_amd": "true",
        "async_amd_status_callback": dial.addresses.status,
        "async_amd_status_callback_method": "POST",
    }
    for name, option in _MACHINE_OPTIONS.items():
        value = cast("object", dial.machine_plan.get(name))
        if isinstance(value, int | float):
            options[option] = int(value)
    return options
