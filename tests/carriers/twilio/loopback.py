"""Twilio on loopback: TwiML, its REST API and Media Streams."""

import base64
import json
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode

import httpx
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from twilio.request_validator import RequestValidator

from tests.carriers.loopback import CALLER, Frame, Hook, Loopback, Phone

ACCOUNT = "AC" + "1" * 32
TOKEN = "twilio-auth-token-0123456789"
NUMBER = "+15550001111"


def signature(url: str, fields: dict[str, str], token: str = TOKEN) -> str:
    return RequestValidator(token).compute_signature(url, fields)


class TwilioPhone(Phone):
    encoding = "mulaw"
    rate_hz = 8_000

    def __init__(self, carrier: "TwilioLoopback", call_id: str) -> None:
        super().__init__(carrier, call_id)
        self._sequence = 1
        self._chunk = 0

    @property
    def stream(self) -> str:
        return "MZ" + self.id[2:]

    def opening(self, encoding: str = "audio/x-mulaw") -> Sequence[str | bytes]:
        start = {
            "accountSid": ACCOUNT,
            "streamSid": self.stream,
            "callSid": self.id,
            "tracks": ["inbound"],
            "mediaFormat": {"encoding": encoding, "sampleRate": 8000, "channels": 1},
            "customParameters": {},
        }
        connected = {"event": "connected", "protocol": "Call", "version": "1.0.0"}
        return json.dumps(connected), self._frame("start", start=start)

    def other_format(self) -> Sequence[str | bytes]:
        return self.opening("audio/opus")

    def audio_frame(self, data: bytes) -> str:
        self._chunk += 1
        return self._media(str(self._chunk), base64.b64encode(data).decode())

    def _media(self, chunk: str, payload: str) -> str:
        media = {"track": "inbound", "chunk": chunk, "timestamp": str(self._chunk * 20), "payload": payload}
        return self._frame("media", media=media)

    def key_frame(self, key: str) -> str:
        return self._frame("dtmf", dtmf={"track": "inbound_track", "digit": key})

    def mark_frame(self, name: str) -> str:
        return self._frame("mark", mark={"name": name})

    def stop_frame(self) -> str:
        return self._frame("stop", stop={"accountSid": ACCOUNT, "callSid": self.id})

    def _frame(self, event: str, **more: Any) -> str:
        self._sequence += 1
        return json.dumps({"event": event, "sequenceNumber": str(self._sequence), "streamSid": self.stream, **more})

    def nonsense(self) -> dict[str, str | bytes]:
        return {
            "no JSON": "{",
            "no object": "[]",
            "binary": b"\xff\xfe\x00",
            "an unknown event": self._frame("dance"),
            "a payload that is not base64": self._media(str(10**6), "***"),
            "a chunk that came already": self._media(str(self._chunk), base64.b64encode(self.silence).decode()),
            "a mark without a name": self._frame("mark", mark={}),
            "a start that came already": self.opening()[1],
            "another call's start": self.opening()[1].replace(self.id, "CA" + "f" * 32),  # type: ignore[arg-type]
        }

    def read(self, frame: str | bytes) -> Frame:
        message = json.loads(frame)
        assert message["streamSid"] == self.stream, message
        match message["event"]:
            case "media":
                return Frame("audio", base64.b64decode(message["media"]["payload"], validate=True))
            case "mark":
                return Frame("mark", name=message["mark"]["name"])
            case "clear":
                return Frame("clear")
            case _:
                raise AssertionError(f"Twilio knows no such message: {message}")

    def upgrade_headers(self) -> dict[str, str]:
        return {"X-Twilio-Signature": signature(self.media_url, {})}


class TwilioLoopback(Loopback):
    provider = "twilio"
    can_send_dtmf = False
    can_send_sms = True

    def __init__(self) -> None:
        super().__init__()
        self.secrets = (TOKEN,)
        self.options: dict[str, dict[str, str]] = {}
        self.numbers: dict[str, str] = {}

    @property
    def settings(self) -> dict[str, Any]:
        return {"twilio_api_url": self.url}

    async def number(self, client: httpx.AsyncClient) -> dict[str, Any]:
        return {
            "provider": "twilio",
            "number": NUMBER,
            "twilioAccountSid": ACCOUNT,
            "twilioAuthToken": TOKEN,
        }

    def make_phone(self, call_id: str) -> Phone:
        return TwilioPhone(self, call_id)

    def new_id(self, count: int) -> str:
        return f"CA{count:032x}"

    # Webhooks.

    def hook(self, path: str, fields: dict[str, str]) -> Hook:
        return self.hook_to(f"{self.server_url}/carrier/twilio/{self.number_id}/{path}", fields)

    def hook_to(self, url: str, fields: dict[str, str]) -> Hook:
        headers = {
            "Content-Type": "application/x-www-form-urlencoded; charset=UTF-8",
            "X-Twilio-Signature": signature(url, fields),
        }
        return Hook("POST", url, headers, urlencode(fields).encode())

    def incoming(self, phone: Phone, caller: str = CALLER) -> Hook:
        fields = {
            "CallSid": phone.id,
            "AccountSid": ACCOUNT,
            "From": caller,
            "To": NUMBER,
            "CallStatus": "ringing",
            "Direction": "inbound",
            "CallerName": "ADA LOVELACE",
            "CallToken": "tok-1",
        }
        return self.hook("voice", fields)

    def unsigned(self, hook: Hook) -> Hook:
        headers = {name: value for name, value in hook.headers.items() if name != "X-Twilio-Signature"}
        return Hook(hook.method, hook.url, headers, hook.body)

    async def follow(self, phone: Phone, answer: httpx.Response) -> None:
        assert answer.headers["content-type"].startswith("text/xml")
        await self._do(phone, answer.text)

    async def _do(self, phone: Phone, twiml: str) -> None:
        response = ET.fromstring(twiml)  # noqa: S314  # the server under test wrote it
        assert response.tag == "Response"
        for verb in response:
            match verb.tag:
                case "Connect":
                    (stream,) = verb
                    await self.connect(phone, stream.attrib["url"])
                case "Reject":
                    phone.ended = True
                case "Dial":
                    (noun,) = verb
                    phone.forwarded = {"to": noun.text, **noun.attrib, **verb.attrib}
                    if phone.socket is not None:  # new TwiML takes the call out of its stream
                        await phone.send(phone.stop_frame())  # type: ignore[arg-type]
                        self.close(phone)
                case "Say":
                    pass
                case _:
                    raise AssertionError(f"Twilio knows no such verb: {verb.tag}")
        phone.changed()

    async def _status(self, phone: Phone, status: str, **more: str) -> None:
        options = self.options.get(phone.id)
        fields = {"CallSid": phone.id, "AccountSid": ACCOUNT, "CallStatus": status, **more}
        fields["Direction"] = "inbound" if options is None else "outbound-api"
        hook = self.hook("status", fields) if options is None else self.hook_to(options["StatusCallback"], fields)
        answer = await self.send(hook)
        assert answer.status_code == 200, answer.text

    async def tell_ringing(self, phone: Phone) -> None:
        await self._status(phone, "ringing")

    async def answered(self, phone: Phone) -> None:
        await self._status(phone, "in-progress")
        await self._do(phone, self.options[phone.id]["Twiml"])

    async def tell_machine(self, phone: Phone, answered_by: str) -> None:
        """Twilio's answering machine detection has come to a result."""
        url = self.options[phone.id]["AsyncAmdStatusCallback"]
        fields = {"CallSid": phone.id, "AccountSid": ACCOUNT, "AnsweredBy": answered_by}
        assert (await self.send(self.hook_to(url, fields))).status_code == 200

    async def tell_over(self, phone: Phone, why: str = "completed") -> None:
        await self._status(phone, why, CallDuration="3", **({"SipResponseCode": "486"} if why == "busy" else {}))

    # The REST API.

    async def rest(self, request: Request) -> Response:
        expected = "Basic " + base64.b64encode(f"{ACCOUNT}:{TOKEN}".encode()).decode()
        if request.headers.get("authorization") != expected:
            return _error(401, 20003, "Authenticate")
        if self.fails is not None:
            return _error(self.fails, 21211, "The 'To' number is not a valid phone number.")
        fields = dict(parse_qsl((await request.body()).decode()))
        base = f"/2010-04-01/Accounts/{ACCOUNT}"
        path = request.url.path.removeprefix(base).removesuffix(".json")
        if path == "/Calls":
            phone = self.new_call(placed=True)
            self.options[phone.id] = fields
            return JSONResponse({"sid": phone.id, "account_sid": ACCOUNT, "status": "queued"}, 201)
        if path == "/Messages":
            return JSONResponse({"sid": "SM1", "account_sid": ACCOUNT, "status": "queued", "to": fields["To"]}, 201)
        if path == "/IncomingPhoneNumbers":
            wanted = parse_qs(request.url.query).get("PhoneNumber", [""])[0]
            found = [{"sid": "PN1", "account_sid": ACCOUNT, "phone_number": NUMBER}] if wanted == NUMBER else []
            return JSONResponse({"incoming_phone_numbers": found, "page": 0, "page_size": 1, "next_page_uri": None})
        if path == "/IncomingPhoneNumbers/PN1":
            self.numbers = fields
            return JSONResponse({"sid": "PN1", "account_sid": ACCOUNT})
        phone = self.calls.get(path.removeprefix("/Calls/"))  # type: ignore[assignment]
        if phone is None or phone.ended:
            return _error(404, 20404, "The requested resource was not found")
        if fields.get("Status") == "completed":
            self.end(phone)
        elif "Twiml" in fields:
            await self._do(phone, fields["Twiml"])
        return JSONResponse({"sid": phone.id, "account_sid": ACCOUNT, "status": "in-progress"})


def _error(status: int, code: int, message: str) -> Response:
    return JSONResponse({"code": code, "message": message, "status": status}, status)
