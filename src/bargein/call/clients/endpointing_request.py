"""Asks the owner's endpointing model whether the caller has finished (Vapi's `call.endpointing.request`)."""

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
    """Carries one call's questions to its owner's server, and the answers back.

    Args:
        line: the owner's servers; None: there is none, and every question goes unanswered.
        server: gives `smartEndpointingPlan.server` of the assistant that has the call; None: the call's own server.
        timeout_s: gives how long an answer may take.
        now_ms: the time since the call began.
        post: takes the answers.
    """

    def __init__(
        self,
        line: OwnerMessenger | None,
        server: Callable[[], JsonObject | None],
        timeout_s: Callable[[], float],
        now_ms: Callable[[], float],
        post: Callable[[EndpointingAnswered], None],
    ) -> None:
        self._line = line
        self._server = server
        self._timeout_s = timeout_s
        self._now_ms = now_ms
        self._post = post
        # A question may come out of a timer, which has no task that could own the request.
        self._asked, self._to_ask = anyio.create_memory_object_stream[tuple[int, JsonObject]](_MAX_WAITING)

    def ask(self, question: AskEndpointing, history: Sequence[Remember]) -> None:
        """Put a question on its way; returns at once."""
        messages = [*as_openai(history), {"role": "user", "content": question.said}]
        try:
            self._asked.send_nowait(
                (question.number, EndpointingRequest(messages_openai_formatted=messages).without_envelope())
            )
        except anyio.WouldBlock:  # the transcription plan decides once the time for an answer is over
            _log.warning("endpointing is asked for faster than it is answered")

    async def direct(self, tasks: "TaskGroup") -> None:
        """Work until cancelled."""
        async with self._asked, self._to_ask:
            async for number, message in self._to_ask:
                tasks.start_soon(self._consult, number, message)

    async def _consult(self, number: int, message: JsonObject) -> None:
        pause_ms: int | None = None
        try:
            if self._line is not None:
                answer = await self._line.request(message, server=self._server(), timeout_s=self._timeout_s())
                pause_ms = round(EndpointingAnswer.from_json(answer).timeout_seconds * 1000)
        except ServerError as error:
            _log.warning("the endpointing model gave no answer", reason=error.reason, detail=str(error))
        except ValidationError:
            _log.warning("the endpointing model's answer has no timeoutSeconds from 0 to 15")
        self._post(EndpointingAnswered(int(self._now_ms()), number, pause_ms))
