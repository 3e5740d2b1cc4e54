"""Twilio's side of the seam: its REST API through the official SDK, and what goes with it."""

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
_XML = "text/xml"
_OVER = frozenset({20404, 21220})
"""Twilio's errors for a call that is not there, or is not going on any more."""

_MACHINE_OPTIONS = {
    "machineDetectionTimeout": "machine_detection_timeout",
    "machineDetectionSpeechThreshold": "machine_detection_speech_threshold",
    "machineDetectionSpeechEndThreshold": "machine_detection_speech_end_threshold",
    "machineDetectionSilenceTimeout": "machine_detection_silence_timeout",
}


class _Account(NamedTuple):
    """Who we are at Twilio.

    Attributes:
        auth_token: the account's; also what webhooks are signed with.
        key: an API key and its secret, in the token's place.
    """

    sid: str
    auth_token: str | None
    key: tuple[str, str] | None


class _Http(AsyncTwilioHttpClient):
    """Twilio's own client, with its API at another address; who uses it limits the time."""

    def __init__(self, api_url: str) -> None:
        # It logs what it sends, also who is called; nobody has asked for that.
        super().__init__(pool_connections=True, logger=_silent())
        self._api_url = api_url

    @override
    async def request(self, method: str, url: str, *args: Any, **more: Any) -> Any:
        return await super().request(method, url.replace(API, self._api_url, 1), *args, **more)


def _silent() -> logging.Logger:
    logger = logging.getLogger("bargein.carriers.twilio.sdk")
    logger.disabled = True
    return logger


class TwilioCarrier(Carrier):
    """See `bargein.carriers.interface.Carrier`.

    Keys cannot be sent into a call: Twilio does that only by new TwiML, which would end the media stream.
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
        """Twilio signs no time: a request that is repeated gets the same answer again."""
        webhooks.verify(request, _account(phone_line).auth_token)

    @override
    def verify_socket(self, phone_line: PhoneLine, request: WebhookRequest, token: str) -> None:
        """Twilio signs the upgrade as it does webhooks, over the `wss` URL."""
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
        async with self._asking(phone_line) as client:
            call = await client.calls.create_async(to=to, from_=str(phone_line.number.get("number")), **options)
        return Placed(str(call.sid), {"accountSid": str(call.account_sid), "callSid": str(call.sid)})

    @override
    async def hang_up(self, phone_line: PhoneLine, carrier_call_id: str) -> None:
        async with self._asking(phone_line, passing_over=_OVER) as client:
            await client.calls(carrier_call_id).update_async(status="completed")

    @override
    async def send_dtmf(self, phone_line: PhoneLine, carrier_call_id: str, keys: str) -> None:
        raise CarrierError("Twilio cannot press keys without ending the media stream.")

    @override
    async def transfer(
        self, phone_line: PhoneLine, carrier_call_id: str, destination: JsonObject, addresses: Addresses
    ) -> None:
        """New TwiML takes the call out of the media stream."""
        document = twiml.forwarded(destination)
        async with self._asking(phone_line) as client:
            await client.calls(carrier_call_id).update_async(twiml=document)

    @override
    async def configure_webhooks(self, phone_line: PhoneLine, addresses: Addresses) -> None:
        number = str(phone_line.number.get("number"))
        async with self._asking(phone_line) as client:
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
    async def _asking(
        self, phone_line: PhoneLine, passing_over: frozenset[int] = frozenset()
    ) -> AsyncGenerator[Client]:
        """The SDK's client, as the line's account; what goes wrong becomes a `CarrierError`."""
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
            if error.code not in passing_over and not (error.status == 404 and passing_over):
                raise CarrierError(f"Twilio refused: {_words(error)}") from None
        except (TwilioException, aiohttp.ClientError, TimeoutError, OSError) as error:
            raise CarrierError(f"Twilio could not be reached: {type(error).__name__}.") from None


def _words(error: TwilioRestException) -> str:
    """What Twilio says went wrong; it holds no secret of ours."""
    return f"{str(error.msg)[:300]} (HTTP {error.status}, code {error.code})"


def _account(phone_line: PhoneLine) -> _Account:
    """From the number itself, its credential or the environment, in this order.

    Raises:
        ForgedError: the number names another account than the one whose secrets are known.
    """
    number, credential = phone_line.number, phone_line.credential or {}
    sid = str(number.get("twilioAccountSid") or credential.get("accountSid") or "")
    if credential.get("accountSid") not in (None, sid):
        credential = {}  # it is of another account
    token: object = number.get("twilioAuthToken") or credential.get("authToken")
    key, secret = (number.get(f"twilioApi{part}") or credential.get(f"api{part}") for part in ("Key", "Secret"))
    pair = (str(key), str(secret)) if key and secret and not token else None
    if not sid:
        raise ForgedError("the number names no account of Twilio's")
    return _Account(sid, str(token) if token else None, pair)


def _machine_options(dial: Dial) -> dict[str, Any]:
    """How Twilio is to find out who answered; it tells while the call goes on."""
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
