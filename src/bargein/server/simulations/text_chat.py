"""A simulated conversation in text: a session of chats, in which the tester writes."""

from dataclasses import dataclass

import anyio

from bargein.server.chats.service import ChatService
from bargein.server.simulations.outcome import Conversation
from bargein.server.simulations.tester import Tester
from bargein.store import Store
from bargein.wire.base import JsonObject
from bargein.wire.json import as_objects


@dataclass(slots=True)
class TextChat:
    """One simulated conversation in text.

    Args:
        chats: answers the tester.
        store: where the session is.
        session: the session, which names the assistant.
        tester: the tester. What it would let be heard besides words is left out.
        limit_s: the time after which the conversation ends.
    """

    chats: ChatService
    store: Store
    session: JsonObject
    tester: Tester
    limit_s: float

    async def hold(self) -> Conversation:
        """Hold the conversation until it is over, and return it.

        Raises:
            WireError: the assistant cannot be run here, or its model failed.
            ProviderError: the tester's model failed.
        """
        session_id = str(self.session["id"])
        session = self.session
        with anyio.move_on_after(self.limit_s):
            while steps := await self.tester.next_steps(as_objects(session.get("messages"))):
                words = " ".join(step.text for step in steps if step.kind in ("say", "interrupt"))
                if words:
                    await self._send(session_id, words)
                    session = await self.store.sessions.get(session_id) or {}
                if not words or any(step.kind == "hang up" for step in steps):
                    break
        session = await self.store.sessions.patch(session_id, {"status": "completed"}) or {}
        messages = as_objects(session.get("messages"))
        return Conversation(messages, transcript_of(messages), session)

    async def _send(self, session_id: str, words: str) -> None:
        async with self.chats.turn({"sessionId": session_id, "input": words}, "owner") as turn:
            async for _ in self.chats.pieces(turn):
                pass
            await self.chats.record(turn)


def transcript_of(messages: list[JsonObject]) -> str:
    """Return messages as a transcript, a line each, as a call's artifact has it."""
    names = {"user": "User", "assistant": "AI"}
    said = ((names.get(str(one.get("role"))), str(one.get("content") or "")) for one in messages)
    return "".join(f"{name}: {words}\n" for name, words in said if name is not None and words)
