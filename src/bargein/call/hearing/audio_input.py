"""Audio input of a call: audio frames in, voice edges and transcripts out."""

from collections.abc import Callable

import numpy as np

from bargein.audio.cancelling import EchoCancelling
from bargein.audio.resample import StreamResampler
from bargein.audio.voice import PauseGate, UtteranceGate, VoiceGate, Windower
from bargein.call.hearing.overlap import OverlapTracker
from bargein.call.hearing.pauses import PauseTracker
from bargein.errors import BargeinError
from bargein.ports import TRANSCRIBER_RATE_HZ, Leg, Pcm16, Transcriber, TranscriberStream, VoiceDetector
from bargein.turns.events import Event, TranscriptReceived, VoiceStarted, VoiceStopped

UTTERANCE_HANG_MS = 300
"""Silence after which the transcriber is asked for a final transcript."""

PAUSE_MS = 96
"""Silence after which it is asked for all words so far. The closure of a "t" or a "p" is mostly shorter than that."""

_MOST_AHEAD_MS = 60_000
"""Most audio that a client may send ahead of real time: what waits for the models must not fill the memory."""

_CONTIGUOUS_MS = 60
"""A frame that arrives later than this after the one before it is not the continuation of that frame's audio."""

_SILENCE: Pcm16 = np.zeros(TRANSCRIBER_RATE_HZ, dtype=np.int16)
_SILENCE.flags.writeable = False  # slices of it are handed out
_MOST_REFERENCE_SAMPLES = TRANSCRIBER_RATE_HZ * 2


class FloodError(BargeinError):
    """The client sends audio much faster than real time."""


def _zeros(samples: int) -> Pcm16:
    """Return silence as a read-only array, without allocating one for each frame."""
    return _SILENCE[:samples] if samples <= _SILENCE.size else np.zeros(samples, dtype=np.int16)


class PlayoutReference:
    """The assistant's audio as the caller hears it, at the transcriber's rate.

    It is the reference for echo cancellation, and the second channel for transcribers that take both sides.

    Args:
        leg: the connection that the frames are encoded for.
        record: receives the same audio, and when it begins to play, in milliseconds of the call.
    """

    def __init__(self, leg: Leg, record: Callable[[Pcm16, float], None]) -> None:
        self._leg = leg
        self._record = record
        self._resampler = StreamResampler(leg.rate_hz, TRANSCRIBER_RATE_HZ, "live")
        self._played: Pcm16 = _zeros(0)

    def add_frame(self, frame: bytes, at_ms: float) -> None:
        """Add a frame that was sent to the caller and begins to play at `at_ms`."""
        pcm = self._resampler.push(self._leg.decode(frame))
        self._record(pcm, at_ms)
        self._played = np.concatenate((self._played, pcm))[-_MOST_REFERENCE_SAMPLES:]

    def read(self, samples: int) -> Pcm16:
        """Return the next `samples` samples; silence where the assistant said nothing."""
        if not self._played.size:
            return _zeros(samples)
        reference = np.zeros(samples, dtype=np.int16)
        count = min(samples, self._played.size)
        reference[:count] = self._played[:count]
        self._played = self._played[count:]
        return reference


class AudioInput:
    """The audio input of one call.

    Args:
        leg: the connection that the audio comes from.
        detector: voice activity detection.
        transcriber: speech to text.
        reference: the assistant's audio.
        now_ms: returns the time since the call began.
        post: receives `VoiceStarted`, `VoiceStopped` and `TranscriptReceived`.
        on_probability: receives each window's voice probability and when the window ended.
        on_audio: receives both sides, equally long, at the transcriber's rate.
        record: receives the caller's audio at that rate, and when it began.
        overlaps: classifies voices that overlap the assistant; None: no classification.
        cancels_echo: whether the assistant's own voice is removed from the caller's audio.
        pauses: judges pauses of the caller; None: no judgement.

    Attributes:
        muted: whether the caller's audio is replaced by silence.
    """

    def __init__(
        self,
        leg: Leg,
        *,
        detector: VoiceDetector,
        transcriber: Transcriber,
        reference: PlayoutReference,
        now_ms: Callable[[], float],
        post: Callable[[Event], None],
        on_probability: Callable[[float, float], None],
        on_audio: Callable[[Pcm16, Pcm16], None],
        record: Callable[[Pcm16, float], None],
        overlaps: OverlapTracker | None = None,
        cancels_echo: bool = False,
        pauses: PauseTracker | None = None,
    ) -> None:
        self._leg = leg
        self._reference = reference
        self._now_ms = now_ms
        self._post = post
        self._on_probability = on_probability
        self._on_audio = on_audio
        self._record = record
        self._overlaps = overlaps
        self._pauses = pauses
        # The detector takes a telephone's 8 kHz as it is: resampling it first would only cost time.
        voice_rate_hz = 8_000 if leg.rate_hz == 8_000 and not cancels_echo else 16_000
        self._cancelling = EchoCancelling() if cancels_echo else None
        self._to_voice = StreamResampler(leg.rate_hz, voice_rate_hz, "live")
        self._to_words = (
            self._to_voice
            if voice_rate_hz == TRANSCRIBER_RATE_HZ
            else StreamResampler(leg.rate_hz, TRANSCRIBER_RATE_HZ, "live")
        )
        self._windower = Windower(voice_rate_hz)
        # A frame that completes no window is processed together with the next one, which makes 31 steps a second
        # instead of 50. Which frame that is, is known beforehand only where no resampler holds samples back.
        self._can_wait = voice_rate_hz == leg.rate_hz and not cancels_echo
        self._waiting: list[Pcm16] = []
        self._waiting_samples = 0
        self._waiting_at_ms = 0.0
        self._gate = VoiceGate()
        self._utterance = UtteranceGate(UTTERANCE_HANG_MS)
        self._pause = PauseGate(PAUSE_MS)
        self._detection = detector.open(voice_rate_hz, self._on_window)
        self._stream_number = 0
        self._transcription = self._open(transcriber)
        self._in_utterance = False
        self._received_ms = 0.0
        self.muted = False

    @property
    def transcription(self) -> TranscriberStream:
        """The transcription in use; its owner must call `run`."""
        return self._transcription

    def receive(self, data: bytes) -> None:
        """Receive encoded audio from the caller.

        Raises:
            ValueError: it is not in the format that was agreed on.
            FloodError: it is more than a minute ahead of real time.
        """
        pcm = self._leg.decode(data)
        arrival_ms = self._now_ms()
        self._received_ms = max(self._received_ms, arrival_ms) + pcm.size * 1000 / self._leg.rate_hz
        if self._received_ms - arrival_ms > _MOST_AHEAD_MS:
            raise FloodError("audio is sent much faster than real time")
        if self.muted:
            pcm = _zeros(pcm.size)
        if not self._can_wait:
            self._process(pcm, arrival_ms)
            return
        if self._waiting and arrival_ms - self._waiting_at_ms > _CONTIGUOUS_MS:
            self._process(self._join_waiting(), self._waiting_at_ms)
        self._waiting.append(pcm)
        self._waiting_samples += pcm.size
        self._waiting_at_ms = arrival_ms
        if self._waiting_samples >= self._windower.missing:
            self._process(self._join_waiting(), arrival_ms)

    def _join_waiting(self) -> Pcm16:
        """Return the waiting frames as one array, and clear them."""
        waiting, self._waiting, self._waiting_samples = self._waiting, [], 0
        return waiting[0] if len(waiting) == 1 else np.concatenate(waiting)

    def _process(self, pcm: Pcm16, arrival_ms: float) -> None:
        """Feed audio that arrived at `arrival_ms` to transcription, detection, recording and listeners."""
        for_voice = self._to_voice.push(pcm)
        for_words = for_voice if self._to_words is self._to_voice else self._to_words.push(pcm)
        if self._cancelling is not None:
            for_voice, from_assistant = self._cancelling.push(for_words, self._reference.read(for_words.size))
            for_words, arrival_ms = for_voice, arrival_ms - self._cancelling.held_ms
        else:
            from_assistant = self._reference.read(for_words.size)
        if for_words.size:
            self._transcription.feed(for_words, from_assistant)
            self._on_audio(for_words, from_assistant)
            if self._overlaps is not None:
                self._overlaps.feed(for_words, from_assistant, arrival_ms)
            if self._pauses is not None:
                self._pauses.feed(for_words, arrival_ms)
            self._record(for_words, arrival_ms - for_words.size * 1000 / TRANSCRIBER_RATE_HZ)
        for window, end_ms in self._windower.push(for_voice, arrival_ms):
            self._detection.push(window, end_ms)

    def close(self) -> None:
        """Stop the detection."""
        self._detection.close()

    def _on_window(self, probability: float, end_ms: float) -> None:
        self._on_probability(probability, end_ms)
        edge = self._gate.push(probability, end_ms)
        paused = self._pause.push(edge, end_ms)
        if paused:
            self._transcription.voice_paused()
        elif paused is False:
            self._transcription.voice_resumed()
        utterance = self._utterance.push(edge, end_ms)
        if utterance is not None:
            self._in_utterance = utterance.started
            if utterance.started:
                self._transcription.voice_started(round(self._now_ms()) - utterance.at_ms)
            else:
                self._transcription.voice_stopped()
        if edge is not None:
            if self._pauses is not None:
                self._pauses.push_edge(edge)
            at_ms = int(self._now_ms())
            if edge.voiced:
                self._post(VoiceStarted(at_ms, min(edge.at_ms, at_ms), edge.probability, edge.rising_ms))
            else:
                self._post(VoiceStopped(at_ms, min(edge.at_ms, at_ms), edge.probability))
        if self._overlaps is not None:
            self._overlaps.push_window(probability, end_ms, edge)

    def _open(self, transcriber: Transcriber) -> TranscriberStream:
        self._stream_number += 1
        number = self._stream_number

        def on_transcript(
            text: str,
            final: bool,  # noqa: FBT001  # the shape of `ports.TranscriptCallback`
            /,
            confidence: float | None = None,
            *,
            complete: bool = False,
        ) -> None:
            if number == self._stream_number:  # else it comes from a transcriber that has been replaced
                self._post(TranscriptReceived(int(self._now_ms()), text, final, confidence, complete))

        return transcriber.open(on_transcript)

    def switch_transcriber(self, transcriber: Transcriber) -> None:
        """Feed another transcriber from here on, also with an utterance that has begun; the caller must run it."""
        self._transcription = self._open(transcriber)
        if self._in_utterance:
            self._transcription.voice_started(0)
