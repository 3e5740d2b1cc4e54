"""The rule for secrets as a law: for all that a caller can send, no address of a caller's gets a secret of the owner's.

The requests that a call would make are read from the assistant that the server resolves, with the server's own code for
headers and credentials. The addresses of the owner contain `owner`, those of callers `other`, all secrets `hush`.
"""

import json
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import anyio
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bargein.call.plan.variables import Extracted, Variables
from bargein.call.tools.transfer import HandoffError
from bargein.clock import LoopClock
from bargein.ports import ServerError
from bargein.server.agents.assemble import AgentAssembler, AssemblyError, ReadyAgent
from bargein.server.agents.credentials import credentials_for
from bargein.server.agents.handoff import HandoffResolver
from bargein.server.agents.resolve import ResolvedAgent, fill_in, resolve_call, resolve_chat
from bargein.server.agents.squads import MissingAgentError
from bargein.server.agents.tool_runners import ToolRunnerFactory
from bargein.server.agents.tools import gather_hook_tools, gather_tools
from bargein.tools.outbound import Outbound
from bargein.tools.runner import open_shared_tools
from bargein.tools.templates import Templates
from bargein.webhooks.authentication import Authentication, legacy_headers
from bargein.webhooks.owner_channel import credentials_of, server_of
from bargein.wire.errors import WireError
from bargein.wire.ownership import MADE_BY, Author, made_by
from bargein.wire.redact import AUTHOR_MARK
from tests.tools.tool_calls import ScriptedMessenger, StoredFiles, call
from tests.webhooks.receiver import Receiver
from tests.webhooks.sending import sending

pytestmark = pytest.mark.anyio

if TYPE_CHECKING:
    from bargein.store import Store

Json = dict[str, Any]
HUSH = "hush"
OTHER = "https://other.example/x"
OWNERS = [f"https://{name}.owner.example/{name}" for name in ("server", "voice", "stt", "llm", "tool", "api", "mcp")]


def server(number: int) -> Json:
    return {
        "url": OWNERS[number],
        "secret": f"{HUSH}-secret-{number}",
        "headers": {"X-Key": f"{HUSH}-header-{number}"},
        "credentialId": "stored" if number % 2 else "inline",
    }


def bearer(name: str) -> Json:
    return {"type": "bearer", "token": f"{HUSH}-{name}"}


ASSISTANT: Json = {
    "id": "desk",
    "name": "Desk",
    "server": server(0),
    "serverUrl": "https://legacy.owner.example/legacy",
    "serverUrlSecret": f"{HUSH}-legacy",
    "voice": {"provider": "custom-voice", "server": server(1)},
    "transcriber": {"provider": "custom-transcriber", "server": server(2)},
    "model": {
        "provider": "custom-llm",
        "model": "m",
        "url": OWNERS[3],
        "headers": {"X-Model": f"{HUSH}-model"},
        "tools": [
            {"type": "function", "function": {"name": "a"}, "server": server(4)},
            {"type": "function", "function": {"name": "b"}, "parameters": [{"key": "k", "value": f"{HUSH}-fixed"}]},
            {"type": "apiRequest", "name": "c", "url": OWNERS[5], "credentialId": "stored", "headers": {"K": HUSH}},
        ],
        "toolIds": ["stored-tool"],
        "knowledgeBase": {"provider": "custom-knowledge-base", "server": server(4)},
    },
    "startSpeakingPlan": {
        "smartEndpointingPlan": {"provider": "custom-endpointing-model", "server": server(6)},
    },
    "credentials": [
        {"provider": "webhook", "name": "inline", "authenticationPlan": bearer("inline-webhook")},
        {"provider": "custom-llm", "apiKey": f"{HUSH}-inline-llm"},
    ],
    "credentialIds": ["stored-llm"],
    "hooks": [
        {"on": "call.ending", "do": [{"type": "function", "function": {"name": "d"}, "server": server(4)}]},
    ],
}
CREDENTIALS: dict[str, Json] = {
    "stored": {"id": "stored", "provider": "webhook", "authenticationPlan": bearer("stored-webhook")},
    "stored-llm": {"id": "stored-llm", "provider": "custom-llm", "apiKey": f"{HUSH}-stored-llm"},
}
SQUAD: Json = {
    "members": [
        {
            "assistantId": "desk",
            "assistantOverrides": {"server": {"headers": {"X-Member": f"{HUSH}-member"}},
                                   "variableValues": {"token": f"{HUSH}-variable"}},
            "assistantDestinations": [{"type": "assistant", "assistantName": "Eve"}],
        },
        {"assistant": {**ASSISTANT, "id": None, "name": "Eve"}},
    ],
    "membersOverrides": {"voice": {"server": {"headers": {"X-Squad": f"{HUSH}-squad"}}}},
}  # fmt: skip
TOOLS: dict[str, Json] = {
    "stored-tool": {"id": "stored-tool", "type": "apiRequest", "name": "e", "url": OWNERS[5], "credentialId": "stored"},
    "fixed-tool": {"id": "fixed-tool", "type": "function", "function": {"name": "f"},
                   "parameters": [{"key": "k", "value": f"{HUSH}-fixed-stored"}]},
}  # fmt: skip


class Table:
    """A table of the store."""

    def __init__(self, rows: dict[str, Json]) -> None:
        self.rows = rows

    async def get(self, record_id: str) -> Json | None:
        return self.rows.get(record_id)

    find = get

    async def list(self, query: Any) -> list[Json]:
        wanted = query.where["provider"]
        return [row for row in self.rows.values() if row["provider"] == wanted][: query.limit]


STORE = cast("Store", SimpleNamespace(
    assistants=Table({"desk": ASSISTANT}), squads=Table({"team": SQUAD}), credentials=Table(CREDENTIALS),
    tools=Table(TOOLS),
))  # fmt: skip


class Expanding:
    """A tool runner that expands each tool to itself."""

    async def expand(self, tool: Json) -> list[Json]:
        return [tool]


CLOCK = LoopClock()
AUTHENTICATION = Authentication(cast("Any", STORE.credentials), cast("Any", None), CLOCK)


async def requests_of(agent: ResolvedAgent) -> list[tuple[str, str]]:
    """Return the address of each request that an agent may cause, and all that is sent there of its settings."""
    assistant, runner = agent.assistant_json, cast("Any", Expanding())
    inline = credentials_of(assistant)
    tools = [*await gather_tools(assistant, STORE, runner), *await gather_hook_tools(assistant, STORE, runner)]
    main = server_of(assistant)
    found: list[tuple[str, str]] = []
    for one in [*walk({**assistant, "credentials": None}), *walk(tools), *([main] if main else [])]:
        sent = [own(one)]
        with suppress(ServerError, TypeError):  # then nothing is sent
            auth = await AUTHENTICATION.find(one, inline)
            sent += ["" if auth is None else str(vars(auth)), str(legacy_headers(one))]
        found.append((str(one["url"]), " ".join(sent)))
    keys = await credentials_for(assistant, STORE)
    for part in ("model", "voice", "transcriber"):
        config = assistant.get(part) or {}
        key = str(keys.get(str(config.get("provider"))))
        found += [(str(one["url"]), key) for one in walk({**config, "tools": None, "knowledgeBase": None})]
    without_server = [tool for tool in tools if tool and not (tool.get("server") or {}).get("url")]
    if main is not None:
        given = [str(tool.get("parameters")) for tool in without_server if tool.get("type") == "function"]
        found += [(str(main["url"]), parameters) for parameters in given]
    return found


def walk(value: Any) -> Iterator[Json]:
    """Yield the objects with a URL."""
    if isinstance(value, dict):
        if isinstance(value.get("url"), str):
            yield value
        for inner in value.values():
            yield from walk(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from walk(inner)


def own(one: Json) -> str:
    """Return an object's JSON without its tools and the objects inside it that have a URL of their own."""
    kept = {name: inner for name, inner in one.items() if not (isinstance(inner, dict) and list(walk(inner)))}
    return json.dumps({name: inner for name, inner in kept.items() if name not in ("tools", "url")}, default=str)


async def resolved(record: Json, kind: str) -> list[ResolvedAgent]:
    """Return the agents that a record leads to, in a call, a chat or by a handoff from the owner's call."""
    try:
        if kind == "call":
            return [await resolve_call(record, STORE)]
        if kind == "chat":
            return [await resolve_chat(record, STORE)]
        return await handed_over(record)
    except (MissingAgentError, WireError, HandoffError, ValueError):
        return []


async def handed_over(record: Json) -> list[ResolvedAgent]:
    found: list[ResolvedAgent] = []

    class Assembler:
        async def assemble_successor(self, agent: ResolvedAgent, *_: Any, private: bool) -> None:
            assert not private
            found.append(agent)
            raise AssemblyError("not run", "x")

    call = made_by({"id": "c", "squadId": "team"}, "owner")
    setup = SimpleNamespace(call=call, assistant_json={}, variables=Variables())
    first = cast("ReadyAgent", SimpleNamespace(setup=setup, owner_channel=None))
    resolver = HandoffResolver(first, 16_000, STORE, cast("AgentAssembler", Assembler()))
    author = cast("Author", record[MADE_BY])
    destination = {**{n: v for n, v in record.items() if n != MADE_BY}, "type": "squad" if "squadId" in record else
                   "assistant"}  # fmt: skip
    with suppress(HandoffError):
        await resolver.successor(destination, author)
    return found


URLS = st.sampled_from([OTHER, f"{OTHER}/2", *OWNERS, "https://server.owner.example/elsewhere", None])
NAMES = st.sampled_from(["inline", "stored", "stored-llm", "mine", None])
OWN_CREDENTIALS = st.lists(
    st.sampled_from([
        {"provider": "webhook", "name": "mine", "authenticationPlan": {"type": "bearer", "token": "mine"}},
        {"provider": "webhook", "id": "inline", "authenticationPlan": {"type": "bearer", "token": "mine"}},
        {"provider": "custom-llm", "apiKey": "mine"},
    ]),
    max_size=2,
)  # fmt: skip
SERVERS = st.one_of(
    st.none(),
    st.fixed_dictionaries(
        {},
        optional={
            "url": URLS,
            "secret": st.sampled_from(["mine", None]),
            "headers": st.sampled_from([{"X-Mine": "1"}, None, {}]),
            "credentialId": NAMES,
            "timeoutSeconds": st.just(5),
            AUTHOR_MARK: st.just("owner"),
            MADE_BY: st.just("owner"),
        },
    ),
)
TOOL = st.one_of(
    st.fixed_dictionaries(
        {"type": st.sampled_from(["function", "apiRequest", "mcp", "transferCall", "handoff"])},
        optional={"url": URLS, "server": SERVERS, "credentialId": NAMES, "name": st.just("mine"),
                  "headers": st.just({"X-Mine": "1"})},
    ),
    st.sampled_from([TOOLS["stored-tool"], {"type": "function", "function": {"name": "g"}}]),
)  # fmt: skip
TOOL_LIST = st.lists(TOOL, max_size=2)
OVERRIDES: st.SearchStrategy[Json] = st.fixed_dictionaries(
    {},
    optional={
        "server": SERVERS,
        "serverUrl": URLS,
        "serverUrlSecret": st.sampled_from(["mine", None]),
        "voice": st.one_of(st.none(), st.fixed_dictionaries(
            {"provider": st.sampled_from(["custom-voice", "vapi"])}, optional={"server": SERVERS})),
        "transcriber": st.one_of(st.none(), st.fixed_dictionaries(
            {"provider": st.sampled_from(["custom-transcriber", "vapi"])}, optional={"server": SERVERS})),
        "model": st.one_of(st.none(), st.fixed_dictionaries(
            {"provider": st.sampled_from(["custom-llm", "openai", "vapi"])},
            optional={"url": URLS, "headers": st.sampled_from([{"X-Mine": "1"}, None]), "tools": TOOL_LIST,
                      "toolIds": st.just(["stored-tool", "fixed-tool"]), "knowledgeBase": st.fixed_dictionaries(
                          {}, optional={"server": SERVERS, "url": URLS})})),
        "tools:append": TOOL_LIST,
        "startSpeakingPlan": st.fixed_dictionaries({"smartEndpointingPlan": st.fixed_dictionaries(
            {"provider": st.just("custom-endpointing-model")}, optional={"server": SERVERS})}),
        "credentials": st.one_of(st.none(), OWN_CREDENTIALS),
        "credentialIds": st.sampled_from([["stored-llm"], ["stored"], None]),
        "hooks": st.lists(st.fixed_dictionaries(
            {"on": st.just("call.ending"), "do": st.lists(TOOL, max_size=1)}), max_size=1),
        "variableValues": st.just({"x": "1"}),
        "firstMessage": st.sampled_from(["Hi.", "{{token}}"]),
        AUTHOR_MARK: st.just("owner"),
    },
)  # fmt: skip
MEMBER = st.fixed_dictionaries(
    {},
    optional={"assistantId": st.just("desk"), "assistant": OVERRIDES, "assistantOverrides": OVERRIDES,
              "assistantDestinations": st.lists(st.fixed_dictionaries(
                  {"type": st.just("assistant")}, optional={"assistantId": st.just("desk"),
                                                            "assistantOverrides": OVERRIDES}), max_size=1)},
)  # fmt: skip
SQUADS = st.fixed_dictionaries(
    {"members": st.lists(MEMBER, min_size=1, max_size=2)}, optional={"membersOverrides": OVERRIDES}
)
RECORDS: st.SearchStrategy[Json] = st.one_of(
    st.fixed_dictionaries({"assistantId": st.just("desk"), "assistantOverrides": OVERRIDES}),
    st.fixed_dictionaries({"assistant": OVERRIDES, "assistantOverrides": OVERRIDES}),
    st.fixed_dictionaries({"squadId": st.just("team"), "squadOverrides": OVERRIDES, "assistantOverrides": OVERRIDES}),
    st.fixed_dictionaries({"squad": SQUADS, "squadOverrides": OVERRIDES}),
    st.fixed_dictionaries({"assistantName": st.just("Eve"), "assistantOverrides": OVERRIDES}),
)
KINDS = st.sampled_from(["call", "chat", "handoff"])


@settings(max_examples=400, deadline=None)
@given(RECORDS, KINDS)
@example({"assistantId": "desk", "assistantOverrides": {"server": {"url": OTHER}}}, "call")
@example({"assistant": {"model": {"provider": "custom-llm", "url": OTHER}}}, "chat")
@example({"squadId": "team", "squadOverrides": {"server": {"url": OTHER}}}, "call")
def test_no_address_of_a_caller_gets_a_secret_of_the_owner(record: Json, kind: str) -> None:
    async def check() -> None:
        for agent in await resolved(made_by(record, "caller"), kind):
            for address, sent in await requests_of(agent):
                if address not in {*OWNERS, "https://legacy.owner.example/legacy"}:
                    assert HUSH not in sent, address

    anyio.run(check)


HARMLESS = st.fixed_dictionaries(
    {},
    optional={
        "firstMessage": st.just("Hi."),
        "variableValues": st.just({"x": "1"}),
        "name": st.just("Other"),
        "maxDurationSeconds": st.just(60),
        "metadata": st.just({"url": OTHER}),
        "startSpeakingPlan": st.just({"waitSeconds": 1}),
        "model": st.just({"provider": "custom-llm", "temperature": 0.5}),
        "voice": st.just({"provider": "custom-voice", "chunkPlan": {"enabled": False}}),
        "server": st.just({"timeoutSeconds": 5}),
        "credentials": OWN_CREDENTIALS.filter(lambda given: all(one.get("id") != "inline" for one in given)),
    },
)


@settings(max_examples=100, deadline=None)
@given(HARMLESS, KINDS, st.sampled_from(["owner", "caller"]), st.booleans())
def test_the_owners_own_addresses_keep_their_secrets(given_ones: Json, kind: str, author: Author, squad: bool) -> None:
    if author == "owner":
        given_ones = {name: value for name, value in given_ones.items() if name != "credentials"}
    name = "squadOverrides" if squad else "assistantOverrides"
    record = {"squadId": "team", name: given_ones} if squad else {"assistantId": "desk", name: given_ones}

    async def check() -> None:
        (agent,) = await resolved(made_by(record, author), kind)
        (plain,) = await resolved(made_by({n: v for n, v in record.items() if n != name}, "owner"), kind)
        wanted, found = await requests_of(plain), await requests_of(agent)
        secret = {(address, word) for address, sent in wanted for word in hushed(sent)}
        assert secret == {(address, word) for address, sent in found for word in hushed(sent)}
        assert len(secret) > 15

    anyio.run(check)


def hushed(sent: str) -> list[str]:
    return [word.strip("\"'{}(),:") for word in sent.replace('"', " ").replace("'", " ").split() if HUSH in word]


@settings(max_examples=200, deadline=None)
@given(OVERRIDES.filter(lambda given: given.get("credentialIds") is None), KINDS)
def test_an_override_of_the_owner_that_changes_the_address_leaves_the_old_secrets_behind(
    overrides: Json, kind: str
) -> None:
    """Only what the override names itself, and stored credentials of a provider, go to the new address."""
    text = json.dumps(overrides)
    allowed = {f"{HUSH}-stored-llm", f"{HUSH}-fixed", f"{HUSH}-fixed-stored"}
    allowed |= {f"{HUSH}-{name}-webhook" for name in ("stored", "inline") if f'"{name}"' in text}

    async def check() -> None:
        record = {"assistantId": "desk", "assistantOverrides": overrides}
        for agent in await resolved(made_by(record, "owner"), kind):
            for address, sent in await requests_of(agent):
                if "other.example" in address:
                    assert set(hushed(sent)) <= allowed, address

    anyio.run(check)


TEXTS = ("firstMessage", "endCallMessage", "voicemailMessage")


@pytest.mark.parametrize("author", ["owner", "caller"])
@pytest.mark.parametrize("text", ["{{token}}", "{{ token | upcase }}", "{% if token %}hush{% endif %}", "{{x}}"])
async def test_a_template_of_a_caller_does_not_see_the_variables_of_the_owner(author: Author, text: str) -> None:
    own = dict.fromkeys(TEXTS, text)
    given = {**own, "model": {"provider": "custom-llm", "messages": [{"role": "system", "content": text}]},
             "hooks": [{"on": "call.ending", "do": [{"type": "say", "exact": [text, text]}]}],
             "variableValues": {"x": "{{token}}"}}  # fmt: skip
    agent = await resolve_call(made_by({"squadId": "team", "squadOverrides": given}, author), STORE)
    variables = agent.variables(Extracted({"token": f"{HUSH}-extracted"}))
    filled = await fill_in(agent.assistant_json, variables, 0)
    said = json.dumps([filled[name] for name in TEXTS] + [filled["model"]["messages"], filled["hooks"]])
    assert (HUSH in said.lower()) == (author == "owner" and text != "{{x}}")
    assert "comment" not in said


async def test_a_tool_of_a_caller_does_not_see_the_variables_of_the_owner() -> None:
    overrides = {"tools:append": [{"type": "apiRequest", "name": "mine", "headers": {"X": "{{token}}|{{x}}"}}],
                 "variableValues": {"x": "mine"}}  # fmt: skip
    agent = await resolve_call(made_by({"squadId": "team", "squadOverrides": overrides}, "caller"), STORE)
    variables = agent.variables(Extracted({"token": f"{HUSH}-extracted"}))
    async with Receiver() as api, sending() as opened:
        outbound = Outbound(opened.client, opened.authentication)
        async with open_shared_tools(StoredFiles(Path()), outbound) as shared:
            runner = ToolRunnerFactory(shared, CLOCK).tools(
                agent.assistant_json, cast("Any", ScriptedMessenger()), variables, {}, mocks={}
            )
            *_, mine = [tool for tool in agent.assistant_json["model"]["tools"] if tool.get("name") == "mine"]
            await runner.run({**mine, "url": api.url}, call("mine"))
            owners = {"type": "apiRequest", "name": "owners", "headers": {"X": "{{token}}|{{x}}"}, "url": api.url}
            await runner.run(owners, call("owners"))
            runner.close()
    assert [got.headers["x"] for got in api.got] == ["|mine", f"{HUSH}-extracted|mine"]


@pytest.mark.parametrize(
    ("record", "is_owners"),
    [
        ({"assistantOverrides": {"variableValues": {"tenant": "a"}}, MADE_BY: "owner"}, True),
        ({"assistantOverrides": {"variableValues": {"tenant": "a"}}, MADE_BY: "caller"}, False),
        ({"assistantOverrides": {"variableValues": {"tenant": "a"}}}, False),
        (
            {
                "assistantOverrides": {"variableValues": {"tenant": "a"}},
                "phoneCallProviderDetails": {"sip": {"headers": {"X-Tenant": "a"}}},
                MADE_BY: "owner",
            },
            False,
        ),
        ({"customer": {"number": "a"}, MADE_BY: "owner"}, False),
    ],
)
def test_an_address_is_the_owners_if_the_owner_set_all_variables_in_it(record: Json, is_owners: bool) -> None:
    variables = ResolvedAgent(record=record, assistant_json={}).variables()

    def render(text: Any, more: Any, sees: Any = "all") -> str:
        return variables.render_strict(text, 0, more, sees)

    templates = Templates(render, partial(render, sees="owner"))
    name = "customer.number" if "customer" in record else "tenant"
    url = f"https://{{{{{name}}}}}.owner.example/{{{{x}}}}"
    assert templates.is_owners_address(url) == is_owners
    templates.extracted["tenant"] = "b"
    assert not templates.is_owners_address("https://{{tenant}}.owner.example/")
    assert templates.is_owners_address("https://mcp.owner.example/{{tenant}}")
