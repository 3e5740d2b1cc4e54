"""From a resolved agent to one that can run: its plan, instructions, providers, tools and channel to its owner.

`AgentAssembler` is the only place that does these steps: for calls, for the assistants that take calls over, and for
chats.
"""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import structlog

from bargein.call.context import AgentSetup, Providers
from bargein.call.plan.compile import PlanError
from bargein.call.plan.variables import Extracted, Variables
from bargein.clock import Clock
from bargein.errors import BargeinError
from bargein.ports import ChatMessage, Model, ProviderError, Voice
from bargein.providers.interface import CANNOT_START
from bargein.server.agents.credentials import ProviderCredentials, credentials_for
from bargein.server.agents.egress import Egress
from bargein.server.agents.providers import ProviderFactory
from bargein.server.agents.resolve import ResolvedAgent, fill_in, parse_assistant, phone_number_of
from bargein.server.agents.tool_runners import ToolRunnerFactory
from bargein.server.agents.tools import gather_hook_tools, gather_tools
from bargein.store import Store
from bargein.tools.runner import CallToolRunner
from bargein.webhooks.owner_channel import OwnerChannel
from bargein.wire.assistant import Assistant, within_limits
from bargein.wire.base import JsonObject
from bargein.wire.call import TOOL_MOCKS
from bargein.wire.errors import WireError
from bargein.wire.json import as_object
from bargein.wire.ownership import without_author
from bargein.wire.redact import without_secrets

_log = structlog.get_logger("bargein.server")

_CREDENTIALS = ("credentials", "credentialIds")
"""The fields of an assistant that name credentials of its providers."""


class AssemblyError(BargeinError):
    """An agent that cannot be run on this server.

    Attributes:
        messages: what is wrong with it, as in `WireError.messages`.
        ended_reason: the `endedReason` of a call that was to run it.
        provider_error: the error of one of its providers; None: something else is wrong.
    """

    def __init__(
        self, messages: list[str] | str, ended_reason: str, provider_error: ProviderError | None = None
    ) -> None:
        super().__init__(messages if isinstance(messages, str) else "; ".join(messages))
        self.messages = messages
        self.ended_reason = ended_reason
        self.provider_error = provider_error


@dataclass(frozen=True, slots=True)
class ReadyAgent:
    """An agent that a call can run. Close its tool runner when the call is over.

    Attributes:
        setup: the agent's setup.
        providers: the agent's providers, with its tool runner and its owner's channel.
        owner_channel: the call's channel to its owner's server; it sends nothing by itself before it is opened.
        tool_runner: runs the agent's tools.
    """

    setup: AgentSetup
    providers: Providers
    owner_channel: OwnerChannel
    tool_runner: CallToolRunner


@dataclass(frozen=True, slots=True)
class ReadyChatAgent:
    """An agent that a chat can run. Close its tool runner when the chat is answered.

    Attributes:
        instructions: the messages before the conversation (`model.messages`).
        model: the language model.
        tools: the tools that the model may call.
        tool_runner: runs those of them that need no call.
    """

    instructions: tuple[ChatMessage, ...]
    model: Model
    tools: tuple[JsonObject, ...]
    tool_runner: CallToolRunner


@dataclass(frozen=True, slots=True)
class ReadyTester:
    """A tester of simulations that is ready to speak.

    Attributes:
        instructions: the messages before the conversation (`model.messages`).
        model: finds the tester's words.
        voice: speaks them.
    """

    instructions: tuple[ChatMessage, ...]
    model: Model
    voice: Voice


@dataclass(frozen=True, slots=True)
class _Prepared:
    """An assistant with its templates filled in, and the credentials for its providers."""

    variables: Variables
    assistant_json: JsonObject
    assistant: Assistant
    credentials: ProviderCredentials


class AgentAssembler:
    """Makes running agents of resolved ones.

    Args:
        store: where tools, credentials and phone numbers are.
        clock: the time that templates may name.
        provider_factory: makes the providers.
        egress: the owners' channels, and the authentication of providers at their owners' servers.
        tool_runners: makes the tool runners.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        provider_factory: ProviderFactory,
        egress: Egress,
        tool_runners: ToolRunnerFactory,
    ) -> None:
        self._store = store
        self._clock = clock
        self._provider_factory = provider_factory
        self._egress = egress
        self._tool_runners = tool_runners

    async def assemble(self, agent: ResolvedAgent, rate_hz: int) -> ReadyAgent:
        """Assemble the agent with which a call begins, and the call's channel to its owner.

        Args:
            agent: the agent.
            rate_hz: sample rate of the call's audio.

        Raises:
            AssemblyError: the agent cannot be run on this server.
        """
        with _assembly_errors():
            prepared = await self._prepare(agent, agent.variables())
            number = await phone_number_of(agent.record, self._store)
            channel = self._egress.owner_channels.channel(agent.record, prepared.assistant_json, number)
            if number is not None:
                agent = replace(agent, record={**agent.record, "phoneNumber": without_secrets(number)})
            return await self._assemble(agent, prepared, rate_hz, channel)

    async def assemble_successor(
        self,
        agent: ResolvedAgent,
        rate_hz: int,
        owner_channel: OwnerChannel,
        found: Extracted,
        *,
        private: bool = False,
    ) -> ReadyAgent:
        """Assemble an agent that takes over a call.

        Args:
            agent: the agent.
            rate_hz: sample rate of the call's audio.
            owner_channel: the call's channel to its owner.
            found: the variables that the call's tools have set; shared with the agents before.
            private: whether an agent before it has made the call private (`bargein.call.record.privacy`).

        Raises:
            AssemblyError: the agent cannot be run on this server.
        """
        with _assembly_errors():
            prepared = await self._prepare(agent, agent.variables(found))
            return await self._assemble(agent, prepared, rate_hz, owner_channel, private=private)

    async def assemble_chat(self, agent: ResolvedAgent, chat: JsonObject) -> ReadyChatAgent:
        """Assemble the agent of a chat.

        Args:
            agent: the agent; its record is what templates and providers see of the chat.
            chat: the chat's record, with its id and the messages before.

        Raises:
            AssemblyError: the agent cannot be run on this server.
        """
        with _assembly_errors():
            prepared = await self._prepare(agent, agent.variables())
            model = self._provider_factory.model(prepared.assistant, agent.record, prepared.credentials)
        customer: JsonObject = {"customer": agent.record["customer"]} if "customer" in agent.record else {}
        channel = self._egress.owner_channels.channel(
            customer, prepared.assistant_json, chat=without_secrets(without_author(chat))
        )
        headers = {"X-Chat-Id": str(chat["id"])}
        if "sessionId" in chat:
            headers["X-Session-Id"] = str(chat["sessionId"])
        runner = self._tool_runners.tools(
            prepared.assistant_json, channel, prepared.variables, headers, _mocks(agent.record)
        )
        with _closed_on_error(runner):
            tools = await gather_tools(prepared.assistant_json, self._store, runner)
        return ReadyChatAgent(instructions_of(prepared.assistant), model, tools, runner)

    async def assemble_model(self, given: JsonObject, agent: ResolvedAgent) -> Model:
        """Assemble a model that works beside an agent, with the credentials that the agent names.

        Args:
            given: the model's JSON, of any provider of `assistant.model`; its messages and tools are not read.
            agent: the agent; its record is what the model's provider sees.

        Raises:
            AssemblyError: the model cannot be used on this server.
        """
        named = {name: agent.assistant_json[name] for name in _CREDENTIALS if name in agent.assistant_json}
        with _assembly_errors():
            assistant_json = {**named, "model": given}
            assistant = parse_assistant(assistant_json)
            credentials = await credentials_for(assistant_json, self._store)
            return self._provider_factory.model(assistant, agent.record, credentials)

    async def assemble_tester(self, agent: ResolvedAgent, rate_hz: int) -> ReadyTester:
        """Assemble a tester of simulations: an assistant that speaks with a call instead of having one.

        Args:
            agent: the agent; its transcriber is not used.
            rate_hz: sample rate of the voice.

        Raises:
            AssemblyError: the tester cannot be run on this server.
        """
        own = {name: value for name, value in agent.assistant_json.items() if name != "transcriber"}
        with _assembly_errors():
            prepared = await self._prepare(replace(agent, assistant_json=own), agent.variables())
            auth = await self._egress.provider_auth(prepared.assistant_json)
            made = self._provider_factory.providers(
                prepared.assistant, agent.record, rate_hz, prepared.credentials, auth
            )
        return ReadyTester(instructions_of(prepared.assistant), made.model, made.voice)

    async def _prepare(self, agent: ResolvedAgent, variables: Variables) -> _Prepared:
        runnable = within_limits(agent.assistant_json)
        if runnable != agent.assistant_json:
            _log.warning("rules or phrases beyond the limits are left out", assistant_id=agent.assistant_id)
        assistant_json = await fill_in(runnable, variables, self._clock.epoch_ms())
        assistant = parse_assistant(assistant_json)
        return _Prepared(variables, assistant_json, assistant, await credentials_for(assistant_json, self._store))

    async def _assemble(
        self,
        agent: ResolvedAgent,
        prepared: _Prepared,
        rate_hz: int,
        channel: OwnerChannel,
        *,
        private: bool = False,
    ) -> ReadyAgent:
        record, assistant, assistant_json = agent.record, prepared.assistant, prepared.assistant_json
        auth = await self._egress.provider_auth(assistant_json)
        keys = prepared.credentials
        providers = self._provider_factory.providers(assistant, record, rate_hz, keys, auth, private=private)
        plan = self._provider_factory.plan(assistant, providers.transcriber)
        headers = {"X-Call-Id": str(record.get("id"))}
        runner = self._tool_runners.tools(assistant_json, channel, prepared.variables, headers, _mocks(record))
        with _closed_on_error(runner):
            setup = AgentSetup(
                call=record,
                assistant=assistant,
                assistant_json=assistant_json,
                plan=plan,
                instructions=instructions_of(assistant),
                variables=prepared.variables,
                rejection=agent.rejection,
                tools=await gather_tools(assistant_json, self._store, runner),
                hook_tools=await gather_hook_tools(assistant_json, self._store, runner),
            )
        return ReadyAgent(setup, replace(providers, owner=channel, tools=runner), channel, runner)


def _mocks(record: JsonObject) -> dict[str, str]:
    """Return the results that a simulated call or chat has in place of its tools."""
    return {name: str(result) for name, result in as_object(record.get(TOOL_MOCKS)).items()}


@contextmanager
def _assembly_errors() -> Generator[None]:
    """Raise the errors of an assistant's fields, plans and providers as `AssemblyError`."""
    try:
        yield
    except ProviderError as error:
        raise AssemblyError(str(error), error.ended_reason, error) from None
    except PlanError as error:
        raise AssemblyError(str(error), CANNOT_START) from None
    except WireError as error:
        raise AssemblyError(error.messages, CANNOT_START) from None


@contextmanager
def _closed_on_error(runner: CallToolRunner) -> Generator[None]:
    """Close a tool runner if what is done with it fails or is cancelled."""
    try:
        yield
    except BaseException:
        runner.close()
        raise


def instructions_of(assistant: Assistant) -> tuple[ChatMessage, ...]:
    """Return the messages that stand before the conversation (`model.messages`)."""
    given = assistant.model.messages if assistant.model is not None else None
    return tuple(
        ChatMessage("assistant" if m.role == "function" else m.role, m.content or "") for m in given or () if m.content
    )
