"""Audio input of a call: audio frames in, voice edges and transcripts out."""

from collections.abc import Callable

import numpy as np

from bargein.audio.arrival import ArrivalClock
from bargein.audio.cancelling import EchoCancellation
from bargein.audio.concealment import Concealment
from bargein.audio.resample import StreamResampler
from bargein.audio.voice import PauseGate, UtteranceGate, VoiceGate, Windower
from bargein.call.hearing.denoising import Denoising
from bargein.call.hearing.echo import EchoControl
from bargein.call.hearing.overlap import OverlapTracker
from bargein.call.hearing.pauses import PauseTracker
from bargein.call.hearing.reference import PlayoutReference, silence
from bargein.errors import BargeinError
from bargein.ports import TRANSCRIBER_RATE_HZ, Denoiser, Leg, Pcm16, Transcriber, TranscriberStream, VoiceDetector
from bargein.turns.events import Event, TranscriptReceived, VoiceStarted, VoiceStopped

UTTERANCE_HANG_MS = 300
"""Silence after which the transcriber is asked for a final transcript."""

PAUSE_MS = 96
"""Silence after which it is asked for all words so far. The closure of a "t" or a "p" is mostly shorter than that."""

_MOST_AHEAD_MS = 60_000
"""Most audio that a client may send ahead of real time: what waits for the models must not fill the memory."""

_GAP_MS = 20
"""A frame that begins later than this after the one before it is not the continuation of that frame's audio."""


class FloodError(BargeinError):
    """The client sends audio much faster than real time."""


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
        echo_cancellation: whether the assistant's own voice is removed from the caller's audio.
        pauses: judges pauses of the caller; None: no judgement.
        create_denoiser: makes a denoiser for the transcriber's audio; None: it gets the audio as it is.

    Attributes:
        denoising: the denoising in front of the transcriber.
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
        echo_cancellation: EchoCancellation = "off",
        pauses: PauseTracker | None = None,
        create_denoiser: Callable[[], Denoiser] | None = None,
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
        self._detector = detector
        self._echo = EchoControl(echo_cancellation)
        self._to_words = StreamResampler(leg.rate_hz, TRANSCRIBER_RATE_HZ, "live")
        # The detector takes a telephone's 8 kHz as it is: resampling it first would only cost time.
        voice_rate_hz = leg.rate_hz if leg.rate_hz == 8_000 and not self._echo.cancels else TRANSCRIBER_RATE_HZ
        self._windower = Windower(voice_rate_hz)
        self._detects_decoded = voice_rate_hz == leg.rate_hz and not self._echo.cancels
        # A frame that completes no window is processed together with the next one, which makes 31 steps a second
        # instead of 50. Which frame that is, is known beforehand only where no resampler holds samples back.
        self._waiting: list[Pcm16] = []
        self._waiting_samples = 0
        self._waiting_end_ms = 0.0
        self._gate = VoiceGate()
        self._utterance = UtteranceGate(UTTERANCE_HANG_MS)
        self._pause = PauseGate(PAUSE_MS)
        self._detection = detector.open(voice_rate_hz, self._on_window)
        self._stream_number = 0
        self._question = ""
        self._transcription = self._open(transcriber)
        self._in_utterance = False
        self._received_ms = 0.0
        self._fed_until_ms = 0.0
        self._arrivals = ArrivalClock()
        self._concealment = Concealment(voice_rate_hz)
        self._held_voice = silence(0)
        self.denoising = Denoising(create_denoiser)
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
        duration_ms = pcm.size * 1000 / self._leg.rate_hz
        end_ms = self._arrivals.push(duration_ms, arrival_ms)
        if self.muted:
            pcm = silence(pcm.size)
        if not self._detects_decoded:
            self._process(pcm, end_ms)
            return
        if self._waiting and end_ms - duration_ms - self._waiting_end_ms > _GAP_MS:
            self._process(self._join_waiting(), self._waiting_end_ms)
        self._waiting.append(pcm)
        self._waiting_samples += pcm.size
        self._waiting_end_ms = end_ms
        if self._waiting_samples >= self._windower.missing:
            self._process(self._join_waiting(), end_ms)

    def _join_waiting(self) -> Pcm16:
        """Return the waiting frames as one array, and clear them."""
        waiting, self._waiting, self._waiting_samples = self._waiting, [], 0
        return waiting[0] if len(waiting) == 1 else np.concatenate(waiting)

    def _process(self, pcm: Pcm16, end_ms: float) -> None:
        """Feed audio that was recorded until `end_ms` to transcription, detection, recording and listeners."""
        # Lost packets are concealed for the detector alone: the classifier of interruptions and the transcriber make
        # more of speech with holes than of speech whose holes repeat what was before.
        for_words = self._to_words.push(pcm)
        played = self._reference.read(for_words.size, end_ms)
        voice = self._reference.read_voice(for_words.size)
        for_words, from_assistant = self._echo.push(for_words, played)
        voice = from_assistant if voice is None else self._next_voice(voice, for_words.size)
        for_voice = self._concealment.push(pcm if self._detects_decoded else for_words)
        end_ms -= self._echo.held_ms
        if for_words.size:
            self._fed_until_ms = end_ms
            self._transcription.feed(self.denoising.process(for_words), voice)
            self._on_audio(for_words, from_assistant)
            if self._overlaps is not None:
                self._overlaps.feed(for_words, voice, end_ms)
            if self._pauses is not None:
                self._pauses.feed(for_words, end_ms)
            self._record(for_words, end_ms - for_words.size * 1000 / TRANSCRIBER_RATE_HZ)
        for window, window_end_ms in self._windower.push(for_voice, end_ms):
            self._detection.push(window, window_end_ms)

    def _next_voice(self, voice: Pcm16, samples: int) -> Pcm16:
        """Return the assistant's voice beside the next samples, of which the echo canceller may hold some back."""
        if self._held_voice.size:
            voice = np.concatenate((self._held_voice, voice))
        if voice.size < samples:  # the canceller held some back before the background sound began
            voice = np.concatenate((silence(samples - voice.size), voice))
        self._held_voice = voice[samples:]
        return voice[:samples]

    def set_background(self, peak: int) -> None:
        """Expect a background sound under the assistant's voice, with this highest sample: alone it has no echo."""
        self._echo.background_peak = peak
        self._reference.separate_voice()

    def close(self) -> None:
        """Stop the detection."""
        self._detection.close()

    def _switch_to_cancelled(self) -> None:
        """Detect voice in the audio without the echo from here on."""
        self._detection.close()
        self._windower = Windower(TRANSCRIBER_RATE_HZ)
        self._concealment = Concealment(TRANSCRIBER_RATE_HZ)
        self._detection = self._detector.open(TRANSCRIBER_RATE_HZ, self._on_window)
        self._detects_decoded = False
        if self._waiting:
            self._process(self._join_waiting(), self._waiting_end_ms)

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
                self._transcription.voice_started(round(self._fed_until_ms) - utterance.at_ms)
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
        if self._echo.push_window(probability):
            self._switch_to_cancelled()

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
            end_of_turn: float | None = None,
        ) -> None:
            if number == self._stream_number:  # else it comes from a transcriber that has been replaced
                if end_of_turn is not None and self._pauses is not None:
                    self._pauses.note_transcriber(end_of_turn)
                self._post(TranscriptReceived(int(self._now_ms()), text, final, confidence, complete))

        return transcriber.open(on_transcript)

    def expect(self, question: str) -> None:
        """Tell the transcriber the assistant's last words that were heard, also one that replaces it later."""
        if question != self._question:
            self._question = question
            self._transcription.expect(question)

    def switch_transcriber(self, transcriber: Transcriber) -> None:
        """Feed another transcriber from here on, also with an utterance that has begun; the caller must run it."""
        self._transcription = self._open(transcriber)
        self._transcription.expect(self._question)
        if self._in_utterance:
            self._transcription.voice_started(0)
