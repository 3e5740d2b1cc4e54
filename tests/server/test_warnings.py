"""An answer says in a header what will not work in a call, although the request was accepted."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from bargein.providers.registry import MODELS, TRANSCRIBERS, VENDORS, VOICES
from bargein.server.agents.problems import Problem, problems_of
from bargein.server.api.warnings import MAX_WARNING_CHARS, WARNING_HEADER, warning_header, warning_of
from bargein.settings import Settings
from bargein.testing.settings import make_settings
from bargein.tools.kinds import NEEDS
from tests.server.conftest import OWNER, PRIVATE, PUBLIC, VISITOR, Serve
from tests.server.test_provider_factory import PARTS

pytestmark = pytest.mark.anyio

WEBSOCKET = {"provider": "vapi.websocket"}
GROQ = {"model": {"provider": "groq", "model": "llama-3.1-8b-instant"}}
ANTHROPIC = {"model": {"provider": "anthropic", "model": "claude-3-opus-20240229"}}
NO_KEY = "model: model provider groq needs a key: add a credential for groq, or set GROQ_API_KEY"
KEY = {"provider": "groq", "apiKey": "gsk-secret-1234"}
SECRET = "a-secret-value-of-this-test"


def texts(assistant: dict[str, Any], settings: Settings | None = None, **keys: str) -> list[str]:
    credentials = {provider: {"provider": provider, "apiKey": key} for provider, key in keys.items()}
    return [str(problem) for problem in problems_of(assistant, credentials, settings or make_settings())]


def test_an_assistant_of_the_embedded_models_has_no_problem() -> None:
    assert texts({}) == []
    assert (
        texts({"model": {"provider": "vapi"}, "voice": {"provider": "vapi"}, "transcriber": {"provider": "vapi"}}) == []
    )


def test_a_missing_key_names_the_part_the_credential_and_the_variable() -> None:
    assert texts(GROQ) == [NO_KEY]


@pytest.mark.parametrize(
    ("model", "told"),
    [
        ("gpt-realtime-2025-08-28", True),
        ("gpt-4o-mini-realtime-preview-2024-12-17", True),
        ("gpt-4o-realtime-preview", True),
        ("gpt-4.1", False),
        ("real-time-chat", False),
    ],
)
def test_a_model_that_speaks_by_itself_is_not_in_the_chat_api(model: str, told: bool) -> None:
    why = f"{model} hears and speaks by itself and is not in OpenAI's chat API; name a chat model, as gpt-4.1"
    given = {"model": {"provider": "openai", "model": model}}
    assert texts(given, openai="k") == ([f"model: {why}"] if told else [])


def test_a_key_by_credential_or_variable_is_enough() -> None:
    assert texts(GROQ, groq="k") == []
    assert texts(GROQ, make_settings(groq_api_key="k")) == []


def keyed() -> Iterator[Any]:
    """Every provider that needs a key, with its part."""
    for part, parts in (("transcriber", TRANSCRIBERS), ("model", MODELS), ("voice", VOICES)):
        for vendor in VENDORS:
            served = {"transcriber": vendor.transcribers, "model": vendor.models, "voice": vendor.voices}[part]
            for provider in served:
                assert provider in parts
                if vendor.settings is not None and any(one.secret for one in vendor.settings.variables()):
                    yield pytest.param(part, provider, vendor.settings, id=f"{part}-{provider}")


@pytest.mark.parametrize(("part", "provider", "section"), list(keyed()))
async def test_every_vendor_says_which_key_is_missing(part: str, provider: str, section: Any) -> None:
    found = texts({part: PARTS[part, provider]})
    assert len(found) >= 1
    assert found[0].startswith(f"{part}: ")
    assert provider in found[0]
    variables = [one.name for one in section.variables() if one.name]
    assert any(name in found[0] for name in variables), found[0]


def test_all_problems_are_told_at_once() -> None:
    found = texts(
        {
            **GROQ,
            "voice": {
                "provider": "custom-voice",
                "server": {"url": "http://10.1.2.3/voice"},
                "fallbackPlan": {"voices": [{"provider": "custom-voice", "server": {"url": "http://localhost/"}}]},
            },
            "server": {"url": "http://[::1]:8000/hook"},
        },
        make_settings(api_key="k" * 32),
    )
    private = "its address is private, which BARGEIN_ALLOW_PRIVATE_ADDRESSES does not allow"
    assert found == [
        NO_KEY,
        f"voice.server.url: {private}",
        f"voice.fallbackPlan.voices.0.server.url: {private}",
        f"server.url: {private}",
    ]


@pytest.mark.parametrize("url", ["https://example.org/a", "https://10.example.org/", "http://1.1.1.1"])
def test_a_public_address_is_no_problem(url: str) -> None:
    settings = make_settings(api_key="k" * 32)
    assert texts({"voice": {"provider": "custom-voice", "server": {"url": url}}}, settings) == []


def test_a_private_address_is_no_problem_where_it_is_allowed() -> None:
    assistant = {"voice": {"provider": "custom-voice", "server": {"url": "http://127.0.0.1:1/"}}}
    assert texts(assistant) == []
    assert texts(assistant, make_settings(api_key="k" * 32, allow_private_addresses=True)) == []


def test_an_address_in_a_field_of_free_contents_is_not_read() -> None:
    settings = make_settings(api_key="k" * 32)
    assert (
        texts({"metadata": {"url": "http://10.0.0.1"}, "model": {"provider": "vapi", "messages": []}}, settings) == []
    )


def test_a_fallback_without_a_key_is_a_problem_of_its_own() -> None:
    found = texts({"voice": {"provider": "vapi", "fallbackPlan": {"voices": [PARTS["voice", "11labs"]]}}})
    assert found[0].startswith("voice.fallbackPlan.voices.0: voice provider 11labs ")


def test_a_field_without_effect_is_told_if_it_asks_for_something() -> None:
    model = {**GROQ["model"], "emotionRecognitionEnabled": True, "numFastTurns": 1}
    assert texts({"model": model}, groq="k") == [
        "model.emotionRecognitionEnabled: has no effect with provider groq on this server",
        "model.numFastTurns: has no effect with provider groq on this server",
    ]
    assert texts({"model": {**GROQ["model"], "emotionRecognitionEnabled": False, "tools": []}}, groq="k") == []


def test_fields_that_are_accepted_without_effect_are_told() -> None:
    plan = {"mode": "warm-transfer-experimental", "transferAssistant": {"model": GROQ["model"]}}
    tool = {"type": "transferCall", "destinations": [{"type": "number", "number": "+1", "transferPlan": plan}]}
    hook = {"on": "call.ending", "do": [{"type": "transfer", "destination": {"transferPlan": plan}}]}
    given = {
        "model": {**GROQ["model"], "knowledgeBaseId": "k", "tools": [tool]},
        "compliancePlan": {"forceStoreOnHipaaEnabled": True},
        "hooks": [hook],
    }
    elsewhere = "has no effect on an assistant; set it in the compliancePlan of a structured output"
    nobody = "has no effect on this server: no second assistant speaks to who answers a transfer"
    assert texts(given, groq="k") == [
        "model.knowledgeBaseId: has no effect with provider groq on this server",
        f"compliancePlan.forceStoreOnHipaaEnabled: {elsewhere}",
        f"model.tools.0.destinations.0.transferPlan.transferAssistant: {nobody}",
        f"hooks.0.do.0.destination.transferPlan.transferAssistant: {nobody}",
    ]
    assert texts({"compliancePlan": {"forceStoreOnHipaaEnabled": False}}) == []


def test_a_tool_that_is_not_available_is_told() -> None:
    tools = [
        {"type": "endCall"},
        {"type": "slack.message.send"},
        {"type": "sms", "server": {"url": "https://a.example"}},
    ]
    assert texts({"model": {"provider": "vapi", "tools": tools}}) == [
        f"model.tools.1: a tool of type slack.message.send {NEEDS['slack.message.send']}"
    ]


def test_languages_that_the_embedded_transcriber_does_not_know_are_told() -> None:
    (found,) = texts({"transcriber": {"provider": "vapi", "language": "xx"}})
    assert found.startswith("transcriber: the embedded transcriber does not know xx")


def test_a_stored_provider_that_is_retired_is_told() -> None:
    (found,) = texts({"voice": {"provider": "playht", "voiceId": "jennifer"}})
    assert found.startswith("voice: voice provider playht cannot be called: PlayHT closed its service")


def test_no_problem_quotes_a_secret() -> None:
    for part, provider in PARTS:
        given = {**PARTS[part, provider], "server": {"url": "http://10.0.0.1", "secret": SECRET}}
        found = problems_of({part: given}, {provider: {"provider": provider, "apiKey": SECRET}}, make_settings())
        assert SECRET not in str(found)


class TestHeader:
    def test_no_problem_is_no_header(self) -> None:
        assert warning_of([]) == {}

    def test_it_is_one_line_of_ascii(self) -> None:
        made = warning_of([Problem("voice", "not \u201cfound\u201d;\r\nX-Other: 1; check it"), Problem("model", "b")])
        assert made == {WARNING_HEADER: "voice: not ?found?, X-Other: 1, check it; model: b"}

    def test_its_length_is_bounded_and_what_is_left_out_is_counted(self) -> None:
        value = warning_of([Problem(f"field{n}", "x" * 90) for n in range(100)])[WARNING_HEADER]
        assert len(value) <= MAX_WARNING_CHARS
        *told, rest = value.split("; ")
        assert rest == f"and {100 - len(told)} more"
        assert len(told) > 10

    def test_one_long_problem_is_cut(self) -> None:
        assert len(warning_of([Problem("a", "x" * 10_000)])[WARNING_HEADER]) == MAX_WARNING_CHARS


async def test_the_answers_about_an_assistant_have_the_header(client: httpx.AsyncClient) -> None:
    made = await client.post("/assistant", json=GROQ)
    assert (made.status_code, made.headers[WARNING_HEADER]) == (201, NO_KEY)
    url = f"/assistant/{made.json()['id']}"
    assert (await client.get(url)).headers[WARNING_HEADER] == NO_KEY
    changed = await client.patch(url, json={"name": "other"})
    assert changed.headers[WARNING_HEADER] == NO_KEY
    await client.post("/credential", json=KEY)
    assert WARNING_HEADER not in (await client.get(url)).headers
    assert WARNING_HEADER not in (await client.patch(url, json={"name": "third"})).headers


async def test_an_assistant_with_its_own_credential_has_no_warning(client: httpx.AsyncClient) -> None:
    made = await client.post("/assistant", json={**GROQ, "credentials": [KEY]})
    assert made.status_code == 201
    assert WARNING_HEADER not in made.headers


@pytest.mark.parametrize("path", ["/call", "/call/web"])
async def test_the_answer_about_a_call_has_the_header(client: httpx.AsyncClient, path: str) -> None:
    stored = (await client.post("/assistant", json={})).json()["id"]
    more = {"transport": WEBSOCKET} if path == "/call" else {}
    for body, told in [
        ({"assistant": GROQ}, NO_KEY),
        ({"assistantId": stored, "assistantOverrides": GROQ}, NO_KEY),
        ({"squad": {"members": [{"assistant": {}}, {"assistant": GROQ}]}}, f"squad.members.1.{NO_KEY}"),
        ({"assistantId": stored}, None),
    ]:
        made = await client.post(path, json={**body, **more})
        assert made.status_code == 201, made.text
        assert made.headers.get(WARNING_HEADER) == told
        assert (await client.get(f"/call/{made.json()['id']}")).headers.get(WARNING_HEADER) == told


async def test_a_call_whose_assistant_was_deleted_is_returned_without_the_header(client: httpx.AsyncClient) -> None:
    stored = (await client.post("/assistant", json=GROQ)).json()["id"]
    call = (await client.post("/call/web", json={"assistantId": stored})).json()["id"]
    await client.delete(f"/assistant/{stored}")
    answer = await client.get(f"/call/{call}")
    assert answer.status_code == 200
    assert WARNING_HEADER not in answer.headers


async def test_a_page_is_told_about_its_own_assistant_alone(client_with_keys: httpx.AsyncClient) -> None:
    stored = (await client_with_keys.post("/assistant", json=GROQ, headers=OWNER)).json()["id"]
    own = await client_with_keys.post("/call/web", json={"assistant": GROQ}, headers=VISITOR)
    assert own.headers[WARNING_HEADER] == NO_KEY
    others = await client_with_keys.post("/call/web", json={"assistantId": stored}, headers=VISITOR)
    assert others.status_code == 201
    assert WARNING_HEADER not in others.headers
    owners = await client_with_keys.post("/call/web", json={"assistantId": stored}, headers=OWNER)
    assert owners.headers[WARNING_HEADER] == NO_KEY


async def test_a_page_of_another_origin_may_read_the_header(client_with_keys: httpx.AsyncClient) -> None:
    headers = {**VISITOR, "Origin": "https://shop.example"}
    made = await client_with_keys.post("/call/web", json={"assistant": GROQ}, headers=headers)
    assert made.headers["access-control-expose-headers"] == WARNING_HEADER


async def test_no_header_holds_a_key(serve: Serve) -> None:
    async with serve(api_key=PRIVATE, public_key=PUBLIC, groq_api_key=SECRET) as client:
        made = await client.post(
            "/assistant",
            json={**ANTHROPIC, "credentials": [KEY], "voice": PARTS["voice", "custom-voice"]},
            headers=OWNER,
        )
        assert made.status_code == 201
        assert "ANTHROPIC_API_KEY" in made.headers[WARNING_HEADER]
        assert all(secret not in made.headers[WARNING_HEADER] for secret in (SECRET, KEY["apiKey"], PRIVATE, PUBLIC))


async def test_a_malformed_assistant_is_refused_without_the_header(client: httpx.AsyncClient) -> None:
    answer = await client.post("/assistant", json={"voice": {"provider": "nobody"}})
    assert answer.status_code == 400
    assert WARNING_HEADER not in answer.headers


def test_a_fields_name_cannot_break_the_header() -> None:
    value = warning_header(["a \x00\x1b\x7f field, größer\r\nSet-Cookie: x"])[WARNING_HEADER]
    assert value == "a ??? field, gr??er Set-Cookie: x"


async def test_an_import_names_a_left_out_field_of_any_characters(client: httpx.AsyncClient) -> None:
    response = await client.post("/assistant?import=true", json={"name": "n", "z\x01\U0010ffffé": 1})
    assert response.status_code == 201
    assert "z???" in response.headers[WARNING_HEADER]
