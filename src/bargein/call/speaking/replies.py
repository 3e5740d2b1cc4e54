"""Replies of a call: started, played and closed as the engine says."""

from functools import partial
from typing import NamedTuple

import anyio

from bargein.call.background import BackgroundTasks
from bargein.call.context import AgentSetup, CallContext, Providers
from bargein.call.plan.voice_text import compile_voice_text
from bargein.call.record.history import model_messages, transcript_of
from bargein.call.speaking.audio_output import AudioOutput
from bargein.call.speaking.speech import FailedReasons, SpeechPipeline
from bargein.call.tools.declarations import ToolDeclarations
from bargein.ports import UNANSWERED, ChatMessage
from bargein.turns.commands import CloseReply, Duck, Play, StartReply, StopPlayback, Unduck
from bargein.wire.base import Template


class _Request(NamedTuple):
    turn_id: str
    text: str | None
    messages: tuple[ChatMessage, ...]
    tools: ToolDeclarations


class ReplyRunner:
    """The runner of replies, each in a cancel scope of its own: closing one cancels its model and its voice together.

    Args:
        context: the call.
        audio_output: plays the replies.
        pipeline: generates them.
        background: starts them as tasks.
    """

    def __init__(
        self, context: CallContext, audio_output: AudioOutput, pipeline: SpeechPipeline, background: BackgroundTasks
    ) -> None:
        self._context = context
        self._audio_output = audio_output
        self._pipeline = pipeline
        self._background = background
        self._tools = ToolDeclarations(context.setup.tools)
        self._running: dict[str, anyio.CancelScope] = {}

    def perform(self, command: StartReply | Play | Duck | Unduck | StopPlayback | CloseReply) -> None:
        """Carry out a command of the engine."""
        match command:
            case StartReply():
                self._start(command)
            case Play() | Duck() | Unduck() | StopPlayback():
                self._audio_output.perform(command)
            case CloseReply(turn_id):
                if (scope := self._running.pop(turn_id, None)) is not None:
                    scope.cancel()

    def switch_agent(self, setup: AgentSetup, providers: Providers) -> None:
        """Generate replies with another assistant's model, voice and tools, from the next reply on."""
        self._tools = ToolDeclarations(setup.tools)
        self._pipeline.switch_agent(
            providers.model, providers.voice, compile_voice_text(setup.assistant), FailedReasons.of(setup.plan)
        )

    def _start(self, start: StartReply) -> None:
        self._audio_output.open(start.turn_id)
        history = self._context.state.history
        said = (ChatMessage("user", start.said),) if start.said else ()
        reminder = (ChatMessage("system", UNANSWERED),) if start.unanswered else ()
        messages = (
            *self._context.setup.instructions,
            *model_messages(history),
            *said,
            *reminder,
            *self._prompt(start),
        )
        tools = self._tools if start.tools else ToolDeclarations(())
        self._background.start(partial(self._reply, _Request(start.turn_id, start.text, messages, tools)))

    def _prompt(self, start: StartReply) -> list[ChatMessage]:
        """Return the messages of a hook's prompt; its templates may use the `transcript` so far."""
        if not start.prompt:
            return []
        transcript = {"transcript": transcript_of(self._context.state.history)}
        return [ChatMessage(role, self._context.render(Template(text), transcript)) for role, text in start.prompt]

    async def _reply(self, request: _Request) -> None:
        turn_id = request.turn_id
        state = self._context.state
        if turn_id not in {one.turn_id for one in (state.reply, state.preemptive) if one is not None}:
            return  # the reply was closed before this task started
        with anyio.CancelScope() as scope:
            self._running[turn_id] = scope
            try:
                await self._pipeline.run(turn_id, request.text, request.messages, request.tools)
            finally:
                if self._running.get(turn_id) is scope:
                    del self._running[turn_id]
