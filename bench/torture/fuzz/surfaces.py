"""The sockets and routes that get mutated messages: one function for each kind of input."""

import json
import re
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random

import anyio
import httpx

from bargein.errors import BargeinError
from bargein.wire.base import JsonObject
from bargein.wire.json import as_object
from bench.capacity.socket import LoadSocket
from bench.torture.fuzz.mutations import ODD, damaged, damaged_text, encoded, mutated
from bench.torture.fuzz.peers import FuzzPeers, completion, sse
from bench.torture.fuzz.schemas import Schemas

ANSWER_S = 15.0
"""An HTTP request must be answered within this."""
END_S = 20.0
"""A call must end within this after its client has asked for that, or has left."""

WEBSOCKET: JsonObject = {"transport": {"provider": "vapi.websocket"}}
"""The transport of a call whose audio goes over a WebSocket."""

_JSON = "application/json"
_FRAME = bytes(640)
_DOCUMENTED_5XX = (501, 503, 507)
_CONTENT_TYPES = ("text/plain", "multipart/form-data", "x", "application/json;charset=utf-7", "")
_ODD_IDS = ("x", "00000000-0000-4000-8000-000000000000", "%00", "%ff", "..%2f..", "a" * 3000, "%F0%9F%8E%A7")
_VOICE_TYPES = ("application/octet-stream", "application/x-ndjson", "text/event-stream", _JSON, "audio/wav", "")


class BrokenPromiseError(BargeinError):
    """An input broke a promise; the text says which."""


@dataclass
class World:
    """Everything that inputs are sent to.

    Attributes:
        http: client of the server's API.
        peers: providers and the owner's server.
        schemas: the server's types.
        ids: ids of stored resources by path, such as `/assistant`, to be used in paths and bodies.
        number_id: a phone number whose owner is `peers`.
        victim: id of a live call that gets control messages; empty if there is none.
    """

    http: httpx.AsyncClient
    peers: FuzzPeers
    schemas: Schemas
    ids: dict[str, list[str]] = field(default_factory=dict[str, "list[str]"])
    victim: str = ""

    async def request(self, method: str, path: str, **more: object) -> httpx.Response:
        """Send a request.

        Raises:
            BrokenPromiseError: there was no answer in time, or it is a server error that no documentation names.
        """
        try:
            answer = await self.http.request(method, path, timeout=ANSWER_S, **more)  # type: ignore[arg-type]
        except httpx.TimeoutException:
            raise BrokenPromiseError(f"{method} {path[:100]} was not answered within {ANSWER_S:g} s") from None
        check_answer(method, path, answer)
        return answer


def check_answer(method: str, path: str, answer: httpx.Response) -> None:
    """Check an answer's status, and that an error has Vapi's shape.

    Raises:
        BrokenPromiseError: it does not hold.
    """
    if answer.status_code >= 500 and answer.status_code not in _DOCUMENTED_5XX:
        raise BrokenPromiseError(f"{method} {path[:100]} answered {answer.status_code}: {answer.text[:200]}")
    if answer.status_code >= 400 and answer.headers.get("content-type", "").startswith(_JSON):
        body = as_object(answer.json())
        if not {"message", "error", "statusCode"} <= body.keys():
            raise BrokenPromiseError(f"{method} {path[:100]}: the error is not in Vapi's shape: {answer.text[:200]}")


Surface = Callable[[World, int, Random], Awaitable[None]]


async def rest(world: World, _index: int, random: Random) -> None:
    """A request of the REST API: path, query, headers and body."""
    path, method, operation = random.choice(world.schemas.operations())
    if path.endswith("/insight"):
        return  # streams as long as its call lives
    # Which ids there are depends on earlier inputs; the rest of this one must not.
    among_ids = Random(random.random())  # see `Fuzzer.surface_of`
    url = re.sub(r"\{[^}]*\}", lambda _: _id(world, path, among_ids), path)
    params = {}
    if random.random() < 0.3:
        names = ("limit", "page", "id", "createdAtGt", "createdAtLe", "assistantId", "sortOrder", "x")
        params = {random.choice(names): str(random.choice(ODD))[:300].encode(errors="replace").decode()}
    headers = {"content-type": _JSON}
    if random.random() < 0.1:
        headers["content-type"] = random.choice(_CONTENT_TYPES)
    content = None
    if (body := world.schemas.body(operation, random)) is not None:
        value = body if random.random() < 0.15 else mutated(body, random)
        content = encoded(_with_ids(world, value, among_ids), random)
    elif random.random() < 0.2:
        content = random.randbytes(50)
    answer = await world.request(method.upper(), url, params=params, headers=headers, content=content)
    if method == "post" and answer.status_code == 201 and path in ("/assistant", "/tool", "/squad", "/session"):
        known = world.ids.setdefault(path, [])
        known.append(str(answer.json().get("id")))
        del known[:-20]


def _id(world: World, path: str, random: Random) -> str:
    base = "/" + path.split("/")[1]
    known = world.ids.get(base if base != "/{call_id}" else "/call", [])
    if known and random.random() < 0.7:
        return random.choice(known)
    return random.choice(_ODD_IDS)


def _with_ids(world: World, value: object, random: Random) -> object:
    """Put ids of stored resources in place of some random ones."""
    if isinstance(value, dict):
        for name in value:
            base = "/" + str(name).removesuffix("Id").replace("phoneNumber", "phone-number")
            if str(name).endswith("Id") and world.ids.get(base) and random.random() < 0.7:
                value[name] = random.choice(world.ids[base])
            elif isinstance(value[name], dict):
                _with_ids(world, value[name], random)
    return value


_CONTROLS: tuple[JsonObject, ...] = (
    {"type": "add-message", "message": {"role": "user", "content": "Hello."}, "triggerResponseEnabled": True},
    {"type": "add-message", "message": {"role": "system", "content": "Be brief."}, "triggerResponseEnabled": False},
    {"type": "add-message", "message": {"role": "tool", "content": "x", "tool_call_id": "a"}},
    {"type": "control", "control": "mute-assistant"},
    {"type": "control", "control": "unmute-assistant"},
    {"type": "control", "control": "say-first-message"},
    {"type": "say", "content": "A sentence.", "endCallAfterSpoken": False, "interruptionsEnabled": True},
    {"type": "say", "content": "Another.", "interruptAssistantEnabled": True},
    {"type": "transfer", "destination": {"type": "number", "number": "+15551234567"}, "content": "One moment."},
    {"type": "handoff", "destination": {"type": "assistant", "assistantName": "Other"}, "content": "Bye."},
    {"message": {"type": "say", "content": "In a message."}},
    {"type": "send-transport-message", "message": {}},
    {"type": "hangup"},
)


def _control(random: Random) -> bytes:
    value = random.choice(_CONTROLS)
    return encoded(value if random.random() < 0.15 else mutated(value, random), random)


async def client_socket(world: World, index: int, random: Random) -> None:
    """Texts and binary frames on a call's own socket."""
    async with _Talk(world, world.peers.assistant(index), random) as talk:
        for _ in range(random.choice((1, 3, 8))):
            chance = random.random()
            if chance < 0.6:
                talk.send_text(_control(random))
            elif chance < 0.8:
                talk.socket.send_audio(random.randbytes(random.choice((0, 1, 2, 639, 640, 641, 5000, 60_000))))
            else:
                talk.socket.send_audio(_FRAME)
            if random.random() < 0.3:
                await anyio.sleep(random.uniform(0, 0.03))


async def control(world: World, _index: int, random: Random) -> None:
    """The control address of a live call that is shared by many inputs."""
    if not world.victim:
        return
    content = _control(random)
    if b"hangup" in content or b"end-call" in content:
        content = b'{"type":"hangup","x":'
    await world.request("POST", f"/{world.victim}/control", content=content, headers={"content-type": _JSON})


async def listen(world: World, _index: int, random: Random) -> None:
    """The listening address of that call."""
    if not world.victim:
        return
    url = f"{str(world.http.base_url).replace('http', 'ws').rstrip('/')}/{world.victim}/listen"
    with suppress(OSError, TimeoutError):
        socket = await LoadSocket.open(url, lambda _: None, lambda _: None)
        socket.send_audio(random.randbytes(random.choice((0, 10, 3000))))
        socket.send_text(damaged_text('{"type":"say","content":"x"}', random))
        await anyio.sleep(random.uniform(0, 0.05))
        socket.abort()


class _Talk:
    """A call for one input; at the end it is hung up, and its end on record is waited for."""

    def __init__(self, world: World, assistant: dict[str, object], random: Random) -> None:
        self._world = world
        self._assistant = assistant
        self._random = random
        self.id = ""
        self.socket: LoadSocket
        self.audio_bytes = 0

    async def __aenter__(self) -> "_Talk":
        body = {"assistant": self._assistant, **WEBSOCKET}
        made = await self._world.request("POST", "/call", json=body)
        if made.status_code != 201:
            raise BrokenPromiseError(f"a proper POST /call answered {made.status_code}: {made.text[:300]}")
        self.id = made.json()["id"]
        self.socket = await LoadSocket.open(made.json()["transport"]["websocketCallUrl"], self._receive, lambda _: None)
        return self

    async def __aexit__(self, *_exc: object) -> None:
        with anyio.CancelScope(shield=True):
            if self._random.random() < 0.5:
                self.socket.send_text('{"type":"end-call"}')
                with anyio.move_on_after(END_S):
                    await self.socket.closed.wait()
                if not self.socket.closed.is_set():
                    self.socket.abort()
                    raise BrokenPromiseError(f"call {self.id}: its socket was open {END_S:g} s after end-call")
            self.socket.abort()
            await self._ended()

    async def _ended(self) -> None:
        for _ in range(int(END_S / 0.1)):
            record = await self._world.request("GET", f"/call/{self.id}")
            if record.status_code == 404 or record.json().get("status") == "ended":
                return
            await anyio.sleep(0.1)
        raise BrokenPromiseError(f"call {self.id} had not ended on record {END_S:g} s after its client left")

    def _receive(self, data: bytes) -> None:
        self.audio_bytes += len(data)

    def send_text(self, data: bytes) -> None:
        self.socket.send_text(data.decode("utf-8", errors="replace"))

    async def provoke(self, wait_s: float = 0.25) -> None:
        """Have the model answer, and give the answer time to arrive."""
        self.send_text(json.dumps(_CONTROLS[0]).encode())
        for _ in range(int(wait_s / 0.02)):
            self.socket.send_audio(_FRAME)
            await anyio.sleep(0.02)


async def model(world: World, index: int, random: Random) -> None:
    """The stream of a custom model."""
    chunks = completion()
    if random.random() < 0.4:
        call = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}
        chunks.insert(1, {"choices": [{"index": 0, "delta": {"tool_calls": [call]}, "finish_reason": None}]})
    body = sse([mutated(chunk, random) if random.random() < 0.4 else chunk for chunk in chunks])
    if random.random() < 0.9:
        body += b"data: [DONE]\n\n"
    if random.random() < 0.4:
        body = damaged(body, random)
    status = random.choice((200, 200, 200, 200, 204, 302, 400, 429, 500))
    kind = random.choice(("text/event-stream", "text/event-stream", _JSON, "text/html", "\u00e9"))
    world.peers.answers[f"llm/{index}"] = (status, kind, body)
    async with _Talk(world, world.peers.assistant(index), random) as talk:
        await talk.provoke()


async def voice(world: World, index: int, random: Random) -> None:
    """The answer of a custom voice."""
    kind = random.choice(_VOICE_TYPES)
    if "json" in kind or "event" in kind:
        timing = {"words": ["a"], "wordsStartTimesMs": [0], "wordsEndTimesMs": [300]}
        frames = [mutated({"audio": "AAAA" * 800, "timing": timing}, random) for _ in range(3)]
        body = sse(list(frames)) if "event" in kind else b"\n".join(json.dumps(one).encode() for one in frames) + b"\n"
    else:
        body = random.randbytes(random.choice((0, 1, 3, 999, 16_001, 400_000)))
    if random.random() < 0.3:
        body = damaged(body, random)
    world.peers.answers[f"voice/{index}"] = (random.choice((200, 200, 200, 204, 404, 500)), kind, body)
    async with _Talk(world, world.peers.assistant(index), random) as talk:
        await talk.provoke()


async def transcriber(world: World, index: int, random: Random) -> None:
    """The messages of a custom transcriber."""
    proper = {
        "type": "transcriber-response",
        "transcription": "Hello there.",
        "channel": "customer",
        "transcriptType": "final",
    }
    frames: list[str | bytes] = []
    for _ in range(random.choice((1, 5, 40))):
        data = encoded(mutated(proper, random), random)
        frames.append(data if random.random() < 0.1 else data.decode("utf-8", errors="replace"))
    world.peers.frames[str(index)] = frames
    async with _Talk(world, world.peers.assistant(index), random) as talk:
        await talk.provoke()


async def owner(world: World, index: int, random: Random) -> None:
    """Answers of the owner's server: to tool calls, to the request for an assistant, and to the endpointing request."""
    results = {"results": [{"toolCallId": "call_1", "name": "f", "result": "42"}]}
    assistant: JsonObject = {"assistant": world.peers.assistant(index)}
    proper = random.choice((results, assistant, {"assistantId": "x"}, {"error": "Closed."}, {"timeoutSeconds": 0.5}))
    kind = random.choice((_JSON, _JSON, _JSON, "text/html", "text/plain", ""))
    status = random.choice((200, 200, 200, 201, 204, 301, 404, 500))
    world.peers.answers[f"owner/{index}"] = (status, kind, encoded(mutated(proper, random), random))
    if proper is results:
        call = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}
        chunks = [{"choices": [{"index": 0, "delta": {"tool_calls": [call]}, "finish_reason": "tool_calls"}]}]
        world.peers.answers[f"llm/{index}"] = (200, "text/event-stream", sse(list(chunks)) + b"data: [DONE]\n\n")
        tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}
        given = world.peers.assistant(index, server={"url": world.peers.url("owner", index)})
        as_object(given["model"])["tools"] = [tool]
        async with _Talk(world, given, random) as talk:
            await talk.provoke()
        return
    number = await world.request(
        "POST", "/phone-number", json={"provider": "vapi", "server": {"url": world.peers.url("owner", index)}}
    )
    if number.status_code != 201:
        return
    number_id = number.json()["id"]
    try:
        await world.request("POST", f"/phone-number/{number_id}/ring", json={"customer": {"number": "+15551234567"}})
    finally:
        with anyio.CancelScope(shield=True):
            await world.request("DELETE", f"/phone-number/{number_id}")
