"""Text conversations with an assistant: the same model, instructions, variables and tools as in its calls."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import cast
from uuid import uuid4
from weakref import WeakValueDictionary

import anyio

from bargein.clock import Clock
from bargein.ports import ChatMessage, Model, ProviderError, ToolCall
from bargein.server.agents.assemble import AgentAssembler, AssemblyError
from bargein.server.agents.resolve import resolve_chat
from bargein.server.agents.squads import MissingAgentError
from bargein.server.calls.owner_events import OwnerEvents
from bargein.server.chats.context import calls_json, for_model
from bargein.server.chats.tools import MAX_ROUNDS, ChatTools
from bargein.store import Store
from bargein.wire.assistant import merge_overrides
from bargein.wire.base import JsonObject
from bargein.wire.call import TOOL_MOCKS
from bargein.wire.chat import DEFAULT_EXPIRATION_S, input_messages
from bargein.wire.errors import WireError, bad_request, unknown_id
from bargein.wire.json import as_object
from bargein.wire.ownership import Author, Layer, author_of, layers_of, least_of, made_by, with_layers

_WHOLE_ANSWER_S = 120.0
_PARTICIPANTS = ("assistantId", "assistant", "squadId", "squad")
"""The fields with which a chat or session names its assistant or squad."""


class ChatAgentError(WireError):
    """An assistant cannot be run, or its model failed. The messages may name the owner's servers and settings."""

    def for_callers(self) -> WireError:
        """Return the error as a caller may see it."""
        text = "the assistant's model failed" if self.status == 502 else "the assistant cannot be run on this server"
        return WireError(self.status, [text] if self.status == 400 else text)


@dataclass(frozen=True, slots=True)
class Turn:
    """One chat that is being answered.

    Attributes:
        chat: its record so far, with its id.
        messages: the conversation for the model.
        model: the assistant's model.
        session: the session it belongs to.
        tools: the tools that the model may call.
        output: the messages of the answer so far, as the record will have them.
    """

    chat: JsonObject
    messages: tuple[ChatMessage, ...]
    model: Model
    session: JsonObject | None
    tools: ChatTools
    output: list[JsonObject] = field(default_factory=list[JsonObject])

    @property
    def text(self) -> str:
        """The text of the assistant's messages in the answer."""
        return "".join(one.get("content") or "" for one in self.output if one["role"] == "assistant")


class ChatService:
    """The text conversations of this server.

    Args:
        clock: the time.
        store: where chats and sessions are.
        assembler: assembles their agents.
        owner_events: sends owners the events of chats and sessions.
    """

    def __init__(self, clock: Clock, store: Store, assembler: AgentAssembler, owner_events: OwnerEvents) -> None:
        self._clock = clock
        self._store = store
        self._assembler = assembler
        self._owner_events = owner_events
        self._session_locks: WeakValueDictionary[str, anyio.Semaphore] = WeakValueDictionary()

    @asynccontextmanager
    async def turn(self, body: JsonObject, author: Author) -> AsyncGenerator[Turn]:
        """Begin a chat. Until the context ends, no other turn of its session begins, so that none is lost.

        Args:
            body: the request's body (Vapi's `CreateChatDTO`), checked and without nulls.
            author: whose rights the request has.

        Raises:
            WireError: 400: the assistant, session or chat does not exist, or the assistant cannot be run here.
        """
        session_id, previous_id = body.get("sessionId"), body.get("previousChatId")
        if session_id is not None and previous_id is not None:
            raise bad_request("previousChatId and sessionId must not be given together")
        async with self._locked(session_id):
            session = None if session_id is None else await self.open_session(session_id)
            previous: JsonObject = {}
            if previous_id is not None:
                found = await self._store.chats.get(previous_id)
                if found is None:
                    raise unknown_id("chat", previous_id, 400)
                previous = found
            turn = await self._begin(body, session, previous, author)
            try:
                yield turn
            finally:
                turn.tools.close()

    async def source_of_agent(self, body: JsonObject) -> JsonObject:
        """Return the object that names the assistant of a chat: its body, or the session or chat that it continues.

        Args:
            body: the request's body. It is returned itself where the session or chat does not exist.
        """
        if _names_agent(body):
            return body
        if isinstance(session_id := body.get("sessionId"), str):
            return await self._store.sessions.get(session_id) or body
        if isinstance(previous_id := body.get("previousChatId"), str):
            return await self._store.chats.get(previous_id) or body
        return body

    async def open_session(self, session_id: str) -> JsonObject:
        """Return a session that is not completed.

        Raises:
            WireError: 400: there is none with the id, or it is completed.
        """
        session = await self._store.sessions.get(session_id)
        if session is None:
            raise unknown_id("session", session_id, 400)
        if is_over(session, self._clock.epoch_ms()):
            raise WireError(400, f"The session {session_id} is completed.")
        return session

    async def _begin(self, body: JsonObject, session: JsonObject | None, previous: JsonObject, author: Author) -> Turn:
        before = session if session is not None else previous
        named = body if _names_agent(body) else before
        participants: JsonObject = {name: named[name] for name in _PARTICIPANTS if name in named}
        overrides = _overrides(before, body)
        by, layers = layers_of(before) if before else (author, [])
        brings_one = body.get("assistant") is not None or body.get("squad") is not None
        if author == "caller" and brings_one and "owner" in (by, *(one for _, one in layers)):
            # it would get the history and the variables of the owner's conversation
            raise bad_request("assistant must not be given in a conversation that was begun with the private key")
        layers = _appended(layers, as_object(body.get("assistantOverrides")), author)
        by = author if named is body else by
        chat_id, history = str(uuid4()), _history(session, previous)
        chat = made_by({**participants, **body, "id": chat_id}, least_of(author, before))
        if {by, *(one for _, one in layers)} != {author_of(chat)}:
            chat = with_layers(chat, by, layers)
        if overrides:
            chat["assistantOverrides"] = overrides
        # with the input, as in the responses of Vapi's documentation
        chat["messages"] = [*history, *(input_messages(chat["input"]) if "input" in chat else [])]
        customer: object = body.get("customer") or before.get("customer")
        context: JsonObject = {
            "id": chat_id,
            "assistantOverrides": overrides,
            "transport": {"conversationType": "chat"},
            **({"customer": customer} if customer is not None else {}),
            **({TOOL_MOCKS: before[TOOL_MOCKS]} if TOOL_MOCKS in before else {}),
        }
        try:
            agent = await resolve_chat(with_layers(participants, by, layers), self._store)
            ready = await self._assembler.assemble_chat(replace(agent, record=context), chat)
        except MissingAgentError as error:
            raise error.as_bad_request() from None
        except AssemblyError as error:
            raise ChatAgentError(400, error.messages) from None
        messages = for_model(ready.instructions, [*history, *input_messages(body["input"])])
        return Turn(chat, messages, ready.model, session, ChatTools(ready.tools, ready.tool_runner))

    async def pieces(self, turn: Turn) -> AsyncGenerator[str]:
        """Yield the text of the answer, in pieces as the model streams it.

        Tools that the model calls are run, and it continues with their results. `turn.output` then has all messages.

        Raises:
            WireError: 502 if the model fails, also after some pieces; 504 if the answer takes too long.
        """
        messages = turn.messages
        ends_at = anyio.current_time() + _WHOLE_ANSWER_S
        for left in reversed(range(MAX_ROUNDS + 1)):
            pieces: list[str] = []
            calls: list[ToolCall] = []
            tools = turn.tools.declarations if left else ()
            async with aclosing(self._round(turn.model, messages, tools, ends_at)) as reply:
                async for piece in reply:
                    if isinstance(piece, ToolCall):
                        calls.append(piece)
                    elif piece:
                        pieces.append(piece)
                        yield piece
            text = "".join(pieces)
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
                        raise _too_slow()
                    yield piece
        except ProviderError as error:
            raise ChatAgentError(502, str(error)) from None

    async def _results(self, tools: ChatTools, calls: Sequence[ToolCall], ends_at: float) -> list[JsonObject]:
        with anyio.move_on_after(ends_at - anyio.current_time()):
            return await tools.run(calls)
        raise _too_slow()

    async def record(self, turn: Turn, *, over: bool = False) -> JsonObject:
        """Record an answered chat, and with `over` the end of its session; send their events to the owner."""
        chat = {**turn.chat, "output": turn.output, "cost": 0, "costs": []}
        chat_id = str(chat.pop("id"))
        changes: JsonObject = {}
        if turn.session is not None:
            messages = [*_history(turn.session, {}), *input_messages(chat["input"]), *turn.output]
            changes = {"messages": messages, **({"status": "completed"} if over else {})}
        session_id = None if turn.session is None else str(turn.session["id"])
        stored, session = await self._store.record_chat(chat, chat_id, session_id, changes)
        await self._owner_events.chat(stored, "chat.created")
        if session is not None:
            await self._owner_events.session(session, "session.updated")
        return stored

    @asynccontextmanager
    async def _locked(self, session_id: str | None) -> AsyncGenerator[None]:
        if session_id is None:
            yield
            return
        lock = self._session_locks.get(session_id)
        if lock is None:
            lock = self._session_locks[session_id] = anyio.Semaphore(1)
        async with lock:
            yield


def _too_slow() -> WireError:
    return WireError(504, f"the answer was not complete within {_WHOLE_ANSWER_S:g} s")


def _names_agent(body: JsonObject) -> bool:
    return any(body.get(name) is not None for name in _PARTICIPANTS)


def _appended(layers: list[Layer], overrides: JsonObject, author: Author) -> list[Layer]:
    """Return the overrides of a conversation so far and those of a chat; those of the same author are merged."""
    if not overrides:
        return layers
    if layers and layers[-1][1] == author:
        return [*layers[:-1], (_merged(layers[-1][0], overrides), author)]
    return [*layers, (overrides, author)]


def _overrides(before: JsonObject, now: JsonObject) -> JsonObject:
    """Return the overrides of the conversation so far with those of this chat applied, for the record."""
    return _merged(as_object(before.get("assistantOverrides")), as_object(now.get("assistantOverrides")))


def _merged(old: JsonObject, new: JsonObject) -> JsonObject:
    """Return overrides with others applied; variables are merged by name."""
    values: JsonObject = {**as_object(old.get("variableValues")), **as_object(new.get("variableValues"))}
    return merge_overrides(old, new) | ({"variableValues": values} if values else {})


def is_over(session: JsonObject, epoch_ms: int) -> bool:
    """Return whether a session is completed, or was not used for its `expirationSeconds`."""
    touched_ms = datetime.fromisoformat(session["updatedAt"]).timestamp() * 1000
    lasts_ms = 1000 * (session.get("expirationSeconds") or DEFAULT_EXPIRATION_S)
    return session.get("status") == "completed" or epoch_ms > touched_ms + lasts_ms


def _history(session: JsonObject | None, previous: JsonObject) -> list[JsonObject]:
    if session is not None:
        return session.get("messages") or []
    asked = input_messages(previous["input"]) if "input" in previous else []
    before: list[JsonObject] = previous.get("messages") or []
    if before[-len(asked) :] == asked:  # older records have what came before the input alone
        asked = []
    return [*before, *asked, *(previous.get("output") or [])]
