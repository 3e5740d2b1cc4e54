"""Text conversations through an assistant: the same model, instructions and variables as in its calls."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast
from uuid import uuid4
from weakref import WeakValueDictionary

import anyio
import anyio.to_thread

from bargein.call.variables import Variables
from bargein.clock import Clock
from bargein.ports import ChatMessage, Model, ProviderError
from bargein.server.casting import Casting
from bargein.server.keys import keys_of
from bargein.store import Store
from bargein.wire.assistant import Assistant, merge_overrides
from bargein.wire.base import JsonObject
from bargein.wire.call import effective_assistant
from bargein.wire.chat import DEFAULT_EXPIRATION_S, TextMessage, as_messages
from bargein.wire.errors import WireError, bad_request, parse_request

_WHOLE_ANSWER_S = 120.0
_WHO = ("assistantId", "assistant", "squadId", "squad")
_ROLES: dict[str, Any] = {"developer": "system"}


@dataclass(frozen=True, slots=True)
class Turn:
    """One chat that waits for its answer.

    Attributes:
        chat: its record so far, with its id.
        messages: what the model gets.
        model: answers.
        session: the session it belongs to.
    """

    chat: JsonObject
    messages: tuple[ChatMessage, ...]
    model: Model
    session: JsonObject | None


class Chats:
    """The text conversations of this server.

    Args:
        clock: the one clock.
        store: where they are kept.
        casting: finds their models.
    """

    def __init__(self, clock: Clock, store: Store, casting: Casting) -> None:
        self._clock = clock
        self._store = store
        self._casting = casting
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
            yield await self._ready(body, session, previous)

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
        as_json = effective_assistant({"assistantOverrides": laid}, await self._assistant(who))
        variables = Variables.of(context)
        as_json = await anyio.to_thread.run_sync(variables.render_assistant, as_json, self._clock.epoch_ms())
        known = Assistant.wire_names()
        assistant = parse_request(Assistant, {n: v for n, v in as_json.items() if n in known}, whole=False)
        try:
            model = self._casting.model(assistant, context, await keys_of(as_json, self._store))
        except ProviderError as error:
            raise WireError(400, str(error)) from None
        history = _history(session, previous)
        if history:
            chat["messages"] = history
        return Turn(chat, _for_model(assistant, [*history, *as_messages(body["input"])]), model, session)

    async def _assistant(self, who: JsonObject) -> JsonObject:
        """The assistant that answers: for a squad, that of its first member."""
        squad: object = who.get("squad")
        if squad is None and who.get("squadId") is not None:
            squad = await self._store.squads.get(who["squadId"])
            if squad is None:
                raise WireError(400, f"There is no squad with the id {str(who['squadId'])[:80]}.")
        if isinstance(squad, dict):
            members = cast("list[JsonObject]", cast("JsonObject", squad).get("members") or [])
            member: JsonObject = members[0] if members else {}
            found = await self._assistant({name: member.get(name) for name in ("assistant", "assistantId")})
            found = merge_overrides(found, member.get("assistantOverrides"))
            return merge_overrides(found, cast("JsonObject", squad).get("membersOverrides"))
        inline: object = who.get("assistant")
        if isinstance(inline, dict):
            return cast("JsonObject", inline)
        if who.get("assistantId") is None:
            raise WireError(400, "Need either `assistant`, `assistantId`, `squad`, `squadId`, `sessionId` or "
                            "`previousChatId`.")  # fmt: skip
        stored = await self._store.assistants.get(who["assistantId"])
        if stored is None:
            raise WireError(400, f"There is no assistant with the id {str(who['assistantId'])[:80]}.")
        return stored

    async def pieces(self, turn: Turn) -> AsyncGenerator[str]:
        """The answer as it comes.

        Raises:
            WireError: 502 if the model fails, also after some pieces; 504 if it goes on for ever.
        """
        ends_at = anyio.current_time() + _WHOLE_ANSWER_S
        try:
            async with aclosing(cast("AsyncGenerator[Any]", turn.model.reply(turn.messages))) as reply:
                async for piece in reply:
                    if anyio.current_time() > ends_at:
                        raise WireError(504, f"the model did not end its answer within {_WHOLE_ANSWER_S:g} s")
                    if isinstance(piece, str) and piece:
                        yield piece
        except ProviderError as error:
            raise WireError(502, str(error)) from None

    async def keep(self, turn: Turn, text: str, *, over: bool = False) -> JsonObject:
        """Record an answered chat, and with `over` the end of its session."""
        output = [{"role": "assistant", "content": text}]
        chat = {**turn.chat, "output": output, "cost": 0, "costs": []}
        chat_id = str(chat.pop("id"))
        if turn.session is not None:
            messages = [*_history(turn.session, {}), *as_messages(chat["input"]), *output]
            changes: JsonObject = {"messages": messages, **({"status": "completed"} if over else {})}
            await self._store.sessions.patch(turn.session["id"], changes)
        return await self._store.chats.create(chat, record_id=chat_id)

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


def _for_model(assistant: Assistant, messages: Sequence[JsonObject]) -> tuple[ChatMessage, ...]:
    given = assistant.model.messages if assistant.model is not None else None
    told = [ChatMessage("assistant" if m.role == "function" else m.role, m.content) for m in given or () if m.content]
    for message in messages:
        read = TextMessage.from_json(message)
        # a tool's result without the call that it answers is refused by every model's server
        if read.role != "tool" and read.text():
            told.append(ChatMessage(_ROLES.get(read.role, read.role), read.text()))
    return tuple(told)
