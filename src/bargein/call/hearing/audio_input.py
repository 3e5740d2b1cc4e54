"""The assistant's ears: the caller's audio in, voice edges and words out."""

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
"""After so much silence the transcriber is asked for a final."""

PAUSE_MS = 96
"""After so much it is asked for all the words so far. The closure of a "t" or a "p" is mostly shorter."""

_MOST_AHEAD_MS = 60_000
"""A recording may be sent faster than it sounds, but what waits to be judged must not fill the memory."""

_CONTIGUOUS_MS = 60
"""A frame that comes so long after the one before does not sound right behind it."""

_SILENCE: Pcm16 = np.zeros(TRANSCRIBER_RATE_HZ, dtype=np.int16)
_SILENCE.flags.writeable = False  # it is handed out
_LONGEST_TAP_SAMPLES = TRANSCRIBER_RATE_HZ * 2


class FloodError(BargeinError):
    """Far more audio has come than time has gone by."""


def _zeros(samples: int) -> Pcm16:
    """Silence, to be read only: without a new array for each frame."""
    return _SILENCE[:samples] if samples <= _SILENCE.size else np.zeros(samples, dtype=np.int16)


class PlayoutReference:
    """What the caller hears, at the transcriber's rate, for transcribers that want to hear both sides.

    Args:
        leg: what the frames are encoded for.
        record: gets the same audio, and when it begins to sound, in the call's time.
    """

    def __init__(self, leg: Leg, record: Callable[[Pcm16, float], None]) -> None:
        self._leg = leg
        self._record = record
        self._resampler = StreamResampler(leg.rate_hz, TRANSCRIBER_RATE_HZ, "live")
        self._heard: Pcm16 = _zeros(0)

    def add_frame(self, frame: bytes, at_ms: float) -> None:
        """Take a frame that goes to the caller, where it sounds at `at_ms`."""
        pcm = self._resampler.push(self._leg.decode(frame))
        self._record(pcm, at_ms)
        self._heard = np.concatenate((self._heard, pcm))[-_LONGEST_TAP_SAMPLES:]

    def read(self, samples: int) -> Pcm16:
        """So many samples, silence where there was no speech."""
        if not self._heard.size:
            return _zeros(samples)
        taken = np.zeros(samples, dtype=np.int16)
        count = min(samples, self._heard.size)
        taken[:count] = self._heard[:count]
        self._heard = self._heard[count:]
        return taken


class AudioInput:
    """One call's hearing.

    Args:
        leg: where the audio comes from.
        detector: hears voices.
        transcriber: understands words.
        reference: the other side of the conversation.
        now_ms: the time since the call began.
        post: takes `VoiceStarted`, `VoiceStopped` and `TranscriptReceived`.
        watch: gets each window's voice probability and when it ended.
        overhear: gets both sides, equally long, at the transcriber's rate.
        record: gets what is heard of the caller at that rate, and when it began to sound.
        overlaps: has voices judged that cut in; None where nobody wants to know.
        cancels_echo: whether the assistant's own voice is taken out of what is heard.
        pauses: has the caller's pauses judged; None where nobody wants to know.
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
        # A telephone's audio is judged as it is: bringing it to 16 kHz first would only cost time.
        voice_rate_hz = 8_000 if leg.rate_hz == 8_000 and not cancels_echo else 16_000
        self._cancelling = EchoCancelling() if cancels_echo else None
        self._to_voice = StreamResampler(leg.rate_hz, voice_rate_hz, "live")
        self._to_words = (
            self._to_voice
            if voice_rate_hz == TRANSCRIBER_RATE_HZ
            else StreamResampler(leg.rate_hz, TRANSCRIBER_RATE_HZ, "live")
        )
        self._windower = Windower(voice_rate_hz)
        # Of a frame that completes no window nothing can be told yet: it is heard with the next one, so that there is
        # work for 31 windows a second and not for 50 frames. Known beforehand only where no resampler holds any back.
        self._can_wait = voice_rate_hz == leg.rate_hz and not cancels_echo
        self._waiting: list[Pcm16] = []
        self._waiting_samples = 0
        self._waiting_at_ms = 0.0
        self._gate = VoiceGate()
        self._utterance = UtteranceGate(UTTERANCE_HANG_MS)
        self._pause = PauseGate(PAUSE_MS)
        self._detecting = detector.open(voice_rate_hz, self._judged)
        self._listener = 0
        self._transcription = self._opened(transcriber)
        self._speaking = False
        self._heard_ms = 0.0
        self.muted = False

    @property
    def transcription(self) -> TranscriberStream:
        """The transcription, which somebody must `run`."""
        return self._transcription

    def receive(self, data: bytes) -> None:
        """Take what the far end sent.

        Raises:
            ValueError: it is no audio in the format that was agreed.
            FloodError: it is more than a minute ahead of its time.
        """
        pcm = self._leg.decode(data)
        arrival_ms = self._now_ms()
        self._heard_ms = max(self._heard_ms, arrival_ms) + pcm.size * 1000 / self._leg.rate_hz
        if self._heard_ms - arrival_ms > _MOST_AHEAD_MS:
            raise FloodError("audio comes much faster than it sounds")
        if self.muted:
            pcm = _zeros(pcm.size)
        if not self._can_wait:
            self._hear(pcm, arrival_ms)
            return
        if self._waiting and arrival_ms - self._waiting_at_ms > _CONTIGUOUS_MS:
            self._hear(self._waited_for(), self._waiting_at_ms)
        self._waiting.append(pcm)
        self._waiting_samples += pcm.size
        self._waiting_at_ms = arrival_ms
        if self._waiting_samples >= self._windower.missing:
            self._hear(self._waited_for(), arrival_ms)

    def _waited_for(self) -> Pcm16:
        """The frames that wait, as one."""
        waiting, self._waiting, self._waiting_samples = self._waiting, [], 0
        return waiting[0] if len(waiting) == 1 else np.concatenate(waiting)

    def _hear(self, pcm: Pcm16, arrival_ms: float) -> None:
        """Have a stretch of sound that had arrived by then heard by all who want to."""
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
            self._detecting.push(window, end_ms)

    def close(self) -> None:
        """Hear no more."""
        self._detecting.close()

    def _judged(self, probability: float, end_ms: float) -> None:
        self._on_probability(probability, end_ms)
        edge = self._gate.push(probability, end_ms)
        paused = self._pause.push(edge, end_ms)
        if paused:
            self._transcription.voice_paused()
        elif paused is False:
            self._transcription.voice_resumed()
        utterance = self._utterance.push(edge, end_ms)
        if utterance is not None:
            self._speaking = utterance.started
            if utterance.started:
                self._transcription.voice_started(round(self._now_ms()) - utterance.at_ms)
            else:
                self._transcription.voice_stopped()
        if edge is not None:
            if self._pauses is not None:
                self._pauses.turn(edge)
            at_ms = int(self._now_ms())
            if edge.voiced:
                self._post(VoiceStarted(at_ms, min(edge.at_ms, at_ms), edge.probability, edge.rising_ms))
            else:
                self._post(VoiceStopped(at_ms, min(edge.at_ms, at_ms), edge.probability))
        if self._overlaps is not None:
            self._overlaps.window(probability, end_ms, edge)

    def _opened(self, transcriber: Transcriber) -> TranscriberStream:
        self._listener += 1
        listener = self._listener

        def understood(
            text: str,
            final: bool,  # noqa: FBT001  # the shape of `ports.TranscriptCallback`
            /,
            confidence: float | None = None,
            *,
            whole: bool = False,
        ) -> None:
            if listener == self._listener:  # what a transcriber that was replaced still has to say is said by another
                self._post(TranscriptReceived(int(self._now_ms()), text, final, confidence, whole))

        return transcriber.open(understood)

    def switch_transcriber(self, transcriber: Transcriber) -> None:
        """From here on another transcriber understands; somebody must run it. What is being said goes on into it."""
        self._transcription = self._opened(transcriber)
        if self._speaking:
            self._transcription.voice_started(0)
