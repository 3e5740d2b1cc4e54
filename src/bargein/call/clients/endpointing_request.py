"""Requests to the owner's endpointing model: has the caller finished (Vapi's `call.endpointing.request`)?"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import anyio
import structlog
from pydantic import ValidationError

from bargein.call.record.history import as_openai
from bargein.ports import OwnerMessenger, ServerError
from bargein.turns.commands import AskEndpointing, Remember
from bargein.turns.events import EndpointingAnswered
from bargein.wire.base import JsonObject
from bargein.wire.server_messages import EndpointingAnswer, EndpointingRequest

if TYPE_CHECKING:
    from anyio.abc import TaskGroup

_MAX_WAITING = 100

_log = structlog.get_logger("bargein.call")


class EndpointingRequests:
    """The endpointing requests of one call.

    Args:
        owner: the owner's servers; None: there are none, and every request is answered with None.
        server: returns `smartEndpointingPlan.server` of the current assistant; None: the call's own server is used.
        timeout_s: returns how long an answer may take.
        now_ms: returns the time since the call began.
        post: receives the answers.
    """

    def __init__(
        self,
        owner: OwnerMessenger | None,
        server: Callable[[], JsonObject | None],
        timeout_s: Callable[[], float],
        now_ms: Callable[[], float],
        post: Callable[[EndpointingAnswered], None],
    ) -> None:
        self._owner = owner
        self._server = server
        self._timeout_s = timeout_s
        self._now_ms = now_ms
        self._post = post
        # A request may come from a timer's callback, which has no task group of its own.
        self._requests_in, self._requests = anyio.create_memory_object_stream[tuple[int, JsonObject]](_MAX_WAITING)

    def request(self, question: AskEndpointing, history: Sequence[Remember]) -> None:
        """Send a request; returns at once."""
        messages = [*as_openai(history), {"role": "user", "content": question.said}]
        try:
            self._requests_in.send_nowait(
                (question.number, EndpointingRequest(messages_openai_formatted=messages).without_envelope())
            )
        except anyio.WouldBlock:  # the engine falls back to the transcription plan when no answer comes in time
            _log.warning("too many endpointing requests are waiting: one is dropped")

    async def run(self, tasks: "TaskGroup") -> None:
        """Send requests as tasks of `tasks` until cancelled."""
        async with self._requests_in, self._requests:
            async for number, message in self._requests:
                tasks.start_soon(self._send, number, message)

    async def _send(self, number: int, message: JsonObject) -> None:
        pause_ms: int | None = None
        try:
            if self._owner is not None:
                answer = await self._owner.request(message, server=self._server(), timeout_s=self._timeout_s())
                pause_ms = round(EndpointingAnswer.from_json(answer).timeout_seconds * 1000)
        except ServerError as error:
            _log.warning("the endpointing model gave no answer", reason=error.reason, detail=str(error))
        except ValidationError:
            _log.warning("the endpointing model's answer has no timeoutSeconds from 0 to 15")
        self._post(EndpointingAnswered(int(self._now_ms()), number, pause_ms))
