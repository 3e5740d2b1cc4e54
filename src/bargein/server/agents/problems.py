"""Problems of an assistant that this server accepts: each says what will not work in a call, and what to change.

`problems_of` is asked by the API (the header `X-Bargein-Warning`), by `bargein check` and through the API by the page.
It connects to nothing and quotes no secret: the parts are made as for a call, and are then dropped.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, NoReturn, cast
from urllib.parse import urlsplit

import anyio.to_thread
import httpx
from typing_extensions import override

from bargein.clock import LoopClock
from bargein.http_client import new_client
from bargein.ports import ProviderError
from bargein.providers.interface import EmbeddedProviders, Resources, VoicePart
from bargein.server.agents.credentials import credentials_for
from bargein.server.agents.denoising import NO_DENOISER, denoising_field
from bargein.server.agents.parts import GivenPart, Part, fields_read, parts_of, read_part
from bargein.server.agents.resolve import resolve_call
from bargein.server.agents.squads import members_of, squad_of
from bargein.server.agents.substitution import may_substitute
from bargein.settings import Settings, is_loopback
from bargein.store import Store
from bargein.tools.kinds import CLIENT_TOOLS, has_server, need_of
from bargein.webhooks.guard import is_public
from bargein.wire.assistant import without_nulls
from bargein.wire.base import JsonObject, WireModel
from bargein.wire.json import as_list_or_none, as_object, as_object_or_none, as_objects, as_string
from bargein.wire.ownership import author_of, without_marks

_RATE_HZ = 16_000
_FREE_FORM = frozenset({
    "metadata", "variableValues", "headers", "parameters", "properties", "body", "schema", "messages", "function",
})  # fmt: skip
"""Fields whose contents have no addresses that this server connects to."""
_DEEPEST = 32


@dataclass(frozen=True, slots=True)
class Problem:
    """A problem of an assistant.

    Attributes:
        path: the field (`voice`, `model.tools.0`).
        text: what will not work, and what to change.
    """

    path: str
    text: str

    def __str__(self) -> str:
        """Return the path and the text as one sentence."""
        return f"{self.path}: {self.text}"


def problems_of(assistant_json: JsonObject, credentials: Mapping[str, JsonObject], settings: Settings) -> list[Problem]:
    """Return what will not work in a call with an assistant: what ends the call first, then what has no effect.

    Args:
        assistant_json: the assistant, with overrides applied; its fields have been checked against Vapi's types.
        credentials: the owner's credentials by provider.
        settings: the settings, with the section of each vendor.
    """
    parts = list(parts_of(assistant_json))
    found = [problem for part in parts for problem in _problems_of_part(part, credentials, settings)]
    if not settings.private_addresses_allowed:
        found += _private_addresses(assistant_json, "", 0)
    found += _unavailable_tools(assistant_json, settings)
    found += [problem for part in parts for problem in _fields_without_effect(part)]
    found += _plans_without_effect(assistant_json)
    if settings.calls.denoiser is None and (field := denoising_field(assistant_json)) is not None:
        found.append(Problem(field, NO_DENOISER))
    return found


async def problems_of_participants(participants: JsonObject, store: Store, settings: Settings) -> list[Problem]:
    """Return the problems of the assistant or of the squad's members that a call is to run.

    Args:
        participants: the fields that name it, with their author, after `check_participants`.
        store: where assistants, squads and credentials are.
        settings: the settings.
    """
    author = author_of(participants)
    squad = await squad_of(participants, store, author)
    if squad is None:
        agent = await resolve_call(participants, store)
        return await _problems_of_agent(agent.assistant_json, "", store, settings)
    found: list[Problem] = []
    for index, member in enumerate(await members_of(squad, store, participants.get("squadOverrides"), author)):
        found += await _problems_of_agent(member.assistant, f"squad.members.{index}.", store, settings)
    return found


async def _problems_of_agent(
    assistant_json: JsonObject, within: str, store: Store, settings: Settings
) -> list[Problem]:
    # in a thread: an assistant with thousands of messages or tools takes some 100 ms, which would hold up every call
    runnable = await anyio.to_thread.run_sync(without_nulls, assistant_json)
    credentials = await credentials_for(runnable, store)
    found = await anyio.to_thread.run_sync(_problems_of_runnable, runnable, credentials, settings)
    return [Problem(within + one.path, one.text) for one in found]


def _problems_of_runnable(
    runnable: JsonObject, credentials: Mapping[str, JsonObject], settings: Settings
) -> list[Problem]:
    return problems_of(without_marks(runnable), credentials, settings)


def _problems_of_part(part: GivenPart, credentials: Mapping[str, JsonObject], settings: Settings) -> Iterator[Problem]:
    try:
        spec, config = read_part(part.name, part.given)
        problem = None if spec.find_problem is None else spec.find_problem(config)
        if problem is not None:
            yield Problem(part.path, problem)
        _make(spec, config, _resources(credentials, settings))
    except ProviderError as error:
        text = str(error)
        if may_substitute(part.name, part.provider, error, credentials, settings):
            text = f"{text}; the embedded {part.name} takes its place (BARGEIN_SUBSTITUTE_PROVIDERS)"
        yield Problem(part.path, text)


def _make(spec: Part, config: WireModel, resources: Resources) -> None:
    """Make a part as a call does.

    Raises:
        ProviderError: it cannot be made.
    """
    if isinstance(spec, VoicePart):
        spec.create(config, resources, _RATE_HZ)
    else:
        spec.create(config, resources)


def _fields_without_effect(part: GivenPart) -> Iterator[Problem]:
    """Yield the fields of a part that its vendor does not read, as far as they ask for something."""
    try:
        spec, _ = read_part(part.name, part.given)
    except ProviderError:
        return
    used = fields_read(part.name, part.provider, spec)
    for field, value in part.given.items():
        if field not in used and value not in (None, False, "", [], {}):
            yield Problem(f"{part.path}.{field}", f"has no effect with provider {part.provider} on this server")


def _unavailable_tools(assistant_json: JsonObject, settings: Settings) -> Iterator[Problem]:
    """Yield the tools that this server cannot run, where no server is given that could."""
    given = as_object(assistant_json.get("server")).get("url") or assistant_json.get("serverUrl")
    for index, tool in enumerate(as_objects(as_object(assistant_json.get("model")).get("tools"))):
        problem = problem_of_tool(tool, settings, owned=bool(given))
        if problem is not None:
            yield Problem(f"model.tools.{index}", problem)


def problem_of_tool(tool: JsonObject, settings: Settings, *, owned: bool = False) -> str | None:
    """Return why this server cannot run a tool, and what it needs; None: it can.

    Args:
        tool: the tool.
        settings: the settings.
        owned: whether its assistant has a server.
    """
    kind = as_string(tool.get("type"))
    need = need_of(tool, code=settings.calls.code_runtime is not None)
    if need is not None:
        return f"a tool of type {kind} {need}"
    if kind in CLIENT_TOOLS and not (owned or has_server(tool) or settings.webhooks.server is not None):
        return f"a tool of type {kind} is run by your server: give the tool, the assistant or the number one"
    return None


def _plans_without_effect(assistant_json: JsonObject) -> Iterator[Problem]:
    """Yield the fields of plans that are accepted as Vapi's pages show them, and that nothing reads."""
    if as_object(assistant_json.get("compliancePlan")).get("forceStoreOnHipaaEnabled") is True:
        text = "has no effect on an assistant; set it in the compliancePlan of a structured output"
        yield Problem("compliancePlan.forceStoreOnHipaaEnabled", text)
    tools = as_object(assistant_json.get("model")).get("tools")
    yield from _transfer_assistants({"model": {"tools": tools}, "hooks": assistant_json.get("hooks")}, "", 0)


def _transfer_assistants(given: JsonObject, within: str, depth: int) -> Iterator[Problem]:
    for path, inner in _objects_in(given, within, depth):
        if path.endswith("transferPlan") and inner.get("transferAssistant") is not None:
            text = "has no effect on this server: no second assistant speaks to who answers a transfer"
            yield Problem(f"{path}.transferAssistant", text)
        else:
            yield from _transfer_assistants(inner, f"{path}.", depth + 1)


def _objects_in(given: JsonObject, within: str, depth: int) -> Iterator[tuple[str, JsonObject]]:
    """Yield the objects that an object holds, by themselves or in an array: path, and object."""
    for name, value in given.items():
        if name in _FREE_FORM or depth > _DEEPEST:
            continue
        items = as_list_or_none(value)
        places = [(name, value)] if items is None else [(f"{name}.{n}", item) for n, item in enumerate(items)]
        for path, one in places:
            if (inner := as_object_or_none(one)) is not None:
                yield f"{within}{path}", inner


def _private_addresses(given: JsonObject, within: str, depth: int) -> Iterator[Problem]:
    """Yield the URLs whose hosts are private by their own text; a name is resolved by the call alone."""
    for name, value in given.items():
        if name in _FREE_FORM or depth > _DEEPEST:
            continue
        path = f"{within}{name}"
        if name.lower().endswith("url") and (text := as_string(value)) is not None and _is_private(text):
            yield Problem(path, "its address is private, which BARGEIN_ALLOW_PRIVATE_ADDRESSES does not allow")
    for path, inner in _objects_in(given, within, depth):
        yield from _private_addresses(inner, f"{path}.", depth + 1)


def _is_private(url: str) -> bool:
    try:
        host = urlsplit(url.strip()).hostname
    except ValueError:
        return False
    if not host:
        return False
    return is_loopback(host) or (_is_ip(host) and not is_public(host))


def _is_ip(host: str) -> bool:
    return ":" in host or host.replace(".", "").isdecimal()


class _NoNetwork(httpx.AsyncBaseTransport):
    """A transport for parts that are made to be dropped."""

    @override
    async def handle_async_request(self, request: httpx.Request) -> NoReturn:
        raise httpx.ConnectError("no request is sent while an assistant is checked")


class _NoModels:
    """The embedded models for parts that are made to be dropped: there are none."""

    def transcriber_of(self, _tags: object) -> None:
        """Return no transcriber."""

    def __getattr__(self, name: str) -> Any:
        return None


class _NoAddresses:
    """A resolver for parts that are made to be dropped."""

    async def address(self, host: str, port: int) -> NoReturn:
        """Resolve nothing.

        Raises:
            OSError: always.
        """
        raise OSError(f"no address is looked up while an assistant is checked ({host[:80]}:{port})")


@cache
def _client() -> httpx.AsyncClient:
    return new_client(_NoNetwork())


def _resources(credentials: Mapping[str, JsonObject], settings: Settings) -> Resources:
    return Resources(
        settings=settings,
        clock=LoopClock(),
        client=_client(),
        guarded_client=_client(),
        addresses=_NoAddresses(),
        embedded=cast("EmbeddedProviders", _NoModels()),
        credentials=credentials,
        auth=None,
        context={},
    )
