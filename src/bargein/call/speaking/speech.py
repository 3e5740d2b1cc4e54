"""The speech pipeline: model tokens become sentences, sentences become speech."""

from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager, aclosing, contextmanager
from functools import partial
from itertools import islice
from typing import Any, NamedTuple, Protocol, cast

import anyio
import anyio.lowlevel
import numpy as np
import structlog
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from bargein.audio.resample import StreamResampler
from bargein.call.plan.voice_text import VoiceTextPlan
from bargein.call.record.usage import UsageMeter, metered_reply
from bargein.call.speaking.audio_output import AHEAD_MS, LONGEST_AHEAD_MS, AudioOutput
from bargein.call.speaking.formatter import Formatter
from bargein.call.speaking.sentences import Chunks, Piece
from bargein.call.speaking.spoken_text import HeardWords, SpokenText
from bargein.call.tools.declarations import ToolDeclarations
from bargein.ports import ChatMessage, Model, ProviderError, SpeechChunk, ToolCall, Voice, unexpected_error
from bargein.turns import Plan
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


class FailedReasons(NamedTuple):
    """The `endedReason`s for a model and a voice that fail for no known reason."""

    model: str
    voice: str

    @classmethod
    def of(cls, plan: Plan) -> "FailedReasons":
        """Return the reasons of an assistant's plan."""
        return cls(plan.model_failed_reason, plan.voice_failed_reason)


class _Failure(NamedTuple):
    error: ProviderError
    by_model: bool


class _Failing(Protocol):
    def __call__(self, *, by_model: bool) -> AbstractContextManager[None]: ...


class SpeechPipeline:
    """The generator of replies in one call. Each `run` is one reply, and may be cancelled at any point.

    Args:
        model: the language model.
        voice: text to speech.
        voice_text: how the text is cut and written for the voice.
        audio_output: receives the speech.
        rate_hz: the sample rate of `audio_output`.
        meter: counts the use of the model and the voice.
        failed_reasons: the `endedReason`s for unexpected errors of the model and of the voice.
        now_ms: returns the time since the call began.
        post: receives the reply's events.
        note_error: receives the errors of the model and the voice, for the log.
        call_tools: receives the tools that a reply calls, once the model is done, and whether it also spoke.
    """

    def __init__(
        self,
        *,
        model: Model,
        voice: Voice,
        voice_text: VoiceTextPlan,
        audio_output: AudioOutput,
        rate_hz: int,
        meter: UsageMeter,
        failed_reasons: FailedReasons,
        now_ms: Callable[[], float],
        post: Callable[[Event], None],
        note_error: Callable[[ProviderError], None],
        call_tools: Callable[[str, Sequence[ToolCall], ToolDeclarations, bool], None],
    ) -> None:
        self._call_tools = call_tools
        self._model = model
        self._set_voice(voice, voice_text)
        self._audio_output = audio_output
        self._rate_hz = rate_hz
        self._meter = meter
        self._failed_reasons = failed_reasons
        self._note_error = note_error
        self._now_ms = now_ms
        self._post = post

    def switch_agent(
        self, model: Model, voice: Voice, voice_text: VoiceTextPlan, failed_reasons: FailedReasons
    ) -> None:
        """Use another assistant's model and voice, from the next reply on."""
        self._model, self._failed_reasons = model, failed_reasons
        self._set_voice(voice, voice_text)

    def _set_voice(self, voice: Voice, plan: VoiceTextPlan) -> None:
        self._voice = voice
        self._voice_text = plan
        self._formatter = Formatter(plan.formatting, voice.marks)

    async def run(
        self, turn_id: str, text: str | None, messages: Sequence[ChatMessage], tools: ToolDeclarations
    ) -> None:
        """Generate a reply: of `text`, or of the model's answer to `messages`, which may call `tools`."""
        pieces_in, pieces_out = anyio.create_memory_object_stream[Piece](max_buffer_size=1000)
        failures: list[_Failure] = []
        async with anyio.create_task_group() as group:
            failing = partial(self._failing, turn_id, failures, group.cancel_scope)
            group.start_soon(self._speak_pieces, turn_id, pieces_out, failing)
            async with pieces_in:
                with failing(by_model=True):
                    await self._generate(turn_id, text, messages, tools, pieces_in)
        if failures:
            # Without a voice nothing can be said about a failure of the model.
            error, by_model = min(failures, key=lambda one: one.by_model)
            self._note_error(error)
            self._post(ReplyFailed(self._at(), turn_id, error.ended_reason, str(error), by_model))
            return
        self._audio_output.complete(turn_id)
        self._post(ReplyEnded(self._at(), turn_id))

    @contextmanager
    def _failing(
        self, turn_id: str, failures: list[_Failure], scope: anyio.CancelScope, *, by_model: bool
    ) -> Generator[None]:
        """Note the error of a part, also one that nobody expected, and cancel the other part."""
        try:
            yield
        except ProviderError as error:
            failures.append(_Failure(error, by_model))
            scope.cancel()
        except Exception as error:  # noqa: BLE001  # a bug in a provider must end the call with a reason, not hang it
            if not isinstance(error, anyio.BrokenResourceError):  # the voice takes no more pieces, and says why itself
                _log.error("a provider raised an unexpected error", turn_id=turn_id, exc_info=error)
            part, reason = ("model", self._failed_reasons.model) if by_model else ("voice", self._failed_reasons.voice)
            failures.append(_Failure(unexpected_error(part, reason), by_model))
            scope.cancel()

    async def _generate(
        self,
        turn_id: str,
        text: str | None,
        messages: Sequence[ChatMessage],
        tools: ToolDeclarations,
        pieces: MemoryObjectSendStream[Piece],
    ) -> None:
        chunks = Chunks(self._voice_text, pauses="break" not in self._voice.marks)
        if text is not None:
            for _, cut in (*chunks.push(text), chunks.end()):
                for piece in cut:
                    await pieces.send(piece)
            return
        calls: list[ToolCall] = []
        spoke = False
        room = MOST_REPLY_CHARS
        async with aclosing(
            cast("Any", metered_reply(self._model, self._meter, messages, tools.declarations))
        ) as tokens:
            async for token in tokens:
                if not isinstance(token, str):
                    calls.append(token)
                    continue
                given, room = token[:room], room - len(token)
                for part, cut in chunks.push(given):
                    spoke = spoke or bool(part.strip())
                    await self._pass_on(turn_id, part, cut, pieces)
                if room < 0:
                    _log.warning("a reply was cut: it is too long", turn_id=turn_id, most_chars=MOST_REPLY_CHARS)
                    break
                # Many tokens may arrive at once: other calls go on between them.
                await anyio.lowlevel.checkpoint()
        held, last = chunks.end()
        await self._pass_on(turn_id, held, [], pieces)
        self._post(TextEnded(self._at(), turn_id))
        if calls:
            self._call_tools(turn_id, calls, tools, spoke or bool(held))
        for piece in last:
            await pieces.send(piece)

    async def _pass_on(
        self, turn_id: str, part: str, cut: Sequence[Piece], pieces: MemoryObjectSendStream[Piece]
    ) -> None:
        """Pass a part of the model's text on to the engine, and the pieces that it completes to the voice."""
        if part:
            self._post(ReplyToken(self._at(), turn_id, part))
        for piece in cut:
            await pieces.send(piece)

    async def _speak_pieces(self, turn_id: str, pieces: MemoryObjectReceiveStream[Piece], failing: _Failing) -> None:
        segment = 0
        with failing(by_model=False):
            async with pieces:
                async for piece in pieces:
                    await self._audio_output.wait_until_below(turn_id, AHEAD_MS)
                    spoken = self._formatter.format(piece.text, ends_line=piece.ends_line)
                    changed = None if spoken.credit is None else spoken.text
                    self._post(SpeechRequested(self._at(), turn_id, segment, piece.start, piece.text, changed))
                    await self._speak(turn_id, segment, spoken, piece.pause_ms or 0)
                    segment += 1

    async def _speak(self, turn_id: str, segment: int, spoken: SpokenText, pause_ms: int) -> None:
        words: list[TimedWord] = []
        heard = HeardWords(spoken)
        resampler: StreamResampler | None = None
        samples = 0

        def queued(*, done: bool) -> None:
            audio_ms = samples * 1000 // self._rate_hz
            self._post(SpeechQueued(self._at(), turn_id, segment, audio_ms, tuple(words), done))

        if not spoken.text:
            if pause_ms:
                pause = np.zeros(pause_ms * self._rate_hz // 1000, np.int16)
                samples = pause.size
                self._audio_output.queue(turn_id, pause)
            queued(done=True)
            return
        self._meter.voice(spoken.text)
        async with aclosing(cast("Any", self._voice.speak(spoken.text))) as chunks:
            chunk: SpeechChunk
            async for chunk in chunks:
                if resampler is None:
                    resampler = StreamResampler(chunk.rate_hz, self._rate_hz)
                # a text has no more words than characters
                words.extend(islice(heard.add(chunk.words), len(spoken.text) - len(words)))
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
