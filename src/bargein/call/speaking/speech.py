"""The speech pipeline: model tokens become sentences, sentences become speech."""

from collections.abc import Callable, Sequence
from contextlib import aclosing
from itertools import islice
from typing import Any, cast

import anyio
import anyio.lowlevel
import structlog
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from bargein.audio.resample import StreamResampler
from bargein.call.speaking.audio_output import AHEAD_MS, LONGEST_AHEAD_MS, AudioOutput
from bargein.call.speaking.sentences import Piece, Sentences
from bargein.call.tools.declarations import ToolDeclarations
from bargein.ports import ChatMessage, Model, ProviderError, SpeechChunk, ToolCall, Voice
from bargein.turns.events import (
    Event,
    ReplyEnded,
    ReplyFailed,
    ReplyToken,
    SpeechQueued,
    SpeechRequested,
    TextEnded,
    TimedWord,
)
from bargein.turns.replies.lifecycle import MOST_REPLY_CHARS

_log = structlog.get_logger("bargein.call")


class SpeechPipeline:
    """The generator of replies in one call. Each `run` is one reply, and may be cancelled at any point.

    Args:
        model: the language model.
        voice: text to speech.
        audio_output: receives the speech.
        rate_hz: the sample rate of `audio_output`.
        failed_reason: the `endedReason` for an unexpected error of the model or the voice.
        now_ms: returns the time since the call began.
        post: receives the reply's events.
        call_tools: receives the tools that a reply calls, once the model is done, and whether it also spoke.
    """

    def __init__(
        self,
        *,
        model: Model,
        voice: Voice,
        audio_output: AudioOutput,
        rate_hz: int,
        failed_reason: str,
        now_ms: Callable[[], float],
        post: Callable[[Event], None],
        call_tools: Callable[[str, Sequence[ToolCall], ToolDeclarations, bool], None],
    ) -> None:
        self._call_tools = call_tools
        self._model = model
        self._voice = voice
        self._audio_output = audio_output
        self._rate_hz = rate_hz
        self._failed_reason = failed_reason
        self._now_ms = now_ms
        self._post = post

    def switch_agent(self, model: Model, voice: Voice, failed_reason: str) -> None:
        """Use another assistant's model and voice, from the next reply on."""
        self._model, self._voice, self._failed_reason = model, voice, failed_reason

    async def run(
        self, turn_id: str, text: str | None, messages: Sequence[ChatMessage], tools: ToolDeclarations
    ) -> None:
        """Generate a reply: of `text`, or of the model's answer to `messages`, which may call `tools`."""
        pieces_in, pieces_out = anyio.create_memory_object_stream[Piece](max_buffer_size=1000)
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(self._speak_pieces, turn_id, pieces_out)
                async with pieces_in:
                    await self._generate(turn_id, text, messages, tools, pieces_in)
            self._audio_output.complete(turn_id)
            self._post(ReplyEnded(self._at(), turn_id))
        except* ProviderError as errors:
            error = _first(errors)
            self._post(ReplyFailed(self._at(), turn_id, error.ended_reason, str(error)))
        except* Exception as errors:  # noqa: BLE001  # a bug in a provider must end the call with a reason, not hang it
            _log.error("a provider raised an unexpected error", turn_id=turn_id, exc_info=errors)
            self._post(ReplyFailed(self._at(), turn_id, self._failed_reason, "internal error"))

    async def _generate(
        self,
        turn_id: str,
        text: str | None,
        messages: Sequence[ChatMessage],
        tools: ToolDeclarations,
        pieces: MemoryObjectSendStream[Piece],
    ) -> None:
        sentences = Sentences()
        if text is not None:
            for piece in (*sentences.push(text), *sentences.flush()):
                await pieces.send(piece)
            return
        calls: list[ToolCall] = []
        spoke = False
        room = MOST_REPLY_CHARS
        async with aclosing(cast("Any", self._model.reply(messages, tools.declarations))) as tokens:
            async for token in tokens:
                if not isinstance(token, str):
                    calls.append(token)
                    continue
                given, room = token[:room], room - len(token)
                spoke = spoke or bool(given.strip())
                self._post(ReplyToken(self._at(), turn_id, given))
                for piece in sentences.push(given):
                    await pieces.send(piece)
                if room < 0:
                    _log.warning("a reply was cut: it is too long", turn_id=turn_id, most_chars=MOST_REPLY_CHARS)
                    break
                # Many tokens may arrive at once: other calls go on between them.
                await anyio.lowlevel.checkpoint()
        self._post(TextEnded(self._at(), turn_id))
        if calls:
            self._call_tools(turn_id, calls, tools, spoke)
        for piece in sentences.flush():
            await pieces.send(piece)

    async def _speak_pieces(self, turn_id: str, pieces: MemoryObjectReceiveStream[Piece]) -> None:
        segment = 0
        async with pieces:
            async for piece in pieces:
                await self._audio_output.wait_until_below(turn_id, AHEAD_MS)
                self._post(SpeechRequested(self._at(), turn_id, segment, piece.start, piece.text))
                await self._speak(turn_id, segment, piece.text)
                segment += 1

    async def _speak(self, turn_id: str, segment: int, text: str) -> None:
        words: list[TimedWord] = []
        resampler: StreamResampler | None = None
        samples = 0

        def queued(*, done: bool) -> None:
            audio_ms = samples * 1000 // self._rate_hz
            self._post(SpeechQueued(self._at(), turn_id, segment, audio_ms, tuple(words), done))

        async with aclosing(cast("Any", self._voice.speak(text))) as chunks:
            chunk: SpeechChunk
            async for chunk in chunks:
                if resampler is None:
                    resampler = StreamResampler(chunk.rate_hz, self._rate_hz)
                timed = (TimedWord(w.char_end, w.start_ms, w.end_ms) for w in chunk.words)
                words.extend(islice(timed, len(text) - len(words)))  # a text has no more words than characters
                pcm = resampler.push(chunk.pcm)
                samples += pcm.size
                self._audio_output.queue(turn_id, pcm)
                queued(done=False)
                await self._audio_output.wait_until_below(turn_id, LONGEST_AHEAD_MS)
                await anyio.lowlevel.checkpoint()  # as for tokens
        if resampler is not None:
            rest = resampler.flush()
            samples += rest.size
            self._audio_output.queue(turn_id, rest)
        queued(done=True)

    def _at(self) -> int:
        return int(self._now_ms())


def _first(group: BaseExceptionGroup[ProviderError]) -> ProviderError:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = cast("BaseExceptionGroup[BaseException]", error).exceptions[0]
    return cast("ProviderError", error)  # `except*` selects nothing else
