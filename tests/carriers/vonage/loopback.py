"""Vonage on loopback: NCCOs, its REST API, signed webhooks and the media socket."""

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any
from uuid import uuid4

import httpx
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from tests.carriers.loopback import CALLER, Frame, Hook, Loopback, Phone
from tests.carriers.vonage.rest import API_SECRET, NUMBER, Api, credential, key_pair
from tests.carriers.vonage.signing import SECRET, bearer

FRAME_BYTES = 640
MOST_FRAMES = 3072
"""Vonage holds a minute of audio; what comes then is lost."""
MOST_HEADER_BYTES = 512


class VonagePhone(Phone):
    """One call's telephone leg and its media socket.

    Attributes:
        headers: the NCCO's, which come back in the first message.
        signed: whether the NCCO asked for a signed upgrade.
        lost: frames that came when the buffer was full.
        region: where the call is, as its webhooks say.
    """

    encoding = "pcm_s16le"
    rate_hz = 16_000

    def __init__(self, carrier: "VonageLoopback", call_id: str) -> None:
        super().__init__(carrier, call_id)
        self.headers: dict[str, str] = {}
        self.signed = False
        self.lost = 0
        self.media_id = str(uuid4())
        self.region = "https://api-eu-4.vonage.com"

    def opening(self, content_type: str = "audio/l16;rate=16000") -> Sequence[str | bytes]:
        return [json.dumps({"event": "websocket:connected", "content-type": content_type, **self.headers})]

    def other_format(self) -> Sequence[str | bytes]:
        return self.opening("audio/l16;rate=8000")

    def audio_frame(self, data: bytes) -> bytes:
        return data

    def key_frame(self, key: str) -> str:
        return json.dumps({"event": "websocket:dtmf", "digit": key, "duration": 260})

    def mark_frame(self, name: str) -> str:
        return json.dumps({"event": "websocket:notify", "payload": {"mark": name}})

    def cleared_frame(self) -> str:
        return '{"event": "websocket:cleared"}'

    def stop_frame(self) -> None:
        """Vonage closes the socket, and says nothing."""

    def nonsense(self) -> dict[str, str | bytes]:
        return {
            "no JSON": "{",
            "no object": "[]",
            "no event": "{}",
            "half a sample": bytes(FRAME_BYTES + 1),
            "two seconds at once": bytes(FRAME_BYTES * 100),
            "a key that no telephone has": json.dumps({"event": "websocket:dtmf", "digit": "12"}),
            "a notification of somebody else": json.dumps({"event": "websocket:notify", "payload": {"x": 1}}),
            "a second first message": self.opening()[0],
            "another call's first message": json.dumps(
                {"event": "websocket:connected", "content-type": "audio/l16;rate=16000", "carrierCallId": "other"}
            ),
        }

    def read(self, frame: str | bytes) -> Frame:
        if isinstance(frame, bytes):
            assert len(frame) == FRAME_BYTES, f"Vonage takes whole frames only, not {len(frame)} bytes"
            if len(self._buffer) >= MOST_FRAMES:
                self.lost += 1
                return Frame("lost")
            return Frame("audio", frame)
        message = json.loads(frame)
        match message["action"]:
            case "clear":
                return Frame("clear")
            case "notify":
                return Frame("mark", name=message["payload"]["mark"])
            case _:
                raise AssertionError(f"Vonage knows no such message: {message}")

    def upgrade_headers(self) -> dict[str, str]:
        return bearer(None) if self.signed else {}


class VonageLoopback(Loopback):
    """The account, its one application, and the calls of its number."""

    provider = "vonage"
    can_send_dtmf = True
    can_send_sms = True
    signs_once = True

    def __init__(self) -> None:
        super().__init__()
        self.api = Api(place=self._place)
        self.requests: dict[str, dict[str, Any]] = {}
        self.secrets = (SECRET, API_SECRET, key_pair()[0].splitlines()[1])

    @property
    def settings(self) -> dict[str, Any]:
        return {"vonage_api_url": self.url}

    async def number(self, client: httpx.AsyncClient) -> dict[str, Any]:
        made = await client.post("/credential", json=credential())
        assert made.status_code == 201, made.text
        return {"provider": "vonage", "number": f"+{NUMBER}", "credentialId": made.json()["id"]}

    def make_phone(self, call_id: str) -> Phone:
        return VonagePhone(self, call_id)

    def new_id(self, count: int) -> str:
        call = f"aaaaaaaa-bbbb-cccc-dddd-{count:012x}"
        self.api.calls.add(call)
        return call

    # Webhooks.

    def incoming(self, phone: Phone, caller: str = CALLER) -> Hook:
        assert isinstance(phone, VonagePhone)
        said = {
            "from": caller.removeprefix("+"),
            "to": NUMBER,
            "uuid": phone.id,
            "conversation_uuid": f"CON-{phone.id}",
            "endpoint_type": "phone",
            "region_url": phone.region,
        }
        return self._hook(self._url("voice"), said)

    def again(self, hook: Hook) -> Hook:
        return Hook(hook.method, hook.url, {**hook.headers, **bearer(hook.body)}, hook.body)

    def unsigned(self, hook: Hook) -> Hook:
        headers = {name: value for name, value in hook.headers.items() if name != "authorization"}
        return Hook(hook.method, hook.url, headers, hook.body)

    async def follow(self, phone: Phone, answer: httpx.Response) -> None:
        assert answer.headers["content-type"] == "application/json"
        await self._do(phone, answer.json())

    async def tell_ringing(self, phone: Phone) -> None:
        await self._event(phone, "started")
        await self._event(phone, "ringing")

    async def answered(self, phone: Phone) -> None:
        await self._event(phone, "answered", start_time=None)
        await self._do(phone, self.requests[phone.id]["ncco"])

    async def tell_machine(self, phone: Phone, by: str, **more: str) -> None:
        """Report the detected kind of answer (human or machine)."""
        await self._event(phone, by, call_uuid=phone.id, uuid=None, **more)

    async def tell_over(self, phone: Phone, why: str = "completed") -> None:
        status = {"no-answer": "unanswered"}.get(why, why)
        self.api.calls.discard(phone.id)
        await self._event(phone, status, **({"disconnected_by": "user"} if why == "completed" else {}))

    def _url(self, path: str) -> str:
        return f"{self.server_url}/carrier/vonage/{self.number_id}/{path}"

    def _hook(self, url: str, said: Mapping[str, Any]) -> Hook:
        body = json.dumps({name: value for name, value in said.items() if value is not None}).encode()
        return Hook("POST", url, {"content-type": "application/json", **bearer(body)}, body)

    async def _event(self, phone: Phone, status: str, **more: Any) -> None:
        asked = self.requests.get(phone.id)
        ours, theirs = NUMBER, CALLER.removeprefix("+")
        said = {
            "from": theirs if asked is None else ours,
            "to": ours if asked is None else theirs,
            "uuid": phone.id,
            "conversation_uuid": f"CON-{phone.id}",
            "status": status,
            "direction": "inbound" if asked is None else "outbound",
            "timestamp": "2026-01-01T12:00:00.000Z",
            **more,
        }
        url = self._url("status") if asked is None else asked["event_url"][0]
        answer = await self.send(self._hook(url, said))
        assert answer.status_code == 200, answer.text

    async def _media_event(self, phone: Phone, status: str) -> None:
        """The media socket is a leg too, and its events come to the same place."""
        assert isinstance(phone, VonagePhone)
        said = {"to": phone.media_url, "uuid": phone.media_id, "direction": "outbound", "endpoint_type": "websocket"}
        with suppress(httpx.TransportError):  # the server may be gone by then
            await self._event(phone, status, **said)

    # NCCOs.

    async def _do(self, phone: Phone, ncco: list[dict[str, Any]]) -> None:
        assert isinstance(phone, VonagePhone)
        if not ncco:
            phone.ended = True
        for action in ncco:
            assert action["action"] == "connect", f"no such action was expected: {action}"
            [endpoint] = action["endpoint"]
            if endpoint["type"] == "websocket":
                assert endpoint["content-type"] == "audio/l16;rate=16000"
                phone.headers = endpoint.get("headers", {})
                assert len(json.dumps(phone.headers)) <= MOST_HEADER_BYTES
                phone.signed = endpoint.get("authorization") == {"type": "vonage"}
                await self.connect(phone, endpoint["uri"])
                await self._media_event(phone, "answered")
            else:
                phone.forwarded = action
                self._leave_media(phone)
        phone.changed()

    def _leave_media(self, phone: Phone) -> None:
        """Close the media socket; whoever asked for what causes that has the answer before."""
        assert self._tasks is not None
        if phone.socket is not None:
            self._tasks.start_soon(phone.socket.close)

    # The REST API.

    def _place(self, request: Any) -> str:
        phone = self.new_call(placed=True)
        self.requests[phone.id] = request
        return phone.id

    async def rest(self, request: Request) -> Response:
        if self.fails is not None:
            return JSONResponse({"title": "Refused", "detail": SECRET}, self.fails)
        target = f"{request.url.path}?{request.url.query}" if request.url.query else request.url.path
        raw = await request.body()
        status, body = self.api.answer(request.method, target, request.headers, raw)
        path = request.url.path.split("/")
        if status < 300 and request.method == "PUT" and path[:3] == ["", "v1", "calls"]:
            await self._steer(self.calls[path[3]], path[4:], json.loads(raw))
        return Response(status_code=status) if body is None else JSONResponse(body, status)

    async def _steer(self, phone: Phone, rest: list[str], said: dict[str, Any]) -> None:
        assert isinstance(phone, VonagePhone)
        if rest == ["dtmf"]:
            phone.pressed += said["digits"]
        elif said["action"] == "hangup":
            phone.ended = True
            self.api.calls.discard(phone.id)
            self._leave_media(phone)
        else:
            assert said["destination"]["type"] == "ncco"
            await self._do(phone, said["destination"]["ncco"])
        phone.changed()
