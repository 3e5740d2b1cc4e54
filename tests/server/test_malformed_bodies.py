"""Bodies that are malformed at any depth: 400 with the field's path, and nothing is stored that breaks a later request.

Each body of `BODIES` is valid. A test replaces the value at one of its paths by one of another kind, or adds a field
that Vapi's type has; the request must not cause a server error, and every list must be readable afterwards.
"""

import copy
from collections.abc import AsyncIterator, Iterator
from typing import Any

import anyio
import httpx
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from bargein.server.app import create_app
from bargein.testing.settings import make_settings
from tests.server.conftest import BASE, Serve

pytestmark = pytest.mark.anyio

JsonObject = dict[str, Any]
Path = tuple[str | int, ...]

ASSISTANT: JsonObject = {
    "name": "Mary",
    "firstMessage": "Hello!",
    "firstMessageMode": "assistant-speaks-first",
    "model": {
        "provider": "openai",
        "model": "gpt-4o",
        "messages": [{"role": "system", "content": "Be brief."}],
        "tools": [
            {
                "type": "function",
                "function": {
                    "name": "look",
                    "parameters": {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]},
                },
                "server": {"url": "https://example.org/tool", "headers": {"X-A": "b"}},
                "messages": [{"type": "request-start", "content": "One moment.", "conditions": []}],
            },
            {"type": "endCall"},
        ],
        "toolIds": [],
        "temperature": 0.5,
    },
    "voice": {"provider": "openai", "voiceId": "alloy", "chunkPlan": {"enabled": True, "minCharacters": 30}},
    "transcriber": {"provider": "custom-transcriber", "server": {"url": "wss://example.org/stt"}},
    "startSpeakingPlan": {
        "waitSeconds": 0.4,
        "smartEndpointingPlan": {"provider": "vapi"},
        "customEndpointingRules": [{"type": "assistant", "regex": "name", "timeoutSeconds": 1}],
        "transcriptionEndpointingPlan": {"onPunctuationSeconds": 0.1},
    },
    "stopSpeakingPlan": {"numWords": 2, "voiceSeconds": 0.2, "acknowledgementPhrases": ["okay"]},
    "clientMessages": ["transcript"],
    "serverMessages": ["end-of-call-report"],
    "hooks": [{"on": "call.ending", "do": [{"type": "say", "exact": "Bye."}]}],
    "analysisPlan": {"summaryPlan": {"enabled": True, "messages": [{"role": "system", "content": "Sum up."}]}},
    "artifactPlan": {"recordingEnabled": True},
    "monitorPlan": {"listenEnabled": True},
    "server": {
        "url": "https://example.org",
        "timeoutSeconds": 20,
        "backoffPlan": {"type": "fixed", "maxRetries": 2, "baseDelaySeconds": 1},
    },
    "metadata": {"a": {"b": [1]}},
    "voicemailDetection": {"provider": "vapi", "backoffPlan": {"maxRetries": 3}},
    "compliancePlan": {"hipaaEnabled": False},
    "keypadInputPlan": {"enabled": True, "delimiters": "#"},
    "endCallPhrases": ["bye"],
}
OVERRIDES: JsonObject = {"firstMessage": "Hi!", "variableValues": {"name": "Ann"}, "model": ASSISTANT["model"]}
SQUAD: JsonObject = {
    "name": "Two",
    "members": [
        {
            "assistant": ASSISTANT,
            "assistantOverrides": OVERRIDES,
            "assistantDestinations": [{"type": "assistant", "assistantName": "Bob", "message": "One moment."}],
        },
        {"assistant": {"name": "Bob", "firstMessage": "Bob."}},
    ],
    "membersOverrides": {"variableValues": {"a": "b"}, "endCallPhrases": ["bye"]},
}
MESSAGES = [
    {"role": "user", "content": "Hello"},
    {"role": "assistant", "content": "Hi", "tool_calls": [{"id": "1", "type": "function", "function": {
        "name": "look", "arguments": "{}"}}]},
    {"role": "tool", "content": "1", "tool_call_id": "1"},
]  # fmt: skip
CUSTOMER: JsonObject = {"number": "+15551234567", "name": "Ann", "assistantOverrides": OVERRIDES}
SOCKET: JsonObject = {"provider": "vapi.websocket", "audioFormat": {"format": "pcm_s16le", "container": "raw",
                      "sampleRate": 16000}}  # fmt: skip
NUMBER: JsonObject = {
    "provider": "twilio",
    "number": "+15551234567",
    "twilioAccountSid": "AC0123456789abcdef0123456789abcdef",
    "twilioAuthToken": "0123456789abcdef0123456789abcdef",
    "server": {"url": "https://example.org"},
    "hooks": [{"on": "call.ringing", "do": [{"type": "say", "exact": "Hello."}]}],
    "fallbackDestination": {"type": "number", "number": "+15557654321", "message": "One moment."},
}
INLINE_NUMBER = {
    "twilioPhoneNumber": NUMBER["number"],
    "twilioAccountSid": NUMBER["twilioAccountSid"],
    "twilioAuthToken": NUMBER["twilioAuthToken"],
}
TOOL: JsonObject = ASSISTANT["model"]["tools"][0]
BODIES: dict[str, tuple[str, JsonObject]] = {
    "assistant": ("/assistant", ASSISTANT),
    "squad": ("/squad", SQUAD),
    "tool": ("/tool", TOOL),
    "call": ("/call", {"assistant": ASSISTANT, "assistantOverrides": OVERRIDES, "transport": SOCKET,
                       "schedulePlan": {"earliestAt": "2050-01-01T00:00:00Z"}, "metadata": {"a": 1}}),
    "call of a squad": ("/call", {"squad": SQUAD, "squadOverrides": OVERRIDES, "transport": SOCKET}),
    "call to a customer": ("/call", {"assistant": ASSISTANT, "customer": CUSTOMER, "phoneNumber": INLINE_NUMBER}),
    "calls": ("/call", {"assistant": ASSISTANT, "customers": [CUSTOMER], "phoneNumberId": "x"}),
    "web call": ("/call/web", {"assistant": ASSISTANT, "assistantOverrides": OVERRIDES}),
    "chat": ("/chat", {"assistant": ASSISTANT, "assistantOverrides": OVERRIDES, "input": MESSAGES, "name": "c"}),
    "chat with a squad": ("/chat", {"squad": SQUAD, "input": "Hello"}),
    "response": ("/chat/responses", {"squad": SQUAD, "assistantOverrides": OVERRIDES, "input": MESSAGES}),
    "web chat": ("/chat/web", {"assistant": ASSISTANT, "input": MESSAGES[:2], "customer": CUSTOMER,
                               "assistantOverrides": {"variableValues": {"a": "b"}}}),
    "session": ("/session", {"assistant": ASSISTANT, "messages": MESSAGES, "customer": CUSTOMER, "name": "s",
                             "assistantOverrides": OVERRIDES, "expirationSeconds": 100}),
    "session with a squad": ("/session", {"squad": SQUAD, "assistantOverrides": OVERRIDES}),
    "session with a number": ("/session", {"assistant": ASSISTANT, "phoneNumber": INLINE_NUMBER}),
    "phone number": ("/phone-number", NUMBER),
    "credential": ("/credential", {"provider": "webhook", "name": "w", "authenticationPlan": {
        "type": "oauth2", "url": "https://example.org/token", "clientId": "a", "clientSecret": "b"}}),
}  # fmt: skip
WRONG: list[Any] = [
    None, True, 0, -1, 7.5, 1e308, 2**63, "", "x", "\0", "{{ a", "{% if", "x" * 5000,
    [], [None], [[]], [{}], ["x"], [7],
    {}, {"": None}, {"type": 7}, {"provider": []}, {"members": 7}, {"a": {"b": {"c": []}}},
]  # fmt: skip


def paths(value: Any, at: Path = ()) -> Iterator[Path]:
    """Yield the path of every value inside `value`."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield (*at, key)
        yield from paths(item, (*at, key))


def replaced(body: JsonObject, path: Path, value: Any) -> JsonObject:
    """Return a copy of a body with another value at a path."""
    changed = copy.deepcopy(body)
    inner: Any = changed
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return changed


LISTS = ("/assistant", "/squad", "/tool", "/call", "/session", "/chat", "/phone-number", "/credential")
USED_BY = {
    "/assistant": [("/chat", "assistantId"), ("/call", "assistantId")],
    "/squad": [("/chat", "squadId"), ("/call", "squadId")],
    "/session": [("/chat", "sessionId")],
}
"""Requests that read a record of a kind: a path, and the field that names the record."""


async def assert_no_server_error(client: httpx.AsyncClient, method: str, path: str, body: Any = None) -> httpx.Response:
    """Send a request; 501 (not supported) and 502 (the model's server) are meant."""
    response = await client.request(method, path, json=body)
    assert response.status_code < 500 or response.status_code in (501, 502), (path, body, response.text)
    return response


async def send(client: httpx.AsyncClient, path: str, body: JsonObject) -> None:
    """Send a body; one that is accepted can be read and used."""
    response = await assert_no_server_error(client, "POST", path, body)
    if response.status_code in (400, 501):
        assert response.json()["statusCode"] == response.status_code
        assert response.json()["message"]
        return
    record_id = response.json().get("id")
    for used, field in USED_BY.get(path, []):
        more = {"input": "Hello"} if used == "/chat" else {"transport": SOCKET}
        await assert_no_server_error(client, "POST", used, {field: record_id, **more})
    if path in USED_BY:
        await assert_no_server_error(client, "PATCH", f"{path}/{record_id}", {"name": "other"})
        await assert_no_server_error(client, "PATCH", f"{path}/{record_id}", body)


async def count(client: httpx.AsyncClient) -> list[int]:
    """Return how many records of each kind are stored, which reads all of them."""
    counts: list[int] = []
    for path in LISTS:
        response = await client.get(path, params={"limit": 1000})
        assert response.status_code == 200, (path, response.text)
        found = response.json()
        counts.append(len(found["results"] if isinstance(found, dict) else found))
    return counts


@pytest.fixture
async def client(serve: Serve) -> AsyncIterator[httpx.AsyncClient]:
    """Return a client of a server whose model cannot be reached."""
    async with serve(openai_api_key="key", openai_base_url="http://127.0.0.1:9/v1") as opened:
        yield opened


@pytest.mark.parametrize("name", BODIES)
async def test_the_bodies_are_valid_as_they_are(client: httpx.AsyncClient, name: str) -> None:
    path, body = BODIES[name]
    assert (await assert_no_server_error(client, "POST", path, body)).status_code in (201, 502)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(BODIES))
def test_a_value_of_another_kind_at_any_depth_causes_no_server_error(name: str, tmp_path_factory: Any) -> None:
    path, body = BODIES[name]
    changes = st.tuples(st.sampled_from(sorted(paths(body), key=str)), st.sampled_from(WRONG))

    @settings(max_examples=2, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @given(drawn=st.lists(changes, min_size=12, max_size=12))
    def check(drawn: list[tuple[Path, Any]]) -> None:
        anyio.run(send_all, tmp_path_factory.mktemp("data"), path, [replaced(body, *change) for change in drawn])

    check()


async def send_all(folder: Any, path: str, bodies: list[JsonObject]) -> None:
    keys = {"openai_api_key": "key", "openai_base_url": "http://127.0.0.1:9/v1"}
    app = create_app(make_settings(data_dir=folder, **keys))
    transport = httpx.ASGITransport(app)
    async with app.router.lifespan_context(app), httpx.AsyncClient(transport=transport, base_url=BASE) as client:
        for body in bodies:
            await send(client, path, body)
        await count(client)


SQUADS = {
    "no members": ({}, "squad.members"),
    "members that are no list": ({"members": 7}, "squad.members"),
    "an empty list": ({"members": []}, "squad.members"),
    "a member that is a number": ({"members": [7]}, "squad.each value in members"),
    "a member without an assistant": ({"members": [{}]}, "squad.members.0"),
    "an assistant that is a text": ({"members": [{"assistant": "x"}]}, "squad.members.0.assistant"),
    "a model that is a text": ({"members": [{"assistant": {"model": "x"}}]}, "squad.members.0.assistant.model"),
    "messages of a wrong kind": (
        {"members": [{"assistant": {"serverMessages": "x"}}]}, "squad.members.0.assistant.serverMessages",
    ),
    "overrides of a wrong kind": (
        {"members": [{"assistant": {}, "assistantOverrides": {"model": 7}}]},
        "squad.members.0.assistantOverrides.model",
    ),
    "overrides of all members": ({"members": [{"assistant": {}}], "membersOverrides": 7}, "squad.membersOverrides"),
}  # fmt: skip


@pytest.mark.parametrize("path", ["/session", "/chat", "/chat/responses", "/call"])
@pytest.mark.parametrize(("squad", "place"), SQUADS.values(), ids=SQUADS)
async def test_a_malformed_inline_squad_is_refused_with_its_path(
    client: httpx.AsyncClient, path: str, squad: JsonObject, place: str
) -> None:
    body: JsonObject = {"squad": squad}
    if path.startswith("/chat"):
        body["input"] = "Hello"
    if path == "/call":
        body["transport"] = SOCKET
    before = await count(client)
    response = await client.post(path, json=body)
    assert response.status_code == 400, response.text
    assert any(message.startswith(place) for message in response.json()["message"]), response.text
    assert await count(client) == before
