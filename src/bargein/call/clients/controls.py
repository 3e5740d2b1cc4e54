"""Control messages of a call's clients: say something, mute a side, transfer or hand off, end the call."""

import json
from collections.abc import Callable
from functools import partial
from typing import Any

import structlog

from bargein.call.background import BackgroundTasks
from bargein.call.context import CallContext
from bargein.call.hearing.audio_input import AudioInput
from bargein.call.tools.transfer import FORWARDED, HandoffError, Transfers
from bargein.ports import CarrierError
from bargein.turns.events import AddMessage, HangUp, Mute, Say, SayFirstMessage
from bargein.wire import client_controls
from bargein.wire.base import JsonObject, Template
from bargein.wire.errors import WireError, bad_request
from bargein.wire.ownership import Author

_log = structlog.get_logger("bargein.call")

MOST_ADDED_MESSAGES = 1000
"""The most messages that clients may add to one call's history."""
MOST_ADDED_CHARS = 500_000
"""The most messages that clients may add to one call's history, and their characters: each change sends all of it."""

_MUTES: dict[str, tuple[Any, bool]] = {
    "mute-assistant": ("assistant", True),
    "unmute-assistant": ("assistant", False),
    "mute-customer": ("customer", True),
    "unmute-customer": ("customer", False),
}


class ClientControls:
    """The executor of the messages of a call's clients.

    Args:
        context: the call.
        audio_input: is muted and unmuted.
        transfers: transfers the caller and hands the call off.
        background: runs what takes time.
        answer: sends a text frame that is not a message of the call: the error of a refused message.
        press_key: handles a key that the caller presses.
    """

    def __init__(
        self,
        context: CallContext,
        audio_input: AudioInput,
        transfers: Transfers,
        background: BackgroundTasks,
        answer: Callable[[str], None],
        *,
        press_key: Callable[[str], None],
    ) -> None:
        self._context = context
        self._audio_input = audio_input
        self._transfers = transfers
        self._background = background
        self._press_key = press_key
        self._answer = answer
        self._added = self._added_chars = 0

    def execute(self, message: client_controls.ClientControl, *, by_caller: bool, author: Author) -> None:
        """Carry out a message.

        Args:
            message: the message.
            by_caller: whether it came from the caller's own client, and not from another one that controls the call.
            author: whose rights the message has, and an assistant in it; only the owner's texts are templates.

        Raises:
            WireError: this call cannot do that.
        """
        context = self._context
        at_ms = int(context.now_ms())
        match message:
            case client_controls.AddMessage():
                text = message.message.content or ""
                self._count_added(text)
                role = "assistant" if message.message.role == "function" else message.message.role
                context.post(AddMessage(at_ms, role, text, respond=message.trigger_response_enabled))
            case client_controls.Say():
                interruptible = message.interruptions_enabled is not False
                interrupts, ends = message.interrupt_assistant_enabled, message.end_call_after_spoken
                context.post(Say(at_ms, self._text(message.content, author), interruptible, interrupts, ends))
            case client_controls.Control(control="say-first-message"):
                context.post(SayFirstMessage(at_ms))
            case client_controls.Control():
                side, on = _MUTES[message.control]
                self._audio_input.muted = on if side == "customer" else self._audio_input.muted
                context.post(Mute(at_ms, side, on))
            case client_controls.Transfer() | client_controls.Handoff():
                self._transfer(message, author)
            case client_controls.PressKeys() if not by_caller:
                raise bad_request("dtmf is a message of the caller's own socket: only a caller presses keys")
            case client_controls.PressKeys():
                for key in message.keys:
                    self._press_key(key)
            case client_controls.EndCall():
                context.post(HangUp(at_ms, "customer-ended-call" if by_caller else "manually-canceled"))

    def _count_added(self, text: str) -> None:
        if self._added >= MOST_ADDED_MESSAGES or self._added_chars + len(text) > MOST_ADDED_CHARS:
            raise bad_request(
                f"message cannot be added: a call takes at most {MOST_ADDED_MESSAGES} messages"
                f" of {MOST_ADDED_CHARS} characters together"
            )
        self._added += 1
        self._added_chars += len(text)

    def _text(self, content: str, author: Author) -> str:
        return self._context.render(Template(content), {}) if author == "owner" else content

    def _transfer(self, message: client_controls.Transfer | client_controls.Handoff, author: Author) -> None:
        to_phone = isinstance(message, client_controls.Transfer) and message.destination.get("type") != "assistant"
        if to_phone and not self._transfers.can_transfer:
            raise WireError(501, "this call cannot be transferred to a telephone: its transport has none")
        if message.content:
            self._context.post(Say(int(self._context.now_ms()), self._text(message.content, author)))
        self._background.start(partial(self._run_transfer, message.destination, author, to_phone=to_phone))

    async def _run_transfer(self, destination: JsonObject, author: Author, *, to_phone: bool) -> None:
        context = self._context
        try:
            if not to_phone:
                await self._transfers.hand_off(destination, author)
                return
            while context.state.reply is not None or context.state.pending_says:
                await context.next_step()
            await self._transfers.transfer(destination)
            context.post(HangUp(int(context.now_ms()), FORWARDED))
        except (HandoffError, CarrierError) as error:
            _log.warning(
                "a transfer or handoff that a client asked for failed", call_id=context.setup.call_id, reason=str(error)
            )
            status = error.status if isinstance(error, HandoffError) else 400
            self._answer(json.dumps(WireError(status, str(error)).body()))
