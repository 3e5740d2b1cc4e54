"""Prepares the agent under test: with the test's model and server, and with the messages that a caller needs."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from bargein.client.assistants import load_assistant
from bargein.client.errors import ClientError
from bargein.client.server_api import Server, create_call, request_json
from bargein.testing.caller import Caller, joining
from bargein.testing.caller_sounds import Sounds
from bargein.wire.base import JsonObject
from bargein.wire.json import as_object, as_objects, as_strings

NEEDED_MESSAGES = (
    "assistant.speechStarted",
    "assistant.started",
    "conversation-update",
    "hang",
    "model-output",
    "speech-update",
    "status-update",
    "tool-calls",
    "tool-calls-result",
    "transcript",
    "user-interrupted",
)
"""The client messages that a caller's checks are made of."""

_MODEL_FIELDS = ("messages", "systemPrompt", "tools", "toolIds", "knowledgeBaseId", "knowledgeBase", "maxTokens")
"""The fields of an assistant's model that stay when the test's model takes its place."""

Agent = JsonObject | str | Path
"""An assistant or a squad as JSON, a file with one of them, or the id of a stored assistant."""


@asynccontextmanager
async def calling(
    server: Server,
    agent: Agent,
    sounds: Sounds,
    *,
    folder: Path,
    model_url: str | None = None,
    owner_url: str | None = None,
) -> AsyncGenerator[Caller]:
    """Call an agent, and yield its caller; leaving the block ends the call.

    Args:
        server: the server.
        agent: the agent.
        sounds: makes the caller's sounds.
        folder: the folder of the test, where a file is looked for before the working directory.
        model_url: a server of OpenAI's chat completions in the place of the agent's model; None leaves that.
        owner_url: gets the server messages and the calls of tools; None leaves the agent's own servers.

    Raises:
        ClientError: the file cannot be read, or the server cannot be reached or refuses the agent.
    """
    body = await call_body(server, await find_agent(agent, folder), model_url, owner_url)
    call = await create_call(server, **body)
    async with joining(server, call, sounds) as caller:
        yield caller


async def find_agent(agent: Agent, folder: Path) -> JsonObject | str:
    """Return an agent's JSON, or the id of a stored assistant.

    Args:
        agent: the agent.
        folder: the folder of the test, where a file is looked for before the working directory.

    Raises:
        ClientError: the file cannot be read, or contains no JSON object.
    """
    if isinstance(agent, dict):
        return agent
    is_file = isinstance(agent, Path) or Path(agent).suffix == ".json"
    if not is_file:
        return str(agent)
    beside = folder / agent
    return await load_assistant(beside if beside.is_file() else Path(agent))


async def call_body(
    server: Server, agent: JsonObject | str, model_url: str | None, owner_url: str | None
) -> JsonObject:
    """Return the arguments of `create_call` for an agent.

    Args:
        server: the server, which is asked for a stored assistant.
        agent: what `find_agent` returned.
        model_url: as in `calling`.
        owner_url: as in `calling`.

    Raises:
        ClientError: the server has no such assistant.
    """
    if isinstance(agent, str):
        stored = as_object(await request_json(server, "GET", f"/assistant/{agent}"))
        prepared = prepare_assistant(stored, model_url, owner_url)
        changes = {name: value for name, value in prepared.items() if value != stored.get(name)}
        return {"assistant_id": agent, "assistant_overrides": changes}
    if "members" not in agent:
        return {"assistant": prepare_assistant(agent, model_url, owner_url)}
    members = as_objects(agent.get("members"))
    if any("assistant" not in member for member in members):
        raise ClientError("a squad in a test needs its assistants in full: a member with an assistantId is not changed")
    prepared_members = [
        {**member, "assistant": prepare_assistant(as_object(member["assistant"]), model_url, owner_url)}
        for member in members
    ]
    return {"squad": {**agent, "members": prepared_members}}


def prepare_assistant(assistant: JsonObject, model_url: str | None, owner_url: str | None) -> JsonObject:
    """Return an assistant with the test's model and server, and with the client messages that a caller needs."""
    prepared = dict(assistant)
    wanted = as_strings(prepared.get("clientMessages"))
    prepared["clientMessages"] = sorted({*wanted, *NEEDED_MESSAGES})
    own_model = as_object(prepared.get("model"))
    if owner_url is not None:
        prepared = {name: value for name, value in prepared.items() if not name.startswith("serverUrl")}
        prepared["server"] = {"url": owner_url}
        if "tools" in own_model:
            own_model = {
                **own_model,
                "tools": [_with_owner(tool, owner_url) for tool in as_objects(own_model["tools"])],
            }
            prepared["model"] = own_model
    if model_url is not None:
        kept = {name: own_model[name] for name in _MODEL_FIELDS if name in own_model}
        prepared["model"] = {"provider": "custom-llm", "url": model_url, "model": "scripted", **kept}
    return prepared


def _with_owner(tool: JsonObject, owner_url: str) -> JsonObject:
    """Return a tool whose server, if it has one of its own, is the test's."""
    if "server" not in tool:
        return tool
    timeout = as_object(tool["server"]).get("timeoutSeconds")
    return {**tool, "server": {"url": owner_url, **({} if timeout is None else {"timeoutSeconds": timeout})}}
