"""The replies of a call: begun, let sound, and closed as the engine says."""

from functools import partial
from typing import NamedTuple

import anyio

from bargein.call.conversation import for_model, transcript_of
from bargein.call.errands import Errands
from bargein.call.host import Host
from bargein.call.mouth import Mouth
from bargein.call.reply import Speaker
from bargein.call.setting import Providers, Setting
from bargein.call.toolbox import Toolbox
from bargein.ports import ChatMessage
from bargein.turns.commands import CloseReply, Duck, Play, StartReply, StopPlayback, Unduck


class _Request(NamedTuple):
    turn_id: str
    text: str | None
    messages: tuple[ChatMessage, ...]
    box: Toolbox


class Replying:
    """Has replies made, each in a cancel scope of its own: closing one ends its model and its voice together.

    Args:
        host: the call.
        mouth: where they sound.
        speaker: makes them.
        errands: begins them.
    """

    def __init__(self, host: Host, mouth: Mouth, speaker: Speaker, errands: Errands) -> None:
        self._host = host
        self._mouth = mouth
        self._speaker = speaker
        self._errands = errands
        self._box = Toolbox(host.setting.tools)
        self._running: dict[str, anyio.CancelScope] = {}

    def perform(self, command: StartReply | Play | Duck | Unduck | StopPlayback | CloseReply) -> None:
        """Do what the engine says."""
        match command:
            case StartReply():
                self._start(command)
            case Play() | Duck() | Unduck() | StopPlayback():
                self._mouth.perform(command)
            case CloseReply(turn_id):
                if (scope := self._running.pop(turn_id, None)) is not None:
                    scope.cancel()

    def recast(self, setting: Setting, providers: Providers) -> None:
        """From the next reply on another assistant answers and speaks."""
        self._box = Toolbox(setting.tools)
        self._speaker.recast(providers.model, providers.voice, setting.plan.model_failed_reason)

    def _start(self, start: StartReply) -> None:
        self._mouth.open(start.turn_id)
        history = self._host.state.history
        said = (ChatMessage("user", start.said),) if start.said else ()
        messages = (*self._host.setting.instructions, *for_model(history), *said, *self._prompt(start))
        box = self._box if start.tools else Toolbox(())
        self._errands.begin(partial(self._reply, _Request(start.turn_id, start.text, messages, box)))

    def _prompt(self, start: StartReply) -> list[ChatMessage]:
        """What a hook asks of the model; its templates may name the `transcript` so far."""
        if not start.prompt:
            return []
        transcript = {"transcript": transcript_of(self._host.state.history)}
        return [ChatMessage(role, self._host.render(text, transcript)) for role, text in start.prompt]

    async def _reply(self, request: _Request) -> None:
        turn_id = request.turn_id
        state = self._host.state
        if turn_id not in {one.turn_id for one in (state.reply, state.draft) if one is not None}:
            return  # it was over before it began
        with anyio.CancelScope() as scope:
            self._running[turn_id] = scope
            try:
                await self._speaker.run(turn_id, request.text, request.messages, request.box)
            finally:
                if self._running.get(turn_id) is scope:
                    del self._running[turn_id]
