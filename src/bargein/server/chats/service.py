"""Text conversations through an assistant: the same model, instructions and variables as in its calls."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import cast
from uuid import uuid4
from weakref import WeakValueDictionary

import anyio
import anyio.to_thread

from bargein.call.plan.variables import Variables
from bargein.clock import Clock
from bargein.ports import ChatMessage, Model, ProviderError, ToolCall
from bargein.server.agents.credentials import keys_of
from bargein.server.agents.providers import ProviderFactory
from bargein.server.agents.resolve import assistant_of
from bargein.server.agents.tool_runners import ToolRunnerFactory
from bargein.server.agents.tools import gather_tools
from bargein.server.calls.owner_events import OwnerEvents
from bargein.server.chats.context import calls_json, for_model
from bargein.server.chats.tools import MOST_ROUNDS, ChatTools
from bargein.store import Store
from bargein.webhooks.owner_channel import OwnerChannels
from bargein.wire.assistant import Assistant, merge_overrides
from bargein.wire.base import JsonObject
from bargein.wire.call import effective_assistant
from bargein.wire.chat import DEFAULT_EXPIRATION_S, as_messages
from bargein.wire.errors import WireError, bad_request, parse_request
from bargein.wire.redact import without_secrets

_WHOLE_ANSWER_S = 120.0
_WHO = ("assistantId", "assistant", "squadId", "squad")


@dataclass(frozen=True, slots=True)
class Turn:
    """One chat that waits for its answer.

    Attributes:
        chat: its record so far, with its id.
        messages: what the model gets.
        model: answers.
        session: the session it belongs to.
        tools: what the model may call.
        output: what has come of it so far, as the record will have it.
    """

    chat: JsonObject
    messages: tuple[ChatMessage, ...]
    model: Model
    session: JsonObject | None
    tools: ChatTools
    output: list[JsonObject] = field(default_factory=list[JsonObject])

    @property
    def text(self) -> str:
        """All that the assistant has said in it."""
        return "".join(one.get("content") or "" for one in self.output if one["role"] == "assistant")


class ChatService:
    """The text conversations of this server.

    Args:
        clock: the one clock.
        store: where they are kept.
        casting: finds their models.
        switchboard: opens lines to owners' servers.
        toolroom: equips their models.
        notices: tell owners of chats and sessions.
    """

    def __init__(
        self,
        clock: Clock,
        store: Store,
        provider_factory: ProviderFactory,
        *,
        switchboard: OwnerChannels,
        tool_runners: ToolRunnerFactory,
        owner_events: OwnerEvents,
    ) -> None:
        self._clock = clock
        self._store = store
        self._provider_factory = provider_factory
        self._switchboard = switchboard
        self._tool_runners = tool_runners
        self._owner_events = owner_events
        self._turns: WeakValueDictionary[str, anyio.Semaphore] = WeakValueDictionary()

    @asynccontextmanager
    async def turn(self, body: JsonObject) -> AsyncGenerator[Turn]:
        """Get a chat ready. While this holds, its session has no other turn: none is lost, none is answered twice.

        Args:
            body: what was asked for (Vapi's `CreateChatDTO`), read and without nulls.

        Raises:
            WireError: 400 for an assistant, session or chat that is not there, or cannot be had here.
        """
        session_id, previous_id = body.get("sessionId"), body.get("previousChatId")
        if session_id is not None and previous_id is not None:
            raise bad_request("previousChatId and sessionId must not be given together")
        async with self._alone(session_id):
            session = None if session_id is None else await self.open_session(session_id)
            previous: JsonObject = {}
            if previous_id is not None:
                found = await self._store.chats.get(previous_id)
                if found is None:
                    raise WireError(400, f"There is no chat with the id {previous_id[:80]}.")
                previous = found
            turn = await self._ready(body, session, previous)
            try:
                yield turn
            finally:
                turn.tools.close()

    async def who_answers(self, body: JsonObject) -> JsonObject:
        """What names the assistant of a chat that is asked for: its body, or the session or chat that it goes on from.

        Args:
            body: what was asked for; of a session or chat that is not there, the body itself is given.
        """
        if any(body.get(name) is not None for name in _WHO):
            return body
        if isinstance(session_id := body.get("sessionId"), str):
            return await self._store.sessions.get(session_id) or body
        if isinstance(previous_id := body.get("previousChatId"), str):
            return await self._store.chats.get(previous_id) or body
        return body

    async def open_session(self, session_id: str) -> JsonObject:
        """A session that can go on.

        Raises:
            WireError: 400: there is none, or it is over.
        """
        session = await self._store.sessions.get(session_id)
        if session is None:
            raise WireError(400, f"There is no session with the id {session_id[:80]}.")
        if is_over(session, self._clock.epoch_ms()):
            raise WireError(400, f"The session {session_id} is completed.")
        return session

    async def _ready(self, body: JsonObject, session: JsonObject | None, previous: JsonObject) -> Turn:
        before = session if session is not None else previous
        who = body if any(body.get(name) is not None for name in _WHO) else before
        chat_id = str(uuid4())
        chat: JsonObject = {**{name: who[name] for name in _WHO if name in who}, **body, "id": chat_id}
        laid = _overrides(before, body)
        if laid:
            chat["assistantOverrides"] = laid
        customer: object = body.get("customer") or before.get("customer")
        context: JsonObject = {
            "id": chat_id,
            "assistantOverrides": laid,
            "transport": {"conversationType": "chat"},
            **({"customer": customer} if customer is not None else {}),
        }
        as_json = effective_assistant({"assistantOverrides": laid}, await assistant_of(who, self._store))
        variables = Variables.of(context)
        as_json = await anyio.to_thread.run_sync(variables.render_assistant, as_json, self._clock.epoch_ms())
        known = Assistant.wire_names()
        assistant = parse_request(Assistant, {n: v for n, v in as_json.items() if n in known}, whole=False)
        try:
            model = self._provider_factory.model(assistant, context, await keys_of(as_json, self._store))
        except ProviderError as error:
            raise WireError(400, str(error)) from None
        history = _history(session, previous)
        if history:
            chat["messages"] = history
        tools = await self._tools(chat, as_json, context, variables)
        return Turn(chat, for_model(assistant, [*history, *as_messages(body["input"])]), model, session, tools)

    async def _tools(
        self, chat: JsonObject, assistant: JsonObject, context: JsonObject, variables: Variables
    ) -> ChatTools:
        about = {"customer": context["customer"]} if "customer" in context else {}
        line = self._switchboard.channel(about, assistant, chat=without_secrets(chat))
        headers = {"X-Chat-Id": str(chat["id"])}
        if "sessionId" in chat:
            headers["X-Session-Id"] = str(chat["sessionId"])
        runner = self._tool_runners.tools(chat, assistant, line, variables, headers)
        try:
            return ChatTools(await gather_tools(assistant, self._store, runner), runner)
        except BaseException:
            runner.close()
            raise

    async def pieces(self, turn: Turn) -> AsyncGenerator[str]:
        """The answer as it comes, in pieces of its text.

        What tools the model calls are run, and it goes on with what they gave; `turn.output` then holds all of it.

        Raises:
            WireError: 502 if the model fails, also after some pieces; 504 if it goes on for ever.
        """
        messages = turn.messages
        ends_at = anyio.current_time() + _WHOLE_ANSWER_S
        for left in reversed(range(MOST_ROUNDS + 1)):
            said: list[str] = []
            calls: list[ToolCall] = []
            tools = turn.tools.declarations if left else ()
            async with aclosing(self._round(turn.model, messages, tools, ends_at)) as reply:
                async for piece in reply:
                    if isinstance(piece, ToolCall):
                        calls.append(piece)
                    elif piece:
                        said.append(piece)
                        yield piece
            text = "".join(said)
            if not calls or not left:
                turn.output.append({"role": "assistant", "content": text})
                return
            turn.output.append({"role": "assistant", "content": text, "tool_calls": calls_json(calls)})
            results = await self._results(turn.tools, calls, ends_at)
            turn.output.extend(results)
            answers = [ChatMessage("tool", one["content"], tool_call_id=one["tool_call_id"]) for one in results]
            messages = (*messages, ChatMessage("assistant", text, tuple(calls)), *answers)

    async def _round(
        self, model: Model, messages: Sequence[ChatMessage], tools: Sequence[JsonObject], ends_at: float
    ) -> AsyncGenerator[str | ToolCall]:
        try:
            async with aclosing(cast("AsyncGenerator[str | ToolCall]", model.reply(messages, tools))) as reply:
                async for piece in reply:
                    if anyio.current_time() > ends_at:
                        raise _endless()
                    yield piece
        except ProviderError as error:
            raise WireError(502, str(error)) from None

    async def _results(self, tools: ChatTools, calls: Sequence[ToolCall], ends_at: float) -> list[JsonObject]:
        with anyio.move_on_after(ends_at - anyio.current_time()):
            return await tools.run(calls)
        raise _endless()

    async def keep(self, turn: Turn, *, over: bool = False) -> JsonObject:
        """Record an answered chat, and with `over` the end of its session; their owner's server hears of it."""
        chat = {**turn.chat, "output": turn.output, "cost": 0, "costs": []}
        chat_id = str(chat.pop("id"))
        session: JsonObject | None = None
        if turn.session is not None:
            messages = [*_history(turn.session, {}), *as_messages(chat["input"]), *turn.output]
            changes: JsonObject = {"messages": messages, **({"status": "completed"} if over else {})}
            session = await self._store.sessions.patch(turn.session["id"], changes)
        kept = await self._store.chats.create(chat, record_id=chat_id)
        await self._owner_events.chat(kept, "chat.created")
        if session is not None:
            await self._owner_events.session(session, "session.updated")
        return kept

    @asynccontextmanager
    async def _alone(self, session_id: str | None) -> AsyncGenerator[None]:
        if session_id is None:
            yield
            return
        turns = self._turns.get(session_id)
        if turns is None:
            turns = self._turns[session_id] = anyio.Semaphore(1)
        async with turns:
            yield


def _endless() -> WireError:
    return WireError(504, f"the answer was not complete within {_WHOLE_ANSWER_S:g} s")


def _overrides(before: JsonObject, now: JsonObject) -> JsonObject:
    """What was laid over the assistant before, and over that what is laid now; variables are kept by name."""
    old, new = (cast("JsonObject", one.get("assistantOverrides") or {}) for one in (before, now))
    values: JsonObject = {**(old.get("variableValues") or {}), **(new.get("variableValues") or {})}
    return merge_overrides(old, new) | ({"variableValues": values} if values else {})


def is_over(session: JsonObject, epoch_ms: int) -> bool:
    """Whether a session has ended, or has not been used for too long."""
    touched_ms = datetime.fromisoformat(session["updatedAt"]).timestamp() * 1000
    lasts_ms = 1000 * (session.get("expirationSeconds") or DEFAULT_EXPIRATION_S)
    return session.get("status") == "completed" or epoch_ms > touched_ms + lasts_ms


def _history(session: JsonObject | None, previous: JsonObject) -> list[JsonObject]:
    if session is not None:
        return session.get("messages") or []
    asked = as_messages(previous["input"]) if "input" in previous else []
    return [*(previous.get("messages") or []), *asked, *(previous.get("output") or [])]
