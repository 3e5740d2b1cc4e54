"""Telnyx on loopback: its webhooks, its REST API and its media streams."""

import json
from base64 import b64decode
from collections.abc import Sequence
from typing import Any
from xml.etree import ElementTree as ET

import httpx
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from bargein.carriers.telnyx import client
from tests.carriers.loopback import CALLER, Frame, Hook, Loopback, Phone
from tests.carriers.telnyx import wire
from tests.carriers.telnyx.rest import ACCOUNT, API_KEY, Api, error
from tests.carriers.telnyx.wire import FORM, OURS, Signer

CAUSES = {
    "completed": ("normal_clearing", "200"),
    "busy": ("user_busy", "486"),
    "no-answer": ("timeout", "487"),
    "failed": ("unspecified", "503"),
}


class TelnyxPhone(Phone):
    """A call whose stream is L16 at 16 kHz both ways, little-endian."""

    def __init__(self, carrier: "TelnyxLoopback", call_id: str) -> None:
        super().__init__(carrier, call_id)
        self.token: str | None = None
        self._chunk = 0

    def opening(self, encoding: str = "L16") -> Sequence[str | bytes]:
        return wire.CONNECTED, wire.start(encoding, call_id=self.id)

    def other_format(self) -> Sequence[str | bytes]:
        return self.opening("OPUS")

    def audio_frame(self, data: bytes) -> str:
        self._chunk += 1
        return wire.media(data, self._chunk)

    def key_frame(self, key: str) -> str:
        return wire.dtmf(key)

    def mark_frame(self, name: str) -> str:
        return wire.mark(name)

    def stop_frame(self) -> str:
        return wire.STOP

    def upgrade_headers(self) -> dict[str, str]:
        return {} if self.token is None else {"x-telnyx-streaming-auth-token": self.token}

    def nonsense(self) -> dict[str, str | bytes]:
        return {
            "no JSON": "{",
            "no object": "[]",
            "binary": b"\xff\xfe\x00",
            "an unknown event": json.dumps({"event": "dance"}),
            "a payload that is not base64": wire.media(b"").replace('"payload": ""', '"payload": "***"'),
            "half a sample": wire.media(b"\1\2\3"),
            "a chunk that came already": wire.media(self.silence, self._chunk),
            "a chunk from nowhere": wire.media(self.silence, 10**9),
            "a mark without a name": json.dumps({"event": "mark", "mark": {}}),
            "no key": wire.dtmf("12"),
            "a start that came already": wire.start(call_id=self.id),
            "another call's start": wire.start(call_id="v3:other"),
        }

    def read(self, frame: str | bytes) -> Frame:
        message = json.loads(frame)
        assert "stream_id" not in message
        match message["event"]:
            case "media":
                audio = b64decode(message["media"]["payload"], validate=True)
                assert len(audio) >= self.bytes_per_frame, "Telnyx takes 20 ms at the least"
                return Frame("audio", audio)
            case "mark":
                return Frame("mark", name=message["mark"]["name"])
            case "clear":
                return Frame("clear")
            case _:
                raise AssertionError(f"Telnyx knows no such message: {message}")


class TelnyxLoopback(Loopback):
    """Numbers of a Call Control application."""

    provider = "telnyx"
    can_send_dtmf = True
    can_send_sms = True

    def __init__(self) -> None:
        super().__init__()
        client._import()  # a server loads it at its start if it has numbers of Telnyx's; here it gets one later
        self.secrets = (API_KEY,)
        self.signer = Signer()
        self.api = Api(placed=self._placed, steered=self._steered)
        self.status_urls: dict[str, str] = {}
        self.stream_urls: dict[str, str] = {}

    @property
    def settings(self) -> dict[str, Any]:
        return {"telnyx_api_url": f"{self.url}/v2"}

    async def number(self, client: httpx.AsyncClient) -> dict[str, Any]:
        body = {"provider": "telnyx", "apiKey": API_KEY, "publicKey": self.signer.public_key}
        made = await client.post("/credential", json=body)
        assert made.status_code == 201, made.text
        return {"provider": "telnyx", "number": OURS, "credentialId": made.json()["id"]}

    def make_phone(self, call_id: str) -> Phone:
        self.api.calls.add(call_id)
        return TelnyxPhone(self, call_id)

    def new_id(self, count: int) -> str:
        return f"v3:{count}-{id(self):x}"

    # Webhooks.

    def hook(self, url: str, body: bytes, kind: str = "application/json") -> Hook:
        return Hook("POST", url, {"content-type": kind, **self.signer.headers(body)}, body)

    def url_of(self, path: str) -> str:
        return f"{self.server_url}/carrier/telnyx/{self.number_id}/{path}"

    def incoming(self, phone: Phone, caller: str = CALLER) -> Hook:
        ids = {"call_control_id": phone.id, "caller_id_name": "ADA LOVELACE"}
        return self.hook(self.url_of("voice"), wire.incoming(**{"from": caller, **ids}))

    def unsigned(self, hook: Hook) -> Hook:
        headers = {name: value for name, value in hook.headers.items() if name != "telnyx-signature-ed25519"}
        return Hook(hook.method, hook.url, headers, hook.body)

    async def follow(self, phone: Phone, answer: httpx.Response) -> None:
        """All was said by commands; the answer says nothing."""
        assert answer.json() == {}
        await self._stream(phone)

    async def _stream(self, phone: Phone) -> None:
        if (url := self.stream_urls.pop(phone.id, None)) is not None:
            await self.connect(phone, url)

    async def _tell(self, phone: Phone, kind: str, **payload: Any) -> None:
        body = wire.event(kind, call_control_id=phone.id, **payload)
        answer = await self.send(self.hook(self.status_urls.get(phone.id, self.url_of("status")), body))
        assert answer.status_code == 200, answer.text

    async def tell_ringing(self, phone: Phone) -> None:
        await self._tell(phone, "call.initiated", direction="outgoing")

    async def answered(self, phone: Phone) -> None:
        await self._tell(phone, "call.answered")
        await self._stream(phone)

    async def tell_machine(self, phone: Phone, result: str) -> None:
        """The answering machine detection has come to a result."""
        await self._tell(phone, "call.machine.detection.ended", result=result)

    async def tell_over(self, phone: Phone, why: str = "completed") -> None:
        cause, code = CAUSES[why]
        self.api.calls.discard(phone.id)
        await self._tell(
            phone, "call.hangup", hangup_cause=cause, hangup_source="callee", sip_hangup_cause=code, state="hangup"
        )

    # The REST API.

    async def rest(self, request: Request) -> Response:
        target = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        headers = dict(request.headers.items())
        if self.fails is not None and headers.get("authorization") == f"Bearer {API_KEY}":
            status, said = error(self.fails, "10015", "Bad Request", "The number is not valid.")
        else:
            status, said = self.api.answer(request.method, target, headers, await request.body())
        return JSONResponse(said, status)

    def _placed(self, body: dict[str, Any]) -> str:
        phone = self.new_call(placed=True)
        self._streams(phone, body)
        return phone.id

    def _steered(self, call_id: str, action: str, body: dict[str, Any]) -> None:
        phone = self.calls[call_id]
        match action:
            case "answer":
                self._streams(phone, body)
            case "hangup" | "reject":
                self.api.calls.discard(call_id)
                self.end(phone)
            case "send_dtmf":
                phone.pressed += body["digits"]
            case "transfer":
                phone.forwarded = body
            case "streaming_stop":
                self.close(phone)
            case _:
                raise AssertionError(f"a command that no call needs: {action}")
        phone.changed()

    def _streams(self, phone: Phone, body: dict[str, Any]) -> None:
        assert (body["stream_codec"], body["stream_bidirectional_codec"]) == ("L16", "L16")
        assert (body["stream_bidirectional_mode"], body["stream_bidirectional_sampling_rate"]) == ("rtp", 16_000)
        assert isinstance(phone, TelnyxPhone)
        phone.token = body["stream_auth_token"]
        self.status_urls[phone.id] = body["webhook_url"]
        self.stream_urls[phone.id] = body["stream_url"]


class TexmlLoopback(TelnyxLoopback):
    """Numbers of a TeXML application: calls come in by it."""

    can_send_dtmf = False

    def __init__(self) -> None:
        super().__init__()
        self.api.call_control, self.api.texml = {}, {"app1": {"id": "app1", "friendly_name": "TeXML"}}

    def incoming(self, phone: Phone, caller: str = CALLER) -> Hook:
        fields = {"CallSid": phone.id, "From": caller, "AccountSid": ACCOUNT, "CallStatus": "ringing"}
        return self.hook(self.url_of("voice"), wire.form(**fields), FORM)

    async def follow(self, phone: Phone, answer: httpx.Response) -> None:
        assert answer.headers["content-type"].startswith("application/xml")
        await self._do(phone, answer.text)

    async def tell_over(self, phone: Phone, why: str = "completed") -> None:
        self.api.calls.discard(phone.id)
        fields = {"CallSid": phone.id, "CallStatus": why, "CallbackSource": "call-progress-events"}
        answer = await self.send(self.hook(self.url_of("status"), wire.form(**fields), FORM))
        assert answer.status_code == 200, answer.text

    def _steered(self, call_id: str, action: str, body: dict[str, Any]) -> None:
        assert action == "update", "a call of TeXML's is steered by TeXML"
        phone = self.calls[call_id]
        if body.get("Status") == "completed":
            self.api.calls.discard(call_id)
            self.end(phone)
        else:
            self.close(phone)  # new TeXML takes the call out of its stream
            phone.forwarded = body["Texml"]
            phone.changed()

    async def _do(self, phone: Phone, texml: str) -> None:
        for verb in ET.fromstring(texml):  # noqa: S314  # our own server's
            match verb.tag:
                case "Connect":
                    (stream,) = verb
                    await self.connect(phone, stream.attrib["url"])
                case "Reject":
                    phone.ended = True
                case "Dial":
                    phone.forwarded = ET.tostring(verb)
                case _:
                    raise AssertionError(f"TeXML knows no such verb: {verb.tag}")
        phone.changed()
